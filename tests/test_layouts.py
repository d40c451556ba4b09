"""UrbanSound8K and ESC-50 as they come: published, from Kaggle, in part, and not quite right."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers import audio, data

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def sound(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    audio.write(path, np.full(800, 0.1, np.float32), sr=8000)


def urbansound8k(root, *, prefix="audio/", table="metadata/UrbanSound8K.csv", suffix=".wav"):
    rows = []
    for fold, number, class_id, kind in ((1, 10, 3, "dog_bark"), (2, 20, 8, "siren")):
        for part in range(2):
            name = f"{number}-{class_id}-0-{part}.wav"
            sound((root / f"{prefix}fold{fold}" / name).with_suffix(suffix))
            rows.append((name, number, 0.0, 0.1, 1, fold, class_id, kind))
    columns = ["slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class"]
    (root / table).parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=columns).to_csv(root / table, index=False)
    return root


def esc50(root, *, folder="audio", table="meta/esc50.csv"):
    rows = []
    for fold, number, target, category, esc10 in (
        *((1, 7, 0, "dog", True), (2, 8, 41, "chainsaw", True), (1, 9, 42, "siren", False)),
    ):
        for take in "AB":
            name = f"{fold}-{number}-{take}-{target}.wav"
            sound(root / folder / name)
            rows.append((name, fold, target, category, esc10, number, take))
    columns = ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
    (root / table).parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=columns).to_csv(root / table, index=False)
    return root


def clips(name, root):
    return data.clip_table(data.resolve(name, root))


@pytest.mark.parametrize("suffix", [".wav", ".ogg"])
@pytest.mark.parametrize(("prefix", "table"), [("audio/", "metadata/UrbanSound8K.csv"),
                                               ("", "UrbanSound8K.csv")])  # fmt: skip
def test_urbansound8k_as_published_and_as_on_kaggle(tmp_path, prefix, table, suffix):
    root = urbansound8k(tmp_path / "set", prefix=prefix, table=table, suffix=suffix)
    found, errors = clips("urbansound8k", root)
    assert not len(errors) and list(found.columns) == data.CLIP_COLUMNS
    assert found["group"].tolist() == ["10", "10", "20", "20"]
    assert found["fold"].tolist() == [1, 1, 2, 2]
    assert found["label"].tolist() == ["dog_bark"] * 2 + ["siren"] * 2


def test_some_of_the_folds_are_enough(tmp_path):
    root = urbansound8k(tmp_path / "set")
    for path in (root / "audio" / "fold2").iterdir():
        path.unlink()
    (root / "audio" / "fold2").rmdir()
    found, errors = clips("urbansound8k", root)
    assert set(found["fold"]) == {1} and not len(errors)


def test_what_the_table_and_the_folders_do_not_share_is_told(tmp_path):
    root = urbansound8k(tmp_path / "set")
    (root / "audio" / "fold1" / "10-3-0-1.wav").unlink()
    sound(root / "audio" / "fold2" / "30-1-0-0.wav")
    (root / "audio" / "fold2" / "20-8-0-0.wav").write_bytes(b"")
    found, errors = clips("urbansound8k", root)
    assert [Path(path).name for path in found["path"]] == ["10-3-0-0.wav", "20-8-0-1.wav"]
    told = dict(zip(errors["file"], errors["reason"], strict=True))
    assert "but not there" in told["audio/fold1/10-3-0-1.wav"]
    assert "not listed" in told["audio/fold2/30-1-0-0.wav"]
    assert told["audio/fold2/20-8-0-0.wav"] and len(told) == 3


@pytest.mark.parametrize(("folder", "table"), [("audio", "meta/esc50.csv"),
                                               ("audio/audio", "esc50.csv")])  # fmt: skip
def test_esc50_and_the_ten_of_esc10(tmp_path, folder, table):
    root = esc50(tmp_path / "set", folder=folder, table=table)
    found, errors = clips("esc50", root)
    assert set(found["label"]) == {"dog", "chainsaw", "siren"} and not len(errors)
    assert (found.groupby("group")["fold"].nunique() == 1).all()
    (root / folder / "1-9-A-42.wav").unlink()
    found, errors = clips("esc10", root)
    assert set(found["label"]) == {"dog", "chainsaw"} and not len(errors)
    assert len(clips("esc50", root)[1]) == 1


def test_a_wrong_table_says_what_is_wrong(tmp_path):
    root = urbansound8k(tmp_path / "set")
    table = root / "metadata" / "UrbanSound8K.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(data.DataError, match="no column 'slice_file_name'"):
        clips("urbansound8k", root)
    table.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(data.DataError, match="UrbanSound8K.csv"):
        clips("urbansound8k", root)
    with pytest.raises(data.DataNotFoundError, match="'metadata/UrbanSound8K.csv' or 'Urban"):
        data.resolve("urbansound8k", root / "audio")


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "n_clips", "n_labels", "n_faults"),
    [("urbansound8k", 2148, 10, 538), ("esc10", 320, 10, 0), ("capuchin", 810, 2, 0)],
)
def test_the_real_sets(name, n_clips, n_labels, n_faults):
    if not (SHARED / name).is_dir():
        pytest.skip("the real data set is not here")
    found, errors = clips(name, SHARED / name)
    assert (len(found), found["label"].nunique(), len(errors)) == (n_clips, n_labels, n_faults)
    if name != "capuchin":
        assert (found.groupby("group")["fold"].nunique() == 1).all()
