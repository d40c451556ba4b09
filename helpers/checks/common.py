"""What the checks of several notebooks share."""

import numpy as np
import scipy.special

from helpers.exercises import Wrong, need_value

BY_CHANCE = 1e-7  # how seldom a right answer may look wrong, where answers are drawn


def need_parts(value, *names):
    """The parts of a tuple, or Wrong. names: what they are, for the message."""
    need_value(value)
    wanted = f"({', '.join(names)}) is needed"
    if isinstance(value, np.ndarray) and len(np.atleast_1d(value)) != len(names):
        raise Wrong(f"it returns one array of shape {value.shape}, where {wanted}")
    if not isinstance(value, tuple | list | np.ndarray):
        raise Wrong(f"it returns a {type(value).__name__}, where {wanted}")
    if len(value) != len(names):
        raise Wrong(f"it returns {len(value)} things, where {wanted}")
    return value


def plain(value, *, what):
    """`value` as an array of its own type, or Wrong."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError):
        raise Wrong(f"{what} is a {type(value).__name__}: one array is needed") from None


def say_if(found, mistakes, *, within, told=""):
    """Wrong, if `found` is what a known mistake gives: (what it gives, what it is)."""
    for other, what in mistakes:
        if np.shape(found) == np.shape(other) and np.abs(found - other).max() < within:
            raise Wrong(f"{told}{what}")


def need_mask(value, n, *, each):
    """`value` as a bool array of n, or Wrong. each: what each of them is for, for the message."""
    need_value(value)
    found = plain(value, what="what it returns")
    told = f"{n} times True or False, one for each {each}, are needed"
    if found.dtype != bool:
        if found.shape == (n,) and np.isin(found, (0, 1)).all():
            raise Wrong(f"its values are {found.dtype}, 0 and 1, which would be taken for indices: "
                        f"{told}")  # fmt: skip
        what = (
            "names" if found.dtype.kind in "US" else "indices" if found.dtype.kind in "iu" else ""
        )
        raise Wrong(f"it returns {what or 'values of type ' + str(found.dtype)}: {told}")
    if found.shape != (n,):
        raise Wrong(f"it returns shape {found.shape}: {told}")
    return found


def explain_starts(starts, n_starts, what="sample"):
    """Raise Wrong unless all starts, 0 to n_starts - 1, come about equally often."""
    times = np.bincount(starts, minlength=n_starts)
    tries, last = len(starts), n_starts - 1
    if n_starts == 1:
        return
    if times.max() == tries:
        raise Wrong(
            f"in {tries} tries it always begins at {what} {times.argmax()}: draw a place with rng"
        )
    told = f"in {tries} tries it never begins at {what}"
    if not times[last] and times[:-1].all():
        raise Wrong(
            f"{told} {last}, the last place that fits: `rng.integers` leaves out its upper end"
        )
    if not times[0] and times[1:].all():
        raise Wrong(f"{told} 0: from the very beginning a stretch fits as well")
    if not times.all():
        missing = np.flatnonzero(times == 0)
        raise Wrong(f"{told} {', '.join(map(str, missing[:4]))}: every place that fits, 0 to "
                    f"{last}, needs the same chance")  # fmt: skip
    mean = tries / n_starts
    if ((times - mean) ** 2).sum() / mean < scipy.special.chdtri(last, BY_CHANCE):
        return
    told = f"the places 0 to {last} come {times.tolist()} times: each needs the same chance"
    ends, between = times[[0, last]], times[1:last]
    if between.size and ends.min() > 0.3 * between.max() and ends.max() < 0.7 * between.min():
        told += ". The two at the ends come about half as often: does it round to whole numbers?"
    raise Wrong(told)
