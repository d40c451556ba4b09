"""The checks of 02_features: standardisation."""

import numpy as np

from helpers.exercises.engine import call, case, check
from helpers.exercises.judges_data import judge_standardised


@check(
    "2.8",
    "features on one scale",
    "Use nothing from the test part to find the scale, not even its mean.",
    "The mean and the standard deviation of each feature are over the training clips (axis 0). "
    "Scale both parts with these.",
    "A feature that is the same in all training clips has a standard deviation of 0: put 1 in its "
    "place (`np.where`), so that only the mean is subtracted.",
)
def standardise(attempt):
    """standardise(train, test) → (train, test), scaled with the mean and deviation of train."""
    rng = np.random.default_rng(28)
    centre, width = np.array([0.0, 40.0, 3.0, -1000.0]), np.array([1.0, 5.0, 2e-4, 400.0])
    for what, constant in (
        ("four features of different scales", []),
        ("a feature that is constant in training", [2]),
    ):
        train = centre + width * rng.normal(size=(50, 4))
        test = centre + width * (1 + 2 * rng.normal(size=(20, 4)))
        train[:, constant] = centre[constant]
        with case(what):
            judge_standardised(
                call(attempt, train, test), train, test,
                names=("train", "test"), constant=constant, value="feature", within=1e-4,
            )  # fmt: skip
