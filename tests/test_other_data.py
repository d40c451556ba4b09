"""Notebooks on other data than in test_notebooks.py: real sets, bad files, exercises."""

import json
import shutil

import nbformat
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from notebook_runs import FIRST_TWO, REAL, ROOT, SPEAKERS, URBAN, run_notebook


@pytest.mark.parametrize("name", FIRST_TWO)
def test_the_first_two_run_on_another_data_set(sample_dir, tmp_path, name, monkeypatch):
    """On a third one, and in the form of exercises, test_kaggle.py has them run."""
    monkeypatch.setenv("AUDIO_SAMPLE_DIR", str(sample_dir))
    run_notebook(name, tmp_path, DATASET="esc50", MAX_CLIPS=80)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["dataset"] == "esc50" and 70 <= metrics["clips"] <= 80


def test_urban_runs_on_sets_without_folds(sample_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIO_SAMPLE_DIR", str(sample_dir))
    run_notebook(URBAN, tmp_path, DATASET="catsdogs", EPOCHS=1, FOLDS=[1], CROP_S=1.0)
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
        CROP_S=2.0,
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
            sf.write(folder / f"{i}.{suffix}", y, (16000, 22050, 44100, 16000)[i])
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
