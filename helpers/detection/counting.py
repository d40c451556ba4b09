"""Count calls in recordings: decode, score, find events.

Recordings are read block by block, so that memory does not grow with their length, and as many at
a time as there are processors. One that cannot be read is listed as a fault, and its count stays
empty. A long recording can be scored in parts, on several machines.
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

RECORDINGS = ["clip_name", "duration_s", "listened_s", "call_count", "remarks"]
DAMAGE = ["clip_name", "start_s", "end_s"]
PART_BLOCKS = 32  # blocks of the network in a part of a long recording: about nine minutes


@dataclass
class Counts:
    """Result of `count_calls`.

    results: DataFrame `clip_name, call_count` (Int64, empty where unreadable). events: DataFrame
    `clip_name, start_s, end_s, score`. recordings: DataFrame RECORDINGS, one row for each counted
    recording. damage: DataFrame DAMAGE, one row for each place that could not be decoded. sources:
    dict from clip_name to (Path, channel). durations, scores: dicts from clip_name to s, and to
    float32 (n_steps,). errors: DataFrame `files.ERRORS`. seconds: run time.
    """

    results: pd.DataFrame
    events: pd.DataFrame
    recordings: pd.DataFrame
    damage: pd.DataFrame
    sources: dict
    durations: dict
    scores: dict
    errors: pd.DataFrame
    seconds: float

    @property
    def realtime_factor(self):
        """Seconds of sound per second of run time."""
        return sum(self.durations.values()) / self.seconds

    def load(self, clip_name, **options):
        """The sound of a recording as it was counted. options: see `audio.load`."""
        path, channel = self.sources[clip_name]
        return audio.load(path, channel=channel, **options)


def count_calls(paths, detector, *, channel="mean", salvage=False, settings=None, progress=True):
    """Count the calls in every recording.

    paths: sound files of any length. detector: `models.CallDetector`. channel: "mean", the number
    of one (see `audio.load`), or "each": then each channel of a file is a recording of its own,
    `<file name>, channel 2`. salvage: count what can be decoded of a damaged recording, and list
    the rest as damage; otherwise it is an error. settings: `EventSettings`; None: the detector's
    own. Returns `Counts`, sorted by name (see `files.printable`).
    """
    settings = settings or detector.settings
    paths = sorted(map(Path, paths), key=lambda path: path.name)
    lock = threading.Lock()  # threads share one network, which uses all cores by itself
    start = time.perf_counter()

    def score(path):
        """(channel, score, length, `Monitor`) or (channel, AudioError) of each recording."""
        found = []
        for number in channels_of(path, channel):
            monitor = audio.Monitor(number, salvage=salvage)
            try:
                one = _score(path, detector, lock=lock, monitor=monitor)
                found.append((number, *one, monitor))
            except audio.AudioError as error:
                found.append((number, error))
        return found

    found = parallel.map_files(score, paths, desc="Counting", unit="recording", progress=progress)
    results, tables, rows, damage, errors, sources, durations, scores = (
        [],
        [],
        [],
        [],
        [],
        {},
        {},
        {},
    )
    for path, outcomes in zip(paths, found, strict=True):
        for number, outcome, *details in outcomes:
            name = files.printable(path.name)
            name += f", channel {number}" * (channel == "each" and len(outcomes) > 1)
            sources[name] = path, number
            if isinstance(outcome, audio.AudioError):
                errors.append(files.Fault("damaged", name, outcome.reason))
                results.append((name, pd.NA))
                continue
            length, monitor = details
            scores[name], durations[name] = outcome, length / detector.frontend.sr
            table = find_events(
                outcome, step_s=detector.step_s, settings=settings, length_s=durations[name]
            )
            results.append((name, len(table)))
            tables.append(table.assign(clip_name=name))
            listened_s = durations[name] - monitor.lost_s
            damage += [(name, *interval) for interval in monitor.damaged]
            rows.append((name, durations[name], listened_s, len(table), monitor.remarks))
    events = pd.concat(tables) if tables else pd.DataFrame(columns=["clip_name", *COLUMNS])
    return Counts(
        results=_count_table(results),
        events=events[["clip_name", *COLUMNS]].reset_index(drop=True),
        recordings=pd.DataFrame(rows, columns=RECORDINGS),
        damage=pd.DataFrame(damage, columns=DAMAGE),
        sources=sources,
        durations=durations,
        scores=scores,
        errors=files.error_table(errors),
        seconds=time.perf_counter() - start,
    )


def _count_table(rows):
    """Pairs of a recording's name and its count as a DataFrame `clip_name, call_count`."""
    return pd.DataFrame(rows, columns=["clip_name", "call_count"]).astype({"call_count": "Int64"})


def channels_of(path, channel):
    """The channels of a file to count in: [channel], or for "each" the numbers of all of them."""
    if channel != "each":
        return [channel]
    try:
        return [*range(1, audio.info(path, salvage=True).channels + 1)]
    except audio.AudioError:  # counting will say why
        return [1]


def part_count(path, detector, *, salvage=False):
    """Number of parts in which `score_part` scores a recording: int. Raises AudioError.

    An Ogg file is one part, because it can only be decoded from its beginning; so is a damaged MP3.
    """
    info = audio.info(path, salvage=salvage)
    if info.format == "OGG" or salvage and info.format == "MP3":
        return 1
    # Rounded down: the last part is longer, up to twice, and goes on to the real end of the file.
    part_s = PART_BLOCKS * detector.block_steps * detector.step_s
    return max(1, math.floor(info.duration_s / part_s))


def score_part(path, detector, *, part, n_parts, lock=None, monitor=None):
    """Score of a part of a recording: all parts together are the score of the whole recording.

    part: 0 to n_parts - 1, see `part_count`. lock: held while the network runs. monitor: an
    `audio.Monitor`, which chooses the channel; None: the mean of all channels. A part begins with
    one of the network's blocks and is read with a margin as wide as a step's view. So the scores
    are identical for wav and flac at the model's rate, else equal except for rounding in decoder
    and resampler. Returns (score, length): float32 (n_steps,), and the number of samples, at the
    model's rate, from the recording's beginning to the part's end. Raises AudioError.
    """
    if n_parts == 1:
        return _score(path, detector, lock=lock, monitor=monitor)
    frontend, step = detector.frontend, detector.stride * detector.frontend.hop_length
    n_steps = PART_BLOCKS * detector.block_steps
    # A step sees its receptive field, and half an FFT window on each side of it.
    reach = detector.frames * frontend.hop_length + frontend.n_fft
    margin = math.ceil(reach / step / detector.block_steps) * detector.block_steps
    before = margin if part else 0
    start = (part * n_steps - before) * step
    n_samples = None if part == n_parts - 1 else (before + n_steps + margin) * step
    options = {"lock": lock, "monitor": monitor, "start": start, "n_samples": n_samples}
    score, length = _score(path, detector, **options)
    score = score[before:]
    if n_samples is None:
        return score, start + length
    if len(score) < n_steps:
        at = seconds((start + length) / frontend.sr)
        raise audio.AudioError(path, f"it ends at {at}, long before its header says: copy it again")
    return score[:n_steps], (part + 1) * n_steps * step


def _score(path, detector, *, lock, monitor=None, start=0, n_samples=None):
    """(score, length) of n_samples (None: all) from sample `start` on, at the model's rate."""
    sr = detector.frontend.sr
    length = 0
    what = {"channel": monitor.channel if monitor else "mean", "monitor": monitor}

    def blocks():
        nonlocal length
        duration_s = None if n_samples is None else n_samples / sr
        for block in audio.stream(path, sr=sr, start_s=start / sr, duration_s=duration_s, **what):
            length += len(block)
            yield block

    score = detector.score(detector.frontend.stream(blocks()), lock=lock)
    return score, length


def warm_up(detector):
    """Compile the network, so that the first recording does not wait for it."""
    detector.score(np.zeros((1, detector.frontend.n_bands), np.float32))


def density(events, durations, *, bin_s=60.0):
    """Calls per minute along every recording.

    events: DataFrame `clip_name, start_s, end_s`. durations: dict clip_name → s. bin_s: length of a
    bin, s; the last one of a recording may be shorter. Returns a DataFrame `clip_name, minute,
    start_s, duration_s, call_count, calls_per_minute`, a row for each bin, empty ones included.
    """
    columns = ["clip_name", "minute", "start_s", "duration_s", "call_count", "calls_per_minute"]
    rows = []
    for name, duration in durations.items():
        mine = events[events["clip_name"] == name]
        middle = ((mine["start_s"] + mine["end_s"]) / 2).clip(upper=duration)
        edges = np.append(np.arange(0, max(duration, 1e-9), bin_s), duration)
        for minute, count in enumerate(np.histogram(middle, edges)[0]):
            length = edges[minute + 1] - edges[minute]
            rows.append((name, minute, edges[minute], length, count, count / length * 60))
    return pd.DataFrame(rows, columns=columns)


def count_runs(scores, *, step_s, threshold, window_s=3.0):
    """Count runs of positive windows, as most tutorials do; for comparison.

    scores: dict clip_name → (n_steps,). window_s: length of the windows, side by side, s; the score
    of a window is its highest one. Returns a DataFrame like `Counts.results`.
    """
    width = max(1, round(window_s / step_s))
    rows = []
    for name, score in scores.items():
        positive = np.maximum.reduceat(score, np.arange(0, len(score), width)) >= threshold
        rows.append((name, int((np.diff(positive, prepend=False) & positive).sum())))
    return _count_table(rows)
