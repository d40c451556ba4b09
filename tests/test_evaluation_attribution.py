"""helpers.evaluation.attribution: a map whose mean is the logit, and the sound under it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import features, models
from helpers.evaluation import attribution
from helpers.features import Frontend

FRONTEND = Frontend(sr=8000, n_fft=256, hop_length=80, n_mels=16)
CLIP_INPUT = features.ClipInput(FRONTEND, crop_s=0.64)


@pytest.fixture(scope="module")
def network():
    return models.residual_cnn(CLIP_INPUT, 3, width=4)


def test_the_mean_of_a_map_is_the_logit(network):
    x = np.random.default_rng(0).normal(-40, 10, (2, *CLIP_INPUT.shape)).astype(np.float32)
    logits = np.asarray(network(x))
    for k in range(3):
        votes = attribution.class_activation_maps(network, x, np.array([k, 0]))
        expected = [logits[0, k], logits[1, 0]]
        np.testing.assert_allclose(votes.mean(axis=(1, 2)), expected, atol=1e-4)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5))
def test_an_enlarged_map_has_the_shape_and_the_range_of_the_small_one(rows, columns, factor):
    small = np.random.default_rng(rows).normal(size=(rows, columns))
    large = attribution.enlarge(small, (factor * rows, factor * columns + 3))
    assert large.shape == (factor * rows, factor * columns + 3)
    assert large.min() >= small.min() - 1e-9 and large.max() <= small.max() + 1e-9


@given(st.floats(0.01, 1), st.integers(0, 99))
def test_the_strongest_are_as_many_as_asked_for_and_above_all_others(share, seed):
    values = np.random.default_rng(seed).integers(0, 5, (6, 7)).astype(float)
    mask = attribution.strongest(values, share)
    assert mask.sum() == max(1, round(share * values.size))
    if not mask.all():
        assert values[mask].min() >= values[~mask].max()


def test_hidden_places_get_the_mean_of_the_others():
    x, where = np.arange(12.0).reshape(3, 4), np.zeros((3, 4), bool)
    where[0] = True
    hidden = attribution.mask(x, where)
    assert (hidden[0] == x[1:].mean()).all() and (hidden[1:] == x[1:]).all()
    assert np.ptp(attribution.mask(x, np.ones((3, 4), bool))) == 0


def test_under_a_mask_one_of_two_tones_is_left():
    t = np.arange(8000) / 8000
    low, high = np.sin(2 * np.pi * 400 * t), np.sin(2 * np.pi * 2500 * t)
    mask = np.zeros((FRONTEND.n_frames(8000), 16))
    mask[:, np.asarray(FRONTEND.frequencies) < 1200] = 1
    left = attribution.listen(low + high, mask, FRONTEND)
    middle = slice(500, -500)
    assert left.shape == t.shape
    assert np.abs(left - low)[middle].max() < 0.05
    np.testing.assert_allclose(
        attribution.listen(low, np.ones_like(mask), FRONTEND)[middle], low[middle], atol=1e-4
    )
