# @title Set-up: find the package `helpers`; on Kaggle and Colab, install it. Nothing to change.
import importlib
import os
import subprocess
import sys
from pathlib import Path

ARCHIVE = "{{archive}}"
try:
    importlib.import_module("helpers.env")
except ImportError:
    sys.modules.pop("helpers", None)  # another package of that name, if any
    clones = (p for p in (Path.cwd(), *Path.cwd().parents) if (p / "helpers" / "env.py").is_file())
    inputs = Path(os.environ.get("KAGGLE_INPUT", "/kaggle/input"))
    places = ("*", "datasets/*/*", "**")  # the last one goes through every file that is attached
    wheels = (w for p in places for w in sorted(inputs.glob(f"{p}/audio_notebooks-*.whl"))[-1:])
    is_cloud = not {"KAGGLE_KERNEL_RUN_TYPE", "COLAB_RELEASE_TAG"}.isdisjoint(os.environ)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if clone := next(clones, None):
        sys.path.insert(0, str(clone))
    elif not (package := next(wheels, is_cloud and ARCHIVE)) or (
        subprocess.run([*pip, "--no-deps", str(package)]).returncode
    ):
        raise ImportError(
            "The package `helpers` is missing. On your machine, open the notebooks with `make lab` "
            "in the repository. On Kaggle, attach the data set that has the package (Add Input)"
            f"{', or switch the Internet on (Settings)' if ARCHIVE else ''}. On Colab, change to a "
            "copy of the repository (%cd). Then run this cell again."
        ) from None
    importlib.invalidate_caches()
