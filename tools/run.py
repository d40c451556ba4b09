"""Run notebooks of the series as batch jobs, each in its own kernel, and check them for errors.

    python tools/run.py                              every notebook, with its own parameters
    python tools/run.py 05 --profile smoke           notebook 05 with the sizes of a profile
    python tools/run.py 04 --sweep EPOCHS=10,20 --sweep N_MELS=40,64 --seeds 0,1,2
                                                     each combination, and a comparison

A notebook has the folder runs/<run id>/NN_name/, with a folder inside for each combination of a
sweep. summary.csv and index.html are updated whenever a notebook begins or ends.
"""

import argparse
import itertools
import json
import os
import signal
import sys
import threading
import uuid
from concurrent.futures import as_completed, wait
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

if __name__ == "__main__":  # without tools/, where a file could hide a package
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import nbformat
from tqdm import tqdm

from helpers.env import cpu_count
from helpers.files import write_text
from tools.batch.cluster import LOST, error_text, open_pool
from tools.command_line import (
    ROOT,
    UsageError,
    add_parameter_option,
    add_pool_options,
    check_output,
    exit_status,
)
from tools.pages import human_memory, human_seconds
from tools.running import notebook_job, sweep
from tools.running.summary import write_summary
from tools.series import notebooks

MARKER = "run.json"  # marks the folder of a run, and holds its settings
OWN_VALUES = "default"  # the name of a run without a profile


def plan(names, *, series, profile, given, sweeps, output, root):
    """The jobs of a run, with checked parameters. sweeps: see `combinations`. Raises UsageError."""
    by_notebook = notebooks.profile_values(profile, series=series, root=root)
    jobs = []
    for name, combination in itertools.product(names, sweep.combinations(sweeps, given=given)):
        values = notebooks.notebook_parameters(
            series[name],
            from_profile=by_notebook.get(name, {}),
            given=[*given, *combination],
            root=root,
        )
        variant = sweep.variant_of(combination)
        folder = output / name / sweep.folder_of(variant) if sweeps else output / name
        values["OUTPUT_DIR"] = notebooks.path_from_root(folder, root=root)
        for parameter, place in notebook_job.input_places(values, root=root).items():
            if place.is_relative_to(folder):
                raise UsageError(
                    f"{parameter} lies in {values['OUTPUT_DIR']}, which the run deletes first: "
                    "choose another --output"
                )
        digest = notebook_job.fingerprint(series[name], values, root=root, output=output)
        jobs.append(notebook_job.Job(name, series[name], folder, values, digest, variant))
    return jobs


def open_output(*, output, profile, given, sweeps):
    """Create the folder of a run, or continue in an earlier one. Raises UsageError."""
    check_output(output, marker=MARKER)
    if (output / MARKER).exists() and bool(sweeps) != _is_sweep(output):
        kind = "run without a sweep" if sweeps else "sweep"
        raise UsageError(f"{output} holds a {kind}: choose a new folder")
    request = {"profile": profile, "parameters": dict(given), "sweep": dict(sweeps)}
    write_text(output / MARKER, json.dumps(request, indent=1) + "\n")


def _is_sweep(output):
    try:
        return bool(json.loads((output / MARKER).read_text(encoding="utf-8")).get("sweep"))
    except (OSError, ValueError, AttributeError):
        return False


class Board:
    """The Result of each folder so far; shows all of them after each change."""

    def __init__(self, results, *, show):
        """results: {folder: Result}. show: called with a list of all Results."""
        self.results, self._show, self._lock = dict(results), show, threading.Lock()
        self.put()

    def put(self, *results):
        """Add some Results, from any thread."""
        with self._lock:
            self.results |= {result.folder: result for result in results}
            self._show(list(self.results.values()))


def execute(jobs, *, root, pool, board):
    """Run jobs in a `Pool`: ({folder: Result} of all, whether Ctrl-C or SIGTERM stopped it)."""
    run_id = uuid.uuid4().hex
    quiet = not sys.stderr.isatty()
    stopped = False
    if pool.client:
        run_one = partial(notebook_job.attempt_on_worker, root=root, run_id=run_id)
    else:
        threads = max(1, cpu_count() // pool.n_threads) if pool.n_threads > 1 else None
        run_one = partial(
            _run_one, root=root, run_id=run_id, threads=threads, quiet=quiet, board=board
        )
    with (
        _termination_as_interrupt(),
        tqdm(total=len(jobs), desc="notebooks", unit="notebook", disable=quiet) as bar,
    ):
        futures = {}
        try:
            # Later lessons take longer. The last of them must not run alone at the end.
            side_by_side = pool.n_threads > 1 and not jobs[0].variant
            for job in [*jobs[:1], *reversed(jobs[1:])] if side_by_side else jobs:
                futures[pool.submit(run_one, job)] = job
            for future in as_completed(futures):
                result = _result_of(futures[future], future, reason=LOST)
                _report(result)
                board.put(result)
                bar.update()
        except KeyboardInterrupt:
            stopped = True
            for future in futures:
                future.cancel()
            pool.everywhere(notebook_job.stop_kernels, run_id)
            if not pool.client:  # on a cluster, cancelled futures never finish
                wait(futures)
    reason = "" if stopped else LOST
    results = {job.folder: job.result("not run") for job in jobs}
    results |= {job.folder: _result_of(job, f, reason=reason) for f, job in futures.items()}
    return results, stopped


def _run_one(job, *, root, run_id, threads, quiet, board):
    """`attempt` with a progress bar."""
    board.put(job.result("running"))
    cells = len(nbformat.read(job.notebook, as_version=4).cells) + 1  # papermill adds one
    with tqdm(
        total=cells, desc=job.variant or job.name, unit="cell", leave=False, disable=quiet
    ) as bar:
        shown = {"on_cell": lambda index: bar.update(index - bar.n)}
        return notebook_job.attempt(job, root=root, run_id=run_id, threads=threads, **shown)


def _result_of(job, future, *, reason):
    """The Result of a job whose future is done. reason: for a cancelled one."""
    if future.cancelled():
        return job.result("not run", reason)
    if error := future.exception():
        return job.result("failed", error_text(error))
    return future.result()


def _report(result):
    spent = f"{human_seconds(result.seconds)}, {human_memory(result.peak_memory_mib)}"
    reason = f"  {result.reason}" if result.reason else "  (complete already)" * result.is_earlier
    name = f"{result.name}  {result.variant}".rstrip()
    tqdm.write(f"{name}  {result.status}  {spent}{reason}")


@contextmanager
def _termination_as_interrupt():
    """Treat SIGTERM, which batch systems send, like Ctrl-C."""

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def show_series(series, profiles):
    """Print the parameters of each notebook with their defaults and the values in profiles."""
    for name, path in series.items():
        print(name)
        for parameter, default in notebooks.declared_parameters(path).items():
            values = [
                f"{profile}: {values_of[name][parameter]!r}"
                for profile, values_of in profiles.items()
                if parameter in values_of.get(name, {})
            ]
            print(f"    {parameter} = {default!r}" + (f"  ({', '.join(values)})" * bool(values)))


def _parser():
    parser = argparse.ArgumentParser(
        description="Run notebooks of the series as batch jobs.",
        epilog="The same command with the same --output runs only what is not complete.",
    )
    parser.add_argument("notebooks", nargs="*", metavar="NN", help="number or name; default: all")
    parser.add_argument("--profile", help="sizes from notebooks/runs.yaml, such as smoke or full")
    add_parameter_option(parser, of="for every notebook selected")
    parser.add_argument(
        "--sweep",
        action="append",
        default=[],
        metavar="NAME=A,B",
        help="run once for each value; repeatable: once for each combination",
    )
    parser.add_argument("--seeds", metavar="0,1,2", help="the same as --sweep SEED=0,1,2")
    parser.add_argument("--output", type=Path, help="default: runs/<time>-<profile>")
    add_pool_options(parser, jobs=1, help="notebooks at a time (1)")
    parser.add_argument("--list", action="store_true", help="show notebooks and parameters")
    return parser


def run(arguments, *, root):
    """Run the command; returns the exit status. Raises UsageError, OSError."""
    profile = arguments.profile or OWN_VALUES
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    output = Path(os.path.abspath(arguments.output or root / "runs" / f"{stamp}-{profile}"))
    series = notebooks.find_notebooks(root)
    names = notebooks.select(arguments.notebooks, series)
    if arguments.list:
        show_series({name: series[name] for name in names}, notebooks.read_profiles(root))
        return 0
    asked = arguments.sweep + ([f"SEED={arguments.seeds}"] if arguments.seeds else [])
    sweeps = [sweep.read_sweep(text) for text in asked]
    wanted = {"given": arguments.parameters, "sweeps": sweeps, "output": output}
    jobs = plan(names, series=series, profile=arguments.profile, root=root, **wanted)
    places = {root}.union(
        *(notebook_job.input_places(job.parameters, root=root).values() for job in jobs)
    )
    n_workers = min(arguments.jobs, len(jobs))
    swept = [name for name, _ in sweeps]

    def show(results):
        return write_summary(_ordered(results), output=output, profile=profile, swept=swept)

    with open_pool(arguments.scheduler, places=sorted(places), n_workers=n_workers) as pool:
        open_output(profile=profile, **wanted)
        waiting = {job.folder: job.result("waiting") for job in jobs}
        earlier = _results_of_before(output, series=series, but=waiting)
        print(f"Results as they come: {os.path.relpath(output / 'index.html')}", flush=True)
        board = Board(earlier | waiting, show=show)
        results, stopped = execute(jobs, root=root, pool=pool, board=board)
    ordered = _ordered([*(earlier | results).values()])
    page = show(ordered)
    if sweeps:
        from tools.running.comparison import write_comparison  # what it imports takes a second

        page = write_comparison(ordered, swept=swept, output=output)
    good = sum(result.status == "ok" for result in ordered)
    kind = "runs" if sweeps else "notebooks"
    print(f"{good} of {len(ordered)} {kind} ok: {os.path.relpath(page)}")
    if stopped:
        return 130
    return 0 if good == len(ordered) else 1


def _results_of_before(output, *, series, but):
    """{folder: Result} of other complete notebooks in the folder of a run: the page shows all."""
    places = ((n, f) for n in series for f in (output / n, *(output / n).glob("*/")))
    found = {f: notebook_job.earlier_result(f, name=name) for name, f in places if f not in but}
    return {folder: result[0] for folder, result in found.items() if result}


def _ordered(results):
    return sorted(results, key=lambda result: (result.name, sweep.order_of(result.variant)))


def main(argv=None, *, root=ROOT):
    """Command line; returns the exit status."""
    return exit_status("run", run, _parser().parse_args(argv), root=root)


if __name__ == "__main__":
    sys.exit(main())
