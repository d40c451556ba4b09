# %% [markdown]
# # 03 · Who is speaking?
#
# {{badges}}
#
# You know a group of people, and hear three seconds of one voice: who is it? We train networks that
# answer this, often with a high accuracy. Then we ask what they recognise: the voice, or the room
# and the microphone?

# %% [markdown]
# **You will learn** to load sound in two ways · to split inside each speaker without cutting an
# utterance · to make four inputs from one decoding · to feed random crops · to build dense, 1-D
# and 2-D convolutional networks with dropout, batch normalisation and residual connections · to
# choose among them without looking at the test · to turn a network into an embedding, and use it to
# tell whether two recordings are of one speaker, and whether a speaker is a stranger.
#
# **Exercises** have a check below them, which says what is not right yet. `checks.hint("3.1")`
# gives a hint, and another one at each further call. The lesson goes on with the package's own
# version, whatever you write.
#
# **You should know** spectrogram and MFCC (02), and have trained a network once.
#
# **Data contract**
#
# - *reads* `<speaker>/**/*.flac` (or wav, ogg, mp3), as in LibriSpeech; if a speaker has several
#   folders, each is a *session*. `PREDICT_DIR`: any folder of recordings to identify
# - *writes* to `OUTPUT_DIR`: `models.csv`, `model.keras`, `errors.csv`, `confusion.png`,
#   `verification.png`, `noise.csv`, `metrics.json`; with `PREDICT_DIR` also `predict.csv`
# - *without data* 24 synthetic speakers with two sessions each are made

# %%
# {{set-up}}

from helpers import env

env.setup()

# %%
import json
import time
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from keras import layers
from scipy.special import log_softmax, softmax

from helpers import (
    audio,
    augmentation,
    data,
    evaluation,
    features,
    files,
    models,
    parallel,
    training,
)
from helpers import exercises as checks
from helpers.data import layouts
from helpers.display import plots, widgets

# %% [markdown]
# ## Parameters
#
# Change the lesson here. A batch job sets the same names from outside.

# %% tags=["parameters"]
DATA_DIR = ""  # folder of the speakers; "": look for it
OUTPUT_DIR = ""  # "": outputs/03_speaker_identification
SEED = 0
PREDICT_DIR = ""  # recordings whose speakers the best network names; "": none
NETWORKS = ["dense", "conv1d", "conv2d"]  # to compare
INPUTS = ["mfcc", "mfcc_pooled", "spectrogram", "spectrogram_pooled"]  # of each
EPOCHS = 30  # each has one crop of every training utterance
BATCH_SIZE = 32
LEARNING_RATE = 0.002
CROP_S = 3.0  # seconds
TEST_SHARE = 0.3  # of each speaker's utterances
HELD_OUT_SPEAKERS = 8  # strangers: speakers left out of training, for verification
STRANGER_ROUNDS = 3  # each with other strangers and a new network
MAX_SPEAKERS = 0  # 0: all
SAMPLE_SIZE = "small"  # of the synthetic data: "small" or "full"

# %%
OUTPUT = Path(OUTPUT_DIR or "outputs/03_speaker_identification")
known_names = {
    "NETWORKS": ("dense", "conv1d", "conv2d"),
    "INPUTS": ("mfcc", "mfcc_pooled", "spectrogram", "spectrogram_pooled"),
}
for name, chosen in (("NETWORKS", NETWORKS), ("INPUTS", INPUTS)):
    if not chosen or set(chosen) - set(known_names[name]):
        raise ValueError(f"{name} = {chosen}: it takes some of {', '.join(known_names[name])}")
if EPOCHS < 1 or BATCH_SIZE < 2 or CROP_S < 0.2:
    raise ValueError("EPOCHS of at least 1, BATCH_SIZE of 2 and CROP_S of 0.2 s are needed")
to_predict = data.sounds_below(PREDICT_DIR) if PREDICT_DIR else []  # a wrong folder fails early
env.seed_everything(SEED)
plots.use_style()
rng = np.random.default_rng(SEED)
dataset = data.resolve("speakers", DATA_DIR, sample_size=SAMPLE_SIZE)
table, errors = data.clip_table(dataset)
if MAX_SPEAKERS:
    chosen = sorted(rng.permutation(table["label"].unique())[:MAX_SPEAKERS])
    table = table[table["label"].isin(chosen)].reset_index(drop=True)
checks.start("3", strict=True)

# %% [markdown]
# ## 1 Two ways to load
#
# `librosa.load` converts every file to mono at 22,050 Hz. `soundfile` keeps the channels and the
# rate of the file. Neither is better, but do not mix them: with a wrong rate, a voice sounds faster
# or slower.

# %% [markdown]
# **Exercise 3.1: load in two ways.** Return the sound as librosa loads it by default, and its rate;
# the samples at the file's own rate (`soundfile`), and that rate; and the duration. Import both
# libraries yourself.


# %%
def two_ways(path):
    """(y, sr, y_native, sr_native, duration_s). y: float (n,), 22,050 Hz; duration_s: seconds."""
    ### BEGIN SOLUTION 3.1: load with librosa, and with soundfile; the duration
    import librosa
    import soundfile

    y, sr = librosa.load(path)
    y_native, sr_native = soundfile.read(path)
    return y, sr, y_native, sr_native, len(y_native) / sr_native
    ### END SOLUTION


# %%
checks.two_ways(two_ways)

# %%
speakers = sorted(table["label"].unique())
pair = list(rng.choice(speakers, 2, replace=False)) if len(speakers) > 1 else speakers
long_enough = table["duration_s"] >= table.groupby("label")["duration_s"].transform("median")
shown = [table["path"][(table["label"] == name) & long_enough].iloc[0] for name in pair]
SR = 16000  # Hz, for everything below: speech has little energy above 8 kHz
voices = [audio.load(path, sr=SR) for path in shown]
for name, path in zip(pair, shown, strict=True):
    header = audio.info(path)
    print(
        f"speaker {name}: {header.duration_s:.2f} s, {header.sample_rate} Hz, "
        f"{header.channels} channel{'s' * (header.channels > 1)}"
    )
figure = plots.waveforms(voices, sr=SR, titles=[f"speaker {name}" for name in pair], columns=2)
plt.show()
widgets.players(voices, sr=SR, titles=[f"speaker {name}" for name in pair], columns=2)

# %% [markdown]
# Bursts are syllables; the flat stretches between them are pauses. Listen: one word is enough to
# tell the two speakers apart. From the waveform alone this is hardly possible.

# %% [markdown]
# ## 2 Time and frequency
#
# The Fourier transform (FFT) measures how much of each frequency is in a stretch of sound. The
# spectrum of a vowel looks like a comb: peaks at the pitch and its multiples (*harmonics*).

# %% [markdown]
# **Exercise 3.2: the strongest frequency.** Find the strongest frequency of a sound with the FFT. A
# constant offset is not a tone, so it must not count.


# %%
def strongest_frequency(y, *, sr):
    """Frequency of the strongest component of a sound, Hz. y: float (n_samples,)."""
    ### BEGIN SOLUTION 3.2: the place of the largest magnitude of the FFT, in Hz
    magnitude = np.abs(np.fft.rfft(y - y.mean()))
    return np.fft.rfftfreq(len(y), 1 / sr)[magnitude.argmax()]
    ### END SOLUTION


# %%
checks.strongest_frequency(strongest_frequency)

# %%
figure, axes = plt.subplots(1, 2, figsize=(12, 3), layout="constrained", sharey=True)
for axis, name, y in zip(axes, pair, voices, strict=False):
    vowels = np.convolve(y, np.ones(16) / 16, mode="same")  # a low-pass: hisses are above 1 kHz
    loudest = np.argmax(np.convolve(vowels**2, np.ones(1600), mode="valid"))
    stretch = y[loudest : loudest + 1600] * np.hanning(len(y[loudest : loudest + 1600]))
    level = 20 * np.log10(np.maximum(np.abs(np.fft.rfft(stretch, 8192)), 1e-6))
    axis.plot(np.fft.rfftfreq(8192, 1 / SR), level - level[:2049].max(), lw=0.8, color=plots.OTHER)
    axis.set(xlim=(0, 4000), ylim=(-70, 3), xlabel="frequency (Hz)", title=f"speaker {name}, 0.1 s")
axes[0].set_ylabel("level (dB re maximum)")
plt.show()

# %% [markdown]
# The distance between the peaks is the pitch. The broad hills over them are the *formants*,
# resonances of throat and mouth. Pitch and formants differ from person to person: these differences
# are our signal. But both also change with the words, so we need to see them over time.

# %% [markdown]
# **Exercise 3.3: a spectrogram in decibels.** Compute the short-time Fourier transform (Hann
# window, centred frames, zeros beyond the edges: librosa's defaults). Raise powers below 1e-10 to
# 1e-10, and return 10 log10 of the power. With `n_fft=400` (25 ms at 16 kHz) there are 201
# frequencies.


# %%
def log_spectrogram(y, *, n_fft, hop_length):
    """Power over time and frequency, dB. y: float (n,). Returns (1 + n_fft // 2, n_frames)."""
    ### BEGIN SOLUTION 3.3: the STFT's power in decibels
    import librosa

    power = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop_length)) ** 2
    return 10 * np.log10(np.maximum(power, 1e-10))
    ### END SOLUTION


# %%
checks.log_spectrogram(log_spectrogram)

# %%
linear = features.Frontend(sr=SR, n_fft=400, hop_length=200, n_mels=0)
figure, axes = plt.subplots(1, 2, figsize=(12, 3.4), layout="constrained", sharey=True)
for axis, name, y in zip(axes, pair, voices, strict=False):
    image = plots.spectrogram(axis, linear.power(y), linear, range_db=90)
    axis.set_title(f"speaker {name}")
axes[1].set_ylabel("")
figure.colorbar(image, ax=axes, label="power (dB)")
plt.show()

# %% [markdown]
# Fine parallel stripes are harmonics. Broad bands that bend are formants, which change with the
# vowels. Hissing consonants reach up to the top without bands. Look at the pauses too: their
# colours come from the *room and the microphone*, and differ from speaker to speaker. Section 6
# shows why this matters.

# %% [markdown]
# ## 3 Four inputs from one decoding
#
# Which input does a network need? We compare four: 256 MFCC over time, 201 spectrogram values over
# time, and both *pooled*, as their mean over time. Pooling loses the words and keeps the average
# spectrum of the voice. (Speech recognition uses the first 13 to 20 MFCC, the broad shape of a
# spectrum. All 256 MFCC of 256 bands have the same information as the bands.)

# %% [markdown]
# **Exercise 3.4: four inputs.** MFCC: 256 mel bands (`n_fft=1024`, `hop_length=200`) in dB, with
# powers of at least 1e-10 and no other limit (by default librosa's `power_to_db` cuts off 80 dB
# below the maximum), then all 256 coefficients. Spectrogram: exercise 3.3 with `n_fft=400`,
# `hop_length=200`. Return both, each followed by its mean over time.


# %%
def four_inputs(y, *, sr):
    """(mfcc (256, n_frames), its mean (256,), spectrogram (201, n_frames), its mean (201,))."""
    ### BEGIN SOLUTION 3.4: MFCC and spectrogram, over time and pooled
    import librosa

    mel = librosa.feature.melspectrogram(y=y, sr=sr, n_fft=1024, hop_length=200, n_mels=256)
    mfcc = librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None), n_mfcc=256)
    power = np.abs(librosa.stft(y, n_fft=400, hop_length=200)) ** 2
    spectrogram = librosa.power_to_db(power, top_db=None)
    return mfcc, mfcc.mean(axis=1), spectrogram, spectrogram.mean(axis=1)
    ### END SOLUTION


# %%
checks.four_inputs(four_inputs)

# %% [markdown]
# The package's version puts time first, `(n_frames, n_values)`, as Keras does. It computes all
# frames of all utterances **once**: no training decodes or transforms a file again. The frames are
# also stored on disk: run this cell twice, and compare the times.

# %%
mel = features.Frontend(sr=SR, n_fft=1024, hop_length=200, n_mels=256)
ALL_INPUTS = {
    "mfcc": features.ClipInput(mel, n_mfcc=256, crop_s=CROP_S),
    "mfcc_pooled": features.ClipInput(mel, n_mfcc=256, pooled=True, crop_s=CROP_S),
    "spectrogram": features.ClipInput(linear, crop_s=CROP_S),
    "spectrogram_pooled": features.ClipInput(linear, pooled=True, crop_s=CROP_S),
}
begun = time.perf_counter()
frames, unreadable = features.extract_frames(table["path"], ALL_INPUTS, root=dataset.root)
errors = pd.concat([errors, unreadable], ignore_index=True)
readable = [part is not None for part in frames["mfcc"]]
table = table[readable].reset_index(drop=True)
frames = {name: [part for part in parts if part is not None] for name, parts in frames.items()}
print(f"{len(table)} utterances in {time.perf_counter() - begun:.1f} s")
pd.DataFrame(
    {
        "one crop is": {name: str(clip_input.shape) for name, clip_input in ALL_INPUTS.items()},
        "numbers": {
            name: int(np.prod(clip_input.shape)) for name, clip_input in ALL_INPUTS.items()
        },
    }
)

# %% [markdown]
# ## 4 A split inside each speaker
#
# Every speaker must be in training, so that the network can learn the voice, and in the test, so
# that we can test it. So we split the utterances of each speaker, but **never cut an utterance**:
# two crops of one utterance share words, mood and background. If a speaker has several sessions,
# whole sessions are held out. A *source* is what no split may cut: a session, or an utterance if
# sessions are not known.

# %% [markdown]
# **Exercise 3.5: hold out a random share of each speaker's utterances.** Round their number to the
# nearest whole number, but hold out at least one and never all. `speakers` names the speaker of
# each utterance.


# %%
def hold_out(speakers, *, share, rng):
    """bool (n,), True for held-out utterances. speakers: array (n,). rng: NumPy Generator."""
    ### BEGIN SOLUTION 3.5: choose the share of each speaker's utterances
    held_out = np.zeros(len(speakers), bool)
    for speaker in np.unique(speakers):
        own = np.flatnonzero(speakers == speaker)
        n = np.clip(round(share * len(own)), 1, len(own) - 1)
        held_out[rng.choice(own, n, replace=False)] = True
    return held_out
    ### END SOLUTION


# %%
checks.hold_out(hold_out)

# %% [markdown]
# The package's version, `data.hold_out`, holds out whole sources. We also need a third part:
# **validation** utterances, taken from the training part, to compare the networks. If we chose the
# best of ten networks on the test, its test accuracy would be too high.

# %%
table["row"] = np.arange(len(table))
table, unsplit = data.hold_out(table, share=TEST_SHARE, seed=SEED)
errors = pd.concat([errors, unsplit], ignore_index=True)
frames = {name: [parts[row] for row in table["row"]] for name, parts in frames.items()}
names = sorted(table["label"].unique())
speaker = table["label"].map({name: k for k, name in enumerate(names)}).to_numpy()
if len(names) < 3:
    raise layouts.DataError(f"{len(names)} speakers can be split: at least 3 are needed")
# If a speaker has only one session left, validation takes utterances of that session.
inner = table[~table["held_out"]]
alone = inner.groupby("label")["group"].transform("nunique") < 2
inner = inner.assign(group=inner["group"].where(~alone, inner["path"]))
inner, _ = data.hold_out(inner, share=0.2, seed=SEED + 1)
table["part"] = np.where(table["held_out"], "test", "training")
table.loc[table["path"].isin(inner.loc[inner["held_out"], "path"]), "part"] = "validation"
TRAINING, VALIDATION, TEST = (
    np.flatnonzero(table["part"] == part) for part in ("training", "validation", "test")
)
has_sessions = bool(table["group"].duplicated().any())
files.write_table(errors, OUTPUT / "errors.csv")
if len(errors):
    display(errors.head(10))
table.groupby("part", sort=False).agg(
    utterances=("path", "count"),
    speakers=("label", "nunique"),
    sources=("group", "nunique"),
    minutes=("duration_s", lambda s: round(s.sum() / 60, 1)),
    shortest_s=("duration_s", lambda s: round(s.min(), 1)),
    median_s=("duration_s", lambda s: round(s.median(), 1)),
)

# %% [markdown]
# What happens if we split **crops** instead? Cut every utterance into overlapping crops, and find
# the nearest training crop of each test crop. If both are of the same speaker, the test crop is
# recognised. We also compare whole utterances with whole sessions, if these are known.

# %%
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

pooled = ALL_INPUTS["mfcc_pooled"]
cut = [pooled.pool(augmentation.even_crops(part, pooled.n_frames)) for part in frames["mfcc"]]
of_utterance = np.repeat(np.arange(len(table)), [len(part) for part in cut])
colour = np.concatenate(cut)
of_speaker = speaker[of_utterance]
by_crop = rng.random(len(colour)) < TEST_SHARE
# Whole utterances, from sessions that may be in training as well.
by_utterance, _ = data.hold_out(table.assign(group=table["path"]), share=TEST_SHARE, seed=SEED)
ways = {"utterances": by_utterance["held_out"].to_numpy()}
if has_sessions:
    ways["sessions"] = table["held_out"].to_numpy()
splits = {"crops": by_crop} | {name: is_test[of_utterance] for name, is_test in ways.items()}
leak = {}
for name, is_test in splits.items():
    nearest = make_pipeline(StandardScaler(), KNeighborsClassifier(1))
    nearest.fit(colour[~is_test], of_speaker[~is_test])
    leak[name] = nearest.score(colour[is_test], of_speaker[is_test])
torn = data.leaked_share(of_utterance, by_crop)
kind = "sessions" if has_sessions else "utterances"
text = (
    f"If crops are split, **{torn:.0%}** of the test crops have a crop of the same utterance in "
    f"training, and the nearest neighbour is right for **{leak['crops']:.1%}** of all. If "
    f"utterances are split, it is right for **{leak['utterances']:.1%}**"
)
if has_sessions:
    text += f", if sessions are split, for **{leak['sessions']:.1%}**."
else:
    text += (
        ". If the two hardly differ, something other than the words identifies the speakers: see "
        "section 6."
    )
display(Markdown(text))

# %% [markdown]
# ## 5 Random crops, in batches
#
# The networks take three seconds. In every epoch each utterance gives one crop from a random place,
# so a long utterance gives many different crops. A short utterance is repeated until it is long
# enough. Zeros instead would be a silence that no recording has, and would show the network which
# speakers have short utterances.

# %% [markdown]
# **Exercise 3.6: a random crop.** Return `n_samples` neighbouring samples from a random place.
# Every place has the same chance. Repeat a shorter sound from its beginning until it is long
# enough; then you may cut it anywhere.


# %%
def random_crop(y, *, n_samples, rng):
    """A stretch of y: (n_samples,). rng: NumPy Generator."""
    ### BEGIN SOLUTION 3.6: repeat what is too short, then cut at a random place
    if len(y) < n_samples:
        y = np.resize(y, n_samples)
    start = rng.integers(len(y) - n_samples + 1)
    return y[start : start + n_samples]
    ### END SOLUTION


# %%
checks.random_crop(random_crop)

# %% [markdown]
# **Exercise 3.7: a batch.** A network trains on many crops at a time. Cut `n_frames` neighbouring
# frames from each chosen utterance, and draw a new random place for each. Return one array of all
# crops, and one of their labels.


# %%
def batch(frames, labels, chosen, *, n_frames, rng):
    """x float32 (len(chosen), n_frames, n_values), y (len(chosen),).

    frames: list of float (n, n_values), time first, n >= n_frames. labels: int array, one for each.
    chosen: int array, the utterances of this batch, in order. rng: NumPy Generator.
    """
    ### BEGIN SOLUTION 3.7: a random crop of each chosen utterance, and its label
    cut = []
    for i in chosen:
        start = rng.integers(len(frames[i]) - n_frames + 1)
        cut.append(frames[i][start : start + n_frames])
    return np.stack(cut).astype(np.float32), labels[chosen]
    ### END SOLUTION


# %%
checks.batch(batch)

# %% [markdown]
# The package's `training.CropBatches` is a `keras.utils.PyDataset`: if Keras asks for batch `i`, it
# cuts the crops from the frames in memory. It also hides a few neighbouring frames and values of
# each crop (SpecAugment), so that the network does not rely on a single detail. Most data loaders
# load the file, crop it and compute the MFCC for every batch. How much slower is this?

# %%
some = rng.choice(TRAINING, min(24, len(TRAINING)), replace=False)
paths = list(table["path"].iloc[some])


def decode_each_time():
    """A batch as most data loaders make it: from the files."""
    import librosa

    made = []
    for path in paths:
        y, _ = librosa.load(path, sr=SR)
        y = augmentation.random_crop(rng, y, round(CROP_S * SR))
        mel = librosa.feature.melspectrogram(y=y, sr=SR, n_fft=1024, hop_length=200, n_mels=256)
        made.append(librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None), n_mfcc=256))
    return made


from_memory = training.CropBatches(
    [frames["mfcc"][i] for i in some], speaker[some], ALL_INPUTS["mfcc"], batch_size=len(some)
)
took = {}
for name, work in (("files", decode_each_time), ("memory", lambda: from_memory[0])):
    work()
    begun = time.perf_counter()
    for _ in range(3):
        work()
    took[name] = (time.perf_counter() - begun) / 3 / len(some)
ratio = took["files"] / took["memory"]
display(
    Markdown(
        f"From the file: {1e3 * took['files']:.1f} ms a crop. From memory: "
        f"{1e3 * took['memory']:.2f} ms, **{ratio:.0f} times** as fast. The data of an epoch of "
        f"{len(TRAINING)} utterances takes {len(TRAINING) * took['memory']:.2f} s instead of "
        f"{len(TRAINING) * took['files']:.1f} s."
    )
)

# %% [markdown]
# ## 6 Before any network: what identifies a speaker?
#
# A linear classifier (linear discriminant analysis: a mean for each speaker, one covariance for
# all) takes seconds, and shows which information identifies a speaker. We try three inputs: the
# mean MFCC of the whole utterance; the mean of its **quietest tenth** of frames, mostly pauses; and
# the *standard deviation* over time, which a constant filter, such as a microphone, does not change
# (constant noise changes it).

# %%
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis


def quietest(part):
    """Mean of the quietest tenth of the frames."""
    level = part[:, 0]  # the first coefficient: the sum of all bands
    return part[level <= np.quantile(level, 0.1)].mean(axis=0)


summaries = {
    "whole utterance": [part.astype(np.float32).mean(axis=0) for part in frames["mfcc"]],
    "quietest tenth of the frames": [quietest(part.astype(np.float32)) for part in frames["mfcc"]],
    "deviation over time": [part.astype(np.float32).std(axis=0) for part in frames["mfcc"]],
}
linear_scores = pd.DataFrame(
    index=list(summaries), columns=[f"unheard {name}" for name in ways], dtype=float
)
for row, values in summaries.items():
    values = np.stack(values)
    for name, is_test in ways.items():
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        model.fit(values[~is_test], speaker[~is_test])
        linear_scores.loc[row, f"unheard {name}"] = model.score(values[is_test], speaker[is_test])
silence_accuracy = linear_scores.iloc[1, 0]
display(linear_scores.style.format("{:.1%}"))
text = (
    f"**The quietest frames alone identify {silence_accuracy:.0%}** (chance: "
    f"{1 / len(names):.0%}): noise and microphone can show who is speaking. "
)
if has_sessions:
    across = linear_scores["unheard sessions"]
    text += (
        f"In unheard sessions they identify {across.iloc[1]:.0%}. For whole utterances the "
        f"accuracy changes from {linear_scores.iloc[0, 0]:.0%} to {across.iloc[0]:.0%}, for the "
        f"deviation from {linear_scores.iloc[2, 0]:.0%} to {across.iloc[2]:.0%}."
    )
else:
    text += (
        "Here every speaker has only one recording set-up, so the results below cannot show how "
        "much is due to the voice, and how much to the room. Say so when you report them."
    )
display(Markdown(text))

# %% [markdown]
# ## 7 Three kinds of network
#
# All networks end with one *logit* for each speaker, a score without bounds; *softmax* converts the
# logits to probabilities. Three kinds of layers help training. *Batch normalisation* brings each
# value to mean 0 and deviation 1 over the batch, so that a layer need not adapt to the changing
# scale of the layer before (in use it takes running averages). *ReLU* sets negative values to zero:
# without it, several layers would be one linear map. *Dropout* sets a random share of the values to
# zero, in training only, so that the network does not rely on single values.
#
# A **dense** network connects all inputs with all outputs. With pooled input it is small and quick;
# with all frames it has separate weights for each moment.

# %% [markdown]
# **Exercise 3.8: a dense network** from `n_values` numbers to one logit for each speaker (no
# softmax: the loss does that). It has one or two hidden layers, each with batch normalisation, ReLU
# and dropout, in this order. Use a `keras.Sequential` that begins with `keras.Input`, or a
# `keras.Model(inputs, outputs)`; do not write a class. This network and the two other networks
# below must have fewer than a million parameters each.


# %%
def dense_network(n_values, n_classes):
    """keras.Model: (batch, n_values) → logits (batch, n_classes)."""
    ### BEGIN SOLUTION 3.8: dense, batch normalisation, ReLU, dropout; then the logits
    inputs = x = keras.Input((n_values,))
    for units in (256, 128):
        x = layers.Dense(units, use_bias=False)(x)  # batch normalisation has a bias of its own
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Dropout(0.3)(x)
    return keras.Model(inputs, layers.Dense(n_classes)(x))
    ### END SOLUTION


# %%
checks.dense_network(dense_network)

# %% [markdown]
# A **1-D convolution** moves over time and looks at all values of a few neighbouring frames. It
# uses the same weights at every moment, and with pooling over time any length is possible.

# %% [markdown]
# **Exercise 3.9: a network of 1-D convolutions** with batch normalisation, ReLU, dropout, and
# pooling over all frames before the logits. Twice as many frames must not need more parameters.


# %%
def conv1d_network(n_frames, n_values, n_classes):
    """keras.Model: (batch, n_frames, n_values) → logits (batch, n_classes)."""
    ### BEGIN SOLUTION 3.9: convolutions over time, pooling over time, the logits
    inputs = x = keras.Input((n_frames, n_values))
    for channels in (64, 128):
        x = layers.Conv1D(channels, 5, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.MaxPooling1D(2)(x)
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling1D()(x))
    return keras.Model(inputs, layers.Dense(n_classes)(x))
    ### END SOLUTION


# %%
checks.conv1d_network(conv1d_network)

# %% [markdown]
# A **2-D convolution** treats the spectrogram as a picture, in which a pattern may also move up and
# down, as formants do. (Among MFCC such a shift has no meaning; we try it anyway.) These networks
# have many layers, and deep networks learn badly unless the signal can bypass some of them: a
# *residual connection* adds the input of a block to its output.

# %% [markdown]
# **Exercise 3.10: a residual block.** Two 3 × 3 convolutions (`padding="same"`), the first with
# `strides`. Batch normalisation comes right after each, then ReLU after the first only. Add the
# shortcut, then apply ReLU. The shortcut is `x` if it has the right shape, otherwise a 1 × 1
# convolution of `x` with the same strides and no activation.


# %%
def residual_block(x, channels, *, strides):
    """Keras tensor (batch, time, bands, n) → (batch, time / strides, bands / strides, channels)."""
    ### BEGIN SOLUTION 3.10: two convolutions, a shortcut, their sum
    y = layers.Conv2D(channels, 3, strides=strides, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization()(y)
    if strides != 1 or x.shape[-1] != channels:
        x = layers.Conv2D(channels, 1, strides=strides)(x)
    return layers.ReLU()(layers.Add()([x, y]))
    ### END SOLUTION


# %%
checks.residual_block(residual_block)

# %% [markdown]
# **Exercise 3.11: a residual network of 2-D convolutions.** The input has no channel axis: reshape
# it to `(n_frames, n_values, 1)`. Use batch normalisation and dropout. Use strides early, so that
# later layers compute few places. Pool over time before the logits, so that twice as many frames
# need no more parameters.


# %%
def conv2d_network(n_frames, n_values, n_classes):
    """keras.Model: (batch, n_frames, n_values) → logits (batch, n_classes)."""

    ### BEGIN SOLUTION 3.11: a channel axis, residual blocks, pooling, dropout, the logits
    def block(x, channels):
        y = layers.Conv2D(channels, 3, strides=2, padding="same", use_bias=False)(x)
        y = layers.ReLU()(layers.BatchNormalization()(y))
        y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(y)
        past = layers.Conv2D(channels, 1, strides=2)(x)
        return layers.ReLU()(layers.Add()([past, layers.BatchNormalization()(y)]))

    inputs = keras.Input((n_frames, n_values))
    x = layers.Reshape((n_frames, n_values, 1))(inputs)
    for channels in (16, 32, 64):
        x = block(x, channels)
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(n_classes)(x))
    ### END SOLUTION


# %%
checks.conv2d_network(conv2d_network)

# %% [markdown]
# **Exercise 3.12: count the parameters:** first those that training changes, then all (these
# include the moving averages of batch normalisation, which are not trained).


# %%
def parameter_count(network):
    """(trainable, all): two int."""

    ### BEGIN SOLUTION 3.12: sizes of the weights, summed
    def total(weights):
        return sum(int(np.prod(weight.shape)) for weight in weights)

    return total(network.trainable_weights), total(network.weights)
    ### END SOLUTION


# %%
checks.parameter_count(parameter_count)

# %% [markdown]
# We train networks of these three kinds: `models.dense`, `conv1d` and `conv2d`. They also
# standardise their input (with the mean and deviation of the training part, stored in the network),
# and end with an *embedding*, a vector of 128 numbers. Each speaker has such a vector too. The
# logit is twenty times the cosine of the angle between the two.
#
# We add a 1-D network that first **subtracts each crop's own mean**. This removes everything that
# is constant in a crop: the channel (room and microphone), and a part of the voice.

# %%
BUILDERS = {
    "dense": models.dense,
    "conv1d": models.conv1d,
    "conv2d": models.conv2d,
}


def build(network, input_name, n_classes, rows):
    """One of the networks, standardised by the frames of some utterances."""
    mean, variance = models.moments([frames[input_name][row] for row in rows])
    kind, _, variant = network.partition(", ")
    options = {"own_mean": True} if variant else {}
    return BUILDERS[kind](
        ALL_INPUTS[input_name],
        n_classes,
        mean=mean,
        variance=variance,
        name=f"{kind}_{'own_mean_' * bool(variant)}{input_name}",
        **options,
    )


candidates = [
    (network, input_name)
    for network in NETWORKS
    for input_name in INPUTS
    if not (network == "conv2d" and ALL_INPUTS[input_name].pooled)  # a picture needs two axes
]
if "conv1d" in NETWORKS and "mfcc" in INPUTS:
    candidates.append(("conv1d, own mean taken off", "mfcc"))
print(f"{len(candidates)} networks to train")

# %% [markdown]
# ## 8 Training
#
# The labels are class numbers and the network returns logits: these determine the loss. You choose
# the optimiser and its learning rate.

# %% [markdown]
# **Exercise 3.13: choose optimiser and loss** (`network.compile`). The check trains a small network
# with your choice.


# %%
def compile_network(network):
    """Compiles a network for labels int (batch,) and outputs that are logits (batch, n)."""
    ### BEGIN SOLUTION 3.13: an optimiser, and cross-entropy for integer labels and logits
    network.compile(
        optimizer=keras.optimizers.Adam(learning_rate=2e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    ### END SOLUTION


# %%
checks.compile_network(compile_network)

# %% [markdown]
# We use Adam, and a learning rate that falls along a cosine: the last epochs make only small
# changes. Our loss is the cross-entropy with a *margin*: it subtracts 0.2 from the cosine of the
# true speaker, so that training moves the speakers further apart (section 13 needs this). Every
# network gets the same number of epochs: none is stopped early.


# %%
def train(network, input_name, rows, labels, *, validation=None):
    """Trains on some utterances. labels: int, one for each of rows. Returns the history."""
    batches = training.CropBatches(
        [frames[input_name][row] for row in rows],
        labels,
        ALL_INPUTS[input_name],
        batch_size=BATCH_SIZE,
        seed=SEED,
    )
    held_out = None
    if validation is not None:
        held_out = training.CropBatches(
            [frames[input_name][row] for row in validation],
            speaker[validation],
            ALL_INPUTS[input_name],
            batch_size=BATCH_SIZE,
            fixed=True,
        )
    training.compile_network(
        network,
        models.margin_loss(),
        n_steps=EPOCHS * len(batches),
        learning_rate=LEARNING_RATE,
    )
    return training.run_epochs(network, batches, epochs=EPOCHS, validation=held_out)


trained, histories = {}, {}
for network, input_name in candidates:
    env.seed_everything(SEED)
    trained[network, input_name] = build(network, input_name, len(names), TRAINING)
    histories[f"{network}\n{input_name}"] = train(
        trained[network, input_name], input_name, TRAINING, speaker[TRAINING], validation=VALIDATION
    )

# %%
figure = plots.network_curves(histories)
files.write_figure(figure, OUTPUT / "learning_curves.png")
plt.show()

# %% [markdown]
# The gap between the lines shows roughly how much better a network is on its training utterances
# than on unheard ones. Training is harder, because parts are hidden and values dropped, so the
# dashed line may lie below the other. Compare networks by the dashed line only.

# %% [markdown]
# ## 9 A prediction for one file
#
# Many utterances are longer than a crop. We cut these into several crops, and take the mean of the
# probabilities of all crops.

# %% [markdown]
# **Exercise 3.14: name the speaker.** Turn the logits of each crop into probabilities (softmax),
# take their mean over the crops, and return the most probable name and its probability.


# %%
def predict_speaker(logits, names):
    """(name, probability). logits: float (n_crops, n_classes). names: list, one for each class."""
    ### BEGIN SOLUTION 3.14: softmax, mean over the crops, the best name
    probability = softmax(logits, axis=1).mean(axis=0)
    best = probability.argmax()
    return names[best], probability[best]
    ### END SOLUTION


# %%
checks.predict_speaker(predict_speaker)

# %%
one = rng.choice(TEST)
model = trained[candidates[0]]
logits, _ = models.outputs_of_crops(
    model, [frames[candidates[0][1]][one]], ALL_INPUTS[candidates[0][1]]
)
probability = np.mean([softmax(crop) for crop in logits], axis=0)
order = np.argsort(-probability)[:5]
figure, axis = plt.subplots(figsize=(7, 2.4), layout="constrained")
colours = [plots.KEY if k == speaker[one] else plots.OTHER for k in order]
axis.barh([names[k] for k in order][::-1], probability[order][::-1], color=colours[::-1])
axis.set(xlim=(0, 1), xlabel="probability", ylabel="speaker")
axis.set_title(f"an unheard utterance of speaker {names[speaker[one]]}, crops heard: {len(logits)}")
plt.show()

# %% [markdown]
# The green bar is the true speaker, if it is among these five.

# %% [markdown]
# ## 10 All networks over all inputs
#
# Accuracy is the share of right answers. *Precision* is the share of right answers among those that
# name a speaker, *recall* the share of a speaker's utterances that are found; *F1* is their
# harmonic mean. *Macro* is the mean over speakers: each counts the same, even with few utterances.

# %% [markdown]
# **Exercise 3.15: macro precision, recall and F1.** Over the speakers that occur in `truth` or
# `guess`. A speaker who is never guessed has precision 0; one who is never true has recall 0. Macro
# F1 is the mean of the speakers' F1.


# %%
def macro_scores(truth, guess):
    """(precision, recall, f1): three float. truth, guess: int (n,)."""
    ### BEGIN SOLUTION 3.15: scores of each speaker, then their means
    from sklearn.metrics import precision_recall_fscore_support

    scores = precision_recall_fscore_support(truth, guess, average="macro", zero_division=0)
    return scores[:3]  # the fourth is not needed
    ### END SOLUTION


# %%
checks.macro_scores(macro_scores)

# %% [markdown]
# We report two accuracies: of single **crops** of three seconds, and of whole **utterances**. The
# intervals come from resampling whole sources, because results within one source are not
# independent.


# %%
def evaluate(network, input_name, rows):
    """(dict of scores, guess and loss of each utterance) of a network on some utterances."""
    logits, clip = models.outputs_of_crops(
        network, [frames[input_name][row] for row in rows], ALL_INPUTS[input_name]
    )
    truth = speaker[rows]
    log_probability = log_softmax(logits, axis=1)
    guess = models.mean_of_clips(np.exp(log_probability), clip).argmax(axis=1)
    sources = table["group"].to_numpy()[rows]
    of_crops = -log_probability[np.arange(len(clip)), truth[clip]]
    loss = models.mean_of_clips(of_crops[:, None], clip)[:, 0]
    scores = {
        "loss": loss.mean(),
        "crop_accuracy": (logits.argmax(axis=1) == truth[clip]).mean(),
    }
    for name, row in evaluation.class_scores(truth, guess, groups=sources, seed=SEED).iterrows():
        name = "utterance_accuracy" if name == "accuracy" else f"macro_{name}"
        scores |= {name: row["value"], f"{name}_low": row["low"], f"{name}_high": row["high"]}
    return scores, guess, loss


def latency_ms(network, input_name):
    """Time for a single crop, ms: median of twenty."""
    x = np.zeros((1, *ALL_INPUTS[input_name].shape), np.float32)
    network.predict_on_batch(x)
    times = []
    for _ in range(20):
        begun = time.perf_counter()
        network.predict_on_batch(x)
        times.append(1e3 * (time.perf_counter() - begun))
    return float(np.median(times))


rows, losses = [], {}
for (network, input_name), model in parallel.progress_bar(
    trained.items(), desc="Evaluating", unit="network"
):
    validation_scores, _, losses[network, input_name] = evaluate(model, input_name, VALIDATION)
    test_scores, _, _ = evaluate(model, input_name, TEST)
    rows.append(
        {
            "network": network,
            "input": input_name,
            "validation_loss": validation_scores["loss"],
            "validation_accuracy": validation_scores["utterance_accuracy"],
            **{name: value for name, value in test_scores.items() if name != "loss"},
            "parameters": models.parameter_count(model),
            "training_s": histories[f"{network}\n{input_name}"]["seconds"].sum(),
            "latency_ms": latency_ms(model, input_name),
        }
    )
results = pd.DataFrame(rows).sort_values("validation_loss", ignore_index=True)
files.write_table(results, OUTPUT / "models.csv")


def with_interval(name):
    return [
        f"{row[name]:.3f} [{row[name + '_low']:.2f}, {row[name + '_high']:.2f}]"
        for row in results.to_dict("records")
    ]


shown = pd.DataFrame(
    {
        "network": results["network"],
        "input": results["input"],
        "validation loss": results["validation_loss"].map("{:.3f}".format),
        "crops": results["crop_accuracy"].map("{:.3f}".format),
        "utterances": with_interval("utterance_accuracy"),
        "precision": with_interval("macro_precision"),
        "recall": with_interval("macro_recall"),
        "F1": with_interval("macro_f1"),
        "parameters": results["parameters"].map("{:,d}".format),
        "training (s)": results["training_s"].map("{:.0f}".format),
        "one crop (ms)": results["latency_ms"].map("{:.1f}".format),
    }
)
shown.style.hide().set_table_attributes('style="font-size: 80%"')

# %%
ordered = results.iloc[::-1]
labels = [f"{row.network}, {row.input}" for row in ordered.itertuples()]
figure, axis = plt.subplots(figsize=(9, 0.9 + 0.36 * len(ordered)), layout="constrained")
places = np.arange(len(ordered))
values = ordered["utterance_accuracy"]
axis.hlines(
    places, ordered["utterance_accuracy_low"], ordered["utterance_accuracy_high"],
    color=plots.OTHER, lw=5, alpha=0.35, label="95 % interval",
)  # fmt: skip
axis.plot(values, places, "o", color=plots.OTHER, label="utterances")
axis.plot(ordered["crop_accuracy"], places, "|", color=plots.CALL, ms=11, mew=2, label="crops")
axis.set_yticks(places, labels, fontsize=9)
axis.set(
    xlabel="accuracy on unheard " + kind,
    xlim=(min(0.9, ordered["utterance_accuracy_low"].min() - 0.02), 1.005),
)
axis.legend(fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncol=3, frameon=False)
plt.show()

# %% [markdown]
# The table is sorted by the **validation loss**, which we use to choose: several networks may have
# the same accuracy, but not the same loss. (It is computed without the margin, so it is lower than
# in the curves.) But the first place may be luck. So we take all networks whose loss is at most one
# standard error above the lowest, and choose the one with the fewest parameters. The test columns
# play no part in this choice. If their intervals overlap widely, do not call one network better.

# %%
least = losses[tuple(results.loc[0, ["network", "input"]])]
sources = table["group"].to_numpy()[VALIDATION]
more = pd.DataFrame({pair: loss - least for pair, loss in losses.items()}).groupby(sources).mean()
as_good = more.columns[more.mean() <= more.std() / np.sqrt(len(more))]
eligible = results.set_index(["network", "input"])["parameters"].loc[list(as_good)]
best_network, best_input = eligible.idxmin()
display(
    Markdown(
        f"On {len(more)} sources, {len(eligible)} of {len(results)} networks are as good as the "
        f"first. The smallest of them is **{best_network} on {best_input}**, "
        f"{eligible.min():,} parameters."
    )
)

# %%
by_name = results.set_index(["network", "input"])["utterance_accuracy"]
if ("conv1d, own mean taken off", "mfcc") in by_name:
    text = (
        f"The network that subtracts its **own mean** loses the channel and a part of the voice. "
        f"Its accuracy is {by_name['conv1d, own mean taken off', 'mfcc']:.1%}, and "
        f"{by_name['conv1d', 'mfcc']:.1%} if the mean is kept. "
    )
    if has_sessions:
        text += (
            "The choice of the best network has a limit: if a speaker has one training session, "
            "validation comes from this session too, and favours networks that rely on its "
            "channel. Only a third session could avoid this."
        )
    else:
        text += (
            "With one set-up for each speaker, no test here can show which of the two was lost, "
            "nor which network would recognise these people with another microphone."
        )
    display(Markdown(text))

# %% [markdown]
# ## 11 The best network, trained on more data
#
# The choice is made, so we train the best network once more, with the validation utterances too.
# And so that it does not rely on the pauses, it also gets a **noisy copy** of every utterance, with
# white noise or *babble* (up to five recordings of other speakers at once), 0 to 30 dB below the
# voice. The copies are also computed once. Section 15 shows how much they help. (The babble has no
# voices of the speakers who are strangers in section 13.)

# %%
n_strangers = min(HELD_OUT_SPEAKERS, len(names) // 2)
n_rounds = min(STRANGER_ROUNDS, len(names) // n_strangers - 1) if n_strangers >= 2 else 0
by_chance = rng.permutation(len(names))
strangers = by_chance[: n_rounds * n_strangers].reshape(n_rounds, n_strangers)
behind = rng.permutation(TRAINING[~np.isin(speaker[TRAINING], strangers)])[:50]
behind = {"training": behind[::2], "test": behind[1::2]}  # test and training have different babble
background = {
    row: audio.load(table["path"][row], sr=SR) for rows in behind.values() for row in rows
}


def noise(kind, n, rng, *, row, part):
    """Noise (n,) of unit power. row: the utterance to mix it with. part: a key of `behind`."""
    if kind == "white":
        return rng.standard_normal(n)
    others = [k for k in behind[part] if speaker[k] != speaker[row]] or list(behind[part])
    chosen = rng.choice(others, min(5, len(others)), replace=False)
    y = sum(np.resize(background[k], n) / (np.std(background[k]) + 1e-9) for k in chosen)
    return y / (np.std(y) + 1e-9)


def frames_in_noise(rows, draw, *, part, desc):
    """Frames of utterances mixed with noise. draw: rng → (kind, signal-to-noise ratio in dB)."""

    def work(row):
        own = np.random.default_rng((SEED, row))  # the same in any order of threads
        kind, snr_db = draw(own)
        y = audio.load(table["path"][row], sr=SR)
        gain = np.sqrt(np.mean(y**2) / 10 ** (snr_db / 10))
        y = y + gain * noise(kind, len(y), own, row=row, part=part)
        return ALL_INPUTS[best_input].frames(y.astype(np.float32)).astype(np.float16)

    return parallel.map_files(work, rows, desc=desc, unit="file")


fit_rows = np.concatenate([TRAINING, VALIDATION])
copies = frames_in_noise(
    fit_rows,
    lambda rng: (rng.choice(["white", "babble"]), rng.uniform(0, 30)),
    part="training",
    desc="Noisy copies",
)
copy_of = dict(zip(fit_rows, len(table) + np.arange(len(copies)), strict=True))
frames[best_input] = frames[best_input] + copies  # after the utterances themselves


def with_copies(rows):
    """Rows of utterances, and of the noisy copy of each."""
    return np.concatenate([rows, [copy_of[row] for row in rows]])


# %%
env.seed_everything(SEED)
best = build(best_network, best_input, len(names), with_copies(fit_rows))
history = train(best, best_input, with_copies(fit_rows), np.tile(speaker[fit_rows], 2))
best_scores, guess, _ = evaluate(best, best_input, TEST)
classifier = models.ClipClassifier(best, ALL_INPUTS[best_input], names)
models.save(classifier, OUTPUT / "model.keras")
if best_scores["utterance_accuracy"] < 1:
    low, high = (best_scores[f"utterance_accuracy_{end}"] for end in ("low", "high"))
    interval = f"95 % interval {low:.1%} to {high:.1%}"
else:  # resampling right answers alone never gives an error: use the rule of three
    most = 3 / table["group"].iloc[TEST].nunique()
    interval = f"none is wrong; with 95 % confidence the error is below {most:.1%}"
display(
    Markdown(
        f"**{best_network} on {best_input}**: {best_scores['utterance_accuracy']:.1%} of "
        f"{len(TEST)} unheard utterances are recognised ({interval}), "
        f"{best_scores['crop_accuracy']:.1%} of "
        f"single crops; macro F1 {best_scores['macro_f1']:.3f}. "
        f"{models.parameter_count(best):,} parameters, trained in "
        f"{history['seconds'].sum():.0f} s."
    )
)

# %%
figure = plots.confusion_matrix(
    speaker[TEST], guess, labels=names, title=f"{best_network}, {best_input}: unheard {kind}"
)
files.write_figure(figure, OUTPUT / "confusion.png")
plt.show()
wrong = np.flatnonzero(guess != speaker[TEST])
confused = pd.DataFrame(
    {
        "speaker": [names[k] for k in speaker[TEST][wrong]],
        "taken for": [names[k] for k in guess[wrong]],
        "file": [files.short_path(p, root=dataset.root) for p in table["path"].iloc[TEST[wrong]]],
        "seconds": table["duration_s"].iloc[TEST[wrong]].round(1).to_numpy(),
    }
)
confused.head(12) if len(confused) else Markdown("No utterance is confused.")

# %% [markdown]
# ## 12 An embedding
#
# Without its last layer, the network does not name a speaker. It returns a point in 128 dimensions,
# the *embedding*. Utterances of one speaker should lie close together.

# %% [markdown]
# **Exercise 3.16: an embedding model.** Make a model that returns the output of the network's layer
# `"embedding"`, with the same weights.


# %%
def embedding_model(network):
    """keras.Model: the network's input → output of its layer "embedding"."""
    ### BEGIN SOLUTION 3.16: a model that ends at the layer "embedding"
    return keras.Model(network.input, network.get_layer("embedding").output)
    ### END SOLUTION


# %%
checks.embedding_model(embedding_model)

# %% [markdown]
# **Exercise 3.17: three dimensions out of 128.** Principal component analysis: subtract the mean,
# and project onto the three directions in which the embeddings vary most.


# %%
def three_components(embeddings):
    """Projections onto the first three principal components: float (n, 3), most variance first."""
    ### BEGIN SOLUTION 3.17: centre, then project onto the three directions of most variance
    centred = embeddings - embeddings.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2]
    return centred @ directions[:3].T
    ### END SOLUTION


# %%
checks.three_components(three_components)


# %%
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize


def embed(network, input_name, rows):
    """Embedding of utterances: mean of their crops' directions, float (len(rows), 128)."""
    outputs, clip = models.outputs_of_crops(
        models.embedding_model(network),
        [frames[input_name][row] for row in rows],
        ALL_INPUTS[input_name],
    )
    return models.mean_of_clips(normalize(outputs.astype(float)), clip)


twenty = np.isin(speaker[TEST], np.arange(20))
place = embed(best, best_input, TEST[twenty])
components = PCA(3, random_state=SEED).fit(place)
shown_share = components.explained_variance_ratio_.sum()
points = pd.DataFrame(components.transform(place), columns=["first", "second", "third"])
points["speaker"] = [names[k] for k in speaker[TEST[twenty]]]
points["file"] = [files.short_path(p, root=dataset.root) for p in table["path"].iloc[TEST[twenty]]]
if express := env.optional("plotly.express", package="plotly"):
    cloud = express.scatter_3d(
        points,
        x="first",
        y="second",
        z="third",
        color="speaker",
        hover_data={"file": True, "first": False, "second": False, "third": False},
        color_discrete_sequence=express.colors.qualitative.Dark24,
        height=640,
        template="plotly_white",
        title=f"Unheard {kind} of {points['speaker'].nunique()} speakers",
    )
    cloud.update_traces(marker_size=5)
    cloud.update_layout(margin={"l": 0, "r": 0, "b": 0, "t": 50}, scene_aspectmode="cube")
    display(widgets.interactive(cloud))
display(Markdown(f"These three axes show **{shown_share:.0%}** of the variance."))

# %% [markdown]
# Turn the picture with the mouse; a click on a name hides a speaker, a double click shows one
# alone. Clouds that touch here may be far apart in the dimensions that are not shown. Separate
# clouds prove little, because the network was *trained* to separate these speakers. The picture
# does not show what happens with an unheard voice.

# %% [markdown]
# ## 13 Strangers: is it the same speaker?
#
# So we train the same network again, without some of the **speakers**. For every pair of their
# utterances we ask: one speaker, or two? The score is the cosine of the two embeddings, and a
# threshold decides. A low threshold accepts wrong pairs (*false alarms*), a high one rejects right
# pairs (*misses*). At some threshold both rates are equal: this rate is the **equal error rate**.

# %% [markdown]
# **Exercise 3.18: the equal error rate.** `scores` has the score of each pair, `is_target` whether
# both are of one speaker (a *target*). A pair is accepted if its score is at or above the
# threshold. Find the rate where misses (share of targets below) and false alarms (share of the
# others at or above) are equal. If no threshold makes them equal, return any rate between the two
# where they cross.


# %%
def equal_error_rate(scores, is_target):
    """Rate between 0 and 1. scores: float (n,). is_target: bool (n,), with both kinds."""
    ### BEGIN SOLUTION 3.18: both rates at every threshold, and where they cross
    thresholds = np.append(np.unique(scores), np.inf)
    miss = np.array([(scores[is_target] < t).mean() for t in thresholds])
    false_alarm = np.array([(scores[~is_target] >= t).mean() for t in thresholds])
    # Misses rise with the threshold and false alarms fall: where is their difference 0?
    k = np.argmax(miss >= false_alarm)
    gap = (miss - false_alarm)[k - 1 : k + 1]
    return np.interp(0, gap, miss[k - 1 : k + 1])
    ### END SOLUTION


# %%
checks.equal_error_rate(equal_error_rate)

# %% [markdown]
# We also normalise the score by the scores with training speakers: a voice that resembles everybody
# gets a lower score (*score normalisation*). For comparison we use the pooled MFCC instead of an
# embedding. One group of strangers is small, so there are several rounds, each with other
# strangers.

# %%
raw = np.stack(summaries["whole utterance"])
rounds = []
for left_out in strangers:
    insiders = np.setdiff1d(np.arange(len(names)), left_out)
    number = np.searchsorted(insiders, speaker)  # of an insider, among the insiders
    rows = TRAINING[np.isin(speaker[TRAINING], insiders)]
    env.seed_everything(SEED)
    verifier = build(best_network, best_input, len(insiders), with_copies(rows))
    train(verifier, best_input, with_copies(rows), np.tile(number[rows], 2))

    unknown = np.flatnonzero(np.isin(speaker, left_out))
    enrolled = embed(verifier, best_input, rows)
    embedded = embed(verifier, best_input, unknown)
    colours = (raw[unknown] - raw[rows].mean(axis=0)) / raw[rows].std(axis=0)
    rounds.append(
        {
            "insiders": insiders,
            "verifier": verifier,
            "mean of each": np.stack([enrolled[speaker[rows] == k].mean(axis=0) for k in insiders]),
            "unknown": unknown,
            "embedded": embedded,
            "trials": {
                "embedding, normalised": evaluation.verification_trials(
                    embedded, speaker[unknown], cohort=enrolled
                ),
                "embedding": evaluation.verification_trials(embedded, speaker[unknown]),
                "pooled MFCC": evaluation.verification_trials(colours, speaker[unknown]),
            },
        }
    )

# %%
eer = None
if rounds:
    curves = {
        name: [
            np.concatenate(part) for part in zip(*(r["trials"][name] for r in rounds), strict=True)
        ]
        for name in rounds[0]["trials"]
    }
    figure = plots.detection_error_tradeoff(curves)
    files.write_figure(figure, OUTPUT / "verification.png")
    plt.show()
    rates = pd.DataFrame(
        {
            name: [evaluation.equal_error_rate(*r["trials"][name])[0] for r in rounds]
            for name in curves
        },
        index=pd.RangeIndex(1, len(rounds) + 1, name="round"),
    )
    display(rates.style.format("{:.1%}"))
    eer = rates["embedding, normalised"].mean()
    display(
        Markdown(
            f"{len(rounds)} rounds with {n_strangers} strangers each, "
            f"{len(curves['embedding'][0]):,} pairs of utterances: the equal error rate is "
            f"**{eer:.1%}** in the mean over the rounds, and with the pooled MFCC "
            f"{rates['pooled MFCC'].mean():.1%}."
        )
    )

# %% [markdown]
# Lower left is better. The dot on the diagonal is the equal error rate of all rounds with one
# threshold. The axes are scaled so that normally distributed scores give straight lines. If the
# rounds differ much, do not trust a single one. If the embedding is not better than the pooled
# MFCC, the network has learnt its training speakers rather than voices in general. Utterances of
# one speaker also share the room here, and those of two speakers do not: this is the easiest case.

# %%
if rounds and has_sessions:
    across = []
    for one_round in rounds:
        session = table["group"].to_numpy()[one_round["unknown"]]
        left, right = np.triu_indices(len(session), k=1)
        scores, is_target = one_round["trials"]["embedding, normalised"]
        apart = session[left] != session[right]  # only pairs of two sessions
        across.append(evaluation.equal_error_rate(scores[apart], is_target[apart])[0])
    display(
        Markdown(
            f"Here sessions are known. For pairs from **two different sessions** the equal error "
            f"rate is **{np.mean(across):.1%}**: the difference from {eer:.1%} may be due to the "
            f"channel."
        )
    )

# %% [markdown]
# ## 14 An open set: known speakers and strangers
#
# A classifier always names a known speaker. To answer *a stranger*, it needs a threshold. We take
# the threshold that accepts 95 % of the known speakers' **validation** utterances, which this
# network did not train on. We test it on their test utterances and on the strangers, in every
# round.

# %%
rejected = None
if rounds:
    parts = []
    for one_round in rounds:
        insiders, verifier = one_round["insiders"], one_round["verifier"]
        is_known = np.isin(speaker, insiders)
        validation, known = VALIDATION[is_known[VALIDATION]], TEST[is_known[TEST]]
        fit_to = {
            name: evaluation.cosine_similarity(embedded, one_round["mean of each"])
            for name, embedded in {
                "validation": embed(verifier, best_input, validation),
                "known": embed(verifier, best_input, known),
                "strangers": one_round["embedded"],
            }.items()
        }
        threshold = np.quantile(fit_to["validation"].max(axis=1), 0.05)
        right = insiders[fit_to["known"].argmax(axis=1)] == speaker[known]
        for name, is_right in (("known", right), ("strangers", False)):
            above = fit_to[name].max(axis=1) - threshold
            parts.append(pd.DataFrame({"of": name, "above": above, "right": is_right}))
    answers = pd.concat(parts, ignore_index=True)
    answers["accepted"] = answers["above"] >= 0
    is_stranger = answers["of"] == "strangers"
    rejected = (~answers["accepted"][is_stranger]).mean()
    figure, axis = plt.subplots(figsize=(8, 3), layout="constrained")
    bins = np.linspace(answers["above"].min(), answers["above"].max(), 40)
    for is_shown, colour, label in (
        (~is_stranger, plots.OTHER, "known speakers, unheard " + kind),
        (is_stranger, plots.CALL, "strangers"),
    ):
        axis.hist(
            answers["above"][is_shown], bins, color=colour, alpha=0.6, label=label, density=True
        )
    axis.axvline(0, color=plots.KEY, label="threshold")
    axis.set(
        xlabel="cosine with the nearest enrolled speaker, above the threshold", ylabel="density"
    )
    axis.legend(fontsize=9)
    plt.show()
    known = answers[~is_stranger]
    display(
        Markdown(
            f"Of the known speakers' utterances {known['accepted'].mean():.1%} are accepted, "
            f"**{(known['accepted'] & known['right']).mean():.1%}** with the right name. Of the "
            f"strangers' utterances **{rejected:.1%}** are rejected."
            + " The threshold may come from sessions that are also in training: in a new session "
            "many known people look like strangers. Choose it on a separate one." * has_sessions
        )
    )

# %% [markdown]
# ## 15 Noise
#
# What happens with more noise than in the recordings? We mix noise into test utterances, at several
# signal-to-noise ratios, and compare two networks: one that trained on the recordings as they are
# (section 8), and one that also trained on noisy copies (section 11).

# %%
LEVELS_DB = [30, 20, 10, 5, 0]
some = np.sort(rng.permutation(TEST)[:200])
as_it_is = [frames[best_input][row] for row in some]
heard = {("white", np.inf): as_it_is, ("babble", np.inf): as_it_is}
heard |= {
    (kind, snr_db): frames_in_noise(
        some, lambda _, at=(kind, snr_db): at, part="test", desc=f"{kind} {snr_db} dB"
    )
    for kind in ("white", "babble")
    for snr_db in LEVELS_DB
}

# %%
noisy = []
for name, network in (
    ("trained as it is", trained[best_network, best_input]),
    ("trained with noise", best),
):
    in_noise = models.ClipClassifier(network, ALL_INPUTS[best_input], names)
    for (kind_of_noise, snr_db), parts in heard.items():
        right = in_noise.probabilities(parts).argmax(axis=1) == speaker[some]
        noisy.append((name, kind_of_noise, snr_db, right.mean()))
noisy = pd.DataFrame(noisy, columns=["network", "noise", "snr_db", "utterance_accuracy"])
noisy = noisy.sort_values(["network", "noise", "snr_db"], ascending=False, ignore_index=True)
files.write_table(noisy, OUTPUT / "noise.csv")
figure, axis = plt.subplots(figsize=(8, 3.6), layout="constrained")
for (name, kind_of_noise), part in noisy.groupby(["network", "noise"]):
    axis.plot(
        range(len(part)),
        part["utterance_accuracy"],
        "o-" if "with noise" in name else "o--",
        color=plots.CALL if kind_of_noise == "babble" else plots.OTHER,
        label=f"{kind_of_noise}, {name}",
    )
axis.axhline(1 / len(names), color="0.6", ls=":", label="chance")
axis.set_xticks(range(1 + len(LEVELS_DB)), ["as it is", *LEVELS_DB])
axis.set(xlabel="signal-to-noise ratio (dB)", ylabel="accuracy (utterances)", ylim=(0, 1.02))
axis.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
plt.show()

# %%
clean = noisy[np.isinf(noisy["snr_db"]) & (noisy["noise"] == "white")]
clean = clean.sort_values("network")["utterance_accuracy"].to_list()  # as it is, with noise
at_20 = noisy[noisy["snr_db"] == 20].set_index(["network", "noise"])["utterance_accuracy"]
display(
    Markdown(
        f"The network of section 8 recognises {clean[0]:.0%} of the utterances as they are. At "
        f"20 dB it recognises **{at_20['trained as it is', 'white']:.0%}** (white noise) and "
        f"**{at_20['trained as it is', 'babble']:.0%}** (babble). The network that trained with "
        f"noise recognises {clean[1]:.0%}, at 20 dB "
        f"**{at_20['trained with noise', 'white']:.0%}** and "
        f"**{at_20['trained with noise', 'babble']:.0%}**."
    )
)

# %% [markdown]
# The dashed lines may fall for two reasons: noise covers the pauses, and the weak bands of the
# voice. (The comparison is not quite equal. The other network trained with these two kinds of
# noise, but with other babble; also on the validation utterances, and so with more steps. A third
# kind of noise would be a harder test.)

# %% [markdown]
# ## 16 Your own recordings
#
# If `PREDICT_DIR` is set, the best network names the speaker of every file there. The model file
# includes its front end and the names. To use it elsewhere:
# `model = models.load_classifier("model.keras")` and `models.classify(paths, model)`.

# %%
if to_predict:
    predicted, unreadable = models.classify(
        to_predict, classifier, root=Path(PREDICT_DIR).expanduser()
    )
    files.write_table(predicted, OUTPUT / "predict.csv")
    errors = pd.concat([errors, unreadable], ignore_index=True)
    files.write_table(errors, OUTPUT / "errors.csv")
    display(predicted.head(20))

# %% [markdown]
# ## Recap
#
# - Split inside each speaker, and never through an utterance or a session.
# - Decode once; cut crops from frames in memory.
# - Try the simplest method first: a mean over time and a linear classifier may be enough.
# - Choose on validation utterances; report the interval; count the parameters.
# - If the pauses identify a speaker, the network may not have learnt the voice.
# - Known speakers in known rooms are easy: also test strangers, other sessions and noise.
#
# **Try next:** `CROP_S = 1.0`: how much voice is enough? · `EPOCHS = 100` · a third
# kind of noise in section 15 · two recordings of your own with two microphones.

# %%
checks.progress()

# %%
metrics_written = files.write_metrics(
    OUTPUT,
    dataset=dataset,
    seed=SEED,
    n_speakers=len(names),
    crop_accuracy=best_scores["crop_accuracy"],
    utterance_accuracy=best_scores["utterance_accuracy"],
    utterance_accuracy_low=best_scores["utterance_accuracy_low"],
    utterance_accuracy_high=best_scores["utterance_accuracy_high"],
    macro_f1=best_scores["macro_f1"],
    eer=eer,
    eer_lowest=rates["embedding, normalised"].min() if rounds else None,
    eer_highest=rates["embedding, normalised"].max() if rounds else None,
    strangers_rejected=rejected,
    parameters=models.parameter_count(best),
    training_s=history["seconds"].sum(),
    silence_accuracy=silence_accuracy,
    nearest_neighbour_by_crop=leak["crops"],
    nearest_neighbour_by_utterance=leak["utterances"],
    nearest_neighbour_by_session=leak.get("sessions"),
    files_in_error=len(errors),
)
print(json.dumps(metrics_written, indent=2))
