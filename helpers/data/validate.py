"""Is a data set on disk complete? Counts, its table against its files, damaged sound."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import audio, files, parallel
from helpers.audio import quality
from helpers.data import clips, locate
from helpers.data.layouts import ENTRY, DataError, folders_below, sound_files
from helpers.data.registry import DATASETS
from helpers.files import short_path

# The faults that break the contract; `quality` has others, which a published set may well have.
PROBLEMS = ("damaged", "missing", "not listed", "misnamed", "wrong length", "metadata")
FEW = 20  # classes that are counted one by one
NONE = pd.DataFrame(columns=quality.FAULTS)


@dataclass(frozen=True)
class Inspection:
    """What was found in a data set.

    counts: DataFrame part, listed, here, readable: numbers of files; listed is what the data set's
    own table says of the folds that are here, or what was published, or <NA> where nobody says.
    faults: DataFrame file, fault, detail, and a bool column `problem`: False for a remark.
    notes: list of str.
    """

    dataset: locate.Dataset
    counts: pd.DataFrame
    faults: pd.DataFrame
    notes: list

    @property
    def is_fine(self):
        return not self.faults["problem"].any()


@dataclass
class _Look:
    """What was found in one part. folders: those that files are read from."""

    counts: list = field(default_factory=list)
    faults: pd.DataFrame = field(default_factory=NONE.copy)
    notes: list = field(default_factory=list)
    folders: set = field(default_factory=set)


def inspect(dataset, *, decode=False):
    """Hold a data set against its layout, its own table and what was published.

    decode: decode every file to its end, and look at its samples as notebook 01 does; otherwise
    at headers and ends of files. Returns an `Inspection`: whatever is wrong with a file, a row or a
    table is listed there and ends nothing. A part that somebody left out, as folds, is a note.
    """
    entry, looks = DATASETS[dataset.name], []
    for part, look in (("clips", _clips), ("recordings", _recordings)):
        if part in entry.parts:
            try:
                looks.append(look(dataset, decode))
            except DataError as error:
                looks.append(_Look(faults=_fault(dataset, dataset.root, "metadata", str(error))))
    looks.append(_rest(dataset, set().union(*(look.folders for look in looks))))
    counts = [row for look in looks for row in look.counts]
    faults = pd.concat([look.faults for look in looks], ignore_index=True)
    faults = faults.assign(problem=faults["fault"].isin(PROBLEMS).astype(bool))
    faults = faults.sort_values(["problem", "fault", "file"], ascending=[False, True, True])
    return Inspection(
        dataset,
        pd.DataFrame(counts, columns=["part", "listed", "here", "readable"]),
        faults.reset_index(drop=True),
        [note for look in looks for note in look.notes],
    )


def report(found):
    """An `Inspection` as text: what there is, what is wrong, and the verdict."""
    dataset, entry = found.dataset, DATASETS[found.dataset.name]
    kind = "a synthetic sample" if dataset.source == "synthetic" else dataset.source
    lines = [f"{entry.title} in {short_path(dataset.root)} ({kind})"]
    if len(found.counts):
        table = found.counts.set_index("part").rename_axis(None)
        lines += ["", table.astype(object).fillna("–").to_string()]
    for is_problem, rows in found.faults.groupby("problem", sort=False):
        lines += ["", "Problems:" if is_problem else "Remarks (published sets have such, too):"]
        for fault, of_it in rows.groupby("fault"):
            lines.append(f"  {fault}: {len(of_it):,}")
            lines += [f"    {row.file}: {row.detail}" for row in of_it.head(3).itertuples()]
            lines += [f"    and {len(of_it) - 3:,} more"] if len(of_it) > 3 else []
    lines += ["", *(f"Note: {note}" for note in found.notes)] if found.notes else []
    n = int(found.faults["problem"].sum())
    verdict = f"{n:,} problem{'s' * (n != 1)}" if n else "fine"
    return "\n".join([*lines, "", f"{dataset.name}: {verdict}"])


# --- clips ----------------------------------------------------------------------------------------


def _clips(dataset, decode):
    entry, root = DATASETS[dataset.name], dataset.root
    places = [root / place for place in entry.labels.values()]
    if places and not any(place.is_dir() for place in places):
        return _Look(notes=["no clips are here"])
    rows = _rows(entry, root)
    there, told = entry.list_clips(root)
    told = files.error_table(told)
    folders = {Path(path).parent for path in there["path"]}
    folders |= {(root / file).parent for file in told["file"]}
    rows = rows.assign(here=_keys(rows).isin(_keys_of(there, root)))
    absent = _absent_folds(rows)
    left_out = set(_keys(rows[rows["fold"].isin(absent)]))
    told_keys = [(path.parent.as_posix(), path.stem) for path in map(Path, told["file"])]
    told = told[[key not in left_out for key in told_keys]]

    table, errors = clips.read_headers(there, root=root)
    if decode:
        table, undecoded = _measured(table, root)
        errors = pd.concat([errors, undecoded], ignore_index=True)
    errors = pd.concat([told, errors], ignore_index=True)
    faults = [quality.faults(table, errors=errors, listed=clips.listed(dataset, table), root=root)]
    # What is wrong with the rows of clips that are not here, or cannot be read.
    bad = rows[(rows["problem"] != "") & ~_keys(rows).isin(_keys_of(table, root))]
    faults += [
        _fault(dataset, root / row.folder / (row.stem or "?"), "metadata", row.problem)
        for row in bad.itertuples()
    ]
    needed = {**entry.labels, **entry.names} or {"": root}
    for label, place in needed.items():
        if label not in {*there["label"], *([""] if len(there) else [])}:
            which = f" of class {label}" if label else ""
            faults.append(_fault(dataset, root / place, "missing", f"no clips{which} are here"))
    return _Look(
        _counted(dataset, rows[~rows["fold"].isin(absent)], there, table),
        pd.concat(faults, ignore_index=True)[quality.FAULTS],
        _clip_notes(dataset, rows, absent, there),
        folders,
    )


def _rows(entry, root):
    """The rows of a data set's own table: ENTRY. None where it has no table."""
    if entry.read_entries is None:
        return pd.DataFrame(columns=ENTRY)
    return entry.read_entries(root)


def _keys(rows):
    """(folder, stem) of each row of a table."""
    return pd.Series(list(zip(rows["folder"], rows["stem"], strict=True)), rows.index, dtype=object)


def _keys_of(table, root):
    paths = [Path(path).relative_to(root) for path in table["path"]]
    return [(path.parent.as_posix(), path.stem) for path in paths]


def _absent_folds(rows):
    """The folds of which no clip is here, in order: somebody left them out."""
    here = rows[rows["fold"] != ""].groupby("fold")["here"].any()
    return sorted(here.index[~here.astype(bool)], key=lambda fold: (len(fold), fold))


def _measured(table, root):
    """The clips that can be decoded, with the columns of `quality.MEASURES`; and the errors."""

    def measure(path):
        frames, info = audio.load_frames(path)
        audio.mono(frames, info, sr=info.sample_rate)  # tells samples that are no numbers
        return quality.measure(frames, sr=info.sample_rate)

    found = parallel.map_files(
        measure, table["path"], desc="Decoding", unit="file", progress=len(table) >= 30
    )
    is_bad = np.array([isinstance(one, audio.AudioError) for one in found], bool)
    errors = [one for one, bad in zip(found, is_bad, strict=True) if bad]
    measures = [one for one, bad in zip(found, is_bad, strict=True) if not bad]
    measures = pd.DataFrame(np.array(measures, quality.MEASURES))
    table = pd.concat([table[~is_bad].reset_index(drop=True), measures], axis=1)
    return table, files.error_table(errors, root=root)


def _counted(dataset, rows, there, table):
    """Rows of `Inspection.counts`: folds, classes, all clips."""
    published = {} if dataset.source == "synthetic" else DATASETS[dataset.name].published
    listed = rows["label"].value_counts().to_dict() if len(rows) else published

    def count(part, column, value, n_listed):
        numbers = ((clips[column].astype(str) == value).sum() for clips in (there, table))
        return (part, n_listed, *map(int, numbers))

    folds = sorted(set(rows["fold"]) - {""}, key=lambda fold: (len(fold), fold))
    counts = [count(f"fold {f}", "fold", f, int((rows["fold"] == f).sum())) for f in folds]
    labels = sorted(set(listed) | set(there["label"]))
    if len(labels) <= FEW:
        no_number = 0 if listed else pd.NA
        counts += [count(name, "label", name, listed.get(name, no_number)) for name in labels]
    total = sum(listed.values()) if listed else pd.NA
    return [*counts, (f"all {len(labels)} classes", total, len(there), len(table))]


def _clip_notes(dataset, rows, absent, there):
    notes, published = [], DATASETS[dataset.name].published
    total, n_rows = sum(published.values()), len(rows) or len(there)
    if absent:
        notes.append(f"left out: fold{'s' * (len(absent) > 1)} {', '.join(absent)}")
    if total and dataset.source != "synthetic":
        if n_rows < total:
            told = "its table lists" if len(rows) else "here are"
            notes.append(f"{told} {n_rows:,} of the {total:,} clips that were published")
        if strange := sorted(set(there["label"]) - set(published)):
            notes.append(f"classes that are not among the published ones: {', '.join(strange)}")
    split = there[there["fold"] >= 0].groupby("group")["fold"].nunique()
    if n := int((split > 1).sum()):
        notes.append(f"{n} source{'s' * (n > 1)} in more than one fold, {split.idxmax()} first")
    if dataset.source == "synthetic" and (dataset.root / "defects.csv").is_file():
        notes.append("some files and rows of this sample were spoiled on purpose: see defects.csv")
    return notes


# --- recordings, and whatever else lies there -----------------------------------------------------


def _recordings(dataset, decode):
    try:
        paths = clips.recordings(dataset)
    except DataError:
        return _Look(notes=["no recordings are here"])

    def read(path):
        info = audio.info(path)
        if decode:
            for _ in audio.stream(path, sr=info.sample_rate):
                pass

    found = parallel.map_files(
        read, paths, desc="Recordings", unit="file", progress=decode or len(paths) >= 300
    )
    errors = [one for one in found if isinstance(one, audio.AudioError)]
    faults = [_fault(dataset, error.path, "damaged", error.reason) for error in errors]
    look = _Look(folders={path.parent for path in paths})
    try:
        keys = [key for key in clips.answer_key(dataset) if key is not None]
    except DataError as error:
        keys, faults = [], [*faults, _fault(dataset, dataset.root, "metadata", str(error))]
    named = set().union(*(key["clip_name"] for key in keys))
    if absent := sorted(named - {path.name for path in paths}):
        look.notes.append(f"{len(absent)} recordings of the key are not here, {absent[0]} first")
    n_published = DATASETS[dataset.name].n_recordings
    n_listed = n_published if n_published and dataset.source != "synthetic" else pd.NA
    look.counts.append(("recordings", n_listed, len(paths), len(paths) - len(errors)))
    look.faults = pd.concat([NONE, *faults], ignore_index=True)
    return look


def _rest(dataset, folders):
    """Sound files in folders that nothing is read from: copies, or clips that went astray."""
    look, unread = _Look(), []
    for folder in folders_below(dataset.root):
        try:
            unread += [] if folder in folders else sound_files(folder)
        except DataError as error:
            look.faults = pd.concat([look.faults, _fault(dataset, folder, "damaged", str(error))])
    if unread:
        first = files.short_path(unread[0], root=dataset.root)
        look.notes.append(f"{len(unread):,} sound files lie where nothing is read, {first} first")
    return look


def _fault(dataset, path, fault, detail):
    row = (files.short_path(path, root=dataset.root), fault, detail)
    return pd.DataFrame([row], columns=quality.FAULTS)
