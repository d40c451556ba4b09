"""Counting calls in thousands of recordings: one task each, and several for a long one.

Tasks read nothing but the recording and the model, and write nothing. All that is found comes back
here and is kept in a ledger; tables are written from it, in order of names. So what they hold, to
the byte, does not depend on where, when and in which order the tasks ran.
"""

import contextlib
import hashlib
import io
import os
import threading
import time
from collections import Counter, defaultdict, deque
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial

import pandas as pd
from tqdm import tqdm

from helpers import env, files
from helpers.audio import AudioError
from helpers.detection import find_events
from helpers.files import replaced_folder
from tools.batch.cluster import why
from tools.batch.ledger import Ledger
from tools.batch.partitions import ROWS, batched, write_part
from tools.command_line import UsageError

FORMAT = 1  # raise it whenever the counts of a model would change

RECORDINGS = {"clip_name": object, "duration_s": float, "call_count": "Int64"}
EVENTS = {"clip_name": object, "start_s": float, "end_s": float, "score": float}
ERRORS = {"file": object, "reason": object}


@dataclass(frozen=True)
class Model:
    """A model file as every machine finds it. digest: of its content, which must not change."""

    path: str
    digest: str


@dataclass(frozen=True)
class Task:
    """A part of a recording to score. n_parts: None before the first part has been looked at."""

    name: str
    path: str
    identity: str
    part: int = 0
    n_parts: int | None = None


@dataclass
class Tally:
    """What came of a folder. sound_s: seconds of sound scored; seconds: the time it took."""

    n_recordings: int
    n_earlier: int  # of them, counted by an earlier run
    sound_s: float
    seconds: float
    n_failed: int = 0
    n_calls: int = 0


# --- on a worker ----------------------------------------------------------------------------------

_loading, _scoring = threading.Lock(), threading.Lock()


def score_task(task, model):
    """Do a task: (score, length, n_parts), see `detection.score_part`, or the reason why not."""
    from helpers import detection

    try:
        with _loading:
            detector = _detector(model)
        n_parts = task.n_parts or detection.part_count(task.path, detector)
        score, length = detection.score_part(
            task.path, detector, part=task.part, n_parts=n_parts, lock=_scoring
        )
    except AudioError as error:
        return error.reason
    return score, length, n_parts


@lru_cache(maxsize=1)
def _detector(model):
    """A `CallDetector`, loaded once in a process."""
    with contextlib.redirect_stdout(io.StringIO()):
        env.setup()
    from helpers import models

    if read_model(model.path) != model:
        raise models.ModelError(f"{model.path} has changed since the run began")
    return models.load_detector(model.path)


# --- here -----------------------------------------------------------------------------------------


def read_model(path):
    """The `Model` of a file. Raises UsageError."""
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    return Model(os.path.abspath(path), digest)


def count_folder(folder, paths, *, model, settings, pool, output, kind):
    """Count the calls in recordings, going on from where an earlier run stopped.

    folder: Path that names are relative to. paths: list of Path. model: `Model`. settings: dict of
    `EventSettings` that differ from the model's. pool: see `cluster.open_pool`. output: Path of a
    folder; the ledger and the folder `results` are written to it. kind: see `partitions`.
    Returns a `Tally`. Raises ModelError, UsageError, ClusterError; whatever stops it, nothing that
    is counted is lost.
    """
    with _loading:
        detector = _detector(model)
    from helpers.detection import counting  # after Keras' backend has been chosen

    settings = replace(detector.settings, **settings)
    parts = {"format": FORMAT, "part_blocks": counting.PART_BLOCKS}
    about = {**parts, "model": model.digest, **asdict(settings)}
    named = {files.printable(path.relative_to(folder).as_posix()): path for path in paths}
    named = dict(sorted(named.items()))
    start = time.perf_counter()
    with Ledger(output / "ledger.sqlite", about) as ledger:
        with tqdm(total=len(named), desc="Counting", unit="recording", mininterval=0.5) as bar:
            batch = _Batch(named, ledger, bar, detector=detector, settings=settings)
            for task, future in pool.work(partial(score_task, model=model), batch.next_task):
                batch.take(task, _outcome(future))
        tally = Tally(len(named), batch.n_earlier, batch.sound_s, time.perf_counter() - start)
        _write(list(named), ledger, tally, output=output, kind=kind)
    return tally


def _outcome(future):
    """What `score_task` returned, or in words what ended it. Raises ModelError."""
    error = future.exception()
    if error is None:
        return future.result()
    if type(error).__name__ == "ModelError":  # of no use to go on: all recordings would have it
        raise error
    return why(error)


class _Batch:
    """The recordings of a batch: which task comes next, and what came of those before."""

    def __init__(self, named, ledger, bar, *, detector, settings):
        self.n_earlier, self.sound_s = 0, 0.0
        self._ledger, self._bar = ledger, bar
        self._detector, self._settings = detector, settings
        self._fresh = iter(named.items())
        self._waiting = deque()  # parts of recordings that were begun
        self._left = Counter()  # parts that have not come back yet, by recording
        self._reasons = defaultdict(dict)  # recording → part → reason

    def next_task(self):
        """The next task, or None: parts of what was begun come before any other recording."""
        while not self._waiting:
            name, path = next(self._fresh, ("", None))
            if not path:
                return None
            self._begin(name, path)
        return self._waiting.popleft()

    def _begin(self, name, path):
        task = Task(name, str(path), files.identity(path))
        if self._ledger.is_counted(name, task.identity):
            self.n_earlier += 1
            self._bar.update()
            return
        n_parts, there = self._ledger.parts(name, task.identity)
        if n_parts is None:
            self._add([task])
        elif missing := set(range(n_parts)) - there:
            self._add(replace(task, part=part, n_parts=n_parts) for part in sorted(missing))
        else:
            self._finish(task, *self._ledger.joined(name, task.identity))

    def _add(self, tasks):
        for task in tasks:
            self._waiting.append(task)
            self._left[task.name] += 1

    def take(self, task, outcome):
        """Keep what came of a task: (score, length, n_parts), or a reason why there is none."""
        self._left[task.name] -= 1
        if isinstance(outcome, str):
            self._reasons[task.name][task.part] = outcome
        else:
            score, length, n_parts = outcome
            self.sound_s += len(score) * self._detector.step_s
            self._bar.set_postfix_str(f"{self.sound_s / 3600:.1f} h of sound", refresh=False)
            if n_parts == 1:
                self._finish(task, score, length)
                return
            self._ledger.add_part(task, n_parts=n_parts, score=score, length=length)
            if task.n_parts is None:
                self._add(replace(task, part=p, n_parts=n_parts) for p in range(1, n_parts))
        if self._left[task.name] == 0:
            if reasons := self._reasons.pop(task.name, {}):
                # The first in the recording, whichever came back first.
                self._ledger.fail(task.name, task.identity, reasons[min(reasons)])
                self._close(task)
            else:
                self._finish(task, *self._ledger.joined(task.name, task.identity))

    def _finish(self, task, score, length):
        duration_s = length / self._detector.frontend.sr
        try:
            events = find_events(
                score, step_s=self._detector.step_s, settings=self._settings, length_s=duration_s
            )
        except ValueError as error:  # a score that is no number
            self._ledger.fail(task.name, task.identity, str(error))
        else:
            self._ledger.finish(task.name, task.identity, duration_s=duration_s, events=events)
        self._close(task)

    def _close(self, task):
        self._left.pop(task.name, None)
        self._bar.update()


def _write(names, ledger, tally, *, output, kind):
    """Write what the ledger holds of some recordings as tables, and add it up in the tally."""
    with replaced_folder(output / "results") as folder:
        errors = []
        for number, part in enumerate(batched(names, ROWS)):
            rows = ledger.recordings(part)
            recordings = _table([row[:3] for row in rows], RECORDINGS)
            write_part(recordings, folder / "recordings", number=number, kind=kind)
            events = _table(ledger.events(part), EVENTS)
            write_part(events, folder / "events", number=number, kind=kind)
            errors += [(name, reason) for name, _, _, reason in rows if reason]
            tally.n_calls += int(recordings["call_count"].sum())
        _table(errors, ERRORS).to_csv(folder / "errors.csv", index=False)
        tally.n_failed = len(errors)


def _table(rows, dtypes):
    return pd.DataFrame(rows, columns=list(dtypes)).astype(dtypes).round(6)  # to a microsecond
