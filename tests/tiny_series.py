"""A series of tiny notebooks, for the tests of what runs notebooks."""

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

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
