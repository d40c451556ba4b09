"""Files and folders that are either whole or not there."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path


def write_atomically(path, content):
    """Write str or bytes to path by way of a temporary name, so that no half file is ever seen."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf-8") if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replaced_folder(folder):
    """Yield a new folder that takes the place of `folder` if nothing is raised within.

    Whatever happens, `folder` is afterwards the new one or what it was before, and nothing else is
    left. Whether it may be replaced is for the caller to know. Raises OSError.
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
