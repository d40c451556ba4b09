"""Rounds of training, validation and test over the folds of a data set."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers import data
from helpers.layouts import DataError


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
            table = data.group_folds(table, n_folds=n, seed=seed)
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
    tested, _ = data.hold_out(rest, share=0.2, seed=seed)
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
