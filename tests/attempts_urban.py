"""Attempts at the exercises of 04_urbansound8k_cnn up to its network."""

import collections

import keras
import numpy as np
import pandas as pd
from attempts import right, wrong
from keras import layers, ops
from sklearn.preprocessing import MinMaxScaler, StandardScaler

# --- 4.1 ------------------------------------------------------------------------------------------


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
    (["five folds (30 clips in fold 1", "fold 2, of 18", "fold 4 is the smallest"],
     left_out(choose=lambda numbers, sizes: numbers[0])),
    (["fold 4 is the smallest"],
     left_out(choose=lambda numbers, sizes: numbers[int(np.argmax(sizes))])),
    (["equally small", "validates on fold 7", "fold 2", "lowest number"],
     left_out(choose=last_of_the_smallest)),
    (["equally small", "lowest number"], lambda fold, k: left_out(
        choose=lambda numbers, sizes: collections.Counter(fold[fold != k]).most_common()[-1][0])(
            fold, k)),
    (["equally small", "lowest number"], lambda fold, k: left_out(
        choose=lambda numbers, sizes: min(fold[fold != k], key=fold.tolist().count))(fold, k)),
    (["smallest of all", "5 clips are in validation and test"], smallest_of_all),
    (["no clip is left to validate on"], by_bincount),
    (["a whole fold is"], some_of_each),
    (["in training and validation"], left_out(choose=smallest, training=lambda f, t, k: f != t)),
    (["in training and test"], left_out(choose=smallest, training=lambda f, t, k: f != k)),
    (["in training and test"],
     left_out(choose=smallest, training=lambda f, t, k: np.ones(len(f), bool))),
    (["in none of the three"], left_out(choose=smallest, training=lambda f, t, k: f > max(t, k))),
    (["another order"], left_out(choose=smallest, give=lambda *parts: parts[::-1])),
    (["training", "indices", "each clip"],
     left_out(choose=smallest, give=lambda *parts: tuple(map(np.flatnonzero, parts)))),
    (["taken for indices"],
     left_out(choose=smallest, give=lambda *parts: [part.astype(int) for part in parts])),
    (["of folds [4]", "all of fold 1"], lambda fold, k: by_masks(fold, 4)),
    (["2 things"], left_out(choose=smallest, give=lambda *parts: parts[::2])),
    (["one array of shape (114,)"], left_out(choose=smallest, give=lambda *parts: parts[0])),
    (["returns None"], lambda fold, k: None),
):  # fmt: skip
    wrong("leave_one_out", *said)(function)


@wrong("leave_one_out", "changes its input (argument 1)")
def sorted_in_place(fold, test_fold):
    fold.sort()
    return by_masks(fold, test_fold)


# --- 4.2 ------------------------------------------------------------------------------------------


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
    (["training is right"], lambda training, other: (itself((0, 1))(training), other)),
    (["0 and 1 are right"], clips_with(over(np.median, (0, 1)), STD)),
    (["one value", "training: value 3 never changes", "NaN"][1:],
     clips_with(MEAN, over(np.std, (0, 1), or_one=False))),
    (["value 3 is 16 throughout", "only the mean"],
     clips_with(MEAN, lambda x: x.std(axis=(0, 1)) + 1e-6)),
    (["value 3 is 16 throughout"], lambda training, other: [
        np.where(training.std(axis=(0, 1)) > 0, x, 0)
        for x in over_clips_and_frames(training, other)]),
    (["training comes first"],
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


# --- 4.3 ------------------------------------------------------------------------------------------


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
    (["power", "multiplied by the shares: the shares are those of the amplitudes"],
     mixed(power=lambda share: share)),
    (["not equally loud"], mixed(normal=lambda x: x)),
    (["mixed as they are"], mixed(normal=lambda x: x, power=lambda share: share)),
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
    (["mixes logarithms"], lambda a, b, label_a, label_b, *, share: (
        one(a) ** share * one(b) ** (1 - share), share * label_a + (1 - share) * label_b)),
    (["label", "squares"], mixed(label=lambda share: share**2)),
    (["label", "squares"], with_label(
        lambda a, b, share: (share**2 * a + (1 - share) ** 2 * b)
        / (share**2 + (1 - share) ** 2))),
    (["label", "`share` is of label_a"], labels_the_other_way_round),
    (["label", "both count the same"], with_label(lambda a, b, share: (a + b) / 2)),
    (["label", "in full"], with_label(lambda a, b, share: np.maximum(a, b))),
    (["label", "louder clip alone"], with_label(lambda a, b, share: a if share > 0.5 else b)),
    (["label", "is right"], with_label(lambda a, b, share: np.ones(len(a)) / len(a))),
    (["label", "shape ()"], with_label(lambda a, b, share: (share * a + (1 - share) * b).argmax())),
    (["power comes first"], lambda *args, **given: squares_of_shares(*args, **given)[::-1]),
    (["one array of shape (20, 8)"], lambda *args, **given: squares_of_shares(*args, **given)[0]),
    (["changes its input"], made_loud_in_place),
    (["returns None"], lambda *args, **given: None),
):  # fmt: skip
    wrong("mixup", *said)(function)


# --- 4.4 ------------------------------------------------------------------------------------------


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
    (["10 frames of 8 bands, width_frames 6", "what is hidden is 0", "very loud"],
     hidden(value=lambda x: 0)),
    (["least of all"], hidden(value=np.min)),
    (["highest of all"], hidden(value=np.max)),
    (["the median"], hidden(value=np.median)),
    (["where the mean of x is"], hidden(value=lambda x: -80)),
    (["mean of its band"], hidden(write=own_means)),
    (["mean of its frame"], hidden(write=own_means_of_frames)),
    (["left after frames are hidden"], hidden(write=mean_anew)),
    (["mean of what is not hidden"], hidden(write=mean_of_the_rest)),
    (["a patch"], hidden(write=a_patch)),
    (["0 bands are hidden, where width_bands is 4"], hidden(write=frames_alone)),
    (["runs over the end"],
     hidden(place=lambda rng, size, width: rng.integers(size), write=round_the_end)),
    (["to be neighbours"], scattered),
    (["never begins at frame 4, the last place"],
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
    (["4 frames and 6 bands", "confused"], hidden(widths=lambda frames, bands: (bands, frames))),
    (["7 frames are hidden"], hidden(widths=lambda frames, bands: (frames + 1, bands),
                                     place=lambda rng, size, width: 0)),
    (["nothing is hidden"], lambda x, **given: x.copy()),
    (["stays as it is"], lambda x, **given: two_slices(x - 1, **given)),
    (["wrong way round"], lambda x, **given: two_slices(x, **given).T),
    (["changes its input"], in_place),
    (["returns None"], lambda x, **given: None),
):  # fmt: skip
    wrong("hide_parts", *said)(function)


# --- 4.5 ------------------------------------------------------------------------------------------


def norm(x):
    return layers.BatchNormalization()(x)


def depthwise(x, strides, **options):
    options = {"padding": "same", "use_bias": False} | options
    return layers.DepthwiseConv2D(3, strides=strides, **options)(x)


def pointwise(x, channels, strides=1, **options):
    return layers.Conv2D(channels, 1, strides=strides, **{"use_bias": False} | options)(x)


@right("separable_block")
def with_a_normalised_shortcut(x, channels, *, strides):
    y = layers.Activation("relu")(norm(depthwise(x, (strides, strides))))
    y = norm(pointwise(y, channels, padding="same"))
    if y.shape != x.shape:
        x = norm(pointwise(x, channels, strides, padding="same"))
    return layers.Activation("relu")(x + y)


@right("separable_block")
def by_groups_and_dense(x, channels, *, strides):
    n = x.shape[-1]
    y = layers.Conv2D(n, 3, strides=strides, padding="same", groups=n, use_bias=False)(x)
    y = ops.relu(layers.BatchNormalization(momentum=0.9)(y))
    y = layers.BatchNormalization()(layers.Dense(channels, use_bias=False)(y))
    if strides > 1 or n != channels:
        x = layers.Dense(channels, use_bias=False)(x[:, ::strides, ::strides])
    return ops.relu(layers.add([y, x]))


@right("separable_block")
def way_in_a_model(x, channels, *, strides):
    way = keras.Sequential(
        [
            layers.DepthwiseConv2D(
                3, strides, "same", use_bias=False, depthwise_initializer="he_normal"
            ),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(channels, (1, 1), use_bias=False),
            layers.BatchNormalization(gamma_initializer="zeros"),
        ]
    )
    y = way(x)
    if strides == 1 and x.shape[-1] == channels:
        return layers.ReLU()(layers.Add()([x, y]))
    return layers.ReLU()(layers.Add()([pointwise(x, channels, strides), y]))


class ABlock(layers.Layer):
    """A separable residual block as a layer of its own."""

    def __init__(self, channels, strides, fits):
        super().__init__()
        self.depthwise = layers.DepthwiseConv2D(3, strides, "same", use_bias=False)
        self.pointwise = layers.Conv2D(channels, 1, use_bias=False)
        self.norms = [layers.BatchNormalization(), layers.BatchNormalization()]
        self.past = None if fits else layers.Conv2D(channels, 1, strides, use_bias=False)
        self.add = layers.Add()

    def call(self, x, training=False):
        y = ops.relu(self.norms[0](self.depthwise(x), training=training))
        y = self.norms[1](self.pointwise(y), training=training)
        return ops.relu(self.add([self.past(x) if self.past else x, y]))


@right("separable_block")
def in_a_layer_of_its_own(x, channels, *, strides):
    return ABlock(channels, strides, strides == 1 and x.shape[-1] == channels)(x)


def block(
    *,
    first=depthwise,
    middle=lambda y: layers.ReLU()(norm(y)),
    second=pointwise,
    last=norm,
    project=lambda x, channels, s: s != 1 or x.shape[-1] != channels,
    past=pointwise,
    join=lambda x, y: layers.ReLU()(layers.Add()([x, y])),
):
    """A separable block, with one rule changed."""

    def made(x, channels, *, strides):
        y = last(second(middle(first(x, strides)), channels))
        if project(x, channels, strides):
            x = past(x, channels, strides)
        return join(x, y)

    return made


def relu(x):
    return layers.ReLU()(x)


def plain_convolution(x, strides):
    return layers.Conv2D(x.shape[-1], 3, strides, "same", use_bias=False)(x)


def strides_at_the_end(x, channels, *, strides):
    y = norm(pointwise(relu(norm(depthwise(x, 1))), channels, strides))
    if strides != 1 or x.shape[-1] != channels:
        x = pointwise(x, channels, strides)
    return relu(layers.Add()([x, y]))


def pointwise_first(x, channels, *, strides):
    y = norm(depthwise(relu(norm(pointwise(x, channels))), strides))
    if strides != 1 or x.shape[-1] != channels:
        x = pointwise(x, channels, strides)
    return relu(layers.Add()([x, y]))


def shortcut_from_the_middle(x, channels, *, strides):
    y = relu(norm(depthwise(x, strides)))
    if strides != 1 or x.shape[-1] != channels:
        return relu(layers.Add()([pointwise(y, channels), norm(pointwise(y, channels))]))
    return relu(layers.Add()([x, norm(pointwise(y, channels))]))


def all_in_one_layer(x, channels, *, strides):
    y = layers.SeparableConv2D(channels, 3, strides=strides, padding="same", use_bias=False)(x)
    y = norm(y)
    if strides != 1 or x.shape[-1] != channels:
        x = pointwise(x, channels, strides)
    return relu(layers.Add()([x, y]))


for said, function in (
    (["SeparableConv2D does both", "come between"], all_in_one_layer),
    (["Conv2D of 3x3 mixes the channels"], block(first=plain_convolution)),
    (["DepthwiseConv2D of 3x3 has a bias"],
     block(first=lambda x, s: depthwise(x, s, use_bias=True))),
    (["Conv2D of 1x1 has a bias"],
     block(second=lambda x, channels: pointwise(x, channels, use_bias=True))),
    (["4 channels become 4, strides 2", "Conv2D of 1x1 has a bias"],
     block(past=lambda x, channels, s: pointwise(x, channels, s, use_bias=True))),
    (["activation 'relu' built in"],
     block(first=lambda x, s: depthwise(x, s, activation="relu"))),
    (["activation 'relu' built in"],
     block(past=lambda x, channels, s: pointwise(x, channels, s, activation="relu"))),
    (["kernel is 5x5"], block(first=lambda x, s: layers.DepthwiseConv2D(
        5, strides=s, padding="same", use_bias=False)(x))),
    (["8 channels come out"], block(first=lambda x, s: depthwise(x, s, depth_multiplier=2))),
    (["strides (1, 1), where 2 are asked"], strides_at_the_end),
    (["comes after the depthwise one"], pointwise_first),
    (["no depthwise convolutions"], block(first=lambda x, s: layers.MaxPooling2D(
        3, strides=s, padding="same")(x))),
    (["2 depthwise convolutions"], block(first=lambda x, s: depthwise(depthwise(x, s), 1))),
    (["no 1x1 convolution that mixes"], block(second=lambda x, channels: x)),
    (["0 batch normalisations"], block(middle=relu, last=lambda y: y)),
    (["1 batch normalisations"], block(last=lambda y: y)),
    (["1 batch normalisations"], block(middle=relu)),
    (["scale of the depthwise kernel", "right after"],
     block(middle=relu, last=lambda y: norm(norm(y)))),
    (["scale of the 1x1 kernel"],
     block(middle=lambda y: relu(norm(norm(y))), last=lambda y: y)),
    (["what goes into the second convolution has negative values", "belongs between"],
     block(middle=norm)),
    (["comes after batch normalisation, not before"], block(middle=lambda y: norm(relu(y)))),
    (["what the convolutions add is never negative"], block(last=lambda y: relu(norm(y)))),
    (["what the convolutions add is never negative"], block(last=lambda y: norm(relu(y)))),
    (["negative values", "after the addition"], block(join=lambda x, y: layers.Add()([x, y]))),
    (["negative values", "after the addition"],
     block(join=lambda x, y: layers.Add()([x, relu(y)]))),
    (["shortcut is never negative"],
     block(join=lambda x, y: relu(layers.Add()([relu(x), y])))),
    (["nothing is added"], block(join=lambda x, y: relu(y))),
    (["shortcut is missing"], block(join=lambda x, y: relu(layers.Add()([y, y])))),
    (["side by side"], block(join=lambda x, y: relu(layers.Concatenate()([x, y])))),
    (["strides 3", "not (3, 2, 5)"], lambda x, channels, *, strides: (
        with_a_normalised_shortcut(x, channels, strides=min(strides, 2)))),
    (["2 convolutions of 1x1", "x itself"], block(project=lambda x, channels, s: True)),
    (["should be ReLU(x)"], block(join=lambda x, y: relu(layers.Add()([norm(2 * x), y])))),
    (["strides 2", "no 1x1 convolution gets x itself"], shortcut_from_the_middle),
    (["strides 2", "makes (9, 6, 4), where (5, 3, 4) is added"], block(
        past=lambda x, channels, s: layers.MaxPooling2D(s, padding="same")(
            pointwise(x, channels)))),
    (["strides 2", "no 1x1 convolution gets x itself"], block(
        past=lambda x, channels, s: pointwise(
            layers.AveragePooling2D(s, padding="same")(x), channels))),
    (["strides 2", "1 convolutions of 1x1, where two"], block(
        past=lambda x, channels, s: layers.MaxPooling2D(s, padding="same")(x))),
    (["strides 2", "stops in line"], block(project=lambda x, channels, s: x.shape[-1] != channels)),
    (["3 channels become 5", "stops in line"], block(project=lambda x, channels, s: s != 1)),
    (["stops in line"], block(first=lambda x, s: depthwise(x, s, padding="valid"))),
    (["3 channels become 5", "(7, 8, 4), not (7, 8, 5)"], lambda x, channels, *, strides: (
        with_a_normalised_shortcut(x, 4, strides=strides))),
    (["strides 2", "it makes (9, 6, 4), not (5, 3, 4)"], lambda x, channels, *, strides: (
        with_a_normalised_shortcut(x, channels, strides=1))),
    (["returns a Functional"], lambda x, channels, *, strides: keras.Model(
        x, with_a_normalised_shortcut(x, channels, strides=strides))),
    (["as it was"], lambda x, channels, *, strides: x),
    (["returns None"], lambda x, channels, *, strides: None),
):  # fmt: skip
    wrong("separable_block", *said)(function)


# --- 4.6 ------------------------------------------------------------------------------------------


@right("logmel_network")
def of_separable_blocks(n_frames, n_bands, n_classes):
    inputs = keras.Input((n_frames, n_bands))
    x = ops.expand_dims(inputs, -1)
    x = layers.Conv2D(8, 5, strides=(2, 4), padding="same", use_bias=False)(x)
    x = relu(norm(x))
    for channels in (12, 16):
        x = with_a_normalised_shortcut(x, channels, strides=2)
    x = layers.Dropout(0.3)(ops.mean(x, axis=(1, 2)))
    return keras.Model(inputs, layers.Dense(n_classes)(x))


@right("logmel_network")
def sequential_with_pooling(n_frames, n_bands, n_classes):
    network = keras.Sequential(
        [keras.Input((n_frames, n_bands)), layers.Reshape((n_frames, n_bands, 1))]
    )
    for channels in (8, 16, 24):
        network.add(layers.Conv2D(channels, 3, activation="relu"))
        network.add(layers.BatchNormalization())
        network.add(layers.MaxPooling2D(2))
    network.add(layers.SpatialDropout2D(0.2))
    network.add(layers.GlobalAveragePooling2D(keepdims=True))
    network.add(layers.Flatten())
    network.add(layers.Dense(n_classes))
    return network


@right("logmel_network")
def convolutions_to_the_end(n_frames, n_bands, n_classes):
    """The last convolution has a channel for each class; the mean of it are the logits."""
    inputs = keras.Input((n_frames, n_bands), name="log_mel")
    x = layers.Reshape((n_frames, n_bands, 1))(layers.BatchNormalization(axis=-1)(inputs))
    x = layers.Conv2D(16, 3, strides=2)(x)
    x = layers.Activation("gelu")(layers.BatchNormalization()(x))
    x = layers.Conv2D(24, 3, strides=2)(x)
    x = layers.Dropout(0.2)(layers.ReLU()(layers.BatchNormalization()(x)))
    x = layers.Conv2D(n_classes, 1)(x)
    return keras.Model(inputs, layers.GlobalAveragePooling2D()(x))


@right("logmel_network")
def mean_of_both_axes_in_turn_and_a_hidden_layer(n_frames, n_bands, n_classes):
    inputs = keras.Input((n_frames, n_bands))
    x = layers.Conv2D(12, 3, padding="same", use_bias=False)(
        layers.AveragePooling2D(2)(layers.Reshape((n_frames, n_bands, 1))(inputs))
    )
    x = in_a_layer_of_its_own(layers.ReLU()(layers.BatchNormalization()(x)), 16, strides=2)
    x = layers.GlobalAveragePooling1D()(layers.Reshape((-1, 16))(x))
    x = layers.Dropout(0.4)(layers.Dense(32, activation="relu")(x))
    positive = keras.initializers.RandomUniform(0, 0.2)  # and yet logits
    return keras.Model(inputs, layers.Dense(n_classes, kernel_initializer=positive)(x))


def logmel(
    *,
    picture=lambda t, n: layers.Reshape((t, n, 1)),
    strides=(2, 2, 2),
    channels=(8, 12, 16),
    kernel=3,
    normal=lambda: layers.BatchNormalization(),
    active=lambda: layers.ReLU(),
    pool=lambda: layers.GlobalAveragePooling2D(),
    rate=0.3,
    end=None,
    last=lambda x: x,
    size=lambda t, n: (t, n),
):
    """A network of convolutions, with one rule changed."""

    def made(n_frames, n_bands, n_classes):
        shape = size(n_frames, n_bands)
        inputs = keras.Input(shape)
        x = picture(*shape)(inputs)
        for n, step in zip(channels, strides, strict=True):
            x = layers.Conv2D(n, kernel, strides=step, padding="same", use_bias=False)(x)
            x = active()(normal()(x))
        x = pool()(x)
        x = layers.Dropout(rate)(x) if rate is not None else x
        return keras.Model(inputs, last(layers.Dense(n_classes, activation=end)(x)))

    return made


def frozen(attempt):
    def made(*sizes):
        network = attempt(*sizes)
        network.trainable = False
        return network

    return made


for said, function in (
    (["add up to 1", "from_logits"], logmel(end="softmax")),
    (["add up to 1"], logmel(last=layers.Softmax())),
    (["'sigmoid'"], logmel(end="sigmoid")),
    (["between 0 and 1"], logmel(last=ops.sigmoid)),
    (["never negative"], logmel(last=ops.relu)),
    (["parameters: stay below 300,000"], logmel(channels=(64, 128, 256))),
    (["parameters: stay below 300,000"], logmel(
        channels=(16, 32, 64),
        pool=lambda: keras.Sequential([layers.Flatten(), layers.Dense(64)]))),
    (["for 172 frames and", "for 344", "pool over"], logmel(pool=layers.Flatten)),
    (["for 172 frames and", "for 344"], logmel(
        pool=lambda: keras.Sequential([layers.AveragePooling2D((2, 8)), layers.Flatten()]))),
    (["highest of all places", "the mean of each channel"], logmel(pool=layers.GlobalMaxPooling2D)),
    (["the mean of each channel over all places is missing"], logmel(
        pool=lambda: lambda x: layers.Flatten()(ops.mean(x, axis=1)))),
    (["the mean of each channel over all places is missing"], logmel(
        pool=lambda: lambda x: ops.sum(x, axis=(1, 2)) / 100)),
    (["(1, 172, 64)", "values stand where the channels belong"],
     logmel(picture=lambda t, n: layers.Reshape((1, t, n)), strides=((1, 2), (1, 2), (1, 2)))),
    (["stand where the channels belong"],
     logmel(picture=lambda t, n: layers.Reshape((t, 1, n)), strides=((2, 1), (2, 1), (2, 1)))),
    (["(64, 172, 1)", "swaps no axes"], logmel(picture=lambda t, n: layers.Reshape((n, t, 1)))),
    (["full size", "strides"], logmel(strides=(1, 1, 1))),
    (["first two convolutions go over all 172 x 64"], logmel(strides=(1, 1, 4))),
    (["first two convolutions go over all 172 x 64"],
     logmel(strides=(1, 1, 2, 2), channels=(8, 8, 12, 16))),
    (["no batch normalisation"], logmel(normal=lambda: layers.Activation("linear"))),
    (["no activation"], logmel(active=lambda: layers.Activation("linear"))),
    (["2 of the 2 convolutions after the first get what no activation"], logmel(
        active=lambda: layers.Activation("linear"),
        pool=lambda: lambda x: layers.GlobalAveragePooling2D()(ops.relu(x)))),
    (["below 0 dB"], logmel(
        picture=lambda t, n: lambda x: ops.relu(layers.Reshape((t, n, 1))(x)))),
    (["frozen"], frozen(logmel())),
    (["no dropout"], logmel(rate=None)),
    (["drops nothing"], logmel(rate=0.0)),
    (["some of its logits are 0", "before the last dense layer"],
     logmel(rate=None, last=layers.Dropout(0.3))),
    (["1 Conv2D among its layers"], logmel(strides=(4,), channels=(16,))),
    (["(None, 172, 64, 1)", "the network itself adds"],
     logmel(size=lambda t, n: (t, n, 1), picture=lambda t, n, _: layers.Activation("linear"))),
    (["time comes first"], logmel(size=lambda t, n: (n, t))),
    (["stops in line"], logmel(picture=lambda t, n: layers.Activation("linear"))),
    (["(200, 80, 7) instead", "(None, 172, 80)", "none is written into it"],
     logmel(size=lambda t, n: (t if t == 344 else 172, n))),
    (["(200, 80, 7) instead", "output has the shape (None, 10)"],
     lambda t, n, k: logmel()(t, n, 10)),
    (["(200, 80, 7) instead", "stops in line"],
     logmel(picture=lambda t, n: layers.Reshape((t, 64, 1)))),
    (["output has the shape (None, 22, 8, 10)", "pool over it"],
     logmel(pool=lambda: layers.Activation("linear"))),
    (["whatever is in the first"], logmel(
        pool=lambda: lambda x: layers.GlobalAveragePooling2D()(x[:, -4:]))),
    (["0 Conv2D among its layers"], lambda t, n, k: keras.Sequential([
        keras.Input((t, n)), layers.Conv1D(16, 5, strides=2), layers.BatchNormalization(),
        layers.ReLU(), layers.GlobalAveragePooling1D(), layers.Dropout(0.3), layers.Dense(k)])),
    (["Keras tensor"], lambda t, n, k: logmel()(t, n, k).output),
    (["returns None"], lambda t, n, k: None),
):  # fmt: skip
    wrong("logmel_network", *said)(function)
