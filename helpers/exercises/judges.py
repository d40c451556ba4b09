"""Shared judges: is an answer a number, an array, a mask, …, and which known mistake is it?

Whatever is wrong is raised as `Wrong`, in words that the student reads.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from helpers.exercises.engine import Wrong

BY_CHANCE = 1e-7  # how seldom a right answer may look wrong, where answers are drawn


# --- what kind of answer --------------------------------------------------------------------------


def need_value(value):
    """Raise Wrong if an attempt returns nothing."""
    if value is None:
        raise Wrong("it returns None: does it end with `return`?")


def need_number(value, *, what):
    """`value` as a float, or Wrong. what: what the number is, for the message."""
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
    """`value` as a float array of any shape, or Wrong. axes: their names, for the message."""
    need_value(value)
    try:
        return np.asarray(value, float)
    except (TypeError, ValueError):
        raise Wrong(
            f"it returns a {type(value).__name__}; an array ({', '.join(axes)}) is needed"
        ) from None


def need_real(value, *, axes, why):
    """`value` as a float array of any shape, or Wrong. why: the reason to expect real numbers."""
    try:
        is_complex = np.iscomplexobj(value)
    except ValueError:  # rows of different lengths
        is_complex = False
    if is_complex:
        raise Wrong(f"it returns complex numbers: {why}")
    return need_numbers(value, axes=axes)


def need_array(value, *, shape, axes):
    """`value` as a float array of a shape, or Wrong. axes: their names, for the message."""
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


def need_parts(value, *names):
    """The parts of a tuple, or Wrong. names: of the parts, for the message."""
    need_value(value)
    wanted = f"({', '.join(names)}) is needed"
    if isinstance(value, np.ndarray) and len(np.atleast_1d(value)) != len(names):
        raise Wrong(f"it returns one array of shape {value.shape}, where {wanted}")
    if not isinstance(value, tuple | list | np.ndarray):
        raise Wrong(f"it returns a {type(value).__name__}, where {wanted}")
    if len(value) != len(names):
        raise Wrong(f"it returns {len(value)} things, where {wanted}")
    return value


def need_list(value, *, what):
    """`value` as a list, or Wrong. what: what is in the list, for the message."""
    need_value(value)
    if isinstance(value, (str, Mapping, pd.DataFrame)) or not hasattr(value, "__iter__"):
        raise Wrong(f"it returns a {type(value).__name__}; a list is needed: {what}")
    return value.tolist() if isinstance(value, np.ndarray) else list(value)


def need_mask(value, n, *, each):
    """`value` as a bool array (n,), or Wrong. each: what one element stands for."""
    need_value(value)
    found = plain(value, what="what it returns")
    told = f"{n} times True or False, one for each {each}, are needed"
    if found.dtype != bool:
        if found.shape == (n,) and np.isin(found, (0, 1)).all():
            raise Wrong(f"its values are 0 and 1 ({found.dtype}), which NumPy would take for "
                        f"indices: {told}")  # fmt: skip
        kinds = {"U": "names", "S": "names", "i": "indices", "u": "indices"}
        what = kinds.get(found.dtype.kind, f"values of type {found.dtype}")
        raise Wrong(f"it returns {what}: {told}")
    if found.shape != (n,):
        raise Wrong(f"it returns shape {found.shape}: {told}")
    return found


def plain(value, *, what):
    """`value` as an array of its own type, or Wrong. what: its name, for the message."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError):
        raise Wrong(f"{what} is a {type(value).__name__}: one array is needed") from None


# --- which mistake --------------------------------------------------------------------------------


def say_if(found, mistakes, *, within=1e-8, rtol=0.0, told=""):
    """Raise Wrong if `found` is what a known mistake gives.

    mistakes: (what the mistake gives, what is wrong), the most likely first. within, rtol: how
    close they must be, absolute and relative. told: what the message begins with.
    """
    for other, what in mistakes:
        if np.shape(found) == np.shape(other) and np.allclose(
            found, other, rtol=rtol, atol=within
        ):  # fmt: skip
            raise Wrong(f"{told}{what}")


def say_first(*mistakes, told=""):
    """Raise Wrong with the first mistake whose condition holds: (condition, what is wrong)."""
    for is_it, what in mistakes:
        if is_it:
            raise Wrong(f"{told}{what}")


def worst_of(found, right, *axes, unit=""):
    """The value that is farthest off, such as "band 3 of frame 7 is 1.2, where 3.4 is right"."""
    at = np.unravel_index(np.abs(found - right).argmax(), right.shape)
    place = " of ".join(f"{axis} {i}" for axis, i in zip(axes, at, strict=True))
    return f"{place} is {found[at]:.4g}{unit}, where {right[at]:.4g}{unit} is right"


def some_of(items):
    """The first few of several, for a message."""
    items = [str(item) for item in items]
    return ", ".join(items[:4]) + (", …" if len(items) > 4 else "")


def row_of(values):
    """A row of numbers, for a message."""
    return f"[{', '.join(f'{x:.3g}' for x in values)}]"


# --- what is drawn at random ----------------------------------------------------------------------


def judge_seed(draw, *, what):
    """Raise Wrong unless draw(rng) depends on rng alone. what: what is drawn, for the message."""
    one, other = (draw(np.random.default_rng(3)) for _ in range(2))
    if not np.array_equal(one, other):
        raise Wrong(f"two generators with the same seed give different {what}: draw from rng alone")


def are_even(times):
    """Whether counts of equally likely events may well differ like this (chi-squared test)."""
    import scipy.special

    mean = times.mean()
    return ((times - mean) ** 2).sum() / mean < scipy.special.chdtri(times.size - 1, BY_CHANCE)


def judge_starts(starts, n_starts, what="sample"):
    """Raise Wrong unless all starts, 0 to n_starts - 1, come about equally often."""
    times = np.bincount(starts, minlength=n_starts)
    tries, last = len(starts), n_starts - 1
    if n_starts == 1:
        return
    if times.max() == tries:
        raise Wrong(
            f"in {tries} tries it always begins at {what} {times.argmax()}: draw it with rng"
        )
    told = f"in {tries} tries it never begins at {what}"
    if not times[last] and times[:-1].all():
        raise Wrong(f"{told} {last}, the last that fits: `rng.integers` leaves out its upper end")
    if not times[0] and times[1:].all():
        raise Wrong(f"{told} 0, the first place: it fits there as well")
    if not times.all():
        missing = np.flatnonzero(times == 0)
        raise Wrong(f"{told} {', '.join(map(str, missing[:4]))}: every place that fits, 0 to "
                    f"{last}, needs the same chance")  # fmt: skip
    if are_even(times):
        return
    told = f"the places 0 to {last} come {times.tolist()} times: each needs the same chance"
    ends, between = times[[0, last]], times[1:last]
    if between.size and ends.min() > 0.3 * between.max() and ends.max() < 0.7 * between.min():
        told += ". The first and the last come about half as often: does it round to whole numbers?"
    raise Wrong(told)
