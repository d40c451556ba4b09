"""Notebooks on real data."""

import json

import pytest
from notebook_runs import REAL, SPEAKERS, URBAN, run_notebook


@pytest.mark.real
@pytest.mark.skipif(not (REAL / "urbansound8k").is_dir(), reason="the real clips are not here")
def test_urban_learns_real_sounds(tmp_path):
    run_notebook(
        URBAN,
        tmp_path,
        DATA_DIR=str(REAL / "urbansound8k"),
        FOLDS=[3],
        EPOCHS=6,
        SHIFTS=1,
        CROP_S=2.0,
        MAX_CLIPS=400,
    )
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["source"] == "local" and metrics["accuracy_mean"] > 0.3
    assert metrics["random_split_accuracy"] > metrics["accuracy_mean"]


@pytest.mark.real
@pytest.mark.skipif(not (REAL / "speakers").is_dir(), reason="no real speakers here")
def test_real_speakers_are_recognised(tmp_path):
    run_notebook(
        SPEAKERS,
        tmp_path,
        DATA_DIR=str(REAL / "speakers"),
        NETWORKS=["dense"],
        INPUTS=["mfcc_pooled"],
        STRANGER_ROUNDS=1,
    )
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["source"] == "local" and metrics["n_speakers"] == 32
    assert metrics["utterance_accuracy"] >= 0.97 and metrics["crop_accuracy"] >= 0.94
    assert metrics["eer"] <= 0.12  # one round of strangers; three have .068 to .098
