"""A report: one HTML page of metrics, tables and pictures."""

import html
from pathlib import Path

import pandas as pd

from helpers.files import write_text

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-size: 14px }
td, th { text-align: left; padding: 0.2rem 0.8rem 0.2rem 0; border-bottom: 1px solid #ddd }
figure { margin: 2rem 0 } img { max-width: 100% } figcaption { color: #555 }
.wide { overflow-x: auto }
"""


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
