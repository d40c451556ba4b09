"""helpers.detection.thresholds: scenes with known calls, thresholds, margins, intervals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import detection, evaluation, models

# --- scenes with a known answer -------------------------------------------------------------------


@pytest.fixture(scope="module")
def scenes_of(tone_detector):
    frontend = tone_detector.frontend
    rng = np.random.default_rng(0)
    call = np.full((25, frontend.n_bands), 1e-3, np.float32)
    call[:, np.argmin(np.abs(frontend.frequencies - 1500))] = 10.0
    bed = [rng.standard_gamma(4.0, (200, frontend.n_bands)).astype(np.float32)]
    plain = replace(detection.HELD_OUT, counterexamples=0.0, augment=False, level_db=(15.0, 30.0))
    mixers = [detection.SceneMixer([call], [12], [bed], frontend, plain) for _ in range(2)]
    fit = detection.CrossFit([tone_detector] * 2, pd.DataFrame(), np.zeros(0), mixers)

    def scenes(**changes):
        return detection.held_out_scenes(fit, per_fold=8, length_s=20.0, progress=False, **changes)

    return scenes


def test_held_out_scenes_know_their_calls(scenes_of, tone_detector):
    scenes = scenes_of()
    assert len(scenes) == 16 and sum(len(s.true_s) for s in scenes) > 10
    for scene in scenes:
        assert scene.length_s == 20 and ((scene.true_s >= 0) & (scene.true_s < 20)).all()
        found = detection.find_events(
            scene.score, step_s=tone_detector.step_s, settings=tone_detector.settings
        )
        for true in scene.true_s[(scene.true_s > 0.5) & (scene.true_s < 19.5)]:
            if np.sum(np.abs(scene.true_s - true) < 1) > 1:
                continue  # touching calls may be one tone
            assert np.abs(evaluation.centres(found) - true).min() < 0.25
    again = scenes_of()
    for a, b in zip(scenes, again, strict=True):
        np.testing.assert_array_equal(a.score, b.score)
        np.testing.assert_array_equal(a.true_s, b.true_s)
    assert not np.array_equal(scenes[0].score, scenes_of(seed=1)[0].score)


def test_fainter_calls_and_noise_lower_the_score_and_move_nothing(scenes_of):
    plain = scenes_of()
    for changes in ({"fainter_db": 25.0}, {"noise_db": 30.0}):
        harder = scenes_of(**changes)
        for a, b in zip(plain, harder, strict=True):
            np.testing.assert_array_equal(a.true_s, b.true_s)
        assert sum(s.score.sum() for s in harder) < 0.5 * sum(s.score.sum() for s in plain)


# --- thresholds and their margins -----------------------------------------------------------------

# No score lies on the grid of thresholds, where rounding decides.
SCORES = st.lists(st.integers(0, 99), min_size=1, max_size=80).map(
    lambda x: np.array(x) / 100 + 0.005
)
CHOSEN = models.EventSettings(min_distance_s=1.0)


def n_calls(score, threshold):
    chosen = replace(CHOSEN, threshold=threshold)
    return len(detection.find_events(score, step_s=0.25, settings=chosen))


@settings(max_examples=10)
@given(score=SCORES, threshold=st.integers(2, 98))
def test_within_its_margins_a_count_does_not_change(score, threshold):
    threshold = threshold / 100
    chosen = replace(CHOSEN, threshold=threshold)
    row = detection.margins({"a": score}, step_s=0.25, settings=chosen).iloc[0]
    assert 0 <= row["low"] <= threshold <= row["high"] <= 1
    expected = n_calls(score, threshold)
    for t in np.linspace(0.01, 0.99, 99):
        if row["low"] - 1e-6 <= t <= row["high"] + 1e-6:
            assert n_calls(score, t) == expected
    for beyond in (row["low"] - 0.01, row["high"] + 0.01):
        if 0.009 < beyond < 0.991:
            assert n_calls(score, beyond) != expected


def scene(calls, others=(), peak=0.9, false_peak=0.3):
    score = np.zeros(240)  # a minute
    score[[round(4 * t) for t in calls]] = peak
    score[[round(4 * t) for t in others]] = false_peak
    return detection.ScoredScene(score, np.array(calls, float), 60.0)


def test_the_threshold_is_chosen_between_what_is_a_call_and_what_is_not():
    scenes = [scene([5, 20, 40], [30, 50]), scene([10]), scene([], [15])]
    errors = detection.threshold_errors(scenes, step_s=0.25, settings=CHOSEN)
    curve = detection.threshold_curve(errors)
    assert (np.diff(curve["missed"]) >= 0).all() and (np.diff(curve["false_alarms"]) <= 0).all()
    np.testing.assert_allclose(curve["cost"], curve["missed"] + 4 * curve["false_alarms"])
    low, middle, high = (curve[curve["threshold"] > t].iloc[0] for t in (0.1, 0.6, 0.92))
    assert (low["missed"], low["false_alarms"]) == (0, 1) and low["count_error"] == 1
    assert middle["cost"] == 0 and (high["missed"], high["false_alarms"]) == (4 / 3, 0)
    chosen, low, high = detection.choose_threshold(errors)
    assert 0.5 < chosen < 0.8 and low <= chosen <= high  # the middle, in the logit, of 0.3 to 0.9


def test_a_false_alarm_may_cost_more_than_a_missed_call():
    scenes = [scene([5, 20], [40], peak=0.8, false_peak=0.7)] * 20
    scenes += [scene([10], peak=0.5), scene([30], peak=0.6)] * 20
    errors = detection.threshold_errors(scenes, step_s=0.25, settings=CHOSEN)
    for cost, (least, most) in ((4.0, (0.7, 0.8)), (0.1, (0.02, 0.5))):
        chosen, low, high = detection.choose_threshold(errors, false_alarm_cost=cost)
        assert least < low <= chosen <= high < most
    again = [detection.choose_threshold(errors) for _ in range(2)]
    assert again[0] == again[1]


def test_the_interval_of_a_total_knows_of_misses_and_false_alarms():
    def interval(scenes, n_found=100, minutes=50):
        return detection.corrected_total(
            n_found, minutes, scenes, step_s=0.25, settings=CHOSEN, n_resamples=300
        )

    perfect = [scene([5, 20, 40])] * 8
    assert interval(perfect) == (100, 100)
    deaf = [scene([5, 20, 40]), scene([5, 20, 40], peak=0.1)] * 8
    low, high = interval(deaf)
    assert 110 < low < 200 < high
    jumpy = [scene([5, 20], [40, 50], false_peak=0.8), scene([5, 20])] * 8
    low, high = interval(jumpy)
    assert low < 50 < high < 90
    assert interval([scene([])] * 3) is None
