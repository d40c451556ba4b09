"""Arrays that are computed from sound files, kept on disk: one small file for each sound."""

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
    """`work(path)` for every file, on all cores, with a progress bar; kept for the next time.

    work: path → tuple of arrays of any dtype except object. recipe: dict of all that the arrays
    depend on besides the file, for JSON, with a number that changes with the code. cache_dir:
    folder; None: `default_folder`. root: folder that the files in errors are named from, see
    `files.error_table`. n_threads: None: one per core. A cache file belongs to one sound file
    (path, size, time of change) and one recipe, and is used only if its checksum is right.

    Returns (results, errors): the tuple of each path, or None where the file cannot be read; and a
    table `files.ERRORS` of those.
    """
    text = json.dumps(recipe, sort_keys=True)
    folder = Path(cache_dir or default_folder())
    folder = folder / hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    paths = list(paths)
    places = [_place(path, folder) for path in paths]
    found = [_read(place) if place else None for place in places]
    missing = [i for i, arrays in enumerate(found) if arrays is None]

    def work_and_write(i):
        arrays = work(Path(paths[i]))
        if places[i]:
            _write(places[i], arrays)
        return arrays

    options = {"unit": "file", "n_threads": n_threads, "progress": progress and bool(missing)}
    computed = parallel.map_files(work_and_write, missing, desc=desc, **options)
    for i, arrays in zip(missing, computed, strict=True):
        found[i] = arrays
    errors = [item for item in found if isinstance(item, audio.AudioError)]
    results = [None if isinstance(item, audio.AudioError) else item for item in found]
    return results, files.error_table(errors, root=root)


def default_folder():
    """`cache/features` in the repository."""
    return env.repository_root() / "cache" / "features"


def _place(path, folder):
    """Path of the cache file of a sound file; None if there is no such sound file."""
    identity = files.identity(path)
    if not identity:  # `audio` reports what is wrong with it
        return None
    identity = f"{os.path.abspath(path)}|{identity}"
    name = hashlib.blake2b(identity.encode(errors="surrogateescape"), digest_size=16).hexdigest()
    return f"{folder}/{name}"


# A cache file: one line of JSON, [checksum, [dtype, shape], …], then the bytes of the arrays.
# tools/bench.py: reading takes 1.6 to 4.6 times as long with numpy.savez, 0.7 to 3.1 times with
# joblib, whose files have no checksum and can run code.


def _read(path):
    """The arrays of a cache file; None if there is no such file or it is damaged."""
    try:
        with open(path, "rb", buffering=0) as file:
            content = bytearray(os.fstat(file.fileno()).st_size)
            file.readinto(content)
        start = content.index(b"\n") + 1
        checksum, *headers = json.loads(bytes(content[:start]))
        kinds = [(_dtype(text), tuple(shape)) for text, shape in headers]
        sizes = [dtype.itemsize * math.prod(shape) for dtype, shape in kinds]
        whole = len(content) - start == sum(sizes)
        if not whole or zlib.crc32(memoryview(content)[start:]) != checksum:
            return None
    except (OSError, ValueError, TypeError, SyntaxError):
        return None
    arrays = []
    for (dtype, shape), size in zip(kinds, sizes, strict=True):
        arrays.append(np.frombuffer(content, np.uint8, size, start).view(dtype).reshape(shape))
        start += size
    return tuple(arrays)


@lru_cache(maxsize=64)
def _dtype(text):
    return np.dtype(ast.literal_eval(text))


def _write(path, arrays):
    content = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    kinds = [[repr(np.lib.format.dtype_to_descr(a.dtype)), list(a.shape)] for a in arrays]
    header = json.dumps([zlib.crc32(content), *kinds]) + "\n"
    try:
        with files.atomic_path(path) as temporary:
            temporary.write_bytes(header.encode() + content)
    except OSError:
        pass  # with a full disk or a read-only folder, the next run computes it again
