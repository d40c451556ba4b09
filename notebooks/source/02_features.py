# %% [markdown]
# # 02 · From air to numbers: features
#
# {{badges}}
#
# Recorded sound is a list of numbers, tens of thousands each second. Few models take these numbers
# directly. Most take *features*: the results of a few transformations, each with one or two
# parameters, and each loses something. We build them one by one, look at what they do, and listen
# to what is lost.

# %% [markdown]
# **You will learn** what sampling and bit depth do to a sound, and how aliasing sounds · to read
# the Fourier transform, and why it needs a window · the spectrogram and its trade-off · mel bands
# and MFCC, and the way back to sound · descriptors such as brightness, noisiness, pitch classes ·
# to trim, denoise, pad and cut · augmentation, scalogram and PCEN · to make a feature table for a
# whole data set without leaks, and to see which features separate the classes.
#
# **Exercises** are marked. The check under each says what is not right yet. `checks.hint("2.1")`
# gives a hint; call it again for the next one. The lesson itself uses the package's functions, so
# it runs whatever you write.
#
# **You should know** a little Python and NumPy, and what a sine is.
#
# **Data contract**
#
# - *reads* the clips of `DATASET`: `"urbansound8k"`, `"esc50"`, `"esc10"`, `"capuchin"`, or
#   `"folders"` (your own clips, a folder per class); YAMNet's LiteRT file, if it exists
# - *writes* to `OUTPUT_DIR`: `features.parquet` (a row per clip), `mutual_information.csv`,
#   `errors.csv`, `spectrograms.png`, `metrics.json`
# - *without data* a synthetic data set of the same layout is made

# %%
# {{set-up}}

from helpers import env

env.setup(keras=False)

# %%
import json
import time
from pathlib import Path

import librosa
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.fft
import scipy.signal
import seaborn as sns
import soundfile as sf
from IPython.display import Markdown, display

from helpers import audio, data, features, files
from helpers import exercises as checks
from helpers.audio import quality
from helpers.display import plots, widgets
from helpers.features import descriptors, survey

# %% [markdown]
# ## Parameters
#
# Everything that you may want to change is here; a batch job sets the same names from outside.

# %% tags=["parameters"]
DATASET = "urbansound8k"  # or "esc50", "esc10", "capuchin", "folders" (your own clips)
DATA_DIR = ""  # folder of the data set; "": search for it
OUTPUT_DIR = ""  # "": outputs/02_features
SEED = 0
MAX_CLIPS = 0  # of the feature table; 0: all
YAMNET_PATH = ""  # YAMNet's LiteRT file; "": search for it, and go on if there is none
SAMPLE_SIZE = "small"  # of the synthetic data: "small" or "full"

# %%
OUTPUT = Path(OUTPUT_DIR or "outputs/02_features")
plots.use_style()
rng = np.random.default_rng(SEED)
dataset = data.resolve(DATASET, DATA_DIR, require=("clips",), sample_size=SAMPLE_SIZE)
clips, errors = data.clip_table(dataset, max_clips=MAX_CLIPS, seed=SEED)
checks.start("2", strict=True)

# %% [markdown]
# Most sections need one example. We decode and measure all clips once (as in notebook 01; the
# results are kept), and of the clips without faults we take the one whose level changes most: it
# has loud parts and pauses.

# %%
found, undecodable = features.survey_clips(clips, root=dataset.root)
errors = pd.concat([errors, undecodable], ignore_index=True)
files.write_table(errors, OUTPUT / "errors.csv")
table = found.table
lively = found.features["rms_db_std"].where(
    (table["peak"] > 0.05) & (table["clipped_share"] == 0) & (table["duration_s"] >= 2)
    & (table["silent_share"] < 0.3)
)  # fmt: skip
chosen = int(lively.idxmax()) if lively.notna().any() else 0
path = table["path"][chosen]
SR = 22050
example = audio.load(path, sr=SR, duration_s=4.0)
title = f"{table['label'][chosen]} ({table['group'][chosen][:24]})"
widgets.players([example], sr=SR, titles=[title])

# %% [markdown]
# ## 1 Sampling
#
# Sound is a change of air pressure. A converter measures the pressure many times a second; how
# often is the *sample rate*, and each value is a *sample*. A tone that completes more than half a
# cycle between two samples gives the same values as a lower tone: this is *aliasing*.

# %%
figure, axis = plt.subplots(figsize=(12, 2.6), layout="constrained")
fine, seen = np.linspace(0, 0.004, 2000), np.arange(0, 0.004, 1 / 8000)
for hz, colour in ((7000, plots.CALL), (1000, plots.OTHER)):
    axis.plot(1000 * fine, np.cos(2 * np.pi * hz * fine), color=colour, lw=1, label=f"{hz} Hz")
axis.plot(1000 * seen, np.cos(2 * np.pi * 1000 * seen), "ko", ms=4, label="sampled at 8000 Hz")
axis.set(xlabel="time (ms)", ylabel="pressure")
axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=3, frameon=False, fontsize=9)
plt.show()

# %% [markdown]
# The black dots lie on both curves: at a sample rate of 8 kHz, tones of 7000 Hz and 1000 Hz give
# the same samples. Only frequencies below half the sample rate, the *Nyquist frequency*, are kept;
# a higher tone is folded back: it sounds like a lower one.
#
# **Exercise 2.1: the frequency that is heard.** A tone of any frequency is sampled without a
# filter. Return the frequency that you hear, 0 to sr / 2. For example:

# %%
print("at 8000 Hz:", {5000: 3000, 7000: 1000, 8000: 0, 9000: 1000, 13000: 3000})


# %%
def heard_frequency(f, *, sr):
    """What is heard of a tone. f: its frequency, Hz. sr: sample rate, Hz. Returns Hz."""
    ### BEGIN SOLUTION 2.1: whole turns between two samples are invisible; then fold at sr / 2
    rest = f % sr
    return min(rest, sr - rest)
    ### END SOLUTION


# %%
checks.heard_frequency(heard_frequency)

# %% [markdown]
# Listen to a tone that rises from 200 Hz to 7800 Hz, at a sample rate of 8 kHz: first sampled
# without a filter, then with a filter that removes everything above 4 kHz. A good *resampler*
# (here soxr) has such a filter; `y[::4]` has none. The last two players are our clip.

# %%
seconds = np.arange(int(3 * 48000)) / 48000
sweep = (0.3 * np.sin(2 * np.pi * (200 * seconds + 7600 / 6 * seconds**2))).astype(np.float32)
naive, clean = sweep[::6], librosa.resample(sweep, orig_sr=48000, target_sr=8000)
low = SR // 4
clip_clean = librosa.resample(example, orig_sr=SR, target_sr=low)
figure, axes = plt.subplots(1, 2, figsize=(12, 3), sharey=True, layout="constrained")
front = features.Frontend(sr=8000, n_fft=512, hop_length=128, n_mels=0)
for axis, y, name in zip(axes, (naive, clean), ("y[::6]", "resampled"), strict=True):
    plots.spectrogram(axis, front.power(y), front)
    axis.set_title(f"a rising tone, sample rate reduced to 8 kHz: {name}", fontsize=10)
plt.show()
display(widgets.players([naive, clean], sr=8000, titles=["rising tone, y[::6]", "resampled"]))
display(widgets.players([example[::4], clip_clean], sr=low, titles=["clip, y[::4]", "resampled"]))

# %% [markdown]
# ## 2 Bit depth
#
# Each sample is stored as a whole number. With `bits` bits there are `2 ** bits` levels for the
# range from -1 to 1, and each sample is rounded to a level. The rounding error is a noise, which is
# fainter with more bits. (With very few bits it is a distortion that follows the sound.)
#
# **Exercise 2.2: quantise.** Round each sample to the nearest multiple of `1 / 2 ** (bits - 1)`.
# The lowest level is -1, the highest one step below 1, as for signed integers; clip samples beyond
# these. For example:

# %%
print("3 bits, steps of 0.25:", {-1.0: -1.0, 0.1: 0.0, 0.2: 0.25, 0.7: 0.75, 0.99: 0.75})


# %%
def quantise(y, *, bits):
    """Quantise. y: float (n_samples,), full scale ±1. Returns float, same shape."""
    ### BEGIN SOLUTION 2.2: scale to whole numbers, round, cut, scale back
    scale = 2 ** (bits - 1)
    return np.clip(np.round(y * scale), -scale, scale - 1) / scale
    ### END SOLUTION


# %%
checks.quantise(quantise)

# %%
loud = 0.95 * librosa.util.normalize(example)
depths = np.arange(2, 17)
rounded, ratios = {}, []
for bits in depths:
    step = 2.0 ** (bits - 1)
    rounded[bits] = np.clip(np.round(loud * step), -step, step - 1) / step
    ratios.append(10 * np.log10(np.mean(loud**2) / np.mean((loud - rounded[bits]) ** 2)))
figure, axis = plt.subplots(figsize=(8, 3.2), layout="constrained")
axis.plot(depths, ratios, "o-", color=plots.OTHER)
axis.set(xlabel="bit depth", ylabel="signal-to-noise ratio (dB)", xticks=depths)
plt.show()
slope = np.polyfit(depths[6:], ratios[6:], 1)[0]
display(
    Markdown(
        f"Each bit lowers the noise by **{slope:.2f} dB** (theory: 20 log10 2 = 6.02 dB, for a "
        "sound that is never fainter than a step). At 16 bits the "
        f"noise lies {ratios[-1]:.0f} dB below this clip."
    ),
    widgets.players(
        [rounded[3], rounded[6], rounded[8], loud],
        sr=SR,
        titles=["3 bits", "6 bits", "8 bits", "all bits"],
    ),
)

# %% [markdown]
# ## 3 Loading
#
# Three libraries load a file in three ways. `librosa` by default resamples to 22.05 kHz and mixes
# to mono. `soundfile` gives what is in the file. `torchaudio`, if it is installed, gives a tensor
# with the channels first.

# %%
rows = {}
y, rate = librosa.load(path)
rows["librosa.load(path)"] = (rate, y.shape, y.dtype, np.abs(y).max())
y, rate = librosa.load(path, sr=None, mono=False)
rows["librosa.load(path, sr=None, mono=False)"] = (rate, y.shape, y.dtype, np.abs(y).max())
y, rate = sf.read(path, dtype="float32")
rows["soundfile.read(path, dtype='float32')"] = (rate, y.shape, y.dtype, np.abs(y).max())
y = audio.load(path, sr=16000)
rows["helpers.audio.load(path, sr=16000)"] = (16000, y.shape, y.dtype, np.abs(y).max())
if torchaudio := env.optional("torchaudio"):
    try:
        y, rate = torchaudio.load(path)
        rows["torchaudio.load(path)"] = (rate, tuple(y.shape), y.dtype, float(y.abs().max()))
    except Exception as error:  # newer versions load through torchcodec, which may not be there
        print(f"torchaudio cannot load here: {type(error).__name__}")
pd.DataFrame(rows, index=["sample rate (Hz)", "shape", "type", "largest sample"]).T

# %% [markdown]
# Check the shape: channels first, channels last, or no channel axis. Check the scale: -1 to 1 for
# floats, larger numbers for integers. Files of one data set often differ in sample rate and level.
# *Normalising* to a common peak removes differences in level. Whether that is right depends on the
# task: sometimes two sounds differ only in level.

# %% [markdown]
# ## 4 Frequency
#
# Any piece of sound is a sum of sines. The Fourier transform (computed by the FFT) gives the
# amplitude of each. But it treats the piece as one period of a sound that repeats forever. If the
# end does not fit the beginning, there is a jump, and a jump contains all frequencies: *leakage*. A
# *window* fades both ends to zero, and so removes the jump.

# %%
times = np.arange(2048) / SR
two = 0.5 * np.sin(2 * np.pi * 1005 * times) + 0.0015 * np.sin(2 * np.pi * 1400 * times)
figure, axis = plt.subplots(figsize=(12, 3.2), layout="constrained")
for window, name, colour in (("boxcar", "none", "0.6"), ("hann", "Hann", plots.CALL)):
    f, power = scipy.signal.periodogram(two, SR, window, detrend=False, scaling="spectrum")
    axis.plot(f, 10 * np.log10(2 * power + 1e-14), color=colour, label=f"window: {name}")
axis.set(xlim=(500, 2000), ylim=(-110, 0))
axis.set(xlabel="frequency (Hz)", ylabel="amplitude (dB re 1)")
axis.legend()
plt.show()

# %% [markdown]
# This sound has two tones, at 1005 Hz and, 50 dB fainter, at 1400 Hz. Without a window the leakage
# of the first hides the second. (The price: with the window every peak is wider, and a tone
# between two *bins*, the frequencies of the FFT, appears up to 1.4 dB too low.)
#
# **Exercise 2.3: an amplitude spectrum.** Return the frequencies of the FFT's bins (Hz) and the
# amplitudes there, with a Hann window over the whole sound, scaled such that a sine of amplitude
# 0.5 in the middle of a bin gives 0.5. (The scale of the bins at 0 Hz and sr / 2 does not matter.)
# For example:

# %%
print("800 samples at 8000 Hz: 401 frequencies, 0, 10, 20, … 4000 Hz; a tone of amplitude 0.5 at")
print("1000 Hz gives 0.5 there, 0.25 in both neighbours (the window's width), 0 elsewhere")


# %%
def amplitude_spectrum(y, *, sr):
    """Spectrum of a sound. y: float (n,). Returns (f in Hz, amplitude), both (1 + n // 2,)."""
    ### BEGIN SOLUTION 2.3: window, FFT, and a scale that makes up for the window
    window = np.hanning(len(y))
    spectrum = np.fft.rfft(y * window)
    return np.fft.rfftfreq(len(y), 1 / sr), 2 / window.sum() * np.abs(spectrum)
    ### END SOLUTION


# %%
checks.amplitude_spectrum(amplitude_spectrum)

# %% [markdown]
# ## 5 Time and frequency
#
# The spectrum of a whole clip does not show *when* something sounds. So we cut the sound into short
# overlapping *frames* and take the spectrum of each: the short-time Fourier transform (STFT). Its
# picture is the spectrogram. It has two parameters: the length of a frame (`n_fft`), and the step
# between two frames (`hop_length`).
#
# **Exercise 2.4: a spectrogram by hand.** Return the power, |FFT|², of every frame. Frames are
# centred: put `n_fft // 2` zeros before and after the sound, begin a frame every `hop_length`
# samples, and keep all that fit. The window is the periodic Hann window,
# `scipy.signal.get_window("hann", n_fft)`. For example:

# %%
print("800 samples, n_fft = 256, hop_length = 64: (1 + n_fft // 2, n_frames) = (129, 13)")


# %%
def power_spectrogram(y, *, n_fft, hop_length):
    """|STFT|². y: float (n_samples,). Returns float (1 + n_fft // 2, n_frames)."""
    ### BEGIN SOLUTION 2.4: pad, cut into frames, window, FFT, square
    from scipy.signal import get_window

    padded = np.pad(y, n_fft // 2)
    starts = range(0, len(padded) - n_fft + 1, hop_length)
    frames = np.array([padded[start : start + n_fft] for start in starts])
    return np.abs(np.fft.rfft(frames * get_window("hann", n_fft))).T ** 2
    ### END SOLUTION


# %%
checks.power_spectrogram(power_spectrogram)

# %% [markdown]
# The trade-off: a long frame separates neighbouring frequencies, but smears short sounds. A short
# frame shows the time, but blurs the frequencies. For one shape of window the product of the
# widths in time and in frequency is fixed: you cannot improve both.

# %%
figure, axes = plt.subplots(1, 3, figsize=(13, 3.4), sharey=True, layout="constrained")
for axis, n_fft in zip(axes, (256, 1024, 8192), strict=True):
    front = features.Frontend(sr=SR, n_fft=n_fft, hop_length=64, n_mels=0, fmax=6000)
    power = front.power(example[: 2 * SR])
    image = plots.spectrogram(axis, power / power.max(), front)
    axis.set_title(
        f"frames of {1000 * n_fft / SR:.0f} ms, bins of {SR / n_fft:.0f} Hz", fontsize=10
    )
    axis.set_ylabel("frequency (kHz)" if axis is axes[0] else "")
figure.colorbar(image, ax=axes, label="power (dB re maximum)")
plt.show()

# %% [markdown]
# ## 6 Mel bands
#
# We hear 200 Hz and 300 Hz as far apart, 5000 Hz and 5100 Hz as nearly the same. The *mel scale*
# follows our hearing: in the version used here (Slaney's) it is linear below 1000 Hz, logarithmic
# above. Triangular weights of equal width on that scale sum the bins of the spectrogram into bands.
#
# Note the order of the axes. librosa returns (n_bins, n_frames), frequency first; this package
# returns (n_frames, n_bands), time first, because a recording grows along time. `.T` swaps the
# axes.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 3), layout="constrained")
hz = np.linspace(0, 8000, 500)
left.plot(hz, librosa.hz_to_mel(hz), color=plots.OTHER)
left.axvline(1000, color="0.6", lw=0.8, ls=":")
left.set(xlabel="frequency (Hz)", ylabel="mel (Slaney)")
weights = librosa.filters.mel(sr=16000, n_fft=2048, n_mels=12, norm=None)
right.plot(np.fft.rfftfreq(2048, 1 / 16000), weights.T, lw=1.2)
right.set(xlabel="frequency (Hz)", ylabel="weight", title="12 mel bands")
plt.show()

# %%
linear = features.Frontend(sr=SR, n_fft=2048, hop_length=256, n_mels=0)
mel = features.Frontend(sr=SR, n_fft=2048, hop_length=256, n_mels=64)
figure, axes = plt.subplots(1, 2, figsize=(12, 3.6), layout="constrained")
for axis, front, name in zip(axes, (linear, mel), ("linear", "mel"), strict=True):
    power = front.power(example)
    edges = np.arange(power.shape[1] + 1)
    db = features.to_db(power / power.max()).T
    times = np.arange(len(power) + 1) * front.hop_s
    image = axis.pcolormesh(times, edges, db, vmin=-60, cmap="magma", rasterized=True)
    ticks = np.searchsorted(front.frequencies, [1000, 2000, 4000, 8000])
    axis.set_yticks(ticks, ["1", "2", "4", "8"])
    axis.set(xlabel="time (s)", ylabel="frequency (kHz)")
    axis.set_title(f"{title}: {power.shape[1]} {name} bands", fontsize=10)
figure.colorbar(image, ax=axes, label="power (dB re maximum)")
files.write_figure(figure, OUTPUT / "spectrograms.png")
plt.show()

# %% [markdown]
# Every band has the same height, so the mel picture gives more room to low frequencies. It has
# only a sixteenth of the numbers. (Powers are shown in decibels, 10 log10 of the power, because we
# hear loudness in ratios, too.)

# %% [markdown]
# ## 7 MFCC, and the way back
#
# Neighbouring mel bands rise and fall together. The cosine transform (DCT) over the bands describes
# this with few numbers: the first is the level, the second the slope of the spectrum, the next are
# finer and finer ripples. The first dozen or so, the *mel-frequency cepstral coefficients* (MFCC),
# give its coarse shape, such as the resonances of a throat, and leave out the pitch.
#
# **Exercise 2.5: MFCC.** From a log-mel spectrogram (dB) return the first `n_mfcc` coefficients of
# each frame: the orthonormal DCT (type II) over the bands. `scipy.fft` has it. For example:

# %%
print("a flat spectrum of -20 dB in 40 bands: -126.49, 0, 0, 0 …, since -20 * sqrt(40) = -126.49")


# %%
def mfcc(log_mel, *, n_mfcc):
    """MFCC. log_mel: float (n_mels, n_frames), dB. Returns float (n_mfcc, n_frames)."""
    ### BEGIN SOLUTION 2.5: the transform over the bands, then its first rows
    return scipy.fft.dct(log_mel, axis=0, norm="ortho")[:n_mfcc]
    ### END SOLUTION


# %%
checks.mfcc(mfcc)

# %% [markdown]
# The inverse transform gives a log-mel spectrogram again: with all 64 coefficients the same one,
# with fewer a smooth version. A model that gets 13 MFCC never sees what is lost in the rightmost
# picture.

# %%
log_mel = mel.log_power(example)
coefficients = scipy.fft.dct(log_mel, axis=1, norm="ortho")
smooth = {}
for kept in (64, 20, 13):
    cut = np.where(np.arange(64) < kept, coefficients, 0)
    smooth[kept] = scipy.fft.idct(cut, axis=1, norm="ortho")
figure, axes = plt.subplots(1, 3, figsize=(13, 3.2), sharey=True, layout="constrained")
for axis, (kept, level) in zip(axes, smooth.items(), strict=True):
    image = plots.spectrogram(axis, 10 ** ((level - log_mel.max()) / 10), mel)
    image.set_clim(-60, 0)
    off = np.sqrt(np.mean((level - log_mel) ** 2))
    axis.set_title(f"from {kept} MFCC: off by {off:.1f} dB (RMS)", fontsize=10)
    axis.set_ylabel("frequency (kHz)" if axis is axes[0] else "")
figure.colorbar(image, ax=axes, label="power (dB re maximum)")
plt.show()

# %% [markdown]
# ### From a spectrogram back to sound
#
# A spectrogram has no phase, so it cannot simply be inverted. Griffin and Lim's method estimates a
# phase: begin with a random phase, transform to sound and back, keep the new phase with the given
# magnitudes, and repeat. (For mel bands, first estimate the power of the bins by least squares.)
# How good is the result? The mean squared error of the *waveform* says little, because we hardly
# hear phase. That of the log-mel spectrogram says more. (In it, levels more than 60 dB below the
# maximum are set to this limit.)

# %%
magnitude = np.sqrt(linear.spectrogram(example))
powers = {"magnitudes": magnitude}
back = np.linalg.pinv(librosa.filters.mel(sr=SR, n_fft=2048, n_mels=64).T)  # bands to bins
for name, log in (("64 mel bands", log_mel), ("20 MFCC", smooth[20])):
    powers[name] = np.sqrt(np.maximum(10 ** (log / 10) @ back, 0))
floor = log_mel.max() - 60


def log_mel_error(y):
    """Mean squared difference of a sound's log-mel from the original's, dB²."""
    return np.mean((np.maximum(mel.log_power(y), floor) - np.maximum(log_mel, floor)) ** 2)


rows, heard = [], {"original": example}
for name, amplitudes in powers.items():
    for n_iter in (1, 8, 32) if name == "magnitudes" else (32,):
        y = librosa.griffinlim(
            amplitudes.T, n_iter=n_iter, hop_length=256, n_fft=2048, length=len(example),
            random_state=SEED,
        )  # fmt: skip
        rows.append(
            {
                "from": name,
                "iterations": n_iter,
                "MSE of the waveform, re its power": np.mean((y - example) ** 2)
                / np.mean(example**2),
                "MSE of the log-mel (dB²)": log_mel_error(y),
            }
        )
    heard[name] = y
reconstructed = pd.DataFrame(rows)
display(reconstructed.style.format(precision=2).hide(axis="index"))
widgets.players(list(heard.values()), sr=SR, titles=list(heard))

# %% [markdown]
# Compare the two columns. An unrelated sound of the same level has a waveform error of 2, and so
# may a copy with another phase (a fainter sound has less). The number does not tell them apart,
# but your ear does.

# %% [markdown]
# ## 8 Descriptors
#
# A spectrogram frame has hundreds of numbers; a *descriptor* is one number that describes a
# property of the sound. The best known is the *spectral centroid*, the centre of gravity of the
# magnitudes over frequency, which measures brightness.
#
# **Exercise 2.6: the spectral centroid.** Return it for each frame, in Hz. A silent frame has no
# centre: return 0 there. For example:

# %%
print("three bins, at 0, 100 and 200 Hz; two frames, which are the columns:")
print(np.array([[1, 0], [1, 0], [2, 0]]), "→ centroids 125 Hz and 0 (silence)")


# %%
def spectral_centroid(magnitude, f):
    """Brightness. magnitude: (n_bins, n_frames). f: Hz (n_bins,). Returns Hz (n_frames,)."""
    ### BEGIN SOLUTION 2.6: the mean of the frequencies, weighted by the magnitudes
    total = magnitude.sum(axis=0)
    weighted = (f[:, None] * magnitude).sum(axis=0)
    return np.divide(weighted, total, out=np.zeros_like(weighted), where=total > 0)
    ### END SOLUTION


# %%
checks.spectral_centroid(spectral_centroid)

# %% [markdown]
# The package's `descriptors.over_time` computes many: centroid, bandwidth (how far the spectrum
# spreads around the centroid), rolloff (85 % of the magnitude lie below), flatness (high for noise,
# near 0 for a tone), zero-crossing rate, level, spectral contrast (peaks against valleys, by
# octave), chroma (the twelve pitch classes) and MFCC.

# %%
front = survey.FRONTEND
curves = descriptors.over_time(example, front)
times = np.arange(len(curves["rms_db"])) * front.hop_s
figure, axes = plt.subplots(
    5, 1, figsize=(12, 11), sharex=True, height_ratios=[2.2, 1, 1, 1.4, 1.6], layout="constrained"
)
power = linear.power(example)
plots.spectrogram(axes[0], power / power.max(), linear)
sounding = curves["rms_db"] > curves["rms_db"].max() - 40
for name, style in (("centroid_hz", "w-"), ("rolloff_hz", "c--")):
    axes[0].plot(
        times,
        np.where(sounding, curves[name], np.nan) / 1000,
        style,
        lw=1.3,
        label=name.removesuffix("_hz"),
    )
low = (curves["centroid_hz"] - curves["bandwidth_hz"]) / 1000
high = (curves["centroid_hz"] + curves["bandwidth_hz"]) / 1000
axes[0].fill_between(
    times, low, high, where=sounding, color="w", alpha=0.2, lw=0, label="± bandwidth"
)
axes[0].legend(loc="upper right", fontsize=8, facecolor="0.35", labelcolor="w")
axes[0].set(xlabel="", title=title, ylim=(0, SR / 2000))
axes[1].plot(times, curves["rms_db"], color=plots.OTHER)
axes[1].set(ylabel="level (dB)")
axes[2].plot(times, curves["zero_crossing_rate"], color=plots.OTHER)
axes[2].set(ylabel="zero-crossing\nrate")
image = axes[3].pcolormesh(times, np.arange(7), curves["contrast_db"].T, cmap="viridis")
axes[3].set(ylabel="contrast band\n(from, kHz)")
axes[3].set_yticks(range(7), ["0", "0.2", "0.4", "0.8", "1.6", "3.2", "6.4"], fontsize=8)
figure.colorbar(image, ax=axes[3], label="dB")
chroma = np.where(sounding[:, None], curves["chroma"], np.nan)
image = axes[4].pcolormesh(times, np.arange(12), chroma.T, cmap="viridis")
axes[4].set(ylabel="chroma", xlabel="time (s)")
axes[4].set_yticks(range(12), descriptors.PITCHES, fontsize=8)
figure.colorbar(image, ax=axes[4], label="re strongest")
plt.show()

# %% [markdown]
# The top contrast band contains frequencies that a resampler removes. Its valleys are then empty,
# and it says more about the origin of the file than about the sound. In pauses the curves describe
# the background: a descriptor does not know which sound you mean. (The first and the last picture
# leave out frames more than 40 dB below the loudest.)

# %% [markdown]
# ## 9 Conditioning: make clips alike before you compare them
#
# Silence at the ends depends on who cut the clip: *trim* it. Steady noise can be *reduced* (here by
# noisereduce, which learns the spectrum of the noise from a quiet part and attenuates what does not
# rise above it). Networks need clips of one length: *pad or cut*. Long sounds are cut into
# *segments* that overlap: a short sound that the end of one segment cuts lies whole in the next.
#
# **Exercise 2.7: segments with overlap.** Cut a sound into segments of `length` samples that begin
# every `hop` samples (`hop` is at most `length`). Keep every sample: pad the last segment with
# zeros at its end. Use no more segments than needed: one begins only if some samples are not in an
# earlier segment. A sound shorter than `length` gives one segment. For example:

# %%
print("1 2 3 4 5 6 7, length 4, hop 2: 1 2 3 4 | 3 4 5 6 | 5 6 7 0")


# %%
def segments(y, *, length, hop):
    """Overlapping segments. y: (n_samples,). Returns (n_segments, length)."""
    ### BEGIN SOLUTION 2.7: how many does it take? pad to that, then cut
    n = 1 + int(np.ceil(max(0, len(y) - length) / hop))
    padded = np.zeros(length + (n - 1) * hop, dtype=y.dtype)
    padded[: len(y)] = y
    return np.stack([padded[k * hop : k * hop + length] for k in range(n)])
    ### END SOLUTION


# %%
checks.segments(segments)

# %%
noisy = example + 0.1 * np.sqrt(np.mean(example**2)) * rng.standard_normal(len(example))
noisy = noisy.astype(np.float32)
stages = {"with noise (20 dB below)": noisy}
if noisereduce := env.optional("noisereduce"):
    parts = audio.segments(noisy, length=SR // 4, hop=SR // 8)[:-1]
    quietest = parts[np.argmin(np.square(parts).sum(axis=1))]
    stages["noise reduced"] = noisereduce.reduce_noise(
        y=noisy, sr=SR, y_noise=quietest, stationary=True
    )
kept, (start, stop) = librosa.effects.trim(list(stages.values())[-1], top_db=30)
stages[f"trimmed to {start / SR:.2f} … {stop / SR:.2f} s"] = kept
stages["cut or padded to 3 s"] = audio.fix_length(kept, n_samples=3 * SR)
figure = plots.gallery(
    list(stages.values()),
    [survey.FRONTEND.power(y) for y in stages.values()],
    survey.FRONTEND,
    titles=list(stages),
    columns=len(stages),
    alike=True,
)
plt.show()
widgets.players(list(stages.values()), sr=SR, titles=list(stages), columns=len(stages))

# %%
if "noise reduced" in stages:
    wanted = np.mean(example**2)
    left = [np.mean((stages[name] - example) ** 2) for name in list(stages)[:2]]
    before, after = 10 * np.log10(wanted / np.array(left))
    display(
        Markdown(
            f"Signal-to-noise ratio before: {before:.0f} dB; after: **{after:.0f} dB**. The method "
            "removes the hiss between the sounds, and a part of the sounds as well. Noise "
            "reduction can help people to listen; measure whether it helps a model."
        )
    )

# %% [markdown]
# ## 10 Augmentation: other sounds of the same label
#
# A model that has heard a dog only at one level, pitch and place in the clip may rely on these.
# So training changes, at random, what does *not* change the label. Here is one example of each
# change. (Be careful: `np.roll` moves the end to the front, and a bird with another pitch may
# be another species.)

# %%
moved = np.roll(example, SR // 2)
gain = 10 ** (-12 / 20) * example
noise = rng.standard_normal(len(example)).astype(np.float32)
noise *= np.sqrt(np.mean(example**2) / np.mean(noise**2)) * 10 ** (-5 / 20)
versions = {
    "original": example,
    "moved by 0.5 s": moved,
    "12 dB fainter": gain,
    "pitch: 3 semitones up": librosa.effects.pitch_shift(example, sr=SR, n_steps=3),
    "25 % faster": librosa.effects.time_stretch(example, rate=1.25),
    "noise 5 dB below": example + noise,
}
plots.gallery(
    list(versions.values()),
    [mel.power(y) for y in versions.values()],
    mel,
    titles=list(versions),
    columns=3,
    alike=True,
)
plt.show()
widgets.players(list(versions.values()), sr=SR, titles=list(versions), columns=3)

# %% [markdown]
# SpecAugment changes the spectrogram instead: it masks bands and periods of time with the mean in
# decibels. It is fast, and a network learns not to rely on a single place.

# %%
power = mel.power(example)
middle = np.exp(np.log(power + 1e-10).mean())  # the mean in decibels: neither loud nor silent
figure, axes = plt.subplots(1, 3, figsize=(13, 3), sharey=True, layout="constrained")
for draw, axis in enumerate(axes):
    masked = power.copy()
    if draw > 0:
        low, first = rng.integers(0, mel.n_bands - 10), rng.integers(0, len(power) * 3 // 4)
        masked[:, low : low + 10] = middle
        masked[first : first + len(power) // 6] = middle
    image = plots.spectrogram(axis, masked / power.max(), mel)
    axis.set_title(f"masked, draw {draw}" if draw else "original", fontsize=10)
    axis.set_ylabel("" if draw else "frequency (kHz)")
figure.colorbar(image, ax=axes, label="power (dB re maximum)")
plt.show()

# %% [markdown]
# ## 11 Two other pictures
#
# The **scalogram** adapts the frame to the frequency: long for low tones, short for high ones
# (wavelets instead of one window). Relative to their frequency, it separates low tones as finely as
# high ones. It takes longer to compute.
#
# **PCEN** (per-channel energy normalisation) divides each band by its own recent level, and then
# compresses. Steady sounds fade, onsets stand out, and a change of gain hardly matters. (At the
# very beginning there is no recent level, so every sound is an onset.) Below: the clip with noise.

# %%
if pywt := env.optional("pywt", package="pywavelets"):
    rate = SR // 2
    y = librosa.resample(example[: 2 * SR], orig_sr=SR, target_sr=rate)
    wanted_hz = np.geomspace(60, rate / 2 * 0.9, 72)
    wavelet = "cmor15-1.0"  # Morlet, some six cycles long
    scales = pywt.frequency2scale(wavelet, wanted_hz / rate)
    coefficients, hz = pywt.cwt(
        y, scales, wavelet, sampling_period=1 / rate, method="fft", precision=16
    )
    # PyWavelets gives equal energy to every scale; here equal tones are to look equal.
    level = np.abs(coefficients)[:, ::32] / np.sqrt(scales)[:, None]
    level = 20 * np.log10(np.maximum(level / level.max(), 1e-6))
    figure, axes = plt.subplots(1, 2, figsize=(12, 3.4), sharey=True, layout="constrained")
    times = np.arange(level.shape[1]) * 32 / rate
    axes[0].pcolormesh(times, hz / 1000, level, vmin=-60, cmap="magma", rasterized=True)
    axes[0].set(xlabel="time (s)", ylabel="frequency (kHz)", title="scalogram (Morlet wavelets)")
    front = features.Frontend(sr=rate, n_fft=512, hop_length=32, n_mels=0, fmin=60)
    plots.spectrogram(axes[1], front.power(y), front)
    axes[1].set(ylabel="", title="spectrogram of the same, frames of 46 ms")
    axes[0].set(yscale="log", ylim=(0.06, hz.max() / 1000))
    axes[0].set_yticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
    axes[0].minorticks_off()
    plt.show()

# %%
power = mel.power(noisy)
pcen, fainter = (
    librosa.pcen(gain * np.sqrt(power.T) * 2**31, sr=SR, hop_length=mel.hop_length).T
    for gain in (1, 0.1)
)
log = features.to_db(power)
figure, axes = plt.subplots(2, 2, figsize=(12, 5), sharex=True, sharey=True, layout="constrained")
pictures = (
    ("log", log, "dB", (log.max() - 60, log.max())),
    ("PCEN", pcen, "PCEN", (0, np.quantile(pcen, 0.99))),
    ("log, 20 dB fainter", log - 20, "dB", (log.max() - 60, log.max())),
    ("PCEN, 20 dB fainter", fainter, "PCEN", (0, np.quantile(pcen, 0.99))),
)
times = np.arange(len(power)) * mel.hop_s
for axis, (name, picture, unit, (low, high)) in zip(axes.flat, pictures, strict=True):
    image = axis.pcolormesh(
        times, mel.frequencies / 1000, picture.T, vmin=low, vmax=high, cmap="magma", rasterized=True
    )
    axis.set_title(name, fontsize=10)
    figure.colorbar(image, ax=axis, label=unit)
for axis in axes[-1]:
    axis.set_xlabel("time (s)")
for axis in axes[:, 0]:
    axis.set_ylabel("frequency (kHz)")
plt.show()
change = {
    "log": np.mean((log - (log - 20)) ** 2) / np.var(log),
    "PCEN": np.mean((pcen - fainter) ** 2) / np.var(pcen),
}
display(
    Markdown(
        "Mean squared change of the picture with 20 dB less gain, divided by its variance: log "
        f"**{change['log']:.2f}**, PCEN **{change['PCEN']:.2f}**."
    )
)

# %% [markdown]
# ## 12 A feature table for the whole data set
#
# Classical models need one row per clip. Our pass over all clips has made these rows: mean and
# standard deviation over time of each descriptor. Four steps remain. *Missing values*: clips that
# could not be read are listed in `errors.csv`; rows with missing values are dropped. *Duplicates*
# are dropped, because copies could be in both training and test. *Labels* become numbers. Then the
# table is saved, with its types, as a Parquet file.

# %%
from sklearn.preprocessing import LabelEncoder

whole = pd.concat([table[["label", "group", "fold", "content"]], found.features], axis=1)
whole.insert(0, "file", [files.short_path(path, root=dataset.root) for path in table["path"]])
is_copy = np.zeros(len(whole), bool)
for same in quality.duplicates(whole["content"]):
    is_copy[same[1:]] = True
is_missing = whole[list(descriptors.COLUMNS)].isna().any(axis=1).to_numpy()
is_used = ~is_copy & ~is_missing
ready = whole[is_used].drop(columns="content").reset_index(drop=True)
encoder = LabelEncoder()
ready.insert(2, "target", encoder.fit_transform(ready["label"]))
with files.atomic_path(OUTPUT / "features.parquet") as temporary:
    ready.to_parquet(temporary, index=False)
size = (OUTPUT / "features.parquet").stat().st_size
display(
    Markdown(
        f"{len(table)} clips ({len(errors)} entries of the data set, listed in errors.csv, could "
        f"not be used), {is_missing.sum()} with missing values, {is_copy.sum()} copies: "
        f"**{len(ready)} rows** of {len(descriptors.COLUMNS)} features in features.parquet "
        f"({size / 1024:.0f} KiB)."
    )
)
pd.read_parquet(OUTPUT / "features.parquet").iloc[:5, :8]

# %% [markdown]
# ### Scale with training data only
#
# A centroid is in the thousands, a flatness below 1: a distance between clips then depends almost
# only on the centroid. So we scale each feature to mean 0 and standard deviation 1 over the
# *training* clips alone: the test stands for recordings that do not exist yet.
#
# **Exercise 2.8: standardise.** Scale both parts with mean and standard deviation of the training
# part, feature by feature. If a feature is constant in training, only subtract the mean. For
# example:

# %%
print("training [[0], [2]], test [[3]]: mean 1, standard deviation 1 → [[-1], [1]] and [[2]]")


# %%
def standardise(train, test):
    """Scale features. Both: float (n_clips, n_features). Returns (train, test), scaled."""
    ### BEGIN SOLUTION 2.8: learn from train alone, apply to both; no division by zero
    mean, spread = train.mean(axis=0), train.std(axis=0)
    spread[train.max(axis=0) == train.min(axis=0)] = 1.0
    return (train - mean) / spread, (test - mean) / spread
    ### END SOLUTION


# %%
checks.standardise(standardise)

# %% [markdown]
# `StandardScaler` does this; in a *pipeline* it is fitted anew on the training part of every fold,
# and never on the test. How much does scaling help a classifier that uses distances? And how good
# is a logistic regression on the scaled features? We test both on *unheard* sources, which are not
# in training:

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X, y, groups = ready[list(descriptors.COLUMNS)].to_numpy(), ready["target"], ready["group"]
sides = list(GroupKFold(min(5, groups.nunique())).split(X, y, groups))
logistic = LogisticRegression(C=0.1, max_iter=2000)


def by_source(features, *steps):
    """Accuracy on unheard sources."""
    guesses = cross_val_predict(make_pipeline(*steps), features, y, cv=sides)
    return float((guesses == y).mean())


scores = {"descriptors, scaled": by_source(X, StandardScaler(), logistic)}
nearest = KNeighborsClassifier(5)
neighbours = {
    "as they are": by_source(X, nearest),
    "scaled": by_source(X, StandardScaler(), nearest),
}
display(
    Markdown(
        f"Always the most frequent class: {y.value_counts(normalize=True).max():.1%} accuracy. "
        "The five nearest neighbours reach "
        f"**{neighbours['as they are']:.1%}** on the features as they are, and "
        f"**{neighbours['scaled']:.1%}** on scaled ones. Logistic regression on scaled ones: "
        f"**{scores['descriptors, scaled']:.1%}**."
    )
)

# %% [markdown]
# ## 13 Which features separate the classes?
#
# *Mutual information* measures in bits how much a feature says about the label, whatever the shape
# of their relation. Clips of one source are alike for other reasons than their label, so we draw
# one clip of each *training* source, five times, and average. (This is a rough estimate for single
# features: two that are weak alone may be strong together.)

# %%
from sklearn.feature_selection import mutual_info_classif
from threadpoolctl import threadpool_limits

train, test = sides[0]
draws = []
with threadpool_limits(1):  # few clips: several threads would only wait for each other
    for draw in range(5):
        rows = ready.iloc[train].groupby("group").sample(1, random_state=SEED + draw).index
        draws.append(mutual_info_classif(X[rows], y[rows], random_state=SEED) / np.log(2))
bits = np.mean(draws, axis=0)
ranking = pd.Series(bits, index=descriptors.COLUMNS).sort_values(ascending=False)
files.write_table(
    ranking.rename("bits").rename_axis("feature").reset_index().round(4),
    OUTPUT / "mutual_information.csv",
)
figure, axis = plt.subplots(figsize=(9, 4.6), layout="constrained")
best = ranking.head(15)
sns.barplot(x=best.to_numpy(), y=best.index, color=plots.OTHER, ax=axis)
entropy = -(y.value_counts(normalize=True) * np.log2(y.value_counts(normalize=True))).sum()
axis.set(
    xlabel="mutual information with the label (bits)",
    ylabel="",
    title=f"The label itself has {entropy:.2f} bits",
)
plt.show()

# %% [markdown]
# ### A map of the clips
#
# Linear discriminant analysis finds the directions along which the classes are furthest apart,
# relative to their own spread. It is fitted on the clips of training sources (dots); the crosses
# are other clips. Point at a mark to see its file; click in the legend to hide a class.

# %%
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import NearestCentroid

discriminant = make_pipeline(
    StandardScaler(), LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")
)
axes = discriminant.fit(X[train], y.iloc[train]).transform(X)
spare = make_pipeline(StandardScaler(), PCA(1, random_state=SEED)).fit(X[train]).transform(X)
place = np.column_stack([axes, spare])[:, :2]  # two classes have one discriminant only
held_out = np.zeros(len(ready), bool)
held_out[test] = True
n_directions = axes.shape[1]
flat = LinearDiscriminantAnalysis(
    solver="eigen", shrinkage="auto", n_components=min(2, n_directions)
)
fitted = {
    "training": discriminant.score(X[train], y.iloc[train]),
    "unheard": by_source(X, *(step for _, step in discriminant.steps)),
    "in two directions": by_source(X, StandardScaler(), flat, NearestCentroid()),
}
second = "second direction" if n_directions > 1 else "first principal component"
if express := env.optional("plotly.express", package="plotly"):
    map_ = express.scatter(
        ready.assign(x=place[:, 0], y=place[:, 1], part=np.where(held_out, "unheard", "training")),
        x="x",
        y="y",
        color="label",
        symbol="part",
        symbol_map={"training": "circle", "unheard": "x"},
        category_orders={"label": sorted(encoder.classes_)},
        hover_data={"file": True, "group": True, "x": False, "y": False, "part": False},
        labels={"x": "first direction", "y": second},
        opacity=0.7,
        height=560,
        template="plotly_white",
    )
    map_.update_traces(marker_size=6)
    map_.for_each_trace(lambda trace: trace.update(legendgroup=trace.name.split(",")[0]))
    display(widgets.interactive(map_))
display(
    Markdown(
        f"Accuracy on clips of unheard sources: **{fitted['unheard']:.1%}** with all directions "
        f"({n_directions}), **{fitted['in two directions']:.1%}** with those of the map. On the "
        f"clips that it was fitted on: {fitted['training']:.1%}. Judge the map by the crosses, "
        "not by the dots."
    )
)

# %% [markdown]
# ## 14 Deep features
#
# People designed all features above. YAMNet, a network trained on two million clips from YouTube,
# has learned 1,024 features: the values before its last layer, the *embedding*. If its file exists
# (`YAMNET_PATH`), we test them in the same way.

# %%
deep = {}
if yamnet_file := features.find_yamnet(YAMNET_PATH):
    yamnet = features.Yamnet(yamnet_file)
    begun = time.perf_counter()
    embedded, _, _ = yamnet.extract(table["path"][is_used], root=dataset.root)
    seconds = time.perf_counter() - begun
    scores["YAMNet"] = by_source(embedded, StandardScaler(), logistic)
    scores["both"] = by_source(np.hstack([X, embedded]), StandardScaler(), logistic)
    deep = {"yamnet_accuracy": scores["YAMNet"], "both_accuracy": scores["both"]}
    always = y.value_counts(normalize=True).max()
    shown = pd.Series({"most frequent class": always, **scores}, name="accuracy")
    display(shown.to_frame().style.format("{:.1%}"))
    print(f"{len(ready)} clips in {seconds:.1f} s")
else:
    print("There is no file of YAMNet: see YAMNET_PATH in the parameters, and features.find_yamnet")

# %% [markdown]
# ## Recap
#
# - Sampling folds frequencies above half the sample rate: resample with a filter.
# - A window reduces leakage; the length of a frame trades time for frequency.
# - Mel and decibels follow our hearing; MFCC keep the coarse shape; each step loses something.
# - A descriptor measures one property of a sound; many of them make a table.
# - Trim, denoise, cut: decide, and measure whether it helped.
# - Fit everything, even a scaler, on training sources alone.
#
# **Try next:** `DATASET = "capuchin"`: which feature separates best, and is it the bird or the
# microphone? · in section 7 keep 40 coefficients: what comes back? · in section 9 a stronger
# noise: when does noise reduction damage the sound? · in section 13 compare the ranking with
# that of all clips: which features reveal the source?

# %%
checks.progress()

# %%
original = reconstructed[reconstructed["from"] == "magnitudes"].set_index("iterations")
measured = {
    "clips": len(ready),
    "features": len(descriptors.COLUMNS),
    "files_in_error": len(errors),
    "duplicates": int(is_copy.sum()),
    "db_per_bit": slope,
    "griffin_lim_mse_db2": original["MSE of the log-mel (dB²)"].iloc[-1],
    "mfcc_20_mse_db2": float(np.mean((smooth[20] - log_mel) ** 2)),
    "logistic_accuracy": scores["descriptors, scaled"],
    "neighbours_accuracy": neighbours["scaled"],
    "neighbours_accuracy_unscaled": neighbours["as they are"],
    "best_feature_bits": ranking.iloc[0],
    "discriminant_accuracy_training": fitted["training"],
    "discriminant_accuracy_unheard": fitted["unheard"],
    "discriminant_accuracy_two_directions": fitted["in two directions"],
    **deep,
}
metrics_written = files.write_metrics(OUTPUT, dataset=dataset, seed=SEED, **measured)
print(json.dumps(metrics_written, indent=2))
