"""What is computed from sound files, computed once: arrays on disk, a small file for each."""

import ast
import hashlib
import json
import math
import os
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from helpers import audio, env, files, parallel


def compute(work, paths, *, recipe, desc, cache_dir=None, root=None, n_threads=None, progress=True):
    """`work(path)` for every file, with a progress bar, by all cores; kept for the next time.

    work: path → tuple of arrays of any dtype but object. recipe: dict of what they depend on other
    than the file: numbers and names that JSON can write, with a number that changes with the code.
    cache_dir: folder; None: `default_folder`. root: folder that the files in errors are named from,
    see `files.error_table`. n_threads: None: one per core. A cache file belongs to one sound file
    (path, size, time of change) and one recipe, and is used only if its checksum is right.

    Returns (results, errors): the tuple of each path, or None where the file cannot be read; and a
    table `files.ERRORS` of those.
    """
    folder = Path(cache_dir) if cache_dir else default_folder()
    text = json.dumps(recipe, sort_keys=True)
    folder = folder / hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    paths = list(paths)
    places = [_place(path, folder) for path in paths]
    found = [_read(place) if place else None for place in places]
    missing = [i for i, arrays in enumerate(found) if arrays is None]

    def one(i):
        arrays = work(Path(paths[i]))
        if places[i]:
            _write(places[i], arrays)
        return arrays

    made = parallel.map_files(
        one,
        missing,
        desc=desc,
        unit="file",
        n_threads=n_threads,
        progress=progress and bool(missing),
    )
    for i, arrays in zip(missing, made, strict=True):
        found[i] = arrays
    errors = [e for e in found if isinstance(e, audio.AudioError)]
    results = [None if isinstance(r, audio.AudioError) else r for r in found]
    return results, files.error_table(errors, root=root)


def default_folder():
    """`cache/features` in the repository."""
    return env.repository_root() / "cache" / "features"


def _place(path, folder):
    """Where the arrays of a file are kept; None where there is no such file."""
    identity = files.identity(path)
    if not identity:  # `audio` will say what is wrong with it
        return None
    identity = f"{os.path.abspath(path)}|{identity}"
    name = hashlib.blake2b(identity.encode(errors="surrogateescape"), digest_size=16).hexdigest()
    return f"{folder}/{name}"


# A file: one line of JSON, [checksum, [dtype, shape], …], then the arrays' bytes. NumPy's own
# format takes several times as long to read, most of it for its header.


def _read(path):
    """The arrays of a cache file, or None if there is none or it is not what was written."""
    try:
        with open(path, "rb", buffering=0) as file:
            content = bytearray(os.fstat(file.fileno()).st_size)
            file.readinto(content)
        start = content.index(b"\n") + 1
        checksum, kinds, sizes = _header(bytes(content[:start]))
        if (
            len(content) - start != sum(sizes)
            or zlib.crc32(memoryview(content)[start:]) != checksum
        ):
            return None
    except (OSError, ValueError, TypeError, SyntaxError):
        return None
    arrays = []
    for (dtype, shape), size in zip(kinds, sizes, strict=True):
        flat = np.frombuffer(content, np.uint8, size, start)
        arrays.append(flat.view(dtype).reshape(shape))
        start += size
    return tuple(arrays)


def _header(line):
    checksum, *kinds = json.loads(line)
    kinds = [(_dtype(text), tuple(shape)) for text, shape in kinds]
    return checksum, kinds, [dtype.itemsize * math.prod(shape) for dtype, shape in kinds]


@lru_cache(maxsize=64)
def _dtype(text):
    return np.dtype(ast.literal_eval(text))


def _write(path, arrays):
    content = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    kinds = [
        [repr(np.lib.format.dtype_to_descr(array.dtype)), list(array.shape)] for array in arrays
    ]
    header = json.dumps([zlib.crc32(content), *kinds]) + "\n"
    try:
        with files.atomic_path(path) as temporary:
            temporary.write_bytes(header.encode() + content)
    except OSError:
        pass  # a full disk or a read-only folder costs time at the next run, nothing else
