"""Attempts at the exercises of 04_urbansound8k_cnn: folds, scaling, augmentation."""

import collections

import numpy as np
import pandas as pd
from attempts import right, wrong
from keras import layers, ops
from sklearn.preprocessing import MinMaxScaler, StandardScaler


@right("leave_one_out")
def by_masks(fold, test_fold):
    numbers, counts = np.unique(fold, return_counts=True)
    counts[numbers == test_fold] = counts.max() + 1
    validation = fold == numbers[counts.argmin()]
    test = fold == test_fold
    return ~(test | validation), validation, test


@right("leave_one_out")
def by_counting_in_a_table(fold, test_fold):
    counts = pd.Series(fold).value_counts().drop(test_fold).sort_index()
    k = counts.idxmin()
    return np.array([~np.isin(fold, [k, test_fold]), fold == k, fold == test_fold])


@right("leave_one_out")
def in_lists(fold, test_fold):
    counts = collections.Counter(k for k in fold.tolist() if k != test_fold)
    k = sorted(counts, key=lambda k: (counts[k], k))[0]
    return [
        [number not in (k, test_fold) for number in fold],
        [number == k for number in fold],
        [number == test_fold for number in fold],
    ]


def left_out(*, choose, training=None, give=lambda *parts: parts):
    """A round, with one rule changed. choose: (numbers, sizes) of the other folds → a number."""

    def made(fold, test_fold):
        others = [k for k in np.unique(fold) if k != test_fold]
        k = choose(others, [np.sum(fold == other) for other in others])
        test, validation = fold == test_fold, fold == k
        rest = ~test & ~validation if training is None else training(fold, test_fold, k)
        return give(rest, validation, test)

    return made


def smallest(numbers, sizes):
    return numbers[int(np.argmin(sizes))]


def last_of_the_smallest(numbers, sizes):
    return numbers[len(sizes) - 1 - int(np.argmin(sizes[::-1]))]


def smallest_of_all(fold, test_fold):
    numbers, counts = np.unique(fold, return_counts=True)
    validation = fold == numbers[counts.argmin()]
    return ~validation & (fold != test_fold), validation, fold == test_fold


def by_bincount(fold, test_fold):
    counts = np.bincount(fold)
    counts[test_fold] = 10000
    validation = fold == counts.argmin()
    return ~validation & (fold != test_fold), validation, fold == test_fold


def some_of_each(fold, test_fold):
    test = fold == test_fold
    validation = ~test & (np.arange(len(fold)) % 5 == 0)
    return ~test & ~validation, validation, test


for said, function in (
    (["five folds (30 clips in fold 1", "fold 2, which has 18", "fold 4 is the smallest"],
     left_out(choose=lambda numbers, sizes: numbers[0])),
    (["fold 4 is the smallest"],
     left_out(choose=lambda numbers, sizes: numbers[int(np.argmax(sizes))])),
    (["equally small", "validates on fold 7", "fold 2", "lower number"],
     left_out(choose=last_of_the_smallest)),
    (["equally small", "lower number"], lambda fold, k: left_out(
        choose=lambda numbers, sizes: collections.Counter(fold[fold != k]).most_common()[-1][0])(
            fold, k)),
    (["equally small", "lower number"], lambda fold, k: left_out(
        choose=lambda numbers, sizes: min(fold[fold != k], key=fold.tolist().count))(fold, k)),
    (["smallest of all", "5 clips are in validation and test"], smallest_of_all),
    (["no validation clips"], by_bincount),
    (["one whole fold"], some_of_each),
    (["in training and validation"], left_out(choose=smallest, training=lambda f, t, k: f != t)),
    (["in training and test"], left_out(choose=smallest, training=lambda f, t, k: f != k)),
    (["in training and test"],
     left_out(choose=smallest, training=lambda f, t, k: np.ones(len(f), bool))),
    (["in none of the three"], left_out(choose=smallest, training=lambda f, t, k: f > max(t, k))),
    (["the wrong order"], left_out(choose=smallest, give=lambda *parts: parts[::-1])),
    (["training", "indices", "each clip"],
     left_out(choose=smallest, give=lambda *parts: tuple(map(np.flatnonzero, parts)))),
    (["take for indices"],
     left_out(choose=smallest, give=lambda *parts: [part.astype(int) for part in parts])),
    (["of folds [4]", "all clips of fold 1"], lambda fold, k: by_masks(fold, 4)),
    (["2 things"], left_out(choose=smallest, give=lambda *parts: parts[::2])),
    (["one array of shape (114,)"], left_out(choose=smallest, give=lambda *parts: parts[0])),
    (["returns None"], lambda fold, k: None),
):  # fmt: skip
    wrong("leave_one_out", *said)(function)


@wrong("leave_one_out", "changes its input (argument 1)")
def sorted_in_place(fold, test_fold):
    fold.sort()
    return by_masks(fold, test_fold)


@right("standardise_clips")
def over_clips_and_frames(training, other):
    mean, std = training.mean(axis=(0, 1), keepdims=True), training.std(axis=(0, 1), keepdims=True)
    std[std == 0] = 1
    return (training - mean) / std, (other - mean) / std


@right("standardise_clips")
def by_scikit_learn(training, other):
    n = training.shape[-1]
    scaler = StandardScaler().fit(training.reshape(-1, n))
    return [scaler.transform(x.reshape(-1, n)).reshape(x.shape) for x in (training, other)]


@right("standardise_clips")
def value_by_value(training, other):
    parts = training.copy(), other.copy()
    for k in range(training.shape[2]):
        own = training[:, :, k].ravel()
        for part in parts:
            part[:, :, k] -= np.mean(own)
            part[:, :, k] /= np.std(own, ddof=1) or 1
    return parts


@right("standardise_clips")
def by_a_layer(training, other):
    layer = layers.Normalization(axis=-1)
    mean, variance = training.mean(axis=(0, 1)), training.var(axis=(0, 1))
    layer = layers.Normalization(mean=mean, variance=np.where(variance > 0, variance, 1))
    return [ops.convert_to_numpy(layer(x.astype("float32"))) for x in (training, other)]


def clips_with(centre, spread):
    """Both parts scaled with two functions of the training part."""

    def scaled(training, other):
        with np.errstate(invalid="ignore", divide="ignore"):
            return tuple((x - centre(training)) / spread(training) for x in (training, other))

    return scaled


def over(function, axis, *, or_one=True):
    def found(x):
        value = function(x, axis=axis)
        return np.where(value == 0, 1, value) if or_one else value

    return found


def each(scale):
    return lambda training, other: (scale(training), scale(other))


def itself(axis):
    def scale(x):
        std = x.std(axis=axis, keepdims=True)
        return (x - x.mean(axis=axis, keepdims=True)) / np.where(std > 0, std, 1)

    return scale


def both_together(training, other):
    x = itself((0, 1))(np.concatenate([training, other]))
    return x[: len(training)], x[len(training) :]


def from_0_to_1(training, other):
    n = training.shape[-1]
    scaler = MinMaxScaler().fit(training.reshape(-1, n))
    return [scaler.transform(x.reshape(-1, n)).reshape(x.shape) for x in (training, other)]


def training_mean_taken_off(training, other):
    training -= training.mean(axis=(0, 1))
    return over_clips_and_frames(training, other)


MEAN, STD = over(np.mean, (0, 1), or_one=False), over(np.std, (0, 1))

for said, function in (
    (["each frame has a mean"], clips_with(over(np.mean, 0), over(np.std, 0))),
    (["each clip is scaled by itself"], each(itself(1))),
    (["each frame is scaled by itself"], each(itself(2))),
    (["other part is scaled with its own"], each(itself((0, 1)))),
    (["over all values at once"], clips_with(np.mean, np.std)),
    (["the deviation is over all values"], clips_with(MEAN, np.std)),
    (["both parts together"], both_together),
    (["only the mean is subtracted: divide"], clips_with(MEAN, lambda x: 1)),
    (["mean is not subtracted"], clips_with(lambda x: 0, STD)),
    (["brackets"], lambda training, other: [x - MEAN(training) / STD(training)
                                            for x in (training, other)]),
    (["variance"], clips_with(MEAN, over(np.var, (0, 1)))),
    (["from 0 to 1"], from_0_to_1),
    (["as they were"], lambda training, other: (training, other)),
    (["training part is right"], lambda training, other: (itself((0, 1))(training), other)),
    (["0 and 1 are right"], clips_with(over(np.median, (0, 1)), STD)),
    (["one value", "training: value 3 is the same", "NaN"][1:],
     clips_with(MEAN, over(np.std, (0, 1), or_one=False))),
    (["value 3 is 16 in all", "only the mean"],
     clips_with(MEAN, lambda x: x.std(axis=(0, 1)) + 1e-6)),
    (["value 3 is 16 in all"], lambda training, other: [
        np.where(training.std(axis=(0, 1)) > 0, x, 0)
        for x in over_clips_and_frames(training, other)]),
    (["training part comes first"],
     lambda training, other: over_clips_and_frames(training, other)[::-1]),
    (["one array of shape (12, 7, 4)"],
     lambda training, other: over_clips_and_frames(training, other)[0]),
    (["training: it returns shape (84, 4)"],
     lambda training, other: [x.reshape(-1, x.shape[2])
                              for x in over_clips_and_frames(training, other)]),
    (["changes its input (argument 1)"], training_mean_taken_off),
    (["returns None"], lambda training, other: None),
):  # fmt: skip
    wrong("standardise_clips", *said)(function)


@right("mixup")
def squares_of_shares(a, b, label_a, label_b, *, share):
    a, b = a / a.mean(), b / b.mean()
    return share**2 * a + (1 - share) ** 2 * b, share * label_a + (1 - share) * label_b


@right("mixup")
def on_amplitudes(a, b, label_a, label_b, *, share):
    parts = (a, label_a, share), (b, label_b, 1 - share)
    power, label = np.zeros(a.shape), np.zeros(len(label_a))
    for x, own, weight in parts:
        power += (weight * np.sqrt(x / np.average(x))) ** 2
        label += weight * own
    return [power, label]


@right("mixup")
def with_lists_and_keras(a, b, label_a, label_b, *, share):
    weights = np.array([share, 1 - share], "float32")
    both = ops.stack([ops.convert_to_tensor(x / x.mean(), "float32") for x in (a, b)])
    power = ops.sum(ops.reshape(weights**2, (2, 1, 1)) * both, axis=0)
    label = [share * x + (1 - share) * y for x, y in zip(label_a, label_b, strict=True)]
    return ops.convert_to_numpy(power), label


def one(x):
    return x / x.mean()


def mixed(*, power=lambda share: share**2, normal=one, label=lambda share: share, last=lambda x: x):
    """A mix, with one rule changed."""

    def made(a, b, label_a, label_b, *, share):
        mix = power(share) * normal(a) + power(1 - share) * normal(b)
        return last(mix), label(share) * label_a + label(1 - share) * label_b

    return made


def other_way_round(a, b, label_a, label_b, *, share):
    power, _ = squares_of_shares(b, a, label_b, label_a, share=share)
    return power, share * label_a + (1 - share) * label_b


def labels_the_other_way_round(a, b, label_a, label_b, *, share):
    power, label = squares_of_shares(a, b, label_b, label_a, share=share)
    return power, label


def amplitudes_added(a, b, label_a, label_b, *, share):
    amplitude = share * np.sqrt(one(a)) + (1 - share) * np.sqrt(one(b))
    return amplitude**2, share * label_a + (1 - share) * label_b


def with_label(make):
    def mixed_up(a, b, label_a, label_b, *, share):
        power, _ = squares_of_shares(a, b, label_a, label_b, share=share)
        return power, make(label_a, label_b, share)

    return mixed_up


def made_loud_in_place(a, b, label_a, label_b, *, share):
    a /= a.mean()
    b /= b.mean()
    return squares_of_shares(a, b, label_a, label_b, share=share)


for said, function in (
    (["power", "multiplied by the shares: these are shares of the amplitudes"],
     mixed(power=lambda share: share)),
    (["not equally loud"], mixed(normal=lambda x: x)),
    (["mixed unchanged"], mixed(normal=lambda x: x, power=lambda share: share)),
    (["roots of the shares"], mixed(power=np.sqrt)),
    (["share 0.3", "`share` is of a"], other_way_round),
    (["sum of the squares"], mixed(last=one)),
    (["amplitudes are added and squared"], amplitudes_added),
    (["maximum of 1"], mixed(normal=lambda x: x / x.max())),
    (["sum of 1"], mixed(normal=lambda x: x / x.sum())),
    (["every band", "axis 0"], mixed(normal=lambda x: x / x.mean(axis=0))),
    (["every frame", "axis 1"], mixed(normal=lambda x: x / x.mean(axis=1, keepdims=True))),
    (["shares are missing"], mixed(power=lambda share: 1)),
    (["its mean is", "is right; frame"], mixed(power=lambda share: share**3)),
    (["adds logarithms"], lambda a, b, label_a, label_b, *, share: (
        one(a) ** share * one(b) ** (1 - share), share * label_a + (1 - share) * label_b)),
    (["label", "squares"], mixed(label=lambda share: share**2)),
    (["label", "squares"], with_label(
        lambda a, b, share: (share**2 * a + (1 - share) ** 2 * b)
        / (share**2 + (1 - share) ** 2))),
    (["label", "`share` is of label_a"], labels_the_other_way_round),
    (["label", "same weight"], with_label(lambda a, b, share: (a + b) / 2)),
    (["label", "both have weight 1"], with_label(lambda a, b, share: np.maximum(a, b))),
    (["label", "louder clip alone"], with_label(lambda a, b, share: a if share > 0.5 else b)),
    (["label", "is right"], with_label(lambda a, b, share: np.ones(len(a)) / len(a))),
    (["label", "shape ()"], with_label(lambda a, b, share: (share * a + (1 - share) * b).argmax())),
    (["power comes first"], lambda *args, **given: squares_of_shares(*args, **given)[::-1]),
    (["one array of shape (20, 8)"], lambda *args, **given: squares_of_shares(*args, **given)[0]),
    (["changes its input"], made_loud_in_place),
    (["returns None"], lambda *args, **given: None),
):  # fmt: skip
    wrong("mixup", *said)(function)


@right("hide_parts")
def two_slices(x, *, width_frames, width_bands, rng):
    found, mean = np.array(x), np.mean(x)
    start = rng.integers(0, x.shape[0] - width_frames, endpoint=True)
    found[start : start + width_frames, :] = mean
    start = int(rng.choice(x.shape[1] - width_bands + 1))
    found[:, start : start + width_bands] = mean
    return found


@right("hide_parts")
def by_a_mask(x, *, width_frames, width_bands, rng):
    masks = []
    for size, width in zip(x.shape, (width_frames, width_bands), strict=True):
        distance = np.arange(size) - int(rng.random() * (size - width + 1))
        masks.append((distance >= 0) & (distance < width))
    return np.where(masks[0][:, None] | masks[1], x.mean(), x)


@right("hide_parts")
def loop_over_numbers(x, *, width_frames, width_bands, rng):
    band = rng.permutation(x.shape[1] - width_bands + 1)[0]
    frame = rng.permutation(x.shape[0] - width_frames + 1)[0]
    mean = float(x.mean())
    return [
        [
            mean if frame <= i < frame + width_frames or band <= k < band + width_bands else value
            for k, value in enumerate(row)
        ]
        for i, row in enumerate(x.tolist())
    ]


def any_place(rng, size, width):
    return rng.integers(size - width + 1)


def hidden(
    *,
    place=any_place,
    value=lambda x: x.mean(),
    write=None,
    widths=lambda frames, bands: (frames, bands),
):
    """Like `two_slices`, with one rule changed. write: (x, frame, band, widths, value) → x."""

    def made(x, *, width_frames, width_bands, rng):
        wide = widths(width_frames, width_bands)
        places = [place(rng, *pair) for pair in zip(x.shape, wide, strict=True)]
        if write:
            return write(x.copy(), *places, wide, value(x))
        found = x.copy()
        found[places[0] : places[0] + wide[0]] = value(x)
        found[:, places[1] : places[1] + wide[1]] = value(x)
        return found

    return made


def a_patch(x, frame, band, widths, value):
    x[frame : frame + widths[0], band : band + widths[1]] = value
    return x


def frames_alone(x, frame, band, widths, value):
    x[frame : frame + widths[0]] = value
    return x


def own_means(x, frame, band, widths, value):
    mean = x.mean(axis=0)
    x[frame : frame + widths[0]] = mean
    x[:, band : band + widths[1]] = mean[band : band + widths[1]]
    return x


def own_means_of_frames(x, frame, band, widths, value):
    mean = x.mean(axis=1, keepdims=True)
    x[:, band : band + widths[1]] = mean
    x[frame : frame + widths[0]] = mean[frame : frame + widths[0]]
    return x


def mean_anew(x, frame, band, widths, value):
    x[frame : frame + widths[0]] = x.mean()
    x[:, band : band + widths[1]] = x.mean()
    return x


def mean_of_the_rest(x, frame, band, widths, value):
    kept = np.ones(x.shape, bool)
    kept[frame : frame + widths[0]] = False
    kept[:, band : band + widths[1]] = False
    return np.where(kept, x, x[kept].mean())


def round_the_end(x, frame, band, widths, value):
    x[(frame + np.arange(widths[0])) % len(x)] = value
    x[:, (band + np.arange(widths[1])) % x.shape[1]] = value
    return x


def scattered(x, *, width_frames, width_bands, rng):
    found = x.copy()
    found[rng.choice(len(x), width_frames, replace=False)] = x.mean()
    found[:, rng.choice(x.shape[1], width_bands, replace=False)] = x.mean()
    return found


def one_draw_for_both(x, *, width_frames, width_bands, rng):
    drawn, found = rng.random(), x.copy()
    for view, width in ((found, width_frames), (found.T, width_bands)):
        start = int(drawn * (len(view) - width + 1))
        view[start : start + width] = x.mean()
    return found


def in_place(x, *, width_frames, width_bands, rng):
    x[: len(two_slices(x, width_frames=width_frames, width_bands=width_bands, rng=rng))] = x.mean()
    return x


for said, function in (
    (["10 frames of 8 bands, width_frames 6", "hidden values are 0", "very loud"],
     hidden(value=lambda x: 0)),
    (["the minimum"], hidden(value=np.min)),
    (["the maximum"], hidden(value=np.max)),
    (["the median"], hidden(value=np.median)),
    (["where the mean of x is"], hidden(value=lambda x: -80)),
    (["mean of its band"], hidden(write=own_means)),
    (["mean of its frame"], hidden(write=own_means_of_frames)),
    (["after frames were hidden"], hidden(write=mean_anew)),
    (["mean of what is not hidden"], hidden(write=mean_of_the_rest)),
    (["a patch"], hidden(write=a_patch)),
    (["0 bands are hidden, where width_bands is 4"], hidden(write=frames_alone)),
    (["from the end to the beginning"],
     hidden(place=lambda rng, size, width: rng.integers(size), write=round_the_end)),
    (["be consecutive"], scattered),
    (["never begins at frame 4, the last that fits"],
     hidden(place=lambda rng, size, width: rng.integers(max(size - width, 1)))),
    (["as many frames are hidden as there are", "stops in line", "ValueError"],
     hidden(place=lambda rng, size, width: rng.integers(size - width + 1 if size > width else 0))),
    (["are hidden, where width_", "the last place where they fit is 4"],
     hidden(place=lambda rng, size, width: rng.integers(size))),
    (["never begins at frame 0"],
     hidden(place=lambda rng, size, width: rng.integers(1, max(size - width + 1, 2)))),
    (["always begins at frame 0"], hidden(place=lambda rng, size, width: 0)),
    (["same seed"], hidden(place=lambda rng, size, width: np.random.randint(size - width + 1))),
    (["half as often"],
     hidden(place=lambda rng, size, width: round(rng.random() * (size - width)))),
    (["draw once for each"], one_draw_for_both),
    (["4 frames and 6 bands", "swapped"], hidden(widths=lambda frames, bands: (bands, frames))),
    (["7 frames are hidden"], hidden(widths=lambda frames, bands: (frames + 1, bands),
                                     place=lambda rng, size, width: 0)),
    (["nothing is hidden"], lambda x, **given: x.copy()),
    (["change only what is hidden"], lambda x, **given: two_slices(x - 1, **given)),
    (["wrong way round"], lambda x, **given: two_slices(x, **given).T),
    (["changes its input"], in_place),
    (["returns None"], lambda x, **given: None),
):  # fmt: skip
    wrong("hide_parts", *said)(function)
