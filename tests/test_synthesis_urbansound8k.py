"""helpers.synthesis.urbansound8k and environmental: layout, sounds and planted defects."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from helpers import audio, data, features, synthesis
from helpers.synthesis import capuchin, environmental

SR = 16_000


@pytest.fixture(scope="module")
def urban(synthetic):
    return synthetic("urbansound8k")


@pytest.fixture(scope="module")
def esc(synthetic):
    return synthetic("esc50")


def table_of(name, root):
    return data.clip_table(data.Dataset(name, root, "synthetic"))


@pytest.mark.parametrize("kind", environmental.KINDS)
def test_a_sound_is_loud_finite_and_of_its_source(kind):
    first, again, other = (
        environmental.recording(np.random.default_rng(seed), kind, n_samples=3 * SR, sr=SR)
        for seed in (0, 0, 1)
    )
    assert first.shape == (3 * SR,) and np.isfinite(first).all()
    assert 0.2 < np.sqrt(np.mean(first**2)) < 3
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match="siren"):
        environmental.recording(np.random.default_rng(0), "vuvuzela", n_samples=100, sr=SR)


def test_urbansound8k_is_laid_out_like_the_real_one(urban):
    listed = pd.read_csv(urban / "metadata" / "UrbanSound8K.csv")
    columns = ["slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class"]
    assert list(listed.columns) == columns
    table, _ = table_of("urbansound8k", urban)
    assert set(table["label"]) == set(environmental.URBANSOUND8K) and set(table["fold"]) == set(
        range(1, 11)
    )
    assert (table.groupby("group")["fold"].nunique() == 1).all()
    assert (table.groupby("fold")["label"].nunique() >= 9).all()  # but for what was spoilt
    counts = table["label"].value_counts()
    assert counts["gun_shot"] < counts["siren"] and counts["car_horn"] < counts["siren"]
    assert table["group"].value_counts().max() >= 4  # slices of one recording
    assert table["sample_rate"].nunique() >= 5 and set(table["channels"]) == {1, 2}
    bits = {audio.info(path).subtype for path in table["path"]}
    assert {"PCM_U8", "PCM_16", "PCM_24"} <= bits
    assert table["duration_s"].max() <= 4.01 and table["duration_s"].min() < 2


def test_slices_of_one_recording_overlap(urban):
    table, _ = table_of("urbansound8k", urban)
    sirens = table[table["label"] == "siren"]
    group = sirens["group"].value_counts().index[0]
    paths = sirens[sirens["group"] == group]["path"].tolist()
    first, second = (audio.load(path, sr=8000) for path in paths[:2])
    correlation = np.corrcoef(first[16000:31000], second[:15000])[0, 1]
    assert correlation > 0.9


def test_what_is_wrong_with_urbansound8k_is_in_its_key(urban):
    key = pd.read_csv(urban / "defects.csv")
    table, errors = table_of("urbansound8k", urban)
    by_defect = key.groupby("defect")["file"].apply(set)
    unread = by_defect["empty"] | by_defect["no sound file"] | by_defect["missing"]
    # A header that promises more than the file holds is found where the file is decoded.
    found = set(errors["file"])
    assert unread | by_defect["not listed"] <= found
    assert found <= unread | by_defect["not listed"] | by_defect["cut off"]
    for path in by_defect["silent"]:
        assert not audio.load(urban / path, sr=8000).any()
    for path in by_defect["clipped"]:
        y = audio.load(urban / path, sr=44100)
        assert (np.abs(y) > 0.99).mean() > 0.05
    one, other = sorted(by_defect["duplicate"])
    assert (urban / one).read_bytes() == (urban / other).read_bytes()
    listed = pd.read_csv(urban / "metadata" / "UrbanSound8K.csv")
    wrong = listed[[environmental.URBANSOUND8K[i] for i in listed["classID"]] != listed["class"]]
    assert len(wrong) == len(by_defect["class and number disagree"]) == 1
    assert listed["salience"].isna().sum() == len(by_defect["no salience"]) == 1


def test_esc50_is_laid_out_like_the_real_one(esc):
    table, errors = table_of("esc50", esc)
    assert not len(errors) and table["label"].nunique() == 13
    assert (table["duration_s"] == 5).all() and (table["sample_rate"] == 44100).all()
    assert (table.groupby("group")["fold"].nunique() == 1).all()
    assert set(table["fold"]) == {1, 2, 3, 4, 5}
    small, _ = table_of("esc10", esc)
    assert set(small["label"]) == set(environmental.ESC10)
    padded = [not audio.load(path, sr=44100)[-1000:].any() for path in table["path"]]
    assert 0.1 < np.mean(padded) < 0.6


def test_the_classes_can_be_told_apart_but_not_without_effort(urban):
    table, _ = table_of("urbansound8k", urban)
    frontend = features.Frontend(sr=16000, n_fft=512, hop_length=256, n_mels=32)
    power, rows = [], []
    for row in table.itertuples():
        try:
            db = features.to_db(frontend.power(audio.load(row.path, sr=16000)))
        except audio.AudioError:
            continue
        power.append(np.r_[db.mean(axis=0), db.std(axis=0)])
        rows.append(row)
    label, fold = (np.array([getattr(row, name) for row in rows]) for name in ("label", "fold"))
    power, test = np.array(power), fold > 6
    model = RandomForestClassifier(200, random_state=0).fit(power[~test], label[~test])
    assert 0.35 < model.score(power[test], label[test]) < 0.95


def test_every_data_set_but_your_own_classes_has_a_sample():
    made = {name: entry.synthesise for name, entry in data.DATASETS.items() if entry.synthesise}
    ours = {"capuchin", "urbansound8k", "esc50", "esc10", "catsdogs", "speakers"}
    assert made == synthesis.GENERATORS and set(made) >= ours and "folders" not in made
    assert all(name == generator.name for name, generator in made.items())
    assert capuchin.SIZES
