"""Download data sets: from Kaggle by kagglehub, zip files from elsewhere by pooch.

A data set's folder appears when it is complete. Until then the files are in `.<name>.part`.
"""

import errno
import os
import re
import shutil
import stat
import struct
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path

from helpers import files, parallel
from helpers.data.folders import DataError, is_hidden
from helpers.data.layouts import find_roots

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

AGAIN = "run the same command again"
KAGGLE_CACHE = "KAGGLEHUB_CACHE"  # environment variable: where kagglehub keeps its downloads
TIMEOUT_S = (10, 60)  # to connect; between two pieces of a file
CHUNK = 1 << 18  # bytes received, or decompressed, at a time
MAX_FILES = 100_000  # in an archive
MAX_BYTES = 20 * 10**9  # unpacked: three times the largest data set
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others decompress without a limit on memory
# What a damaged archive raises. The last two: two members with names for one place on this disk.
DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError)
DAMAGED += (RuntimeError, ValueError, OverflowError, FileExistsError, NotADirectoryError)


class DownloadError(DataError):
    """A download that failed. The message says why, and what to do."""


def get(entry, folder, *, require=None, url="", sha256=""):
    """Download a data set into a folder, completely or not at all.

    entry: `data.DatasetInfo`. folder: a new or empty one. require: the parts that are needed; None:
    all. url: a zip file to take instead of the data set's own source. sha256: of that file, hex;
    "": not checked. Returns the data set's folder: the given one, or on Kaggle and Colab the one
    where kagglehub mounts it. Raises DownloadError.
    """
    folder = Path(folder).expanduser().resolve()
    require = tuple(entry.parts) if require is None else tuple(require)
    url = url or ("" if entry.kaggle else entry.url)
    source = url or f"https://www.kaggle.com/datasets/{entry.kaggle}"
    try:
        no_address = f"it has no known address (see data_README.md, {entry.page})"
        _need(url or entry.kaggle, f"{no_address}: give that of a zip file with --url")
        is_checksum = not sha256 or (url and re.fullmatch("[0-9a-fA-F]{64}", sha256))
        _need(is_checksum, f"{sha256!r} is not the SHA-256, 64 digits 0 to f, of a file at --url")
        in_use = "exists and holds something else: nothing is overwritten; move it away"
        is_empty = folder.is_dir() and not any(folder.iterdir())
        is_free = is_empty or not os.path.lexists(folder)
        _need(is_free, f"{files.short_path(folder)} {in_use}, or give another folder")
        with _staging(folder) as staging:
            new = _from_url(url, staging, sha256) if url else _from_kaggle(entry.kaggle, staging)
            root = _find_content(new, entry, require)
            if not root.is_relative_to(staging):  # mounted
                return root
            if folder.exists():
                folder.rmdir()
            root.rename(folder)
    except Exception as error:
        message = f"{entry.title}: {_describe(error, source, folder)}"
        if entry.url and not url and not isinstance(error, DownloadError):
            message += f"; or take it from elsewhere with --url {entry.url}"
        raise DownloadError(message) from error
    return folder


@contextmanager
def _staging(folder):
    """Yield a hidden folder beside another, on the same disk, locked for this process.

    It stays if the network, the disk or the user stops a download: the next one continues from it.
    """
    staging = folder.with_name(f".{folder.name}.part")
    staging.mkdir(parents=True, exist_ok=True)
    with open(staging / "lock", "w") as lock:
        if fcntl:  # the lock of a killed process disappears with it
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                short = files.short_path(staging)
                raise DownloadError(f"another process downloads to {short}: wait") from None
        keep = False
        try:
            yield staging
        except (OSError, KeyboardInterrupt):
            keep = any(p.is_file() and p.stat().st_size for p in staging.rglob("*"))
            raise
        finally:
            if not keep:
                shutil.rmtree(staging, ignore_errors=True)


def _from_kaggle(handle, staging):
    """Download from Kaggle. Returns a folder in staging, or the one where Kaggle mounts it.

    kagglehub's cache is in staging, on the disk of the data set. kagglehub resumes what is there.
    """
    import kagglehub

    before = dict(os.environ)
    os.environ[KAGGLE_CACHE] = str(staging / "kaggle")
    try:
        return Path(kagglehub.dataset_download(handle))
    finally:
        os.environ.pop(KAGGLE_CACHE)
        os.environ.update(before)


def _from_url(url, staging, sha256):
    """Download and unpack a zip file. Returns a folder in staging, inside those that wrap it."""
    import pooch

    is_address = re.match("https?://[^/]", url)
    _need(is_address, f"{url!r} is not a web address: it must begin with https:// or http://")
    for left in staging.glob("tmp*"):  # pooch leaves these if it is killed
        left.unlink()
    pooch.get_logger().setLevel("WARNING")
    options = dict(desc="Download", unit="B", unit_scale=True, delay=0.5)
    with parallel.progress_bar(total=1, **options) as bar:
        fetch = pooch.HTTPDownloader(progressbar=bar, chunk_size=CHUNK, timeout=TIMEOUT_S)
        archive = pooch.retrieve(url, None, path=staging, downloader=fetch)
    found, wanted = pooch.file_hash(archive) if sha256 else "", sha256.lower()
    _need(found == wanted, f"the SHA-256 of {url} is {found}, not {wanted}: the file was deleted")
    folder = staging / "unpacked"
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
    unpack(archive, folder)
    while len(paths := [p for p in folder.iterdir() if not is_hidden(p)]) == 1:
        if not paths[0].is_dir():
            break
        folder = paths[0]
    return folder


def _find_content(folder, entry, require):
    """The data set's root in a downloaded folder. Raises DownloadError if it is something else."""
    roots = find_roots(folder, entry, require)
    wanted = entry.describe_needs(require) or "the data set"
    _need(len(roots) == 1, f"the download does not hold {wanted}; see data_README.md")
    try:
        if "clips" in require and not len(entry.list_clips(roots[0])[0]):
            raise DataError("it holds no clips")
    except DataError as error:
        raise DownloadError(f"the download cannot be used: {error}") from None
    return roots[0]


def _describe(error, source, folder):
    """What an error means and what to do. source: address of the file, or of Kaggle's page."""
    if isinstance(error, DownloadError):
        return str(error)
    kind, host = type(error).__name__, source.split("/")[2]
    if isinstance(error, ImportError):
        return "downloading from Kaggle needs `pip install kagglehub`"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403) or kind in ("UnauthenticatedError", "CredentialError"):
        login = ", and log in with `python -c 'import kagglehub; kagglehub.login()'`"
        login *= host == "www.kaggle.com"
        return f"{host} requires an account, or consent to its terms: open {source}{login}"
    if status == 404:
        return f"{source} does not exist: find another address, and give it with --url"
    if status:
        return f"{host} answered {status}: try again later"
    if isinstance(error, OSError):
        # The errors of requests have no number, those of the disk do.
        if not error.errno or isinstance(error, ConnectionError | TimeoutError):
            return f"the connection to {host} failed ({kind}): check the network, then {AGAIN}"
        where, why = files.short_path(folder.parent), files.os_reason(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return f"not enough room in {where} ({why}): make room, then {AGAIN}"
        return f"{where} cannot be written: {why}"
    first = (str(error).strip().splitlines() or [""])[0]
    return f"the download failed ({kind}: {first}): {AGAIN}, or see {source}"


def unpack(archive, folder, *, max_files=MAX_FILES, max_bytes=MAX_BYTES):
    """Unpack an untrusted zip file into a new folder, with a progress bar.

    If anything fails, the folder is removed. max_files, max_bytes: limits for what comes out,
    whatever the headers say. `zipfile` would drop "../" from a name; here one such member rejects
    the archive. Raises DownloadError for a damaged or unsafe archive, OSError for the disk.
    """
    folder = Path(folder)
    folder.mkdir(parents=True)
    too_large = f"it unpacks to more than {max_bytes:,} bytes"
    try:
        with zipfile.ZipFile(archive) as file:
            members = _safe_members(file.infolist(), max_files)
            n_bytes = sum(info.file_size for info in members.values())
            _need_safe(n_bytes <= max_bytes, too_large)
            if (free := shutil.disk_usage(folder).free) < n_bytes:
                raise OSError(errno.ENOSPC, f"{n_bytes:,} bytes are needed, {free:,} are free")
            n_bytes = 0
            bar = parallel.progress_bar(members.items(), desc="Unpacking", unit="file")
            for parts, info in bar:
                path = folder.joinpath(*parts)
                path.parent.mkdir(parents=True, exist_ok=True)
                # "x": two names for one place on this disk must not overwrite each other.
                with file.open(info) as packed, open(path, "xb") as plain:
                    while chunk := packed.read(CHUNK):
                        n_bytes += len(chunk)
                        _need_safe(n_bytes <= max_bytes, too_large)
                        plain.write(chunk)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, DAMAGED):
            why = f"damaged or not a zip file ({getattr(error, 'strerror', None) or error})"
            raise DownloadError(f"the archive is {why}: give another address with --url") from None
        raise


def _need(condition, message):
    if not condition:
        raise DownloadError(message)


def _need_safe(condition, reason):
    _need(condition, f"the archive is not safe: {reason}")


def _safe_members(members, max_files):
    """The files to unpack: {path below the folder as a tuple of names: ZipInfo}."""
    n = len(members)
    _need_safe(n <= max_files, f"it has {n:,} members, more than {max_files:,}")
    found = {}
    for info in members:
        # Windows separates with "\" too and has drives: what is safe here may not be safe there.
        names = re.split(r"[/\\]", info.filename)
        parts = tuple(name for name in names if name not in ("", "."))
        is_outside = not names[0] or ".." in names or any(re.match("[A-Za-z]:", n) for n in names)
        kind = stat.S_IFMT(info.external_attr >> 16)
        shown = files.printable(repr(info.filename))
        _need_safe(not is_outside, f"{shown} lies outside of its folder")
        _need_safe(not info.flag_bits & 1, f"{shown} is encrypted")
        _need_safe(kind in (0, stat.S_IFREG, stat.S_IFDIR), f"{shown} is a link or a device")
        if kind == stat.S_IFDIR or not names[-1]:
            continue
        _need_safe(info.compress_type in METHODS, f"{shown} uses a rare compression method")
        _need_safe(parts not in found, f"{shown} occurs twice")
        found[parts] = info
    return found
