"""Run one notebook in its own kernel, measure it, check it for errors, and keep its files.

The folder of a complete run holds what the notebook wrote, with metrics.json, the executed
notebook, the same as HTML, and complete.json, which is written last.
"""

import hashlib
import json
import logging
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from nbconvert import HTMLExporter
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from papermill.engines import NBClientEngine, papermill_engines

from helpers import files
from helpers.env import cpu_count
from helpers.files import write_text
from tools.batch.cluster import error_text
from tools.running.kernels import Kernels, PeakMemory, kernel_environment, kernel_manager
from tools.running.notebook_errors import find_error

SAVE_EVERY_S = 30
SOURCES = ("synthetic", "local", "kaggle", "download")

# Parameters are checked before; papermill's warnings of unknown ones would often be wrong.
logging.getLogger("papermill").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Job:
    """A notebook to run. folder: for its output. variant: its name in a sweep, or ""."""

    name: str
    notebook: Path
    folder: Path
    parameters: dict
    fingerprint: str
    variant: str = ""

    def result(self, status, reason="", **measured):
        """The Result of this job."""
        measured |= {"parameters": self.parameters, "variant": self.variant}
        return Result(self.name, self.folder, status, reason, **measured)


@dataclass(frozen=True)
class Result:
    """The result of a job. status: waiting, running, ok, failed, interrupted or not run."""

    name: str
    folder: Path
    status: str
    reason: str = ""
    seconds: float | None = None
    peak_memory_mib: float | None = None
    metrics: dict = field(default_factory=dict)
    parameters: dict = field(default_factory=dict)
    variant: str = ""
    is_earlier: bool = False  # it was complete, and did not run again


class SeriesEngine(NBClientEngine):
    """Papermill's engine, but it saves the notebook at most every SAVE_EVERY_S while it runs.

    Papermill itself saves before and after each cell: a sixth of the time where there are figures.
    """

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **options):
        """Execute all cells. nb_man: papermill's `NotebookExecutionManager`."""
        save = nb_man.save

        def save_sometimes():
            if (nb_man.now() - nb_man.last_save_time).total_seconds() >= SAVE_EVERY_S:
                save()

        nb_man.save = save_sometimes
        try:
            super().execute_managed_notebook(nb_man, kernel_name, **options)
        finally:
            nb_man.save = save


papermill_engines.register("series", SeriesEngine)

_kernels = {}  # run_id → the Kernels of that run in this process


def attempt(job, *, root, run_id, threads=None, on_cell=None):
    """`run_notebook`, unless the job is complete; never raises. run_id: see `stop_kernels`."""
    if result := finished(job):
        return result
    kernels = _kernels.setdefault(run_id, Kernels())
    try:
        return run_notebook(job, root=root, kernels=kernels, threads=threads, on_cell=on_cell)
    except Exception as error:  # a full disk, for example: the other notebooks still run
        return job.result("failed", error_text(error))


def attempt_on_worker(job, *, root, run_id):
    """`attempt` in a thread of a Dask worker, with its share of the cores."""
    from distributed import get_worker

    threads = max(1, cpu_count() // get_worker().state.nthreads)
    return attempt(job, root=root, run_id=run_id, threads=threads)


def stop_kernels(run_id):
    """Stop the running and all later notebooks of a run in this process. run_id: a text."""
    _kernels.setdefault(run_id, Kernels()).stop()


def run_notebook(job, *, root, kernels, threads=None, on_cell=None):
    """Execute a notebook and check it; returns a Result, also if the notebook fails.

    root: working directory and import path of the kernel. kernels: a `Kernels`. on_cell: called
    with the index of each cell that starts.
    """
    shutil.rmtree(job.folder, ignore_errors=True)
    job.folder.mkdir(parents=True)
    unfinished = job.folder / f".{job.name}.part.ipynb"
    started = time.monotonic()
    crash = ""
    environment = kernel_environment(root=root, threads=threads)
    with PeakMemory(kernels) as memory:
        manager = kernel_manager(cwd=root, environment=environment, on_start=memory.watch)
        try:
            papermill.execute_notebook(
                job.notebook,
                unfinished,
                parameters=job.parameters,
                engine_name="series",
                progress_bar=False,
                on_cell_executed=lambda cell, cell_index, **_: _shorten(cell),
                kernel_manager_class=manager,
                on_cell_start=lambda cell, cell_index: on_cell(cell_index) if on_cell else None,
            )
        except papermill.PapermillExecutionError:
            pass  # `find_error` finds it in the notebook
        except DeadKernelError:
            crash = "the kernel died, perhaps out of memory"
        except Exception as error:  # of any kind: the other notebooks still run
            crash = f"{type(error).__name__}: {error}".splitlines()[0]
    measured = {"seconds": round(time.monotonic() - started, 1)}
    measured |= {"peak_memory_mib": round(memory.peak_mib, 1)}
    if kernels.stopped:
        unfinished.unlink(missing_ok=True)
        return job.result("interrupted", "stopped while it ran", **measured)
    reasons = [crash]
    if unfinished.exists():
        notebook = nbformat.read(unfinished, as_version=4)
        reasons.append(find_error(notebook))
        _keep(notebook, job, root=root)
        unfinished.unlink()
    metrics, fault = read_metrics(job.folder)
    # After another error, a missing metrics.json is no news.
    reason = "; ".join(filter(None, reasons)) or fault
    if not reason:
        record = {"fingerprint": job.fingerprint, **measured}
        record |= {"parameters": job.parameters, "variant": job.variant}
        write_text(job.folder / "complete.json", json.dumps(record, indent=1) + "\n")
    return job.result("failed" if reason else "ok", reason, metrics=metrics, **measured)


def _keep(notebook, job, *, root):
    """Write the executed notebook, and the same as HTML."""
    notebook.metadata.papermill.update(
        input_path=job.notebook.relative_to(root).as_posix(), output_path=f"{job.name}.ipynb"
    )
    for cell in notebook.cells:  # also a cell in which the kernel died
        _shorten(cell)
    write_text(job.folder / f"{job.name}.ipynb", nbformat.writes(notebook) + "\n")
    page, _ = HTMLExporter().from_notebook_node(notebook, {"metadata": {"name": job.name}})
    write_text(job.folder / f"{job.name}.html", page)


def _shorten(cell):
    """Keep only the last state of a progress bar in the outputs of a cell."""
    CoalesceStreamsPreprocessor().preprocess_cell(cell, {}, None)


def read_metrics(folder):
    """The metrics of a run: (dict, ""), or ({}, what is wrong with metrics.json)."""
    try:
        text = (folder / "metrics.json").read_text(encoding="utf-8")
    except OSError:
        return {}, "it wrote no metrics.json to OUTPUT_DIR"
    try:
        metrics = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        return {}, f"metrics.json is not valid JSON: {error}"
    if not isinstance(metrics, dict):
        return {}, "metrics.json must hold one object"
    if nested := [name for name, value in metrics.items() if isinstance(value, dict | list)]:
        return {}, f"metrics.json must be flat; these are not: {', '.join(nested)}"
    if missing := [name for name in ("dataset", "source", "seed") if name not in metrics]:
        return {}, f"metrics.json lacks {', '.join(missing)}"
    if metrics["source"] not in SOURCES:
        return {}, f"metrics.json: source must be one of {', '.join(SOURCES)}"
    return metrics, ""


def _refuse_constant(name):
    raise ValueError(f"{name} is not JSON; write null")


def fingerprint(notebook, parameters, *, root, output):
    """What a run depends on, as a digest.

    That is the notebook, its parameters, code and tables of the helpers, and files that parameters
    `…_PATH` and `…_DIR` name, by name, size and time of change, but for those in `output`.
    """
    digest = hashlib.sha256(notebook.read_bytes())
    digest.update(json.dumps(parameters, sort_keys=True, default=str).encode())
    for place in input_places(parameters, root=root).values():
        for path in [place, *sorted(place.rglob("*"))] if place.is_dir() else [place]:
            if path.is_file() and not path.is_relative_to(output):
                line = f"{path.relative_to(place)}|{files.identity(path)}\n"
                digest.update(line.encode(errors="surrogateescape"))
    helpers = root / "helpers"
    for path in sorted([*helpers.rglob("*.py"), *helpers.rglob("*.csv")]):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def input_places(parameters, *, root):
    """{parameter: absolute Path} of the input files and folders among the parameters."""
    return {
        name: Path(os.path.abspath(root / value))
        for name, value in parameters.items()
        if name.endswith(("_DIR", "_PATH")) and name != "OUTPUT_DIR" and value
    }


def finished(job):
    """The Result of an earlier complete run of the same job, or None."""
    result, found = earlier_result(job.folder, name=job.name) or (None, None)
    return result if found == job.fingerprint else None


def earlier_result(folder, *, name):
    """(Result, fingerprint) of the complete run of a notebook in a folder, or None."""
    try:
        record = json.loads((folder / "complete.json").read_text(encoding="utf-8"))
        found = record.pop("fingerprint")
        metrics, fault = read_metrics(folder)
        result = Result(name, folder, "ok", metrics=metrics, is_earlier=True, **record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # damaged or missing: the notebook runs again
    return None if fault else (result, found)
