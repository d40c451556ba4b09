"""features.inputs: frames that are decoded once, as librosa computes them."""

import os
from collections import Counter

import librosa
import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import audio, features
from helpers.features import ClipInput, Frontend

MEL = Frontend(sr=8000, n_fft=256, hop_length=80, n_mels=16)
LINEAR = Frontend(sr=8000, n_fft=100, hop_length=80, n_mels=0)
INPUTS = {
    "mfcc": ClipInput(MEL, n_mfcc=12, crop_s=0.06),
    "mfcc_pooled": ClipInput(MEL, n_mfcc=12, pooled=True, crop_s=0.06),
    "spectrogram": ClipInput(LINEAR, crop_s=0.06),
    "spectrogram_pooled": ClipInput(LINEAR, pooled=True, crop_s=0.06),
}


def sound(n, seed=0):
    rng = np.random.default_rng((n, seed))
    t = np.arange(n)
    return (0.3 * np.sin(0.4 * t) + rng.normal(0, 0.05, n)).astype(np.float32)


# --- what a network is given ----------------------------------------------------------------------


def test_the_shape_of_a_crop():
    shapes = {name: clip_input.shape for name, clip_input in INPUTS.items()}
    assert shapes == {
        "mfcc": (6, 12),
        "mfcc_pooled": (12,),
        "spectrogram": (6, 51),
        "spectrogram_pooled": (51,),
    }
    assert ClipInput(Frontend(hop_length=200)).n_frames == 240


@pytest.mark.parametrize(
    "wrong", [{"n_mfcc": -1}, {"n_mfcc": 17}, {"frontend": LINEAR, "n_mfcc": 1}, {"crop_s": 0.004}]
)
def test_an_impossible_input_is_refused(wrong):
    with pytest.raises(ValueError, match="n_mfcc = .*: choose|is shorter than a frame"):
        ClipInput(**{"frontend": MEL, **wrong})


def test_inputs_that_differ_by_pooling_have_the_same_frames():
    kinds = {clip_input.of_frames for clip_input in INPUTS.values()}
    assert kinds == {INPUTS["mfcc"], INPUTS["spectrogram"]}


@pytest.mark.filterwarnings("ignore:n_fft")  # librosa's, of a sound shorter than a window
@pytest.mark.parametrize("n", [50, 800, 4321])
def test_frames_are_librosas(n):
    y = sound(n)
    mel = librosa.feature.melspectrogram(y=y, sr=8000, n_fft=256, hop_length=80, n_mels=16)
    level = librosa.power_to_db(mel, top_db=None)
    power = np.abs(librosa.stft(y, n_fft=100, hop_length=80)) ** 2
    for clip_input, expected in (
        (INPUTS["mfcc"], librosa.feature.mfcc(S=level, n_mfcc=12)),
        (INPUTS["mfcc_pooled"], librosa.feature.mfcc(S=level, n_mfcc=12)),
        (ClipInput(MEL), level),
        (INPUTS["spectrogram"], librosa.power_to_db(power, top_db=None)),
    ):
        found = clip_input.frames(y)
        assert found.dtype == np.float32 and found.flags.c_contiguous
        np.testing.assert_allclose(found, expected.T, rtol=0, atol=5e-3)


@settings(max_examples=30)
@given(shape=st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 5)), data=st.data())
def test_pooled_is_the_mean_over_time(shape, data):
    dtype = data.draw(st.sampled_from([np.float16, np.float32]))
    cut = np.random.default_rng(shape).normal(-40, 20, shape).astype(dtype)
    for part in (cut, cut[0]):
        pooled, whole = INPUTS["mfcc_pooled"].pool(part), INPUTS["mfcc"].pool(part)
        assert pooled.dtype == whole.dtype == np.float32
        np.testing.assert_allclose(pooled, part.astype(float).mean(axis=-2), rtol=1e-5)
        np.testing.assert_array_equal(whole, part)


# --- frames of files ------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    """Four files; the second is no sound, the last does not exist."""
    paths = [tmp_path / "sounds" / f"{name}.wav" for name in "cbad"]
    paths[0].parent.mkdir()
    sf.write(paths[0], sound(900), 8000)
    paths[1].write_text("this is a text")
    sf.write(paths[2], sound(2100), 8000)
    return paths


@pytest.fixture
def decoded(monkeypatch):
    """How often each file is decoded."""
    count, load = Counter(), audio.load
    monkeypatch.setattr(
        audio, "load", lambda path, **rate: count.update([path.name]) or load(path, **rate)
    )
    return count


def extract(paths, inputs, tmp_path):
    return features.extract_frames(
        paths, inputs, cache_dir=tmp_path / "cache", root=tmp_path, progress=False
    )


def test_each_file_is_decoded_once_for_all_inputs_and_then_never_again(files, tmp_path, decoded):
    good = [files[0], files[2]]
    first, errors = extract(good, INPUTS, tmp_path)
    assert decoded == {"c.wav": 1, "a.wav": 1} and errors.empty
    assert list(first) == list(INPUTS)
    again, _ = extract([str(path) for path in good[::-1]], INPUTS, tmp_path)
    longer = {name: ClipInput(g.frontend, g.n_mfcc, g.pooled, 0.1) for name, g in INPUTS.items()}
    extract(good, longer, tmp_path)  # a crop is cut later
    assert decoded == {"c.wav": 1, "a.wav": 1}
    for name in INPUTS:
        for k, part in enumerate(first[name]):
            np.testing.assert_array_equal(again[name][1 - k], part)


def test_frames_are_those_of_each_input_in_half_precision(files, tmp_path):
    frames, _ = extract([files[0], files[2]], INPUTS, tmp_path)
    for name, clip_input in INPUTS.items():
        for path, found in zip([files[0], files[2]], frames[name], strict=True):
            expected = clip_input.frames(audio.load(path, sr=8000))
            assert found.dtype == np.float16 and found.shape == expected.shape
            np.testing.assert_allclose(found, expected, rtol=2**-11, atol=1e-3)
    for name in ("mfcc", "spectrogram"):
        pairs = zip(frames[name], frames[f"{name}_pooled"], strict=True)
        assert all(a is b for a, b in pairs)


def test_a_bad_file_is_listed_and_ends_nothing(files, tmp_path):
    for _ in range(2):  # nor is it remembered as a good one
        frames, errors = extract(files, INPUTS, tmp_path)
        for parts in frames.values():
            assert [part is None for part in parts] == [False, True, False, True]
        assert errors["file"].tolist() == ["sounds/b.wav", "sounds/d.wav"]
        assert "text" in errors["reason"][0] and "no such file" in errors["reason"][1]
    frames, errors = extract([], INPUTS, tmp_path)
    assert frames == {name: [] for name in INPUTS} and errors.empty


def test_a_changed_file_is_seen(files, tmp_path):
    before, _ = extract(files[:1], INPUTS, tmp_path)
    stat = files[0].stat()
    sf.write(files[0], sound(900, seed=9), 8000)  # same name, same size
    os.utime(files[0], ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
    assert files[0].stat().st_size == stat.st_size
    after, _ = extract(files[:1], INPUTS, tmp_path)
    for name in INPUTS:
        assert not np.array_equal(before[name][0], after[name][0])


def test_other_inputs_are_not_mixed_up(files, tmp_path, decoded):
    both, _ = extract(files[:1], INPUTS, tmp_path)
    backwards = dict(reversed(INPUTS.items()))
    for inputs in (
        {"mfcc": INPUTS["mfcc"]},
        {"mfcc": ClipInput(MEL, n_mfcc=5)},
        {"mfcc": ClipInput(MEL)},
        backwards,
    ):
        found, _ = extract(files[:1], inputs, tmp_path)
        assert found["mfcc"][0].shape[1] == inputs["mfcc"].n_values
        n = inputs["mfcc"].n_mfcc
        if n:
            np.testing.assert_array_equal(found["mfcc"][0], both["mfcc"][0][:, :n])
    assert decoded["c.wav"] == 5


def test_two_rates_would_be_two_decodings(files, tmp_path):
    inputs = {"a": ClipInput(MEL), "b": ClipInput(Frontend(sr=16000))}
    with pytest.raises(ValueError, match=r"several rates \(\[8000, 16000\] Hz\)"):
        extract(files, inputs, tmp_path)
