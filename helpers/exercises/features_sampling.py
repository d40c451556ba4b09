"""The checks of 02_features: aliasing, quantisation."""

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_array, need_number, say_first


@check(
    "2.1",
    "the frequency that is heard",
    "Up to sr / 2 a tone keeps its frequency. From sr / 2 to sr, the heard frequency falls to 0.",
    "A tone of f + sr Hz gives the same samples as one of f Hz: begin with f modulo sr.",
    "The result r lies between 0 and sr. Tones of r Hz and of sr - r Hz give the same samples: you "
    "hear the lower one.",
)
def heard_frequency(attempt):
    """heard_frequency(f, *, sr) → float, Hz, 0 … sr / 2."""
    for f, sr in (
        (1000.0, 8000),
        (0.0, 8000),
        (4000.0, 8000),
        (5000.0, 8000),
        (8000.0, 8000),
        (9000.0, 8000),
        (21000.0, 8000),
        (35000.5, 22050),
        (101000.0, 44100),
    ):
        right = min(abs(f - k * sr) for k in range(int(f // sr) + 2))
        where = f"a tone of {f:g} Hz, sampled at {sr} Hz"
        with case(where):
            found = call(attempt, f, sr=sr)
            found = need_number(found, what="a frequency in Hz")
        if abs(found - right) < 1e-6 * sr:
            continue
        told = f"{where}: it returns {found:g} Hz, where {right:g} Hz is heard"
        half, close = sr / 2, 1e-6 * sr
        say_first(
            (abs(found + right) < close, "a frequency that is heard has no minus sign"),
            (found < 0, "a frequency that is heard is never negative"),
            (f <= half, f"up to sr / 2 = {half:g} Hz a tone keeps its frequency"),
            (found > half and f < sr, f"the samples hold nothing above sr / 2 = {half:g} Hz. "
             "Higher frequencies are mirrored at sr / 2"),
            (found > half, f"it is still above sr / 2 = {half:g} Hz. One fold is not enough: the "
             "heard frequency rises and falls again with every sr"),
            (abs(found - half) < close / 2, "higher tones are mirrored at sr / 2, not cut to it"),
            (abs(found - f % half) < close, "above sr / 2 the heard frequency falls; it does not "
             "start again at 0"),
            (True, "fold the frequency at sr / 2 and at 0"),
            told=f"{told}: ",
        )  # fmt: skip


@check(
    "2.2",
    "a few bits per sample",
    "How far apart are the levels? 2**bits levels share the range from -1 to 1.",
    "In units of 1 / 2**(bits - 1), the levels are whole numbers: round to these.",
    "Half of the levels lie below 0 and one is 0, so the highest is one step below 1: clip the "
    "whole numbers (`np.clip`) before you scale them back to ±1.",
)
def quantise(attempt):
    """quantise(y, *, bits) → float (n,), multiples of 1 / 2**(bits - 1), -1 … one step below 1."""
    rng = np.random.default_rng(22)
    for bits, dtype in ((3, float), (8, float), (16, np.float32)):
        half = 1 << (bits - 1)
        levels = np.arange(-half, half) / half
        # Never half-way between two levels, where both would be right.
        y = rng.choice(levels, 400) + rng.uniform(-0.45, 0.45, 400) / half
        y[:5] = 0.0, 1.0, -1.0, 1.3, -1.7
        y = y.astype(dtype)
        right = _nearest(y, levels)
        where = f"{bits} bits"
        with case(where):
            found = call(attempt, y, bits=bits)
            found = need_array(found, shape=y.shape, axes=("n",))
        if np.abs(found - right).max() < 0.01 / half:
            continue
        inner = np.abs(y) < 1 - 1 / half  # neither what is clipped nor the levels at the ends
        if np.abs(found - right)[inner].max() < 0.01 / half:
            _explain_clipping(y, found, where, half)
        least = 1 / half
        symmetric = _nearest(y, np.arange(1 - half, half) / (half - 1))
        whole = (
            f"it returns whole numbers ({found.min():g} to {found.max():g}): scale them back to ±1"
        )
        one_more = (
            f"the levels are 1 / {2 * half} apart, which needs one bit more: {2 * half} levels "
            "share the range from -1 to 1, whose width is 2"
        )
        same_on_both_sides = (
            f"it scales by {half - 1} = 2**(bits - 1) - 1, but the levels are multiples of 1 / "
            f"{half}: from -{half} to {half - 1}, not the same on both sides"
        )
        for other, step, told in (
            (right * half, 1.0, whole),
            (symmetric * (half - 1), 1.0, whole),
            (y, least, "it returns the samples unchanged: nothing is rounded"),
            (y - y % least, least, "it rounds down; the nearest level may be the one above"),
            (y + -y % least, least, "it rounds up; the nearest level may be the one below"),
            (y - np.fmod(y, least), least, "it rounds towards 0; the nearest level may be farther"),
            (_nearest(y, np.arange(-2 * half, 2 * half) / (2 * half)), least / 2, one_more),
            (_nearest(y, np.arange(-half, half, 2) / half), least,
             f"the levels lie 1 / {half // 2} apart: that is one bit too few"),
            (symmetric, least / half, same_on_both_sides),
            (symmetric * (half - 1) / half, least / half, same_on_both_sides),
        ):  # fmt: skip
            if np.abs(found - other)[inner].max() < 0.05 * step:
                raise Wrong(f"{where}: {told}")
        if abs(found[0]) > 0.01 / half:
            raise Wrong(f"{where}: silence becomes {found[0]:g}, but 0 is one of the levels")
        worst = np.abs(found - right).argmax()
        raise Wrong(
            f"{where}: {y[worst]:.5g} becomes {found[worst]:.5g}, where {right[worst]:.5g} is the "
            f"nearest multiple of 1 / {half}"
        )


def _explain_clipping(y, found, where, half):
    """Raise Wrong if the samples at the ends of the range are wrong and all others right."""
    high, low = found[y.argmax()], found[y.argmin()]
    if high < 0 or low > 0:
        raise Wrong(
            f"{where}: {y.max():.2g} becomes {high:.3g} and {y.min():.2g} becomes {low:.3g}: it "
            "wraps round; clip the samples beyond the range"
        )
    if high > 1.01 or low < -1.01:
        number, level = (y.max(), high) if high > 1.01 else (y.min(), low)
        raise Wrong(
            f"{where}: {number:.2g} becomes {level:.3g}, but the levels end at -1 and "
            f"{(half - 1) / half:.5g}: clip"
        )
    if found.max() > 1 - 0.5 / half:
        raise Wrong(
            f"{where}: 1 is one level too many and needs one bit more: the {2 * half} levels end "
            f"at {half - 1} / {half}"
        )
    if found.min() > -1 + 0.5 / half:
        raise Wrong(f"{where}: its lowest level is {found.min():.5g}, but -1 is a level as well")


def _nearest(y, levels):
    """The level nearest to each number. levels: sorted."""
    return levels[np.searchsorted((levels[:-1] + levels[1:]) / 2, y)]
