"""Is a data set on disk complete? Counts, its table against its files, damaged sound."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import audio, parallel
from helpers.audio import quality
from helpers.data import clips, folders, locate
from helpers.data.folders import DataError, folders_below, sound_files
from helpers.data.layouts import LISTED
from helpers.data.registry import DATASETS
from helpers.files import FileError, error_table, short_path

# Faults that make a data set unfit. `quality` finds others, which published sets may well have.
PROBLEMS = ("damaged", "missing", "not listed", "misnamed", "wrong length", "metadata")
MAX_CLASSES = 20  # with more classes only their sum is shown


@dataclass(frozen=True)
class Inspection:
    """What was found in a data set.

    counts: DataFrame part, listed, here, readable: numbers of files. listed: according to the data
    set's own table, for the folds that are here; or else what was published, or <NA>. faults:
    DataFrame file, fault, detail, problem (bool, False for a remark). notes: list of str.
    """

    dataset: locate.Dataset
    counts: pd.DataFrame
    faults: pd.DataFrame
    notes: list

    @property
    def is_fine(self):
        return not self.faults["problem"].any()


@dataclass
class _Findings:
    """What was found so far. read_folders: the folders that files are read from."""

    dataset: locate.Dataset
    counts: list = field(default_factory=list)
    faults: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    read_folders: set = field(default_factory=set)

    def add_fault(self, path, fault, detail):
        self.faults.append((short_path(path, root=self.dataset.root), fault, str(detail)))

    @property
    def entry(self):
        return DATASETS[self.dataset.name]

    @property
    def is_published(self):
        """False for a synthetic sample, which is not compared with the published data set."""
        return self.dataset.source != "synthetic"


def inspect(dataset, *, decode=False):
    """Compare a data set with its layout, its own table and what was published.

    decode: decode every file to its end, and measure the quality of its samples; otherwise only
    headers and ends of files are read. Returns an `Inspection`, which lists all that is wrong. A
    part that was left out, such as a fold, is a note.
    """
    found = _Findings(dataset)
    for part, check in (("clips", _check_clips), ("recordings", _check_recordings)):
        if part in found.entry.parts:
            try:
                check(found, decode)
            except DataError as error:
                found.add_fault(dataset.root, "metadata", error)
    _check_other_folders(found)
    counts = pd.DataFrame(found.counts, columns=["part", "listed", "here", "readable"])
    faults = pd.DataFrame(found.faults, columns=quality.FAULTS)
    faults = faults.assign(problem=faults["fault"].isin(PROBLEMS).astype(bool))
    order = {"problem": False, "fault": True, "file": True}  # False: descending
    faults = faults.sort_values([*order], ascending=[*order.values()], ignore_index=True)
    return Inspection(dataset, counts, faults, found.notes)


def report(inspection):
    """An `Inspection` as text: the counts, the faults, and the verdict."""
    dataset, entry = inspection.dataset, DATASETS[inspection.dataset.name]
    kind = "a synthetic sample" if dataset.source == "synthetic" else dataset.source
    lines = [f"{entry.title} in {short_path(dataset.root)} ({kind})"]
    if len(inspection.counts):
        table = inspection.counts.set_index("part").rename_axis(None)
        lines += ["", table.astype(object).fillna("–").to_string()]
    for is_problem, rows in inspection.faults.groupby("problem", sort=False):
        lines += ["", "Problems:" if is_problem else "Remarks (published sets have them too):"]
        for fault, same in rows.groupby("fault"):
            lines.append(f"  {fault}: {len(same):,}")
            lines += [f"    {row.file}: {row.detail}" for row in same.head(3).itertuples()]
            lines += [f"    and {len(same) - 3:,} more"] if len(same) > 3 else []
    lines += ["", *(f"Note: {note}" for note in inspection.notes)] if inspection.notes else []
    n = int(inspection.faults["problem"].sum())
    verdict = f"{n:,} problem{'s' * (n != 1)}" if n else "fine"
    return "\n".join([*lines, "", f"{dataset.name}: {verdict}"])


def _check_clips(found, decode):
    entry, root = found.entry, found.dataset.root
    places = [root / place for place in entry.labels.values()]
    if places and not any(place.is_dir() for place in places):
        found.notes.append("no clips are here")
        return
    rows, layout_faults = entry.read(root)
    here = rows.loc[rows["path"].notna(), list(LISTED)].reset_index(drop=True)
    rows = rows if "problem" in rows else rows.iloc[:0]  # only those of the data set's own table
    found.read_folders |= {Path(path).parent for path in here["path"]}
    found.read_folders |= {(root / fault.file).parent for fault in layout_faults}
    absent = sorted(set(rows["fold"]) - set(here["fold"]) - {-1})
    left_out = set(rows["file"][rows["fold"].isin(absent)]) if absent else ()
    layout_faults = [fault for fault in layout_faults if fault.file not in left_out]
    layout_faults += _not_read(found, here)

    readable, errors = clips.read_headers(here, root=root)
    if decode:
        readable, undecoded = _measure(readable, root)
        errors = pd.concat([errors, undecoded], ignore_index=True)
    errors = pd.concat([error_table(layout_faults), errors], ignore_index=True)
    listed = clips.match_rows(rows, readable)
    faults = quality.faults(readable, errors=errors, listed=listed, root=root)
    found.faults += faults[quality.FAULTS].itertuples(index=False, name=None)
    # `quality.faults` reports the rows of readable clips; these are the others.
    for row in rows[~rows["path"].isin(readable["path"])].itertuples():
        if row.problem:
            found.add_fault(root / row.file, "metadata", row.problem)
    for label, place in entry.places.items():
        if label not in set(here["label"]):
            found.add_fault(root / place, "missing", f"no clips of class {label} are here")
    if here.empty and not entry.places:
        found.add_fault(root, "missing", "no clips are here")
    _count_clips(found, rows[~rows["fold"].isin(absent)], here, readable)
    _note_clips(found, rows, absent, here)


def _not_read(found, here):
    """The faults of files of types that cannot be read; a class of nothing else is a problem."""
    root = found.dataset.root
    faults = folders.left_out(root)
    if found.entry.parts["clips"] or found.entry.places:  # folders are no classes there
        return faults
    read = {Path(path).relative_to(root).parts[0] for path in here["path"]}
    for top in sorted({Path(fault.file).parts[0] for fault in faults} - read):
        found.add_fault(root / top, "missing", "nothing in it can be read")
    return faults


def _measure(table, root):
    """The clips that can be decoded, with the columns of `quality.MEASURES`; and the errors."""

    def measure(path):
        frames, info = audio.load_frames(path)
        audio.mono(frames, info, sr=info.sample_rate)  # raises AudioError for NaN samples
        return quality.measure(frames, sr=info.sample_rate)

    table, measures, errors = clips.map_clips(
        measure, table, root=root, desc="Decoding", progress=len(table) >= 30
    )
    measures = pd.DataFrame(np.array(measures, quality.MEASURES))
    return pd.concat([table, measures], axis=1), errors


def _count_clips(found, rows, here, readable):
    """Count folds, classes and all clips. rows: of the data set's table."""
    listed = found.entry.published if found.is_published else {}
    listed = rows["label"].value_counts().to_dict() if len(rows) else listed

    def count(part, column, value, n_listed):
        numbers = ((table[column] == value).sum() for table in (here, readable))
        found.counts.append((part, n_listed, *map(int, numbers)))

    for fold in sorted(set(rows["fold"]) - {-1}):
        count(f"fold {fold}", "fold", fold, int((rows["fold"] == fold).sum()))
    labels = sorted(set(listed) | set(here["label"]))
    for label in labels if len(labels) <= MAX_CLASSES else ():
        count(label, "label", label, listed.get(label, 0 if listed else pd.NA))
    total = sum(listed.values()) if listed else pd.NA
    found.counts.append((f"all {len(labels)} classes", total, len(here), len(readable)))


def _note_clips(found, rows, absent, here):
    notes, published = found.notes, found.entry.published
    total, n_rows = sum(published.values()), len(rows) or len(here)
    if absent:
        notes.append(f"left out: fold{'s' * (len(absent) > 1)} {', '.join(map(str, absent))}")
    if total and found.is_published:
        if n_rows < total:
            subject = "its table lists" if len(rows) else "here are"
            notes.append(f"{subject} {n_rows:,} of the {total:,} clips that were published")
        if unknown := sorted(set(here["label"]) - set(published)):
            notes.append(f"classes that are not among the published ones: {', '.join(unknown)}")
    n_folds = here[here["fold"] >= 0].groupby("group")["fold"].nunique()
    if n := int((n_folds > 1).sum()):
        notes.append(f"sources in more than one fold: {n} (for example {n_folds.idxmax()})")
    if not found.is_published and (found.dataset.root / "defects.csv").is_file():
        notes.append("this sample has planted defects: see defects.csv")


def _check_recordings(found, decode):
    try:
        paths = clips.recordings(found.dataset)
    except DataError:
        found.notes.append("no recordings are here")
        return

    def read(path):
        info = audio.info(path)
        if decode:
            for _ in audio.stream(path, sr=info.sample_rate):
                pass

    progress = decode or len(paths) >= 300
    results = parallel.map_files(read, paths, desc="Recordings", unit="file", progress=progress)
    errors = [result for result in results if isinstance(result, FileError)]
    for error in errors:
        found.add_fault(error.path, "damaged", error.reason)
    found.read_folders |= {path.parent for path in paths}
    n_listed = (found.is_published and found.entry.n_recordings) or pd.NA
    found.counts.append(("recordings", n_listed, len(paths), len(paths) - len(errors)))
    tables = [table for table in clips.answer_key(found.dataset) if table is not None]
    named = set().union(*(table["clip_name"] for table in tables))
    if absent := sorted(named - {path.name for path in paths}):
        missing = f"{len(absent)} (for example {absent[0]})"
        found.notes.append(f"recordings of the answer key that are not here: {missing}")


def _check_other_folders(found):
    """Sound files in folders that nothing is read from: copies, or clips in a wrong place."""
    unread = []
    for folder in folders_below(found.dataset.root):
        try:
            unread += [] if folder in found.read_folders else sound_files(folder)
        except DataError as error:
            found.add_fault(folder, "damaged", error)
    if unread:
        example = f"(for example {short_path(unread[0], root=found.dataset.root)})"
        found.notes.append(f"sound files in folders that are not read: {len(unread):,} {example}")
