"""The data sets as they come: published, from Kaggle, in part, one's own, and not quite right."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from helpers import data
from helpers.data import layouts, locate
from helpers.synthesis.speakers import SIZES

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def sound(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, np.full(800, 0.1, np.float32), 8000)


def urbansound8k(
    root, *, prefix="audio/", table="metadata/UrbanSound8K.csv", suffix=".wav", parts=2
):
    rows = []
    for fold, number, class_id, kind in ((1, 10, 3, "dog_bark"), (2, 20, 8, "siren")):
        for part in range(parts):
            name = f"{number}-{class_id}-0-{part}.wav"
            sound((root / f"{prefix}fold{fold}" / name).with_suffix(suffix))
            rows.append((name, number, 0.0, 0.1, 1, fold, class_id, kind))
    columns = ["slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class"]
    (root / table).parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=columns).to_csv(root / table, index=False)
    return root


def esc50(root, *, folder="audio", table="meta/esc50.csv", takes="AB"):
    rows = []
    for fold, number, target, category, esc10 in (
        *((1, 7, 0, "dog", True), (2, 8, 41, "chainsaw", True), (1, 9, 42, "siren", False)),
    ):
        for take in takes:
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
    assert "but the file does not exist" in told["audio/fold1/10-3-0-1.wav"]
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
    with pytest.raises(data.DataNotFoundError, match="metadata/UrbanSound8K.csv or Urban"):
        data.resolve("urbansound8k", root / "audio")


# --- what their tables say ------------------------------------------------------------------------

URBAN_TABLE, ESC_TABLE = "metadata/UrbanSound8K.csv", "meta/esc50.csv"


def entries(name, root):
    found, _ = data.DATASETS[name].read(root)
    assert found.columns.tolist() == [*layouts.LISTED, "file", "listed_s", "problem"]
    return found


def change(path, row=None, *, without=(), **values):
    """Write other values into a row of a csv file, or leave columns out."""
    table = pd.read_csv(path).astype(object)
    for column, value in values.items():
        table.loc[row, column] = value
    table.drop(columns=list(without)).to_csv(path, index=False)


@pytest.mark.parametrize(("prefix", "table"), [("audio/", URBAN_TABLE), ("", "UrbanSound8K.csv")])
def test_entries_of_urbansound8k(tmp_path, prefix, table):
    root = urbansound8k(tmp_path / "set", prefix=prefix, table=table)
    change(root / table, 1, start=58.5, end=62.5)
    found = entries("urbansound8k", root)
    names = ["fold1/10-3-0-0", "fold1/10-3-0-1", "fold2/20-8-0-0", "fold2/20-8-0-1"]
    assert found["file"].tolist() == [f"{prefix}{name}.wav" for name in names]
    np.testing.assert_allclose(found["listed_s"], [0.1, 4, 0.1, 0.1])
    assert (found["problem"] == "").all()


@pytest.mark.parametrize("name", ["esc50", "esc10"])
@pytest.mark.parametrize(("folder", "table"), [("audio", ESC_TABLE), ("audio/audio", "esc50.csv")])
def test_entries_of_esc50(tmp_path, name, folder, table):
    found = entries(name, esc50(tmp_path / "set", folder=folder, table=table))
    assert len(found) == (4 if name == "esc10" else 6)  # the siren is none of the ten
    assert found["file"].tolist()[:2] == [f"{folder}/1-7-A-0.wav", f"{folder}/1-7-B-0.wav"]
    assert set(found["listed_s"]) == {5.0}
    assert (found["problem"] == "").all()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"fsID": 11}, "fsID is 11, its file name says 10"),
        ({"fsID": None}, "fsID is nan, its file name says 10"),
        ({"classID": 4}, "classID is 4, its file name says 3"),
        ({"classID": None}, "classID is nan, its file name says 3"),
        ({"class": "siren"}, "class is siren, classID 3 means dog_bark"),
        ({"class": None}, "class is nan, classID 3 means dog_bark"),
        ({"salience": None}, "salience is nan, not 1 or 2"),
        ({"salience": 3}, "salience is 3, not 1 or 2"),
        ({"start": 0.5}, "it ends at 0.1 s and begins at 0.5 s"),
        ({"start": 0.1}, "it ends at 0.1 s and begins at 0.1 s"),
        ({"end": None}, "it ends at nan s and begins at 0.0 s"),
        ({"end": "?"}, "it ends at ? s and begins at 0.0 s"),
        (
            {"fsID": 11, "class": "siren", "salience": 3},
            "fsID is 11, its file name says 10; class is siren, classID 3 means dog_bark; "
            "salience is 3, not 1 or 2",
        ),
    ],
)
def test_what_urbansound8ks_table_contradicts_is_told(tmp_path, values, told):
    root = urbansound8k(tmp_path / "set", parts=3)
    change(root / URBAN_TABLE, 1, **values)
    found = entries("urbansound8k", root)
    assert found["problem"].tolist() == ["", told, "", "", "", ""]
    np.testing.assert_allclose(found["listed_s"].drop(1), 0.1)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"fold": 2}, "fold is 2, its file name says 1"),
        ({"src_file": 8}, "src_file is 8, its file name says 7"),
        ({"take": "A"}, "take is A, its file name says B"),
        ({"target": 5}, "target is 5, its file name says 0"),
        ({"category": "cat"}, "category is cat, target 0 means dog"),
    ],
)
def test_what_esc50s_table_contradicts_is_told(tmp_path, values, told):
    root = esc50(tmp_path / "set", takes="ABC")
    change(root / ESC_TABLE, 1, **values)
    found = entries("esc50", root)
    assert found["problem"].tolist() == ["", told, *[""] * 7]


def test_what_a_table_does_not_have_is_not_missed(tmp_path):
    root = urbansound8k(tmp_path / "urban")
    for column in ("salience", "classID", "start", "end"):
        change(root / URBAN_TABLE, without=[column])
        found = entries("urbansound8k", root)
        assert len(found) == 4 and (found["problem"] == "").all()
        assert found["listed_s"].isna().all() == (column in ("start", "end"))
    root = esc50(tmp_path / "esc")
    change(root / ESC_TABLE, without=["take", "target"])
    assert (entries("esc50", root)["problem"] == "").all()


@pytest.mark.parametrize(
    ("values", "told", "lost"),
    [
        ({"fold": None}, "it has no fold", True),
        ({"fold": "inf"}, "", True),
        ({"slice_file_name": None}, "it has no slice_file_name", True),
        ({"class": None}, "class is nan, classID 3 means dog_bark", False),
        ({"fsID": None}, "fsID is nan, its file name says 10", False),
    ],
)
def test_a_gap_in_one_row_is_told_and_costs_no_other(tmp_path, values, told, lost):
    root = urbansound8k(tmp_path / "set", parts=3)
    change(root / URBAN_TABLE, 1, **values)
    rows = entries("urbansound8k", root)
    assert rows["problem"].tolist() == ["", told, "", "", "", ""]
    kept = rows.drop(1)
    assert kept["fold"].tolist() == [1, 1, 2, 2, 2]
    folders = [file.rpartition("/")[0] for file in kept["file"]]
    assert folders == ["audio/fold1"] * 2 + ["audio/fold2"] * 3
    assert kept["label"].tolist() == ["dog_bark"] * 2 + ["siren"] * 3
    found, errors = clips("urbansound8k", root)
    assert found["fold"].tolist() == [1] * (3 - lost) + [2] * 3 and found["fold"].dtype == int
    assert errors["reason"].tolist() == [f"not listed in {URBAN_TABLE}"] * lost


def test_a_row_that_is_there_twice_is_told(tmp_path):
    root = urbansound8k(tmp_path / "set")
    table = pd.read_csv(root / URBAN_TABLE)
    pd.concat([table, table.iloc[[0]]]).to_csv(root / URBAN_TABLE, index=False)
    found, errors = clips("urbansound8k", root)
    assert len(found) == 4 and errors.values.tolist() == [
        ["audio/fold1/10-3-0-0.wav", f"listed more than once in {URBAN_TABLE}", "metadata"]
    ]


def test_a_table_may_have_its_columns_in_any_order(tmp_path):
    root = urbansound8k(tmp_path / "set")
    table = pd.read_csv(root / URBAN_TABLE)
    table.loc[2, "fsID"] = 21
    table[sorted(table.columns)].to_csv(root / URBAN_TABLE)
    told = ["", "", "fsID is 21, its file name says 20", ""]
    assert entries("urbansound8k", root)["problem"].tolist() == told


def test_file_names_that_say_nothing_contradict_nothing(tmp_path):
    root = urbansound8k(tmp_path / "set")
    change(root / URBAN_TABLE, 0, slice_file_name="10.wav")
    assert (entries("urbansound8k", root)["problem"] == "").all()


@pytest.mark.real
@pytest.mark.parametrize("name", ["urbansound8k", "esc10"])
def test_the_tables_of_the_real_sets_contradict_nothing(name):
    if not (SHARED / name).is_dir():
        pytest.skip("the real data set is not here")
    found = entries(name, SHARED / name)
    assert len(found) > 300 and (found["problem"] == "").all() and (found["listed_s"] > 0).all()


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "n_clips", "n_labels", "n_faults"),
    [
        *(("urbansound8k", 2148, 10, 538), ("esc10", 320, 10, 0), ("capuchin", 810, 2, 0)),
        ("speakers", 640, 32, 0),
    ],
)
def test_the_real_sets(name, n_clips, n_labels, n_faults):
    if not (SHARED / name).is_dir():
        pytest.skip("the real data set is not here")
    found, errors = clips(name, SHARED / name)
    assert (len(found), found["label"].nunique(), len(errors)) == (n_clips, n_labels, n_faults)
    if name != "capuchin":
        assert (found.groupby("group")["fold"].nunique() == 1).all()


def test_own_clips_lie_in_a_folder_for_each_class(tmp_path):
    names = ["dog/rex-1.wav", "dog/rex-2.wav", "dog/lassie.wav", "dog/farm/a.wav", "dog/farm/b.wav"]
    names += ["cat/1.wav", "cat/2.flac", "mew/x-1.ogg", "mew/x-2.ogg", ".trash/a.wav", "notes.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    table, faults = data.DATASETS["folders"].list_clips(tmp_path)
    found = {
        Path(path).relative_to(tmp_path).as_posix(): (label, group)
        for path, label, group in table[["path", "label", "group"]].itertuples(index=False)
    }
    assert faults == [] and len(found) == 9 and (table["fold"] == -1).all()
    assert found["dog/rex-1.wav"] == found["dog/rex-2.wav"] == ("dog", "rex")
    assert found["dog/farm/a.wav"] == found["dog/farm/b.wav"] == ("dog", "farm")
    assert found["cat/1.wav"] == ("cat", "1") and found["cat/2.flac"] == ("cat", "2")
    # One name for the whole class says nothing of sources.
    assert found["mew/x-1.ogg"] != found["mew/x-2.ogg"]


def test_own_clips_need_a_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(locate.env, "repository_root", lambda: tmp_path)
    monkeypatch.delenv("AUDIO_DATA", raising=False)
    with pytest.raises(data.DataNotFoundError, match="DATA_DIR"):
        data.resolve("folders")
    (tmp_path / "empty").mkdir()
    with pytest.raises(data.DataError, match="no clips.* into a folder each"):
        data.clip_table(data.resolve("folders", tmp_path / "empty"))


# --- cats and dogs --------------------------------------------------------------------------------

CATS, DOGS = ["cat_1", "cat_12", "cat_167"], ["dog_barking_0", "dog_barking_9"]
COPIES = [
    "train/cat/cat_1",
    "test/cats/cat_12",
    "train/dog/dog_barking_0",
    "test/test/dog_barking_9",
]


def catsdogs(root, names=(*CATS, *DOGS), *, suffix=".wav"):
    for name in names:
        sound((root / name).with_suffix(suffix))
    return root


def inside(root, table):
    """{file, relative to root: (label, group)} of a clip table."""
    rows = table[["path", "label", "group"]].itertuples(index=False)
    return {Path(path).relative_to(root).as_posix(): tuple(told) for path, *told in rows}


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".aiff", ".caf"])
@pytest.mark.parametrize("folder", ["", "cats_dogs", "archive/cats_dogs"])
def test_cats_and_dogs_lie_flat_in_one_folder(tmp_path, folder, suffix):
    catsdogs(tmp_path / folder, suffix=suffix)
    (tmp_path / "train_test_split.csv").write_text("test_cat\n")
    table, errors = clips("catsdogs", tmp_path)
    assert errors.empty and (table["fold"] == -1).all()
    assert inside(tmp_path / folder, table) == {
        **{f"{name}{suffix}": ("cat", name) for name in CATS},
        **{f"{name}{suffix}": ("dog", name) for name in DOGS},
    }


def test_copies_of_a_clip_are_listed_once(tmp_path):
    catsdogs(tmp_path / "cats_dogs", [*CATS, *DOGS, *COPIES, "train/cat/cat_2"])
    catsdogs(tmp_path / "backup" / "2020", [*CATS, *DOGS])
    table, errors = clips("catsdogs", tmp_path)
    listed = sorted(f"cats_dogs/{name}.wav" for name in [*CATS, *DOGS, "train/cat/cat_2"])
    assert errors.empty and sorted(inside(tmp_path, table)) == listed
    assert table["group"].is_unique


def test_what_is_left_of_cats_and_dogs_when_only_the_copies_are_there(tmp_path):
    catsdogs(tmp_path / "cats_dogs", COPIES)
    found = inside(tmp_path, clips("catsdogs", tmp_path)[0])
    assert found["cats_dogs/test/test/dog_barking_9.wav"] == ("dog", "dog_barking_9")
    assert len(found) == len(COPIES)


def test_what_is_named_neither_cat_nor_dog_is_told(tmp_path):
    catsdogs(tmp_path / "cats_dogs")
    strange = [
        "cats_dogs/cow_1",
        "cats_dogs/cat_1 (1)",
        "cats_dogs/train/dog_3",
        "cats_dogs/a_cat_1",
    ]
    catsdogs(tmp_path, [*strange, ".trash/cow_2", "cats_dogs/__MACOSX/cow_3"])
    table, errors = clips("catsdogs", tmp_path)
    assert len(table) == len(CATS + DOGS)
    assert sorted(errors["file"]) == sorted(f"{name}.wav" for name in strange)
    assert (errors["reason"] == "its name is not cat_<n> or dog_barking_<n>").all()


@pytest.mark.parametrize(("names", "missing"), [(CATS, "'dog'"), (DOGS, "'cat'")])
def test_both_cats_and_dogs_are_needed(tmp_path, names, missing):
    catsdogs(tmp_path / "cats_dogs", names)
    with pytest.raises(data.DataError, match=f"class {missing} is missing.*_<n> has no sound"):
        clips("catsdogs", tmp_path)


def test_a_folder_without_cats_and_dogs_says_what_is_needed(tmp_path):
    with pytest.raises(data.DataError, match="into it, named cat_<n> and dog_barking_<n>, or see"):
        clips("catsdogs", tmp_path)
    with pytest.raises(data.DataNotFoundError, match="looked for clips in .*does not exist"):
        clips("catsdogs", tmp_path / "nowhere")


# --- speakers -------------------------------------------------------------------------------------


def speakers(root, *names):
    """{file: (label, group)} of a folder of speakers that holds empty files of some names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    table, faults = data.DATASETS["speakers"].list_clips(root)
    assert faults == [] and list(table.columns) == list(layouts.LISTED)
    assert (table["fold"] == -1).all()
    rows = table[["path", "label", "group"]].itertuples(index=False)
    return {Path(path).relative_to(root).as_posix(): tuple(told) for path, *told in rows}


def test_the_folders_of_a_speaker_are_the_sessions(tmp_path):
    found = speakers(
        tmp_path,
        *("84/121123/84-121123-0000.flac", "84/121123/84-121123-0001.flac"),
        *("84/121550/84-121550-0000.flac", "84/121550/84-121550.trans.txt"),
        *("85/home/phone/a.wav", "85/home/desk/a.wav", "85/office/b.MP3"),
        *("SPEAKERS.TXT", "sessions.csv", "__MACOSX/84/a.wav", "84/.trash/old/a.wav"),
    )
    assert found == {
        "84/121123/84-121123-0000.flac": ("84", "84/121123"),
        "84/121123/84-121123-0001.flac": ("84", "84/121123"),
        "84/121550/84-121550-0000.flac": ("84", "84/121550"),
        "85/home/desk/a.wav": ("85", "85/home/desk"),
        "85/home/phone/a.wav": ("85", "85/home/phone"),
        "85/office/b.MP3": ("85", "85/office"),
    }


def test_in_a_single_folder_each_file_is_for_itself(tmp_path):
    found = speakers(
        tmp_path,
        *("SPEAKER0001/000010011.WAV", "SPEAKER0001/000010035.WAV", "SPEAKER0001/notes/a.txt"),
        *("anna/only/one-1.ogg", "anna/only/one-2.ogg", "anna/empty/readme.md"),
    )
    assert found == {
        "SPEAKER0001/000010011.WAV": ("SPEAKER0001", "SPEAKER0001/000010011"),
        "SPEAKER0001/000010035.WAV": ("SPEAKER0001", "SPEAKER0001/000010035"),
        "anna/only/one-1.ogg": ("anna", "anna/only/one-1"),
        "anna/only/one-2.ogg": ("anna", "anna/only/one-2"),
    }


def test_files_beside_a_session_are_a_session(tmp_path):
    found = speakers(tmp_path, "anna/a.wav", "anna/b.wav", "anna/phone/c.wav")
    assert [group for _, group in found.values()] == ["anna", "anna", "anna/phone"]


def test_alike_named_sessions_of_two_speakers_are_two(tmp_path):
    found = speakers(tmp_path, *(f"{who}/{day}/a.wav" for who in "ab" for day in ("mon", "tue")))
    assert len({group for _, group in found.values()}) == 4


def test_speakers_are_found_or_made(monkeypatch, tmp_path):
    monkeypatch.setattr(locate.env, "repository_root", lambda: tmp_path)
    monkeypatch.delenv("AUDIO_DATA", raising=False)
    monkeypatch.setenv("AUDIO_SAMPLE_DIR", str(tmp_path / "samples"))
    monkeypatch.setitem(SIZES, "small", dict(speakers=2, utterances=(1, 1)))
    made = data.resolve("speakers")
    assert made.source == "synthetic" and data.clip_table(made)[0]["group"].nunique() == 4
    with pytest.raises(data.DataNotFoundError, match="does not exist.*\n.*empty for the synthetic"):
        data.resolve("speakers", tmp_path / "nowhere")
    (tmp_path / "mine").mkdir()
    sound(tmp_path / "mine" / "a.wav")  # a file without a folder is nobody's
    with pytest.raises(data.DataError, match="no clips in mine.* into a folder each.*speakers"):
        data.clip_table(data.resolve("speakers", tmp_path / "mine"))
    sound(tmp_path / "mine" / "anna" / "a.wav")
    assert data.resolve("speakers", tmp_path / "mine").source == "local"
    assert clips("speakers", tmp_path / "mine")[0]["label"].tolist() == ["anna"]
