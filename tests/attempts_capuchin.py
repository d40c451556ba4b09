"""Attempts at the exercises of 05_capuchin_call_counter."""

import librosa
import numpy as np
import pandas as pd
from attempts import right, wrong
from scipy.signal import find_peaks
from sklearn.model_selection import GroupKFold

from helpers import env
from helpers.augmentation import loudness

# --- 5.2 ------------------------------------------------------------------------------------------


@right("folds_by_source")
def largest_first(groups, *, n_folds):
    names, source, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    load, fold = np.zeros(n_folds), np.zeros(len(names), int)
    for i in np.argsort(-sizes):
        fold[i] = load.argmin()
        load[fold[i]] += sizes[i]
    return fold[source]


@right("folds_by_source")
def scikit_learn(groups, *, n_folds):
    folds = [0] * len(groups)
    for k, (_, test) in enumerate(GroupKFold(n_folds).split(groups, groups=groups)):
        for i in test:
            folds[i] = k
    return folds


@wrong("folds_by_source", "it splits 17 of 20 sources", "XC")
def random_split(groups, *, n_folds):
    return np.random.default_rng(0).permutation(np.arange(len(groups)) % n_folds)


@wrong("folds_by_source", "numbered 0 to 2", "[1, 2, 3]")
def counted_from_one(groups, *, n_folds):
    return largest_first(groups, n_folds=n_folds) + 1


@wrong("folds_by_source", "shape (20,)", "(clips)")
def per_source(groups, *, n_folds):
    return np.arange(len(np.unique(groups))) % n_folds


@wrong("folds_by_source", "differ by more than")
def sources_in_turn_smallest_first(groups, *, n_folds):
    names, source, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return np.sort(np.arange(len(names)) * n_folds // len(names))[np.argsort(np.argsort(sizes))][
        source
    ]


@wrong("folds_by_source", "empty")
def all_in_one(groups, *, n_folds):
    return np.zeros(len(groups), int)


@wrong("folds_by_source", "returns None")
def forgets_to_return(groups, *, n_folds):
    largest_first(groups, n_folds=n_folds)


# --- 5.1 ------------------------------------------------------------------------------------------


def mel_power(y, **given):
    return librosa.feature.melspectrogram(y=y, **given)


@right("log_mel")
def by_hand(y, *, sr, n_fft, hop_length, n_mels):
    power = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop_length)) ** 2
    mel = librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels) @ power
    return 10 * np.log10(np.maximum(mel, 1e-10))


@right("log_mel")
def all_librosa(y, **given):
    return librosa.power_to_db(mel_power(y, **given), top_db=None)


for message, function in {
    "natural logarithm": lambda y, **g: np.log(np.maximum(mel_power(y, **g), 1e-10)),
    "without the 10": lambda y, **g: np.log10(np.maximum(mel_power(y, **g), 1e-10)),
    "20 log10": lambda y, **g: 2 * all_librosa(y, **g),
    "the step to decibels is missing": mel_power,
    "its highest value is 0 dB": lambda y, **g: librosa.power_to_db(mel_power(y, **g), ref=np.max),
    "20 log10 of the power": lambda y, **g: librosa.amplitude_to_db(mel_power(y, **g)),
    "frames are centred": lambda y, **g: all_librosa(y, center=False, **g),
    "passed on": lambda y, **g: all_librosa(y, **g | {"sr": 22050}),
    "80 dB below": lambda y, **g: librosa.power_to_db(mel_power(y, **g)),
    "own maximum": lambda y, **g: librosa.power_to_db(mel_power(y, **g), ref=np.max, top_db=None),
    "wrong way round": lambda y, **g: all_librosa(y, **g).T,
    "no window": lambda y, **g: librosa.power_to_db(
        mel_power(y, window="boxcar", **g), top_db=None
    ),
    "sum amplitudes": lambda y, **g: librosa.power_to_db(mel_power(y, power=1.0, **g), top_db=None),
    "n_frames is off by one": lambda y, **g: all_librosa(y, **g)[:, :-1],
    "NaN or infinite": lambda y, **g: 10 * np.log10(mel_power(0 * y, **g)),
    "is right": lambda y, **g: all_librosa(y, **g) * np.linspace(1, 1.5, g["n_mels"])[:, None],
}.items():
    wrong("log_mel", message)(function)


# --- 5.3 ------------------------------------------------------------------------------------------


@right("mix")
def with_slices(background, call, *, at, level_db):
    scene = background.copy()
    gain = 10 ** (level_db / 10) * background.mean() / loudness(call)
    start, stop = max(0, at), min(len(scene), at + len(call))
    if stop > start:
        scene[start:stop] += gain * call[start - at : stop - at]
    return scene


@right("mix")
def frame_by_frame(background, call, *, at, level_db):
    gain = background.mean() / loudness(call) * 10 ** (level_db / 10)
    return [
        frame + gain * call[i - at] if 0 <= i - at < len(call) else frame
        for i, frame in enumerate(background)
    ]


@wrong("mix", "changes its input")
def in_place(background, call, *, at, level_db):
    background[:] = with_slices(background, call, at=at, level_db=level_db)
    return background


@wrong("mix", "replaces the background")
def instead_of_plus(background, call, *, at, level_db):
    scene = with_slices(background, call, at=at, level_db=level_db)
    start, stop = max(0, at), min(len(scene), at + len(call))
    scene[start:stop] -= background[start:stop]
    return scene


@wrong("mix", "dB off")
def amplitudes(background, call, *, at, level_db):
    return with_slices(background, call, at=at, level_db=level_db / 2)


@wrong("mix", "dB off")
def mean_of_the_call(background, call, *, at, level_db):
    scale = loudness(call) / call.mean()
    return background + scale * (
        with_slices(background, call, at=at, level_db=level_db) - background
    )


@wrong("mix", "background has changed")
def fainter_background(background, call, *, at, level_db):
    return 0.5 * with_slices(background, call, at=at, level_db=level_db)


@wrong("mix", "stops in line", "ValueError", "call of 20 frames at 40 of 50")
def no_cutting(background, call, *, at, level_db):
    scene = background.copy()
    gain = 10 ** (level_db / 10) * background.mean() / loudness(call)
    scene[at : at + len(call)] += gain * call
    return scene


# --- 5.4 ------------------------------------------------------------------------------------------


def layers():
    env.setup()
    from keras import layers

    return layers


@right("convolution_block")
def one_by_one(x, channels, kernel, *, strides):
    x = layers().Conv2D(channels, kernel, strides=strides, use_bias=False)(x)
    return layers().ReLU()(layers().BatchNormalization()(x))


@right("convolution_block")
def activation_layer(x, channels, kernel, *, strides):
    convolution = layers().Conv2D(channels, kernel, strides, padding="valid", use_bias=False)
    return layers().Activation("relu")(layers().BatchNormalization()(convolution(x)))


@right("convolution_block")
def in_one_model(x, channels, kernel, *, strides):
    import keras

    parts = [layers().Conv2D(channels, kernel, strides=strides, use_bias=False)]
    return keras.Sequential([*parts, layers().BatchNormalization(), layers().ReLU()])(x)


@wrong("convolution_block", "batch normalisation are needed")
def over_time(x, channels, kernel, *, strides):
    x = layers().Conv2D(channels, kernel, strides=strides, use_bias=False)(x)
    return layers().ReLU()(layers().BatchNormalization(axis=1)(x))


@wrong("convolution_block", "negative values")
def leaky(x, channels, kernel, *, strides):
    x = layers().Conv2D(channels, kernel, strides=strides, use_bias=False)(x)
    return layers().LeakyReLU()(layers().BatchNormalization()(x))


def block(*, bias=False, padding="valid", order="bn relu", keep_strides=True, extra=0):
    def made(x, channels, kernel, *, strides):
        x = layers().Conv2D(
            channels + extra,
            kernel,
            strides=strides if keep_strides else 1,
            use_bias=bias,
            padding=padding,
        )(x)
        for step in order.split():
            x = (layers().BatchNormalization() if step == "bn" else layers().ReLU())(x)
        return x

    return made


for message, options in {
    "it pads": {"padding": "same"},
    "strides are missing": {"keep_strides": False},
    "has a bias": {"bias": True},
    "no batch normalisation": {"order": "relu"},
    "ReLU must come last": {"order": "bn"},
    "before the activation": {"order": "relu bn relu"},
    "9 channels, where 8": {"extra": 1},
}.items():
    wrong("convolution_block", message)(block(**options))


# --- 5.5 ------------------------------------------------------------------------------------------


@right("receptive_field")
def forwards(layers):
    frames, stride = 1, 1
    for kernel, own, dilation in layers:
        frames += (kernel - 1) * dilation * stride
        stride *= own
    return frames, stride


@right("receptive_field")
def backwards(layers):
    frames = 1
    for kernel, own, dilation in reversed(layers):
        frames = (frames - 1) * own + (kernel - 1) * dilation + 1
    return np.array([frames, np.prod([own for _, own, _ in layers])])


def field(*, order="frames first", step=lambda kernel, dilation: (kernel - 1) * dilation, begin=1):
    def seen(layers):
        frames, stride = begin, 1
        for kernel, own, dilation in layers:
            if order == "stride first":
                stride *= own
            frames += step(kernel, dilation) * (1 if order == "no stride" else stride)
            if order != "stride first":
                stride *= own
        return frames, stride

    return seen


wrong("receptive_field", "but a step sees")(field(order="stride first"))
wrong("receptive_field", "but a step sees")(field(order="no stride"))
wrong("receptive_field", "but a step sees")(field(step=lambda kernel, dilation: kernel - 1))
wrong("receptive_field", "off by one")(field(begin=0))
wrong("receptive_field", "frames come first")(lambda layers: forwards(layers)[::-1])
wrong("receptive_field", "strides multiply to")(
    lambda layers: (forwards(layers)[0], sum(own for _, own, _ in layers))
)


# --- 5.6 ------------------------------------------------------------------------------------------


@right("find_calls")
def by_scipy(score, *, step_s, threshold, min_distance_s):
    padded = np.concatenate([[0], score, [0]])
    peaks, _ = find_peaks(padded, height=threshold, distance=min_distance_s / step_s)
    return (peaks - 1) * step_s


@right("find_calls")
def highest_first(score, *, step_s, threshold, min_distance_s):
    padded, kept = [0, *score, 0], []
    peaks = [
        i for i, s in enumerate(score) if s >= threshold and s >= padded[i] and s >= padded[i + 2]
    ]
    for i in sorted(peaks, key=lambda i: -score[i]):
        if all(abs(i - j) * step_s >= min_distance_s for j in kept):
            kept.append(i)
    return [i * step_s for i in sorted(kept)]


@wrong("find_calls", "one call", "too many")
def every_step(score, *, step_s, threshold, min_distance_s):
    return np.flatnonzero(score >= threshold) * step_s


@wrong("find_calls", "two calls", "too few")
def runs(score, *, step_s, threshold, min_distance_s):
    above = np.concatenate([[False], score >= threshold])
    starts = np.flatnonzero(above[1:] & ~above[:-1])
    ends = [s + int(np.argmin(np.append(above[s + 1 :], False))) for s in starts]
    return [(s + score[s:e].argmax()) * step_s for s, e in zip(starts, ends, strict=True) if e > s]


@wrong("find_calls", "these are steps")
def in_steps(score, **given):
    return by_scipy(score, **given) / given["step_s"]


@wrong("find_calls", "keep the higher")
def first_stays(score, *, step_s, threshold, min_distance_s):
    kept = []
    for t in by_scipy(score, step_s=step_s, threshold=threshold, min_distance_s=step_s):
        if not kept or t - kept[-1] >= min_distance_s:
            kept.append(t)
    return kept


@wrong("find_calls", "very beginning", "too few")
def no_edges(score, *, step_s, threshold, min_distance_s):
    peaks, _ = find_peaks(score, height=threshold, distance=min_distance_s / step_s)
    return peaks * step_s


@wrong("find_calls", "sort them")
def not_sorted(score, **given):
    return by_scipy(score, **given)[::-1]


def pick(*, reaches=np.greater_equal, is_far=np.greater_equal, is_peak=None, steps=None):
    """Peaks, highest first, with one rule changed."""

    def found(score, *, step_s, threshold, min_distance_s):
        padded, kept = np.array([0, *score, 0]), []
        middle, before, after = padded[1:-1], padded[:-2], padded[2:]
        peak = (middle >= before) & (middle >= after) if is_peak is None else is_peak(padded)
        for i in np.argsort(-score, kind="stable"):
            apart = [abs(i - j) * step_s for j in kept]
            least = min_distance_s if steps is None else steps(min_distance_s / step_s) * step_s
            if peak[i] and reaches(score[i], threshold) and all(is_far(d, least) for d in apart):
                kept.append(i)
        return np.sort(kept) * step_s

    return found


wrong("find_calls", "exactly at the threshold", "too few")(pick(reaches=np.greater))
wrong("find_calls", "exactly the minimum distance", "too few")(pick(is_far=np.greater))
wrong("find_calls", "long slope", "too many")(pick(is_peak=lambda p: p[1:-1] > 0))
wrong("find_calls", "9 steps", "too many")(pick(steps=int))
wrong("find_calls", "two highest steps are equal", "too few")(
    pick(is_peak=lambda p: (p[1:-1] > p[:-2]) & (p[1:-1] > p[2:]))
)


@wrong("find_calls", "in a row", "too few")
def all_of_the_lower_go(score, *, step_s, threshold, min_distance_s):
    times = by_scipy(score, step_s=step_s, threshold=threshold, min_distance_s=step_s)
    level = score[np.round(times / step_s).astype(int)]
    return [
        t
        for t, s in zip(times, level, strict=True)
        if not ((np.abs(times - t) < min_distance_s) & (level > s)).any()
    ]


right("find_calls")(pick())


# --- 5.7 ------------------------------------------------------------------------------------------


@right("count_errors")
def merged(key, results):
    both = key.merge(results, on="clip_name").dropna()
    error = (both["call_count_y"] - both["call_count_x"]).astype(int).abs()
    return int((error == 0).sum()), error.mean()


@right("count_errors")
def by_dictionary(key, results):
    true = dict(zip(key["clip_name"], key["call_count"], strict=True))
    error = [
        abs(n - true[name])
        for name, n in zip(results["clip_name"], results["call_count"], strict=True)
        if not pd.isna(n)
    ]
    return np.array([error.count(0), sum(error) / len(error)])


def errors_of(key, results):
    both = key.merge(results, on="clip_name").dropna()
    return (both["call_count_y"] - both["call_count_x"]).astype(int)


wrong("count_errors", "errors cancel")(
    lambda k, r: ((errors_of(k, r) == 0).sum(), abs(errors_of(k, r).mean()))
)
wrong("count_errors", "root mean square")(
    lambda k, r: ((errors_of(k, r) == 0).sum(), np.sqrt((errors_of(k, r) ** 2).mean()))
)
wrong("count_errors", "not their share")(
    lambda k, r: ((errors_of(k, r) == 0).mean(), merged(k, r)[1])
)
wrong("count_errors", "comes first")(lambda k, r: merged(k, r)[::-1])
wrong("count_errors", "another order")(
    lambda k, r: (
        int((k["call_count"].to_numpy() == r["call_count"].to_numpy()).sum()),
        np.abs(k["call_count"].to_numpy() - r["call_count"].to_numpy()).mean(),
    )
)


@wrong("count_errors", "another order")
def row_by_row(key, results):
    error = (key["call_count"] - results["call_count"]).abs()
    return (error == 0).sum(), error.mean()


@wrong("count_errors", "could not be read", "leave out recordings")
def keeps_what_is_missing(key, results):
    both = key.merge(results, on="clip_name")
    error = (both["call_count_y"] - both["call_count_x"]).abs()
    return (error == 0).sum(), error.mean(skipna=False)


wrong("count_errors", "could not be read")(
    lambda k, r: merged(k, r.assign(call_count=r["call_count"].fillna(0)))
)
