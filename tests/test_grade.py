"""Grading: what a submission may look like, do and try, and what it gets for that."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from tools.grading import Assignment, Limits, feedback, grade
from tools.submissions import SubmissionError, checks_of, find_submissions, prepare, read_submission

ROOT = Path(__file__).resolve().parent.parent
COUNTER = "05_capuchin_call_counter"
TRIED = "receptive_field"  # the exercise that the submissions below differ in
LIMITS = Limits(seconds=120, check_seconds=6, memory_mib=1024)


def read(folder):
    return nbformat.read(ROOT / "notebooks" / folder / f"{COUNTER}.ipynb", as_version=4)


def excerpt(notebook):
    """The parameters and three exercises that need no sound and no Keras: quick to run."""
    name = "(receptive_field|find_calls|count_errors)"
    wanted = rf"^def {name}\(|^checks\.\w+\({name}\)$"
    found = [
        cell
        for cell in notebook.cells
        if "parameters" in cell.metadata.get("tags", [])
        or (cell.cell_type == "code" and re.search(wanted, cell.source, re.MULTILINE))
    ]
    start = "import numpy as np\nimport pandas as pd\nfrom helpers import checks\nchecks.start('5')"
    found.insert(1, nbformat.v4.new_code_cell(start))
    notebook.cells = found
    return notebook


ORIGINAL = excerpt(read("exercises"))
NUMBERS = [check.number for check in checks_of(ORIGINAL)]
ASSIGNMENT = Assignment(ORIGINAL, {}, ROOT, LIMITS, hidden=(ROOT / "notebooks",))


def solved():
    return excerpt(read("."))


def position(notebook, text):
    return next(i for i, cell in enumerate(notebook.cells) if text in cell.source)


def with_attempt(source):
    """The solved notebook, but for one exercise."""
    notebook = solved()
    notebook.cells[position(notebook, f"def {TRIED}(")].source = source
    return notebook


def attempt(body):
    return with_attempt(f"def {TRIED}(layers):\n    {body}\n")


EVIL = """
import os, socket, subprocess
from pathlib import Path

outside, done = Path({outside!r}), []
for act in (
    lambda: (outside / "new.txt").write_text("here"),
    lambda: (outside / "victim.txt").unlink(),
    lambda: os.rename(outside / "victim.txt", "mine.txt"),
    lambda: os.symlink(outside, "way out") or Path("way out/new.txt").write_text("here"),
    lambda: os.system(f"touch '{{outside}}/new.txt'"),
    lambda: subprocess.run(["touch", outside / "new.txt"]),
    lambda: socket.create_connection(("127.0.0.1", 9)),
    lambda: os.kill(os.getppid(), 15),
    lambda: Path({notebooks!r}, "source").iterdir().__next__().read_text(),
):
    try:
        act()
        done.append("done")
    except PermissionError:
        done.append("refused")
assert done == ["refused"] * len(done), done
Path("inside.txt").write_text("of its own it may do what it likes")
Path("inside").mkdir()
os.rename("inside.txt", "inside/moved.txt")
"""

COMPILED = """
import ctypes
import soundfile

libc = ctypes.CDLL(None)
for path in ({outside!r} + "/new.wav", "inside.wav"):
    try:
        soundfile.write(path, [0.0] * 100, 8000)
        print("wrote", path)
    except soundfile.LibsndfileError:
        print("no", path)
print("exit status", libc.system(b"touch '" + {outside!r}.encode() + b"/new.txt'"))
"""

FORGED = f"""
from helpers import checks, exercises

exercises.call = lambda *_, **__: None
checks.{TRIED} = lambda attempt: "Exercise 5.5: correct"
def {TRIED}(layers):
    return 0
"""


def submissions(outside):
    """{name: (notebook, points of the one exercise, what the remarks or its message say)}."""
    forged = with_attempt(FORGED)
    forged.cells[position(forged, f"checks.{TRIED}(")].source = "print('Exercise 5.5: correct')"
    without_check = solved()
    del without_check.cells[position(without_check, f"checks.{TRIED}(")]
    evil = EVIL.format(outside=str(outside), notebooks=str(ROOT / "notebooks"))
    deaf = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n    while True: pass"
    flood = "import time\n    while True: print('x' * 10**6), time.sleep(0.02)"
    # Shared memory is not limited by the system, but seen by the watch.
    shared = "import mmap\n    memory = mmap.mmap(-1, 2 << 30)\n"
    shared += "    while memory.write(bytes(1 << 24)): pass"
    return {
        "solved": (solved(), 1, ""),
        "untouched": (excerpt(read("exercises")), 0, "not attempted"),
        "check edited": (forged, 0, "it returns shape ()"),
        "check deleted": (without_check, 1, ""),
        "hangs": (attempt("while True: pass"), 0, "ran longer than 6 s"),
        "hangs for good": (attempt(deaf), 0, "ran longer than 15 s"),
        "exits": (attempt("import os; os._exit(0)"), 0, "ended the interpreter"),
        "exits politely": (attempt("raise SystemExit"), 0, "SystemExit"),
        "wants too much memory": (attempt("return bytearray(10**11)"), 0, "MemoryError"),
        "takes too much memory": (attempt(shared), 0, "needed more than 1024 MiB"),
        "floods": (attempt(flood), 0, "shows too much"),
        "no syntax": (with_attempt(f"def {TRIED}(layers:"), 0, "NameError"),
        "evil": (with_attempt(evil + "\nassert False"), 0, "tried to write to"),
    }


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """{name: (Grade, executed notebook, expected points, expected words)} of all of them."""
    folder = tmp_path_factory.mktemp("submissions")
    outside = tmp_path_factory.mktemp("outside")
    (outside / "victim.txt").write_text("still here")
    cases = submissions(outside)

    def one(name):
        path = folder / f"{name}.ipynb"
        nbformat.write(cases[name][0], path)
        limits = {"hangs for good": {"seconds": 15}, "takes too much memory": {"check_seconds": 50}}
        assignment = replace(ASSIGNMENT, limits=replace(LIMITS, **limits.get(name, {})))
        result, notebook = grade(name, path, assignment)
        return result, notebook, *cases[name][1:]

    with ThreadPoolExecutor(3) as pool:
        results = dict(zip(cases, pool.map(one, cases), strict=True))
    assert [path.name for path in outside.iterdir()] == ["victim.txt"]
    assert (outside / "victim.txt").read_text() == "still here"
    return results


def has_landlock():
    code = "from tools import guard; import sys; sys.exit(not guard.lock_down(['.']))"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.skipif(not has_landlock(), reason="this system has no Landlock")
def test_compiled_code_writes_nowhere_else_either(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    notebook = solved()
    notebook.cells.insert(1, nbformat.v4.new_code_cell(COMPILED.format(outside=str(outside))))
    nbformat.write(notebook, tmp_path / "x.ipynb")
    result, executed = grade("x", tmp_path / "x.ipynb", ASSIGNMENT)
    assert not list(outside.iterdir())
    said = executed.cells[position(executed, "soundfile")].outputs[0].text
    assert said.startswith(f"no {outside}") and "wrote inside.wav" in said
    assert "exit status 0" not in said and "exit status" in said
    assert result.total == 3


@pytest.mark.parametrize("name", submissions(Path()))
def test_a_submission_gets_what_it_deserves(graded, name):
    result, _, points, words = graded[name]
    told = str([result.verdicts, result.remarks])
    assert result.points["5.5"] == points and words in told, told


def test_one_bad_exercise_costs_no_other(graded):
    ended = ("exits", "hangs for good", "takes too much memory", "untouched")
    for name in graded.keys() - ended:
        points = graded[name][0].points
        assert all(points[number] for number in NUMBERS if number != "5.5"), (name, points)


def test_what_is_refused_is_told(graded):
    remarks = " ".join(graded["evil"][0].remarks)
    for what in ("new.txt", "remove", "rename", "start a program", "more things"):
        assert what in remarks
    assert not graded["solved"][0].remarks


def test_feedback_shows_the_verdicts_and_no_script(graded):
    result, executed = graded["evil"][:2]
    result.verdicts["5.5"] = "not yet", "<script>alert(2)</script>"
    output = nbformat.v4.new_output("display_data", {"text/html": "<script>alert(3)</script>"})
    executed.cells[-1].outputs = [output, *executed.cells[-1].outputs]
    page = feedback(result, executed, ASSIGNMENT, titles={"5.5": "Receptive field"})
    assert "evil: 2 of 3 points" in page and "Receptive field" in page and "tried to" in page
    assert "<script" not in page and "&lt;script&gt;alert(2)" in page  # the frame is sandboxed
    assert 'sandbox=""' in page and "alert(3)" in page
    assert "untouched" in feedback(graded["untouched"][0], None, ASSIGNMENT, titles={})


# --- notebooks as they come back ------------------------------------------------------------------


def test_checks_are_put_back_however_an_editor_left_them(tmp_path):
    submission = excerpt(read("exercises"))
    for cell in submission.cells:  # as Colab does it
        cell.metadata = nbformat.from_dict({"id": "abc"})
        cell.id = f"other-{submission.cells.index(cell)}"
    submission.cells.insert(0, nbformat.v4.new_code_cell("!pip install librosa"))
    submission.cells.append(submission.cells[-1])
    prepared = prepare(submission, ORIGINAL)
    nbformat.validate(prepared)
    found = {
        cell.metadata.check: cell.source for cell in prepared.cells if "check" in cell.metadata
    }
    assert found == {check.number: check.cell.source for check in checks_of(ORIGINAL)}


@pytest.mark.parametrize(
    "content", [b"", b"hello", b'{"a": 1}', b'{"cells": 3}', b"\xff\xfe", b"[]"]
)
def test_what_is_no_notebook_is_told(tmp_path, content):
    path = tmp_path / "x.ipynb"
    path.write_bytes(content)
    with pytest.raises(SubmissionError, match="notebook"):
        read_submission(path)


def test_students_are_named_by_folder_or_file(tmp_path):
    names = (
        "ann.ipynb",
        "bob/05.ipynb",
        "çem/a.ipynb",
        "çem/b.ipynb",
        "eve/.ipynb_checkpoints/x.ipynb",
    )
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list(find_submissions(tmp_path)) == ["ann", "bob", "çem/a", "çem/b"]


# --- the command ----------------------------------------------------------------------------------
