"""The checks of the exercises, one per exercise; in a notebook: `checks.log_mel(log_mel)`.

Each compares with a reference of its own (librosa, SciPy, scikit-learn) or by properties, on seeded
inputs, and takes every right way for right. A module for each notebook. How verdicts, hints and
progress work: `exercises`.
"""

from helpers.checks.eda import (
    class_weights,
    clipped_share,
    clips_per_class,
    cohens_d,
    duplicates,
    guess_by_container,
    leaked_share,
    wrong_length,
)
from helpers.checks.features import (
    amplitude_spectrum,
    heard_frequency,
    mfcc,
    power_spectrogram,
    quantise,
    segments,
    spectral_centroid,
    standardise,
)

# isort: split
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
    "amplitude_spectrum",
    "class_weights",
    "clipped_share",
    "clips_per_class",
    "cohens_d",
    "convolution_block",
    "count_errors",
    "duplicates",
    "find_calls",
    "folds_by_source",
    "guess_by_container",
    "heard_frequency",
    "hint",
    "leaked_share",
    "log_mel",
    "mfcc",
    "mix",
    "power_spectrogram",
    "progress",
    "quantise",
    "receptive_field",
    "segments",
    "spectral_centroid",
    "standardise",
    "start",
    "wrong_length",
]
