"""helpers.env: where, backend, seeds."""

import importlib
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers import env

ROOT = Path(__file__).resolve().parents[1]


def python(code, **variables):
    """Output of a fresh interpreter."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    variables = {name: value for name, value in variables.items() if value is not None}
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_setup_chooses_before_keras_is_there_and_seeds(tmp_path):
    pytest.importorskip("keras")
    pytest.importorskip("jax")
    code = """
import random, sys, numpy
from helpers import env

def draw():
    found = env.setup()
    env.seed_everything(3)
    import keras
    assert found.backend == keras.config.backend() == "jax"
    layer = keras.layers.Dense(2)
    layer.build((None, 2))
    numbers = *layer.get_weights()[0].ravel(), *numpy.ravel(keras.random.normal((1,)))
    return random.random(), numpy.random.rand(), *map(float, numbers)

a = draw()
assert draw() == a and len(set(a)) == len(a), a
assert "tensorflow" not in sys.modules
"""
    out = python(code, KERAS_BACKEND=None, CUDA_VISIBLE_DEVICES="", KERAS_HOME=str(tmp_path))
    assert "Keras on jax" in " ".join(out.split()) and "librosa" in out
    assert max(map(len, out.splitlines())) <= 100


def test_what_jax_compiles_is_kept_for_the_next_process(tmp_path):
    pytest.importorskip("jax")
    code = """
from helpers import env
env._keep_compiled()
import jax
x = jax.numpy.linspace(0, 1, 50)
for _ in range(60):
    x = jax.numpy.sin(x) + x @ jax.numpy.outer(x, x)
print(float(jax.jit(lambda x: sum(jax.numpy.cos(k * x).sum() for k in range(300)))(x)))
"""
    kept = tmp_path / "kept"
    options = {"JAX_PLATFORMS": "cpu", "JAX_COMPILATION_CACHE_DIR": str(kept)}
    options["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    first = python(code, **options)
    files = {path.name: path.stat().st_mtime_ns for path in kept.iterdir()}
    assert files and python(code, **options) == first
    assert {p.name: p.stat().st_mtime_ns for p in kept.iterdir() if p.name in files} == files


def test_each_processor_has_a_folder_of_its_own_for_compiled_code(monkeypatch, tmp_path):
    monkeypatch.setattr(env, "repository_root", lambda: tmp_path)
    folders = []
    for flags in ("fpu avx2", "fpu avx2 avx512f", "fpu avx2"):
        monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
        monkeypatch.setattr(env, "CPU_INFO", tmp_path / "cpuinfo")
        (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\nbugs :\n")
        env._keep_compiled()
        folders.append(os.environ["JAX_COMPILATION_CACHE_DIR"])
    assert folders[0] == folders[2] != folders[1]
    assert all(Path(folder).parent == tmp_path / "cache" / "jax" for folder in folders)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "mine")
    env._keep_compiled()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "mine"
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    monkeypatch.setattr(env, "repository_root", lambda: tmp_path / "cpuinfo")  # a file
    env._keep_compiled()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ


def test_setup_without_keras_loads_no_framework():
    code = """
import sys
from helpers import env
found = env.setup(keras=False)
assert found.backend == "" and set(found.versions) == {"python", "numpy", "librosa"}, found
assert not {"keras", "tensorflow", "jax", "torch", "librosa"} & set(sys.modules)
"""
    out = python(code)
    words = " ".join(out.split())
    for version in (f"python {platform.python_version()}", f"numpy {np.__version__}", "librosa "):
        assert version in words
    assert "Keras" not in words and "CPU cores" in words
    assert max(map(len, out.splitlines())) <= 100


def test_librosa_is_compiled_once(tmp_path):
    import librosa.core.pitch

    assert [*Path(librosa.__file__).parent.glob("core/__pycache__/guf-pitch*.nbi")]
    core = tmp_path / "librosa" / "core"
    (core / "__pycache__").mkdir(parents=True)
    (tmp_path / "librosa" / "__init__.py").touch()
    (core / "__init__.py").touch()
    compiled = core / "__pycache__" / "guf-pitch._pi_wrapper-430.py311.nbi"
    compiles = f"print('compiled'); open({str(compiled)!r}, 'w').close()"
    (core / "pitch.py").write_text(compiles)
    code = "from helpers import env; env.compile_librosa(); env.compile_librosa()"
    assert python(code, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}") == "compiled\n"


def test_a_copy_of_what_librosa_compiled_is_used(tmp_path):
    env.copy_compiled_librosa(tmp_path)
    copied = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb[ci]")}
    assert copied
    python("import librosa.core.pitch", NUMBA_CACHE_DIR=str(tmp_path))
    assert copied == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb[ci]")}


def test_an_optional_module_is_there_or_the_reader_learns_how_to_get_it(capsys):
    assert env.optional("wave") is importlib.import_module("wave")
    assert env.optional("xml.dom") is importlib.import_module("xml.dom")
    assert capsys.readouterr() == ("", "")
    for package, expected in (("", "no_such_module"), ("its-package", "its-package")):
        assert env.optional("no_such_module", package=package) is None
        (line,) = capsys.readouterr().out.splitlines()
        assert line.startswith("no_such_module is not installed")
        assert f"`pip install {expected}`" in line and len(line) <= 100
    assert env.optional("wave.no_such_part") is None


def test_where(monkeypatch):
    for name in ("KAGGLE_KERNEL_RUN_TYPE", "COLAB_RELEASE_TAG"):
        monkeypatch.delenv(name, raising=False)
    assert env.where() == "local"
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    assert env.where() == "colab"
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert env.where() == "kaggle"


@pytest.mark.parametrize(
    ("said", "gpu", "installed", "expected"),
    [
        ("torch", True, ["tensorflow", "jax"], "torch"),
        ("", True, ["tensorflow", "jax"], "tensorflow"),
        ("", True, ["jax"], "jax"),
        ("", False, ["tensorflow", "jax"], "jax"),
        ("", False, ["tensorflow"], "tensorflow"),
        ("", False, ["torch"], "torch"),
    ],
)
def test_choose_backend(monkeypatch, said, gpu, installed, expected):
    monkeypatch.setenv("KERAS_BACKEND", said)
    monkeypatch.setattr(env.importlib.util, "find_spec", lambda name: name in installed or None)
    assert env.choose_backend(gpu=gpu) == expected


def test_a_gpu_is_one_that_answers(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(env, "NVIDIA", tmp_path / "gpus")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not env.has_gpu()
    for code, text, expected in ((9, "failed", False), (0, "GPU 0: H200", True)):
        answer = subprocess.CompletedProcess([], code, text, "")
        monkeypatch.setattr(env.subprocess, "run", lambda *a, answer=answer, **k: answer)
        assert env.has_gpu() is expected
    (tmp_path / "gpus" / "0000:01:00.0").mkdir(parents=True)
    monkeypatch.setattr(env.subprocess, "run", None)
    assert env.has_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert not env.has_gpu()
