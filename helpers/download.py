"""One file from the network, whole or not at all; what was cut off goes on from where it was.

pooch, which comes with librosa, starts again from zero after a cut: too much for gigabytes on a
weak connection. Its `requests` is used here, with what HTTP itself has for resuming.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import time
from pathlib import Path

from helpers import files, parallel
from helpers.layouts import DataError

TIMEOUT_S = (10, 60)  # to connect; between two pieces of the file
RETRIES = 5  # of a cut or a server's error, in a row, without a byte gained
BACKOFF_S = 1.0  # doubled with each of them
CHUNK = 1 << 16  # bytes
OVERLOADED = (429, 500, 502, 503, 504)
AGAIN = "run the same command again, it goes on from there"


class DownloadError(DataError):
    """A file that was not fetched: why, and what to do."""


def fetch(url, path, *, sha256="", n_bytes=0, room=0, desc="Download"):
    """Fetch a file, with a progress bar. Returns path, a Path; it is there whole or not at all.

    url: http or https. sha256: what it must have, hex, "": not checked. n_bytes: its size, about,
    for a server that does not say. room: bytes that must be free on the disk besides. Beside path
    lie `<path>.part`, what has come in so far, and `<path>.json`, of which file that is: the next
    call goes on there, if the server still has the same one. A path that is there already is taken
    as it is, if it came from the same url. Raises DownloadError.
    """
    path = Path(path)
    if sha256 and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise DownloadError(f"{sha256!r} is no SHA-256: it has 64 digits, 0 to 9 and a to f")
    part, note = (path.with_name(path.name + suffix) for suffix in (".part", ".json"))
    try:
        if _read(note).get("url") != url:
            for stale in (path, part):
                stale.unlink(missing_ok=True)
        if not path.exists():
            _receive(url, part, note, desc, n_bytes, room)
            os.replace(part, path)
        if sha256:
            with open(path, "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != sha256.lower():
                path.unlink()
                raise DownloadError(
                    f"what came from {url} is not what was asked for: its SHA-256 is {found}, "
                    f"not {sha256.lower()}; it was thrown away"
                )
    except OSError as error:
        raise DownloadError(disk_trouble(error, path.parent)) from None
    return path


def need_room(folder, n_bytes):
    """Raises DownloadError if the disk of a folder has less than that free."""
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise DownloadError(
            f"the disk of {files.short_path(folder)} has {size(free)} free, but {size(n_bytes)} "
            "are needed: make room, or give a folder on another disk"
        )


def disk_trouble(error, folder):
    """What an OSError in writing to a folder means, and what to do."""
    where = files.short_path(folder)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"no room left for {where} ({error.strerror.lower()}): make some, then {AGAIN}"
    return f"{where} cannot be written: {(error.strerror or str(error)).lower()}"


def size(n_bytes):
    """A number of bytes for people, as the progress bar has it."""
    return next(
        f"{n_bytes / scale:.{digits}f} {unit}"
        for scale, digits, unit in ((1e9, 1, "GB"), (1e6, 0, "MB"), (1e3, 0, "kB"), (1, 0, "bytes"))
        if n_bytes >= scale or scale == 1
    )


def _receive(url, part, note, desc, n_bytes, room):
    """Bring a part file to its full length, in as many requests as that takes."""
    import requests

    cuts, farthest = 0, _length(part)
    with (
        _session() as session,
        parallel.progress_bar(desc=desc, unit="B", unit_scale=True, delay=0.5) as bar,
    ):
        while True:
            try:
                if _stream(session, url, part, note, bar, n_bytes, room):
                    return
                trouble = "the file ended early"
            except (
                requests.exceptions.ChunkedEncodingError,
                requests.exceptions.ConnectionError,
                requests.exceptions.ContentDecodingError,
                requests.exceptions.Timeout,
            ) as error:
                trouble = _words(error)
            # Only what was never reached before counts: a server that sends all anew each time and
            # always stops at the same place must not keep us here for ever.
            have = _length(part)
            cuts = cuts + 1 if have <= farthest else 0
            farthest = max(have, farthest)
            if cuts > RETRIES:
                raise DownloadError(
                    f"{_host(url)} stopped {cuts} times after {size(have)} ({trouble}): {AGAIN}"
                )
            time.sleep(BACKOFF_S * 2**cuts)


def _stream(session, url, part, note, bar, n_bytes, room):
    """One request for what is missing of a part file: True once nothing is.

    Raises the exceptions of `requests` where it is cut off, DownloadError where there is no hope.
    """
    known = _read(note)
    have = _length(part) if known.get("validator") else 0
    headers = {"Accept-Encoding": "identity"}  # or a range would be one of the compressed bytes
    if have:
        # The server sends the rest of the same file, or all of the one that it has instead.
        headers |= {"Range": f"bytes={have}-", "If-Range": known["validator"]}
    with _opened(session, url, headers) as response:
        status, stated = response.status_code, response.headers.get("Content-Range", "")
        same = _validator(response.headers) in ("", known.get("validator"))
        if status == 206 and same and (span := re.fullmatch(rf"bytes {have}-\d+/(\d+|\*)", stated)):
            total = int(span[1]) if span[1] != "*" else None
        elif status in (206, 416) and have:  # not the rest: either all is here, or nothing is right
            if status == 416 and stated == f"bytes */{have}":
                return True
            part.unlink()
            return False
        elif status == 200:
            have, total = 0, response.headers.get("Content-Length")
            total = int(total) if total else None
            validator = _validator(response.headers)
            with files.atomic_path(note) as temporary:
                temporary.write_text(json.dumps({"url": url, "validator": validator}))
        else:
            times = f" {RETRIES + 1} times: try again later" if status in OVERLOADED else ""
            raise DownloadError(f"{_host(url)} answered {status} {response.reason} to {url}{times}")
        expected = n_bytes if total is None else total
        need_room(part.parent, max(0, expected - have) + room)
        bar.total, bar.initial, bar.n = expected or None, have, have
        with open(part, "ab" if have else "wb") as file:
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    return total is None or _length(part) == total


def _session():
    """A session that is patient with a busy server before a file begins to come."""
    import requests
    from urllib3.util import Retry

    retry = Retry(
        total=RETRIES,
        connect=3,
        read=2,
        backoff_factor=BACKOFF_S,
        status_forcelist=OVERLOADED,
        raise_on_status=False,
        respect_retry_after_header=False,  # it may say hours
    )
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=retry))
    return session


def _opened(session, url, headers):
    import requests

    try:
        return session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S)
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
        raise DownloadError(
            f"no connection to {_host(url)} ({_words(error)}): is there a network? Then {AGAIN}"
        ) from None
    except requests.exceptions.RequestException as error:  # a wrong address, redirects in a circle
        raise DownloadError(f"{url!r} cannot be asked for: {error}") from None


def _validator(headers):
    """What tells this file from a later one at the same address, byte for byte; "": nothing."""
    etag = headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")


def _words(error):
    """The core of what `requests` says, without the objects that it passed through."""
    inner = error.args[0] if error.args else error
    text = str(getattr(inner, "reason", inner))
    return text.partition("): ")[2] or text


def _host(url):
    from urllib.parse import urlsplit

    return urlsplit(url).netloc or url


def _length(path):
    return path.stat().st_size if path.exists() else 0


def _read(note):
    """What is noted of a part file: {} if nothing that can be read."""
    try:
        found = json.loads(note.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
