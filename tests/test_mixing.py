"""helpers.mixing: mixes say what is heard in them, and no clip is seen the same way twice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import augmentation, features, training
from helpers.features import Frontend

GIVEN = features.ClipInput(Frontend(sr=8000, n_fft=256, hop_length=80, n_mels=16), crop_s=0.2)
N = GIVEN.n_frames
CHANGES = ("mixed", "warped", "equaliser_db", "shifted", "hidden")
ON = {"mixed": 1.0, "warped": 1.0, "equaliser_db": 4.0, "shifted": True, "hidden": 0.3}

NONE = augmentation.Augmentation(
    mixed=0, warped=0, pitch_octaves=0, stretch_octaves=0, equaliser_db=0, shifted=False, hidden=0
)


def clips(*lengths):
    """Decibels of noise with a tilt over time and bands, like `features.extract_frames`."""
    rng = np.random.default_rng(1)
    tilt = np.linspace(-20, 0, 16)
    return [
        (rng.normal(-40, 5, (n, 16)) + tilt + np.linspace(0, 9, n)[:, None]).astype(np.float16)
        for n in lengths
    ]


def batches(frames, **options):
    labels = np.arange(len(frames)) % 3
    settings = {"n_classes": 3, "batch_size": 4, "seed": 5, **options}
    return training.MixedBatches(frames, labels, GIVEN, **settings)


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


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(0, 100))
def test_weights_are_one_in_the_mean_and_fall_with_the_size_of_class_and_source(labels, seed):
    groups = np.random.default_rng(seed).integers(0, 5, len(labels))
    weights = training.clip_weights(np.array(labels), groups)
    assert weights.mean() == pytest.approx(1)
    sizes = [
        np.sqrt(labels.count(k) * np.sum(groups == g)) for k, g in zip(labels, groups, strict=True)
    ]
    assert np.ptp(weights * sizes) < 1e-9


def test_a_source_ten_times_as_large_weighs_about_three_times_as_much_in_sum():
    weights = training.clip_weights(np.zeros(11, int), ["a"] * 10 + ["b"])
    assert weights[:10].sum() / weights[10] == pytest.approx(np.sqrt(10))


@given(st.lists(st.integers(1, 60), min_size=2, max_size=9), st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_batches_have_one_shape_and_labels_that_add_up_to_one(lengths, batch_size):
    drawn = batches(clips(*lengths), batch_size=batch_size)
    for i in range(len(drawn)):
        x, y, weight = drawn[i]
        assert x.shape == (batch_size, N, 16) and x.dtype == y.dtype == weight.dtype == np.float32
        assert np.isfinite(x).all() and (y >= 0).all()
        np.testing.assert_allclose(y.sum(axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(weight, 1, atol=1e-6)


def test_a_batch_can_be_drawn_again_and_differs_from_epoch_to_epoch():
    one, other = batches(clips(30, 40, 10, 50)), batches(clips(30, 40, 10, 50))
    for a, b in zip(one[0], other[0], strict=True):
        np.testing.assert_array_equal(a, b)
    other.on_epoch_end()
    assert np.abs(one[0][0] - other[0][0]).max() > 1


def test_an_epoch_shows_every_clip_once():
    frames = [np.full((N, 16), -10.0 * k, np.float16) for k in range(8)]
    drawn = batches(frames, augmentation=NONE)
    levels = np.concatenate([drawn[i][0].mean(axis=(1, 2)) for i in range(len(drawn))])
    np.testing.assert_allclose(np.sort(levels), -10.0 * np.arange(8)[::-1], atol=0.1)


def test_without_augmentation_a_clip_of_the_right_length_is_as_it_is():
    frames = clips(N, N, N, N)
    drawn = batches(frames, augmentation=NONE)
    rows, _ = drawn.rows(0)
    x, y, _ = drawn[0]
    np.testing.assert_allclose(x, np.stack([frames[row] for row in rows]), atol=0.01)
    np.testing.assert_array_equal(y.argmax(axis=1), rows % 3)


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_changes_something_and_only_mixing_the_label(change):
    only = {name: ON[name] * (name == change) for name in CHANGES}
    frames = clips(N, N, N, N)
    drawn = batches(frames, augmentation=augmentation.Augmentation(**only))
    changed, soft = 0, 0
    for _ in range(5):
        rows, _ = drawn.rows(0)
        x, y, _ = drawn[0]
        distance = np.abs(x - np.stack([frames[row] for row in rows])).max(axis=(1, 2))
        changed, soft = changed + (distance > 0.5).sum(), soft + (y.max(axis=1) < 1).sum()
        drawn.on_epoch_end()
    assert changed > 15  # of 20: a change may by chance be none
    assert (soft > 0) == (change == "mixed")


def test_a_shift_keeps_all_frames():
    frames = [np.repeat(np.arange(N, dtype=np.float16)[:, None] - 50, 16, axis=1)]
    only = augmentation.Augmentation(mixed=0, warped=0, equaliser_db=0, hidden=0)
    drawn = training.MixedBatches(frames, [0], GIVEN, n_classes=1, augmentation=only, batch_size=1)
    firsts = set()
    for _ in range(40):
        x, _, _ = drawn[0]
        np.testing.assert_allclose(np.sort(x[0, :, 0]), frames[0][:, 0], atol=0.05)
        firsts.add(round(float(x[0, 0, 0])))
        drawn.on_epoch_end()
    assert len(firsts) > N // 2


def test_the_weight_of_a_clip_goes_through_a_mix_as_its_label_does():
    frames = clips(N, N)
    only = augmentation.Augmentation(mixed=1.0, warped=0, equaliser_db=0, hidden=0)
    drawn = training.MixedBatches(
        frames, [0, 1], GIVEN, n_classes=2, augmentation=only, weights=[0.5, 1.5], batch_size=2
    )
    for _ in range(5):
        _, y, weight = drawn[0]
        np.testing.assert_allclose(weight, y @ [0.5, 1.5], rtol=1e-5)
        drawn.on_epoch_end()


def test_fixed_batches_are_the_middle_of_each_clip_in_order():
    frames = clips(N, 3 * N, N // 2, N)
    drawn = batches(frames, fixed=True)
    x, y, _ = drawn[0]
    np.testing.assert_array_equal(y.argmax(axis=1), [0, 1, 2, 0])
    np.testing.assert_allclose(x[1], frames[1][N : 2 * N], atol=0.01)
    np.testing.assert_allclose(x[2], np.resize(frames[2], (N, 16)), atol=0.01)
