"""Is a network right as often as it says? Confidence against accuracy, and how to mend it."""

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

BINS = 10
LEAST = 1e-7  # of a probability: its logarithm stays finite


def reliability(probability, truth, *, bins=BINS):
    """How often a classifier is right, by how sure it is.

    probability: (n, n_classes). truth: int (n,). Confidence is the probability of the class that
    is named, in `bins` equal parts of 0 to 1. Returns a DataFrame `low, high, n, confidence,
    accuracy`, a row for each part that has any: means of what is in it. Guo et al., On calibration
    of modern neural networks, 2017.
    """
    probability = np.asarray(probability, float)
    confidence = probability.max(axis=1)
    part = np.minimum((confidence * bins).astype(int), bins - 1)
    table = pd.DataFrame(
        {"part": part, "confidence": confidence, "accuracy": probability.argmax(axis=1) == truth}
    )
    means = table.groupby("part").agg(
        n=("confidence", "size"),
        confidence=("confidence", "mean"),
        accuracy=("accuracy", "mean"),
    )
    means.insert(0, "low", means.index / bins)
    means.insert(1, "high", (means.index + 1) / bins)
    return means.reset_index(drop=True)


def calibration_error(probability, truth, *, bins=BINS):
    """Expected calibration error: mean distance of confidence and accuracy, over all clips.

    See `reliability`, whose parts weigh as much as they have clips. Built in
    04_urbansound8k_cnn.
    """
    table = reliability(probability, truth, bins=bins)
    return float(np.average(np.abs(table["confidence"] - table["accuracy"]), weights=table["n"]))


def temperature(probability, truth):
    """The number that the logarithms are divided by, so that confidence fits accuracy best.

    probability: (n, n_classes) of clips that the classifier did not train on. truth: int (n,).
    Above 1 it makes less sure. It minimises the cross-entropy, and changes no answer. Returns float
    between 0.05 and 20.
    """
    logits = _logarithms(probability)
    rows = np.arange(len(logits))

    def loss(log_temperature):
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[rows, truth].mean()

    best = minimize_scalar(loss, bounds=np.log([0.05, 20]), method="bounded")
    return float(np.exp(best.x))


def temperature_scaled(probability, temperature):
    """Probabilities at a temperature: their logarithms divided by it. (n, n_classes) → the same."""
    return softmax(_logarithms(probability) / temperature, axis=1)


def weighted_mean(p, q, *, share):
    """Two classifiers' probabilities as one: their weighted geometric mean, normalised.

    p, q: (n, n_classes). share: weight of p, 0 to 1. Returns the same shape. Built in
    04_urbansound8k_cnn.
    """
    return softmax(share * _logarithms(p) + (1 - share) * _logarithms(q), axis=1)


def _logarithms(probability):
    return np.log(np.maximum(probability, LEAST))
