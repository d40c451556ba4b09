"""What a data set holds: the clip table, long recordings, and their answer key."""

from itertools import compress
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import audio, env, files, parallel
from helpers.data.folders import TYPES, DataError, find_sounds, left_out, sound_files
from helpers.data.layouts import LISTED
from helpers.data.locate import DataNotFoundError, is_plain
from helpers.data.metadata import read_table, stem_of
from helpers.data.registry import DATASETS

CLIP_COLUMNS = [*LISTED, "duration_s", "sample_rate", "channels"]


def clip_table(dataset, *, max_clips=0, seed=0):
    """The labelled clips of a data set.

    max_clips: how many at most (0: all). They are drawn with `seed`, in the proportions of the
    labels and from as many sources as possible; each label keeps one at least.

    Returns (table, errors). table: one row per clip, sorted by path: path (str), label, group
    (source recording), fold (-1: none), duration_s, sample_rate (Hz), channels. errors:
    `files.ERRORS`, relative to the data set: files that cannot be read, and where its table and its
    folders disagree. Raises DataError if there are no clips, or none of a label that needs them.
    """
    entry = DATASETS[dataset.name]
    table, faults = entry.list_clips(dataset.root)
    if table.empty:
        raise DataError(
            f"{entry.title}: no clips in {files.short_path(dataset.root)}. Put sound files "
            f"({TYPES}) into {_clips_place(entry)}, or see data_README.md, {entry.page}."
        )
    need_all_labels(table, dataset, "has no sound files")
    if 0 < max_clips < len(table):
        table = _sample(table, max_clips, np.random.default_rng(seed))
    table, errors = read_headers(table, root=dataset.root)
    if len(errors):
        first = errors["reason"].iloc[0]
        need_all_labels(table, dataset, f"has no sound file that can be read (first: {first})")
    faults = [*faults, *left_out(dataset.root)]
    return table, pd.concat([files.error_table(faults), errors], ignore_index=True)


def _clips_place(entry):
    """Where to put the clips of a data set, in words."""
    if entry.names:
        return f"it, named {' and '.join(entry.names.values())}"
    unlabelled = "the folders that its table names" if entry.parts["clips"] else "a folder each"
    return " and ".join(entry.labels.values()) or unlabelled


def read_headers(table, *, root):
    """Add what the headers of the files say to a table of clips with the columns `LISTED`.

    Returns (table with CLIP_COLUMNS sorted by path, table `files.ERRORS` of unreadable files).
    """
    table, headers, errors = map_clips(
        audio.info,
        table.sort_values("path"),
        root=root,
        desc="Headers",
        n_threads=min(8, 2 * env.cpu_count()),  # opening a file mostly waits for the disk
        progress=len(table) >= 300,
    )
    for column in CLIP_COLUMNS[len(LISTED) :]:
        table[column] = [getattr(header, column) for header in headers]
    return table, errors


def map_clips(work, table, *, root, **options):
    """Do `work(path)` for each clip of a table, see `parallel.map_files`.

    Returns (table of the clips that succeeded, list of their results, `files.ERRORS` of the rest).
    """
    results = parallel.map_files(work, table["path"], unit="file", **options)
    is_good = np.array([not isinstance(result, files.FileError) for result in results], bool)
    errors = files.error_table(compress(results, ~is_good), root=root)
    return table[is_good].reset_index(drop=True), list(compress(results, is_good)), errors


def listed(dataset, table):
    """What the data set's own table says about the clips of a clip table.

    Returns a DataFrame with the index of `table`: listed_s (length in seconds or NaN), problem
    (what is wrong with its entry, or ""). Clips without an entry get NaN and "".
    """
    return match_rows(DATASETS[dataset.name].read(dataset.root)[0], table)


def match_rows(rows, table):
    """The result of `listed` from the rows that `DatasetInfo.read` returns."""
    if "problem" not in rows:
        rows = rows.assign(listed_s=np.nan, problem="")
    rows = rows.dropna(subset="path").set_index("path")[["listed_s", "problem"]]
    return rows.reindex(table["path"]).set_axis(table.index).fillna({"problem": ""})


def need_all_labels(table, dataset, problem):
    """Raises DataError if a label of the data set has no clips. problem: what is wrong there."""
    entry, present = DATASETS[dataset.name], set(table["label"])
    where = files.short_path(dataset.root)
    if not present:
        raise DataError(f"{entry.title}: {where} {problem}")
    for label, place in entry.places.items():
        if label not in present:
            raise DataError(
                f"{entry.title}: class {label!r} is missing, because {where}/{place} {problem}. "
                f"A classifier needs clips of each class: {', '.join(entry.places)}."
            )


def _sample(table, n, rng):
    """n rows in the proportions of the labels. Each source comes once before any comes twice."""
    sizes = table["label"].value_counts().sort_index()
    share = sizes * n / sizes.sum()
    quota = np.maximum(1, np.floor(share)).astype(int)
    for label in (share - quota).sort_values(ascending=False, kind="stable").index:
        quota[label] += min(1, max(0, n - quota.sum()))
    while quota.sum() > max(n, len(quota)):
        quota[quota.idxmax()] -= 1
    picks = []
    for label, rows in table.groupby("label", sort=True):
        rows = rows.iloc[rng.permutation(len(rows))]
        turn = rows.groupby("group", sort=False).cumcount()
        picks.append(rows.loc[turn.sort_values(kind="stable").index[: quota[label]]])
    return pd.concat(picks)


def recordings(dataset, *, max_recordings=0):
    """The long recordings of a data set, sorted by name; the first max_recordings (0: all).

    Returns a list of Path. Raises DataError if there are none.
    """
    folder = _recordings_folder(dataset)
    paths = sound_files(folder)
    if not paths:
        short = files.short_path(folder)
        raise DataError(f"no recordings in {short}: put sound files into it ({TYPES})")
    return paths[:max_recordings] if max_recordings > 0 else paths


def _recordings_folder(dataset):
    entry = DATASETS[dataset.name]
    return dataset.root if is_plain(dataset.root, entry) else dataset.root / entry.recordings


def sounds_below(folder):
    """The sound files in a folder and in those below it, sorted: list of Path.

    Raises DataNotFoundError if there is no such folder, or no sound file in it.
    """
    return search_sounds(folder)[0]


def search_sounds(folder):
    """The result of `folders.find_sounds`. Raises DataNotFoundError as `sounds_below` does."""
    folder = Path(folder).expanduser()
    short = files.short_path(folder)
    if not folder.is_dir():
        raise DataNotFoundError(f"{short} is not a folder: give one with recordings")
    paths, faults = find_sounds(folder)
    if not paths:
        where = f"in {short} or below it"
        others = "".join(f"; {fault.file}: {fault.reason}" for fault in faults[:3])
        advice = others or ": give another folder"
        raise DataNotFoundError(f"no sound files ({TYPES}) {where}{advice}")
    return paths, faults


def answer_key(dataset):
    """The key of the recordings: (counts, calls), each a sorted DataFrame, or None without a file.

    counts: clip_name, call_count (int ≥ 0), from counts.csv. calls: clip_name, centre_s (seconds),
    from calls.csv. If the key names recording_00.wav and the file is recording_00.mp3, clip_name is
    the file's name. Raises DataError if a column is missing, a value is not a number, or the two
    tables contradict each other.
    """
    names = {stem_of(path): path.name for path in sound_files(_recordings_folder(dataset))}
    counts = _key_table(dataset.root / "counts.csv", "call_count", names)
    calls = _key_table(dataset.root / "calls.csv", "centre_s", names)
    if counts is not None:
        repeated = counts["clip_name"][counts["clip_name"].duplicated()]
        if len(repeated):
            raise DataError(f"counts.csv has {repeated.iloc[0]} more than once: keep one row")
        if (counts["call_count"] % 1 != 0).any():
            raise DataError("counts.csv has a call_count that is not a whole number: correct it")
        counts["call_count"] = counts["call_count"].astype(int)
    if counts is not None and calls is not None:
        stated, found = (
            counts.set_index("clip_name")["call_count"],
            calls["clip_name"].value_counts(),
        )
        both = pd.DataFrame({"stated": stated, "found": found}).fillna(0).astype(int)
        for name, n in both[both["stated"] != both["found"]].iterrows():
            raise DataError(
                f"the key contradicts itself: {name} has {n['stated'] or 'no'} calls in counts.csv "
                f"and {n['found'] or 'none'} in calls.csv; correct one of them"
            )
    return counts, calls


def _key_table(path, column, names):
    """clip_name and one column of numbers from a CSV file, sorted; None without such a file."""
    if not path.is_file():
        return None
    columns = ["clip_name", column]
    table = read_table(path, columns, dtype={"clip_name": str}, first_line=",".join(columns))
    table = table[columns].copy()
    table[column] = pd.to_numeric(table[column], errors="coerce")
    is_bad = table["clip_name"].isna() | ~np.isfinite(table[column]) | (table[column] < 0)
    if is_bad.any():
        where = f"{files.short_path(path)}, line {2 + int(np.argmax(is_bad))}"
        raise DataError(f"{where}: a clip_name and a {column} ≥ 0 are needed")
    table["clip_name"] = [names.get(stem_of(name), name) for name in table["clip_name"]]
    return table.sort_values(columns, ignore_index=True)
