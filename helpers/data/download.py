"""Downloading a data set: kagglehub for what Kaggle has, pooch for a zip file from elsewhere.

The folder appears whole or not at all. What is on its way lies beside it, in `.<name>.part`.
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
from helpers.data.layouts import DataError, find_roots, is_litter

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

AGAIN = "run the same command again"
KAGGLE_CACHE = "KAGGLEHUB_CACHE"  # the environment variable: where kagglehub keeps what it gets
TIMEOUT_S = (10, 60)  # to connect; between two pieces of a file
CHUNK = 1 << 18  # bytes received, or decompressed, at a time
MAX_FILES = 100_000  # in an archive
MAX_BYTES = 20 * 10**9  # unpacked: three times what the largest data set takes
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others decompress without a bound
# What comes of an archive that is not as it should be; the last two, of two names for one place.
DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError)
DAMAGED += (RuntimeError, ValueError, OverflowError, FileExistsError, NotADirectoryError)


class DownloadError(DataError):
    """A data set that was not downloaded: why, and what to do."""


def get(entry, folder, *, require=None, url="", sha256=""):
    """Download a data set into a folder; nothing is there before all of it is.

    entry: `data.DatasetInfo`. folder: not there yet, or empty. require: the parts that are
    needed; None: all. url: of a zip file to take instead of the data set's own source. sha256: of
    that file, hex; "": not checked. Returns the data set's folder: the given one; on Kaggle and
    Colab the one where kagglehub mounts it. Raises DownloadError, which says what to do.
    """
    folder = Path(folder).expanduser().resolve()
    require = tuple(entry.parts) if require is None else tuple(require)
    url = url or ("" if entry.kaggle else entry.url)
    source = url or f"https://www.kaggle.com/datasets/{entry.kaggle}"
    try:
        by_hand = f"it cannot be got by name (see data_README.md, {entry.page}): give a zip file's"
        _need(url or entry.kaggle, f"{by_hand} address with --url")
        is_checksum = not sha256 or (url and re.fullmatch("[0-9a-fA-F]{64}", sha256))
        _need(is_checksum, f"{sha256!r} is not the SHA-256, 64 digits 0 to f, of a file at --url")
        _need(
            is_empty(folder) or not os.path.lexists(folder),
            f"{files.short_path(folder)} is there and holds something else: nothing of yours is "
            "overwritten; move it away, or give another folder",
        )
        with _staging(folder) as staging:
            came = _from_url(url, staging, sha256) if url else _from_kaggle(entry.kaggle, staging)
            root = _content(came, entry, require)
            if not root.is_relative_to(staging):  # mounted
                return root
            if folder.exists():
                folder.rmdir()
            root.rename(folder)
    except Exception as error:
        told = f"{entry.title}: {_told(error, source, folder)}"
        if entry.url and not url and not isinstance(error, DownloadError):
            told += f"; or take it from elsewhere with --url {entry.url}"
        raise DownloadError(told) from error
    return folder


def is_empty(folder):
    """True for a folder with nothing in it."""
    return folder.is_dir() and not any(folder.iterdir())


@contextmanager
def _staging(folder):
    """Yield a hidden folder beside another, on the same disk, for this run alone.

    It stays if network, disk or user stopped us after something came in: the next run uses that.
    """
    staging = folder.with_name(f".{folder.name}.part")
    staging.mkdir(parents=True, exist_ok=True)
    with open(staging / "lock", "w") as lock:
        if fcntl:  # the lock of a run that was killed is gone with it
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                short = files.short_path(staging)
                raise DownloadError(f"another run is getting {short}: wait for it") from None
        is_of_use = False
        try:
            yield staging
        except (OSError, KeyboardInterrupt):
            is_of_use = any(p.is_file() and p.stat().st_size for p in staging.rglob("*"))
            raise
        finally:
            if not is_of_use:
                shutil.rmtree(staging, ignore_errors=True)


def _from_kaggle(handle, staging):
    """What Kaggle has: a folder in staging, or where it is mounted already.

    kagglehub's cache is moved into staging for this, onto the disk where the data set is to stay:
    there it only needs another name, and a download that was cut goes on.
    """
    import kagglehub

    before = os.environ.get(KAGGLE_CACHE)
    os.environ[KAGGLE_CACHE] = str(staging / "kaggle")
    try:
        return Path(kagglehub.dataset_download(handle))
    finally:
        if before is None:
            del os.environ[KAGGLE_CACHE]
        else:
            os.environ[KAGGLE_CACHE] = before


def _from_url(url, staging, sha256):
    """What a zip file holds: a folder in staging, without those that only wrap it."""
    import pooch

    is_address = re.match("https?://[^/]", url)
    _need(is_address, f"{url!r} is no address: it begins with https:// or http://")
    for left in staging.glob("tmp*"):  # by pooch, of a run that was killed
        left.unlink()
    pooch.get_logger().setLevel("WARNING")
    with parallel.progress_bar(
        total=1, desc="Download", unit="B", unit_scale=True, delay=0.5
    ) as bar:
        fetch = pooch.HTTPDownloader(progressbar=bar, chunk_size=CHUNK, timeout=TIMEOUT_S)
        archive = pooch.retrieve(url, None, path=staging, downloader=fetch)
    found = pooch.file_hash(archive) if sha256 else ""
    wanted = sha256.lower()
    _need(found == wanted, f"the SHA-256 of {url} is {found}, not {wanted}: it was thrown away")
    folder = staging / "unpacked"
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    unpack(archive, folder)
    while len(inside := [path for path in folder.iterdir() if not is_litter(path)]) == 1:
        if not inside[0].is_dir():
            break
        folder = inside[0]
    return folder


def _content(folder, entry, require):
    """Where in what came the data set lies. Raises DownloadError if it is something else."""
    roots = find_roots(folder, entry, require)
    names = ", ".join(" or ".join(names) for names in entry.needs(require))
    _need(len(roots) == 1, f"what came does not hold {names or 'it'}; see data_README.md")
    try:
        if "clips" in require and not len(entry.list_clips(roots[0])[0]):
            raise DataError("it holds no clips")
    except DataError as error:
        raise DownloadError(f"what came cannot be used: {error}") from None
    return roots[0]


def _told(error, source, folder):
    """What an error means, and what to do. source: address of the file, or of Kaggle's page."""
    if isinstance(error, DownloadError):
        return str(error)
    kind, host = type(error).__name__, source.split("/")[2]
    if isinstance(error, ImportError):
        return "downloading from Kaggle needs `pip install kagglehub`"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403) or kind in ("UnauthenticatedError", "CredentialError"):
        login = ", and log in with `python -c 'import kagglehub; kagglehub.login()'`"
        login *= host == "www.kaggle.com"
        return f"{host} wants an account, or its terms accepted: open {source} for that{login}"
    if status == 404:
        return f"there is no {source}: look for another address, and give it with --url"
    if status:
        return f"{host} answered {status}: try again later"
    if isinstance(error, OSError):
        # Those of requests have no number; those of the disk do.
        if not error.errno or isinstance(error, ConnectionError | TimeoutError):
            return f"the connection to {host} failed ({kind}): is there a network? Then {AGAIN}"
        where, why = files.short_path(folder.parent), (error.strerror or str(error)).lower()
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return f"no room left for {where} ({why}): make some, then {AGAIN}"
        return f"{where} cannot be written: {why}"
    first = (str(error).strip().splitlines() or [""])[0]
    return f"the download failed ({kind}: {first}): {AGAIN}, or see {source}"


# --- unpacking ------------------------------------------------------------------------------------


def unpack(archive, folder, *, max_files=MAX_FILES, max_bytes=MAX_BYTES):
    """Unpack a stranger's zip file into a new folder, with a progress bar.

    archive, folder: paths; if anything fails, the folder is removed again. max_files, max_bytes:
    what the archive may hold, and decompress to, whatever its headers say. Archives in it stay as
    they are. `zipfile` leaves "../" out of a name and goes on; here one such member is reason to
    refuse the whole archive. Raises DownloadError for an archive that is damaged or not to be
    trusted, OSError where the disk refuses.
    """
    folder = Path(folder)
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive) as file:
            members = _checked(file.infolist(), max_files)
            n_bytes = sum(info.file_size for info in members.values())
            _trust(n_bytes <= max_bytes, f"it unpacks to more than {max_bytes:,} bytes")
            if (free := shutil.disk_usage(folder).free) < n_bytes:
                sizes = f"{files.human_size(n_bytes)} are needed, {files.human_size(free)} are free"
                raise OSError(errno.ENOSPC, sizes)
            n_bytes = 0
            for parts, info in parallel.progress_bar(
                members.items(), desc="Unpacking", unit="file"
            ):
                path = folder.joinpath(*parts)
                path.parent.mkdir(parents=True, exist_ok=True)
                # "x": two names that are one on this disk must not overwrite each other.
                with file.open(info) as packed, open(path, "xb") as plain:
                    while chunk := packed.read(CHUNK):
                        n_bytes += len(chunk)
                        _trust(n_bytes <= max_bytes, f"it unpacks to more than {max_bytes:,} bytes")
                        plain.write(chunk)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, DAMAGED):
            why = getattr(error, "strerror", None) or error
            told = (
                f"the archive is damaged, or no zip file ({why}): give another address with --url"
            )
            raise DownloadError(told) from None
        raise


def _need(condition, otherwise):
    if not condition:
        raise DownloadError(otherwise)


def _trust(condition, otherwise):
    _need(condition, f"the archive cannot be trusted: {otherwise}")


def _checked(members, max_files):
    """The files that may be unpacked: {path below the folder, a tuple of names: ZipInfo}."""
    _trust(len(members) <= max_files, f"it has {len(members):,} members, more than {max_files:,}")
    found = {}
    for info in members:
        # Both slashes divide names and a letter with a colon is a drive, wherever this runs: what
        # is harmless on one system is not on another.
        names = re.split(r"[/\\]", info.filename)
        parts = tuple(name for name in names if name not in ("", "."))
        drives = [name for name in names if re.match("[A-Za-z]:", name)]
        kind = stat.S_IFMT(info.external_attr >> 16)
        shown = files.printable(repr(info.filename))
        _trust(names[0] and ".." not in names and not drives, f"{shown} lies outside of its folder")
        _trust(not info.flag_bits & 1, f"{shown} is encrypted")
        _trust(kind in (0, stat.S_IFREG, stat.S_IFDIR), f"{shown} is a link or a device")
        if kind == stat.S_IFDIR or not names[-1]:
            continue
        _trust(info.compress_type in METHODS, f"{shown} is compressed in a rare way")
        _trust(parts not in found, f"{shown} is there twice")
        found[parts] = info
    return found
