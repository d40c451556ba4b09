"""Getting a data set: an archive, or Kaggle's copy, into a folder of its own, whole or not at all.

What is on its way lies beside the folder, in `.<name>.part`, and the next call goes on with it.
"""

import os
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from helpers import archives, download, files
from helpers.archives import ArchiveError
from helpers.download import DownloadError
from helpers.layouts import DataError, find_roots, is_litter
from helpers.published import PUBLISHED, Archive

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

KAGGLE_CACHE = "KAGGLEHUB_CACHE"  # the environment variable: where kagglehub keeps what it gets


def way(entry):
    """How a data set can be got: "archive", "kaggle", or "" where only by hand."""
    return "archive" if PUBLISHED[entry.name].archive else "kaggle" if entry.kaggle else ""


def get(entry, folder, *, require=None, url="", sha256=""):
    """Download a data set into a folder; nothing is there before all of it is.

    entry: `DatasetInfo`. folder: not there yet, or empty. require: the parts that are needed; None:
    all. url: of a zip file to take instead of the published one. sha256: of the zip file. Returns
    the data set's folder: the given one; on Kaggle and Colab the one where kagglehub mounts it.
    Raises DownloadError, which says what to do.
    """
    folder = Path(folder).expanduser().resolve()
    require = tuple(entry.parts) if require is None else tuple(require)
    archive = _archive(entry, url, sha256)
    if not archive and not entry.kaggle:
        raise DownloadError(
            f"{entry.title}: it cannot be got by name (see data_README.md, {entry.page}); give the "
            "address of a zip file with --url"
        )
    try:
        if os.path.lexists(folder) and not is_empty(folder):
            raise DownloadError(
                f"{files.short_path(folder)} is there and holds something else: nothing of yours "
                "is overwritten; move it away, or give another folder"
            )
        with _staging(folder) as staging:
            if archive:
                root = _unpacked(archive, staging, entry, require)
            else:
                root = _kaggle_content(entry, staging, require)
            if not root.is_relative_to(staging):
                return root
            if folder.exists():
                folder.rmdir()
            root.rename(folder)
    except OSError as error:
        raise DownloadError(download.disk_trouble(error, folder.parent)) from None
    return folder


def is_empty(folder):
    """True for a folder with nothing in it."""
    return folder.is_dir() and not any(folder.iterdir())


def _archive(entry, url, sha256):
    """The zip file to take, or None."""
    published = PUBLISHED[entry.name].archive
    if url:
        return Archive(url, sha256=sha256)
    return replace(published, sha256=sha256 or published.sha256) if published else None


@contextmanager
def _staging(folder):
    """Yield a hidden folder beside another, on the same disk, for this run alone.

    It stays after an error if something has come in, for the next run to go on with.
    """
    staging = folder.with_name(f".{folder.name}.part")
    staging.mkdir(parents=True, exist_ok=True)
    with _alone(staging):
        try:
            yield staging
        except BaseException:
            files = (path for path in staging.rglob("*") if path.is_file())
            if not any(path.stat().st_size for path in files if path.suffix != ".json"):
                shutil.rmtree(staging, ignore_errors=True)
            raise
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _alone(staging):
    """Keeps a second run out; the lock of a run that was killed is gone with it."""
    if fcntl is None:
        yield
        return
    with open(staging / "lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DownloadError(
                f"another run is getting {files.short_path(staging)}: wait for it"
            ) from None
        yield


def _unpacked(archive, staging, entry, require):
    """Fetch and unpack an archive. Returns the folder with the data set, somewhere in staging."""
    file, folder = staging / "archive.zip", staging / "unpacked"
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    download.fetch(
        archive.url,
        file,
        sha256=archive.sha256,
        n_bytes=archive.n_bytes,
        room=archive.unpacked,
        desc=entry.name,
    )
    try:
        archives.unpack(file, folder)
        return _content(_top(folder), entry, require)
    except ArchiveError as error:  # asking again for the same file can help, keeping it cannot
        shutil.rmtree(folder, ignore_errors=True)
        file.unlink()
        raise ArchiveError(f"{entry.title}: {error}; {archive.url} was thrown away") from None


def _top(folder):
    """The folder that an archive wraps its content in: the first one that has more than one."""
    while True:
        inside = [path for path in folder.iterdir() if not is_litter(path)]
        if len(inside) != 1 or not inside[0].is_dir():
            return folder
        folder = inside[0]


def _content(folder, entry, require):
    """Where in what came the data set lies. Raises ArchiveError if it is something else."""
    roots = find_roots(folder, entry, require)
    names = ", ".join(" or ".join(names) for names in entry.needs(require)) or "no clips"
    if len(roots) != 1:
        raise ArchiveError(f"what came does not hold {names}")
    if "clips" in require:
        try:
            clips, _ = entry.list_clips(roots[0])
        except DataError as error:
            raise ArchiveError(f"what came cannot be used: {error}") from None
        if not len(clips):
            raise ArchiveError("what came holds no clips of it")
    return roots[0]


# --- Kaggle ---------------------------------------------------------------------------------------


def _kaggle_content(entry, staging, require):
    folder = _from_kaggle(entry, staging)
    try:
        return _content(folder, entry, require)
    except ArchiveError as error:
        left = files.short_path(folder)
        raise ArchiveError(f"{entry.title}: {error}; look at it in {left}") from None


def _from_kaggle(entry, staging):
    """The folder that kagglehub returns: in staging, or where the data set is mounted already.

    Its cache is moved into staging for this, so that what comes lies on the disk where it is to
    stay and only needs another name there: no copy, and kagglehub's own resuming works.
    """
    try:
        import kagglehub
    except ImportError:
        raise DownloadError(
            f"{entry.title}: downloading from Kaggle needs `pip install kagglehub`"
        ) from None
    before = os.environ.get(KAGGLE_CACHE)
    os.environ[KAGGLE_CACHE] = str(staging / "kaggle")
    try:
        return Path(kagglehub.dataset_download(entry.kaggle))
    except Exception as error:  # network, account, rules not accepted: whatever it is, say so
        raise DownloadError(f"{entry.title}: {_kaggle_trouble(error, entry, staging)}") from error
    finally:
        if before is None:
            del os.environ[KAGGLE_CACHE]
        else:
            os.environ[KAGGLE_CACHE] = before


def _kaggle_trouble(error, entry, staging):
    """One line on what went wrong at Kaggle, and what to do."""
    kind, page = type(error).__name__, f"https://www.kaggle.com/datasets/{entry.kaggle}"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403) or kind in ("UnauthenticatedError", "CredentialError"):
        return (
            f"Kaggle wants an account for it, or its terms accepted: open {page}, accept them, and "
            "log in with `python -c 'import kagglehub; kagglehub.login()'`"
        )
    if status == 404:
        return f"Kaggle has no {page} any more"
    if getattr(error, "errno", None) and not isinstance(error, ConnectionError):
        return download.disk_trouble(error, staging.parent)
    first = (str(error).strip().splitlines() or [""])[0]
    network = isinstance(error, ConnectionError) or kind in ("ConnectionError", "Timeout")
    network |= kind in ("ConnectTimeout", "ReadTimeout", "ChunkedEncodingError", "SSLError")
    advice = f"is there a network? Then {download.AGAIN}" if network else f"see {page}"
    return f"the download failed ({kind}: {first}): {advice}"
