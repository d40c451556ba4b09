"""Every notebook of the series runs from top to bottom with the sizes of the smoke profile."""

import csv
import json
import os
import shutil
import sys
from pathlib import Path

import keras
import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
import soundfile as sf
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

from helpers import audio, synthesis
from helpers.data import DATASETS
from tools import grade
from tools.run import main

ROOT = Path(__file__).resolve().parent.parent
SERIES = sorted(path.stem for path in (ROOT / "notebooks" / "source").glob("[0-9][0-9]_*.py"))
COUNTER = "05_capuchin_call_counter"
SPEAKERS = "03_speaker_identification"
URBAN = "04_urbansound8k_cnn"
FIRST_TWO = ("01_eda", "02_features")
REAL = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """A synthetic data set with files that only turn out to be damaged when they are decoded."""
    root = tmp_path_factory.mktemp("data") / "capuchin"
    synthesis.write("capuchin", root, size="small", progress=False)
    nan = np.full(8000, np.nan, np.float32)
    for folder in DATASETS["capuchin"].labels.values():
        whole = sorted((root / folder).glob("*"))[0]
        y = audio.load(whole, sr=16000)
        sf.write(root / folder / "nan-0.wav", nan, 16000, subtype="FLOAT")
        sf.write(root / folder / "cut-0.flac", y, 16000)
        content = bytearray((root / folder / "cut-0.flac").read_bytes())
        content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
        (root / folder / "cut-0.flac").write_bytes(content)
        audio.write(root / folder / "silent-0.wav", np.zeros(16000, np.float32), sr=16000)
        audio.write(root / folder / "one sample-0.wav", np.zeros(1, np.float32), sr=16000)
    sf.write(root / "Forest Recordings" / "no number.wav", nan, 16000, subtype="FLOAT")
    # A recording that is in no key must not spoil the figures of the others.
    call = audio.load(sorted((root / "Parsed_Capuchinbird_Clips").glob("*"))[0], sr=16000)
    audio.write(root / "Forest Recordings" / "without key $1$ b$_$.wav", call, sr=16000)
    return root


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory, sample):
    """The folder of one run over the whole series."""
    output = tmp_path_factory.mktemp("smoke") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIO_DATA", str(sample.parent))  # what is not there is made
        patch.setenv("AUDIO_SAMPLE_DIR", str(output.parent))
        main(["--profile", "smoke", "--output", str(output)])
    return output


def run_notebook(name, output, *, folder=".", **parameters):
    """Run a notebook by papermill alone, as in a batch that knows nothing of tools/run.py."""
    return papermill.execute_notebook(
        ROOT / "notebooks" / folder / f"{name}.ipynb",
        output / "out.ipynb",
        parameters={**parameters, "OUTPUT_DIR": str(output)},
        progress_bar=False,
    )


def rows(run):
    with open(run / "summary.csv", newline="", encoding="utf-8") as file:
        return {row["notebook"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("name", SERIES)
def test_notebook_runs(smoke_run, name):
    row = rows(smoke_run)[name]
    assert row["status"] == "ok", row["reason"]


def test_eda_finds_the_faults_of_the_sample_and_writes_them_down(smoke_run):
    folder = smoke_run / "01_eda"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["source"] == "synthetic" and metrics["classes"] == 10
    assert metrics["planted_faults_found"] == metrics["planted_faults"] > 10
    assert metrics["lazy_accuracy_random_split"] > metrics["lazy_accuracy_by_source"] + 0.1
    clips, faults, classes = (
        pd.read_csv(folder / f"{name}.csv") for name in ("clips", "faults", "classes")
    )
    assert len(clips) == metrics["clips"] == classes["clips"].sum()
    assert not clips["file"].str.startswith("/").any()
    counted = faults["fault"].value_counts()
    assert all(metrics[f"faults_{f.replace(' ', '_')}"] == n for f, n in counted.items())
    assert (folder / "gallery.png").stat().st_size > 10_000


def test_features_writes_a_table_that_other_programs_can_read(smoke_run):
    folder = smoke_run / "02_features"
    metrics = json.loads((folder / "metrics.json").read_text())
    table = pd.read_parquet(folder / "features.parquet")
    assert len(table) == metrics["clips"] and metrics["duplicates"] > 0
    assert not table["file"].duplicated().any() and not table.isna().any(axis=None)
    assert list(table.columns[:5]) == ["file", "label", "target", "group", "fold"]
    assert len(table.columns) == 5 + metrics["features"]
    assert abs(metrics["db_per_bit"] - 6.02) < 0.6
    # Far above chance (0.1), on sources that were not heard; and scaling matters.
    assert metrics["logistic_accuracy"] > 0.5
    assert metrics["neighbours_accuracy"] > metrics["neighbours_accuracy_unscaled"]
    assert len(pd.read_csv(folder / "errors.csv")) == metrics["files_in_error"] > 0


@pytest.mark.parametrize("dataset", ["capuchin", "esc50"])
@pytest.mark.parametrize("name", FIRST_TWO)
def test_the_first_two_run_on_other_data_sets(sample, tmp_path, name, dataset, monkeypatch):
    monkeypatch.setenv("AUDIO_DATA", str(sample.parent))
    monkeypatch.setenv("AUDIO_SAMPLE_DIR", str(sample.parent))
    run_notebook(name, tmp_path, DATASET=dataset, MAX_CLIPS=80)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["dataset"] == dataset and 70 <= metrics["clips"] <= 80


@pytest.mark.parametrize("name", FIRST_TWO)
def test_the_untouched_exercises_of_the_first_two_run_to_the_end(sample, tmp_path, name):
    notebook = run_notebook(
        name, tmp_path, folder="exercises", DATASET="capuchin", DATA_DIR=str(sample), MAX_CLIPS=60
    )
    shown = json.dumps([cell.get("outputs", []) for cell in notebook.cells])
    assert shown.count("not attempted") >= 8 and "NotImplementedError" not in shown
    assert (tmp_path / "metrics.json").is_file()


def test_speakers_are_named_and_the_networks_compared(smoke_run):
    folder = smoke_run / SPEAKERS
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["source"] == "synthetic" and metrics["n_speakers"] == 24
    # In sessions that were not heard, by networks that trained for seconds: far above chance, 1/24.
    assert metrics["crop_accuracy"] > 0.2 and metrics["utterance_accuracy"] > 0.2
    assert 0 < metrics["eer"] < 0.3
    assert metrics["nearest_neighbour_by_crop"] > metrics["nearest_neighbour_by_session"] + 0.3
    table = pd.read_csv(folder / "models.csv")
    assert set(table["network"]) == {"dense", "conv1d", "conv2d", "conv1d, own mean taken off"}
    assert table["validation_loss"].is_monotonic_increasing
    scores = ["crop_accuracy", "utterance_accuracy", "macro_precision", "macro_recall", "macro_f1"]
    assert table[scores].stack().between(0, 1).all()
    for score in scores[1:]:
        assert (table[f"{score}_low"] <= table[f"{score}_high"]).all()
    assert (table[["parameters", "training_s", "latency_ms"]] > 0).all(axis=None)
    assert len(pd.read_csv(folder / "errors.csv")) == metrics["files_in_error"] == 1
    for name in ("confusion.png", "verification.png", "learning_curves.png", "model.keras"):
        assert (folder / name).stat().st_size > 10_000, name


def test_urban_sounds_are_named_and_reported(smoke_run):
    folder = smoke_run / URBAN
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["source"] == "synthetic" and metrics["classes"] == 10
    assert metrics["folds_tested"] == 1 and metrics["accuracy_std"] is None
    assert metrics["accuracy_mean"] == metrics["accuracy_fold_1"] > 0.25  # by chance 0.1
    assert 100_000 < metrics["parameters"] < 300_000 and metrics["seconds_per_epoch"] > 0
    report = folder / "report"
    page = (report / "index.html").read_text(encoding="utf-8")
    for name in ("confusion", "learning_curves", "spectrograms", "calibration", "looked_at"):
        assert (report / f"{name}.png").stat().st_size > 5_000 and f"{name}.png" in page
    with np.load(report / "features.npz", allow_pickle=False) as arrays:
        assert len(arrays["logmel"]) == len(arrays["name"]) == metrics["clips"]
        assert np.isfinite(arrays["mfcc"]).all()
    table = pd.read_csv(report / "models.csv").set_index("model")
    assert table.loc["logmel_cnn", "accuracy_mean"] == pytest.approx(metrics["accuracy_mean"])
    assert {"mfcc_cnn", "logmel_cnn"} <= set(table.index)


def test_the_saved_network_names_recordings_of_any_kind(smoke_run, tmp_path):
    from helpers import classifiers, cnn  # noqa: F401 (cnn registers its layers)

    model = keras.saving.load_model(smoke_run / URBAN / "report" / "model.keras", compile=False)
    t = np.arange(96000) / 48000
    audio.write(tmp_path / "tone.wav", 0.1 * np.sin(2 * np.pi * 440 * t), sr=48000)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    table, errors = classifiers.classify(
        [tmp_path / "tone.wav", tmp_path / "broken.wav"], model, progress=False
    )
    assert table["label"].isin(model.names).all() and len(table) == len(errors) == 1


def test_urban_runs_on_sets_without_folds(sample, tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIO_DATA", str(sample.parent))
    monkeypatch.setenv("AUDIO_SAMPLE_DIR", str(sample.parent))
    run_notebook(URBAN, tmp_path, DATASET="catsdogs", EPOCHS=1, FOLDS=[1], SHIFTS=1)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["dataset"] == "catsdogs" and metrics["classes"] == 2


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"MODEL": "resnet"}, "it is mfcc_cnn, logmel_cnn, yamnet or fusion"),
        ({"VARIANTS": ["mixup"]}, "it takes some of"),
        ({"SEEDS": []}, "a seed are needed"),
    ],
)
def test_a_wrong_parameter_of_urban_ends_it_at_once(tmp_path, parameters, message):
    with pytest.raises(papermill.PapermillExecutionError, match=message):
        run_notebook(URBAN, tmp_path, **parameters)


@pytest.mark.real
@pytest.mark.skipif(not (REAL / "urbansound8k").is_dir(), reason="the real clips are not here")
def test_urban_learns_real_sounds(tmp_path):
    run_notebook(
        URBAN,
        tmp_path,
        DATA_DIR=str(REAL / "urbansound8k"),
        FOLDS=[3],
        EPOCHS=8,
        SHIFTS=1,
        MAX_CLIPS=500,
    )
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["source"] == "local" and metrics["accuracy_mean"] > 0.3
    assert metrics["random_split_accuracy"] > metrics["accuracy_mean"]


def test_untouched_exercises_on_few_speakers_with_bad_files(tmp_path):
    """And a speaker with one recording, other rates and formats, and recordings to be named."""
    voices, rng = tmp_path / "voices, été", np.random.default_rng(0)
    for k in range(5):
        for i in range(4):
            tone = np.sin(2 * np.pi * (200 + 150 * k) * np.arange(24000) / 16000)
            y = (0.2 * tone + 0.01 * rng.normal(size=24000)).astype(np.float32)
            folder = voices / f"speaker {k}"
            folder.mkdir(parents=True, exist_ok=True)
            suffix = ("wav", "flac", "ogg", "mp3")[i]
            audio.write(folder / f"{i}.{suffix}", y, sr=(16000, 22050, 44100, 16000)[i])
    (voices / "speaker 0" / "empty.wav").touch()
    (voices / "alone").mkdir()
    shutil.copy(voices / "speaker 1" / "0.wav", voices / "alone")
    to_name = tmp_path / "to name"
    (to_name / "below").mkdir(parents=True)
    shutil.copy(voices / "speaker 2" / "1.flac", to_name / "below" / "who.flac")
    (to_name / "no sound.mp3").write_text("no sound")
    (tmp_path / "out").mkdir()
    notebook = run_notebook(
        SPEAKERS,
        tmp_path / "out",
        folder="exercises",
        DATA_DIR=str(voices),
        PREDICT_DIR=str(to_name),
        NETWORKS=["dense"],
        INPUTS=["mfcc_pooled"],
        EPOCHS=2,
    )
    shown = json.dumps([cell.get("outputs", []) for cell in notebook.cells])
    assert shown.count("not attempted") >= 18 and "NotImplementedError" not in shown
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["n_speakers"] == 5 and metrics["eer"] is not None
    errors = pd.read_csv(tmp_path / "out" / "errors.csv")
    assert set(errors["file"]) == {"speaker 0/empty.wav", "alone", "no sound.mp3"}
    named = pd.read_csv(tmp_path / "out" / "predict.csv")
    assert named["file"].tolist() == ["below/who.flac"]
    assert named["label"].str.startswith("speaker").all()


@pytest.mark.real
@pytest.mark.skipif(not (REAL / "speakers").is_dir(), reason="no real speakers here")
def test_real_speakers_are_recognised(tmp_path):
    run_notebook(
        SPEAKERS,
        tmp_path,
        DATA_DIR=str(REAL / "speakers"),
        NETWORKS=["dense"],
        INPUTS=["mfcc_pooled"],
    )
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["source"] == "local" and metrics["n_speakers"] == 32
    assert metrics["utterance_accuracy"] >= 0.97 and metrics["crop_accuracy"] >= 0.94
    assert metrics["eer"] <= 0.1


def test_the_counter_writes_what_it_promises(smoke_run):
    folder = smoke_run / COUNTER
    tables = ["results.csv", "events.csv", "density.csv", "errors.csv"]
    figures = ["timeline.png", "example_waveforms.png", "example_spectrograms.png"]
    for kind in ("mel", "linear"):
        tables += [f"classification_report_{kind}.txt"]
        figures += [f"confusion_matrix_{kind}.png", f"learning_curves_{kind}.png"]
    for name in [*tables, *figures, "model.keras", "metrics.json"]:
        assert (folder / name).stat().st_size > 10, name
    results, events = (pd.read_csv(folder / f"{n}.csv") for n in ("results", "events"))
    assert list(results.columns) == ["clip_name", "call_count"]
    assert list(events.columns) == ["clip_name", "start_s", "end_s", "score"]
    assert results["clip_name"].is_monotonic_increasing
    results = results.set_index("clip_name")["call_count"]
    assert np.isnan(results.pop("no number.wav"))
    counted = events["clip_name"].value_counts().reindex(results.index, fill_value=0)
    assert (counted == results).all()
    assert len(list((folder / "labels").glob("*.raven.txt"))) == len(results)
    errors = pd.read_csv(folder / "errors.csv")
    assert len(errors) == 5 and "no number.wav" in set(errors["file"])
    for label in DATASETS["capuchin"].labels.values():
        assert {f"{label}/nan-0.wav", f"{label}/cut-0.flac"} <= set(errors["file"])
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["recordings"] == metrics["recordings_counted"] - 1
    assert {"exact", "mae", "event_f1", "clip_f1", "realtime_factor"} <= set(metrics)
    # Two networks trained for a minute on easy sounds: far from perfect, far from nothing.
    assert metrics["event_f1"] > 0.7 and metrics["clip_f1"] > 0.7


def test_counting_with_a_trained_model_in_a_folder_with_bad_files(smoke_run, sample, tmp_path):
    recordings = tmp_path / "own recordings, été"
    recordings.mkdir()
    whole = sorted((sample / "Forest Recordings").glob("*.flac"))[2]
    y = audio.load(whole, sr=22050)
    audio.write(recordings / "forêt 1.wav", y, sr=22050)
    audio.write(recordings / "short.wav", np.zeros(100, np.float32), sr=8000)
    (recordings / "empty.wav").touch()
    (recordings / "text.wav").write_text("not a sound")
    content = whole.read_bytes()
    (recordings / "cut.flac").write_bytes(content[: len(content) // 2])
    (recordings / os.fsdecode(b"for\xeat.wav")).write_bytes(
        (recordings / "forêt 1.wav").read_bytes()
    )
    model = tmp_path / "a model.keras"
    shutil.copy(smoke_run / COUNTER / "model.keras", model)
    output = tmp_path / "counted"
    output.mkdir()
    run_notebook(COUNTER, output, MODEL_PATH=str(model), DATA_DIR=str(recordings))
    results = pd.read_csv(output / "results.csv").set_index("clip_name")["call_count"]
    expected = pd.read_csv(smoke_run / COUNTER / "results.csv").set_index("clip_name")["call_count"]
    assert abs(results["forêt 1.wav"] - expected[whole.name]) <= 1  # 22 kHz against 48 kHz
    assert results["for\\udceat.wav"] == results["forêt 1.wav"]
    assert results["short.wav"] == 0
    assert results[["empty.wav", "text.wav", "cut.flac"]].isna().all()
    errors = pd.read_csv(output / "errors.csv")
    assert len(errors) == 3 and errors["reason"].str.len().min() > 5
    assert not (output / "model.keras").exists()


@pytest.fixture(scope="module")
def quick(smoke_run, sample, tmp_path_factory):
    """Parameters to count one recording with a model: no exercise depends on the training."""
    recordings = tmp_path_factory.mktemp("recordings")
    shutil.copy(sorted((sample / "Forest Recordings").glob("*.flac"))[2], recordings)
    model = smoke_run / COUNTER / "model.keras"
    return {"MODEL_PATH": str(model), "DATA_DIR": str(recordings)}


def test_the_untouched_exercises_run_to_the_end(quick, tmp_path):
    notebook = run_notebook(COUNTER, tmp_path, folder="exercises", **quick)
    shown = json.dumps([cell.get("outputs", []) for cell in notebook.cells])
    assert shown.count("not attempted") >= 7 and "NotImplementedError" not in shown
    assert (tmp_path / "results.csv").is_file()


def partly_solved(functions):
    """The exercise notebook with the solutions of some functions."""
    notebook, solution = (
        nbformat.read(ROOT / "notebooks" / folder / f"{COUNTER}.ipynb", as_version=4)
        for folder in ("exercises", ".")
    )
    for name in functions:
        mine, right = (
            next(cell for cell in book.cells if f"def {name}(" in cell.source)
            for book in (notebook, solution)
        )
        mine.source = right.source
    return notebook


def test_submissions_are_graded(quick, tmp_path, capsys):
    submissions, scores = tmp_path / "submissions", tmp_path / "scores.csv"
    (submissions / "bob").mkdir(parents=True)
    nbformat.write(partly_solved(["log_mel", "convolution_block"]), submissions / "bob/05.ipynb")
    (submissions / "ann.ipynb").write_text("no notebook")
    command = [str(submissions), "--notebook", "05", "-o", str(scores)]
    for name, value in quick.items():
        command += ["-p", name, value]
    assert grade.main(command) == 0
    table = pd.read_csv(scores, dtype={"student": str}).set_index("student")
    assert list(table.index) == ["ann", "bob"]
    assert table.loc["bob", ["points", "of", "5.1", "5.4", "5.5"]].tolist() == [2, 7, 1, 1, 0]
    assert table.loc["ann", "points"] == 0 and "notebook" in table.loc["ann", "remarks"]
    pages = {path: path.stat().st_mtime_ns for path in tmp_path.glob("scores_feedback/**/*.html")}
    assert (
        len(pages) == 3 and "2 of 7 points" in (tmp_path / "scores_feedback/bob.html").read_text()
    )
    # Again: only what is not finished yet.
    scores.unlink()
    assert grade.main(command) == 0 and scores.exists()
    again = {path.name for path, time in pages.items() if path.stat().st_mtime_ns != time}
    assert again <= {"ann.html"}


def test_grading_refuses_what_makes_no_sense(tmp_path, capsys):
    for command, told in (
        ([str(tmp_path / "none"), "--notebook", "05"], "no folder"),
        ([str(tmp_path), "--notebook", "05"], "no notebook in"),
    ):
        assert grade.main(command) == 2 and told in capsys.readouterr().err
    (tmp_path / "a.ipynb").touch()
    for options, told in (
        (["--notebook", "77"], "unknown notebook"),
        (["--notebook", "05", "-p", "EPOCH", "1"], "EPOCHS"),
        (["--notebook", "05", "--profile", "huge"], "huge"),
    ):
        assert grade.main([str(tmp_path), *options]) == 2
        assert told in capsys.readouterr().err


def test_nbgrader_grades_too(quick, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable), prepend=os.pathsep)  # alembic
    source, submitted = tmp_path / "source" / "05", tmp_path / "submitted" / "ann" / "05"
    source.mkdir(parents=True)
    submitted.mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "exercises" / f"{COUNTER}.ipynb", source)
    notebook = partly_solved(["mix", "receptive_field"])
    parameters = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    parameters.source += "".join(f"\n{name} = {value!r}" for name, value in quick.items())
    nbformat.write(notebook, submitted / f"{COUNTER}.ipynb")
    config = Config()
    config.CourseDirectory.root = str(tmp_path)
    config.ExecutePreprocessor.timeout = 300
    nbgrader = NbGraderAPI(config=config)
    for made in (
        nbgrader.generate_assignment("05"),
        nbgrader.autograde("05", "ann", create=True),
    ):
        assert made["success"], made["log"]
    with nbgrader.gradebook as book:
        submission = book.find_submission("05", "ann")
        grades = {g.name: g.score for n in submission.notebooks for g in n.grades}
    assert [name for name, score in grades.items() if score] == ["check-5-3", "check-5-5"]
    assert len(grades) == 7
