"""What tests share: the Keras backend, chosen before Keras is imported, a detector, a cluster."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile as sf
from hypothesis import settings

from helpers import audio, env, synthesis
from helpers.data import DATASETS

with contextlib.redirect_stdout(io.StringIO()) as _said:
    env.setup()

# The same examples in every run, and as much time for one as a busy machine needs.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_report_header():
    return _said.getvalue().split("\n")


def pytest_collection_modifyitems(items):
    """What takes longest comes first: of two processes, neither then waits long for the other."""
    long = ("test_notebooks.py", "test_real_data.py", "test_kaggle.py", "test_grade.py")
    items.sort(key=lambda item: item.path.name not in long)


@pytest.fixture(scope="session")
def sample_dir(tmp_path_factory):
    """A folder for synthetic data sets that no test changes, the same in all processes of a run."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "samples"


@pytest.fixture(scope="session")
def synthetic(sample_dir):
    """A function: name of a data set → folder of its small sample, which no test must change."""

    def folder(name):
        root = sample_dir / "data" / "synthetic" / f"{name}-small"  # as with AUDIO_SAMPLE_DIR
        return synthesis.write_sample(synthesis.GENERATORS[name], root, progress=False)

    return folder


@pytest.fixture(scope="session")
def sample(tmp_path_factory, synthetic):
    """A synthetic data set with files that only turn out to be damaged when they are decoded."""
    root = tmp_path_factory.mktemp("data") / "capuchin"
    shutil.copytree(synthetic("capuchin"), root)
    nan = np.full(8000, np.nan, np.float32)
    for folder in DATASETS["capuchin"].labels.values():
        whole = sorted((root / folder).glob("*"))[0]
        y = audio.load(whole, sr=16000)
        sf.write(root / folder / "nan-0.wav", nan, 16000, subtype="FLOAT")
        sf.write(root / folder / "cut-0.flac", y, 16000)
        content = bytearray((root / folder / "cut-0.flac").read_bytes())
        content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
        (root / folder / "cut-0.flac").write_bytes(content)
        sf.write(root / folder / "silent-0.wav", np.zeros(16000, np.float32), 16000)
        sf.write(root / folder / "one sample-0.wav", np.zeros(1, np.float32), 16000)
    sf.write(root / "Forest Recordings" / "no number.wav", nan, 16000, subtype="FLOAT")
    # A recording that is in no key must not spoil the figures of the others.
    call = audio.load(sorted((root / "Parsed_Capuchinbird_Clips").glob("*"))[0], sr=16000)
    sf.write(root / "Forest Recordings" / "without key $1$ b$_$.wav", call, 16000)
    return root


@pytest.fixture(scope="session")
def tone_detector():
    """A `CallDetector` made by hand: a call is a tone of 1500 Hz, 15 dB above the frame's mean."""
    import keras

    from helpers import models
    from helpers.features import Frontend
    from helpers.models import EventSettings, blocks

    frontend = Frontend(sr=8000, n_fft=512, hop_length=128, n_mels=32)
    band = np.argmin(np.abs(frontend.frequencies - 1500))
    inputs = keras.Input((None, frontend.n_bands), name="power")
    convolution = keras.layers.Conv1D(1, 9, strides=4)
    network = keras.Model(inputs, convolution(blocks.LevelNormalisation()(inputs)), name="tone")
    kernel = np.zeros((9, frontend.n_bands, 1), np.float32)
    kernel[:, band] = 6 / 9
    convolution.set_weights([kernel, np.array([-9], np.float32)])
    return models.CallDetector(network, frontend, EventSettings(min_distance_s=0.5, duration_s=0.4))


def dask(command, *arguments, request, cwd):
    """A process of Dask's, which ends with the test."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{command}", *arguments],
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    request.addfinalizer(process.wait)
    request.addfinalizer(process.kill)
    return process


@pytest.fixture
def scheduler(request, tmp_path):
    """(address, process) of a scheduler without workers."""
    found = tmp_path / "scheduler.json"
    arguments = ["--port", "0", "--dashboard-address", ":0", "--scheduler-file", str(found)]
    process = dask("scheduler", *arguments, request=request, cwd=tmp_path)
    for _ in range(1800):
        if found.exists() and (text := found.read_text()):
            return json.loads(text)["address"], process
        time.sleep(0.1)
    pytest.fail("the scheduler did not start")


@pytest.fixture
def workers(request, tmp_path, scheduler):
    """Two workers of one thread, which know nothing of the repository."""
    arguments = [scheduler[0], "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    return [dask("worker", *arguments, request=request, cwd=tmp_path) for _ in range(2)]
