"""Model files: written whole, read in Keras' safe mode."""

import contextlib
import io
from pathlib import Path

import keras

from helpers import env, files
from helpers.models.detector import CallDetector
from helpers.models.prediction import ClipClassifier

WRITTEN_BY = {
    CallDetector: "05_capuchin_call_counter",
    ClipClassifier: "03_speaker_identification or 04_urbansound8k_cnn",
}


class ModelError(Exception):
    """A model file that cannot be used: what is wrong, and what was expected."""


def save(model, path):
    """Write a model as one .keras file; after an error the old file is still there."""
    with files.atomic_path(path) as temporary, env.silent_stderr():  # saving imports TensorFlow
        model.save(temporary)


def load_detector(path):
    """A `CallDetector` from a .keras file, in Keras' safe mode: no code from the file is run.

    Raises ModelError where there is no such file, it is damaged, or it holds another model.
    """
    model = _load(path, CallDetector)
    bands, n_bands = model.network.input_shape[-1], model.frontend.n_bands
    if bands != n_bands:
        reason = f"its network takes {bands} bands, its front end has {n_bands}"
        raise _model_error(path, reason, CallDetector)
    return model


def load_classifier(path):
    """A `ClipClassifier` from a .keras file, as `load_detector` reads a detector."""
    return _load(path, ClipClassifier)


def _load(path, kind):
    path = Path(path)
    if not path.is_file():
        raise _model_error(path, "there is no such file", kind)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises anything, from KeyError to zipfile.BadZipFile
        # Keras puts pages on how to write `from_config` around an error from inside the file.
        words = str(error).split("Exception encountered:")[-1].strip().splitlines() or [""]
        reason = f"cannot be read as a model ({type(error).__name__}: {words[0][:200]})"
        raise _model_error(path, reason, kind) from None
    if not isinstance(model, kind):
        shape = getattr(model, "input_shape", "of unknown shape")
        reason = f"a model {model.name!r} with input {shape}, which names no front end"
        if type(model) in WRITTEN_BY:
            reason = f"a {type(model).__name__}"
        raise _model_error(path, reason, kind)
    return model


def _model_error(path, reason, kind):
    expected = f"expected a model.keras that {WRITTEN_BY[kind]} has written (a {kind.__name__})"
    return ModelError(f"{files.short_path(path)}: {reason}; {expected}")
