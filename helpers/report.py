"""The files of a run: pictures, tables, labels and metrics, each written whole or not at all."""

import html
import json
import math
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import env

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-size: 14px }
td, th { text-align: left; padding: 0.2rem 0.8rem 0.2rem 0; border-bottom: 1px solid #ddd }
figure { margin: 2rem 0 } img { max-width: 100% } figcaption { color: #555 }
.wide { overflow-x: auto }
"""


def write_text(path, text):
    """Write a text file (UTF-8) whole or not at all."""
    with env.atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_table(table, path):
    """Write a DataFrame as CSV, without its index; missing values stay empty."""
    with env.atomic_path(path) as temporary:
        table.to_csv(temporary, index=False)


def write_figure(figure, path, *, dpi=120):
    """Write a matplotlib figure as PNG."""
    with env.atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=dpi, bbox_inches="tight")


def write_arrays(path, **arrays):
    """Write arrays as one compressed .npz file. arrays: of numbers or text, no objects."""
    with env.atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


def write_page(folder, *, title, metrics, tables, pictures):
    """Write index.html: what a run has found, on one page that needs nothing but its folder.

    metrics: dict. tables: {heading: DataFrame}. pictures: {file name in the folder: caption}; one
    that is not there is left out.
    """
    folder, text = Path(folder), html.escape
    parts = [f"<h1>{text(title)}</h1>", "<h2>Metrics</h2>"]
    parts.append(_html_table(pd.DataFrame(metrics.items(), columns=["metric", "value"])))
    for heading, table in tables.items():
        parts += [f"<h2>{text(heading)}</h2>", _html_table(table)]
    for name, caption in pictures.items():
        if (folder / name).is_file():
            parts.append(
                f'<figure><img src="{text(name)}" alt="{text(caption)}">'
                f"<figcaption>{text(caption)}</figcaption></figure>"
            )
    body = "\n".join(parts)
    write_text(
        folder / "index.html",
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n",
    )


def _html_table(table):
    return f'<div class="wide">{table.to_html(index=False, na_rep="–", border=0)}</div>'


def write_metrics(output_dir, *, dataset, seed, **metrics):
    """Write metrics.json: flat, with the data set's name and source, the seed, and the numbers.

    dataset: `data.Dataset`. metrics: numbers; what could not be measured is None. Returns the dict.
    Raises ValueError for anything else, NaN included.
    """
    content = {"dataset": dataset.name, "source": dataset.source, "seed": seed}
    for name, value in metrics.items():
        if isinstance(value, Integral):
            content[name] = int(value)
        elif isinstance(value, Real) and math.isfinite(value):
            content[name] = round(float(value), 6)
        elif value is None:
            content[name] = None
        else:
            raise ValueError(f"metric {name!r} is {value!r}: a finite number or None is needed")
    write_text(Path(output_dir) / "metrics.json", json.dumps(content, indent=2) + "\n")
    return content


def write_labels(folder, events, names, *, low_hz, high_hz, label="capuchinbird"):
    """Label files to open beside each recording: Audacity labels and Raven selection tables.

    events: DataFrame `clip_name, start_s, end_s, score`. names: every recording that was counted;
    one without calls gets files that say so by being empty. low_hz, high_hz: band of the boxes, Hz.
    Writes <stem>.audacity.txt and <stem>.raven.txt, with the whole name of the recording where two
    recordings differ in the suffix alone.
    """
    folder = Path(folder)
    stems = [Path(name).stem for name in names]
    for name in names:
        mine = events[events["clip_name"] == name].reset_index(drop=True)
        base = Path(name).stem if stems.count(Path(name).stem) == 1 else name
        lines = []
        for event in mine.itertuples():
            lines += [
                f"{event.start_s:.3f}\t{event.end_s:.3f}\t{label} {event.score:.2f}",
                f"\\\t{low_hz:.1f}\t{high_hz:.1f}",  # Audacity's second line: the frequency range
            ]
        write_text(folder / f"{base}.audacity.txt", "".join(f"{line}\n" for line in lines))
        raven = pd.DataFrame(
            {
                "Selection": mine.index + 1,
                "View": "Spectrogram 1",
                "Channel": 1,
                "Begin Time (s)": mine["start_s"].round(3),
                "End Time (s)": mine["end_s"].round(3),
                "Low Freq (Hz)": low_hz,
                "High Freq (Hz)": high_hz,
                "Species": label,
                "Score": mine["score"].round(3),
            }
        )
        with env.atomic_path(folder / f"{base}.raven.txt") as temporary:
            raven.to_csv(temporary, sep="\t", index=False)
