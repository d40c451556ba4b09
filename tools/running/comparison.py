"""The results of a sweep: comparison.html, a picture for each metric, with intervals over seeds."""

import io

import pandas as pd
from scipy import stats

from helpers.files import write_text
from tools.pages import data_uri, render

SEED = "SEED"
CONFIDENCE = 0.95


def metrics_table(results, *, swept):
    """One row for each complete run: `notebook`, the swept parameters, the numeric metrics.

    swept: names of parameters. Returns (DataFrame, names of the metrics that are not constant).
    """
    rows, names = [], {}
    for result in results:
        if result.status == "ok":
            numbers = {
                name: float(value)
                for name, value in result.metrics.items()
                if isinstance(value, int | float)
                and not isinstance(value, bool)
                and name not in swept  # the parameter keeps its column
            }
            names |= dict.fromkeys(numbers)
            own = {name: _hashable(result.parameters.get(name)) for name in swept}
            rows.append({"notebook": result.name} | own | numbers)
    table = pd.DataFrame(rows, columns=["notebook", *swept, *names])
    return table, [name for name in names if name != "seed" and table[name].nunique() > 1]


def _hashable(value):
    return value if isinstance(value, int | float | str) else str(value)  # to group by it


def interval(values):
    """(low, high) of the mean of a Series with 95 % confidence (Student's t); NaN for one value."""
    margin = stats.t.ppf((1 + CONFIDENCE) / 2, max(len(values) - 1, 1)) * values.sem()
    return values.mean() - margin, values.mean() + margin


def over_seeds(table, metric, *, by):
    """The mean of a metric over the runs that differ only in their seed, with its `interval`.

    table: from `metrics_table`. by: columns that define a setting. Returns a DataFrame with the
    columns by, n, mean, low and high.
    """
    groups = table.dropna(subset=metric).groupby(list(by), sort=False)[metric]
    bounds = {"low": lambda runs: interval(runs)[0], "high": lambda runs: interval(runs)[1]}
    return groups.agg(n="size", mean="mean", **bounds).reset_index()


def write_comparison(results, *, swept, output):
    """Write comparison.html of a sweep's results into its folder; returns the page."""
    table, metrics = metrics_table(results, swept=swept)
    settings = [name for name in swept if name != SEED]
    notebooks = {}
    for notebook, runs in table.groupby("notebook", sort=False):
        shown = notebooks[notebook] = []
        for metric in metrics:
            if runs[metric].nunique() > 1:
                found = over_seeds(runs, metric, by=["notebook", *settings])
                picture = _picture(runs.dropna(subset=metric), metric, settings=settings)
                shown.append((metric, picture, _numbers(found, settings)))
    page = output / "comparison.html"
    values = {"notebooks": notebooks, "confidence": f"{CONFIDENCE:.0%}"}
    values["n_missing"] = sum(result.status != "ok" for result in results)
    write_text(page, render("comparison.html", title=f"Comparison of {output.name}", **values))
    return page


def _numbers(found, settings):
    pairs = zip(found["low"], found["high"], strict=True)
    return found[settings].assign(
        runs=found["n"].to_numpy(),
        mean=[f"{mean:.4g}" for mean in found["mean"]],
        interval=["–" if pd.isna(low) else f"{low:.4g} to {high:.4g}" for low, high in pairs],
    )


def _picture(runs, metric, *, settings):
    """A data URI of a figure: the first setting along the axis, the others as colours."""
    import seaborn as sns
    from matplotlib.figure import Figure  # without pyplot: nothing stays open

    axis_name, *others = settings or ["notebook"]
    labels = [", ".join(f"{n} {v}" for n, v in row.items()) for _, row in runs[others].iterrows()]
    figure = Figure(figsize=(8, 3.4), layout="constrained", dpi=110)
    axis = figure.subplots()
    hue = labels if others else None
    shared = {"x": runs[axis_name].astype(str), "y": runs[metric], "hue": hue, "ax": axis}
    n_colours = max(1, len(set(labels)))
    sns.stripplot(**shared, dodge=bool(others), jitter=False, alpha=0.5, legend=False)
    sns.pointplot(
        **shared,
        dodge=0.8 - 0.8 / n_colours if others else False,  # where stripplot puts its dots
        errorbar=interval,
        linestyle="none",
        linewidth=1.5,
        capsize=0.05,
    )
    axis.set(ylabel=metric, xlabel=axis_name if settings else "")
    axis.grid(axis="y", alpha=0.3)
    if others:
        axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return data_uri(file.getvalue())
