"""helpers.detection.events: n calls placed apart are n events, whatever the score between them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from helpers import evaluation
from helpers.detection import find_events
from helpers.models import EventSettings

STEP_S = 0.064


def bell(n_steps, places, heights=1.0, width=6.0):
    """A score with a bell at each place (steps, need not be whole)."""
    k = np.arange(n_steps)[:, None]
    return (heights * np.exp(-0.5 * ((k - np.asarray(places)) / width) ** 2)).max(axis=1, initial=0)


def peaks(score, *, step_s=1.0, **changes):
    """Steps of the calls found, with windows so short that none is cut at the edges."""
    found = find_events(
        score, step_s=step_s, settings=EventSettings(**{"duration_s": 1e-6, **changes})
    )
    return np.round(evaluation.centres(found) / step_s).astype(int).tolist()


SCORES = st.lists(st.integers(0, 10), max_size=40).map(lambda x: np.array(x, float) / 10)
SETTINGS = st.builds(
    EventSettings,
    threshold=st.sampled_from([0.1, 0.3, 0.5, 0.75]),
    release=st.sampled_from([0.0, 0.2, 0.5, 0.9]),
    min_distance_s=st.sampled_from([0.0, 1.0, 2.0, 5.0]),
    duration_s=st.sampled_from([0.5, 3.0]),
)


# --- an independent, slow implementation ----------------------------------------------------------


def reference(score, settings):
    """Steps of the calls, found by looking at every step (one step a second)."""
    score = list(score)
    n, tops, i = len(score), [], 0
    while i < n:  # every plateau that falls on both sides, the world outside being 0
        j = i
        while j + 1 < n and score[j + 1] == score[i]:
            j += 1
        left = score[i - 1] if i else 0.0
        right = score[j + 1] if j + 1 < n else 0.0
        if left < score[i] > right and score[i] >= settings.threshold:
            tops.append((i + j) // 2)
        i = j + 1
    calls = []
    for top in tops:
        if calls:
            last = calls[-1]
            valley = min(score[last : top + 1])
            if not valley < settings.release * min(score[last], score[top]):
                if score[top] > score[last]:
                    calls[-1] = top
                continue
        calls.append(top)
    taken = []
    for call in sorted(calls, key=lambda k: (-score[k], k)):
        if not any(abs(call - k) < settings.min_distance_s for k in taken):
            taken.append(call)
    return sorted(taken)


@settings(max_examples=300)
@given(score=SCORES, chosen=SETTINGS)
@example(score=np.ones(5), chosen=EventSettings())
@example(score=np.zeros(0), chosen=EventSettings())
def test_agrees_with_the_slow_reference(score, chosen):
    found = find_events(score, step_s=1.0, settings=chosen)
    expected = np.array(reference(score, chosen), int)
    np.testing.assert_array_equal(found["score"], score[expected])
    half = np.minimum(expected, len(score) - expected).clip(0.25, chosen.duration_s / 2)
    np.testing.assert_array_equal(found["start_s"], np.maximum(expected - half, 0))
    np.testing.assert_array_equal(found["end_s"], np.minimum(expected + half, len(score)))


@settings(max_examples=100)
@given(score=SCORES, chosen=SETTINGS)
def test_what_is_always_true_of_events(score, chosen):
    found = find_events(score, step_s=1.0, settings=chosen)
    assert list(found.columns) == ["start_s", "end_s", "score"]
    assert (found["score"] >= chosen.threshold).all()
    assert (found["start_s"] < found["end_s"]).all() and (found["start_s"] >= 0).all()
    steps = peaks(score, **{**vars(chosen), "duration_s": 1e-6})
    assert (np.diff(steps) >= max(1, chosen.min_distance_s)).all()
    if len(score) and score.max() >= chosen.threshold:
        assert found["score"].max() == score.max()  # the best moment is never thrown away
    else:
        assert found.empty


# --- n calls placed apart -------------------------------------------------------------------------


@settings(max_examples=100)
@given(
    gaps=st.lists(st.floats(30, 200), max_size=12),
    heights=st.lists(st.floats(0.55, 1.0), min_size=12, max_size=12),
    width=st.floats(2, 8),
)
def test_n_calls_placed_apart_are_n_events_at_their_places(gaps, heights, width):
    places = 20 + np.cumsum(gaps) - (gaps[0] if gaps else 0)
    score = bell(int(places.max(initial=0)) + 60, places, heights[: len(gaps)], width)
    found = find_events(score, step_s=STEP_S, settings=EventSettings(duration_s=1.0))
    assert len(found) == len(gaps)
    np.testing.assert_allclose(evaluation.centres(found), places * STEP_S, atol=0.51 * STEP_S)
    np.testing.assert_allclose(found["score"], heights[: len(gaps)], rtol=0.05)


@settings(max_examples=100)
@given(score=SCORES, chosen=SETTINGS, shift=st.integers(0, 500))
def test_a_time_shift_moves_the_events_and_nothing_else(score, chosen, shift):
    chosen = replace(chosen, duration_s=1e-3)
    before = find_events(score, step_s=STEP_S, settings=chosen)
    quiet = np.zeros(shift)
    # One step of silence on both sides: the shift changes what is at the edge, and nothing else.
    after = find_events(np.concatenate([quiet, score]), step_s=STEP_S, settings=chosen)
    assert len(after) == len(before)
    np.testing.assert_array_equal(after["score"], before["score"])
    np.testing.assert_allclose(
        evaluation.centres(after), evaluation.centres(before) + shift * STEP_S, atol=1.1e-3
    )


@settings(max_examples=100)
@given(a=SCORES, b=SCORES, chosen=SETTINGS)
def test_what_is_far_away_does_not_matter(a, b, chosen):
    assume(chosen.release > 0)
    quiet = np.zeros(5 + 2 * int(chosen.min_distance_s + chosen.duration_s))
    together = find_events(np.concatenate([a, quiet, b]), step_s=1.0, settings=chosen)
    n = len(find_events(a, step_s=1.0, settings=chosen))
    alone = find_events(b, step_s=1.0, settings=chosen)
    assert len(together) == n + len(alone)
    np.testing.assert_array_equal(together["score"][n:], alone["score"])


@settings(max_examples=100)
@given(score=SCORES, chosen=SETTINGS, factor=st.sampled_from([0.25, 0.5, 0.125]))
def test_score_and_threshold_scale_together(score, chosen, factor):
    louder = find_events(score, step_s=1.0, settings=chosen)
    softer = find_events(
        score * factor, step_s=1.0, settings=replace(chosen, threshold=chosen.threshold * factor)
    )
    np.testing.assert_array_equal(softer["score"], louder["score"] * factor)
    np.testing.assert_array_equal(softer["start_s"], louder["start_s"])


@settings(max_examples=50)
@given(score=SCORES, chosen=SETTINGS)
def test_a_higher_threshold_loses_events_and_finds_no_other(score, chosen):
    """Without hysteresis and distance: with them, a call may come out of another's shadow."""
    free = replace(chosen, release=0.999999, min_distance_s=0)
    low = find_events(score, step_s=1.0, settings=free)
    high = find_events(score, step_s=1.0, settings=replace(free, threshold=0.8))
    assert set(high["start_s"]) <= set(low["start_s"])


# --- special shapes -------------------------------------------------------------------------------


def test_plateaus_and_edges():
    assert peaks([0, 1, 1, 1, 0]) == [2]
    assert peaks([0, 1, 1, 0]) == [1]
    assert peaks([1, 1, 1, 1, 1]) == [2]
    assert peaks([0.9, 0.5, 0]) == [0]
    assert peaks([0, 0.5, 0.9]) == [2]
    assert peaks([0.9]) == [0]
    assert peaks([0.9, 0, 0, 0, 0.8]) == [0, 4]
    assert peaks([0.5, 0, 0]) == [0]  # at the threshold is enough
    assert peaks([0.2, 0.4999, 0.2]) == [] == peaks([]) == peaks([0, 0, 0])
    assert peaks([0, 0.6, 0.8, 0.8, 0.9, 0.6, 0]) == [4]  # a shoulder is no call


def test_windows_shrink_round_their_peak_at_the_ends_of_the_recording():
    score = np.zeros(100)
    score[[10, 50, 99]] = 0.9
    chosen = EventSettings(duration_s=3.0)
    found = find_events(score, step_s=0.1, settings=chosen, length_s=9.95)
    np.testing.assert_allclose(found["start_s"], [0, 3.5, 9.65])
    np.testing.assert_allclose(found["end_s"], [2, 6.5, 9.95])  # at the very end half a second
    assert find_events(score, step_s=0.1, settings=chosen)["end_s"].iloc[-1] == 10.0


def test_min_distance_keeps_the_higher_and_the_earlier_of_equals():
    score = np.zeros(100)
    score[[10, 15, 40, 45]] = [0.6, 0.9, 0.8, 0.8]
    assert peaks(score, min_distance_s=6) == [15, 40]
    assert peaks(score, min_distance_s=5) == [10, 15, 40, 45]
    # Steps of 0.1 s are not exact: 15 of them must count as 1.5 s.
    assert peaks([1, *[0] * 14, 1], step_s=0.1, min_distance_s=1.5) == [0, 15]
    assert peaks([1, *[0] * 13, 1], step_s=0.1, min_distance_s=1.5) == [0]
    # A call that is dropped shields nobody: the third is far enough from the first.
    score = np.zeros(30)
    score[[5, 9, 13]] = [0.9, 0.7, 0.6]
    assert peaks(score, min_distance_s=6) == [5, 13]


@given(seed=st.integers(0, 1000))
@settings(max_examples=50)
def test_a_flickering_call_is_one_and_calls_with_a_valley_are_two(seed):
    rng = np.random.default_rng(seed)
    one = bell(80, [40], 1.0, 12) * rng.uniform(0.6, 1, 80)  # above half of its peak while it lasts
    inside = np.abs(np.arange(80) - 40) < 12
    assert len(peaks(np.where(inside, one, 0), threshold=0.3, min_distance_s=0)) == 1
    two = bell(120, [40, 80], 0.9, 8) * rng.uniform(0.9, 1, 120)
    assert len(peaks(two, min_distance_s=0)) == 2
    assert len(peaks(np.where(two > 0.5, two, 0.5), min_distance_s=0)) == 1


def test_the_valley_is_measured_by_the_lower_peak():
    assert peaks([0, 0.9, 0.31, 0.6, 0], min_distance_s=0) == [1]  # 0.31 is above half of 0.6
    assert peaks([0, 0.9, 0.29, 0.6, 0], min_distance_s=0) == [1, 3]
    assert peaks([0, 0.6, 0.31, 0.9, 0], min_distance_s=0) == [3]  # of one call, the highest peak
    assert peaks([0, 0.9, 0.0, 0.9, 0], min_distance_s=0, release=0.0) == [1]  # never below 0


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_refused(bad):
    with pytest.raises(ValueError, match="NaN or infinite"):
        peaks([0, bad, 1])


def test_a_score_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="n_steps"):
        peaks(np.zeros((5, 1)))


@pytest.mark.parametrize(
    "bad",
    [
        {"threshold": 0},
        {"threshold": 1},
        {"threshold": -0.1},
        {"threshold": float("nan")},
        {"release": 1},
        {"release": -0.1},
        {"min_distance_s": -1},
        {"duration_s": 0},
    ],
)
def test_impossible_settings_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        EventSettings(**bad)
