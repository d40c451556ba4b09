"""Count calls in thousands of recordings: one task for each, several for a long one.

Tasks only read the recording and the model, and return what they find. The main process keeps it in
a ledger and writes the tables from there, sorted by name. So the tables are the same, to the byte,
wherever and in whichever order the tasks ran.
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
from helpers.audio import AudioError, Monitor
from helpers.detection import find_events
from helpers.files import replaced_folder
from tools.batch.cluster import error_text
from tools.batch.ledger import Ledger
from tools.batch.tables import ROWS_PER_FILE, batched, write_part
from tools.command_line import UsageError

FORMAT = 2  # increase it with each change of the code that changes the counts of a model
CHANNEL = "\t"  # in the ledger, between the name of a file and the number of a channel


@dataclass(frozen=True)
class Model:
    """A model file. path: absolute, as all machines see it. digest: SHA-256 of its content."""

    path: str
    digest: str


@dataclass(frozen=True)
class Task:
    """One part of a recording to score. n_parts: None until the first part has been scored.

    name: key of the recording in the ledger. channel, salvage: see `audio.Monitor`.
    """

    name: str
    path: str
    identity: str
    channel: str | int = "mean"
    salvage: bool = False
    part: int = 0
    n_parts: int | None = None


@dataclass
class Tally:
    """The result of a folder. sound_s: seconds of sound that were scored; seconds: time taken."""

    n_recordings: int
    n_earlier: int  # counted by an earlier run
    sound_s: float
    seconds: float
    n_failed: int = 0
    n_calls: int = 0
    n_remarks: int = 0


_loading, _scoring = threading.Lock(), threading.Lock()


def score_task(task, model):
    """Score a part: (score, length, n_parts, `Monitor`), or the reason why not.

    See `detection.score_part`.
    """
    from helpers import detection

    try:
        with _loading:
            detector = _detector(model)
        n_parts = task.n_parts or detection.part_count(task.path, detector, salvage=task.salvage)
        monitor = Monitor(task.channel, salvage=task.salvage)
        score, length = detection.score_part(
            task.path, detector, part=task.part, n_parts=n_parts, lock=_scoring, monitor=monitor
        )
    except AudioError as error:
        return error.reason
    return score, length, n_parts, monitor


@lru_cache(maxsize=1)
def _detector(model):
    """The `CallDetector` of a `Model`, loaded once in each process."""
    with contextlib.redirect_stdout(io.StringIO()):
        env.setup()
    from helpers import models

    if read_model(model.path) != model:
        raise models.ModelError(f"{model.path} has changed since the run began")
    return models.load_detector(model.path)


def read_model(path):
    """The `Model` of a file. Raises UsageError."""
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    return Model(os.path.abspath(path), digest)


def count_folder(folder, paths, *, faults, model, channel, salvage, settings, pool, output, kind):
    """Count the calls in recordings that no earlier run has counted, and write the tables of all.

    folder: Path; names are relative to it. paths: list of Path. faults: what else is in it, list of
    `files.Fault`. model: `Model`. channel, salvage: see `detection.count_calls`. settings: dict of
    the `EventSettings` that differ from the model's. pool: from `cluster.open_pool`. output: Path
    of the folder for the ledger and the folder `results`. kind: one of `tables.FORMATS`.
    Returns a `Tally`. Raises ModelError, UsageError, ClusterError; the counts so far are kept.
    """
    with _loading:
        detector = _detector(model)
    from helpers.detection import counting  # imports Keras: set-up comes first

    settings = replace(detector.settings, **settings)
    parts = {"format": FORMAT, "part_blocks": counting.PART_BLOCKS}
    about = {
        **parts,
        "model": model.digest,
        "channel": channel,
        "salvage": salvage,
        **asdict(settings),
    }
    named = {files.printable(path.relative_to(folder).as_posix()): path for path in paths}
    named = dict(sorted(named.items()))
    start = time.perf_counter()
    with Ledger(output / "ledger.sqlite", about) as ledger:
        with tqdm(total=len(named), desc="Counting", unit="recording", mininterval=0.5) as bar:
            options = {"settings": settings, "channel": channel, "salvage": salvage}
            batch = _Batch(named, ledger, bar, detector=detector, **options)
            for task, future in pool.work(partial(score_task, model=model), batch.next_task):
                batch.take(task, _outcome(future))
        names = sorted(batch.names)
        tally = Tally(len(names), batch.n_earlier, batch.sound_s, time.perf_counter() - start)
        _write(names, ledger, tally, faults=faults, output=output, kind=kind)
    return tally


def _outcome(future):
    """What `score_task` returned, or the error that ended it as text. Raises ModelError."""
    error = future.exception()
    if error is None:
        return future.result()
    if type(error).__name__ == "ModelError":  # all other recordings would fail in the same way
        raise error
    return error_text(error)


class _Batch:
    """Gives out the tasks of a batch, and collects their outcomes in the ledger."""

    def __init__(self, named, ledger, bar, *, detector, settings, channel, salvage):
        self.names = []  # of all recordings: with channel "each", one for each channel of a file
        self.n_earlier, self.sound_s = 0, 0.0
        self._channel, self._salvage = channel, salvage
        self._ledger, self._bar = ledger, bar
        self._detector, self._settings = detector, settings
        self._fresh = iter(named.items())
        self._waiting = deque()  # parts of recordings that have been started
        self._left = Counter()  # recording → number of parts without an outcome
        self._reasons = defaultdict(dict)  # recording → part → reason

    def next_task(self):
        """The next task, or None. Parts of started recordings come before other recordings."""
        while not self._waiting:
            name, path = next(self._fresh, ("", None))
            if not path:
                return None
            from helpers.detection.counting import channels_of

            channels = channels_of(path, self._channel)
            self._bar.total += len(channels) - 1
            for channel in channels:
                key = f"{name}{CHANNEL}{channel}" if self._channel == "each" else name
                self.names.append(key)
                self._start(Task(key, str(path), files.identity(path), channel, self._salvage))
        return self._waiting.popleft()

    def _start(self, task):
        name = task.name
        if self._ledger.is_counted(name, task.identity):
            self.n_earlier += 1
            self._bar.update()
            return
        n_parts, kept = self._ledger.parts(name, task.identity)
        if n_parts is None:
            self._add([task])
        elif missing := set(range(n_parts)) - kept:
            self._add(replace(task, part=part, n_parts=n_parts) for part in sorted(missing))
        else:
            self._finish(task, *self._joined(task))

    def _add(self, tasks):
        for task in tasks:
            self._waiting.append(task)
            self._left[task.name] += 1

    def take(self, task, outcome):
        """Keep the outcome of a task: what `score_task` returned."""
        self._left[task.name] -= 1
        if isinstance(outcome, str):
            self._reasons[task.name][task.part] = outcome
        else:
            score, length, n_parts, monitor = outcome
            self.sound_s += len(score) * self._detector.step_s
            self._bar.set_postfix_str(f"{self.sound_s / 3600:.1f} h of sound", refresh=False)
            if n_parts == 1:
                self._finish(task, score, length, monitor)
                return
            self._ledger.add_part(
                task, n_parts=n_parts, score=score, length=length, found=asdict(monitor)
            )
            if task.n_parts is None:
                self._add(replace(task, part=p, n_parts=n_parts) for p in range(1, n_parts))
        if self._left[task.name] == 0:
            if reasons := self._reasons.pop(task.name, {}):
                # Of the earliest part, in whichever order they came back: the same in each run.
                self._ledger.fail(task.name, task.identity, reasons[min(reasons)])
                self._close(task)
            else:
                self._finish(task, *self._joined(task))

    def _joined(self, task):
        """(score, length, `Monitor`) of a recording of which all parts are kept."""
        score, length, found = self._ledger.joined(task.name, task.identity)
        monitor = Monitor(task.channel, salvage=task.salvage)
        for part in found:
            monitor.join(Monitor(**part))
        return score, length, monitor

    def _finish(self, task, score, length, monitor):
        duration_s = length / self._detector.frontend.sr
        try:
            events = find_events(
                score, step_s=self._detector.step_s, settings=self._settings, length_s=duration_s
            )
        except ValueError as error:  # a score with NaN
            self._ledger.fail(task.name, task.identity, str(error))
        else:
            row = {
                "duration_s": duration_s,
                "listened_s": duration_s - monitor.lost_s,
                "remarks": monitor.remarks,
                "damage": monitor.damaged,
            }
            self._ledger.finish(task.name, task.identity, events=events, **row)
        self._close(task)

    def _close(self, task):
        self._left.pop(task.name, None)
        self._bar.update()


def _write(names, ledger, tally, *, faults, output, kind):
    """Write the tables of the named recordings from the ledger; adds up calls and failures.

    faults: of folders, and of files that are no recordings; errors.csv ends with them.
    """
    with replaced_folder(output / "results") as folder:
        failed, damage = [], []
        for number, part in enumerate(batched(names, ROWS_PER_FILE)):
            rows = ledger.recordings(part)
            recordings = _with_channels(rows.drop(columns="reason"))
            write_part(recordings, folder / "recordings", number=number, kind=kind)
            events = _with_channels(ledger.events(part))
            write_part(events, folder / "events", number=number, kind=kind)
            failed.append(rows.loc[rows["reason"] != "", ["clip_name", "reason"]])
            damage.append(_with_channels(ledger.damage(part)))
            tally.n_calls += int(rows["call_count"].sum())
            tally.n_remarks += int((rows["remarks"] != "").sum())
        errors = _with_channels(pd.concat(failed)).rename(columns={"clip_name": "file"})
        tally.n_failed = len(errors)
        others = pd.DataFrame([(f.file, f.reason) for f in faults], columns=["file", "reason"])
        errors = pd.concat([errors, others])
        errors.to_csv(folder / "errors.csv", index=False)
        pd.concat(damage).to_csv(folder / "damage.csv", index=False)


def _with_channels(table):
    """A table whose clip_name is a key of the ledger; a channel in it becomes a column."""
    names = table["clip_name"].str.split(CHANNEL, n=1, expand=True)
    if names.shape[1] < 2:
        return table
    return table.assign(clip_name=names[0]).assign(channel=names[1].astype(int))
