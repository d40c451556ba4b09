"""Counting calls in a folder of recordings: decode, score, find events, and lose no file.

As many recordings at a time as there are processors, block by block, so that length costs no
memory; a recording that cannot be read is listed with its reason, and its count stays empty.
"""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import audio, env
from helpers.events import COLUMNS, find_events


@dataclass
class Counts:
    """What was counted.

    results: DataFrame `clip_name, call_count` (Int64, empty where unreadable). events:
    `clip_name, start_s, end_s, score`. paths: dict clip_name → Path. durations: dict clip_name → s.
    scores: dict clip_name → float32 (n_steps,). errors: `file, reason`. seconds: time it took.
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
    None: the detector's own. Returns `Counts`, in the order of the names (see `env.printable`).
    """
    settings = settings or detector.settings
    paths = sorted(map(Path, paths), key=lambda path: path.name)
    lock = threading.Lock()  # the network is one, and uses all cores by itself

    def one(path):
        length = 0

        def blocks():
            nonlocal length
            for block in audio.stream(path, sr=detector.frontend.sr):
                length += len(block)
                yield block

        score = detector.score(detector.frontend.stream(blocks()), lock=lock)
        return score, length / detector.frontend.sr

    start = time.perf_counter()
    found = audio.map_files(one, paths, desc="Counting", unit="recording", progress=progress)
    results, tables, errors, durations, scores = [], [], [], {}, {}
    by_name = {env.printable(path.name): path for path in paths}
    for name, outcome in zip(by_name, found, strict=True):
        if isinstance(outcome, audio.AudioError):
            errors.append({"file": name, "reason": outcome.reason})
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
        errors=pd.DataFrame(errors, columns=["file", "reason"]),
        seconds=time.perf_counter() - start,
    )


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
