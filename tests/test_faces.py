"""The packages of `helpers`: importing one loads nothing heavy, and all of its names exist."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
FACES = ("audio", "data", "synthesis", "features", "models", "training", "evaluation", "detection")
FACES += ("display", "exercises")
HEAVY = {"keras", "jax", "tensorflow", "torch", "librosa", "numba", "scipy", "sklearn", "pandas"}
HEAVY |= {"matplotlib", "soundfile", "requests", "urllib3", "pooch", "kagglehub"}

CODE = """
import importlib, json, sys
loaded = {}
for face in sys.argv[1:]:
    importlib.import_module(face)
    loaded[face] = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps(loaded))
"""


def test_importing_a_face_loads_nothing_heavy():
    faces = ["helpers", *(f"helpers.{face}" for face in FACES)]
    done = subprocess.run(
        [sys.executable, "-c", CODE, *faces],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    assert "numpy" not in loaded["helpers"], "the package itself loads nothing"
    found = {face: HEAVY & set(names) for face, names in loaded.items()}
    # Last: the checks of the exercises compare tables, so this face needs pandas.
    assert found.pop("helpers.exercises") <= {"pandas"} and FACES[-1] == "exercises"
    assert found == dict.fromkeys(found, set())


@pytest.mark.parametrize("face", FACES)
def test_every_name_of_a_face_exists_and_is_no_module_by_mistake(face):
    package = importlib.import_module(f"helpers.{face}")
    names = list(package.__all__)
    assert names and len(set(names)) == len(names)
    submodules = {path.stem for path in Path(package.__file__).parent.glob("*.py")}
    for name in names:
        # A submodule would take the place of an attribute of its name once it is imported.
        assert isinstance(getattr(package, name), ModuleType) == (name in submodules), name


def test_every_package_is_measured():
    packages = {path.parent.name for path in (ROOT / "helpers").glob("*/__init__.py")}
    assert packages == set(FACES)
