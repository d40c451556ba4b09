"""python -m helpers.data check: what is here, what is wrong, and nothing else."""

import io
import os
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from helpers import data, env, features, synthesis
from helpers.data import __main__, validate
from helpers.synthesis import urbansound8k

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
URBAN_TABLE, ESC_TABLE = "metadata/UrbanSound8K.csv", "meta/esc50.csv"
FIRST = "audio/fold1/13-3-0-0.wav"


def sound(path, seconds=1.0, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, *path.name.encode()])
    sf.write(path, rng.uniform(-0.5, 0.5, round(8000 * seconds)), 8000)


@pytest.fixture
def urban(tmp_path):
    """Folds 1 to 3 with a dog and a siren of two slices each."""
    rows = []
    for fold in (1, 2, 3):
        for class_id, kind in ((3, "dog_bark"), (8, "siren")):
            for part in (0, 1):
                source = 10 * fold + class_id
                name = f"{source}-{class_id}-0-{part}.wav"
                sound(tmp_path / "set" / "audio" / f"fold{fold}" / name)
                rows.append((name, source, 0.0, 1.0, 1, fold, class_id, kind))
    columns = ["slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class"]
    (tmp_path / "set" / "metadata").mkdir()
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "set" / URBAN_TABLE, index=False)
    return tmp_path / "set"


@pytest.fixture
def esc(tmp_path):
    rows = []
    for fold in (1, 2):
        for target, kind, esc10 in ((0, "dog", True), (41, "chainsaw", True), (42, "siren", False)):
            name = f"{fold}-{100 * fold + target}-A-{target}.wav"
            sound(tmp_path / "esc" / "audio" / name, 5.0)
            rows.append((name, fold, target, kind, esc10, 100 * fold + target, "A"))
    columns = ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
    (tmp_path / "esc" / "meta").mkdir()
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "esc" / ESC_TABLE, index=False)
    return tmp_path / "esc"


@pytest.fixture
def capuchin(tmp_path):
    root = tmp_path / "birds"
    for k in range(3):
        sound(root / "Parsed_Capuchinbird_Clips" / f"XC{k}-0.wav")
        sound(root / "Parsed_Not_Capuchinbird_Clips" / f"owl-{k}.wav")
        sound(root / "Forest Recordings" / f"recording_0{k}.wav")
    return root


def look(name, root, *, decode=False, source="local"):
    return validate.inspect(data.Dataset(name, root, source), decode=decode)


def told(found, *, problem=True):
    """{file: (fault, detail)} of what is wrong."""
    rows = found.faults[found.faults["problem"] == problem]
    assert not rows["file"].duplicated().any()
    return {row.file: (row.fault, row.detail) for row in rows.itertuples()}


def numbers(found):
    return {part: tuple(rest) for part, *rest in found.counts.itertuples(index=False)}


def change(path, row, **values):
    table = pd.read_csv(path).astype(object)
    for column, value in values.items():
        table.loc[row, column] = value
    table.to_csv(path, index=False)


@pytest.mark.parametrize("decode", [False, True])
def test_a_set_without_a_fault(urban, decode):
    found = look("urbansound8k", urban, decode=decode)
    assert found.is_fine and found.faults.empty
    assert numbers(found) == {
        **{f"fold {fold}": (4, 4, 4) for fold in (1, 2, 3)},
        **{"dog_bark": (6, 6, 6), "siren": (6, 6, 6), "all 2 classes": (12, 12, 12)},
    }
    assert found.notes == ["its table lists 12 of the 8,732 clips that were published"]
    assert validate.report(found).endswith("\n\nurbansound8k: fine")


def test_each_fault_of_a_file_is_told_once(urban):
    fold = urban / "audio" / "fold1"
    (fold / "13-3-0-0.wav").unlink()
    (fold / "13-3-0-1.wav").write_bytes(b"")
    (fold / "18-8-0-0.wav").write_text("<html>404 Not Found</html>")
    sound(fold / "99-1-0-0.wav")
    sound(urban / "audio" / "fold2" / "23-3-0-0.wav", 0.4)
    found = look("urbansound8k", urban)
    assert {file: fault for file, (fault, _) in told(found).items()} == {
        "audio/fold1/13-3-0-0.wav": "missing",
        "audio/fold1/13-3-0-1.wav": "damaged",
        "audio/fold1/18-8-0-0.wav": "damaged",
        "audio/fold1/99-1-0-0.wav": "not listed",
        "audio/fold2/23-3-0-0.wav": "wrong length",
    }
    assert numbers(found)["fold 1"] == (4, 3, 1) and numbers(found)["dog_bark"] == (6, 5, 4)
    assert "web page" in told(found)["audio/fold1/18-8-0-0.wav"][1]
    assert told(found)["audio/fold2/23-3-0-0.wav"][1] == "0.40 s, listed 1.00 s"
    text = validate.report(found)
    assert "missing: 1" in text and text.endswith("urbansound8k: 5 problems")


@pytest.mark.parametrize(
    ("values", "file", "detail"),
    [
        (
            {"class": "siren"},
            "audio/fold1/13-3-0-0.wav",
            "class is siren, classID 3 means dog_bark",
        ),
        ({"salience": 7}, "audio/fold1/13-3-0-0.wav", "salience is 7, not 1 or 2"),
        ({"fsID": 5}, "audio/fold1/13-3-0-0.wav", "fsID is 5, its file name says 13"),
        ({"fold": None}, "audio/fold/13-3-0-0.wav", "it has no fold"),
        ({"slice_file_name": None}, "audio/fold1/?", "it has no slice_file_name"),
    ],
)
def test_a_wrong_row_is_told_and_ends_nothing(urban, values, file, detail):
    change(urban / URBAN_TABLE, 0, **values)
    found = told(look("urbansound8k", urban))
    assert found.pop(file) == ("metadata", detail)
    lost = "fold" in values or "slice_file_name" in values  # then its file has no row
    assert {fault for fault, _ in found.values()} == ({"not listed"} if lost else set())
    table, _ = data.clip_table(data.Dataset("urbansound8k", urban, "local"))
    assert len(table) == 12 - lost and table["fold"].dtype == int


def test_a_row_that_is_there_twice(urban):
    table = pd.read_csv(urban / URBAN_TABLE)
    pd.concat([table, table.iloc[[0]]]).to_csv(urban / URBAN_TABLE, index=False)
    reason = f"listed more than once in {URBAN_TABLE}"
    assert told(look("urbansound8k", urban)) == {"audio/fold1/13-3-0-0.wav": ("metadata", reason)}


def test_the_row_of_a_file_that_cannot_be_read_is_looked_at_too(urban):
    change(urban / URBAN_TABLE, 0, salience=None)
    (urban / "audio" / "fold1" / "13-3-0-0.wav").write_bytes(b"")
    found = look("urbansound8k", urban).faults
    assert sorted(found["fault"]) == ["damaged", "metadata"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a,b\n1,2\n", "no column 'slice_file_name'"),
        (b"", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_table_that_cannot_be_used(urban, content, reason):
    (urban / URBAN_TABLE).unlink()
    if content is None:
        (urban / URBAN_TABLE).mkdir()
    else:
        (urban / URBAN_TABLE).write_bytes(content)
    found = look("urbansound8k", urban)
    ((fault, detail),) = told(found).values()
    assert fault == "metadata" and reason in detail and URBAN_TABLE.split("/")[1] in detail


def test_a_table_without_rows(urban):
    table = pd.read_csv(urban / URBAN_TABLE)
    table.iloc[:0].to_csv(urban / URBAN_TABLE, index=False)
    found = look("urbansound8k", urban)
    assert [fault for fault, _ in told(found).values()] == ["missing"]
    assert (
        "sound files in folders that are not read: 12 (for example audio/fold1/13-3-0-0.wav)"
        in found.notes
    )


def test_folds_that_were_left_out_are_no_fault(urban, esc):
    for path in (urban / "audio" / "fold2").iterdir():
        path.unlink()
    (urban / "audio" / "fold2").rmdir()
    found = look("urbansound8k", urban)
    assert found.is_fine and "left out: fold 2" in found.notes
    assert numbers(found)["dog_bark"] == (4, 4, 4) and "fold 2" not in numbers(found)
    for path in (esc / "audio").glob("1-*"):  # there a fold is no folder
        path.unlink()
    found = look("esc50", esc)
    assert found.is_fine and "left out: fold 1" in found.notes
    assert numbers(found)["all 3 classes"] == (3, 3, 3)
    sound(esc / "audio" / "1-100-A-0.wav", 5.0)
    found = look("esc50", esc)
    assert [fault for fault, _ in told(found).values()] == ["missing"] * 2


def test_esc10_is_looked_at_alone(esc):
    (esc / "audio" / "1-142-A-42.wav").unlink()
    change(esc / ESC_TABLE, 5, take="B")
    found = look("esc10", esc)
    assert found.is_fine and numbers(found)["all 2 classes"] == (4, 4, 4)
    assert found.notes == ["its table lists 4 of the 400 clips that were published"]
    assert len(told(look("esc50", esc))) == 2


def test_a_source_in_two_folds_is_a_note(esc):
    change(esc / ESC_TABLE, 0, src_file=200, filename="1-200-A-0.wav")
    (esc / "audio" / "1-100-A-0.wav").rename(esc / "audio" / "1-200-A-0.wav")
    found = look("esc50", esc)
    assert found.is_fine and "sources in more than one fold: 1 (for example 200)" in found.notes


def test_many_classes_are_counted_together(tmp_path):
    for k in range(validate.MAX_CLASSES + 1):
        sound(tmp_path / "set" / f"speaker{k}" / "a.wav", 0.1)
    found = look("speakers", tmp_path / "set")
    assert list(numbers(found)) == ["all 21 classes"] and found.counts["here"].tolist() == [21]
    assert found.counts["listed"].isna().all() and "–   21" in validate.report(found)


# --- sets without a table -------------------------------------------------------------------------


def test_capuchin(capuchin):
    found = look("capuchin", capuchin, decode=True)
    assert found.is_fine and found.notes == ["here are 6 of the 810 clips that were published"]
    assert numbers(found) == {
        "capuchin": (217, 3, 3), "other": (593, 3, 3), "all 2 classes": (810, 6, 6),
        "recordings": (100, 3, 3),
    }  # fmt: skip


def test_a_sample_is_not_held_against_what_was_published(capuchin):
    found = look("capuchin", capuchin, source="synthetic")
    assert found.is_fine and found.notes == [] and found.counts["listed"].isna().all()


def test_what_can_be_wrong_with_recordings_and_their_key(capuchin):
    (capuchin / "Forest Recordings" / "recording_01.wav").write_bytes(b"RIFF")
    (capuchin / "counts.csv").write_text("clip_name,call_count\nrecording_09.mp3,2\n")
    found = look("capuchin", capuchin)
    assert [fault for fault, _ in told(found).values()] == ["damaged"]
    assert "Forest Recordings/recording_01.wav" in told(found)
    assert (
        "recordings of the answer key that are not here: 1 (for example recording_09.mp3)"
        in found.notes
    )
    assert numbers(found)["recordings"] == (100, 3, 2)
    (capuchin / "counts.csv").write_text("clip_name,call_count\nrecording_00.wav,many\n")
    faults = look("capuchin", capuchin).faults
    (detail,) = faults["detail"][faults["fault"] == "metadata"]
    assert "counts.csv, line 2: a clip_name and a call_count ≥ 0 are needed" in detail


def test_a_class_without_clips_is_a_fault_and_a_part_left_out_is_none(capuchin):
    for path in (capuchin / "Parsed_Capuchinbird_Clips").iterdir():
        path.unlink()
    reason = "no clips of class capuchin are here"
    assert told(look("capuchin", capuchin)) == {"Parsed_Capuchinbird_Clips": ("missing", reason)}
    for place in ("Parsed_Capuchinbird_Clips", "Parsed_Not_Capuchinbird_Clips"):
        for path in (capuchin / place).iterdir():
            path.unlink()
        (capuchin / place).rmdir()
    found = look("capuchin", capuchin)
    assert found.is_fine and found.notes == ["no clips are here"]


def test_catsdogs(tmp_path):
    for name in ("cat_1", "dog_barking_1", "train/cat/cat_1", "cow_1"):
        sound(tmp_path / "set" / "cats_dogs" / f"{name}.wav")
    found = look("catsdogs", tmp_path / "set")
    reason = "its name is not cat_<n> or dog_barking_<n>"
    assert told(found) == {"cats_dogs/cow_1.wav": ("misnamed", reason)}
    assert found.notes[-1] == (
        "sound files in folders that are not read: 1 (for example cats_dogs/train/cat/cat_1.wav)"
    )


def test_nothing_at_all(tmp_path):
    (tmp_path / "set").mkdir()
    for name in ("folders", "speakers", "catsdogs"):
        found = look(name, tmp_path / "set")
        assert {fault for fault, _ in told(found).values()} == {"missing"}


# --- decoding -------------------------------------------------------------------------------------


def test_decoding_finds_what_a_header_hides(urban, capuchin):
    place = urban / "audio" / "fold1"
    file = io.BytesIO()
    y = np.random.default_rng(0).uniform(-0.5, 0.5, 80_000)
    sf.write(file, y, 8000, format="FLAC")
    content = bytearray(file.getvalue())
    content[60_000:60_400] = random.Random(0).randbytes(400)
    change(urban / URBAN_TABLE, 0, end=10.0)
    for path in (place / "13-3-0-0.wav", place / "13-3-0-1.wav"):
        path.unlink()
    (place / "13-3-0-0.flac").write_bytes(content)
    nan = np.full(8000, 0.1, np.float32)
    nan[4000] = np.nan
    sf.write(place / "13-3-0-1.wav", nan, 8000, subtype="FLOAT")
    assert look("urbansound8k", urban).is_fine
    found = look("urbansound8k", urban, decode=True)
    assert {file: fault for file, (fault, _) in told(found).items()} == {
        "audio/fold1/13-3-0-0.flac": "damaged",
        "audio/fold1/13-3-0-1.wav": "damaged",
    }
    assert numbers(found)["fold 1"] == (4, 4, 2)
    forest = capuchin / "Forest Recordings"
    (forest / "recording_00.flac").write_bytes(content)
    assert look("capuchin", capuchin).is_fine
    assert list(told(look("capuchin", capuchin, decode=True))) == [
        "Forest Recordings/recording_00.flac"
    ]


def test_what_published_sets_have_too_is_a_remark(urban):
    place = urban / "audio" / "fold1"
    (place / "13-3-0-1.wav").write_bytes((place / "13-3-0-0.wav").read_bytes())
    sf.write(place / "18-8-0-0.wav", np.zeros(8000), 8000)
    found = look("urbansound8k", urban, decode=True)
    assert found.is_fine and not told(found)
    faults = {file: fault for file, (fault, _) in told(found, problem=False).items()}
    assert faults == {
        "audio/fold1/13-3-0-1.wav": "duplicate", "audio/fold1/18-8-0-0.wav": "silent",
    }  # fmt: skip
    assert "Remarks" in validate.report(found) and "fine" in validate.report(found)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A small synthetic UrbanSound8K, with its planted defects."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(
            urbansound8k.SIZES, "small", {**urbansound8k.SIZES["small"], "clips": 45, "sources": 2}
        )
        root = tmp_path_factory.mktemp("sample") / "urbansound8k"
        synthesis.write_sample(
            synthesis.GENERATORS["urbansound8k"], root, size="small", progress=False
        )
    return root


# The name under which a planted defect is found; None: only where every file is decoded.
FOUND_AS = {
    **dict.fromkeys(("empty", "no sound file", "cut off"), "damaged"),
    **dict.fromkeys(("class and number disagree", "no salience"), "metadata"),
    **{"missing": "missing", "not listed": "not listed", "shorter than listed": "wrong length"},
    **dict.fromkeys(("silent", "clipped", "duplicate"), None),
}


def test_every_planted_defect_is_found_and_no_other_problem(sample):
    planted = pd.read_csv(sample / "defects.csv")
    expected = {(row.file, FOUND_AS[row.defect]) for row in planted.itertuples()}
    found = look("urbansound8k", sample, decode=True, source="synthetic")
    problems = found.faults[found.faults["problem"]]
    assert set(zip(problems["file"], problems["fault"], strict=True)) == {
        (file, fault) for file, fault in expected if fault
    }
    assert len(problems) == 8
    remarks = found.faults[~found.faults["problem"]]
    remarks = set(zip(remarks["file"], remarks["fault"], strict=True))
    hidden = planted[planted["defect"].isin(["silent", "clipped"])]
    assert set(zip(hidden["file"], hidden["defect"], strict=True)) <= remarks
    twins = set(planted["file"][planted["defect"] == "duplicate"])
    assert len({file for file, fault in remarks if fault == "duplicate"} & twins) == 1
    assert any("defects.csv" in note for note in found.notes)
    assert not any("published" in note for note in found.notes)


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """(exit status, what was printed, what was complained of) of a check; no data elsewhere."""
    monkeypatch.delenv("AUDIO_DATA", raising=False)
    monkeypatch.setenv("AUDIO_SAMPLE_DIR", str(tmp_path / "samples"))
    monkeypatch.setattr(env, "repository_root", lambda: tmp_path)

    def run(*arguments):
        status = __main__.main(["check", *map(str, arguments)])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def test_check_says_how_it_went(urban, run, tmp_path):
    status, out, err = run("urbansound8k", urban, "--csv", tmp_path / "faults.csv")
    assert (status, err) == (0, "") and out.startswith("UrbanSound8K in set (local)\n")
    assert (tmp_path / "faults.csv").read_text() == "file,fault,detail,problem\n"
    for k in range(5):
        sound(urban / "audio" / "fold1" / f"99-1-0-{k}.wav")
    status, out, err = run("urbansound8k", urban, "--csv", tmp_path / "faults.csv")
    assert status == 1 and "not listed: 5\n" in out and "and 2 more" in out
    assert out.endswith("urbansound8k: 5 problems\n")
    table = pd.read_csv(tmp_path / "faults.csv")
    assert len(table) == 5 and table["problem"].all()
    assert table["file"][0] == "audio/fold1/99-1-0-0.wav"
    (tmp_path / "file").touch()
    status, out, err = run("urbansound8k", urban, "--csv", tmp_path / "file" / "faults.csv")
    assert status == 1 and "faults.csv cannot be written: " in err and err.count("\n") == 1


def test_check_finds_the_set_by_itself(urban, run, tmp_path, monkeypatch):
    assert run("urbansound8k")[0] == 1
    monkeypatch.setenv("AUDIO_DATA", str(tmp_path))
    urban.rename(tmp_path / "urbansound8k")
    assert run("urbansound8k")[0] == 0


def test_check_of_a_part(capuchin, run, tmp_path):
    (capuchin / "Forest Recordings").rename(tmp_path / "forest")
    status, out, err = run("capuchin", capuchin)
    assert status == 0 and "no recordings are here" in out
    status, out, err = run("capuchin", tmp_path / "forest")
    assert status == 0 and "no clips are here" in out and "recordings    100    3        3" in out


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_folder_that_may_not_be_read(urban):
    (urban / "audio" / "fold1").chmod(0)
    assert not look("urbansound8k", urban).is_fine
    (urban / "audio" / "fold1").chmod(0o700)


def test_a_folder_that_cannot_be_read(urban, monkeypatch):
    real = Path.iterdir

    def refuse(path):
        if path.name == "fold1":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    ((file, detail),) = [
        (file, detail)
        for file, (fault, detail) in told(look("urbansound8k", urban)).items()
        if fault == "metadata"
    ]
    assert file == "." and "fold1 cannot be read: permission denied" in detail


# --- as published ---------------------------------------------------------------------------------


def test_what_is_known_of_the_published_sets():
    sums = {name: sum(entry.published.values()) for name, entry in data.DATASETS.items()}
    ours = {
        "capuchin": 810, "urbansound8k": 8732, "esc50": 2000, "esc10": 400, "catsdogs": 277,
        "folders": 0, "speakers": 0,
    }  # fmt: skip
    assert sums == sums | ours
    urban, esc50, esc10 = (
        set(data.DATASETS[name].published) for name in ("urbansound8k", "esc50", "esc10")
    )
    assert esc10 < esc50 and urban | esc50 == set(features.COUNTERPARTS)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "faults"),
    [
        *(("urbansound8k", {"missing": 538}), ("esc10", {"wrong length": 4})),
        *(("capuchin", {}), ("speakers", {})),
    ],
)
def test_the_real_sets(name, faults):
    if not (SHARED / name).is_dir():
        pytest.skip("the real data set is not here")
    found = look(name, SHARED / name)
    assert found.faults["fault"].value_counts().to_dict() == faults
    assert found.is_fine == (not faults)
    if name == "urbansound8k":
        table = pd.read_csv(SHARED / name / URBAN_TABLE)
        assert table["class"].value_counts().to_dict() == data.DATASETS[name].published
        assert "left out: folds 4, 5, 6, 7, 8, 9, 10" in found.notes
