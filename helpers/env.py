"""Where a notebook runs, on which hardware and backend, and with which seeds."""

import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import random
import re
import shutil
import subprocess
import sys
import textwrap
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

NVIDIA = Path("/proc/driver/nvidia/gpus")  # on Linux: one entry for each GPU
CPU_INFO = Path("/proc/cpuinfo")  # on Linux: what the processor can do


@dataclass(frozen=True)
class Setup:
    """What `setup` found and chose; `versions` maps a package to its version."""

    where: str
    backend: str
    gpu: bool
    versions: dict


def where():
    """Where this runs: "kaggle", "colab" or "local"."""
    if "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
        return "kaggle"
    if "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ:
        return "colab"
    return "local"


def has_gpu():
    """True if an NVIDIA GPU answers. Loads no deep learning framework."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    if NVIDIA.is_dir() and any(NVIDIA.iterdir()):
        return True
    try:  # a machine without a GPU may have this program as well
        answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and "GPU 0" in answer.stdout


def choose_backend(*, gpu):
    """Name of the Keras backend for this machine: "tensorflow", "jax" or "torch".

    The environment variable KERAS_BACKEND decides. Otherwise it is TensorFlow with a GPU, and JAX
    without one, as it trains small networks on few cores twice as fast; or whichever is installed.
    """
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"]
    order = ("tensorflow", "jax", "torch") if gpu else ("jax", "tensorflow", "torch")
    return next((name for name in order if importlib.util.find_spec(name)), "tensorflow")


def setup(*, keras=True):
    """Install what is missing on Kaggle or Colab, choose the Keras backend, and print the versions.

    Call it before Keras is imported, or its backend stays. keras: False: do not import Keras, which
    saves seconds. Returns a `Setup`. Raises ImportError if a package cannot be installed.
    """
    if where() != "local":
        install_missing()
    gpu = has_gpu()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    backend = _load_keras(gpu, versions) if keras else ""
    versions["librosa"] = _version("librosa")
    facts = [f"{name} {version}" for name, version in versions.items()]
    facts += [f"Keras on {backend}"] if keras else []
    facts += [where(), f"{cpu_count()} CPU cores, {'a GPU' if gpu else 'no GPU'}"]
    print(textwrap.fill(" · ".join(facts), width=100), "Set-up complete", sep="\n")
    return Setup(where=where(), backend=backend, gpu=gpu, versions=versions)


def install_missing():
    """Install the missing requirements of this package, if pip installed it.

    Each comes without its own dependencies, so that TensorFlow and NumPy are never replaced; from
    the folder of this package's wheel if it came from one. Raises ImportError, with what to do.
    """
    try:
        ours = importlib.metadata.distribution("audio-notebooks")
    except importlib.metadata.PackageNotFoundError:
        return
    needed = [text for text in ours.requires or () if "extra ==" not in text]
    names = [re.match(r"[\w.-]+", text).group() for text in needed]
    missing = [name for name in names if not any(importlib.metadata.distributions(name=name))]
    if not missing:
        return
    origin = json.loads(ours.read_text("direct_url.json") or "{}").get("url", "")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if origin.startswith("file:") and origin.endswith(".whl"):
        pip += ["--no-index", "--find-links", origin.rpartition("/")[0]]
    if subprocess.run([*pip, "--no-deps", *missing]).returncode:
        raise ImportError(
            f"{', '.join(missing)} could not be installed. On Kaggle, attach the data set with the "
            "package (Add Input), or switch the Internet on (Settings). Then run this cell again."
        )
    importlib.invalidate_caches()


def _load_keras(gpu, versions):
    """Import Keras with the backend for this machine. Adds to `versions`, returns the backend."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = choose_backend(gpu=gpu)
        if not gpu:
            os.environ.setdefault("JAX_PLATFORMS", "cpu")  # otherwise JAX looks for a TPU and warns
            _keep_compiled()
    with silent_stderr():
        import keras

    backend = keras.config.backend()
    versions |= {"keras": keras.__version__, backend: _version(backend)}
    return backend


def _keep_compiled():
    """Let JAX keep compiled code on disk, if it can: it saves seconds for each network.

    The folder is `cache/jax/<processor>` in the repository, because code compiled for one processor
    may crash on another.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    try:
        processor = re.search(r"^flags\s*:.*", CPU_INFO.read_text(), re.MULTILINE).group()
    except (OSError, AttributeError):  # not on Linux, or another kind of processor
        processor = platform.processor()
    digest = hashlib.blake2b(f"{platform.machine()} {processor}".encode(), digest_size=8)
    folder = repository_root() / "cache" / "jax" / digest.hexdigest()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


def compile_librosa():
    """Let librosa's compiled functions be on disk, before several processes need them.

    Two processes that compile them at the same time may leave files with which every later one
    crashes (numba issue 10128). It takes 20 seconds, once for each installation.
    """
    last = "core/__pycache__/guf-pitch*.nbi"  # of these functions, in the order of the imports
    if not any(_librosa_folder().glob(last)):
        subprocess.run([sys.executable, "-c", "import librosa.core.pitch"], check=True)


def copy_compiled_librosa(folder):
    """Copy what `compile_librosa` made to a folder, which is to be named by NUMBA_CACHE_DIR.

    For processes that may not write beside librosa: they would compile it again.
    """
    from numba.core.caching import InTreeCacheLocator

    for path in _librosa_folder().rglob("*.nb[ci]"):
        source = path.parent.parent / "__init__.py"
        target = Path(folder, InTreeCacheLocator.get_suitable_cache_subpath(str(source)))
        target.mkdir(exist_ok=True)
        shutil.copy(path, target)


def _librosa_folder():
    return Path(importlib.util.find_spec("librosa").origin).parent  # without importing it


def optional(name, *, package=""):
    """Import an optional module, or print how to install it and return None.

    package: its name for pip, if it is another.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"{name} is not installed, so this part is skipped: `pip install {package or name}`")
        return None


def seed_everything(seed):
    """Seed `random`, NumPy and Keras, before the first model is made. seed: int ≥ 0."""
    import keras

    if keras.config.backend() == "jax" and "tensorflow" not in sys.modules:
        # set_random_seed would import TensorFlow, which takes seconds and 400 MB. Without it all
        # seeds of Keras come from `random`, after clear_session has removed the earlier ones.
        keras.utils.clear_session(free_memory=False)
        random.seed(seed)
        np.random.seed(seed)
    else:
        with silent_stderr():  # may import TensorFlow
            keras.utils.set_random_seed(seed)


@contextmanager
def silent_stderr():
    """Drop the standard error output, also of C++ code, such as TensorFlow's messages at import."""
    try:
        kept = os.dup(2)
    except OSError:  # no standard error output
        yield
        return
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _version(package):
    """Version of an installed package, without importing it. tensorflow-cpu is TensorFlow too."""
    for name in (package, f"{package}-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "not installed"


def cpu_count():
    """Number of CPU cores that this process may use, which a container may limit."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def repository_root():
    """Folder of the repository, or the working folder if `helpers` is an installed package."""
    here = Path(__file__).resolve().parents[1]
    for folder in (here, Path.cwd(), *Path.cwd().parents):
        if os.path.isdir(folder / "helpers") and os.path.isdir(folder / "notebooks"):
            return folder
    return here if os.path.isfile(here / "pyproject.toml") else Path.cwd()


# Where Kaggle mounts the data sets of a notebook. Rehearsals of Kaggle set another folder.
KAGGLE_INPUT = Path(os.environ.get("KAGGLE_INPUT", "/kaggle/input"))


def item_rng(seed, item, *ids):
    """A random generator for one item of a data set, independent of all other items."""
    key = (zlib.crc32(item.encode()), *ids)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
