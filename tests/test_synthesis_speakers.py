"""helpers.synthesis.speakers: layout, answer key, and how far a session gives its speaker away."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers import audio, data, features, synthesis
from helpers.synthesis import speakers

SR = 16_000
MEDIUM = dict(speakers=12, utterances=(6, 3))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(speakers.SIZES, "medium", MEDIUM)
        folder = tmp_path_factory.mktemp("synthetic") / "speakers"
        return synthesis.write_sample(
            synthesis.GENERATORS["speakers"], folder, size="medium", progress=False
        )


@pytest.fixture(scope="module")
def table(root):
    return data.clip_table(data.Dataset("speakers", root, "synthetic"))[0]


@pytest.fixture(scope="module")
def sounds(table):
    return [audio.load(path, sr=SR) for path in table["path"]]


def test_it_is_laid_out_like_librispeech(root, table):
    speakers, utterances = MEDIUM["speakers"], MEDIUM["utterances"]
    assert len(table) == speakers * sum(utterances) and table["label"].nunique() == speakers
    sessions = table.groupby("label")["group"].value_counts().groupby("label").apply(sorted)
    assert all(sizes == sorted(utterances) for sizes in sessions)
    for path in table["path"]:
        inside = Path(path).relative_to(root).as_posix()
        assert re.fullmatch(r"(\d+)/(\d+)/\1-\2-\d{4}\.flac", inside), inside
        assert audio.info(path).subtype == "PCM_16"
    assert (table["sample_rate"] == SR).all() and (table["channels"] == 1).all()
    seconds = table["duration_s"]
    assert 1.59 < seconds.min() < 2.5 and 5 < seconds.max() < 7.01
    assert 3 < seconds.median() < 3.9 and 0.2 < (seconds < 3).mean() < 0.5


def test_one_file_is_cut_off(root):
    _, errors = data.clip_table(data.Dataset("speakers", root, "synthetic"))
    assert len(errors) == 1 and "cut off" in errors["reason"][0]
    assert (root / errors["file"][0]).is_file()


def test_the_key_is_that_of_the_folders(root, table):
    speakers = pd.read_csv(root / "speakers.csv", dtype={"speaker": str})
    sessions = pd.read_csv(root / "sessions.csv", dtype={"speaker": str, "session": str})
    assert sorted(speakers["speaker"]) == sorted(set(table["label"]))
    named = sessions["speaker"] + "/" + sessions["session"]
    assert sorted(named) == sorted(set(table["group"]))
    assert {"f0_hz", "tract_cm", "syllables_per_s"} <= set(speakers)
    assert {"snr_db", "low_hz", "high_hz", "hum_hz"} <= set(sessions)
    assert not speakers.isna().any(axis=None) and not sessions.isna().any(axis=None)
    assert sessions["snr_db"].between(12, 35).all()


def test_the_noise_of_a_session_is_as_loud_as_its_key_says(root, table, sounds):
    sessions = pd.read_csv(root / "sessions.csv", dtype=str)
    snr_db = {f"{s.speaker}/{s.session}": float(s.snr_db) for s in sessions.itertuples()}
    missed = []
    for group, y in zip(table["group"], sounds, strict=True):
        level = np.abs(y[: len(y) // 160 * 160]).reshape(-1, 160)
        level = np.sqrt(np.mean(level**2, axis=1))
        noise = np.sqrt(np.mean(y[: round(0.06 * SR)] ** 2))  # nobody speaks yet
        speech = np.sqrt(np.mean(level[level > 2.5 * noise] ** 2))
        missed.append(20 * np.log10(speech / noise) - snr_db[group])
    assert abs(np.median(missed)) < 2 and np.abs(missed).max() < 8


def accuracy(x, labels, is_test):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return model.fit(x[~is_test], labels[~is_test]).score(x[is_test], labels[is_test])


def test_the_session_gives_the_speaker_away(table, sounds):
    """Means of the mel bands: nearly perfect within a session, poor in another, never chance."""
    frontend = features.Frontend(sr=SR, n_fft=512, hop_length=256, n_mels=40)
    x = np.array([features.to_db(frontend.power(y)).mean(axis=0) for y in sounds])
    labels = table["label"].to_numpy()
    split, _ = data.hold_out(table)
    other_session = split["held_out"].to_numpy()
    by_clip, _ = data.hold_out(table.assign(group=table["path"]))
    within, across = (
        accuracy(x, labels, is_test) for is_test in (by_clip["held_out"].to_numpy(), other_session)
    )
    assert within > 0.85 and 2.5 / MEDIUM["speakers"] < across < within - 0.25


def test_even_its_silence_gives_the_speaker_away(table, sounds):
    """What is heard before anybody speaks: of the same session, or of any."""
    frontend = features.Frontend(sr=SR, n_fft=512, hop_length=128, n_mels=20)
    x = np.array([features.to_db(frontend.power(y[:1200])).mean(axis=0) for y in sounds])
    labels, first = table["label"].to_numpy(), table.groupby("group").cumcount().to_numpy() == 0
    split, _ = data.hold_out(table)
    chance = 1 / MEDIUM["speakers"]
    assert accuracy(x, labels, first) > 5 * chance
    assert accuracy(x, labels, split["held_out"].to_numpy()) < 3 * chance


def test_the_sizes_that_are_published():
    assert speakers.SIZES["small"] == dict(speakers=24, utterances=(8, 4))
    assert speakers.SIZES["full"] == dict(speakers=40, utterances=(14, 6))
