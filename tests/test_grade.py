"""Grading: what a submission may look like, do and try, and what it gets for that."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from tools.grade import Gradebook, grade_all, write_scores
from tools.grading.scoring import Assignment, Limits, feedback, grade
from tools.grading.submissions import (
    SubmissionError,
    checks_of,
    find_submissions,
    prepare,
    read_submission,
    suspicions,
)

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
    start = "import numpy as np\nimport pandas as pd\nfrom helpers import exercises as checks\n"
    start += "checks.start('5')"
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
print("hidden", libc.open({notebook!r}.encode(), 0))
print("exit status", libc.system(b"touch '" + {outside!r}.encode() + b"/new.txt'"))
"""

FORGED = f"""
from helpers import exercises as checks
from helpers.exercises import engine

engine.call = lambda *_, **__: None
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
        "floods": (attempt(flood), 0, "output is too long"),
        "no syntax": (with_attempt(f"def {TRIED}(layers:"), 0, "NameError"),
        "evil": (with_attempt(evil + "\nassert False"), 0, "tried to write to"),
    }


def merged():
    """Function and check in one cell, as Shift-M leaves them."""
    notebook = solved()
    check = notebook.cells.pop(position(notebook, f"checks.{TRIED}("))
    notebook.cells[position(notebook, f"def {TRIED}(")].source += f"\n\n{check.source}"
    return notebook


def redone_below():
    """The untouched exercise at the top; its solution and a copy of its check at the end."""
    notebook, stub = solved(), excerpt(read("exercises"))
    right = notebook.cells[position(notebook, f"def {TRIED}(")]
    wrong = stub.cells[position(stub, f"def {TRIED}(")]
    check = notebook.cells[position(notebook, f"checks.{TRIED}(")]
    notebook.cells[position(notebook, f"def {TRIED}(")] = wrong
    notebook.cells += [right, nbformat.from_dict(dict(check))]
    return notebook


def with_cell(source, kind="code", **fields):
    notebook = solved()
    insert(notebook, source, kind, **fields)
    return notebook


def insert(notebook, source, kind="code", **fields):
    new = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
    notebook.cells.insert(1, new(source))
    notebook.cells[1].update(nbformat.from_dict(fields))


def odd_cells():
    """A program called, an attachment that is not there, no mark, half a character, and more."""
    notebook = solved()
    insert(notebook, WIDGETS)
    insert(notebook, "!pip install librosa\nimport numpy as np")
    insert(notebook, "![x](attachment:x.png)", "markdown")
    insert(notebook, "1", metadata={"nbgrader": None, "tags": None, "collapsed": "no"})
    insert(notebook, "x = 'a\udcff'")
    insert(notebook, "1", metadata={"tags": ["skip-execution"]})
    insert(notebook, "![a](" * 20000, "markdown")
    return notebook


def executed_elsewhere():
    """With counts and outputs that it came with; and it ends the interpreter."""
    notebook = solved()
    notebook.cells.append(nbformat.v4.new_code_cell("import os; os._exit(0)"))
    notebook.cells.append(nbformat.v4.new_code_cell("1"))
    for count, cell in enumerate(notebook.cells, 1):
        cell.execution_count = count
    return notebook


WIDGETS = """
from ipywidgets import interact

@interact(x=3)
def show(x):
    print(x)
"""

# {name: notebook} of students who have done nothing wrong.
INNOCENT = {
    "a check merged with its function": merged,
    "an answer given again further down": redone_below,
    "odd cells": odd_cells,
}
ENDED = "=1+1\n" + 100 * "x"


@pytest.fixture(scope="module")
def pile(tmp_path_factory):
    """A pile of submissions, graded as the command does it: (gradebook, {student: Grade})."""
    folder = tmp_path_factory.mktemp("pile")
    notebooks = {name: make() for name, make in INNOCENT.items()}
    notebooks[ENDED] = executed_elsewhere()
    paths = {}
    for i, (name, notebook) in enumerate(notebooks.items()):
        paths[name] = folder / f"{i}.ipynb"
        text = json.dumps({**notebook, "nbformat_minor": 4})  # the ids are one too new for that
        paths[name].write_bytes(b"\xef\xbb\xbf" + text.encode())
    paths["gone"] = folder / "gone.ipynb"
    book = Gradebook(tmp_path_factory.mktemp("feedback"), ASSIGNMENT)
    return book, paths, grade_all(paths, book, workers=3)


@pytest.mark.parametrize("name", INNOCENT)
def test_nobody_loses_points_for_how_a_notebook_was_made(pile, name):
    result = pile[2][name]
    assert result.total == 3 and result.is_whole and not result.remarks, result
    assert pile[0].page(name).exists()


def test_one_that_cannot_be_graded_costs_the_others_nothing(pile, tmp_path):
    book, paths, grades = pile
    assert list(grades) == list(paths)
    assert grades["gone"].total == 0 and "cannot be opened" in grades["gone"].remarks[0]
    assert "ended the interpreter" in grades[ENDED].remarks[0] and grades[ENDED].total == 3
    write_scores(tmp_path / "scores.csv", grades, ASSIGNMENT)
    rows = (tmp_path / "scores.csv").read_text().splitlines()
    assert len(rows) == len(paths) + 1 and any(row.startswith("'=1+1?xxx") for row in rows)


def test_what_is_graded_is_not_graded_again(pile, monkeypatch):
    book, paths, grades = pile
    monkeypatch.setattr("tools.grade.grade", lambda *_, **__: pytest.fail("it was graded again"))
    name = "odd cells"
    assert book.grade(name, paths[name]) == grades[name]


CHEATS = (
    "import json; old = json.dumps; json.dumps = lambda d, *a, **k: old(d, *a, **k)",
    "import sys\ndef f(x): return sys._getframe(2).f_locals",
    "import numpy as np\nnp.allclose = lambda *a, **k: True",
)


@pytest.mark.parametrize("source", CHEATS)
def test_what_looks_like_tampering_is_shown_to_the_teacher(source):
    notebook = prepare(with_cell(source), ORIGINAL)
    assert suspicions(notebook, ORIGINAL)
    harmless = prepare(with_cell("pd.options.display.max_rows = 9"), ORIGINAL)
    assert not suspicions(harmless, ORIGINAL)
    whole = read("exercises")
    assert not suspicions(prepare(read("."), whole), whole)


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
    code = "from tools.grading.guarded_kernel import lock_down; exit(not lock_down(['.']))"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.mark.skipif(not has_landlock(), reason="this system has no Landlock")
def test_compiled_code_writes_nowhere_else_either(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    secret = ROOT / "notebooks" / f"{COUNTER}.ipynb"
    source = COMPILED.format(outside=str(outside), notebook=str(secret))
    notebook = solved()
    notebook.cells.insert(1, nbformat.v4.new_code_cell(source))
    nbformat.write(notebook, tmp_path / "x.ipynb")
    result, executed = grade("x", tmp_path / "x.ipynb", ASSIGNMENT)
    assert not list(outside.iterdir())
    said = executed.cells[position(executed, "soundfile")].outputs[0].text
    assert said.startswith(f"no {outside}") and "wrote inside.wav" in said
    assert "hidden -1" in said and "exit status 0" not in said and "exit status" in said
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


def test_what_grading_stumbles_over_costs_one_submission(tmp_path, monkeypatch):
    def stumble(*_, **__):
        raise RuntimeError

    monkeypatch.setattr("tools.grade.grade", stumble)
    nbformat.write(solved(), tmp_path / "a.ipynb")
    book = Gradebook(tmp_path / "feedback", ASSIGNMENT)
    result = grade_all({"a": tmp_path / "a.ipynb"}, book, workers=1)["a"]
    assert set(result.points) == set(NUMBERS) and result.total == 0
    assert "RuntimeError" in result.remarks[0]
