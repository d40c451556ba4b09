"""Every notebook of the series runs from top to bottom with the sizes of the smoke profile."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import audio
from tools.run import main

ROOT = Path(__file__).resolve().parent.parent
SERIES = sorted(path.stem for path in (ROOT / "notebooks" / "source").glob("[0-9][0-9]_*.py"))
COUNTER = "05_capuchin_call_counter"


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory):
    """The folder of one run over the whole series."""
    output = tmp_path_factory.mktemp("smoke") / "run"
    main(["--profile", "smoke", "--output", str(output)])
    return output


def rows(run):
    with open(run / "summary.csv", newline="", encoding="utf-8") as file:
        return {row["notebook"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("name", SERIES)
def test_notebook_runs(smoke_run, name):
    row = rows(smoke_run)[name]
    assert row["status"] == "ok", row["reason"]


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
    counted = events["clip_name"].value_counts().reindex(results["clip_name"], fill_value=0)
    assert (counted.to_numpy() == results["call_count"]).all()
    assert len(list((folder / "labels").glob("*.raven.txt"))) == len(results)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert {"exact", "mae", "event_f1", "clip_f1", "realtime_factor"} <= set(metrics)
    # Two networks trained for a minute on easy sounds: far from perfect, far from nothing.
    assert metrics["event_f1"] > 0.7 and metrics["clip_f1"] > 0.7


def test_counting_with_a_trained_model_in_a_folder_with_bad_files(smoke_run, tmp_path):
    recordings = tmp_path / "own recordings, été"
    recordings.mkdir()
    sample = sorted((ROOT / "data/synthetic/capuchin-small/Forest Recordings").glob("*.flac"))[2]
    y = audio.load(sample, sr=22050)
    audio.write(recordings / "forêt 1.wav", y, sr=22050)
    audio.write(recordings / "short.wav", np.zeros(100, np.float32), sr=8000)
    (recordings / "empty.wav").touch()
    (recordings / "text.wav").write_text("not a sound")
    whole = sample.read_bytes()
    (recordings / "cut.flac").write_bytes(whole[: len(whole) // 2])
    model = tmp_path / "a model.keras"
    shutil.copy(smoke_run / COUNTER / "model.keras", model)
    output = tmp_path / "counted"
    asked = ["-p", "MODEL_PATH", str(model), "-p", "DATA_DIR", str(recordings)]
    main(["05", *asked, "--output", str(output)])
    assert rows(output)[COUNTER]["status"] == "ok", rows(output)[COUNTER]["reason"]
    results = pd.read_csv(output / COUNTER / "results.csv").set_index("clip_name")["call_count"]
    expected = pd.read_csv(smoke_run / COUNTER / "results.csv").set_index("clip_name")["call_count"]
    assert abs(results["forêt 1.wav"] - expected[sample.name]) <= 1  # 22 kHz against 48 kHz
    assert results["short.wav"] == 0
    assert results[["empty.wav", "text.wav", "cut.flac"]].isna().all()
    errors = pd.read_csv(output / COUNTER / "errors.csv")
    assert len(errors) == 3 and errors["reason"].str.len().min() > 5
    assert not (output / COUNTER / "model.keras").exists()
