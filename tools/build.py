"""Build notebooks/ and notebooks/exercises/ from notebooks/source.

A source is a Jupytext script in the percent format. It gives the same bytes on every machine, so
--check finds notebooks that were edited by hand or not built again.
"""

import argparse
import hashlib
import sys
import tomllib
from collections import Counter
from pathlib import Path

if __name__ == "__main__":  # without tools/, where a file could hide a package
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import jupytext
import nbformat

from helpers import exercises
from helpers.files import atomic_path
from tools.command_line import ROOT, CommandError, exit_status
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


def badges(notebook_path, *, repository, ref):
    """Markdown links that open a notebook (POSIX path) on Kaggle and Colab; "" if unpublished."""
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
    """The notebooks of a source: {path in notebooks/: bytes}. Raises CommandError."""
    notebook = jupytext.reads(source.read_text(encoding="utf-8"), fmt="py:percent")
    try:
        read_parameters(notebook)
        found = find_exercises(notebook, hints=HINTS)
    except (ParameterError, ExerciseError) as error:
        raise CommandError(f"{source.name}: {error}") from None
    if f"\n\n{BADGES}" not in notebook.cells[0].source:
        raise CommandError(f"{source.name}: the first cell must hold a line {BADGES}")
    cells = [cell for cell in notebook.cells if SET_UP in cell.source.splitlines()]
    if len(cells) != 1:
        raise CommandError(f"{source.name}: one cell must hold a line {SET_UP}")
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
    """Build or check all notebooks; a line for each that differs. Raises CommandError."""
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
    strays = [
        f"notebooks/{path.relative_to(folder).as_posix()}"
        for path in sorted(folder.rglob("*.ipynb"))
        if ".ipynb_checkpoints" not in path.parts
        and path.relative_to(folder).as_posix() not in expected
    ]
    if strays and not check:
        remedy = "delete it, or add a source to notebooks/source"
        raise CommandError(f"{', '.join(strays)} has no source: {remedy}")
    return differing + [f"{path} has no source" for path in strays]


def run(arguments, *, root):
    """Run the command; returns the exit status. Raises CommandError."""
    lines = build(root, check=arguments.check)
    print(*lines or ["All notebooks are up to date."], sep="\n")
    if arguments.check and lines:
        print("Edit the sources only, then run: make build", file=sys.stderr)
    return 1 if arguments.check and lines else 0


def main(argv=None, *, root=ROOT):
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Build the notebooks from notebooks/source.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if out of date")
    return exit_status("build", run, parser.parse_args(argv), root=root)


if __name__ == "__main__":
    sys.exit(main())
