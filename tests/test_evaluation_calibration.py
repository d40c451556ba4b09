"""helpers.evaluation.calibration: confidence against accuracy, and a known temperature found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from helpers import evaluation


def answers(n, *, sharper=1.0, seed=0):
    """Probabilities and truths drawn from them; sharper: how much too sure the answers are."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, 4))
    truth = np.array([rng.choice(4, p=p) for p in softmax(logits, axis=1)])
    return softmax(sharper * logits, axis=1), truth


def test_drawn_from_its_own_probabilities_an_answer_is_calibrated():
    probability, truth = answers(20_000)
    assert evaluation.calibration_error(probability, truth) < 0.02
    assert evaluation.calibration_error(*answers(20_000, sharper=3.0)) > 0.15


@pytest.mark.parametrize("sharper", [0.4, 1.0, 3.0])
def test_the_temperature_is_found_again(sharper):
    probability, truth = answers(20_000, sharper=sharper)
    found = evaluation.temperature(probability, truth)
    assert found == pytest.approx(sharper, rel=0.06)
    scaled = evaluation.temperature_scaled(probability, found)
    assert evaluation.calibration_error(scaled, truth) < 0.02


@given(st.floats(0.1, 10), st.integers(0, 50))
def test_a_temperature_changes_no_answer(temperature, seed):
    probability, _ = answers(20, seed=seed)
    scaled = evaluation.temperature_scaled(probability, temperature)
    np.testing.assert_array_equal(scaled.argmax(axis=1), probability.argmax(axis=1))
    np.testing.assert_allclose(scaled.sum(axis=1), 1)


def test_reliability_by_hand():
    probability = np.array([[0.95, 0.05], [0.85, 0.15], [0.2, 0.8], [1.0, 0.0]])
    table = evaluation.reliability(probability, np.array([0, 1, 1, 0]))
    assert table["low"].tolist() == [0.8, 0.9] and table["n"].tolist() == [2, 2]
    np.testing.assert_allclose(table["confidence"], [0.825, 0.975])
    np.testing.assert_allclose(table["accuracy"], [0.5, 1.0])
    error = evaluation.calibration_error(probability, np.array([0, 1, 1, 0]))
    assert error == pytest.approx((0.325 + 0.025) / 2)


@given(st.floats(0, 1), st.integers(0, 50))
def test_a_weighted_mean_is_one_of_the_two_at_its_ends(share, seed):
    p, _ = answers(10, seed=seed)
    q, _ = answers(10, seed=seed + 1)
    mean = evaluation.weighted_mean(p, q, share=share)
    np.testing.assert_allclose(mean.sum(axis=1), 1)
    np.testing.assert_allclose(evaluation.weighted_mean(p, q, share=1.0), p, atol=1e-6)
    np.testing.assert_allclose(evaluation.weighted_mean(p, p, share=share), p, atol=1e-6)
    swapped = evaluation.weighted_mean(q, p, share=1 - share)
    np.testing.assert_allclose(mean, swapped, atol=1e-9)


def test_probabilities_of_zero_do_not_break_the_mean():
    mean = evaluation.weighted_mean(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), share=0.5)
    np.testing.assert_allclose(mean, [[0.5, 0.5]])
