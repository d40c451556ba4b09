"""Calibration: does a classifier's confidence agree with its accuracy? And temperature scaling."""

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

BINS = 10  # of equal width, from 0 to 1
MIN_PROBABILITY = 1e-7  # keeps logarithms finite


def reliability(probability, truth):
    """Confidence and accuracy of a classifier, by bins of its confidence.

    probability: (n, n_classes). truth: int (n,). Confidence: the largest probability of a clip.
    Returns a DataFrame `low, high, n, confidence, accuracy`, a row for each bin that holds clips.
    Guo et al., On calibration of modern neural networks, 2017.
    """
    # sklearn.calibration.calibration_curve does not return n, which calibration_error needs.
    probability = np.asarray(probability, float)
    confidence = probability.max(axis=1)
    number = np.minimum((confidence * BINS).astype(int), BINS - 1)
    right = probability.argmax(axis=1) == truth
    binned = pd.DataFrame({"confidence": confidence, "accuracy": right}).groupby(number)
    means = binned.mean()
    low, high = means.index / BINS, (means.index + 1) / BINS
    table = means.assign(low=low, high=high, n=binned.size())
    return table[["low", "high", "n", "confidence", "accuracy"]].reset_index(drop=True)


def calibration_error(probability, truth):
    """Expected calibration error, float: mean of |confidence - accuracy| in `reliability`."""
    table = reliability(probability, truth)
    return float(np.average(np.abs(table["confidence"] - table["accuracy"]), weights=table["n"]))


def temperature(probability, truth):
    """Temperature that minimises the cross-entropy of scaled probabilities: float, 0.05 to 20.

    probability: (n, n_classes) of clips that the classifier did not train on. truth: int (n,).
    Above 1 it lowers the confidence; it never changes which class is most probable.
    """
    logits = _logarithms(probability)
    rows = np.arange(len(logits))

    def loss(log_temperature):
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[rows, truth].mean()

    best = minimize_scalar(loss, bounds=np.log([0.05, 20]), method="bounded")
    return float(np.exp(best.x))


def temperature_scaled(probability, temperature):
    """Probabilities whose logarithms are divided by a temperature. (n, n_classes) → the same."""
    return softmax(_logarithms(probability) / temperature, axis=1)


def weighted_mean(p, q, *, share):
    """Weighted geometric mean of two classifiers' probabilities, normalised.

    p, q: (n, n_classes). share: weight of p, 0 to 1. Returns the same shape.
    """
    return softmax(share * _logarithms(p) + (1 - share) * _logarithms(q), axis=1)


def _logarithms(probability):
    return np.log(np.maximum(probability, MIN_PROBABILITY))
