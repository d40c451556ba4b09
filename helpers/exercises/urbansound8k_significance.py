"""The checks of 04_urbansound8k_cnn: a paired permutation test."""

import numpy as np

from helpers.exercises.engine import Wrong, call, case, check
from helpers.exercises.judges import BY_CHANCE, judge_seed, need_number


@check(
    "4.13",
    "a paired permutation test",
    "First compute one number for each source, then draw a sign for each of these numbers, many "
    "times. How far from 0 are the totals, and how far is the real one?",
    "Convert booleans with `.astype(int)` before you subtract them. `np.unique` finds the sources; "
    "all clips of a source get the same sign.",
    "`rng.choice([-1, 1], (n, n_sources))` draws all signs at once, and `@` sums each draw. Count "
    "the draws whose absolute total is at least that of the real one.",
)
def paired_test(attempt):
    """paired_test(right_a, right_b, sources, *, n, rng) → p-value, 0 to 1."""
    for what, differences, n in (
        ("nine uneven sources, in any order", UNEVEN, 1000),
        (
            "four sources with two more right clips each",
            [[1, 1], [1, 1, 0], [1, 1], [1, 1], [0, 0]],
            1000,
        ),
        ("one is right about every clip, the other about none", [[1, 1]] * 20 + [[1]] * 40, 99),
        ("both are right about the same clips", [[0, 0], [0], [0, 0, 0]], 19),
    ):
        right_a, right_b, sources = _answers(differences, numbered="four" in what)
        with case(f"{what}, n {n}"):
            p = call(attempt, right_a, right_b, sources, n=n, rng=np.random.default_rng(413))
            _explain_p(need_number(p, what="a p-value"), differences, n)
    right_a, right_b, sources = _answers(UNEVEN, numbered=True)

    def draw(rng):
        found = [call(attempt, right_a, right_b, sources, n=200, rng=rng) for _ in range(6)]
        return [need_number(p, what="a p-value") for p in found]

    judge_seed(draw, what="p-values")
    again = draw(np.random.default_rng(5))
    if len(set(again)) == 1:
        raise Wrong(f"for n = 200 the p-value is {again[0]:.4g}, six times in a row: draw with rng "
                    "in every call")  # fmt: skip


# For each source, by how many clips the first model is better, and of how many. Every mistake
# gives another p-value than the right one, 0.38.
UNEVEN = [
    [sign] * n + [0] * (of - n)
    for sign, n, of in (
        (1, 1, 1), (1, 1, 7), (-1, 4, 7), (-1, 4, 8), (1, 3, 4), (1, 3, 7), (0, 0, 3), (-1, 4, 4),
        (-1, 9, 9),
    )
]  # fmt: skip


def _answers(differences, *, numbered):
    """(right_a, right_b, sources) of clips in random order with these differences."""
    rng = np.random.default_rng(4130)
    names = rng.permutation(np.arange(100, 999))[: len(differences)]
    names = names if numbered else np.array([f"FS{name}" for name in names])
    sources = np.repeat(names, [len(one) for one in differences])
    difference = np.concatenate(differences).astype(int)
    both = rng.random(len(difference)) < 0.5  # where both are right or both wrong
    order = rng.permutation(len(difference))
    right_a = np.where(difference == 0, both, difference > 0)[order]
    right_b = np.where(difference == 0, both, difference < 0)[order]
    return right_a, right_b, sources[order]


def _tails(sums, signs=(-1, 1)):
    """Shares of all draws of signs whose total is (at least as far from 0 as the real one, farther,
    at least as high, at most as high)."""
    from scipy.stats import binom

    sums = np.asarray(sums, float)
    sums = sums[sums != 0]
    if len(sums) > 16:  # clips, all 1 or -1: a binomial distribution
        up = np.arange(len(sums) + 1)
        totals, weights = 2 * up - len(sums), binom.pmf(up, len(sums), 0.5)
    else:
        every = np.indices((len(signs),) * len(sums)).reshape(len(sums), -1)
        totals = sums @ np.array(signs)[every]
        weights = np.full(len(totals), 1 / len(totals))
    real, little = sums.sum(), 1e-9
    return tuple(
        float(weights[where].sum())
        for where in (
            np.abs(totals) > abs(real) - little,
            np.abs(totals) > abs(real) + little,
            totals > real - little,
            totals < real + little,
        )
    )


def _explain_p(found, differences, n):
    """Raise Wrong unless random signs may well give this p-value."""
    from scipy.stats import binom

    told = f"it returns {found:.4g}"
    sums = [sum(one) for one in differences]
    hits = found * (n + 1) - 1

    def may_be(share, chance=BY_CHANCE):
        low, high = binom.ppf([chance / 2, 1 - chance / 2], n, min(share, 1))
        return low - 0.5 < hits < high + 0.5

    if not 0 <= found <= 1 + 1e-9:
        raise Wrong(f"{told}: a p-value lies between 0 and 1")
    share = _exact(sums)
    if share in (0.0, 1.0):
        right = (n * share + 1) / (n + 1)
        if abs(found - right) < 1e-9:
            return
        why = (
            f"no draw is as far from 0, and the real one counts too: 1 / (n + 1) = {right:.4g}"
            if share == 0 else "every draw is at least as far from 0 as the real total, which is "
                "0: 1"
        )  # fmt: skip
        raise Wrong(f"{told}, where {why} is right")
    if may_be(share) and abs(hits - round(hits)) < 1e-6 * n:
        return
    told += f"; about {(n * share + 1) / (n + 1):.3f} is right"
    if may_be(share):
        raise Wrong(f"{told}, but it must be (hits + 1) / (n + 1) for a whole number of hits")
    one_side = "only totals on one side of 0 count: use absolute values"
    mistakes = [
        (_tails(np.concatenate(differences))[0], "each clip has its own sign: all clips of a "
         "source need the same sign"),
        (_tails(sums)[1], "draws exactly as far from 0 do not count: at least as far is asked for"),
        (_tails(sums)[2], one_side),
        (_tails(sums)[3], one_side),
        (1 - share, "this is the share of the draws that are not as far from 0"),
        (_tails([np.mean(one) for one in differences])[0], "it uses the means of the sources: use "
         "their sums"),
        (_tails(np.sign(sums))[0], "it uses only which model is better at each source: use how "
         "much better"),
        (_tails(sums, (-1, 0, 1))[0], "some signs are 0: a sign is 1 or -1"),
        (_tails(sums, (0, 1))[0], "some signs are 0: a sign is 1 or -1"),
    ]  # fmt: skip
    if abs(found - 1) < 1e-9:
        raise Wrong(
            f"{told}: every draw counts. Use absolute values of the totals and of the real total, "
            "a sign for each source (changing the order of clips or sums does not change the "
            "total), and how much better a model is at each source"
        )
    mistakes.sort(key=lambda mistake: abs(found - mistake[0]))
    if fitting := list(dict.fromkeys(name for other, name in mistakes if may_be(other, 1e-3))):
        raise Wrong(f"{told}: {'; or '.join(fitting[:2])}")
    raise Wrong(f"{told}: a sum for each source, a random sign for each sum, the share of totals "
                "at least as far from 0 as the real one")  # fmt: skip


def _exact(sums):
    """Share of all draws at least as far from 0; exactly 0 and 1 for never and always."""
    if not np.any(sums):
        return 1.0
    if abs(sum(sums)) == sum(map(abs, sums)) and np.count_nonzero(sums) > 50:
        return 0.0
    return _tails(sums)[0]
