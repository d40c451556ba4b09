"""Every notebook of the series runs from top to bottom with the sizes of the test profile."""

import csv
import json
import os
import shutil
import sys

import nbformat
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from nbgrader.apps import NbGraderAPI
from notebook_runs import COUNTER, ROOT, SPEAKERS, URBAN, run_notebook
from traitlets.config import Config

from helpers import audio, models
from helpers.data import DATASETS
from tools import grade
from tools.run import main

SERIES = sorted(path.stem for path in (ROOT / "notebooks" / "source").glob("[0-9][0-9]_*.py"))


@pytest.fixture(scope="session")
def series_run(tmp_path_factory, sample, sample_dir):
    """The folder of one run over the whole series."""
    output = tmp_path_factory.mktemp("series") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIO_DATA", str(sample.parent))  # what is not there is made
        patch.setenv("AUDIO_SAMPLE_DIR", str(sample_dir))
        main(["--profile", "test", "--output", str(output)])
    return output


def rows(run):
    with open(run / "summary.csv", newline="", encoding="utf-8") as file:
        return {row["notebook"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("name", SERIES)
def test_notebook_runs(series_run, name):
    row = rows(series_run)[name]
    assert row["status"] == "ok", row["reason"]


def test_eda_finds_the_faults_of_the_sample_and_writes_them_down(series_run):
    folder = series_run / "01_eda"
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


def test_features_writes_a_table_that_other_programs_can_read(series_run):
    folder = series_run / "02_features"
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


def test_speakers_are_named_and_the_networks_compared(series_run):
    folder = series_run / SPEAKERS
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["source"] == "synthetic" and metrics["n_speakers"] == 10
    # In sessions that were not heard, by networks that trained for seconds: far above chance, 1/10.
    assert metrics["crop_accuracy"] > 0.3 and metrics["utterance_accuracy"] > 0.3
    assert 0 < metrics["eer"] < 0.35
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


def test_urban_sounds_are_named_and_reported(series_run):
    folder = series_run / URBAN
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


def test_the_saved_network_names_recordings_of_any_kind(series_run, tmp_path):
    model = models.load_classifier(series_run / URBAN / "report" / "model.keras")
    t = np.arange(96000) / 48000
    sf.write(tmp_path / "tone.wav", 0.1 * np.sin(2 * np.pi * 440 * t), 48000)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    table, errors = models.classify(
        [tmp_path / "tone.wav", tmp_path / "broken.wav"], model, progress=False
    )
    assert table["label"].isin(model.names).all() and len(table) == len(errors) == 1


def test_the_counter_writes_what_it_promises(series_run):
    folder = series_run / COUNTER
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


def test_counting_with_a_trained_model_in_a_folder_with_bad_files(series_run, sample, tmp_path):
    recordings = tmp_path / "own recordings, été"
    recordings.mkdir()
    whole = sorted((sample / "Forest Recordings").glob("*.flac"))[2]
    y = audio.load(whole, sr=22050)
    sf.write(recordings / "forêt 1.wav", y, 22050)
    sf.write(recordings / "short.wav", np.zeros(100, np.float32), 8000)
    (recordings / "empty.wav").touch()
    (recordings / "text.wav").write_text("not a sound")
    content = whole.read_bytes()
    (recordings / "cut.flac").write_bytes(content[: len(content) // 2])
    (recordings / os.fsdecode(b"for\xeat.wav")).write_bytes(
        (recordings / "forêt 1.wav").read_bytes()
    )
    model = tmp_path / "a model.keras"
    shutil.copy(series_run / COUNTER / "model.keras", model)
    output = tmp_path / "counted"
    output.mkdir()
    run_notebook(COUNTER, output, MODEL_PATH=str(model), DATA_DIR=str(recordings))
    results = pd.read_csv(output / "results.csv").set_index("clip_name")["call_count"]
    expected = pd.read_csv(series_run / COUNTER / "results.csv").set_index("clip_name")[
        "call_count"
    ]
    assert abs(results["forêt 1.wav"] - expected[whole.name]) <= 1  # 22 kHz against 48 kHz
    assert results["for\\udceat.wav"] == results["forêt 1.wav"]
    assert results["short.wav"] == 0
    assert results[["empty.wav", "text.wav", "cut.flac"]].isna().all()
    errors = pd.read_csv(output / "errors.csv")
    assert len(errors) == 3 and errors["reason"].str.len().min() > 5
    assert not (output / "model.keras").exists()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"MODEL": "resnet"}, "use mfcc_cnn, logmel_cnn, yamnet or fusion"),
        ({"VARIANTS": ["mixup"]}, "it takes some of"),
        ({"SEEDS": []}, "one seed or more"),
    ],
)
def test_a_wrong_parameter_of_urban_ends_it_at_once(parameters, message):
    notebook = nbformat.read(ROOT / "notebooks" / f"{URBAN}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    last = next(i for i, cell in enumerate(code) if "parameters" in cell.metadata.get("tags", []))
    names = {}
    for cell in code[: last + 1]:  # set-up, imports, parameters
        exec(cell.source, names)
    names |= parameters
    with pytest.raises(ValueError, match=message):
        exec(code[last + 1].source, names)


@pytest.fixture(scope="module")
def quick(series_run, sample, tmp_path_factory):
    """Parameters to count one recording with a model: no exercise depends on the training."""
    recordings = tmp_path_factory.mktemp("recordings")
    shutil.copy(sorted((sample / "Forest Recordings").glob("*.flac"))[2], recordings)
    model = series_run / COUNTER / "model.keras"
    return {"MODEL_PATH": str(model), "DATA_DIR": str(recordings)}


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
        ([str(tmp_path / "none"), "--notebook", "05"], "not a folder"),
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
