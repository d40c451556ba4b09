"""Data sets that list their clips in a CSV file: the clips, and what is wrong with the rows."""

import codecs
import io
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from helpers import files
from helpers.data.folders import DataError, folders_below, sound_files
from helpers.data.layouts import LISTED, path_column
from helpers.files import Fault

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The table of a data set.

    tables: its possible names, as published and on Kaggle. name, label, group, number: its columns
    with the file's name, the class, the source and the number of the class. stem: the column that
    each field of a file's name a-b-c-d repeats, or None. audio: the folders that may hold the
    clips. has_fold_folders: each fold has a folder of its own. length_s: of every clip, unless the
    table has columns `start` and `end`. subset: a column; only labels with a row where it is true
    are taken, "": all.
    """

    tables: tuple
    name: str
    label: str
    group: str
    number: str
    stem: tuple
    audio: tuple
    has_fold_folders: bool = False
    length_s: float = float("nan")
    subset: str = ""


URBANSOUND8K = Metadata(
    tables=("metadata/UrbanSound8K.csv", "UrbanSound8K.csv"),
    **dict(name="slice_file_name", label="class", group="fsID", number="classID"),
    stem=("fsID", "classID", None, None),
    audio=("audio", "."),
    has_fold_folders=True,
)
ESC50 = Metadata(
    tables=("meta/esc50.csv", "esc50.csv"),
    **dict(name="filename", label="category", group="src_file", number="target"),
    stem=("fold", "src_file", "take", "target"),
    audio=("audio/audio", "audio"),
    length_s=5.0,
)
ESC10 = replace(ESC50, subset="esc10")


def listed_clips(root, layout):
    """The rows of the table, with their clips, and where table and folders disagree.

    A folder that does not exist was left out, which is no fault. Returns (rows, list of `Fault`).
    rows: DataFrame `layouts.LISTED` (path: None without a clip, fold: -1 if missing), file (below
    root), listed_s (seconds or NaN), problem (what is wrong with the row, or ""). Raises DataError.
    """

    def first(names):
        return next((name for name in names if (root / name).exists()), names[0])

    listed_in, audio = first(layout.tables), PurePosixPath(first(layout.audio))
    columns = {"name": layout.name, "group": layout.group, "fold": "fold", "label": layout.label}
    needed = [*columns.values(), *filter(None, [layout.subset])]
    table = read_table(root / listed_in, needed)
    remarks = [Fault("mended", listed_in, text) for text in table.attrs["mended"]]
    table[layout.name] = _texts(table[layout.name]).str.replace("\\", "/").str.split("/").str[-1]
    table["fold"] = _texts(table["fold"]).str.replace(r"^fold[ _-]?", "", case=False, regex=True)
    rows = pd.DataFrame({name: _texts(table[column]) for name, column in columns.items()})
    rows["stem"] = rows["name"].map(stem_of)
    folders = [str(audio / f"fold{k}" if layout.has_fold_folders else audio) for k in rows["fold"]]
    rows["file"] = [f"{a}/{b or '?'}" for a, b in zip(folders, rows["name"], strict=True)]
    rows["listed_s"], rows["problem"] = _check_rows(table, rows, layout)
    if layout.subset:
        in_subset = table[layout.subset].astype(str).str.lower() == "true"
        chosen = rows["label"].isin(set(rows["label"][in_subset]))
    present = {
        folder: {stem_of(path): path for path in sound_files(root / folder)}
        for folder in sorted(set(folders))
        if (root / folder).is_dir()
    }
    remarks += _find_elsewhere(root, rows, folders, present)
    paths, seen, faults = [], set(), []
    for row, folder in zip(rows.itertuples(), folders, strict=True):
        path = present.get(folder, {}).pop(row.stem, None)
        paths.append(path)
        if path is None and folder in present and row.name:
            fault = Fault("missing", row.file, listed_in)
            if (folder, row.stem) in seen:
                fault = Fault("metadata", row.file, f"listed more than once in {listed_in}")
            faults.append((row.Index, fault))
        seen.add((folder, row.stem))
    folds = pd.to_numeric(rows["fold"], errors="coerce")
    folds = folds.where(folds.between(0, 1e6), -1).astype(int)
    rows = rows.assign(path=path_column(paths, rows.index), fold=folds)
    rows = rows[[*LISTED, "file", "listed_s", "problem"]]
    if layout.subset:  # other clips need not be listed
        faults = [fault for i, fault in faults if chosen[i]]
        return rows[chosen].reset_index(drop=True), remarks + faults
    return rows, remarks + [fault for _, fault in faults] + [
        Fault("not listed", f"{folder}/{files.printable(path.name)}", listed_in)
        for folder, left in present.items()
        for path in left.values()
    ]


def stem_of(name):
    """The name of a file without its suffix, in the one Unicode form that all systems can write."""
    return unicodedata.normalize("NFC", Path(name).stem)


def _find_elsewhere(root, rows, folders, present):
    """Find the clips of folders that are not there, or are empty, in other folders below `root`.

    Adds them to `present`. Returns a `Fault` for each of these folders and each place of its clips.
    """
    absent = {folder for folder in folders if not present.get(folder)}
    if not absent:
        return []
    used = {root / folder for folder in present}
    others = [place for place in folders_below(root) if place not in used]
    # Of several copies the uppermost, and that with the rate of the original.
    others.sort(key=lambda place: (len(place.parts), "44100" not in place.parts, place))
    elsewhere = {}
    for path in (path for place in others for path in sound_files(place)):
        elsewhere.setdefault(stem_of(path), path)
    found = {}
    for stem, folder in zip(rows["stem"], folders, strict=True):
        if folder in absent and stem in elsewhere:
            present.setdefault(folder, {})[stem] = elsewhere[stem]
            found[folder, elsewhere[stem].parent] = None
    return [
        Fault("layout", folder, f"its clips are read from {files.short_path(place, root=root)}")
        for folder, place in found
    ]


def _check_rows(table, rows, layout):
    """(length of each clip in seconds or NaN, what is wrong with its row or "")."""
    found, lengths = [[] for _ in range(len(table))], layout.length_s

    def add(is_wrong, describe):
        for i in np.flatnonzero(is_wrong):
            found[i].append(describe(table.iloc[i]))

    for column, texts in ((layout.name, rows["stem"]), ("fold", rows["fold"])):
        add(texts == "", lambda row, column=column: f"it has no {column}")
    for k, column in enumerate(layout.stem):
        if column in table:
            field = rows["stem"].str.split("-").str.get(k)
            differs = (rows["stem"] != "") & field.notna() & (field != _texts(table[column]))
            for i in np.flatnonzero(differs):
                found[i].append(f"{column} is {table[column][i]}, its file name says {field[i]}")
    number, label = layout.number, layout.label
    if number in table:
        labels = table.groupby(number)[label]
        usual = table[number].map(labels.agg(lambda x: x.mode(dropna=False).iloc[0]))
        add(
            usual.notna() & (table[label] != usual),
            lambda row: f"{label} is {row[label]}, {number} {row[number]} means {usual[row.name]}",
        )
    if "salience" in table:
        salience = pd.to_numeric(table["salience"], errors="coerce")
        add(~salience.isin([1, 2]), lambda row: f"salience is {row['salience']}, not 1 or 2")
    if {"start", "end"} <= set(table):
        start, end = (pd.to_numeric(table[name], errors="coerce") for name in ("start", "end"))
        lengths = end - start
        add(~(lengths > 0), lambda row: f"it ends at {row['end']} s and begins at {row['start']} s")
    return lengths, ["; ".join(problems) for problems in found]


def read_table(path, columns, *, dtype=None, first_line=""):
    """A CSV file with at least some columns. Raises DataError that says what is wrong with it.

    dtype: as in `pandas.read_csv`. first_line: what it must begin with, for the message. What had
    to be mended stands in `attrs["mended"]` of the table, a list of str.
    """
    short, mended = files.short_path(path), []
    try:
        content, encoding = path.read_bytes(), "utf-8"
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            has_mark = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            encoding = "utf-16" if has_mark else "cp1252"
            mended.append(f"it is not in UTF-8; read as {encoding}")
        errors = "replace" if encoding == "cp1252" else "strict"  # which has gaps
        text = content.decode(encoding, errors).removeprefix("\ufeff")
        first = text.lstrip().partition("\n")[0]
        comma = next((c for c in ",;\t|" if c in first), ",")
        if comma != ",":
            mended.append(f"its columns are divided by {SEPARATORS[comma]}")
        table = pd.read_csv(io.StringIO(text), sep=comma, dtype=dtype, skipinitialspace=True)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{short} cannot be read: {error}") from None
    table = table.rename(columns=lambda name: str(name).strip())
    for name in table.columns.intersection(columns):
        if not pd.api.types.is_numeric_dtype(table[name]):
            stripped = table[name].str.strip()
            if n := int((changed := stripped.ne(table[name]) & stripped.notna()).sum()):
                line = 2 + int(np.argmax(changed))
                mended.append(f"spaces round {n} values of {name}, the first in line {line}")
                table[name] = stripped
    table.attrs["mended"] = mended
    if missing := [name for name in columns if name not in table.columns]:
        advice = f": it must begin with the line {first_line}" if first_line else ""
        raise DataError(f"{short} has no column {missing[0]!r}{advice}")
    return table


def _texts(column):
    """A column as text: "" for missing values, and no ".0" after whole numbers."""
    texts = column.astype("string").fillna("")
    if pd.api.types.is_float_dtype(column):  # pandas: one missing value makes all of them floats
        texts = texts.str.removesuffix(".0")
    return texts.astype(str)
