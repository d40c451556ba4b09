"""helpers.data.download and the command `get`: complete or nothing, with one line for each error.

Whatever an archive claims, nothing is written outside of the folder or beyond the limits.
"""

import errno
import hashlib
import io
import os
import random
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
import types
import zipfile
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import requests
import soundfile as sf
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from servers import STALL_S, serving

from helpers import data, env, files, synthesis
from helpers.data import DATASETS, DatasetInfo, __main__, download, layouts
from helpers.synthesis import generators

ROOT = Path(__file__).resolve().parents[1]
TOP = "ESC-50-33c8ce9/"  # GitHub puts everything into a folder
CLIPS = [(fold, 100 * fold + k, target) for fold in (1, 2) for k, target in ((0, 0), (1, 41))]
NAMES = {0: "dog", 41: "chainsaw"}
NOISE = random.Random(0).randbytes(3000)


def clip(seed, seconds=5.0):
    file = io.BytesIO()
    y = np.random.default_rng(seed).uniform(-0.5, 0.5, round(8000 * seconds))
    sf.write(file, y, 8000, format="WAV")
    return file.getvalue()


def packed(members, *, method=zipfile.ZIP_DEFLATED):
    """A zip file as bytes. members: [(name or ZipInfo, content)]."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, content)
    return file.getvalue()


def esc50(**changes):
    """A small ESC-50 as a zip file of GitHub's layout. changes: content of some of its files."""
    rows = [(f"{f}-{n}-A-{t}.wav", f, t, NAMES[t], True, n, "A") for f, n, t in CLIPS]
    columns = ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
    members = {"LICENSE": b"CC", "audio/": b""}
    members["meta/esc50.csv"] = pd.DataFrame(rows, columns=columns).to_csv(index=False).encode()
    members |= {f"audio/{row[0]}": clip(row[5]) for row in rows}
    return packed((TOP + name, content) for name, content in {**members, **changes}.items())


ARCHIVE = esc50()


@pytest.fixture(autouse=True)
def places(monkeypatch, tmp_path):
    """A repository without data, and nothing elsewhere."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    monkeypatch.delenv("AUDIO_DATA", raising=False)
    monkeypatch.delenv(download.KAGGLE_CACHE, raising=False)
    monkeypatch.setenv("AUDIO_SAMPLE_DIR", str(tmp_path / "samples"))
    monkeypatch.setattr(env, "KAGGLE_INPUT", tmp_path / "kaggle" / "input")
    monkeypatch.setattr(env, "repository_root", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server():
    with serving(ARCHIVE) as running:
        yield running


@pytest.fixture
def run(capsys):
    """(exit status, what was printed, what was complained of) of a command."""

    def run(*arguments):
        status = __main__.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert err.count("\n") <= 1
        return status, out, err.strip()

    return run


def here(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def full_disk(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# --- get ------------------------------------------------------------------------------------------


def test_get_brings_what_resolve_finds(places, server, run):
    digest = hashlib.sha256(ARCHIVE).hexdigest()
    server.plan = ["redirect"]
    status, out, err = run("get", "esc50", "--url", server.url, "--sha256", digest.upper())
    assert (status, err) == (0, "") and "esc50: fine" in out
    assert "4 of the 2,000 clips that were published" in " ".join(out.split())
    found = data.resolve("esc50")
    assert (found.root, found.source) == (places / "data" / "esc50", "local")
    assert len(data.clip_table(found)[0]) == 4
    assert [p.name for p in (places / "data").iterdir()] == ["esc50"]
    assert (found.root / "LICENSE").is_file()  # what came with it stays

    status, out, err = run("get", "esc50", "--url", server.url)
    assert status == 0 and "already: nothing is downloaded" in out and "esc50: fine" in out
    assert server.asked == ["/set.zip", "/moved.zip"]


def test_get_into_another_folder(places, server, run):
    (places / "elsewhere").mkdir()  # empty: it may be used
    assert run("get", "esc10", "--url", server.url, "--to", "elsewhere")[0] == 0
    assert data.find("esc10", "elsewhere").root == Path("elsewhere")
    server.plan = ["unsized"]
    assert run("get", "esc10", "--url", server.url, "--to", "new/deep/folder")[0] == 0
    assert len(here(places / "new" / "deep" / "folder")) == 6
    (places / "disk").mkdir()
    (places / "link").symlink_to(places / "disk" / "esc")
    assert run("get", "esc10", "--url", server.url, "--to", "link")[0] == 0
    assert (places / "link").is_symlink() and len(here(places / "disk" / "esc")) == 6


def test_what_came_damaged_is_told_and_not_fetched_over(places, run):
    broken = "audio/1-100-A-0.wav"
    with serving(esc50(**{broken: b"no sound"})) as server:
        status, out, err = run("get", "esc50", "--url", server.url)
        assert status == 1 and "esc50: 1 problem\n" in out and broken in out
        assert err == "To download it again, move data/esc50 away first."
        status, out, err = run("get", "esc50", "--url", server.url)
        assert status == 1 and "already" in out and len(server.asked) == 1


@pytest.mark.parametrize("name", ["esc50", "speakers"])
@pytest.mark.parametrize("content", ["file", "folder", "other"])
def test_what_is_there_is_never_overwritten(places, server, run, content, name):
    target = places / "data" / name
    (target.parent if content == "file" else target).mkdir(parents=True)
    (target if content == "file" else target / "thesis.txt").write_text("mine")
    if content == "other":  # a data set of which half is gone
        (target / "audio").mkdir()
    before = here(places)
    status, out, err = run("get", name, "--url", server.url)
    assert (
        status == 1
        and f"data/{name} exists and holds something else: nothing is overwritten" in err
    )
    assert here(places) == before and server.asked == []


def test_a_wrong_archive_leaves_nothing(places, run):
    for content, told in (
        (b"<html>", "damaged or not a zip file"),
        (esc50(**{"../../evil": b"1"}), "'ESC-50-33c8ce9/../../evil' lies outside of its folder"),
        (ARCHIVE[:-9], "damaged or not a zip file"),
    ):
        with serving(content) as server:
            status, out, err = run("get", "esc50", "--url", server.url)
        assert status == 1 and told in err
        assert here(places) == [] and list((places / "data").iterdir()) == []
    with serving(ARCHIVE) as server:
        for name, told in (
            ("urbansound8k", "does not hold metadata/UrbanSound8K.csv or UrbanSound8K.csv"),
            ("catsdogs", "it holds no clips"),
        ):
            status, out, err = run("get", name, "--url", server.url)
            assert status == 1 and told in err and here(places) == []
        digest = hashlib.sha256(ARCHIVE).hexdigest()
        status, out, err = run("get", "esc50", "--url", server.url, "--sha256", "0" * 64)
        assert status == 1 and f"the SHA-256 of {server.url} is {digest}, not 000" in err
        assert here(places) == [] and list((places / "data").iterdir()) == []


def test_sets_of_folders_lose_what_an_archive_wraps_around_them(places, run):
    content = packed((f"LibriSpeech/dev-clean/{who}/1.wav", clip(1, 0.1)) for who in "ab")
    with serving(content) as server:
        assert run("get", "speakers", "--url", server.url)[0] == 0
    assert here(places / "data" / "speakers") == ["a/1.wav", "b/1.wav"]


def test_bad_requests_get_one_line_each(places, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with serving(b"") as gone:
        pass
    (places / "file").touch()
    archive = ("get", "esc50", "--url")
    for arguments, told in (
        (("get", "esc5"), "no data set 'esc5' (did you mean esc50?): there are capuchin"),
        (("check", "UrbanSound"), "(did you mean urbansound8k?)"),
        (("get", "xyz"), "no data set 'xyz': there are"),
        (("get", "folders"), "it has no known address (see data_README.md, folders)"),
        (("get", "capuchin"), "needs `pip install kagglehub`"),
        (
            ("get", "esc50"),
            "kagglehub`; or take it from elsewhere with --url https://github.com/ka",
        ),
        (
            (*archive, gone.url),
            f"connection to {gone.url[7:-8]} failed (ConnectionError): check",
        ),
        ((*archive, "http://nowhere.invalid/a.zip"), "connection to nowhere.invalid failed (Conn"),
        *(
            (((*archive, url), "is not a web address"))
            for url in ("x", "ftp://host/a", "http://", "file:///x")
        ),
        ((*archive, "http://["), "failed"),
        ((*archive, gone.url, "--sha256", "1"), "'1' is not the SHA-256, 64 digits"),
        (
            ("get", "esc50", "--sha256", "0" * 64),
            "is not the SHA-256, 64 digits 0 to f, of a file at --url",
        ),
        ((*archive, gone.url, "--to", "file/esc50"), "cannot be written: "),
        ((*archive, gone.url, "--to", "file"), "file exists and holds something"),
        (("check", "esc50"), "give its folder, or get it with `python -m helpers.data get esc50`"),
        (("check", "esc50", "nowhere"), "which does not exist"),
        (("check", "folders"), "give its folder, or download it by hand"),
    ):
        status, out, err = run(*arguments)
        assert status == 1 and told in err and not out.strip(), (arguments, err)
    assert here(places) == ["file"] and not (places / "data" / ".esc50.part").exists()


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        ("status 404", "/set.zip does not exist: find another"),
        ("status 401", "requires an account, or consent to its terms: open http://127.0.0.1"),
        ("status 403", "requires an account, or consent to its terms"),
        ("status 503", "answered 503: try again later"),
        ("cut 0", "check the network, then run the same command again"),
        ("cut 40000", "check the network, then run the same command again"),
        ("stall 40000", "check the network, then run the same command again"),
    ],
)
def test_what_goes_wrong_at_a_server_is_told_and_begins_anew(
    places, server, run, monkeypatch, plan, told
):
    monkeypatch.setattr(download, "TIMEOUT_S", (60, 0.3))
    server.plan, begun = [plan], time.monotonic()
    status, out, err = run("get", "esc50", "--url", server.url)
    assert status == 1 and err.startswith("ESC-50: ") and told in err
    assert time.monotonic() - begun < STALL_S
    assert len(server.asked) == 1 and list((places / "data").iterdir()) == []
    monkeypatch.setattr(download, "TIMEOUT_S", (60, 60))
    assert run("get", "esc50", "--url", server.url)[0] == 0 and len(server.asked) == 2


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_without_permission(places, server, run):
    (places / "data").mkdir(mode=0o500)
    status, out, err = run("get", "esc50", "--url", server.url)
    assert status == 1 and "data cannot be written: permission denied" in err
    (places / "data").chmod(0o700)


def test_a_disk_that_fills_up_while_unpacking(places, server, run, monkeypatch):
    def small_disk(path, mode, **kwargs):
        return full_disk() if "unpacked" in str(path) else open(path, mode, **kwargs)

    monkeypatch.setattr(download, "open", small_disk, raising=False)
    status, out, err = run("get", "esc50", "--url", server.url)
    assert status == 1 and "not enough room in data (no space left on device): make room" in err
    assert not (places / "data" / "esc50").exists()
    monkeypatch.delattr(download, "open")
    assert run("get", "esc50", "--url", server.url)[0] == 0 and len(server.asked) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
def test_the_system_refuses_to_write_more(places, server):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, -1))\n"
    done = subprocess.run(
        [sys.executable, "-c", limit + CODE, "get", "esc50", "--url", server.url],
        cwd=places,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "not enough room in data (file too large)" in done.stderr
    assert done.stderr.count("\n") == 1 and list((places / "data").iterdir()) == []


def test_stopped_by_hand(run, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "get", stop)
    status, out, err = run("get", "esc50")
    assert status == 130 and err == "stopped; run the same command again"


# --- interrupted, and two at once -----------------------------------------------------------------

# What a user starts; the repository is the working folder, as where the package is installed.
CODE = """
import sys
from pathlib import Path
from helpers import env
from helpers.data import __main__
env.repository_root = Path.cwd
raise SystemExit(__main__.main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_killed_in_the_middle_the_same_command_does_it(places, server, run):
    staging = places / "data" / ".esc50.part"
    server.plan = ["stall 300000"]
    command = ("get", "esc50", "--url", server.url)
    first = subprocess.Popen(
        [sys.executable, "-c", CODE, *command],
        cwd=places,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        patience = time.monotonic() + 120
        while not sum(path.stat().st_size for path in staging.glob("tmp*")):
            assert time.monotonic() < patience and first.poll() is None
            time.sleep(0.02)
        status, _, err = run(*command)  # two must not write into one file
        assert status == 1 and "another process downloads to data/.esc50.part: wait" in err
        assert len(server.asked) == 1
    finally:
        first.send_signal(signal.SIGKILL)
        assert first.wait(60) == -signal.SIGKILL
    assert not (places / "data" / "esc50").exists() and len(here(staging)) == 2

    status, out, err = run(*command)
    assert status == 0 and "esc50: fine" in out, err
    assert len(server.asked) == 2
    assert [p.name for p in (places / "data").iterdir()] == ["esc50"]
    assert len(here(places / "data" / "esc50")) == 6


def test_stopped_while_unpacking_nothing_is_fetched_again(places, server, run, monkeypatch):
    unpack = download.unpack

    def stop(archive, folder):
        (folder / "half").mkdir(parents=True)
        (folder / "half" / "a.wav").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "unpack", stop)
    assert run("get", "esc50", "--url", server.url)[0] == 130
    assert not (places / "data" / "esc50").exists()
    monkeypatch.setattr(download, "unpack", unpack)
    assert run("get", "esc50", "--url", server.url)[0] == 0
    assert len(server.asked) == 1 and "half/a.wav" not in here(places / "data" / "esc50")
    assert [p.name for p in (places / "data").iterdir()] == ["esc50"]


def test_another_address_is_another_file(places, server, run, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(download, "unpack", lambda *given: full_disk())
        assert run("get", "esc50", "--url", server.url)[0] == 1
    assert run("get", "esc50", "--url", server.url + "?new")[0] == 0
    assert server.asked == ["/set.zip", "/set.zip?new"]


# --- Kaggle ---------------------------------------------------------------------------------------


@pytest.fixture
def kaggle(monkeypatch):
    """A stand-in for kagglehub: `answer` is a folder to return, an error, or None: download.

    Before it fails it has got something, which it goes on with: `found`, sizes of what was there.
    """
    fake = types.SimpleNamespace(answer=None, asked=[], found=[])

    def dataset_download(handle):
        cache = os.environ.get(download.KAGGLE_CACHE)
        fake.asked.append((handle, cache))
        part = Path(cache) / "1.archive"
        fake.found.append(part.stat().st_size if part.exists() else 0)
        if isinstance(fake.answer, BaseException):
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(NOISE)
            raise fake.answer
        if fake.answer:
            return str(fake.answer)
        folder = Path(cache) / "datasets" / handle / "versions" / "1"
        for name in ("cats_dogs/cat_1.wav", "cats_dogs/dog_barking_1.wav"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(clip(len(name), 0.2))
        return str(folder)

    fake.dataset_download = dataset_download
    monkeypatch.setitem(sys.modules, "kagglehub", fake)
    return fake


@pytest.mark.parametrize("before", ["", "/my/cache"])
def test_from_kaggle(places, kaggle, run, monkeypatch, before):
    if before:
        monkeypatch.setenv(download.KAGGLE_CACHE, before)
    status, out, err = run("get", "catsdogs")
    assert (status, err) == (0, "") and "catsdogs: fine" in out
    handle, cache = kaggle.asked[0]
    assert handle == DATASETS["catsdogs"].kaggle
    # On the disk where the data is to stay, so that it is there once.
    assert Path(cache).is_relative_to(places / "data") and not Path(cache).exists()
    assert os.environ.get(download.KAGGLE_CACHE, "") == before
    assert [p.name for p in (places / "data").iterdir()] == ["catsdogs"]
    assert data.resolve("catsdogs").source == "local"
    assert run("get", "catsdogs")[0] == 0 and len(kaggle.asked) == 1


def test_what_kaggle_mounts_stays_where_it_is(places, kaggle, run):
    mount = places / "kaggle" / "input" / "audio-cats-and-dogs"
    for name in ("cat_1.wav", "dog_barking_1.wav"):
        mount.mkdir(parents=True, exist_ok=True)
        (mount / name).write_bytes(clip(1, 0.2))
    kaggle.answer = mount
    status, out, err = run("get", "catsdogs")
    assert status == 0 and files.short_path(mount) in out and len(here(mount)) == 2
    assert list((places / "data").iterdir()) == []
    assert data.resolve("catsdogs").root == mount


def http_error(status):
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(
        f"{status} Client Error.\n\nYou don't have permission", response=response
    )


@pytest.mark.parametrize(
    ("error", "told", "is_kept"),
    [
        (
            http_error(401),
            "requires an account, or consent to its terms: open https://www.kaggle",
            True,
        ),
        (http_error(403), "log in with `python -c 'import kagglehub; kagglehub.login()'`", True),
        (type("UnauthenticatedError", (Exception,), {})("no"), "requires an account", False),
        (http_error(404), "mmoreaux/audio-cats-and-dogs does not exist: find", True),
        (http_error(500), "www.kaggle.com answered 500: try again later", True),
        (requests.ConnectionError("no route"), "(ConnectionError): check the network", True),
        (requests.ReadTimeout("15 s"), "(ReadTimeout): check the network", True),
        (ConnectionResetError(104, "reset"), "(ConnectionResetError): check the network", True),
        (OSError(errno.ENOSPC, "No space left on device"), "not enough room in data", True),
        (PermissionError(13, "Permission denied"), "data cannot be written: permission", True),
        (zipfile.BadZipFile("bad\nworse"), "the download failed (BadZipFile: bad): run the", False),
        (ValueError(""), "the download failed (ValueError: ): run the same", False),
    ],
)
def test_what_goes_wrong_at_kaggle_is_told_in_one_line(places, kaggle, run, error, told, is_kept):
    kaggle.answer = error
    status, out, err = run("get", "catsdogs")
    assert status == 1 and told in err and err.startswith("Audio Cats and Dogs: ")
    assert download.KAGGLE_CACHE not in os.environ
    assert not (places / "data" / "catsdogs").exists()
    with pytest.raises(data.DataNotFoundError, match="kaggle datasets download"):
        data.resolve("catsdogs", download=True)
    # What has come is used again, unless it is what went wrong.
    assert kaggle.found == [0, len(NOISE) * is_kept]
    assert (places / "data" / ".catsdogs.part").exists() == is_kept
    kaggle.answer = None
    assert run("get", "catsdogs")[0] == 0
    assert [p.name for p in (places / "data").iterdir()] == ["catsdogs"]


def test_kaggle_sends_something_else(places, kaggle, run):
    (places / "other").mkdir()
    kaggle.answer = places / "other"
    status, out, err = run("get", "urbansound8k")
    assert status == 1 and "does not hold metadata/UrbanSound8K.csv" in err
    assert (places / "other").is_dir() and here(places) == []


def test_resolve_gets_it_the_same_way(places, kaggle):
    found = data.resolve("catsdogs", download=True)
    assert (found.root, found.source) == (places / "data" / "catsdogs", "download")
    assert data.resolve("catsdogs", download=True).source == "local" and len(kaggle.asked) == 1


def test_the_real_kagglehub_is_called_as_it_wants():
    kagglehub = pytest.importorskip("kagglehub")
    import inspect

    from kagglehub import config

    inspect.signature(kagglehub.dataset_download).bind("owner/slug")
    assert config.CACHE_FOLDER_ENV_VAR_NAME == download.KAGGLE_CACHE


# --- unpacking ------------------------------------------------------------------------------------


def tree(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() if p.is_file() else None
        for p in folder.rglob("*")
    }


@pytest.fixture
def unpack(tmp_path):
    """Unpack some bytes: what is in the folder then."""

    def unpack(content, **limits):
        (tmp_path / "a.zip").write_bytes(content)
        download.unpack(tmp_path / "a.zip", tmp_path / "folder", **limits)
        return tree(tmp_path / "folder")

    return unpack


@pytest.fixture
def refused(tmp_path, unpack):
    """The message with which some bytes are refused; nothing is left of them, inside or outside."""

    def refused(content, *, error=download.DownloadError, **limits):
        with pytest.raises(error) as caught:
            unpack(content, **limits)
        assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return refused


@pytest.mark.parametrize("method", download.METHODS)
def test_what_is_in_an_archive_comes_out(unpack, method):
    inner = packed([("x", b"1")])
    members = [("set/", b""), ("set/a/1.wav", NOISE), ("set/empty", b""), ("./set//b.csv", b"1,2")]
    members += [("set\\c\\2.wav", NOISE[:10]), ("set/inner.zip", inner), ("set/ü 🐦.wav", b"3")]
    found = unpack(packed(members, method=method))
    assert {name: content for name, content in found.items() if content is not None} == {
        "set/a/1.wav": NOISE, "set/empty": b"", "set/b.csv": b"1,2", "set/c/2.wav": NOISE[:10],
        "set/inner.zip": inner, "set/ü 🐦.wav": b"3",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        *("../x", "a/../../x", "a/..", "..", "/x", "//host/share/x", "/", ""),
        *("..\\x", "a\\..\\..\\x", "\\x", "\\\\host\\share\\x"),
        *("C:/x", "c:x", "C:\\x", "a/C:/x", "a\\d:x"),
    ],
)
def test_a_member_that_leads_elsewhere(refused, name):
    assert "outside of its folder" in refused(packed([("good.wav", b"1"), (name, b"evil")]))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_a_link_or_device(refused, kind):
    link = zipfile.ZipInfo("set/link")
    link.create_system, link.external_attr = 3, (kind | 0o777) << 16
    members = [(link, b"/etc"), ("set/link/passwd", b"evil")]
    assert "'set/link' is a link or a device" in refused(packed(members))


def test_plain_files_and_folders_of_unix_are_neither(unpack):
    file, folder = zipfile.ZipInfo("set/a"), zipfile.ZipInfo("set")
    file.external_attr, folder.external_attr = 0o100644 << 16, 0o040755 << 16
    assert unpack(packed([(folder, b""), (file, b"1")])) == {"set": None, "set/a": b"1"}


def test_two_members_in_one_place(refused, monkeypatch):
    with pytest.warns(UserWarning, match="Duplicate"):
        content = packed([("a/x", b"1"), ("a/x", b"2")])
    assert "'a/x' occurs twice" in refused(content)
    assert "'a//x' occurs twice" in refused(packed([("a/x", b"1"), ("a//x", b"2")]))
    for members in (
        [("a", b"1"), ("a/x", b"2")],
        [("a/x", b"1"), ("a", b"2")],
        [(".", b"1")],
    ):
        assert "damaged" in refused(packed(members))
    # As A and a where case does not count: simulated, since here it does.
    joined = Path.joinpath
    monkeypatch.setattr(Path, "joinpath", lambda path, *names: joined(path, *map(str.lower, names)))
    assert "damaged or not a zip file (File exists)" in refused(packed([("A", b"1"), ("a", b"2")]))


def test_an_encrypted_archive(refused):
    content = bytearray(packed([("x", NOISE)]))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert "'x' is encrypted" in refused(bytes(content))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_cannot_be_decompressed_piece_by_piece(refused, method):
    assert "'x' uses a rare compression method" in refused(packed([("x", NOISE)], method=method))


def test_too_many_files(refused, unpack):
    content = packed([(f"{i}", b"") for i in range(11)])
    assert "11 members, more than 10" in refused(content, max_files=10)
    assert len(unpack(content, max_files=11)) == 11


def test_too_many_bytes(refused, unpack, monkeypatch):
    content = packed([("a", bytes(600)), ("b", bytes(401))])
    assert len(unpack(content, max_bytes=1001)) == 2
    download.shutil.rmtree("folder")
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *given: 1 / 0)  # its headers are believed
    assert "more than 1,000 bytes" in refused(content, max_bytes=1000)


def restated(content, *, size):
    """The same archive, whose headers say that its one member unpacks to so many bytes."""
    content = bytearray(content)
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, size)
    struct.pack_into("<I", content, content.index(b"PK\x03\x04") + 22, size)
    return bytes(content)


@pytest.mark.parametrize("stated", [0, 10, 5000])
def test_a_bomb_whose_header_lies(refused, stated, monkeypatch, tmp_path):
    bomb = restated(packed([("x", bytes(20_000_000))]), size=stated)
    assert len(bomb) < 30_000
    sizes = []
    rmtree = download.shutil.rmtree

    def note(folder, **kwargs):
        sizes.append(sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file()))
        rmtree(folder, **kwargs)

    monkeypatch.setattr(download.shutil, "rmtree", note)
    assert "damaged" in refused(bomb, max_bytes=1_000_000)
    assert len(sizes) == 1 and sizes[0] <= 5000


def test_what_is_decompressed_counts_and_not_what_is_stated(refused, monkeypatch):
    """Were a member to unpack to more than its header says, as `zipfile` does not let it."""
    read = zipfile.ZipExtFile.read
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda self, n=-1: read(self, n) or bytes(400))
    assert "more than 1,000 bytes" in refused(packed([("x", b"1")]), max_bytes=1000)


def test_a_disk_without_room(refused, monkeypatch):
    content = packed([("a", bytes(600)), ("b", bytes(401))])
    with monkeypatch.context() as patch:
        patch.setattr(download, "open", full_disk, raising=False)
        assert "No space left" in refused(content, error=OSError)
    usage = SimpleNamespace(free=1000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: usage)
    assert "1,001 bytes are needed, 1,000 are free" in refused(content, error=OSError)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", NOISE, packed([("x", NOISE)])[:-30]])
def test_what_is_no_archive(refused, content):
    assert "damaged or not a zip file" in refused(content)


def test_a_damaged_member(refused):
    content = bytearray(packed([("x", NOISE)], method=zipfile.ZIP_STORED))
    content[500] ^= 1
    assert "Bad CRC-32" in refused(bytes(content))


def test_a_folder_that_is_there_already_stays(tmp_path):
    (tmp_path / "a.zip").write_bytes(packed([("x", b"1")]))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.wav").touch()
    with pytest.raises(FileExistsError):
        download.unpack(tmp_path / "a.zip", tmp_path / "folder")
    assert tree(tmp_path / "folder") == {"mine.wav": b""}


PIECES = ("..", ".", "a", "b", "/", "\\", "//", ":", "C:", "~", " ", "\0", "é", "\udc80", "\n", "%")
MEMBERS = st.one_of(
    st.text(max_size=12),
    st.lists(st.sampled_from(PIECES), max_size=7).map("".join),
    st.lists(st.sampled_from(("..", ".", "a", "b", "C:", "")), min_size=1, max_size=5).map(
        "/".join
    ),
)


def outcome(content):
    """Unpack some bytes two folders deep; nothing but that folder may change. True: unpacked."""
    with tempfile.TemporaryDirectory() as place:
        archive, folder = Path(place) / "a.zip", Path(place) / "data" / "deep" / "folder"
        archive.write_bytes(content)
        folder.parent.mkdir(parents=True)
        beside = folder.parent / "a"
        beside.write_text("mine")
        before = tree(Path(place))
        try:
            download.unpack(archive, folder)
        except (download.DownloadError, OSError):
            assert tree(Path(place)) == before
            return False
        inside = "data/deep/folder"
        after = {
            name: content
            for name, content in tree(Path(place)).items()
            if name != inside and not name.startswith(inside + "/")
        }
        assert after == before
        assert not any(p.is_symlink() for p in folder.rglob("*"))
        return True


def encodable(name):
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.lists(MEMBERS.filter(encodable), min_size=1, max_size=4, unique=True))
@example(["a/b", "../a"])
@example(["/tmp/never-written-by-a-test"])
def test_no_name_leads_out_of_the_folder(names):
    normal = [name.partition("\0")[0] for name in names]
    if len(set(normal)) < len(normal):
        return
    unpacked = outcome(packed([(name, b"evil") for name in names]))
    if any(name.replace("\\", "/").split("/").count("..") for name in normal):
        assert not unpacked
    assert not Path("/tmp/never-written-by-a-test").exists()


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6))
def test_a_damaged_archive_is_unpacked_or_refused(changes):
    content = bytearray(packed([("set/a.wav", NOISE[:300]), ("set/b.csv", b"1,2\n" * 50)]))
    for place, value in changes:
        content[int(place * len(content))] = value
    outcome(bytes(content))


def test_the_properties_see_what_is_unpacked():
    assert outcome(packed([("a/b", b"1"), ("c", b"2")]))


# --- list, and a new data set ---------------------------------------------------------------------


def listed(run):
    """{name: its line}."""
    status, out, err = run("list")
    assert (status, err) == (0, "") and "/tmp/" not in out
    return {line.split()[0]: line for line in out.splitlines() if line}


def test_list_says_where_each_is(places, server, run, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("nothing is made for a list")

    monkeypatch.setattr(generators, "write_sample", never)
    lines = listed(run)
    assert set(DATASETS) <= set(lines) and all("not here" in lines[name] for name in DATASETS)
    assert "2,000 clips" in lines["esc50"] and "Kaggle" in lines["esc50"]
    assert "810 clips, 100 recordings" in lines["capuchin"] and "Kaggle" in lines["capuchin"]
    assert "by hand" in lines["folders"] and "CC BY-NC 3.0" in lines["urbansound8k"]

    run("get", "esc50", "--url", server.url)
    sample = places / "samples" / "data" / "synthetic" / "speakers-small"
    sample.mkdir(parents=True)
    (sample / synthesis.MANIFEST).write_text("{}")
    (places / "sounds" / "urbansound8k").mkdir(parents=True)
    monkeypatch.setenv("AUDIO_DATA", str(places / "sounds"))
    lines = listed(run)
    assert "data/esc50 (local)" in lines["esc50"] and "not here" in lines["esc10"]
    assert "speakers-small (synthetic)" in lines["speakers"]
    assert "the folder of this name in AUDIO_DATA does not hold it" in lines["urbansound8k"]


def bells(folder, *, size="small", seed=0, progress=False):
    """Fill a folder with bells and gongs, two of each."""
    for k, name in enumerate(("bell/1.wav", "bell/2.wav", "gong/1.wav", "gong/2.wav")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(clip(seed + k, 0.1))


BELLS = dict(
    name="bells",
    title="Bells and gongs",
    parts={"clips": []},
    read=partial(layouts.clips_in_folders, groups_of=layouts.class_groups),
    published={"bell": 20, "gong": 10},
    kaggle="",
    licence="CC0",
    page="bells",
    synthesise=synthesis.Generator("bells", bells, version=1, sizes={"small": 1, "full": 2}),
)


def test_one_record_is_a_data_set(places, run, monkeypatch, tmp_path):
    bells(tmp_path / "set")
    files = {name: content for name, content in tree(tmp_path / "set").items() if content}
    with serving(packed(files.items())) as server:
        monkeypatch.setitem(DATASETS, "bells", DatasetInfo(**BELLS, url=server.url))
        line = listed(run)["bells"]
        assert "30 clips" in line and "not here" in line and "zip file" in line and "CC0" in line

        given = data.resolve("bells", tmp_path / "set")
        table, errors = data.clip_table(given)
        assert table["label"].value_counts().to_dict() == {"bell": 2, "gong": 2} and errors.empty
        made = data.resolve("bells")
        assert made.source == "synthetic" and len(data.clip_table(made)[0]) == 4
        assert "bells-small (synthetic)" in listed(run)["bells"]

        status, out, err = run("check", "bells", tmp_path / "set")
        assert status == 0 and "here are 4 of the 30 clips that were published" in out
        (tmp_path / "set" / "bell" / "2.wav").write_bytes(b"")
        assert run("check", "bells", tmp_path / "set")[0] == 1

        assert run("get", "bells")[0] == 0 and data.resolve("bells").source == "local"
        assert here(places / "data" / "bells") == sorted(files)


@pytest.mark.parametrize("name", sorted(BELLS))
def test_a_record_that_lacks_something_cannot_be_made(name):
    with pytest.raises(TypeError, match=name):
        DatasetInfo(**{key: value for key, value in BELLS.items() if key != name})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"parts": {"songs": []}}, "parts has other names"),
        ({"parts": {"clips": [], "recordings": []}}, "recordings names no folder"),
        ({"kaggle": "bells"}, "kaggle is not owner/slug"),
        ({"labels": {"bell": "Bells"}}, "published does not have the labels"),
    ],
)
def test_a_record_that_contradicts_itself_cannot_be_made(changes, told):
    with pytest.raises(ValueError, match=f"'bells': {told}"):
        DatasetInfo(**{**BELLS, **changes})
    with pytest.raises(ValueError, match="'bells' lacks the sizes \\['full'\\]"):
        synthesis.Generator("bells", bells, version=1, sizes={"small": 1})


@pytest.mark.parametrize("arguments", [(), ("fetch",), ("get",), ("check", "esc50", "a", "b")])
def test_a_command_that_is_none(arguments):
    with pytest.raises(SystemExit) as caught:
        __main__.main(list(arguments))
    assert caught.value.code == 2


def test_it_can_be_started_as_a_program(places):
    done = subprocess.run(
        [sys.executable, "-m", "helpers.data", "get", "esc5"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stderr.startswith("no data set 'esc5' (did you mean esc50")
    assert done.stderr.count("\n") == 1
