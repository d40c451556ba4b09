"""Splits that no source recording crosses, and rounds over folds."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers import files
from helpers.data.folders import DataError
from helpers.env import item_rng


def leaked_share(groups, is_test):
    """Share of the test clips whose source is in training as well. Built in 01_eda.

    groups: (n_clips,). is_test: bool (n_clips,). Returns float, 0 without test clips.
    """
    groups, is_test = np.asarray(groups), np.asarray(is_test, bool)
    if not is_test.any():
        return 0.0
    return float(np.isin(groups[is_test], groups[~is_test]).mean())


def group_folds(table, *, n_folds, seed):
    """A copy of a clip table with `fold` 0 … n_folds - 1. Each source is in one fold only.

    Clips of one recording share bird, place and microphone: if some of them are in training, a test
    on the others measures memory. Each fold has clips of each label. Raises DataError if that
    cannot be, with the numbers of folds that would work.
    """
    if n_folds < 2:
        raise ValueError(f"{n_folds=}: use at least 2")
    folds = _fold_numbers(table, n_folds, seed)
    if folds is None:
        possible = [n for n in range(2, n_folds) if _fold_numbers(table, n, seed) is not None]
        advice = f"use n_folds of {', '.join(map(str, possible))}" if possible else "add sources"
        sources = _count_sources(table)
        raise DataError(f"{n_folds} folds with every class cannot be made from {sources}: {advice}")
    return table.assign(fold=folds)


def _count_sources(table):
    """The number of sources of each label, in words."""
    n_sources = table.groupby("label")["group"].nunique()
    return ", ".join(f"{n} sources of {label!r}" for label, n in n_sources.items())


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
    """Divide the clips of each label, such as a speaker, into training and test by source.

    Each label is on both sides, each source on one. share: of a label's clips to hold out, between
    0 and 1; met as nearly as its sources allow. The choice depends on the label, its sources and
    the seed only. Returns (table, errors). table: a copy, index from 0, with a bool column
    `held_out`, without the labels that have one source only. errors: `files.ERRORS` of those, file:
    the label. Raises DataError if no label is left.
    """
    if not 0 < share < 1:
        raise ValueError(f"{share=}: use a value between 0 and 1")
    table = table.reset_index(drop=True)
    tested, single = [], []
    for label, rows in table.groupby("label", sort=True):
        sizes = rows["group"].value_counts().sort_index()
        if len(sizes) < 2:
            single.append(label)
            continue
        sizes = sizes.iloc[item_rng(seed, f"hold out {label}").permutation(len(sizes))]
        chosen = sizes.index[_nearest_part(sizes.tolist(), share * len(rows))]
        tested += rows.index[rows["group"].isin(chosen)].tolist()
    reason = "a single recording, which cannot be in both training and test: add another"
    errors = files.error_table(files.Fault("single source", label, reason) for label in single)
    if not tested:
        raise DataError(f"nothing can be held out: each of {len(single)} labels has {reason}")
    table = table.assign(held_out=table.index.isin(tested))
    return table[~table["label"].isin(single)].reset_index(drop=True), errors


def _nearest_part(sizes, total):
    """Positions of the sizes whose sum is nearest to a total: at least one, and not all."""
    sums = {0: []}  # a possible sum → the positions that make it, early ones preferred
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
    """A round of cross-validation: its test fold, and row numbers of a clip table (int arrays)."""

    test_fold: int
    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    @property
    def trainval(self):
        """Training and validation together, for the final training, after all choices."""
        return np.sort(np.concatenate([self.training, self.validation]))


def rounds(table, *, test_folds=(), n_folds=5, seed=0):
    """Rounds of cross-validation, one for each fold to test.

    table: clip table. If its clips have no folds (-1), it gets n_folds by source, see
    `data.group_folds`, or as many as its sources allow. test_folds: their numbers; (): all. The
    validation fold is the smallest of the others, to leave most for training; if there is only one
    other, a fifth of its sources. Returns (table with folds, list of `Round`). Raises DataError for
    fewer than two folds, or if a test fold does not exist.
    """
    if (table["fold"] < 0).any():
        table = _with_folds(table, n_folds, seed)
    fold = table["fold"].to_numpy()
    present = sorted(set(fold.tolist()))
    if len(present) < 2:
        raise DataError(f"only fold {present[0]} is there: add another to train on")
    if missing := sorted(set(test_folds) - set(present)):
        raise DataError(f"FOLDS names {missing}, which do not exist: choose from {present}")
    found = []
    for k in dict.fromkeys(test_folds or present):
        test, validation = fold == k, _validation(table, k, present, seed)
        parts = (~test & ~validation, validation, test)
        found.append(Round(int(k), *map(np.flatnonzero, parts)))
    return table, found


def _with_folds(table, n_folds, seed):
    """The table with folds 1, 2, … by source: as many as possible, at least three."""
    for n in range(n_folds, 2, -1):
        folds = _fold_numbers(table, n, seed)
        if folds is not None:
            return table.assign(fold=folds + 1)
    sources = f"only {_count_sources(table)}: add sources"
    raise DataError(f"rounds need three folds with every class, but there are {sources}")


def _validation(table, test_fold, present, seed):
    """Which clips outside the test fold are for validation: bool (n_clips,)."""
    fold = table["fold"].to_numpy()
    sizes = {k: (fold == k).sum() for k in present if k != test_fold}
    if len(sizes) > 1:
        return fold == min(sizes, key=sizes.get)
    tested, _ = hold_out(table[fold != test_fold], share=0.2, seed=seed)
    return table["path"].isin(tested.loc[tested["held_out"], "path"]).to_numpy()


def random_round(table, *, share, seed):
    """A random split, to show its error: a `Round` whose test clips ignore the sources.

    share: of the clips to test. Labels keep their proportions. The validation part is empty.
    """
    drawn = pd.Series(np.random.default_rng(seed).random(len(table)), index=table.index)
    test = drawn.groupby(table["label"]).rank(pct=True).to_numpy() <= share
    return Round(-1, np.flatnonzero(~test), np.array([], int), np.flatnonzero(test))
