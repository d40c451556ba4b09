"""Unpacking a zip file from a stranger: nothing outside of the folder, and no more than expected.

`zipfile` drops what leads out of the folder from a name and goes on, trusts the sizes that headers
state, and unpacks as much as there is. Here one such member is reason to refuse the whole archive.
"""

import re
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path

from helpers import files, parallel
from helpers.download import DownloadError, disk_trouble, need_room

MAX_FILES = 100_000
MAX_BYTES = 20 * 10**9  # three times what the largest data set takes
TOO_MUCH = "the archive unpacks to more than {:,} bytes"
CHUNK = 1 << 20  # bytes decompressed at a time
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others decompress without a bound
# What `zipfile` raises where an archive is not as it should be.
DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError),
)


class ArchiveError(DownloadError):
    """An archive that was not unpacked: why."""


def unpack(archive, folder, *, max_files=MAX_FILES, max_bytes=MAX_BYTES):
    """Unpack a zip file into a new folder, with a progress bar.

    archive: path. folder: path, not there yet; if anything fails it is removed again. max_files,
    max_bytes: what the archive may hold, and decompress to, whatever its headers say.
    Archives inside the archive stay as they are. Raises ArchiveError: damaged, encrypted, too much,
    or with members that are links, or lie elsewhere.
    """
    archive, folder = Path(archive), Path(folder)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise DownloadError(disk_trouble(error, folder.parent)) from None
    try:
        with zipfile.ZipFile(archive) as file:
            members = _checked(file.infolist(), max_files)
            stated = sum(info.file_size for info, _ in members)
            if stated > max_bytes:
                raise ArchiveError(TOO_MUCH.format(max_bytes))
            need_room(folder, stated)
            _extract(file, members, folder, max_bytes)
    except DAMAGED as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ArchiveError(f"the archive is damaged, or no zip file: {error}") from None
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise DownloadError(disk_trouble(error, folder.parent)) from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _checked(members, max_files):
    """[(ZipInfo, parts of its path)] of the files in an archive that may be unpacked."""
    if len(members) > max_files:
        raise ArchiveError(f"the archive has {len(members):,} members, more than {max_files:,}")
    found = {}
    for info in members:
        if info.flag_bits & 0x1:
            raise ArchiveError(f"the archive is encrypted ({_shown(info)})")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ArchiveError(f"the archive has a link or device in it: {_shown(info)}")
        parts = _parts(info)
        if kind == stat.S_IFDIR or info.filename.endswith(("/", "\\")):
            continue
        if info.compress_type not in METHODS:
            raise ArchiveError(f"the archive is compressed in a rare way ({_shown(info)})")
        if parts in found:
            raise ArchiveError(f"the archive has {_shown(info)} twice")
        found[parts] = info
    return [(info, parts) for parts, info in found.items()]


def _parts(info):
    """The path of a member below the folder, as a tuple of names.

    Both slashes divide names and a letter with a colon is a drive, wherever this runs: what is
    harmless on one system is not on another.
    """
    names = re.split(r"[/\\]", info.filename)
    if names[0] == "" or ".." in names or any(re.match("[A-Za-z]:", name) for name in names):
        raise ArchiveError(f"the archive has a member outside of its folder: {_shown(info)}")
    return tuple(name for name in names if name not in ("", "."))


def _extract(file, members, folder, max_bytes):
    n_bytes = 0
    for info, parts in parallel.progress_bar(members, desc="Unpacking", unit="file"):
        path = folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        # "x": two names that are one on this disk must not overwrite each other.
        with file.open(info) as packed, open(path, "xb") as plain:
            while chunk := packed.read(CHUNK):
                n_bytes += len(chunk)
                if n_bytes > max_bytes:
                    raise ArchiveError(TOO_MUCH.format(max_bytes))
                plain.write(chunk)


def _shown(info):
    return files.printable(repr(info.filename))
