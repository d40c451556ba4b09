"""helpers.evaluation.verification against loops and a search over all thresholds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics.pairwise import cosine_similarity

from helpers import evaluation
from helpers.evaluation import verification


def embeddings(n, d=6, seed=0):
    rng = np.random.default_rng((n, d, seed))
    return rng.normal(size=(n, d)) * rng.uniform(0.1, 10, (n, 1)) + 0.5


# --- scores ---------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(n=st.integers(1, 6), m=st.integers(1, 6), d=st.integers(1, 8))
def test_without_a_cohort_the_score_is_the_cosine(n, m, d):
    a, b = embeddings(n, d), embeddings(m, d, seed=1)
    score = evaluation.cosine_similarity(a, b)
    assert score.shape == (n, m)
    np.testing.assert_allclose(score, cosine_similarity(a, b), atol=1e-12)
    np.testing.assert_allclose(evaluation.cosine_similarity(3 * a, b), score, atol=1e-12)


@settings(max_examples=30)
@given(n=st.integers(1, 5), m=st.integers(1, 5), k=st.integers(2, 12), nearest=st.integers(2, 12))
def test_a_cohort_normalises_both_sides_by_their_nearest(n, m, k, nearest):
    a, b, cohort = embeddings(n), embeddings(m, seed=1), embeddings(k, seed=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verification, "NEAREST", nearest)
        score = evaluation.cosine_similarity(a, b, cohort=cohort)
        swapped = evaluation.cosine_similarity(b, a, cohort=cohort)

    def cosine(x, y):
        return x @ y / np.sqrt((x @ x) * (y @ y))

    def normalised(value, side):
        against = sorted((cosine(side, other) for other in cohort), reverse=True)[:nearest]
        return (value - np.mean(against)) / max(np.std(against), 1e-6)

    for i in range(n):
        for j in range(m):
            value = cosine(a[i], b[j])
            expected = (normalised(value, a[i]) + normalised(value, b[j])) / 2
            np.testing.assert_allclose(score[i, j], expected, rtol=1e-6)
    np.testing.assert_allclose(swapped, score.T)


def test_a_voice_that_resembles_everybody_gets_lower_scores():
    rng = np.random.default_rng(0)
    everybody = np.array([1.0, 0, 0, 0, 0, 0])
    cohort = everybody + rng.normal(0, 0.3, (50, 6))
    ordinary, special = everybody, np.array([0, 1.0, 0, 0, 0, 0])
    a = np.stack([ordinary, special])
    b = a + 0.1 * np.eye(6)[[2, 2]]  # both as near to their counterparts
    cosine, score = (evaluation.cosine_similarity(a, b, cohort=c) for c in (None, cohort))
    assert cosine[0, 0] == pytest.approx(cosine[1, 1])
    assert score[0, 0] < score[1, 1] - 1


@pytest.mark.parametrize("kind", [np.array, list])
def test_trials_are_every_pair_once(kind):
    a, cohort = embeddings(5), embeddings(9, seed=2)
    speakers = kind(["ann", "ben", "ann", "cy", "ben"])
    for c in (None, cohort):
        scores, is_target = evaluation.verification_trials(a, speakers, cohort=c)
        assert scores.shape == is_target.shape == (10,) and is_target.dtype == bool
        at = 0
        for i in range(5):
            for j in range(i + 1, 5):
                expected = evaluation.cosine_similarity(a[[i]], a[[j]], cohort=c)[0, 0]
                assert scores[at] == pytest.approx(expected)
                assert is_target[at] == (speakers[i] == speakers[j])
                at += 1


# --- errors ---------------------------------------------------------------------------------------


def rates(scores, is_target, threshold):
    """(misses, false alarms) of what accepts scores at and above a threshold."""
    accepted = scores >= threshold
    return (~accepted[is_target]).mean(), accepted[~is_target].mean()


def searched(scores, is_target):
    """Where misses and false alarms are equal, by all thresholds and the lines between them."""
    points = [rates(scores, is_target, t) for t in [*np.unique(scores), np.inf]]
    miss, false_alarm = np.array(points).T
    return np.interp(0, miss - false_alarm, miss)  # the difference grows with every threshold


@st.composite
def trials(draw):
    """Scores and targets, of both kinds; with few values there are many ties."""
    n = draw(st.integers(2, 40))
    values = draw(st.sampled_from([2, 5, 1000]))
    scores = np.array(draw(st.lists(st.integers(0, values), min_size=n, max_size=n)), float)
    is_target = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    is_target[:2] = True, False
    return scores / values, is_target


@settings(max_examples=200)
@given(trials())
def test_the_equal_error_rate_is_what_a_search_finds(both):
    scores, is_target = both
    rate, threshold = evaluation.equal_error_rate(scores, is_target)
    assert type(rate) is float and type(threshold) is float
    assert rate == pytest.approx(searched(scores, is_target), abs=1e-12)
    miss, false_alarm = rates(scores, is_target, threshold)
    assert false_alarm - 1e-12 <= rate <= miss + 1e-12


@settings(max_examples=100)
@given(
    trials(), st.sampled_from([np.exp, np.cbrt, lambda s: 5 * s - 3, lambda s: s**3 - 1 / (s + 1)])
)
def test_only_the_order_of_the_scores_matters(both, monotone):
    scores, is_target = both
    rate, _ = evaluation.equal_error_rate(scores, is_target)
    assert evaluation.equal_error_rate(monotone(scores), is_target)[0] == pytest.approx(rate)
    order = np.random.default_rng(0).permutation(len(scores))
    again = evaluation.equal_error_rate(scores[order], is_target[order])
    assert again[0] == pytest.approx(rate)
    # To call high what was low turns every right answer into a wrong one.
    assert evaluation.equal_error_rate(-scores, is_target)[0] == pytest.approx(1 - rate)
    assert evaluation.equal_error_rate(scores, ~is_target)[0] == pytest.approx(1 - rate)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_special_rates(n):
    targets, others = np.arange(n) + 10.0, np.arange(n + 2) - 10.0
    scores = np.concatenate([targets, others])
    is_target = np.arange(len(scores)) < n
    rate, threshold = evaluation.equal_error_rate(scores, is_target)
    assert rate == 0 and others.max() < threshold <= targets.min()
    assert evaluation.equal_error_rate(-scores, is_target)[0] == 1
    assert evaluation.equal_error_rate(0 * scores, is_target)[0] == 0.5  # all are tied


def test_by_hand():
    # Accepting from 3 up misses 1 of 4 targets, and accepts 1 of 4 others.
    scores = np.array([1, 3, 4, 5, 0, 1.5, 2, 3.5])
    is_target = np.arange(8) < 4
    assert evaluation.equal_error_rate(scores, is_target) == (0.25, 3.0)


def test_rates_of_many_trials_are_those_of_theory():
    rng = np.random.default_rng(0)
    is_target = rng.random(20000) < 0.3
    for distance in (0.0, 2.0):
        scores = rng.normal(size=20000) + distance * is_target
        rate, threshold = evaluation.equal_error_rate(scores, is_target)
        assert rate == pytest.approx(norm.cdf(-distance / 2), abs=0.01)  # by chance: a half
        assert threshold == pytest.approx(distance / 2, abs=0.05)


def test_one_kind_alone_has_no_rate():
    with pytest.raises(ValueError, match="[Oo]nly one class"):
        evaluation.equal_error_rate(np.arange(3.0), np.ones(3, bool))
