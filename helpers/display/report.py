"""A report: an HTML page of metrics, tables and pictures."""

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
    """Write index.html to a folder: a page that needs no file outside it.

    metrics: dict. tables: {heading: DataFrame}. pictures: {file name in the folder: caption};
    missing files are left out.
    """
    folder, text = Path(folder), html.escape
    tables = {"Metrics": pd.DataFrame(metrics.items(), columns=["metric", "value"])} | tables
    parts = [f"<h1>{text(title)}</h1>"]
    for heading, table in tables.items():
        content = table.to_html(index=False, na_rep="–", border=0)
        parts.append(f'<h2>{text(heading)}</h2>\n<div class="wide">{content}</div>')
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
