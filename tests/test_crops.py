"""helpers.crops: frames decoded once, crops from everywhere, batches that can be drawn again."""

import os
from collections import Counter

import librosa
import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import audio, augmentation, features
from helpers.augmentation import Mask
from helpers.features import ClipInput, Frontend
from helpers.training import CropBatches

MEL = Frontend(sr=8000, n_fft=256, hop_length=80, n_mels=16)
LINEAR = Frontend(sr=8000, n_fft=100, hop_length=80, n_mels=0)
INPUTS = {
    "mfcc": ClipInput(MEL, n_mfcc=12, crop_s=0.06),
    "mfcc_pooled": ClipInput(MEL, n_mfcc=12, pooled=True, crop_s=0.06),
    "spectrogram": ClipInput(LINEAR, crop_s=0.06),
    "spectrogram_pooled": ClipInput(LINEAR, pooled=True, crop_s=0.06),
}


def sound(n, seed=0):
    rng = np.random.default_rng((n, seed))
    t = np.arange(n)
    return (0.3 * np.sin(0.4 * t) + rng.normal(0, 0.05, n)).astype(np.float32)


# --- what a network is given ----------------------------------------------------------------------


def test_the_shape_of_a_crop():
    shapes = {name: form.shape for name, form in INPUTS.items()}
    assert shapes == {
        "mfcc": (6, 12),
        "mfcc_pooled": (12,),
        "spectrogram": (6, 51),
        "spectrogram_pooled": (51,),
    }
    assert ClipInput(Frontend(hop_length=200)).n_frames == 240


@pytest.mark.parametrize(
    "wrong", [{"n_mfcc": -1}, {"n_mfcc": 17}, {"frontend": LINEAR, "n_mfcc": 1}, {"crop_s": 0.004}]
)
def test_an_impossible_input_is_refused(wrong):
    with pytest.raises(ValueError, match="n_mfcc = .* are there|a crop has one frame at least"):
        ClipInput(**{"frontend": MEL, **wrong})


def test_inputs_that_differ_by_pooling_have_the_same_frames():
    kinds = {form.of_frames for form in INPUTS.values()}
    assert kinds == {INPUTS["mfcc"], INPUTS["spectrogram"]}


@pytest.mark.filterwarnings("ignore:n_fft")  # librosa's, of a sound shorter than a window
@pytest.mark.parametrize("n", [50, 800, 4321])
def test_frames_are_librosas(n):
    y = sound(n)
    mel = librosa.feature.melspectrogram(y=y, sr=8000, n_fft=256, hop_length=80, n_mels=16)
    level = librosa.power_to_db(mel, top_db=None)
    power = np.abs(librosa.stft(y, n_fft=100, hop_length=80)) ** 2
    for form, expected in (
        (INPUTS["mfcc"], librosa.feature.mfcc(S=level, n_mfcc=12)),
        (INPUTS["mfcc_pooled"], librosa.feature.mfcc(S=level, n_mfcc=12)),
        (ClipInput(MEL), level),
        (INPUTS["spectrogram"], librosa.power_to_db(power, top_db=None)),
    ):
        found = form.frames(y)
        assert found.dtype == np.float32 and found.flags.c_contiguous
        np.testing.assert_allclose(found, expected.T, rtol=0, atol=5e-3)


@settings(max_examples=30, deadline=None)
@given(shape=st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 5)), data=st.data())
def test_pooled_is_the_mean_over_time(shape, data):
    dtype = data.draw(st.sampled_from([np.float16, np.float32]))
    cut = np.random.default_rng(shape).normal(-40, 20, shape).astype(dtype)
    for part in (cut, cut[0]):
        pooled, whole = INPUTS["mfcc_pooled"].pool(part), INPUTS["mfcc"].pool(part)
        assert pooled.dtype == whole.dtype == np.float32
        np.testing.assert_allclose(pooled, part.astype(float).mean(axis=-2), rtol=1e-5)
        np.testing.assert_array_equal(whole, part)


# --- frames of files ------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    """Four files; the second is no sound, the last does not exist."""
    paths = [tmp_path / "sounds" / f"{name}.wav" for name in "cbad"]
    paths[0].parent.mkdir()
    sf.write(paths[0], sound(900), 8000)
    paths[1].write_text("this is a text")
    sf.write(paths[2], sound(2100), 8000)
    return paths


@pytest.fixture
def decoded(monkeypatch):
    """How often each file is decoded."""
    count, load = Counter(), audio.load
    monkeypatch.setattr(
        audio, "load", lambda path, **rate: count.update([path.name]) or load(path, **rate)
    )
    return count


def extract(paths, inputs, tmp_path):
    return features.extract_frames(
        paths, inputs, cache_dir=tmp_path / "cache", root=tmp_path, progress=False
    )


def test_each_file_is_decoded_once_for_all_inputs_and_then_never_again(files, tmp_path, decoded):
    good = [files[0], files[2]]
    first, errors = extract(good, INPUTS, tmp_path)
    assert decoded == {"c.wav": 1, "a.wav": 1} and errors.empty
    assert list(first) == list(INPUTS)
    again, _ = extract([str(path) for path in good[::-1]], INPUTS, tmp_path)
    longer = {name: ClipInput(g.frontend, g.n_mfcc, g.pooled, 0.1) for name, g in INPUTS.items()}
    extract(good, longer, tmp_path)  # a crop is cut later
    assert decoded == {"c.wav": 1, "a.wav": 1}
    for name in INPUTS:
        for k, part in enumerate(first[name]):
            np.testing.assert_array_equal(again[name][1 - k], part)


def test_frames_are_those_of_each_input_in_half_precision(files, tmp_path):
    frames, _ = extract([files[0], files[2]], INPUTS, tmp_path)
    for name, form in INPUTS.items():
        for path, found in zip([files[0], files[2]], frames[name], strict=True):
            expected = form.frames(audio.load(path, sr=8000))
            assert found.dtype == np.float16 and found.shape == expected.shape
            np.testing.assert_allclose(found, expected, rtol=2**-11, atol=1e-3)
    for name in ("mfcc", "spectrogram"):
        pairs = zip(frames[name], frames[f"{name}_pooled"], strict=True)
        assert all(a is b for a, b in pairs)


def test_a_bad_file_is_listed_and_ends_nothing(files, tmp_path):
    for _ in range(2):  # nor is it remembered as a good one
        frames, errors = extract(files, INPUTS, tmp_path)
        for parts in frames.values():
            assert [part is None for part in parts] == [False, True, False, True]
        assert errors["file"].tolist() == ["sounds/b.wav", "sounds/d.wav"]
        assert "text" in errors["reason"][0] and "no such file" in errors["reason"][1]
    frames, errors = extract([], INPUTS, tmp_path)
    assert frames == {name: [] for name in INPUTS} and errors.empty


def test_a_changed_file_is_seen(files, tmp_path):
    before, _ = extract(files[:1], INPUTS, tmp_path)
    stat = files[0].stat()
    sf.write(files[0], sound(900, seed=9), 8000)  # same name, same size
    os.utime(files[0], ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
    assert files[0].stat().st_size == stat.st_size
    after, _ = extract(files[:1], INPUTS, tmp_path)
    for name in INPUTS:
        assert not np.array_equal(before[name][0], after[name][0])


def test_other_inputs_are_not_mixed_up(files, tmp_path, decoded):
    both, _ = extract(files[:1], INPUTS, tmp_path)
    backwards = dict(reversed(INPUTS.items()))
    for inputs in (
        {"mfcc": INPUTS["mfcc"]},
        {"mfcc": ClipInput(MEL, n_mfcc=5)},
        {"mfcc": ClipInput(MEL)},
        backwards,
    ):
        found, _ = extract(files[:1], inputs, tmp_path)
        assert found["mfcc"][0].shape[1] == inputs["mfcc"].n_values
        n = inputs["mfcc"].n_mfcc
        if n:
            np.testing.assert_array_equal(found["mfcc"][0], both["mfcc"][0][:, :n])
    assert decoded["c.wav"] == 5


def test_two_rates_would_be_two_decodings(files, tmp_path):
    inputs = {"a": ClipInput(MEL), "b": ClipInput(Frontend(sr=16000))}
    with pytest.raises(ValueError, match=r"several rates \(\[8000, 16000\] Hz\)"):
        extract(files, inputs, tmp_path)


# --- crops ----------------------------------------------------------------------------------------


@st.composite
def sounds(draw):
    """Frames of which each differs from all others."""
    n, n_values = draw(st.integers(1, 60)), draw(st.integers(1, 3))
    dtype = draw(st.sampled_from([np.float16, np.float32, np.int16]))
    return (np.arange(n)[:, None] + 100 * np.arange(n_values)).astype(dtype)


@settings(max_examples=100, deadline=None)
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


@settings(max_examples=200, deadline=None)
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


# --- parts that are hidden ------------------------------------------------------------------------


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


def spec_augment(rng, crop, shares, *, of_each=True):
    """Two masks of the frames and two of the values, filled with a mean."""
    masks = [Mask(axis, share) for axis, share in enumerate(shares)] * 2
    fill = crop.mean(axis=0 if of_each else None)
    return augmentation.spec_augment(rng, crop, masks=masks, fill=fill)


@settings(max_examples=100, deadline=None)
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
    found = spec_augment(rng, crop, shares, of_each=of_each)
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
        where = hidden(crop, spec_augment(rng, crop, (0.2, 0.25)))
        rows, columns = rows + where[0], columns + where[1]
        largest = [max(a, mask.sum()) for a, mask in zip(largest, where, strict=True)]
    assert (rows > 0).all() and (columns > 0).all()
    assert largest == [2 * 4, 2 * 3]
    np.testing.assert_array_equal(spec_augment(rng, crop, (0, 0)), crop)


# --- batches --------------------------------------------------------------------------------------

GIVEN = ClipInput(Frontend(n_mels=3, hop_length=1600), crop_s=0.6)  # crops of 6 frames


def batches(n, form, **options):
    """Sounds of many lengths that are known by their level; each has a label of its own."""
    lengths = np.random.default_rng(n).integers(1, 20, n)
    frames = [np.full((length, 3), 10 * k, np.float16) for k, length in enumerate(lengths)]
    return CropBatches(frames, 7 * np.arange(n), form, **options)


def rows(x):
    """Which sounds a batch shows."""
    return (x.reshape(len(x), -1)[:, 0] / 10).round().astype(int)


def ramps(n=5, length=30):
    """Sounds in which each frame differs from all others."""
    return [np.arange(length)[:, None] + np.array([0, 100, 200]) + 40.0 * k for k in range(n)]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@settings(max_examples=60, deadline=None)
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
    form = ClipInput(GIVEN.frontend, pooled=pooled, crop_s=0.6)
    made = batches(n, form, batch_size=batch_size, fixed=fixed)
    for _ in range(epoch):
        made.on_epoch_end()
    drawn = [made[i] for i in range(len(made))]
    assert len(made) == -(-n // batch_size)
    for x, y in drawn:
        assert x.shape == (batch_size, *form.shape) and y.shape == (batch_size,)
        assert x.dtype == np.float32 and y.dtype == np.int32
        np.testing.assert_array_equal(y, 7 * rows(x))  # labels belong to the crops
    shown = np.concatenate([y for _, y in drawn]) // 7
    assert sorted(shown[:n]) == list(range(n))
    np.testing.assert_array_equal(shown[n:], shown[: len(shown) - n])
    if fixed:
        np.testing.assert_array_equal(shown[:n], np.arange(n))


@pytest.mark.parametrize("pooled", [False, True])
def test_a_batch_depends_on_seed_epoch_and_number_alone(pooled):
    form = ClipInput(GIVEN.frontend, pooled=pooled, crop_s=0.6)

    def of_ramps(seed=0):
        return CropBatches(ramps(12), np.arange(12), form, batch_size=4, seed=seed)

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
    made = CropBatches(frames, np.arange(3), GIVEN, batch_size=3)
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
    form = ClipInput(Frontend(n_mels=30, hop_length=1600), crop_s=2.0)
    frames = np.stack([table((20, 30), k) for k in range(8)])  # as long as a crop
    x, y = CropBatches(list(frames), np.arange(8), form, batch_size=8)[0]
    assert 0.02 < (x != frames[y]).mean() < 0.4
    x, y = CropBatches(list(frames), np.arange(8), form, batch_size=8, fixed=True)[0]
    np.testing.assert_array_equal(x, frames[y])


@pytest.mark.parametrize("length", [2, 6, 7, 30])
def test_fixed_batches_show_the_middle_and_never_change(length):
    frames = ramps(5, length=length)
    made = CropBatches(frames, np.arange(5), GIVEN, batch_size=4, seed=3, fixed=True)
    drawn = [made[i] for i in range(2)]
    made.on_epoch_end()
    assert all(same(made[i], drawn[i]) for i in range(2))
    other = CropBatches(frames, np.arange(5), GIVEN, batch_size=4, seed=4, fixed=True)
    assert same(other[1], drawn[1])
    x = np.concatenate([x for x, _ in drawn])
    first = max(0, length - 6) // 2
    for k in range(5):
        expected = np.tile(frames[k], (3, 1))[first : first + 6]
        np.testing.assert_array_equal(x[k], expected)
    assert np.concatenate([y for _, y in drawn]).tolist() == [0, 1, 2, 3, 4, 0, 1, 2]


def test_a_pooled_batch_is_the_mean_of_the_same_crops():
    pooled = ClipInput(GIVEN.frontend, pooled=True, crop_s=0.6)
    for fixed in (False, True):
        whole, mean = (
            CropBatches(ramps(9), np.arange(9), form, batch_size=4, fixed=fixed)[1]
            for form in (GIVEN, pooled)
        )
        np.testing.assert_allclose(mean[0], whole[0].mean(axis=1), rtol=1e-6)
        np.testing.assert_array_equal(mean[1], whole[1])
