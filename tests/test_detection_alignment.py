"""helpers.detection.alignment: calls hidden at known places are found there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import detection
from helpers.features import Frontend

FRONTEND = Frontend(n_mels=40, fmin=50, fmax=4000)
TURN = 60  # frame of the call in which its growl becomes a tail


def call():
    """Power of a call of 130 frames: a growl at 300 Hz, then a tail around 1300 Hz."""
    f = FRONTEND.frequencies
    power = np.zeros((130, len(f)), np.float32)
    rise = np.sin(np.linspace(0.2, np.pi / 2, TURN))[:, None]
    power[:TURN] = 100 * rise * np.exp(-0.5 * ((f - 300) / 80) ** 2)
    fall = np.linspace(1, 0.3, 130 - TURN)[:, None]
    power[TURN:] = 300 * fall * np.exp(-0.5 * ((f - 1300) / 150) ** 2)
    return power


def clip(rng, *, offset, n_frames, gain):
    """The call in noise, offset frames after the clip's begin; what sticks out is cut off."""
    power = rng.standard_gamma(4.0, (n_frames, FRONTEND.n_bands)).astype(np.float32) / 4
    whole = call() * gain
    start, stop = max(0, offset), min(n_frames, offset + len(whole))
    power[start:stop] += whole[start - offset : stop - offset]
    return power * np.float32(10 ** rng.uniform(-4, 2))


@pytest.mark.parametrize("seed", range(4))
def test_calls_in_noise_are_aligned_to_a_frame(seed):
    rng = np.random.default_rng(seed)
    offsets = rng.integers(-20, 60, size=45)
    powers = [
        clip(rng, offset=k, n_frames=int(rng.integers(170, 220)), gain=rng.uniform(0.3, 3))
        for k in offsets
    ]
    landmarks, template = detection.align(powers, frontend=FRONTEND, profile=detection.CAPUCHINBIRD)
    assert np.abs(landmarks - (offsets + TURN)).max() <= 1
    assert all(0 <= landmark < len(p) for landmark, p in zip(landmarks, powers, strict=True))
    before = round(1.4 / FRONTEND.hop_s)
    assert template.shape == (before + round(2.4 / FRONTEND.hop_s), FRONTEND.n_bands)
    f = FRONTEND.frequencies
    tail = np.argmin(np.abs(f - 1300))
    growl = np.argmin(np.abs(f - 300))
    around = template[before - 20 : before + 20]
    assert (around[:17, growl] > around[:17, tail]).all()
    assert (around[23:, growl] < around[23:, tail]).all()


def test_the_place_does_not_depend_on_level():
    rng = np.random.default_rng(0)
    powers = [clip(rng, offset=k, n_frames=200, gain=1) for k in (0, 10, 20, 30, 40, 50)]
    landmarks, template = detection.align(powers, frontend=FRONTEND, profile=detection.CAPUCHINBIRD)
    gains = 10.0 ** np.arange(-1, 5)
    scaled = [p * np.float32(g) for p, g in zip(powers, gains, strict=True)]
    again, same_template = detection.align(
        scaled, frontend=FRONTEND, profile=detection.CAPUCHINBIRD
    )
    np.testing.assert_array_equal(landmarks, again)
    np.testing.assert_allclose(template, same_template, atol=1e-2)


@settings(max_examples=50)
@given(
    n=st.integers(1, 40),
    shorter=st.integers(0, 40),
    n_bands=st.integers(1, 6),
    seed=st.integers(0, 100),
)
def test_correlate_is_the_sum_of_products(n, shorter, n_bands, seed):
    rng = np.random.default_rng(seed)
    spectrum = rng.normal(size=(n, n_bands))
    template = rng.normal(size=(max(1, n - shorter), n_bands))
    expected = [
        (spectrum[i : i + len(template)] * template).sum() for i in range(n - len(template) + 1)
    ]
    np.testing.assert_allclose(detection.correlate(spectrum, template), expected, atol=1e-9)


@pytest.mark.parametrize("gain", [1e-2, 1e3])
def test_the_shape_of_a_spectrum_has_no_level(gain):
    power = np.random.default_rng(1).uniform(1e-3, 1, (9, 40)).astype(np.float32)
    shape = detection.level_invariant(power)
    np.testing.assert_allclose(shape.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(detection.level_invariant(power * gain), shape, atol=1e-4)


def test_a_copy_resembles_its_source_at_any_level_and_a_little_off():
    rng = np.random.default_rng(0)
    frontend = Frontend(n_mels=24)
    clips = [rng.gamma(1, 1, (n, 24)).astype(np.float32) for n in (120, 200, 90, 30)]
    landmarks = [60, 100, 10, 0]
    sound = 1e-4 * rng.gamma(1, 1, (400, 24)).astype(np.float32)
    sound[150:350] = 1e-3 * clips[1]
    for off in (0, -9, 9):
        alike = detection.resemblance(
            sound,
            at=250 + off,
            clips=clips,
            landmarks=landmarks,
            frontend=frontend,
            before_s=1.2,
            after_s=1.8,
        )
        assert alike.argmax() == 1 and alike[1] > 0.99
        assert (np.delete(alike, 1) < 0.5).all()
    short = detection.resemblance(
        sound[:40],
        at=20,
        clips=clips,
        landmarks=landmarks,
        frontend=frontend,
        before_s=1.2,
        after_s=1.8,
    )
    assert (short[:2] == -1).all()  # they fit nowhere
