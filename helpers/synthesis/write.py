"""Write the files of synthetic data sets: the same bytes on every machine."""

import csv
import math

import numpy as np
import soundfile as sf
from scipy import signal

from helpers.synthesis.wildlife import SR


def shares_of(weights, total):
    """Divide `total` into a list of integers, at least 1 each, about proportional to weights."""
    shares = np.ones(len(weights), int)
    weights = np.asarray(weights, float)
    for _ in range(total - len(weights)):
        shares[np.argmax(weights / shares)] += 1
    return shares.tolist()


def write_clip(path, y, rate, channels, spread=0, *, bits=16):
    """Write y (n_samples,), at rate SR, as a PCM file at `rate` Hz, in its folder or a new one.

    channels: 1 or 2; the right one is `spread` samples later. bits: 8, 16, 24 or 32.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    common = math.gcd(rate, SR)
    y = signal.resample_poly(y, rate // common, SR // common)  # the same on any processor
    # Rounded here and left-aligned in 32 bits, because soundfile only drops the lower bits.
    y = np.rint(np.clip(y, -1, 1) * (2 ** (bits - 1) - 1)).astype(np.int64) << (32 - bits)
    y = y.astype(np.int32) if bits > 16 else (y >> 16).astype(np.int16)
    if channels == 2:
        y = np.stack([y, np.roll(y, spread)], axis=1)
    sf.write(path, y, rate, subtype="PCM_U8" if bits == 8 else f"PCM_{bits}")


def write_csv(path, header, rows):
    """Write a CSV table with the line ends of Unix, in its folder or a new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
