"""Attempts at the exercises of 01_eda."""

from collections import Counter, defaultdict

import numpy as np
import pandas as pd
from attempts import right, wrong

# --- 1.1 ------------------------------------------------------------------------------------------


@right("clipped_share")
def by_edges(y):
    level = np.abs(y)
    if not level.any():
        return 0.0
    at_top = np.concatenate([[False], level == level.max(), [False]])
    edges = np.flatnonzero(at_top[1:] != at_top[:-1])
    lengths = edges[1::2] - edges[::2]
    return lengths[lengths >= 3].sum() / len(y)


@right("clipped_share")
def sample_by_sample(y):
    peak, total, run = max(abs(y)), 0, 0
    for value in [*abs(y), -1.0]:
        if value == peak and peak > 0:
            run += 1
        else:
            total, run = total + (run if run >= 3 else 0), 0
    return total / len(y)


@right("clipped_share")
def by_neighbours(y):
    """In a run of three: as the last, the middle or the first of them."""
    level = pd.Series(np.abs(y))
    at_top = (level >= (1 - 1e-6) * level.max()) & (level > 0)
    three = at_top.rolling(3).sum().eq(3)
    inside = three | three.shift(-1, fill_value=False) | three.shift(-2, fill_value=False)
    return np.float32(inside.mean())


def flat_tops(*, level=np.abs, least=3, of=lambda length: length, edges=(1, 1)):
    """Like `by_edges`, with one thing done differently."""

    def share(y):
        values = level(y)
        at_top = np.pad(values == values.max(), edges).astype(int) * bool(y.any())
        starts, ends = np.flatnonzero(np.diff(at_top) == 1), np.flatnonzero(np.diff(at_top) == -1)
        n_runs = min(len(starts), len(ends))
        lengths = ends[len(ends) - n_runs :] - starts[:n_runs]
        return sum(of(length) for length in lengths if length >= least) / len(y)

    return share


for said, attempt in {
    "turned down": lambda y: (np.abs(y) >= 1).mean(),
    "runs of 1 or 2": lambda y: (np.abs(y) == np.abs(y).max()).mean() * bool(y.any()),
    "on one side of zero": flat_tops(level=lambda y: y),
    "those of both sides": flat_tops(level=lambda y: -y),
    "a number of samples": lambda y: by_edges(y) * len(y),
    "in percent": lambda y: 100 * by_edges(y),
    "just 3 samples": flat_tops(least=4),
    "2 samples too short": flat_tops(of=lambda length: length - 2),
    "it counts runs": flat_tops(of=lambda length: 1),
    "run at the end is missing": flat_tops(edges=(1, 0)),
    "one number is needed": lambda y: np.abs(y) == np.abs(y).max(),
    "it returns nan": lambda y: by_edges(y) / (1.0 if y.any() else np.nan),
    "a share of 0.5": lambda y: 0.9 * by_edges(y),
    "go on from one": lambda y: flat_tops(level=lambda y: y)(y.clip(0)) + by_edges(y.clip(max=0)),
}.items():
    wrong("clipped_share", said)(attempt)


@wrong("clipped_share", "silence", "but it is not clipped")
def silence_is_all_at_its_maximum(y):
    return by_edges(y) if y.any() else 1.0


@wrong("clipped_share", "lower than the maximum")
def any_flat_part(y):
    same = np.concatenate([[True], y[1:] != y[:-1]])
    lengths = np.diff(np.append(np.flatnonzero(same), len(y)))
    return lengths[lengths >= 3].sum() / len(y) if y.any() else 0


# --- 1.2 ------------------------------------------------------------------------------------------


def grouped(key, *, least=2):
    """Groups of sounds that have the same key."""

    def groups(sounds):
        places = defaultdict(list)
        for i, y in enumerate(sounds):
            places[key(y)].append(i)
        return [group for group in places.values() if len(group) >= least]

    return groups


right("duplicates")(grouped(lambda y: y.tobytes()))


@right("duplicates")
def everyone_with_everyone(sounds):
    groups, taken = [], set()
    for i in range(len(sounds)):
        same = [j for j in range(i, len(sounds)) if np.array_equal(sounds[i], sounds[j])]
        if len(same) > 1 and i not in taken:
            groups.append(same)
            taken.update(same)
    return groups


@right("duplicates")
def by_pandas(sounds):
    contents = pd.Series([tuple(y.tolist()) for y in sounds])
    twice = contents[contents.duplicated(keep=False)]
    return tuple(group.index.to_numpy() for _, group in twice.groupby(twice, sort=False))


def pairs(sounds):
    return [
        (i, j)
        for i in range(len(sounds))
        for j in range(i + 1, len(sounds))
        if np.array_equal(sounds[i], sounds[j])
    ]


for said, attempt in {
    "sounds 0 and 1 differ at sample 0, with equal lengths": grouped(len),
    "though their means are equal": grouped(lambda y: (len(y), float(y.sum()))),
    "are equal": grouped(lambda y: float(y.mean())),
    "and the same with silence after it": grouped(lambda y: np.trim_zeros(y).tobytes()),
    "differ at sample 39": grouped(lambda y: (len(y), tuple(y[:30]))),
    "have 40 and 52 samples": grouped(lambda y: y[:9].tobytes()),
    "in no group": grouped(lambda y: y.tobytes(), least=1),
    "sound 2 is in 2 groups": pairs,
    "one flat list": lambda sounds: [i for group in everyone_with_everyone(sounds) for i in group],
    "returns a dict": lambda sounds: dict(enumerate(everyone_with_everyone(sounds))),
    "sounds 1, 3 have the same": lambda sounds: [],
    "not an index": lambda sounds: [
        [f"sound {i}" for i in group] for group in everyone_with_everyone(sounds)
    ],
    "changes its input": lambda sounds: [sounds.pop()] and everyone_with_everyone(sounds),
    "of <lambda>": lambda sounds: sounds.no_such_thing,
}.items():
    wrong("duplicates", said)(attempt)


@wrong("duplicates", "is in 2 groups", "one group")
def does_not_take_notice_of_what_is_found(sounds):
    same = [[j for j, z in enumerate(sounds) if np.array_equal(y, z)] for y in sounds]
    return [[j for j in group if j >= i] for i, group in enumerate(same) if group[-1] > i]


# --- 1.3 ------------------------------------------------------------------------------------------


@right("wrong_length")
def by_mask(table, *, tolerance_s):
    is_off = (table["duration_s"] - table["listed_s"]).abs() > tolerance_s
    return table.loc[is_off, "file"].tolist()


@right("wrong_length")
def row_by_row(table, *, tolerance_s):
    files = []
    for _, row in table.dropna(subset=["listed_s"]).iterrows():
        if not row["listed_s"] - tolerance_s <= row["duration_s"] <= row["listed_s"] + tolerance_s:
            files.append(row["file"])
    return np.array(files)


@right("wrong_length")
def by_query(table, *, tolerance_s):
    return table.query("abs(duration_s - listed_s) > @tolerance_s")["file"].sort_values()


def off_by(is_off, *, pick=lambda table, rows: table["file"][rows]):
    """The files of rows that are off: is_off(listed, own, tolerance)."""
    return lambda table, *, tolerance_s: pick(
        table, is_off(table["listed_s"], table["duration_s"], tolerance_s)
    )


def differs(listed, own, tolerance):
    return (own - listed).abs() > tolerance


for said, attempt in {
    "too long count as well": off_by(lambda listed, own, t: listed - own > t),
    "too short count as well": off_by(lambda listed, own, t: own - listed > t),
    "is in seconds": off_by(lambda listed, own, t: ((own - listed) / listed).abs() > t),
    "no length is listed": off_by(lambda listed, own, t: ~((own - listed).abs() <= t)),
    "not more than the tolerance": off_by(lambda listed, own, t: (own - listed).abs() >= t),
    "the difference is within 0.5 s": off_by(lambda listed, own, t: differs(listed, own, 0.125)),
    "returns a DataFrame": off_by(differs, pick=lambda table, rows: table[rows]),
    "True or False": off_by(differs, pick=lambda table, rows: rows),
    "a row number": off_by(differs, pick=lambda table, rows: table.index[rows]),
    "returns a int": off_by(differs, pick=lambda table, rows: int(rows.sum())),
    "more than once": off_by(differs, pick=lambda table, rows: 2 * table["file"][rows].tolist()),
    "returns None": off_by(differs, pick=lambda table, rows: None),
    "is missing": off_by(differs, pick=lambda table, rows: table["file"][rows][1:]),
}.items():
    wrong("wrong_length", said)(attempt)


@wrong("wrong_length", "changes its input")
def rounds_in_place(table, *, tolerance_s):
    table["duration_s"] = table["duration_s"].round(1)
    return by_mask(table, tolerance_s=tolerance_s)


# --- 1.4 ------------------------------------------------------------------------------------------


@right("class_weights")
def by_counter(labels):
    counts = Counter(labels)
    return {label: len(labels) / (len(counts) * count) for label, count in counts.items()}


@right("class_weights")
def by_value_counts(labels):
    counts = pd.Series(labels).value_counts()
    return counts.sum() / counts / len(counts)


@right("class_weights")
def by_mask_of_each(labels):
    weights = {}
    for label in set(labels):
        weights[label] = len(labels) / len(set(labels)) / (labels == label).sum()
    return weights


@right("class_weights")
def scaled_afterwards(labels):
    names, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights = 1 / counts
    return dict(zip(names, weights / weights[index].mean(), strict=True))


def weighted(weight):
    """weight: of (n clips, n classes, clips of the class, all counts)."""

    def weights(labels):
        counts = Counter(labels)
        every = list(counts.values())
        return {k: weight(len(labels), len(counts), count, every) for k, count in counts.items()}

    return weights


for said, attempt in {
    "these are 1 / count": weighted(lambda n, k, count, every: 1 / count),
    "largest class weighs 1": weighted(lambda n, k, count, every: max(every) / count),
    "these are the shares": weighted(lambda n, k, count, every: count / n),
    "divide by the number of classes": weighted(lambda n, k, count, every: n / count),
    "smaller weight": weighted(lambda n, k, count, every: count * k / n),
    "mean over the classes is 1": weighted(
        lambda n, k, count, every: k / count / sum(1 / other for other in every)
    ),
    "must be the same for all": weighted(lambda n, k, count, every: (n / k / count) ** 0.5),
    "a dict is needed": lambda labels: list(by_counter(labels).values()),
    "for every clip": lambda labels: [by_counter(labels)[label] for label in labels],
    "is not a label here": lambda labels: by_counter(labels) | {"all": 1.0},
    "no weight for 'siren'": lambda labels: dict(enumerate(by_counter(labels).values())),
    "returns None": lambda labels: None,
    "where one number": lambda labels: {k: [v, v] for k, v in by_counter(labels).items()},
}.items():
    wrong("class_weights", said)(attempt)


# --- 1.5 ------------------------------------------------------------------------------------------


@right("leaked_share")
def by_isin(groups, is_test):
    return np.isin(groups[is_test], groups[~is_test]).mean()


@right("leaked_share")
def clip_by_clip(groups, is_test):
    train = {group for group, test in zip(groups, is_test, strict=True) if not test}
    test = [group for group, test in zip(groups, is_test, strict=True) if test]
    return sum(group in train for group in test) / len(test)


@right("leaked_share")
def by_groupby(groups, is_test):
    table = pd.DataFrame({"group": groups, "is_test": is_test})
    in_train = (~table["is_test"]).groupby(table["group"]).transform("any")
    return in_train[table["is_test"]].mean()


def leaks(groups, is_test):
    return np.isin(groups, groups[~is_test]) & is_test


for said, attempt in {
    "a share of sources": lambda g, t: np.isin(np.unique(g[t]), g[~t]).mean(),
    "0.5: this is a share of sources": lambda g, t: len(set(g[t]) & set(g[~t])) / len(set(g)),
    "a share of all clips": lambda g, t: leaks(g, t).mean(),
    "a share of training clips": lambda g, t: np.isin(g[~t], g[t]).mean(),
    "the number of training clips": lambda g, t: leaks(g, t).sum() / (~t).sum(),
    "in percent": lambda g, t: 100 * by_isin(g, t),
    "this is a number": lambda g, t: leaks(g, t).sum(),
    "siblings within the test set": lambda g, t: pd.Series(g).duplicated(keep=False)[t].mean(),
    "without a leak": lambda g, t: 1 - by_isin(g, t),
    "counts both sides": lambda g, t: np.isin(g, list(set(g[t]) & set(g[~t]))).mean(),
    "one number is needed": leaks,
    "5 of 8 test clips": lambda g, t: 0.3,
    "returns None": lambda g, t: None,
}.items():
    wrong("leaked_share", said)(attempt)


@wrong("leaked_share", "no source on both sides", "nan")
def nothing_to_divide_by(groups, is_test):
    return by_isin(groups, is_test) or np.nan


# --- 1.6 ------------------------------------------------------------------------------------------


@right("guess_by_container")
def by_counters(train_containers, train_labels, test_containers):
    counts = defaultdict(Counter)
    for container, label in zip(train_containers, train_labels, strict=True):
        counts[container][label] += 1
    every = Counter(train_labels)
    return [counts.get(c, every).most_common(1)[0][0] for c in test_containers]


@right("guess_by_container")
def by_mode(train_containers, train_labels, test_containers):
    labels = pd.Series(train_labels)
    usual = labels.groupby(pd.Series(train_containers)).agg(lambda part: part.mode()[0])
    return pd.Series(test_containers).map(usual).fillna(labels.mode()[0])


@right("guess_by_container")
def by_masks(train_containers, train_labels, test_containers):
    guesses = []
    for container in test_containers:
        mine = train_labels[train_containers == container]
        mine = mine if len(mine) else train_labels
        names, counts = np.unique(mine, return_counts=True)
        guesses.append(names[counts.argmax()])
    return np.array(guesses)


def usual_label(containers, labels):
    return {
        c: Counter(x for d, x in zip(containers, labels, strict=True) if d == c).most_common(1)[0][
            0
        ]
        for c in set(containers)
    }


for said, attempt in {
    "mp3' is None": lambda c, x, test: [usual_label(c, x).get(d) for d in test],
    "is nan": lambda c, x, test: pd.Series(test).map(usual_label(c, x)).to_numpy(),
    "KeyError": lambda c, x, test: [usual_label(c, x)[d] for d in test],
    "use the container": lambda c, x, test: [Counter(x).most_common(1)[0][0]] * len(test),
    "is it one per container": lambda c, x, test: [usual_label(c, x)[d] for d in sorted(set(c))],
    "which is a container": lambda c, x, test: [
        usual_label(x, c)[label] for label in x[: len(test)]
    ],
    "training clips in": lambda c, x, test: by_counters(sorted(c), x, test),
    "returns a dict": lambda c, x, test: usual_label(c, x),
    "12 of": lambda c, x, test: [
        usual_label(c, x).get(d, Counter(usual_label(c, x).values()).most_common(1)[0][0])
        for d in test
    ],
    "a label is needed": lambda c, x, test: [
        Counter(b for a, b in zip(c, x, strict=True) if a == d).most_common(1) for d in test
    ],
    "returns None": lambda c, x, test: None,
}.items():
    wrong("guess_by_container", said)(attempt)


# --- 1.7 ------------------------------------------------------------------------------------------


@right("cohens_d")
def by_variances(a, b):
    within = (len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)
    return (a.mean() - b.mean()) / np.sqrt(within / (len(a) + len(b) - 2))


@right("cohens_d")
def by_deviations(a, b):
    deviations = np.concatenate([a - a.mean(), b - b.mean()])
    return np.array(np.mean(a) - np.mean(b)) / np.sqrt(
        (deviations**2).sum() / (len(deviations) - 2)
    )


def d_with(spread):
    return lambda a, b: (a.mean() - b.mean()) / spread(a, b)


def averaged(a, b, *, ddof=1, less=1):
    variances = [x.var(ddof=ddof) for x in (a, b)]
    return np.average(variances, weights=[len(a) - less, len(b) - less]) ** 0.5


for said, attempt in {
    "ddof=1 is right": d_with(lambda a, b: averaged(a, b, ddof=0)),
    "number of values; ddof": d_with(lambda a, b: averaged(a, b, ddof=0, less=0)),
    "without weights": d_with(lambda a, b: ((a.var(ddof=1) + b.var(ddof=1)) / 2) ** 0.5),
    "ddof=1 is missing": d_with(lambda a, b: ((a.var() + b.var()) / 2) ** 0.5),
    "two standard deviations": d_with(lambda a, b: (a.std(ddof=1) + b.std(ddof=1)) / 2),
    "one less than": d_with(lambda a, b: averaged(a, b, less=0)),
    "all values together": d_with(lambda a, b: np.concatenate([a, b]).std()),
    "the sign must": lambda a, b: by_variances(b, a),
    "the t statistic": lambda a, b: by_variances(a, b) / (1 / len(a) + 1 / len(b)) ** 0.5,
    "square root is missing": d_with(lambda a, b: averaged(a, b) ** 2),
    "means alone": lambda a, b: a.mean() - b.mean(),
    "the spread of b alone": d_with(lambda a, b: b.std(ddof=1)),
    "the first lower: it returns": lambda a, b: abs(by_variances(a, b)),
    "pooled standard deviation is": lambda a, b: 1.1 * by_variances(a, b),
    "ValueError": lambda a, b: (a - b).mean() / averaged(a, b),
    "one number is needed": lambda a, b: (a.mean() - b.mean(), averaged(a, b)),
}.items():
    wrong("cohens_d", said)(attempt)


# --- 1.8 ------------------------------------------------------------------------------------------


def query(
    *,
    clips="count(*)",
    sources='count(DISTINCT "group")',
    minutes="sum(duration_s) / 60",
    end="GROUP BY label ORDER BY minutes DESC",
):
    return (
        f"SELECT label, {clips} AS clips, {sources} AS sources, {minutes} AS minutes "
        f"FROM clips {end}"
    )


@right("clips_per_class")
def in_one():
    return query()


@right("clips_per_class")
def in_two_steps():
    return """
        WITH of_source AS (  -- a row for every label and group
            SELECT label, clips."group" AS source, count(file) AS n, sum(duration_s) AS s
            FROM clips GROUP BY ALL
        )
        SELECT label, sum(n) AS Clips, count(*) AS Sources, sum(s / 60) AS Minutes
        FROM of_source GROUP BY 1 ORDER BY 4 DESC;
    """


@right("clips_per_class")
def by_window():
    return """
        SELECT DISTINCT minutes, label, clips, sources FROM (
            SELECT label, count(*) OVER of_label AS clips,
            count(DISTINCT "group") OVER of_label AS sources,
            sum(duration_s) OVER of_label / 60.0 AS minutes
            FROM clips WINDOW of_label AS (PARTITION BY label)
        ) ORDER BY minutes DESC
    """


for said, options in {
    'near "group". Is the column': {"sources": "count(DISTINCT group)"},
    "it counts rows": {"sources": 'count("group")'},
    "is a text": {"sources": "count(DISTINCT 'group')"},
    "sources of the whole table": {"sources": '(SELECT count(DISTINCT "group") FROM clips)'},
    "these are seconds": {"minutes": "sum(duration_s)"},
    "these are hours": {"minutes": "sum(duration_s) / 3600"},
    "the mean of a clip": {"minutes": "avg(duration_s) / 60"},
    "the minutes are rounded": {"minutes": "round(sum(duration_s) / 60, 1)"},
    "rounded: do not": {"minutes": "floor(sum(duration_s) / 60)"},
    "fewest minutes come first": {"end": "GROUP BY label ORDER BY minutes"},
    "most minutes first is": {"end": "GROUP BY label ORDER BY clips DESC"},
    "GROUP BY clause": {"end": "ORDER BY minutes DESC"},
    "every label needs a row": {"end": "WHERE label IN ('rain', 'dog_bark', 'siren', 'rooster') "
                                  "GROUP BY label ORDER BY minutes DESC"},
    "one row per label": {"end": "GROUP BY label, fold ORDER BY minutes DESC"},
    "clips of": {"clips": "count(DISTINCT fold)"},
    "Table with name klips": {"end": ", klips GROUP BY label"},
    "other classes": {"end": "GROUP BY label ORDER BY list_position("
                      "['rain', 'rooster', 'siren', 'dog_bark'], label), label DESC"},
}.items():  # fmt: skip
    wrong("clips_per_class", said)(lambda options=options: query(**options))

for said, text in {
    "its columns are label, count_star()": "SELECT label, count(*) FROM clips GROUP BY label",
    "the query is empty": "-- nothing yet",
    "the database says: Parser Error": "SELEC label FROM clips",
}.items():
    wrong("clips_per_class", said)(lambda text=text: text)

wrong("clips_per_class", "returns None")(lambda: None)
wrong("clips_per_class", "returns a DataFrame")(lambda: pd.DataFrame())


@right("duplicates")
def in_another_order(sounds):
    return [group[::-1] for group in everyone_with_everyone(sounds)[::-1]]


wrong("duplicates", "differ", "in one sample")(
    lambda sounds: _same_by(sounds, key=lambda y: y[:100].tobytes())
)
wrong("duplicates", "upside down")(lambda sounds: _same_by(sounds, key=lambda y: abs(y).tobytes()))
wrong("clipped_share", "a low tone that is not clipped")(
    flat_tops(level=lambda y: np.minimum(np.abs(y), 0.999 * np.abs(y).max()))
)
wrong("wrong_length", "gaps")(
    lambda table, tolerance_s: [
        table["file"][i]
        for i in range(len(table))
        if abs(table["duration_s"][i] - table["listed_s"][i]) > tolerance_s
    ]
)
wrong("guess_by_container", "not in training")(
    lambda c, labels, test: _with_fallback(c, labels, test, labels[0])
)


def _same_by(sounds, *, key):
    keys = [key(y) for y in sounds]
    groups = [[i for i, k in enumerate(keys) if k == one] for one in dict.fromkeys(keys)]
    return [group for group in groups if len(group) > 1]


def _with_fallback(containers, labels, test, fallback):
    most = pd.Series(labels).groupby(containers).agg(lambda own: own.mode()[0])
    return [most.get(name, fallback) for name in test]
