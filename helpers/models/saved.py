"""Model files: written whole, read in Keras' safe mode."""

import contextlib
import io
from pathlib import Path

import keras

from helpers import env, files
from helpers.models.detector import CallDetector


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
    path = Path(path)
    if not path.is_file():
        raise _model_error(path, "there is no such file")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises anything, from KeyError to zipfile.BadZipFile
        # Keras puts pages on how to write `from_config` around an error from inside the file.
        words = str(error).split("Exception encountered:")[-1].strip().splitlines() or [""]
        words = f"{type(error).__name__}: {words[0][:200]}"
        raise _model_error(path, f"cannot be read as a model ({words})") from None
    if not isinstance(model, CallDetector):
        shape = getattr(model, "input_shape", "of unknown shape")
        raise _model_error(
            path, f"a model {model.name!r} with input {shape}, which names no front end"
        )
    bands, n_bands = model.network.input_shape[-1], model.frontend.n_bands
    if bands != n_bands:
        raise _model_error(path, f"its network takes {bands} bands, its front end has {n_bands}")
    return model


def _model_error(path, reason):
    expected = "expected a model.keras that 05_capuchin_call_counter has written (a CallDetector)"
    return ModelError(f"{files.short_path(path)}: {reason}; {expected}")
