"""Write files completely or not at all, and show paths and errors of files in a readable way."""

import json
import math
import os
import shutil
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import env


def printable(text):
    """A file's name as valid text: bytes that are not UTF-8 appear as \\udcXX."""
    return text.encode(errors="backslashreplace").decode()


def short_path(path, *, root=None):
    """A path for people: relative to the first of `root`, repository, working folder that holds it.

    Any other path becomes "…/" and its last three parts, so that no output shows a home folder.
    Returns str with forward slashes, see `printable`.
    """
    path = Path(os.path.abspath(path))
    for base in (root, env.repository_root(), Path.cwd()):
        base = base and Path(os.path.abspath(base))
        if base and path.is_relative_to(base) and base != Path(base.anchor):
            return printable(path.relative_to(base).as_posix())
    return printable(path.as_posix() if len(path.parts) <= 4 else "/".join(("…", *path.parts[-3:])))


def identity(path):
    """Text that changes when a file changes: its size and time of change. "": there is no file."""
    try:
        stat = os.stat(path)
    except OSError:
        return ""
    return f"{stat.st_size}|{stat.st_mtime_ns}"


def os_reason(error):
    """The reason of an OSError, to be used inside a sentence."""
    return (error.strerror or str(error)).lower()


ERRORS = ["file", "reason", "fault"]  # columns of a table of files that cannot be used

# The reason of a fault by its kind. For any other kind it is the detail itself.
REASONS = {
    "missing": "listed in {}, but the file does not exist",
    "not listed": "not listed in {}",
    "misnamed": "its name is not {}",
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file of a data set.

    kind: "damaged", "missing", "not listed", "misnamed", "left out", "layout",
    "mended", "metadata" or "single source".
    file: its name, see `short_path`; for "left out" a pattern, *.m4a. detail: for "missing" and
    "not listed" the name of the table, for "misnamed" the right name, for any other kind the reason
    in words.
    """

    kind: str
    file: str
    detail: str

    @property
    def reason(self):
        """The reason, in words."""
        return REASONS.get(self.kind, "{}").format(self.detail)


class FileError(Exception):
    """A file that cannot be read or written. `reason` says why and what to do."""

    def __init__(self, path, reason):
        super().__init__(path, reason)
        self.path = Path(path)
        self.reason = reason

    def __str__(self):
        return f"{short_path(self.path)}: {self.reason}"


def error_table(errors, *, root=None):
    """The columns ERRORS for an iterable of `Fault` and `FileError`. root: see `short_path`."""
    rows = [
        (error.file, error.reason, error.kind)
        if isinstance(error, Fault)
        else (short_path(error.path, root=root), error.reason, "damaged")
        for error in errors
    ]
    return pd.DataFrame(rows, columns=ERRORS)


@contextmanager
def atomic_path(path):
    """Write a file completely or not at all: yields a temporary Path, renamed to `path` on success.

    The temporary file is hidden, in the same folder, which is made if necessary, and has the same
    suffix, by which writers choose the format. On an error an older file at `path` stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex[:12]}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path, text):
    """Write a text file (UTF-8) completely or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_table(table, path):
    """Write a DataFrame as CSV, without its index; missing values stay empty."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False)


def write_figure(figure, path, *, dpi=120):
    """Write a matplotlib figure as PNG."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=dpi, bbox_inches="tight")


def write_arrays(path, **arrays):
    """Write arrays of numbers or text as one compressed .npz file."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


def write_metrics(output_dir, *, dataset, seed, **metrics):
    """Write metrics.json: flat, with the data set's name and source, the seed, and the metrics.

    dataset: `data.Dataset`. metrics: finite numbers, or None if not measured. Returns the dict.
    Raises ValueError for any other value, also for NaN.
    """
    content = {"dataset": dataset.name, "source": dataset.source, "seed": seed}
    for name, value in metrics.items():
        if isinstance(value, Integral):
            value = int(value)
        elif isinstance(value, Real) and math.isfinite(value):
            value = round(float(value), 6)
        elif value is not None:
            raise ValueError(f"metric {name!r} is {value!r}: use a finite number or None")
        content[name] = value
    write_text(Path(output_dir) / "metrics.json", json.dumps(content, indent=2) + "\n")
    return content


@contextmanager
def replaced_folder(folder):
    """Yield a new folder, which replaces `folder` if the block raises nothing. Raises OSError.

    Otherwise `folder` stays as it was. The caller must know that it may be replaced.
    """
    unique = uuid.uuid4().hex[:12]
    new = folder.with_name(f".{folder.name}.{unique}.part")
    old = folder.with_name(f".{folder.name}.{unique}.old")
    try:
        new.mkdir(parents=True)
        yield new
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        if old.exists() and not folder.exists():  # interrupted between the two renames
            old.rename(folder)
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
