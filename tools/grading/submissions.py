"""Submitted notebooks: find them, read them, and restore the original checks in them."""

import ast
import copy
import re
from dataclasses import dataclass

import nbformat

from tools.series.parameters import TAG

CHECK = re.compile(r"^checks\.(\w+)\((\w+)\)$", re.MULTILINE)
MAX_BYTES = 50 * 2**20  # of a submission; with all figures it has about 5 MB
MAX_TEXT = 2 * 2**20  # characters of all cells; the solved notebook has 60,000
NEW_CELLS = {kind: getattr(nbformat.v4, f"new_{kind}_cell") for kind in ("code", "markdown", "raw")}
# Code that no solution needs, but that tampering with checks needs.
SUSPICIOUS = re.compile(
    r"grading_referee|_getframe|currentframe|__closure__|__globals__|__code__|__wrapped__|f_locals"
    r"|\bgc\.|settrace|checks\._|sys\.modules|__builtins__|\bctypes\b"
    r"|(?:^|;)\s*(?:np|numpy|pd|pandas|json|os|librosa|builtins|helpers|checks|exercises|"
    r"augmentation)(?!\.options)"
    r"(?:\.\w+)+\s*=[^=]",
    re.MULTILINE,
)


class SubmissionError(ValueError):
    """A submission that cannot be run; the message is the reason."""


@dataclass(frozen=True)
class Check:
    """The check of an exercise. number: "5.2". function: name of what it checks. cell: its cell."""

    number: str
    points: float
    function: str
    cell: dict


def find_submissions(folder):
    """{student: path of the notebook} in a folder, sorted.

    The student's name is that of the folder with the notebook (as in nbgrader and most learning
    platforms), or that of the notebook if it is not in a folder. Several notebooks in the folder of
    a student are several submissions.
    """
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() == ".ipynb"
        and path.is_file()
        and not path.is_symlink()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    owners = [path.relative_to(folder).with_suffix("").parts for path in found]
    first = [parts[0] for parts in owners]
    return {
        parts[0] if first.count(parts[0]) == 1 else "/".join(parts): path
        for parts, path in zip(owners, found, strict=True)
    }


def check_size(path):
    """Raise SubmissionError for a file that is missing or too large to read."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise SubmissionError(f"it cannot be opened: {error.strerror}") from None
    if size > MAX_BYTES:
        raise SubmissionError(f"it has {size >> 20} MB: clear its outputs")


def read_submission(path):
    """The cells of a submitted notebook, without outputs.

    Only text, tags and the marks of nbgrader are kept, so that a file can come from any editor.
    Raises SubmissionError.
    """
    check_size(path)
    try:
        found = nbformat.reads(path.read_bytes().decode("utf-8-sig"), as_version=4)
        cells = [_plain(cell) for cell in found.cells if cell.get("cell_type") in NEW_CELLS]
    except Exception as error:  # a file can hold anything
        raise SubmissionError("it is not a notebook") from error
    if sum(len(cell.source) for cell in cells) > MAX_TEXT:
        raise SubmissionError(f"its cells hold more than {MAX_TEXT >> 20} MB of text")
    return nbformat.v4.new_notebook(cells=cells)


def _plain(cell):
    """A new cell with only what is needed."""
    old = cell.get("metadata") if isinstance(cell.get("metadata"), dict) else {}
    tags = old.get("tags") if isinstance(old.get("tags"), list) else []
    mark = old.get("nbgrader") if isinstance(old.get("nbgrader"), dict) else {}
    # Without invalid Unicode, which cannot be written, and without links to attachments.
    source = cell.source.encode(errors="replace").decode().replace("(attachment:", "(")
    metadata = {"tags": [t for t in tags if isinstance(t, str)], "grade_id": mark.get("grade_id")}
    return NEW_CELLS[cell.cell_type](source, metadata={**metadata, "was": cell.get("id")})


def checks_of(original):
    """The `Check`s of an exercise notebook, in order."""
    found = []
    for cell in original.cells:
        mark = cell.metadata.get("nbgrader", {})
        if mark.get("grade"):
            number = mark["grade_id"].removeprefix("check-").replace("-", ".")
            found.append(Check(number, mark["points"], CHECK.search(cell.source)[2], cell))
    return found


def prepare(submission, original):
    """Replace the checks of a submission by the original ones; changes and returns it.

    A check is recognised by nbgrader's mark, by the cell's id or by the function that it calls.
    Each copy of it is replaced. If its cell holds other code, too, the original follows that cell;
    it also follows the last cell that defines the function, if no copy does. The cells of a check
    have the number of the exercise in their metadata, as `check`.
    """
    cells = submission.cells
    for check in checks_of(original):

        def restored(check=check):
            return nbformat.v4.new_code_cell(check.cell.source, metadata={"check": check.number})

        index = last = -1
        while (index := index + 1) < len(cells):
            if not _is_of(check, cells[index]):
                continue
            if _has_more_than_checks(cells[index]):
                index += 1
                cells.insert(index, restored())
            else:
                cells[index] = restored()
            last = index
        defined = [i for i, cell in enumerate(cells) if check.function in _functions(cell)]
        if defined and last < defined[-1]:
            cells.insert(defined[-1] + 1, restored())
        elif last < 0:
            cells.append(restored())
    for position, cell in enumerate(cells):
        cell["id"] = f"cell-{position}"  # copied cells share an id
    submission.metadata = copy.deepcopy(original.metadata)
    submission.nbformat_minor = 5
    return submission


def _is_of(check, cell):
    """Whether a cell is the cell of a check or a copy of it."""
    if cell.cell_type != "code" or cell.metadata.get("check"):
        return False
    return (
        cell.metadata.get("grade_id") == check.cell.metadata.nbgrader.grade_id
        or cell.metadata.get("was") == check.cell.id
        or any(match[2] == check.function for match in CHECK.finditer(cell.source))
    )


def _has_more_than_checks(cell):
    lines = CHECK.sub("", cell.source).splitlines()
    return any(line.strip() and not line.strip().startswith(("#", "%%time")) for line in lines)


def _functions(cell):
    if cell.cell_type != "code":
        return ()
    try:
        body = ast.parse(cell.source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return [node.name for node in body if isinstance(node, ast.FunctionDef)]


def suspicions(submission, original):
    """Pieces of code that no solution needs, for the teacher to look at.

    original: the notebook as it was handed out; its cells are ignored.
    """
    found, handed_out = [], {cell.source for cell in original.cells}
    for cell in submission.cells:
        is_own = cell.source not in handed_out and not cell.metadata.get("check")
        if cell.cell_type == "code" and is_own:
            found += [match[0].strip() for match in SUSPICIOUS.finditer(cell.source)]
    return list(dict.fromkeys(found))


def parameters_cell(notebook):
    """Index of the cell that sets the parameters, also if an editor lost its tag; -1 if none."""
    for is_it in (
        lambda cell: TAG in cell.metadata.get("tags", []),
        lambda cell: re.search(r"^OUTPUT_DIR\s*=", cell.source, re.MULTILINE),
    ):
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type == "code" and is_it(cell):
                return index
    return -1
