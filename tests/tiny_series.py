"""A series of tiny notebooks, for the tests of what runs notebooks."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

REPOSITORY = Path(__file__).resolve().parent.parent
PARAMETERS = 'DATA_DIR = ""\nOUTPUT_DIR = ""\nSEED = 0\nLABEL = "none"\nRATES = [1]\nRATE = 0.5'
METRICS = """
import json, pathlib
metrics = {"dataset": "tiny", "source": "synthetic", "seed": SEED, "score": 0.98765}
pathlib.Path(OUTPUT_DIR, "metrics.json").write_text(json.dumps(metrics))
"""
COUNT = "import pathlib\nwith open('count.txt', 'a') as file: file.write('x')"


def write_notebook(root, name, *cells, parameters=PARAMETERS):
    """A notebook with a parameters cell and the given code cells, as the build would write it."""
    notebook = new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}},
        cells=[
            new_markdown_cell("# Title"),
            new_code_cell(parameters, metadata={"tags": ["parameters"]}),
            *map(new_code_cell, cells),
        ],
    )
    (root / "notebooks").mkdir(exist_ok=True)
    nbformat.write(notebook, root / "notebooks" / f"{name}.ipynb")


def write_helpers(root, text=""):
    (root / "helpers").mkdir(exist_ok=True)
    (root / "helpers" / "__init__.py").write_text(text)


def rows_of(output):
    """The rows of a run's summary, in order."""
    with open(output / "summary.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# Has a process obey Ctrl-C, which it would ignore if the tests run in the background. It is part of
# the program, because code between fork and exec (`preexec_fn`) is unsafe beside JAX's threads.
OBEY_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"


def started(arguments, request, *, root):
    """A run in a process of its own, in root; should the test fail, nothing is left running."""
    code = OBEY_CTRL_C + "import sys; from pathlib import Path; from tools.run import main\n"
    code += f"sys.exit(main({arguments!r}, root=Path({str(root)!r})))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    request.addfinalizer(process.kill)
    return process
