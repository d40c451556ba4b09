"""features.frontend: against librosa, and its cache against all that happens to files."""

import os
import shutil
import warnings
from dataclasses import replace

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import audio, env, features
from helpers.features import Frontend
from helpers.files import ERRORS

RATES = [8000, 16000, 22050, 44100]
SIZES = [64, 255, 256, 400, 512, 1024, 2048]


MELS = st.integers(1, 128)


@st.composite
def frontends(draw, *, n_mels=MELS):
    sr, n_fft = draw(st.sampled_from(RATES)), draw(st.sampled_from(SIZES))
    fmax = draw(st.one_of(st.none(), st.integers(sr // 8, sr // 2)))
    fmin = draw(st.sampled_from([0, 20, 150, 700.5]))
    hop_length = draw(st.integers(max(1, n_fft // 8), 2 * n_fft))
    return Frontend(sr, n_fft, hop_length, draw(n_mels), fmin, fmax)


LENGTHS = st.one_of(st.sampled_from([1, 2, 31, 63, 64]), st.integers(1, 9000))


def sound(n, seed=0):
    """Two tones over noise, with a loud and a quiet half: nothing near full scale is missing."""
    rng = np.random.default_rng((n, seed))
    t = np.arange(n)
    y = 0.4 * np.sin(0.3 * t) + 0.2 * np.sin(1.7 * t + 1) + rng.normal(0, 0.05, n)
    return (y * np.where(t < n / 2, 1, 0.1)).astype(np.float32)


@pytest.fixture(autouse=True)
def without_librosas_warnings():
    """Of signals shorter than a window, and of mel bands narrower than a bin: both are meant."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="librosa")
        warnings.filterwarnings("ignore", message="n_fft=|Empty filters")
        yield


def agree(found, expected, full_scale=None):
    """To 1e-4 of full scale: of the largest value, unless another is given."""
    assert found.dtype == np.float32 and found.shape == expected.shape
    full_scale = np.abs(expected).max() if full_scale is None else full_scale
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * full_scale)


def stft(frontend, y):
    return librosa.stft(y, n_fft=frontend.n_fft, hop_length=frontend.hop_length)


def mel(frontend, y):
    return librosa.feature.melspectrogram(
        y=y,
        sr=frontend.sr,
        n_fft=frontend.n_fft,
        hop_length=frontend.hop_length,
        n_mels=frontend.n_mels,
        fmin=frontend.fmin,
        fmax=frontend.fmax,
    )


# --- librosa's numbers --------------------------------------------------------------------------


@settings(max_examples=60)
@given(frontend=frontends(), n=LENGTHS)
def test_spectrogram_and_mel_power_agree_with_librosa(frontend, n):
    y = sound(n)
    linear = frontend.spectrogram(y)
    agree(linear, np.abs(stft(frontend, y)).T ** 2)
    power = frontend.power(y)
    agree(power, mel(frontend, y).T)
    assert power.shape == (frontend.n_frames(n), frontend.n_bands)
    assert linear.shape[0] == frontend.n_frames(n)


@settings(max_examples=40)
@given(frontend=frontends(), n=st.integers(1, 9000), top_db=st.sampled_from([None, 80, 30]))
def test_decibels_and_mfcc_agree_with_librosa(frontend, n, top_db):
    y = sound(n)
    expected = librosa.power_to_db(mel(frontend, y), top_db=top_db)
    # Full scale of decibels: the 100 dB from the floor to 1, and what lies above.
    full_scale = 100 + max(0, expected.max())
    agree(frontend.log_power(y, top_db=top_db), expected.T, full_scale)
    n_mfcc = max(1, frontend.n_mels // 3)
    cepstrum = librosa.feature.mfcc(S=expected, n_mfcc=n_mfcc)
    found = frontend.mfcc(y, n_mfcc=n_mfcc, top_db=top_db)
    agree(found, cepstrum.T, full_scale * np.sqrt(frontend.n_mels))


@given(db=st.floats(-100, 130), dtype=st.sampled_from([np.float16, np.float32, float]))
def test_decibels_become_power_again(db, dtype):
    values = np.full((2, 3), db, dtype)
    power = features.from_db(values)
    assert power.dtype == np.float32 and power.shape == (2, 3)
    np.testing.assert_allclose(features.to_db(power, floor=0), values, atol=1e-3)


def test_mfcc_is_librosas_own_from_the_sound():
    frontend, y = Frontend(), sound(16000)
    expected = librosa.feature.mfcc(y=y, sr=16000, n_fft=1024, hop_length=256, n_mels=64, n_mfcc=20)
    agree(frontend.mfcc(y, top_db=80), expected.T)


@settings(max_examples=40)
@given(frontend=frontends(n_mels=st.just(0)), n=LENGTHS)
def test_a_linear_front_end_has_the_bins_in_range(frontend, n):
    y = sound(n)
    f = librosa.fft_frequencies(sr=frontend.sr, n_fft=frontend.n_fft)
    inside = (f >= frontend.fmin) & (f <= (frontend.fmax or frontend.sr / 2))
    np.testing.assert_allclose(frontend.frequencies, f[inside])
    np.testing.assert_array_equal(frontend.power(y), frontend.spectrogram(y)[:, inside])
    assert frontend.n_bands == inside.sum() == frontend.power(y).shape[1]


@given(frontend=frontends())
@settings(max_examples=30)
def test_frequencies_of_mel_bands(frontend):
    edges = librosa.mel_frequencies(
        n_mels=frontend.n_mels + 2, fmin=frontend.fmin, fmax=frontend.fmax or frontend.sr / 2
    )
    np.testing.assert_allclose(frontend.frequencies, edges[1:-1], rtol=1e-9)
    assert frontend.hop_s == frontend.hop_length / frontend.sr


def test_a_tone_has_its_energy_in_its_band_and_at_its_time():
    frontend = Frontend(n_mels=40)
    y = np.zeros(32000, np.float32)
    y[16000:20000] = np.sin(2 * np.pi * 2000 * np.arange(4000) / 16000)
    frame, band = np.unravel_index(frontend.power(y).argmax(), (frontend.n_frames(32000), 40))
    assert band == np.argmin(np.abs(frontend.frequencies - 2000))
    assert 1.0 <= frame * frontend.hop_s <= 1.25


# --- batches and streams --------------------------------------------------------------------------


@settings(max_examples=25)
@given(
    frontend=frontends(n_mels=st.integers(0, 40)),
    n=st.integers(1, 3000),
    shape=st.sampled_from([(1,), (3,), (2, 2)]),
)
def test_a_batch_is_its_sounds_one_by_one(frontend, n, shape):
    batch = np.stack([sound(n, seed) for seed in range(np.prod(shape))]).reshape(*shape, n)
    for function in (frontend.spectrogram, frontend.power, frontend.log_power):
        together = function(batch)
        for i in np.ndindex(*shape):
            np.testing.assert_array_equal(together[i], function(batch[i]))
    if frontend.n_mels:
        together = frontend.mfcc(batch, n_mfcc=1, top_db=20)  # each below its own maximum
        for i in np.ndindex(*shape):
            np.testing.assert_array_equal(together[i], frontend.mfcc(batch[i], n_mfcc=1, top_db=20))


@settings(max_examples=60)
@given(
    frontend=frontends(n_mels=st.integers(0, 40)),
    n=st.one_of(LENGTHS, st.integers(1, 100_000)),
    data=st.data(),
)
def test_a_stream_cut_anywhere_is_the_same_to_the_bit(frontend, n, data):
    y = sound(n)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=12)))
    pieces = list(frontend.stream(np.split(y, cuts)))
    assert all(p.dtype == np.float32 and p.shape[1] == frontend.n_bands for p in pieces)
    np.testing.assert_array_equal(np.concatenate(pieces), frontend.power(y))


@pytest.mark.parametrize("hop_length", [100, 256, 300])
def test_a_stream_of_single_samples_and_of_fixed_blocks(hop_length):
    frontend = Frontend(sr=8000, n_fft=256, hop_length=hop_length, n_mels=8)
    y = sound(135 * hop_length)  # more than are transformed at a time
    expected = frontend.power(y)
    for size in (1, 255, 4096, 10**6):
        blocks = (y[i : i + size] for i in range(0, len(y), size))
        np.testing.assert_array_equal(np.concatenate(list(frontend.stream(blocks))), expected)


def test_a_stream_holds_no_more_than_it_needs():
    frontend = Frontend(n_mels=16)
    drawn = 0

    def blocks():
        nonlocal drawn
        for _ in range(1000):
            drawn += 1
            yield np.zeros(16000, np.float32)

    stream = frontend.stream(blocks())
    next(stream)
    assert drawn <= 10  # 512 frames and a window are 8.3 s


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        {"sr": 0},
        {"n_fft": 0},
        {"hop_length": 0},
        {"hop_length": -3},
        {"n_mels": -1},
        {"fmin": -1},
        {"fmin": 4000, "fmax": 4000},
        {"fmin": 5000, "fmax": 4000},
        {"fmin": 8000},
        {"fmax": 8001},
        {"fmin": float("nan")},
        {"fmax": float("nan")},
        {"n_mels": 0, "fmin": 101, "fmax": 103},  # between two bins
    ],
)
def test_impossible_parameters_are_refused_at_once(bad):
    with pytest.raises(ValueError, match="fmin|positive"):
        Frontend(**bad)


def test_impossible_requests_are_refused():
    with pytest.raises(ValueError, match="no samples"):
        Frontend().power(np.zeros(0, np.float32))
    for frontend, n_mfcc in ((Frontend(), 65), (Frontend(), 0), (Frontend(n_mels=0), 20)):
        with pytest.raises(ValueError, match="n_mfcc"):
            frontend.mfcc(sound(3000), n_mfcc=n_mfcc)


def test_front_ends_are_values():
    assert Frontend() == Frontend() and hash(Frontend()) == hash(Frontend())
    with pytest.raises(AttributeError):
        Frontend().sr = 8000


# --- extraction and its cache ---------------------------------------------------------------------

FRONTEND = Frontend(sr=8000, n_fft=256, hop_length=128, n_mels=12)


@pytest.fixture
def files(tmp_path):
    """Five files of different content; the third is no sound, the fifth does not exist."""
    paths = [tmp_path / "sounds" / f"{name}.wav" for name in "cabed"]
    paths[0].parent.mkdir()
    for i in (0, 1, 3):
        sf.write(paths[i], sound(2000 + 500 * i, i), 8000, subtype="FLOAT")
    paths[2].write_text("this is a text")
    return paths


def extract(paths, tmp_path, frontend=FRONTEND):
    return features.extract(paths, frontend, cache_dir=tmp_path / "cache", progress=False)


def cached(tmp_path):
    return sorted(p for p in (tmp_path / "cache").rglob("*") if p.is_file())


def forbid_decoding(monkeypatch):
    def load(path, **kwargs):
        raise AssertionError(f"{path} is decoded again")

    monkeypatch.setattr(audio, "load", load)


def same(a, b):
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        assert (x is None) == (y is None)
        if x is not None:
            assert x.dtype == np.float32
            np.testing.assert_array_equal(x, y)


def test_extract_keeps_the_order_and_lists_the_errors(files, tmp_path):
    powers, errors = extract(files, tmp_path)
    assert [p is None for p in powers] == [False, False, True, False, True]
    for i in (0, 1, 3):
        np.testing.assert_array_equal(powers[i], FRONTEND.power(audio.load(files[i], sr=8000)))
    assert list(errors.columns) == ERRORS
    assert [f.rsplit("/", 1)[-1] for f in errors["file"]] == ["b.wav", "d.wav"]
    assert "no such file" in errors["reason"][1]
    powers, errors = extract([], tmp_path)
    assert powers == [] and list(errors.columns) == ERRORS and errors.empty


def test_a_table_will_do_as_well_as_a_list(files, tmp_path):
    expected, _ = extract(files, tmp_path)
    table = pd.DataFrame({"path": [str(p) for p in files], "label": "x"}, index=[7, 5, 3, 1, 0])
    same(extract(table, tmp_path)[0], expected)
    same(extract(table["path"], tmp_path)[0], expected)
    same(extract(map(str, files), tmp_path)[0], expected)


def test_the_second_time_nothing_is_decoded(files, tmp_path, monkeypatch):
    good = [files[i] for i in (0, 1, 3)]
    first, _ = extract(good, tmp_path)
    assert len(cached(tmp_path)) == 3
    forbid_decoding(monkeypatch)
    again, errors = extract(good[::-1], tmp_path)
    same(again[::-1], first)
    assert errors.empty


def test_bad_files_leave_nothing_in_the_cache(files, tmp_path):
    extract([files[2], files[4]], tmp_path)
    assert not cached(tmp_path)
    sf.write(files[2], sound(900), 8000)
    assert extract([files[2]], tmp_path)[0][0].shape == (FRONTEND.n_frames(900), 12)


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "garbage", "folder"])
def test_a_damaged_cache_is_rebuilt_not_believed(files, tmp_path, monkeypatch, damage):
    first, _ = extract(files[:2], tmp_path)
    whole = [path.read_bytes() for path in cached(tmp_path)]
    for path, content in zip(cached(tmp_path), whole, strict=True):
        if damage == "empty":
            content = b""
        elif damage == "truncated":
            content = content[: len(content) // 2]
        elif damage == "flipped":
            i = len(content) - 10
            content = content[:i] + bytes([content[i] ^ 1]) + content[i + 1 :]
        elif damage == "garbage":
            content = np.random.default_rng(0).bytes(5000)
        path.unlink()
        path.write_bytes(content) if damage != "folder" else path.mkdir()
    same(extract(files[:2], tmp_path)[0], first)
    if damage != "folder":
        assert [path.read_bytes() for path in cached(tmp_path)] == whole
        forbid_decoding(monkeypatch)
        same(extract(files[:2], tmp_path)[0], first)


def test_a_changed_file_is_computed_anew(files, tmp_path):
    before, _ = extract(files[:1], tmp_path)
    stat = files[0].stat()
    sf.write(files[0], sound(2000, seed=9), 8000, subtype="FLOAT")  # same name, same size
    os.utime(files[0], ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
    assert files[0].stat().st_size == stat.st_size
    after, _ = extract(files[:1], tmp_path)
    np.testing.assert_array_equal(after[0], FRONTEND.power(audio.load(files[0], sr=8000)))
    assert not np.array_equal(before[0], after[0])


def test_front_ends_and_files_are_not_mixed_up(files, tmp_path, monkeypatch):
    others = [
        replace(FRONTEND, **change)
        for change in ({"n_fft": 128}, {"fmin": 100}, {"fmax": 3999}, {"sr": 8001}, {"n_mels": 0})
    ]
    expected = {f: extract(files[:2], tmp_path / "apart" / str(hash(f)), f)[0] for f in others}
    for f in others:
        extract(files[:2], tmp_path, f)
    copy = tmp_path / "elsewhere" / files[0].name
    copy.parent.mkdir()
    shutil.copy2(files[1], copy)  # the name of one, the content and the time of another
    extract([copy], tmp_path)
    first, _ = extract(files[:2], tmp_path)
    forbid_decoding(monkeypatch)
    for f in others:
        same(extract(files[:2], tmp_path, f)[0], expected[f])
    same(extract([copy], tmp_path)[0], first[1:])


def test_a_cache_that_cannot_be_written_costs_time_only(files, tmp_path, monkeypatch):
    expected, _ = extract(files[:2], tmp_path)
    (tmp_path / "file").write_text("where the folder should be")
    for _ in range(2):
        powers, errors = extract(files[:2], tmp_path / "file")
        same(powers, expected)
        assert errors.empty

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(env.os, "replace", full)
    same(extract(files[:2], tmp_path / "full")[0], expected)
    assert not cached(tmp_path / "full")  # nor a temporary file


def test_decibels_are_kept_apart_from_power(files, tmp_path):
    powers, _ = extract(files[:1], tmp_path)
    for _ in range(2):
        levels, _ = features.extract(
            files[:1], FRONTEND, decibels=True, cache_dir=tmp_path / "cache", progress=False
        )
        np.testing.assert_allclose(levels[0], features.to_db(powers[0]), atol=1e-4)
    same(extract(files[:1], tmp_path)[0], powers)


def test_samples_beyond_all_measure_are_an_error_and_not_infinite_power(files, tmp_path):
    sf.write(files[0], np.full(500, 1e30, np.float32), 8000, subtype="FLOAT")
    powers, errors = extract(files[:2], tmp_path)
    assert powers[0] is None and powers[1] is not None
    assert len(errors) == 1
