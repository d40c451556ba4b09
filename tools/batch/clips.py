"""Features of all clips of a data set, on as many processors as there are.

A worker keeps what it computes in the cache that the notebooks read (see `features.cache`), and
sends back a row for each clip. What is in the cache is not computed again: a run that was stopped
goes on.
"""

from collections import deque
from functools import partial

import pandas as pd
from tqdm import tqdm

from helpers import features, files
from helpers.data.layouts import DataError
from helpers.features import cache
from helpers.files import replaced_folder
from tools.batch.cluster import why
from tools.batch.partitions import ROWS, batched, write_part

CLIPS = 64  # in a task


def describe(task, *, root, cache_dir):
    """Do a task, a part of a clip table: (rows, errors) as `features.survey_clips` gives them."""
    found, errors = features.survey_clips(
        task, root=root, cache_dir=cache_dir, n_threads=1, progress=False
    )
    return pd.concat([found.table, found.features], axis=1), errors


def extract(table, errors, *, root, pool, output, kind):
    """Describe the clips of a table, and write results/features and results/errors.csv.

    table, errors: see `data.clip_table`. root: folder of the data set, from which files are named.
    pool: see `cluster.open_pool`. output: Path of a folder. kind: see `partitions`.
    Returns (rows, errors): a row for each clip, in order of their paths, with its measures and
    features, and all that is wrong with others. Raises ClusterError, and DataError if there is no
    row; what was computed by then is kept.
    """
    waiting = deque(batched(table, CLIPS))
    described, faults = [], [errors]
    work = partial(describe, root=root, cache_dir=cache.default_folder())
    with tqdm(total=len(table), desc="Features", unit="clip", mininterval=0.5) as bar:
        next_task = lambda: waiting.popleft() if waiting else None  # noqa: E731
        for task, future in pool.work(work, next_task):
            if not (error := future.exception()):
                described.append(future.result()[0])
                faults.append(future.result()[1])
            elif len(task) > 1:  # one of them ended it: each by itself, and the others are saved
                waiting.extend(batched(task, 1))
                continue
            else:
                named = [(files.short_path(task["path"].iloc[0], root=root), why(error), "damaged")]
                faults.append(pd.DataFrame(named, columns=errors.columns))
            bar.update(len(task))
    if not described:
        raise DataError(f"no clip could be described (first: {faults[-1]['reason'].iloc[0]})")
    rows = pd.concat(described).sort_values("path", ignore_index=True)
    rows["path"] = [files.short_path(path, root=root) for path in rows["path"]]
    faults = pd.concat(faults, ignore_index=True).sort_values("file", kind="stable")
    with replaced_folder(output / "results") as folder:
        for number, part in enumerate(batched(rows, ROWS)):
            write_part(part, folder / "features", number=number, kind=kind)
        faults.to_csv(folder / "errors.csv", index=False)
    return rows, faults
