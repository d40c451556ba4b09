# @title Set-up: find the package `helpers`; on Kaggle and Colab, install it. Nothing to change.
import importlib
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ARCHIVE = "{{archive}}"
KAGGLE_INPUT = Path(os.environ.get("KAGGLE_INPUT", "/kaggle/input"))


def install(*what):
    """Install just what is named: no TensorFlow and no NumPy is ever replaced."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, "--no-deps", *map(str, what)]).returncode:
        raise ImportError(
            f"{what[-1]} could not be installed. On Kaggle, attach the data set with the package "
            "(Add Input), or switch the Internet on (Settings), and run this cell again."
        )
    importlib.invalidate_caches()


def find_helpers():
    """Put `helpers` within reach: a clone's, a wheel attached on Kaggle, or the repository's."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "helpers" / "env.py").is_file() and (folder / "notebooks").is_dir():
            sys.path.insert(0, str(folder))
            return
    # Quickly where a data set is mounted; then anywhere, among perhaps thousands of files.
    for places in ("*", "datasets/*/*", "**"):
        if wheels := sorted(KAGGLE_INPUT.glob(f"{places}/audio_notebooks-*.whl")):
            install("--no-index", wheels[-1])
            source = ("--no-index", "--find-links", wheels[-1].parent)
            break
    else:
        if not {"KAGGLE_KERNEL_RUN_TYPE", "COLAB_RELEASE_TAG"} & set(os.environ):
            raise ImportError(
                "`helpers` is not installed, and this is no clone of the repository: there, "
                "`make lab` opens the notebooks with all that they need."
            )
        install(ARCHIVE)
        source = ()
    for text in metadata.requires("audio-notebooks"):
        name = re.match(r"[\w.-]+", text).group()
        if "extra ==" not in text and not any(metadata.distributions(name=name)):
            install(*source, name)


try:
    importlib.import_module("helpers.env")
except ImportError:
    sys.modules.pop("helpers", None)  # somebody else's, if any
    find_helpers()
