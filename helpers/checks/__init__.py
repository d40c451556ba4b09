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
from helpers.checks.speakers import (
    batch,
    compile_network,
    conv1d_network,
    conv2d_network,
    dense_network,
    embedding_model,
    equal_error_rate,
    four_inputs,
    hold_out,
    log_spectrogram,
    macro_scores,
    parameter_count,
    predict_speaker,
    random_crop,
    residual_block,
    strongest_frequency,
    three_components,
    two_ways,
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
    "batch",
    "class_weights",
    "clipped_share",
    "clips_per_class",
    "cohens_d",
    "compile_network",
    "conv1d_network",
    "conv2d_network",
    "convolution_block",
    "count_errors",
    "dense_network",
    "duplicates",
    "embedding_model",
    "equal_error_rate",
    "find_calls",
    "folds_by_source",
    "four_inputs",
    "guess_by_container",
    "heard_frequency",
    "hint",
    "hold_out",
    "leaked_share",
    "log_mel",
    "log_spectrogram",
    "macro_scores",
    "mfcc",
    "mix",
    "parameter_count",
    "power_spectrogram",
    "predict_speaker",
    "progress",
    "quantise",
    "random_crop",
    "receptive_field",
    "residual_block",
    "segments",
    "spectral_centroid",
    "standardise",
    "start",
    "strongest_frequency",
    "three_components",
    "two_ways",
    "wrong_length",
]
