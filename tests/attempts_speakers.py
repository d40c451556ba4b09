"""Attempts at the exercises of 03_speaker_identification."""

import math

import keras
import librosa
import numpy as np
import pandas as pd
import scipy.fft
import scipy.special
import soundfile
from attempts import right, wrong
from keras import layers, ops
from scipy.interpolate import interp1d
from scipy.io import wavfile
from scipy.optimize import brentq
from scipy.signal import find_peaks
from sklearn.decomposition import PCA
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    det_curve,
    precision_recall_fscore_support,
    roc_auc_score,
    roc_curve,
)
from sklearn.preprocessing import StandardScaler, normalize

from helpers.features import Frontend

# --- 3.1 ------------------------------------------------------------------------------------------


@right("two_ways")
def librosa_and_soundfile(path):
    y, sr = librosa.load(path)
    y_native, sr_native = soundfile.read(path)
    return y, sr, y_native, sr_native, len(y_native) / sr_native


@right("two_ways")
def librosa_twice(path):
    y, sr = librosa.load(path, sr=22050, mono=True)
    y_native, sr_native = librosa.load(path, sr=None)
    return [y, sr, y_native, sr_native, librosa.get_duration(y=y, sr=sr)]


@right("two_ways")
def by_hand(path):
    sr_native, whole = wavfile.read(path)
    y_native = whole / 32768
    y = librosa.resample(librosa.to_mono(y_native.T), orig_sr=sr_native, target_sr=22050)
    return y, 22050, y_native, sr_native, soundfile.info(path).duration


@right("two_ways")
def channels_first(path):
    y_native, sr_native = librosa.load(path, sr=None, mono=False)
    return *librosa.load(path), y_native, sr_native, y_native.shape[-1] / sr_native


for said, change in (
    (["file of 16000 Hz, 1.25 s", "whole seconds"], lambda y, sr, n, r: (y, sr, n, r, len(n) // r)),
    (["milliseconds"], lambda y, sr, n, r: (y, sr, n, r, 1000 * len(n) / r)),
    (["number of samples; divide"], lambda y, sr, n, r: (y, sr, n, r, len(n))),
    (["divided by librosa's rate"], lambda y, sr, n, r: (y, sr, n, r, len(n) / sr)),
    (["librosa's samples are divided"], lambda y, sr, n, r: (y, sr, n, r, len(y) / r)),
    (["rate over the number"], lambda y, sr, n, r: (y, sr, n, r, r / len(n))),
    (["is right"], lambda y, sr, n, r: (y, sr, n, r, len(n) / r + 0.1)),
    (["whole numbers up to"], lambda y, sr, n, r: (y, sr, (n * 32768).astype(int), r, len(n) / r)),
    (["stereo file of 32000 Hz, 1.50 s", "both channels"],
     lambda y, sr, n, r: (y, sr, n, r, n.size / r)),
    (["stereo", "channels over the rate"], lambda y, sr, n, r: (y, sr, n, r, n.shape[-1] / r
                                                                if n.ndim > 1 else len(n) / r)),
    (["stereo", "librosa makes mono"],
     lambda y, sr, n, r: (y if n.ndim == 1 else np.stack([y, y], axis=1), sr, n, r, len(n) / r)),
    (["stereo", "one of the file's two channels"],
     lambda y, sr, n, r: (y, sr, n if n.ndim == 1 else n[:, 0], r, len(n) / r)),
    (["mono sound has one axis"], lambda y, sr, n, r: (y, sr, n[:, None], r, len(n) / r)),
    (["librosa's come first"], lambda y, sr, n, r: (n, r, y, sr, len(n) / r)),
    (["sr is 16000 Hz", "librosa's own"], lambda y, sr, n, r: (n, r, n, r, len(n) / r)),
    (["y has 20000 samples"], lambda y, sr, n, r: (n, sr, n, r, len(n) / r)),
    (["sr_native is 22050"], lambda y, sr, n, r: (y, sr, y, sr, len(n) / r)),
    (["y_native has 27563 samples"], lambda y, sr, n, r: (y, sr, y, r, len(n) / r)),
    (["other samples"], lambda y, sr, n, r: (y / np.abs(y).max(), sr, n, r, len(n) / r)),
    (["needed: sr, a rate"], lambda y, sr, n, r: (sr, y, r, n, len(n) / r)),
    (["4 things"], lambda y, sr, n, r: (y, sr, n, r)),
    (["returns None"], lambda y, sr, n, r: None),
):  # fmt: skip
    wrong("two_ways", *said)(
        lambda path, change=change: change(*librosa.load(path), *soundfile.read(path))
    )


# --- 3.2 ------------------------------------------------------------------------------------------


@right("strongest_frequency")
def bin_of_the_maximum(y, *, sr):
    magnitude = np.abs(np.fft.rfft(y - y.mean()))
    return np.fft.rfftfreq(len(y), 1 / sr)[np.argmax(magnitude)]


@right("strongest_frequency")
def windowed_and_longer(y, *, sr):
    power = np.abs(scipy.fft.rfft(np.hanning(len(y)) * (y - np.mean(y)), 4 * len(y))) ** 2
    return int(power.argmax()) * sr / (4 * len(y))


@right("strongest_frequency")
def without_bin_0(y, *, sr):
    spectrum = np.abs(np.fft.fft(y))[: len(y) // 2]
    spectrum[0] = 0
    return np.array(spectrum.argmax() / len(y) * sr)


@right("strongest_frequency")
def by_both_parts(y, *, sr):
    spectrum = scipy.fft.rfft(y - y.mean(), scipy.fft.next_fast_len(len(y)))
    power = spectrum.real**2 + spectrum.imag**2
    return scipy.fft.rfftfreq(scipy.fft.next_fast_len(len(y)), 1 / sr)[power.argmax()]


def highest(part, *, window=np.ones, n=1):
    """The place of the highest value of something that is made of the complex spectrum, in Hz."""

    def found(y, sr):
        spectrum = np.fft.rfft(window(len(y)) * (y - y.mean()), n * len(y))
        return np.argmax(part(spectrum)) * sr / (n * len(y))

    return found


def lowest_peak(y, *, sr):
    magnitude = np.abs(np.fft.rfft(np.hanning(len(y)) * (y - y.mean())))
    return find_peaks(magnitude, height=0.1 * magnitude.max())[0][0] * sr / len(y)


def bin_number(y):
    return np.abs(np.fft.rfft(y - y.mean())).argmax()


for said, function in (
    (["number of a bin", "2.5 Hz wide"], lambda y, sr: bin_number(y)),
    (
        ["faint tone on a strong offset", "subtract the mean"],
        lambda y, sr: np.abs(np.fft.rfft(y)).argmax() * sr / len(y),
    ),
    (["lowest point", "FFT is complex", "magnitude"], highest(lambda z: z)),
    (["lowest point", "FFT is complex"], highest(np.real)),
    (["lowest point", "FFT is complex"], highest(np.real, window=np.hanning)),
    (["lowest point", "FFT is complex"], highest(np.real, window=np.hanning, n=4)),
    (["a tone (3200 samples", "FFT is complex"], highest(np.imag)),
    (["begins at 0 and rises", "FFT is complex"], highest(lambda z: np.abs(z.real))),
    (["highest point", "FFT is complex"], highest(lambda z: np.abs(z.imag))),
    (["a tone (3200 samples", "FFT is complex"], highest(np.square)),
    (["kHz"], lambda y, sr: bin_of_the_maximum(y, sr=sr) / 1000),
    (["cycles per sample"], lambda y, sr: bin_number(y) / len(y)),
    (["angular"], lambda y, sr: bin_of_the_maximum(y, sr=sr) * 2 * np.pi),
    (["twice as high"], lambda y, sr: bin_number(y) * sr / (1 + len(y) // 2)),
    (["half as high"], lambda y, sr: bin_number(y) * sr / 2 / len(y)),
    (["off by a bin"], lambda y, sr: (bin_number(y) - 1) * sr / len(y)),
    (["mirror image"], lambda y, sr: sr - bin_of_the_maximum(y, sr=sr)),
    (["no sign"], lambda y, sr: -bin_of_the_maximum(y, sr=sr)),
    (["two tones", "the weaker"], lambda y, sr: lowest_peak(y, sr=sr)),
    (["is the strongest"], lambda y, sr: 123.4),
    (["one number"], lambda y, sr: np.abs(np.fft.rfft(y))),
    (["returns None"], lambda y, sr: None),
):  # fmt: skip
    wrong("strongest_frequency", *said)(lambda y, *, sr, function=function: function(y, sr))


@wrong("strongest_frequency", "changes its input")
def offset_taken_in_place(y, *, sr):
    y -= y.mean()
    return bin_of_the_maximum(y, sr=sr)


# --- 3.3 ------------------------------------------------------------------------------------------


@right("log_spectrogram")
def power_in_decibels(y, *, n_fft, hop_length, **options):
    power = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop_length, **options)) ** 2
    return 10 * np.log10(np.maximum(power, 1e-10))


@right("log_spectrogram")
def all_by_librosa(y, *, n_fft, hop_length):
    amplitude = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop_length))
    return librosa.amplitude_to_db(amplitude, amin=1e-5, top_db=None)


@right("log_spectrogram")
def by_the_front_end(y, *, n_fft, hop_length):
    return Frontend(n_fft=n_fft, hop_length=hop_length, n_mels=0).log_power(y)


def last_step(step, **options):
    """A spectrogram, with a last step of its own."""
    return lambda y, **given: step(np.abs(librosa.stft(y, **given, **options)))


def floored(magnitude):
    return 10 * np.log10(np.maximum(magnitude**2, 1e-10))


def swapped(y, *, n_fft, hop_length):
    return power_in_decibels(y, n_fft=hop_length, hop_length=n_fft)


def unlimited(magnitude):
    with np.errstate(divide="ignore"):
        return 20 * np.log10(magnitude)


for said, function in (
    (["-inf", "under the power"], last_step(unlimited)),
    (["80 dB below", "top_db=None"], last_step(lambda s: librosa.power_to_db(s**2))),
    (["silence becomes -200.0 dB"], last_step(lambda s: 20 * np.log10(np.maximum(s, 1e-10)))),
    (["silence becomes -120.0 dB"], last_step(lambda s: 10 * np.log10(s**2 + 1e-12))),
    (["power itself"], last_step(lambda s: s**2)),
    (["this is the amplitude"], last_step(lambda s: s)),
    (["10 log10 of the amplitude"], last_step(lambda s: 10 * np.log10(np.maximum(s, 1e-10)))),
    (["20 log10 of the power"], last_step(lambda s: 2 * floored(s))),
    (["without the 10"], last_step(lambda s: floored(s) / 10)),
    (["natural logarithms"], last_step(lambda s: np.log(np.maximum(s**2, 1e-10)))),
    (
        ["highest value is 0 dB"],
        last_step(lambda s: librosa.power_to_db(s**2, ref=np.max, top_db=None)),
    ),
    (["highest value is 0 dB"], last_step(lambda s: librosa.amplitude_to_db(s, ref=np.max))),
    (["no window"], last_step(floored, window="boxcar")),
    (["symmetric"], lambda y, *, n_fft, hop_length: power_in_decibels(
        y, n_fft=n_fft, hop_length=hop_length, window=np.hanning(n_fft))),
    (["Hamming"], last_step(floored, window="hamming")),
    (["mirrors"], last_step(floored, pad_mode="reflect")),
    (["centred"], last_step(floored, center=False)),
    (["wrong way round"], last_step(lambda s: floored(s).T)),
    (["confused"], swapped),
    (["complex"], lambda y, **given: librosa.stft(y, **given)),
    (["is right"], last_step(lambda s: floored(s) * np.linspace(1, 1.1, len(s))[:, None])),
    (["returns None"], lambda y, **given: None),
):  # fmt: skip
    wrong("log_spectrogram", *said)(function)


# --- 3.5 ------------------------------------------------------------------------------------------


@right("hold_out")
def speaker_by_speaker(speakers, *, share, rng):
    held_out = np.zeros(len(speakers), bool)
    for speaker in np.unique(speakers):
        own = np.flatnonzero(speakers == speaker)
        n = np.clip(round(share * len(own)), 1, len(own) - 1)
        held_out[rng.choice(own, n, replace=False)] = True
    return held_out


@right("hold_out")
def by_ranks_in_a_table(speakers, *, share, rng):
    table = pd.DataFrame({"speaker": speakers, "lot": rng.random(len(speakers))})
    groups = table.groupby("speaker")["lot"]
    size = groups.transform("size")
    n = (share * size + 0.5).astype(int).clip(lower=1)
    return (groups.rank() <= np.minimum(n, size - 1)).to_numpy()


@right("hold_out")
def in_a_list(speakers, *, share, rng):
    held_out = [False] * len(speakers)
    for speaker in sorted(set(speakers)):
        own = rng.permutation([i for i, name in enumerate(speakers) if name == speaker])
        for i in own[: max(1, min(len(own) - 1, int(np.round(share * len(own)))))]:
            held_out[i] = True
    return held_out


def held_out_with(*, count=lambda x, n: np.clip(round(x), 1, n - 1), draw=None):
    """Like `speaker_by_speaker`, with one rule changed."""

    def chosen(speakers, *, share, rng):
        mask = np.zeros(len(speakers), bool)
        for speaker in np.unique(speakers):
            own = np.flatnonzero(speakers == speaker)
            n = int(count(share * len(own), len(own)))
            mask[rng.choice(own, n, replace=False) if draw is None else draw(rng, own, n)] = True
        return mask

    return chosen


def random_places(rng, own, n):
    return np.random.permutation(own)[:n]


def never_the_first(rng, own, n):
    return own[:n] if n > len(own) - 1 else rng.choice(own[1:], n, replace=False)


def of_all_together(speakers, *, share, rng):
    mask = np.zeros(len(speakers), bool)
    mask[rng.choice(len(speakers), round(share * len(speakers)), replace=False)] = True
    return mask


def whole_speakers(speakers, *, share, rng):
    names = np.unique(speakers)
    return np.isin(speakers, rng.choice(names, max(1, round(share * len(names))), replace=False))


for said, function in (
    (["share 0.1", "at least one"], held_out_with(count=lambda x, n: min(round(x), n - 1))),
    (["stays to learn"], held_out_with(count=lambda x, n: max(round(x), 1))),
    (["rounds down"], held_out_with(count=lambda x, n: max(int(x), 1))),
    (["rounds up"], held_out_with(count=lambda x, n: min(math.ceil(x - 1e-9), n - 1))),
    (["all utterances together"], of_all_together),
    (["as a whole"], whole_speakers),
    (["not for those that stay"], lambda s, **given: ~speaker_by_speaker(s, **given)),
    (["very same utterances"], held_out_with(draw=lambda rng, own, n: own[:n])),
    (["same seed"], held_out_with(draw=random_places)),
    (["never held out", "same chance"], held_out_with(draw=never_the_first)),
    (["it holds out 2", "makes 3"], held_out_with(draw=lambda rng, own, n: own[rng.integers(n):n])),
    (["indices", "30 times"], lambda s, **given: np.flatnonzero(speaker_by_speaker(s, **given))),
    (["taken for indices"], lambda s, **given: speaker_by_speaker(s, **given).astype(int)),
    (["returns names"], lambda s, **given: s[speaker_by_speaker(s, **given)]),
    (["shape (29,)"], lambda s, **given: speaker_by_speaker(s, **given)[1:]),
    (["values of type"], lambda s, **given: speaker_by_speaker(s, **given) * 0.5),
    (["returns None"], lambda s, **given: None),
):  # fmt: skip
    wrong("hold_out", *said)(function)


@wrong("hold_out", "changes its input")
def shuffled_in_place(speakers, *, share, rng):
    rng.shuffle(speakers)
    return speaker_by_speaker(speakers, share=share, rng=rng)


# --- 3.4 ------------------------------------------------------------------------------------------


def mel_bands(y, sr, *, n_fft=1024, hop_length=200, n_mels=256):
    return librosa.feature.melspectrogram(
        y=y, sr=sr, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels
    )


def coefficients(bands, *, top_db=None, ref=1.0, **options):
    log_mel = librosa.power_to_db(bands, top_db=top_db, ref=ref)
    return librosa.feature.mfcc(S=log_mel, **{"n_mfcc": 256} | options)


def spectrogram_of(y, *, n_fft=400):
    return power_in_decibels(y, n_fft=n_fft, hop_length=200)


@right("four_inputs")
def each_with_its_mean(y, *, sr):
    mfcc, spectrogram = coefficients(mel_bands(y, sr)), spectrogram_of(y)
    return mfcc, mfcc.mean(axis=1), spectrogram, spectrogram.mean(axis=1)


@right("four_inputs")
def by_front_ends(y, *, sr):
    mfcc = Frontend(sr=sr, n_fft=1024, hop_length=200, n_mels=256).mfcc(y, n_mfcc=256)
    spectrogram = Frontend(sr=sr, n_fft=400, hop_length=200, n_mels=0).log_power(y)
    return [mfcc, np.mean(mfcc, axis=-1), spectrogram, np.mean(spectrogram, axis=-1)]


@right("four_inputs")
def by_scipy(y, *, sr):
    log_mel = 10 * np.log10(np.maximum(mel_bands(y.astype(float), sr), 1e-10))
    mfcc = scipy.fft.dct(log_mel, axis=0, norm="ortho")
    spectrogram = spectrogram_of(y.astype(float))
    return mfcc, mfcc.T.mean(axis=0), spectrogram, spectrogram.T.mean(axis=0)


def inputs_with(
    mfcc=lambda y, sr: coefficients(mel_bands(y, sr)),
    pool=lambda table: table.mean(axis=1),
    spectrogram=lambda y: spectrogram_of(y),
    pool_2=None,
):
    """All four, with one of them changed."""

    def made(y, *, sr):
        first, second = mfcc(y, sr), spectrogram(y)
        return first, pool(first), second, (pool_2 or pool)(second)

    return made


def librosa_mfcc(y, sr, **options):
    return librosa.feature.mfcc(y=y, sr=sr, n_fft=1024, hop_length=200, **options)


def mean_of_power(table):
    return 10 * np.log10((10 ** (table / 10)).mean(axis=1))


for said, function in (
    (["mfcc: it has 20 coefficients"], inputs_with(lambda y, sr: librosa_mfcc(y, sr))),
    (["128 coefficients"], inputs_with(lambda y, sr: librosa_mfcc(y, sr, n_mfcc=256))),
    (
        ["mfcc", "80 dB below", "top_db=None"],
        inputs_with(lambda y, sr: librosa_mfcc(y, sr, n_mfcc=256, n_mels=256)),
    ),
    (["80 dB below"], inputs_with(lambda y, sr: coefficients(mel_bands(y, sr), top_db=80))),
    (["40 coefficients"], inputs_with(lambda y, sr: coefficients(mel_bands(y, sr), n_mfcc=40))),
    (["transforms power"], inputs_with(lambda y, sr: librosa.feature.mfcc(S=mel_bands(y, sr),
                                                                          n_mfcc=256))),
    (
        ["cosine transform is missing"],
        inputs_with(lambda y, sr: librosa.power_to_db(mel_bands(y, sr), top_db=None)),
    ),
    (["own maximum"], inputs_with(lambda y, sr: coefficients(mel_bands(y, sr), ref=np.max))),
    (["orthonormal"], inputs_with(lambda y, sr: coefficients(mel_bands(y, sr), norm=None))),
    (["2048"], inputs_with(lambda y, sr: coefficients(mel_bands(y, sr, n_fft=2048)))),
    (["400 samples long"], inputs_with(lambda y, sr: coefficients(mel_bands(y, sr, n_fft=400)))),
    (["pass on sr = 16000"], inputs_with(lambda y, sr: coefficients(mel_bands(y, 22050)))),
    (["hop_length is 200"], inputs_with(lambda y, sr: coefficients(mel_bands(y, sr,
                                                                             hop_length=512)))),
    (["mfcc", "wrong way round"], inputs_with(lambda y, sr: coefficients(mel_bands(y, sr)).T)),
    (["coefficient", "is right"], inputs_with(lambda y, sr: 1.1 * coefficients(mel_bands(y, sr)))),
    (["mfcc_pooled", "one per frame"], inputs_with(pool=lambda table: table.mean(axis=0))),
    (["mfcc_pooled", "(256, 1)"], inputs_with(pool=lambda t: t.mean(axis=1, keepdims=True))),
    (["the maximum over time"], inputs_with(pool=lambda table: table.max(axis=1))),
    (["the median"], inputs_with(pool=lambda table: np.median(table, axis=1))),
    (["the sum over time"], inputs_with(pool=lambda table: table.sum(axis=1))),
    (["mfcc_pooled", "where the mean"], inputs_with(pool=lambda table: table[:, 0])),
    (
        ["spectrogram_pooled", "mean power in decibels"],
        inputs_with(pool_2=mean_of_power),
    ),
    (["513 bins", "400"], inputs_with(spectrogram=lambda y: spectrogram_of(y, n_fft=1024))),
    (
        ["spectrogram", "power itself"],
        inputs_with(spectrogram=lambda y: 10 ** (spectrogram_of(y) / 10)),
    ),
    (["spectrogram", "wrong way round"], inputs_with(spectrogram=lambda y: spectrogram_of(y).T)),
    (
        ["spectrogram", "80 dB below"],
        inputs_with(spectrogram=lambda y: np.maximum(s := spectrogram_of(y), s.max() - 80)),
    ),
    (["another order"], lambda y, *, sr: [each_with_its_mean(y, sr=sr)[k] for k in (0, 2, 1, 3)]),
    (["2 things"], lambda y, *, sr: each_with_its_mean(y, sr=sr)[:2]),
    (["pooled already"], inputs_with(lambda y, sr: coefficients(mel_bands(y, sr)).mean(axis=1),
                                     pool=lambda x: x, pool_2=lambda t: t.mean(axis=1))),
):  # fmt: skip
    wrong("four_inputs", *said)(function)


# --- 3.6 ------------------------------------------------------------------------------------------


@right("random_crop")
def repeated_then_cut(y, *, n_samples, rng):
    if len(y) < n_samples:
        y = np.resize(y, n_samples)
    start = rng.integers(len(y) - n_samples + 1)
    return y[start : start + n_samples]


@right("random_crop")
def tiled(y, *, n_samples, rng):
    if len(y) <= n_samples:
        return np.tile(y, math.ceil(n_samples / len(y)))[:n_samples]
    start = int(rng.uniform(0, len(y) - n_samples + 1))
    return list(y[start : start + n_samples])


@right("random_crop")
def by_windows(y, *, n_samples, rng):
    y = np.concatenate([y] * (1 if len(y) >= n_samples else n_samples))
    if len(y) % n_samples == 0 and (y[:n_samples] == y[-n_samples:]).all() and len(y) > n_samples:
        return y[:n_samples]
    short = np.lib.stride_tricks.sliding_window_view(y, n_samples)
    is_long = len(set(y)) >= n_samples
    return rng.choice(short) if is_long else short[0]


def crop(*, start=lambda rng, room: rng.integers(room + 1), lengthen=np.resize):
    """A crop, with one rule changed. room: the last place that fits."""

    def cut(y, *, n_samples, rng):
        if len(y) < n_samples:
            y = lengthen(y, n_samples)
        at = start(rng, len(y) - n_samples)
        return y[at : at + n_samples]

    return cut


@right("random_crop")
def doubled_and_cut_anywhere(y, *, n_samples, rng):
    while len(y) < n_samples:
        y = np.concatenate([y, y])
    return y[(start := math.floor((len(y) - n_samples + 1) * rng.random())) : start + n_samples]


@right("random_crop")
def tiled_and_cut_anywhere(y, *, n_samples, rng):
    if len(y) < n_samples:
        y = np.tile(y, math.ceil(n_samples / len(y)))
    return repeated_then_cut(y, n_samples=n_samples, rng=rng)


@right("random_crop")
def from_anywhere_and_round(y, *, n_samples, rng):
    if len(y) < n_samples:
        return np.take(y, rng.integers(len(y)) + np.arange(n_samples), mode="wrap")
    return repeated_then_cut(y, n_samples=n_samples, rng=rng)


def over_the_end(y, *, n_samples, rng):
    return np.take(y, rng.integers(len(y)) + np.arange(n_samples), mode="wrap")


def no_stretch(y, *, n_samples, rng):
    if len(y) < n_samples:
        return np.resize(y, n_samples)
    return y[np.sort(rng.choice(len(y), n_samples, replace=False))]


for said, function in (
    (["10 of 14", "never begins at sample 4, the last"],
     crop(start=lambda rng, room: rng.integers(max(room, 1)))),
    (["10 of 10 samples", "ValueError"],
     crop(start=lambda rng, room: rng.integers(room + (room > 0)))),
    (["always begins at sample 0"], crop(start=lambda rng, room: 0)),
    (["always begins at sample 2"], crop(start=lambda rng, room: room // 2)),
    (["always begins at sample 4"], crop(start=lambda rng, room: room)),
    (["never begins at sample 0: "], crop(start=lambda rng, room: rng.integers(1, room + 1)
                                          if room else 0)),
    (["never begins at sample 1, 3"],
     crop(start=lambda rng, room: 2 * rng.integers(room // 2 + 1))),
    (["needs the same chance", "times"],
     crop(start=lambda rng, room: min(rng.integers(room + 1, size=2)))),
    (["needs the same chance", "ends come about half as often", "round"],
     crop(start=lambda rng, room: round(rng.random() * room))),
    (["needs the same chance", "ends come about half as often"],
     crop(start=lambda rng, room: int(np.rint(rng.uniform(0, room))))),
    (["10 of 14", "needs the same chance"],
     crop(start=lambda rng, room: (rng.integers(max(1, room)) + rng.integers(2)) * (room > 0))),
    (["same seed"], crop(start=lambda rng, room: np.random.randint(room + 1))),
    (["6", "15", "zeros after"], crop(lengthen=lambda y, n: np.pad(y, (0, n - len(y))))),
    (["zeros before and after"], crop(lengthen=lambda y, n: librosa.util.pad_center(y, size=n))),
    (["zeros before the"], crop(lengthen=lambda y, n: np.pad(y, (n - len(y), 0)))),
    (["last sample, again"], crop(lengthen=lambda y, n: np.pad(y, (0, n - len(y)), mode="edge"))),
    (["the sound begins again"],
     crop(lengthen=lambda y, n: np.pad(y, (0, n - len(y)), mode="symmetric"))),
    (["shape (5,)"], lambda y, *, n_samples, rng: repeated_then_cut(
        y, n_samples=n_samples, rng=rng) if len(y) >= n_samples else y[:5]),
    (["shape (18,)"], lambda y, *, n_samples, rng: repeated_then_cut(
        y, n_samples=n_samples, rng=rng) if len(y) >= n_samples else np.tile(y, 3)),
    (["the sound begins again"],
     crop(lengthen=lambda y, n: np.concatenate([y, y[::-1]] * n)[len(y) : len(y) + n])),
    (["the sound begins again"], crop(lengthen=lambda y, n: np.tile(np.append(y, y[-1]), n)[:n])),
    (["6", "15", "those of the sound"],
     crop(lengthen=lambda y, n: np.interp(np.linspace(0, len(y) - 1, n), np.arange(len(y)), y))),
    (["10 of 10", "runs over the end"], lambda y, *, n_samples, rng: repeated_then_cut(
        y if len(y) > n_samples else np.tile(y, 1 + n_samples // len(y)),
        n_samples=n_samples, rng=rng)),
    (["runs over the end"], over_the_end),
    (["no stretch"], no_stretch),
    (["zeros, though"], lambda y, *, n_samples, rng: np.append(y[1:n_samples], 0)),
    (["come back as they are"], lambda y, *, n_samples, rng: y[:n_samples] / y.max()),
    (["returns None"], lambda y, *, n_samples, rng: None),
):  # fmt: skip
    wrong("random_crop", *said)(function)


@wrong("random_crop", "changes its input")
def scaled_in_place(y, *, n_samples, rng):
    y /= 2
    return repeated_then_cut(y, n_samples=n_samples, rng=rng)


# --- 3.7 ------------------------------------------------------------------------------------------


@right("batch")
def stacked(frames, labels, chosen, *, n_frames, rng):
    crops = []
    for i in chosen:
        start = rng.integers(len(frames[i]) - n_frames + 1)
        crops.append(frames[i][start : start + n_frames])
    return np.stack(crops).astype(np.float32), labels[chosen]


@right("batch")
def into_an_empty_array(frames, labels, chosen, *, n_frames, rng):
    x = np.empty((len(chosen), n_frames, frames[0].shape[1]), np.float32)
    for row, i in zip(x, chosen, strict=True):
        row[:] = repeated_then_cut(frames[i], n_samples=n_frames, rng=rng)
    return [x, [int(labels[i]) for i in chosen]]


def batch_with(
    *,
    start=lambda rng, room: rng.integers(room + 1),
    each=None,
    order=lambda chosen: chosen,
    x=lambda crops: np.stack(crops).astype(np.float32),
    y=lambda labels, chosen: labels[chosen],
):
    """A batch, with one rule changed. each: all starts of a batch at once."""

    def made(frames, labels, chosen, *, n_frames, rng):
        chosen = order(chosen)
        room = [len(frames[i]) - n_frames for i in chosen]
        starts = [start(rng, r) for r in room] if each is None else each(rng, room)
        crops = [frames[i][at : at + n_frames] for i, at in zip(chosen, starts, strict=True)]
        return x(crops), y(labels, chosen)

    return made


def one_start(rng, room):
    return [rng.integers(min(room) + 1)] * len(room)


def one_start_that_is_cut(rng, room):
    at = rng.integers(max(room) + 1)
    return [min(at, r) for r in room]


def one_start_for_each_utterance(frames, labels, chosen, *, n_frames, rng):
    starts = [rng.integers(len(f) - n_frames + 1) for f in frames]
    x = np.stack([frames[i][starts[i] : starts[i] + n_frames] for i in chosen])
    return x.astype(np.float32), labels[chosen]


def first_of_shortest(rng, room):
    return [rng.integers(4) if r > 3 else 0 for r in room]


for said, function in (
    (["all crops of a batch begin"], batch_with(each=one_start)),
    (["all crops of a batch begin"], batch_with(each=one_start_that_is_cut)),
    (["utterance 4 is chosen twice"], one_start_for_each_utterance),
    (["always begin at the same", "0"], batch_with(start=lambda rng, room: 0)),
    (["always begin at the same"], batch_with(start=lambda rng, room: room // 2)),
    (["no crop begins after frame"], batch_with(each=first_of_shortest)),
    (["never begins at frame 3, the last"],
     batch_with(start=lambda rng, room: rng.integers(max(room, 1)))),
    (["needs the same chance", "ends come about half as often"],
     batch_with(start=lambda rng, room: round(rng.random() * room))),
    (["same seed"], batch_with(start=lambda rng, room: np.random.randint(room + 1))),
    (["float64", "float32"], batch_with(x=np.stack)),
    (["time comes before"],
     batch_with(x=lambda crops: np.stack([c.T for c in crops]).astype(np.float32))),
    (["list of crops"], batch_with(x=list)),
    (["all crops in one row"], batch_with(x=lambda crops: np.concatenate(crops).astype("f4"))),
    (["only time is cropped"],
     batch_with(x=lambda crops: np.stack(crops)[:, :, ::-1].astype("f4"))),
    (["one stretch of time"], batch_with(x=lambda crops: np.stack(crops)[:, ::-1].astype("f4"))),
    (["in the order of `chosen`"], batch_with(order=np.sort)),
    (["in the order of `chosen`"], batch_with(order=lambda chosen: np.arange(len(chosen)))),
    (["of all utterances"], batch_with(y=lambda labels, chosen: labels)),
    (["first 3 labels"], batch_with(y=lambda labels, chosen: labels[: len(chosen)])),
    (["numbers of the utterances"], batch_with(y=lambda labels, chosen: chosen)),
    (["labels of the crops"], batch_with(y=lambda labels, chosen: np.sort(labels[chosen]))),
    (["whole numbers"], batch_with(y=lambda labels, chosen: labels[chosen].astype(np.float32))),
    (["a label per crop"], batch_with(y=lambda labels, chosen: np.eye(5)[labels[chosen]])),
    (["zeros"], batch_with(x=lambda crops: 0 * np.stack(crops).astype(np.float32))),
    (["several utterances"],
     batch_with(x=lambda crops: np.stack(crops).transpose(1, 0, 2).reshape(-1, 8, 6).astype("f4"))),
    (["one array of shape (3, 8, 6)"], lambda *args, **given: stacked(*args, **given)[0]),
    (["ValueError"], batch_with(start=lambda rng, room: rng.integers(room - 1))),
):  # fmt: skip
    wrong("batch", *said)(function)

wrong("batch", "x", "shape (3, 6, 6)")(
    lambda frames, labels, chosen, *, n_frames, rng: stacked(
        frames, labels, chosen, n_frames=6, rng=rng
    )
)
wrong("batch", "changes its input (argument 1)")(
    lambda frames, labels, chosen, *, n_frames, rng: (
        [np.divide(f, 2, out=f) for f in frames]
        and stacked(frames, labels, chosen, n_frames=n_frames, rng=rng)
    )
)


# --- 3.8 ------------------------------------------------------------------------------------------


@right("dense_network")
def two_blocks(n_values, n_classes):
    inputs = x = keras.Input((n_values,))
    for units in (32, 16):
        x = layers.Dense(units, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Dropout(0.3)(x)
    return keras.Model(inputs, layers.Dense(n_classes)(x))


@right("dense_network")
def sequential(n_values, n_classes):
    return keras.Sequential(
        [
            keras.Input((n_values,)),
            layers.BatchNormalization(),
            layers.Dense(24, kernel_initializer="he_normal"),
            layers.BatchNormalization(),
            layers.Activation("gelu"),
            layers.Dropout(0.5),
            layers.Dense(n_classes, name="logits"),
        ]
    )


@right("dense_network")
def blocks_in_a_model_and_a_tanh(n_values, n_classes):
    inputs = keras.Input((n_values,))
    block = keras.Sequential(
        [layers.Dense(16), layers.BatchNormalization(), layers.Dropout(0.1)], name="block"
    )
    return keras.Model(inputs, layers.Dense(n_classes)(ops.tanh(block(inputs))))


class ANetwork(keras.Model):
    """A dense network as a class of its own."""

    def __init__(self, n_values, n_classes):
        super().__init__()
        self.block = [layers.Dense(16), layers.BatchNormalization(), layers.Dropout(0.3)]
        self.logits = layers.Dense(n_classes)

    def call(self, x, training=False):
        hidden, norm, drop = self.block
        return self.logits(drop(ops.relu(norm(hidden(x), training=training)), training=training))

    def build(self, shape):
        self.call(keras.Input(shape[1:]))
        self.built = True


def built(network, shape):
    network.build((None, *shape))
    return network


def called(network, shape):
    network(np.zeros((1, *shape), np.float32))
    return network


@right("dense_network")
def class_in_a_functional_model(n_values, n_classes):
    inputs = keras.Input((n_values,))
    return keras.Model(inputs, ANetwork(n_values, n_classes)(inputs))


@right("dense_network")
def gaussian_noise_is_dropout_too(n_values, n_classes):
    inputs = keras.Input((n_values,))
    x = layers.Activation("relu")(layers.BatchNormalization()(layers.Dense(24)(inputs)))
    return keras.Model(inputs, layers.Dense(n_classes)(layers.GaussianDropout(0.1)(x)))


def dense(*, steps="dense norm relu drop", rate=0.3, units=16, last=None, model=None, **end):
    """A dense network, with one rule changed. steps: its layers but for the last."""

    def made(n_values, n_classes):
        inputs = x = keras.Input((n_values,) if model is None else model(n_values))
        for step in steps.split():
            layer = {
                "dense": lambda: layers.Dense(units),
                "norm": layers.BatchNormalization,
                "relu": layers.ReLU,
                "drop": lambda: layers.Dropout(rate),
            }[step]()
            x = layer(x)
        x = layers.Dense(n_classes, **end)(x)
        return keras.Model(inputs, x if last is None else last(x))

    return made


for said, function in (
    (["add up to 1", "from_logits=True"], dense(activation="softmax")),
    (["add up to 1"], dense(last=layers.Softmax())),
    (["'sigmoid'"], dense(activation="sigmoid")),
    (["between 0 and 1"], dense(last=ops.sigmoid)),
    (["'relu'"], dense(activation="relu")),
    (["never negative"], dense(last=ops.relu)),
    (["'tanh'"], dense(activation="tanh")),
    (["no batch normalisation", "Dense, ReLU"], dense(steps="dense relu drop")),
    (["before all else only"], dense(steps="norm dense relu drop")),
    (["no dropout"], dense(steps="dense norm relu")),
    (["drops nothing"], dense(rate=0.0)),
    (["no activation", "single linear layer"], dense(steps="dense norm drop dense norm drop")),
    (["before all else only"], dense(steps="norm relu drop")),
    (["no hidden dense layer"], lambda n, k: keras.Model(
        inputs := keras.Input((n,)),
        layers.Dense(k)(layers.BatchNormalization()(layers.Dropout(0.2)(layers.Reshape((-1,))(
            layers.Conv1D(4, 3, activation="relu")(layers.Reshape((n, 1))(inputs)))))))),
    (["parameters", "stay below 1,000,000"], dense(units=30000)),
    (["(None, 256, 1)", "(None, 256) is asked"], dense(model=lambda n: (n, 1))),
    (["output has the shape (None, 256)"], lambda n, k: sequential(n, n)),
    (["input has the shape (None, 20)"], lambda n, k: sequential(k, k)),
    (["(40, 7) instead", "input has the shape (None, 256)", "none is written into it"],
     lambda n, k: two_blocks(256, k)),
    (["(40, 7) instead", "output has the shape (None, 20)"], lambda n, k: two_blocks(n, 20)),
    (["(40, 7) instead", "stops in line"], lambda n, k: keras.Model(
        inputs := keras.Input((n,)), two_blocks(256, k)(layers.Reshape((256,))(inputs)))),
    (["some of its logits are 0", "before the last dense layer"],
     dense(steps="dense norm relu", last=layers.Dropout(0.3))),
    (["some of its logits are 0"], dense(last=layers.Dropout(0.1))),
    (["class of its own (ANetwork)", "be looked into"], ANetwork),
    (["class of its own (ANetwork)"], lambda n, k: built(ANetwork(n, k), (n,))),
    (["class of its own (ANetwork)"], lambda n, k: called(ANetwork(n, k), (n,))),
    (["Keras tensor"], lambda n, k: two_blocks(n, k).output),
    (["returns a list"], lambda n, k: two_blocks(n, k).layers),
    (["keras.Input"], lambda n, k: keras.Sequential([layers.Dense(8), layers.Dense(k)])),
    (["returns None"], lambda n, k: None),
    (["stops in line", "dropuot"], lambda n, k: layers.dropuot(n)),
):  # fmt: skip
    wrong("dense_network", *said)(function)


# --- 3.9 ------------------------------------------------------------------------------------------


@right("conv1d_network")
def pooled_at_the_end(n_frames, n_values, n_classes):
    inputs = x = keras.Input((n_frames, n_values))
    for channels in (16, 24):
        x = layers.Conv1D(channels, 5, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.MaxPooling1D(2)(x)
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling1D()(x))
    return keras.Model(inputs, layers.Dense(n_classes)(x))


@right("conv1d_network")
def of_any_length(n_frames, n_values, n_classes):
    inputs = keras.Input((None, n_values))
    x = layers.SeparableConv1D(16, 3, strides=2)(inputs)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    x = layers.SpatialDropout1D(0.2)(x)
    x = layers.Concatenate()([layers.GlobalMaxPooling1D()(x), ops.mean(x, axis=1)])
    return keras.Model(inputs, layers.Dense(n_classes)(x))


def conv1d(
    *,
    first=lambda x: x,
    kernel=5,
    pool=lambda: layers.GlobalAveragePooling1D(),
    parts="norm relu drop",
    end=None,
):
    """A network of one convolution, with one rule changed."""

    def made(n_frames, n_values, n_classes):
        inputs = keras.Input((n_frames, n_values))
        x = layers.MaxPooling1D(2)(layers.Conv1D(12, kernel)(first(inputs)))
        for part in parts.split():
            x = {
                "norm": layers.BatchNormalization,
                "relu": layers.ReLU,
                "drop": lambda: layers.Dropout(0.3),
            }[part]()(x)
        return keras.Model(inputs, layers.Dense(n_classes, activation=end)(pool()(x)))

    return made


@right("conv1d_network")
def of_quiet_and_loud_frames(n_frames, n_values, n_classes):
    """Long pools that leave some frames over; mean and deviation of what is left, by hand."""
    network = keras.Sequential([keras.Input((n_frames, n_values)), layers.BatchNormalization()])
    for channels in (12, 16, 16):
        network.add(layers.Conv1D(channels, 3, padding="causal", activation="relu"))
        network.add(layers.BatchNormalization())
        network.add(layers.AveragePooling1D(4))
    x = layers.Dropout(0.2)(network.outputs[0])
    x = ops.concatenate([ops.mean(x, axis=1), ops.std(x, axis=1)], axis=-1)
    return keras.Model(network.inputs, layers.Dense(n_classes)(x))


@right("conv1d_network")
def weighed_by_attention(n_frames, n_values, n_classes):
    inputs = keras.Input((n_frames, n_values))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv1D(16, 5, strides=3)(inputs)))
    x = ops.sum(x * layers.Softmax(axis=1)(layers.Dense(1)(x)), axis=1)
    return keras.Model(inputs, layers.Dense(n_classes)(layers.Dropout(0.3)(x)))


class AConvolution(ANetwork):
    """A network of convolutions as a class of its own."""

    def __init__(self, n_values, n_classes):
        super().__init__(n_values, n_classes)
        self.block[0] = layers.Conv1D(16, 3)
        self.pool = layers.GlobalAveragePooling1D()

    def call(self, x, training=False):
        return self.pool(super().call(x, training=training))


def two_dimensional(n_frames, n_values, n_classes):
    inputs = keras.Input((n_frames, n_values))
    x = layers.Conv2D(4, 3, activation="relu")(layers.Reshape((n_frames, n_values, 1))(inputs))
    x = layers.Dropout(0.1)(layers.BatchNormalization()(layers.GlobalAveragePooling2D()(x)))
    return keras.Model(inputs, layers.Dense(n_classes)(x))


for said, function in (
    (["over the values instead"], conv1d(first=layers.Permute((2, 1)))),
    (["sees 1 channels, where a frame has 256"], conv1d(first=layers.Reshape((-1, 1)))),
    (["no Conv1D"], two_dimensional),
    (["1 frame long"], conv1d(kernel=1)),
    (["for 240 frames and", "for 480", "pool over"], conv1d(pool=layers.Flatten)),
    (["for 240 frames and", "for 480"], conv1d(
        pool=lambda: keras.Sequential([layers.AveragePooling1D(118), layers.Flatten()]))),
    (["whatever is in the first and the second third"],
     conv1d(pool=lambda: layers.Lambda(lambda x: x[:, -1], lambda s: (s[0], s[2])))),
    (["whatever is in the second and the last third"], conv1d(pool=lambda: lambda x: x[:, 0])),
    (["whatever is in the first and the last third"],
     conv1d(pool=lambda: lambda x: x[:, x.shape[1] // 2])),
    (["whatever is in the first third", "pooled as a whole"],
     conv1d(pool=lambda: lambda x: ops.mean(x[:, x.shape[1] // 2 :], axis=1))),
    (["whatever is in the first"], conv1d(pool=lambda: layers.LSTM(8))),
    (["(300, 270, 7) instead", "input has the shape (None, 240, 270)", "none is written"],
     lambda t, n, k: pooled_at_the_end(t if t == 480 else 240, n, k)),
    (["(300, 270, 7) instead", "(None, 300, 256)"], lambda t, n, k: pooled_at_the_end(t, 256, k)),
    (["(300, 270, 7) instead", "output has the shape (None, 20)"],
     lambda t, n, k: pooled_at_the_end(t, n, 20)),
    (["480 frames", "(None, 240, 256)"], lambda t, n, k: pooled_at_the_end(240, n, k)),
    (["some of its logits are 0"], lambda t, n, k: keras.Model(
        (network := conv1d(parts="norm relu")(t, n, k)).input,
        layers.Dropout(0.3)(network.output))),
    (["class of its own (AConvolution)"], lambda t, n, k: AConvolution(n, k)),
    (["class of its own (AConvolution)"], lambda t, n, k: called(AConvolution(n, k), (t, n))),
    (["axis of time is still there"], conv1d(pool=lambda: layers.Activation("linear"))),
    (["add up to 1"], conv1d(end="softmax")),
    (["no batch normalisation"], conv1d(parts="relu drop")),
    (["no dropout"], conv1d(parts="norm relu")),
    (["no activation"], conv1d(parts="norm drop")),
    (["time comes first"], lambda t, n, k: pooled_at_the_end(n, t, k)),
    (["(None, 240, 256, 1)", "axis of channels"], lambda t, n, k: keras.Model(
        inputs := keras.Input((t, n, 1)),
        pooled_at_the_end(t, n, k)(layers.Reshape((t, n))(inputs)))),
    (["returns None"], lambda t, n, k: None),
):  # fmt: skip
    wrong("conv1d_network", *said)(function)


# --- 3.10 -----------------------------------------------------------------------------------------


def convolution(channels, kernel=3, **options):
    return layers.Conv2D(channels, kernel, **{"padding": "same"} | options)


@right("residual_block")
def projected_where_it_must(x, channels, *, strides):
    y = layers.ReLU()(layers.BatchNormalization()(convolution(channels, strides=strides)(x)))
    y = layers.BatchNormalization()(convolution(channels, use_bias=False)(y))
    if strides != 1 or x.shape[-1] != channels:
        x = layers.Conv2D(channels, 1, strides=strides)(x)
    return layers.ReLU()(layers.Add()([x, y]))


@right("residual_block")
def with_a_normalised_shortcut(x, channels, *, strides):
    y = convolution(channels, (3, 3), strides=(strides, strides))(x)
    y = layers.BatchNormalization()(ops.relu(layers.BatchNormalization()(y)))
    y = layers.BatchNormalization()(convolution(channels)(layers.Activation("relu")(y)))
    if y.shape != x.shape:
        x = layers.Conv2D(channels, 1, strides=strides, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
    return layers.Activation("relu")(y + x)


@right("residual_block")
def way_in_a_model(x, channels, *, strides):
    way = keras.Sequential(
        [
            convolution(channels, strides=strides),
            layers.BatchNormalization(),
            layers.ReLU(),
            convolution(channels),
            layers.BatchNormalization(),
        ]
    )
    if x.shape[-1] == channels and strides == 1:
        return keras.activations.relu(layers.add([x, way(x)]))
    return layers.ReLU()(way(x) + layers.Conv2D(channels, 1, strides)(x))


@right("residual_block")
def begun_with_nothing_added(x, channels, *, strides):
    """Its last normalisation is 0 in the beginning, which deep networks like."""
    y = layers.ReLU()(layers.BatchNormalization()(convolution(channels, strides=strides)(x)))
    y = layers.BatchNormalization(gamma_initializer="zeros", center=False)(
        convolution(channels, kernel_initializer="random_normal")(y)
    )
    if strides != 1 or x.shape[-1] != channels:
        x = layers.Conv2D(channels, 1, strides=strides, kernel_initializer="ones")(x)
        x = layers.BatchNormalization(scale=False)(x)
    return layers.ReLU()(layers.Add()([y, x]))


class ABlock(layers.Layer):
    """A residual block as a layer of its own."""

    def __init__(self, channels, strides, fits):
        super().__init__()
        self.first = convolution(channels, strides=strides)
        self.second = convolution(channels)
        self.norms = [layers.BatchNormalization(), layers.BatchNormalization()]
        self.past = layers.Identity() if fits else layers.Conv2D(channels, 1, strides=strides)
        self.add = layers.Add()

    def call(self, x, training=False):
        y = ops.relu(self.norms[0](self.first(x), training=training))
        y = self.norms[1](self.second(y), training=training)
        return ops.relu(self.add([self.past(x), y]))


@right("residual_block")
def in_a_layer_of_its_own(x, channels, *, strides):
    return ABlock(channels, strides, strides == 1 and x.shape[-1] == channels)(x)


def residual(
    *,
    strides_of=lambda s: (s, 1),
    kernel=3,
    middle=lambda x: layers.ReLU()(x),
    norm=lambda x: layers.BatchNormalization()(x),
    last=None,
    project=lambda x, channels, s: s != 1 or x.shape[-1] != channels,
    size=1,
    past=None,
    padding="same",
    activation=(None, None),
    join=lambda x, y: layers.ReLU()(layers.Add()([x, y])),
):
    """A residual block, with one rule changed."""

    def block(x, channels, *, strides):
        a, b = [
            {"strides": s, "padding": padding, "activation": name}
            for s, name in zip(strides_of(strides), activation, strict=True)
        ]
        y = middle(norm(convolution(channels, kernel, **a)(x)))
        y = (last or norm)(convolution(channels, kernel, **b)(y))
        if project(x, channels, strides):
            x = convolution(channels, size, strides=strides, activation=past)(x)
        return join(x, y)

    return block


for said, function in (
    (["shortcut is missing"], residual(join=lambda x, y: layers.ReLU()(layers.Add()([y, y])))),
    (["nothing is added"], residual(join=lambda x, y: layers.ReLU()(y))),
    (["negative values", "after the addition"], residual(join=lambda x, y: layers.Add()([x, y]))),
    (
        ["negative values", "after the addition"],
        residual(join=lambda x, y: layers.Add()([x, layers.ReLU()(y)])),
    ),
    (["what the convolutions add is never negative"],
     residual(last=lambda x: layers.ReLU()(layers.BatchNormalization()(x)))),
    (["what the convolutions add is never negative"],
     residual(last=lambda x: layers.BatchNormalization()(layers.ReLU()(x)))),
    (["what the convolutions add is never negative"],
     lambda x, channels, *, strides: layers.ReLU()(layers.Add()([
         x if strides == 1 and x.shape[-1] == channels
         else layers.Conv2D(channels, 1, strides=strides)(x),
         keras.Sequential([
             convolution(channels, strides=strides), layers.BatchNormalization(), layers.ReLU(),
             convolution(channels), layers.BatchNormalization(), layers.ReLU()])(x)]))),
    (["3x3 has the activation 'relu'", "batch normalisation"],
     residual(activation=("relu", "relu"))),
    (["3x3 has the activation 'relu'"], residual(activation=("relu", None), middle=lambda x: x)),
    (["3x3 has the activation 'relu'"], residual(activation=(None, "relu"))),
    (["comes after batch normalisation, not before"], residual(
        norm=lambda x: layers.BatchNormalization()(layers.ReLU()(x)),
        last=lambda x: layers.BatchNormalization()(x), middle=lambda x: x)),
    (["shortcut is never negative"],
     residual(join=lambda x, y: layers.ReLU()(layers.Add()([layers.ReLU()(x), y])))),
    (["4 channels become 4, strides 2", "1x1 has the activation 'relu'", "added as it is"],
     residual(past="relu")),
    (["4 channels become 4, strides 2", "shortcut is never negative"], residual(
        join=lambda x, y: layers.ReLU()(layers.Add()(
            [x if x.shape[1:] == (9, 6, 4) else layers.ReLU()(x), y])))),
    (["4 channels become 4, strides 2", "shortcut is never negative"], residual(
        join=lambda x, y: layers.ReLU()(layers.Add()(
            [x if x.shape[1:] == (9, 6, 4) else
             layers.BatchNormalization()(layers.ReLU()(x)), y])))),
    (["side by side"], residual(join=lambda x, y: layers.ReLU()(layers.Concatenate()([x, y])))),
    (["nothing is added"], residual(join=lambda x, y: layers.ReLU()(layers.Multiply()([x, y])))),
    (["x itself"], residual(project=lambda x, channels, s: True)),
    (["should be ReLU(x)"],
     residual(join=lambda x, y: layers.ReLU()(layers.Add()([layers.Dense(4)(x), y])))),
    (["4 channels become 4, strides 2", "stops in line"],
     residual(project=lambda x, channels, s: x.shape[-1] != channels)),
    (["2 channels become 4", "stops in line"], residual(project=lambda x, channels, s: s != 1)),
    (["second convolution"], residual(strides_of=lambda s: (1, s))),
    (["strides 2", "makes (9, 6, 4), not (5, 3, 4)"],
     residual(strides_of=lambda s: (1, 1), join=lambda x, y: layers.ReLU()(layers.Add()(
         [x if x.shape == y.shape else layers.UpSampling2D(2)(x)[:, :9], y])))),
    (["between"], residual(middle=lambda x: x)),
    (["0 batch normalisations"], residual(norm=lambda x: x)),
    (["3x3, 3x3, 3x3"], residual(size=3)),
    (["5x5", "3x3 are needed"], residual(kernel=5, size=3)),
    (["stops in line"], residual(padding="valid")),
    (["returns a Functional"], lambda x, channels, *, strides: keras.Model(
        x, projected_where_it_must(x, channels, strides=strides))),
    (["as it was"], lambda x, channels, *, strides: x),
    (["makes (9, 6, 8)"], lambda x, channels, *, strides: projected_where_it_must(
        x, 2 * channels, strides=strides)),
    (["returns None"], lambda x, channels, *, strides: None),
):  # fmt: skip
    wrong("residual_block", *said)(function)


# --- 3.11 -----------------------------------------------------------------------------------------


@right("conv2d_network")
def of_two_blocks(n_frames, n_values, n_classes):
    inputs = keras.Input((n_frames, n_values))
    x = layers.Reshape((n_frames, n_values, 1))(inputs)
    for channels in (4, 8):
        x = projected_where_it_must(x, channels, strides=2)
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(n_classes)(x))


@right("conv2d_network")
def begun_with_a_convolution(n_frames, n_values, n_classes):
    inputs = keras.Input((n_frames, n_values))
    x = convolution(4, 5, strides=4, activation="relu")(ops.expand_dims(inputs, -1))
    x = layers.MaxPooling2D(2)(with_a_normalised_shortcut(x, 4, strides=1))
    x = layers.SpatialDropout2D(0.3)(x)
    return keras.Model(inputs, layers.Dense(n_classes)(layers.GlobalMaxPooling2D()(x)))


@right("conv2d_network")
def frequency_first_and_pooled_over_time(n_frames, n_values, n_classes):
    """Every band keeps weights of its own in the logits: only time is pooled."""
    inputs = keras.Input((n_frames, n_values))
    x = layers.Permute((2, 1))(layers.BatchNormalization()(inputs))
    x = layers.ZeroPadding2D(2)(layers.Reshape((n_values, n_frames, 1))(x))
    x = layers.MaxPooling2D((1, 3))(layers.Conv2D(4, 5, activation="relu")(x))
    x = in_a_layer_of_its_own(x, 4, strides=2)
    x = layers.Flatten()(layers.Dropout(0.3)(ops.max(x, axis=2)))
    return keras.Model(inputs, layers.Dense(n_classes)(x))


@right("conv2d_network")
def sequential_picture(n_frames, n_values, n_classes):
    """The axis is added in a model in the model, and the picture made smaller before all else."""
    inputs = keras.Input((n_frames, n_values))
    begin = keras.Sequential(
        [
            layers.Reshape((n_frames, n_values, 1)),
            layers.AveragePooling2D(4),
            layers.Conv2D(4, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]
    )
    x = layers.GlobalAveragePooling2D()(projected_where_it_must(begin(inputs), 4, strides=1))
    return keras.Model(inputs, layers.Dense(n_classes)(layers.Dropout(0.3)(x)))


def conv2d(
    *,
    picture=lambda t, n: layers.Reshape((t, n, 1)),
    strides=2,
    block=projected_where_it_must,
    pool=lambda: layers.GlobalAveragePooling2D(),
    rate=0.3,
    end=None,
    hidden=0,
):
    """A network of one block, with one rule changed."""

    def made(n_frames, n_values, n_classes):
        inputs = keras.Input((n_frames, n_values))
        x = pool()(block(picture(n_frames, n_values)(inputs), 4, strides=strides))
        x = layers.Dense(hidden)(x) if hidden else x
        x = layers.Dropout(rate)(x) if rate is not None else x
        return keras.Model(inputs, layers.Dense(n_classes, activation=end)(x))

    return made


def plain(x, channels, *, strides):
    return layers.ReLU()(layers.BatchNormalization()(convolution(channels, strides=strides)(x)))


for said, function in (
    (["no residual connection"], conv2d(block=plain)),
    (["no batch normalisation"], conv2d(block=residual(norm=lambda x: x))),
    (["no dropout"], conv2d(rate=None)),
    (["drops nothing"], conv2d(rate=0)),
    (["add up to 1"], conv2d(end="softmax")),
    (["parameters", "stay below"], conv2d(pool=layers.Flatten, hidden=128)),
    (["for 240 frames and", "for 480", "pool over"], conv2d(pool=layers.Flatten)),
    (["for 240 frames and", "for 480"], conv2d(
        pool=lambda: keras.Sequential([layers.AveragePooling2D(8), layers.Flatten()]))),
    (["(1, 240, 201)", "values stand where the channels belong"],
     conv2d(picture=lambda t, n: layers.Reshape((1, t, n)))),
    (["(240, 1, 201)", "values stand where the channels belong", "(240, 201, 1) is asked"],
     conv2d(picture=lambda t, n: layers.Reshape((t, 1, n)))),
    (["frames stand where the channels belong"],
     conv2d(picture=lambda t, n: lambda x: ops.expand_dims(ops.transpose(x, (0, 2, 1)), 1))),
    (["(201, 240, 1)", "`Reshape`", "swaps no axes"],
     conv2d(picture=lambda t, n: layers.Reshape((n, t, 1)))),
    (["(48240, 1, 1)", "no neighbours"], conv2d(picture=lambda t, n: layers.Reshape((-1, 1, 1)))),
    (["full size", "strides"], conv2d(strides=1)),
    (["full size"], conv2d(strides=1, pool=lambda: keras.Sequential(
        [layers.MaxPooling2D(4), layers.GlobalAveragePooling2D()]))),
    (["whatever is in the first and the second third"],
     conv2d(pool=lambda: lambda x: ops.mean(x[:, -1], axis=1))),
    (["(300, 220, 7) instead", "stops in line"],
     conv2d(picture=lambda t, n: layers.Reshape((t, 201, 1)))),
    (["(300, 220, 7) instead", "output has the shape (None, 20)"],
     lambda t, n, k: of_two_blocks(t, n, 20)),
    (["480 frames", "stops in line"], conv2d(picture=lambda t, n: layers.Reshape((240, n, 1)))),
    (["some of its logits are 0"], lambda t, n, k: keras.Model(
        (network := conv2d(rate=None)(t, n, k)).input, layers.Dropout(0.3)(network.output))),
    (["the network itself adds"], lambda t, n, k: keras.Model(
        inputs := keras.Input((t, n, 1)), of_two_blocks(t, n, k)(layers.Reshape((t, n))(inputs)))),
    (["time comes first"], lambda t, n, k: of_two_blocks(n, t, k)),
    (["no Conv2D"], pooled_at_the_end),
    (["output has the shape (None, 1, 20)"], lambda t, n, k: keras.Model(
        (network := of_two_blocks(t, n, k)).input, layers.Reshape((1, k))(network.output))),
    (["Keras tensor"], lambda t, n, k: of_two_blocks(t, n, k).output),
    (["returns None"], lambda t, n, k: None),
):  # fmt: skip
    wrong("conv2d_network", *said)(function)


# --- 3.12 -----------------------------------------------------------------------------------------


def total(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


@right("parameter_count")
def two_lists(network):
    return total(network.trainable_weights), total(network.weights)


@right("parameter_count")
def keras_counts(network):
    frozen = total(network.non_trainable_weights)
    return network.count_params() - frozen, network.count_params()


@right("parameter_count")
def sizes_of_arrays(network):
    trained = [ops.convert_to_numpy(w).size for w in network.trainable_variables]
    return np.array([sum(trained), sum(w.size for w in network.get_weights())])


def layer_by_layer(network):
    for layer in network.layers:
        if hasattr(layer, "layers"):
            yield from layer_by_layer(layer)
        else:
            yield layer


for said, function in (
    (["batch normalisation", "not changed in training"], lambda n: (n.count_params(),) * 2),
    (["batch normalisation", "includes what training"],
     lambda n: (total(n.trainable_weights),) * 2),
    (["trainable ones come first"], lambda n: two_lists(n)[::-1]),
    (["not only the others"], lambda n: (total(n.trainable_weights),
                                         total(n.non_trainable_weights))),
    (["arrays", "numbers in them"], lambda n: (len(n.trainable_weights), len(n.weights))),
    (["random numbers in dropout"], lambda n: (total(n.trainable_variables), total(n.variables))),
    (["used twice"], lambda n: (total(n.trainable_weights), sum(
        layer.count_params() for layer in layer_by_layer(n)))),
    (["frozen layers"], lambda n: (total(
        w for w in n.weights if "moving" not in w.path), total(n.weights))),
    (["whose layer is used outside too", "used twice"], lambda n: (
        sum(total(layer.trainable_weights) for layer in n.layers), total(n.weights))),
    (["whose layer is used outside too", "used twice"], lambda n: (
        sum(total(layer.trainable_weights) for layer in layer_by_layer(n)), total(n.weights))),
    (["frozen as a whole", "not changed in training"], lambda n: (
        total(n.weights if not n.trainable else n.trainable_weights), total(n.weights))),
    (["a model in the model"], lambda n: (
        sum(total(w for w in layer.trainable_weights) for layer in n.layers
            if not hasattr(layer, "layers")),
        sum(layer.count_params() for layer in n.layers if not hasattr(layer, "layers")))),
    (["two dense layers", "is right"], lambda n: (1, total(n.weights))),
    (["a int, where (trainable, all)"], lambda n: n.count_params()),
    (["a number is needed"], lambda n: ([w.shape for w in n.trainable_weights[:2]],
                                          total(n.weights))),
    (["returns None"], lambda n: n.summary(print_fn=lambda *args, **options: None)),
):  # fmt: skip
    wrong("parameter_count", *said)(function)


# --- 3.13 -----------------------------------------------------------------------------------------


def from_logits():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def compiled(optimizer=lambda: "adam", loss=from_logits, **options):
    def attempt(network):
        network.compile(optimizer=optimizer(), loss=loss(), **options)

    return attempt


right("compile_network")(compiled(metrics=["accuracy"]))
right("compile_network")(compiled(lambda: keras.optimizers.SGD(0.01, momentum=0.9)))
right("compile_network")(compiled(lambda: keras.optimizers.SGD(0.1)))
right("compile_network")(compiled(lambda: keras.optimizers.RMSprop(3e-4)))
right("compile_network")(
    compiled(lambda: keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(3e-3, 2000)))
)


@right("compile_network")
def returned_with_a_loss_of_its_own(network):
    def loss(y, logits):
        hot = ops.one_hot(ops.cast(ops.reshape(y, (-1,)), "int32"), 3)
        return keras.losses.categorical_crossentropy(hot, logits, from_logits=True)

    network.compile(keras.optimizers.Adam(1e-4), loss, metrics=["sparse_categorical_accuracy"])
    return network


for said, function in (
    (["not compiled"], lambda network: None),
    (["not compiled"], lambda network: (keras.optimizers.Adam(), from_logits())),
    (["without a loss"], compiled(loss=lambda: None)),
    (["from_logits=True", "probabilities"],
     compiled(loss=lambda: "sparse_categorical_crossentropy")),
    (["from_logits=True"], compiled(loss=keras.losses.SparseCategoricalCrossentropy)),
    (["from_logits=True"], compiled(loss=lambda: keras.losses.sparse_categorical_crossentropy)),
    (["one column per class"], compiled(loss=lambda: "categorical_crossentropy")),
    (["one column per class", "whole numbers"],
     compiled(loss=lambda: keras.losses.CategoricalCrossentropy(from_logits=True))),
    (["yes and no"], compiled(loss=lambda: keras.losses.BinaryCrossentropy(from_logits=True))),
    (["mse compares numbers"], compiled(loss=lambda: "mse")),
    (["MeanSquaredError compares"], compiled(loss=keras.losses.MeanSquaredError)),
    (["loss hardly moves", "1e-06 too low", "90% are needed"],
     compiled(lambda: keras.optimizers.Adam(1e-6))),
    (["hardly move"], compiled(lambda: keras.optimizers.SGD(1e-5))),
    (["hardly move"], compiled(lambda: keras.optimizers.Adadelta(1e-3))),
    (["hardly move", "0.001 too low"], compiled(lambda: keras.optimizers.Ftrl(1e-3))),
    (["learns slowly", "1e-05 too low"], compiled(lambda: keras.optimizers.Adam(1e-5))),
    (["jump about", "rate of 10 too high", "are right, and", "below 1.1, that of guessing"],
     compiled(lambda: keras.optimizers.Adam(10.0))),
    (["jump about", "that of guessing"], compiled(lambda: keras.optimizers.RMSprop(1.0))),
    (["jump about"], compiled(lambda: keras.optimizers.SGD(30.0))),
    (["stops with a ValueError"], compiled(metrics=[keras.metrics.CategoricalCrossentropy()])),
    (["stops in line", "ValueError"], compiled(lambda: "adamm")),
):  # fmt: skip
    wrong("compile_network", *said)(function)


# --- 3.14 -----------------------------------------------------------------------------------------


@right("predict_speaker")
def mean_of_softmax(logits, names):
    probability = scipy.special.softmax(logits, axis=1).mean(axis=0)
    return names[probability.argmax()], probability.max()


@right("predict_speaker")
def softmax_by_hand(logits, names):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    ranked = sorted(zip((e / e.sum(axis=1, keepdims=True)).mean(axis=0), names, strict=True))
    return [str(ranked[-1][1]), float(ranked[-1][0])]


@right("predict_speaker")
def softmax_by_keras(logits, names):
    probability = ops.mean(ops.softmax(ops.convert_to_tensor(logits.astype("float32"))), axis=0)
    best = int(ops.argmax(probability))
    return names[best], float(probability[best])


def best_of(scores):
    """The name of the highest of some scores, and that score."""

    def predicted(logits, names):
        with np.errstate(all="ignore"):
            found = scores(logits)
        return names[np.argmax(found)], np.max(found)

    return predicted


def softmax(logits, axis=1):
    return scipy.special.softmax(logits, axis=axis)


def overflowing(logits):
    e = np.exp(logits)
    return (e / e.sum(axis=1, keepdims=True)).mean(axis=0)


def votes(logits):
    return np.bincount(logits.argmax(axis=1), minlength=logits.shape[1]) / len(logits)


for said, function in (
    (["softmax of the mean logits"], best_of(lambda x: softmax(x.mean(axis=0), axis=0))),
    (["sums over the crops"], best_of(lambda x: softmax(x).sum(axis=0))),
    (["a mean of logits"], best_of(lambda x: x.mean(axis=0))),
    (["counts votes"], best_of(votes)),
    (["large logits", "NaN", "infinite"], best_of(overflowing)),
    (["axis 0"], best_of(lambda x: softmax(x, axis=0).mean(axis=0))),
    (["all logits at once"], best_of(lambda x: softmax(x, axis=None).sum(axis=0))),
    (["in percent"], best_of(lambda x: 100 * softmax(x).mean(axis=0))),
    (["highest of any crop"], best_of(lambda x: softmax(x).max(axis=0))),
    (["first crop alone"], best_of(lambda x: softmax(x)[0])),
    (["last crop alone"], best_of(lambda x: softmax(x)[-1])),
    (["sigmoid"], best_of(lambda x: scipy.special.expit(x.mean(axis=0)))),
    (["the name is asked"], lambda x, names: (softmax(x).mean(axis=0).argmax(),
                                              softmax(x).mean(axis=0).max())),
    (["name comes first"], lambda x, names: mean_of_softmax(x, names)[::-1]),
    (["4 values"], lambda x, names: (mean_of_softmax(x, names)[0], softmax(x).mean(axis=0))),
    (["but not the probability"], best_of(lambda x: softmax(x).mean(axis=0) ** 2)),
    (["the highest of these"], best_of(lambda x: -softmax(x).mean(axis=0))),
    (["returns a str"], lambda x, names: mean_of_softmax(x, names)[0]),
    (["the name is asked"], lambda x, names: (np.array(names)[softmax(x).argmax(axis=1)], 0.5)),
    (["returns None"], lambda x, names: None),
):  # fmt: skip
    wrong("predict_speaker", *said)(function)


# --- 3.15 -----------------------------------------------------------------------------------------


@right("macro_scores")
def scikit_learn_scores(truth, guess):
    scores = precision_recall_fscore_support(truth, guess, average="macro", zero_division=0)
    return scores[:3]


def per_class(truth, guess, classes, *, empty=0.0):
    rows = []
    for k in classes:
        hits = ((truth == k) & (guess == k)).sum()
        pairs = ((hits, (guess == k).sum()), (hits, (truth == k).sum()))
        precision, recall = (a / b if b else empty for a, b in pairs)
        rows.append([precision, recall, 2 * hits / ((guess == k).sum() + (truth == k).sum())])
    return np.array(rows)


@right("macro_scores")
def class_by_class(truth, guess):
    return per_class(truth, guess, sorted(set(truth) | set(guess))).mean(axis=0)


@right("macro_scores")
def from_the_confusion_matrix(truth, guess):
    table = confusion_matrix(truth, guess)
    hits = np.diag(table)
    precision = hits / np.maximum(table.sum(axis=0), 1)
    recall = hits / np.maximum(table.sum(axis=1), 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return [precision.mean(), recall.mean(), f1.mean()]


def scored(average="macro", **options):
    def scores(truth, guess):
        options.setdefault("zero_division", 0)
        return precision_recall_fscore_support(truth, guess, average=average, **options)[:3]

    return scores


def f1_of_the_means(truth, guess):
    precision, recall, _ = scikit_learn_scores(truth, guess)
    return precision, recall, 2 * precision * recall / (precision + recall)


def classes_of_truth(truth, guess):
    return per_class(truth, guess, np.unique(truth)).mean(axis=0)


def not_a_number(truth, guess):
    return per_class(truth, guess, np.union1d(truth, guess), empty=np.nan).mean(axis=0)


def up_to_the_highest(truth, guess):
    rows = per_class(truth, guess, np.union1d(truth, guess))
    return rows.sum(axis=0) / (1 + max(*truth, *guess))


for said, function in (
    (["(micro)"], scored("micro")),
    (["weighted"], scored("weighted")),
    (["(micro)"], lambda truth, guess: [accuracy_score(truth, guess)] * 3),
    (["class 4", "never true"], classes_of_truth),
    (["class 3", "never guessed are left out"],
     lambda truth, guess: per_class(truth, guess, np.unique(guess)).mean(axis=0)),
    (["NaN", "0 / 0"], not_a_number),
    (["class 3", "counts as 1"], scored(zero_division=1)),
    (["class 3", "left out"], scored(zero_division=np.nan)),
    (["no class 2", "neither in truth nor in guess"], up_to_the_highest),
    (["two means", "own F1"], f1_of_the_means),
    (["plain mean of both"], lambda t, g: (*(s := scikit_learn_scores(t, g))[:2],
                                           (s[0] + s[1]) / 2)),
    (["wrong way round"], lambda truth, guess: scikit_learn_scores(guess, truth)),
    (["comes first"], lambda t, g: [scikit_learn_scores(t, g)[k] for k in (1, 0, 2)]),
    (["is the order"], lambda t, g: [scikit_learn_scores(t, g)[k] for k in (2, 0, 1)]),
    (["percent"], lambda t, g: 100 * class_by_class(t, g)),
    (["one value per class"], lambda t, g: per_class(t, g, np.union1d(t, g)).T),
    (["recall of each class first"], lambda t, g: class_by_class(t, g) * [1, 0.9, 1]),
    (["4 things"], lambda t, g: precision_recall_fscore_support(
        t, g, average="macro", zero_division=0)),
    (["returns None"], lambda truth, guess: None),
):  # fmt: skip
    wrong("macro_scores", *said)(function)


# --- 3.16 -----------------------------------------------------------------------------------------


@right("embedding_model")
def from_input_to_layer(network):
    return keras.Model(network.input, network.get_layer("embedding").output)


@right("embedding_model")
def found_among_the_layers(network):
    layer = next(layer for layer in network.layers if layer.name == "embedding")
    return keras.models.Model(inputs=network.inputs, outputs=[layer.output], name="embeddings")


def layers_up_to(network, name):
    names = [layer.name for layer in network.layers]
    return network.layers[1 : names.index(name) + 1]


for said, function in (
    (["itself", "logits"], lambda n: n),
    (["the logits"], lambda n: keras.Model(n.input, n.output)),
    (["layer 'relu'"], lambda n: keras.Model(n.input, n.layers[-2].output)),
    (["layer 'norm'"], lambda n: keras.Model(n.input, n.get_layer("norm").output)),
    (["layer 'sum'"], lambda n: keras.Model(n.input, n.layers[-5].output)),
    (["weights are not the network's"], lambda n: from_input_to_layer(keras.models.clone_model(n))),
    (["2 of its", "new, and not trained"],
     lambda n: keras.Model(n.input, layers.Dense(4, name="embedding")(n.layers[2].output))),
    (["2 outputs"],
     lambda n: keras.Model(n.input, [n.get_layer("embedding").output, n.output])),
    (["function"], lambda n: lambda x: from_input_to_layer(n).predict(x)),
    (["Keras tensor"], lambda n: n.get_layer("embedding").output),
    (["the layer alone"], lambda n: n.get_layer("embedding")),
    (["returns a ndarray"],
     lambda n: from_input_to_layer(n).predict(np.zeros((2, *n.input_shape[1:])), verbose=0)),
    (["input has the shape (None, 5)"],
     lambda n: keras.Sequential([keras.Input((5,)), n.get_layer("embedding")])),
    (["begin with `keras.Input`"], lambda n: keras.Sequential([layers.Dense(4)])),
    (["is not that of layer 'embedding'"], lambda n: keras.Model(
        n.input, layers.Normalization(mean=0.0, variance=2.0)(n.get_layer("embedding").output))),
    (["returns None"], lambda n: None),
    (["stops in line", "embeddings"], lambda n: keras.Model(n.input,
                                                            n.get_layer("embeddings").output)),
):  # fmt: skip
    wrong("embedding_model", *said)(function)


# --- 3.17 -----------------------------------------------------------------------------------------


@right("three_components")
def by_svd(embeddings):
    centred = embeddings - embeddings.mean(axis=0)
    return centred @ np.linalg.svd(centred, full_matrices=False)[2][:3].T


@right("three_components")
def by_scikit_learn(embeddings):
    return PCA(3).fit_transform(embeddings)


@right("three_components")
def by_covariance(embeddings):
    values, vectors = np.linalg.eigh(np.cov(embeddings.astype(float), rowvar=False))
    return (embeddings - embeddings.mean(axis=0)) @ vectors[:, np.argsort(-values)[:3]]


def projected(points, directions):
    return points @ directions[:3].T


def directions_of(points):
    return np.linalg.svd(points)[2]


def centre(points):
    return points - points.mean(axis=0)


def of_rows(embeddings):
    return np.linalg.eigh(np.cov(embeddings.astype(float)))[1][:, ::-1][:, :3]


for said, function in (
    (["not centred: subtract the mean of each"], lambda e: projected(e, directions_of(e))),
    (["before the SVD"], lambda e: projected(centre(e), directions_of(e))),
    (["directions are right"], lambda e: projected(e, directions_of(centre(e)))),
    (["the directions:"], lambda e: directions_of(centre(e))[:3]),
    (["the directions:"], lambda e: PCA(3).fit(e).components_.T),
    (["wrong way round: the component"], lambda e: by_svd(e)[:, ::-1]),
    (["least variance"],
     lambda e: centre(e) @ np.linalg.eigh(np.cov(e.astype(float).T))[1][:, :3]),
    (["wrong way round: the component"],
     lambda e: centre(e) @ np.linalg.eigh(np.cov(e.astype(float).T))[1][:, -3:]),
    (["least variance"], lambda e: centre(e) @ directions_of(centre(e))[-3:].T),
    (["divided by its standard deviation"],
     lambda e: PCA(3).fit_transform(StandardScaler().fit_transform(e))),
    (["length 1"], lambda e: PCA(3).fit_transform(normalize(e))),
    (["whitened"], lambda e: PCA(3, whiten=True).fit_transform(e)),
    (["U of the SVD"], lambda e: np.linalg.svd(centre(e))[0][:, :3]),
    (["mean of each row"], lambda e: by_svd(e - e.mean(axis=1, keepdims=True))),
    (["first three columns"], lambda e: centre(e)[:, :3]),
    (["first component is missing"], lambda e: PCA(4).fit_transform(e)[:, 1:]),
    (["shape (60, 2)", "components is off by one"], lambda e: PCA(2).fit_transform(e)),
    (["wrong way round"], lambda e: by_svd(e).T),
    (["variances"], of_rows),
    (["variances"], lambda e: by_svd(e)[:, [0, 2, 1]]),
    (["returns a PCA"], lambda e: PCA(3).fit(e)),
    (["returns None"], lambda e: None),
):  # fmt: skip
    wrong("three_components", *said)(function)


# --- 3.18 -----------------------------------------------------------------------------------------


def both_rates(scores, is_target):
    thresholds = np.append(np.unique(scores), np.inf)
    miss = np.array([(scores[is_target] < t).mean() for t in thresholds])
    false_alarm = np.array([(scores[~is_target] >= t).mean() for t in thresholds])
    return thresholds, miss, false_alarm


@right("equal_error_rate")
def interpolated(scores, is_target):
    _, miss, false_alarm = both_rates(scores, is_target)
    k = np.argmax(miss >= false_alarm)
    gap = (miss - false_alarm)[k - 1 : k + 1]
    return np.interp(0, gap, miss[k - 1 : k + 1])


@right("equal_error_rate")
def by_root(scores, is_target):
    fpr, tpr, _ = roc_curve(is_target, scores)
    return brentq(lambda x: 1 - x - interp1d(fpr, tpr)(x), 0, 1)


@right("equal_error_rate")
def nearest_point(scores, is_target):
    _, miss, false_alarm = both_rates(scores, is_target)
    k = np.nanargmin(np.abs(miss - false_alarm))
    return (miss[k] + false_alarm[k]) / 2


@right("equal_error_rate")
def by_detection_error(scores, is_target):
    false_alarm, miss, _ = det_curve(is_target, scores)
    k = np.argmin(np.abs(miss - false_alarm))
    return np.mean([miss[k], false_alarm[k]])


@right("equal_error_rate")
def nearest_of_all_points(scores, is_target):
    fpr, tpr, _ = roc_curve(is_target, scores, drop_intermediate=False)
    return fpr[np.argmin(np.abs(1 - tpr - fpr))]


def at_half(scores, is_target):
    return (scores[is_target] < 0.5).mean(), (scores[~is_target] >= 0.5).mean()


def where_equal(value):
    """Something else at the threshold at which both rates are equal."""

    def found(scores, is_target):
        thresholds, miss, false_alarm = both_rates(scores, is_target)
        k = np.argmax(miss >= false_alarm)
        return value(thresholds[k], scores, is_target)

    return found


def over_all_pairs(scores, is_target):
    thresholds = np.append(np.unique(scores), np.inf)
    miss = np.array([(is_target & (scores < t)).mean() for t in thresholds])
    false_alarm = np.array([(~is_target & (scores >= t)).mean() for t in thresholds])
    return miss[np.argmin(np.abs(miss - false_alarm))]


def dropped_points(scores, is_target):
    fpr, tpr, _ = roc_curve(is_target, scores)
    return fpr[np.nanargmin(np.abs(1 - tpr - fpr))]


def least_errors(scores, is_target):
    return min(((scores >= t) != is_target).mean() for t in [*np.unique(scores), np.inf])


for said, function in (
    (["1 - EER"], lambda s, t: 1 - interpolated(s, t)),
    (["in percent"], lambda s, t: 100 * interpolated(s, t)),
    (["area under"], lambda s, t: roc_auc_score(t, s)),
    (["above the ROC curve"], lambda s, t: 1 - roc_auc_score(t, s)),
    (["mean of both rates at a threshold of 0.5"], lambda s, t: sum(at_half(s, t)) / 2),
    (["misses at a threshold"], lambda s, t: at_half(s, t)[0]),
    (["false alarms at a threshold"], lambda s, t: at_half(s, t)[1]),
    (["right answers at"], lambda s, t: ((s >= 0.5) == t).mean()),
    (["the threshold; the error"], where_equal(lambda threshold, s, t: threshold)),
    (["both rates are over all pairs"], over_all_pairs),
    (["least share of errors"], least_errors),
    (["best accuracy"], lambda s, t: 1 - least_errors(s, t)),
    (["drop_intermediate"], dropped_points),
    (["least mean of both"],
     lambda s, t: min((m + f) / 2 for m, f in zip(*both_rates(s, t)[1:], strict=True))),
    (["between 0 and 1"], lambda s, t: -1.0),
    (["are equal"], lambda s, t: interpolated(s, t) / 2 + 0.01),
    (["one number"], lambda s, t: both_rates(s, t)[1]),
    (["returns None"], lambda s, t: None),
):  # fmt: skip
    wrong("equal_error_rate", *said)(function)
