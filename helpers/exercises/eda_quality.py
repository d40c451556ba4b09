"""The checks of 01_eda: clipping, duplicates, wrong lengths."""

import collections
import itertools

import numpy as np
import pandas as pd

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_list, need_number, say_if, some_of

ONE_SIDE = "it sees flat tops on one side of zero only; |y| has those of both sides"


@check(
    "1.1",
    "the clipped share of a sound",
    "A clipped sound has flat tops: runs of samples at its own maximum, not at full scale.",
    "Mark the samples where |y| has its maximum. How long is each run of marked samples? And what "
    "is the maximum of silence?",
    "Put an unmarked sample before the first and after the last: then every run begins and ends "
    "where the mark changes, and `np.flatnonzero` finds these places.",
)
def clipped_share(attempt):
    """clipped_share(y) → share of samples in runs of at least 3 at the maximum of |y|."""
    rng = np.random.default_rng(11)
    faint = rng.uniform(-0.2, 0.2, 80)
    tone = np.sin(2 * np.pi * (np.arange(200) + 0.3) / 20)
    alone, runs, plateau, both, at_edges = (faint.copy() for _ in range(5))
    alone[[5, 20, 40, 41, 60]] = [0.7, -0.7, 0.7, 0.7, -0.7]
    lower = np.where(tone > 0, 0.3 * tone, (0.8 * tone).clip(min=-0.5))
    for start, n, value in ((4, 1, 0.6), (10, 2, -0.6), (20, 3, 0.6), (30, 4, -0.6), (50, 3, 0.6)):
        runs[start : start + n] = value
    plateau[30:40], plateau[60] = 0.5, 0.9
    both[30:34] = [0.5, 0.5, -0.5, -0.5]
    at_edges[:3] = at_edges[-4:] = 0.4
    cases = [
        ("a tone that is clipped at full scale", (1.5 * tone).clip(-1, 1)),
        ("a clipped tone, turned down to a peak of 0.3", np.float32(0.3) * (2 * tone).clip(-1, 1)),
        ("a tone that is clipped below zero only", lower),
        ("a tone that is not clipped", 0.9 * np.sin(2 * np.pi * (np.arange(200) + 0.3) / 100)),
        ("a low tone that is not clipped", 0.9 * np.sin(2 * np.pi * np.arange(2400) / 800 + 0.3)),
        ("a sound that has its maximum in one or two samples at a time", alone),
        ("runs of 1, 2, 3, 4 and 3 samples at the maximum", runs),
        ("a flat part that is lower than the maximum", plateau),
        ("a run of 4 samples that goes from the upper to the lower maximum", both),
        ("runs at the very beginning and the very end", at_edges),
        ("silence (all samples are 0)", np.zeros(50, np.float32)),
    ]
    for name, y in cases:
        lengths, n = _at_maximum(np.abs(y)), len(y)
        in_runs = sum(length for length in lengths if length >= 3)
        right = in_runs / n
        with case(name):
            found = need_number(call(attempt, y), what="a share, 0 … 1")
        if np.isclose(found, right):
            continue
        told, peak = f"{name}: it returns {found:.4g}", np.abs(y).max()
        if not y.any():
            raise Wrong(f"{told}: all samples of silence are at its maximum, but it is not "
                        "clipped; 0 is right")  # fmt: skip
        near = {"rtol": 1e-5, "told": f"{told}: "}
        above, below = (sum(k for k in _at_maximum(sign * y) if k >= 3) / n for sign in (1, -1))
        if not found and above and below and peak < 1:
            raise Wrong(
                f"{told}: its peak is {peak:.1f}, and a clipped sound that was turned down has its "
                "flat tops there, not at full scale"
            )
        if not (found or above or below):
            raise Wrong(f"{told}: a run of |y| may go on from one sign to the other")  # fmt: skip
        if np.abs(y[[0, -1]]).min() == peak:
            edges = ((lengths[0], "end"), (lengths[-1], "beginning"), (0, "beginning and end"))
            say_if(found, [(k / n, f"the run at the {place} is missing") for k, place in edges],
                   **near)  # fmt: skip
        say_if(found, [
            (in_runs, f"this is a number of samples: divide it by all {n} samples"),
            (100 * right, "this is in percent: return a share from 0 to 1"),
            (sum(lengths) / n, "it counts runs of 1 or 2 samples at the maximum; only runs of 3 or "
             "more are flat tops"),
            (sum(k for k in lengths if k > 3) / n, "a run of just 3 samples counts as well"),
            (sum(k - 2 for k in lengths if k >= 3) / n, "every run is 2 samples too short: its "
             "first and last samples count too"),
            (sum(k >= 3 for k in lengths) / n, "it counts runs: count their samples"),
            (above, ONE_SIDE),
            (below, ONE_SIDE),
            (max(lengths) / n, "this is the longest run alone: all runs of 3 or more count"),
        ], **near)  # fmt: skip
        raise Wrong(
            f"{told}, but {in_runs} of {n} samples lie in runs of 3 or more at the maximum of |y|, "
            f"a share of {right:.4g}"
        )


def _at_maximum(level):
    """The length of each run of samples at the maximum; silence has none."""
    values = level.tolist()
    peak = max(values)
    by_peak = itertools.groupby(values, key=lambda value: value == peak > 0)
    return [len(list(run)) for is_peak, run in by_peak if is_peak]


@check(
    "1.2",
    "duplicate sounds",
    "Every sound needs a key that is the same for the same samples and different for all others.",
    "Collect the indices in a dict: key of the sound → list of the indices that have it.",
    "`y.tobytes()` holds all samples of an array and can be the key of a dict. At the end keep the "
    "lists with two or more indices.",
)
def duplicates(attempt):
    """duplicates(sounds) → list of lists of indices, one per group of two or more."""
    rng = np.random.default_rng(12)
    a, b, c, d = (
        (rng.integers(-3000, 3000, n) / 32768).astype(np.float32) for n in (40, 40, 60, 9)
    )
    last, silence = a.copy(), np.zeros(12, np.float32)
    long = (rng.integers(-3000, 3000, 3000) / 32768).astype(np.float32)
    middle = np.where(np.arange(3000) == 1500, long + 1 / 32768, long).astype(np.float32)
    last[-1] += np.float32(1 / 32768)
    cases = [
        ("four different sounds, two of one length", [a, b, c, d]),
        ("a sound that is there twice", [c, a, b, a]),
        ("a sound that is there three times, and one that is there twice", [b, c, d, a, d, c, d]),
        ("a sound, and the same backwards", [b, a, a[::-1]]),
        ("a sound, and the same with silence after it", [a, c, np.concatenate([a, silence])]),
        ("silence of two lengths, one of them twice", [silence, a, silence[:5], silence]),
        ("two sounds that differ in their last sample only", [b, last, a, b]),
        ("two long sounds that differ in one sample", [long, middle, c, long]),
        ("a sound, the same upside down, and the same half as loud", [a, -a, a / 2, b, a]),
    ]
    for name, sounds in cases:
        sounds = [y.copy() for y in sounds]
        same = [[i for i, z in enumerate(sounds) if np.array_equal(y, z)] for y in sounds]
        right = [group for i, group in enumerate(same) if len(group) > 1 and group[0] == i]
        with case(name):
            found = _index_lists(call(attempt, sounds), n=len(sounds))
            if sorted(map(sorted, found)) == right:
                continue
            told = f"it returns {found}"
            if any(len(group) < 2 for group in found):
                raise Wrong(f"{told}: a sound without a duplicate is in no group")
            for group in found:
                for i, j in itertools.combinations(group, 2):
                    if i == j:
                        raise Wrong(f"{told}: a group holds {i} twice")
                    if j not in same[i]:
                        raise Wrong(f"{told}, but sounds {i} and {j} {_difference(sounds, i, j)}")
            times = collections.Counter(i for group in found for i in group)
            if times and max(times.values()) > 1:
                i = max(times, key=times.get)
                raise Wrong(
                    f"{told}: sound {i} is in {times[i]} groups. All sounds with the same samples "
                    f"are one group: {same[i]}"
                )
            missing = next(group for group in right if sorted(group) not in map(sorted, found))
            raise Wrong(f"{told}, but sounds {some_of(missing)} have the same samples")


def _index_lists(value, *, n):
    """`value` as a list of lists of int, or Wrong."""
    what = "a list of indices for each group"
    groups = need_list(value, what=what)
    if groups and not any(hasattr(group, "__iter__") for group in groups):
        raise Wrong(f"it returns {some_of(groups)} in one flat list; {what} is needed")
    groups = [need_list(group, what=what) for group in groups]
    for i in itertools.chain(*groups):
        if not isinstance(i, (int, np.integer)) or not 0 <= i < n:
            raise Wrong(f"one of its groups holds {i!r}, which is not an index from 0 to {n - 1}")
    return [[int(i) for i in group] for group in groups]


def _difference(sounds, i, j):
    """How two sounds differ, for a message."""
    a, b = sounds[i], sounds[j]
    if len(a) != len(b):
        return f"have {len(a)} and {len(b)} samples: they are not the same"
    same = "although their means are equal" if a.mean() == b.mean() else "with equal lengths"
    return f"differ at sample {int((a != b).argmax())}, {same}"


@check(
    "1.3",
    "files with a wrong length",
    "For every row: how many seconds longer or shorter is the file than listed?",
    "Longer and shorter both count: compare the absolute difference with tolerance_s.",
    "Every comparison with NaN is False, so `>` alone leaves out rows without a listed length. "
    "Then use the mask to select from the column `file`.",
)
def wrong_length(attempt):
    """wrong_length(table, *, tolerance_s) → list of files."""
    rng = np.random.default_rng(13)
    n = 14
    table = pd.DataFrame({"file": [f"clip_{i:02d}.wav" for i in rng.permutation(n)]})
    table["listed_s"] = rng.integers(8, 33, n) / 8
    table["duration_s"] = table["listed_s"] + rng.choice([-0.03125, 0.0, 0.03125], n)
    as_listed = table.copy()
    table.loc[[1, 6], "duration_s"] += [1.25, 0.375]
    table.loc[[4, 9], "duration_s"] -= [0.75, 0.3125]
    missing = table.copy()
    missing.loc[[2, 4, 11], "listed_s"] = np.nan
    lengths = as_listed[:5].assign(
        listed_s=[120.0, 0.5, 240.0, 0.25, 4.0], duration_s=[121.0, 0.875, 239.0, 0.0625, 4.0]
    )
    at_limit = as_listed[:3].assign(listed_s=[4.0, 4.0, 4.0], duration_s=[3.5, 4.5, 4.75])
    order = rng.permutation(n)
    cases = [
        ("files that are as long as listed", as_listed, 0.125),
        ("files of which some are too long and some too short", table, 0.125),
        ("the same files and a tolerance of half a second", table, 0.5),
        ("a table with three lengths that are not listed", missing, 0.125),
        ("files of very different lengths", lengths, 0.5),
        ("differences equal to the tolerance, and one above it", at_limit, 0.5),
        ("a table whose index is in another order", missing.iloc[order], 0.25),
        ("a table whose index has gaps", missing.iloc[::2], 0.125),
    ]
    for name, given, tolerance_s in cases:
        rows = {row.file: (row.listed_s, row.duration_s) for row in given.itertuples()}
        right = [
            f for f, (listed, own) in rows.items() if max(own - listed, listed - own) > tolerance_s
        ]
        with case(name):
            found = call(attempt, given, tolerance_s=tolerance_s)
            found = _file_names(found, given)
            if sorted(found) == sorted(right):
                continue
            told = (
                f"it returns {len(found)} files ({some_of(found)})" if found else "it returns none"
            )
            if len(set(found)) < len(found):
                raise Wrong(f"{told}: some of them more than once")
            relative = [
                f for f, (listed, own) in rows.items() if abs(own / listed - 1) > tolerance_s
            ]
            if set(found) == set(relative):
                raise Wrong(f"{told}: these differ by more than the share {tolerance_s:g}; "
                            "tolerance_s is in seconds")  # fmt: skip
            for file in found:
                listed, own = rows[file]
                if np.isnan(listed):
                    raise Wrong(f"{told}: no length is listed for {file}: leave it out")
                if abs(own - listed) == tolerance_s:
                    raise Wrong(f"{told}: {file} differs by exactly {tolerance_s:g} s, which is "
                                "not more than the tolerance")  # fmt: skip
                if file not in right:
                    raise Wrong(f"{told}: {file} lasts {own:g} s and is listed with {listed:g} s: "
                                f"the difference is within {tolerance_s:g} s")  # fmt: skip
            left = [file for file in right if file not in found]
            listed, own = rows[left[0]]
            longer = [file for file in right if rows[file][1] > rows[file][0]]
            shorter = [file for file in right if file not in longer]
            why = ""
            if left == longer:
                why = ". Files that are too long count as well"
            elif left == shorter:
                why = ". Files that are too short count as well"
            raise Wrong(f"{told}: {left[0]} is missing, but it lasts {own:g} s and is listed with "
                        f"{listed:g} s{why}")  # fmt: skip


def _file_names(value, table):
    """`value` as a list of files of the table, or Wrong."""
    files = need_list(value, what="the names of the files")
    if files and all(isinstance(file, (bool, np.bool_)) for file in files):
        raise Wrong("it returns True or False for every row: select the files with this mask")
    for file in files:
        if not isinstance(file, str) or file not in set(table["file"]):
            what = "a row number" if isinstance(file, (int, np.integer)) else "not a name in `file`"
            raise Wrong(f"it returns {file!r}, {what}: the names of the files are needed")
    return files
