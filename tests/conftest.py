"""What all tests share: the Keras backend, chosen before Keras is imported, and tiny networks."""

import contextlib
import io

import numpy as np
import pytest

from helpers import env

with contextlib.redirect_stdout(io.StringIO()) as _said:
    env.setup()


def pytest_report_header():
    return _said.getvalue().split("\n")


@pytest.fixture(scope="session")
def tone_detector():
    """A `CallDetector` made by hand: a call is a tone of 1500 Hz, 15 dB above the frame's mean."""
    import keras

    from helpers import models
    from helpers.events import EventSettings
    from helpers.features import Frontend

    frontend = Frontend(sr=8000, n_fft=512, hop_length=128, n_mels=32)
    band = np.argmin(np.abs(frontend.frequencies - 1500))
    inputs = keras.Input((None, frontend.n_bands), name="power")
    convolution = keras.layers.Conv1D(1, 9, strides=4)
    network = keras.Model(inputs, convolution(models.LevelNormalisation()(inputs)), name="tone")
    kernel = np.zeros((9, frontend.n_bands, 1), np.float32)
    kernel[:, band] = 6 / 9
    convolution.set_weights([kernel, np.array([-9], np.float32)])
    return models.CallDetector(network, frontend, EventSettings(min_distance_s=0.5, duration_s=0.4))
