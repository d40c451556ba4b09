"""The checks of 05_capuchin_call_counter."""

import numpy as np
import pandas as pd

from helpers.exercises import Wrong, call, case, check, need_array, need_numbers


@check(
    "5.1",
    "a log-mel spectrogram",
    "Three steps: power of the short-time Fourier transform, mel bands, decibels.",
    "`librosa.feature.melspectrogram` does the first two; decibels of a *power* are 10 log10.",
    "A floor of 1e-10 under the power keeps the logarithm finite, and nothing else is cut off: "
    "`10 * np.log10(np.maximum(power, 1e-10))`.",
)
def log_mel(attempt):
    """log_mel(y, *, sr, n_fft, hop_length, n_mels) → float (n_mels, n_frames), dB."""
    import librosa

    rng = np.random.default_rng(51)
    for sr, n_fft, hop_length, n_mels, n in (
        (8000, 512, 160, 40, 8000),
        (16000, 1024, 320, 64, 1500),
    ):
        y = (0.1 * rng.standard_normal(n)).astype(np.float32)
        y[: n // 2] *= 1e-4  # much quieter: what is cut off below the maximum shows here
        given = {"sr": sr, "n_fft": n_fft, "hop_length": hop_length, "n_mels": n_mels}
        mel = librosa.feature.melspectrogram(y=y, **given)
        right = librosa.power_to_db(mel, top_db=None)
        found = call(attempt, y, **given)
        if np.shape(found) == (n_mels, 1 + (n - n_fft) // hop_length):
            raise Wrong(
                f"it returns {np.shape(found)[1]} frames of {n} samples, where 1 + n_samples // "
                f"hop_length = {right.shape[1]} are needed: frames are centred, at the edges too"
            )
        found = need_array(found, shape=right.shape, axes=("n_mels", "n_frames"))
        if np.abs(found - right).max() < 0.05:
            continue
        for factor, name in (
            (np.log(10) / 10, "natural logarithms, and decibels are 10 log10"),
            (0.1, "log10 without the 10 of decibels"),
            (2.0, "20 log10, which is for amplitudes: this is power"),
        ):
            if np.abs(found - factor * right).max() < 0.05 * factor:
                raise Wrong(f"these are {name}")
        if np.abs(found - librosa.amplitude_to_db(mel)).max() < 0.1:
            raise Wrong("these are 20 log10, which is for amplitudes: this is power")
        if np.abs(found - mel).max() < 1e-3 * mel.max():
            raise Wrong("this is the power itself: the step to decibels is missing")
        if np.abs(found - np.maximum(right, right.max() - 80)).max() < 0.05:
            raise Wrong(
                "it is cut off 80 dB below its own maximum: the same faint sound would look "
                "different beside a loud one (top_db=None)"
            )
        if abs(found.max()) < 0.01 < abs(right.max()):
            raise Wrong(
                "its highest value is 0 dB: decibels relative to the clip's own maximum depend on "
                "the clip; relative to 1 they do not"
            )
        plain = librosa.feature.melspectrogram(y=y, window="boxcar", **given)
        if np.abs(found - librosa.power_to_db(plain, top_db=None)).max() < 0.05:
            raise Wrong("there is no window: the edges of a frame splash over all bands (Hann)")
        amplitude = librosa.feature.melspectrogram(y=y, power=1.0, **given)
        if np.abs(found - 10 * np.log10(np.maximum(amplitude, 1e-10))).max() < 0.05:
            raise Wrong("the mel bands sum amplitudes: they need the power, |STFT| squared")
        worst = np.unravel_index(np.abs(found - right).argmax(), right.shape)
        raise Wrong(
            f"band {worst[0]} of frame {worst[1]} is {found[worst]:.1f} dB, where "
            f"{right[worst]:.1f} dB is right. Are sr, n_fft, hop_length and n_mels all passed on, "
            "and the rest left as librosa has it?"
        )


@check(
    "5.2",
    "a split that no source crosses",
    "What may never happen: two clips of one source in different folds. So deal out sources.",
    "Take the largest source first, and give it to the fold that has the fewest clips so far.",
    "`np.unique(groups, return_inverse=True, return_counts=True)` gives the sources, the number of "
    "each clip's source, and their sizes. Find a fold per source, then index with the second.",
)
def folds_by_source(attempt):
    """folds_by_source(groups, *, n_folds) → int (n_clips,), 0 … n_folds - 1."""
    rng = np.random.default_rng(52)
    for n_folds, sizes in ((3, rng.integers(1, 12, 20)), (5, [40, 1, 1, 2, 3, 1]), (2, [1, 1])):
        groups = np.repeat([f"XC{1000 + i}" for i in range(len(sizes))], sizes)
        groups = groups[rng.permutation(len(groups))]
        folds = call(attempt, groups, n_folds=n_folds)
        folds = need_array(folds, shape=groups.shape, axes=("clips",))
        if set(folds) - set(range(n_folds)):
            returned = sorted({int(fold) if fold % 1 == 0 else float(fold) for fold in folds})
            raise Wrong(f"folds are numbered 0 to {n_folds - 1}, but it returns {returned[:8]}")
        per_source = pd.Series(folds).groupby(groups).nunique()
        if (per_source > 1).any():
            name = per_source.idxmax()
            raise Wrong(
                f"it cuts sources: the {(groups == name).sum()} clips of {name} lie in "
                f"{per_source.max()} folds, and {(per_source > 1).sum()} of {len(sizes)} sources "
                "are cut"
            )
        counts = np.bincount(folds.astype(int), minlength=n_folds)
        if not counts.all():
            raise Wrong(f"fold {counts.argmin()} of {n_folds} is empty: nobody would test on it")
        if counts.max() - counts.min() > max(sizes):
            raise Wrong(
                f"the folds have {counts.tolist()} clips: more uneven than the largest source "
                f"({max(sizes)} clips) makes necessary"
            )


@check(
    "5.3",
    "a call over a background",
    "Powers of sounds add up. First the gain, then where the call lies, then the sum.",
    "level_db = 10 log10(gain * loudness(call) / mean power of the background): solve for gain.",
    "The call may begin before frame 0 or go on after the end. Cut its frames to those that lie in "
    "the background (`max(0, at)`, `min(n_frames, ...)`), and add them to a copy of it.",
)
def mix(attempt):
    """mix(background, call, *, at, level_db) → float (n_frames, n_bands), a new array."""
    from helpers.augmentation import loudness

    rng = np.random.default_rng(53)
    background = rng.gamma(4, 0.2, (50, 8))
    sound = rng.gamma(2, 3.0, (20, 8))
    sound[:4] *= 1e-3
    for at, level_db in ((10, 20.0), (0, -6.0), (40, 10.0), (-5, 10.0), (60, 10.0)):
        gain = 10 ** (level_db / 10) * background.mean() / loudness(sound)
        start, stop = np.clip([at, at + len(sound)], 0, len(background))
        added = np.zeros_like(background)
        added[start:stop] = gain * sound[start - at : stop - at]
        where = f"call of {len(sound)} frames at {at} of {len(background)}, {level_db:g} dB"
        with case(where):
            found = call(attempt, background, sound, at=at, level_db=level_db)
            found = need_array(found, shape=background.shape, axes=("n_frames", "n_bands"))
        extra = found - background
        if np.allclose(extra, added, rtol=1e-4, atol=1e-9):
            continue
        outside = np.delete(extra, np.s_[start:stop], axis=0)
        if start < stop and np.allclose(found[start:stop], added[start:stop], rtol=1e-4):
            raise Wrong(f"{where}: the call takes the place of the background; sounds add up")
        if not np.allclose(outside, 0, atol=1e-9):
            raise Wrong(
                f"{where}: the background has changed where there is no call (frames "
                f"{start} to {stop - 1} alone may change)"
            )
        ratio = extra[start:stop] / added[start:stop]
        if np.allclose(ratio, ratio.flat[0], rtol=1e-3) and ratio.flat[0] > 0:
            off = 10 * np.log10(ratio.flat[0])
            raise Wrong(
                f"{where}: the call is {off:+.1f} dB off. Levels are 10 log10 of power ratios; the "
                "call's is `loudness(call)`, the background's its mean power"
            )
        raise Wrong(f"{where}: frames {start} to {stop - 1} are not background + gain * call")


@check(
    "5.4",
    "a convolution block",
    "Convolution, then batch normalisation, then the activation; no padding.",
    "A bias before batch normalisation has no effect: its mean is subtracted again at once.",
    "`layers.Conv2D(channels, kernel, strides=strides, use_bias=False)`, then "
    "`layers.BatchNormalization()`, then `layers.ReLU()`, each called with the one before.",
)
def convolution_block(attempt):
    """convolution_block(x, channels, kernel, *, strides) → Keras tensor (batch, time, bands, c)."""
    import keras

    for shape, channels, kernel, strides in (
        ((20, 12, 3), 8, (5, 3), (2, 1)),
        ((9, 9, 1), 4, (3, 3), (1, 1)),
    ):
        inputs = keras.Input(shape)
        x = call(attempt, inputs, channels, kernel, strides=strides)
        if not isinstance(x, keras.KerasTensor):
            raise Wrong(f"it returns a {type(x).__name__}: return what the last layer returned")
        time, bands = ((n - k) // s + 1 for n, k, s in zip(shape, kernel, strides, strict=False))
        if x.shape[-1] != channels:
            raise Wrong(f"it has {x.shape[-1]} channels, where {channels} are asked for")
        if tuple(x.shape[1:3]) != (time, bands):
            same = tuple(-(-n // s) for n, s in zip(shape, strides, strict=False))
            why = ""
            if tuple(x.shape[1:3]) == same:
                why = ": it pads, and a padded network sees an edge where blocks of sound meet"
            elif tuple(x.shape[1:3]) == tuple(
                n - k + 1 for n, k in zip(shape, kernel, strict=False)
            ):
                why = ": the strides are missing"
            raise Wrong(f"time x bands is {tuple(x.shape[1:3])}, not {(time, bands)}{why}")
        model = keras.Model(inputs, x)
        kinds = [layer.__class__.__name__ for layer in _all_layers(model)]
        if "BatchNormalization" not in kinds:
            raise Wrong(f"there is no batch normalisation among its layers: {', '.join(kinds)}")
        first, last = kernel[0] * kernel[1] * shape[2] * channels, 2 * channels
        n_weights = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
        if n_weights == first + channels + last:
            raise Wrong("the convolution has a bias, which batch normalisation subtracts again")
        if n_weights != first + last:
            raise Wrong(
                f"it has {n_weights} trainable numbers, where {first} of the convolution and "
                f"{last} of the batch normalisation of its channels are needed"
            )
        y = np.random.default_rng(54).normal(size=(16, *shape)).astype(np.float32)
        out = np.asarray(model(y, training=True))
        if out.min() < 0:
            raise Wrong("its output has negative values: ReLU comes last, and lets none through")
        if (out == 0).mean() < 0.2:
            raise Wrong("hardly any output is zero: is there an activation (ReLU)?")
        if abs((out == 0).mean() - 0.5) > 0.15:
            raise Wrong(
                f"{(out == 0).mean():.0%} of its output is zero, where half of it should be: does "
                "batch normalisation come before the activation?"
            )


def _all_layers(model):
    """The layers of a model and of the models in it, but for inputs."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _all_layers(layer)
        elif layer.__class__.__name__ != "InputLayer":
            yield layer


@check(
    "5.5",
    "what one score sees",
    "Go through the layers and keep two numbers: how many frames one step sees, and the stride.",
    "Every layer adds (kernel - 1) * dilation steps *of its input*: how long is such a step?",
    "It is as many frames as the product of the strides of the layers before. Begin with 1 frame "
    "and stride 1; a layer's own stride counts only for those after it.",
)
def receptive_field(attempt):
    """receptive_field(stack) → (frames, stride); stack: list of (kernel, stride, dilation)."""
    rng = np.random.default_rng(55)
    stacks = [[(5, 1, 1)], [(3, 2, 1), (3, 1, 1)], [(3, 1, 2), (3, 1, 4)], []]
    for _ in range(6):
        n = rng.integers(2, 6)
        stacks.append([tuple(int(x) for x in rng.integers(1, 4, 3)) for _ in range(n)])
    for layers in stacks:
        frames, stride = _seen_by_brute_force(layers)
        found = call(attempt, layers)
        found = need_array(found, shape=(2,), axes=("frames, stride",))
        if tuple(found) == (frames, stride):
            continue
        told = f"for layers {layers} it returns {tuple(int(x) for x in found)}"
        if tuple(found) == (stride, frames):
            raise Wrong(f"{told}: frames come first, then the stride")
        if found[1] != stride:
            raise Wrong(f"{told}, but the strides multiply to {stride}")
        if abs(found[0] - frames) == 1:
            raise Wrong(f"{told}: the frames are off by one, {frames} is right")
        raise Wrong(f"{told}, but a step sees {frames} frames")


def _seen_by_brute_force(layers):
    """Follow two neighbouring output steps back to the frames that they see."""
    seen = [{0}, {1}]
    for kernel, stride, dilation in reversed(layers):
        seen = [{i * stride + k * dilation for i in s for k in range(kernel)} for s in seen]
    return max(seen[0]) - min(seen[0]) + 1, min(seen[1]) - min(seen[0])


@check(
    "5.6",
    "from a score to calls",
    "A call is a peak: a step that is at least as high as its neighbours, and high enough.",
    "Take the highest peak first, and drop all that are closer to it than min_distance_s.",
    "`scipy.signal.find_peaks(score, height=threshold, distance=...)` knows both; its distance "
    "counts steps. With a zero on either side, a call at the very edge has a peak as well.",
)
def find_calls(attempt):
    """find_calls(score, *, step_s, threshold, min_distance_s) → times of the calls, s, sorted."""
    long_call = {20 + i: 0.9 - 0.02 * i for i in range(16)}
    valley = {20: 0.9, 21: 0.7, 22: 0.6, 23: 0.6, 24: 0.7, 25: 0.55, 26: 0.65, 27: 0.8}
    # What it is, the score where it is not low, seconds a step, where calls are (either is right).
    cases = [
        ("nothing", {}, 0.25, []),
        ("one call", {20: 0.9}, 0.25, [20]),
        ("one call, and its slope", {20: 0.9, 21: 0.6, 22: 0.3}, 0.25, [20]),
        ("one call with a long slope", long_call, 0.25, [20]),
        ("one call whose two highest steps are equal", {20: 0.9, 21: 0.9}, 0.25, [(20, 21)]),
        ("a peak below the threshold", {20: 0.4}, 0.25, []),
        ("a peak that just reaches the threshold", {20: 0.5}, 0.25, [20]),
        ("three calls apart", {20: 0.7, 32: 0.8, 60: 0.9}, 0.25, [20, 32, 60]),
        ("two calls between which the score stays above the threshold", valley, 0.25, [20, 27]),
        ("two peaks closer than the least distance", {20: 0.7, 23: 0.9}, 0.25, [23]),
        ("two peaks 9 steps of 0.16 s apart", {20: 0.7, 29: 0.9}, 0.16, [29]),
        ("two peaks at just the least distance", {20: 0.7, 26: 0.9}, 0.25, [20, 26]),
        ("three peaks in a row, too close to each other, the highest last",
         {20: 0.6, 24: 0.7, 28: 0.8}, 0.25, [20, 28]),
        ("a call at the very beginning", {0: 0.9}, 0.25, [0]),
        ("a call at the very end", {99: 0.9}, 0.25, [99]),
    ]  # fmt: skip
    threshold, least = 0.5, 1.5
    for name, points, step_s, places in cases:
        score = np.full(100, 0.05)
        score[list(points)] = list(points.values())
        with case(name):
            found = call(attempt, score, step_s=step_s, threshold=threshold, min_distance_s=least)
            found = np.ravel(need_numbers(found, axes=("calls",)))
        steps = [place if isinstance(place, tuple) else (place,) for place in places]
        if len(found) == len(steps) and all(
            np.isclose(time, np.array(step) * step_s).any()
            for time, step in zip(found, steps, strict=True)
        ):
            continue
        right = np.array([step[0] for step in steps]) * step_s
        told = (
            f"{name} (calls at {right.round(2).tolist()} s, at least {least} s apart): it returns "
            f"{found.round(2).tolist()}"
        )
        if len(found) == len(right) and len(found):
            if np.allclose(found, right / step_s):
                raise Wrong(f"{told}: these are steps; step {steps[0][0]} lies at {right[0]} s")
            if np.allclose(np.sort(found), right):
                raise Wrong(f"{told}: they are not in order")
            if name.startswith("two peaks"):
                raise Wrong(f"{told}: of two peaks that are too close, the higher one stays")
        if len(found) < len(right):
            raise Wrong(f"{told}: {len(right) - len(found)} too few")
        if len(found) > len(right):
            raise Wrong(f"{told}: {len(found) - len(right)} too many")
        raise Wrong(told)


@check(
    "5.7",
    "how far off the counts are",
    "An error per recording first; only then the mean. What does a total hide?",
    "The two tables need not be in the same order: match their rows by clip_name (`merge`).",
    "A recording that could not be read has no count: leave it out (`dropna`), it is not 0. Then "
    "the number of errors that are 0, and the mean of their absolute values.",
)
def count_errors(attempt):
    """count_errors(key, results) → (exact, mae); tables clip_name, call_count."""
    rng = np.random.default_rng(57)
    names = [f"recording_{i:02d}.mp3" for i in range(12)]
    true = rng.integers(0, 9, 12)
    counted = true + np.array([0, 0, 3, -3, 0, 1, 0, -1, 0, 0, 2, 0]).clip(-true)
    key = pd.DataFrame({"clip_name": names, "call_count": true})
    results = pd.DataFrame({"clip_name": names, "call_count": counted})
    unread = results.astype({"call_count": "Int64"})
    unread.loc[[1, 4], "call_count"] = pd.NA
    shuffled = results.sample(frac=1, random_state=3).reset_index(drop=True)
    cases = [
        (key, key, "counts that are all right"),
        (key, results, "counts of which some are too high and some too low"),
        (key, shuffled, "results in another order than the key"),
        (key, unread, "results with two recordings that could not be read"),
        (key, results[3:].reset_index(drop=True), "results of some of the recordings only"),
    ]
    for given, found, name in cases:
        both = given.merge(found, on="clip_name", suffixes=("_true", "_found")).dropna()
        error = (both["call_count_found"] - both["call_count_true"]).to_numpy(int)
        right = (int((error == 0).sum()), float(np.abs(error).mean()))
        with case(name):
            answer = call(attempt, given, found)
            if isinstance(answer, tuple) and any(value is pd.NA for value in answer):
                raise Wrong(f"it returns {answer}: leave out recordings without a count")
            answer = need_array(answer, shape=(2,), axes=("exact, mae",))
        if np.allclose(answer, right):
            continue
        told = f"{name}: it returns ({answer[0]:g}, {answer[1]:.3f})"
        if np.allclose(answer, right[::-1]):
            raise Wrong(f"{told}: the number of exact ones comes first")
        if np.isclose(answer[0], right[0] / len(error)):
            raise Wrong(f"{told}: exact is a number of recordings here, not a share")
        if np.isclose(answer[1], abs(error.mean())) or np.isclose(answer[1], error.mean()):
            raise Wrong(f"{told}: errors of opposite sign cancel; take absolute values first")
        if np.isclose(answer[1], np.sqrt((error**2).mean())):
            raise Wrong(
                f"{told}: this is the root mean square, and the mean absolute error is asked"
            )
        raise Wrong(f"{told}, where {right[0]} are exact and the mean absolute error is "
                    f"{right[1]:.3f}")  # fmt: skip
