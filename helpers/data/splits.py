"""Splits that no source recording crosses, and rounds over folds."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers import files
from helpers.data.layouts import DataError
from helpers.env import item_rng

# --- splits -----------------------------------------------------------------------------------


def leaked_share(groups, is_test):
    """Share of the test clips whose source is in training as well. Built in 01_eda.

    groups: (n_clips,). is_test: bool (n_clips,). Returns float, 0 where nothing is tested.
    """
    groups, is_test = np.asarray(groups), np.asarray(is_test, bool)
    if not is_test.any():
        return 0.0
    return float(np.isin(groups[is_test], groups[~is_test]).mean())


def group_folds(table, *, n_folds, seed):
    """A copy of a clip table with `fold` 0 … n_folds - 1: no source is in two, each has each label.

    Clips of one recording share bird, place and microphone: with some of them in training, a test
    on the others measures memory. Raises DataError, with the numbers of folds that would work.
    """
    if n_folds < 2:
        raise ValueError(f"{n_folds=}: at least 2 are needed")
    folds = _fold_numbers(table, n_folds, seed)
    if folds is None:
        n_groups = table.groupby("label")["group"].nunique()
        works = [n for n in range(2, n_folds) if _fold_numbers(table, n, seed) is not None]
        advice = f"use n_folds of {_ranges(works)}" if works else "add sources"
        raise DataError(
            f"{n_folds} folds with each class in every one cannot be made from "
            f"{', '.join(f'{n} sources of {label!r}' for label, n in n_groups.items())}: {advice}"
        )
    table = table.copy()
    table["fold"] = folds
    return table


def _ranges(numbers):
    """[2, 3, 4, 7] → "2–4, 7"."""
    starts = [n for n in numbers if n - 1 not in numbers]
    ends = [n for n in numbers if n + 1 not in numbers]
    pairs = zip(starts, ends, strict=True)
    return ", ".join(f"{a}–{b}" if a < b else str(a) for a, b in pairs)


def _fold_numbers(table, n_folds, seed):
    """The fold of every row, or None where a fold would lack a label."""
    from sklearn.model_selection import StratifiedGroupKFold

    labels, groups = table["label"].to_numpy(), table["group"].to_numpy()
    if table.groupby("label")["group"].nunique().min() < n_folds or len(set(labels)) < 2:
        return None
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    folds = np.full(len(table), -1)
    for fold, (_, test) in enumerate(splitter.split(labels, labels, groups)):
        folds[test] = fold
    per_fold = pd.Series(labels).groupby(folds).nunique()
    complete = len(per_fold) == n_folds and (per_fold == len(set(labels))).all()
    return folds if complete else None


def hold_out(table, *, share=0.3, seed=0):
    """Divide the clips of each label into training and test, whole sources at a time.

    For labels that are to be found again, as speakers are: each is on both sides, and no source is.
    share: of a label's clips that are tested, between 0 and 1; met as nearly as its sources allow.
    What is tested of a label depends on it and the seed, not on other labels or the rows' order.
    Returns (table, errors). table: a copy, index from 0, with a bool column `held_out`, without the
    labels that have one source only. errors: `files.ERRORS` of those, file: the label. Raises
    DataError if no label is left.
    """
    if not 0 < share < 1:
        raise ValueError(f"{share=}: it lies between 0 and 1")
    table = table.reset_index(drop=True)
    tested, alone = [], []
    for label, rows in table.groupby("label", sort=True):
        sizes = rows["group"].value_counts().sort_index()
        if len(sizes) < 2:
            alone.append(label)
            continue
        sizes = sizes.iloc[item_rng(seed, f"hold out {label}").permutation(len(sizes))]
        chosen = sizes.index[_nearest_part(sizes.tolist(), share * len(rows))]
        tested += rows.index[rows["group"].isin(chosen)].tolist()
    reason = "a single recording: it cannot be both trained on and tested, add another"
    errors = files.error_table(files.Fault("single source", label, reason) for label in alone)
    if not tested:
        raise DataError(f"nothing can be held out: each of {len(alone)} labels has {reason}")
    table = table.assign(held_out=table.index.isin(tested))
    return table[~table["label"].isin(alone)].reset_index(drop=True), errors


def _nearest_part(sizes, total):
    """Which of some sizes add up to nearly a total: their places; at least one, and not all."""
    sums = {0: []}  # a sum that can be made → of what; what comes first goes in first
    best = min(max(round(total), 1), sum(sizes) - 1)
    for i, size in enumerate(sizes):
        if best in sums:
            break
        sums |= {made + size: [*of, i] for made, of in sums.items() if made + size not in sums}
    del sums[0]
    sums.pop(sum(sizes), None)
    return sums[min(sums, key=lambda made: abs(made - total))]


@dataclass(frozen=True)
class Round:
    """One fold tested, one to choose on, the others to train on: rows of a clip table, int arrays.

    test_fold: its number. `everything`: training and validation together, for the last training,
    when all is chosen.
    """

    test_fold: int
    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    @property
    def everything(self):
        return np.sort(np.concatenate([self.training, self.validation]))


def rounds(table, *, test_folds=(), n_folds=5, seed=0):
    """A round for each fold that is to be tested.

    table: clip table. Its own folds are used; one that has none (-1) gets n_folds by source, see
    `data.group_folds`, or as many as its sources allow. test_folds: their numbers; (): all. The
    validation is the smallest of the other folds, so that most is left to train on; where there is
    one other only, a fifth of its sources. Returns (table with its folds, list of `Round`). Raises
    DataError for fewer than two folds, and for one to test that is not there.
    """
    if (table["fold"] < 0).any():
        table = _with_folds(table, n_folds, seed)
    fold = table["fold"].to_numpy()
    present = sorted(set(fold.tolist()))
    if len(present) < 2:
        raise DataError(f"only fold {present[0]} is there: one to train on is needed as well")
    if missing := sorted(set(test_folds) - set(present)):
        raise DataError(f"FOLDS names {missing}, but the folds present are {present}")
    made = []
    for k in dict.fromkeys(test_folds or present):
        validation = _validation(table, k, present, seed)
        test = fold == k
        parts = (~test & ~validation, validation, test)
        made.append(Round(int(k), *(np.flatnonzero(part) for part in parts)))
    return table, made


def _with_folds(table, n_folds, seed):
    """The table with folds 1, 2, … by source, as many as can be made; three at least."""
    n_sources = table.groupby("label")["group"].nunique()
    for n in range(min(n_folds, n_sources.min()), 2, -1):
        try:
            table = group_folds(table, n_folds=n, seed=seed)
            return table.assign(fold=table["fold"] + 1)
        except DataError:
            continue
    raise DataError(
        "no three folds with each class in every one can be made, to train, choose and test on: "
        + ", ".join(f"{n} sources of {label!r}" for label, n in n_sources.items())
    )


def _validation(table, test_fold, present, seed):
    """bool (n_clips,): what is held out of the training folds."""
    fold = table["fold"].to_numpy()
    sizes = {k: (fold == k).sum() for k in present if k != test_fold}
    if len(sizes) > 1:
        return fold == min(sizes, key=sizes.get)
    rest = table[fold != test_fold]
    tested, _ = hold_out(rest, share=0.2, seed=seed)
    return table["path"].isin(tested.loc[tested["held_out"], "path"]).to_numpy()


def random_round(table, *, share, seed):
    """What one must not do: a round whose test clips are drawn by chance, whatever their source.

    share: of the clips that are tested. There is no validation. Labels keep their proportions.
    """
    rng = np.random.default_rng(seed)
    drawn = pd.Series(rng.random(len(table)), index=table.index)
    rank = drawn.groupby(table["label"]).rank(pct=True).to_numpy()
    test = rank <= share
    return Round(-1, np.flatnonzero(~test), np.array([], int), np.flatnonzero(test))
