"""helpers.data.folders: all that can be read is found once, and all that cannot is named."""

import os
import shutil

import numpy as np
import pytest
import soundfile as sf

from helpers import audio, data
from helpers.data import folders, validate

RATE = 16000
FORMATS = {".aifc": "AIFF", ".aif": "AIFF", ".bwf": "WAV", ".oga": "OGG", ".opus": "OGG",
           ".rf64": "RF64", ".snd": "AU", ".wave": "WAV", ".mp2": "MP3"}  # fmt: skip


def sound(path, length_s=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    y = 0.1 * np.random.default_rng(len(path.name)).standard_normal(round(length_s * RATE))
    kind = FORMATS.get(path.suffix, path.suffix[1:].upper())
    sf.write(path, y, RATE, format=kind, subtype="OPUS" if path.suffix == ".opus" else None)


def names(top):
    paths, faults = folders.find_sounds(top)
    return [path.relative_to(top).as_posix() for path in paths], faults


@pytest.mark.parametrize("suffix", folders.SUFFIXES)
def test_each_type_that_is_read_can_be_read(suffix, tmp_path):
    sound(tmp_path / f"a{suffix}")
    sound(tmp_path / f"B{suffix.upper()}") if suffix not in FORMATS else None
    paths, faults = folders.find_sounds(tmp_path)
    assert f"a{suffix}" in [path.name for path in paths] and not faults
    for path in paths:
        y = audio.load(path, sr=RATE)
        assert len(y) == pytest.approx(RATE, abs=0.15 * RATE) and 0.05 < y.std() < 0.15


# --- other types ---------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", sorted(folders.UNREAD) + [".M4A", ".Wma"])
def test_types_that_are_not_read_are_named_once_for_each_folder(suffix, tmp_path):
    sound(tmp_path / "a.wav")
    for name in ("x", "y", "z", "a", ".hidden", "site/x", "$RECYCLE.BIN/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}{suffix}").write_bytes(b"sound")
    found, faults = names(tmp_path)
    assert found == ["a.wav"]  # a.m4a is a.wav before it was converted
    assert [fault.file for fault in faults] == [f"*{suffix}", f"site/*{suffix}"]
    assert [fault.kind for fault in faults] == ["left out"] * 2
    assert faults[0].reason.startswith("3 files of this type cannot be read: convert them")
    assert ("Kaleidoscope" if suffix == ".wac" else f"for f in *{suffix}") in faults[0].reason


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
def test_the_command_converts_what_it_names(tmp_path):
    sound(tmp_path / "a b.wav")
    sound(tmp_path / "c$d.wav")
    for path in tmp_path.iterdir():
        path.rename(path.with_suffix(".m4a"))
    program = tmp_path / "bin" / "ffmpeg"  # stands for ffmpeg: -i INPUT OUTPUT
    program.parent.mkdir()
    program.write_text('#!/bin/sh\ncp "$2" "$3"\n')
    program.chmod(0o755)
    command = folders.find_sounds(tmp_path)[1][0].reason.split("`")[1]
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    os.spawnvpe(os.P_WAIT, "bash", ["bash", "-c", f"cd '{tmp_path}'; {command}"], {"PATH": path})
    assert names(tmp_path) == (["a b.wav", "c$d.wav"], [])


def test_a_folder_of_other_types_only_says_what_to_do(tmp_path):
    (tmp_path / "x.m4a").write_bytes(b"sound")
    with pytest.raises(data.DataNotFoundError, match=r"no sound files .*\*\.m4a: 1 file .*ffmpeg"):
        data.sounds_below(tmp_path)


@pytest.mark.parametrize("name", ["speakers", "folders"])
def test_a_class_of_which_nothing_can_be_read_is_a_problem(name, tmp_path):
    for k in range(4):
        for who in ("anna", "bob"):
            sound(tmp_path / who / f"{k}.wav")
        (tmp_path / "carl" / "deep").mkdir(parents=True, exist_ok=True)
        (tmp_path / "carl" / "deep" / f"{k}.m4a").write_bytes(b"sound")
    (tmp_path / "bob" / "extra.wma").write_bytes(b"sound")
    dataset = data.Dataset(name, tmp_path, "local")
    table, errors = data.clip_table(dataset)
    assert sorted(set(table["label"])) == ["anna", "bob"]
    assert errors["file"].tolist() == ["bob/*.wma", "carl/deep/*.m4a"]
    inspection = validate.inspect(dataset)
    problems = inspection.faults[inspection.faults["problem"]]
    assert problems[["file", "detail"]].to_numpy().tolist() == [
        ["carl", "nothing in it can be read"]
    ]
    assert not inspection.is_fine and "carl/deep/*.m4a: 4 files" in validate.report(inspection)


# --- litter, links, what may not be read ----------------------------------------------------------


@pytest.mark.parametrize("litter", [
    "$RECYCLE.BIN/S-1-5-21", "System Volume Information", "#recycle", "@eaDir/a.wav", "RECYCLER",
    ".Trash-1000/files", "lost+found", "site/@eaDir", "__MACOSX", "site/.Trashes/501",
])  # fmt: skip
def test_what_was_deleted_is_not_found(litter, tmp_path):
    sound(tmp_path / "site" / "night.wav")
    sound(tmp_path / litter / "$R0A1B2C.wav")
    (tmp_path / litter / "x.m4a").write_bytes(b"sound")
    assert names(tmp_path) == (["site/night.wav"], [])


def test_links_are_followed_and_nothing_comes_twice(tmp_path):
    sound(tmp_path / "other disk" / "deep" / "a.wav")
    sound(tmp_path / "data" / "night.wav")
    sound(tmp_path / "data" / "site" / "day.wav")
    links = {
        "data/a link": "../other disk",
        "data/again": "../other disk/deep",
        "data/loop": ".",
        "data/site/up": "..",
        "data/zz": "site",
        "data/site/same.wav": "day.wav",
        "data/gone": "../nowhere",
        "other disk/deep/back": "../../data",
    }
    for link, target in links.items():
        (tmp_path / link).symlink_to(target)
    found, faults = names(tmp_path / "data")
    assert found == ["a link/deep/a.wav", "night.wav", "site/day.wav"] and not faults


def test_a_link_to_a_file_elsewhere_is_found(tmp_path):
    sound(tmp_path / "disk" / "a.wav")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.wav").symlink_to(tmp_path / "disk" / "a.wav")
    (tmp_path / "data" / "y.wav").symlink_to(tmp_path / "disk" / "a.wav")
    assert names(tmp_path / "data")[0] == ["x.wav"]


def test_a_folder_that_may_not_be_read_stops_nothing(tmp_path, monkeypatch):
    sound(tmp_path / "a.wav")
    sound(tmp_path / "closed" / "b.wav")
    sound(tmp_path / "open" / "c.wav")
    iterdir = type(tmp_path).iterdir

    def refusing(path):  # root may read all
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return iterdir(path)

    monkeypatch.setattr(type(tmp_path), "iterdir", refusing)
    found, (fault,) = names(tmp_path)
    assert found == ["a.wav", "open/c.wav"]
    assert fault.kind == "damaged" and fault.file == "closed"
    assert "cannot be read: permission denied" in fault.reason
