"""augmentation: pure functions of a generator; crops, masks, mixup."""

import inspect
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_scenes import FRONTEND, marked_call

from helpers import augmentation, detection
from helpers.augmentation import Mask

BIRD = detection.CAPUCHINBIRD
FREQUENCIES = FRONTEND.frequencies

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
@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_pure_functions_of_the_generator(name, seed):
    function, power = FUNCTIONS[name], marked_call()
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
        results = {function(rng, marked_call()).tobytes() for _ in range(30)}
        assert len(results) > 10, name


# --- warp -----------------------------------------------------------------------------------------


def test_warp_by_one_is_the_identity():
    np.testing.assert_array_equal(
        augmentation.warp(marked_call(), frequencies=FREQUENCIES), marked_call()
    )


@settings(max_examples=60)
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


@settings(max_examples=60)
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
    power, gains = marked_call(), []
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


@settings(max_examples=40)
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


# --- SpecAugment ----------------------------------------------------------------------------------


MASKS = (
    augmentation.Mask(axis=1, max_share=0.15, probability=1 / 2, min_size=1),
    augmentation.Mask(axis=0, max_share=0.04, probability=1 / 3, min_size=1),
)


@settings(max_examples=100)
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


def table(size, seed):
    """Values none of which is the mean of its column: whole numbers, but for the first row."""
    n = size[0] * size[1]
    whole = np.random.default_rng(seed).permutation(n).reshape(size) - n // 2
    whole = whole.astype(np.float32)
    whole[0] += np.float32(np.sqrt(2))
    return whole


def hidden(before, after):
    """(frames, values) that are hidden as a whole: two bool arrays."""
    changed = before != after
    return changed.all(axis=1), changed.all(axis=0)


def two_masks_each(rng, crop, shares, *, of_each=True):
    """Two masks of the frames and two of the values, filled with a mean."""
    masks = [Mask(axis, share) for axis, share in enumerate(shares)] * 2
    fill = crop.mean(axis=0 if of_each else None)
    return augmentation.spec_augment(rng, crop, masks=masks, fill=fill)


@settings(max_examples=100)
@given(
    size=st.tuples(st.integers(2, 40), st.integers(2, 30)),
    shares=st.tuples(st.floats(0, 0.4), st.floats(0, 0.4)),
    of_each=st.booleans(),
    seed=st.integers(0, 999),
)
def test_spec_augment_hides_at_most_what_it_says_and_nothing_else(size, shares, of_each, seed):
    crop = table(size, seed)
    before = crop.copy()
    rng = np.random.default_rng(seed)
    found = two_masks_each(rng, crop, shares, of_each=of_each)
    np.testing.assert_array_equal(crop, before)
    assert found.dtype == np.float32 and found.shape == size
    assert not np.shares_memory(found, crop)
    rows, columns = hidden(before, found)
    at = rows[:, None] | columns[None]
    np.testing.assert_array_equal(found[~at], before[~at])
    mean = before.astype(float).mean(axis=0 if of_each else None)
    mean = np.broadcast_to(mean, size)
    np.testing.assert_allclose(found[at], mean[at], rtol=1e-5, atol=1e-3)
    for mask, share in ((rows, shares[0]), (columns, shares[1])):
        assert mask.sum() <= 2 * int(share * len(mask))
        begins = np.diff(mask.astype(int), prepend=0) == 1
        assert begins.sum() <= 2  # neighbours, twice


def test_spec_augment_reaches_everything_and_its_limits():
    crop = table((20, 12), 0)
    rng, rows, columns, largest = np.random.default_rng(1), 0, 0, [0, 0]
    for _ in range(300):
        where = hidden(crop, two_masks_each(rng, crop, (0.2, 0.25)))
        rows, columns = rows + where[0], columns + where[1]
        largest = [max(a, mask.sum()) for a, mask in zip(largest, where, strict=True)]
    assert (rows > 0).all() and (columns > 0).all()
    assert largest == [2 * 4, 2 * 3]
    np.testing.assert_array_equal(two_masks_each(rng, crop, (0, 0)), crop)


# --- crops ----------------------------------------------------------------------------------------


@st.composite
def sounds(draw):
    """Frames of which each differs from all others."""
    n, n_values = draw(st.integers(1, 60)), draw(st.integers(1, 3))
    dtype = draw(st.sampled_from([np.float16, np.float32, np.int16]))
    return (np.arange(n)[:, None] + 100 * np.arange(n_values)).astype(dtype)


@settings(max_examples=100)
@given(frames=sounds(), n_frames=st.integers(1, 40), seed=st.integers(0, 99))
def test_a_random_crop_is_a_stretch_of_the_repeated_sound(frames, n_frames, seed):
    before = frames.copy()
    cut = augmentation.random_crop(np.random.default_rng(seed), frames, n_frames)
    assert cut.shape == (n_frames, frames.shape[1]) and cut.dtype == frames.dtype
    start = int(cut[0, 0])
    assert start <= max(0, len(frames) - n_frames)  # a short sound is repeated from its beginning
    np.testing.assert_array_equal(cut, np.tile(before, (41, 1))[start : start + n_frames])
    assert np.shares_memory(cut, frames) == (len(frames) >= n_frames)
    np.testing.assert_array_equal(frames, before)
    again = augmentation.random_crop(np.random.default_rng(seed), frames, n_frames)
    np.testing.assert_array_equal(again, cut)


@pytest.mark.parametrize(("n", "n_frames"), [(4, 4), (5, 4), (12, 5), (3, 7)])
def test_every_start_is_reached_and_as_often_as_any_other(n, n_frames):
    rng, frames = np.random.default_rng(0), np.arange(n)
    starts = Counter(int(augmentation.random_crop(rng, frames, n_frames)[0]) for _ in range(1600))
    places = max(1, n - n_frames + 1)
    assert set(starts) == set(range(places))
    expected = 1600 / places
    assert all(abs(count - expected) < 4 * np.sqrt(expected) for count in starts.values())


@settings(max_examples=200)
@given(frames=sounds(), n_frames=st.integers(1, 40))
def test_even_crops_cover_every_frame_and_overlap_by_half(frames, n_frames):
    before = frames.copy()
    cut = augmentation.even_crops(frames, n_frames)
    np.testing.assert_array_equal(frames, before)
    assert cut.shape[1:] == (n_frames, frames.shape[1]) and cut.dtype == frames.dtype
    repeated = np.tile(frames, (41, 1))
    starts = cut[:, 0, 0].astype(int)
    for start, one in zip(starts, cut, strict=True):
        np.testing.assert_array_equal(one, repeated[start : start + n_frames])
    spare = max(0, len(frames) - n_frames)
    assert starts[0] == 0 and starts[-1] == spare
    assert len(cut) == 1 + int(np.ceil(spare / (n_frames / 2)))  # no more than that takes
    steps = np.diff(starts)
    assert (steps <= (n_frames + 1) // 2).all()  # half of an odd length is not a whole number
    assert len(steps) == 0 or np.ptp(steps) <= 1  # evenly
    np.testing.assert_array_equal(np.unique(cut), np.unique(frames))


# --- mixup ----------------------------------------------------------------------------------------


@given(st.floats(0, 1), st.integers(0, 1000))
def test_a_mix_has_the_proportion_of_its_label(share, seed):
    rng = np.random.default_rng(seed)
    a, b = 5 * rng.gamma(1, 1, (2, 30, 16))
    label = np.eye(2)
    power, mixed = augmentation.mixup(a, b, *label, share=share)
    np.testing.assert_allclose(mixed, [share, 1 - share])
    loud, faint = a / augmentation.loudness(a), b / augmentation.loudness(b)
    np.testing.assert_allclose(power, share**2 * loud + (1 - share) ** 2 * faint)


@given(st.floats(0.1, 10), st.floats(0, 1))
def test_the_level_of_a_clip_does_not_matter_in_a_mix(gain, share):
    a, b = np.random.default_rng(0).gamma(1, 1, (2, 30, 16))
    quiet, _ = augmentation.mixup(a, b, 0, 1, share=share)
    loud, _ = augmentation.mixup(gain * a, b, 0, 1, share=share)
    np.testing.assert_allclose(quiet, loud, rtol=1e-6)
