"""helpers.audio.conditioning: sounds at the same level, in pieces of the same length."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from helpers import audio

SOUNDS = arrays_of.arrays(
    np.float32,
    st.integers(0, 20),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)


# --- segments -------------------------------------------------------------------------------------


@given(n=st.integers(0, 300), length=st.integers(1, 60), data=st.data())
def test_every_sample_is_in_a_segment_at_its_place(n, length, data):
    hop = data.draw(st.integers(1, length))
    y = np.arange(1, n + 1, dtype=np.float32)
    found = audio.segments(y, length=length, hop=hop)
    assert found.shape == (1 + np.ceil(max(0, n - length) / hop), length)
    assert found.dtype == y.dtype
    for k, piece in enumerate(found):
        inside = y[k * hop : k * hop + length]
        np.testing.assert_array_equal(piece[: len(inside)], inside)
        assert not piece[len(inside) :].any(), "padded with zeros"
    assert set(y) <= set(found.ravel())
    assert (found[-1] != 0).any() or n == 0, "none is padding alone"


@given(n=st.integers(1, 300), length=st.integers(1, 60))
def test_segments_end_to_end_are_the_sound(n, length):
    y = np.random.default_rng(n).normal(size=n).astype(np.float32)
    joined = audio.segments(y, length=length, hop=length).ravel()
    np.testing.assert_array_equal(joined[:n], y)
    assert not joined[n:].any() and len(joined) < n + length


def test_segments_share_no_memory_with_the_sound():
    y = np.ones(10, np.float32)
    audio.segments(y, length=4, hop=2)[:] = 0
    assert y.all()


@pytest.mark.parametrize(("length", "hop"), [(4, 5), (4, 0), (4, -1), (0, 0)])
def test_a_hop_that_loses_samples_is_refused(length, hop):
    with pytest.raises(ValueError, match=f"hop={hop}, length={length}"):
        audio.segments(np.ones(10, np.float32), length=length, hop=hop)


# --- level ----------------------------------------------------------------------------------------


def tone(n, *, sr=8000):
    return np.sin(2 * np.pi * 440 * np.arange(n) / sr).astype(np.float32)


@given(gain=st.sampled_from([1e-4, 0.03, 1.0]), rms=st.sampled_from([0.03, 0.1]))
def test_the_same_sound_near_and_far_becomes_one(gain, rms):
    y = np.concatenate([tone(4000), np.zeros(8000, np.float32), 0.1 * tone(2000)])
    before = y.copy()
    found = audio.same_loudness(gain * y, sr=8000, rms=rms)
    np.testing.assert_array_equal(y, before)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, y * rms * np.sqrt(2), rtol=1e-3, atol=1e-6)


def test_neither_pauses_nor_a_click_make_a_sound_louder_or_softer():
    tenth = tone(800)
    alone = audio.same_loudness(tenth, sr=8000)
    padded = audio.same_loudness(np.pad(tenth, (0, 72000)), sr=8000)
    np.testing.assert_allclose(padded[:800], alone, rtol=1e-5)
    clicked = 0.02 * tone(8000)
    clicked[4000] = 0.5
    found = audio.same_loudness(clicked, sr=8000)
    by_peak = 0.95 * clicked / np.abs(clicked).max()
    assert np.abs(found[:2000]).max() > 2 * np.abs(by_peak[:2000]).max()


@given(y=SOUNDS)
@example(y=np.array([1e-45, 0], np.float32))  # the least number above 0
def test_silence_stays_silence_and_nothing_passes_full_scale(y):
    found = audio.same_loudness(y, sr=100)
    assert found.shape == y.shape and (np.abs(found) <= 1).all()
    if not y.any():
        assert not found.any()
