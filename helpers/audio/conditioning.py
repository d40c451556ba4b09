"""Sounds made alike before they are compared: level, silence at the ends, length.

Built in 02_features. y is float32 (n_samples,), full scale ±1, throughout.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def normalise(y, *, peak=0.95):
    """The same sound with its largest sample at `peak`; silence stays silence."""
    loudest = np.abs(y).max(initial=0.0)
    return y / loudest * np.float32(peak) if loudest > 0 else y


def same_loudness(y, *, sr, rms=0.1):
    """The same sound with the RMS of its loudest tenth of a second at `rms`; silence stays silence.

    One click does not decide, as it does for a peak, nor do pauses, as they do for the mean. What
    would pass full scale is cut off there. rms: 0.1 is -20 dB re full scale.
    """
    window = max(1, round(0.1 * sr))
    pieces = segments(y, length=window, hop=-(-window // 2))
    loudest = np.sqrt(np.square(pieces, dtype=float).mean(axis=1).max())
    if not loudest > 0:
        return y
    gain = min(rms / loudest, np.finfo(np.float32).max)  # of nearly nothing: finite
    return np.clip(y * np.float32(gain), -1, 1)


def trim_silence(y, *, top_db=40.0):
    """Cut off what lies more than top_db below the loudest frame, at both ends.

    Returns (y, start, stop): the part kept and its place, in samples. Of silence nothing is cut.
    """
    from librosa.effects import trim

    if not np.any(y):
        return y, 0, len(y)
    kept, (start, stop) = trim(y, top_db=top_db)
    return kept, int(start), int(stop)


def segments(y, *, length, hop):
    """Pieces of one length that overlap; the last one is padded with zeros. Built in 02_features.

    length, hop: samples, 0 < hop <= length. Returns (n_segments, length): as many as it takes for
    every sample to be in one, and one at least.
    """
    if not 0 < hop <= length:
        raise ValueError(f"{hop=}, {length=}: 0 < hop <= length is needed, or samples are lost")
    n = 1 + -(-max(0, len(y) - length) // hop)
    padded = np.pad(y, (0, (n - 1) * hop + length - len(y)))
    return sliding_window_view(padded, length)[::hop].copy()
