"""How each data set lies on disk: what its folders and tables say, and where they disagree.

Nothing is opened here but folders and csv files. `registry` says which data set lies in which way.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import files
from helpers.files import Fault

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
LISTED = ("path", "label", "group", "fold")  # of a clip, known before the file is opened

# Of a clip, as the data set's own table has it: the folder that it is in (relative to the root),
# its file's name without the suffix, what it is and its fold (text, "" where nothing is said), its
# length in seconds or NaN, and what is wrong with the row.
ENTRY = ("folder", "stem", "label", "fold", "listed_s", "problem")


class DataError(Exception):
    """A data set that cannot be used as it is; the message says why and what to do."""


def find_roots(folder, entry, require):
    """Where in a folder a data set lies: [the folder itself], else those directly inside it.

    entry: `data.DatasetInfo`. require: its parts that must be there. Returns [] also if the
    folder cannot be read.
    """
    needed = entry.needs(require)

    def holds(place):
        return all(any((place / name).exists() for name in names) for names in needed)

    try:
        if not folder.is_dir():
            return []
        if holds(folder):
            return [folder]
        inside = [p for p in sorted(folder.iterdir()) if p.is_dir() and not is_litter(p)]
        return [p for p in inside if holds(p)]
    except OSError:
        return []


def sound_files(folder):
    """The sound files directly in a folder, sorted by name, without hidden ones."""
    try:
        inside = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES]
        return sorted(p for p in inside if not is_litter(p) and p.is_file())
    except FileNotFoundError:
        return []
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"{files.short_path(folder)} cannot be read: {reason}") from None


def is_litter(path):
    """True for what a file manager or an archive left behind."""
    return path.name.startswith(".") or path.name == "__MACOSX"


def read_table(path, columns, *, dtype=None, first_line=""):
    """A csv file with at least some columns. Raises DataError that says what is wrong with it.

    dtype: as in `pandas.read_csv`. first_line: what it must begin with, for the message.
    """
    short = files.short_path(path)
    try:
        table = pd.read_csv(path, dtype=dtype, skipinitialspace=True)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{short} cannot be read: {error}") from None
    if missing := [name for name in columns if name not in table.columns]:
        advice = f": it must begin with the line {first_line}" if first_line else ""
        raise DataError(f"{short} has no column {missing[0]!r}{advice}")
    return table


def _source(path):
    """The source that a file's name tells: clips are numbered within it, XC16803-4.wav."""
    return files.printable(re.sub(r"-\d+$", "", path.stem))


def _texts(column):
    """A column as text: "" where there is nothing, and whole numbers as such even then."""
    texts = column.astype("string").fillna("")
    if pd.api.types.is_float_dtype(column):  # one gap makes floats of them all
        texts = texts.str.removesuffix(".0")
    return texts.astype(str)


def _stems(names):
    """A column of files' names without their suffixes."""
    return names.map(lambda name: Path(name).stem)


def _paths(paths, index=None):
    """A column of paths, as str that need not be Unicode; None stays None."""
    texts = [None if path is None else str(path) for path in paths]
    return pd.Series(texts, index=index, dtype=object)


# --- capuchin -------------------------------------------------------------------------------------

CAPUCHIN_CLIPS = {
    "capuchin": "Parsed_Capuchinbird_Clips",
    "other": "Parsed_Not_Capuchinbird_Clips",
}


def capuchin_clips(root):
    """The clips in their two folders; a source is what a file name says before -N."""
    paths = [
        (p, label) for label, place in CAPUCHIN_CLIPS.items() for p in sound_files(root / place)
    ]
    table = pd.DataFrame(
        {
            "path": _paths(p for p, _ in paths),
            "label": [label for _, label in paths],
        }
    )
    return table.assign(group=[_source(p) for p, _ in paths], fold=-1), []


# --- catsdogs -------------------------------------------------------------------------------------

CATSDOGS_NAMES = {"cat": "cat_<n>", "dog": "dog_barking_<n>"}


def catsdogs_clips(root):
    """The clips at any depth, and the files of another name.

    Each stem counts once, in the uppermost folder: those below hold copies, sorted for training.
    """
    patterns = {label: name.replace("<n>", "[0-9]+") for label, name in CATSDOGS_NAMES.items()}
    found, faults = {}, []
    places = sorted(folders_below(root), key=lambda place: len(place.parts))
    for path in (path for place in places for path in sound_files(place)):
        labels = [label for label, name in patterns.items() if re.fullmatch(name, path.stem)]
        if labels:
            found.setdefault(path.stem, (path, labels[0]))
        else:
            inside = files.printable(path.relative_to(root).as_posix())
            faults.append(Fault("misnamed", inside, " or ".join(CATSDOGS_NAMES.values())))
    table = pd.DataFrame(
        {
            "path": _paths(path for path, _ in found.values()),
            "label": [label for _, label in found.values()],
            "group": list(found),  # nobody knows which files come from one recording
        }
    )
    return table.assign(fold=-1), faults


# --- data sets with a table of their clips --------------------------------------------------------


def _listed_clips(root, table, listed_in, folders):
    """The clips of a table that are there, and what is missing or not listed.

    table: DataFrame `name` (file name of any suffix), `folder` (of the clip, relative to root),
    label, group, fold. listed_in: the csv's name. folders: those to look into; a folder that is not
    there is a part of the data set that somebody left out.
    """
    present = {}
    for folder in folders:
        if (root / folder).is_dir():
            present[folder] = {path.stem: path for path in sound_files(root / folder)}
    table = table[table["folder"].isin(list(present)) & (table["name"] != "")]
    places = list(zip(table["folder"], _stems(table["name"]), strict=True))
    found = [present[folder].pop(stem, None) for folder, stem in places]
    again = pd.Series(places, dtype=object).duplicated()
    faults = [
        Fault("metadata", f"{folder}/{name}", f"listed more than once in {listed_in}")
        if twice
        else Fault("missing", f"{folder}/{name}", listed_in)
        for folder, name, path, twice in zip(
            table["folder"], table["name"], found, again, strict=True
        )
        if path is None
    ]
    faults += [
        Fault("not listed", f"{folder}/{files.printable(path.name)}", listed_in)
        for folder, paths in present.items()
        for path in paths.values()
    ]
    table = table.assign(path=_paths(found, table.index)).dropna(subset="path")
    folds = pd.to_numeric(table["fold"], errors="coerce")
    folds = folds.where(folds.between(0, 1e6), -1).astype(int)  # what is no number is not either
    return table.assign(fold=folds)[list(LISTED)].reset_index(drop=True), faults


def _first(root, names):
    """The first of some names that is there."""
    return next((name for name in names if (root / name).exists()), names[0])


# As published, and as the copy on Kaggle has it.
URBAN_TABLES = ("metadata/UrbanSound8K.csv", "UrbanSound8K.csv")
ESC_TABLES = ("meta/esc50.csv", "esc50.csv")
ESC_FOLDERS = ("audio/audio", "audio")
ESC_S = 5.0  # length of every clip, s


def _urbansound8k_table(root):
    """(its table with a column `folder`, the table's name)."""
    listed_in = _first(root, URBAN_TABLES)
    table = read_table(root / listed_in, ("slice_file_name", "fsID", "fold", "class"))
    prefix = "audio/" if (root / "audio").is_dir() else ""
    return table.assign(folder=prefix + "fold" + _texts(table["fold"])), listed_in


def urbansound8k_clips(root):
    """The clips of the folds that are there, and what table and folders disagree on."""
    table, listed_in = _urbansound8k_table(root)
    clips = pd.DataFrame(
        {
            "name": _texts(table["slice_file_name"]),
            "folder": table["folder"],
            "label": _texts(table["class"]),
            "group": _texts(table["fsID"]),
            "fold": table["fold"],
        }
    )
    return _listed_clips(root, clips, listed_in, sorted(set(clips["folder"])))


def urbansound8k_entries(root):
    """The rows of its table, see ENTRY."""
    table, _ = _urbansound8k_table(root)
    stems = _stems(_texts(table["slice_file_name"]))
    problems = _Problems(table)
    problems.need(stems, "slice_file_name")
    problems.need(_texts(table["fold"]), "fold")
    problems.compare(stems, ("fsID", "classID", None, None))
    if "classID" in table:
        problems.need_one_name("classID", "class")
    if "salience" in table:
        salience = pd.to_numeric(table["salience"], errors="coerce")
        problems.add(
            ~salience.isin([1, 2]), lambda row: f"salience is {row['salience']}, not 1 or 2"
        )
    lengths = float("nan")
    if {"start", "end"} <= set(table):
        start, end = (pd.to_numeric(table[name], errors="coerce") for name in ("start", "end"))
        lengths = end - start
        problems.add(
            ~(lengths > 0), lambda row: f"it ends at {row['end']}, begins {row['start']} s"
        )
    return _entries(table["folder"], stems, table["class"], table["fold"], lengths, problems)


def _esc_table(root):
    """(its table, the table's name, the clips' folder)."""
    listed_in, folder = _first(root, ESC_TABLES), _first(root, ESC_FOLDERS)
    columns = ("filename", "fold", "category", "esc10", "src_file")
    return read_table(root / listed_in, columns), listed_in, folder


def esc_clips(root, *, only_esc10=False):
    """As `urbansound8k_clips`. only_esc10: the ten classes of ESC-10 alone."""
    table, listed_in, folder = _esc_table(root)
    chosen = pd.DataFrame(
        {
            "name": _texts(table["filename"]),
            "folder": folder,
            "label": _texts(table["category"]),
            "group": _texts(table["src_file"]),
            "fold": table["fold"],
        }
    )
    clips, faults = _listed_clips(root, chosen, listed_in, [folder])
    if only_esc10:
        in_esc10 = _labels_of_esc10(table)
        clips = clips[clips["label"].isin(in_esc10)].reset_index(drop=True)
        names = set(chosen["name"][chosen["label"].isin(in_esc10)])
        faults = [fault for fault in faults if Path(fault.file).name in names]
    return clips, faults


def _labels_of_esc10(table):
    return set(_texts(table["category"])[table["esc10"].astype(str).str.lower() == "true"])


def esc_entries(root, *, only_esc10=False):
    """The rows of its table, see ENTRY. only_esc10: those of the ten classes of ESC-10."""
    table, _, folder = _esc_table(root)
    stems = _stems(_texts(table["filename"]))
    problems = _Problems(table)
    problems.need(stems, "filename")
    problems.compare(stems, ("fold", "src_file", "take", "target"))
    if "target" in table:
        problems.need_one_name("target", "category")
    entries = _entries(folder, stems, table["category"], table["fold"], ESC_S, problems)
    if only_esc10:
        entries = entries[entries["label"].isin(_labels_of_esc10(table))].reset_index(drop=True)
    return entries


def _entries(folder, stems, labels, folds, lengths, problems):
    texts = ["; ".join(found) for found in problems.found]
    columns = (folder, stems, _texts(labels), _texts(folds), lengths, texts)
    return pd.DataFrame(dict(zip(ENTRY, columns, strict=True)))


class _Problems:
    """What the rows of a data set's table contradict: each other, or their files' names."""

    def __init__(self, table):
        self.table = table
        self.found = [[] for _ in range(len(table))]

    def add(self, rows, tell):
        """rows: bool (n_rows,). tell: row → what is wrong with it."""
        for i in np.flatnonzero(rows):
            self.found[i].append(tell(self.table.iloc[i]))

    def need(self, texts, column):
        """Rows that say nothing where they must."""
        self.add(texts == "", lambda row: f"it has no {column}")

    def compare(self, stems, columns):
        """Stems are made of fields, a-b-c; columns: what each field is, None: not in the table."""
        for k, column in enumerate(columns):
            if column is None or column not in self.table:
                continue
            told = stems.str.split("-").str.get(k)
            self.add(
                (stems != "") & told.notna() & (told != _texts(self.table[column])),
                lambda row, told=told, column=column: (
                    f"{column} is {row[column]}, its file name says {told[row.name]}"
                ),
            )

    def need_one_name(self, number, name):
        """Rows whose name is not the one that most rows of the same number have."""
        names = self.table.groupby(number)[name]
        usual = self.table[number].map(names.agg(lambda x: x.mode(dropna=False).iloc[0]))
        self.add(
            usual.notna() & (self.table[name] != usual),
            lambda row: f"{name} is {row[name]}, {number} {row[number]} means {usual[row.name]}",
        )


# --- a folder for each label ----------------------------------------------------------------------


def clips_in_folders(root, groups_of):
    """<label>/**/<clip>, and no faults.

    groups_of: (label's folder, {folder, itself or below it: the clips in it}) → a group for each.
    """
    rows = []
    for top in sorted(p for p in root.iterdir() if p.is_dir() and not is_litter(p)):
        places = {place: clips for place in folders_below(top) if (clips := sound_files(place))}
        paths = [path for clips in places.values() for path in clips]
        groups = groups_of(top, places)
        rows += [(p, files.printable(top.name), g) for p, g in zip(paths, groups, strict=True)]
    table = pd.DataFrame(
        {
            "path": _paths(row[0] for row in rows),
            "label": [row[1] for row in rows],
            "group": [row[2] for row in rows],
        }
    )
    return table.assign(fold=-1), []


def folders_below(top):
    """A folder and those below it, at any depth, without litter and what lies in it."""
    below = sorted(p for p in top.rglob("*") if p.is_dir())
    parts = [path.relative_to(top).parts for path in below]
    litter = [any(is_litter(Path(part)) for part in inside) for inside in parts]
    return [top, *(path for path, bad in zip(below, litter, strict=True) if not bad)]


def class_groups(top, places):
    """What lies in one folder below the class is of one source; so are clips directly in it whose
    names differ in a last -N only, unless that leaves the class one source."""
    names_tell = len(places) > 1 or len({_source(path) for path in places.get(top, [])}) > 1
    groups = []
    for place, paths in places.items():
        if place != top:
            groups += [files.printable(place.relative_to(top).as_posix())] * len(paths)
        else:
            groups += [_source(p) if names_tell else files.printable(p.stem) for p in paths]
    return groups


def speaker_groups(top, places):
    """Two folders with clips and more are sessions; in a single one each clip is for itself."""
    groups = []
    for place, paths in places.items():
        session = place.relative_to(top.parent)
        groups += [session if len(places) > 1 else session / path.stem for path in paths]
    return [files.printable(group.as_posix()) for group in groups]
