"""The checks of 01_eda: effect size, a summary in SQL."""

import contextlib
import re

import numpy as np
import pandas as pd

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import need_array, need_number, need_value, say_first, say_if, some_of

UNQUOTED = r"""(?<!["'\w])group(?!["'\w]|\s+by\b)"""  # the SQL keyword, as if it were a column


@check(
    "1.7",
    "Cohen's d, an effect size",
    "The difference of the means, divided by the spread within the groups.",
    "The variance within: add the squared deviations of each group from its own mean, and divide "
    "by the degrees of freedom.",
    "A group of n values has n - 1 degrees of freedom (ddof=1): average the two variances "
    "with the weights len(a) - 1 and len(b) - 1. Then take the square root.",
)
def cohens_d(attempt):
    """cohens_d(a, b) → (mean(a) - mean(b)) / pooled standard deviation."""
    from scipy import stats

    rng = np.random.default_rng(17)
    cases = [
        ("6 and 25 values", rng.normal(4, 3, 6), rng.normal(1, 1, 25)),
        ("25 and 6 values, the first lower", rng.normal(-2, 0.5, 25), rng.normal(0, 2, 6)),
        ("3 and 9 values of nearly the same mean", np.array([1.0, 2.0, 4.5]),
         np.arange(9.0) / 4 + 1),
    ]  # fmt: skip
    for name, a, b in cases:
        t = stats.ttest_ind(a, b).statistic
        right = t * np.sqrt(1 / len(a) + 1 / len(b))
        with case(name):
            found = need_number(call(attempt, a, b), what="one effect size")
        if np.isclose(found, right):
            continue
        told, away = f"{name}: it returns {found:.4g}", a.mean() - b.mean()
        spread, within = away / right, [stats.tvar(a), stats.tvar(b)]
        n, free = np.array([len(a), len(b)]), len(a) + len(b) - 2
        without = within * (n - 1) / n
        ddof = "the variances are divided by the number of values; ddof=1 is right"
        simple = (
            "it averages the two variances without weights; the larger group needs a larger weight"
        )
        say_if(
            found,
            [
                (-right, "the sign must be that of mean(a) - mean(b)"),
                (away, "this is the difference of means alone: divide it by the spread within"),
                (t, "this is the t statistic, which grows with the number of values"),
                (right / spread, "it divides by the variance: its square root is missing"),
                (right * np.sqrt(n.sum() / free), ddof),
                (away / np.sqrt(np.average(without, weights=n - 1)), ddof),
                (away / np.sqrt(sum(within) / 2), simple),
                (away / np.sqrt(sum(without) / 2), f"{simple}, and ddof=1 is missing"),
                (away / (np.sqrt(within).sum() / 2), "it averages the two standard deviations: "
                 "average the variances, with weights"),
                (away / np.sqrt(np.average(within, weights=n)), "the weights of the variances are "
                 "their degrees of freedom, one less than the number of values"),
                *((away / np.concatenate([a, b]).std(ddof=k), "it takes the spread of all values "
                   "together, which the difference of the groups makes larger: pool the spread "
                   "within each group") for k in (0, 1)),
                *((away / np.std(x, ddof=k), f"it takes the spread of {which} alone")
                  for x, which in ((a, "a"), (b, "b")) for k in (0, 1)),
            ],
            rtol=1e-5,
            told=f"{told}: ",
        )  # fmt: skip
        raise Wrong(
            f"{told}; the means differ by {away:.4g} and the pooled standard deviation is "
            f"{spread:.4g}, so {right:.4g} is right"
        )


@check(
    "1.8",
    "an SQL query with a row for each class",
    "One row per label: use GROUP BY, with `count`, `count(DISTINCT …)` and `sum`.",
    'GROUP is an SQL keyword: write the column of that name in double quotes, "group".',
    "Name every column with AS, convert seconds to minutes, and sort with ORDER BY … DESC.",
)
def clips_per_class(attempt):
    """clips_per_class() → SQL query as str: label, clips, sources, minutes; most minutes first."""
    query = call(attempt)
    need_value(query)
    if not isinstance(query, str):
        raise Wrong(f"it returns a {type(query).__name__}: return the query itself, as a str")
    rng = np.random.default_rng(18)
    for name, classes in (
        ("four classes", {"rain": (5, 40.0), "dog_bark": (12, 1.5), "siren": (9, 4.0),
                          "rooster": (3, 60.0)}),
        ("other classes", {"engine": (2, 6.0), "cat": (14, 2.0), "train": (6, 8.0),
                           "wind": (4, 30.0), "frog": (7, 0.5)}),
        ("one class", {"siren": (8, 3.0)}),
    ):  # fmt: skip
        labels = [label for label, (n, _) in classes.items() for _ in range(n)]
        labels = [labels[i] for i in rng.permutation(len(labels))]
        n = len(labels)
        table = pd.DataFrame(
            {
                "file": [f"audio/{i:03d}.wav" for i in range(n)],
                "label": labels,
                "group": [f"source_{i}" for i in rng.integers(0, 5, n)],
                "fold": rng.choice([-1, 1, 2, 3], n),
                "duration_s": [classes[label][1] * rng.choice([0.77, 1.03]) for label in labels],
                "sample_rate": 44100,
                "channels": rng.integers(1, 3, n),
            }
        )
        with case(name):
            _compare_rows(_rows(query, table), table)


def _rows(query, table):
    """The answer of DuckDB, or of SQLite if DuckDB is not installed: dict column → list."""
    try:
        import duckdb as database

        connection = database.connect()
        connection.register("clips", table)
    except ImportError:
        import sqlite3 as database

        connection = database.connect(":memory:")
        table.to_sql("clips", connection, index=False)
    with contextlib.closing(connection):
        try:
            answer = connection.execute(query)
            rows = answer.fetchall() if answer and answer.description else []
        except (database.Error, database.Warning) as error:
            text = str(error).strip().splitlines()[0]
            is_syntax = "Parser Error" in text or "syntax error" in text
            if is_syntax and re.search(UNQUOTED, query, re.IGNORECASE):
                text += '. Is the column group written in double quotes, "group"?'
            raise Wrong(f"the database says: {text}") from None
        if answer is None or answer.description is None:
            raise Wrong("the query is empty")
        names = [column[0].lower() for column in answer.description]
    wanted = ["label", "clips", "sources", "minutes"]
    if sorted(names) != sorted(wanted):
        raise Wrong(f"its columns are {', '.join(names)}, where {', '.join(wanted)} are needed")
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def _compare_rows(found, table):
    """Raise Wrong unless the columns of the answer are right."""
    parts = {label: part for label, part in table.groupby("label")}
    seconds = {label: part["duration_s"].sum() for label, part in parts.items()}
    order = sorted(seconds, key=seconds.get, reverse=True)
    labels = [str(label) for label in found["label"]]
    if len(labels) != len(set(labels)):
        raise Wrong(f"it gives {len(labels)} rows for {len(order)} labels: one row per label is "
                    "needed (GROUP BY label alone)")  # fmt: skip
    if set(labels) != set(order):
        raise Wrong(f"its rows have the labels {some_of(labels) or 'none'}, but those of the table "
                    f"are {some_of(order)}: every label needs a row")  # fmt: skip
    shape = {"shape": (len(labels),), "axes": ("labels",)}
    clips, sources, minutes = (
        need_array(found[name], **shape) for name in ("clips", "sources", "minutes")
    )
    for i, label in enumerate(labels):
        n, n_sources = len(parts[label]), len(set(parts[label]["group"]))
        if clips[i] != n:
            raise Wrong(f"clips of {label} is {clips[i]:g}, but the table has {n} rows of it")
        if sources[i] != n_sources:
            why = ""
            if (sources == clips).all():
                why = ": it counts rows: count every source once"
            elif (sources == 1).all():
                why = ": 'group' in single quotes is a text; in double quotes it is a column"
            elif (sources == len(set(table["group"]))).all():
                why = ": these are the sources of the whole table"
            raise Wrong(f"sources of {label} is {sources[i]:g}, but it has {n_sources} different "
                        f"groups{why}")  # fmt: skip
    right = np.array([seconds[label] for label in labels]) / 60
    if not np.allclose(minutes, right, rtol=1e-6):
        told = f"minutes of {labels[0]} is {minutes[0]:.4g}, where {right[0]:.4g} is right"
        say_first(
            (np.allclose(minutes, 60 * right), "these are seconds"),
            (np.allclose(minutes * clips, right), "this is the mean of a clip; sum over the clips "
             "of the label"),
            (np.allclose(minutes, right / 60), "these are hours"),
            (any(np.allclose(minutes, do(right * 10**k) / 10**k, atol=1e-9)
                 for do in (np.round, np.floor, np.ceil) for k in range(4)),
             "the minutes are rounded: do not round them"),
            (True, "sum duration_s of the label, and divide by 60"),
            told=f"{told}: ",
        )  # fmt: skip
    if labels != order:
        why = ": the fewest minutes come first (DESC)" if labels == order[::-1] else ""
        raise Wrong(f"its rows are in the order {some_of(labels)}, but most minutes first is "
                    f"{some_of(order)}{why}")  # fmt: skip
