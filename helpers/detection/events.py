"""From a score over time to calls: peaks, hysteresis and a minimum distance.

Counting runs of positive windows merges calls that follow each other closely, and splits a call
whose score flickers. Here a call is a peak of a score with many steps per call.
"""

from bisect import bisect, insort

import numpy as np
import pandas as pd
from scipy.signal import find_peaks

from helpers.models.settings import SHORTEST_S

COLUMNS = ["start_s", "end_s", "score"]


def find_events(score, *, step_s, settings, length_s=None):
    """Calls in a score.

    score: float (n_steps,), 0 to 1; step k lies at k * step_s seconds. settings: `EventSettings`.
    length_s: end of the recording, s; None: that of the score.
    Returns a DataFrame `start_s, end_s, score`, in order of time: a window of duration_s around
    each peak, shorter at the ends of the recording so that the peak stays in its middle, and the
    height of the peak. Raises ValueError for another shape, NaN or infinite values.
    """
    score = np.asarray(score, float)
    if score.ndim != 1:
        raise ValueError(f"the score has shape {score.shape}: give one value per step, (n_steps,)")
    if not np.isfinite(score).all():
        raise ValueError("the score has NaN or infinite values: check the sound and the model")
    # With zeros before and after, a call at the very edge has a peak, too.
    padded = np.concatenate([[0.0], score, [0.0]])
    peaks, _ = find_peaks(padded, height=settings.threshold)
    peaks = _separated(padded, peaks, settings.release)
    peaks = _distant(padded, peaks, settings.min_distance_s / step_s) - 1
    centre = peaks * step_s
    end = len(score) * step_s if length_s is None else length_s
    centre = np.minimum(centre, end)  # the last step may lie a little beyond the end
    longest = settings.duration_s / 2
    half = np.minimum(centre, end - centre).clip(min(SHORTEST_S / 2, longest), longest)
    columns = np.maximum(centre - half, 0), np.minimum(centre + half, end), score[peaks]
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def _separated(score, peaks, release):
    """Hysteresis: the highest of neighbouring peaks that no valley separates.

    A valley falls below `release` times the lower of its two peaks.
    """
    kept = []
    for peak in peaks:
        if kept:
            valley = score[kept[-1] : peak].min()
            if valley >= release * min(score[kept[-1]], score[peak]):
                if score[peak] > score[kept[-1]]:
                    kept[-1] = peak
                continue
        kept.append(peak)
    return np.array(kept, int)


def _distant(score, peaks, distance):
    """Peaks at least `distance` steps apart: the highest first, of equals the earlier."""
    # find_peaks(distance=…) takes whole steps only, and does not say which of two equals stays.
    kept = []
    for peak in peaks[np.argsort(-score[peaks], kind="stable")]:
        # Tolerance for rounding: 1.5 s divided by the step may give 14.9999 steps.
        place = bisect(kept, peak)
        neighbours = kept[max(0, place - 1) : place + 1]
        if all(abs(peak - other) > distance - 1e-6 for other in neighbours):
            insort(kept, peak)
    return np.array(kept, int)
