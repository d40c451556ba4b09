"""The checks of 05_capuchin_call_counter: folds by source."""

import numpy as np
import pandas as pd

from helpers.exercises.engine import Wrong, call, check
from helpers.exercises.judges import need_array


@check(
    "5.2",
    "folds by source",
    "Two clips of one source must never be in different folds. So assign sources, not clips.",
    "Take the largest source first, and give it to the fold that has the fewest clips so far.",
    "`np.unique(groups, return_inverse=True, return_counts=True)` gives the sources, the index of "
    "the source of each clip, and their sizes. Find a fold for each source; then index.",
)
def folds_by_source(attempt):
    """folds_by_source(groups, *, n_folds) → int (n_clips,), 0 … n_folds - 1."""
    rng = np.random.default_rng(52)
    for n_folds, sizes in ((3, rng.integers(1, 12, 20)), (5, [40, 1, 1, 2, 3, 1]), (2, [1, 1])):
        groups = np.repeat([f"XC{1000 + i}" for i in range(len(sizes))], sizes)
        groups = groups[rng.permutation(len(groups))]
        folds = call(attempt, groups, n_folds=n_folds)
        folds = need_array(folds, shape=groups.shape, axes=("clips",))
        if set(folds) - set(range(n_folds)):
            returned = sorted({int(fold) if fold % 1 == 0 else float(fold) for fold in folds})
            raise Wrong(f"folds are numbered 0 to {n_folds - 1}, but it returns {returned[:8]}")
        per_source = pd.Series(folds).groupby(groups).nunique()
        if (per_source > 1).any():
            name = per_source.idxmax()
            raise Wrong(
                f"it splits {(per_source > 1).sum()} of {len(sizes)} sources: the "
                f"{(groups == name).sum()} clips of {name} are in {per_source.max()} folds"
            )
        counts = np.bincount(folds.astype(int), minlength=n_folds)
        if not counts.all():
            raise Wrong(f"fold {counts.argmin()} of {n_folds} is empty")
        if counts.max() - counts.min() > max(sizes):
            raise Wrong(
                f"the folds have {counts.tolist()} clips: they differ by more than the largest "
                f"source ({max(sizes)} clips)"
            )
