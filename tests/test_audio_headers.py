"""Headers that promise another length than the file holds: all is read, or the file is an error."""

import struct

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import audio

RATE, N = 8000, 24_000  # 3 s
RNG = np.random.default_rng(0)
Y = (0.1 * RNG.standard_normal((N, 2))).astype(np.float32)

# suffix, soundfile's names, where the length stands (bytes before the samples), its struct format,
# what the length counts besides the samples
FORMATS = {
    "wav": ("WAV", "FILE", 4, "<I", 0),
    "rifx": ("WAV", "BIG", 4, ">I", 0),
    "aiff": ("AIFF", "FILE", 12, ">I", 8),
    "sowt": ("AIFF", "LITTLE", 12, ">I", 8),
    "au": ("AU", "FILE", 16, ">I", 0),
    "dns": ("AU", "LITTLE", 16, "<I", 0),
    "w64": ("W64", "FILE", 8, "<q", 24),
    "caf": ("CAF", "FILE", 12, ">q", 4),
}


def write(path, kind, *, subtype="PCM_16", promised=None, keep=None, after=b""):
    """A sound whose header promises `promised` bytes of samples. keep: bytes that are there."""
    name, endian, before, code, more = FORMATS[kind]
    sf.write(path, Y, RATE, format=name, subtype=subtype, endian=endian)
    content = path.read_bytes()
    first = sf.read(path, dtype="int16", frames=4)[0].astype(
        "<i2" if endian == "LITTLE" or kind in ("wav", "w64", "caf") else ">i2"
    )
    start = content.find(first.tobytes())
    start = content.find(first.byteswap().tobytes()) if start < 0 else start
    samples = content[start : start + 4 * N]
    length = 4 * N if promised is None else promised
    head = bytearray(content[:start])
    at = start - before
    head[at : at + struct.calcsize(code)] = struct.pack(
        code, length + more if length >= 0 else length
    )
    path.write_bytes(bytes(head) + samples[:keep] + after)
    return path


def everything(path):
    return audio.load_frames(path)[0]


EXPECTED = np.round(Y * 32768).clip(-32768, 32767) / 32768


@pytest.mark.parametrize("kind", FORMATS)
def test_as_it_is(tmp_path, kind):
    path = write(tmp_path / "x", kind)
    np.testing.assert_allclose(everything(path), EXPECTED, atol=2 / 32768)
    assert audio.info(path).remark == ""


@pytest.mark.parametrize("promised", [44, 1000, 2 * N, 4 * N - 4000])
@pytest.mark.parametrize("kind", FORMATS)
def test_less_is_promised_than_there_is(tmp_path, kind, promised):
    path = write(tmp_path / "x", kind, promised=promised)
    np.testing.assert_allclose(everything(path), EXPECTED, atol=2 / 32768)
    assert "header" in audio.info(path).remark


@pytest.mark.parametrize("kind", FORMATS)
def test_nothing_is_promised(tmp_path, kind):
    path = write(tmp_path / "x", kind, promised=0)
    np.testing.assert_allclose(everything(path), EXPECTED, atol=2 / 32768)


@pytest.mark.parametrize(
    "promised",
    [0xFFFFFFFF - 8, 0xFFFFFFFF - 44, 0x80000000 - 36, 0x7FFFFFFF - 36, 0x7FFFF000, 0x7F000000],
)
@pytest.mark.parametrize("kind", FORMATS)
def test_a_length_made_up_for_a_stream(tmp_path, kind, promised):
    path = write(tmp_path / "x", kind, promised=promised)
    np.testing.assert_allclose(everything(path), EXPECTED, atol=2 / 32768)


def test_a_caf_file_to_its_end(tmp_path):  # -1 is what the format's definition says
    path = write(tmp_path / "x", "caf", promised=-1)
    np.testing.assert_allclose(everything(path), EXPECTED, atol=2 / 32768)


@pytest.mark.parametrize("keep", [0.5, 0.99])
@pytest.mark.parametrize("kind", FORMATS)
def test_the_end_is_missing(tmp_path, kind, keep):
    path = write(tmp_path / "x", kind, keep=int(keep * 4 * N))
    with pytest.raises(audio.AudioError, match="cut off"):
        audio.info(path)


@pytest.mark.parametrize(
    "after",
    [
        b"LIST\x04\0\0\0INFO" * 20,
        b"id3 " + struct.pack("<I", 300) + b"ID3" + RNG.bytes(297),
        b"LIST" + struct.pack("<I", 900) + b"INFO" + RNG.bytes(200),  # the chunk is cut off
        b"TAG" + b"a title" * 20,
        bytes(5000),
        b"\xff" * 5000,
    ],
)
def test_what_stands_behind_the_samples_is_not_sound(tmp_path, after):
    path = write(tmp_path / "x", "wav", after=after)
    np.testing.assert_allclose(everything(path), EXPECTED, atol=2 / 32768)
    assert audio.info(path).n_frames == N and not audio.info(path).remark


@pytest.mark.parametrize("hours", [7, 14])
@pytest.mark.parametrize("after", [b"", b"LIST\x04\0\0\0INFO" * 20])
def test_a_length_that_wrapped_round(tmp_path, hours, after):
    rate, n_bytes = 96_000, hours * 3600 * 96_000 * 2
    form = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    said = struct.pack("<I", n_bytes % 2**32)
    path = tmp_path / "x.wav"
    with open(path, "wb") as file:
        file.write(b"RIFF" + said + b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + said)
        file.seek(44 + n_bytes - 2 * rate)
        file.write((10_000 * np.ones(rate)).astype("<i2").tobytes() + after)
    found = audio.info(path)
    assert found.n_frames == n_bytes // 2 and "all" in found.remark
    y = audio.load(path, sr=rate, start_s=hours * 3600 - 1.5)
    assert len(y) == 1.5 * rate and not y[: rate // 2].any() and (y[rate // 2 :] > 0.3).all()


@settings(max_examples=60)
@given(promised=st.integers(0, 2**32 - 1), kind=st.sampled_from(["wav", "rifx", "aiff", "au"]))
def test_all_or_an_error(tmp_path_factory, promised, kind):
    path = write(tmp_path_factory.getbasetemp() / "any", kind, promised=promised)
    try:
        assert audio.info(path).n_frames == N
    except audio.AudioError as error:
        assert promised > 4 * N and "cut off" in error.reason


# --- FLAC -----------------------------------------------------------------------------------------


def flac(path, promised, *, keep=None, before=b"", subtype="PCM_16"):
    sf.write(path, Y, RATE, format="FLAC", subtype=subtype)
    content = bytearray(path.read_bytes())
    field = int.from_bytes(content[21:26]) >> 36 << 36 | promised
    content[21:26] = field.to_bytes(5)
    path.write_bytes(before + bytes(content[:keep]))
    return path


ID3 = b"ID3\3\0\0\0\0\2\0" + bytes(256)


@pytest.mark.parametrize("before", [b"", ID3, ID3 * 3])
@pytest.mark.parametrize("promised", [0, 1, 4096, N // 3, N - 1, N, 2 * N])
def test_flac_of_any_length(tmp_path, promised, before):
    path = flac(tmp_path / "x.flac", promised, before=before)
    np.testing.assert_allclose(everything(path), EXPECTED, atol=2 / 32768)
    assert bool(audio.info(path).remark) == (promised != N)
    part = audio.load(path, sr=RATE, start_s=2.5)
    np.testing.assert_allclose(part, EXPECTED[20_000:].mean(axis=1), atol=2 / 32768)


@pytest.mark.parametrize("promised", [0, N, 2 * N, N + 1000, 3 * N])
def test_flac_that_is_cut_off(tmp_path, promised):
    whole = len(flac(tmp_path / "x.flac", N).read_bytes())
    path = flac(tmp_path / "x.flac", promised, keep=whole // 2)
    with pytest.raises(audio.AudioError, match="cut off"):
        audio.info(path)
    if promised > 2 * N or promised == N + 1000:
        with pytest.raises(audio.AudioError, match="cut off"):
            audio.info(flac(tmp_path / "x.flac", promised))


# --- what to do -----------------------------------------------------------------------------------


def in_wav(number, *, extensible=False):
    code = 0xFFFE if extensible else number
    form = struct.pack("<HHIIHH", code, 1, RATE, 2000, 400, 4)
    if extensible:
        form += struct.pack("<HHIH", 22, 4, 4, number) + bytes(14)
    chunk = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", 4000)
    return b"RIFF" + struct.pack("<I", 4000 + len(chunk)) + b"WAVE" + chunk + RNG.bytes(4000)


OGG = b"OggS\0\2" + bytes(20) + b"\1\x4f"


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (in_wav(0xFF), "AAC sound in a wav file.*ffmpeg"),
        (in_wav(0x1610), "AAC sound in a wav file.*ffmpeg"),
        (in_wav(0x161), "WMA sound in a wav file.*ffmpeg"),
        (in_wav(0x45), "G.726 sound in a wav file.*ffmpeg"),
        (in_wav(0xA109), "Speex sound in a wav file.*ffmpeg"),
        (in_wav(0xFF, extensible=True), "AAC sound in a wav file.*ffmpeg"),
        (OGG + b"\x7fFLAC\1\0" + RNG.bytes(900), "FLAC in Ogg.*ffmpeg"),
        (OGG + b"Speex   1.2" + RNG.bytes(900), "Speex in Ogg.*ffmpeg"),
        (b"\0\0\0\x20ftypM4A " + bytes(500), "MP4.*ffmpeg"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + RNG.bytes(500), "Windows Media.*ffmpeg"),
        (b"\xff\xf1\x50\x80" + RNG.bytes(500), "AAC.*ffmpeg"),
        (b"#!AMR\n" + RNG.bytes(500), "AMR.*ffmpeg"),
        (b"\x1a\x45\xdf\xa3" + RNG.bytes(500), "Matroska.*ffmpeg"),
        (bytes(100_000), "holds no sound: all its 100,000 bytes are zeros"),
        (bytes(3), "holds no sound: all its 3 bytes are zeros"),
        (bytes(2_000_000) + b"\xff\xfb\x90", "2,000,000 bytes of zeros stand before.*ffmpeg"),
    ],
)
def test_what_to_do(tmp_path, content, match):
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    with pytest.raises(audio.AudioError, match=match) as caught:
        audio.info(path)
    assert "again" not in caught.value.reason and "pipe" not in caught.value.reason


def test_mp3_in_wav_is_read(tmp_path):
    sf.write(tmp_path / "x.mp3", Y, RATE)
    mp3 = (tmp_path / "x.mp3").read_bytes()
    form = struct.pack("<HHIIHHHHIHHH", 0x55, 2, RATE, 4000, 576, 0, 12, 1, 2, 576, 1, 1393)
    chunk = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(mp3))
    content = b"RIFF" + struct.pack("<I", 4 + len(chunk) + len(mp3)) + b"WAVE" + chunk + mp3
    (tmp_path / "x.wav").write_bytes(content)
    y = audio.load(tmp_path / "x.wav", sr=RATE)
    np.testing.assert_allclose(y, audio.load(tmp_path / "x.mp3", sr=RATE), atol=1e-6)
