"""Run one submission in a guarded kernel within limits, score it, and write feedback about it."""

import copy
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError
from nbconvert import HTMLExporter
from papermill.translators import PythonTranslator

from helpers import env, files
from helpers.exercises.engine import COLOURS, CORRECT, NOT_YET
from tools.grading import submissions
from tools.pages import render
from tools.running.kernels import (
    THREADS,
    Kernels,
    PeakMemory,
    kernel_environment,
    kernel_manager,
    kill,
)
from tools.running.notebook_errors import first_error

MAX_OUTPUT = 30 * 2**20  # characters of a notebook's outputs; the solved one has 5 million
MAX_TEXT = 8000  # characters of one text on a page: rendering time grows with their square
# Of the teacher's environment, which may hold secrets, a kernel gets only what programs need.
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT", "KERAS_BACKEND",
                  "JAX_DISABLE_MOST_OPTIMIZATIONS", "XLA_FLAGS", *THREADS)  # fmt: skip
CACHES = ("NUMBA_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR")  # of compiled code
REFEREE = '__import__("grading_referee")'  # see guarded_kernel.py
KERNEL = Path(__file__).with_name("guarded_kernel.py")


@dataclass(frozen=True)
class Limits:
    """Limits of one submission: seconds in all, seconds of each check, and memory in MiB.

    An allocation beyond memory_mib fails; with a quarter more, the kernel is killed.
    """

    seconds: float = 900.0
    check_seconds: float = 60.0
    memory_mib: int = 4096


@dataclass(frozen=True)
class Assignment:
    """What is graded, and how.

    original: the exercise notebook as handed out. parameters: values for its parameters cell. root:
    the repository. hidden: folders that submissions cannot read. home: a folder that is copied as
    the home of each submission, with what libraries keep there; None: an empty one. threads: of a
    kernel's libraries; None: the libraries' choice.
    """

    original: dict
    parameters: dict
    root: Path
    limits: Limits = Limits()
    hidden: tuple = ()
    home: Path | None = None
    threads: int | None = None

    @cached_property
    def checks(self):
        return submissions.checks_of(self.original)

    @property
    def max_points(self):
        return sum(check.points for check in self.checks)


@dataclass
class Grade:
    """The grade of a submission.

    verdicts: {exercise number: (status, message)}. points: {exercise number: points}. remarks: for
    the teacher. is_whole: all cells and all checks ran.
    """

    student: str
    verdicts: dict = field(default_factory=dict)
    points: dict = field(default_factory=dict)
    remarks: list = field(default_factory=list)
    seconds: float = 0.0
    peak_memory_mib: float = 0.0
    is_whole: bool = False

    @property
    def total(self):
        return sum(self.points.values())


def grade(student, path, assignment, *, writable=(), keep=None, kernels=None):
    """Run and score one submission; any submission gets a `Grade`, whatever it does.

    writable: folders that it may write to, beside its own (for our own solution). keep: folder for
    copies of "output" (its OUTPUT_DIR) and "home"; None: not kept. kernels: a `Kernels` that can
    stop it. Returns (Grade, executed notebook), or (Grade, None) if it could not be read.
    """
    result, notebook, events = Grade(student), None, []
    try:
        notebook = submissions.prepare(submissions.read_submission(path), assignment.original)
    except submissions.SubmissionError as error:
        result.remarks.append(str(error))
    if notebook is not None:
        found = submissions.suspicions(notebook, assignment.original)
        result.remarks += [f"look at its code: {line}" for line in found[:5]]
        place = Path(tempfile.mkdtemp(prefix="grading-"))
        try:
            events = _run(notebook, result, assignment, place, writable, kernels or Kernels())
            if keep:
                shutil.rmtree(keep, ignore_errors=True)
                for folder in ("output", "home"):
                    if (source := place / "work" / folder).is_dir():
                        shutil.copytree(source, keep / folder, symlinks=True)
        finally:
            _remove(place)
    cells = {cell.metadata.get("check"): cell for cell in notebook.cells} if notebook else {}
    for check in assignment.checks:
        verdict = NOT_YET, _why_not_judged(cells.get(check.number), assignment.limits)
        for event in events:
            if event.get("exercise") == check.number and verdict[0] != CORRECT:
                verdict = event["status"], event["message"]
        result.verdicts[check.number] = verdict
        result.points[check.number] = check.points if verdict[0] == CORRECT else 0
    judged = {event.get("exercise") for event in events}
    result.is_whole &= all(check.number in judged for check in assignment.checks)
    refused = [event["refused"] for event in events if "refused" in event]
    result.remarks += [f"it tried to {action}" for action in refused[:5]]
    if len(refused) > 5:
        result.remarks.append(f"it tried {len(refused) - 5} more things that are not allowed")
    return result, notebook


def _remove(place):
    """Remove a submission's folder, and kill the processes that it has left behind."""
    for process in psutil.process_iter(["cmdline"]):
        if any(str(place) in part for part in process.info["cmdline"] or ()):
            kill(process.pid)
    try:
        shutil.rmtree(place, ignore_errors=True)
    except RecursionError:  # a submission can nest folders without limit
        subprocess.run(["rm", "-rf", str(place)], check=False)


def _why_not_judged(cell, limits):
    """Why an exercise has no verdict. cell: the cell of its check, or None."""
    if cell is None or cell.get("execution_count") is None:
        return "its check did not run"
    error = first_error(cell)
    if error.startswith("KeyboardInterrupt"):
        return f"its check ran longer than {limits.check_seconds:.0f} s and was stopped"
    return f"its check failed: {error}" if error else "its check did not finish"


def _run(notebook, result, assignment, place, writable, kernels):
    """Execute a prepared notebook in `place`, and complete the `Grade`; returns recorded events."""
    limits, secret = assignment.limits, secrets.token_hex()
    parameters = PythonTranslator.codify(assignment.parameters | {"OUTPUT_DIR": "output"})
    position = submissions.parameters_cell(notebook) + 1
    notebook.cells.insert(position, nbformat.v4.new_code_cell(parameters))
    for cell in notebook.cells:
        if cell.metadata.get("check"):
            cell.source = submissions.CHECK.sub(rf"{REFEREE}.\1(\2)", cell.source)
    environment = _prepare_place(place, assignment, secret, writable)
    started = time.monotonic()
    with PeakMemory(kernels, limit_mib=1.25 * limits.memory_mib) as memory:
        client = _Client(
            notebook,
            timeout_func=lambda cell: limits.check_seconds if cell.metadata.get("check") else -1,
            interrupt_on_timeout=True,
            allow_errors=True,
            skip_cells_with_tag="",
            kernel_manager_class=kernel_manager(
                cwd=place / "work",
                environment=environment,
                on_start=memory.watch,
                program=[str(place / KERNEL.name)],
                is_alone=True,
            ),
        )
        timer = threading.Timer(limits.seconds, lambda: kill(memory.pid))
        timer.start()
        try:
            client.execute()
        except DeadKernelError:
            pass  # the cells that did not run show it
        except Exception as error:  # of any kind: the other submissions are still graded
            result.remarks.append(f"it could not be run: {type(error).__name__}")
        finally:
            timer.cancel()
            kill(memory.pid)
            notebook.metadata.pop("widgets", None)
    result.seconds = round(time.monotonic() - started, 1)
    result.peak_memory_mib = round(memory.peak_mib)
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    n_missing = sum(cell.get("execution_count") is None for cell in code)
    result.is_whole = not n_missing
    if n_missing:
        reason = "it ended the interpreter"
        if memory.peak_mib > 0.9 * limits.memory_mib:  # near the limit, libraries fail in many ways
            reason = f"it needed more than {limits.memory_mib} MiB"
        elif result.seconds >= limits.seconds:
            reason = f"it ran longer than {limits.seconds:.0f} s"
        result.remarks.append(f"{reason}: {n_missing} of {len(code)} code cells did not run")
    if client.is_flooded:
        result.remarks.append("its output is too long: not all of it was kept")
    sources = {check.number: check.cell.source for check in assignment.checks}
    for cell in notebook.cells:  # shown with the check that the student knows
        cell.source = sources.get(cell.metadata.get("check"), cell.source)
    return list(_read_record(place / "record", secret))


def _prepare_place(place, assignment, secret, writable):
    """Copy the package for one submission, and write the kernel's settings; returns variables."""
    work = place / "work"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(assignment.root / "helpers", work / "helpers", ignore=ignore)
    (work / "notebooks").mkdir()  # by this folder, `helpers` recognises a repository
    if assignment.home and assignment.home.is_dir():
        shutil.copytree(assignment.home, work / "home", symlinks=True)
    else:
        (work / "home").mkdir()
        env.copy_compiled_librosa(work / "home")
    shutil.copy(KERNEL, place)  # a copy, because libraries read the file of the running program
    settings = {
        "writable": [str(work), *map(str, writable)],
        "hidden": [str(folder) for folder in assignment.hidden],
        "chapter": assignment.checks[0].number.split(".")[0],
        "memory_mib": assignment.limits.memory_mib,
        "record": str(place / "record"),
        "secret": secret,
    }
    (place / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    return {
        **{name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
        **kernel_environment(root=work, threads=assignment.threads),
        **dict.fromkeys(("HOME", "IPYTHONDIR", *CACHES, "TMPDIR"), str(work / "home")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "AUDIO_SAMPLE_DIR": os.environ.get("AUDIO_SAMPLE_DIR", str(assignment.root)),
        "GUARD": str(place / "settings.json"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(work),
    }


class _Client(NotebookClient):
    """Executes a notebook, and keeps its outputs up to a limit."""

    n_characters = 0

    @property
    def is_flooded(self):
        return self.n_characters > MAX_OUTPUT

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] not in ("status", "execute_input"):  # these two control the execution
            self.n_characters += len(str(msg["content"])) + sum(map(len, msg.get("buffers", ())))
            if self.is_flooded:
                return None
        try:
            return super().process_message(msg, cell, cell_index)
        except CellControlSignal:  # the end of the cell
            raise
        except Exception:  # a malformed output: left out
            return None


def _read_record(path, secret):
    """The events in the record that carry the secret, so that a submission can add none."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.pop("secret", None) == secret:
            yield event


def _shortened(notebook):
    """A copy of a notebook in which no text is so long that rendering it takes minutes."""
    notebook = copy.deepcopy(notebook)

    def shorten(holder, key):
        if isinstance(text := holder.get(key), str) and len(text) > MAX_TEXT:
            holder[key] = text[:MAX_TEXT] + "\n…"

    for cell in notebook.cells:
        shorten(cell, "source")
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            for kind in ("text/markdown", "text/latex"):
                data.pop(kind, None)
            shorten(data, "text/plain")
            shorten(output, "text")
            shorten(output, "evalue")
            if "traceback" in output:
                output["traceback"] = [str(line)[:MAX_TEXT] for line in output["traceback"]]
    return notebook


def feedback(result, notebook, assignment, *, titles):
    """A page for a student: verdicts, remarks and the executed notebook (None: left out).

    titles: {exercise number: title}.
    """
    rows = []
    for check in assignment.checks:
        status, message = result.verdicts[check.number]
        points = f"{result.points[check.number]:g} of {check.points:g}"
        row = {"number": check.number, "title": titles.get(check.number, ""), "points": points}
        rows.append(row | {"status": status, "colour": COLOURS[status], "message": message})
    inside = HTMLExporter().from_notebook_node(_shortened(notebook))[0] if notebook else ""
    page = render(
        "student.html",
        title=f"{result.student}: {result.total:g} of {assignment.max_points:g} points",
        rows=rows,
        remarks=result.remarks,
        notebook=inside,
    )
    return files.printable(page)
