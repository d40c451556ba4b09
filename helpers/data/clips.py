"""What a data set holds: the clip table, long recordings, and their answer key."""

from pathlib import Path

import numpy as np
import pandas as pd

from helpers import audio, env, files, parallel
from helpers.data.layouts import LISTED, SUFFIXES, DataError, folders_below, read_table, sound_files
from helpers.data.locate import DataNotFoundError, is_plain
from helpers.data.registry import DATASETS

CLIP_COLUMNS = [*LISTED, "duration_s", "sample_rate", "channels"]


# --- what is in it? ---------------------------------------------------------------------------


def clip_table(dataset, *, max_clips=0, seed=0):
    """The labelled clips of a data set, and what is wrong with others.

    max_clips: so many at most (0: all; each label keeps one), in the proportions of the labels and
    from as many sources as possible, drawn by `seed`. Returns (table, errors). table: one row per
    clip, sorted by path: path (str), label, group (source recording), fold (-1: none yet),
    duration_s (seconds), sample_rate (Hz), channels. errors: `files.ERRORS`, files named from
    the data set: what cannot be read, and where its table and its folders do not agree. Raises
    DataError if a label has no clips, or none that can be read.
    """
    entry = DATASETS[dataset.name]
    table, faults = entry.list_clips(dataset.root)
    if table.empty:
        raise DataError(
            f"{entry.title}: no clips in {files.short_path(dataset.root)}. Put sound files "
            f"({' '.join(SUFFIXES)}) into {_clips_place(entry)}, or see data_README.md, "
            f"{entry.page}."
        )
    need_all_labels(table, dataset, "has no sound files")
    if 0 < max_clips < len(table):
        table = _sample(table, max_clips, np.random.default_rng(seed))
    table, errors = read_headers(table, root=dataset.root)
    if len(errors):
        first = errors["reason"].iloc[0]
        need_all_labels(table, dataset, f"has no sound file that can be read (first: {first})")
    return table, pd.concat([files.error_table(faults), errors], ignore_index=True)


def _clips_place(entry):
    """Where the clips of a data set belong, in words."""
    if entry.names:
        return f"it, named {' and '.join(entry.names.values())}"
    elsewhere = "the folders that its table names" if entry.read_entries else "a folder each"
    return " and ".join(entry.labels.values()) or elsewhere


def read_headers(table, *, root):
    """The clips that `list_clips` of a data set found, with what their files' headers say.

    Returns (table, errors) as `clip_table` does; errors has those only that cannot be read.
    """
    table = table.sort_values("path", ignore_index=True)
    headers = parallel.map_files(
        audio.info,
        table["path"],
        desc="Headers",
        unit="file",
        n_threads=min(8, 2 * env.cpu_count()),  # opening mostly waits for the disk
        progress=len(table) >= 300,
    )
    is_bad = np.array([isinstance(header, audio.AudioError) for header in headers], bool)
    errors = files.error_table(
        [error for error, bad in zip(headers, is_bad, strict=True) if bad], root=root
    )
    headers = [header for header, bad in zip(headers, is_bad, strict=True) if not bad]
    table = table[~is_bad].reset_index(drop=True)
    for column in CLIP_COLUMNS[len(LISTED) :]:
        table[column] = [getattr(header, column) for header in headers]
    return table, errors


def listed(dataset, table):
    """What the data set's own table says of the clips of a clip table.

    Returns a DataFrame with the index of `table`: listed_s (length, s; NaN: not said), problem
    (what is wrong with its entry, or ""). Where a data set has no table, or an entry is not found,
    nothing is said.
    """
    nothing = pd.DataFrame({"listed_s": np.nan, "problem": ""}, index=table.index)
    entry = DATASETS[dataset.name]
    if entry.read_entries is None:
        return nothing
    paths = [Path(path) for path in table["path"]]
    keys = [(path.parent.relative_to(dataset.root).as_posix(), path.stem) for path in paths]
    entries = entry.read_entries(dataset.root).drop_duplicates(["folder", "stem"])
    entries = entries.set_index(["folder", "stem"])[list(nothing.columns)].reindex(keys)
    entries = entries.set_axis(table.index)
    return entries.fillna({"problem": ""})


def need_all_labels(table, dataset, problem):
    """Raises DataError if a label of the data set has no clips. problem: what its folder has."""
    entry, present = DATASETS[dataset.name], set(table["label"])
    where = files.short_path(dataset.root)
    if not present:
        raise DataError(f"{entry.title}: {where} {problem}")
    needed = {**entry.labels, **entry.names}
    for label, place in needed.items():
        if label not in present:
            raise DataError(
                f"{entry.title}: class {label!r} is missing, because {where}/{place} {problem}. "
                f"A classifier needs clips of each class: {', '.join(needed)}."
            )


def _sample(table, n, rng):
    """n rows: labels in proportion, each at least once; every source once before any twice."""
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
        raise DataError(
            f"no recordings in {files.short_path(folder)}: put sound files into it "
            f"({' '.join(SUFFIXES)})"
        )
    return paths[:max_recordings] if max_recordings > 0 else paths


def _recordings_folder(dataset):
    entry = DATASETS[dataset.name]
    folder = dataset.root / entry.recordings
    return dataset.root if is_plain(dataset.root, entry) else folder


def sounds_below(folder):
    """The sound files in a folder and those below it, sorted: list of Path.

    Raises DataNotFoundError if there is no such folder, or no sound file in it.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise DataNotFoundError(
            f"{files.short_path(folder)} is no folder: give one with recordings"
        )
    paths = sorted(path for place in folders_below(folder) for path in sound_files(place))
    if not paths:
        raise DataNotFoundError(
            f"no sound files ({' '.join(SUFFIXES)}) in {files.short_path(folder)} or below it"
        )
    return paths


# --- the answer key ---------------------------------------------------------------------------


def answer_key(dataset):
    """The key of the recordings: (counts, calls), each a DataFrame, or None where there is none.

    counts: clip_name, call_count (int ≥ 0), from counts.csv. calls: clip_name, centre_s (seconds),
    sorted, from calls.csv. A key may name recording_00.wav where the file is recording_00.mp3:
    clip_name is the file's own name where there is one of that stem. Raises DataError if a column
    is missing, a value is no number, or the two tables contradict each other.
    """
    folder = _recordings_folder(dataset)
    names = {path.stem: path.name for path in sound_files(folder)}
    counts = _key_table(dataset.root / "counts.csv", "call_count", names)
    calls = _key_table(dataset.root / "calls.csv", "centre_s", names)
    if counts is not None:
        name = "counts.csv"
        if counts["clip_name"].duplicated().any():
            twice = counts["clip_name"][counts["clip_name"].duplicated()].iloc[0]
            raise DataError(f"{name} has {twice} more than once: keep one row")
        if (counts["call_count"] % 1 != 0).any():
            raise DataError(f"{name} has a call_count that is not a whole number")
        counts["call_count"] = counts["call_count"].astype(int)
        counts = counts.sort_values("clip_name", ignore_index=True)
    if calls is not None:
        calls = calls.sort_values(["clip_name", "centre_s"], ignore_index=True)
    if counts is not None and calls is not None:
        listed = calls["clip_name"].value_counts()
        stated = counts.set_index("clip_name")["call_count"]
        for name in sorted(set(listed.index) | set(stated.index)):
            if listed.get(name, 0) != stated.get(name, 0):
                raise DataError(
                    f"the key contradicts itself: {name} has {stated.get(name, 'no')} calls in "
                    f"counts.csv and {listed.get(name, 'none')} in calls.csv; correct one of them"
                )
    return counts, calls


def _key_table(path, column, names):
    """clip_name and one column of numbers from a csv file, or None if there is no such file."""
    if not path.is_file():
        return None
    columns = ["clip_name", column]
    table = read_table(path, columns, dtype={"clip_name": str}, first_line=",".join(columns))
    table = table[columns].copy()
    table[column] = pd.to_numeric(table[column], errors="coerce")
    bad = table["clip_name"].isna() | ~np.isfinite(table[column]) | (table[column] < 0)
    if bad.any():
        raise DataError(
            f"{files.short_path(path)}, line {2 + int(np.argmax(bad))}: "
            f"a clip_name and a {column} ≥ 0 are needed"
        )
    table["clip_name"] = [names.get(Path(name).stem, name) for name in table["clip_name"]]
    return table
