"""Files of a run, each written whole or not at all, and paths as people should read them."""

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
    """A file's name as text that can be printed and written: what is no Unicode becomes \\udcXX."""
    return text.encode(errors="backslashreplace").decode()


def short_path(path, *, root=None):
    """A path as people should read it: relative to root, the repository or the working folder.

    The first of these that it lies in counts; root None: only the others. Any other path becomes
    "…/" and its last three parts, so that no output shows where a home folder lies. Returns str
    with forward slashes, see `printable`.
    """
    path = Path(os.path.abspath(path))
    bases = [env.repository_root(), Path.cwd()]
    if root is not None:
        bases.insert(0, Path(os.path.abspath(root)))
    for base in bases:
        if path.is_relative_to(base) and base != Path(base.anchor):
            short = path.relative_to(base).as_posix()
            break
    else:
        short = path.as_posix() if len(path.parts) <= 4 else "/".join(("…", *path.parts[-3:]))
    return printable(short)


ERRORS = ["file", "reason", "fault"]  # of what could not be used: `reason` is for people

# How the detail of a fault reads; that of any other kind is a sentence already.
WORDS = {
    "missing": "listed in {}, but not there",
    "not listed": "not listed in {}",
    "misnamed": "its name is not {}",
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file of a data set.

    kind: "damaged", "missing", "not listed", "misnamed", "metadata" or "single source". file: its
    name, as people should read it. detail: for "missing" and "not listed" the name of the table,
    for "misnamed" what it should be called, for any other kind what is wrong, in words.
    """

    kind: str
    file: str
    detail: str

    @property
    def reason(self):
        """What is wrong, in words."""
        return WORDS.get(self.kind, "{}").format(self.detail)


class FileError(Exception):
    """A file that cannot be read or written: `path`, and `reason`, which says what to do."""

    def __init__(self, path, reason):
        super().__init__(path, reason)
        self.path = Path(path)
        self.reason = reason

    def __str__(self):
        return f"{short_path(self.path)}: {self.reason}"


def error_table(errors, *, root=None):
    """Faults, and errors of files, as a table with the columns ERRORS.

    errors: iterable of `Fault` and `FileError`. root: folder that the files of errors are named
    from, see `short_path`.
    """
    faults = [
        Fault("damaged", short_path(error.path, root=root), error.reason)
        if isinstance(error, FileError)
        else error
        for error in errors
    ]
    return pd.DataFrame([(f.file, f.reason, f.kind) for f in faults], columns=ERRORS)


def human_size(n_bytes):
    """A number of bytes as text: 1234 → "1.23 kB", 2500000 → "2.5 MB"."""
    for unit in ("B", "kB", "MB"):
        if n_bytes < 999.5:  # what is more would be rounded to 1e+03
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} GB"


@contextmanager
def atomic_path(path):
    """Write a file whole or not at all: yields a temporary Path, renamed to `path` on success.

    The temporary file is hidden, lies in the same folder (which is made if need be) and has the
    same suffix, because writers choose the format by it. On an error it is removed, and what was
    there before stays.
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
    """Write a text file (UTF-8) whole or not at all."""
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
    """Write arrays as one compressed .npz file. arrays: of numbers or text, no objects."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


def write_metrics(output_dir, *, dataset, seed, **metrics):
    """Write metrics.json: flat, with the data set's name and source, the seed, and the numbers.

    dataset: `data.Dataset`. metrics: numbers; what could not be measured is None. Returns the dict.
    Raises ValueError for anything else, NaN included.
    """
    content = {"dataset": dataset.name, "source": dataset.source, "seed": seed}
    for name, value in metrics.items():
        if isinstance(value, Integral):
            content[name] = int(value)
        elif isinstance(value, Real) and math.isfinite(value):
            content[name] = round(float(value), 6)
        elif value is None:
            content[name] = None
        else:
            raise ValueError(f"metric {name!r} is {value!r}: a finite number or None is needed")
    write_text(Path(output_dir) / "metrics.json", json.dumps(content, indent=2) + "\n")
    return content


@contextmanager
def replaced_folder(folder):
    """Yield a new folder that takes the place of `folder` if nothing is raised within.

    Whatever happens, `folder` is afterwards the new one or what it was before, and nothing else is
    left. The caller decides whether it may be replaced. Raises OSError.
    """
    new = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    try:
        new.mkdir(parents=True)
        yield new
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        if old.exists() and not folder.exists():  # stopped between the two
            old.rename(folder)
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
