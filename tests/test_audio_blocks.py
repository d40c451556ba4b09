"""audio.blocks: blocks that do not depend on how the stream was cut."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from helpers import audio


@given(
    n=st.integers(0, 60),
    step=st.integers(1, 9),
    overlap=st.integers(0, 9),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_any_cut_gives_the_same_blocks(n, step, overlap, cuts):
    stream = np.arange(2 * n).reshape(n, 2)
    size = step + overlap
    pieces = np.split(stream, sorted(min(cut, n) for cut in cuts))
    blocks = list(audio.reblock(iter(pieces), size=size, step=step))
    starts = range(0, n - size + 1, step)
    rest = stream[len(starts) * step :]
    expected = [stream[start : start + size] for start in starts] + [rest] * bool(len(rest))
    assert len(blocks) == len(expected)
    for block, other in zip(blocks, expected, strict=True):
        np.testing.assert_array_equal(block, other)


def test_blocks_come_as_soon_as_they_are_full():
    asked = []

    def pieces():
        for k in range(6):
            asked.append(k)
            yield np.full(2, k)

    blocks = audio.reblock(pieces(), size=4)
    assert next(blocks).tolist() == [0, 0, 1, 1] and asked == [0, 1]
    assert next(blocks).tolist() == [2, 2, 3, 3] and asked == [0, 1, 2, 3]
