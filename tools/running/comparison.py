"""What a sweep found: comparison.html, a picture for each metric, with intervals over seeds."""

import base64
import html
import io

import numpy as np
import pandas as pd
from scipy import stats

from helpers.files import write_text
from tools.running.summary import human_value, page_of

SEED = "SEED"
CONFIDENCE = 0.95
PICTURES = """img { max-width: 100%; height: auto; background: #fff; border-radius: 6px; }
h2 { margin: 2.5rem 0 0; } h3 { margin: 2rem 0 .5rem; }
"""


def metrics_table(results, *, swept):
    """A row for each run that is complete: `notebook`, the swept parameters, its numeric metrics.

    swept: names of parameters. Returns (DataFrame, names of the metrics that are not constant).
    """
    rows, numeric = [], {}
    for result in results:
        if result.status == "ok":
            numbers = {
                name: float(value)
                for name, value in result.metrics.items()
                if isinstance(value, int | float)
                and not isinstance(value, bool)
                and name not in swept  # it would take the parameter's place
            }
            numeric |= dict.fromkeys(numbers)
            own = {name: result.parameters.get(name) for name in swept}
            rows.append(
                {"notebook": result.name} | {n: _plain(v) for n, v in own.items()} | numbers
            )
    table = pd.DataFrame(rows, columns=["notebook", *swept, *numeric])
    constant = {"seed"} | {name for name in numeric if table[name].nunique() < 2}
    return table, [name for name in numeric if name not in constant]


def _plain(value):
    """A parameter's value as a cell of a table: lists have no order and cannot be grouped by."""
    return value if isinstance(value, int | float | str) else str(value)


def over_seeds(table, metric, *, by):
    """Mean of a metric over the runs that differ in their seed alone, with an interval.

    table: see `metrics_table`. by: columns that tell the settings apart. Returns a DataFrame `*by,
    n, mean, low, high`: the interval has the mean with 95 % confidence if the runs' values are
    normally distributed (Student's t); NaN for a single run.
    """
    groups = table.dropna(subset=metric).groupby(list(by), sort=False)[metric]
    found = groups.agg(n="size", mean="mean", deviation="std").reset_index()
    margin = (
        stats.t.ppf((1 + CONFIDENCE) / 2, np.maximum(found["n"] - 1, 1))
        * found.pop("deviation")
        / np.sqrt(found["n"])
    )
    return found.assign(low=found["mean"] - margin, high=found["mean"] + margin)


def write_comparison(results, *, swept, output):
    """Write comparison.html of a sweep's results into its folder; returns the page."""
    table, metrics = metrics_table(results, swept=swept)
    settings = [name for name in swept if name != SEED]
    parts = []
    for notebook, own in table.groupby("notebook", sort=False):
        parts.append(f"<h2>{html.escape(notebook)}</h2>")
        shown = [name for name in metrics if own[name].nunique() > 1]
        if not shown:
            parts.append('<p class="soft">No metric differs between these runs.</p>')
        for metric in shown:
            found = over_seeds(own, metric, by=["notebook", *settings])
            picture = _picture(own, found, metric, settings=settings)
            parts.append(_section(metric, found, picture, settings=settings))
    n_open = sum(result.status != "ok" for result in results)
    still = f"Not complete, and left out: {n_open} · " if n_open else ""
    body = f"""<p class="soft">{still}A dot is a run. A bar, where there is more than one
seed, has the mean over all seeds with {CONFIDENCE:.0%} confidence, if runs are normally
distributed · <a href="index.html">all runs</a> · <a href="summary.csv">summary.csv</a></p>
"""
    body += "\n".join(parts) or '<p class="soft">No run is complete yet.</p>'
    page = output / "comparison.html"
    write_text(page, page_of(f"Comparison of {output.name}", body, style=PICTURES))
    return page


def _section(metric, found, picture, *, settings):
    columns = [*settings, "runs", "mean", "interval"]
    rows = ""
    for row in found.itertuples(index=False):
        own = row._asdict()
        values = [own[name] for name in settings] + [row.n, f"{row.mean:.4g}"]
        values.append("–" if np.isnan(row.low) else f"{row.low:.4g} to {row.high:.4g}")
        cells = "".join(f"<td>{html.escape(human_value(value))}</td>" for value in values)
        rows += f"<tr>{cells}</tr>\n"
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    return f"""<h3>{html.escape(metric)}</h3>
<img src="data:image/png;base64,{picture}" alt="{html.escape(metric)} of each setting">
<details><summary>Numbers</summary>
<div class="wide"><table>
<tr>{heads}</tr>
{rows}</table></div></details>"""


def _picture(runs, found, metric, *, settings):
    """A PNG, base64: the first setting along the axis, the others as colours."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure  # without pyplot: nothing is left open

    axis_name, *others = settings or ["notebook"]
    places = {value: k for k, value in enumerate(dict.fromkeys(found[axis_name]))}
    lines = list(found.groupby(others, sort=False)) if others else [((), found)]
    figure = Figure(figsize=(8, 3.4), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    for k, (key, own) in enumerate(lines):
        shift = 0.5 * ((k + 0.5) / len(lines) - 0.5)
        colour = f"C{k % 10}"
        mine = runs[(runs[others] == list(key)).all(axis=1)] if others else runs
        axis.plot(
            [places[v] + shift for v in mine[axis_name]], mine[metric], ".", color=colour, alpha=0.5
        )
        axis.errorbar(
            [places[v] + shift for v in own[axis_name]],
            own["mean"],
            yerr=own["mean"] - own["low"],
            fmt="o",
            color=colour,
            capsize=4,
            label=", ".join(f"{name} {value}" for name, value in zip(others, key, strict=True)),
        )
    axis.set(ylabel=metric, xlabel=axis_name if settings else "")
    axis.set_xticks(range(len(places)), [str(value) for value in places])
    axis.set_xlim(-0.6, len(places) - 0.4)
    axis.grid(axis="y", alpha=0.3)
    if others:
        axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return base64.b64encode(file.getvalue()).decode()
