"""features.descriptors: against librosa's of the same name, and by their meaning."""

import warnings

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.features import Frontend, descriptors

FRONTENDS = [
    Frontend(sr=22050, n_fft=2048, hop_length=512, n_mels=64),
    Frontend(sr=16000, n_fft=1024, hop_length=256, n_mels=40),
    Frontend(sr=44100, n_fft=2048, hop_length=441, n_mels=128),
]
KINDS = ["noise", "tone", "high tone", "chirp", "faint", "silent parts", "loud, then faint"]
# Relative and absolute: the last bits of the float32 that sums, logarithms and cosines are of.
TOLERANCES = {
    "rms_db": (0, 1e-3),
    "zero_crossing_rate": (1e-12, 0),
    "centroid_hz": (1e-5, 0),
    "bandwidth_hz": (2e-6, 0),
    "rolloff_hz": (1e-6, 0),
    "flatness": (1e-5, 0),
    "contrast_db": (0, 1e-4),
    "chroma": (0, 1e-6),
    "mfcc": (0, 1e-3),
}
front_ends = pytest.mark.parametrize("frontend", FRONTENDS, ids=lambda frontend: str(frontend.sr))


def sound(kind, sr, *, n=None, seed=0):
    n = sr // 2 if n is None else n
    rng, t = np.random.default_rng(seed), np.arange(n) / sr
    noise = 0.1 * rng.standard_normal(n)
    chirp = 0.5 * np.sin(2 * np.pi * (100 + 0.2 * sr * t) * t)
    y = {
        "noise": noise,
        "tone": 0.5 * np.sin(2 * np.pi * 440 * t + seed),
        "high tone": 0.5 * np.sin(2 * np.pi * 0.45 * sr * t + seed),
        "chirp": chirp,
        "faint": 1e-4 * noise,
        "silent parts": chirp * (np.sin(70 * t + seed) > 0),
        "loud, then faint": noise * np.where(t < 0.25, 5, 5e-4),
    }[kind]
    return y.astype(np.float32)


def librosas(y, frontend):
    """librosa's descriptors of the same spectrogram, which agrees with its own: test_features."""
    feature, sr = librosa.feature, frontend.sr
    power = frontend.spectrogram(y).T
    magnitude = np.sqrt(power)
    fft = {"n_fft": frontend.n_fft, "hop_length": frontend.hop_length}
    frames = {"frame_length": frontend.n_fft, "hop_length": frontend.hop_length}
    rms = feature.rms(y=y, **frames)[0]
    mel = feature.melspectrogram(S=power, sr=sr, n_mels=frontend.n_mels, **fft)
    exact = magnitude.astype(np.float64)  # a difference of large numbers for a narrow band
    return {
        "rms_db": librosa.amplitude_to_db(rms, amin=1e-5, top_db=None),
        "zero_crossing_rate": feature.zero_crossing_rate(y, **frames)[0],
        "centroid_hz": feature.spectral_centroid(S=exact, sr=sr, **fft)[0],
        "bandwidth_hz": feature.spectral_bandwidth(S=exact, sr=sr, **fft)[0],
        "rolloff_hz": feature.spectral_rolloff(S=magnitude, sr=sr, **fft)[0],
        "flatness": feature.spectral_flatness(S=magnitude, **fft)[0],
        "chroma": feature.chroma_stft(S=power, sr=sr, tuning=0.0, **fft),
        "mfcc": feature.mfcc(S=librosa.power_to_db(mel, top_db=None), n_mfcc=13),
    }


def agree(name, found, expected):
    relative, absolute = TOLERANCES[name]
    assert found.shape == expected.shape, name
    np.testing.assert_allclose(found, expected, rtol=relative, atol=absolute, err_msg=name)


@settings(max_examples=60)
@given(
    frontend=st.sampled_from(FRONTENDS),
    kind=st.sampled_from(KINDS),
    n=st.integers(3000, 40000),
    seed=st.integers(0, 99),
)
def test_all_agree_with_librosas_of_the_same_name(frontend, kind, n, seed):
    y = sound(kind, frontend.sr, n=n, seed=seed)
    found = descriptors.over_time(y, frontend)
    for name, expected in librosas(y, frontend).items():
        agree(name, found[name], expected.T)


@settings(max_examples=30)
@given(frontend=st.sampled_from(FRONTENDS), kind=st.sampled_from(KINDS), seed=st.integers(0, 99))
def test_the_contrast_is_twice_librosas(frontend, kind, seed):
    magnitude = np.sqrt(frontend.spectrogram(sound(kind, frontend.sr, seed=seed)))
    # Where all lies within 70 dB, librosa, which cuts at 80 dB below the maximum, cuts nothing.
    magnitude = np.maximum(magnitude, 1e-7 * magnitude.max())
    expected = 2 * librosa.feature.spectral_contrast(S=magnitude.T, sr=frontend.sr).T
    f = librosa.fft_frequencies(sr=frontend.sr, n_fft=frontend.n_fft)
    agree("contrast_db", descriptors.contrast(magnitude, f), expected)


@front_ends
def test_from_the_sound_on_it_is_librosa_too(frontend):
    y = sound("noise", frontend.sr)
    feature, found = librosa.feature, descriptors.over_time(y, frontend)
    of = {"sr": frontend.sr, "n_fft": frontend.n_fft, "hop_length": frontend.hop_length, "y": y}
    near = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(found["centroid_hz"], feature.spectral_centroid(**of)[0], **near)
    np.testing.assert_allclose(found["bandwidth_hz"], feature.spectral_bandwidth(**of)[0], **near)
    np.testing.assert_allclose(found["chroma"].T, feature.chroma_stft(**of, tuning=0.0), **near)
    twice = 2 * feature.spectral_contrast(**of)
    np.testing.assert_allclose(found["contrast_db"].T, twice, rtol=0, atol=0.01)


# --- what they mean -------------------------------------------------------------------------------


def steady(y, frontend):
    """Means over the frames that no end of the sound touches."""
    curves, edge = descriptors.over_time(y, frontend), frontend.n_fft // frontend.hop_length
    return {name: curve[edge:-edge].mean(axis=0) for name, curve in curves.items()}


@settings(max_examples=30)
@given(frontend=st.sampled_from(FRONTENDS), share=st.floats(0.05, 0.9))
def test_a_tone_lies_where_it_is(frontend, share):
    hz, bin_hz = share * frontend.sr / 2, frontend.sr / frontend.n_fft
    t = np.arange(frontend.sr // 4) / frontend.sr
    found = steady(np.float32(0.5) * np.sin(2 * np.pi * hz * t).astype(np.float32), frontend)
    assert found["centroid_hz"] == pytest.approx(hz, abs=bin_hz)
    assert found["rolloff_hz"] == pytest.approx(hz, abs=3 * bin_hz)
    assert found["bandwidth_hz"] < 4 * bin_hz
    assert found["zero_crossing_rate"] == pytest.approx(share, abs=0.01)
    assert found["rms_db"] == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.1)


@front_ends
@pytest.mark.parametrize("octave", [1, 2, 4])
def test_a_pitch_has_its_own_class_in_every_octave(frontend, octave):
    t = np.arange(frontend.sr // 2) / frontend.sr
    for k, pitch in enumerate(descriptors.PITCHES):
        hz = octave * 440 * 2 ** ((k - descriptors.PITCHES.index("A")) / 12)
        folded = steady(np.sin(2 * np.pi * hz * t).astype(np.float32), frontend)["chroma"]
        assert descriptors.PITCHES[np.argmax(folded)] == pitch


@front_ends
def test_noise_is_flat_and_a_tone_has_contrast(frontend):
    noise, tone = (steady(sound(kind, frontend.sr), frontend) for kind in ("noise", "tone"))
    assert noise["flatness"] > 0.5 and noise["flatness"] > 1000 * tone["flatness"]
    assert tone["contrast_db"][2] > noise["contrast_db"][2] + 20  # 440 Hz is in its octave
    assert noise["bandwidth_hz"] > 20 * tone["bandwidth_hz"]


@front_ends
def test_a_level_changes_the_level_alone(frontend):
    y = sound("noise", frontend.sr)
    quiet, loud = (descriptors.over_time(factor * y, frontend) for factor in (1, np.float32(10)))
    np.testing.assert_allclose(loud["rms_db"], quiet["rms_db"] + 20, atol=1e-4)
    np.testing.assert_allclose(loud["mfcc"][:, 1:], quiet["mfcc"][:, 1:], atol=1e-3)
    for name in ("centroid_hz", "bandwidth_hz", "flatness", "chroma", "zero_crossing_rate"):
        np.testing.assert_allclose(loud[name], quiet[name], rtol=1e-5, err_msg=name)


@front_ends
@pytest.mark.parametrize("factor", [0, 1e-30, 1e-20, 1e-10, 1e5])
def test_silence_and_extremes_give_numbers(frontend, factor):
    y = (factor * sound("noise", frontend.sr)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = descriptors.summary(y, frontend)
        assert np.isfinite(found).all()
        assert np.isfinite(descriptors.summary(y[:1], frontend)).all()
    found = dict(zip(descriptors.COLUMNS, found, strict=True))
    if not factor:
        assert found["rms_db_mean"] == -100
        assert found["flatness_mean"] == pytest.approx(1, abs=1e-5)
        for name in ("centroid_hz", "bandwidth_hz", "rolloff_hz", "zero_crossing_rate", "chroma_A"):
            assert found[f"{name}_mean"] == 0, name


# --- the summary, and the spectrogram that is shared ----------------------------------------------


@front_ends
def test_the_summary_has_a_mean_and_a_deviation_for_every_name(frontend):
    y = sound("silent parts", frontend.sr)
    curves = descriptors.over_time(y, frontend)
    found = descriptors.summary(y, frontend)
    assert found.dtype == np.float32 and found.shape == (len(descriptors.COLUMNS),) == (76,)
    assert len(set(descriptors.COLUMNS)) == 76
    found = dict(zip(descriptors.COLUMNS, found, strict=True))
    by_name = {name: curves[name] for name in descriptors.SCALARS}
    for group, names in descriptors.VECTORS.items():
        by_name |= dict(zip(names, curves[group].T, strict=True))
    assert found.keys() == {f"{name}_{how}" for name in by_name for how in ("mean", "std")}
    for name, curve in by_name.items():
        assert found[f"{name}_mean"] == pytest.approx(curve.mean(), rel=1e-5, abs=1e-7), name
        assert found[f"{name}_std"] == pytest.approx(curve.std(), rel=1e-5, abs=1e-7), name


@front_ends
def test_a_spectrogram_that_is_there_is_used(frontend):
    y = sound("chirp", frontend.sr)
    power = frontend.spectrogram(y)
    before = power.copy()
    expected = descriptors.over_time(y, frontend)
    for name, curve in descriptors.over_time(y, frontend, power=power).items():
        np.testing.assert_array_equal(curve, expected[name], err_msg=name)
    np.testing.assert_array_equal(
        descriptors.summary(y, frontend, power=power), descriptors.summary(y, frontend)
    )
    np.testing.assert_array_equal(power, before)
    assert (descriptors.over_time(y, frontend, power=0 * power)["centroid_hz"] == 0).all()


@settings(max_examples=30)
@given(
    n_mels=st.sampled_from([0, 1, 17, 64]),
    fmin=st.sampled_from([0, 300]),
    n=st.integers(1, 9000),
    shape=st.sampled_from([(), (1,), (3,), (2, 3)]),
)
def test_bands_of_a_spectrogram_are_the_power_of_its_sound(n_mels, fmin, n, shape):
    frontend = Frontend(sr=16000, n_fft=512, hop_length=128, n_mels=n_mels, fmin=fmin)
    y = np.random.default_rng(n).normal(0, 0.1, (*shape, n)).astype(np.float32)
    spectrogram, expected = frontend.spectrogram(y), frontend.power(y)
    before = spectrogram.copy()
    found = frontend.bands(spectrogram)
    assert found.dtype == np.float32 and found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(frontend.bands(spectrogram.astype(float)), found, rtol=1e-5)
    np.testing.assert_array_equal(spectrogram, before)
