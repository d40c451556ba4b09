"""training.batches: batches that can be drawn again, labels of mixes, targets at landmarks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_scenes import EASY_FRONTEND, easy_mixer

from helpers import augmentation, env, features, models, training
from helpers.features import ClipInput, Frontend
from helpers.training import CropBatches, SceneBatches
from helpers.training.batches import CALL_WEIGHT

# --- crops ----------------------------------------------------------------------------------------

CLIP_INPUT = ClipInput(Frontend(n_mels=3, hop_length=1600), crop_s=0.6)  # crops of 6 frames


def batches(n, clip_input, **options):
    """Sounds of many lengths that are known by their level; each has a label of its own."""
    lengths = np.random.default_rng(n).integers(1, 20, n)
    frames = [np.full((length, 3), 10 * k, np.float16) for k, length in enumerate(lengths)]
    return CropBatches(frames, 7 * np.arange(n), clip_input, **options)


def rows(x):
    """Which sounds a batch shows."""
    return (x.reshape(len(x), -1)[:, 0] / 10).round().astype(int)


def table(size, seed):
    """Values none of which is the mean of its column: whole numbers, but for the first row."""
    n = size[0] * size[1]
    whole = np.random.default_rng(seed).permutation(n).reshape(size) - n // 2
    whole = whole.astype(np.float32)
    whole[0] += np.float32(np.sqrt(2))
    return whole


def ramps(n=5, length=30):
    """Sounds in which each frame differs from all others."""
    return [np.arange(length)[:, None] + np.array([0, 100, 200]) + 40.0 * k for k in range(n)]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@settings(max_examples=60)
@given(
    n=st.integers(1, 40),
    batch_size=st.integers(1, 12),
    epoch=st.integers(0, 3),
    fixed=st.booleans(),
    pooled=st.booleans(),
)
def test_an_epoch_shows_each_sound_once_and_fills_the_last_batch_up(
    n, batch_size, epoch, fixed, pooled
):
    clip_input = ClipInput(CLIP_INPUT.frontend, pooled=pooled, crop_s=0.6)
    made = batches(n, clip_input, batch_size=batch_size, fixed=fixed)
    for _ in range(epoch):
        made.on_epoch_end()
    drawn = [made[i] for i in range(len(made))]
    assert len(made) == -(-n // batch_size)
    for x, y in drawn:
        assert x.shape == (batch_size, *clip_input.shape) and y.shape == (batch_size,)
        assert x.dtype == np.float32 and y.dtype == np.int32
        np.testing.assert_array_equal(y, 7 * rows(x))  # labels belong to the crops
    shown = np.concatenate([y for _, y in drawn]) // 7
    assert sorted(shown[:n]) == list(range(n))
    np.testing.assert_array_equal(shown[n:], shown[: len(shown) - n])
    if fixed:
        np.testing.assert_array_equal(shown[:n], np.arange(n))


@pytest.mark.parametrize("pooled", [False, True])
def test_a_batch_depends_on_seed_epoch_and_number_alone(pooled):
    clip_input = ClipInput(CLIP_INPUT.frontend, pooled=pooled, crop_s=0.6)

    def of_ramps(seed=0):
        return CropBatches(ramps(12), np.arange(12), clip_input, batch_size=4, seed=seed)

    first, again = of_ramps(), of_ramps()
    drawn = [first[i] for i in range(3)]
    assert all(same(again[i], drawn[i]) for i in (2, 0, 1, 0))  # in any order
    assert not any(same(of_ramps(seed=1)[i], drawn[i]) for i in range(3))
    first.on_epoch_end()
    second = [first[i] for i in range(3)]
    assert not any(np.array_equal(a[0], b[0]) for a in second for b in drawn)
    again.on_epoch_end()
    assert all(same(again[i], second[i]) for i in range(3))


def test_the_crops_of_a_sound_come_from_everywhere_and_the_sound_stays():
    frames = ramps(3, length=12)
    before = [part.copy() for part in frames]
    made = CropBatches(frames, np.arange(3), CLIP_INPUT, batch_size=3)
    starts = {0: set(), 1: set(), 2: set()}
    orders = set()
    for _ in range(60):
        x, y = made[0]
        orders.add(tuple(y.tolist()))
        for crop, k in zip(x, y, strict=True):
            # 6 frames and 3 values are too few for a tenth of them to be hidden.
            start = int(crop[0, 0] - 40 * k)
            np.testing.assert_array_equal(crop, before[k][start : start + 6])
            starts[int(k)].add(start)
        made.on_epoch_end()
    assert all(found == set(range(7)) for found in starts.values()) and len(orders) == 6
    assert all(np.array_equal(a, b) for a, b in zip(frames, before, strict=True))


def test_training_crops_have_hidden_parts_and_fixed_ones_have_none():
    clip_input = ClipInput(Frontend(n_mels=30, hop_length=1600), crop_s=2.0)
    frames = np.stack([table((20, 30), k) for k in range(8)])  # as long as a crop
    x, y = CropBatches(list(frames), np.arange(8), clip_input, batch_size=8)[0]
    assert 0.02 < (x != frames[y]).mean() < 0.4
    x, y = CropBatches(list(frames), np.arange(8), clip_input, batch_size=8, fixed=True)[0]
    np.testing.assert_array_equal(x, frames[y])


@pytest.mark.parametrize("length", [2, 6, 7, 30])
def test_fixed_batches_show_the_middle_and_never_change(length):
    frames = ramps(5, length=length)
    made = CropBatches(frames, np.arange(5), CLIP_INPUT, batch_size=4, seed=3, fixed=True)
    drawn = [made[i] for i in range(2)]
    made.on_epoch_end()
    assert all(same(made[i], drawn[i]) for i in range(2))
    other = CropBatches(frames, np.arange(5), CLIP_INPUT, batch_size=4, seed=4, fixed=True)
    assert same(other[1], drawn[1])
    x = np.concatenate([x for x, _ in drawn])
    first = max(0, length - 6) // 2
    for k in range(5):
        expected = np.tile(frames[k], (3, 1))[first : first + 6]
        np.testing.assert_array_equal(x[k], expected)
    assert np.concatenate([y for _, y in drawn]).tolist() == [0, 1, 2, 3, 4, 0, 1, 2]


def test_a_pooled_batch_is_the_mean_of_the_same_crops():
    pooled = ClipInput(CLIP_INPUT.frontend, pooled=True, crop_s=0.6)
    for fixed in (False, True):
        whole, mean = (
            CropBatches(ramps(9), np.arange(9), clip_input, batch_size=4, fixed=fixed)[1]
            for clip_input in (CLIP_INPUT, pooled)
        )
        np.testing.assert_allclose(mean[0], whole[0].mean(axis=1), rtol=1e-6)
        np.testing.assert_array_equal(mean[1], whole[1])


# --- mixed clips ----------------------------------------------------------------------------------

MEL_INPUT = features.ClipInput(Frontend(sr=8000, n_fft=256, hop_length=80, n_mels=16), crop_s=0.2)
N = MEL_INPUT.n_frames
CHANGES = ("mixup_share", "warp_share", "equaliser_db", "circular_shift", "mask_share")
ON = {
    "mixup_share": 1.0,
    "warp_share": 1.0,
    "equaliser_db": 4.0,
    "circular_shift": True,
    "mask_share": 0.3,
}

NONE = augmentation.Augmentation(
    mixup_share=0,
    warp_share=0,
    pitch_octaves=0,
    stretch_octaves=0,
    equaliser_db=0,
    circular_shift=False,
    mask_share=0,
)


def clips(*lengths):
    """Decibels of noise with a tilt over time and bands, like `features.extract_frames`."""
    rng = np.random.default_rng(1)
    tilt = np.linspace(-20, 0, 16)
    return [
        (rng.normal(-40, 5, (n, 16)) + tilt + np.linspace(0, 9, n)[:, None]).astype(np.float16)
        for n in lengths
    ]


def mixed(frames, **options):
    labels = np.arange(len(frames)) % 3
    settings = {"n_classes": 3, "batch_size": 4, "seed": 5, **options}
    return training.MixedBatches(frames, labels, MEL_INPUT, **settings)


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
@settings(max_examples=25)
def test_batches_have_one_shape_and_labels_that_add_up_to_one(lengths, batch_size):
    drawn = mixed(clips(*lengths), batch_size=batch_size)
    for i in range(len(drawn)):
        x, y, weight = drawn[i]
        assert x.shape == (batch_size, N, 16) and x.dtype == y.dtype == weight.dtype == np.float32
        assert np.isfinite(x).all() and (y >= 0).all()
        np.testing.assert_allclose(y.sum(axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(weight, 1, atol=1e-6)


def test_a_batch_can_be_drawn_again_and_differs_from_epoch_to_epoch():
    one, other = mixed(clips(30, 40, 10, 50)), mixed(clips(30, 40, 10, 50))
    for a, b in zip(one[0], other[0], strict=True):
        np.testing.assert_array_equal(a, b)
    other.on_epoch_end()
    assert np.abs(one[0][0] - other[0][0]).max() > 1


def test_an_epoch_shows_every_clip_once():
    frames = [np.full((N, 16), -10.0 * k, np.float16) for k in range(8)]
    drawn = mixed(frames, augmentation=NONE)
    levels = np.concatenate([drawn[i][0].mean(axis=(1, 2)) for i in range(len(drawn))])
    np.testing.assert_allclose(np.sort(levels), -10.0 * np.arange(8)[::-1], atol=0.1)


def test_without_augmentation_a_clip_of_the_right_length_is_as_it_is():
    frames = clips(N, N, N, N)
    drawn = mixed(frames, augmentation=NONE)
    rows = drawn.rows(0)
    x, y, _ = drawn[0]
    np.testing.assert_allclose(x, np.stack([frames[row] for row in rows]), atol=0.01)
    np.testing.assert_array_equal(y.argmax(axis=1), rows % 3)


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_changes_something_and_only_mixing_the_label(change):
    only = {name: ON[name] * (name == change) for name in CHANGES}
    frames = clips(N, N, N, N)
    drawn = mixed(frames, augmentation=augmentation.Augmentation(**only))
    changed, soft = 0, 0
    for _ in range(5):
        rows = drawn.rows(0)
        x, y, _ = drawn[0]
        distance = np.abs(x - np.stack([frames[row] for row in rows])).max(axis=(1, 2))
        changed, soft = changed + (distance > 0.5).sum(), soft + (y.max(axis=1) < 1).sum()
        drawn.on_epoch_end()
    assert changed > 15  # of 20: a change may by chance be none
    assert (soft > 0) == (change == "mixup_share")


def test_a_shift_keeps_all_frames():
    frames = [np.repeat(np.arange(N, dtype=np.float16)[:, None] - 50, 16, axis=1)]
    only = augmentation.Augmentation(mixup_share=0, warp_share=0, equaliser_db=0, mask_share=0)
    drawn = training.MixedBatches(
        frames, [0], MEL_INPUT, n_classes=1, augmentation=only, batch_size=1
    )
    firsts = set()
    for _ in range(40):
        x, _, _ = drawn[0]
        np.testing.assert_allclose(np.sort(x[0, :, 0]), frames[0][:, 0], atol=0.05)
        firsts.add(round(float(x[0, 0, 0])))
        drawn.on_epoch_end()
    assert len(firsts) > N // 2


def test_the_weight_of_a_clip_goes_through_a_mix_as_its_label_does():
    frames = clips(N, N)
    only = augmentation.Augmentation(mixup_share=1.0, warp_share=0, equaliser_db=0, mask_share=0)
    drawn = training.MixedBatches(
        frames, [0, 1], MEL_INPUT, n_classes=2, augmentation=only, weights=[0.5, 1.5], batch_size=2
    )
    for _ in range(5):
        _, y, weight = drawn[0]
        np.testing.assert_allclose(weight, y @ [0.5, 1.5], rtol=1e-5)
        drawn.on_epoch_end()


def test_fixed_batches_are_the_middle_of_each_clip_in_order():
    frames = clips(N, 3 * N, N // 2, N)
    drawn = mixed(frames, fixed=True)
    x, y, _ = drawn[0]
    np.testing.assert_array_equal(y.argmax(axis=1), [0, 1, 2, 0])
    np.testing.assert_allclose(x[1], frames[1][N : 2 * N], atol=0.01)
    np.testing.assert_allclose(x[2], np.resize(frames[2], (N, 16)), atol=0.01)


# --- scenes ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    env.seed_everything(0)
    return models.call_network(17, width=4, dropout=0.1)


def scenes(network, **changes):
    return SceneBatches(
        changes.pop("mixer", None) or easy_mixer(),
        network,
        **{"n_batches": 4, "batch_size": 3, "n_steps": 20, **changes},
    )


def test_a_batch_fits_its_network(network):
    made = scenes(network)
    assert len(made) == 4
    power, target, weight = made[0]
    frames, stride = models.receptive_field(network)
    assert power.shape == (3, frames + 19 * stride, 17)
    assert target.shape == (3, 20, 1) == network.predict_on_batch(power).shape
    assert weight.shape == (3, 20)
    assert all(x.dtype == np.float32 for x in (power, target, weight))
    assert set(np.unique(target)) == {0, 1}
    assert ((weight == CALL_WEIGHT) == (target[..., 0] == 1)).all()
    assert set(np.unique(weight)) <= {0, 1, CALL_WEIGHT}


def test_a_scene_batch_depends_on_seed_epoch_and_number_alone(network):
    first, again = scenes(network), scenes(network)
    drawn = [first[i] for i in range(4)]
    assert all(same(again[i], drawn[i]) for i in (3, 1, 0, 2))  # in any order
    assert not any(same(drawn[i], drawn[j]) for i in range(4) for j in range(i))
    assert not same(scenes(network, seed=1)[0], drawn[0])
    first.on_epoch_end()
    second = [first[i] for i in range(4)]
    assert not any(same(a, b) for a in second for b in drawn)
    again.on_epoch_end()
    assert all(same(again[i], second[i]) for i in range(4))


def test_fixed_batches_repeat_and_hide_nothing(network):
    made = scenes(network, fixed=True)
    before = made[2]
    made.on_epoch_end()
    assert same(made[2], before)
    n_frames = before[0].shape[1]
    scene, _ = made.mixer.scene(np.random.default_rng((0, 0, 2)), n_frames=n_frames)
    np.testing.assert_array_equal(before[0][0], scene)


class OneScene:
    """A mixer of nothing but one scene, with landmarks where it is told."""

    def __init__(self, turns, frontend=EASY_FRONTEND):
        self.turns, self.frontend = turns, frontend

    def scene(self, rng, *, n_frames):
        return np.ones((n_frames, 17), np.float32), self.turns


@pytest.mark.parametrize("turns", [[120], [133.3], [100, 200], [48, 244], [130, 133], []])
def test_targets_stand_at_the_landmarks_and_their_surroundings_weigh_nothing(network, turns):
    _, target, weight = scenes(network, n_steps=50, mixer=OneScene(turns), fixed=True)[0]
    frames, stride = models.receptive_field(network)
    middle = (frames - 1) / 2 + stride * np.arange(50)  # what each step looks at
    for turn in turns:
        assert target[0, np.abs(middle - turn).argmin(), 0] == 1
    away_s = np.min([np.full(50, 99), *(np.abs(middle - t) for t in turns)], axis=0)
    away_s = away_s * EASY_FRONTEND.hop_s
    assert (target[0, away_s > 0.13, 0] == 0).all() and (target[0, away_s < 0.09, 0] == 1).all()
    assert (weight[0, (away_s > 0.13) & (away_s < 0.39)] == 0).all()
    assert (weight[0, away_s > 0.41] == 1).all()


@settings(max_examples=30)
@given(hop_length=st.integers(64, 1000), turn=st.floats(48, 244))
def test_every_call_has_a_target_however_coarse_the_steps(network, hop_length, turn):
    scene = OneScene([turn], Frontend(n_mels=17, hop_length=hop_length))
    _, target, _ = scenes(network, n_steps=50, mixer=scene, fixed=True)[0]
    assert 1 <= target[0].sum() <= 2 + 0.2 / (4 * scene.frontend.hop_s)


def test_landmarks_outside_a_scene_make_no_targets(network):
    _, target, weight = scenes(network, n_steps=50, mixer=OneScene([-500.0, 9e3]), fixed=True)[0]
    assert target.max() == 0 and weight.min() == 1


def test_targets_lie_where_the_sound_is(network):
    """In the scene itself: at a target the low bands end and the high ones begin."""
    found = 0
    for i in range(4):
        power, target, _ = scenes(network, n_steps=50, mixer=easy_mixer(touching=0.0), fixed=True)[
            i
        ]
        frames, stride = models.receptive_field(network)
        for scene, at_call in zip(power, target[..., 0], strict=True):
            for step in np.flatnonzero(at_call):
                at = (frames - 1) // 2 + stride * step
                low, high = scene[:, 2:5].sum(axis=1), scene[:, 10:13].sum(axis=1)
                assert low[at - 8] > high[at - 8] and high[at + 8] > low[at + 8]
                found += 1
    assert found > 5
