"""Salvage: of a damaged recording all is read that can be decoded, each sample at its time."""

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from helpers import audio
from helpers.audio import Monitor
from helpers.detection import count_calls

RATE, LENGTH_S = 16000, 60
NAMES = ("x.flac", "x.mp3", "x.ogg", "float.wav")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """{name: content} of a minute of noise in several formats."""
    folder = tmp_path_factory.mktemp("whole")
    y = np.random.default_rng(0).normal(0, 0.05, LENGTH_S * RATE).astype(np.float32)
    for name in NAMES:
        subtype = "FLOAT" if name == "float.wav" else None
        with sf.SoundFile(folder / name, "w", RATE, 1, subtype=subtype) as file:
            for second in range(LENGTH_S):
                file.write(y[second * RATE : (second + 1) * RATE])
    return folder


def salvaged(path):
    monitor = Monitor(salvage=True)
    return np.concatenate(list(audio.stream(path, sr=RATE, monitor=monitor))), monitor


def damaged(whole, folder, name, *, at, n_bytes):
    content = bytearray((whole / name).read_bytes())
    first = round(at * len(content))
    noise = np.random.default_rng(1).integers(0, 256, n_bytes, dtype=np.uint8)
    content[first : first + n_bytes] = noise.tobytes()
    (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize("name", NAMES)
def test_what_is_whole_stays_as_it_is(name, whole):
    y, monitor = salvaged(whole / name)
    np.testing.assert_array_equal(y, audio.load(whole / name, sr=RATE))
    assert monitor.damaged == [] and monitor.remarks == "" and monitor.lost_s == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("n_bytes", [40, 4000])
def test_what_lies_round_a_damaged_place_is_read_at_its_time(name, at, n_bytes, whole, tmp_path):
    path = damaged(whole, tmp_path, name, at=at, n_bytes=n_bytes)
    try:
        audio.load(path, sr=RATE)
        pytest.skip("the decoder mends it by itself")
    except audio.AudioError:
        pass
    y, monitor = salvaged(path)
    wanted = audio.load(whole / name, sr=RATE)
    assert len(y) == len(wanted)
    assert "the count is partial" in monitor.remarks and monitor.damaged
    assert 0 < monitor.lost_s < 4
    # In Ogg, where pages are lost, one block may lie too early.
    far = 17 if name == "x.ogg" else 3
    place = round(at * LENGTH_S)
    for start, end in ((0, max(0, place - far)), (min(place + far, LENGTH_S), LENGTH_S)):
        part = slice(start * RATE, end * RATE)
        # An MP3 decoder rounds the first samples of a read otherwise, if it was told where to go.
        n_off = np.sum(np.abs(y[part] - wanted[part]) > 2e-3)
        assert n_off <= 0.005 * len(y[part]) * (name == "x.mp3")
    if name != "x.ogg":
        assert all(abs(start - place) < far for start, _ in monitor.damaged)


@pytest.mark.parametrize("name", [*NAMES, "short.wav"])
def test_of_a_file_that_is_cut_off_the_beginning_is_read(name, whole, tmp_path):
    source = "float.wav" if name == "short.wav" else name
    content = (whole / source).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 3])
    with pytest.raises(audio.AudioError):
        audio.load(tmp_path / name, sr=RATE)
    y, monitor = salvaged(tmp_path / name)
    wanted = audio.load(whole / source, sr=RATE)
    np.testing.assert_allclose(y[: 18 * RATE], wanted[: 18 * RATE], atol=2e-3)
    assert "the count is partial" in monitor.remarks and "cut off" in monitor.remarks
    assert len(y) / RATE - monitor.lost_s == pytest.approx(LENGTH_S / 3, abs=1.5)


def test_what_is_no_sound_cannot_be_salvaged(tmp_path):
    for content in (b"", b"RIFF", b"text\n" * 100, bytes(1000)):
        (tmp_path / "x.wav").write_bytes(content)
        with pytest.raises(audio.AudioError):
            salvaged(tmp_path / "x.wav")


def test_calls_round_a_damaged_place_are_counted(tone_detector, tmp_path):
    t = np.arange(60 * RATE) / RATE
    y = np.random.default_rng(0).normal(0, 0.005, len(t))
    y += 0.3 * np.sin(2 * np.pi * 1500 * t) * (np.abs(t % 4 - 2) < 0.15)  # 15 calls
    for name in ("good.flac", "damaged.flac"):
        sf.write(tmp_path / name, y, RATE)
    damaged(tmp_path, tmp_path, "damaged.flac", at=0.5, n_bytes=2000)
    paths = [tmp_path / "good.flac", tmp_path / "damaged.flac", tmp_path / "gone.flac"]
    plain = count_calls(paths, tone_detector, progress=False)
    assert plain.results["call_count"].isna().tolist() == [True, True, False]
    assert plain.damage.empty
    counts = count_calls(paths, tone_detector, salvage=True, progress=False)
    found = counts.results.set_index("clip_name")["call_count"]
    assert found["good.flac"] == 15 and 13 <= found["damaged.flac"] <= 15
    assert found["gone.flac"] is pd.NA and counts.errors["file"].tolist() == ["gone.flac"]
    assert set(counts.damage["clip_name"]) == {"damaged.flac"}
    row = counts.recordings.set_index("clip_name").loc["damaged.flac"]
    lost = (counts.damage["end_s"] - counts.damage["start_s"]).sum()
    assert row["duration_s"] - row["listened_s"] == pytest.approx(lost) and 0 < lost < 3
    assert "partial" in row["remarks"]
