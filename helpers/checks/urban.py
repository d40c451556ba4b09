"""The checks of 04_urbansound8k_cnn up to its network; for the others see `urban_answers`."""

import math

import numpy as np
import scipy.special

from helpers.checks.common import BY_CHANCE, explain_starts, need_mask, need_parts, say_if
from helpers.checks.networks import (
    activation_of,
    block_of,
    built_network,
    is_weighted,
    judge_block,
    judge_lengths,
    judge_other_sizes,
    judge_picture,
    judge_reach,
    names_of,
    run,
    watched,
)
from helpers.exercises import Wrong, call, case, check, need_array, need_numbers

MOST = 300_000  # parameters of a network for about a thousand clips


# --- clips and their folds ------------------------------------------------------------------------


@check(
    "4.1",
    "one fold left out",
    "Three questions to every clip: is it in the fold to test, in the one to validate on, or in "
    "any other?",
    "Of the other folds, how many clips has each? `np.unique` finds which folds there are (their "
    "numbers may have gaps), in rising order.",
    "`min` with a `key` takes the first of equally small ones, and `fold == k` is a mask. What is "
    "left for training is in neither of the two others: `~` turns a mask round.",
)
def leave_one_out(attempt):
    """leave_one_out(fold, test_fold) → (training, validation, test), bool (n,) each."""
    rng = np.random.default_rng(41)
    for what, sizes, test_fold in (
        ("five folds", {1: 30, 2: 18, 3: 25, 4: 14, 5: 27}, 1),
        ("the fold to test is the smallest of all", {1: 20, 2: 16, 3: 5, 4: 12, 5: 13}, 3),
        ("two others are equally small", {10: 30, 7: 8, 2: 8, 5: 11}, 5),
        ("the numbers have gaps", {12: 6, 3: 14, 6: 9}, 12),
        ("the numbers begin at 0", {0: 4, 1: 9, 2: 7, 3: 5}, 2),
    ):
        fold = rng.permutation(np.repeat(list(sizes), list(sizes.values())))
        for place, pick in ((0, max), (-1, min)):  # of equally small ones either comes first, once
            number = pick(k for k in sizes if sizes[k] == min(sizes.values()))
            i = np.flatnonzero(fold == number)[place]
            fold[[place, i]] = fold[[i, place]]
        shown = ", ".join(f"{sizes[k]} clips in fold {k}" for k in sorted(sizes))
        with case(f"{what} ({shown}; to test: {test_fold})"):
            for given in (fold, fold[::-1].copy()):
                _judge_round(call(attempt, given, test_fold), given, test_fold, sizes)


def _judge_round(found, fold, test_fold, sizes):
    """Raise Wrong unless these are the masks of training, validation and test."""
    names, masks = ("training", "validation", "test"), []
    for name, part in zip(names, need_parts(found, *names), strict=True):
        with case(name):
            masks.append(need_mask(part, len(fold), each="clip"))
    smallest = min((k for k in sorted(sizes) if k != test_fold), key=sizes.get)
    tested, validated = fold == test_fold, fold == smallest
    right = [~(tested | validated), validated, tested]
    training, validation, test = masks
    if all(map(np.array_equal, masks, right)):
        return
    if sorted(mask.sum() for mask in masks) == sorted(mask.sum() for mask in right) and all(
        any(np.array_equal(mask, other) for other in right) for mask in masks
    ):
        raise Wrong("the three parts are there, in another order: training, validation, test")
    if not np.array_equal(test, tested):
        found = np.unique(fold[test]).tolist()
        raise Wrong(f"the test clips are {test.sum()}, of folds {found}: all of fold {test_fold}, "
                    "and no others, are asked")  # fmt: skip
    for a, b, which in (
        (training, test, "training and test"),
        (training, validation, "training and validation"),
        (validation, test, "validation and test"),
    ):
        if (a & b).any():
            raise Wrong(f"{(a & b).sum()} clips are in {which}: each is in one of the three parts")
    if not validation.any():
        raise Wrong("no clip is left to validate on")
    found = np.unique(fold[validation]).tolist()
    if len(found) > 1 or validation.sum() != sizes[found[0]]:
        raise Wrong(f"{validation.sum()} clips of folds {found} are validated on: a whole fold is, "
                    "and one alone")  # fmt: skip
    if found != [smallest]:
        told = f"it validates on fold {found[0]}, of {sizes[found[0]]} clips"
        if sizes[found[0]] == sizes[smallest]:
            raise Wrong(f"{told}: fold {smallest} is as small, and of equally small ones the "
                        "lowest number is asked")  # fmt: skip
        raise Wrong(f"{told}: of the folds that are not tested, fold {smallest} is the smallest")
    raise Wrong(f"{(right[0] & ~training).sum()} clips are in none of the three parts: all that "
                "are left are trained on")  # fmt: skip


@check(
    "4.2",
    "values on one scale",
    "One mean and one deviation for each value (the last axis), of the training alone: over which "
    "axes do they go?",
    "`mean` and `std` take several axes at once: `axis=(0, 1)` goes over clips and frames.",
    "Both parts are scaled with the numbers of the training. `np.where` puts 1 in the place of a "
    "deviation of 0.",
)
def standardise_clips(attempt):
    """standardise_clips(training, other) → both, float (n_clips, n_frames, n_values)."""
    rng = np.random.default_rng(42)
    for what, shape, n_other, constant, dtype in (
        ("12 clips of 7 frames, 4 values each", (12, 7, 4), 5, [], float),
        ("9 clips of 10 frames, 5 values each", (9, 10, 5), 4, [3], np.float32),
        ("a single other clip", (6, 8, 3), 1, [], float),
    ):
        centre = np.array([-200, 40, 3, 16, 0.5])[: shape[2]]
        width = np.array([30, 8, 0.05, 4, 2])[: shape[2]]
        drawn = rng.normal(size=shape) + rng.normal(size=(shape[0], shape[1], 1))
        training = centre + width * (drawn + rng.normal(size=(shape[0], 1, shape[2])))
        other = centre + width * (1 + 2 * rng.normal(size=(n_other, *shape[1:])))
        training[..., constant] = centre[constant]
        training, other = training.astype(dtype), other.astype(dtype)
        with case(what):
            found = need_parts(call(attempt, training, other), "training", "other")
            axes = ("n_clips", "n_frames", "n_values")
            found = [need_numbers(part, axes=axes) for part in found]
            if [part.shape for part in found] == [other.shape, training.shape] and n_other > 1:
                raise Wrong("the training comes first, then the other part")
            for name, part, given in zip(
                ("training", "other"), found, (training, other), strict=True
            ):
                with case(name):
                    if part.shape == given.shape and not np.isfinite(part[..., constant]).all():
                        raise Wrong(
                            f"value {constant[0]} never changes in training, and comes back as NaN "
                            "or infinite: it is divided by 0"
                        )
                    need_array(part, shape=given.shape, axes=axes)
            _explain_scale(found, training.astype(float), other.astype(float), constant)


def _explain_scale(found, training, other, constant):
    """Raise Wrong unless both parts are scaled with mean and deviation of the training."""
    axes = (0, 1)

    def divisor(spread):
        return np.where(spread > 0, spread, 1)

    def scaled(mean, spread, *, within=slice(None)):
        return [((part - mean) / spread)[..., within] for part in (training, other)]

    def agree(a, b, within):
        return all(np.allclose(x, y, rtol=within, atol=within) for x, y in zip(a, b, strict=True))

    mean, deviation = np.average(training, axis=axes), training.std(axis=axes)
    ways = [
        scaled(mean, divisor(training.std(axis=axes, ddof=ddof) * (np.ptp(training, axes) > 0)))
        for ddof in (0, 1)
    ]
    if any(agree(found, way, 1e-3) for way in ways):
        return
    varied = [k for k in range(training.shape[2]) if k not in constant]
    found = [part[..., varied] for part in found]
    if any(agree(found, [part[..., varied] for part in way], 1e-3) for way in ways):
        raise Wrong(
            f"value {constant[0]} is {training[0, 0, constant[0]]:g} throughout the training: its "
            "deviation counts as 1, so that of it only the mean is subtracted"
        )
    both = np.concatenate([training, other])
    low, high = training.min(axis=axes), training.max(axis=axes)

    def by_itself(axis):
        return [
            ((part - part.mean(axis=axis, keepdims=True))
             / divisor(part.std(axis=axis, keepdims=True)))[..., varied]
            for part in (training, other)
        ]  # fmt: skip

    for way, name in (
        ((training[..., varied], other[..., varied]), "both parts are as they were"),
        (scaled(mean, 1, within=varied), "only the mean is subtracted: divide by the deviation"),
        (scaled(0, divisor(deviation), within=varied), "the mean is not subtracted"),
        (scaled(mean / divisor(deviation), 1, within=varied), "mean / deviation is subtracted: "
         "brackets are missing"),
        (scaled(mean, divisor(deviation**2), within=varied), "it is divided by the variance: its "
         "root, the standard deviation, is asked"),
        (scaled(low, divisor(high - low), within=varied), "it goes from 0 to 1, between the lowest "
         "and the highest: mean and deviation are asked"),
        (scaled(both.mean(axis=axes), divisor(both.std(axis=axes)), within=varied), "mean and "
         "deviation are of both parts together: the training alone has a say in them"),
        (by_itself(axes), "the other part is scaled with its own mean and deviation: those of the "
         "training are asked"),
        (by_itself(1), "each clip is scaled by itself (axis 1): mean and deviation are over all "
         "clips as well"),
        (by_itself(2), "each frame is scaled by itself (axis 2): each value has a mean of its own"),
        (scaled(training.mean(), training.std(), within=varied), "mean and deviation are over all "
         "values at once: each value has its own"),
        (scaled(mean, training.std(), within=varied), "the deviation is over all values at once: "
         "each has its own"),
        (scaled(training.mean(axis=0), divisor(training.std(axis=0)), within=varied), "each frame "
         "has a mean and a deviation of its own (axis 0): they go over the frames as well"),
    ):  # fmt: skip
        if agree(found, way, 0.05):
            raise Wrong(name)
    if any(agree(found[:1], [way[0][..., varied]], 1e-3) for way in ways):
        raise Wrong("the training is right, but the other part is not scaled like it")
    raise Wrong(
        f"the values of the training have means {found[0].mean(axis=axes).round(2).tolist()} and "
        f"deviations {found[0].std(axis=axes).round(2).tolist()}: 0 and 1 are right"
    )


@check(
    "4.3",
    "two clips mixed",
    "First make both equally loud: what must a clip be divided by, so that its mean is 1?",
    "Power is the square of amplitude. If the amplitude is multiplied by `share`, by what is the "
    "power?",
    "Powers are multiplied by the squares of the shares, labels by the shares themselves. Then "
    "each pair is added.",
)
def mixup(attempt):
    """mixup(a, b, label_a, label_b, *, share) → (power (n_frames, n_bands), label (n_classes,))."""
    rng = np.random.default_rng(43)
    for what, shape, n_classes, share, dtype in (
        ("20 frames of 8 bands, 3 classes", (20, 8), 3, 0.3, float),
        ("11 frames of 16 bands, 10 classes", (11, 16), 10, 0.75, np.float32),
        ("labels that are a mix already", (9, 4), 5, 0.6, float),
        ("nothing of the first", (6, 5), 4, 0.0, float),
    ):
        a, b = rng.gamma(2, 1, (2, *shape)) * np.linspace(0.2, 2, shape[1])
        a, b = (5e-4 * a).astype(dtype), (30 * b**2).astype(dtype)
        label_a, label_b = np.eye(n_classes)[[1, n_classes - 1]]
        if what.startswith("labels"):
            label_a, label_b = 0.7 * label_a + 0.3 * label_b, 0.4 * label_b + 0.6 * np.eye(5)[0]
        with case(f"{what}, share {share:g}"):
            found = call(attempt, a, b, label_a, label_b, share=share)
            power, label = need_parts(found, "power", "label")
            if (np.shape(power), np.shape(label)) == ((n_classes,), shape):
                raise Wrong("the power comes first, then the label")
            with case("power"):
                power = need_array(power, shape=shape, axes=("n_frames", "n_bands"))
            with case("label"):
                label = need_array(label, shape=(n_classes,), axes=("n_classes",))
            _explain_mix(power, a.astype(float), b.astype(float), share)
            _explain_mixed_label(label, label_a, label_b, share)


def _explain_mix(found, a, b, share):
    """Raise Wrong unless `found` is the power of two sounds that are mixed."""
    raw, rest = (a, b), 1 - share
    a, b = a / np.average(a), b / np.average(b)
    right = share * share * a + rest * rest * b
    within = 1e-3 * right.max()
    if np.abs(found - right).max() < within:
        return
    columns = [part / np.average(part, axis=0) for part in raw]
    rows = [part / np.average(part, axis=1, keepdims=True) for part in raw]
    logarithm = share * np.log(a) + rest * np.log(b)
    say_if(found, [
        (share * a + rest * b, "the powers are multiplied by the shares: the shares are those of "
         "the amplitudes, and power is the square of amplitude"),
        (share**2 * raw[0] + rest**2 * raw[1], "the clips are not equally loud before they are "
         "mixed: bring each to a mean power of 1"),
        (share * raw[0] + rest * raw[1], "the clips are mixed as they are: bring each to a mean "
         "power of 1, and multiply powers by the squares of the shares"),
        (share**0.5 * a + rest**0.5 * b, "the powers are multiplied by the roots of the shares: it "
         "is the amplitudes that have the shares, so the powers have their squares"),
        (rest**2 * a + share**2 * b, "`share` is of a, and 1 - share of b: here it is the other "
         "way round"),
        (right / (share**2 + rest**2), "it is divided by the sum of the squares, or brought to a "
         "mean power of 1 once more: the mix is left as it is"),
        ((share * np.sqrt(a) + rest * np.sqrt(b)) ** 2, "the amplitudes are added and squared: "
         "powers add up, because the phases of two sounds know nothing of each other"),
        (share**2 * raw[0] / raw[0].max() + rest**2 * raw[1] / raw[1].max(), "the clips are "
         "brought to a maximum of 1: it is their mean that becomes 1"),
        (share**2 * raw[0] / raw[0].sum() + rest**2 * raw[1] / raw[1].sum(), "the clips are "
         "brought to a sum of 1: it is their mean that becomes 1"),
        (share**2 * columns[0] + rest**2 * columns[1], "every band is brought to a mean of 1 by "
         "itself (axis 0): one number for the whole clip is asked"),
        (share**2 * rows[0] + rest**2 * rows[1], "every frame is brought to a mean of 1 by itself "
         "(axis 1): one number for the whole clip is asked"),
        (np.exp(logarithm), "it mixes logarithms: powers add up as they are"),
        (a + b, "both clips are added at full power: the shares are missing"),
    ], within=within, told="power: ")  # fmt: skip
    worst = np.unravel_index(np.abs(found - right).argmax(), right.shape)
    raise Wrong(
        f"power: its mean is {found.mean():.4g}, where share² + (1 - share)² = {right.mean():.4g} "
        f"is right; frame {worst[0]} of band {worst[1]} is {found[worst]:.4g} and should be "
        f"{right[worst]:.4g}"
    )


def _explain_mixed_label(found, a, b, share):
    """Raise Wrong unless `found` is the label of two sounds that are mixed."""
    rest = 1 - share
    right = share * a + rest * b
    if np.abs(found - right).max() < 1e-4:
        return
    squares = share**2 * a + rest**2 * b
    shown = found.round(3).tolist()
    say_if(found, [
        (squares, "it is mixed by the squares of the shares: those are for power, labels add up to "
         "1 by the shares"),
        (squares / squares.sum(), "it is mixed by the squares of the shares: it is mixed by the "
         "shares themselves"),
        (rest * a + share * b, "`share` is of label_a, and 1 - share of label_b: here it is the "
         "other way round"),
        ((a + b) / 2, "both count the same: they count `share` and 1 - share"),
        (np.maximum(a, b), "both count in full: they count `share` and 1 - share"),
        (a + b, "both count in full: they count `share` and 1 - share"),
        (a if share > 0.5 else b, "it is the label of the louder clip alone: a mix is some of "
         "both"),
        (a, "it is label_a alone: a mix is some of both"),
    ], within=1e-4, told=f"label: it is {shown}; ")  # fmt: skip
    raise Wrong(f"label: it is {shown}, where {right.round(3).tolist()} is right")


@check(
    "4.4",
    "parts hidden",
    "Begin with a copy. Two stretches are hidden, one over time and one over the bands: each has a "
    "place of its own, drawn with `rng`.",
    "The last stretch that fits begins at len(x) - width_frames. `rng.integers(k)` draws from 0 to "
    "k - 1: what must k be?",
    "Frames are rows, bands are columns: a slice on the first axis, or `[:, …]` on the second, "
    "takes them over the whole of the other axis. The mean is that of x, before anything is "
    "hidden.",
)
def hide_parts(attempt):
    """hide_parts(x, *, width_frames, width_bands, rng) → a copy of x with parts hidden."""
    draw = np.random.default_rng(44)
    for shape, width_frames, width_bands, tries in (
        ((10, 8), 6, 4, 1200),
        ((9, 8), 3, 4, 700),
        ((6, 12), 1, 9, 300),
    ):
        # No two values lie closer than 0.1, and none is close to the mean.
        x = draw.permutation(math.prod(shape)).reshape(shape)
        x = (x / 10 + x**2 / 500 - 60).astype(np.float32 if width_frames == 1 else float)
        rng = np.random.default_rng(440)
        given = {"width_frames": width_frames, "width_bands": width_bands}
        shown = ", ".join(f"{name} {width}" for name, width in given.items())
        with case(f"{shape[0]} frames of {shape[1]} bands, {shown}"):
            places = [
                _hidden_places(call(attempt, x, **given, rng=rng), x, **given) for _ in range(tries)
            ]
            _explain_places(np.array(places), [n - w + 1 for n, w in zip(
                shape, (width_frames, width_bands), strict=True)])  # fmt: skip
            again = [
                [_hidden_places(call(attempt, x, **given, rng=r), x, **given) for _ in range(20)]
                for r in (np.random.default_rng(4), np.random.default_rng(4))
            ]
            if again[0] != again[1]:
                raise Wrong(
                    "two generators with the same seed hide different parts: draw from rng alone"
                )
    x = draw.normal(-40, 9, (6, 9))
    with case("as many frames are hidden as there are"):
        given = {"width_frames": 6, "width_bands": 2, "rng": np.random.default_rng(4)}
        found = need_array(call(attempt, x, **given), shape=x.shape, axes=("n_frames", "n_bands"))
        if np.abs(found - x.mean()).max() > 1e-2:
            raise Wrong("there is one place where they fit, and nothing but the mean is left")


def _hidden_places(found, x, *, width_frames, width_bands):
    """(first frame, first band) of what is hidden, or Wrong."""
    found = need_array(found, shape=x.shape, axes=("n_frames", "n_bands"))
    changed = np.abs(found - x) > 1e-3
    if not changed.any():
        raise Wrong("nothing is hidden: what it returns is x")
    values, mean = found[changed], float(np.average(x))
    if changed.all() and np.ptp(values) > 1e-2:
        raise Wrong("all values are changed: what is not hidden stays as it is")
    rows, columns = changed.all(axis=1), changed.all(axis=0)
    if np.abs(values - mean).max() > 1e-2:
        _explain_hidden_values(found, x, changed, (rows, columns))
    if (changed & ~rows[:, None] & ~columns).any():
        touched = changed.any(axis=1), changed.any(axis=0)
        if (touched[0].sum(), touched[1].sum()) == (width_frames, width_bands):
            raise Wrong("a patch is hidden, where both stretches meet: frames are hidden over all "
                        "bands, and bands over all frames")  # fmt: skip
        raise Wrong("what is hidden are neither whole frames nor whole bands")
    counts = rows.sum(), columns.sum()
    if counts == (width_bands, width_frames) != (width_frames, width_bands):
        raise Wrong(f"{counts[0]} frames and {counts[1]} bands are hidden: the widths are confused")
    for hidden, width, name in ((rows, width_frames, "frames"), (columns, width_bands, "bands")):
        if hidden.sum() != width:
            told = f"{hidden.sum()} {name} are hidden, where width_{name} is {width}"
            if 0 < hidden.sum() < width and hidden[-1]:
                told += f": the last place where they fit is {len(hidden) - width}"
            raise Wrong(told)
        if (np.diff(np.flatnonzero(hidden)) > 1).any():
            told = f"the {name} {', '.join(map(str, np.flatnonzero(hidden)))} are hidden"
            if hidden[0] and hidden[-1] and np.diff(hidden).sum() == 2:
                raise Wrong(f"{told}: the stretch runs over the end and goes on at the beginning")
            raise Wrong(f"{told}: they are to be neighbours")
    return int(rows.argmax()), int(columns.argmax())


def _explain_hidden_values(found, x, changed, hidden):
    """Say which values what is hidden has, where it should be the mean."""
    rows, columns = hidden
    values = found[changed]
    mean = x.mean()
    if np.abs(values).max() < 1e-3:
        raise Wrong(f"what is hidden is 0, which in decibels is very loud here: the mean, "
                    f"{mean:.1f}, is asked")  # fmt: skip
    after = x.copy()
    after[rows] = mean
    for value, name in (
        (x.min(), "the least of all values"),
        (x.max(), "the highest of all values"),
        (np.median(x), "the median"),
        (x[~changed].mean(), "the mean of what is not hidden"),
    ):
        if np.abs(values - value).max() < 1e-2:
            raise Wrong(f"what is hidden is {value:.2f}, {name}: the mean of all of x, {mean:.2f}, "
                        "is asked")  # fmt: skip
    for part, axis, name in ((rows, 0, "band"), (columns, 1, "frame")):
        own = np.broadcast_to(x.mean(axis=axis, keepdims=True), x.shape)
        where = changed & (part[:, None] if axis == 0 else part)
        if where.any() and np.abs(found - own)[where].max() < 1e-2:
            raise Wrong(f"what is hidden has the mean of its {name}: one mean, of all of x "
                        f"({mean:.2f}), is asked")  # fmt: skip
    if np.ptp(values) > 1e-2:
        late = found[changed & ~rows[:, None]]
        if late.size and np.ptp(late) < 1e-2 and np.abs(late - after.mean()).max() < 1e-2:
            raise Wrong("the bands have the mean that is left after frames are hidden: the mean of "
                        "x as it came is asked")  # fmt: skip
        raise Wrong(f"what is hidden has different values, {values.min():.2f} to "
                    f"{values.max():.2f}: all of it is set to the mean, {mean:.2f}")  # fmt: skip
    raise Wrong(f"what is hidden is {values[0]:.2f}, where the mean of x is {mean:.2f}")


def _explain_places(places, n_places):
    """Raise Wrong unless every place is as likely, whatever the other axis has."""
    for k, name in enumerate(("frame", "band")):
        explain_starts(places[:, k], n_places[k], name)
    table = np.zeros(n_places)
    np.add.at(table, tuple(places.T), 1)
    mean = len(places) / table.size
    if ((table - mean) ** 2).sum() / mean < scipy.special.chdtri(table.size - 1, BY_CHANCE):
        return
    told = "the place of the frames says where the bands are hidden: draw once for each"
    if (table > 0).sum() <= max(n_places):
        raise Wrong(f"{told} (frames hidden at {places[0, 0]} always come with bands at "
                    f"{places[0, 1]})")  # fmt: skip
    raise Wrong(told)


# --- networks -------------------------------------------------------------------------------------


@check(
    "4.5",
    "a separable residual block",
    "Depthwise, normalise, ReLU; pointwise, normalise. Then the sum with the shortcut, then the "
    "last ReLU.",
    "`layers.DepthwiseConv2D` convolves each channel by itself, and takes `strides` and "
    "`padding`. A Conv2D with a kernel of 1 mixes the channels at each place.",
    "x fits as it is only where strides are 1 and x.shape[-1] is `channels` already. Every "
    "convolution has use_bias=False, that of the shortcut too.",
)
def separable_block(attempt):
    """separable_block(x, channels, *, strides) → Keras tensor (batch, time, bands, channels)."""
    for what, shape, channels, strides in (
        ("4 channels become 4, strides 1", (9, 6, 4), 4, 1),
        ("4 channels become 4, strides 2", (9, 6, 4), 4, 2),
        ("3 channels become 5, strides 1", (7, 8, 3), 5, 1),
        ("3 channels become 5, strides 3", (7, 6, 3), 5, 3),
    ):
        fits = (shape[-1], strides) == (channels, 1)
        with case(what):
            model, parts = block_of(attempt, shape, channels, strides)
            depthwise, ones = _separable_parts(parts, strides, fits)
            pointwise = _pointwise(model, ones, strides, fits)
            judge_block(model, parts, depthwise, pointwise, fits=fits)
            if fits:
                _judge_normalised(model, depthwise, pointwise)


def _separable_parts(parts, strides, fits):
    """(depthwise, [1x1 convolutions]) of a block, or Wrong."""
    from keras import layers

    weighted = [part for part in parts if is_weighted(part)]
    kinds = names_of(parts)
    for part in weighted:
        kind = type(part).__name__
        if "Separable" in kind:
            raise Wrong(
                f"{kind} does both convolutions at once: batch normalisation and ReLU come "
                "between them, so they are two layers"
            )
        if getattr(part, "bias", None) is not None:
            raise Wrong(f"{_described(part)} has a bias: batch normalisation has one, no other "
                        "layer needs it (use_bias=False)")  # fmt: skip
        if activation_of(part) != "linear":
            raise Wrong(f"{_described(part)} has the activation {activation_of(part)!r} built in: "
                        "ReLU comes after batch normalisation, and after the sum")  # fmt: skip
    ones = [
        part for part in weighted if isinstance(part, layers.Dense) or (
            isinstance(part, layers.Conv2D) and part.groups == 1 and max(part.kernel_size) == 1)
    ]  # fmt: skip
    rest = [part for part in weighted if part not in ones]
    depthwise = [part for part in rest if _is_depthwise(part)]
    for part in rest:
        if part not in depthwise:
            raise Wrong(f"{_described(part)} mixes the channels and the places at once: first a "
                        "depthwise convolution, then one of 1x1")  # fmt: skip
    if len(depthwise) != 1:
        raise Wrong(f"it has {len(depthwise) or 'no'} depthwise convolutions, where one is needed "
                    f"({kinds})")  # fmt: skip
    first = depthwise[0]
    if tuple(first.kernel_size) != (3, 3):
        raise Wrong(f"the depthwise kernel is {'x'.join(map(str, first.kernel_size))}: 3x3 is "
                    "asked")  # fmt: skip
    n_out, n_in = math.prod(first.kernel.shape[2:]), getattr(first, "groups", 0)
    if n_out != (n_in or first.kernel.shape[2]):
        raise Wrong(f"{n_out} channels come out of the depthwise convolution: as many as go in are "
                    "asked")  # fmt: skip
    if tuple(first.strides) != (strides, strides):
        raise Wrong(f"the depthwise convolution has the strides {tuple(first.strides)}, where "
                    f"{strides} are asked: what comes after has less to do")  # fmt: skip
    if not ones:
        raise Wrong(f"there is no 1x1 convolution that mixes the channels ({kinds})")
    if fits and len(ones) > 1:
        raise Wrong(f"it has {len(ones)} convolutions of 1x1: where x has the right shape already, "
                    "the shortcut is x itself")  # fmt: skip
    if not fits and len(ones) != 2:
        raise Wrong(f"it has {len(ones)} convolutions of 1x1, where two are needed: one mixes the "
                    "channels, one brings x to the shape of the sum")  # fmt: skip
    n = sum("BatchNorm" in type(part).__name__ for part in parts)
    if n < 2:
        raise Wrong(f"it has {n} batch normalisations: one comes after each of the convolutions")
    if not any(type(part).__name__ == "Add" for part in parts):
        raise Wrong(f"nothing is added up in it: {kinds}")
    return first, ones


def _described(part):
    """A convolution, for a message."""
    size = "x".join(map(str, getattr(part, "kernel_size", ())))
    return f"a {type(part).__name__}" + (f" of {size}" if size else "")


def _is_depthwise(part):
    """Whether each channel is convolved by itself."""
    from keras import layers

    if isinstance(part, layers.DepthwiseConv2D):
        return True
    return isinstance(part, layers.Conv2D) and part.kernel.shape[2] == 1 < part.groups


def _pointwise(model, ones, strides, fits):
    """The 1x1 convolution that is not the shortcut's, or Wrong. ones: all there are."""
    rng = np.random.default_rng(45)
    x = rng.normal(size=(4, *model.input_shape[1:])).astype(np.float32)
    with watched(ones) as seen:
        run(model, x, training=False)
    past = {
        part: made for part, given, made in seen
        if any(given.shape == own.shape and np.allclose(given, own, atol=1e-5)
               for own in (x, x[:, ::strides, ::strides]))
    }  # fmt: skip
    way = [part for part in ones if part not in past]
    if not way or (fits and past):
        raise Wrong("the 1x1 convolution gets x itself: it comes after the depthwise one")
    if not fits and not past:
        raise Wrong("no 1x1 convolution gets x itself: the shortcut leads from x to the sum, past "
                    "all else")  # fmt: skip
    for made in past.values():
        if made.shape[1:] != tuple(model.output_shape[1:]):
            raise Wrong(f"the shortcut's convolution makes {made.shape[1:]}, where "
                        f"{tuple(model.output_shape[1:])} is added: it has strides of {strides}"
                        )  # fmt: skip
    return way[0]


def _judge_normalised(model, depthwise, pointwise):
    """Raise Wrong unless in training the scale of no channel of either kernel counts."""
    rng = np.random.default_rng(450)
    x = 3 * rng.normal(size=(4, *model.input_shape[1:])).astype(np.float32)
    kernels = {layer: rng.normal(0, 0.5, layer.kernel.shape) for layer in (depthwise, pointwise)}
    for layer, kernel in kernels.items():
        layer.set_weights([kernel])
    plain = run(model, x, training=True)
    for layer, name in ((depthwise, "depthwise"), (pointwise, "1x1")):
        n = max(kernels[layer].shape[2:]) if layer is depthwise else kernels[layer].shape[-1]
        scale = np.where(np.arange(n) % 2, 20, 1)  # of its channels
        if kernels[layer].shape[-1] != n:
            scale = scale[:, None]
        layer.set_weights([scale * kernels[layer]])
        scaled = run(model, x, training=True)
        layer.set_weights([kernels[layer]])
        if np.abs(scaled - plain).max() > 0.05 * np.abs(plain).max():
            raise Wrong(
                f"in training the output changes with the scale of the {name} kernel's channels: "
                "batch normalisation, which takes the scale off, comes right after this convolution"
            )


@check(
    "4.6",
    "a network on log-mel spectrograms",
    "Conv2D wants an axis of channels: `layers.Reshape` or `keras.ops.expand_dims` adds it. The "
    "output is a dense layer without an activation.",
    "A block is convolution, batch normalisation, ReLU. With strides of 2 each halves the time "
    "and the bands, and may have more channels than the one before.",
    "A 3x3 convolution from a to b channels has 9 a b parameters: `network.summary()` shows where "
    "they are. After `GlobalAveragePooling2D` comes dropout, then the logits.",
)
def logmel_network(attempt):
    """logmel_network(n_frames, n_bands, n_classes) → keras.Model → logits (n_classes,)."""
    n_frames, n_bands, n_classes = 172, 64, 10
    with case(f"{n_frames} frames of {n_bands} bands, {n_classes} classes"):
        network, parts = built_network(attempt, n_frames, n_bands, n_classes, most=MOST)
        n_convolutions = sum(map(_is_convolution, parts))
        if n_convolutions < 2:
            raise Wrong(f"it has {n_convolutions} Conv2D among its layers, where several are "
                        f"needed: {names_of(parts)}")  # fmt: skip
        judge_picture(network, parts, n_frames, n_bands)
        seen = _seen_of_noise(network, parts, n_frames, n_bands)
        convolutions = [pair for part, *pair in seen if _is_convolution(part)]
        _judge_bends([given for given, _ in convolutions])
        _judge_cost(convolutions, n_frames, n_bands)
    judge_lengths(attempt, network, n_frames, n_bands, n_classes)
    judge_reach(network, (n_frames, n_bands))
    _judge_mean([array for _, *pair in seen for array in pair])
    judge_other_sizes(attempt, 200, 80, 7)


N_NOISES = 4  # inputs in a batch


def _is_convolution(part):
    return type(part).__name__.endswith("Conv2D")


def _seen_of_noise(network, parts, n_frames, n_bands):
    """What each layer gets and makes of a batch of noise, see `watched`."""
    rng = np.random.default_rng(46)
    x = rng.normal(size=(N_NOISES, n_frames, n_bands)).astype(np.float32)
    with watched([part for part in parts if hasattr(part, "call")]) as seen:
        run(network, x, training=False)
    return seen


def _judge_cost(convolutions, n_frames, n_bands):
    """Raise Wrong unless the first or the second convolution leaves fewer places.

    convolutions: what each gets and makes.
    """
    sizes = [math.prod(array.shape[1:3]) for pair in convolutions for array in pair]
    # Into and out of the first two, and into the third: a pooling between them counts as well.
    if sizes and min(sizes[:5]) > 0.6 * n_frames * n_bands:
        raise Wrong(
            f"the first two convolutions go over all {n_frames} x {n_bands} places: with strides "
            "there, everything after them has less to do"
        )


def _judge_bends(inputs):
    """Raise Wrong unless activations lie between the convolutions. inputs: what each gets."""
    if inputs and (inputs[0] == 0).mean() > 0.3:
        raise Wrong(
            "what goes into the first convolution is 0 wherever the spectrogram is negative: an "
            "activation before it throws away all that lies below 0 dB"
        )
    # After a ReLU nothing is negative, after others little; without any, about half.
    bare = [-np.minimum(x, 0).sum() > 0.3 * np.abs(x).sum() for x in inputs[1:]]
    if bare and np.mean(bare) > 0.6:
        raise Wrong(
            f"{sum(bare)} of the {len(bare)} convolutions after the first get what no activation "
            "went over: each is followed by batch normalisation and ReLU, or several of them are "
            "no more than one"
        )


def _judge_mean(arrays):
    """Raise Wrong unless the mean over all places is taken at the end.

    arrays: what the layers get and make, in order.
    """
    arrays = [array for array in arrays if len(array) == N_NOISES]
    maps = [array for array in arrays if array.ndim == 4 and math.prod(array.shape[1:3]) > 1]
    if not maps:  # somebody's own way of calling them
        return
    last, vectors = maps[-1], [array.reshape(N_NOISES, -1) for array in arrays]

    def occurs(wanted):
        return any(v.shape == wanted.shape and np.allclose(v, wanted, rtol=1e-3, atol=1e-5)
                   for v in vectors)  # fmt: skip

    # Of an activation by hand nothing is seen: the mean of what it makes counts as well.
    if any(occurs(np.average(each, axis=(1, 2))) for each in (last, np.maximum(last, 0))):
        return
    what = "the mean of each channel over all places"
    if occurs(last.max(axis=(1, 2))):
        raise Wrong(f"it takes the highest of all places: {what} is asked")
    raise Wrong(f"{what} is missing: it comes after the convolutions, before dropout and logits")
