"""Make sounds comparable: same level, pieces of the same length.

Built in 02_features. y: float32 (n_samples,), full scale ±1.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def same_loudness(y, *, sr, rms=0.1):
    """Scale y so that the loudest tenth of a second has the level `rms` (0.1: -20 dB full scale).

    Unlike the peak, this level does not depend on a single click; unlike the mean, it does not
    depend on pauses. Samples beyond full scale are clipped. Silence stays silence.
    """
    window = max(1, round(0.1 * sr))
    pieces = segments(y, length=window, hop=-(-window // 2))
    loudest = np.sqrt(np.square(pieces, dtype=float).mean(axis=1).max())
    if not loudest > 0:
        return y
    gain = min(rms / loudest, np.finfo(np.float32).max)  # finite even if y is nearly 0
    return np.clip(y * np.float32(gain), -1, 1)


def segments(y, *, length, hop):
    """Cut y into overlapping pieces of the same length; the last one is padded with zeros.

    length, hop: samples, 0 < hop <= length. Returns (n_segments, length), at least one segment.
    """
    if not 0 < hop <= length:
        raise ValueError(f"{hop=}, {length=}: choose 0 < hop <= length, or samples get lost")
    n = 1 + -(-max(0, len(y) - length) // hop)
    padded = np.pad(y, (0, (n - 1) * hop + length - len(y)))
    return sliding_window_view(padded, length)[::hop].copy()
