"""The checks of the exercises, one per exercise; in a notebook: `checks.log_mel(log_mel)`.

Each compares with a reference of its own (librosa, SciPy, scikit-learn) or by properties, on seeded
inputs, and takes every right way for right. A module for each notebook. How verdicts, hints and
progress work: `exercises`.
"""

from helpers.checks.counting import (
    convolution_block,
    count_errors,
    find_calls,
    folds_by_source,
    log_mel,
    mix,
    receptive_field,
)
from helpers.exercises import EXERCISES, hint, progress, start

__all__ = [
    "EXERCISES",
    "convolution_block",
    "count_errors",
    "find_calls",
    "folds_by_source",
    "hint",
    "log_mel",
    "mix",
    "progress",
    "receptive_field",
    "start",
]
