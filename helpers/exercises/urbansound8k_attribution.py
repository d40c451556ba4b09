"""The checks of 04_urbansound8k_cnn: the class activation map."""

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_array, need_numbers, say_if, worst_of


@check(
    "4.15",
    "a class activation map",
    "The input of the dense layer is a mean of vectors, one for each place. What would the layer "
    "return for one of these vectors alone?",
    "Class k has one column of the weights, with a number for each feature, and one bias.",
    "`@` with that column sums over the last axis of the features; time and bands remain.",
)
def activation_map(attempt):
    """activation_map(features, weights, bias, k) → float (n_steps, n_bands)."""
    rng = np.random.default_rng(415)
    for shape, n_classes, k, dtype in (
        ((7, 4, 6), 3, 1, float),
        ((5, 8, 12), 10, 9, np.float32),
        ((6, 3, 5), 5, 0, float),
    ):
        features = (rng.gamma(1, 1, shape) * np.linspace(0, 2, shape[0])[:, None, None]).astype(
            dtype
        )
        weights = rng.normal(0, 1, (shape[2], n_classes)).astype(dtype)
        weights -= np.average(weights, axis=0)  # for votes for and against the class
        bias = rng.normal(0.8, 0.5, n_classes).astype(dtype)
        with case(f"features of shape {shape}, {n_classes} classes, k {k}"):
            found = call(attempt, features, weights, bias, k)
            found = need_numbers(found, axes=("n_steps", "n_bands"))
            if found.shape == (*shape[:2], n_classes):
                raise Wrong(f"it returns shape {found.shape}, the votes for all {n_classes} "
                            f"classes: those for class {k} are asked for")  # fmt: skip
            if found.shape == ():
                raise Wrong(f"it returns one number, {found:.4g}: return a vote for each place")
            if found.shape == shape:
                raise Wrong(f"it returns shape {shape}: a vote is a sum over the {shape[2]} "
                            "features of a place")  # fmt: skip
            found = need_array(found, shape=shape[:2], axes=("n_steps", "n_bands"))
            _explain_votes(found, *(x.astype(float) for x in (features, weights, bias)), k)


def _explain_votes(found, features, weights, bias, k):
    """Raise Wrong unless `found` is the map of class k."""
    votes = np.einsum("tbc,ck->tbk", features, weights) + bias
    right = votes[..., k]
    within = 1e-3 * np.abs(right).max()
    if np.abs(found - right).max() < within:
        return
    plain, n = right - bias[k], right.size
    low, high = right.min(), right.max()
    shares = np.exp(votes - np.logaddexp.reduce(votes, axis=2, keepdims=True))[..., k]
    mistakes = [
        (plain, f"the bias of the class, {bias[k]:.3g}, is missing, so that the mean of the votes "
         "is not the logit"),
        (plain + bias[k] / n, "the bias is divided by the number of places: add all of it at each "
         "place"),
        (plain - bias[k], f"the bias, {bias[k]:.3g}, is subtracted: add it"),
        (plain + features.shape[2] * bias[k], "the bias is added for every feature: add it once "
         "for each place"),
        (right / n, "it is divided by the number of places: the logit is the mean of the votes, "
         "not their sum"),
        (plain / n, "it is divided by the number of places, without the bias: the logit is the "
         "mean of the votes, not their sum"),
        (np.maximum(right, 0), "votes against the class are removed (ReLU): keep them"),
        (np.maximum(plain, 0), "votes against the class are removed (ReLU), and the bias is "
         "missing"),
        ((right - low) / (high - low), "it is scaled to 0 … 1: do not scale the votes, their mean "
         "is the logit"),
        (right / high, "it is divided by its maximum: do not scale the votes"),
        (np.average(features, axis=2), "this is the mean of the features: weight them with the "
         "weights of the class"),
        (features.sum(axis=2), "this is the sum of the features: weight them with the weights of "
         "the class"),
        (plain / features.shape[2] + bias[k], "this is the mean over the features: their weighted "
         "sum is asked for"),
        (shares, "this is a softmax at each place: return the votes themselves"),
        (right - right.mean(), "its mean is 0: the mean of the votes must be the logit"),
        *((votes[..., other], f"these are the votes for class {other}: class {k} is asked for")
          for other in range(votes.shape[2]) if other != k),
        *((plain + b, f"it adds the bias of class {other}: add that of class {k}")
          for other, b in enumerate(bias) if other != k),
    ]  # fmt: skip
    say_if(found, mistakes, within=within)
    raise Wrong(f"the vote at {worst_of(found, right, 'step', 'band')}")
