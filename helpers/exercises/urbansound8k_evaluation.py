"""The checks of 04_urbansound8k_cnn: recall and calibration."""

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_number, need_numbers, row_of, say_if


@check(
    "4.12",
    "recall per class",
    "For each class: how many clips does it have, and how many of these are classified correctly?",
    "`np.bincount` counts both: all of `truth`, and `truth` where it equals `guess`. Its "
    "`minlength` keeps a place for every class.",
    "A class without clips has 0 / 0: `np.divide` with `where`, or beginning with "
    "`np.full(n_classes, np.nan)`, leaves `nan` there.",
)
def recall_per_class(attempt):
    """recall_per_class(truth, guess, n_classes) → float (n_classes,), nan without clips."""
    rng = np.random.default_rng(412)
    truth = rng.permutation(np.repeat([0, 1, 2, 3], [20, 10, 5, 8]))
    guess = np.where(rng.random(43) < 0.6, truth, rng.choice(4, 43, p=[0.1, 0.3, 0.2, 0.4]))
    for what, a, b, n_classes in (
        ("four classes", truth, guess, 4),
        ("all are right", truth[::-1], truth[::-1].copy(), 4),
        ("class 2 has no clips", truth[truth != 2], guess[truth != 2], 4),
        ("class 2 is never guessed", truth, np.where(guess == 2, 1, guess), 4),
        ("class 5 has no clips, but is guessed", truth, np.where(guess == truth, guess, 5), 7),
        ("one clip", np.array([1]), np.array([0]), 3),
    ):
        with case(what), np.errstate(all="ignore"):
            found = need_numbers(call(attempt, a, b, n_classes), axes=("n_classes",))
            _explain_recall(found, a, b, n_classes)


def _explain_recall(found, truth, guess, n_classes):
    """Raise Wrong unless `found` has the recall of each class."""
    classes, hit = np.arange(n_classes)[:, None], truth == guess
    of_truth, of_guess = (np.count_nonzero(classes == x, axis=1) for x in (truth, guess))
    hits = np.count_nonzero((classes == truth) & hit, axis=1)
    right = hits / of_truth
    here = of_truth > 0
    once = np.minimum(hits, 1)
    pairs = np.array([len(set(guess[truth == k])) for k in range(n_classes)])
    told = f"it returns {row_of(found.ravel())}, where {row_of(right)} is right"
    if found.shape == (here.sum(),) != (n_classes,):
        raise Wrong(f"{told}: there are {n_classes} classes, some of them without clips (`nan`)")
    if found.shape == ():
        raise Wrong(f"it returns one number, {found:.3g}: return one for each class")
    if found.shape != (n_classes,):
        raise Wrong(f"it returns shape {found.shape}, where ({n_classes},) is needed")  # fmt: skip
    if np.allclose(found, right, atol=1e-4, equal_nan=True):
        return
    ignored = np.isnan(found)
    for other, name in (
        (hits / of_guess, "this is the precision, a share of the guesses of a class: use a share "
         "of its clips"),
        (hits, "these are numbers of clips: divide by the clips of each class"),
        (hits / len(truth), "these are shares of all clips: use shares of the clips of the class"),
        (2 * hits / (of_truth + of_guess), "this is F1: return the recall"),
        (100 * right, "these are percent: return shares from 0 to 1"),
        (1 - right, "this is the share of errors"),
        (of_truth / len(truth), "these are the shares of the classes"),
        (1 - (of_truth + of_guess - 2 * hits) / len(truth), "this is the accuracy of one class "
         "against all others: use the clips of the class alone"),
        (np.full(n_classes, np.mean(hit)), "this is the accuracy of all clips"),
        (once / pairs, "each pair of true and guessed class counts only once: "
         "`table[truth, guess] += 1` adds 1 to each place once; use `np.add.at`"),
        (np.floor(right), "the fraction is lost, as in an array of integers"),
    ):  # fmt: skip
        same = here & ~ignored & np.isfinite(other)
        if same.any() and np.allclose(found[same], other[same], atol=1e-4) and not np.allclose(
            other[same], right[same]
        ):  # fmt: skip
            raise Wrong(f"{told}: {name}")
    if np.allclose(found[here], right[here], atol=1e-4):
        k = int(np.argmin(here))
        raise Wrong(f"{told}: class {k} has no clips: its recall is undefined, `nan`")  # fmt: skip
    if (here & ignored).any():
        k = int(np.argmax(here & ignored))
        raise Wrong(f"{told}: class {k} has {of_truth[k]} clips, so it has a recall")
    raise Wrong(told)


@check(
    "4.14",
    "the calibration error",
    "Which of the ten bins is a clip in? Ten times the confidence, rounded down, for all values "
    "but one.",
    "In each bin: the mean confidence, the share of right clips, and the distance between these. "
    "Bins without clips do not count.",
    "Weight by clips: sum the distance times the number of clips of each bin, and divide by the "
    "number of all clips. A confidence of 1 belongs to the last bin.",
)
def calibration_error(attempt):
    """calibration_error(confidence, right) → float."""
    rng = np.random.default_rng(414)

    def drawn(n, low, high, skill):
        confidence = low + (high - low) * rng.random(n) ** 0.7
        confidence = confidence.clip(0.001, 0.999)
        at_edge = np.abs(confidence * 10 - np.round(confidence * 10)) < 0.02
        confidence += np.where(confidence > 0.5, -0.004, 0.004) * at_edge
        return confidence, rng.random(n) < skill(confidence)

    edges = np.array([0.5, 0.5, 0.5, 0.45, 0.44, 0.57, 0.0, 0.0, 0.03, 1.0, 1.0, 0.97, 0.93])
    hits = np.array([1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1], bool)
    for what, confidence, right in (
        ("300 clips, overconfident", *drawn(300, 0.1, 1, lambda c: c**2)),
        ("80 clips in a few bins, underconfident", *drawn(80, 0.35, 0.62, lambda c: c + 0.3)),
        ("some overconfident, some underconfident", *drawn(200, 0.0, 1, lambda c: 0.75 - 0.5 * c)),
        ("confidences of exactly 0, 0.5 and 1", edges, hits),
        ("three clips in one bin", np.array([0.72, 0.76, 0.74], np.float32), hits[[0, 3, 1]]),
    ):
        with case(what):
            found = call(attempt, confidence, right)
            if np.ndim(found) == 0 and found is not None and np.isnan(found):
                raise Wrong("it returns NaN: a bin without clips has no mean, and does not count")
            found = need_number(found, what="the calibration error")
            _explain_error(found, confidence.astype(float), right)


def _gaps(confidence, right, edges, *, closed="left"):
    """(confidence - accuracy, number of clips) of each bin. closed: the edge a bin includes."""
    part = np.searchsorted(edges, confidence, side="right" if closed == "left" else "left") - 1
    if closed == "left":
        part[confidence == edges[-1]] = len(edges) - 2
    gaps, sizes = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    for k in range(len(sizes)):
        own = part == k
        sizes[k] = own.sum()
        gaps[k] = confidence[own].mean() - right[own].mean() if own.any() else 0
    return gaps, sizes


def _explain_error(found, confidence, right):
    """Raise Wrong unless `found` is the expected calibration error."""
    n = len(confidence)
    tenths = np.arange(11) / 10
    gaps, sizes = _gaps(confidence, right, tenths)

    def error(edges, **options):
        gaps, sizes = _gaps(confidence, right, edges, **options)
        return (np.abs(gaps) * sizes).sum() / n

    wanted = (np.abs(gaps) * sizes).sum() / n
    if abs(found - wanted) < 1e-5:
        return
    told = f"it returns {found:.5g}, where {wanted:.5g} is right: "
    equal = np.quantile(confidence, tenths)
    kept = confidence < 1
    last = _gaps(confidence[kept], right[kept], tenths)
    eleven = _gaps(confidence, right, np.arange(12) / 10)
    middle = np.abs((tenths[:10] + 0.05) - np.divide(
        np.bincount(np.minimum((10 * confidence + 1e-9).astype(int), 9), right, 10), sizes,
        out=np.zeros(10), where=sizes > 0))  # fmt: skip
    say_if(found, [
        (100 * wanted, "this is in percent"),
        (abs(confidence.mean() - right.mean()), "this is the distance of the mean confidence from "
         "the accuracy over all clips: bins with opposite errors cancel"),
        (abs((gaps * sizes).sum()) / n, "the distances of the bins have signs, so that they "
         "cancel: take absolute values"),
        ((gaps * sizes).sum() / n, "the distances of the bins have signs, so that they cancel: "
         "take absolute values"),
        (np.abs(gaps[sizes > 0]).mean(), "every bin has the same weight: weight it by its clips"),
        (np.abs(gaps).mean(), "every bin has the same weight, even without clips: weight it by its "
         "clips"),
        (np.abs(gaps).max(), "this is the largest distance: their mean is asked for"),
        (np.abs(gaps).sum(), "this is the sum over the bins: the weighted mean is asked for"),
        ((np.abs(gaps) * sizes).sum(), "it is not divided by the number of clips"),
        ((np.abs(gaps) * sizes).sum() / 10, "it is divided by the number of bins: divide by that "
         "of clips"),
        ((gaps**2 * sizes).sum() / n, "the distances are squared: do not square them"),
        (((gaps**2 * sizes).sum() / n) ** 0.5, "the distances are squared: do not square them"),
        (np.abs(confidence - right).mean(), "this is the mean distance of single clips: first take "
         "the means of a bin, then their distance"),
        ((middle * sizes).sum() / n, "it takes the middle of each bin: use its mean confidence"),
        (error(equal), "its bins have equal numbers of clips: they must have equal widths"),
        (error(np.linspace(confidence.min(), confidence.max(), 11)), "its bins lie between the "
         "lowest and the highest confidence: they must cover 0 to 1"),
        (error(np.linspace(0, 1, 10)), "it has 9 bins, where 10 are asked for: they have 11 edges"),
        (error(np.arange(6) / 5), "it has 5 bins, where 10 are asked for"),
        (error(np.arange(16) / 15), "it has 15 bins, where 10 are asked for"),
        (error(np.arange(21) / 20), "it has 20 bins, where 10 are asked for"),
        (error(np.arange(12) / 11), "it has 11 bins, where 10 are asked for"),
        (error(tenths, closed="right"), "its bins include their upper edges, so that a confidence "
         "of 0 is in none: include the lower edges"),
        (error(np.append(-1, tenths[1:]), closed="right"), "its bins include their upper edges, so "
         "that 0.5 is in the fifth: include the lower edges, then 0.5 is in the sixth"),
        ((np.abs(last[0]) * last[1]).sum() / n, "confidences of 1 are in no bin: the last bin "
         "includes both edges"),
        ((np.abs(last[0]) * last[1]).sum() / max(last[1].sum(), 1), "confidences of 1 are in no "
         "bin: the last bin includes both edges"),
        ((np.abs(eleven[0]) * eleven[1]).sum() / n, "confidences of 1 have their own bin: they "
         "belong to the last of ten"),
    ], within=1e-5, told=told)  # fmt: skip
    raise Wrong(f"{told}the right bins have {sizes.astype(int).tolist()} clips and distances "
                f"{np.abs(gaps).round(3).tolist()}")  # fmt: skip
