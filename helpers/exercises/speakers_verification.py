"""The checks of 03_speaker_identification: the equal error rate."""

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_number


@check(
    "3.18",
    "the equal error rate",
    "Try all thresholds: a higher one has more misses and fewer false alarms. Where do the two "
    "rates cross?",
    "The miss rate is a share of the targets, the false alarm rate a share of the others. Both go "
    "from 0 to 1; one rises while the other falls.",
    "Compute both rates at every distinct score. Find the first threshold where the miss rate is "
    "at least the false alarm rate; they cross between it and the threshold before.",
)
def equal_error_rate(attempt):
    """equal_error_rate(scores, is_target) → float, where miss and false alarm rate are equal."""
    rng = np.random.default_rng(318)
    none = rng.uniform(-0.9, 0.9, 301)
    for what, scores, is_target in (
        ("targets that score a little higher", *_pairs(rng, 90, 110, 0.15, 0.2)),
        ("targets that score higher than all others", *_pairs(rng, 40, 60, 0.5, 0.05)),
        ("few targets and many others", *_pairs(rng, 7, 400, 0.1, 0.15)),
        ("many targets and few others", *_pairs(rng, 500, 12, 0.2, 0.2)),
        ("scores of chance", none, rng.random(301) < 0.4),
        ("scores with a single decimal", *_pairs(rng, 150, 250, 0.2, 0.25, decimals=1)),
        ("targets that score lower than all others", *_pairs(rng, 30, 50, -0.5, 0.05)),
        ("scores that are all equal", np.full(20, 0.3), np.arange(20) < 8),
    ):
        low, high, at = _crossing(scores, is_target)
        with case(what):
            found = need_number(call(attempt, scores, is_target), what="a rate from 0 to 1")
            if low - 1e-4 <= found <= high + 1e-4:
                continue
            _explain_rate(found, (low, high), at, scores, is_target)


def _pairs(rng, n_targets, n_others, apart, spread, *, decimals=6):
    """(scores, is_target) in random order. apart: distance of the means. spread: deviation."""
    is_target = rng.permutation(np.arange(n_targets + n_others) < n_targets)
    scores = 0.1 + spread * rng.standard_normal(len(is_target)) + apart * is_target
    if spread < 0.1:  # no overlap of targets and others
        scores = 0.1 + spread * rng.uniform(-1, 1, len(is_target)) + apart * is_target
    return scores.round(decimals).clip(-1, 1), is_target


def _rates(scores, is_target):
    """(thresholds, number of misses, number of false alarms) at each threshold."""
    thresholds = np.array([*np.unique(scores), np.inf])
    targets, others = np.sort(scores[is_target]), np.sort(scores[~is_target])
    return (
        thresholds,
        np.searchsorted(targets, thresholds),
        len(others) - np.searchsorted(others, thresholds),
    )


def _crossing(scores, is_target):
    """(low, high, thresholds): the range of right answers, and the two thresholds around it."""
    thresholds, missed, alarms = _rates(scores, is_target)
    n, m = is_target.sum(), (~is_target).sum()
    k = np.argmax(missed * m >= alarms * n)
    if missed[k] * m == alarms[k] * n:
        return missed[k] / n, missed[k] / n, thresholds[k - 1 : k + 1]
    ends = missed[k - 1] / n, missed[k] / n, alarms[k - 1] / m, alarms[k] / m
    return min(ends), max(ends), thresholds[k - 1 : k + 1]


def _explain_rate(found, right, at, scores, is_target):
    """Raise Wrong, with what is wrong. right, at: rates and thresholds of `_crossing`."""
    from sklearn.metrics import roc_auc_score, roc_curve

    thresholds, missed, alarms = _rates(scores, is_target)
    n, m = is_target.sum(), (~is_target).sum()
    low, high = right
    between = f"{low:.4f}" if low == high else f"{low:.4f} to {high:.4f}"
    told = f"it returns {found:.4f}, where {between} is right"
    wrong_share = (missed + alarms) / (n + m)
    at_half = (scores[is_target] < 0.5).mean(), (scores[~is_target] >= 0.5).mean()
    area = roc_auc_score(is_target, scores)
    fpr, tpr, _ = roc_curve(is_target, scores)
    miss = 1 - tpr
    near = np.abs(miss - fpr).argmin()
    dropped = (
        "this is one of the points of `roc_curve`, which drops points on straight lines "
        "(drop_intermediate). Interpolate between the points"
    )
    k = np.argmax(missed >= alarms)
    level = [x[i] / (n + m) for x in (missed, alarms) for i in (k - 1, k)]
    middle = (low + high) / 2
    within = max(1e-4, (high - low) / 2 + 1e-4)
    if not 0 <= found <= 1 and low * 100 - 1e-2 <= found <= high * 100 + 1e-2:
        raise Wrong(f"{told}: this is in percent")
    for value, width, name in (
        (1 - middle, within, "this is 1 - EER"),
        (area, 1e-4, "this is the area under the ROC curve"),
        (1 - area, 1e-4, "this is the area above the ROC curve; find one point of the curve"),
        (sum(at_half) / 2, 1e-4, "this is the mean of both rates at a threshold of 0.5: find the "
         "threshold where they are equal"),
        (at_half[0], 1e-4, "this is the miss rate at a threshold of 0.5"),
        (at_half[1], 1e-4, "this is the false alarm rate at a threshold of 0.5"),
        (np.mean((scores >= 0.5) == is_target), 1e-4, "this is the accuracy at a threshold of 0.5"),
        (np.mean((scores >= 0.5) != is_target), 1e-4, "this is the share of errors at a threshold "
         "of 0.5"),
        (sum(level) / 4, (max(level) - min(level)) / 2 + 1e-4, "both rates are shares of all "
         "pairs: misses are a share of the targets, false alarms of the others"),
        (wrong_share.min(), 1e-4, "this is the least share of errors, at a threshold where the two "
         "rates are not equal"),
        (1 - wrong_share.min(), 1e-4, "this is the best accuracy, which is high with few targets "
         "even for a system that always says no"),
        *((value, 1e-4, dropped) for value in (fpr[near], miss[near], (fpr + miss)[near] / 2)),
        (((missed / n + alarms / m) / 2).min(), 1e-4, "this is the least mean of both rates, at a "
         "threshold where they are not equal"),
    ):  # fmt: skip
        if abs(found - value) < width:
            raise Wrong(f"{told}: {name}")
    if at[0] - 1e-6 <= found <= at[1] + 1e-6 and np.isfinite(at[1]):
        raise Wrong(f"{told}: this is the threshold; return the error rate there")
    if not 0 <= found <= 1:
        raise Wrong(f"{told}: a rate lies between 0 and 1")
    raise Wrong(
        f"{told}: there the rates of misses ({n} targets) and of false alarms ({m} others) are "
        "equal"
    )
