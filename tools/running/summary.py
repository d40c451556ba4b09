"""The two files that show a whole run: summary.csv and index.html."""

from functools import lru_cache

import nbformat
import pandas as pd

from helpers.files import write_table, write_text
from tools.pages import data_uri, render

COLUMNS = ("notebook", "status", "reason", "seconds", "peak_memory_mib")


def write_summary(results, *, output, profile, swept=()):
    """Write summary.csv and index.html for a run's results into its folder; returns the page.

    swept: parameters that differ between the runs of a notebook; each gets a column.
    """
    write_table(_table(results, swept), output / "summary.csv")
    page = output / "index.html"
    figures = {result.folder: _first_figure(result) for result in results}
    values = {"results": results, "output": output, "profile": profile, "figures": figures}
    write_text(page, render("run.html", title=output.name, **values))
    return page


def _table(results, swept):
    rows = []
    for result in results:
        own = {name: result.parameters.get(name) for name in swept}
        row = {"notebook": result.name} | own
        row |= {column: getattr(result, column) for column in COLUMNS[1:]}
        for name, value in result.metrics.items():
            row[f"metric_{name}" if name in row else name] = value  # ours keep their names
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    # As objects: integers stay integers in a column where other notebooks have no value.
    return pd.DataFrame(rows, columns=list(names or COLUMNS), dtype=object)


def _first_figure(result):
    """A data URI of the first picture in the notebook, else of the first PNG file, or ""."""
    executed = result.folder / f"{result.name}.ipynb"
    if executed.exists() and (picture := _first_picture(executed, executed.stat().st_mtime_ns)):
        return picture
    picture = min(result.folder.glob("*.png"), default=None)
    return data_uri(picture.read_bytes()) if picture else ""


@lru_cache(maxsize=1000)  # the page is written again whenever a notebook begins or ends
def _first_picture(executed, changed):
    """A data URI of the first picture in an executed notebook, or "". changed: time of change."""
    for cell in nbformat.read(executed, as_version=4).cells:
        for output in cell.get("outputs", ()):
            if picture := output.get("data", {}).get("image/png"):
                return f"data:image/png;base64,{''.join(picture.split())}"
    return ""
