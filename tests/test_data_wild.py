"""Copies of data sets as people have them: other levels, names, tables and encodings."""

import unicodedata

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from helpers import data
from helpers.data import validate

RATE = 8000


def sound(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    y = 0.1 * np.random.default_rng(len(path.name)).standard_normal(RATE // 4)
    sf.write(path, y, RATE)


def clips(name, root):
    """(clips of each label, what is said, the clip table) of a data set in a folder."""
    dataset = data.resolve(name, str(root), require=("clips",))
    table, errors = data.clip_table(dataset)
    said = [f"{row.file}: {row.reason}" for row in errors.itertuples()]
    return table["label"].value_counts().to_dict(), said, table


# --- which level is the data set ------------------------------------------------------------------

PEOPLE = ("FCJF0", "MDAB0", "id10001")


@pytest.mark.parametrize(
    "above, outer",
    {
        "right": ([""], []),
        "LibriSpeech": (
            ["LibriSpeech/dev-clean/", "LibriSpeech/train-clean-100/"],
            ["LibriSpeech/dev-clean", "LibriSpeech/train-clean-100"],
        ),
        "one part": (["test-other/"], ["test-other"]),
        "VoxCeleb": (["vox1/wav/"], ["vox1/wav"]),
        "TIMIT": (["TRAIN/DR1/", "TEST/DR8/"], ["TEST/DR8", "TRAIN/DR1"]),
        "kagglehub": (["versions/1/"], ["versions/1"]),
    }.values(),
)
@pytest.mark.parametrize("name", ["speakers", "folders"])
def test_labels_are_found_below_parts_of_a_split(name, above, outer, tmp_path):
    for k, who in enumerate(PEOPLE):
        for i in range(3):
            sound(tmp_path / f"{above[k % len(above)]}{who}" / "s1" / f"{i}.wav")
            sound(tmp_path / f"{above[k % len(above)]}{who}" / "s2" / f"{i}.wav")
    (tmp_path / "docs").mkdir()
    (tmp_path / "SPEAKERS.TXT").touch()
    found, said, table = clips(name, tmp_path)
    assert found == dict.fromkeys(PEOPLE, 6)
    assert [line.partition(":")[0] for line in said] == outer
    assert all("taken as labels" in line for line in said)
    assert table.groupby("label")["group"].nunique().eq(2).all()


@pytest.mark.parametrize(
    "names",
    [
        ("train", "bus"),
        ("train", "test clips"),
        ("developer", "tester"),
        ("dr1", "anna"),
        ("1", "2"),
    ],
)
def test_labels_that_only_sound_like_parts_of_a_split_stay(names, tmp_path):
    for name in names:
        for i in range(2):
            sound(tmp_path / name / "deeper" / f"{i}.wav")
    assert clips("folders", tmp_path)[:2] == (dict.fromkeys(names, 2), [])


def test_train_and_test_stay_classes_where_their_clips_have_no_folders(tmp_path):
    for name in ("train", "test"):
        for i in range(2):
            sound(tmp_path / name / f"{i}.wav")
    assert clips("folders", tmp_path)[:2] == ({"train": 2, "test": 2}, [])


@pytest.mark.parametrize("above", ["", "a b/", "versions/1/", "data/versions/3/"])
def test_a_data_set_below_the_folder_is_found(above, tmp_path):
    for place in ("Parsed_Capuchinbird_Clips", "Parsed_Not_Capuchinbird_Clips"):
        sound(tmp_path / above / place / "XC1-0.wav")
    assert clips("capuchin", tmp_path)[0] == {"capuchin": 1, "other": 1}


def test_two_copies_below_the_folder_are_not_guessed(tmp_path):
    for version in "12":
        for place in ("Parsed_Capuchinbird_Clips", "Parsed_Not_Capuchinbird_Clips"):
            sound(tmp_path / "versions" / version / place / "XC1-0.wav")
    with pytest.raises(data.DataNotFoundError, match="more than once, in 1, 2"):
        clips("capuchin", tmp_path)


# --- tables and names -----------------------------------------------------------------------------

CLASSES = ("dog_bark", "siren")


def urban(root, *, place="audio/fold{fold}", change=None, write=None):
    """UrbanSound8K with four clips, and something changed in its table."""
    names = [f"{100 + i}-{(3, 8)[i % 2]}-0-{i}.wav" for i in range(4)]
    rows = {
        "slice_file_name": names,
        "fsID": range(100, 104),
        "start": 0.0,
        "end": 0.25,
        "salience": 1,
        "fold": [1, 1, 2, 2],
        "classID": [3, 8, 3, 8],
        "class": CLASSES * 2,
    }
    table = pd.DataFrame(rows)
    for row in table.itertuples():
        sound(root / place.format(fold=row.fold) / row.slice_file_name)
    table = change(table) if change else table
    (root / "metadata").mkdir(parents=True)
    write = write or (lambda table, path: table.to_csv(path, index=False))
    write(table, root / "metadata" / "UrbanSound8K.csv")


@pytest.mark.parametrize(
    "place, said",
    {
        "audio/fold{fold}": [],
        "audio/Fold{fold}": ["audio/Fold1", "audio/Fold2"],
        "audio/fold_{fold}": ["audio/fold_1", "audio/fold_2"],
        "audio": ["audio", "audio"],
        "wavs/all": ["wavs/all", "wavs/all"],
    }.items(),
)
def test_clips_in_folders_of_other_names_are_found_by_their_own(place, said, tmp_path):
    urban(tmp_path, place=place)
    found, remarks, table = clips("urbansound8k", tmp_path)
    assert found == dict.fromkeys(CLASSES, 2) and sorted(table["fold"]) == [1, 1, 2, 2]
    assert [line.rpartition(" ")[2] for line in remarks] == said
    assert validate.inspect(data.Dataset("urbansound8k", tmp_path, "local")).is_fine


def spaced(table):
    return table.assign(**{"class": ["dog_bark ", "siren\t", "dog_bark", "siren"]})


def with_paths(table):
    names = "audio\\fold" + table["fold"].astype(str) + "\\" + table["slice_file_name"]
    return table.assign(slice_file_name=names)


@pytest.mark.parametrize(
    "options, said",
    {
        "spaces": ({"change": spaced}, "spaces round 2 values of class, the first in line 2"),
        "spaces in the header": ({"change": lambda t: t.rename(columns={"class": "class "})}, ""),
        "fold1": ({"change": lambda t: t.assign(fold="fold" + t["fold"].astype(str))}, ""),
        "Fold 1": ({"change": lambda t: t.assign(fold="Fold " + t["fold"].astype(str))}, ""),
        "backslashes": ({"change": with_paths}, ""),
        "semicolons": (
            {"write": lambda t, path: t.to_csv(path, index=False, sep=";")},
            "divided by semicolons",
        ),
        "tabs": ({"write": lambda t, path: t.to_csv(path, index=False, sep="\t")}, "by tabs"),
        "UTF-16": (
            {"write": lambda t, path: t.to_csv(path, index=False, encoding="utf-16")},
            "read as utf-16",
        ),
        "a byte order mark": (
            {"write": lambda t, path: t.to_csv(path, index=False, encoding="utf-8-sig")},
            "",
        ),
        "Latin-1": (
            {
                "change": lambda t: t.assign(remark="forêt"),
                "write": lambda t, path: t.to_csv(path, index=False, encoding="latin-1"),
            },
            "read as cp1252",
        ),
    }.values(),
)
def test_tables_of_other_programs_are_read_and_what_was_mended_is_said(options, said, tmp_path):
    urban(tmp_path, **options)
    found, remarks, table = clips("urbansound8k", tmp_path)
    assert found == dict.fromkeys(CLASSES, 2) and sorted(table["fold"]) == [1, 1, 2, 2]
    assert len(remarks) == bool(said)
    assert all(said in line and line.startswith("metadata/UrbanSound8K.csv") for line in remarks)
    assert validate.inspect(data.Dataset("urbansound8k", tmp_path, "local")).is_fine


def test_a_table_without_its_columns_is_no_table(tmp_path):
    urban(tmp_path, change=lambda table: table.rename(columns={"class": "kind"}))
    with pytest.raises(data.DataError, match="has no column 'class'"):
        clips("urbansound8k", tmp_path)


@pytest.mark.parametrize("place", ["audio", "audio/audio", "audio/audio/44100", "clips/x"])
def test_copies_of_esc50(place, tmp_path):
    names = [f"{k}-{10 * k + t}-A-{t}.wav" for k in (1, 2) for t in (0, 1)]
    for name in names:
        sound(tmp_path / place / name)
        if place.endswith("44100"):
            sound(tmp_path / "audio/audio/16000" / name)
    fields = [name.removesuffix(".wav").split("-") for name in names]
    rows = [(n, f[0], f[3], ("dog", "rooster")[int(f[3])], True, f[1], f[2])
            for n, f in zip(names, fields, strict=True)]  # fmt: skip
    columns = ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "esc50.csv", index=False)
    found, remarks, table = clips("esc50", tmp_path)
    assert found == {"dog": 2, "rooster": 2}
    assert table["path"].str.contains(place, regex=False).all()
    assert bool(remarks) == (place in ("audio/audio/44100", "clips/x"))


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_another_unicode_form_are_the_same_names(form, tmp_path):
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    name = unicodedata.normalize(form, "forêt.wav")
    (tmp_path / "Forest Recordings").mkdir()
    sound(tmp_path / "Forest Recordings" / name)
    listed = unicodedata.normalize(other, "forêt.mp3")
    (tmp_path / "counts.csv").write_text(f"clip_name;call_count\n{listed};3\n", encoding="utf-8")
    dataset = data.Dataset("capuchin", tmp_path, "local")
    counts, _ = data.answer_key(dataset)
    assert counts["clip_name"].tolist() == [name] and counts["call_count"].tolist() == [3]
    for k, label in enumerate(("été", "été ".strip())):
        for i in range(2):
            folder = unicodedata.normalize(("NFC", "NFD")[k], label)
            sound(tmp_path / "clips" / folder / f"{k}{i}.wav")
        sound(tmp_path / "clips" / "hiver" / f"{k}.wav")
    assert clips("folders", tmp_path / "clips")[0] == {"été": 4, "hiver": 2}
