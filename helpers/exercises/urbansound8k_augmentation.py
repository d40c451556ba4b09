"""The checks of 04_urbansound8k_cnn: mixup and SpecAugment."""

import math

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import (
    are_even,
    judge_seed,
    judge_starts,
    need_array,
    need_parts,
    say_if,
    worst_of,
)


@check(
    "4.3",
    "mixup of two clips",
    "First make both equally loud: what must you divide a clip by to get a mean power of 1?",
    "Power is the square of amplitude. If `share` multiplies the amplitude, what multiplies the "
    "power?",
    "Multiply powers by the squares of the shares, labels by the shares themselves. Then add each "
    "pair.",
)
def mixup(attempt):
    """mixup(a, b, label_a, label_b, *, share) → (power (n_frames, n_bands), label (n_classes,))."""
    rng = np.random.default_rng(43)
    for what, shape, n_classes, share, dtype in (
        ("20 frames of 8 bands, 3 classes", (20, 8), 3, 0.3, float),
        ("11 frames of 16 bands, 10 classes", (11, 16), 10, 0.75, np.float32),
        ("labels that are already mixed", (9, 4), 5, 0.6, float),
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
    """Raise Wrong unless `found` is the power of the mix of two sounds."""
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
        (share * a + rest * b, "the powers are multiplied by the shares: these are shares of the "
         "amplitudes, and power is the square of amplitude"),
        (share**2 * raw[0] + rest**2 * raw[1], "the clips are not equally loud before they are "
         "mixed: scale each to a mean power of 1"),
        (share * raw[0] + rest * raw[1], "the clips are mixed unchanged: scale each to a mean "
         "power of 1, and multiply powers by the squares of the shares"),
        (share**0.5 * a + rest**0.5 * b, "the powers are multiplied by the roots of the shares: "
         "multiply them by the squares"),
        (rest**2 * a + share**2 * b, "a and b are swapped: `share` is of a, and 1 - share of b"),
        (right / (share**2 + rest**2), "the mix is divided by the sum of the squares, or scaled to "
         "a mean power of 1 again: do not scale the mix"),
        ((share * np.sqrt(a) + rest * np.sqrt(b)) ** 2, "the amplitudes are added and squared: add "
         "the powers, because the phases of two sounds are independent"),
        (share**2 * raw[0] / raw[0].max() + rest**2 * raw[1] / raw[1].max(), "the clips are scaled "
         "to a maximum of 1: scale them to a mean of 1"),
        (share**2 * raw[0] / raw[0].sum() + rest**2 * raw[1] / raw[1].sum(), "the clips are scaled "
         "to a sum of 1: scale them to a mean of 1"),
        (share**2 * columns[0] + rest**2 * columns[1], "every band is scaled to a mean of 1 by "
         "itself (axis 0): use one number for the whole clip"),
        (share**2 * rows[0] + rest**2 * rows[1], "every frame is scaled to a mean of 1 by itself "
         "(axis 1): use one number for the whole clip"),
        (np.exp(logarithm), "it adds logarithms: add the powers themselves"),
        (a + b, "both clips are added at full power: the shares are missing"),
    ], within=within, told="power: ")  # fmt: skip
    raise Wrong(
        f"power: its mean is {found.mean():.4g}, where share² + (1 - share)² = {right.mean():.4g} "
        f"is right; {worst_of(found, right, 'frame', 'band')}"
    )


def _explain_mixed_label(found, a, b, share):
    """Raise Wrong unless `found` is the label of the mix of two sounds."""
    rest = 1 - share
    right = share * a + rest * b
    if np.abs(found - right).max() < 1e-4:
        return
    squares = share**2 * a + rest**2 * b
    shown = found.round(3).tolist()
    say_if(found, [
        (squares, "it is mixed by the squares of the shares, which are for power: use the shares"),
        (squares / squares.sum(), "it is mixed by the squares of the shares, which are for power: "
         "use the shares"),
        (rest * a + share * b, "label_a and label_b are swapped: `share` is of label_a, and "
         "1 - share of label_b"),
        ((a + b) / 2, "both have the same weight: the weights are `share` and 1 - share"),
        (np.maximum(a, b), "both have weight 1: the weights are `share` and 1 - share"),
        (a + b, "both have weight 1: the weights are `share` and 1 - share"),
        (a if share > 0.5 else b, "it is the label of the louder clip alone: mix both labels"),
        (a, "it is label_a alone: mix both labels"),
    ], within=1e-4, told=f"label: it is {shown}; ")  # fmt: skip
    raise Wrong(f"label: it is {shown}, where {right.round(3).tolist()} is right")


@check(
    "4.4",
    "SpecAugment",
    "Begin with a copy. Hide consecutive frames, and consecutive bands: draw a place for each with "
    "`rng`.",
    "The last place that fits is len(x) - width_frames. `rng.integers(k)` draws from 0 to k - 1: "
    "what must k be?",
    "Frames are rows, bands are columns: a slice of the first axis, or `[:, …]` of the second, "
    "covers all of the other axis. Use the mean of x before anything is hidden.",
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
            judge_seed(
                lambda rng, x=x, given=given: [
                    _hidden_places(call(attempt, x, **given, rng=rng), x, **given)
                    for _ in range(20)
                ],
                what="places",
            )
    x = draw.normal(-40, 9, (6, 9))
    with case("as many frames are hidden as there are"):
        given = {"width_frames": 6, "width_bands": 2, "rng": np.random.default_rng(4)}
        found = need_array(call(attempt, x, **given), shape=x.shape, axes=("n_frames", "n_bands"))
        if np.abs(found - x.mean()).max() > 1e-2:
            raise Wrong("all frames must be hidden, so that all values are the mean of x")


def _hidden_places(found, x, *, width_frames, width_bands):
    """(first frame, first band) of what is hidden, or Wrong."""
    found = need_array(found, shape=x.shape, axes=("n_frames", "n_bands"))
    changed = np.abs(found - x) > 1e-3
    if not changed.any():
        raise Wrong("nothing is hidden: it returns x")
    values, mean = found[changed], float(np.average(x))
    if changed.all() and np.ptp(values) > 1e-2:
        raise Wrong("all values are changed: change only what is hidden")
    rows, columns = changed.all(axis=1), changed.all(axis=0)
    if np.abs(values - mean).max() > 1e-2:
        _explain_hidden_values(found, x, changed, (rows, columns))
    if (changed & ~rows[:, None] & ~columns).any():
        touched = changed.any(axis=1), changed.any(axis=0)
        if (touched[0].sum(), touched[1].sum()) == (width_frames, width_bands):
            raise Wrong("only a patch is hidden: hide the frames over all bands, and the bands "
                        "over all frames")  # fmt: skip
        raise Wrong("the hidden values are neither whole frames nor whole bands")
    counts = rows.sum(), columns.sum()
    if counts == (width_bands, width_frames) != (width_frames, width_bands):
        raise Wrong(f"{counts[0]} frames and {counts[1]} bands are hidden: the widths are swapped")
    for hidden, width, name in ((rows, width_frames, "frames"), (columns, width_bands, "bands")):
        if hidden.sum() != width:
            told = f"{hidden.sum()} {name} are hidden, where width_{name} is {width}"
            if 0 < hidden.sum() < width and hidden[-1]:
                told += f": the last place where they fit is {len(hidden) - width}"
            raise Wrong(told)
        if (np.diff(np.flatnonzero(hidden)) > 1).any():
            told = f"the {name} {', '.join(map(str, np.flatnonzero(hidden)))} are hidden"
            if hidden[0] and hidden[-1] and np.diff(hidden).sum() == 2:
                raise Wrong(f"{told}: they go on from the end to the beginning")
            raise Wrong(f"{told}: they must be consecutive")
    return int(rows.argmax()), int(columns.argmax())


def _explain_hidden_values(found, x, changed, hidden):
    """Raise Wrong, with the values that are hidden parts in place of the mean."""
    rows, columns = hidden
    values = found[changed]
    mean = x.mean()
    if np.abs(values).max() < 1e-3:
        raise Wrong(f"the hidden values are 0, which in decibels is very loud here: use the mean, "
                    f"{mean:.1f}")  # fmt: skip
    after = x.copy()
    after[rows] = mean
    for value, name in (
        (x.min(), "the minimum"),
        (x.max(), "the maximum"),
        (np.median(x), "the median"),
        (x[~changed].mean(), "the mean of what is not hidden"),
    ):
        if np.abs(values - value).max() < 1e-2:
            raise Wrong(f"the hidden values are {value:.2f}, {name}: use the mean of all of x, "
                        f"{mean:.2f}")  # fmt: skip
    for part, axis, name in ((rows, 0, "band"), (columns, 1, "frame")):
        own = np.broadcast_to(x.mean(axis=axis, keepdims=True), x.shape)
        where = changed & (part[:, None] if axis == 0 else part)
        if where.any() and np.abs(found - own)[where].max() < 1e-2:
            raise Wrong(f"each hidden value is the mean of its {name}: use the mean of all of x, "
                        f"{mean:.2f}")  # fmt: skip
    if np.ptp(values) > 1e-2:
        late = found[changed & ~rows[:, None]]
        if late.size and np.ptp(late) < 1e-2 and np.abs(late - after.mean()).max() < 1e-2:
            raise Wrong("the bands have the mean after frames were hidden: use the mean of the "
                        "original x")  # fmt: skip
        raise Wrong(f"the hidden values go from {values.min():.2f} to {values.max():.2f}: set all "
                    f"of them to the mean, {mean:.2f}")  # fmt: skip
    raise Wrong(f"the hidden values are {values[0]:.2f}, where the mean of x is {mean:.2f}")


def _explain_places(places, n_places):
    """Raise Wrong unless all places are equally likely, and both axes are independent."""
    for k, name in enumerate(("frame", "band")):
        judge_starts(places[:, k], n_places[k], name)
    table = np.zeros(n_places)
    np.add.at(table, tuple(places.T), 1)
    if are_even(table):
        return
    told = "the place of the bands depends on that of the frames: draw once for each"
    if (table > 0).sum() <= max(n_places):
        raise Wrong(f"{told} (frames hidden at {places[0, 0]} always come with bands at "
                    f"{places[0, 1]})")  # fmt: skip
    raise Wrong(told)
