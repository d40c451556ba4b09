"""The data sets: where they are, what is in them, and splits that no source recording crosses.

Command line: ``python -m helpers.data list | get NAME | check NAME [FOLDER]``
"""

import difflib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import audio, download, env, files, parallel, synthesis
from helpers.layouts import (
    LISTED,
    SUFFIXES,
    DataError,
    find_roots,
    folders_below,
    read_table,
    sound_files,
)
from helpers.registry import DATASETS
from helpers.samples import item_rng

# Where Kaggle mounts the data sets attached to a notebook; a rehearsal has it elsewhere.
KAGGLE_INPUT = Path(os.environ.get("KAGGLE_INPUT", "/kaggle/input"))
CLIP_COLUMNS = [*LISTED, "duration_s", "sample_rate", "channels"]


class DataNotFoundError(DataError):
    """A data set that is not where it was said to be: what was looked for, where, what to do."""


@dataclass(frozen=True)
class Dataset:
    """A data set that was found. source: "synthetic", "local", "kaggle" or "download"."""

    name: str
    root: Path
    source: str


# --- where is it? -----------------------------------------------------------------------------


def resolve(
    name,
    data_dir="",
    *,
    require=None,
    sample_size="small",
    download=False,
):
    """Find a data set, and print in one line which one was taken.

    Looks, in this order, at: data_dir · the folder `name` in that of the environment variable
    AUDIO_DATA · Kaggle's mounts · data/<name> in the repository · the network, if `download`, see
    `helpers.download` · the synthetic sample of `sample_size`, which is made if need be. Never
    mixes two.

    require: the parts needed, of "clips" and "recordings" (None: all that the data set has); with
    ("recordings",) alone a given folder may also simply hold sound files. Returns a `Dataset`.
    Raises DataNotFoundError if data_dir or AUDIO_DATA's folder does not hold the data set, or the
    download fails.
    """
    entry, passed = named(name), []
    require = tuple(entry.parts) if require is None else tuple(require)
    found = _given(entry, data_dir, require) or _mounted(entry, require, passed)
    if not found and download and entry.is_downloadable:
        found = _downloaded(entry, require)
    if not found and not entry.synthesise:
        raise DataNotFoundError(f"{entry.title}: no folder is given.\n{_advice(entry)}")
    if not found:
        root = synthesis.default_root(name, sample_size)
        synthesis.write(entry.synthesise, root, size=sample_size)
        found = root, "synthetic"
    dataset = _dataset(name, *found)
    note = "".join(f" (passed over {files.short_path(p)}: not all of it is there)" for p in passed)
    print(f"{name}: {dataset.source} data in {files.short_path(dataset.root)}{note}")
    return dataset


def find(name, data_dir="", *, require=None, sample_size="small"):
    """The data set that `resolve` would take, without a word, and nothing is made or fetched.

    Returns a `Dataset`, or None where there is none, not even a sample. Raises DataNotFoundError as
    `resolve` does.
    """
    entry = named(name)
    require = tuple(entry.parts) if require is None else tuple(require)
    found = _given(entry, data_dir, require) or _mounted(entry, require, [])
    if not found and entry.synthesise:
        sample = synthesis.default_root(name, sample_size)
        found = (sample, "synthetic") if (sample / synthesis.MANIFEST).is_file() else None
    return _dataset(name, *found) if found else None


def named(name):
    """What is known of a data set. Raises DataNotFoundError where there is none of that name."""
    if name not in DATASETS:
        near = difflib.get_close_matches(name.lower(), DATASETS, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        there = ", ".join(sorted(DATASETS))
        raise DataNotFoundError(f"no data set {name!r}{hint}: there are {there}")
    return DATASETS[name]


def _dataset(name, root, source):
    if (root / synthesis.MANIFEST).is_file():  # a synthetic sample stays one, whoever points at it
        source = "synthetic"
    return Dataset(name=name, root=root, source=source)


def _given(entry, data_dir, require):
    """(root, source) of the folder that the user or AUDIO_DATA names; None if neither does."""
    if data_dir:
        folder, origin = Path(data_dir).expanduser(), "the given folder"
    elif os.environ.get("AUDIO_DATA"):
        folder = Path(os.environ["AUDIO_DATA"]).expanduser() / entry.name
        origin = "the folder that AUDIO_DATA names"
        if not os.path.exists(folder):
            return None
    else:
        return None
    roots = find_roots(folder, entry, require)
    if not roots and require == ("recordings",) and os.path.isdir(folder):
        with suppress(DataError):  # it cannot be read: told below
            roots = [folder] if _is_plain(folder, entry) else []
    if len(roots) == 1:
        is_mount = roots[0].is_relative_to(KAGGLE_INPUT)
        return roots[0], "kaggle" if is_mount else "local"
    wanted = ", ".join(" or ".join(map(repr, names)) for names in entry.needs(require)) or "clips"
    if require == ("recordings",):
        wanted += f" or sound files ({' '.join(SUFFIXES)})"
    if roots:
        problem = f"holds it more than once, in {', '.join(sorted(r.name for r in roots))}"
    elif not os.path.exists(folder):
        problem = "does not exist"
    elif not os.path.isdir(folder):
        problem = "is a file; the folder is needed, unzipped"
    else:
        try:
            names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
        except OSError as error:
            names = [f"nothing that can be read ({error.strerror})"]
        problem = f"has {', '.join(names[:5]) or 'nothing in it'}{' …' if names[5:] else ''}"
    raise DataNotFoundError(
        f"{entry.title}: looked for {wanted} in {origin} {files.short_path(folder)}, "
        f"which {problem}.\n{_advice(entry)}"
    )


def _mounted(entry, require, passed):
    """(root, source) on Kaggle or in the repository, or None; fills `passed` with the unfit."""
    places = [(default_folder(entry.name), "local")]
    if entry.kaggle:
        owner, slug = entry.kaggle.split("/")
        mounts = (KAGGLE_INPUT / slug, KAGGLE_INPUT / "datasets" / owner / slug)
        places = [*((folder, "kaggle") for folder in mounts), *places]
    for folder, source in places:
        roots = find_roots(folder, entry, require)
        if len(roots) == 1:
            return roots[0], source
        if os.path.isdir(folder):
            passed.append(folder)
    return None


def _downloaded(entry, require):
    """(root, "download") of a copy that is now in data/<name>, or where Kaggle has mounted it."""
    try:
        root = download.get(entry, default_folder(entry.name), require=require)
    except DataError as error:
        raise DataNotFoundError(f"{error}.\n{_advice(entry)}") from error
    return root, "download"


def default_folder(name):
    """Where the repository has a data set: data/<name>."""
    return env.repository_root() / "data" / name


def _advice(entry):
    ways = ["give DATA_DIR"]
    if entry.is_downloadable:
        ways = [f"get it with `python -m helpers.data get {entry.name}`"]
    if entry.kaggle:
        folder = f"data/{entry.name}"
        ways.append(f"with `kaggle datasets download {entry.kaggle} --unzip -p {folder}`")
    ways[-1] += f" (see data_README.md, {entry.page})"
    if entry.synthesise:
        ways.append("leave DATA_DIR empty for the synthetic sample")
    return f"{ways[0][0].upper()}{', or '.join(ways)[1:]}."


def _is_plain(folder, entry):
    """True for a folder of sound files without any of the data set's own folders."""
    own = [name for names in entry.needs(entry.parts) for name in names]
    return not any(os.path.exists(folder / name) for name in own) and bool(sound_files(folder))


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
    return dataset.root if _is_plain(dataset.root, entry) else folder


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


if __name__ == "__main__":
    from helpers.commands import main  # which stands on this module

    raise SystemExit(main())
