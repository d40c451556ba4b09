"""helpers.audio: reading against soundfile, soxr and librosa; damaged and unusual files."""

import os
import re
import struct
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import audio, files
from helpers.audio import mp3, reading

RATE = 44100
REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "capuchin"


def sound(n=3 * RATE, channels=2, rate=RATE):
    """Noise bursts over a glide: loud and quiet places, so that codecs switch their block sizes."""
    rng = np.random.default_rng(n + channels)
    t = np.arange(n) / rate
    y = 0.2 * np.sin(2 * np.pi * (300 + 200 * t) * t)[:, None] * np.linspace(1, 0.5, channels)
    y = y + rng.standard_normal((n, channels)) * np.where(np.sin(9 * t) > 0.7, 0.1, 0.001)[:, None]
    return y.astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The same three seconds in each format; cbr.mp3 with a constant bit rate."""
    folder = tmp_path_factory.mktemp("formats")
    for name in ("x.wav", "x.flac", "x.ogg", "x.mp3"):
        sf.write(folder / name, sound(), RATE)
    sf.write(folder / "cbr.mp3", sound(), RATE, bitrate_mode="CONSTANT", compression_level=0.5)
    return folder


NAMES = ["x.wav", "x.flac", "x.ogg", "x.mp3", "cbr.mp3"]


def expected(path, sr):
    y, rate = sf.read(path, dtype="float32", always_2d=True)
    y = y.mean(axis=1)
    return y if rate == sr else soxr.resample(y, rate, sr, quality="HQ")


def agree(y, expected, tolerance=1e-6):
    assert y.dtype == np.float32 and y.ndim == 1
    assert len(y) == len(expected)
    np.testing.assert_allclose(y, expected, atol=tolerance, rtol=0)


# --- reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sr", [8000, 22050, RATE, 48000])
@pytest.mark.parametrize("name", NAMES)
def test_load_is_the_mean_of_the_channels_resampled_in_one_go(folder, name, sr):
    agree(audio.load(folder / name, sr=sr), expected(folder / name, sr))


def test_load_agrees_with_librosa(folder):
    librosa = pytest.importorskip("librosa")
    y, _ = librosa.load(folder / "x.flac", sr=16000, res_type="soxr_hq")
    agree(audio.load(folder / "x.flac", sr=16000), y)


@pytest.mark.parametrize("channels", range(1, 9))
@pytest.mark.parametrize("rate", [8000, 192000])
def test_rates_and_channels(tmp_path, rate, channels):
    for kind in ("wav", "flac", "ogg"):
        path = tmp_path / f"x.{kind}"
        sf.write(path, sound(5000, channels, rate), rate)
        agree(audio.load(path, sr=16000), expected(path, 16000))
        found = audio.info(path)
        assert (found.sample_rate, found.channels, found.n_frames) == (rate, channels, 5000)
        assert found.duration_s == 5000 / rate and found.format == kind.upper()


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_sample_formats_are_full_scale_one(tmp_path, subtype):
    path = tmp_path / "x.wav"
    sf.write(path, np.linspace(-0.9, 0.9, 4000), 8000, subtype=subtype)
    y = audio.load(path, sr=8000)
    agree(y, np.linspace(-0.9, 0.9, 4000), 0.01 if subtype == "PCM_U8" else 1e-4)
    assert audio.info(path).subtype == subtype


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_silence_and_offset(tmp_path, value):
    path = tmp_path / "x.wav"
    sf.write(path, np.full((48000, 2), value, np.float32), 48000, subtype="FLOAT")
    y = audio.load(path, sr=8000)
    assert len(y) == 8000
    np.testing.assert_allclose(y[400:-400], value, atol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 7, 300])
@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_very_short_files(tmp_path, kind, n):
    path = tmp_path / f"x.{kind}"
    sf.write(path, np.full(n, 0.5, np.float32), RATE)
    assert audio.load(path, sr=RATE).shape == (n,)
    assert len(audio.load(path, sr=8000)) == max(1, round(n * 8000 / RATE))
    assert np.isfinite(audio.load(path, sr=8000)).all()


@pytest.mark.parametrize("name", ["with space.wav", "Über–été.flac", "🐦 (1).ogg", "x.y#z%.mp3"])
def test_names(tmp_path, name):
    sf.write(tmp_path / name, sound(9000), RATE)
    assert len(audio.load(str(tmp_path / name), sr=RATE)) == 9000
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(audio.AudioError, match=re.escape(f"{name}: empty file")):
        audio.info(tmp_path / name)


@pytest.mark.skipif(os.name != "posix", reason="names are Unicode there")
def test_a_name_that_is_not_unicode(tmp_path):
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")).touch()
    except OSError:
        pytest.skip("this file system refuses such names")
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav"))
    sf.write(os.fsencode(path), sound(100), RATE, format="WAV")
    assert len(audio.load(path, sr=RATE)) == 100
    path.write_bytes(b"no sound")
    with pytest.raises(audio.AudioError) as caught:
        audio.load(path, sr=RATE)
    str(caught.value).encode()


# --- parts and blocks -------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    block_s=st.floats(1e-4, 5), sr=st.sampled_from([8000, 22050, RATE]), name=st.sampled_from(NAMES)
)
def test_blocks_of_any_size_are_the_same_sound(folder, block_s, sr, name):
    blocks = list(audio.stream(folder / name, sr=sr, block_s=max(block_s, 20 / sr)))
    size = max(1, round(max(block_s, 20 / sr) * sr))
    assert all(len(block) == size for block in blocks[:-1]) and 0 < len(blocks[-1]) <= size
    np.testing.assert_array_equal(np.concatenate(blocks), audio.load(folder / name, sr=sr))


def test_blocks_do_not_depend_on_the_decoder_blocks(folder, monkeypatch):
    whole = audio.load(folder / "x.mp3", sr=8000)
    monkeypatch.setattr(reading, "BLOCK", 5003)
    np.testing.assert_array_equal(audio.load(folder / "x.mp3", sr=8000), whole)


@settings(max_examples=60)
@given(
    start_s=st.floats(0, 2.99),
    duration_s=st.floats(0, 4),
    sr=st.sampled_from([8000, 11025, 16000, RATE, 48000, 8001]),
    name=st.sampled_from(NAMES),
)
def test_a_part_is_that_part_of_the_whole(folder, start_s, duration_s, sr, name):
    whole = audio.load(folder / name, sr=sr)
    start, n = round(start_s * sr), round(duration_s * sr)
    part = audio.load(folder / name, sr=sr, start_s=start_s, duration_s=duration_s)
    agree(part, whole[start : start + n], 1e-4)
    rest = audio.load(folder / name, sr=sr, start_s=start_s)
    agree(rest, whole[start:], 1e-4)


def test_a_part_lies_where_it_should(tmp_path):
    clicks = np.zeros(48000 * 4, np.float32)
    clicks[48000 * 3] = 0.9
    sf.write(tmp_path / "x.wav", clicks, 48000)
    y = audio.load(tmp_path / "x.wav", sr=8000, start_s=2.5, duration_s=1)
    assert len(y) == 8000 and np.argmax(y) == 4000


def test_beyond_the_end(folder):
    assert len(audio.load(folder / "x.wav", sr=8000, start_s=2.5, duration_s=9)) == 4000
    with pytest.raises(audio.AudioError, match=r"nothing at 3.00 s: the recording ends at 3.00 s"):
        audio.load(folder / "x.wav", sr=8000, start_s=3)
    for bad in ({"sr": 0}, {"sr": 8000, "start_s": -1}, {"sr": 8000, "duration_s": -1}):
        with pytest.raises(ValueError, match="negative"):
            audio.load(folder / "x.wav", **bad)


def test_a_long_file_streams_in_bounded_memory(tmp_path):
    path = tmp_path / "long.wav"
    n_bytes = 20 * 60 * 48000 * 4
    header = struct.pack("<4sI8sIHHIIHH", b"RIFF", 36 + n_bytes, b"WAVEfmt ", 16, 1, 2, 48000,
                         192000, 4, 16)  # fmt: skip
    with open(path, "wb") as file:
        file.write(header + struct.pack("<4sI", b"data", n_bytes))
        file.truncate(44 + n_bytes)
    tracemalloc.start()
    n = sum(len(block) for block in audio.stream(path, sr=8000, block_s=30))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n == 20 * 60 * 8000
    assert peak < 8 << 20


def test_threads_do_not_disturb_each_other(folder):
    alone = {name: audio.load(folder / name, sr=8000) for name in NAMES}
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda name: audio.load(folder / name, sr=8000), NAMES * 4))
    for name, y in zip(NAMES * 4, together, strict=True):
        np.testing.assert_array_equal(y, alone[name])


# --- bad input --------------------------------------------------------------------------------


def fails(path, match, *, also_info=True):
    """load, stream and info raise an AudioError with the path, a reason and one line of text."""
    calls = [lambda: audio.load(path, sr=8000), lambda: list(audio.stream(path, sr=8000))]
    for call in calls + [lambda: audio.info(path)] * also_info:
        with pytest.raises(audio.AudioError, match=match) as caught:
            call()
        error = caught.value
        assert error.path == Path(path) and error.reason and "\n" not in str(error)
        assert str(error).endswith(f": {error.reason}")
        assert str(path) not in error.reason


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("zero.wav", b"", "empty file"),
        ("zero.mp3", b"", "empty file"),
        ("text.wav", b"These are field notes, no sound.\n" * 40, "text, not audio"),
        ("text.ogg", "Kein Ton, nur Übung – 🐦\n".encode() * 40, "text, not audio"),
        ("page.mp3", b"\n<!DOCTYPE html><html>", "web page"),
        ("pointer.flac", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("film.wav", b"\0\0\0\x20ftypM4A " + bytes(500), "ffmpeg"),
        ("noise.wav", np.random.default_rng(0).bytes(4000), "not sound in a known format"),
        ("x.raw", np.random.default_rng(0).bytes(4000), "not sound in a known format"),
        ("header.wav", b"RIFF\x24\0\0\0WAVE", "cut off in its header"),
    ],
)
def test_not_audio(tmp_path, name, content, match):
    (tmp_path / name).write_bytes(content)
    fails(tmp_path / name, match)


def test_no_file(tmp_path):
    fails(tmp_path / "nothing.wav", "no such file")
    fails(tmp_path, "folder")
    fails(tmp_path / ("x" * 300 + ".wav"), "too long")
    (tmp_path / "file").touch()
    fails(tmp_path / "file" / "x.wav", "not a directory")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.wav")  # opening it would wait for ever
        fails(tmp_path / "pipe.wav", "not an ordinary file")


def test_no_permission(folder, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", refuse)
        fails(folder / "x.wav", "no permission")
    monkeypatch.setattr(Path, "stat", refuse)
    fails(folder / "x.wav", "no permission")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_no_permission_for_real(tmp_path):
    (tmp_path / "in").mkdir()
    sf.write(tmp_path / "in" / "x.wav", sound(100), RATE)
    (tmp_path / "in" / "x.wav").chmod(0)
    fails(tmp_path / "in" / "x.wav", "no permission")
    (tmp_path / "in").chmod(0)
    fails(tmp_path / "in" / "x.wav", "no permission")
    (tmp_path / "in").chmod(0o700)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("keep", [20, 500, 3000, 0.3, 0.5, 0.9, 0.99, -100])
def test_truncated(folder, tmp_path, capfd, name, keep):
    whole = (folder / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(whole[: int(keep * len(whole)) if 0 < keep < 1 else keep])
    fails(path, "cut off|damaged")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["x.flac", "x.ogg", "x.mp3"])
def test_truncation_by_one_byte(folder, tmp_path, name):
    (tmp_path / name).write_bytes((folder / name).read_bytes()[:-1])
    fails(tmp_path / name, "cut off")


def test_truncated_wav_says_how_much_is_there(folder, tmp_path):
    whole = (folder / "x.wav").read_bytes()
    (tmp_path / "x.wav").write_bytes(whole[: len(whole) // 3])
    fails(tmp_path / "x.wav", "promises 3.00 s, the file holds 1.00 s")


@pytest.mark.parametrize("name", ["x.flac", "x.ogg", "x.mp3", "cbr.mp3"])
def test_damaged_in_the_middle(folder, tmp_path, capfd, name):
    whole = (folder / name).read_bytes()
    third = len(whole) // 3
    (tmp_path / name).write_bytes(whole[:third] + bytes(third) + whole[2 * third :])
    fails(tmp_path / name, "damaged", also_info=False)
    assert capfd.readouterr() == ("", "")  # libmpg123 writes to the terminal otherwise


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x7FFFF000])
@pytest.mark.parametrize("riff_too", [False, True])
def test_wav_whose_length_was_never_written(folder, tmp_path, length, riff_too):
    content = bytearray((folder / "x.wav").read_bytes())
    assert content[36:40] == b"data"
    for at in (40, 4) if riff_too else (40,):
        content[at : at + 4] = struct.pack("<I", length)
    (tmp_path / "x.wav").write_bytes(content)
    np.testing.assert_array_equal(
        audio.load(tmp_path / "x.wav", sr=8000), audio.load(folder / "x.wav", sr=8000)
    )
    assert audio.info(tmp_path / "x.wav").n_frames == 3 * RATE


def test_no_samples(folder, tmp_path):
    header = (folder / "x.wav").read_bytes()[:40]
    (tmp_path / "x.wav").write_bytes(header + bytes(4))
    fails(tmp_path / "x.wav", "no samples")
    (tmp_path / "x.wav").write_bytes(header + bytes(4) + b"LIST\4\0\0\0INFO")
    fails(tmp_path / "x.wav", "no samples")
    sf.write(tmp_path / "x.ogg", np.zeros(0), 8000)
    fails(tmp_path / "x.ogg", "no samples")


def test_tags_around_the_sound_do_no_harm(folder, tmp_path):
    tag = b"ID3\4\0\0\0\0\7\0" + bytes(896)
    for name in ("x.mp3", "cbr.mp3"):
        whole = (folder / name).read_bytes()
        (tmp_path / name).write_bytes(tag + whole + b"TAG" + b"a" * 125)
        y = audio.load(tmp_path / name, sr=8000)
        np.testing.assert_array_equal(y, audio.load(folder / name, sr=8000))
    (tmp_path / "x.wav").write_bytes((folder / "x.wav").read_bytes() + b"LIST\4\0\0\0INFO")
    assert audio.info(tmp_path / "x.wav").n_frames == 3 * RATE


def test_mp3_without_a_length_header(folder, tmp_path):
    def first_frame(data):
        return mp3.frame_header(data, 0)[2]

    constant = (folder / "cbr.mp3").read_bytes()
    constant = constant[first_frame(constant) :]
    path = tmp_path / "x.mp3"
    path.write_bytes(constant)
    y, whole = audio.load(path, sr=8000), audio.load(folder / "cbr.mp3", sr=8000)
    assert 0 <= len(y) - len(whole) < 3 * 1152 * 8000 / RATE  # the encoder's padding
    path.write_bytes(constant + b"APETAGEX" + b"title\0" * 500)  # a tag counted as sound
    assert len(audio.load(path, sr=8000)) >= len(whole)
    for n in (1, 100, first_frame(constant) - 2):
        path.write_bytes(constant[:-n])
        fails(path, "its end is missing")
    variable = (folder / "x.mp3").read_bytes()
    path.write_bytes(variable[first_frame(variable) :])
    fails(path, "variable bit rate")  # libsndfile would stop halfway without a word


def test_files_joined_end_to_end(folder, tmp_path):
    (tmp_path / "x.mp3").write_bytes((folder / "x.mp3").read_bytes() * 2)
    fails(tmp_path / "x.mp3", "more sound than")
    sf.write(tmp_path / "y.ogg", sound(5000), RATE)
    (tmp_path / "x.ogg").write_bytes(
        (folder / "x.ogg").read_bytes() + (tmp_path / "y.ogg").read_bytes()
    )
    fails(tmp_path / "x.ogg", "several streams")


def test_flac_of_unknown_length(folder, tmp_path):
    content = bytearray((folder / "x.flac").read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    (tmp_path / "x.flac").write_bytes(content)
    np.testing.assert_array_equal(
        audio.load(tmp_path / "x.flac", sr=8000), audio.load(folder / "x.flac", sr=8000)
    )


@pytest.mark.parametrize(
    ("value", "match"), [(np.nan, "NaN sample at 1.00 s"), (np.inf, "infinite sample at 1.00 s")]
)
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_not_finite(tmp_path, value, match, subtype):
    y = sound(2 * RATE)
    y[RATE, 1] = value
    y[RATE + 7, 0] = -value
    sf.write(tmp_path / "x.wav", y, RATE, subtype=subtype)
    fails(tmp_path / "x.wav", match, also_info=False)
    assert len(audio.load(tmp_path / "x.wav", sr=8000, duration_s=0.5)) == 4000  # a sound part


@settings(max_examples=60)
@given(data=st.data(), name=st.sampled_from(NAMES))
def test_any_damage_raises_an_audio_error(folder, tmp_path_factory, data, name):
    content = bytearray((folder / name).read_bytes()[:20000])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, 300))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / f"fuzz-{name}"
    path.write_bytes(content)
    try:
        assert np.isfinite(audio.load(path, sr=8000, duration_s=1)).all()
    except audio.AudioError as error:
        assert error.reason


# --- cutting ----------------------------------------------------------------------------------


def test_fix_length():
    y = np.arange(10.0)
    np.testing.assert_array_equal(audio.fix_length(y, n_samples=10), y)
    np.testing.assert_array_equal(audio.fix_length(y, n_samples=4), [3, 4, 5, 6])
    np.testing.assert_array_equal(audio.fix_length(y, n_samples=12), [*y, 0, 0])
    assert audio.fix_length(np.ones((2, 5)), n_samples=7).shape == (2, 7)


# --- real recordings --------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.skipif(not REAL.is_dir(), reason="no real data set here")
def test_real_recording():
    path = REAL / "Forest Recordings" / "recording_00.mp3"
    y = audio.load(path, sr=8000)
    agree(y, expected(path, 8000))
    agree(audio.load(path, sr=8000, start_s=100, duration_s=5), y[800000:840000], 1e-4)


def test_errors_are_named_from_the_root_of_their_data_set(tmp_path):
    root = tmp_path / "set"
    errors = [
        audio.AudioError(root / "forest" / "a.wav", "why"),
        audio.AudioError(tmp_path / "elsewhere.wav", "what"),
        audio.AudioError(root / os.fsdecode(b"caf\xe9.wav"), "name"),
    ]
    table = files.error_table(errors, root=root)
    assert table["file"].iloc[[0, 2]].tolist() == ["forest/a.wav", "caf\\udce9.wav"]
    assert table["file"][1].endswith("elsewhere.wav")
    assert table["reason"].tolist() == ["why", "what", "name"]
    table.to_csv(tmp_path / "errors.csv")  # raises if a name is not valid Unicode
