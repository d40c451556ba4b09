"""The checks of 04_urbansound8k_cnn: standardisation."""

import numpy as np

from helpers.exercises.engine import call, case, check
from helpers.exercises.judges_data import judge_standardised


@check(
    "4.2",
    "values on one scale",
    "Each value (the last axis) has one mean and one deviation, of the training alone: which axes "
    "do they go over?",
    "`mean` and `std` take several axes at once: `axis=(0, 1)` goes over clips and frames.",
    "Scale both parts with the numbers of the training. `np.where` replaces a deviation of 0 by 1.",
)
def standardise_clips(attempt):
    """standardise_clips(training, other) → both, float (n_clips, n_frames, n_values)."""
    rng = np.random.default_rng(42)
    for what, shape, n_other, constant, dtype in (
        ("12 clips of 7 frames, 4 values each", (12, 7, 4), 5, [], float),
        ("9 clips of 10 frames, 5 values each", (9, 10, 5), 4, [3], np.float32),
        ("a single other clip", (6, 8, 3), 1, [], float),
    ):
        centre = np.array([-200, 40, 3, 16, 0.5])[: shape[2]]
        width = np.array([30, 8, 0.05, 4, 2])[: shape[2]]
        drawn = rng.normal(size=shape) + rng.normal(size=(shape[0], shape[1], 1))
        training = centre + width * (drawn + rng.normal(size=(shape[0], 1, shape[2])))
        other = centre + width * (1 + 2 * rng.normal(size=(n_other, *shape[1:])))
        training[..., constant] = centre[constant]
        training, other = training.astype(dtype), other.astype(dtype)
        with case(what):
            judge_standardised(
                call(attempt, training, other), training, other,
                names=("training", "other"), constant=constant, value="value", within=1e-3,
            )  # fmt: skip
