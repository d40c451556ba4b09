"""The checks of 03_speaker_identification: prediction, precision, recall, F1."""

import math
import warnings

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_number, need_parts, plain, say_if


@check(
    "3.14",
    "the speaker of several crops",
    "Every crop has its own probabilities (softmax over the classes); their mean decides.",
    "`scipy.special.softmax` is safe for large logits; sums over its `axis` are 1.",
    "The mean over the crops is over axis 0. Its `argmax` is the index of the speaker in `names`.",
)
def predict_speaker(attempt):
    """predict_speaker(logits, names) → (name, probability); logits: (n_crops, n_classes)."""
    names = ["Ada", "Ben", "Cleo", "Dov"]
    rng = np.random.default_rng(319)
    for what, logits in (
        ("five crops", rng.normal(0, 2, (5, 4))),
        ("one crop", np.array([[0.1, 0.3, 2.0, -1.0]])),
        ("one crop very sure of another speaker than the others",
         np.array([[-5, 30, 0, 0], [2, 0, 0, 0], [2, 0, 1, 0], [2, 1, 0, 0.0]])),
        ("three crops barely for one speaker, and two clearly for another",
         np.array([[1, 0, 1.2, 0], [1, 0, 1.2, 0], [1, 0, 1.2, 0], [6, 0, 0, 0], [6, 0, 0, 0.0]])),
        ("large logits", np.array([[990, 1000, 998, 5], [998, 1000, 999.0, 0]])),
        ("large negative logits", np.array([[-1000, -2000, -1001, -1500.0]])),
    ):  # fmt: skip
        shares = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
        mean = np.average(shares, axis=0)
        right = names[mean.argmax()], mean.max()
        with case(what):
            name, probability = need_parts(call(attempt, logits, names), "name", "probability")
            if isinstance(probability, str) and not isinstance(name, str):
                raise Wrong("the name comes first, then its probability")
            if not isinstance(name, str):
                raise Wrong(
                    f"the first part is {name}: return the name, which is in `names` at the index "
                    "of the highest probability"
                )
            if _is_nan(probability):
                raise Wrong(
                    "the probability is NaN: exp of a large logit is infinite. Subtract the crop's "
                    "highest logit first, or use `scipy.special.softmax`"
                )
            probability = need_number(probability, what=f"the probability of {name}")
            if name == right[0] and abs(probability - right[1]) < 1e-3:
                continue
            _explain_prediction(name, probability, right, logits, shares, names)


def _explain_prediction(name, probability, right, logits, shares, names):
    """Raise Wrong, with what is wrong with a name and its probability."""
    told = f"it returns {name}, {probability:.3f}, where {right[0]}, {right[1]:.3f} is right: "
    logit, over_crops = np.average(logits, axis=0), np.exp(logits - logits.max(axis=0))
    once = np.exp(logit - np.logaddexp.reduce(logit))
    votes = np.bincount(shares.argmax(axis=1), minlength=len(names)) / len(shares)
    over_crops = np.average(over_crops / over_crops.sum(axis=0), axis=0)
    everything = np.exp(logits - np.logaddexp.reduce(logits, axis=None)).sum(axis=0)
    mean = np.average(shares, axis=0)
    for scores, what in (
        (once, "this is the softmax of the mean logits. Take the softmax first, then the mean, so "
         "that no single crop dominates"),
        (votes, "this counts votes: use how sure each crop is as well"),
        (len(shares) * mean, "these are sums over the crops: take the mean"),
        (100 * mean, "this is in percent: return 0 to 1"),
        (logit, "this is a mean of logits: softmax converts logits to probabilities"),
        (over_crops, "its softmax is over the crops (axis 0): the probabilities of one crop must "
         "add up to 1 (axis 1)"),
        (everything, "its softmax is over all logits at once: use those of a crop (axis 1)"),
        (shares.max(axis=0), "this is the maximum over the crops; the mean is asked for"),
        (1 / (1 + np.exp(-np.clip(logit, -50, 50))), "this is a sigmoid; softmax is asked for"),
        (shares[0], "this is the first crop alone"),
        (shares[-1], "this is the last crop alone"),
    ):  # fmt: skip
        if name == names[np.argmax(scores)] and abs(probability - np.max(scores)) < 1e-3:
            raise Wrong(f"{told}{what}")
    if name == right[0]:
        raise Wrong(f"{told}the name is right, but the probability is wrong")
    raise Wrong(f"{told}softmax of each crop, mean over the crops, maximum of the mean")


@check(
    "3.15",
    "precision, recall and F1 of many classes",
    "Each class has its own precision, recall and F1; take the mean over the classes last.",
    "scikit-learn has all three in one function (`precision_recall_fscore_support`). Which "
    "`average` gives every class the same weight?",
    "A class that is never guessed has a precision of 0 / 0, which counts as 0 here "
    "(`zero_division`). The fourth value of the function is not needed.",
)
def macro_scores(attempt):
    """macro_scores(truth, guess) → (precision, recall, f1), means over the classes."""
    names = ("precision", "recall", "f1")
    rng = np.random.default_rng(317)
    truth = rng.permutation(np.repeat([0, 1, 2, 3], [20, 10, 5, 3]))
    guess = np.where(rng.random(38) < 0.6, truth, rng.choice(4, 38, p=[0.1, 0.1, 0.2, 0.6]))
    for what, a, b in (
        ("all are right", truth, truth.copy()),
        ("four classes, some of them rare", truth, guess),
        ("class 3 is never guessed", truth, np.where(guess == 3, 0, guess)),
        ("class 4 is guessed, but is never true", truth, np.where(guess == truth, guess, 4)),
        ("there is no class 2", truth[truth != 2], np.where(guess == 2, 3, guess)[truth != 2]),
    ):
        right = _macro(a, b)
        with case(what):
            found = need_parts(call(attempt, a, b), *names)
            if any(plain(p, what=name).ndim for p, name in zip(found, names, strict=True)):
                raise Wrong(
                    f"it returns one value per class ({np.size(found[0])}): return their mean"
                )
            if any(_is_nan(part) for part in found):
                raise Wrong("it returns NaN: a class without guesses has 0 / 0, which counts as 0")
            found = [need_number(p, what=name) for p, name in zip(found, names, strict=True)]
            if np.allclose(found, right, atol=1e-3):
                continue
            _explain_scores(np.array(found), right, a, b)


def _macro(truth, guess, *, average="macro", **options):
    """scikit-learn's precision, recall and F1."""
    from sklearn import metrics

    options = {"zero_division": 0.0} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = metrics.precision_recall_fscore_support(truth, guess, average=average, **options)
    return np.array(found[:3], float)


def _explain_scores(found, right, truth, guess):
    """Raise Wrong, with what is wrong with precision, recall and F1."""
    shown = [f"({', '.join(f'{x:.3f}' for x in scores)})" for scores in (found, right)]
    told = f"it returns {shown[0]}, where {shown[1]} is right: "
    occur = np.union1d(truth, guess)
    say_if(found, [
        (_macro(truth, guess, average="micro"), "all utterances have the same weight (micro), so "
         "that large classes dominate: give every class the same weight"),
        (_macro(truth, guess, average="weighted"), "classes are weighted by their size (weighted): "
         "give every class the same weight"),
        (_macro(truth, guess, labels=np.unique(truth)), "classes that are guessed but never true "
         "are missing: include them"),
        (_macro(truth, guess, labels=np.unique(guess)), "classes that are never guessed are "
         "missing"),
        (_macro(truth, guess, labels=np.arange(occur.max() + 1)), "it includes classes that occur "
         f"neither in truth nor in guess: there are {len(occur)}"),
        (_macro(truth, guess, zero_division=1.0), "0 / 0, of a class that is never guessed or "
         "never true, counts as 1: it must count as 0"),
        (_macro(truth, guess, zero_division=np.nan), "classes with 0 / 0 are missing: count 0"),
        (right[[1, 0, 2]], "precision and recall are swapped. Precision, the share of the guesses "
         "that are right, comes first"),
        (right[[2, 0, 1]], "the order must be precision, recall, f1"),
        (100 * right, "these are percent"),
    ], within=1e-3, told=told)  # fmt: skip
    if np.allclose(found[:2], right[:2], atol=1e-3):
        both = 2 * right[0] * right[1] / (right[0] + right[1])
        say_if(found[2], [
            (both, "f1 is computed from the two means: take the mean of the F1 of the classes"),
            ((right[0] + right[1]) / 2, "f1 is the plain mean of both: each class has its own F1, "
             "2 p r / (p + r)"),
        ], within=5e-4, told=told)  # fmt: skip
    off = np.flatnonzero(np.abs(found - right) > 1e-3)
    wrong = [("precision", "recall", "f1")[k] for k in off]
    raise Wrong(f"{told}first {' and '.join(wrong)} of each class, then the mean over all classes "
                "in truth or guess")  # fmt: skip


def _is_nan(value):
    """Whether a value is NaN."""
    return isinstance(value, float | np.floating) and math.isnan(value)
