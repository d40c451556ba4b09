"""Attempts at the exercises of 02_features."""

import math

import librosa
import numpy as np
import scipy.fft
import scipy.signal
from attempts import right, wrong
from sklearn.preprocessing import MinMaxScaler, StandardScaler

# --- 2.1 ------------------------------------------------------------------------------------------


@right("heard_frequency")
def rest_and_fold(f, *, sr):
    f = f % sr
    return sr - f if f > sr / 2 else f


@right("heard_frequency")
def nearest_multiple(f, *, sr):
    return np.abs(f - sr * np.round(f / sr))


@right("heard_frequency")
def by_arc_cosine(f, *, sr):
    return np.arccos(np.cos(2 * np.pi * f / sr)) * sr / (2 * np.pi)


@right("heard_frequency")
def up_and_down(f, *, sr):
    while f > sr / 2:
        f = abs(f - sr)
    return f


for said, function in (
    (["5000 Hz, sampled", "mirrored at sr / 2"], lambda f, *, sr: f % sr),
    (["1000 Hz, sampled", "keeps its frequency"], lambda f, *, sr: abs(sr - f)),
    (["mirrored at sr / 2, not cut"], lambda f, *, sr: min(f, sr / 2)),
    (["21000 Hz", "fold is not"], lambda f, *, sr: abs(sr - f) if f > sr / 2 else f),
    (["9000 Hz", "no minus sign"], lambda f, *, sr: sr - f if f > sr / 2 else f),
    (["keeps its frequency"], lambda f, *, sr: abs(sr / 2 - f)),
    (["start again at 0"], lambda f, *, sr: f % (sr / 2) if f > sr / 2 else f),
    (["returns -4000 Hz", "no minus sign"], lambda f, *, sr: (f + sr / 2) % sr - sr / 2),
    (["never negative"], lambda f, *, sr: f if f <= sr / 2 else sr / 2 - f),
    (["0 Hz, where 3000 Hz is heard"], lambda f, *, sr: f if f <= sr / 2 else 0),
    (["mirrored"], lambda f, *, sr: f),
    (["one number"], lambda f, *, sr: np.array([rest_and_fold(f, sr=sr)])),
    (["returns nan"], lambda f, *, sr: rest_and_fold(f, sr=sr) if f <= sr / 2 else np.nan),
    (["returns None"], lambda f, *, sr: None),
):
    wrong("heard_frequency", *said)(function)


# --- 2.2 ------------------------------------------------------------------------------------------


@right("quantise")
def scaled_and_rounded(y, *, bits):
    n = 2 ** (bits - 1)
    return np.clip(np.round(y * n), -n, n - 1) / n


@right("quantise")
def in_steps(y, *, bits):
    step = 2.0 ** (1 - bits)
    return np.minimum(np.maximum(step * np.floor(y / step + 0.5), -1), 1 - step)


@right("quantise")
def sample_by_sample(y, *, bits):
    n = 2 ** (bits - 1)
    return [max(-n, min(n - 1, round(float(x) * n))) / n for x in y]


def rounded(y, n, low, high):
    return np.clip(np.round(y * n), low, high)


for said, function in (
    (["3 bits", "rounds down"], lambda y, n: np.clip(np.floor(y * n), -n, n - 1) / n),
    (["towards 0"], lambda y, n: np.clip((y * n).astype(int), -n, n - 1) / n),
    (["one bit more"], lambda y, n: rounded(y, 2 * n, -2 * n, 2 * n - 1) / (2 * n)),
    (["one bit too few"], lambda y, n: rounded(y, n / 2, -n / 2, n / 2 - 1) / (n / 2)),
    (["2**(bits - 1) - 1"], lambda y, n: rounded(y, n - 1, 1 - n, n - 1) / (n - 1)),
    (["2**(bits - 1) - 1"], lambda y, n: rounded(y, n - 1, -n, n - 1) / (n - 1)),
    (["2**(bits - 1) - 1"], lambda y, n: rounded(y, n - 1, -n, n - 1) / n),
    (["1.3 becomes", "the levels end at"], lambda y, n: np.round(y * n) / n),
    (["one level too many"], lambda y, n: rounded(y, n, -n, n) / n),
    (["-1 is a level as well"], lambda y, n: rounded(y, n, 1 - n, n - 1) / n),
    (["whole numbers", "-4 to 3"], lambda y, n: rounded(y, n, -n, n - 1)),
    (["whole numbers"], lambda y, n: rounded(y, n - 1, 1 - n, n - 1)),
    (["wraps round"], lambda y, n: ((np.round(y * n) + n) % (2 * n) - n) / n),
    (["silence becomes"], lambda y, n: (np.clip(np.floor(y * n), -n, n - 1) + 0.5) / n),
    (["nothing is rounded"], lambda y, n: np.clip(y, -1, 1 - 1 / n)),
    (["rounds up"], lambda y, n: np.clip(np.ceil(y * n), -n, n - 1) / n),
    (["nearest multiple of 1 / 4"], lambda y, n: 0.9 * rounded(y, n, -n, n - 1) / n),
):
    wrong("quantise", *said)(lambda y, *, bits, function=function: function(y, 2 ** (bits - 1)))


@wrong("quantise", "changes its input")
def quantise_in_place(y, *, bits):
    y[:] = scaled_and_rounded(y, bits=bits)
    return y


# --- 2.3 ------------------------------------------------------------------------------------------


@right("amplitude_spectrum")
def periodic_window(y, *, sr):
    window = scipy.signal.get_window("hann", len(y))
    amplitude = 2 / window.sum() * np.abs(np.fft.rfft(window * y))
    return np.fft.rfftfreq(len(y), 1 / sr), amplitude


@right("amplitude_spectrum")
def symmetric_window(y, *, sr):
    n = len(y)
    both_sides = np.abs(np.fft.fft(y * np.hanning(n)))[: 1 + n // 2] / (n / 4)
    return np.arange(1 + n // 2) * sr / n, both_sides


@right("amplitude_spectrum")
def in_single_precision_without_twice_the_ends(y, *, sr):
    f, amplitude = periodic_window(y.astype(np.float32), sr=sr)
    amplitude[0] /= 2
    amplitude[-1] /= 2 if len(y) % 2 == 0 else 1
    return [f.astype(np.float32), amplitude.astype(np.float32)]


def spectrum_with(
    *,
    window=np.hanning,
    scale=lambda w: 2 / w.sum(),
    last=np.abs,
    frequencies=lambda n, sr: np.fft.rfftfreq(n, 1 / sr),
    fft=np.fft.rfft,
):
    def spectrum(y, *, sr):
        w = window(len(y))
        return frequencies(len(y), sr), last(fft(w * y) * scale(w))

    return spectrum


def levels_db(x):
    return 20 * np.log10(np.abs(x))


for said, options in (
    (["no window"], {"window": np.ones}),
    (["no window"], {"window": np.ones, "scale": lambda w: 1}),
    (["loudest bin is right", "a Hann window?"], {"window": np.blackman}),
    (["not all bins", "a Hann window?"], {"window": np.blackman, "scale": lambda w: 1}),
    (["0.5 is right", "|FFT| as it is"], {"scale": lambda w: 1}),
    (["half as high"], {"scale": lambda w: 2 / len(w)}),
    (["half as high"], {"scale": lambda w: 1 / w.sum()}),
    (["a quarter"], {"scale": lambda w: 1 / len(w)}),
    (["not divided by the sum"], {"scale": lambda w: 2}),
    (["0.707", "times as high"], {"scale": lambda w: 2**0.5 / w.sum()}),
    (["power"], {"last": lambda x: np.abs(x) ** 2}),
    (["decibels"], {"last": levels_db}),
    (["decibels"], {"last": levels_db, "window": np.ones}),
    (["negative", "absolute value"], {"last": np.real}),
    (["complex"], {"last": lambda x: x}),
    (["indices of bins"], {"frequencies": lambda n, sr: np.arange(1 + n // 2)}),
    (["kHz"], {"frequencies": lambda n, sr: np.fft.rfftfreq(n, 1 / sr) / 1000}),
    (["cycles per sample"], {"frequencies": lambda n, sr: np.fft.rfftfreq(n)}),
    (["1 / sr, not sr"], {"frequencies": lambda n, sr: np.fft.rfftfreq(n, sr)}),
    (["1501 samples", "odd n"], {"frequencies": lambda n, sr: np.linspace(0, sr / 2, 1 + n // 2)}),
    (["at sr / 2, not"], {"frequencies": lambda n, sr: np.linspace(0, sr, 1 + n // 2)}),
    (
        ["even n"],
        {"frequencies": lambda n, sr: np.linspace(0, sr / 2, 1 + n // 2, endpoint=False)},
    ),
    (["f has 1000 values", "rfft"], {"frequencies": lambda n, sr: np.fft.fftfreq(n, 1 / sr)}),
    (["amplitude has 1000 values", "rfft"], {"fft": np.fft.fft}),
    (["off by one"], {"fft": lambda x: np.fft.rfft(x)[:-1]}),
):
    wrong("amplitude_spectrum", *said)(spectrum_with(**options))

wrong("amplitude_spectrum", "one array of shape (501,)", "(f, amplitude)")(
    lambda y, *, sr: periodic_window(y, sr=sr)[1]
)
wrong("amplitude_spectrum", "frequencies come first")(
    lambda y, *, sr: periodic_window(y, sr=sr)[::-1]
)
wrong("amplitude_spectrum", "3 things")(lambda y, *, sr: (*periodic_window(y, sr=sr), sr))
wrong("amplitude_spectrum", "returns None")(lambda y, *, sr: None)


# --- 2.4 ------------------------------------------------------------------------------------------


@right("power_spectrogram")
def frame_after_frame(y, *, n_fft, hop_length):
    padded = np.pad(y, n_fft // 2)
    window = scipy.signal.get_window("hann", n_fft)
    columns = []
    for start in range(0, len(padded) - n_fft + 1, hop_length):
        columns.append(np.abs(np.fft.rfft(window * padded[start : start + n_fft])) ** 2)
    return np.array(columns).T


@right("power_spectrogram")
def sliding(y, *, n_fft, hop_length):
    padded = np.concatenate([np.zeros(n_fft // 2), y, np.zeros(n_fft // 2)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length].T
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    spectrum = scipy.fft.rfft(frames * window[:, None], axis=0)
    return spectrum.real**2 + spectrum.imag**2


@right("power_spectrogram")
def in_single_precision(y, **given):
    return np.abs(librosa.stft(y.astype(np.float32), **given)) ** 2


def stft(y, *, n_fft, hop_length, last=lambda x: np.abs(x) ** 2, **options):
    return last(librosa.stft(y, n_fft=n_fft, hop_length=hop_length, **options))


def hanning(y, *, n_fft, hop_length):
    return stft(y, n_fft=n_fft, hop_length=hop_length, window=np.hanning(n_fft))


def all_bins(y, *, n_fft, hop_length):
    half = stft(y, n_fft=n_fft, hop_length=hop_length)
    return np.concatenate([half, half[-2:0:-1]])


def zeros_at_the_end_only(y, *, n_fft, hop_length):
    shifted = stft(np.append(y, np.zeros(n_fft)), n_fft=n_fft, hop_length=hop_length, center=False)
    return shifted[:, : 1 + len(y) // hop_length]


def middle_left_out(y, *, n_fft, hop_length):
    power = stft(y, n_fft=n_fft, hop_length=hop_length)
    power[:, 7] = 0
    return power


for said, function in (
    (["wrong way round"], lambda y, **g: stft(y, **g).T),
    (["18 frames", "centred"], lambda y, **g: stft(y, center=False, **g)),
    (["18 frames", "centred"], lambda y, **g: stft(y, center=False, **g).T),
    (["power is its square"], lambda y, **g: stft(y, last=np.abs, **g)),
    (["decibels"], lambda y, **g: 10 * np.log10(stft(y, **g))),
    (["decibels"], lambda y, **g: librosa.power_to_db(stft(y, **g), ref=np.max)),
    (["no window"], lambda y, **g: stft(y, window="boxcar", **g)),
    (["symmetric", 'get_window("hann", n)'], hanning),
    (["mirrors", "use zeros"], lambda y, **g: stft(y, pad_mode="reflect", **g)),
    (["repeats the first"], lambda y, **g: stft(y, pad_mode="edge", **g)),
    (["256 bins", "rfft"], all_bins),
    (
        ["confused"],
        lambda y, *, n_fft, hop_length: stft(y, n_fft=hop_length, hop_length=n_fft),
    ),
    (
        ["confused"],
        lambda y, *, n_fft, hop_length: stft(y, n_fft=hop_length, hop_length=hop_length),
    ),
    (["begins at sample"], zeros_at_the_end_only),
    (["without a scale"], lambda y, **g: stft(y, **g) / g["n_fft"]),
    (["1 of 21 frames", "frame 7"], middle_left_out),
    (["complex"], lambda y, **g: stft(y, last=lambda x: x, **g)),
    (["n_frames is off by one"], lambda y, **g: stft(y, **g)[:, :-1]),
    (["returns a list"], lambda y, **g: [[1.0], [1.0, 2.0]]),
    (["shape (2050,)"], lambda y, **g: y),
):
    wrong("power_spectrogram", *said)(function)


# --- 2.5 ------------------------------------------------------------------------------------------


@right("mfcc")
def by_scipy(log_mel, *, n_mfcc):
    return scipy.fft.dct(log_mel, type=2, axis=0, norm="ortho")[:n_mfcc]


@right("mfcc")
def by_librosa(log_mel, *, n_mfcc):
    return librosa.feature.mfcc(S=log_mel, n_mfcc=n_mfcc)


@right("mfcc")
def sums_of_cosines(log_mel, *, n_mfcc):
    n = len(log_mel)
    rows = []
    for k in range(n_mfcc):
        wave = np.cos(np.pi * k * (2 * np.arange(n) + 1) / (2 * n))
        rows.append(wave @ log_mel * math.sqrt((1 if k == 0 else 2) / n))
    return np.stack(rows)


def dct(x, **options):
    return scipy.fft.dct(x, **({"axis": 0, "norm": "ortho"} | options))


for said, function in (
    (["over time"], lambda x, n: scipy.fft.dct(x, norm="ortho")[:n]),
    (["13 coefficients for each band"], lambda x, n: scipy.fft.dct(x, norm="ortho")[:, :n]),
    (["over time"], lambda x, n: scipy.fft.dct(x)[:n]),
    (["keeps 13 frames"], lambda x, n: dct(x)[:, :n]),
    (["not orthonormal", "row 0 is 12.6 times"], lambda x, n: dct(x, norm=None)[:n]),
    (["not orthonormal"], lambda x, n: dct(x, norm="forward")[:n]),
    (["leaves out coefficient 0"], lambda x, n: dct(x)[1 : n + 1]),
    (["last coefficients"], lambda x, n: dct(x)[-n:]),
    (["returns all 40"], lambda x, n: dct(x)),
    (["wrong way round"], lambda x, n: dct(x)[:n].T),
    (["n_mfcc is off by one"], lambda x, n: dct(x)[1:n]),
    (["transforms the power"], lambda x, n: dct(10 ** (x / 10))[:n]),
    (["transforms the amplitude"], lambda x, n: dct(10 ** (x / 20), norm=None)[:n]),
    (["NaN"], lambda x, n: dct(np.where(x < -50, np.nan, x))[:n]),
    (["the FFT over the bands"], lambda x, n: np.abs(np.fft.rfft(x, axis=0))[:n]),
    (["the FFT over the bands"], lambda x, n: np.fft.rfft(x, axis=0, norm="ortho").real[:n]),
    (["complex", "unlike the FFT"], lambda x, n: np.fft.rfft(x, axis=0)[:n]),
    (["type 3"], lambda x, n: dct(x, type=3)[:n]),
    (["type 1"], lambda x, n: dct(x, type=1, norm=None)[:n]),
    (["row 0", "Nothing is subtracted"], lambda x, n: dct(x - x.mean(axis=0))[:n]),
    (["is right"], lambda x, n: dct(np.cumsum(x, axis=0))[:n]),
):
    wrong("mfcc", *said)(lambda log_mel, *, n_mfcc, function=function: function(log_mel, n_mfcc))


# --- 2.6 ------------------------------------------------------------------------------------------


@right("spectral_centroid")
def weighted_sum(magnitude, f):
    total = magnitude.sum(axis=0)
    return (f[:, None] * magnitude).sum(axis=0) / np.where(total > 0, total, 1)


@right("spectral_centroid")
def column_by_column(magnitude, f):
    return [np.average(f, weights=m) if m.any() else 0.0 for m in magnitude.T]


@right("spectral_centroid")
def centroid_by_librosa(magnitude, f):
    return librosa.feature.spectral_centroid(S=magnitude, freq=f)[0]


@right("spectral_centroid")
def next_to_nothing_added(magnitude, f):
    return f @ magnitude / (magnitude.sum(axis=0) + 1e-12)


def median(magnitude, f):
    return f[(magnitude.cumsum(axis=0) >= magnitude.sum(axis=0) / 2).argmax(axis=0)]


def not_a_number(magnitude, f):
    with np.errstate(invalid="ignore"):
        return f @ magnitude / magnitude.sum(axis=0)


def other_axis(magnitude, f):
    return f * magnitude.sum(axis=1) / magnitude.sum()


for said, function in (
    (["some are silent", "frame 0 is silent", "nan"], not_a_number),
    (["a silent frame gives"], lambda m, f: np.where(m.any(axis=0), weighted_sum(m, f), f.mean())),
    (["weights are power"], lambda m, f: weighted_sum(m**2, f)),
    (["roots"], lambda m, f: weighted_sum(m**0.5, f)),
    (["the peak"], lambda m, f: f[m.argmax(axis=0)]),
    (["one for each bin", "20 frames"], other_axis),
    (["divide it by the sum of the magnitudes"], lambda m, f: f @ m),
    (["number of bins"], lambda m, f: (f[:, None] * m).mean(axis=0)),
    (["median"], median),
    (["these are bin indices"], lambda m, f: weighted_sum(m, np.arange(len(f)))),
    (["the mean of f alone"], lambda m, f: np.full(m.shape[1], f.mean())),
    (["last frame is faint"], lambda m, f: f @ m / (m.sum(axis=0) + 1e-3)),
    (["bands that become wider"], lambda m, f: weighted_sum(m, np.linspace(f[0], f[-1], len(f)))),
    (["shape ()"], lambda m, f: (f[:, None] * m).sum() / m.sum()),
    (["stops in line", "ValueError"], lambda m, f: np.sum(f * m, axis=0)),
    (["where", "is right"], lambda m, f: weighted_sum(m, f) + 50),
):
    wrong("spectral_centroid", *said)(function)


# --- 2.7 ------------------------------------------------------------------------------------------


@right("segments")
def padded_and_stacked(y, *, length, hop):
    n_segments = 1 + math.ceil(max(0, len(y) - length) / hop)
    padded = np.zeros((n_segments - 1) * hop + length)
    padded[: len(y)] = y
    return np.stack([padded[k * hop : k * hop + length] for k in range(n_segments)])


@right("segments")
def until_covered(y, *, length, hop):
    pieces, start = [], 0
    while True:
        piece = list(y[start : start + length])
        pieces.append(piece + [0.0] * (length - len(piece)))
        if start + length >= len(y):
            return pieces
        start += hop


@right("segments")
def by_sliding_view(y, *, length, hop):
    short = length - len(y) if len(y) < length else -(len(y) - length) % hop
    y = np.pad(y, (0, short))
    return np.lib.stride_tricks.sliding_window_view(y, length)[::hop]


def pieces(y, *, length, hop, count=None, front=False, **padding):
    """Segments, with one rule changed."""
    n_segments = 1 + math.ceil(max(0, len(y) - length) / hop) if count is None else count
    short = max(0, (n_segments - 1) * hop + length - len(y))
    y = np.pad(y, (short, 0) if front else (0, short), **padding)
    return np.array([y[k * hop : k * hop + length] for k in range(n_segments)])


def last_zeros_first(y, **given):
    found = padded_and_stacked(y, **given)
    found[-1] = np.roll(found[-1], (found[-1] == 0).sum())
    return found


def last_moved_back(y, *, length, hop):
    found = padded_and_stacked(y, length=length, hop=hop)
    if len(y) > length:
        found[-1] = y[-length:]
    return found


def ragged(y, *, length, hop):
    return [y[k : k + length] for k in range(0, len(y), hop)]


def none_where_short(y, *, length, hop):
    return padded_and_stacked(y, length=length, hop=hop) if len(y) >= length else []


def short_as_it_is(y, *, length, hop):
    return padded_and_stacked(y, length=length, hop=hop) if len(y) >= length else y[None]


for said, function in (
    (
        ["a remainder, without overlap", "none of them holds the last 4"],
        lambda y, *, length, hop: librosa.util.frame(y, frame_length=length, hop_length=hop).T,
    ),
    (
        ["no remainder, without overlap", "4 segments, where 3", "only zeros"],
        lambda y, *, length, hop: pieces(y, length=length, hop=hop, count=len(y) // hop + 1),
    ),
    (
        ["no remainder, with overlap", "6 segments, where 5", "already hold every sample"],
        lambda y, *, length, hop: pieces(y, length=length, hop=hop, count=math.ceil(len(y) / hop)),
    ),
    (
        ["every hop = 5 samples, not every 10"],
        lambda y, *, length, hop: padded_and_stacked(y, length=length, hop=length),
    ),
    (["repetitions of the last sample"], lambda y, **g: pieces(y, mode="edge", **g)),
    (["padded with other values"], lambda y, **g: pieces(y, mode="wrap", **g)),
    (["segments are wrong", "segment 0"], lambda y, **g: pieces(y, front=True, **g)),
    (["zeros come first"], last_zeros_first),
    (["begins at sample 24", "begin at 30"], last_moved_back),
    (["10, 10, 10, 4 samples", "zeros after"], ragged),
    (["shorter than a segment", "no segment"], none_where_short),
    (["shorter than a segment", "(1, 6)", "(1, 10)"], short_as_it_is),
    (["wrong way round"], lambda y, **g: padded_and_stacked(y, **g).T),
    (["shape (30,)"], lambda y, **g: padded_and_stacked(y, **g).ravel()),
    (["NaN"], lambda y, **g: pieces(y, constant_values=np.nan, **g)),
    (["returns a generator"], lambda y, **g: (row for row in padded_and_stacked(y, **g))),
):
    wrong("segments", *said)(function)


# --- 2.8 ------------------------------------------------------------------------------------------


@right("standardise")
def from_training_alone(train, test):
    mean, std = train.mean(axis=0), train.std(axis=0)
    std = np.where(std > 0, std, 1)
    return (train - mean) / std, (test - mean) / std


@right("standardise")
def scikit_learn_scaler(train, test):
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


@right("standardise")
def feature_by_feature(train, test):
    train, test = train.copy(), test.copy()
    for k in range(train.shape[1]):
        mean, std = train[:, k].mean(), train[:, k].std(ddof=1)
        for part in (train, test):
            part[:, k] -= mean
            if std > 0:
                part[:, k] /= std
    return [train, test]


def own_scale(x):
    return StandardScaler().fit_transform(x)


def together(train, test):
    both = own_scale(np.concatenate([train, test]))
    return both[: len(train)], both[len(train) :]


def with_statistics(centre, spread):
    """Both parts scaled with two functions of the training part."""

    def scaled(train, test):
        with np.errstate(invalid="ignore", divide="ignore"):
            return tuple((part - centre(train)) / spread(train) for part in (train, test))

    return scaled


def mean(x):
    return x.mean(axis=0)


def deviation(x):
    return x.std(axis=0)


def or_one(x):
    return np.where(x > 0, x, 1)


def min_max(train, test):
    scaler = MinMaxScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


def each_clip(train, test):
    return tuple(
        (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True) for x in (train, test)
    )


def no_brackets(train, test):
    return tuple(x - mean(train) / deviation(train) for x in (train, test))


def zero_where_constant(train, test):
    return tuple(np.where(deviation(train) > 0, x, 0) for x in from_training_alone(train, test))


def in_place(train, test):
    test -= mean(train)
    return from_training_alone(train, test)


for said, function in (
    (["both parts together"], together),
    (["its own mean"], lambda train, test: (own_scale(train), own_scale(test))),
    (["not scaled like it"], lambda train, test: (own_scale(train), test)),
    (["only the mean"], with_statistics(mean, lambda x: 1)),
    (["mean is not subtracted"], with_statistics(lambda x: 0, lambda x: or_one(deviation(x)))),
    (["brackets"], no_brackets),
    (["variance"], with_statistics(mean, lambda x: or_one(x.var(axis=0)))),
    (["from 0 to 1"], min_max),
    (["all features at once"], with_statistics(np.mean, np.std)),
    (["deviation is over all features"], with_statistics(mean, np.std)),
    (["each clip is scaled by itself"], each_clip),
    (["constant in training", "divided by 0"], with_statistics(mean, deviation)),
    (
        ["constant in training", "only the mean is subtracted"],
        with_statistics(mean, lambda x: deviation(x) + 1e-9),
    ),
    (["comes back as 0", "only the mean is subtracted"], zero_where_constant),
    (["one array of shape (50, 4)"], lambda train, test: from_training_alone(train, test)[0]),
    (["training part comes first"], lambda train, test: from_training_alone(train, test)[::-1]),
    (["0 and 1 are right"], with_statistics(lambda x: np.median(x, axis=0), deviation)),
    (["changes its input (argument 2)"], in_place),
    (["wrong way round"], lambda train, test: tuple(x.T for x in from_training_alone(train, test))),
    (["returns None"], lambda train, test: None),
):
    wrong("standardise", *said)(function)
