"""One submission, graded: run in a guarded kernel within limits, and told in an HTML page."""

import copy
import html
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

from helpers import files
from helpers.exercises.engine import COLOURS, CORRECT, NOT_YET
from tools.grading.submissions import (
    CHECK,
    SubmissionError,
    checks_of,
    parameters_cell,
    prepare,
    read_submission,
    suspicions,
)
from tools.running.faults import first_error
from tools.running.kernels import Kernels, PeakMemory, kernel_environment, kernel_manager, kill

MOST_OUTPUT = 30 * 2**20  # characters of all that a notebook shows; the solved one has 5 million
KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT", "KERAS_BACKEND")
REFEREE = '__import__("grading_referee")'  # see tools/grading/guard.py
MOST_CHARACTERS = 8000  # of one text on a page: rendering takes time with their square

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 1.5rem; }}
td {{ padding: 0.3rem 1rem 0.3rem 0; vertical-align: top; }}
pre {{ margin: 0; white-space: pre-wrap; }}
iframe {{ width: 100%; height: 85vh; border: 1px solid #ccc; }}
</style>
</head>
<body>
<h1>{title}</h1>
<table>{rows}</table>
<ul>{remarks}</ul>
{frame}
</body>
</html>
"""


@dataclass(frozen=True)
class Limits:
    """Of one submission. seconds: for all of it. check_seconds: for one check. memory_mib: beyond
    it there is no more to be had; beyond a quarter more the kernel is killed."""

    seconds: float = 900.0
    check_seconds: float = 60.0
    memory_mib: int = 4096


@dataclass(frozen=True)
class Assignment:
    """What is graded, and how.

    original: the exercise notebook as handed out. parameters: for its parameters cell. root: the
    repository. hidden: folders that submissions may not look into. home: folder that their home is
    a copy of, with what libraries keep there; None: an empty one. threads: of a kernel's libraries;
    None: as many as they like.
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
        return checks_of(self.original)

    @property
    def most_points(self):
        return sum(check.points for check in self.checks)


@dataclass
class Grade:
    """What a submission is worth. verdicts: {number: (status, message)}. points: {number: points}.
    remarks: what else the teacher should know. is_whole: it ran to its end, all checks did."""

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
    """Run one submission and judge it: whatever it is or does, a `Grade` comes back.

    writable: folders that it may write to beside its own (for a notebook of ours only).
    keep: folder for what it leaves behind, "output" (its OUTPUT_DIR) and "home"; None: nowhere.
    kernels: `kernels.Kernels`, by which all that run can be stopped.
    Returns (Grade, executed notebook); the notebook is None if it could not be read.
    """
    result, notebook, events = Grade(student), None, []
    try:
        notebook = prepare(read_submission(path), assignment.original)
    except SubmissionError as error:
        result.remarks.append(str(error))
    if notebook is not None:
        found = suspicions(notebook, assignment.original)
        result.remarks += [f"look at its code: {line}" for line in found[:5]]
        place = Path(tempfile.mkdtemp(prefix="grading-"))
        try:
            events = _run(notebook, result, assignment, place, writable, kernels or Kernels())
            if keep:
                shutil.rmtree(keep, ignore_errors=True)
                for folder in ("output", "home"):
                    if (left := place / "work" / folder).is_dir():
                        shutil.copytree(left, keep / folder, symlinks=True)
        finally:
            _remove(place)
    cells = {cell.metadata.get("check"): cell for cell in notebook.cells} if notebook else {}
    for check in assignment.checks:
        verdict = NOT_YET, _why_unjudged(cells.get(check.number), assignment.limits)
        for event in events:
            if event.get("exercise") == check.number and verdict[0] != CORRECT:
                verdict = event["status"], event["message"]
        result.verdicts[check.number] = verdict
        result.points[check.number] = check.points if verdict[0] == CORRECT else 0
    judged = {event.get("exercise") for event in events}
    result.is_whole &= all(check.number in judged for check in assignment.checks)
    refused = [event["refused"] for event in events if "refused" in event]
    result.remarks += [f"it tried to {what}" for what in refused[:5]]
    if len(refused) > 5:
        result.remarks.append(f"it tried {len(refused) - 5} more things that it may not do")
    return result, notebook


def _remove(place):
    """Remove a submission's folder, and end what it has left running."""
    for process in psutil.process_iter(["cmdline"]):
        if any(str(place) in part for part in process.info["cmdline"] or ()):
            kill(process.pid)
    try:
        shutil.rmtree(place, ignore_errors=True)
    except RecursionError:  # folders in folders, as deep as the submission liked
        subprocess.run(["rm", "-rf", str(place)], check=False)


def _why_unjudged(cell, limits):
    """Why there is no verdict on an exercise. cell: of its check, or None."""
    if cell is None or cell.get("execution_count") is None:
        return "its check did not run"
    error = first_error(cell)
    if error.startswith("KeyboardInterrupt"):
        return f"its check ran longer than {limits.check_seconds:.0f} s and was stopped"
    return f"its check could not be made: {error}" if error else "its check came to no end"


def _run(notebook, result, assignment, place, writable, kernels):
    """Execute a prepared notebook in place, and complete the result with what it took.

    Returns what the guard has recorded.
    """
    limits, secret = assignment.limits, secrets.token_hex()
    parameters = PythonTranslator.codify(assignment.parameters | {"OUTPUT_DIR": "output"})
    notebook.cells.insert(parameters_cell(notebook) + 1, nbformat.v4.new_code_cell(parameters))
    for cell in notebook.cells:
        if cell.metadata.get("check"):
            cell.source = CHECK.sub(rf"{REFEREE}.\1(\2)", cell.source)
    environment = _prepare_place(place, assignment, secret, writable)
    started = time.monotonic()
    with PeakMemory(limit_mib=1.25 * limits.memory_mib) as memory:

        def on_start(pid):
            memory.pid = pid
            kernels.add(pid)

        client = _Client(
            notebook,
            timeout_func=lambda cell: limits.check_seconds if cell.metadata.get("check") else -1,
            interrupt_on_timeout=True,
            allow_errors=True,
            skip_cells_with_tag="",
            kernel_manager_class=kernel_manager(
                cwd=place / "work",
                environment=environment,
                on_start=on_start,
                program=[str(place / "guard.py")],
                is_alone=True,
            ),
        )
        watch = threading.Timer(limits.seconds, lambda: kill(memory.pid))
        watch.start()
        try:
            client.execute()
        except DeadKernelError:
            pass  # what did not run tells it
        except Exception as error:  # whatever it is, the other submissions go on
            result.remarks.append(f"it could not be run: {type(error).__name__}")
        finally:
            watch.cancel()
            kill(memory.pid)
            kernels.discard(memory.pid)
            notebook.metadata.pop("widgets", None)
    result.seconds = round(time.monotonic() - started, 1)
    result.peak_memory_mib = round(memory.peak_mib)
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    unrun = [cell for cell in code if cell.get("execution_count") is None]
    result.is_whole = not unrun
    if unrun:
        reason = "it ended the interpreter"
        if memory.peak_mib > 0.9 * limits.memory_mib:  # at the limit, libraries give up in any way
            reason = f"it needed more than {limits.memory_mib} MiB"
        elif result.seconds >= limits.seconds:
            reason = f"it ran longer than {limits.seconds:.0f} s"
        result.remarks.append(f"{reason}: {len(unrun)} of {len(code)} code cells did not run")
    if client.is_flooded:
        result.remarks.append("it shows too much: not all of it was kept")
    sources = {check.number: check.cell.source for check in assignment.checks}
    for cell in notebook.cells:  # as the student knows it
        cell.source = sources.get(cell.metadata.get("check"), cell.source)
    return list(_read_record(place / "record", secret))


def _prepare_place(place, assignment, secret, writable):
    """A repository for one submission, and the guard's settings. Returns the kernel's variables."""
    work = place / "work"
    shutil.copytree(
        assignment.root / "helpers", work / "helpers", ignore=shutil.ignore_patterns("__pycache__")
    )
    (work / "notebooks").mkdir()  # by which `helpers` knows a repository
    if assignment.home and assignment.home.is_dir():
        shutil.copytree(assignment.home, work / "home", symlinks=True)
    else:
        (work / "home").mkdir()
    # A copy, because libraries look into the file of whoever imports them.
    shutil.copy(Path(__file__).with_name("guard.py"), place)
    settings = {
        "writable": [str(work), *map(str, writable)],
        "hidden": [str(folder) for folder in assignment.hidden],
        "chapter": assignment.checks[0].number.split(".")[0],
        "memory_mib": assignment.limits.memory_mib,
        "record": str(place / "record"),
        "secret": secret,
    }
    (place / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    # Of the teacher's own variables, some of them secrets, only what a program needs to run.
    return {
        **{name: os.environ[name] for name in KEPT if name in os.environ},
        **kernel_environment(root=work, threads=assignment.threads),
        **dict.fromkeys(("HOME", "IPYTHONDIR", "NUMBA_CACHE_DIR", "TMPDIR"), str(work / "home")),
        "AUDIO_SAMPLE_DIR": os.environ.get("AUDIO_SAMPLE_DIR", str(assignment.root)),
        "GUARD": str(place / "settings.json"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(work),
    }


class _Client(NotebookClient):
    """Runs a notebook, and keeps only so much of what it shows."""

    shown = 0

    @property
    def is_flooded(self):
        return self.shown > MOST_OUTPUT

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] not in ("status", "execute_input"):  # those tell how far it is
            self.shown += len(str(msg["content"])) + sum(map(len, msg.get("buffers", ())))
            if self.is_flooded:
                return None
        try:
            return super().process_message(msg, cell, cell_index)
        except CellControlSignal:  # the end of the cell
            raise
        except Exception:  # an output that is none: the notebook goes on without it
            return None


def _read_record(path, secret):
    """The events that the guard has recorded, and nobody else."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.pop("secret", None) == secret:
            yield event


def _shortened(notebook):
    """A copy in which no text is so long that rendering it would take minutes."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if len(cell.source) > MOST_CHARACTERS:
            cell.source = cell.source[:MOST_CHARACTERS] + "\n…"
        for output in cell.get("outputs", ()):
            shown = output.get("data", {})
            for kind in ("text/markdown", "text/latex"):
                shown.pop(kind, None)
            for of, key in ((output, "text"), (output, "evalue"), (shown, "text/plain")):
                if isinstance(of.get(key), str) and len(of[key]) > MOST_CHARACTERS:
                    of[key] = of[key][:MOST_CHARACTERS] + "\n…"
            if "traceback" in output:
                output["traceback"] = [str(line)[:MOST_CHARACTERS] for line in output["traceback"]]
    return notebook


def feedback(result, notebook, assignment, *, titles):
    """A page for a student: the verdicts, and the notebook as it ran. titles: {number: title}.

    The notebook stands in a sandboxed frame: it can bring no script along to whoever opens it.
    """
    rows = []
    for check in assignment.checks:
        status, message = result.verdicts[check.number]
        rows.append(
            f"<tr><td>{check.number}</td><td>{html.escape(titles.get(check.number, ''))}</td>"
            f'<td style="color: {COLOURS[status]}"><b>{html.escape(status)}</b></td>'
            f"<td>{result.points[check.number]:g} of {check.points:g}</td>"
            f"<td><pre>{html.escape(message)}</pre></td></tr>"
        )
    title = f"{result.student}: {result.total:g} of {assignment.most_points:g} points"
    remarks = "".join(f"<li>{html.escape(remark)}</li>" for remark in result.remarks)
    frame = ""
    if notebook is not None:
        inside, _ = HTMLExporter().from_notebook_node(_shortened(notebook))
        frame = f'<iframe sandbox="" title="the notebook" srcdoc="{html.escape(inside)}"></iframe>'
    page = PAGE.format(title=html.escape(title), rows="".join(rows), remarks=remarks, frame=frame)
    return files.printable(page)
