"""helpers.synthesis.catsdogs: layout, the damaged file, and what gives the class away."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers import audio, data, features
from helpers.synthesis import environmental

SR = 16_000


@pytest.fixture(scope="module")
def root(synthetic):
    return synthetic("catsdogs")


@pytest.fixture(scope="module")
def found(root):
    return data.clip_table(data.Dataset("catsdogs", root, "synthetic"))


@pytest.fixture(scope="module")
def sounds(found):
    return [audio.load(path, sr=SR) for path in found[0]["path"]]


def test_it_is_laid_out_like_the_real_one(root, found):
    table, _ = found
    names = [Path(path).relative_to(root).as_posix() for path in table["path"]]
    assert all(re.fullmatch(r"cats_dogs/(cat|dog_barking)_\d+\.wav", name) for name in names)
    assert (table["label"].value_counts() >= 29).all() and len(table) == 59  # one is damaged
    assert (table["sample_rate"] == SR).all() and (table["channels"] == 1).all()
    assert table["duration_s"].min() < 2 and table["duration_s"].max() > 5
    assert table["duration_s"].between(0.99, 6.01).all()


def test_the_damaged_file_is_in_its_key(root, found):
    key, errors = pd.read_csv(root / "defects.csv"), found[1]
    assert key["file"].tolist() == errors["file"].tolist() and len(key) == 1
    assert "cut off" in errors["reason"][0] and key["defect"][0] == "cut off"


def accuracy(x, labels):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return cross_val_score(model, x, labels, cv=folds).mean()


def test_the_sound_tells_the_class_but_not_length_level_or_surroundings(found, sounds):
    labels = found[0]["label"]
    level = [20 * np.log10(np.sqrt(np.mean(y**2))) for y in sounds]
    frontend = features.Frontend(sr=SR, n_fft=512, hop_length=256, n_mels=32)
    bands = [features.to_db(frontend.power(y)) for y in sounds]
    surroundings = np.array([np.percentile(db, 10, axis=0) for db in bands])
    assert accuracy(np.c_[found[0]["duration_s"], level], labels) < 0.75
    assert accuracy(surroundings, labels) < 0.75
    both = np.array([np.r_[db.mean(axis=0), db.std(axis=0)] for db in bands])
    assert accuracy(both, labels) > 0.8


def pitch(y):
    """The highest frequency, Hz, at which y nearly repeats itself."""
    lags = np.arange(SR // 1000, SR // 220)
    same = np.array([np.corrcoef(y[lag:], y[:-lag])[0, 1] for lag in lags])
    return SR / lags[np.argmax(same > same.max() - 0.1)]


@pytest.mark.parametrize("seed", range(4))
def test_the_pitch_of_a_meow_rises_and_falls(seed):
    y = environmental.recording(np.random.default_rng(seed), "meow", n_samples=3 * SR, sr=SR)
    sounding = np.flatnonzero(y)
    first = np.split(sounding, np.flatnonzero(np.diff(sounding) > 0.1 * SR) + 1)[0]
    cry = y[first[0] : first[-1]]
    at = np.linspace(0.03, 0.93, 10) * len(cry)
    heard = [pitch(cry[round(i) : round(i) + 640]) for i in at]
    assert 300 < max(heard) < 960
    assert max(heard) > 1.1 * max(heard[0], heard[-1])
