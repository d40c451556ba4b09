"""detection.scenes: calls that lie where the landmarks say, and counterexamples."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_scenes import FRONTEND, MARK, marked_call

from helpers import augmentation, detection
from helpers.detection import HELD_OUT, SceneMixer, SceneSettings

BIRD = detection.CAPUCHINBIRD
FREQUENCIES = FRONTEND.frequencies


def backgrounds(seed=0):
    """Three sources with one to three clips of noise each."""
    rng = np.random.default_rng(seed)
    return [
        [rng.standard_gamma(4.0, (90, FRONTEND.n_bands)).astype(np.float32) for _ in range(n)]
        for n in (1, 2, 3)
    ]


def mixer(**changes):
    calls, turns = [marked_call(60, 20), marked_call(75, 33, 1e-4)], [20, 33]
    mixer = SceneMixer(calls, turns, backgrounds(), FRONTEND, counterexample=BIRD.counterexample)
    return mixer.with_settings(**changes)


@settings(max_examples=200)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 90), data=st.data())
def test_a_counterexample_is_never_empty_and_never_the_call(seed, n, data):
    turn = data.draw(st.integers(0, n - 1))
    power = marked_call(n, turn)
    other = BIRD.counterexample(
        np.random.default_rng(seed), power, landmark=turn, frequencies=FREQUENCIES
    )
    assert len(other) > 0 and other.shape[1] == FRONTEND.n_bands
    assert not (len(other) == n and np.array_equal(other, power))


def test_counterexamples_are_of_many_kinds():
    power, rng = marked_call(80, 30), np.random.default_rng(0)
    kinds = {"shorter": 0, "as long": 0}
    for _ in range(200):
        other = BIRD.counterexample(rng, power, landmark=30, frequencies=FREQUENCIES)
        kinds["as long" if len(other) == 80 else "shorter"] += 1
        assert len(other) <= 80
    assert min(kinds.values()) > 40


# --- scenes ---------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), n_frames=st.integers(1, 700), augmented=st.booleans())
def test_a_scene_depends_on_the_generator_alone(seed, n_frames, augmented):
    mix = mixer(augment=augmented)
    kept = [c.copy() for c in mix.calls], [[b.copy() for b in s] for s in mix.backgrounds]
    power, turns = mix.scene(np.random.default_rng(seed), n_frames=n_frames)
    again, same_turns = mix.scene(np.random.default_rng(seed), n_frames=n_frames)
    assert power.shape == (n_frames, FRONTEND.n_bands) and power.dtype == np.float32
    assert np.isfinite(power).all() and (power >= 0).all()
    np.testing.assert_array_equal(power, again)
    assert turns == same_turns == sorted(turns)
    for a, b in zip(kept[0], mix.calls, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(sum(kept[1], []), sum(mix.backgrounds, []), strict=True):
        np.testing.assert_array_equal(a, b)


def added(settings, seed, n_frames=600):
    """(what the calls add to the background, the background, turns) of an unaugmented scene."""
    mix = mixer(**{"augment": False, "counterexamples": 0.0, "call_share": 1.0, **settings})
    power, turns = mix.scene(np.random.default_rng(seed), n_frames=n_frames)
    # The background is drawn first: without calls, the same generator gives it alone.
    quiet = mix.with_settings(call_share=0.0)
    background, none = quiet.scene(np.random.default_rng(seed), n_frames=n_frames)
    assert none == []
    return power - background, background, turns


@pytest.mark.parametrize("seed", range(20))
def test_turns_lie_where_the_landmarks_are(seed):
    calls, _, turns = added({"level_db": (30.0, 31.0)}, seed)
    inside = [t for t in turns if 0 <= t < 600]
    mark = calls[:, MARK] > 10 * np.delete(calls, MARK, axis=1).max(axis=1)
    mark &= calls[:, MARK] > 1  # and not a rounding error
    np.testing.assert_array_equal(np.flatnonzero(mark), inside)


@pytest.mark.parametrize("seed", range(20))
def test_turns_stay_where_they_are_when_calls_are_warped(seed):
    mix = mixer(counterexamples=0.0, call_share=1.0, level_db=(60.0, 60.1), touching=0.0)
    power, turns = mix.scene(np.random.default_rng(seed), n_frames=600)
    for turn in turns:
        if 15 <= turn < 585:
            near = power[round(turn) - 12 : round(turn) + 13]
            share = near[:, MARK - 2 : MARK + 3].sum(axis=1) / near.sum(axis=1)
            assert abs(share.argmax() - 12) <= 2


@pytest.mark.parametrize("level_db", [-5.0, 12.0, 40.0])
def test_calls_lie_so_many_decibels_above_the_background(level_db):
    found = []
    for seed in range(20):
        changes = {"level_db": (level_db, level_db), "touching": 0.0, "gap_s": 5.0}
        calls, background, turns = added(changes, seed)
        level = np.median(background.mean(axis=1))
        for turn in map(int, turns):
            if 40 <= turn < 540:  # the whole call is in the scene; it is followed by a pause
                is_first = calls[turn - 21].max() < 1e-4 * calls[turn].max()
                n, at = (60, 20) if is_first else (75, 33)
                sound = calls[turn - at : turn - at + n]
                found.append(10 * np.log10(augmentation.loudness(sound) / level))
    assert len(found) > 15
    np.testing.assert_allclose(found, level_db, atol=0.3)


def test_the_range_of_levels_is_used():
    levels = []
    for seed in range(30):
        calls, background, turns = added({"level_db": (0.0, 40.0), "touching": 0.0}, seed)
        marks = [calls[int(t), MARK] for t in turns if 0 <= t < 600]
        levels += list(10 * np.log10(np.array(marks) / np.median(background.mean(axis=1))))
    assert np.ptp(levels) > 30


@pytest.mark.parametrize("augmented", [True, False])
def test_no_calls_no_turns(augmented):
    mix = mixer(call_share=0.0, augment=augmented)
    assert all(not mix.scene(np.random.default_rng(s), n_frames=400)[1] for s in range(30))
    mix = mixer(call_share=1.0, counterexamples=1.0, augment=augmented)
    assert all(not mix.scene(np.random.default_rng(s), n_frames=400)[1] for s in range(30))


def test_call_share_and_gap_are_honoured():
    mix = mixer(call_share=0.6, counterexamples=0.0, augment=False)
    scenes = [mix.scene(np.random.default_rng(s), n_frames=400)[1] for s in range(300)]
    assert abs(np.mean([bool(turns) for turns in scenes]) - 0.6) < 0.09
    counts = [
        len(
            mixer(call_share=1.0, counterexamples=0.0, gap_s=g, touching=0.0).scene(
                np.random.default_rng(0), n_frames=20_000
            )[1]
        )
        for g in (0.5, 4.0)
    ]
    assert counts[0] > 2 * counts[1]


def test_calls_are_heard_over_digital_silence():
    """A background of zeros has no level; a call that is said to be there must be there."""
    for silent in (
        [np.zeros((90, 24), np.float32)],
        [np.zeros((90, 24), np.float32), marked_call()],
    ):
        quiet = SceneMixer([marked_call()], [20], [silent], FRONTEND, HELD_OUT)
        mix = quiet.with_settings(call_share=1, counterexamples=0, augment=False)
        for seed in range(20):
            power, turns = mix.scene(np.random.default_rng(seed), n_frames=300)
            assert all(power[int(t), MARK] > 1e-7 for t in turns if 0 <= t < 300)


def test_with_settings_changes_nothing_else():
    mix = mixer()
    other = mix.with_settings(gap_s=9.0, augment=False)
    assert (other.settings.gap_s, other.settings.augment) == (9.0, False)
    assert mix.settings == SceneSettings() and other.settings.level_db == mix.settings.level_db
    assert other.calls is mix.calls and other.backgrounds is mix.backgrounds
    assert other.frontend is mix.frontend and other.landmarks is mix.landmarks
    with pytest.raises(TypeError):
        mix.with_settings(no_such_setting=1)


def test_from_table_takes_calls_and_sources_apart():
    table = pd.DataFrame(
        {
            "label": ["other", "capuchin", "other", "capuchin", "other"],
            "group": ["a", "x", "b", "y", "a"],
        },
        index=[9, 7, 5, 3, 1],
    )
    powers = [np.full((30 + i, 24), i + 1, np.float32) for i in range(5)]
    mix = SceneMixer.from_table(
        table, powers, [None, 4, None, np.int64(8), None], FRONTEND, profile=BIRD
    )
    assert [len(c) for c in mix.calls] == [31, 33] and mix.landmarks == [4, 8]
    assert [[len(b) for b in source] for source in mix.backgrounds] == [[30, 34], [32]]
    assert mix.settings == SceneSettings()
    other = replace(BIRD, label="other")
    turned = SceneMixer.from_table(table, powers, [3] * 5, FRONTEND, HELD_OUT, profile=other)
    assert len(turned.calls) == 3 and turned.settings == HELD_OUT


def test_scenes_need_calls_and_backgrounds():
    with pytest.raises(ValueError, match="at least one"):
        SceneMixer([], [], backgrounds(), FRONTEND)
    with pytest.raises(ValueError, match="at least one"):
        SceneMixer([marked_call()], [20], [], FRONTEND)
