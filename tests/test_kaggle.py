"""The bundle for Kaggle: what the official client says of it, and a rehearsal without a network."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import types
import zipfile
from importlib import metadata
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from nbclient import NotebookClient
from notebook_runs import COUNTER, FIRST_TWO, REAL, ROOT, SPEAKERS, URBAN
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import HTTPError

from helpers import models, synthesis
from helpers.data import DATASETS
from tools import kaggle
from tools.command_line import CommandError
from tools.running.kernels import kernel_manager
from tools.running.notebook_errors import find_error
from tools.series.notebooks import find_notebooks, read_profiles

NOTEBOOKS = list(find_notebooks(ROOT))
TASKS = sorted((ROOT / "notebooks" / "exercises").glob("[0-9][0-9]_*.ipynb"))
OWNER = "somebody"
PACKAGE = f"{OWNER}/{kaggle.SLUG}"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A bundle without what comes from the index."""
    folder = tmp_path_factory.mktemp("dist") / "kaggle"
    weights = folder.parent / "yamnet.tflite"
    weights.write_bytes(b"weights of one's own")
    files = kaggle.bundle(folder, owner=OWNER, weights=[weights], packages=())
    return folder, files


def kernel_folders(folder):
    return kaggle.kernels(folder, NOTEBOOKS)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


# --- what is in it ----------------------------------------------------------------------------


def test_every_notebook_is_there_in_both_forms_and_the_package_once(made):
    folder, files = made
    for name in NOTEBOOKS:
        assert (folder / name / f"{name}.ipynb").read_bytes() == (
            ROOT / "notebooks" / f"{name}.ipynb"
        ).read_bytes()
    for path in TASKS:
        assert (folder / path.stem / "exercises" / path.name).read_bytes() == path.read_bytes()
    assert len(TASKS) >= 5
    inside = [name for name in files if name.startswith("helpers/")]
    assert [Path(name).suffix for name in inside] == [".whl", ".json", ".tflite"]
    wheel = zipfile.ZipFile(folder / inside[0])
    sources = {p.relative_to(ROOT).as_posix() for p in (ROOT / "helpers").rglob("*.py")}
    assert sources == {name for name in wheel.namelist() if name.endswith(".py")}


def test_the_same_sources_give_the_same_bundle_and_replace_it_whole(made, tmp_path):
    folder, files = made
    again = tmp_path / "kaggle"
    shutil.copytree(folder, again)
    (again / "01_eda" / "left over").touch()
    weights = folder / "helpers" / "yamnet.tflite"
    assert kaggle.bundle(again, owner=OWNER, weights=[weights], packages=()) == files
    assert [(again / name).read_bytes() == (folder / name).read_bytes() for name in files] == [
        True
    ] * len(files)
    assert [path.name for path in tmp_path.iterdir()] == ["kaggle"]


def test_what_is_no_bundle_stays_as_it_is(tmp_path, capsys):
    own = tmp_path / "thesis"
    own.mkdir()
    (own / "thesis.tex").write_text("years of work")
    command = ["bundle", "--owner", OWNER, "--offline", "--output", str(own)]
    assert kaggle.main(command) == 1
    assert "is not a bundle" in capsys.readouterr().err
    assert (own / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(
    "options, said",
    [
        (["--weights", "nowhere.tflite"], "no such file: nowhere.tflite"),
        (["--output", f"{__file__}/kaggle"], "cannot be written"),
    ],
)
def test_a_bundle_that_cannot_be_made_leaves_nothing(options, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["bundle", "--owner", OWNER, "--offline", "--output", "kaggle", *options]
    assert kaggle.main(command) == 1
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_without_an_index_it_says_what_to_leave_out(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    folder = tmp_path / "kaggle"
    assert kaggle.main(["bundle", "--owner", OWNER, "--output", str(folder)]) == 1
    error = capsys.readouterr().err
    assert "--offline leaves out mir_eval" in error and len(error.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_somebody_must_own_it(capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("KAGGLE_USERNAME", raising=False)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    assert kaggle.main(["bundle", "--output", str(tmp_path / "kaggle")]) == 1
    assert "--owner" in capsys.readouterr().err


# --- what the official client says of it ------------------------------------------------------


class Kaggle:
    """Stands for Kaggle's servers: keeps what is sent, answers as they would."""

    def __init__(self, *, exists=False):
        self.exists, self.sent = exists, []
        self.kernels = types.SimpleNamespace(
            kernels_api_client=types.SimpleNamespace(save_kernel=self.take)
        )
        self.datasets = types.SimpleNamespace(
            dataset_api_client=types.SimpleNamespace(
                create_dataset=self.take, create_dataset_version=self.take
            )
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def take(self, request):
        self.sent.append(request)
        self.exists = True
        return types.SimpleNamespace(
            error="", versionNumber=len(self.sent), url="https://kaggle.com/…", status="ok"
        )

    def status(self, dataset):
        if not self.exists:
            raise HTTPError("403 Forbidden", response=types.SimpleNamespace(status_code=403))
        return "ready"


@pytest.fixture
def client(monkeypatch):
    """The official client, all of it but its connection: (client, Kaggle)."""
    from kaggle.api.kaggle_api_extended import KaggleApi

    server = Kaggle()
    monkeypatch.setattr(KaggleApi, "build_kaggle_client", lambda _: server)
    monkeypatch.setattr(KaggleApi, "dataset_status", lambda _, dataset: server.status(dataset))
    monkeypatch.setattr(KaggleApi, "upload_files", lambda *_, **__: None)
    monkeypatch.setattr(kaggle, "READY_WITHIN_S", 0)
    api = KaggleApi()
    api.config_values = {"username": OWNER, "key": "none"}
    return api, server


def test_the_official_client_accepts_the_bundle(made, client, capsys):
    folder, _ = made
    api, server = client
    shown = []
    lines = list(kaggle.push(folder, NOTEBOOKS, client=api, confirm=lambda x: shown.extend(x) or 1))
    data, *kernels = server.sent
    assert (data.owner_slug, data.slug, data.is_private) == (OWNER, kaggle.SLUG, True)
    assert len(kernels) == len(shown) - 1 == len(NOTEBOOKS) + len(TASKS)
    assert len({kernel.slug for kernel in kernels}) == len(kernels)
    for kernel, place in zip(kernels, kernel_folders(folder), strict=True):
        assert (kernel.language, kernel.kernel_type) == ("python", "notebook")
        assert kernel.is_private and not kernel.enable_internet
        assert kernel.dataset_data_sources[0] == PACKAGE
        assert len(kernel.new_title) <= 50  # as its pages allow
        body = json.loads(kernel.text)
        assert [cell["source"] for cell in body["cells"]] == [
            cell.source for cell in nbformat.read(next(place.glob("*.ipynb")), 4).cells
        ]
    assert any(kernel.enable_gpu for kernel in kernels)
    # The client only warns of an address that Kaggle would change.
    assert "does not resolve" not in capsys.readouterr().out
    assert len(lines) == len(server.sent) and lines[0].endswith("sent")


def test_the_data_sets_named_are_those_that_the_notebooks_look_for():
    known = {info.kaggle for info in DATASETS.values()}
    for name, extras in kaggle.read_extras(ROOT).items():
        text = (ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
        for wanted in extras.get("data", []):
            assert DATASETS[wanted].kaggle in known and wanted in text
        assert bool(extras.get("models")) == ("YAMNET_PATH" in text)


def test_a_second_push_is_a_new_version(made, client):
    api, server = client
    server.exists = True
    list(kaggle.push(made[0], NOTEBOOKS[:1], client=api, confirm=lambda _: True))
    version, *kernels = server.sent
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert version.body.version_notes == f"version {project['version']}"
    assert version.dataset_slug == kaggle.SLUG and len(kernels) == 2


def test_nothing_is_sent_that_was_not_agreed_to(made, client):
    api, server = client
    assert list(kaggle.push(made[0], NOTEBOOKS, client=api, confirm=lambda _: False)) == []
    assert server.sent == []


@pytest.mark.parametrize(
    "error, said",
    [
        (NoConnection("kaggle.com"), "no connection"),
        (HTTPError("x", response=types.SimpleNamespace(status_code=500)), "it answered 500"),
        (ValueError("Title must be at least five characters"), "at least five"),
    ],
)
def test_what_kaggle_refuses_is_one_line(made, client, error, said, monkeypatch):
    api, server = client

    def refuse(_):
        raise error

    monkeypatch.setattr(server, "status", refuse)
    with pytest.raises(CommandError, match=said):
        list(kaggle.push(made[0], NOTEBOOKS, client=api, confirm=lambda _: True))
    assert server.sent == []


def test_a_kernel_that_is_refused_ends_it(made, client, monkeypatch):
    api, server = client
    monkeypatch.setattr(
        server.kernels.kernels_api_client,
        "save_kernel",
        lambda _: types.SimpleNamespace(error="Maximum batch GPU session count reached"),
    )
    with pytest.raises(CommandError, match="Maximum batch GPU session"):
        list(kaggle.push(made[0], NOTEBOOKS, client=api, confirm=lambda _: True))


def test_without_an_account_or_a_bundle_it_says_what_to_do(tmp_path):
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("KAGGLE_")
    }
    environment |= {"HOME": str(tmp_path), "KAGGLE_CONFIG_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "kaggle.py", "push"],
        env=environment, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 1 and "kaggle auth login" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and done.stdout == ""
    with pytest.raises(CommandError, match="run `bundle` first"):
        list(kaggle.push(tmp_path, NOTEBOOKS, client=None, confirm=None))


# --- the rehearsal ----------------------------------------------------------------------------

LAYOUTS = ("{slug}", "datasets/{owner}/{slug}")
PLACES = ("DATA_DIR", "MODEL_PATH", "PREDICT_DIR")
REAL_CLIPS = REAL / "urbansound8k"


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The interpreter of a fresh environment with libraries, as Kaggle has, without ours."""
    folder = tmp_path_factory.mktemp("image")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    libraries = folder / "libraries"
    libraries.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.replace("-", "_").startswith(
            ("__editable__", "audio_notebooks", "mir_eval", "_distutils", "distutils")
        ):
            (libraries / path.name).symlink_to(path)
    python = folder / "bin" / "python"
    purelib = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    ).strip()
    Path(purelib, "libraries.pth").write_text(f"{libraries}\n")
    return python


def pack_again(name, folder):
    """A wheel of a package that is installed here, as the index would give it."""
    distribution = metadata.distribution(name)
    with zipfile.ZipFile(folder / f"{name}-{distribution.version}-py3-none-any.whl", "w") as wheel:
        for file in distribution.files:
            if ".." not in file.parts and file.suffix != ".pyc":
                wheel.write(file.locate(), file.as_posix())


@pytest.fixture
def example(sample, synthetic):
    """A function: "owner/slug" of a data set → folder: damaged (capuchin), real, or synthesised."""
    names = {info.kaggle: name for name, info in DATASETS.items()}

    def folder(slug):
        name = names[slug]
        if name == "urbansound8k" and REAL_CLIPS.is_dir():
            return REAL_CLIPS
        return sample if name == "capuchin" else synthetic(name)

    return folder


def mount(sources, place, layout):
    """What Kaggle does with a notebook's data sets. sources: {"owner/slug": folder}.

    The mark of synthetic ones is left out.
    """
    for source, folder in sources.items():
        owner, slug = source.split("/")
        target = place / layout.format(owner=owner, slug=slug)
        target.parent.mkdir(parents=True, exist_ok=True)
        left_out = shutil.ignore_patterns(synthesis.MANIFEST)
        shutil.copytree(folder, target, copy_function=link, ignore=left_out)
    for path in place.rglob("*"):
        if path.is_dir():
            path.chmod(0o555)


def link(source, target):
    try:
        os.link(source, target)
    except OSError:  # on another file system
        shutil.copy(source, target)


def contents(folder):
    return sorted((path.as_posix(), path.stat().st_mtime_ns) for path in folder.rglob("*"))


def alone():
    """What starts a program in a network of its own, without any connection, if that is allowed."""
    if shutil.which("unshare"):
        command = ["unshare", "--map-root-user", "--net"]
        if subprocess.run([*command, "true"], capture_output=True).returncode == 0:
            return command
    return []


@pytest.fixture
def rehearse(made, image, example, tmp_path):
    """A function that runs the untouched exercises of a notebook as Kaggle would.

    name: of the notebook. parameters: its parameters, in which {input} stands for the folder of
    data sets. own: other data sets, {slug: folder}. Returns the folder with what it wrote.
    """

    def run(name, parameters, own=()):
        package = tmp_path / "package"
        shutil.copytree(made[0] / "helpers", package)
        pack_again("mir_eval", package)
        (package / "yamnet.tflite").unlink()
        wanted = read(made[0] / name / "kernel-metadata.json")["dataset_sources"]
        if "DATASET" in parameters:
            wanted.append(DATASETS[parameters["DATASET"]].kaggle)
        sources = {key: package if key == PACKAGE else example(key) for key in wanted}
        sources |= {f"{OWNER}/{slug}": folder for slug, folder in dict(own).items()}
        place, working = tmp_path / "input", tmp_path / "working"
        mount(sources, place, LAYOUTS[NOTEBOOKS.index(name) % 2])
        working.mkdir()
        before = contents(place)

        environment = {
            "KAGGLE_INPUT": str(place),
            "KAGGLE_KERNEL_RUN_TYPE": "Batch",
            "HOME": str(tmp_path),
            "PYTHONPATH": "",
        }
        options = {"on_start": lambda pid: None, "environment": environment}

        class Manager(kernel_manager(cwd=working, **options)):
            @property
            def kernel_spec(self):
                spec = super().kernel_spec
                spec.argv[:1] = [*alone(), str(image)]
                return spec

        notebook = load_notebook_node(str(made[0] / name / "exercises" / f"{name}.ipynb"))
        places = {
            key: text.format(input=place) for key, text in parameters.items() if key in PLACES
        }
        notebook = parameterize_notebook(notebook, parameters | places)
        NotebookClient(notebook, kernel_manager_class=Manager).execute()
        assert not find_error(notebook)
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        said = "".join(output.get("text", "") for output in outputs)
        assert "· kaggle ·" in said and "Set-up complete" in said
        n_exercises = sum("NotImplementedError" in cell.source for cell in notebook.cells)
        shown = json.dumps(outputs)
        assert shown.count("not attempted") >= n_exercises > 5
        assert "NotImplementedError" not in shown
        assert contents(place) == before
        installed = (image.parent.parent / "lib").glob("python*/site-packages/*.dist-info")
        names = {path.name.split("-")[0] for path in installed}
        assert names - {"pip", "setuptools"} == {"audio_notebooks", "mir_eval"}
        return next(working.glob("outputs/*"))

    return run


# On other data than those that the solved notebooks run on in test_notebooks.py, and smaller.
SIZES = {
    "01_eda": {"DATASET": "esc50", "MAX_CLIPS": 80},
    "02_features": {"DATASET": "capuchin", "MAX_CLIPS": 80},
    URBAN: {"DATASET": "urbansound8k", "FOLDS": [3], "EPOCHS": 5, "MAX_CLIPS": 300}
    if REAL_CLIPS.is_dir()
    else {"DATASET": "catsdogs", "EPOCHS": 1},
    COUNTER: {"MODEL_PATH": "{input}/detector/model.keras", "MAX_RECORDINGS": 2},
}


@pytest.mark.parametrize("name", SIZES)
def test_rehearsal_of_the_untouched_exercises(name, rehearse, tone_detector, tmp_path):
    parameters = {**read_profiles(ROOT)["test"].get(name, {}), **SIZES[name]}
    own = {}
    if name == COUNTER:
        own["detector"] = tmp_path / "detector"
        own["detector"].mkdir()
        models.save(tone_detector, own["detector"] / "model.keras")
    output = rehearse(name, parameters, own=own)
    metrics = read(output / "metrics.json")
    assert metrics["source"] == "kaggle"
    assert metrics["dataset"] == parameters.get("DATASET", "capuchin")
    if name in FIRST_TWO:
        assert 70 <= metrics["clips"] <= 80
    elif metrics["dataset"] == "catsdogs":
        assert metrics["classes"] == 2
    elif name == URBAN:  # real clips: much above chance, and recordings are told from clips
        assert metrics["accuracy_mean"] > 0.3 and metrics["classes"] == 10
        assert metrics["random_split_accuracy"] > metrics["accuracy_mean"]
    else:
        assert (output / "results.csv").is_file()


def test_rehearsal_with_recordings_of_a_few_speakers(rehearse, tmp_path):
    """Some files are bad, one speaker has one recording, and there are recordings to be named."""
    own, rng = tmp_path / "own", np.random.default_rng(0)
    voices, to_name = own / "voices, été", own / "to name"
    for k in range(5):
        for i in range(4):
            tone = np.sin(2 * np.pi * (200 + 150 * k) * np.arange(24000) / 16000)
            y = (0.2 * tone + 0.01 * rng.normal(size=24000)).astype(np.float32)
            folder = voices / f"speaker {k}"
            folder.mkdir(parents=True, exist_ok=True)
            suffix = ("wav", "flac", "ogg", "mp3")[i]
            sf.write(folder / f"{i}.{suffix}", y, (16000, 22050, 44100, 16000)[i])
    (voices / "speaker 0" / "empty.wav").touch()
    (voices / "alone").mkdir()
    shutil.copy(voices / "speaker 1" / "0.wav", voices / "alone")
    (to_name / "below").mkdir(parents=True)
    shutil.copy(voices / "speaker 2" / "1.flac", to_name / "below" / "who.flac")
    (to_name / "no sound.mp3").write_text("no sound")
    parameters = {
        "DATA_DIR": "{input}/recordings/voices, été",
        "PREDICT_DIR": "{input}/recordings/to name",
        "NETWORKS": ["dense"],
        "INPUTS": ["mfcc_pooled"],
        "EPOCHS": 2,
    }
    output = rehearse(SPEAKERS, parameters, own={"recordings": own})
    metrics = read(output / "metrics.json")
    assert metrics["n_speakers"] == 5 and metrics["eer"] is not None
    errors = pd.read_csv(output / "errors.csv")
    assert set(errors["file"]) == {"speaker 0/empty.wav", "alone", "no sound.mp3"}
    named = pd.read_csv(output / "predict.csv")
    assert named["file"].tolist() == ["below/who.flac"]
    assert named["label"].str.startswith("speaker").all()
