"""Exercises: the verdict on an attempt, hints, and progress. What is checked stands in `checks`.

A check calls the student's function and raises `Wrong` with what is wrong in terms of what came
back. Everything around that is here: an untouched exercise is no error, a crash is shown at the
student's own line, and in the solved notebook anything but *correct* is an error.
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
    """What is wrong with an attempt, said in terms of what it returned."""


class CheckFailed(AssertionError):
    """In a solved notebook: an exercise whose solution is not correct."""


class _Untouched(Exception):
    """The function still raises what stands in the place of its solution."""


@dataclass(frozen=True)
class Exercise:
    """number: "5.2". title: in a few words. hints: up to three, each more concrete."""

    number: str
    title: str
    hints: tuple


@dataclass(frozen=True)
class Verdict:
    """What a check says. A notebook shows it in colour where it ends a cell."""

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
    """What one notebook, in one kernel, knows of its exercises."""

    chapter: str = ""
    strict: bool = False
    by_nbgrader: bool = False
    verdicts: dict = field(default_factory=dict)
    hints_given: dict = field(default_factory=dict)


EXERCISES = {}  # number → Exercise, in the order of the notebooks
_session = _Session()


def start(chapter, *, strict=False):
    """Begin a notebook's exercises. chapter: "5" for 5.1, 5.2, … strict: see `CheckFailed`.

    nbgrader gives the points of every check that raises nothing: while it grades, all are strict.
    """
    global _session
    by_nbgrader = os.environ.get("NBGRADER_EXECUTION") == "autograde"
    _session = _Session(str(chapter), strict or by_nbgrader, by_nbgrader)


def check(number, title, *hints):
    """Make a check of a function that calls an attempt and raises `Wrong`; it returns a Verdict."""
    exercise = EXERCISES[number] = Exercise(number, title, hints)

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
            if _session.by_nbgrader:  # for which what a cell returns is a number of points
                print(verdict)
                return None
            return verdict

        judged.exercise = exercise
        return judged

    return decorate


def call(attempt, *arguments, **options):
    """What an attempt returns. Raises Wrong where it crashes, or changes what it is given."""
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
    """Within, what is `Wrong` says for which case."""
    try:
        yield
    except Wrong as wrong:
        raise Wrong(f"{name}: {wrong}") from None


def _same(a, b):
    if isinstance(a, list):  # of arrays of different lengths, say
        return len(a) == len(b) and all(map(_same, a, b))
    return a.equals(b) if isinstance(a, pd.DataFrame) else np.array_equal(a, b)


def _last_frame(error, attempt):
    """Where in the student's own code it happened, and what."""
    what = "".join(traceback.format_exception_only(error)).strip()
    own = getattr(getattr(attempt, "__code__", None), "co_filename", None)
    frames = traceback.extract_tb(error.__traceback__)[1:]
    frames = [frame for frame in frames if frame.filename == own] or frames
    if not frames:  # the call itself: a parameter too many, or another name
        return f"it cannot be called as the task says: {what}"
    last = frames[-1]
    return f"it stops in line {last.lineno} of {last.name}:\n    {last.line}\n{what}"


def need_value(value):
    """Wrong, where an attempt returns nothing."""
    if value is None:
        raise Wrong("it returns None: does it end with `return`?")


def need_number(value, *, what):
    """`value` as a float, or Wrong. what: what it is, for the message."""
    need_value(value)
    try:
        number = np.asarray(value, float)
    except (TypeError, ValueError):
        raise Wrong(f"it returns a {type(value).__name__}; a number is needed: {what}") from None
    if number.ndim:
        raise Wrong(f"it returns {number.size} values, where one number is needed: {what}")
    if not np.isfinite(number):
        raise Wrong(f"it returns {number}; a number is needed: {what}")
    return float(number)


def need_numbers(value, *, axes):
    """`value` as a float array of any shape, or Wrong. axes: what they are, for the message."""
    need_value(value)
    try:
        return np.asarray(value, float)
    except (TypeError, ValueError):
        raise Wrong(
            f"it returns a {type(value).__name__}; an array ({', '.join(axes)}) is needed"
        ) from None


def need_array(value, *, shape, axes):
    """`value` as a float array of a shape, or Wrong. axes: what the axes are, for the message."""
    array = need_numbers(value, axes=axes)
    wanted = f"({', '.join(axes)}) = {shape}"
    if array.shape != shape:
        found = f"it returns shape {array.shape}, where {wanted} is needed"
        if array.ndim > 1 and array.shape == shape[::-1]:
            raise Wrong(f"{found}: the axes are the wrong way round")
        if array.ndim == len(shape):
            for have, want, axis in zip(array.shape, shape, axes, strict=True):
                if abs(have - want) == 1:
                    raise Wrong(f"{found}: {axis} is off by one")
        raise Wrong(found)
    if not np.isfinite(array).all():
        raise Wrong("it returns NaN or infinite values")
    return array


def hint(number):
    """The next hint to an exercise: each is more concrete than the one before; the last stays."""
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
    """How many of a notebook's exercises are correct; a bar, where a notebook shows it."""

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
    """`Progress` of this notebook."""
    mine = [n for n in EXERCISES if n.split(".")[0] == _session.chapter]
    done = [n for n in mine if n in _session.verdicts and _session.verdicts[n].status == CORRECT]
    text = f"{len(done)} of {len(mine)} exercises correct"
    if left := [n for n in mine if n not in done]:
        text += f"; to do: {', '.join(left)}"
    return Progress(len(done), len(mine), text)
