"""The two files by which a person takes in a whole run: summary.csv and index.html."""

import base64
import csv
import html
import io
from functools import lru_cache
from urllib.parse import quote

import nbformat

from helpers.files import write_text

COLUMNS = ("notebook", "status", "reason", "seconds", "peak_memory_mib")

STYLE = """
:root { color-scheme: light dark; --ink: #1d2330; --soft: #667085; --line: #e3e6ec;
  --page: #f6f7f9; --card: #fff; --good: #11734b; --bad: #b42318; --wait: #93640a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaf0; --soft: #9aa3b5; --line: #313746;
  --page: #14171e; --card: #1d212b; --good: #5fd0a0; --bad: #ff8a80; --wait: #f0bf62; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 2rem 1.25rem 4rem; background: var(--page);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; overflow-wrap: anywhere; }
a { color: inherit; }
.soft { color: var(--soft); }
table { width: 100%; margin-top: 1.5rem; border-collapse: collapse; background: var(--card);
  border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
th, td { padding: .8rem 1rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { font-size: .8rem; font-weight: 600; color: var(--soft); }
tr:last-child > td { border-bottom: 0; }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
th.number { text-align: right; }
td.figure { width: 15rem; }
td.notebook { width: 60%; }
td.figure img { display: block; width: 100%; max-height: 11rem; object-fit: contain;
  background: #fff; border: 1px solid var(--line); border-radius: 6px; }
.name { font-weight: 600; overflow-wrap: anywhere; }
.status { font-weight: 600; white-space: nowrap; }
.ok { color: var(--good); } .failed { color: var(--bad); } .unfinished { color: var(--wait); }
.reason { color: var(--bad); overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 0 2rem;
  margin: .5rem 0 0; font-size: .9rem; }
dl div { display: flex; justify-content: space-between; gap: 1rem; }
dt { color: var(--soft); }
dt { min-width: 0; overflow-wrap: anywhere; }
dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
dd.number { white-space: nowrap; } dd.text { min-width: 5rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
details { margin-top: .4rem; font-size: .9rem; } summary { cursor: pointer; color: var(--soft); }
@media (max-width: 44rem) {
  thead { display: none; }
  tr { display: block; padding: .8rem 0; border-bottom: 1px solid var(--line); }
  tr:last-child { border-bottom: 0; }
  td, td.figure, td.notebook { display: block; width: auto; padding: .25rem 1rem; border: 0; }
  td.number { text-align: left; }
  td[data-label]::before { content: attr(data-label) " "; color: var(--soft); }
}
"""


def write_summary(results, *, output, profile, swept=()):
    """Write summary.csv and index.html for a run's results into its folder; returns the page.

    swept: parameters that differ between the runs of a notebook; each has a column.
    """
    write_text(output / "summary.csv", _table(results, swept))
    page = output / "index.html"
    write_text(page, _page(results, output=output, profile=profile))
    return page


def _table(results, swept):
    rows = []
    for result in results:
        own = {name: result.parameters.get(name) for name in swept}
        row = own | {column: getattr(result, column, None) for column in COLUMNS[1:]}
        # A metric called like a column of ours must not take its place.
        metrics = {
            f"metric_{name}" if name in row or name in COLUMNS else name: value
            for name, value in result.metrics.items()
        }
        rows.append({"notebook": result.name, **row, **metrics})
    names = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(names or COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _page(results, *, output, profile):
    good = sum(result.status == "ok" for result in results)
    seconds = sum(result.seconds or 0 for result in results)
    rows = "\n".join(_row(result, output=output) for result in results)
    is_open = any(result.status in ("waiting", "running") for result in results)
    still = '<p class="soft">Not finished: reload this page to see more.</p>\n' if is_open else ""
    body = f"""<p class="soft">Profile {html.escape(profile)} ·
{good} of {len(results)} notebooks ok · {human_seconds(seconds)} of computing ·
<a href="summary.csv">summary.csv</a></p>
{still}<div class="wide"><table>
<thead><tr><th>First figure</th><th>Notebook</th><th>Status</th><th class="number">Time</th>
<th class="number">Peak memory</th></tr></thead>
<tbody>
{rows}
</tbody>
</table></div>"""
    return page_of(output.name, body)


def page_of(title, body, *, style=""):
    """A whole HTML page with a heading. title: plain text. style: CSS beside `STYLE`."""
    title = html.escape(title)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}{style}</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def _row(result, *, output):
    folder = quote(result.folder.relative_to(output).as_posix())
    page = f"{folder}/{quote(result.name)}.html"
    variant = f'<div class="name">{html.escape(result.variant)}</div>' if result.variant else ""
    has_page = (result.folder / f"{result.name}.html").exists()
    name, links = html.escape(result.name), ""
    if has_page:
        name = f'<a href="{page}">{name}</a>'
        links = (
            f'<div class="soft"><a href="{folder}/{quote(result.name)}.ipynb">notebook</a> · '
            f'<a href="{folder}/">files</a></div>'
        )
    figure = _first_figure(result)
    image = f'<a href="{page}"><img src="{figure}" alt="First figure"></a>' if figure else ""
    reason = f'<div class="reason">{html.escape(result.reason)}</div>' if result.reason else ""
    kind = result.status if result.status in ("ok", "failed") else "unfinished"
    return f"""<tr>
<td class="figure">{image}</td>
<td class="notebook"><div class="name">{name}</div>{variant}{links}{reason}{_pairs(result.metrics)}
<details><summary>Parameters</summary>{_pairs(result.parameters)}</details></td>
<td class="status {kind}">{html.escape(result.status)}</td>
<td class="number" data-label="Time">{human_seconds(result.seconds)}</td>
<td class="number" data-label="Peak memory">{human_memory(result.peak_memory_mib)}</td>
</tr>"""


def _pairs(values):
    items = ""
    for name, value in values.items():
        kind = "number" if isinstance(value, int | float) else "text"
        label = html.escape(str(name)).replace("_", "_<wbr>")
        shown = html.escape(human_value(value))
        items += f'<div><dt>{label}</dt><dd class="{kind}">{shown}</dd></div>'
    return f"<dl>{items}</dl>" if items else ""


def _first_figure(result):
    """A data URI of the first picture in the executed notebook, else of the first PNG file."""
    executed = result.folder / f"{result.name}.ipynb"
    if executed.exists() and (picture := _first_picture(executed, executed.stat().st_mtime_ns)):
        return picture
    for picture in sorted(result.folder.glob("*.png")):
        return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode()}"
    return ""


@lru_cache(maxsize=1000)  # the page is written anew after each notebook
def _first_picture(executed, changed):
    """A data URI of the first picture in an executed notebook, or "". changed: time of change."""
    for cell in nbformat.read(executed, as_version=4).cells:
        for output in cell.get("outputs", ()):
            if picture := output.get("data", {}).get("image/png"):
                return f"data:image/png;base64,{''.join(picture.split())}"
    return ""


def human_seconds(seconds):
    """12 -> "12 s", 83 -> "1 min 23 s", 5000 -> "1 h 23 min"."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def human_memory(mib):
    """256 -> "256 MiB", 1536 -> "1.5 GiB"."""
    if mib is None:
        return "–"
    return f"{mib:.0f} MiB" if mib < 1024 else f"{mib / 1024:.1f} GiB"


def human_value(value):
    """A metric or a parameter as a person writes it: 0.98765 -> "0.988", 12345 -> "12,345"."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if value.is_integer() or abs(value) >= 1000:
            return f"{value:,.0f}"
        return f"{value:.3g}"
    return str(value) if value != "" else "(empty)"
