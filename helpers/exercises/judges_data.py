"""Shared judges of what is done to data before training: class weights, standardisation."""

import numpy as np

from helpers.exercises.engine import Wrong, case
from helpers.exercises.judges import need_array, need_numbers, need_parts, row_of, say_if


def judge_class_weights(found, counts, names):
    """Raise Wrong unless all classes have the same total weight, and the mean over clips is 1.

    found, counts: (n_classes,), weight and number of clips; a class without clips weighs 0.
    names: of the classes, for the message.
    """
    n, here = counts.sum(), counts > 0
    alone = np.where(here, n / np.maximum(counts, 1), 0)
    right = alone / here.sum()
    close = {"rtol": 2e-3, "within": 1e-6}
    if np.allclose(found, right, rtol=2e-3, atol=1e-6):
        return
    told = f"it returns {row_of(found)}, where {row_of(right)} is right: "
    say_if(found, [
        (counts / n, "these are the shares of the clips. A rare class needs the larger weight"),
        (alone / len(counts), f"n_classes is {len(counts)}, but only {here.sum()} of them have "
         "clips: divide by that number"),
        (alone / n, "these are 1 / count: the mean weight of a clip is not 1 yet"),
        (alone, "each class alone weighs as much as all clips: divide by the number of classes"),
        (alone * counts.max() / n, "the largest class weighs 1: the mean over all clips must be 1"),
        (right / right.sum() * here.sum(), "the mean over the classes is 1: that over clips must "
         "be 1"),
        (right / right.sum(), "they add up to 1: their mean over all clips must be 1"),
    ], **close, told=told)  # fmt: skip
    if found[~here].any():
        k = int(np.argmax(~here & (found != 0)))
        raise Wrong(f"{told}class {names[k]} has no clips, and weighs {found[k]:.4g}, not "
                    "0")  # fmt: skip
    classes, total = np.flatnonzero(here), found * counts
    few, many = (classes[pick(counts[here])] for pick in (np.argmin, np.argmax))
    if found[few] < found[many]:
        raise Wrong(f"{told}the rare class {names[few]} has a smaller weight than {names[many]}")
    if not np.allclose(total[here], total[many], rtol=2e-3):
        raise Wrong(
            f"{told}weight times clips is {total[many]:.4g} for class {names[many]} and "
            f"{total[few]:.4g} for class {names[few]}; it must be the same for all"
        )
    raise Wrong(f"{told}the mean over all clips is {total.sum() / n:.4g}, and 1 is asked for")


def judge_standardised(answer, training, other, *, names, constant, value, within):
    """Raise Wrong unless both parts are scaled with mean and deviation of the training part.

    answer: what an attempt returned. training, other: (n_clips, n_values) or (n_clips, n_frames,
    n_values). names: of the two parts. constant: indices of the values that are the same in all of
    the training part: from these only the mean is subtracted. value: what a value is called.
    within: how close, absolute and relative.
    """
    axes = tuple(range(training.ndim - 1))
    told = ("n_clips", *("n_frames",) * (len(axes) - 1), f"n_{value}s")
    found = [need_numbers(part, axes=told) for part in need_parts(answer, *names)]
    if [part.shape for part in found] == [other.shape, training.shape]:
        raise Wrong("the training part comes first, then the other part")
    for name, part, given in zip(names, found, (training, other), strict=True):
        with case(name):
            if part.shape == given.shape and not np.isfinite(part[..., constant]).all():
                raise Wrong(
                    f"{value} {constant[0]} is the same in all training clips, and comes back as "
                    "NaN or infinite: it is divided by 0"
                )
            need_array(part, shape=given.shape, axes=told)
    training, other = training.astype(float), other.astype(float)

    def scaled(mean, spread):
        spread = np.where(np.asarray(spread) > 0, spread, 1)
        return [(part - mean) / spread for part in (training, other)]

    def agrees(way, within, parts=slice(None), values=slice(None)):
        return all(
            np.allclose(a[..., values], b[..., values], rtol=within, atol=within)
            for a, b in zip(found[parts], way[parts], strict=True)
        )

    mean, deviation = np.average(training, axis=axes), training.std(axis=axes)
    varied = np.ptp(training, axes) > 0
    ways = [scaled(mean, training.std(axis=axes, ddof=ddof) * varied) for ddof in (0, 1)]
    if any(agrees(way, within) for way in ways):
        return
    if any(agrees(way, within, values=varied) for way in ways):
        k = constant[0]
        centre, given, back = (part[..., k].flat[0] for part in (training, other, found[1]))
        raise Wrong(
            f"{value} {k} is {centre:g} in all training clips; {given:.4g} in the {names[1]} part "
            f"comes back as {back:.4g}, where {given - centre:.4g} is right: only the mean is "
            "subtracted"
        )
    if agrees((training, other), within):
        raise Wrong("both parts are as they were")
    for way, what in _other_scales(training, other, scaled, mean, deviation, value):
        if agrees(way, 0.03, values=varied):  # with either standard deviation
            raise Wrong(what)
    if any(agrees(way, within, parts=slice(1)) for way in ways):
        raise Wrong(f"the training part is right, but the {names[1]} part is not scaled like it")
    means, spreads = (f(found[0], axis=axes).round(2).tolist() for f in (np.mean, np.std))
    raise Wrong(
        f"the {value}s of the training part have means {means} and standard deviations {spreads}: "
        "0 and 1 are right"
    )


def _other_scales(training, other, scaled, mean, deviation, value):
    """What known mistakes of standardisation give: (both parts, what is wrong)."""
    axes = tuple(range(training.ndim - 1))
    both = np.concatenate([training, other])
    low, high = training.min(axis=axes), training.max(axis=axes)
    brackets = mean / np.where(deviation > 0, deviation, 1)
    by_range = "between the lowest and the highest: mean and standard deviation are asked for"

    def by_itself(axis):
        means = (part.mean(axis=axis, keepdims=True) for part in (training, other))
        spreads = (part.std(axis=axis, keepdims=True) for part in (training, other))
        return [
            (part - mean) / np.where(spread > 0, spread, 1)
            for part, mean, spread in zip((training, other), means, spreads, strict=True)
        ]

    yield scaled(mean, 1), "only the mean is subtracted: divide by the standard deviation too"
    yield scaled(0, deviation), "the mean is not subtracted"
    yield scaled(brackets, 1), "mean / deviation is subtracted: brackets are missing"
    yield (
        scaled(mean, deviation**2),
        "it is divided by the variance: divide by its root, the standard deviation",
    )
    yield scaled(low, high - low), f"it goes from 0 to 1, {by_range}"
    yield scaled((low + high) / 2, (high - low) / 2), f"it goes from -1 to 1, {by_range}"
    yield (
        scaled(both.mean(axis=axes), both.std(axis=axes)),
        "mean and deviation are of both parts together: use those of the training part alone",
    )
    yield (
        by_itself(axes),
        "the other part is scaled with its own mean and deviation, so that a clip changes with the "
        "clips beside it: use those of the training part",
    )
    yield (
        scaled(training.mean(), training.std()),
        f"mean and deviation are over all {value}s at once: each {value} has its own",
    )
    yield (
        scaled(mean, training.std()),
        f"the deviation is over all {value}s at once: each {value} has its own",
    )
    yield by_itself(1), "each clip is scaled by itself (axis 1): use all training clips"
    if len(axes) > 1:
        yield by_itself(2), f"each frame is scaled by itself (axis 2): a {value} has its own mean"
        yield (
            scaled(training.mean(axis=0), training.std(axis=0)),
            "each frame has a mean and a deviation of its own (axis 0): go over the frames as well",
        )
