"""Counting calls in a folder of recordings: decode, score, find events, and lose no file.

As many recordings at a time as there are processors, block by block, so that length costs no
memory; a recording that cannot be read is listed with its reason, and its count stays empty. A long
recording can also be scored in parts, on as many machines as there are.
"""

import math
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import audio, files, parallel
from helpers.audio import seconds
from helpers.detection.events import COLUMNS, find_events

PART_BLOCKS = 32  # calls of the network in a part of a long recording: about nine minutes


@dataclass
class Counts:
    """What was counted.

    results: DataFrame `clip_name, call_count` (Int64, empty where unreadable). events:
    `clip_name, start_s, end_s, score`. paths: dict clip_name → Path. durations: dict clip_name → s.
    scores: dict clip_name → float32 (n_steps,). errors: `files.ERRORS`. seconds: time it took.
    """

    results: pd.DataFrame
    events: pd.DataFrame
    paths: dict
    durations: dict
    scores: dict
    errors: pd.DataFrame
    seconds: float

    @property
    def realtime_factor(self):
        """Seconds of sound per second of work."""
        return sum(self.durations.values()) / self.seconds


def count_calls(paths, detector, *, settings=None, progress=True):
    """Count the calls in every recording.

    paths: sound files of any length. detector: `models.CallDetector`. settings: `EventSettings`,
    None: the detector's own. Returns `Counts`, in the order of the names (see `files.printable`).
    """
    settings = settings or detector.settings
    paths = sorted(map(Path, paths), key=lambda path: path.name)
    lock = threading.Lock()  # the network is one, and uses all cores by itself

    def one(path):
        score, length = _score(path, detector, lock=lock)
        return score, length / detector.frontend.sr

    start = time.perf_counter()
    found = parallel.map_files(one, paths, desc="Counting", unit="recording", progress=progress)
    results, tables, errors, durations, scores = [], [], [], {}, {}
    by_name = {files.printable(path.name): path for path in paths}
    for name, outcome in zip(by_name, found, strict=True):
        if isinstance(outcome, audio.AudioError):
            errors.append(files.Fault("damaged", name, outcome.reason))
            results.append({"clip_name": name, "call_count": pd.NA})
            continue
        scores[name], durations[name] = outcome
        table = find_events(
            scores[name], step_s=detector.step_s, settings=settings, length_s=durations[name]
        )
        results.append({"clip_name": name, "call_count": len(table)})
        tables.append(table.assign(clip_name=name))
    events = pd.concat(tables) if tables else pd.DataFrame(columns=["clip_name", *COLUMNS])
    return Counts(
        results=pd.DataFrame(results, columns=["clip_name", "call_count"]).astype(
            {"call_count": "Int64"}
        ),
        events=events[["clip_name", *COLUMNS]].reset_index(drop=True),
        paths=by_name,
        durations=durations,
        scores=scores,
        errors=files.error_table(errors),
        seconds=time.perf_counter() - start,
    )


def part_count(path, detector):
    """In how many parts `score_part` scores a recording. Raises AudioError.

    An Ogg file is one part whatever its length, as there is no way into its middle but from its
    beginning.
    """
    info = audio.info(path)
    if info.format == "OGG":
        return 1
    # The last part is up to twice as long as the others: it holds the end, wherever that really is.
    part_s = PART_BLOCKS * detector.block_steps * detector.step_s
    return max(1, math.floor(info.duration_s / part_s))


def score_part(path, detector, *, part, n_parts, lock=None):
    """Score of a part of a recording: joined, the parts give what `detector.score` gives of all.

    path: sound file. detector: `models.CallDetector`. part: from 0 to n_parts - 1. n_parts: see
    `part_count`. lock: held while the network runs. Each is scored with so much of its neighbours
    that no step misses any sound, and begins where one of the network's own blocks begins: the same
    to the bit for wav and flac at the model's rate, else to the rounding of decoder and resampler.
    Returns (score, length): float32 (n_steps,), and the samples at the model's rate from the
    recording's beginning to the part's end. Raises AudioError.
    """
    if n_parts == 1:
        return _score(path, detector, lock=lock)
    frontend, step = detector.frontend, detector.stride * detector.frontend.hop_length
    n_steps = PART_BLOCKS * detector.block_steps
    # What a step sees beyond itself: its receptive field, and half a window at either side.
    reach = detector.frames * frontend.hop_length + frontend.n_fft
    margin = math.ceil(reach / step / detector.block_steps) * detector.block_steps
    before = margin if part else 0
    start = (part * n_steps - before) * step
    n_samples = None if part == n_parts - 1 else (before + n_steps + margin) * step
    score, length = _score(path, detector, lock=lock, start=start, n_samples=n_samples)
    score = score[before:]
    if n_samples is None:
        return score, start + length
    if len(score) < n_steps:
        end = seconds((start + length) / frontend.sr)
        raise audio.AudioError(path, f"it ends at {end}, long before what its header speaks of")
    return score[:n_steps], (part + 1) * n_steps * step


def _score(path, detector, *, lock, start=0, n_samples=None):
    """(score, length) of n_samples (None: all) from sample `start`, at the model's rate."""
    sr = detector.frontend.sr
    length = 0

    def blocks():
        nonlocal length
        duration_s = None if n_samples is None else n_samples / sr
        for block in audio.stream(path, sr=sr, start_s=start / sr, duration_s=duration_s):
            length += len(block)
            yield block

    score = detector.score(detector.frontend.stream(blocks()), lock=lock)
    return score, length


def warm_up(detector):
    """Let the backend compile the network, so that the first recording does not wait for it."""
    detector.score(np.zeros((1, detector.frontend.n_bands), np.float32))


def density(events, durations, *, per_s=60.0):
    """Calls in every minute of every recording, the empty minutes too.

    events: DataFrame `clip_name, start_s, end_s`. durations: dict clip_name → s.
    Returns a DataFrame `clip_name, minute, start_s, duration_s, call_count, calls_per_minute`; the
    last minute of a recording is as long as it is.
    """
    rows = []
    for name, duration in durations.items():
        mine = events[events["clip_name"] == name]
        middle = (mine["start_s"] + mine["end_s"]) / 2
        edges = np.append(np.arange(0, max(duration, 1e-9), per_s), duration)
        for minute, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
            last = minute == len(edges) - 2
            n = int(((middle >= low) & ((middle < high) | last)).sum())
            rows.append(
                {
                    "clip_name": name,
                    "minute": minute,
                    "start_s": low,
                    "duration_s": high - low,
                    "call_count": n,
                    "calls_per_minute": n / (high - low) * 60,
                }
            )
    columns = ["clip_name", "minute", "start_s", "duration_s", "call_count", "calls_per_minute"]
    return pd.DataFrame(rows, columns=columns)


def count_runs(scores, *, step_s, threshold, window_s=3.0):
    """Count runs of positive windows, side by side: the way of most tutorials, for comparison.

    scores: dict clip_name → (n_steps,). A window's score is the highest in it. Returns `results`
    like `count_calls`.
    """
    width = max(1, round(window_s / step_s))
    rows = []
    for name, score in scores.items():
        positive = np.maximum.reduceat(score, np.arange(0, len(score), width)) >= threshold
        starts = positive & ~np.concatenate([[False], positive[:-1]])
        rows.append({"clip_name": name, "call_count": int(starts.sum())})
    return pd.DataFrame(rows).astype({"call_count": "Int64"})
