"""python -m helpers.data list | get: a data set comes whole or not at all, and is told in words."""

import errno
import hashlib
import io
import os
import signal
import subprocess
import sys
import time
import types
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests
import soundfile as sf
from servers import serving

from helpers import acquisition, commands, data, download, env, files, layouts, published, synthesis

ROOT = Path(__file__).resolve().parents[1]
TOP = "ESC-50-33c8ce9/"  # GitHub puts everything into a folder
CLIPS = [(fold, 100 * fold + k, target) for fold in (1, 2) for k, target in ((0, 0), (1, 41))]
NAMES = {0: "dog", 41: "chainsaw"}


def clip(seed, seconds=5.0):
    file = io.BytesIO()
    y = np.random.default_rng(seed).uniform(-0.5, 0.5, round(8000 * seconds))
    sf.write(file, y, 8000, format="WAV")
    return file.getvalue()


def esc50(**changes):
    """A small ESC-50 as a zip file of GitHub's layout. changes: content of some of its files."""
    rows = [(f"{f}-{n}-A-{t}.wav", f, t, NAMES[t], True, n, "A") for f, n, t in CLIPS]
    columns = ["filename", "fold", "target", "category", "esc10", "src_file", "take"]
    members = {"LICENSE": b"CC", "audio/": b""}
    members["meta/esc50.csv"] = pd.DataFrame(rows, columns=columns).to_csv(index=False).encode()
    members |= {f"audio/{row[0]}": clip(row[5]) for row in rows}
    members |= changes
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(TOP + name, content)
    return file.getvalue()


ARCHIVE = esc50()


@pytest.fixture(autouse=True)
def places(monkeypatch, tmp_path):
    """A repository without data, and nothing elsewhere."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    monkeypatch.delenv("AUDIO_DATA", raising=False)
    monkeypatch.delenv(acquisition.KAGGLE_CACHE, raising=False)
    monkeypatch.setenv("AUDIO_SAMPLE_DIR", str(tmp_path / "samples"))
    monkeypatch.setattr(data, "KAGGLE_INPUT", tmp_path / "kaggle" / "input")
    monkeypatch.setattr(env, "repository_root", lambda: tmp_path)
    monkeypatch.setattr(download, "BACKOFF_S", 0.001)
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
        status = commands.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert err.count("\n") <= 1
        return status, out, err.strip()

    return run


def here(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


# --- get ------------------------------------------------------------------------------------------


def test_get_brings_what_resolve_finds(places, server, run):
    digest = hashlib.sha256(ARCHIVE).hexdigest()
    status, out, err = run("get", "esc50", "--url", server.url, "--sha256", digest)
    assert (status, err) == (0, "") and "esc50: fine" in out
    assert "4 of the 2,000 clips that were published" in " ".join(out.split())
    found = data.resolve("esc50")
    assert (found.root, found.source) == (places / "data" / "esc50", "local")
    assert len(data.clip_table(found)[0]) == 4
    assert [p.name for p in (places / "data").iterdir()] == ["esc50"]
    assert (found.root / "LICENSE").is_file()  # what came with it stays

    status, out, err = run("get", "esc50", "--url", server.url)
    assert status == 0 and "already: nothing is downloaded" in out and "esc50: fine" in out
    assert len(server.asked) == 1


def test_get_into_another_folder(places, server, run):
    (places / "elsewhere").mkdir()  # empty: it may be used
    assert run("get", "esc10", "--url", server.url, "--to", "elsewhere")[0] == 0
    assert data.find("esc10", "elsewhere").root == Path("elsewhere")
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
        assert err == "To get it anew, move data/esc50 away first."
        status, out, err = run("get", "esc50", "--url", server.url)
        assert status == 1 and "already" in out and len(server.asked) == 1


@pytest.mark.parametrize("content", ["file", "folder", "other"])
def test_what_is_there_is_never_overwritten(places, server, run, content):
    target = places / "data" / "esc50"
    (target.parent if content == "file" else target).mkdir(parents=True)
    (target if content == "file" else target / "thesis.txt").write_text("mine")
    if content == "other":  # a data set of which half is gone
        (target / "audio").mkdir()
    before = here(places)
    status, out, err = run("get", "esc50", "--url", server.url)
    assert status == 1 and "data/esc50 is there and holds something else: nothing of yours" in err
    assert here(places) == before and server.asked == []


@pytest.mark.parametrize("content", ["file", "folder"])
def test_nothing_foreign_is_taken_for_a_set_that_is_only_folders(places, server, run, content):
    (places / "data" / "speakers").mkdir(parents=True)
    (places / "data" / "speakers" / "thesis.txt").write_text("mine")
    status, out, err = run("get", "speakers", "--url", server.url)
    assert status == 1 and "holds something else" in err and server.asked == []


def test_a_wrong_archive_leaves_nothing(places, run):
    for content, told in (
        (b"<html>", "damaged, or no zip file"),
        (esc50(**{"../../evil": b"1"}), "outside of its folder: 'ESC-50-33c8ce9/../../evil'"),
        (ARCHIVE[:-9], "damaged, or no zip file"),
    ):
        with serving(content) as server:
            status, out, err = run("get", "esc50", "--url", server.url)
        assert status == 1 and told in err and f"{server.url} was thrown away" in err
        assert here(places) == [] and not (places / "data" / "esc50").exists()
    with serving(ARCHIVE) as server:
        status, out, err = run("get", "urbansound8k", "--url", server.url)
        assert status == 1 and "does not hold metadata/UrbanSound8K.csv or UrbanSound8K.csv" in err
        status, out, err = run("get", "catsdogs", "--url", server.url)
        assert status == 1 and "holds no clips of it" in err and here(places) == []
        status, out, err = run("get", "esc50", "--url", server.url, "--sha256", "0" * 64)
        assert status == 1 and "its SHA-256 is" in err and not (places / "data/esc50").exists()


def test_sets_of_folders_lose_what_an_archive_wraps_around_them(places, run):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for who in "ab":
            archive.writestr(f"LibriSpeech/dev-clean/{who}/1.wav", clip(1, 0.1))
    with serving(file.getvalue()) as server:
        assert run("get", "speakers", "--url", server.url)[0] == 0
    assert here(places / "data" / "speakers") == ["a/1.wav", "b/1.wav"]


def test_bad_requests_get_one_line_each(places, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with serving(b"") as gone:
        pass
    (places / "file").touch()
    for arguments, told in (
        (("get", "esc5"), "no data set 'esc5' (did you mean esc50?): there are capuchin"),
        (("check", "UrbanSound"), "(did you mean urbansound8k?)"),
        (("get", "xyz"), "no data set 'xyz': there are"),
        (("get", "folders"), "cannot be got by name (see data_README.md, folders)"),
        (("get", "capuchin"), "needs `pip install kagglehub`"),
        (("get", "esc50", "--url", gone.url), "no connection to 127.0.0.1"),
        (("get", "esc50", "--url", "x"), "'x' cannot be asked for"),
        (("get", "esc50", "--url", gone.url, "--sha256", "1"), "'1' is no SHA-256"),
        (("get", "esc50", "--url", gone.url, "--to", "file/esc50"), "cannot be written: "),
        (("get", "esc50", "--url", gone.url, "--to", "file"), "file is there and holds something"),
        (("check", "esc50"), "not here, give its folder or get it (python -m helpers.data get e"),
        (("check", "esc50", "nowhere"), "which does not exist"),
        (("check", "folders"), "give its folder or get it (by hand"),
    ):
        status, out, err = run(*arguments)
        assert status == 1 and told in err and not out.strip(), (arguments, err)
    assert here(places) == ["file"] and not (places / "data" / ".esc50.part").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_without_permission(places, server, run):
    (places / "data").mkdir(mode=0o500)
    status, out, err = run("get", "esc50", "--url", server.url)
    assert status == 1 and "data cannot be written: permission denied" in err
    (places / "data").chmod(0o700)


def test_a_disk_that_fills_up_while_unpacking(places, server, run, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(acquisition.archives, "open", full, raising=False)
    status, out, err = run("get", "esc50", "--url", server.url)
    assert status == 1 and "no room left" in err and not (places / "data" / "esc50").exists()
    monkeypatch.delattr(acquisition.archives, "open")
    assert run("get", "esc50", "--url", server.url)[0] == 0 and len(server.asked) == 1


def test_stopped_by_hand(run, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(acquisition, "get", stop)
    status, out, err = run("get", "esc50")
    assert status == 130 and err == "stopped; run the same command again, it goes on from there"


def test_the_published_archive_is_taken_by_default(places, run, monkeypatch):
    asked = []
    monkeypatch.setattr(
        download, "fetch", lambda url, path, **given: asked.append((url, given)) or 1 / 0
    )
    for name in ("esc50", "esc10"):
        with pytest.raises(ZeroDivisionError):
            run("get", name, "--sha256", "a" * 64)
    (url, given), other = asked
    assert url == other[0] and url.startswith("https://github.com/karolpiczak/ESC-50/archive/")
    assert given["sha256"] == "a" * 64 and given["room"] > 8e8


# --- interrupted, and two at once -----------------------------------------------------------------

# What a user starts; the repository is the working folder, as where the package is installed.
CODE = """
import sys
from pathlib import Path
from helpers import data, env
env.repository_root = Path.cwd
raise SystemExit(data.main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_killed_in_the_middle_the_same_command_goes_on(places, server, run):
    part = places / "data" / ".esc50.part" / "archive.zip.part"
    server.plan = ["stall 200000"]
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
        while not (part.exists() and part.stat().st_size >= 3 * download.CHUNK):
            assert time.monotonic() < patience and first.poll() is None
            time.sleep(0.02)
        status, _, err = run(*command)  # two must not write into one file
        assert status == 1 and "another run is getting data/.esc50.part: wait" in err
        assert len(server.asked) == 1
    finally:
        first.send_signal(signal.SIGKILL)
        assert first.wait(60) == -signal.SIGKILL
    assert not (places / "data" / "esc50").exists()
    n_bytes = part.stat().st_size
    assert ARCHIVE.startswith(part.read_bytes())

    status, out, err = run(*command)
    assert status == 0 and "esc50: fine" in out, err
    assert server.ranges == ["", f"bytes={n_bytes}-"]
    assert [p.name for p in (places / "data").iterdir()] == ["esc50"]
    assert len(here(places / "data" / "esc50")) == 6


def test_killed_while_unpacking_nothing_is_fetched_again(places, server, run):
    staging = places / "data" / ".esc50.part"
    staging.mkdir(parents=True)
    download.fetch(server.url, staging / "archive.zip")
    (staging / "unpacked" / "half").mkdir(parents=True)
    (staging / "unpacked" / "half" / "a.wav").touch()
    assert run("get", "esc50", "--url", server.url)[0] == 0
    assert len(server.asked) == 1 and "half/a.wav" not in here(places / "data" / "esc50")


# --- Kaggle ---------------------------------------------------------------------------------------


@pytest.fixture
def kaggle(monkeypatch):
    """A stand-in for kagglehub: `answer` is a folder to return, an error, or None: download."""
    fake = types.SimpleNamespace(answer=None, asked=[])

    def dataset_download(handle):
        cache = os.environ.get(acquisition.KAGGLE_CACHE)
        fake.asked.append((handle, cache))
        if isinstance(fake.answer, Exception):
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
        monkeypatch.setenv(acquisition.KAGGLE_CACHE, before)
    status, out, err = run("get", "catsdogs")
    assert (status, err) == (0, "") and "catsdogs: fine" in out
    handle, cache = kaggle.asked[0]
    assert handle == data.DATASETS["catsdogs"].kaggle
    # On the disk where the data is to stay, so that it is there once.
    assert Path(cache).is_relative_to(places / "data") and not Path(cache).exists()
    assert os.environ.get(acquisition.KAGGLE_CACHE, "") == before
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
    ("error", "told"),
    [
        (
            http_error(401),
            "wants an account for it, or its terms accepted: open https://www.kaggle",
        ),
        (http_error(403), "wants an account for it"),
        (type("UnauthenticatedError", (Exception,), {})("no"), "wants an account for it"),
        (http_error(404), "Kaggle has no https://www.kaggle.com/datasets/mmoreaux/audio-cats"),
        (http_error(500), "the download failed (HTTPError: 500 Client Error.): see https"),
        (requests.ConnectionError("no route"), "(ConnectionError: no route): is there a network?"),
        (requests.ReadTimeout("15 s"), "(ReadTimeout: 15 s): is there a network?"),
        (OSError(errno.ENOSPC, "No space left on device"), "no room left for data"),
        (ValueError(""), "the download failed (ValueError: ): see"),
    ],
)
def test_what_goes_wrong_at_kaggle_is_told_in_one_line(places, kaggle, run, error, told):
    kaggle.answer = error
    status, out, err = run("get", "catsdogs")
    assert status == 1 and told in err and err.startswith("Audio Cats and Dogs: ")
    assert acquisition.KAGGLE_CACHE not in os.environ and here(places) == []
    with pytest.raises(data.DataNotFoundError, match="kaggle datasets download"):
        data.resolve("catsdogs", download=True)


def test_kaggle_sends_something_else(places, kaggle, run):
    (places / "other").mkdir()
    kaggle.answer = places / "other"
    status, out, err = run("get", "urbansound8k")
    assert status == 1 and "does not hold metadata/UrbanSound8K.csv" in err and "in other" in err


def test_resolve_gets_it_the_same_way(places, kaggle, server, monkeypatch):
    found = data.resolve("catsdogs", download=True)
    assert (found.root, found.source) == (places / "data" / "catsdogs", "download")
    assert data.resolve("catsdogs", download=True).source == "local" and len(kaggle.asked) == 1
    mirrored = published.Published(archive=published.Archive(server.url))
    monkeypatch.setitem(published.PUBLISHED, "esc50", mirrored)
    assert data.resolve("esc50", download=True).root == places / "data" / "esc50"
    assert len(server.asked) == 1 and len(kaggle.asked) == 1


def test_the_real_kagglehub_is_called_as_it_wants():
    kagglehub = pytest.importorskip("kagglehub")
    import inspect

    from kagglehub import config

    inspect.signature(kagglehub.dataset_download).bind("owner/slug")
    assert config.CACHE_FOLDER_ENV_VAR_NAME == acquisition.KAGGLE_CACHE


# --- list -----------------------------------------------------------------------------------------


def test_list_says_where_each_is(places, server, run, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("nothing is made for a list")

    monkeypatch.setattr(synthesis, "write", never)
    status, out, err = run("list")
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert status == 0 and set(layouts.DATASETS) <= set(lines)
    assert all("not here" in lines[name] for name in layouts.DATASETS)
    assert "2,000 clips" in lines["esc50"] and "archive (646 MB)" in lines["esc50"]
    assert "810 clips, 100 recordings" in lines["capuchin"] and "Kaggle" in lines["capuchin"]
    assert "by hand" in lines["folders"] and "CC BY-NC 3.0" in lines["urbansound8k"]

    run("get", "esc50", "--url", server.url)
    sample = places / "samples" / "data" / "synthetic" / "speakers-small"
    sample.mkdir(parents=True)
    (sample / synthesis.MANIFEST).write_text("{}")
    (places / "sounds" / "urbansound8k").mkdir(parents=True)
    monkeypatch.setenv("AUDIO_DATA", str(places / "sounds"))
    out = run("list")[1]
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert "data/esc50 (local)" in lines["esc50"] and "not here" in lines["esc10"]
    assert "speakers-small (synthetic)" in lines["speakers"]
    assert "AUDIO_DATA has a folder of this name without it" in lines["urbansound8k"]
    assert str(places) not in out


@pytest.mark.parametrize("arguments", [(), ("fetch",), ("get",), ("check", "esc50", "a", "b")])
def test_a_command_that_is_none(arguments):
    with pytest.raises(SystemExit) as caught:
        commands.main(list(arguments))
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
