"""What the tests that run notebooks share."""

from pathlib import Path

import papermill

ROOT = Path(__file__).resolve().parent.parent
COUNTER = "05_capuchin_call_counter"
SPEAKERS = "03_speaker_identification"
URBAN = "04_urbansound8k_cnn"
FIRST_TWO = ("01_eda", "02_features")
REAL = ROOT.parent / "shared" / "data"


def run_notebook(name, output, *, folder=".", **parameters):
    """Run a notebook by papermill alone, as in a batch that knows nothing of tools/run.py.

    Returns the executed notebook. It is not written: papermill would write it twice a cell.
    """
    return papermill.execute_notebook(
        ROOT / "notebooks" / folder / f"{name}.ipynb",
        None,
        parameters={**parameters, "OUTPUT_DIR": str(output)},
        progress_bar=False,
    )
