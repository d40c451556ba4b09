"""Make the solved notebook and the exercise notebook from a source with solutions.

An exercise is a function whose body holds a region

    ### BEGIN SOLUTION 5.2: what is to be done here, in a few words
    ...
    ### END SOLUTION

The markdown cell above it says "Exercise 5.2" and sets the task. The next code cell that calls a
check of the function is its check. nbgrader removes the solutions.
"""

import ast
import copy
import re
from dataclasses import dataclass

from nbgrader.preprocessors import ClearSolutions

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
REGION = re.compile(r"\s*### BEGIN SOLUTION (\d+\.\d+): (\S.*)")
STRICT = re.compile(r"^(checks\.start\(.*), strict=True\)$", re.MULTILINE)


class ExerciseError(ValueError):
    """A mistake in the source of an exercise; the message says what to change."""


@dataclass(frozen=True)
class Exercise:
    """number: "5.2". todo: text for the student's cell. function: its name. cell, check: indices
    of the cell with the function and of the cell with its check."""

    number: str
    todo: str
    function: str
    cell: int
    check: int


def find_exercises(notebook, *, hints):
    """The exercises of a notebook, in order. hints: {number: hints}. Raises ExerciseError."""
    found = []
    for index, cell in enumerate(notebook.cells):
        region = cell.cell_type == "code" and _region(cell)
        if not region:
            continue
        number, todo = region
        if number in {exercise.number for exercise in found}:
            raise ExerciseError(f"exercise {number} is there twice")
        function = _function_around(cell, number)
        _need_task(notebook.cells[:index], number)
        check = _check_cell(notebook.cells, index, number, function)
        if not hints.get(number):
            raise ExerciseError(f"exercise {number} has no hint: add one to its check")
        found.append(Exercise(number, todo, function, index, check))
    if found and not any(STRICT.search(cell.source) for cell in notebook.cells):
        raise ExerciseError("no cell begins the exercises: checks.start(…, strict=True)")
    return found


def _region(cell):
    """(number, what is to be done) of the solution region of a cell, or None."""
    region, is_open = None, False
    for line in cell.source.splitlines():
        if BEGIN in line:
            match = REGION.fullmatch(line)
            if not match:
                raise ExerciseError(f"`{line.strip()}`: write {BEGIN} N.N: what is to be done")
            if is_open:
                raise ExerciseError(f"exercise {match[1]} begins within exercise {region[0]}")
            if region:
                raise ExerciseError(f"exercise {match[1]} shares a cell with {region[0]}")
            region, is_open = match.groups(), True
        elif END in line:
            if not is_open:
                raise ExerciseError(f"`{line.strip()}` has no {BEGIN} before it")
            is_open = False
    if is_open:
        raise ExerciseError(f"exercise {region[0]} is not closed: {END} is missing")
    return region


def _function_around(cell, number):
    """The name of the one function that a solution's cell defines."""
    functions = [n.name for n in ast.parse(cell.source).body if isinstance(n, ast.FunctionDef)]
    if len(functions) != 1:
        raise ExerciseError(f"exercise {number}: its cell must define one function")
    return functions[0]


def _need_task(cells, number):
    """Raise ExerciseError unless the last markdown cell before the exercise sets the task."""
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    words = texts[-1].split() if texts else []
    if f"Exercise {number}" not in " ".join(words) or len(words) < 15:
        raise ExerciseError(f"exercise {number}: the markdown above must set the task")


def _check_cell(cells, index, number, function):
    """Index of the first cell that checks an exercise, before the next exercise begins."""
    call = re.compile(rf"^checks\.\w+\({function}\)$", re.MULTILINE)
    for i in range(index + 1, len(cells)):
        if cells[i].cell_type == "code" and BEGIN in cells[i].source:
            break
        if cells[i].cell_type == "code" and call.search(cells[i].source):
            return i
    raise ExerciseError(f"exercise {number} has no check: a cell with checks.…({function})")


def solved(notebook):
    """A copy with the solutions but without the lines that mark them."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        lines = cell.source.split("\n")
        cell.source = "\n".join(line for line in lines if BEGIN not in line and END not in line)
    return notebook


def unsolved(notebook, exercises):
    """A copy for students: no solutions, marks for nbgrader, checks that are not strict."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        cell.source = STRICT.sub(r"\1)", cell.source)
    for exercise in exercises:
        cell, check = notebook.cells[exercise.cell], notebook.cells[exercise.check]
        stub = f'# FIXME: {exercise.todo}\nraise NotImplementedError("FIXME {exercise.number}")'
        name = exercise.number.replace(".", "-")
        cell.metadata["nbgrader"] = _mark(f"exercise-{name}", solution=True)
        check.metadata["nbgrader"] = _mark(f"check-{name}", grade=True, locked=True, points=1)
        marks = {"begin_solution_delimeter": BEGIN, "end_solution_delimeter": END}
        clear = ClearSolutions(code_stub={"python": stub}, **marks)
        clear.preprocess_cell(cell, {"language": "python"}, exercise.cell)
    return notebook


def _mark(grade_id, **marks):
    plain = {"grade": False, "locked": False, "schema_version": 3, "solution": False, "task": False}
    return plain | {"grade_id": grade_id} | marks
