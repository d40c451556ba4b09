"""The checks of 01_eda."""

import collections
import contextlib
import itertools
import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from helpers.exercises import Wrong, call, case, check, need_array, need_number, need_value

UNQUOTED = r"""(?<!["'\w])group(?!["'\w]|\s+by\b)"""  # the word of SQL, as if it were a column
ONE_SIDE = "it sees flat tops on one side of zero only; |y| has those on the other as well"


def _listed(value, *, what):
    """`value` as a list, or Wrong. what: what is in it, for the message."""
    need_value(value)
    if isinstance(value, (str, Mapping, pd.DataFrame)) or not hasattr(value, "__iter__"):
        raise Wrong(f"it returns a {type(value).__name__}; a list is needed: {what}")
    return value.tolist() if isinstance(value, np.ndarray) else list(value)


def _say_if(found, told, mistakes):
    """Wrong, if `found` is one of the values that a known mistake gives: (value, what it is)."""
    for value, what in mistakes:
        if np.isclose(found, value):
            raise Wrong(f"{told}: {what}")


def _some(items):
    """The first few, for a message."""
    items = [str(item) for item in items]
    return ", ".join(items[:4]) + (", …" if len(items) > 4 else "")


@check(
    "1.1",
    "how much of a sound is clipped",
    "A clipped sound has flat tops: runs of samples at its own maximum. Full scale plays no part.",
    "Mark the samples at which |y| has its maximum. Now, how long is each run of marked samples? "
    "And what is the maximum of silence?",
    "With an unmarked sample put before the first and after the last, every run begins and ends "
    "where the mark changes: `np.flatnonzero` of that gives begins and ends in turn.",
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
            raise Wrong(f"{told}: silence is at its maximum throughout, and yet not clipped; 0 is "
                        "right")  # fmt: skip
        above, below = (sum(k for k in _at_maximum(sign * y) if k >= 3) / n for sign in (1, -1))
        if not found and above and below and peak < 1:
            raise Wrong(
                f"{told}: its peak is {peak:.1f}, and what was clipped and then turned down has "
                "its flat tops there, not at full scale"
            )
        if not (found or above or below):
            raise Wrong(f"{told}: both signs count together, a run of |y| goes on from one to the "
                        "other")  # fmt: skip
        if np.abs(y[[0, -1]]).min() == peak:
            edges = ((lengths[0], "end"), (lengths[-1], "beginning"), (0, "beginning and end"))
            _say_if(found, told, [(k / n, f"the run at the {place} is missing")
                                  for k, place in edges])  # fmt: skip
        _say_if(found, told, [
            (in_runs, f"a number of samples; a share of the {n} is asked"),
            (100 * right, "this is in percent; a share from 0 to 1 is asked"),
            (sum(lengths) / n, "it counts samples at the maximum that stand alone or in twos; only "
             "runs of 3 or more are flat tops"),
            (sum(k for k in lengths if k > 3) / n, "a run of just 3 samples counts as well"),
            (sum(k - 2 for k in lengths if k >= 3) / n, "every run is 2 samples short: all samples "
             "of a run count, its ends too"),
            (sum(k >= 3 for k in lengths) / n, "it counts runs; their samples are asked"),
            (above, ONE_SIDE),
            (below, ONE_SIDE),
            (max(lengths) / n, "this is the longest run alone; all runs of 3 or more count"),
        ])  # fmt: skip
        raise Wrong(
            f"{told}, but {in_runs} of {n} samples lie in runs of 3 or more at the maximum of |y|, "
            f"a share of {right:.4g}"
        )


def _at_maximum(level):
    """How long each run of neighbouring samples at the maximum is; none in silence."""
    values = level.tolist()
    peak = max(values)
    by_peak = itertools.groupby(values, key=lambda value: value == peak > 0)
    return [len(list(run)) for is_peak, run in by_peak if is_peak]


@check(
    "1.2",
    "the same sound twice",
    "Every sound needs a key that is the same for the same samples, and for those only.",
    "Collect the indices in a dict: key of the sound → list of the indices that have it.",
    "`y.tobytes()` holds all samples of an array and can be the key of a dict. In the end keep the "
    "lists that have two indices or more.",
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
                raise Wrong(f"{told}: a sound that is there once is in no group")
            for group in found:
                for i, j in itertools.combinations(group, 2):
                    if i == j:
                        raise Wrong(f"{told}: {i} stands twice in a group")
                    if j not in same[i]:
                        raise Wrong(f"{told}, but sounds {i} and {j} {_difference(sounds, i, j)}")
            times = collections.Counter(i for group in found for i in group)
            if times and max(times.values()) > 1:
                i = max(times, key=times.get)
                raise Wrong(
                    f"{told}: sound {i} is in {times[i]} groups. All sounds that are the same are "
                    f"one group: {same[i]}"
                )
            missing = next(group for group in right if sorted(group) not in map(sorted, found))
            raise Wrong(f"{told}, but sounds {_some(missing)} have the same samples")


def _index_lists(value, *, n):
    """`value` as a list of lists of int, or Wrong."""
    what = "a list of indices for each group"
    groups = _listed(value, what=what)
    if groups and not any(hasattr(group, "__iter__") for group in groups):
        raise Wrong(f"it returns {_some(groups)} in one flat list, where {what} is needed")
    groups = [_listed(group, what=what) for group in groups]
    for i in itertools.chain(*groups):
        if not isinstance(i, (int, np.integer)) or not 0 <= i < n:
            raise Wrong(f"one of its groups holds {i!r}, which is no index from 0 to {n - 1}")
    return [[int(i) for i in group] for group in groups]


def _difference(sounds, i, j):
    """In what two sounds differ, for a message."""
    a, b = sounds[i], sounds[j]
    if len(a) != len(b):
        return f"have {len(a)} and {len(b)} samples: they are not the same"
    same = "though their means are equal" if a.mean() == b.mean() else "though the length is equal"
    return f"differ at sample {int((a != b).argmax())}, {same}"


@check(
    "1.3",
    "files that are not as long as listed",
    "For every row: by how many seconds is the file longer or shorter than listed?",
    "Longer and shorter both count, so it is the absolute difference that is compared with "
    "tolerance_s.",
    "Any comparison with NaN is False, so `>` leaves out rows without a listed length by itself. "
    "The mask then picks from the column `file`.",
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
        ("differences of just the tolerance, and one of more", at_limit, 0.5),
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
            told = f"it returns {len(found)} files ({_some(found)})" if found else "it returns none"
            if len(set(found)) < len(found):
                raise Wrong(f"{told}: some of them more than once")
            relative = [
                f for f, (listed, own) in rows.items() if abs(own / listed - 1) > tolerance_s
            ]
            if set(found) == set(relative):
                raise Wrong(f"{told}: these differ by more than a share of {tolerance_s:g}; "
                            "tolerance_s is in seconds")  # fmt: skip
            for file in found:
                listed, own = rows[file]
                if np.isnan(listed):
                    raise Wrong(f"{told}: no length is listed for {file}, so it cannot be wrong")
                if abs(own - listed) == tolerance_s:
                    raise Wrong(f"{told}: {file} differs by just {tolerance_s:g} s, which is not "
                                "more than the tolerance")  # fmt: skip
                if file not in right:
                    raise Wrong(f"{told}: {file} lasts {own:g} s and is listed with {listed:g} s, "
                                f"which is within {tolerance_s:g} s")  # fmt: skip
            left = [file for file in right if file not in found]
            listed, own = rows[left[0]]
            longer = [file for file in right if rows[file][1] > rows[file][0]]
            shorter = [file for file in right if file not in longer]
            why = ""
            if left == longer:
                why = ". Files that are too long are wrong as well"
            elif left == shorter:
                why = ". Files that are too short are wrong as well"
            raise Wrong(f"{told}: {left[0]} is not among them, but it lasts {own:g} s and is "
                        f"listed with {listed:g} s{why}")  # fmt: skip


def _file_names(value, table):
    """`value` as a list of files of the table, or Wrong."""
    files = _listed(value, what="the names of the files")
    if files and all(isinstance(file, (bool, np.bool_)) for file in files):
        raise Wrong("it returns True or False for every row: pick the files with that")
    for file in files:
        if not isinstance(file, str) or file not in set(table["file"]):
            what = "a row number" if isinstance(file, (int, np.integer)) else "no name in `file`"
            raise Wrong(f"it returns {file!r}, {what}: the names of the files are needed")
    return files


@check(
    "1.4",
    "weights that make classes equal",
    "A class with few clips needs a large weight: how does the weight depend on the count?",
    "If weight times count is to be the same for all classes, the weight is a constant over the "
    "count. The constant follows from the mean weight of 1.",
    "All weights sum to the number of clips n, and each class has the same part of it. That part, "
    "shared among the clips of one class, is the weight.",
)
def class_weights(attempt):
    """class_weights(labels) → dict: label → weight."""
    from sklearn.utils.class_weight import compute_class_weight

    rng = np.random.default_rng(14)
    for name, counts in (
        ("four uneven classes", {"siren": 5, "dog_bark": 30, "rain": 12, "rooster": 3}),
        ("two classes of the same size", {"rain": 8, "siren": 8}),
        ("labels that are numbers", {0: 4, 1: 11, 2: 1}),
    ):
        labels = [label for label, count in counts.items() for _ in range(count)]
        labels = [labels[i] for i in rng.permutation(len(labels))]
        classes, n = list(counts), len(labels)
        balanced = compute_class_weight("balanced", classes=np.array(classes), y=labels)
        right = dict(zip(classes, balanced.tolist(), strict=True))
        with case(name):
            found = _weights(call(attempt, pd.Series(labels).to_numpy()), classes, n=n)
            if all(np.isclose(found[label], right[label], rtol=2e-3) for label in classes):
                continue
            total = {label: found[label] * counts[label] for label in classes}
            mean = sum(total.values()) / n
            few, many = min(counts, key=counts.get), max(counts, key=counts.get)
            told = f"the weights are {', '.join(f'{k}: {v:.3g}' for k, v in found.items())}"
            if np.allclose([found[label] * n for label in classes], list(counts.values())):
                raise Wrong(f"{told}: these are shares of the clips; a rare class needs the "
                            "larger weight, so it is the other way up")  # fmt: skip
            if found[few] < found[many]:
                raise Wrong(f"{told}: the rare {few} has a smaller weight than {many}")
            if np.allclose(list(total.values()), total[many]):
                why = f": the classes are equal, but the mean weight of all {n} clips is {mean:.3g}"
                if np.isclose(total[many], 1):
                    why += ", because 1 / count alone is not scaled to a mean of 1"
                elif np.isclose(total[many], counts[many]):
                    why += ", because the largest class has weight 1"
                elif np.isclose(total[many], n):
                    why += ": the number of classes is missing"
                elif np.isclose(sum(found.values()), len(classes)):
                    why += ": it was made 1 over classes, not over clips"
                raise Wrong(f"{told}{why}; 1 is needed")
            raise Wrong(
                f"{told}: weight times clips is {total[many]:.3g} for {many}, but {total[few]:.3g} "
                f"for {few}; it must be the same for all"
            )


def _weights(value, classes, *, n):
    """`value` as a dict label → float, or Wrong."""
    if isinstance(value, pd.Series):
        value = value.to_dict()
    need_value(value)
    if not isinstance(value, Mapping):
        size = len(value) if isinstance(value, (list, tuple)) else getattr(value, "size", 0)
        per_clip = " for every clip" if size == n else ""
        raise Wrong(f"it returns a {type(value).__name__}{per_clip}; a dict is needed: label → "
                    "weight")  # fmt: skip
    value = dict(value)
    if lost := [label for label in classes if label not in value]:
        raise Wrong(f"there is no weight for {_some(map(repr, lost))}: its keys are "
                    f"{_some(map(repr, value)) or 'none'}")  # fmt: skip
    if more := [label for label in value if label not in classes]:
        raise Wrong(f"there is a weight for {_some(map(repr, more))}, which is no label here")
    return {label: need_number(value[label], what=f"the weight of {label!r}") for label in classes}


@check(
    "1.5",
    "clips whose source is known from training",
    "It is about test clips: of how many of them is another clip of the same source in training?",
    "First the sources that training has, then which test clips have one of those.",
    "`np.isin(a, b)` says for each element of a whether it is in b. The mean of booleans is a "
    "share.",
)
def leaked_share(attempt):
    """leaked_share(groups, is_test) → share of test clips whose source is in training too."""
    cases = [
        ("sources on both sides", "a a a a b b b c c d d d d e e e e e f", "ttrrttrttrrrrrrrrtt"),
        ("no source on both sides, and siblings within the test set", "a a a b b c d d d d e",
         "tttttrrrrrr"),
        ("every source on both sides", "a a b b c c c", "trtrttr"),
        ("a large source on both sides", "a b a a a a c a c c c", "trtrtttrttt"),
    ]  # fmt: skip
    for name, sources, sides in cases:
        sources, is_test = sources.split(), [side == "t" for side in sides]
        test = [s for s, t in zip(sources, is_test, strict=True) if t]
        train = [s for s, t in zip(sources, is_test, strict=True) if not t]
        n_leaked = sum(train.count(source) > 0 for source in test)
        right = n_leaked / len(test)
        groups = np.array([f"freesound_{ord(source):03d}" for source in sources])
        with case(name):
            found = call(attempt, groups, np.array(is_test))
            found = need_number(found, what="a share, 0 … 1")
        if np.isclose(found, right):
            continue
        told = f"{name}: it returns {found:.4g}"
        both = set(test) & set(train)
        with_siblings = sum(sources.count(source) > 1 for source in test)
        known = sum(source in both for source in train)
        _say_if(
            found,
            told,
            [
                (n_leaked, f"a number of clips; a share of the {len(test)} test clips is asked"),
                (100 * right, "this is in percent; a share from 0 to 1 is asked"),
                (1 - right, "this is the share of test clips without a leak"),
                (len(both) / len(set(test)), "a share of sources; a share of clips is asked"),
                (len(both) / len(set(sources)), "a share of sources; a share of clips is asked"),
                (n_leaked / len(sources), "a share of all clips; only test clips are asked"),
                (n_leaked / len(train), "it divides by the number of training clips; by that of "
                 "test clips is right"),
                (known / len(train), "a share of training clips; test clips are asked"),
                ((n_leaked + known) / len(sources), "it counts clips on both sides; only test "
                 "clips are asked"),
                (with_siblings / len(test), "it counts siblings within the test set: a leak needs "
                 "a clip in training"),
            ],
        )  # fmt: skip
        raise Wrong(
            f"{told}, but {n_leaked} of {len(test)} test clips have a source that is in training "
            f"too, a share of {right:.4g}"
        )


@check(
    "1.6",
    "a guess that hears nothing",
    "Learn from training which label is the most frequent in each container; then look it up.",
    "`collections.Counter` counts, and its `most_common(1)` is the most frequent. One Counter per "
    "container, and one for all of training.",
    "A dict container → label, made once from training. Its `get` takes a second argument: what it "
    "gives for a container that is not there.",
)
def guess_by_container(attempt):
    """guess_by_container(train_containers, train_labels, test_containers) → label per test clip."""
    rng = np.random.default_rng(16)
    usual = {"wav 16 bit": {"rain": 9, "siren": 2}, "ogg": {"siren": 4, "rain": 2},
             "wav 24 bit": {"siren": 3, "rain": 1, "bark": 2}}  # fmt: skip
    other = {"mp3": {"siren": 2, "bark": 5}, "flac": {"rain": 2}, "ogg": {"siren": 1}}
    spread = {"mp3": {"bark": 5, "rain": 1}, "ogg": {"siren": 4}, "flac": {"siren": 3, "rain": 2}}
    cases = [
        ("containers that are all in training", usual, ["ogg", "wav 16 bit", "wav 24 bit", "ogg"]),
        ("a test set with a new container", usual, ["mp3", "ogg", "wav 16 bit", "mp3", "ogg"]),
        ("other labels and containers", other, ["flac", "mp3", "ogg", "wav", "flac", "flac"]),
        ("a label spread over containers", spread, ["wav", "mp3", "ogg", "aiff", "flac"]),
    ]
    for name, table, test in cases:
        pairs = [(c, label) for c, of in table.items() for label, n in of.items() for _ in range(n)]
        pairs = [pairs[i] for i in rng.permutation(len(pairs))]
        overall = pd.Series([label for _, label in pairs]).mode()[0]
        pairs.sort(key=lambda pair: pair[1] == overall)  # the first is not the most frequent
        containers, labels = (list(column) for column in zip(*pairs, strict=True))
        right = [max(table[c], key=table[c].get) if c in table else overall for c in test]
        with case(name):
            found = call(attempt, *(np.array(x, object) for x in (containers, labels, test)))
            found = _listed(found, what="a guess for each test clip")
            if len(found) != len(test):
                why = ""
                if len(found) in (len(set(test)), len(table)):
                    why = ": is it one per container?"
                raise Wrong(f"it returns {len(found)} guesses for {len(test)} test clips{why}")
            if [str(guess) for guess in found] == right:
                continue
            if {str(guess) for guess in found} == {overall}:
                raise Wrong(f"every guess is {overall!r}, the most frequent label of all: look at "
                            "the container as well")  # fmt: skip
            for c, guess, wanted in zip(test, found, right, strict=True):
                if isinstance(guess, str) and guess == wanted:
                    continue
                guess = str(guess) if isinstance(guess, str) else guess  # not np.str_('…')
                told = f"its guess for {c!r} is {guess!r}"
                if c not in table:
                    raise Wrong(f"{told}; {c!r} is not in training, and the most frequent label of "
                                f"all training clips is {wanted!r} ({labels.count(wanted)} of "
                                f"{len(labels)})")  # fmt: skip
                if not isinstance(guess, str):
                    raise Wrong(f"{told}, where a label is needed")
                if guess in table:
                    raise Wrong(f"{told}, which is a container: look for the most frequent label "
                                "of each container")  # fmt: skip
                seen = ", ".join(f"{n} {label}" for label, n in table[c].items())
                raise Wrong(f"{told}, but training clips in {c!r} are {seen}: {wanted!r} is "
                            "right")  # fmt: skip


@check(
    "1.7",
    "how far apart two groups are",
    "A difference of means, in units of the spread within the groups.",
    "The variance within: the squared deviations of each group from its own mean, both sums added, "
    "divided by the degrees of freedom.",
    "Each group has one degree of freedom less than values (ddof=1), so the two variances are "
    "averaged with weights len(a) - 1 and len(b) - 1. Then the square root.",
)
def cohens_d(attempt):
    """cohens_d(a, b) → (mean(a) - mean(b)) / pooled standard deviation."""
    from scipy import stats

    rng = np.random.default_rng(17)
    cases = [
        ("6 and 25 values", rng.normal(4, 3, 6), rng.normal(1, 1, 25)),
        ("25 and 6 values, the first lower", rng.normal(-2, 0.5, 25), rng.normal(0, 2, 6)),
        ("3 and 9 values of nearly the same mean", np.array([1.0, 2.0, 4.5]),
         np.arange(9.0) / 4 + 1),
    ]  # fmt: skip
    for name, a, b in cases:
        t = stats.ttest_ind(a, b).statistic
        right = t * np.sqrt(1 / len(a) + 1 / len(b))
        with case(name):
            found = need_number(call(attempt, a, b), what="one effect size")
        if np.isclose(found, right):
            continue
        told, away = f"{name}: it returns {found:.4g}", a.mean() - b.mean()
        spread, within = away / right, [stats.tvar(a), stats.tvar(b)]
        n, free = np.array([len(a), len(b)]), len(a) + len(b) - 2
        without = within * (n - 1) / n
        ddof = "the variances are divided by the number of values; ddof=1 is right"
        simple = "a simple average of the two variances; the larger group counts for more"
        _say_if(
            found,
            told,
            [
                (-right, "the sign is not that of mean(a) - mean(b)"),
                (away, "this is the difference of means alone; divide it by the spread within"),
                (t, "this is the t statistic, which grows with the number of values"),
                (right / spread, "it divides by the variance; its square root is missing"),
                (right * np.sqrt(n.sum() / free), ddof),
                (away / np.sqrt(np.average(without, weights=n - 1)), ddof),
                (away / np.sqrt(sum(within) / 2), simple),
                (away / np.sqrt(sum(without) / 2), f"{simple}, and ddof=1 is missing"),
                (away / (np.sqrt(within).sum() / 2), "an average of the two standard deviations; "
                 "average the variances, with weights"),
                (away / np.sqrt(np.average(within, weights=n)), "the weights of the variances are "
                 "their degrees of freedom, one less than the number of values"),
                *((away / np.concatenate([a, b]).std(ddof=k), "it takes the spread of all values "
                   "together, which the difference itself makes larger; pool the spread within "
                   "each group") for k in (0, 1)),
                *((away / np.std(x, ddof=k), f"it takes the spread of {which} alone")
                  for x, which in ((a, "a"), (b, "b")) for k in (0, 1)),
            ],
        )  # fmt: skip
        raise Wrong(
            f"{told}; the means differ by {away:.4g} and the pooled standard deviation is "
            f"{spread:.4g}, so {right:.4g} is right"
        )


@check(
    "1.8",
    "a query for every class",
    "One row per label: that is GROUP BY. In it `count`, `count(DISTINCT …)` and `sum` summarise.",
    'GROUP is a word of SQL itself: the column of that name stands in double quotes, "group".',
    "Give every column its name with AS, turn seconds into minutes, and put the rows in order with "
    "ORDER BY … DESC.",
)
def clips_per_class(attempt):
    """clips_per_class() → SQL query as str: label, clips, sources, minutes; most minutes first."""
    query = call(attempt)
    need_value(query)
    if not isinstance(query, str):
        raise Wrong(f"it returns a {type(query).__name__}: return the query itself, as a str")
    rng = np.random.default_rng(18)
    for name, classes in (
        ("four classes", {"rain": (5, 40.0), "dog_bark": (12, 1.5), "siren": (9, 4.0),
                          "rooster": (3, 60.0)}),
        ("other classes", {"engine": (2, 6.0), "cat": (14, 2.0), "train": (6, 8.0),
                           "wind": (4, 30.0), "frog": (7, 0.5)}),
        ("one class", {"siren": (8, 3.0)}),
    ):  # fmt: skip
        labels = [label for label, (n, _) in classes.items() for _ in range(n)]
        labels = [labels[i] for i in rng.permutation(len(labels))]
        n = len(labels)
        table = pd.DataFrame(
            {
                "file": [f"audio/{i:03d}.wav" for i in range(n)],
                "label": labels,
                "group": [f"source_{i}" for i in rng.integers(0, 5, n)],
                "fold": rng.choice([-1, 1, 2, 3], n),
                "duration_s": [classes[label][1] * rng.choice([0.77, 1.03]) for label in labels],
                "sample_rate": 44100,
                "channels": rng.integers(1, 3, n),
            }
        )
        with case(name):
            _compare_rows(_rows(query, table), table)


def _rows(query, table):
    """What the database answers: dict column → list. Where DuckDB is missing, SQLite will do."""
    try:
        import duckdb as database

        connection = database.connect()
        connection.register("clips", table)
    except ImportError:
        import sqlite3 as database

        connection = database.connect(":memory:")
        table.to_sql("clips", connection, index=False)
    with contextlib.closing(connection):
        try:
            answer = connection.execute(query)
            rows = answer.fetchall() if answer and answer.description else []
        except (database.Error, database.Warning) as error:
            text = str(error).strip().splitlines()[0]
            is_syntax = "Parser Error" in text or "syntax error" in text
            if is_syntax and re.search(UNQUOTED, query, re.IGNORECASE):
                text += '. Does the column named group stand in double quotes, "group"?'
            raise Wrong(f"the database says: {text}") from None
        if answer is None or answer.description is None:
            raise Wrong("the query is empty")
        names = [column[0].lower() for column in answer.description]
    wanted = ["label", "clips", "sources", "minutes"]
    if sorted(names) != sorted(wanted):
        raise Wrong(f"its columns are {', '.join(names)}, where {', '.join(wanted)} are needed")
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def _compare_rows(found, table):
    """Wrong, if the columns of the answer are not right."""
    parts = {label: part for label, part in table.groupby("label")}
    seconds = {label: part["duration_s"].sum() for label, part in parts.items()}
    order = sorted(seconds, key=seconds.get, reverse=True)
    labels = [str(label) for label in found["label"]]
    if len(labels) != len(set(labels)):
        raise Wrong(f"it gives {len(labels)} rows for {len(order)} labels: one row per label is "
                    "needed (GROUP BY label alone)")  # fmt: skip
    if set(labels) != set(order):
        raise Wrong(f"its rows are of {_some(labels) or 'no label'}, but the labels in the table "
                    f"are {_some(order)}: every label that is there has a row")  # fmt: skip
    shape = {"shape": (len(labels),), "axes": ("labels",)}
    clips, sources, minutes = (
        need_array(found[name], **shape) for name in ("clips", "sources", "minutes")
    )
    for i, label in enumerate(labels):
        n, n_sources = len(parts[label]), len(set(parts[label]["group"]))
        if clips[i] != n:
            raise Wrong(f"clips of {label} is {clips[i]:g}, but the table has {n} rows of it")
        if sources[i] != n_sources:
            why = ""
            if (sources == clips).all():
                why = ": it counts rows; every source counts once"
            elif (sources == 1).all():
                why = ": in single quotes 'group' is a text, in double quotes a column"
            elif (sources == len(set(table["group"]))).all():
                why = ": these are the sources of the whole table"
            raise Wrong(f"sources of {label} is {sources[i]:g}, but it has {n_sources} different "
                        f"groups{why}")  # fmt: skip
    right = np.array([seconds[label] for label in labels]) / 60
    if not np.allclose(minutes, right, rtol=1e-6):
        told = f"minutes of {labels[0]} is {minutes[0]:.4g}, where {right[0]:.4g} is right"
        if np.allclose(minutes, 60 * right):
            raise Wrong(f"{told}: these are seconds")
        if np.allclose(minutes * clips, right):
            raise Wrong(f"{told}: this is the mean of a clip; all clips of the label are asked")
        if np.allclose(minutes, right / 60):
            raise Wrong(f"{told}: these are hours")
        if any(np.allclose(minutes, do(right * 10**k) / 10**k, atol=1e-9)
               for do in (np.round, np.floor, np.ceil) for k in range(4)):  # fmt: skip
            raise Wrong(f"{told}: the minutes are rounded; leave them as they are")
        raise Wrong(told)
    if labels != order:
        why = ": the fewest minutes come first (DESC)" if labels == order[::-1] else ""
        raise Wrong(f"its rows are in the order {_some(labels)}, but most minutes first is "
                    f"{_some(order)}{why}")  # fmt: skip
