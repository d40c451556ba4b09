"""From a score over time to calls: peaks, hysteresis and a minimum distance.

Counting runs of positive windows merges calls that follow each other closely and splits a call
whose score flickers. Here a call is a peak of a score that is sampled much finer than a call lasts.
"""

from bisect import bisect, insort

import numpy as np
import pandas as pd
from scipy.signal import find_peaks

from helpers.models.settings import SHORTEST_S

COLUMNS = ["start_s", "end_s", "score"]


def find_events(score, *, step_s, settings, length_s=None):
    """Calls in a score.

    score: float (n_steps,), between 0 and 1; step k lies at k * step_s seconds. settings:
    `EventSettings`. length_s: end of the recording, s; None: the last step.
    Returns a DataFrame `start_s, end_s, score`, in order of time: a window of duration_s round each
    peak, so much shorter at the ends of the recording that the peak stays in its middle, and the
    score of the peak.
    """
    score = np.asarray(score, float)
    if score.ndim != 1:
        raise ValueError(f"one score per step is needed, (n_steps,), but got {score.shape}")
    if not np.isfinite(score).all():
        raise ValueError("the score has NaN or infinite values: look at the sound and the model")
    # Nothing lies before and after the recording; with it, a call at the very edge has a peak.
    padded = np.concatenate([[0.0], score, [0.0]])
    peaks, _ = find_peaks(padded, height=settings.threshold)
    peaks = _separated(padded, peaks, settings.release)
    peaks = _distant(padded, peaks, settings.min_distance_s / step_s) - 1
    centre = peaks * step_s
    end = len(score) * step_s if length_s is None else length_s
    centre = np.minimum(centre, end)  # the last step may lie a little beyond the end
    longest = settings.duration_s / 2
    half = np.minimum(centre, end - centre).clip(min(SHORTEST_S / 2, longest), longest)
    return pd.DataFrame(
        {
            "start_s": np.maximum(centre - half, 0),
            "end_s": np.minimum(centre + half, end),
            "score": score[peaks],
        },
        columns=COLUMNS,
    )


def _separated(score, peaks, release):
    """Hysteresis: of neighbouring peaks without a valley between them, the highest."""
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
    """Of peaks closer than `distance` steps, the highest first, the earlier one of equals."""
    kept = []
    for peak in peaks[np.argsort(-score[peaks], kind="stable")]:
        # Times are multiples of a step: a hair of tolerance keeps 1.5 s from being 1.4999 s.
        place = bisect(kept, peak)
        neighbours = kept[max(0, place - 1) : place + 1]
        if all(abs(peak - other) > distance - 1e-6 for other in neighbours):
            insort(kept, peak)
    return np.array(kept, int)
