"""The parameters of a notebook: their declaration, and values for them.

The parameters cell is read as a syntax tree. papermill reads line by line: it accepts unknown
names, and misses annotated parameters and values that contain `=`.
"""

import ast
import contextlib
import difflib

import yaml

TAG = "parameters"
REQUIRED = ("DATA_DIR", "OUTPUT_DIR", "SEED")


class ParameterError(ValueError):
    """A parameters cell or a value that cannot be used; the message says why."""


def read_parameters(notebook):
    """{name: default} of the parameters cell of an nbformat notebook, in its order.

    Raises ParameterError unless exactly one code cell has the tag, and it only assigns literals
    without annotations, the required names among them.
    """
    numbered = enumerate(notebook.cells, start=1)
    cells = [item for item in numbered if TAG in item[1].metadata.get("tags", [])]
    if len(cells) != 1 or cells[0][1].cell_type != "code":
        found = ", ".join(f"cell {number} ({cell.cell_type})" for number, cell in cells) or "none"
        raise ParameterError(f'exactly one code cell must have the tag "{TAG}"; found: {found}')
    number, cell = cells[0]
    try:
        declared = _read_assignments(cell.source)
    except ParameterError as error:
        raise ParameterError(f"cell {number} (parameters), {error}") from None
    missing = [name for name in REQUIRED if name not in declared]
    if missing:
        raise ParameterError(f"cell {number} (parameters) lacks {', '.join(missing)}")
    return declared


def _read_assignments(source):
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise ParameterError(f"line {error.lineno}: {error.msg}") from None
    lines = source.splitlines()
    declared = {}
    for statement in statements:
        where = f"line {statement.lineno}: `{lines[statement.lineno - 1].strip()}`"
        if isinstance(statement, ast.AnnAssign):
            raise ParameterError(f"{where} is annotated: write `NAME = value`, without a type")
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case _:
                raise ParameterError(f"{where} is not an assignment of the form `NAME = value`")
        if name in declared:
            raise ParameterError(f"{where} assigns {name} a second time")
        try:
            declared[name] = ast.literal_eval(value)
        except (ValueError, TypeError):
            raise ParameterError(
                f"{where} is not a literal: compute derived values in another cell"
            ) from None
    return declared


def parse_value(name, text, *, default):
    """The value of a text from the command line for a parameter with this default.

    The text is YAML, but a parameter whose default is a string takes the text unchanged if YAML
    would read something else (`no`, `007`, a Windows path).
    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        if isinstance(default, str):
            return text
        raise ParameterError(f"{name}: {text!r} is not YAML: {error}") from None
    if isinstance(default, str) and not isinstance(value, str):
        return text
    return check_value(name, value, default=default)


def check_value(name, value, *, default):
    """The value if its type fits the default's; raises ParameterError if not."""
    if isinstance(default, int | float) and not isinstance(default, bool):
        if isinstance(value, str):  # YAML 1.1 reads 1e-3, without a point, as a string
            with contextlib.suppress(ValueError):
                return float(value)
        kinds, wanted = (int, float), "a number"
    elif default is None:
        return value
    else:
        kinds, wanted = {
            bool: (bool, "true or false"),
            str: (str, "a string"),
            list: ((list, tuple), "a list, such as [1, 2]"),
            tuple: ((list, tuple), "a list, such as [1, 2]"),
            dict: (dict, "a mapping, such as {a: 1}"),
        }.get(type(default), (type(default), f"a {type(default).__name__}"))
    if not isinstance(value, kinds) or (isinstance(value, bool) and not isinstance(default, bool)):
        raise ParameterError(f"{name} must be {wanted}, got {value!r}")
    return value


def unknown(kind, name, known):
    """The message for a name that does not exist, with a suggestion and the known names."""
    close = difflib.get_close_matches(name.upper(), [k.upper() for k in known], n=1)
    meant = next((k for k in known if close and k.upper() == close[0]), None)
    hint = f" Did you mean {meant}?" if meant else ""
    return f"unknown {kind} {name!r}.{hint} Known: {', '.join(known) or 'none'}"
