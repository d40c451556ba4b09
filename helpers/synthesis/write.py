"""Files of synthetic data sets, the same bytes on every machine."""

import csv
import math

import numpy as np
import soundfile as sf
from scipy import signal

from helpers.synthesis.wildlife import SR


def shares_of(weights, total):
    """Whole numbers, at least 1 each, about proportional to weights, that add up to total."""
    shares = np.ones(len(weights), int)
    weights = np.asarray(weights, float)
    for _ in range(total - len(weights)):
        shares[np.argmax(weights / shares)] += 1
    return shares.tolist()


def write_clip(path, y, rate, channels, spread=0, *, bits=16):
    """Write a sound at SR as PCM.

    y: (n_samples,). rate: Hz, of the file. The right one of two channels lags by spread samples.
    bits: 8, 16, 24 or 32.
    """
    common = math.gcd(rate, SR)  # in double precision and plain C: the same bytes on any processor
    y = signal.resample_poly(y, rate // common, SR // common)
    # soundfile scales down from 32 bits: what is rounded here stays as it is.
    y = np.rint(np.clip(y, -1, 1) * (2 ** (bits - 1) - 1)).astype(np.int64) << (32 - bits)
    y = y.astype(np.int32) if bits > 16 else (y >> 16).astype(np.int16)
    if channels == 2:
        y = np.stack([y, np.roll(y, spread)], axis=1)
    sf.write(path, y, rate, subtype="PCM_U8" if bits == 8 else f"PCM_{bits}")


def write_csv(path, header, rows):
    """Write a table, with the same line ends on every machine."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
