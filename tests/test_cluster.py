"""Sweeps and features on a Dask cluster: the same as here, whoever dies meanwhile."""

import os
import shutil
import signal
import time

import pandas as pd
import psutil
import pytest
from test_count import after, contents
from tiny_series import METRICS, PARAMETERS, rows_of, started, write_helpers, write_notebook

from helpers import env
from tools import extract
from tools.run import main

FOLDED = PARAMETERS + "\nFOLDS = []"
SCORED = """
import json, os, pathlib, time
metrics = {"dataset": "tiny", "source": "synthetic", "seed": SEED, "score": 10 * FOLDS[0] + SEED}
if FOLDS == [2] and SEED == 0 and not pathlib.Path("go").exists():
    pathlib.Path("waits").write_text(str(os.getppid()))
    while not pathlib.Path("go").exists():
        time.sleep(0.1)
pathlib.Path(OUTPUT_DIR, "metrics.json").write_text(json.dumps(metrics))
"""
SWEEP = ["--sweep", "FOLDS=[1],[2]"]


@pytest.fixture
def series(tmp_path):
    root = tmp_path / "series"
    root.mkdir()
    write_helpers(root)
    write_notebook(root, "01_tiny", SCORED, parameters=FOLDED)
    return root


def waiting_at(series, process):
    """The process id of the worker that has the notebook that waits, as soon as it does."""
    deadline = time.monotonic() + 180
    while not (series / "waits").exists() or not (text := (series / "waits").read_text()):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    return int(text)


def compared(output):
    """A sweep's rows, but for what each run took."""
    return [
        {name: value for name, value in row.items() if name not in ("seconds", "peak_memory_mib")}
        for row in rows_of(output)
    ]


# --- sweeps and folds -----------------------------------------------------------------------------


def test_a_sweep_survives_the_death_of_a_worker(series, scheduler, workers, request):
    process = started(
        ["--output", "there", *SWEEP, "--scheduler", scheduler[0]], request, root=series
    )
    next(w for w in workers if w.pid == waiting_at(series, process)).kill()
    (series / "go").touch()
    process.communicate(timeout=180)
    assert process.returncode == 0 and sum(w.poll() is None for w in workers) == 1
    assert main(["--output", str(series / "here"), *SWEEP], root=series) == 0
    assert compared(series / "there") == compared(series / "here")
    assert [row["score"] for row in compared(series / "here")] == ["10", "20"]


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
def test_what_is_stopped_here_stops_there(series, scheduler, workers, request):
    process = started(
        ["--output", "out", *SWEEP, "--scheduler", scheduler[0]], request, root=series
    )
    waiting_at(series, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=180)
    assert process.returncode == 130
    deadline = time.monotonic() + 60
    while any(psutil.Process(w.pid).children() for w in workers):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert {row["status"] for row in rows_of(series / "out")} <= {"ok", "not run"}
    (series / "go").touch()
    asked = ["--output", str(series / "out"), *SWEEP, "--scheduler", scheduler[0]]
    assert main(asked, root=series) == 0
    assert {row["status"] for row in rows_of(series / "out")} == {"ok"}


def test_notebooks_fail_on_a_cluster_as_they_do_here(series, monkeypatch, capsys):
    monkeypatch.setattr("tools.batch.cluster.TIMEOUT_S", 2)
    write_notebook(series, "02_error", "1 / 0", METRICS)
    (series / "go").touch()
    asked = ["02", "--output", str(series / "out"), "--scheduler", "local", "--jobs", "2"]
    assert main(asked, root=series) == 1
    (row,) = rows_of(series / "out")
    assert row["status"] == "failed" and "ZeroDivisionError" in row["reason"]
    assert main(["02", "--output", str(series / "x"), "--scheduler", "nowhere"], root=series) == 2
    assert "run: no scheduler answers at nowhere" in capsys.readouterr().err
    assert not (series / "x").exists()


# --- features -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clips(tmp_path_factory, synthetic):
    root = tmp_path_factory.mktemp("data") / "capuchin"
    shutil.copytree(synthetic("capuchin"), root)
    next((root / "Parsed_Capuchinbird_Clips").iterdir()).write_bytes(b"no sound")
    return root


@pytest.fixture
def run(clips, tmp_path, monkeypatch):
    """Extracts into an empty cache; returns the exit status."""
    monkeypatch.setattr(env, "repository_root", lambda: tmp_path)

    def run(output, *options):
        arguments = ["capuchin", "--data-dir", str(clips), "--output", str(tmp_path / output)]
        return extract.main([*arguments, *options])

    return run


def test_features_are_those_of_the_survey(run, clips, tmp_path):
    from helpers import data, features

    assert run("here") == 1  # one is no sound
    found = pd.read_parquet(tmp_path / "here" / "results" / "features")
    dataset = data.resolve("capuchin", clips, require=("clips",))
    wanted, _ = features.survey_clips(data.clip_table(dataset)[0], progress=False)
    assert len(found) == len(wanted.table)
    pd.testing.assert_frame_equal(found[wanted.features.columns], wanted.features)
    assert (clips / found["path"][0]).is_file()
    errors = pd.read_csv(tmp_path / "here" / "results" / "errors.csv")
    assert len(errors) == 1 and errors["file"][0].startswith("Parsed_Capuchinbird_Clips/")


def test_features_survive_the_death_of_a_worker(run, tmp_path, scheduler, workers, monkeypatch):
    run("here")
    monkeypatch.setattr("tools.batch.clip_features.CLIPS_PER_TASK", 8)
    after(monkeypatch, 1, workers[0].kill)
    assert run("there", "--scheduler", scheduler[0]) == 1
    assert workers[0].wait() == -signal.SIGKILL
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_features_once_computed_are_kept(run, tmp_path, monkeypatch):
    run("first")
    monkeypatch.setattr("helpers.audio.load_frames", lambda path: pytest.fail("decoded again"))
    run("second")
    assert contents(tmp_path / "second") == contents(tmp_path / "first")


def test_a_clip_that_kills_its_workers_is_listed_alone(run, tmp_path, clips, monkeypatch):
    from tools.batch import clip_features as worker

    run("here")
    victim = pd.read_parquet(tmp_path / "here" / "results" / "features")["path"][20]
    describe = worker.describe

    def deadly(task, **places):
        if task["path"].str.endswith(victim).any():
            raise MemoryError("too much")
        return describe(task, **places)

    monkeypatch.setattr(worker, "describe", deadly)
    assert run("out") == 1
    errors = pd.read_csv(tmp_path / "out" / "results" / "errors.csv").set_index("file")["reason"]
    assert errors[victim] == "MemoryError: too much" and len(errors) == 2
    before, left = (
        set(pd.read_parquet(tmp_path / name / "results" / "features")["path"])
        for name in ("here", "out")
    )
    assert before - left == {victim}


def test_where_nothing_can_be_described(run, tmp_path, monkeypatch, capsys):
    def broken(task, **places):
        raise MemoryError("too much")

    monkeypatch.setattr("tools.batch.clip_features.describe", broken)
    assert run("out") == 2
    assert "no clip could be described (first: MemoryError: too much)" in capsys.readouterr().err
    assert not (tmp_path / "out" / "results").exists()


def test_features_of_two_sets_do_not_mix_and_a_killed_run_leaves_nothing(run, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "dataset.txt").write_text("capuchin: /elsewhere\n")
    (tmp_path / "out" / ".results.1.part").mkdir()
    assert run("out") == 2
    assert "holds features of another data set" in capsys.readouterr().err
    (tmp_path / "out" / "dataset.txt").unlink()
    (tmp_path / "out").rmdir()
    assert run("out") == 1
    (tmp_path / "out" / ".results.1.part").mkdir()
    assert run("out") == 1
    assert sorted(os.listdir(tmp_path / "out")) == ["dataset.txt", "results"]


def test_a_sweep_whose_scheduler_dies_says_so(series, scheduler, workers, request):
    asked = ["--output", "out", *SWEEP, "--scheduler", scheduler[0]]
    process = started(asked, request, root=series)
    waiting_at(series, process)
    scheduler[1].kill()
    process.communicate(timeout=180)
    assert process.returncode == 1
    assert "the connection to the scheduler is lost" in (series / "out" / "summary.csv").read_text()


def test_extraction_says_what_it_cannot_do(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tools.batch.cluster.TIMEOUT_S", 2)
    assert extract.main(["capuchins", "--output", str(tmp_path / "x")]) == 2
    assert "did you mean capuchin?" in capsys.readouterr().err
    assert run("x", "--scheduler", "nowhere:1") == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    assert run("mine") == 2
    assert "holds other files" in capsys.readouterr().err
