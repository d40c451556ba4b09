"""tools/count.py: counted here or on a cluster, the same to the byte, whoever dies meanwhile."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from tiny_series import OBEY_CTRL_C

from helpers import models
from helpers.detection import count_calls
from tools import count
from tools.batch import cluster, ledger
from tools.batch.call_counts import Task
from tools.batch.cluster import Pool
from tools.command_line import UsageError

REPOSITORY = Path(__file__).resolve().parent.parent
RATE = 8000
LONG_S = 1100.0  # two parts


def tones(centres, length_s, *, rate=RATE):
    """Tones of 0.3 s and 1500 Hz over soft noise."""
    y = np.random.default_rng(0).normal(0, 0.005, round(length_s * rate)).astype(np.float32)
    for centre in centres:
        first = round((centre - 0.15) * rate)
        y[first:][: round(0.3 * rate)] += 0.3 * np.sin(
            2 * np.pi * 1500 * np.arange(round(0.3 * rate)) / rate, dtype=np.float32
        )
    return y


CALLS = {f"clip {k:02d}.wav": 2.0 + np.arange(k % 5) * 1.5 for k in range(30)}
# One of them lies where the parts of the recording meet (524.288 s).
CALLS |= {"site/long.wav": np.append(np.arange(10, 1090, 40.0), 524.3)}
CALLS |= {"site/night/long.flac": np.arange(300, 1090, 60.0)}


@pytest.fixture(scope="module")
def model(tone_detector, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.keras"
    models.save(tone_detector, path)
    return path


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "recordings"
    (folder / "site" / "night").mkdir(parents=True)
    for name, centres in CALLS.items():
        sf.write(folder / name, tones(centres, LONG_S if "long" in name else 10.0), RATE)
    (folder / "cut.flac").write_bytes((folder / "site/night/long.flac").read_bytes()[:5000])
    (folder / "no sound.wav").write_text("clip_name,call_count\n" * 100)
    return folder


@pytest.fixture
def run(folder, model, tmp_path):
    """Counts the folder; returns the exit status."""

    def run(output, *options):
        arguments = [str(folder), "--model", str(model), "--output", str(tmp_path / output)]
        return count.main([*arguments, *options])

    return run


def contents(output):
    """{name: bytes} of a run's tables."""
    files = [path for path in (output / "results").rglob("*") if path.is_file()]
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in sorted(files)}


def after(monkeypatch, n_tasks, act):
    """Have `act` called in the midst of a run, when so many tasks are done."""
    work = Pool.work

    def watched(pool, function, next_task):
        for k, done in enumerate(work(pool, function, next_task)):
            if k == n_tasks:
                act()
            yield done

    monkeypatch.setattr(Pool, "work", watched)


# --- one machine ----------------------------------------------------------------------------------


def test_counts_are_those_of_the_notebook(run, folder, tmp_path, tone_detector):
    assert run("out") == 1  # two files are no recordings
    recordings = pd.read_parquet(tmp_path / "out" / "results" / "recordings")
    events = pd.read_parquet(tmp_path / "out" / "results" / "events")
    paths = [folder / name for name in CALLS]
    wanted = count_calls(paths, tone_detector, progress=False)
    wanted.events["clip_name"] = wanted.events["clip_name"].map({Path(n).name: n for n in CALLS})
    by_name = recordings.set_index("clip_name")
    assert by_name["call_count"].dropna().to_dict() == {n: len(c) for n, c in CALLS.items()}
    assert sorted(by_name.index) == by_name.index.tolist()
    pd.testing.assert_frame_equal(
        events,
        wanted.events.sort_values(["clip_name", "start_s"], ignore_index=True).round(6),
        check_dtype=False,
    )
    assert by_name["duration_s"]["site/long.wav"] == LONG_S
    errors = pd.read_csv(tmp_path / "out" / "results" / "errors.csv")
    assert errors["file"].tolist() == ["cut.flac", "no sound.wav"]
    assert by_name["call_count"][["cut.flac", "no sound.wav"]].isna().all()


def test_csv_says_the_same(run, tmp_path):
    run("parquet")
    run("csv", "--format", "csv")
    for table in ("recordings", "events"):
        as_csv = pd.read_csv(tmp_path / "csv" / "results" / table / "part-00000.csv")
        if "remarks" in as_csv:
            as_csv["remarks"] = as_csv["remarks"].fillna("")
        pd.testing.assert_frame_equal(
            as_csv,
            pd.read_parquet(tmp_path / "parquet" / "results" / table / "part-00000.parquet"),
            check_dtype=False,
        )


@pytest.fixture
def stereo(folder):
    """A folder of a recording in two parts: channel 2 is inverted, and fails for 100 s."""
    y = tones([100.0, 524.3, 900.0], LONG_S)
    right = -y
    right[500 * RATE : 600 * RATE] = 0
    (folder / "stereo").mkdir()
    sf.write(folder / "stereo" / "night.flac", np.stack([y, right], axis=1), RATE)
    sf.write(folder / "stereo" / "day.wav", tones([2.0], 10.0), RATE)
    return folder / "stereo"


@pytest.mark.parametrize("channel", ["mean", "2", "each"])
def test_channels_and_remarks_of_recordings_in_parts(channel, stereo, model, tmp_path, capsys):
    def run(output):
        options = ["--channel", channel, "--output", str(tmp_path / output)]
        status = count.main([str(stereo), "--model", str(model), *options])
        return status, pd.read_parquet(tmp_path / output / "results" / "recordings")

    status, table = run("out")
    assert list(table.columns[:5]) == [
        "clip_name",
        "duration_s",
        "listened_s",
        "call_count",
        "remarks",
    ]
    assert status == (1 if channel == "2" else 0)  # day.wav has no channel 2
    night = table[table["clip_name"] == "night.flac"].set_index(
        "channel" if channel == "each" else "clip_name"
    )
    if channel == "each":
        assert night["call_count"].to_dict() == {1: 3, 2: 2}
        assert night["listened_s"].to_dict() == {1: LONG_S, 2: LONG_S - 100}
        assert night["remarks"][1] == "" and "zeros for 100 s (at 500 s)" in night["remarks"][2]
        assert table["clip_name"].tolist() == ["day.wav", "night.flac", "night.flac"]
    elif channel == "2":
        assert night["call_count"].item() == 2 and "zeros" in night["remarks"].item()
    else:
        assert "cancel each other" in night["remarks"].item()
        assert "with a remark" in capsys.readouterr().out
    before = contents(tmp_path / "out")
    run("out")  # counts nothing again
    assert contents(tmp_path / "out") == before


def test_counts_of_another_channel_are_not_mixed_with_these(stereo, model, tmp_path, capsys):
    arguments = [str(stereo), "--model", str(model), "--output", str(tmp_path / "out")]
    assert count.main(arguments) == 0
    assert count.main([*arguments, "--channel", "each"]) != 0
    assert "another model or other settings" in capsys.readouterr().err


@pytest.mark.parametrize("channel", ["0", "left", "-1", "1.5"])
def test_what_is_no_channel(channel, run, capsys):
    with pytest.raises(SystemExit):
        run("out", "--channel", channel)
    assert "--channel" in capsys.readouterr().err


def test_damaged_recordings_are_salvaged_in_parts_too(stereo, model, tmp_path, capsys):
    content = bytearray((stereo / "night.flac").read_bytes())
    content[len(content) // 4 : len(content) // 4 + 3000] = bytes(range(250)) * 12
    (stereo / "night.flac").write_bytes(content)

    def run(output, *options):
        options = [*options, "--channel", "each", "--output", str(tmp_path / output)]
        status = count.main([str(stereo), "--model", str(model), *options])
        return status, tmp_path / output / "results"

    status, results = run("plain")
    assert status == 1 and pd.read_csv(results / "damage.csv").empty
    assert pd.read_csv(results / "errors.csv")["file"].tolist() == ["night.flac"] * 2
    status, results = run("salvaged", "--salvage")
    table = pd.read_parquet(results / "recordings").set_index(["clip_name", "channel"])
    night = table.loc["night.flac"]
    assert status == 0 and night["call_count"].to_dict() == {1: 3, 2: 2}
    damage = pd.read_csv(results / "damage.csv")
    assert set(damage["channel"]) == {1, 2} and set(damage["clip_name"]) == {"night.flac"}
    lost = (damage["end_s"] - damage["start_s"])[damage["channel"] == 1].sum()
    assert 0 < lost < 10 and (night["duration_s"] == LONG_S).all()
    assert night["listened_s"][1] == pytest.approx(LONG_S - lost)
    assert night["remarks"].str.contains("the count is partial").all()


def test_what_is_not_read_is_named_and_does_not_fail_the_run(model, tmp_path, capsys):
    sf.write(tmp_path / "a.aiff", tones([2.0], 5.0), RATE)
    for name in ("b.m4a", "c.m4a", "$RECYCLE.BIN/d.wav", "night/e.WAC"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"sound")
    output = ["--output", str(tmp_path / "out")]
    assert count.main([str(tmp_path), "--model", str(model), *output]) == 0
    printed = capsys.readouterr()
    assert "1 calls in 1 of 1 recordings" in printed.out
    errors = pd.read_csv(tmp_path / "out" / "results" / "errors.csv").set_index("file")["reason"]
    assert list(errors.index) == ["*.m4a", "night/*.WAC"]
    assert errors["*.m4a"].startswith("2 files") and "ffmpeg" in errors["*.m4a"]
    assert "Kaleidoscope" in errors["night/*.WAC"]
    assert all(f"{file}: {reason}" in printed.err for file, reason in errors.items())


def test_tables_come_in_parts(run, tmp_path, monkeypatch):
    run("one")
    monkeypatch.setattr("tools.batch.call_counts.ROWS_PER_FILE", 7)
    run("many")
    for table in ("recordings", "events"):
        parts = sorted((tmp_path / "many" / "results" / table).iterdir())
        assert len(parts) == 5
        joined = pd.concat(map(pd.read_parquet, parts), ignore_index=True)
        pd.testing.assert_frame_equal(joined, pd.read_parquet(tmp_path / "one" / "results" / table))


def test_a_second_run_counts_what_is_new_or_changed_or_was_unreadable(
    run, folder, tmp_path, capsys, monkeypatch
):
    run("out")
    first = contents(tmp_path / "out")
    asked = []
    monkeypatch.setattr(
        "tools.batch.call_counts.score_task",
        lambda task, model, score=sys.modules["tools.batch.call_counts"].score_task: (
            asked.append(task.name) or score(task, model)
        ),
    )
    run("out")
    assert sorted(asked) == ["cut.flac", "no sound.wav"] and contents(tmp_path / "out") == first
    assert f"({len(CALLS)} of them earlier)" in capsys.readouterr().out

    asked.clear()
    sf.write(folder / "no sound.wav", tones([3.0], 10.0), RATE)
    sf.write(folder / "clip 03.wav", tones([3.0], 9.0), RATE)
    sf.write(folder / "site" / "new.ogg", tones([3.0, 5.0], 10.0), RATE)
    (folder / "clip 04.wav").unlink()
    (folder / "cut.flac").unlink()
    assert run("out") == 0
    assert sorted(asked) == ["clip 03.wav", "no sound.wav", "site/new.ogg"]
    found = pd.read_parquet(tmp_path / "out" / "results" / "recordings").set_index("clip_name")
    changed = {"clip 03.wav": 1, "no sound.wav": 1, "site/new.ogg": 2}
    wanted = {n: len(c) for n, c in CALLS.items() if n != "clip 04.wav"} | changed
    assert found["call_count"].to_dict() == wanted
    run("fresh")
    assert contents(tmp_path / "fresh") == contents(tmp_path / "out")


def test_parts_of_what_a_recording_was_before_are_not_taken_for_those_of_now(tmp_path):
    with ledger.Ledger(tmp_path / "ledger.sqlite", {}) as kept:
        for identity, n_parts in (("before", 3), ("now", 2)):
            for part in range(n_parts):
                task = Task("a.wav", "/a.wav", identity, part=part)
                score = np.full(2, len(identity) * 10 + part, np.float32)
                kept.add_part(task, n_parts=n_parts, score=score, length=part, found={"n": part})
        assert kept.parts("a.wav", "now") == (2, {0, 1})
        score, length, found = kept.joined("a.wav", "now")
    assert found == [{"n": 0}, {"n": 1}]
    assert score.tolist() == [30, 30, 31, 31] and length == 1


@pytest.mark.parametrize("n_tasks", [1, 33])
def test_a_killed_run_goes_on_and_does_nothing_twice(n_tasks, run, folder, model, tmp_path, capfd):
    run("whole")
    code = f"""
import os, sys
from tools.batch.cluster import Pool
from tools.batch.call_counts import Task
work = Pool.work
def watched(pool, function, next_task):
    for k, done in enumerate(work(pool, function, next_task)):
        if k == {n_tasks}:
            os.kill(os.getpid(), 9)
        yield done
Pool.work = watched
from tools import count
count.main({[str(folder), "--model", str(model), "--output", str(tmp_path / "out")]!r})
"""
    killed = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "out" / "results").exists()
    n_done = []
    with pytest.MonkeyPatch.context() as patch:
        take = sys.modules["tools.batch.call_counts"]._Batch.take
        patch.setattr(
            "tools.batch.call_counts._Batch.take", lambda *of: n_done.append(1) or take(*of)
        )
        run("out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    # Two long recordings have two parts each, and each of two bad files is asked again at most.
    n_all = len(CALLS) + 2 + 2
    assert n_all - n_tasks <= len(n_done) <= n_all - n_tasks + 2


# --- a cluster ------------------------------------------------------------------------------------


def test_a_worker_that_dies_changes_no_byte(run, tmp_path, scheduler, workers, monkeypatch, capsys):
    run("here")
    after(monkeypatch, 5, workers[0].kill)
    assert run("there", "--scheduler", scheduler[0]) == 1
    assert workers[0].wait() == -signal.SIGKILL and workers[1].poll() is None
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert "dashboard http://" in capsys.readouterr().out


def test_a_batch_does_not_take_the_lack_of_workers_for_its_end(monkeypatch):
    class Deserted:  # a client whose workers are all gone for a while
        def nthreads(self):
            return {}

    monkeypatch.setattr(cluster, "CHECK_INTERVAL_S", 0)
    tasks = iter(range(50))
    with ThreadPoolExecutor(1) as executor:
        pool = Pool(executor, client=Deserted())
        done = [future.result() for _, future in pool.work(abs, lambda: next(tasks, None))]
    assert sorted(done) == list(range(50))


def test_a_scheduler_that_dies_loses_nothing(
    run, tmp_path, scheduler, workers, monkeypatch, capsys
):
    run("here")
    after(monkeypatch, 5, scheduler[1].kill)
    assert run("there", "--scheduler", scheduler[0]) == 1
    assert (
        "count: the connection to the scheduler is lost; run the same command again"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "there" / "results").exists()
    monkeypatch.undo()
    run("there")
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert "of them earlier" in capsys.readouterr().out


def test_processes_on_this_machine(run, tmp_path):
    run("here")
    assert run("local", "--scheduler", "local", "--jobs", "2") == 1
    assert contents(tmp_path / "local") == contents(tmp_path / "here")


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
def test_ctrl_c_ends_all_processes_in_a_line(folder, model, tmp_path, request):
    for k in range(3000):  # more than it can count before it is stopped
        os.link(folder / "clip 04.wav", folder / f"more {k}.wav")
    arguments = [folder, "--model", model, "--output", tmp_path / "out", "--scheduler", "local"]
    code = "import sys; from tools.count import main\nif __name__ == '__main__': sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", OBEY_CTRL_C + code, *map(str, arguments)],
        cwd=REPOSITORY,
        start_new_session=True,  # as a terminal does it: its signal reaches all of them
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    request.addfinalizer(process.kill)
    deadline = time.monotonic() + 180
    while not (tmp_path / "out" / "ledger.sqlite").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.1)
    time.sleep(2)
    os.killpg(process.pid, signal.SIGINT)
    _, written = process.communicate(timeout=180)
    assert process.returncode == 130
    assert written.splitlines()[-1] == "count: stopped; run the same command again to continue"
    assert "Traceback" not in written and "WARNING" not in written
    assert not (tmp_path / "out" / "results").exists()


def test_a_recording_that_kills_its_workers_is_listed(run, tmp_path, monkeypatch):
    class KilledWorker(Exception):  # as Dask raises it
        pass

    def deadly(task, model, score=sys.modules["tools.batch.call_counts"].score_task):
        if task.name == "clip 07.wav":
            raise KilledWorker
        if task.name == "clip 08.wav":
            raise MemoryError("too long")
        return score(task, model)

    monkeypatch.setattr("tools.batch.call_counts.score_task", deadly)
    assert run("out") == 1
    errors = pd.read_csv(tmp_path / "out" / "results" / "errors.csv").set_index("file")["reason"]
    assert errors["clip 07.wav"].startswith("every worker that tried it died")
    assert errors["clip 08.wav"] == "MemoryError: too long"
    assert len(errors) == 4


# --- what cannot be done --------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(cluster, "TIMEOUT_S", 2)


def said(capsys):
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("count: ")]
    assert len(lines) == 1
    return lines[0]


def test_one_who_takes_the_call_and_says_nothing(run, impatient, capsys):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        assert run("out", "--scheduler", address) == 2
    assert f"no scheduler answers at {address} (no answer within 2 s)" in said(capsys)


def test_one_who_speaks_another_language(run, impatient, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet():
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].sendall(b"SSH-2.0-OpenSSH_9.2 and more of that\r\n")

        threading.Thread(target=greet, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        assert run("out", "--scheduler", address) == 2
        assert f"no scheduler answers at {address}" in said(capsys)
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "ftp://x"])
def test_a_scheduler_that_is_not_there(address, run, tmp_path, impatient, capsys):
    assert run("out", "--scheduler", address) == 2
    assert f"no scheduler answers at {address}" in said(capsys)
    assert not any((tmp_path / "out").iterdir())


def test_a_scheduler_without_workers(run, tmp_path, scheduler, impatient, capsys):
    assert run("out", "--scheduler", scheduler[0]) == 2
    assert f"{scheduler[0]} has no workers: start some with `dask worker" in said(capsys)
    assert not any((tmp_path / "out").iterdir())


def test_workers_that_do_not_see_the_recordings(scheduler, workers, tmp_path):
    with (
        pytest.raises(UsageError, match="does not find .*elsewhere: every machine must see"),
        cluster.open_pool(scheduler[0], places=[tmp_path / "elsewhere"]),
    ):
        pass


def test_without_dask_it_says_how_to_get_it(run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert run("out", "--scheduler", "local") == 2
    assert "pip install -e '.[cluster]'" in said(capsys)


def test_other_models_and_settings_do_not_mix(run, tmp_path, capsys):
    run("out")
    before = contents(tmp_path / "out")
    capsys.readouterr()
    assert run("out", "--threshold", "0.9") == 2
    assert "holds counts made with another model or other settings" in said(capsys)
    assert contents(tmp_path / "out") == before


def test_what_is_no_output_folder_is_left_alone(run, folder, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    assert run("mine") == 2
    assert "holds other files" in said(capsys)
    assert os.listdir(tmp_path / "mine") == ["thesis.txt"]
    assert run("mine/thesis.txt") == 2
    assert "is not a folder" in said(capsys)
    assert run("mine/thesis.txt/out") in (1, 2)
    said(capsys)


def test_a_ledger_that_is_none_or_in_use(tmp_path):
    (tmp_path / "damaged.sqlite").write_bytes(b"not a ledger" * 100)
    with pytest.raises(UsageError, match="cannot be used"):
        ledger.Ledger(tmp_path / "damaged.sqlite", {})
    with pytest.raises(UsageError, match="cannot be used"):
        ledger.Ledger(tmp_path / "nowhere" / "ledger.sqlite", {})
    with (
        ledger.Ledger(tmp_path / "ledger.sqlite", {"a": 1}),
        pytest.raises(UsageError, match="another run is writing to"),
    ):
        ledger.Ledger(tmp_path / "ledger.sqlite", {"a": 1})


def test_a_folder_or_model_that_is_not_there(run, folder, model, tmp_path, capsys):
    base = ["--output", str(tmp_path / "out")]
    assert count.main([str(tmp_path / "no"), "--model", str(model), *base]) == 2
    assert "is not a folder: give one with recordings" in said(capsys)
    assert count.main([str(folder), "--model", str(tmp_path / "no.keras"), *base]) == 2
    assert "no.keras cannot be read" in said(capsys)
    assert count.main([str(folder), "--model", str(folder / "no sound.wav"), *base]) == 2
    assert "cannot be read as a model" in said(capsys)
    assert not (tmp_path / "out" / "results").exists()


def test_a_score_that_is_no_number_is_listed(run, tmp_path, monkeypatch):
    def broken(task, model, score=sys.modules["tools.batch.call_counts"].score_task):
        outcome = score(task, model)
        return (outcome[0] * np.nan, *outcome[1:]) if task.name == "clip 02.wav" else outcome

    monkeypatch.setattr("tools.batch.call_counts.score_task", broken)
    assert run("out") == 1
    errors = pd.read_csv(tmp_path / "out" / "results" / "errors.csv").set_index("file")["reason"]
    assert len(errors) == 3 and "NaN" in errors["clip 02.wav"]


def test_a_model_that_changes_meanwhile_ends_the_run(run, tmp_path, monkeypatch, capsys):
    def changed(task, model):
        raise models.ModelError("it has changed")

    monkeypatch.setattr("tools.batch.call_counts.score_task", changed)
    assert run("out") == 2
    assert said(capsys) == "count: it has changed"
