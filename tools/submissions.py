"""Submitted notebooks: whose they are, and their checks put back as they were."""

import ast
import copy
import re
from dataclasses import dataclass

import nbformat

from tools.parameters import TAG

CHECK = re.compile(r"^checks\.(\w+)\((\w+)\)$", re.MULTILINE)
MOST_BYTES = 50 * 2**20  # of a submission; one with all its figures has about 5 MB


class SubmissionError(ValueError):
    """A submission that cannot be run at all, and why."""


@dataclass(frozen=True)
class Check:
    """An exercise as the teacher set it. number: "5.2". cell: its check's. function: its name."""

    number: str
    points: float
    function: str
    cell: dict


def find_submissions(folder):
    """{student: notebook path} of a folder, in order.

    A student is named by the folder that holds the notebook (as nbgrader and most learning
    platforms have it) or, where the notebooks lie side by side, by the notebook. Of several
    notebooks in one student's folder, each counts as a submission.
    """
    found = sorted(
        path
        for path in folder.rglob("*.ipynb")
        if path.is_file()
        and not path.is_symlink()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    owners = [path.relative_to(folder).with_suffix("").parts for path in found]
    first = [parts[0] for parts in owners]
    return {
        parts[0] if first.count(parts[0]) == 1 else "/".join(parts): path
        for parts, path in zip(owners, found, strict=True)
    }


def read_submission(path):
    """A notebook that somebody else wrote. Raises SubmissionError."""
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise SubmissionError(f"it has {size >> 20} MB: clear its outputs")
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except (OSError, UnicodeError, ValueError, KeyError, AttributeError, TypeError) as error:
        if isinstance(error, SubmissionError):
            raise
        raise SubmissionError("it cannot be read as a notebook") from error
    except (nbformat.ValidationError, RecursionError) as error:
        raise SubmissionError("it is no valid notebook") from error
    return notebook


def checks_of(original):
    """The `Check`s of an exercise notebook as it was handed out."""
    found = []
    for cell in original.cells:
        mark = cell.metadata.get("nbgrader", {})
        if mark.get("grade"):
            number = mark["grade_id"].removeprefix("check-").replace("-", ".")
            found.append(Check(number, mark["points"], CHECK.search(cell.source)[2], cell))
    return found


def prepare(submission, original):
    """Make a submission ready to be graded: its checks are the original ones, at their places.

    A check that is not where it was is looked for by nbgrader's mark, by the cell's id and by what
    it calls; if it was deleted, it comes after the function. Its cell then has the exercise's
    number in its metadata, as `check`. Changes the submission, and returns it.
    """
    cells = submission.cells
    for cell in cells:
        cell.metadata.pop("check", None)
    for check in checks_of(original):
        index = _index_of(check, cells)
        if index is None:
            index = _after_function(check.function, cells)
            cells.insert(index, nbformat.v4.new_code_cell())
        cells[index] = nbformat.v4.new_code_cell(
            check.cell.source, metadata={"check": check.number}
        )
    for position, cell in enumerate(cells):
        cell["id"] = f"cell-{position}"  # a copied cell has the id of its model
    submission.metadata = copy.deepcopy(original.metadata)
    submission.nbformat_minor = 5
    return submission


def _index_of(check, cells):
    mark = check.cell.metadata.nbgrader.grade_id
    signs = (
        lambda cell: cell.metadata.get("nbgrader", {}).get("grade_id") == mark,
        lambda cell: cell.get("id") == check.cell.id,
        lambda cell: any(m[2] == check.function for m in CHECK.finditer(cell.source)),
    )
    for sign in signs:
        for index, cell in enumerate(cells):
            if cell.cell_type == "code" and not cell.metadata.get("check") and sign(cell):
                return index
    return None


def _after_function(name, cells):
    """The place after the last cell that defines a function, or after all cells."""
    places = [i for i, cell in enumerate(cells) if name in _functions(cell)]
    return places[-1] + 1 if places else len(cells)


def _functions(cell):
    if cell.cell_type != "code":
        return ()
    try:
        body = ast.parse(cell.source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return [node.name for node in body if isinstance(node, ast.FunctionDef)]


def parameters_cell(notebook):
    """Index of the cell that sets the parameters, also where an editor has lost its tag; or -1."""
    for is_it in (
        lambda cell: TAG in cell.metadata.get("tags", []),
        lambda cell: re.search(r"^OUTPUT_DIR\s*=", cell.source, re.MULTILINE),
    ):
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type == "code" and is_it(cell):
                return index
    return -1
