"""Grade submitted exercise notebooks.

    python tools/grade.py submissions/ --notebook 05 -o scores.csv

submissions/ holds a notebook per student, or a folder per student with a notebook in it. Each is
run in a process of its own, with limits on time and memory, in a copy of the package; its checks
are put back as they were. scores.csv has a row per student: points, in all and per exercise, and
remarks (what did not run, what a submission tried that it may not); scores_feedback/ has a page per
student. Run again with the same -o, it grades only what is new or changed.

A check runs in the process of what it checks, and whoever is out to fool it can: look at what is
remarked, and at the code. What it can do to the machine is limited (see
tools/grading/guard.py), but grade people whom you do not trust in a container.

First our own solution is graded in the same way: if it does not get all points on this machine,
nobody is graded. Exit status: 0 all graded, 2 nothing was, 130 stopped by Ctrl-C.
"""

import argparse
import csv
import hashlib
import io
import json
import os
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # in place of tools/, where a file name could hide a package

import nbformat
from tqdm import tqdm

from helpers import env, exercises, files
from helpers.exercises.engine import CORRECT, NOT_YET
from helpers.files import write_text
from tools.command_line import UsageError, add_parameter_option, positive
from tools.grading.marking import Assignment, Grade, Limits, feedback, grade
from tools.grading.submissions import SubmissionError, find_submissions, need_size
from tools.running.execution import fingerprint
from tools.running.kernels import Kernels
from tools.series.notebooks import (
    find_notebooks,
    notebook_parameters,
    profile_values,
    read_profiles,
    select,
)
from tools.series.parameters import read_parameters

TITLES = {number: exercise.title for number, exercise in exercises.EXERCISES.items()}
SOLUTION = "our own solution"
# Where solutions and right answers can be read.
HIDDEN = (".git", "build", "dist", "notebooks", "outputs", "runs", "tests", "tools")


def open_assignment(name, *, given, profile, limits, hidden, workers, root):
    """The `Assignment` of a notebook of the series. Raises UsageError."""
    handed_out = root / "notebooks" / "exercises" / f"{name}.ipynb"
    if not handed_out.exists():
        raise UsageError(f"{name} has no exercises")
    series = find_notebooks(root)
    values = profile_values(profile, profiles=read_profiles(root), series=series).get(name, {})
    parameters = notebook_parameters(handed_out, from_profile=values, given=given, root=root)
    for parameter, value in parameters.items():  # a submission runs in a folder of its own
        if value and parameter.endswith(("_DIR", "_PATH")):
            parameters[parameter] = os.path.abspath(root / value)
    return Assignment(
        nbformat.read(handed_out, as_version=4),
        parameters,
        root,
        limits,
        hidden=(*(root / folder for folder in HIDDEN), *hidden),
        threads=max(1, env.cpu_count() // workers) if workers > 1 else None,
    )


class Gradebook:
    """The grades of an assignment: pages and records in a folder, from which a run goes on."""

    def __init__(self, folder, assignment):
        self.folder, self.assignment = folder, assignment
        self.kernels = Kernels()

    def grade(self, student, path, **options):
        """The `Grade` of a submission: the earlier one if nothing has changed since.

        options: of `grading.grade`.
        """
        record = self._file(student, ".json")
        try:
            need_size(path)  # the digest reads it whole
            digest = self._digest(path)
        except (SubmissionError, OSError):
            digest = None  # there is nothing to be known again; its page says why
        earlier = _read_grade(record, digest)
        if earlier and self.page(student).exists():
            return earlier
        result, notebook = grade(student, path, self.assignment, kernels=self.kernels, **options)
        try:
            page = feedback(result, notebook, self.assignment, titles=TITLES)
        except Exception as error:  # whatever an output does to the page, the points stay
            result.remarks.append(f"its notebook cannot be shown: {type(error).__name__}")
            page = feedback(result, None, self.assignment, titles=TITLES)
        write_text(self.page(student), page)
        if result.is_whole and digest:  # what a limit has stopped may do better on another day
            kept = {"fingerprint": digest, "grade": asdict(result)}
            write_text(record, json.dumps(kept, indent=1) + "\n")
        return result

    def page(self, student):
        return self._file(student, ".html")

    def _file(self, student, suffix):
        # Readable, and yet different for names that differ only in what a file name cannot hold.
        if student is SOLUTION:
            return self.folder / "solution" / f"feedback{suffix}"
        name = re.sub(r"[^\w.-]+", "_", student)[:50]
        if name != student:
            name += "-" + hashlib.sha256(os.fsencode(student)).hexdigest()[:6]
        return self.folder / f"{name}{suffix}"

    def _digest(self, path):
        assignment = self.assignment
        asked = {
            **assignment.parameters,
            "limits": asdict(assignment.limits),
            "original": nbformat.writes(assignment.original),
        }
        return fingerprint(path, asked, root=assignment.root, output=self.folder)


def _read_grade(path, digest):
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["fingerprint"] != digest:
            return None
        result = Grade(**record["grade"])
        result.verdicts = {number: tuple(told) for number, told in result.verdicts.items()}
        return result
    except (OSError, ValueError, KeyError, TypeError):
        return None


def grade_solution(gradebook, path, *, data):
    """See that our own solution gets all points; raises UsageError if not.

    data: folder where it may make the sample data, which the submissions then only read. Nor do
    these compile or train again: they get the solution's home folder and, where the notebook takes
    a MODEL_PATH, its model.
    """
    data.mkdir(parents=True, exist_ok=True)
    kept = gradebook.folder / "solution"
    result = gradebook.grade(SOLUTION, path, writable=[data], keep=kept)
    if not (result.is_whole and all(status == CORRECT for status, _ in result.verdicts.values())):
        raise UsageError(
            f"{SOLUTION} does not get all points, so nobody was graded: {_line(result)}; "
            f"see {os.path.relpath(gradebook.page(SOLUTION))}"
        )
    assignment = gradebook.assignment
    model = kept / "output" / "model.keras"
    parameters = assignment.parameters
    takes_model = "MODEL_PATH" in read_parameters(assignment.original)
    if model.exists() and takes_model and not parameters.get("MODEL_PATH"):
        shutil.copy(model, kept / "home")
        parameters = parameters | {"MODEL_PATH": "home/model.keras"}
    gradebook.assignment = replace(assignment, home=kept / "home", parameters=parameters)


def grade_all(submissions, gradebook, *, workers):
    """Grade submissions, some at a time, with a progress bar.

    Returns {student: Grade}: of all, unless it was stopped (Ctrl-C).
    """
    grades = {}
    with (
        tqdm(
            total=len(submissions), desc="Grading", unit="notebook", disable=not sys.stderr.isatty()
        ) as bar,
        ThreadPoolExecutor(workers) as pool,
    ):
        futures = {
            pool.submit(gradebook.grade, student, path): student
            for student, path in submissions.items()
        }
        try:
            for future in as_completed(futures):
                student = futures[future]
                try:
                    grades[student] = future.result()
                except Exception as error:  # it costs this student's points, and nothing else
                    grades[student] = ungraded(student, gradebook.assignment, error)
                tqdm.write(_line(grades[student]))
                bar.update()
        except KeyboardInterrupt:
            gradebook.kernels.stop()
            pool.shutdown(cancel_futures=True)
    return {student: grades[student] for student in submissions if student in grades}


def ungraded(student, assignment, error):
    """The `Grade` of a submission that grading itself has failed on."""
    numbers = [check.number for check in assignment.checks]
    return Grade(
        student,
        dict.fromkeys(numbers, (NOT_YET, "it could not be graded")),
        dict.fromkeys(numbers, 0),
        [f"it could not be graded: {type(error).__name__}"],
    )


def _line(result):
    remarks = f"  ({'; '.join(result.remarks)})" if result.remarks else ""
    return _cell(f"{result.student}  {result.total:g} points{remarks}")


def _cell(text):
    """Text for a terminal or a spreadsheet, to which no part of it is a command."""
    text = "".join(c if c.isprintable() else "?" for c in files.printable(text))
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def write_scores(path, grades, assignment):
    """scores.csv: a row per student."""
    numbers = [check.number for check in assignment.checks]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["student", "points", "of", *numbers, "seconds", "peak_memory_mib", "remarks"])
    for result in grades.values():
        points = [f"{result.points[number]:g}" for number in numbers]
        writer.writerow(
            [
                _cell(result.student),
                f"{result.total:g}",
                f"{assignment.most_points:g}",
                *points,
            ]
            + [result.seconds, result.peak_memory_mib, _cell("; ".join(result.remarks))]
        )
    write_text(path, text.getvalue())


def _parser():
    parser = argparse.ArgumentParser(
        description="Grade submitted exercise notebooks.",
        epilog="Run again with the same -o to grade only what is new or changed.",
    )
    parser.add_argument("submissions", type=Path, help="folder: a notebook or a folder per student")
    parser.add_argument("--notebook", required=True, metavar="NN", help="number or name")
    parser.add_argument("-o", dest="output", type=Path, default=Path("scores.csv"))
    parser.add_argument("--profile", default="test", help="sizes from notebooks/runs.yaml (test)")
    add_parameter_option(parser, of="of the notebook")
    limits = Limits()
    for name, meaning in (
        ("seconds", "for one submission"),
        ("check_seconds", "for one check"),
        ("memory_mib", "for one submission"),
    ):
        default = getattr(limits, name)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=positive(type(default)),
            default=default,
            help=f"most {meaning} ({default:g})",
        )
    parser.add_argument("--jobs", type=int, default=1, help="submissions at a time (1)")
    return parser


def main(argv=None, *, root=ROOT):
    """Command line; returns the exit status."""
    arguments = _parser().parse_args(argv)
    workers = max(1, arguments.jobs)
    output = Path(os.path.abspath(arguments.output))
    folder = output.with_name(f"{output.stem}_feedback")
    try:
        if not arguments.submissions.is_dir():
            raise UsageError(f"{arguments.submissions} is no folder")
        submissions = find_submissions(arguments.submissions)
        if not submissions:
            raise UsageError(f"there is no notebook in {arguments.submissions}")
        name = select([arguments.notebook], find_notebooks(root))[0]
        limits = Limits(arguments.seconds, arguments.check_seconds, arguments.memory_mib)
        assignment = open_assignment(
            name,
            given=arguments.parameters,
            profile=arguments.profile,
            limits=limits,
            hidden=(os.path.abspath(arguments.submissions), folder),
            workers=workers,
            root=root,
        )
        gradebook = Gradebook(folder, assignment)
        print(f"Grading {SOLUTION} first", flush=True)
        samples = Path(os.environ.get("AUDIO_SAMPLE_DIR", root)) / "data"
        grade_solution(gradebook, root / "notebooks" / f"{name}.ipynb", data=samples)
    except UsageError as error:
        print(f"grade: {error}", file=sys.stderr)
        return 2
    grades = grade_all(submissions, gradebook, workers=workers)
    write_scores(output, grades, assignment)
    if len(grades) < len(submissions):
        print("grade: stopped; run again to go on", file=sys.stderr)
        return 130
    print(f"{len(grades)} submissions graded: {os.path.relpath(output)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
