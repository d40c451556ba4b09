"""Every notebook of the series runs from top to bottom with the sizes of the smoke profile."""

import csv
from pathlib import Path

import pytest

from tools.run import main

ROOT = Path(__file__).resolve().parent.parent
SERIES = sorted(path.stem for path in (ROOT / "notebooks" / "source").glob("[0-9][0-9]_*.py"))


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory):
    """The folder of one run over the whole series."""
    output = tmp_path_factory.mktemp("smoke") / "run"
    main(["--profile", "smoke", "--output", str(output)])
    return output


@pytest.mark.parametrize("name", SERIES)
def test_notebook_runs(smoke_run, name):
    with open(smoke_run / "summary.csv", newline="", encoding="utf-8") as file:
        rows = {row["notebook"]: row for row in csv.DictReader(file)}
    assert rows[name]["status"] == "ok", rows[name]["reason"]
