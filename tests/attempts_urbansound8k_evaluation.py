"""Attempts at the exercises of 04_urbansound8k_cnn from the training on."""

import math

import numpy as np
import pandas as pd
import scipy.special
import scipy.stats
from attempts import right, wrong
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
)
from sklearn.utils.class_weight import compute_class_weight

# --- 4.7 ------------------------------------------------------------------------------------------


@right("weight_per_class")
def by_scikit_learn(labels, n_classes):
    present = np.unique(labels)
    weights = np.zeros(n_classes)
    weights[present] = compute_class_weight("balanced", classes=present, y=labels)
    return weights


@right("weight_per_class")
def class_by_class(labels, n_classes):
    counts = [int((labels == k).sum()) for k in range(n_classes)]
    present = sum(count > 0 for count in counts)
    return [len(labels) / (present * count) if count else 0 for count in counts]


@right("weight_per_class")
def scaled_at_the_end(labels, n_classes):
    counts = np.bincount(labels, minlength=n_classes)
    weights = np.divide(1.0, counts, out=np.zeros(n_classes, np.float32), where=counts > 0)
    return weights / weights[labels].mean()


@right("weight_per_class")
def in_a_series(labels, n_classes):
    weights = 1 / pd.Series(labels).value_counts()
    weights *= len(labels) / len(weights)
    return weights.reindex(range(n_classes), fill_value=0)


def weighed(rule):
    """Weights by a rule of the counts (of classes without clips 0)."""

    def weights(labels, n_classes):
        counts = np.bincount(labels, minlength=n_classes)
        with np.errstate(all="ignore"):
            return np.where(counts > 0, rule(counts), 0)

    return weights


def divided_by_0(labels, n_classes):
    counts = np.bincount(labels, minlength=n_classes)
    with np.errstate(all="ignore"):
        return len(labels) / ((counts > 0).sum() * counts)


for said, function in (
    (["four uneven classes (5, 30, 12, 3 clips)", "1 / count"], weighed(lambda c: 1 / c)),
    (["needs the larger weight"], weighed(lambda c: c / c.sum())),
    (["as much as all clips"], weighed(lambda c: c.sum() / c)),
    (["largest class weighs 1"], weighed(lambda c: c.max() / c)),
    (["class 1 and the last one", "n_classes is 5, but only 3"],
     weighed(lambda c: c.sum() / (len(c) * c))),
    (["mean over the classes is 1"],
     weighed(lambda c: (1 / c) / np.mean(1 / c[c > 0]))),
    (["add up to 1"], weighed(lambda c: (1 / c) / np.sum(1 / c[c > 0]))),
    (["weight times clips is"], weighed(lambda c: np.sqrt(c.sum() / c))),
    (["weight times clips is"], weighed(lambda c: 1 + c * 0.0)),
    (["mean over all clips is 2"], weighed(lambda c: 2 * c.sum() / ((c > 0).sum() * c))),
    (["class 1, which has 0 clips, is inf"], divided_by_0),
    (["class 1 has no clips", "weighs 1, not 0"], lambda labels, n: np.where(
        np.bincount(labels, minlength=n), by_scikit_learn(labels, n), 1)),
    (["class 1 and the last one", "3 weights"],
     lambda labels, n: compute_class_weight("balanced", classes=np.unique(labels), y=labels)),
    (["class 1 and the last one", "shape (4,)"],
     lambda labels, n: by_scikit_learn(labels, labels.max() + 1)),
    (["stops in line", "classes"],
     lambda labels, n: compute_class_weight("balanced", classes=np.arange(n), y=labels)),
    (["weight for each clip"], lambda labels, n: by_scikit_learn(labels, n)[labels]),
    (["returns a dict"], lambda labels, n: dict(enumerate(by_scikit_learn(labels, n)))),
    (["returns None"], lambda labels, n: None),
):  # fmt: skip
    wrong("weight_per_class", *said)(function)


# --- 4.8 ------------------------------------------------------------------------------------------


@right("smooth_labels")
def kept_and_spread(labels, *, share):
    return labels * (1 - share) + share * np.ones_like(labels) / labels.shape[-1]


@right("smooth_labels")
def towards_the_mean(labels, *, share):
    even = np.full(labels.shape, labels.mean(axis=1, keepdims=True))
    return labels + share * (even - labels)


@right("smooth_labels")
def number_by_number(labels, *, share):
    n = len(labels[0])
    return [[(1 - share) * float(value) + share / n for value in row] for row in labels]


def smoothed_in_place(labels, *, share):
    labels *= 1 - share
    labels += share / labels.shape[1]
    return labels


for said, function in (
    (["6 clips of 4 classes, share 0.1", "of [1.0, 0.0, 0.0, 0.0] it makes", "6 rows"],
     lambda x, share: (1 - share) * x + share / len(x)),
    (["only the other classes"],
     lambda x, share: np.where(x == 1, 1 - share, share / (x.shape[1] - 1))),
    (["true class gets no part"],
     lambda x, share: np.where(x == 1, 1 - share, share / x.shape[1])),
    (["labels of mixed clips"],
     lambda x, share: np.where(x == x.max(axis=1, keepdims=True), 1 - share, 0)
     + share / x.shape[1]),
    (["not taken from"], lambda x, share: x + share / x.shape[1]),
    (["not given"], lambda x, share: (1 - share) * x),
    (["nothing is smoothed"], lambda x, share: x),
    (["n_classes - 1"], lambda x, share: (1 - share) * x + share / (x.shape[1] - 1)),
    (["the whole share"], lambda x, share: (1 - share) * x + share),
    (["are swapped"], lambda x, share: share * x + (1 - share) / x.shape[1]),
    (["divided by 10"], lambda x, share: (1 - share) * x + share / 10),
    (["adds up to"], lambda x, share: (1 - share) * x + share / (x.shape[1] + 1)),
    (["is right"], lambda x, share: (1 - 2 * share) * x + 2 * share / x.shape[1]),
    (["wrong way round"], lambda x, share: kept_and_spread(x, share=share).T),
    (["changes its input"], smoothed_in_place),
    (["returns None"], lambda x, share: None),
):  # fmt: skip
    wrong("smooth_labels", *said)(
        lambda labels, *, share, function=function: function(labels, share=share)
    )


# --- 4.9 ------------------------------------------------------------------------------------------


@right("learning_rate_at")
def half_a_period(step, *, n_steps, highest):
    return highest * 0.5 * (1 + math.cos(math.pi * step / n_steps))


@right("learning_rate_at")
def by_the_square_of_a_quarter(step, *, n_steps, highest):
    return np.float32(highest) * np.cos(np.pi / 2 * step / n_steps) ** 2


@right("learning_rate_at")
def by_tables(step, *, n_steps, highest):
    rates = highest * (np.cos(np.linspace(0, np.pi, n_steps + 1)) + 1) / 2
    return rates[step]


def cosine(angle, share=0.5):
    return lambda step, n, highest: share * highest * (1 + np.cos(angle(step, n)))


for said, function in (
    (["at step 100 of 100, highest 0.003", "0.003, where 0 is right", "whole period"],
     cosine(lambda step, n: 2 * np.pi * step / n)),
    (["falls below 0"], lambda step, n, highest: highest * np.cos(np.pi * step / n)),
    (["twice as high"], cosine(lambda step, n: np.pi * step / n, share=1)),
    (["`highest` is missing"], lambda step, n, highest: (1 + np.cos(np.pi * step / n)) / 2),
    (["quarter"], lambda step, n, highest: highest * np.cos(np.pi / 2 * step / n)),
    (["it rises"], lambda step, n, highest: highest * (1 - np.cos(np.pi * step / n)) / 2),
    (["straight line"], lambda step, n, highest: highest * (1 - step / n)),
    (["must go to pi"], cosine(lambda step, n: step / n)),
    (["degrees"], cosine(lambda step, n: 180 * step / n)),
    (["a step early"], cosine(lambda step, n: np.pi * step / (n - 1))),
    (["a step late"], cosine(lambda step, n: np.pi * step / (n + 1))),
    (["a step early"], cosine(lambda step, n: np.pi * (step + 1) / n)),
    (["never falls"], lambda step, n, highest: highest),
    (["half a cosine"], lambda step, n, highest: highest * 0.95**step),
    (["half a cosine"], cosine(lambda step, n: np.pi * step / 100)),
    (["one number"], lambda step, n, highest: np.linspace(highest, 0, n)),
    (["returns None"], lambda step, n, highest: None),
):  # fmt: skip
    wrong("learning_rate_at", *said)(
        lambda step, *, n_steps, highest, function=function: function(step, n_steps, highest)
    )


# --- 4.10 -----------------------------------------------------------------------------------------


@right("average_over_shifts")
def rolled(predict, x, *, n):
    total = 0
    for k in range(n):
        total = total + predict(np.roll(x, -int(k * len(x) / n), axis=0))
    return total / n


@right("average_over_shifts")
def put_together(predict, x, *, n):
    places = np.floor(np.arange(n) / n * len(x)).astype(int)
    versions = [np.concatenate([x[place:], x[:place]]) for place in places]
    return np.stack([predict(version) for version in versions], axis=1).mean(axis=1)


@right("average_over_shifts")
def by_indices_in_lists(predict, x, *, n):
    found = []
    for place in np.linspace(0, len(x), n, endpoint=False).astype(int):
        found.append(predict(x[(np.arange(len(x)) + place) % len(x)].astype(np.float32)))
    return [sum(values) / n for values in zip(*found, strict=True)]


def shifts(
    *,
    places=lambda n, length: [k * length // n for k in range(n)],
    move=lambda x, place: np.roll(x, -place, axis=0),
    gather=lambda found: np.mean(found, axis=0),
):
    """Test-time augmentation, with one rule changed."""

    def made(predict, x, *, n):
        return gather([predict(move(x, place)) for place in places(n, len(x))])

    return made


def one_hot(found):
    return np.eye(len(found[0]))[np.argmax(found, axis=1)].mean(axis=0)


for said, function in (
    (["11 frames, n 4", "[0, 9, 6, 3]", "wrong direction"],
     shifts(move=lambda x, place: np.roll(x, place, axis=0))),
    (["11 frames, n 4", "gets x beginning at frames [0, 2, 4, 6]", "round each place down"],
     shifts(places=lambda n, length: [k * (length // n) for k in range(n)])),
    (["gets x beginning at frames [0, 3, 6, 8]"],
     shifts(places=lambda n, length: [round(k * length / n) for k in range(n)])),
    (["12 frames, n 3", "[0, 6, 0]"],
     shifts(places=lambda n, length: np.linspace(0, length, n).astype(int))),
    (["never shifted"], shifts(places=lambda n, length: [0] * n)),
    (["gets x beginning at frames [0, 1, 2]"], shifts(places=lambda n, length: range(n))),
    (["it is called 12 times"], shifts(places=lambda n, length: range(length))),
    (["it is called 2 times"], shifts(places=lambda n, length: [0, length // 2])),
    (["move whole frames along time"], shifts(move=lambda x, place: np.roll(x, -place))),
    (["move whole frames along time"], shifts(move=lambda x, place: np.roll(x, -place, axis=1))),
    (["move whole frames along time"],
     shifts(move=lambda x, place: np.append(x[place:], 0 * x[:place], axis=0))),
    (["predict needs a version of x, (12, 7)", "not (8, 7)"],
     shifts(move=lambda x, place: x[place:])),
    (["predict needs a version of x, (12, 7)", "not (1, 12, 7)"],
     shifts(move=lambda x, place: np.roll(x, -place, axis=0)[None])),
    (["predict needs a version of x, (12, 7)", "not (3, 12, 7)"], lambda predict, x, *, n: predict(
        np.stack([np.roll(x, -k, axis=0) for k in range(n)]))),
    (["never calls"], lambda predict, x, *, n: np.ones(5) / 5),
    (["whole frames"], lambda predict, x, *, n: predict(
        np.mean([np.roll(x, -(k * len(x) // n), axis=0) for k in range(n)], axis=0))),
    (["this is their sum"], shifts(gather=lambda found: np.sum(found, axis=0))),
    (["maximum; the mean"], shifts(gather=lambda found: np.max(found, axis=0))),
    (["their median"], shifts(gather=lambda found: np.median(found, axis=0))),
    (["geometric"], shifts(gather=lambda found: scipy.stats.gmean(found, axis=0))),
    (["first version alone"], shifts(gather=lambda found: found[0])),
    (["last version alone"], shifts(gather=lambda found: found[-1])),
    (["softmax is applied again"],
     shifts(gather=lambda found: scipy.special.softmax(np.mean(found, axis=0)))),
    (["is their mean"], shifts(gather=one_hot)),
    (["probabilities of all versions"], shifts(gather=np.array)),
    (["3 values", "5 are needed"], shifts(gather=lambda found: np.mean(found, axis=1))),
    (["shape ()"], shifts(gather=lambda found: np.mean(found, axis=0).argmax())),
    (["returns None"], shifts(gather=lambda found: None)),
):  # fmt: skip
    wrong("average_over_shifts", *said)(function)


@wrong("average_over_shifts", "the places are rounded up", "write `-(")
def rounded_after_the_sign(predict, x, *, n):
    return np.mean([predict(np.roll(x, -k * len(x) // n, axis=0)) for k in range(n)], axis=0)


@wrong("average_over_shifts", "changes its input (argument 2)")
def rolled_in_place(predict, x, *, n):
    found = []
    for _ in range(n):
        found.append(predict(x))
        x[:] = np.roll(x, -(len(x) // n), axis=0)
    return np.mean(found, axis=0)


# --- 4.11 -----------------------------------------------------------------------------------------


@right("fuse")
def softmax_of_the_mean(p, q, *, share):
    p, q = np.log(np.clip(p, 1e-7, 1)), np.log(np.clip(q, 1e-7, 1))
    return scipy.special.softmax(share * p + (1 - share) * q, axis=1)


@right("fuse")
def powers_multiplied(p, q, *, share):
    p, q = (np.where(x == 0, 1e-7, x) for x in (p, q))
    product = p**share * q ** (1 - share)
    return product / product.sum(axis=1)[:, None]


@right("fuse")
def row_by_row(p, q, *, share):
    rows = []
    for a, b in zip(p.tolist(), q.tolist(), strict=True):
        row = [
            math.exp(share * math.log(x or 1e-7) + (1 - share) * math.log(y or 1e-7))
            for x, y in zip(a, b, strict=True)
        ]
        rows.append([value / sum(row) for value in row])
    return rows


def fused(
    *,
    log=lambda x: np.log(np.maximum(x, 1e-7)),
    weight=lambda share: (share, 1 - share),
    last=lambda x: scipy.special.softmax(x, axis=1),
):
    """Two models fused, with one rule changed."""

    def made(p, q, *, share):
        a, b = weight(share)
        with np.errstate(all="ignore"):
            return last(a * log(p) + b * log(q))

    return made


def zeros_in_place(p, q, *, share):
    p[p == 0] = 1e-7
    q[q == 0] = 1e-7
    return powers_multiplied(p, q, share=share)


def by_quotients(p, q, *, share):
    with np.errstate(all="ignore"):
        product = q * (p / q) ** share
    return product / product.sum(axis=1, keepdims=True)


def product_of_powers(p, q, *, share):
    product = p**share * q ** (1 - share)
    return product / np.maximum(product.sum(axis=1, keepdims=True), 1e-12)


for said, function in (
    (["5 clips of 3 classes, share 0.5", "mean of probabilities"],
     lambda p, q, *, share: share * p + (1 - share) * q),
    (["do not add up to 1: divide"], fused(last=np.exp)),
    (["these are logarithms"], fused(last=lambda x: x)),
    (["3 clips of 10 classes, share 0.3", "`share` is the weight of p"],
     fused(weight=lambda share: (1 - share, share))),
    (["same weight"], fused(weight=lambda share: (0.5, 0.5))),
    (["columns add up to 1"], fused(last=lambda x: scipy.special.softmax(x, axis=0))),
    (["everything together adds up to 1"], fused(last=scipy.special.softmax)),
    (["probabilities of 0", "row", "NaN", "counts as 1e-7"], by_quotients),
    (["probabilities of 0", "stays 0"], fused(log=np.log)),
    (["probabilities of 0", "stays 0"], product_of_powers),
    (["counts as 1e-12, where 1e-7"], fused(log=lambda x: np.log(np.maximum(x, 1e-12)))),
    (["counts as 1e-05, where 1e-7"], fused(log=lambda x: np.log(np.maximum(x, 1e-5)))),
    (["this is the product"], fused(weight=lambda share: (1, 1))),
    (["logarithms, their weighted mean, and back"],
     fused(weight=lambda share: (share / 2, (1 - share) / 2))),
    (["its rows add up to"], fused(last=lambda x: scipy.special.softmax(x, axis=1) / 2)),
    (["wrong way round"], lambda p, q, *, share: softmax_of_the_mean(p, q, share=share).T),
    (["shape (5,)"], lambda p, q, *, share: softmax_of_the_mean(p, q, share=share).argmax(axis=1)),
    (["changes its input"], zeros_in_place),
    (["returns None"], lambda p, q, *, share: None),
):  # fmt: skip
    wrong("fuse", *said)(function)


# --- 4.12 -----------------------------------------------------------------------------------------


@right("recall_per_class")
def mean_of_hits(truth, guess, n_classes):
    hit = truth == guess
    return [hit[truth == k].mean() if (truth == k).any() else np.nan for k in range(n_classes)]


@right("recall_per_class")
def from_the_confusion_matrix(truth, guess, n_classes):
    table = confusion_matrix(truth, guess, labels=range(n_classes))
    with np.errstate(invalid="ignore"):
        return np.diag(table) / table.sum(axis=1)


@right("recall_per_class")
def recall_by_scikit_learn(truth, guess, n_classes):
    return recall_score(
        truth, guess, labels=np.arange(n_classes), average=None, zero_division=np.nan
    )


@right("recall_per_class")
def in_a_table(truth, guess, n_classes):
    return pd.Series(truth == guess).groupby(truth).mean().reindex(range(n_classes))


def rates(rule, *, empty=np.nan):
    """rule: (hits, clips, guesses) of a class → its value."""

    def found(truth, guess, n_classes):
        table = confusion_matrix(truth, guess, labels=range(n_classes))
        rows = zip(np.diag(table), table.sum(axis=1), table.sum(axis=0), strict=True)
        return np.array([rule(*map(float, row)) if row[1] else empty for row in rows])

    return found


def counted_once(truth, guess, n_classes):
    table = np.zeros((n_classes, n_classes))
    table[truth, guess] += 1
    return np.diag(table) / table.sum(axis=1)


def yes_or_no(truth, guess, n_classes):
    return [accuracy_score(truth == k, guess == k) for k in range(n_classes)]


for said, function in (
    (["four classes", "this is the precision"],
     rates(lambda hits, clips, guesses: hits / max(guesses, 1))),
    (["four classes", "this is the precision"], lambda t, g, n: precision_score(
        t, g, labels=range(n), average=None, zero_division=np.nan)),
    (["this is F1"], lambda t, g, n: f1_score(
        t, g, labels=range(n), average=None, zero_division=np.nan)),
    (["class 2 has no clips", "`nan`"], lambda t, g, n: recall_score(
        t, g, labels=range(n), average=None, zero_division=0)),
    (["class 2 has no clips", "undefined"],
     rates(lambda hits, clips, guesses: hits / clips, empty=0)),
    (["class 2 has no clips", "it returns [", "undefined"],
     rates(lambda hits, clips, guesses: hits / clips, empty=1)),
    (["class 2 is never guessed", "so it has a recall"],
     rates(lambda hits, clips, guesses: hits / clips if guesses else np.nan)),
    (["without clips (`nan`)"], lambda t, g, n: np.array(mean_of_hits(t, g, n))[np.unique(t)]),
    (["class 5 has no clips, but is guessed", "where (7,) is needed"],
     lambda t, g, n: mean_of_hits(t, g, 1 + max(t.max(), g.max()))),
    (["numbers of clips"], rates(lambda hits, clips, guesses: hits)),
    (["shares of all clips"], lambda t, g, n: rates(lambda h, c, _: h)(t, g, n) / len(t)),
    (["shares of the classes"], lambda t, g, n: np.bincount(t, minlength=n) / len(t)),
    (["share of errors"], rates(lambda hits, clips, guesses: 1 - hits / clips)),
    (["percent"], rates(lambda hits, clips, guesses: 100 * hits / clips)),
    (["one class against all others"], yes_or_no),
    (["counts only once", "np.add.at"], counted_once),
    (["fraction is lost"], lambda t, g, n: np.nan_to_num(
        mean_of_hits(t, g, n)).astype(int)),
    (["accuracy of all clips"], lambda t, g, n: np.full(n, np.mean(t == g))),
    (["one number"], lambda t, g, n: np.mean(t == g)),
    (["is right"], rates(lambda hits, clips, guesses: (hits + 1) / (clips + 1))),
    (["shape (4, 4)"], lambda t, g, n: confusion_matrix(t, g, labels=range(n), normalize="true")),
    (["returns None"], lambda t, g, n: None),
):  # fmt: skip
    wrong("recall_per_class", *said)(function)


# --- 4.13 -----------------------------------------------------------------------------------------


def sums_of_sources(right_a, right_b, sources):
    names, number = np.unique(sources, return_inverse=True)
    return np.bincount(number, right_a.astype(float) - right_b, minlength=len(names))


@right("paired_test")
def all_signs_at_once(right_a, right_b, sources, *, n, rng):
    sums = sums_of_sources(right_a, right_b, sources)
    totals = (rng.choice([-1, 1], (n, len(sums))) * sums).sum(axis=1)
    return (np.count_nonzero(abs(totals) >= abs(sums.sum())) + 1) / (n + 1)


@right("paired_test")
def draw_by_draw(right_a, right_b, sources, *, n, rng):
    sums = {}
    for a, b, source in zip(right_a, right_b, sources, strict=True):
        sums[source] = sums.get(source, 0) + int(a) - int(b)
    sums = list(sums.values())
    hits = 1
    for _ in range(n):
        total = sum(value if up else -value for value, up in zip(sums, rng.random(len(sums)) < 0.5,
                                                                 strict=True))  # fmt: skip
        hits += abs(total) >= abs(sum(sums))
    return hits / (n + 1)


@right("paired_test")
def by_a_table(right_a, right_b, sources, *, n, rng):
    table = pd.DataFrame({"source": sources, "better": right_a.astype(int) - right_b})
    sums = table.groupby("source")["better"].sum().to_numpy(np.float32)
    sums = sums[sums != 0]
    signs = np.sign(rng.standard_normal((n, len(sums))))
    further = np.abs(signs @ sums) > abs(sums.sum()) - 1e-3
    return float((1 + further.sum()) / (1 + n))


@right("paired_test")
def swapping_the_answers(right_a, right_b, sources, *, n, rng):
    _, number = np.unique(sources, return_inverse=True)
    real, hits = abs(int(right_a.sum()) - int(right_b.sum())), 0
    for _ in range(n):
        swapped = rng.integers(2, size=number.max() + 1).astype(bool)[number]
        a, b = np.where(swapped, right_b, right_a), np.where(swapped, right_a, right_b)
        hits += abs(int(a.sum()) - int(b.sum())) >= real
    return np.array((hits + 1) / (n + 1))


def drawn(
    *,
    sums=sums_of_sources,
    signs=lambda rng, shape: rng.choice([-1, 1], shape),
    hit=lambda totals, real: np.abs(totals) >= abs(real) - 1e-9,
    share=lambda hits, n: (hits + 1) / (n + 1),
):
    """A paired test, with one rule changed."""

    def made(right_a, right_b, sources, *, n, rng):
        own = sums(right_a, right_b, sources)
        totals = signs(rng, (n, len(own))) @ own
        return share(hit(totals, own.sum()).sum(), n)

    return made


def clip_by_clip(right_a, right_b, sources):
    return right_a.astype(int) - right_b.astype(int)


def means_of_sources(right_a, right_b, sources):
    return pd.Series(clip_by_clip(right_a, right_b, sources)).groupby(sources).mean().to_numpy()


def who_is_better(right_a, right_b, sources):
    return np.sign(sums_of_sources(right_a, right_b, sources))


def of_numpy(rng, shape):
    return np.random.choice([-1, 1], shape)


def of_a_fixed_seed(rng, shape):
    return np.random.default_rng(0).choice([-1, 1], shape)


def in_blocks(right_a, right_b, sources):
    """Clips that stand next to each other, as if a source's always did."""
    change = np.flatnonzero(sources[1:] != sources[:-1]) + 1
    parts = np.split(clip_by_clip(right_a, right_b, sources), change)
    return np.array([part.sum() for part in parts])


for said, function in (
    (["uneven sources", "n 1000", "each clip has its own sign"], drawn(sums=clip_by_clip)),
    (["uneven sources"], drawn(sums=in_blocks)),
    (["uneven sources", "exactly as far from 0 do not count"],
     drawn(hit=lambda totals, real: np.abs(totals) > abs(real) + 1e-9)),
    (["one side"], drawn(hit=lambda totals, real: totals <= real + 1e-9)),
    (["one side"], drawn(hit=lambda totals, real: totals >= real - 1e-9)),
    (["uneven sources", "one side"], drawn(
        hit=lambda totals, real: totals * np.sign(real) >= abs(real) - 1e-9)),
    (["every draw counts", "absolute values of the totals"], drawn(
        hit=lambda totals, real: np.abs(totals) >= real - 1e-9)),
    (["every draw counts", "a sign for each source"], drawn(
        signs=lambda rng, shape: np.repeat(rng.choice([-1, 1], (shape[0], 1)), shape[1], axis=1))),
    (["the means of the sources"], drawn(sums=means_of_sources)),
    (["how much better"], drawn(sums=who_is_better)),
    (["whole number of hits"], drawn(share=lambda hits, n: hits / n)),
    (["whole number of hits"], drawn(share=lambda hits, n: (hits + 1) / n)),
    (["about none, n 99", "it returns 0", "the real one counts too", "0.01"],
     drawn(share=lambda hits, n: hits / (n + 1))),
    (["not as far from 0"],
     drawn(hit=lambda totals, real: np.abs(totals) < abs(real) - 1e-9)),
    (["same seed"], drawn(signs=of_numpy)),
    (["in every call"], drawn(signs=of_a_fixed_seed)),
    (["some signs are 0"], drawn(signs=lambda rng, shape: rng.integers(-1, 2, shape))),
    (["some signs are 0"], drawn(signs=lambda rng, shape: rng.integers(2, size=shape))),
    (["some signs are 0"], drawn(signs=lambda rng, shape: rng.integers(-1, 1, size=shape))),
    (["is right"], drawn(signs=lambda rng, shape: rng.uniform(-1, 1, shape))),
    (["at least as far from 0"], drawn(signs=lambda rng, shape: rng.choice([-1, 1], shape,
                                                                           p=[0.2, 0.8]))),
    (["between 0 and 1"], drawn(share=lambda hits, n: 100 * (hits + 1) / (n + 1))),
    (["between 0 and 1"], drawn(share=lambda hits, n: hits + 1)),
    (["stops in line", "boolean"], lambda a, b, s, *, n, rng: (a - b).sum()),
    (["one number"], lambda a, b, s, *, n, rng: sums_of_sources(a, b, s)),
    (["about 0.383 is right"], lambda a, b, s, *, n, rng: 0.05),
    (["returns None"], lambda a, b, s, *, n, rng: None),
):  # fmt: skip
    wrong("paired_test", *said)(function)


# --- 4.14 -----------------------------------------------------------------------------------------


@right("calibration_error")
def part_by_part(confidence, right):
    total = 0
    for k in range(10):
        own = (confidence >= k / 10) & ((confidence < (k + 1) / 10) | (k == 9))
        if own.any():
            total += own.sum() * abs(confidence[own].mean() - right[own].mean())
    return total / len(confidence)


@right("calibration_error")
def by_histograms(confidence, right):
    edges = np.linspace(0, 1, 11)
    sums = [np.histogram(confidence, edges, weights=w)[0] for w in (confidence, 1.0 * right)]
    return np.abs(sums[0] - sums[1]).sum() / confidence.size


@right("calibration_error")
def by_pandas(confidence, right):
    part = np.digitize(confidence, np.arange(1, 10) / 10)
    means = pd.DataFrame({"confidence": confidence, "right": right.astype(float)}).groupby(part)
    gap = means["confidence"].mean() - means["right"].mean()
    return np.average(gap.abs(), weights=means.size())


def ece(
    *,
    part=lambda c: np.minimum((c * 10).astype(int), 9),
    gap=lambda c, r: abs(c.mean() - r.mean()),
    gather=lambda gaps, sizes: np.average(gaps, weights=sizes),
):
    """A calibration error, with one rule changed."""

    def found(confidence, right):
        parts = part(confidence)
        rows = [(parts == k) for k in np.unique(parts[~pd.isna(parts)])]
        gaps = np.array([gap(confidence[own], right[own]) for own in rows])
        return gather(gaps, np.array([own.sum() for own in rows]))

    return found


def equally_many(confidence):
    edges = np.quantile(confidence, np.arange(11) / 10)
    return np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, 9)


def by_cut(**options):
    return lambda c: pd.cut(c, np.linspace(0, 1, 11), labels=False, **options)


def all_parts(confidence, right):
    part = np.minimum((confidence * 10).astype(int), 9)
    with np.errstate(invalid="ignore"):
        gaps = np.bincount(part, confidence - right, 10) / np.bincount(part, minlength=10)
    return np.abs(gaps).mean()


def between_its_own(confidence):
    edges = np.linspace(confidence.min(), confidence.max(), 11)
    return np.clip(np.digitize(confidence, edges) - 1, 0, 9)


def middles(confidence, right):
    part = np.minimum((confidence * 10).astype(int), 9)
    total = 0
    for k in np.unique(part):
        own = part == k
        total += own.sum() * abs((k + 0.5) / 10 - right[own].mean())
    return total / len(part)


for said, function in (
    (["300 clips, overconfident", "every bin has the same weight"],
     ece(gather=lambda gaps, sizes: gaps.mean())),
    (["largest distance"], ece(gather=lambda gaps, sizes: gaps.max())),
    (["sum over the bins"], ece(gather=lambda gaps, sizes: gaps.sum())),
    (["not divided by the number of clips"], ece(gather=lambda gaps, sizes: (gaps * sizes).sum())),
    (["by the number of bins"], ece(gather=lambda gaps, sizes: (gaps * sizes).sum() / 10)),
    (["in percent"], ece(gather=lambda gaps, sizes: 100 * np.average(gaps, weights=sizes))),
    (["have signs"], ece(gap=lambda c, r: c.mean() - r.mean())),
    (["over all clips"], lambda c, r: abs(c.mean() - r.mean())),
    (["squared"], ece(gap=lambda c, r: (c.mean() - r.mean()) ** 2)),
    (["single clips"], lambda c, r: np.abs(c - r).mean()),
    (["single clips"], ece(gap=lambda c, r: np.abs(c - r).mean())),
    (["the middle of each bin"], middles),
    (["equal numbers of clips"], ece(part=equally_many)),
    (["between the lowest and the highest"], ece(part=between_its_own)),
    (["9 bins", "11 edges"], ece(
        part=lambda c: np.clip(np.digitize(c, np.linspace(0, 1, 10)) - 1, 0, 8))),
    (["5 bins"], ece(part=lambda c: np.minimum((c * 5).astype(int), 4))),
    (["15 bins"], ece(part=lambda c: np.minimum((c * 15).astype(int), 14))),
    (["exactly 0, 0.5 and 1", "upper edge", "0 is in none"],
     lambda c, r: ece(part=by_cut(), gather=lambda gaps, sizes: (gaps * sizes).sum() / len(c))(
         c, r)),
    (["exactly 0, 0.5 and 1", "0.5 is in the sixth"], ece(part=by_cut(include_lowest=True))),
    (["exactly 0, 0.5 and 1", "1 are in no bin"], ece(part=by_cut(right=False))),
    (["exactly 0, 0.5 and 1", "their own bin"], ece(part=lambda c: (c * 10).astype(int))),
    (["returns NaN: a bin without clips"], all_parts),
    (["the right bins have"], lambda c, r: part_by_part(c, ~r)),
    (["the right bins have"], lambda c, r: part_by_part(c, r) + 0.01),
    (["one number"], lambda c, r: np.abs(c - r)),
    (["returns None"], lambda c, r: None),
):  # fmt: skip
    wrong("calibration_error", *said)(function)


# --- 4.15 -----------------------------------------------------------------------------------------


@right("activation_map")
def column_of_the_weights(features, weights, bias, k):
    return np.tensordot(features, weights[:, k], axes=1) + bias[k]


@right("activation_map")
def all_classes_then_one(features, weights, bias, k):
    return (features @ weights + bias)[:, :, k]


@right("activation_map")
def place_by_place(features, weights, bias, k):
    return [[sum(vector * weights[:, k]) + bias[k] for vector in row] for row in features]


@right("activation_map")
def feature_by_feature(features, weights, bias, k):
    votes = np.full(features.shape[:2], bias[k])
    for n in range(features.shape[2]):
        votes += features[..., n] * weights[n, k]
    return votes


def votes(change):
    return lambda features, weights, bias, k: change(
        column_of_the_weights(features, weights, bias, k)
    )


def smallest_to_largest(x):
    return (x - x.min()) / (x.max() - x.min())


for said, function in (
    (["features of shape (7, 4, 6), 3 classes, k 1", "the bias of the class", "missing"],
     lambda f, w, b, k: f @ w[:, k]),
    (["is subtracted: add it"], lambda f, w, b, k: f @ w[:, k] - b[k]),
    (["for every feature"], lambda f, w, b, k: (f * w[:, k] + b[k]).sum(axis=-1)),
    (["all 3 classes"], lambda f, w, b, k: f @ w + b),
    (["bias is divided"], lambda f, w, b, k: f @ w[:, k] + b[k] / f[..., 0].size),
    (["bias of class 0: add that of class 1"], lambda f, w, b, k: f @ w[:, k] + b[0]),
    (["votes for class 2"], lambda f, w, b, k: column_of_the_weights(f, w, b, (k + 1) % len(b))),
    (["divided by the number of places: the logit"], votes(lambda x: x / x.size)),
    (["removed (ReLU)"], votes(lambda x: np.maximum(x, 0))),
    (["removed (ReLU), and the bias"], lambda f, w, b, k: np.maximum(f @ w[:, k], 0)),
    (["0 … 1"], votes(smallest_to_largest)),
    (["by its maximum"], votes(lambda x: x / x.max())),
    (["its mean is 0"], votes(lambda x: x - x.mean())),
    (["mean of the features"], lambda f, w, b, k: f.mean(axis=2)),
    (["sum of the features"], lambda f, w, b, k: f.sum(axis=2)),
    (["mean over the features"], lambda f, w, b, k: (f * w[:, k]).mean(axis=2) + b[k]),
    (["a softmax"], lambda f, w, b, k: scipy.special.softmax(f @ w + b, axis=2)[..., k]),
    (["one number", "a vote for each place"],
     lambda f, w, b, k: f.mean(axis=(0, 1)) @ w[:, k] + b[k]),
    (["a vote is a sum over the 6 features"], lambda f, w, b, k: f * w[:, k] + b[k]),
    (["stops in line", "ValueError"], lambda f, w, b, k: f @ w[k] + b[k]),
    (["the vote at step"], votes(lambda x: x**2)),
    (["wrong way round"], votes(lambda x: x.T)),
    (["returns None"], lambda f, w, b, k: None),
):  # fmt: skip
    wrong("activation_map", *said)(function)
