"""The exercises of the notebooks: a check for each, hints, and progress.

In a notebook: `from helpers import exercises as checks`, then `checks.log_mel(log_mel)`. A check
compares with a reference of its own (librosa, SciPy, scikit-learn) or tests properties, on inputs
with a fixed seed; it accepts every right solution. `engine` makes verdicts, `judges*` hold what
several checks share, and each other file holds the checks of one topic of one notebook.
"""

from helpers.exercises.capuchin_events import count_errors, find_calls
from helpers.exercises.capuchin_folds import folds_by_source
from helpers.exercises.capuchin_networks import convolution_block, receptive_field
from helpers.exercises.capuchin_scenes import mix
from helpers.exercises.capuchin_spectrogram import log_mel
from helpers.exercises.eda_leaks import class_weights, guess_by_container, leaked_share
from helpers.exercises.eda_quality import clipped_share, duplicates, wrong_length
from helpers.exercises.eda_statistics import clips_per_class, cohens_d
from helpers.exercises.engine import EXERCISES, hint, progress, start
from helpers.exercises.features_cepstrum import mfcc
from helpers.exercises.features_sampling import heard_frequency, quantise
from helpers.exercises.features_scaling import standardise
from helpers.exercises.features_segments import segments
from helpers.exercises.features_spectrogram import power_spectrogram
from helpers.exercises.features_spectrum import amplitude_spectrum, spectral_centroid
from helpers.exercises.speakers_audio import strongest_frequency, two_ways
from helpers.exercises.speakers_batches import batch, random_crop
from helpers.exercises.speakers_embeddings import embedding_model, three_components
from helpers.exercises.speakers_evaluation import macro_scores, predict_speaker
from helpers.exercises.speakers_inputs import four_inputs, log_spectrogram
from helpers.exercises.speakers_networks import (
    conv1d_network,
    conv2d_network,
    dense_network,
    residual_block,
)
from helpers.exercises.speakers_split import hold_out
from helpers.exercises.speakers_training import compile_network, parameter_count
from helpers.exercises.speakers_verification import equal_error_rate
from helpers.exercises.urbansound8k_attribution import activation_map
from helpers.exercises.urbansound8k_augmentation import hide_parts, mixup
from helpers.exercises.urbansound8k_ensembles import average_over_shifts, fuse
from helpers.exercises.urbansound8k_evaluation import calibration_error, recall_per_class
from helpers.exercises.urbansound8k_folds import leave_one_out
from helpers.exercises.urbansound8k_networks import logmel_network, separable_block
from helpers.exercises.urbansound8k_scaling import standardise_clips
from helpers.exercises.urbansound8k_significance import paired_test
from helpers.exercises.urbansound8k_training import (
    learning_rate_at,
    smooth_labels,
    weight_per_class,
)

__all__ = [
    "EXERCISES", "hint", "progress", "start",
    # 01_eda
    "clipped_share", "duplicates", "wrong_length", "class_weights", "leaked_share",
    "guess_by_container", "cohens_d", "clips_per_class",
    # 02_features
    "heard_frequency", "quantise", "amplitude_spectrum", "power_spectrogram", "mfcc",
    "spectral_centroid", "segments", "standardise",
    # 03_speaker_identification
    "two_ways", "strongest_frequency", "log_spectrogram", "four_inputs", "hold_out", "random_crop",
    "batch", "dense_network", "conv1d_network", "residual_block", "conv2d_network",
    "parameter_count", "compile_network", "predict_speaker", "macro_scores", "embedding_model",
    "three_components", "equal_error_rate",
    # 04_urbansound8k_cnn
    "leave_one_out", "standardise_clips", "mixup", "hide_parts", "separable_block",
    "logmel_network", "weight_per_class", "smooth_labels", "learning_rate_at",
    "average_over_shifts", "fuse", "recall_per_class", "paired_test", "calibration_error",
    "activation_map",
    # 05_capuchin_call_counter
    "log_mel", "folds_by_source", "mix", "convolution_block", "receptive_field", "find_calls",
    "count_errors",
]  # fmt: skip
