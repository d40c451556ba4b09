"""helpers.download: a file comes whole or not at all, whatever the server and the disk do."""

import errno
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from servers import STALL_S, serving

from helpers import download

ROOT = Path(__file__).resolve().parents[1]
CONTENT = random.Random(0).randbytes(600_000)
OTHER = random.Random(1).randbytes(500_000)


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(download, "BACKOFF_S", 0.001)
    monkeypatch.setattr(download, "TIMEOUT_S", (60, 60))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")


@pytest.fixture
def server():
    with serving(CONTENT) as running:
        yield running


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archive.zip"


def left(path):
    return sorted(p.name for p in path.parent.iterdir())


def test_a_file_comes_once(server, path):
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert download.fetch(server.url, path, sha256=digest.upper()) == path
    assert path.read_bytes() == CONTENT
    download.fetch(server.url, path, sha256=digest)
    assert server.ranges == [""] and left(path) == ["archive.zip", "archive.zip.json"]


def test_another_address_is_another_file(server, path):
    download.fetch(server.url, path)
    server.content = OTHER
    download.fetch(server.url + "?new", path)
    assert path.read_bytes() == OTHER and server.ranges == ["", ""]


@pytest.mark.parametrize("etag", ['"1"', ""])
def test_a_cut_download_goes_on_where_it_was(server, path, etag):
    server.etag, server.modified = etag, "Sat, 01 Jan 2022 00:00:00 GMT"
    server.plan = ["cut 200000", "cut 150000", "cut 100000", "short 50000"]
    download.fetch(server.url, path)
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == 5 and server.ranges[0] == ""
    starts = [int(text.removeprefix("bytes=").rstrip("-")) for text in server.ranges[1:]]
    # What was read last before a cut may be lost, not more than one chunk of it.
    expected = [200_000, 350_000, 450_000, 500_000]
    for k, start in enumerate(starts):
        assert expected[k] - (k + 1) * download.CHUNK <= start <= expected[k]
    assert starts == sorted(set(starts)) and starts[0] > 100_000
    validators = {headers.get("If-Range") for _, headers in server.asked[1:]}
    assert validators == {etag or server.modified}


def test_as_many_cuts_as_you_like_if_each_time_something_comes(server, path):
    server.plan = [f"cut {download.CHUNK + 1000}"] * (download.RETRIES + 3)
    download.fetch(server.url, path)
    assert path.read_bytes() == CONTENT and len(server.asked) == download.RETRIES + 4


def test_a_cut_of_a_file_of_unknown_length(server, path):
    server.plan = ["chunks 300000", "ok"]
    download.fetch(server.url, path)
    assert path.read_bytes() == CONTENT and len(server.asked) == 2
    server.plan = ["chunks 0"]
    download.fetch(server.url + "?again", path)
    assert path.read_bytes() == CONTENT and len(server.asked) == 3


def test_a_server_that_knows_no_ranges_sends_all_again(server, path):
    server.plan = ["cut 300000", "whole"]
    download.fetch(server.url, path)
    assert path.read_bytes() == CONTENT and server.ranges[1] != ""


def test_a_connection_on_which_nothing_more_comes(server, path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_S", (60, 0.3))
    server.plan, begun = ["stall 300000", "stall 0"], time.monotonic()
    download.fetch(server.url, path)
    assert time.monotonic() - begun < STALL_S
    assert path.read_bytes() == CONTENT and len(server.asked) >= 3
    assert server.ranges[0] == "" and all(server.ranges[1:])


@pytest.mark.parametrize("manner", ["ok", "deaf"])
def test_a_file_that_changed_meanwhile_is_not_mixed_with_the_new_one(
    server, path, monkeypatch, manner
):
    def change(*args):
        server.content, server.etag = OTHER, '"2"'

    server.plan = ["cut 300000", manner]
    monkeypatch.setattr(download.time, "sleep", change)  # before it asks again
    download.fetch(server.url, path)
    assert path.read_bytes() == OTHER and server.ranges[1] != ""


@pytest.mark.parametrize("etag", ["", 'W/"1"'])
def test_what_cannot_be_told_from_a_later_file_starts_again(server, path, etag):
    server.etag, server.plan = etag, ["cut 300000"]
    download.fetch(server.url, path)
    assert path.read_bytes() == CONTENT and server.ranges == ["", ""]


@pytest.mark.parametrize("part", [CONTENT, CONTENT + b"more", CONTENT[:1000]])
def test_a_part_that_was_there(server, path, part):
    note = json.dumps({"url": server.url, "validator": '"1"'})
    path.with_name("archive.zip.json").write_text(note)
    path.with_name("archive.zip.part").write_bytes(part)
    download.fetch(server.url, path)
    assert path.read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(part)}-", ""][: 2 if len(part) > len(CONTENT) else 1]


@pytest.mark.parametrize("note", ["", "[1]", "{", "\udcff"])
def test_a_note_that_cannot_be_read_is_none(server, path, note):
    path.with_name("archive.zip.json").write_bytes(note.encode(errors="surrogateescape"))
    path.with_name("archive.zip.part").write_bytes(b"x" * 1000)
    download.fetch(server.url, path)
    assert path.read_bytes() == CONTENT and server.ranges == [""]


def test_a_wrong_checksum(server, path):
    with pytest.raises(download.DownloadError, match=f"SHA-256 is .*, not {'0' * 64}; it was thr"):
        download.fetch(server.url, path, sha256="0" * 64)
    assert "archive.zip" not in left(path) and "archive.zip.part" not in left(path)
    with pytest.raises(download.DownloadError, match="'abc' is no SHA-256"):
        download.fetch(server.url, path, sha256="abc")
    download.fetch(server.url, path)
    assert path.read_bytes() == CONTENT and len(server.asked) == 2


def test_a_busy_server(server, path):
    server.plan = ["status 500", "status 503", "status 429"]
    download.fetch(server.url, path)
    assert path.read_bytes() == CONTENT and len(server.asked) == 4
    server.plan, server.asked[:] = ["status 502"] * 99, []
    with pytest.raises(download.DownloadError, match="answered 502 Bad Gateway.* 6 times: try"):
        download.fetch(server.url + "?2", path)
    assert len(server.asked) == download.RETRIES + 1


@pytest.mark.parametrize("manner", ["stall", "cut"])
@pytest.mark.parametrize("n", [0, 100_000])
def test_a_server_that_never_gets_further(server, path, monkeypatch, manner, n):
    monkeypatch.setattr(download, "RETRIES", 2)
    if manner == "stall":
        monkeypatch.setattr(download, "TIMEOUT_S", (60, 0.3))
    server.etag, server.plan = "", [f"{manner} {n}"] * 99
    with pytest.raises(download.DownloadError, match=r"stopped \d times after .*: run the same"):
        download.fetch(server.url, path)
    assert 3 <= len(server.asked) < 10 and "archive.zip" not in left(path)
    monkeypatch.setattr(download, "TIMEOUT_S", (60, 60))
    server.plan, server.etag = [], '"1"'
    download.fetch(server.url, path)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (403, "Forbidden")])
def test_what_is_not_there_is_asked_for_once(server, path, status, reason):
    server.plan = [f"status {status}"] * 9
    with pytest.raises(download.DownloadError, match=f"127.0.0.1:.* answered {status} {reason}"):
        download.fetch(server.url, path)
    assert len(server.asked) == 1 and left(path) == []


def test_a_redirect_is_followed_when_going_on_too(server, path):
    server.plan = ["redirect", "cut 300000", "redirect", "ok"]
    download.fetch(server.url, path)
    assert path.read_bytes() == CONTENT
    assert [asked for asked, _ in server.asked] == ["/set.zip", "/moved.zip"] * 2
    assert server.ranges[3] == server.ranges[2] != ""
    server.plan = ["redirect"] * 99
    with pytest.raises(download.DownloadError, match="cannot be asked for: Exceeded 30 redirects"):
        download.fetch(server.url + "?round", path)


def test_without_a_network(path):
    with serving(b"") as gone:
        url = gone.url
    with pytest.raises(download.DownloadError, match=r"no connection to 127.* refused\): is there"):
        download.fetch(url, path)
    with pytest.raises(download.DownloadError, match="no connection to nowhere.invalid"):
        download.fetch("http://nowhere.invalid/a.zip", path)
    assert left(path) == []


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://host/a.zip", "http://", "http://[", "file:///x"]
)
def test_an_address_that_is_none(path, url):
    with pytest.raises(download.DownloadError, match="cannot be asked for") as caught:
        download.fetch(url, path)
    assert "\n" not in str(caught.value)


# --- the disk -------------------------------------------------------------------------------------


def test_room_is_looked_for_beforehand(server, path, monkeypatch):
    usage = SimpleNamespace(free=len(CONTENT) + 999)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(download.DownloadError, match="has 601 kB free, but 601 kB are needed"):
        download.fetch(server.url, path, room=1000)
    assert not path.with_name("archive.zip.part").exists()
    download.fetch(server.url, path, room=999)
    assert path.read_bytes() == CONTENT
    server.plan = ["chunks 0"]  # which does not tell the length
    with pytest.raises(download.DownloadError, match="has 601 kB free, but 2.0 GB are needed"):
        download.fetch(server.url + "?2", path, n_bytes=2 * 10**9)


def test_what_is_here_already_needs_no_room(server, path, monkeypatch):
    server.plan = ["cut 500000"] + ["cut 0"] * 9
    with pytest.raises(download.DownloadError, match="stopped"):
        download.fetch(server.url, path)
    server.plan = []
    missing = len(CONTENT) - path.with_name("archive.zip.part").stat().st_size
    assert 0 < missing < 200_000
    usage = SimpleNamespace(free=missing)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: usage)
    download.fetch(server.url, path)
    assert path.read_bytes() == CONTENT


def test_a_disk_that_fills_up_in_the_middle(server, path, monkeypatch):
    def small_disk(name, mode="r", **kwargs):
        file = open(name, mode, **kwargs)  # noqa: SIM115
        if "b" in mode and str(name).endswith(".part"):
            written = 0

            class Full:
                def __enter__(self):
                    return self

                def __exit__(self, *exc):
                    file.close()

                def write(self, chunk):
                    nonlocal written
                    if written + len(chunk) > 300_000:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    written += file.write(chunk)

            return Full()
        return file

    monkeypatch.setattr(download, "open", small_disk, raising=False)
    with pytest.raises(
        download.DownloadError, match=r"no room left for .*no space left.*make some"
    ):
        download.fetch(server.url, path)
    assert left(path) == ["archive.zip.json", "archive.zip.part"] and len(server.asked) == 1
    monkeypatch.delattr(download, "open")
    download.fetch(server.url, path)
    assert path.read_bytes() == CONTENT and server.ranges[1] != ""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
def test_the_system_refuses_to_write_more(server, path):
    code = """
import resource, sys
from helpers import download
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    download.fetch(sys.argv[1], sys.argv[2])
except download.DownloadError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, server.url, path], cwd=ROOT, capture_output=True, text=True
    )
    assert "no room left" in done.stdout and not done.stderr.count("Traceback")
    assert path.with_name("archive.zip.part").stat().st_size == 200_000
    download.fetch(server.url, path)
    assert path.read_bytes() == CONTENT and server.ranges[1] == "bytes=200000-"


def test_a_folder_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(download.DownloadError, match="file cannot be written: not a directory"):
        download.fetch(server.url, tmp_path / "file" / "archive.zip")
    assert server.asked == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_without_permission(server, path):
    path.parent.chmod(0o500)
    with pytest.raises(download.DownloadError, match="cannot be written: permission denied"):
        download.fetch(server.url, path)
    path.parent.chmod(0o700)
