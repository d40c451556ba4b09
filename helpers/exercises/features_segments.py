"""The checks of 02_features: segments of one length."""

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_array, need_numbers


@check(
    "2.7",
    "segments of one length",
    "How many segments? One, and one more for every hop until the end is covered.",
    "After the first segment n - length samples are left: divide by hop and round up "
    "(`math.ceil`); a sound that is shorter than a segment needs no hop.",
    "Pad the sound with zeros to the (n_segments - 1) * hop + length samples that all segments "
    "need; then every segment is a plain slice.",
)
def segments(attempt):
    """segments(y, *, length, hop) → float (n_segments, length), the last padded with zeros."""
    rng = np.random.default_rng(27)
    for what, n, length, hop in (
        ("no remainder, without overlap", 30, 10, 10),
        ("a remainder, without overlap", 34, 10, 10),
        ("no remainder, with overlap", 30, 10, 5),
        ("a remainder, with overlap", 32, 10, 5),
        ("one sample more than fits", 11, 10, 10),
        ("a length that is no multiple of the hop", 33, 10, 4),
        ("small hops, and a remainder", 31, 10, 3),
        ("just one segment", 10, 10, 5),
        ("shorter than a segment", 6, 10, 5),
        ("much shorter than a segment", 3, 10, 5),
    ):
        y = rng.uniform(0.1, 1, n) * rng.choice([-1, 1], n)  # no zeros but those of the padding
        begins = [at for at in range(0, n, hop) if at == 0 or at - hop + length < n]
        right = np.array([[y[i] if i < n else 0 for i in range(b, b + length)] for b in begins])
        with case(f"{what} ({n} samples, length {length}, hop {hop})"):
            found = call(attempt, y, length=length, hop=hop)
            if isinstance(found, list | tuple) and len({np.shape(row) for row in found}) > 1:
                raise Wrong(
                    f"its segments have {', '.join(str(np.size(row)) for row in found)} samples: "
                    f"all need {length}, the last with zeros after the sound"
                )
            found = need_numbers(found, axes=("n_segments", "length"))
            if found.ndim == 2 and found.shape[1] == length:
                _explain_count(found, y, begins, hop)
            elif found.size == 0:
                raise Wrong("it returns no segment: even a short sound gives one")
            found = need_array(found, shape=right.shape, axes=("n_segments", "length"))
            if np.allclose(found, right):
                continue
            _explain_samples(found, right, y, begins)


def _explain_count(found, y, begins, hop):
    """Raise Wrong unless the number of segments is right."""
    n, length, count = len(y), found.shape[1], len(begins)
    have = len(found)
    told = f"it returns {have} segments, where {count} are needed"
    if have == count:
        return
    if have == 0:
        raise Wrong("it returns no segment: even a short sound gives one")
    if hop < length < n and have == -(-n // length):
        raise Wrong(f"{told}: segments begin every hop = {hop} samples, not every {length}")
    if have < count:
        rest = n - begins[have - 1] - length
        raise Wrong(f"{told}: none of them holds the last {rest} samples")
    if (found[count:] == 0).all():
        raise Wrong(f"{told}: the others hold only zeros")
    raise Wrong(f"{told}: the first {count} already hold every sample")


def _explain_samples(found, right, y, begins):
    """Raise Wrong, with what is wrong with the samples of the right number of segments."""
    wrong = np.flatnonzero(~np.isclose(found, right).all(axis=1))
    if len(wrong) == 1 and wrong[0] == len(right) - 1:
        last, length = found[-1], right.shape[1]
        inside = len(y) - begins[-1]  # samples of the sound in the last segment
        if np.allclose(last[length - inside :], right[-1, :inside]):
            if len(y) >= length and np.allclose(last, y[-length:]):
                raise Wrong(
                    f"the last segment begins at sample {len(y) - length} and ends with the sound: "
                    f"it must begin at {begins[-1]}, a hop after the one before, and end with zeros"
                )
            raise Wrong("in the last segment the zeros come first: put them after the sound")
        if np.allclose(last[:inside], right[-1, :inside]):
            if np.allclose(last[inside:], y[-1]):
                raise Wrong("it is padded with repetitions of the last sample: pad with zeros")
            raise Wrong("the last segment is padded with other values: pad with zeros")
    raise Wrong(
        f"{len(wrong)} of {len(right)} segments are wrong, the first of them segment {wrong[0]}: "
        f"it must begin at sample {begins[wrong[0]]}"
    )
