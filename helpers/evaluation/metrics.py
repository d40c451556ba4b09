"""Scores of clips, events and counts, with intervals and a paired test."""

from functools import partial

import mir_eval
import numpy as np
import pandas as pd
from scipy.stats import permutation_test

TOLERANCE_S = 1.0
SCORES = ["accuracy", "precision", "recall", "f1"]


def bootstrap_interval(statistic, *arrays, groups, n_resamples=1000, level=0.95, seed=0):
    """Percentile bootstrap interval of a statistic, resampling whole groups.

    Clips of one recording are not independent: resampling single clips would give an interval that
    is too narrow. statistic: function of the arrays → float or array; resamples where it is NaN are
    left out. arrays: (n, …) each. groups: (n,) labels. Returns (low, high), each of the statistic's
    shape. Raises ValueError with fewer than two groups.
    """
    # scipy.stats.bootstrap resamples single rows, and returns NaN if one resample gives NaN.
    groups = np.asarray(groups)  # comparing a list with g would give one bool
    members = [np.flatnonzero(groups == g) for g in pd.unique(groups)]
    if len(members) < 2:
        raise ValueError("the clips come from one group: an interval needs at least two groups")
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(n_resamples):
        drawn = rng.integers(len(members), size=len(members))
        rows = np.concatenate([members[i] for i in drawn])
        values.append(statistic(*(np.asarray(a)[rows] for a in arrays)))
    tail = (1 - level) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail], axis=0)
    return (float(low), float(high)) if np.ndim(low) == 0 else (low, high)


def paired_test(right_a, right_b, *, groups, n_resamples=9999, seed=0):
    """p-value of a paired permutation test: are two classifiers equally good?

    right_a, right_b: bool (n,), which clips each classifier names correctly. groups: (n,), see
    `bootstrap_interval`. If both are equally good, swapping their answers for a whole group, which
    changes the sign of its difference, changes nothing. Two-sided; exact where all 2^n_groups
    combinations of signs are at most n_resamples, else from random ones.
    """
    difference = np.asarray(right_a, int) - np.asarray(right_b, int)
    sums = pd.Series(difference).groupby(np.asarray(groups)).sum().to_numpy()
    sums = sums[sums != 0]  # the others change no total
    if len(sums) < 2:  # fewer than scipy accepts: any sign gives the same distance from 0
        return 1.0
    options = {"permutation_type": "samples", "alternative": "greater", "vectorized": True}
    options |= {"n_resamples": n_resamples, "random_state": np.random.default_rng(seed)}
    test = permutation_test((sums,), lambda x, axis: np.abs(x.sum(axis=axis)), **options)
    return float(test.pvalue)


def cohens_d(a, b):
    """Effect size: difference of the means, divided by the pooled standard deviation.

    a, b: float (n,), at least two values each. Returns float, positive where a is larger; 0 where
    nothing varies. 0.2 is called small, 0.5 medium, 0.8 large. Cohen, Statistical power analysis,
    1988.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    if np.ptp(a) == np.ptp(b) == 0:  # rounding could give constants a variance
        return 0.0
    n = len(a) + len(b) - 2
    pooled = (np.var(a, ddof=1) * (len(a) - 1) + np.var(b, ddof=1) * (len(b) - 1)) / n
    return float((a.mean() - b.mean()) / np.sqrt(pooled)) if pooled > 0 else 0.0


def clip_scores(truth, score, *, threshold, groups, seed=0):
    """Accuracy, precision, recall and F1 of two classes, with 95 % intervals over groups.

    truth: bool (n,). score: float (n,); positive from the threshold on. groups: (n,), see
    `bootstrap_interval`. Returns a DataFrame with rows SCORES and columns value, low, high.
    """
    truth, guess = np.asarray(truth, bool), np.asarray(score) >= threshold
    low, high = bootstrap_interval(_binary, truth, guess, groups=groups, seed=seed)
    return _score_table(_binary(truth, guess), low, high)


def class_scores(truth, guess, *, groups, n_resamples=1000, seed=0):
    """Accuracy and macro precision, recall and F1 of many classes, with 95 % intervals over groups.

    truth, guess: int (n,), classes from 0. groups: (n,), see `bootstrap_interval`. Macro: mean over
    the classes that occur in truth or guess, so that a rare class counts as much as any other; a
    score without a denominator is 0. Returns a table like `clip_scores`.
    """
    truth, guess = np.asarray(truth), np.asarray(guess)
    # In a resample without a class the class has no recall, though it may be guessed: leave it out.
    statistic, options = partial(_macro, only_true=True), {"n_resamples": n_resamples, "seed": seed}
    low, high = bootstrap_interval(statistic, truth, guess, groups=groups, **options)
    return _score_table(_macro(truth, guess), low, high)


# scikit-learn gives the same scores, but its checks make a thousand resamples slow.
def _binary(truth, guess):
    hits, n_true, n_guess = np.sum(truth & guess), truth.sum(), guess.sum()
    precision, recall = hits / max(n_guess, 1), hits / max(n_true, 1)
    f1 = 2 * hits / max(n_true + n_guess, 1)
    return np.array([np.mean(truth == guess), precision, recall, f1])


def _macro(truth, guess, *, only_true=False):
    n = 1 + max(truth.max(), guess.max())
    hits = np.bincount(truth[truth == guess], minlength=n)
    n_true, n_guess = np.bincount(truth, minlength=n), np.bincount(guess, minlength=n)
    occurs = n_true > 0 if only_true else n_true + n_guess > 0
    hits, n_true, n_guess = hits[occurs], n_true[occurs], n_guess[occurs]
    precision, recall = hits / np.maximum(n_guess, 1), hits / np.maximum(n_true, 1)
    f1 = 2 * hits / (n_true + n_guess)
    return np.array([hits.sum() / len(truth), precision.mean(), recall.mean(), f1.mean()])


def _score_table(value, low, high):
    return pd.DataFrame({"value": value, "low": low, "high": high}, index=SCORES)


def centres(events):
    """Middle of each event, s: float (n_events,). events: DataFrame with start_s, end_s."""
    return ((events["start_s"] + events["end_s"]) / 2).to_numpy(float)


def match_events(reference_s, estimated_s, *, tolerance_s=TOLERANCE_S):
    """Largest one-to-one matching of events in time (mir_eval).

    reference_s, estimated_s: centres, s. Returns list of (reference index, estimated index).
    """
    if not len(reference_s) or not len(estimated_s):
        return []
    both = np.asarray(reference_s, float), np.asarray(estimated_s, float)
    return mir_eval.util.match_events(*both, tolerance_s)


def event_scores(reference, events, names, *, tolerance_s=TOLERANCE_S):
    """Precision, recall and F1 of the events of several recordings together.

    reference: DataFrame `clip_name, centre_s`. events: DataFrame `clip_name, start_s, end_s`.
    names: the recordings to score. Two events match if their centres are at most tolerance_s apart.
    Returns dict event_precision, event_recall, event_f1; all are 1 if there are no events at all.
    """
    hits = n_reference = n_estimated = 0
    for name in names:
        true = reference.loc[reference["clip_name"] == name, "centre_s"].to_numpy(float)
        found = centres(events[events["clip_name"] == name])
        hits += len(match_events(true, found, tolerance_s=tolerance_s))
        n_reference += len(true)
        n_estimated += len(found)
    precision = hits / n_estimated if n_estimated else 1.0 * (n_reference == 0)
    recall = hits / n_reference if n_reference else 1.0
    f1 = 2 * hits / (n_reference + n_estimated) if n_reference + n_estimated else 1.0
    return {"event_precision": precision, "event_recall": recall, "event_f1": f1}


def count_scores(counts, results):
    """Errors of counts, recording by recording: a total hides errors that cancel.

    counts, results: DataFrames `clip_name, call_count`, true and measured; recordings that have
    only one of the two are left out. Returns dict exact, recordings, exact_share, mae, bias,
    total_true, total_counted. Raises ValueError if no recording has both.
    """
    both = counts.merge(results, on="clip_name", suffixes=("_true", ""))
    both = both[["call_count_true", "call_count"]].dropna().astype(int)
    if both.empty:
        raise ValueError("no recording has both a true and a measured count: compare their names")
    error = both["call_count"] - both["call_count_true"]
    return {
        "exact": int((error == 0).sum()),
        "recordings": len(both),
        "exact_share": float((error == 0).mean()),
        "mae": float(error.abs().mean()),
        "bias": float(error.mean()),
        "total_true": int(both["call_count_true"].sum()),
        "total_counted": int(both["call_count"].sum()),
    }
