"""tools/run.py: what it runs, refuses, finds out afterwards, and leaves behind."""

import json
import os
import signal
import sys
import time

import nbformat
import psutil
import pytest
from nbformat.v4 import new_notebook
from tiny_series import (
    COUNT,
    METRICS,
    PARAMETERS,
    REPOSITORY,
    rows_of,
    started,
    write_helpers,
    write_notebook,
)

from tools.pages import human_memory, human_seconds, human_value
from tools.run import main
from tools.running.notebook_errors import WIDGETS, find_error
from tools.running.notebook_job import read_metrics
from tools.series.parameters import ParameterError, parse_value


def read_summary(output):
    return {row["notebook"]: row for row in rows_of(output)}


PICTURE = """
import base64
from IPython.display import Image, display
display(Image(data=base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)))
"""
WIDGET = """
from ipywidgets import Output
with Output() as out:
    raise KeyError("in the widget")
out
"""


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """One run over a notebook that is well and one for each way of going wrong."""
    root = tmp_path_factory.mktemp("series")
    write_helpers(root, "ANSWER = 42\n")
    write_notebook(root, "01_error", "1 / 0", METRICS)
    write_notebook(root, "02_exit", METRICS, "import sys\nsys.exit(0)", "print('never')")
    write_notebook(root, "03_widget", METRICS, WIDGET)
    write_notebook(root, "04_no_metrics", "1")
    write_notebook(root, "05_killed", "import os\nos.kill(os.getpid(), 9)", METRICS)
    write_notebook(
        root,
        "06_well",
        PICTURE,
        "import helpers, os, sys\nprint(helpers.ANSWER, sys.executable, os.getcwd())",
        METRICS,
    )
    # A kernel that someone installed under the usual name must not be the one that runs.
    kernel = root / "jupyter" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text('{"argv": ["false"], "display_name": "other", "language": "python"}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(root / "jupyter"))
        status = main(["--output", str(root / "out"), "--jobs", "2"], root=root)
    return root, status


def test_failing_notebooks_do_not_stop_the_others(batch):
    root, status = batch
    rows = read_summary(root / "out")
    assert status == 1
    assert list(rows) == sorted(rows) and len(rows) == 6
    assert [name for name, row in rows.items() if row["status"] == "ok"] == ["06_well"]


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        (
            "01_error",
            ["ZeroDivisionError: division by zero in cell [3] `1 / 0`", "1 code cell after it"],
        ),
        ("02_exit", ["SystemExit: 0 in cell", "1 code cell after it never ran"]),
        ("03_widget", ["KeyError: 'in the widget' inside a widget"]),
        ("04_no_metrics", ["no metrics.json"]),
        # Whether the kernel could still say that the fatal cell began is a matter of luck.
        ("05_killed", ["the kernel died", "never ran, beginning with `import "]),
    ],
)
def test_every_fault_is_found_and_named(batch, name, reasons):
    root, _ = batch
    row = read_summary(root / "out")[name]
    assert row["status"] == "failed"
    for reason in reasons:
        assert reason in row["reason"]
    assert not (root / "out" / name / "complete.json").exists()
    assert (root / "out" / name / f"{name}.ipynb").exists()


def test_a_good_run_is_measured_and_kept(batch):
    root, _ = batch
    row = read_summary(root / "out")["06_well"]
    assert row["reason"] == "" and row["score"] == "0.98765" and row["dataset"] == "tiny"
    assert float(row["seconds"]) > 0 and float(row["peak_memory_mib"]) > 20
    folder = root / "out" / "06_well"
    assert {path.name for path in folder.iterdir()} == {
        "06_well.ipynb",
        "06_well.html",
        "metrics.json",
        "complete.json",
    }
    executed = nbformat.read(folder / "06_well.ipynb", as_version=4)
    assert executed.metadata.papermill.input_path == "notebooks/06_well.ipynb"
    assert f"42 {sys.executable} {root}" in executed.cells[4].outputs[0].text


def test_page_shows_the_run_and_needs_nothing_else(batch):
    root, _ = batch
    page = (root / "out" / "index.html").read_text(encoding="utf-8")
    assert "1 of 6 notebooks ok" in page
    assert "division by zero" in page
    assert 'href="06_well/06_well.html"' in page
    assert page.count("data:image/png;base64,") == 1
    assert "0.988" in page and "0.98765" not in page
    assert "<script" not in page and 'src="http' not in page


BAR = """
import sys, time
from helpers import parallel
for step in range(10_000):
    sys.stdout.write(f"\\r{step + 1} of 10000")
    if step % 100 == 0:
        sys.stdout.flush()
print()
for _ in (bar := parallel.progress_bar(range(3), desc="slow")):
    time.sleep(0.6)
"""
LOOK = """
import json, pathlib
cells = json.loads(pathlib.Path(OUTPUT_DIR, ".01_bar.part.ipynb").read_text())["cells"]
outputs = next(cell["outputs"] for cell in cells if "10_000" in "".join(cell["source"]))
shown = "".join(text for output in outputs for text in output["text"])
pathlib.Path(OUTPUT_DIR, "shown.txt").write_text(f"{len(outputs)}\\n{shown}")
print("before")
display(1)
print("after", bar.mininterval)
"""


def test_of_a_progress_bar_the_unfinished_copy_keeps_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr("tools.running.notebook_job.SAVE_EVERY_S", 0)
    (tmp_path / "helpers").symlink_to(REPOSITORY / "helpers")
    write_notebook(tmp_path, "01_bar", BAR, LOOK, METRICS)
    assert main(["--output", str(tmp_path / "out")], root=tmp_path) == 0
    folder = tmp_path / "out" / "01_bar"
    n_outputs, *lines = (folder / "shown.txt").read_text().strip().splitlines()
    assert n_outputs == "1" and lines[0] == "10000 of 10000" and len(lines) == 2
    assert "slow: 100%" in lines[1]
    executed = nbformat.read(folder / "01_bar.ipynb", as_version=4)
    texts = [output.get("text", "").strip() for output in executed.cells[-2].outputs]
    assert texts == ["before", "", "after 10.0"], "other outputs keep their order"


def test_the_page_is_written_anew_after_each_notebook(tmp_path):
    write_helpers(tmp_path)
    look = "import pathlib, shutil\nrun = pathlib.Path(OUTPUT_DIR).parent\n"
    look += "for name in ('index.html', 'summary.csv'): shutil.copy(run / name, OUTPUT_DIR)"
    for name in ("01_first", "02_second", "03_third"):
        write_notebook(tmp_path, name, look, METRICS)
    output = tmp_path / "out"
    assert main(["--output", str(output)], root=tmp_path) == 0
    states = [row["status"] for row in rows_of(output / "02_second")]
    assert states == ["ok", "running", "waiting"]
    page = (output / "02_second" / "index.html").read_text(encoding="utf-8")
    assert 'href="01_first/01_first.html"' in page and "1 of 3 notebooks ok" in page
    assert "02_second.html" not in page and "reload" in page
    assert "reload" not in (output / "index.html").read_text(encoding="utf-8")


def test_run_again_skips_what_is_complete(tmp_path, capsys):
    write_helpers(tmp_path)
    write_notebook(tmp_path, "01_count", COUNT, METRICS)
    output = tmp_path / "out"

    def run(*more):
        assert main(["01", "--output", str(output), *more], root=tmp_path) == 0
        return (tmp_path / "count.txt").read_text()

    assert run() == "x"
    before = read_summary(output)
    assert run() == "x"
    assert read_summary(output) == before
    assert run("-p", "SEED", "1") == "xx", "other parameters"
    assert read_summary(output)["01_count"]["seed"] == "1"
    write_helpers(tmp_path, "CHANGED = True")
    assert run("-p", "SEED", "1") == "xxx", "other helpers"
    (tmp_path / "helpers" / "names.csv").write_text("a,b")
    assert run("-p", "SEED", "1") == "xxxx", "another table of the helpers"
    for n, damaged in enumerate(("{", '"text"', "3", "[]"), start=5):
        (output / "01_count" / "complete.json").write_text(damaged)
        assert run("-p", "SEED", "1") == n * "x", "a damaged record"
    assert capsys.readouterr().out.strip().endswith("index.html")


def test_run_again_after_the_input_changed_runs_again(tmp_path, capsys):
    write_helpers(tmp_path)
    write_notebook(tmp_path, "01_count", COUNT, METRICS)
    sounds = tmp_path / "sounds"
    sounds.mkdir()

    def run():
        given = ["-p", "DATA_DIR", str(sounds), "--output", str(sounds / "out")]
        assert main(["01", *given], root=tmp_path) == 0
        return (tmp_path / "count.txt").read_text()

    assert run() == "x"
    capsys.readouterr()
    assert run() == "x", "what the run itself wrote is no change"
    assert "complete already" in capsys.readouterr().out
    (sounds / "a.wav").write_bytes(b"better")
    assert run() == "xx"
    assert "complete already" not in capsys.readouterr().out


@pytest.mark.parametrize("place", ["", "model.keras"])
def test_a_run_does_not_clear_away_its_own_input(tmp_path, capsys, place):
    write_helpers(tmp_path)
    write_notebook(tmp_path, "01_first", METRICS, parameters=PARAMETERS + '\nMODEL_PATH = ""')
    output = tmp_path / "out"
    (output / "01_first").mkdir(parents=True)
    model = output / "01_first" / "model.keras"
    model.write_text("hours of training")
    (output / "run.json").write_text("{}")
    name = "MODEL_PATH" if place else "DATA_DIR"
    given = ["-p", name, str(output / "01_first" / place), "--output", str(output)]
    assert main(["01", *given], root=tmp_path) == 2
    assert f"{name} lies in" in capsys.readouterr().err
    assert model.read_text() == "hours of training"


def test_values_reach_the_notebook_as_they_were_meant(tmp_path, monkeypatch):
    write_notebook(
        tmp_path,
        "01_echo",
        "import json\nvalues = [DATA_DIR, OUTPUT_DIR, LABEL, RATES, RATE]\n"
        "with open('values.json', 'w') as file: json.dump(values, file)",
        METRICS,
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    arguments = ["-p", "DATA_DIR", "my data", "-p", "LABEL", "a=b=c", "-p", "RATES", "[2, 0.5]"]
    status = main(["1", *arguments, "-p", "RATE", "1e-3", "--output", "out"], root=tmp_path)
    assert status == 0
    assert json.loads((tmp_path / "values.json").read_text()) == [
        "elsewhere/my data",
        "elsewhere/out/01_echo",
        "a=b=c",
        [2, 0.5],
        0.001,
    ]


@pytest.fixture
def series(tmp_path):
    write_notebook(tmp_path, "01_first", METRICS)
    write_notebook(tmp_path, "02_second", METRICS, parameters=PARAMETERS + "\nEPOCHS = 9")
    (tmp_path / "notebooks" / "runs.yaml").write_text(
        "smoke: {02_second: {EPOCHS: 2}}\n"
        "typo: {02_second: {EPOCH: 2}}\n"
        "gone: {03_third: {EPOCHS: 2}}\n"
        "text: {02_second: {EPOCHS: many}}\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["07"], ["unknown notebook '07'", "Known: 01_first, 02_second"]),
        (["02_secnd"], ["Did you mean 02_second?"]),
        (["02", "-p", "EPOCH", "3"], ["unknown parameter 'EPOCH'", "mean EPOCHS?", "LABEL"]),
        (["-p", "EPOCHS", "3"], ["01_first: unknown parameter 'EPOCHS'"]),
        (["-p", "OUTPUT_DIR", "x"], ["use --output"]),
        (["-p", "SEED", "many"], ["SEED must be a number, got 'many'"]),
        (["-p", "RATES", "3"], ["RATES must be a list"]),
        (["-p", "RATES", "[1"], ["RATES: '[1' is not YAML"]),
        (["--profile", "smok"], ["unknown profile 'smok'. Did you mean smoke?"]),
        (["--profile", "typo"], ["02_second: unknown parameter 'EPOCH'"]),
        (["--profile", "gone"], ["profile gone: unknown notebook '03_third'"]),
        (["--profile", "text"], ["EPOCHS must be a number"]),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(
    series, capsys, monkeypatch, arguments, messages
):
    monkeypatch.setattr("tools.run.execute", lambda *_, **__: pytest.fail("something ran"))
    assert main(arguments, root=series) == 2
    error = capsys.readouterr().err
    for message in messages:
        assert message in error
    assert not (series / "runs").exists()


def test_annotated_parameters_are_refused(tmp_path, capsys):
    write_notebook(tmp_path, "01_first", parameters=PARAMETERS + "\nEPOCHS: int = 3")
    assert main(["-p", "EPOCHS", "1"], root=tmp_path) == 2
    assert "line 7: `EPOCHS: int = 3` is annotated" in capsys.readouterr().err


def test_a_folder_with_other_files_is_not_taken(series, capsys):
    (series / "music").mkdir()
    (series / "music" / "song.ogg").write_text("la")
    assert main(["--output", str(series / "music")], root=series) == 2
    assert "holds other files" in capsys.readouterr().err
    assert [path.name for path in (series / "music").iterdir()] == ["song.ogg"]


def test_list_shows_parameters_and_profiles(series, capsys):
    (series / "notebooks" / "runs.yaml").write_text("smoke: {02_second: {EPOCHS: 2}}")
    assert main(["--list"], root=series) == 0
    out = capsys.readouterr().out
    assert "01_first\n" in out and "EPOCHS = 9  (smoke: 2)\n" in out


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_whole_files_and_goes_on_later(tmp_path, request, stop):
    slow = "import os, pathlib, time\npathlib.Path('started').write_text(str(os.getpid()))\n"
    wait = "while not pathlib.Path('go').exists(): time.sleep(0.1)"
    write_notebook(tmp_path, "01_quick", COUNT, METRICS)
    write_notebook(tmp_path, "02_slow", METRICS, slow + wait)
    write_notebook(tmp_path, "03_later", METRICS)
    process = started(["--output", "out"], request, root=tmp_path)
    deadline = time.monotonic() + 180
    while not (tmp_path / "started").exists() or not (tmp_path / "started").read_text():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(stop)
    printed, _ = process.communicate(timeout=180)
    assert process.returncode == 130
    assert printed.decode().strip().splitlines()[-1].endswith(os.path.join("out", "index.html"))
    kernel = int((tmp_path / "started").read_text())
    assert not psutil.pid_exists(kernel) or psutil.Process(kernel).status() == "zombie"
    rows = read_summary(tmp_path / "out")
    assert {name: row["status"] for name, row in rows.items()} == {
        "01_quick": "ok",
        "02_slow": "interrupted",
        "03_later": "not run",
    }
    assert not list((tmp_path / "out").rglob("*.part*"))
    assert not (tmp_path / "out" / "02_slow" / "complete.json").exists()
    if stop == signal.SIGINT:
        (tmp_path / "go").touch()
        assert main(["--output", str(tmp_path / "out")], root=tmp_path) == 0
        assert (tmp_path / "count.txt").read_text() == "x"


@pytest.mark.parametrize(
    ("text", "default", "value"),
    [
        ("[1, 2]", [0], [1, 2]),
        ("3", 1, 3),
        ("0.25", 1, 0.25),
        ("1e-3", 0.1, 0.001),
        ("true", False, True),
        ("no", "", "no"),
        ("007", "", "007"),
        ("", "x", ""),
        ("a=b", "", "a=b"),
        ("C: a: b", "", "C: a: b"),
        ("{a: 1}", {}, {"a": 1}),
    ],
)
def test_parse_value(text, default, value):
    assert parse_value("NAME", text, default=default) == value


@pytest.mark.parametrize(("text", "default"), [("yes", 1), ("3", True), ("x", 0.5), ("", 1)])
def test_parse_value_refuses_another_kind(text, default):
    with pytest.raises(ParameterError, match="NAME must be"):
        parse_value("NAME", text, default=default)


def test_a_traceback_printed_inside_a_widget_is_a_fault():
    text = "Traceback (most recent call last):\n  ...\nOSError: no microphone\n"
    outputs = [{"output_type": "stream", "name": "stderr", "text": text}]
    state = {"state": {"id": {"state": {"outputs": outputs}}}}
    notebook = new_notebook(metadata={"widgets": {WIDGETS: state}})
    assert find_error(notebook) == "OSError: no microphone inside a widget"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not valid JSON"),
        ("[]", "must hold one object"),
        ('{"dataset": "d", "source": "local"}', "lacks seed"),
        ('{"dataset": "d", "source": "here", "seed": 0}', "source must be one of"),
        ('{"dataset": "d", "source": "local", "seed": 0, "f1": NaN}', "write null"),
        ('{"dataset": "d", "source": "local", "seed": 0, "f1": [1]}', "these are not: f1"),
    ],
)
def test_metrics_that_break_the_contract_are_refused(tmp_path, text, reason):
    (tmp_path / "metrics.json").write_text(text)
    metrics, fault = read_metrics(tmp_path)
    assert metrics == {} and reason in fault


def test_numbers_are_written_for_people():
    assert [human_seconds(s) for s in (3.21, 12, 83, 5000)] == [
        "3.2 s",
        "12 s",
        "1 min 23 s",
        "1 h 23 min",
    ]
    assert [human_memory(m) for m in (256, 1536)] == ["256 MiB", "1.5 GiB"]
    assert [human_value(v) for v in (0.98765, 12345, 2.0, True, None, "mel")] == [
        "0.988",
        "12,345",
        "2",
        "yes",
        "–",
        "mel",
    ]
