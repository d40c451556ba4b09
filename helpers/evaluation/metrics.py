"""Scores with intervals: of clips, of events, and of counts."""

import mir_eval
import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

TOLERANCE_S = 1.0


def bootstrap_interval(statistic, *arrays, groups, n_resamples=1000, level=0.95, seed=0):
    """Percentile bootstrap interval of a statistic, resampling whole groups.

    Clips of one recording stand or fall together: resampling them one by one would promise a
    precision that is not there. statistic: function of the arrays → float, or several of them as
    an array. arrays: (n, …) each. groups: (n,) labels. Returns (low, high), each of the statistic's
    shape. Raises ValueError with fewer than two groups.
    """
    groups = np.asarray(groups)  # a list would compare as a whole
    members = [np.flatnonzero(groups == g) for g in pd.unique(groups)]
    if len(members) < 2:
        raise ValueError("an interval over groups needs at least two groups")
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(n_resamples):
        drawn = rng.integers(len(members), size=len(members))
        rows = np.concatenate([members[i] for i in drawn])
        values.append(statistic(*(np.asarray(a)[rows] for a in arrays)))
    tail = (1 - level) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail], axis=0)
    return (float(low), float(high)) if np.ndim(low) == 0 else (low, high)


def cohens_d(a, b):
    """Effect size: difference of the means in units of the pooled standard deviation.

    a, b: float (n,), two each at least. Returns float, positive where a is larger; 0.2 is called
    small, 0.5 medium, 0.8 large; where nothing varies it is 0. Cohen, Statistical power analysis,
    1988. Built in 01_eda.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    if np.ptp(a) == np.ptp(b) == 0:  # rounding could leave constants a variance
        return 0.0
    n = len(a) + len(b) - 2
    pooled = (np.var(a, ddof=1) * (len(a) - 1) + np.var(b, ddof=1) * (len(b) - 1)) / n
    return float((a.mean() - b.mean()) / np.sqrt(pooled)) if pooled > 0 else 0.0


def clip_scores(truth, score, *, threshold, groups, seed=0):
    """Accuracy, precision, recall and F1 of clips, each with its 95 % interval over groups.

    truth: bool (n,). score: float (n,); positive at threshold and above. groups: (n,).
    Returns a DataFrame with rows accuracy, precision, recall, f1 and columns value, low, high.
    """
    truth = np.asarray(truth, bool)
    guess = np.asarray(score) >= threshold

    def all_four(truth, guess):
        precision, recall, f1, _ = precision_recall_fscore_support(
            truth, guess, average="binary", zero_division=0
        )
        return {
            "accuracy": accuracy_score(truth, guess),
            "precision": precision,
            "recall": recall,
            "f1": f1,
        }

    rows = {}
    for name, value in all_four(truth, guess).items():
        low, high = bootstrap_interval(
            lambda t, g, name=name: _QUICK[name](t, g), truth, guess, groups=groups, seed=seed
        )
        rows[name] = {"value": value, "low": low, "high": high}
    return pd.DataFrame(rows).T


def class_scores(truth, guess, *, groups, n_resamples=1000, seed=0):
    """Accuracy and macro precision, recall and F1 of many classes, each with its 95 % interval.

    truth, guess: int (n,), classes from 0. groups: (n,), see `bootstrap_interval`. Macro: the mean
    over the classes, so that a rare one counts as much as any; over those that occur in truth or
    guess, and where there is nothing to divide by the score is 0. Returns a DataFrame with rows
    accuracy, precision, recall, f1 and columns value, low, high.
    """
    truth, guess = np.asarray(truth), np.asarray(guess)
    value = _macro(truth, guess)
    # A class that a resample leaves out has no recall there, though it may be guessed.
    low, high = bootstrap_interval(
        lambda t, g: _macro(t, g, only_true=True),
        truth,
        guess,
        groups=groups,
        n_resamples=n_resamples,
        seed=seed,
    )
    rows = ["accuracy", "precision", "recall", "f1"]
    return pd.DataFrame({"value": value, "low": low, "high": high}, index=rows)


def macro_f1(truth, guess):
    """Mean of the classes' F1, see `class_scores`. truth, guess: int (n,). Returns float."""
    return float(_macro(np.asarray(truth), np.asarray(guess))[3])


def paired_test(right_a, right_b, *, groups, n_draws=9999, seed=0):
    """Could two classifiers be equally good? p-value of a sign-flip test over whole groups.

    right_a, right_b: bool (n,), which clips each names rightly. groups: (n,), see
    `bootstrap_interval`. If both are equally good, each group's difference could as well have had
    the other sign. Returns the share of draws of signs, the real ones included, whose total is as
    far from 0. Built in 04_urbansound8k_cnn.
    """
    difference = np.asarray(right_a, int) - np.asarray(right_b, int)
    sums = pd.Series(difference).groupby(np.asarray(groups)).sum().to_numpy()
    sums = sums[sums != 0]  # what does not differ adds nothing
    signs = np.random.default_rng(seed).choice([-1, 1], (n_draws, len(sums)))
    hits = np.sum(np.abs(signs @ sums) >= abs(sums.sum()))
    return float((hits + 1) / (n_draws + 1))


def _macro(truth, guess, *, only_true=False):
    """The four of `class_scores`: float (4,). scikit-learn's are the same, and slow."""
    n = 1 + max(truth.max(), guess.max())
    hits = np.bincount(truth[truth == guess], minlength=n)
    of_truth, of_guess = np.bincount(truth, minlength=n), np.bincount(guess, minlength=n)
    here = of_truth > 0 if only_true else (of_truth + of_guess) > 0
    hits, of_truth, of_guess = hits[here], of_truth[here], of_guess[here]
    precision, recall = hits / np.maximum(of_guess, 1), hits / np.maximum(of_truth, 1)
    f1 = 2 * hits / (of_truth + of_guess)
    return np.array([hits.sum() / len(truth), precision.mean(), recall.mean(), f1.mean()])


def _ratio(a, b):
    return a / b if b else 0.0


# The same four, without the checks that make a thousand calls of scikit-learn slow.
_QUICK = {
    "accuracy": lambda t, g: np.mean(t == g),
    "precision": lambda t, g: _ratio(np.sum(t & g), np.sum(g)),
    "recall": lambda t, g: _ratio(np.sum(t & g), np.sum(t)),
    "f1": lambda t, g: _ratio(2 * np.sum(t & g), np.sum(t) + np.sum(g)),
}


def match_events(reference_s, estimated_s, *, tolerance_s=TOLERANCE_S):
    """Largest one-to-one matching of events in time (mir_eval).

    reference_s, estimated_s: centres, s. Returns list of (reference index, estimated index).
    """
    if not len(reference_s) or not len(estimated_s):
        return []
    return mir_eval.util.match_events(
        np.asarray(reference_s, float), np.asarray(estimated_s, float), tolerance_s
    )


def event_scores(reference, events, names, *, tolerance_s=TOLERANCE_S):
    """Precision, recall and F1 of events over a set of recordings.

    reference: DataFrame `clip_name, centre_s`. events: DataFrame `clip_name, start_s, end_s`.
    names: the recordings that were looked at. Events match one to one when their centres are at
    most tolerance_s apart. Returns dict event_precision, event_recall, event_f1, all 1.0 where
    there was nothing to find and nothing was found.
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
    """How far counts are off, recording by recording.

    counts, results: DataFrames `clip_name, call_count`; recordings without a count (unreadable)
    are left out and said. A total hides errors that cancel, so it stands last.
    Returns dict exact, recordings, exact_share, mae, bias, total_true, total_counted.
    """
    both = counts.merge(results, on="clip_name", suffixes=("_true", "")).dropna(
        subset=["call_count", "call_count_true"]
    )
    error = both["call_count"].astype(int) - both["call_count_true"].astype(int)
    if both.empty:
        raise ValueError("no recording has both a true and a measured count")
    return {
        "exact": int((error == 0).sum()),
        "recordings": len(both),
        "exact_share": float((error == 0).mean()),
        "mae": float(error.abs().mean()),
        "bias": float(error.mean()),
        "total_true": int(both["call_count_true"].sum()),
        "total_counted": int(both["call_count"].sum()),
    }


def centres(events):
    """Middle of each event, s: float (n_events,)."""
    return ((events["start_s"] + events["end_s"]) / 2).to_numpy(float)
