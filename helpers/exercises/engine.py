"""Verdicts on attempts at exercises, hints, and progress.

A check calls the student's function and raises `Wrong`, which says what is wrong with the answer.
The engine does the rest: an exercise that nobody has touched is no error, a crash is shown at the
student's own line, and in the solved notebook every verdict other than *correct* is an error.
"""

import contextlib
import copy
import functools
import html
import os
import traceback
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

CONTAINERS = (np.ndarray, pd.DataFrame, list)  # arguments that an attempt might change
NOT_ATTEMPTED, NOT_YET, CORRECT = "not attempted", "not yet", "correct"
COLOURS = {NOT_ATTEMPTED: "#888888", NOT_YET: "#b5651d", CORRECT: "#2e7d32"}


class Wrong(Exception):
    """What is wrong with the answer of an attempt; the message is for the student."""


class CheckFailed(AssertionError):
    """A solution is not correct, in a notebook where all must be (`start(…, strict=True)`)."""


class _Untouched(Exception):
    """The function still raises the NotImplementedError that replaces its solution."""


@dataclass(frozen=True)
class Exercise:
    """number: such as "5.2". title: a few words. hints: one to three, each more concrete."""

    number: str
    title: str
    hints: tuple


@dataclass(frozen=True)
class Verdict:
    """The result of a check. A notebook shows it in colour when it is the last value of a cell."""

    exercise: Exercise
    status: str
    message: str = ""

    def __str__(self):
        colon = f": {self.message}" if self.message else ""
        return f"Exercise {self.exercise.number}, {self.exercise.title}: {self.status}{colon}"

    __repr__ = __str__

    def _repr_html_(self):
        message = html.escape(self.message).replace("\n", "<br>")
        return (
            f'<div style="border-left: 4px solid {COLOURS[self.status]}; padding-left: 0.8em">'
            f"<b>Exercise {self.exercise.number}, {html.escape(self.exercise.title)}: "
            f'<span style="color: {COLOURS[self.status]}">{self.status}</span></b>'
            f"{'<br>' + message if message else ''}</div>"
        )


@dataclass
class _Session:
    """The state of the exercises of one notebook, in one kernel."""

    chapter: str = ""
    strict: bool = False
    by_nbgrader: bool = False
    verdicts: dict = field(default_factory=dict)
    hints_given: dict = field(default_factory=dict)


EXERCISES = {}  # number → Exercise, in the order of their numbers
_session = _Session()


def start(chapter, *, strict=False):
    """Begin the exercises of a notebook.

    chapter: "5" for 5.1, 5.2, … strict: raise CheckFailed for every verdict but *correct*. Always
    strict while nbgrader grades, because it gives the points of every check that raises nothing.
    """
    global _session
    by_nbgrader = os.environ.get("NBGRADER_EXECUTION") == "autograde"
    _session = _Session(str(chapter), strict or by_nbgrader, by_nbgrader)


def check(number, title, *hints):
    """Decorator that makes a check: the function calls an attempt and raises `Wrong`.

    The check takes the attempt and returns a Verdict. number, title, hints: see `Exercise`.
    """
    exercise = EXERCISES[number] = Exercise(number, title, hints)
    for key in sorted(EXERCISES, key=lambda key: [int(part) for part in key.split(".")]):
        EXERCISES[key] = EXERCISES.pop(key)  # whichever topic was imported first

    def decorate(body):
        @functools.wraps(body)
        def judged(attempt):
            try:
                body(attempt)
                verdict = Verdict(exercise, CORRECT)
            except _Untouched:
                verdict = Verdict(exercise, NOT_ATTEMPTED)
            except Wrong as wrong:
                verdict = Verdict(exercise, NOT_YET, str(wrong))
            _session.verdicts[number] = verdict
            if _session.strict and verdict.status != CORRECT:
                raise CheckFailed(str(verdict))
            if _session.by_nbgrader:  # which takes the value of a cell for a number of points
                print(verdict)
                return None
            return verdict

        judged.exercise = exercise
        return judged

    return decorate


def call(attempt, *arguments, **options):
    """What an attempt returns. Raises Wrong if it crashes or changes its arguments."""
    given = [copy.deepcopy(x) if isinstance(x, CONTAINERS) else x for x in arguments]
    try:
        result = attempt(*given, **options)
    except NotImplementedError as error:
        if str(error).startswith("FIXME"):
            raise _Untouched from None
        raise Wrong(_last_frame(error, attempt)) from None
    except Exception as error:
        raise Wrong(_last_frame(error, attempt)) from None
    for i, (before, after) in enumerate(zip(arguments, given, strict=True)):
        if isinstance(before, CONTAINERS) and not _same(before, after):
            raise Wrong(f"it changes its input (argument {i + 1}): work on a copy")
    return result


@contextlib.contextmanager
def case(name):
    """Within it, the message of `Wrong` begins with the name of the case."""
    try:
        yield
    except Wrong as wrong:
        raise Wrong(f"{name}: {wrong}") from None


def _same(a, b):
    if isinstance(a, list):  # for example of arrays of different lengths
        return len(a) == len(b) and all(map(_same, a, b))
    return a.equals(b) if isinstance(a, pd.DataFrame) else np.array_equal(a, b)


def _last_frame(error, attempt):
    """The error, and the line of the student's own code that raised it."""
    what = "".join(traceback.format_exception_only(error)).strip()
    own = getattr(getattr(attempt, "__code__", None), "co_filename", None)
    frames = traceback.extract_tb(error.__traceback__)[1:]
    frames = [frame for frame in frames if frame.filename == own] or frames
    if not frames:  # the call itself failed: another number or other names of parameters
        return f"it cannot be called with the arguments of the task: {what}"
    last = frames[-1]
    return f"it stops in line {last.lineno} of {last.name}:\n    {last.line}\n{what}"


def hint(number):
    """Print the next hint to an exercise, such as "5.1"; after the last one, the last again."""
    number = str(number)
    if number not in EXERCISES:
        raise ValueError(f"there is no exercise {number!r}: {', '.join(EXERCISES)}")
    hints = EXERCISES[number].hints
    given = min(_session.hints_given.get(number, 0), len(hints) - 1)
    _session.hints_given[number] = given + 1
    last = ", the last" if given + 1 == len(hints) else ""
    print(f"Hint {given + 1} of {len(hints)}{last}: {hints[given]}")


@dataclass(frozen=True)
class Progress:
    """How many exercises of a notebook are correct; a notebook shows it as a bar."""

    value: int
    max: int
    description: str

    def __str__(self):
        return self.description

    __repr__ = __str__

    def _repr_html_(self):
        bar = f'<progress value="{self.value}" max="{self.max}" style="width: 16em"></progress>'
        return f"{bar} {html.escape(self.description)}"


def progress():
    """The `Progress` of this notebook."""
    mine = [n for n in EXERCISES if n.split(".")[0] == _session.chapter]
    done = [n for n in mine if n in _session.verdicts and _session.verdicts[n].status == CORRECT]
    text = f"{len(done)} of {len(mine)} exercises correct"
    if left := [n for n in mine if n not in done]:
        text += f"; to do: {', '.join(left)}"
    return Progress(len(done), len(mine), text)
