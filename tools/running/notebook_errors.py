"""Errors in an executed notebook, also those that papermill does not report."""

import re

WIDGETS = "application/vnd.jupyter.widget-state+json"
TERMINAL_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
TRACEBACK = "Traceback (most recent call last)"


def find_error(notebook):
    """The first error of an executed notebook in one line, or "" if there is none.

    An error is an error output, a code cell that did not run, or an error inside a widget.
    papermill reports success when a cell calls `sys.exit(0)`, although the later cells do not run,
    and when a widget's callback fails, because that error is only in the notebook's metadata.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    never_run = [cell for cell in code if cell.execution_count is None]
    for cell in code:
        if error := first_error(cell):
            rest = f"; {_count(never_run)} after it never ran" if never_run else ""
            return f"{error} in cell {_name(cell)}{rest}"
    if never_run:
        return f"{_count(never_run)} never ran, beginning with {_name(never_run[0])}"
    for widget in notebook.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {}).values():
        for output in widget.get("state", {}).get("outputs", ()):
            if error := _error_in(output):
                return f"{error} inside a widget"
            if output.get("output_type") == "stream" and TRACEBACK in (text := _text(output)):
                return f"{text.strip().splitlines()[-1]} inside a widget"
    return ""


def first_error(cell):
    """The first error in the outputs of a cell as one line, or ""."""
    return next(filter(None, map(_error_in, cell.get("outputs", ()))), "")


def _count(cells):
    return "1 code cell" if len(cells) == 1 else f"{len(cells)} code cells"


def _error_in(output):
    """The error in an output as one line, or ""."""
    if output.get("output_type") != "error":
        return ""
    lines = TERMINAL_COLOUR.sub("", output.get("evalue", "")).strip().splitlines()
    return ": ".join([output.get("ename", "error"), *lines[:1]])


def _text(output):
    text = output.get("text", "")
    return TERMINAL_COLOUR.sub("", text if isinstance(text, str) else "".join(text))


def _name(cell):
    """A cell for people: its execution count, if any, and its first line of code."""
    lines = [line.strip() for line in cell.source.strip().splitlines()]
    line = next((line for line in lines if not line.startswith("#")), lines[0])
    shown = line if len(line) <= 60 else line[:59] + "…"
    count = "" if cell.execution_count is None else f"[{cell.execution_count}] "
    return f"{count}`{shown}`"
