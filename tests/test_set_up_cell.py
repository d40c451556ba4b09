"""The set-up cell and `env.setup` install the package where it is missing, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from helpers import env
from tools.build import read_settings, set_up

ROOT = Path(__file__).resolve().parent.parent
CELL = set_up(**read_settings(ROOT))
PUBLISHED = {"repository": "https://github.com/someone/sounds", "ref": "main"}
ARCHIVE = "https://github.com/someone/sounds/archive/main.zip"
HOW = "pip install --quiet --disable-pip-version-check"
SERIES = sorted((ROOT / "notebooks").glob("**/[0-9][0-9]_*.ipynb"))

# Stands for pip: says what it was asked for, and puts the package where Python finds it.
PIP = """
import subprocess, types
def run(command, **_):
    print("pip", *command[command.index("install"):])
    package = {installed!r}
    sys.path.insert(0, package)
    return types.SimpleNamespace(returncode={returncode})
subprocess.run = run
"""


def run_cell(cwd, *, environment=(), before="", cell=CELL):
    """What the cell prints without `helpers` at hand, and the last line of its error."""
    code = (
        "import sys\n"
        f"sys.path[:] = [p for p in sys.path if p not in ('', {str(ROOT)!r})]\n"
        "sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f)]\n"
        f"{before}\n{cell}\nimport helpers.env\nprint(helpers.env.__file__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd, env=dict(environment), capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    return done.stdout, (done.stderr.strip().splitlines() or [""])[-1]


@pytest.fixture
def installed(tmp_path):
    """A folder as pip would fill it, with a package that needs NumPy and one that is nowhere."""
    folder = tmp_path / "installed"
    (folder / "helpers").mkdir(parents=True)
    (folder / "helpers" / "__init__.py").touch()
    (folder / "helpers" / "env.py").touch()
    information = folder / "audio_notebooks-9.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: audio-notebooks\nVersion: 9\n"
        "Requires-Dist: numpy>=99\nRequires-Dist: not-on-this-earth>=1\n"
        'Requires-Dist: tensorflow>=99; extra == "series"\n'
    )
    return folder


def test_all_notebooks_begin_with_the_same_cell():
    assert len(SERIES) >= 10
    for path in SERIES:
        notebook = nbformat.read(path, as_version=4)
        first = next(cell for cell in notebook.cells if cell.cell_type == "code")
        assert first.source.startswith(CELL), path.name
        assert first.source.removeprefix(CELL).split() in (
            ["from", "helpers", "import", "env", "env.setup()"],
            ["from", "helpers", "import", "env", "env.setup(keras=False)"],
        )
        assert first.metadata["jupyter"]["source_hidden"] and first.metadata["cellView"] == "form"
        assert len(first.source.splitlines()) <= 35


@pytest.mark.parametrize("place", [".", "notebooks", "notebooks/exercises"])
def test_in_a_clone_nothing_is_installed(place):
    said, error = run_cell(ROOT / place, before="import subprocess\nsubprocess.run = None")
    assert (said.strip(), error) == (str(ROOT / "helpers" / "env.py"), "")


def test_a_package_of_the_same_name_is_not_taken_for_ours(tmp_path):
    other = tmp_path / "other" / "helpers"
    other.mkdir(parents=True)
    (other / "__init__.py").touch()
    said, error = run_cell(ROOT, before=f"sys.path.insert(0, {str(other.parent)!r})")
    assert (said.strip(), error) == (str(ROOT / "helpers" / "env.py"), "")


def test_elsewhere_it_says_what_to_do(tmp_path):
    said, error = run_cell(tmp_path)
    assert said == "" and error.startswith("ImportError") and "`make lab`" in error


@pytest.mark.parametrize("variable", ["COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"])
def test_with_a_network_the_published_package_is_installed(tmp_path, installed, variable):
    pip = PIP.format(installed=str(installed), returncode=0)
    cell = set_up(**PUBLISHED)
    said, error = run_cell(tmp_path, environment={variable: "1"}, before=pip, cell=cell)
    assert said.splitlines() == [
        f"{HOW} --no-deps {ARCHIVE}",
        str(installed / "helpers" / "env.py"),
    ], error


@pytest.mark.parametrize("place", ["helpers", "datasets/somebody/helpers", "a/b/c/d"])
def test_a_wheel_on_kaggle_is_found_however_deep(tmp_path, installed, place):
    mount = tmp_path / "input" / place
    mount.mkdir(parents=True)
    for version in ("0.1.0", "0.2.0"):
        (mount / f"audio_notebooks-{version}-py3-none-any.whl").touch()
    said, error = run_cell(
        tmp_path,
        environment={"KAGGLE_INPUT": str(tmp_path / "input"), "KAGGLE_KERNEL_RUN_TYPE": "Batch"},
        before=PIP.format(installed=str(installed), returncode=0),
    )
    assert said.splitlines() == [
        f"{HOW} --no-deps {mount}/audio_notebooks-0.2.0-py3-none-any.whl",
        str(installed / "helpers" / "env.py"),
    ], error


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        (PUBLISHED, "(Add Input), or switch the Internet on"),
        ({**PUBLISHED, "repository": "https://github.com/OWNER/sounds"}, "(Add Input). On Colab"),
    ],
)
def test_what_cannot_be_installed_is_named_with_what_to_do(tmp_path, installed, settings, advice):
    pip = PIP.format(installed=str(installed), returncode=1)
    cell = set_up(**settings)
    said, error = run_cell(tmp_path, environment={"COLAB_RELEASE_TAG": "1"}, before=pip, cell=cell)
    assert advice in error
    assert bool(said) == (settings == PUBLISHED), "what has no address is not asked for"


@pytest.mark.parametrize(
    ("origin", "options"),
    [
        ("https://github.com/someone/sounds/archive/main.zip", []),
        (
            "file:///in/a%20b/audio_notebooks-9.whl",
            ["--no-index", "--find-links", "file:///in/a%20b"],
        ),
        (None, []),
    ],
)
def test_only_what_is_missing_is_installed(installed, monkeypatch, origin, options):
    if origin:
        record = installed / "audio_notebooks-9.dist-info" / "direct_url.json"
        record.write_text(json.dumps({"url": origin}))
    asked, status = [], [0, 1]

    def run(command, **_):
        if "install" not in command:  # looks for a GPU
            raise FileNotFoundError
        asked.append(command[command.index("install") :])
        return subprocess.CompletedProcess(command, status.pop(0))

    monkeypatch.syspath_prepend(installed)
    monkeypatch.setattr(env.subprocess, "run", run)
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    env.setup(keras=False)
    assert ["pip", *asked[-1]] == [*HOW.split(), *options, "--no-deps", "not-on-this-earth"]
    with pytest.raises(ImportError, match="not-on-this-earth could not be installed. On Kaggle"):
        env.setup(keras=False)


def test_on_a_machine_of_ones_own_nothing_is_installed(installed, monkeypatch):
    monkeypatch.syspath_prepend(installed)
    monkeypatch.setattr(env, "install_missing", lambda: pytest.fail("it installs"))
    env.setup(keras=False)
