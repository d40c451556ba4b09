"""Features of all clips of a data set, computed in parallel.

Workers keep what they compute in the cache that the notebooks read (see `features.cache`) and
return one row per clip. What is in the cache is not computed again, so a stopped run continues.
"""

from collections import deque
from functools import partial

import pandas as pd
from tqdm import tqdm

from helpers import features, files
from helpers.data.folders import DataError
from helpers.features import cache
from helpers.files import replaced_folder
from tools.batch.cluster import error_text
from tools.batch.tables import ROWS_PER_FILE, batched, write_part

CLIPS_PER_TASK = 64


def describe(task, *, root, cache_dir):
    """Describe the clips of a task, a part of a clip table: (rows, errors) as two DataFrames."""
    found, errors = features.survey_clips(
        task, root=root, cache_dir=cache_dir, n_threads=1, progress=False
    )
    return pd.concat([found.table, found.features], axis=1), errors


def extract(table, errors, *, root, pool, output, kind):
    """Describe the clips of a table, and write results/features and results/errors.csv.

    table, errors: from `data.clip_table`. root: folder of the data set; paths are written relative
    to it. pool: from `cluster.open_pool`. output: Path of a folder. kind: one of `tables.FORMATS`.
    Returns (rows, errors): the measures and features of each clip, sorted by path, and the errors
    of the others. Raises ClusterError, and DataError if no clip could be described; the cache keeps
    what was computed.
    """
    waiting = deque(batched(table, CLIPS_PER_TASK))
    described, faults = [], [errors]
    work = partial(describe, root=root, cache_dir=cache.default_folder())
    with tqdm(total=len(table), desc="Features", unit="clip", mininterval=0.5) as bar:
        next_task = lambda: waiting.popleft() if waiting else None  # noqa: E731
        for task, future in pool.work(work, next_task):
            if not (error := future.exception()):
                described.append(future.result()[0])
                faults.append(future.result()[1])
            elif len(task) > 1:  # one clip made it fail: with one clip per task, the others succeed
                waiting.extend(batched(task, 1))
                continue
            else:
                name = files.short_path(task["path"].iloc[0], root=root)
                row = (name, error_text(error), "damaged")
                faults.append(pd.DataFrame([row], columns=errors.columns))
            bar.update(len(task))
    if not described:
        raise DataError(f"no clip could be described (first: {faults[-1]['reason'].iloc[0]})")
    rows = pd.concat(described).sort_values("path", ignore_index=True)
    rows["path"] = [files.short_path(path, root=root) for path in rows["path"]]
    faults = pd.concat(faults, ignore_index=True).sort_values("file", kind="stable")
    with replaced_folder(output / "results") as folder:
        for number, part in enumerate(batched(rows, ROWS_PER_FILE)):
            write_part(part, folder / "features", number=number, kind=kind)
        faults.to_csv(folder / "errors.csv", index=False)
    return rows, faults
