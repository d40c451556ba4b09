"""Grade submitted exercise notebooks.

    python tools/grade.py submissions/ --notebook 05 -o scores.csv

The project's own solution is graded first: if it does not get all points on this machine, nobody is
graded. scores.csv gets a row per student with the points, in total and for each exercise, and
remarks: what did not run, and what is not allowed. scores_feedback/ gets a page per student.

A check runs in the same process as the code that it checks, so determined students can fool it:
read the remarks, and the code. What it can do to the machine is limited (see
tools/grading/guarded_kernel.py), but grade people whom you do not trust in a container.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, fields, replace
from pathlib import Path

if __name__ == "__main__":  # without tools/, where a file could hide a package
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import nbformat
import pandas as pd
from tqdm import tqdm

from helpers import env, exercises, files
from helpers.exercises.engine import CORRECT, NOT_YET
from tools.command_line import ROOT, UsageError, add_parameter_option, exit_status, positive
from tools.grading.scoring import Assignment, Grade, Limits, feedback, grade
from tools.grading.submissions import SubmissionError, check_size, find_submissions
from tools.running.kernels import Kernels
from tools.running.notebook_job import fingerprint
from tools.series import notebooks
from tools.series.parameters import read_parameters

TITLES = {number: exercise.title for number, exercise in exercises.EXERCISES.items()}
SOLUTION = "our own solution"
# Folders of the repository with solutions, which submissions cannot read.
HIDDEN = (".git", "build", "dist", "notebooks", "outputs", "runs", "tests", "tools")


def open_assignment(arguments, *, hidden, root):
    """(name, `Assignment`) that is asked for. hidden: additions to HIDDEN. Raises UsageError."""
    series = notebooks.find_notebooks(root)
    name = notebooks.select([arguments.notebook], series)[0]
    handed_out = root / "notebooks" / "exercises" / f"{name}.ipynb"
    if not handed_out.exists():
        raise UsageError(f"{name} has no exercises")
    values = notebooks.profile_values(arguments.profile, series=series, root=root)
    parameters = notebooks.notebook_parameters(
        handed_out, from_profile=values.get(name, {}), given=arguments.parameters, root=root
    )
    for parameter, value in parameters.items():  # a submission runs in another folder
        if value and parameter.endswith(("_DIR", "_PATH")):
            parameters[parameter] = os.path.abspath(root / value)
    return name, Assignment(
        nbformat.read(handed_out, as_version=4),
        parameters,
        root,
        Limits(arguments.seconds, arguments.check_seconds, arguments.memory_mib),
        hidden=(*(root / folder for folder in HIDDEN), *hidden),
        threads=max(1, env.cpu_count() // arguments.jobs) if arguments.jobs > 1 else None,
    )


class Gradebook:
    """The grades of an assignment, kept in a folder of pages and records."""

    def __init__(self, folder, assignment):
        self.folder, self.assignment = folder, assignment
        self.kernels = Kernels()

    def grade(self, student, path, **options):
        """The `Grade` of a submission, perhaps kept from before. options: of `scoring.grade`."""
        record = self._file(student, ".json")
        try:
            check_size(path)  # the digest reads the whole file
            digest = self._digest(path)
        except (SubmissionError, OSError):
            digest = None  # nothing to compare with later; the page gives the reason
        earlier = _read_grade(record, digest)
        if earlier and self.page(student).exists():
            return earlier
        result, notebook = grade(student, path, self.assignment, kernels=self.kernels, **options)
        try:
            page = feedback(result, notebook, self.assignment, titles=TITLES)
        except Exception as error:  # caused by an output of the notebook: the points stay
            result.remarks.append(f"its notebook cannot be shown: {type(error).__name__}")
            page = feedback(result, None, self.assignment, titles=TITLES)
        files.write_text(self.page(student), page)
        if result.is_whole and digest:  # what a limit has stopped may succeed another time
            kept = {"fingerprint": digest, "grade": asdict(result)}
            files.write_text(record, json.dumps(kept, indent=1) + "\n")
        return result

    def page(self, student):
        return self._file(student, ".html")

    def _file(self, student, suffix):
        if student is SOLUTION:
            return self.folder / "solution" / f"feedback{suffix}"
        # Readable, and unique for names that differ only in characters that a file cannot have.
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
        result.verdicts = {number: tuple(pair) for number, pair in result.verdicts.items()}
        return result
    except (OSError, ValueError, KeyError, TypeError):
        return None


def grade_solution(gradebook, path, *, data):
    """Raise UsageError unless the project's own solution gets all points.

    data: folder where the solution may write sample data. The submissions only read these; they
    also get the solution's home folder, with compiled code, and its model if the notebook has a
    MODEL_PATH, so that they need not train again.
    """
    data.mkdir(parents=True, exist_ok=True)
    kept = gradebook.folder / "solution"
    result = gradebook.grade(SOLUTION, path, writable=[data], keep=kept)
    if not (result.is_whole and all(status == CORRECT for status, _ in result.verdicts.values())):
        raise UsageError(
            f"{SOLUTION} does not get all points, so nobody was graded: {_line(result)}; "
            f"see {os.path.relpath(gradebook.page(SOLUTION))}"
        )
    assignment, model = gradebook.assignment, kept / "output" / "model.keras"
    parameters = assignment.parameters
    takes_model = "MODEL_PATH" in read_parameters(assignment.original)
    if model.exists() and takes_model and not parameters.get("MODEL_PATH"):
        shutil.copy(model, kept / "home")
        parameters = parameters | {"MODEL_PATH": "home/model.keras"}
    gradebook.assignment = replace(assignment, home=kept / "home", parameters=parameters)


def grade_all(submissions, gradebook, *, workers):
    """Grade submissions in parallel: {student: Grade}, of all unless Ctrl-C stops it."""
    grades = {}
    bar = {"desc": "Grading", "unit": "notebook", "disable": not sys.stderr.isatty()}
    env.compile_librosa()
    with ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(gradebook.grade, *item): item[0] for item in submissions.items()}
        try:
            for future in tqdm(as_completed(futures), total=len(futures), **bar):
                student = futures[future]
                try:
                    grades[student] = future.result()
                except Exception as error:  # costs this student's points, and no other's
                    grades[student] = ungraded(student, gradebook.assignment, error)
                tqdm.write(_line(grades[student]))
        except KeyboardInterrupt:
            gradebook.kernels.stop()
            pool.shutdown(cancel_futures=True)
    return {student: grades[student] for student in submissions if student in grades}


def ungraded(student, assignment, error):
    """The `Grade` of a submission on which grading itself failed."""
    reason = f"it could not be graded: {type(error).__name__}"
    numbers = [check.number for check in assignment.checks]
    verdicts = dict.fromkeys(numbers, (NOT_YET, reason))
    return Grade(student, verdicts, dict.fromkeys(numbers, 0), [reason])


def _line(result):
    remarks = f"  ({'; '.join(result.remarks)})" if result.remarks else ""
    return _cell(f"{result.student}  {result.total:g} points{remarks}")


def _cell(text):
    """Text that neither a terminal nor a spreadsheet takes for a command."""
    text = "".join(c if c.isprintable() else "?" for c in files.printable(text))
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def write_scores(path, grades, assignment):
    """Write scores.csv: one row per student."""
    rows = [
        {
            "student": _cell(result.student),
            "points": f"{result.total:g}",
            "of": f"{assignment.max_points:g}",
            **{check.number: f"{result.points[check.number]:g}" for check in assignment.checks},
            "seconds": result.seconds,
            "peak_memory_mib": result.peak_memory_mib,
            "remarks": _cell("; ".join(result.remarks)),
        }
        for result in grades.values()
    ]
    files.write_table(pd.DataFrame(rows), path)


def _parser():
    parser = argparse.ArgumentParser(
        description="Grade submitted exercise notebooks.",
        epilog="The same command again grades only what is new or has changed.",
    )
    parser.add_argument("submissions", type=Path, help="folder: a notebook or a folder per student")
    parser.add_argument("--notebook", required=True, metavar="NN", help="number or name")
    parser.add_argument(
        "-o", dest="output", type=Path, default=Path("scores.csv"), help="table (scores.csv)"
    )
    parser.add_argument("--profile", default="test", help="sizes from notebooks/runs.yaml (test)")
    add_parameter_option(parser, of="of the notebook")
    for limit in fields(Limits):
        scope = "check" if limit.name == "check_seconds" else "submission"
        text = f"limit of a {scope} ({limit.default:g})"
        kind, option = positive(type(limit.default)), f"--{limit.name.replace('_', '-')}"
        parser.add_argument(option, type=kind, default=limit.default, help=text)
    parser.add_argument("--jobs", type=positive(int), default=1, help="submissions at a time (1)")
    return parser


def run(arguments, *, root):
    """Run the command; returns the exit status. Raises UsageError."""
    output = Path(os.path.abspath(arguments.output))
    folder = output.with_name(f"{output.stem}_feedback")
    if not arguments.submissions.is_dir():
        raise UsageError(f"{arguments.submissions} is not a folder")
    if not (submissions := find_submissions(arguments.submissions)):
        raise UsageError(f"there is no notebook in {arguments.submissions}")
    hidden = (os.path.abspath(arguments.submissions), folder)
    name, assignment = open_assignment(arguments, hidden=hidden, root=root)
    gradebook = Gradebook(folder, assignment)
    print(f"Grading {SOLUTION} first", flush=True)
    samples = Path(os.environ.get("AUDIO_SAMPLE_DIR", root)) / "data"
    grade_solution(gradebook, root / "notebooks" / f"{name}.ipynb", data=samples)
    grades = grade_all(submissions, gradebook, workers=arguments.jobs)
    write_scores(output, grades, assignment)
    if len(grades) < len(submissions):
        raise KeyboardInterrupt
    print(f"{len(grades)} submissions graded: {os.path.relpath(output)}")
    return 0


def main(argv=None, *, root=ROOT):
    """Command line; returns the exit status."""
    return exit_status("grade", run, _parser().parse_args(argv), root=root)


if __name__ == "__main__":
    sys.exit(main())
