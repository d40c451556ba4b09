"""Attempts at the exercises of 03: sounds, spectrograms, the split, batches."""

import math

import librosa
import numpy as np
import pandas as pd
import scipy.fft
import soundfile
from attempts import right, wrong
from scipy.io import wavfile
from scipy.signal import find_peaks

from helpers.features import Frontend


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
    (["rate divided by the number"], lambda y, sr, n, r: (y, sr, n, r, r / len(n))),
    (["is right"], lambda y, sr, n, r: (y, sr, n, r, len(n) / r + 0.1)),
    (["whole numbers up to"], lambda y, sr, n, r: (y, sr, (n * 32768).astype(int), r, len(n) / r)),
    (["stereo file of 32000 Hz, 1.50 s", "both channels"],
     lambda y, sr, n, r: (y, sr, n, r, n.size / r)),
    (["stereo", "channels divided by the rate"], lambda y, sr, n, r: (y, sr, n, r, n.shape[-1] / r
                                                                if n.ndim > 1 else len(n) / r)),
    (["stereo", "converts a stereo file to mono"],
     lambda y, sr, n, r: (y if n.ndim == 1 else np.stack([y, y], axis=1), sr, n, r, len(n) / r)),
    (["stereo", "one of the file's two channels"],
     lambda y, sr, n, r: (y, sr, n if n.ndim == 1 else n[:, 0], r, len(n) / r)),
    (["mono sound has one axis"], lambda y, sr, n, r: (y, sr, n[:, None], r, len(n) / r)),
    (["those of librosa come first"], lambda y, sr, n, r: (n, r, y, sr, len(n) / r)),
    (["sr is 16000 Hz", "librosa resamples to"], lambda y, sr, n, r: (n, r, n, r, len(n) / r)),
    (["y has 20000 samples"], lambda y, sr, n, r: (n, sr, n, r, len(n) / r)),
    (["sr_native is 22050"], lambda y, sr, n, r: (y, sr, y, sr, len(n) / r)),
    (["y_native has 27563 samples"], lambda y, sr, n, r: (y, sr, y, r, len(n) / r)),
    (["wrong samples"], lambda y, sr, n, r: (y / np.abs(y).max(), sr, n, r, len(n) / r)),
    (["needed: sr, a rate"], lambda y, sr, n, r: (sr, y, r, n, len(n) / r)),
    (["4 things"], lambda y, sr, n, r: (y, sr, n, r)),
    (["returns None"], lambda y, sr, n, r: None),
):  # fmt: skip
    wrong("two_ways", *said)(
        lambda path, change=change: change(*librosa.load(path), *soundfile.read(path))
    )


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
    (["is not negative"], lambda y, sr: -bin_of_the_maximum(y, sr=sr)),
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
    return Frontend(n_fft=n_fft, hop_length=hop_length, n_mels=0).log_power(y).T


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
    (["-inf", "at least 1e-10"], last_step(unlimited)),
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
    (["to learn from"], held_out_with(count=lambda x, n: max(round(x), 1))),
    (["rounds down"], held_out_with(count=lambda x, n: max(int(x), 1))),
    (["rounds up"], held_out_with(count=lambda x, n: min(math.ceil(x - 1e-9), n - 1))),
    (["for all utterances together"], of_all_together),
    (["whole speakers"], whole_speakers),
    (["not the others"], lambda s, **given: ~speaker_by_speaker(s, **given)),
    (["same utterances"], held_out_with(draw=lambda rng, own, n: own[:n])),
    (["same seed"], held_out_with(draw=random_places)),
    (["never held out", "same chance"], held_out_with(draw=never_the_first)),
    (["it holds out 2", "makes 3"], held_out_with(draw=lambda rng, own, n: own[rng.integers(n):n])),
    (["indices", "30 times"], lambda s, **given: np.flatnonzero(speaker_by_speaker(s, **given))),
    (["take for indices"], lambda s, **given: speaker_by_speaker(s, **given).astype(int)),
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
    mfcc = Frontend(sr=sr, n_fft=1024, hop_length=200, n_mels=256).mfcc(y, n_mfcc=256).T
    spectrogram = Frontend(sr=sr, n_fft=400, hop_length=200, n_mels=0).log_power(y).T
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
    (["default hop_length"], inputs_with(lambda y, sr: coefficients(mel_bands(y, sr,
                                                                             hop_length=512)))),
    (["mfcc", "wrong way round"], inputs_with(lambda y, sr: coefficients(mel_bands(y, sr)).T)),
    (["coefficient", "is right"], inputs_with(lambda y, sr: 1.1 * coefficients(mel_bands(y, sr)))),
    (["mfcc_pooled", "one per frame"], inputs_with(pool=lambda table: table.mean(axis=0))),
    (["mfcc_pooled", "(256, 1)"], inputs_with(pool=lambda t: t.mean(axis=1, keepdims=True))),
    (["the maximum over time"], inputs_with(pool=lambda table: table.max(axis=1))),
    (["the median"], inputs_with(pool=lambda table: np.median(table, axis=1))),
    (["the sum over time"], inputs_with(pool=lambda table: table.sum(axis=1))),
    (["mfcc_pooled", "the mean"], inputs_with(pool=lambda table: table[:, 0])),
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
    (["the wrong order"], lambda y, *, sr: [each_with_its_mean(y, sr=sr)[k] for k in (0, 2, 1, 3)]),
    (["2 things"], lambda y, *, sr: each_with_its_mean(y, sr=sr)[:2]),
    (["already pooled"], inputs_with(lambda y, sr: coefficients(mel_bands(y, sr)).mean(axis=1),
                                     pool=lambda x: x, pool_2=lambda t: t.mean(axis=1))),
):  # fmt: skip
    wrong("four_inputs", *said)(function)


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
    (["never begins at sample 0, the first"], crop(start=lambda rng, room: rng.integers(1, room + 1)
                                          if room else 0)),
    (["never begins at sample 1, 3"],
     crop(start=lambda rng, room: 2 * rng.integers(room // 2 + 1))),
    (["needs the same chance", "times"],
     crop(start=lambda rng, room: min(rng.integers(room + 1, size=2)))),
    (["needs the same chance", "the last come about half as often", "round"],
     crop(start=lambda rng, room: round(rng.random() * room))),
    (["needs the same chance", "the last come about half as often"],
     crop(start=lambda rng, room: int(np.rint(rng.uniform(0, room))))),
    (["10 of 14", "needs the same chance"],
     crop(start=lambda rng, room: (rng.integers(max(1, room)) + rng.integers(2)) * (room > 0))),
    (["same seed"], crop(start=lambda rng, room: np.random.randint(room + 1))),
    (["6", "15", "zeros after"], crop(lengthen=lambda y, n: np.pad(y, (0, n - len(y))))),
    (["zeros before and after"], crop(lengthen=lambda y, n: librosa.util.pad_center(y, size=n))),
    (["zeros before the"], crop(lengthen=lambda y, n: np.pad(y, (n - len(y), 0)))),
    (["last sample is repeated"],
     crop(lengthen=lambda y, n: np.pad(y, (0, n - len(y)), mode="edge"))),
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
    (["10 of 10", "from the end of the sound"], lambda y, *, n_samples, rng: repeated_then_cut(
        y if len(y) > n_samples else np.tile(y, 1 + n_samples // len(y)),
        n_samples=n_samples, rng=rng)),
    (["from the end of the sound to its beginning"], over_the_end),
    (["do not follow each other"], no_stretch),
    (["zeros, but"], lambda y, *, n_samples, rng: np.append(y[1:n_samples], 0)),
    (["return them unchanged"], lambda y, *, n_samples, rng: y[:n_samples] / y.max()),
    (["returns None"], lambda y, *, n_samples, rng: None),
):  # fmt: skip
    wrong("random_crop", *said)(function)


@wrong("random_crop", "changes its input")
def scaled_in_place(y, *, n_samples, rng):
    y /= 2
    return repeated_then_cut(y, n_samples=n_samples, rng=rng)


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
    (["needs the same chance", "the last come about half as often"],
     batch_with(start=lambda rng, room: round(rng.random() * room))),
    (["same seed"], batch_with(start=lambda rng, room: np.random.randint(room + 1))),
    (["float64", "float32"], batch_with(x=np.stack)),
    (["time comes first"],
     batch_with(x=lambda crops: np.stack([c.T for c in crops]).astype(np.float32))),
    (["list of crops"], batch_with(x=list)),
    (["stack the crops"], batch_with(x=lambda crops: np.concatenate(crops).astype("f4"))),
    (["crop only time"],
     batch_with(x=lambda crops: np.stack(crops)[:, :, ::-1].astype("f4"))),
    (["do not follow"], batch_with(x=lambda crops: np.stack(crops)[:, ::-1].astype("f4"))),
    (["keep the order of `chosen`"], batch_with(order=np.sort)),
    (["keep the order of `chosen`"], batch_with(order=lambda chosen: np.arange(len(chosen)))),
    (["of all utterances"], batch_with(y=lambda labels, chosen: labels)),
    (["first 3 labels"], batch_with(y=lambda labels, chosen: labels[: len(chosen)])),
    (["indices of the utterances"], batch_with(y=lambda labels, chosen: chosen)),
    (["labels of the crops"], batch_with(y=lambda labels, chosen: np.sort(labels[chosen]))),
    (["whole numbers"], batch_with(y=lambda labels, chosen: labels[chosen].astype(np.float32))),
    (["a label for each crop"], batch_with(y=lambda labels, chosen: np.eye(5)[labels[chosen]])),
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
