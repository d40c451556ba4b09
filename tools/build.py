"""Build the notebooks from their sources.

    python tools/build.py            notebooks/source/NN_name.py -> notebooks/NN_name.ipynb, and
                                     notebooks/exercises/NN_name.ipynb if it has exercises
    python tools/build.py --check    list the notebooks that differ from their sources

A source is a Jupytext script in the percent format. It gives the same bytes on every machine, so
--check finds notebooks that were edited by hand or not built again.
"""

import argparse
import hashlib
import sys
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # instead of tools/, where a file could hide a package

import jupytext
import nbformat

from helpers import exercises
from helpers.files import atomic_path
from tools.command_line import CommandError, exit_status
from tools.series.exercises import ExerciseError, find_exercises, solved, unsolved
from tools.series.parameters import ParameterError, read_parameters

BADGES = "{{badges}}"
SET_UP = "# {{set-up}}"
PLACEHOLDER = "https://github.com/OWNER/"  # the address before the project is published
SET_UP_CELL = ROOT / "tools" / "series" / "set_up_cell.py"
# Hides the source of a cell in JupyterLab, on Kaggle and on Colab, until it is opened.
FOLDED = {"jupyter": {"source_hidden": True}, "_kg_hide-input": True, "cellView": "form"}
HINTS = {number: exercise.hints for number, exercise in exercises.EXERCISES.items()}
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class SourceError(CommandError):
    """A source with a mistake; the message says what to change."""


def badges(notebook_path, *, repository, ref):
    """Markdown links that open a notebook on Kaggle and Colab; "" before it is published.

    notebook_path: POSIX path in the repository. repository, ref: from `read_settings`.
    """
    if repository.startswith(PLACEHOLDER):
        return ""
    page = f"{repository}/blob/{ref}/{notebook_path}"
    in_colab = page.removeprefix("https://github.com/")
    return (
        "[![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)]"
        f"(https://www.kaggle.com/kernels/welcome?src={page}) "
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        f"(https://colab.research.google.com/github/{in_colab})"
    )


def set_up(*, repository, ref):
    """The code with which a notebook finds `helpers`, wherever it is opened."""
    is_published = not repository.startswith(PLACEHOLDER)
    archive = f"{repository}/archive/{ref}.zip" if is_published else ""
    return SET_UP_CELL.read_text(encoding="utf-8").replace("{{archive}}", archive).rstrip()


def products(source, *, settings):
    """The notebooks of a source: {path in notebooks/: bytes}. Raises SourceError."""
    notebook = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    try:
        read_parameters(notebook)
        found = find_exercises(notebook, hints=HINTS)
    except (ParameterError, ExerciseError) as error:
        raise SourceError(f"{source.name}: {error}") from None
    if f"\n\n{BADGES}" not in notebook.cells[0].source:
        raise SourceError(f"{source.name}: the first cell must hold a line {BADGES}")
    cells = [cell for cell in notebook.cells if SET_UP in cell.source.splitlines()]
    if len(cells) != 1:
        raise SourceError(f"{source.name}: one cell must hold a line {SET_UP}")
    cells[0].source = cells[0].source.replace(SET_UP, set_up(**settings))
    cells[0].metadata.update(FOLDED)
    made = {f"{source.stem}.ipynb": solved(notebook)}
    if found:
        made[f"exercises/{source.stem}.ipynb"] = unsolved(notebook, found)
    for path, product in made.items():
        title, links = product.cells[0], badges(f"notebooks/{path}", **settings)
        title.source = title.source.replace(f"\n\n{BADGES}", links and f"\n\n{links}")
    return {path: serialise(product) for path, product in made.items()}


def serialise(notebook):
    """Bytes of a notebook, with the metadata of the series and cell ids made from the content."""
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen = Counter()
    for cell in notebook.cells:
        # With a counter for equal cells. A new cell changes the id of no other cell.
        digest = hashlib.sha256(f"{cell.cell_type}\0{cell.source}".encode()).hexdigest()[:12]
        cell.id = f"{digest}-{seen[digest]}"
        seen[digest] += 1
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.validate(notebook)
    return (nbformat.writes(notebook).rstrip("\n") + "\n").encode("utf-8")


def read_settings(root):
    """Where the notebooks are published, from pyproject.toml: {"repository", "ref"}.

    ref: the tag v<version> of a release, the branch during development.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    series, version = project["tool"]["series"], project["project"]["version"]
    ref = series["branch"] if "dev" in version else f"v{version}"
    return {"repository": series["repository"].rstrip("/"), "ref": ref}


def build(root, *, check=False):
    """Build or check all notebooks; returns one line for each file that was written or differs.

    Raises SourceError.
    """
    settings = read_settings(root)
    folder = root / "notebooks"
    expected = {}
    for source in sorted((folder / "source").glob("*.py")):
        expected |= products(source, settings=settings)
    differing = []
    for path, content in expected.items():
        target = folder / path
        if target.is_file() and target.read_bytes() == content:
            continue
        state = "differs from its source" if target.exists() else "is missing"
        differing.append(f"notebooks/{path} {state}" if check else f"wrote notebooks/{path}")
        if not check:
            with atomic_path(target) as temporary:
                temporary.write_bytes(content)
    strays = sorted(
        found.relative_to(folder).as_posix()
        for found in folder.rglob("*.ipynb")
        if ".ipynb_checkpoints" not in found.parts
    )
    strays = [path for path in strays if path not in expected]
    if strays and not check:
        raise SourceError(
            f"{', '.join(f'notebooks/{path}' for path in strays)} has no source: "
            "delete it, or add a source to notebooks/source"
        )
    return differing + [f"notebooks/{path} has no source" for path in strays]


def run(root, *, check):
    """Build or check, and print what happened; returns the exit status. Raises SourceError."""
    lines = build(root, check=check)
    print(*lines or ["All notebooks are up to date."], sep="\n")
    if check and lines:
        print("Edit the sources only, then run: make build", file=sys.stderr)
    return 1 if check and lines else 0


def main(argv=None, *, root=ROOT):
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Build the notebooks from notebooks/source.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if out of date")
    arguments = parser.parse_args(argv)
    return exit_status("build", lambda: run(root, check=arguments.check))


if __name__ == "__main__":
    sys.exit(main())
