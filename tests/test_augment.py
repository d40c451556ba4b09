"""helpers.augment: pure functions of a generator, and scenes whose calls lie where they say."""

import inspect
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import augmentation, detection
from helpers.detection import HELD_OUT, SceneMixer, SceneSettings
from helpers.features import Frontend

FRONTEND = Frontend(n_mels=24)
BIRD = detection.CAPUCHINBIRD
FREQUENCIES = FRONTEND.frequencies
MARK = 11  # the band that is loud in a call's landmark frame, and only there


def call(n_frames=60, turn=20, level=1.0):
    """A call whose landmark frame stands out: all its power there lies in one band."""
    rng = np.random.default_rng((n_frames, turn))
    power = rng.uniform(0.5, 1, (n_frames, FRONTEND.n_bands)).astype(np.float32)
    power[:, MARK] = 1e-3
    power[turn] = 1e-3
    power[turn, MARK] = FRONTEND.n_bands
    return power * np.float32(level)


def backgrounds(seed=0):
    """Three sources with one to three clips of noise each."""
    rng = np.random.default_rng(seed)
    return [
        [rng.standard_gamma(4.0, (90, FRONTEND.n_bands)).astype(np.float32) for _ in range(n)]
        for n in (1, 2, 3)
    ]


def mixer(**changes):
    calls, turns = [call(60, 20), call(75, 33, 1e-4)], [20, 33]
    mixer = SceneMixer(calls, turns, backgrounds(), FRONTEND, counterexample=BIRD.counterexample)
    return mixer.with_settings(**changes)


# --- pure functions -------------------------------------------------------------------------------

FUNCTIONS = {
    "equalise": lambda rng, x: augmentation.equalise(rng, x),
    "coloured_noise": lambda rng, x: augmentation.coloured_noise(
        rng, n_frames=len(x), n_bands=x.shape[1]
    ),
    "spec_augment": lambda rng, x: augmentation.spec_augment(rng, x, masks=MASKS, fill=0),
    "counterexample": lambda rng, x: BIRD.counterexample(
        rng, x, landmark=20, frequencies=FREQUENCIES
    ),
    "warp": lambda rng, x: augmentation.warp(
        x, frequencies=FREQUENCIES, pitch=rng.uniform(0.5, 2), stretch=rng.uniform(0.3, 3)
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_pure_functions_of_the_generator(name, seed):
    function, power = FUNCTIONS[name], call()
    power.setflags(write=False)  # an attempt to change the input raises
    first = function(np.random.default_rng(seed), power)
    again = function(np.random.default_rng(seed), power)
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32 and first.ndim == 2 and first.shape[1] == FRONTEND.n_bands
    assert np.isfinite(first).all() and (first >= 0).all()
    if name in ("equalise", "coloured_noise", "spec_augment"):
        assert first.shape == power.shape


def test_no_function_has_a_generator_of_its_own():
    assert "default_rng" not in inspect.getsource(augmentation)
    assert "np.random" not in inspect.getsource(augmentation)


def test_different_states_give_different_results():
    rng = np.random.default_rng(0)
    for name, function in FUNCTIONS.items():
        results = {function(rng, call()).tobytes() for _ in range(30)}
        assert len(results) > 10, name


# --- warp -----------------------------------------------------------------------------------------


def test_warp_by_one_is_the_identity():
    np.testing.assert_array_equal(augmentation.warp(call(), frequencies=FREQUENCIES), call())


@settings(max_examples=60, deadline=None)
@given(band=st.integers(2, 21), pitch=st.floats(0.6, 1.6))
def test_pitch_moves_a_peak_to_its_band(band, pitch):
    power = np.full((5, FRONTEND.n_bands), 1e-6, np.float32)
    power[:, band] = 1
    target = np.interp(FREQUENCIES[band] * pitch, FREQUENCIES, np.arange(FRONTEND.n_bands))
    moved = augmentation.warp(power, frequencies=FREQUENCIES, pitch=pitch)
    assert moved.shape == power.shape
    if 0 < target < FRONTEND.n_bands - 1:
        assert (np.abs(moved.argmax(axis=1) - target) <= 1).all()


def test_what_comes_from_outside_the_bands_is_silence():
    power = np.ones((4, FRONTEND.n_bands), np.float32)
    higher = augmentation.warp(power, frequencies=FREQUENCIES, pitch=2.0)
    lower = augmentation.warp(power, frequencies=FREQUENCIES, pitch=0.5)
    low, high = FREQUENCIES[0], FREQUENCIES[-1]
    np.testing.assert_array_equal(higher[0] == augmentation.SILENCE, low > FREQUENCIES / 2)
    np.testing.assert_array_equal(lower[0] == augmentation.SILENCE, high < FREQUENCIES * 2)
    np.testing.assert_allclose(higher[0][low <= FREQUENCIES / 2], 1, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 200), stretch=st.floats(0.05, 4), seed=st.integers(0, 99))
def test_stretch_changes_the_length_and_keeps_both_ends(n, stretch, seed):
    power = np.random.default_rng(seed).uniform(0, 1, (n, 3)).astype(np.float32)
    longer = augmentation.warp(power, frequencies=FREQUENCIES[:3], stretch=stretch)
    assert longer.shape == (max(1, round(n * stretch)), 3) and longer.dtype == np.float32
    np.testing.assert_allclose(longer[0], power[0], rtol=1e-5)
    if len(longer) > 1:
        np.testing.assert_allclose(longer[-1], power[-1], rtol=1e-4, atol=1e-5)
    assert longer.min() >= power.min() - 1e-6 and longer.max() <= power.max() + 1e-6


def test_stretch_moves_a_moment_in_proportion():
    power = np.full((100, 2), 0.1, np.float32)
    power[60] = 1
    for stretch in (0.5, 0.9, 1.1, 2.5):
        longer = augmentation.warp(power, frequencies=FREQUENCIES[:2], stretch=stretch)
        assert abs(longer[:, 0].argmax() - 60 * stretch) <= stretch + 0.5


# --- colours --------------------------------------------------------------------------------------


def test_equalise_is_one_smooth_gain_for_all_frames():
    power, gains = call(), []
    rng = np.random.default_rng(0)
    for _ in range(300):
        gain = augmentation.equalise(rng, power, spread_db=4.0) / power
        assert np.ptp(gain, axis=0).max() <= 1e-4 * gain.max()  # the same in every frame
        gains.append(10 * np.log10(gain[0]))
    knots = np.array(gains)[:, [0, -1]]
    assert abs(knots.mean()) < 0.6 and abs(knots.std() - 4) < 0.6
    bend = np.diff(np.array(gains), n=2, axis=1)
    assert (np.abs(bend) > 1e-3).mean(axis=1).max() <= 2 * 4 / 22  # straight between the knots
    same = augmentation.equalise(rng, power, spread_db=0.0)
    np.testing.assert_allclose(same, power, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n_frames=st.integers(1, 200), n_bands=st.integers(1, 64))
def test_coloured_noise_has_mean_power_one(seed, n_frames, n_bands):
    rng = np.random.default_rng(seed)
    noise = augmentation.coloured_noise(rng, n_frames=n_frames, n_bands=n_bands)
    assert noise.shape == (n_frames, n_bands) and noise.dtype == np.float32
    np.testing.assert_allclose(noise.mean(), 1, rtol=1e-4)


def test_coloured_noise_has_a_slope_within_bounds_and_is_stationary():
    rng = np.random.default_rng(3)
    slopes = []
    for _ in range(40):
        noise = augmentation.coloured_noise(rng, n_frames=2000, n_bands=16)
        band = noise.mean(axis=0)
        slopes.append(10 * np.log10(band[-1] / band[0]))
        np.testing.assert_allclose(noise[:1000].mean(axis=0), band, rtol=0.2)
        np.testing.assert_allclose(noise.std(axis=0) / band, 0.5, atol=0.08)  # 8 degrees of freedom
    assert min(slopes) > -31 and max(slopes) < 11 and np.ptp(slopes) > 20


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 90), data=st.data())
def test_a_counterexample_is_never_empty_and_never_the_call(seed, n, data):
    turn = data.draw(st.integers(0, n - 1))
    power = call(n, turn)
    other = BIRD.counterexample(
        np.random.default_rng(seed), power, landmark=turn, frequencies=FREQUENCIES
    )
    assert len(other) > 0 and other.shape[1] == FRONTEND.n_bands
    assert not (len(other) == n and np.array_equal(other, power))


def test_counterexamples_are_of_many_kinds():
    power, rng = call(80, 30), np.random.default_rng(0)
    kinds = {"shorter": 0, "as long": 0}
    for _ in range(200):
        other = BIRD.counterexample(rng, power, landmark=30, frequencies=FREQUENCIES)
        kinds["as long" if len(other) == 80 else "shorter"] += 1
        assert len(other) <= 80
    assert min(kinds.values()) > 40


# --- SpecAugment ----------------------------------------------------------------------------------


MASKS = (
    augmentation.Mask(axis=1, max_share=0.15, chance=1 / 2, least=1),
    augmentation.Mask(axis=0, max_share=0.04, chance=1 / 3, least=1),
)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), n_frames=st.integers(1, 300), n_bands=st.integers(1, 80))
def test_spec_augment_hides_neighbours_within_its_bounds(seed, n_frames, n_bands):
    power = np.random.default_rng(seed).uniform(0.1, 1, (n_frames, n_bands)).astype(np.float32)
    mean = np.exp(np.log(power).mean(axis=1, keepdims=True))
    rng = np.random.default_rng(seed)
    hidden = augmentation.spec_augment(rng, power, masks=MASKS, fill=mean)
    changed = hidden != power
    np.testing.assert_allclose(
        hidden[changed], np.broadcast_to(mean, power.shape)[changed], rtol=1e-4
    )
    bands = np.flatnonzero(changed.all(axis=0))
    frames = np.flatnonzero(changed.all(axis=1))
    if n_frames > 2 and n_bands > 2:
        assert len(bands) <= max(1, 0.15 * n_bands) and len(frames) <= max(1, 0.04 * n_frames)
        rest = changed.copy()
        rest[frames] = False
        rest[:, bands] = False
        assert not rest.any()
        for hit in (bands, frames):
            assert len(hit) == 0 or np.ptp(hit) == len(hit) - 1  # neighbours


def test_spec_augment_hides_half_and_a_third_of_the_time():
    power = np.random.default_rng(0).uniform(0.1, 1, (200, 30)).astype(np.float32)
    rng = np.random.default_rng(1)
    changed = [
        augmentation.spec_augment(rng, power, masks=MASKS, fill=0) != power for _ in range(600)
    ]
    assert abs(np.mean([c.all(axis=0).any() for c in changed]) - 1 / 2) < 0.08
    assert abs(np.mean([c.all(axis=1).any() for c in changed]) - 1 / 3) < 0.08


# --- scenes ---------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
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
    for silent in ([np.zeros((90, 24), np.float32)], [np.zeros((90, 24), np.float32), call()]):
        quiet = SceneMixer([call()], [20], [silent], FRONTEND, HELD_OUT)
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
        SceneMixer([call()], [20], [], FRONTEND)
