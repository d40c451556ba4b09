"""helpers.evaluation.metrics against scikit-learn and mir_eval, and where those have no answer."""

import mir_eval
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
)

from helpers import evaluation
from helpers.evaluation import metrics

BITS = st.lists(st.booleans(), min_size=2, max_size=60)


# --- intervals ------------------------------------------------------------------------------------


def interval(values, groups, **kwargs):
    return evaluation.bootstrap_interval(np.mean, values, groups=groups, n_resamples=200, **kwargs)


@pytest.mark.parametrize("kind", [list, np.array, pd.Series])
def test_groups_may_come_in_any_form(kind):
    values = np.arange(12.0)
    groups = ["a"] * 4 + ["b"] * 3 + ["c"] * 5
    expected = interval(values, np.array(groups))
    assert interval(kind(values.tolist()), kind(groups)) == expected
    assert 0 <= expected[0] < expected[1] <= 11
    indexed = pd.Series(groups, index=np.arange(12)[::-1] * 10)
    assert interval(values, indexed) == expected


@settings(max_examples=15)
@given(
    values=st.lists(st.floats(-5, 5), min_size=3, max_size=15),
    copies=st.integers(2, 4),
    seed=st.integers(0, 99),
)
def test_copies_within_a_group_promise_no_more_precision(values, copies, seed):
    """Each row is a group of its own; more clips of the same recording are no more recordings."""
    groups = np.arange(len(values))
    expected = interval(values, groups, seed=seed)
    found = interval(np.repeat(values, copies), np.repeat(groups, copies), seed=seed)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_whole_groups_are_drawn():
    groups = np.repeat(np.arange(5), 4)
    rows = np.arange(20)
    draws = []
    evaluation.bootstrap_interval(
        lambda x, g: draws.append((x.copy(), g.copy())) or 0.0,
        rows,
        groups,
        groups=groups,
        n_resamples=50,
    )
    for x, g in draws:
        assert len(x) == 20
        np.testing.assert_array_equal(groups[x], g)  # the arrays stay together
        counts = np.bincount(x, minlength=20).reshape(5, 4)
        assert (counts == counts[:, :1]).all()
    assert len({tuple(x) for x, _ in draws}) > 40


def test_an_interval_is_wider_over_groups_than_over_clips():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), 20)
    values = rng.normal(0, 1, 10)[groups] + rng.normal(0, 0.1, 200)
    low, high = interval(values, groups)
    low_clips, high_clips = interval(values, np.arange(200))
    assert high - low > 2 * (high_clips - low_clips)


def test_an_interval_has_its_level_and_seed():
    values, groups = np.random.default_rng(1).normal(size=40), np.arange(40)
    low, high = evaluation.bootstrap_interval(np.mean, values, groups=groups, n_resamples=4000)
    error = values.std() / np.sqrt(40)  # of the mean, by theory
    np.testing.assert_allclose(
        [low, high], values.mean() + error * np.array([-1.96, 1.96]), atol=0.03
    )
    narrow = evaluation.bootstrap_interval(np.mean, values, groups=groups, level=0.5)
    assert low < narrow[0] < narrow[1] < high
    assert interval(values, groups, seed=1) == interval(values, groups, seed=1)
    assert interval(values, groups, seed=1) != interval(values, groups, seed=2)


def test_one_group_has_no_interval():
    with pytest.raises(ValueError, match="two groups"):
        interval([1.0, 2.0], ["a", "a"])


def test_resamples_without_a_value_are_left_out():
    found = evaluation.bootstrap_interval(
        lambda x: np.nan if x.min() == x.max() else x.mean(), [0.0, 1.0], groups=[0, 1]
    )
    assert found == (0.5, 0.5)


def test_several_statistics_at_once_have_the_intervals_of_each_alone():
    values = np.random.default_rng(2).normal(size=(30, 2))
    groups = np.repeat(np.arange(10), 3)
    several = [np.mean, np.max, lambda x: np.nan if x[0, 0] > 0.5 else x[0, 1]]
    low, high = evaluation.bootstrap_interval(
        lambda x: np.array([one(x) for one in several]), values, groups=groups, n_resamples=200
    )
    assert low.shape == high.shape == (3,)
    for k, one in enumerate(several):
        alone = evaluation.bootstrap_interval(one, values, groups=groups, n_resamples=200)
        assert (low[k], high[k]) == alone and all(type(end) is float for end in alone)
    low, high = evaluation.bootstrap_interval(
        lambda x: x.mean(axis=0, keepdims=True), values, groups=groups, n_resamples=20
    )
    assert low.shape == high.shape == (1, 2) and (low < high).all()


# --- effect size ----------------------------------------------------------------------------------

SAMPLE = st.lists(st.integers(-50, 50), min_size=2, max_size=20)


def test_cohens_d_by_hand():
    # Variances 1 and 5/3 of 3 and 4 values: pooled (2 · 1 + 3 · 5/3) / 5 = 7/5; means 2 and 3.5.
    d = evaluation.cohens_d([1, 2, 3], [2, 3, 4, 5])
    assert type(d) is float and d == pytest.approx(-1.5 / np.sqrt(7 / 5))
    assert evaluation.cohens_d([0, 2], [0, 2]) == 0


def test_cohens_d_weighs_each_group_by_its_size():
    # Squares around the means: 2000 of 2000 values, and 72 of 2.
    assert evaluation.cohens_d([0, 2] * 1000, [-6, 6]) == pytest.approx(1 / np.sqrt(2072 / 2000))
    assert evaluation.cohens_d([0, 2], [-6, 6]) == pytest.approx(1 / np.sqrt(74 / 2))


@settings(max_examples=50)
@given(a=SAMPLE, b=SAMPLE, shift=st.integers(-100, 100), scale=st.floats(0.01, 100))
def test_cohens_d_has_a_sign_and_no_unit(a, b, shift, scale):
    a, b = np.array(a), np.array(b)
    d = evaluation.cohens_d(a, b)
    assert np.isfinite(d)
    assert evaluation.cohens_d(b, a) == pytest.approx(-d)
    assert evaluation.cohens_d(a + shift, b + shift) == pytest.approx(d, abs=1e-9)
    assert evaluation.cohens_d(scale * a, scale * b) == pytest.approx(d, abs=1e-9)
    assert evaluation.cohens_d(-a, -b) == pytest.approx(-d)
    if np.ptp(a) or np.ptp(b):
        assert np.sign(d) == np.sign(a.mean() - b.mean())


@pytest.mark.parametrize(("a", "b"), [(0.1, 0.1), (0.1, 0.7), (0, 3), (-100, -100)])
def test_where_nothing_varies_there_is_no_effect_size(a, b):
    for n in range(2, 9):
        assert evaluation.cohens_d(np.full(n, a), np.full(7, b)) == 0


# --- clips ----------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(truth=BITS, seed=st.integers(0, 999))
def test_clip_scores_are_scikit_learns(truth, seed):
    score = np.random.default_rng(seed).integers(0, 5, len(truth)) / 4
    guess = score >= 0.5
    functions = precision_score, recall_score, f1_score
    expected = [
        accuracy_score(truth, guess),
        *(f(truth, guess, zero_division=0) for f in functions),
    ]
    np.testing.assert_allclose(metrics._binary(np.array(truth), guess), expected)


def test_the_table_of_clip_scores():
    rng = np.random.default_rng(0)
    truth = rng.random(120) < 0.4
    score = np.clip(truth * 0.4 + rng.random(120) * 0.6, 0, 1)
    groups = np.repeat(np.arange(24), 5)
    table = evaluation.clip_scores(truth, score, threshold=0.5, groups=groups)
    assert list(table.index) == ["accuracy", "precision", "recall", "f1"]
    assert list(table.columns) == ["value", "low", "high"]
    assert table.loc["f1", "value"] == f1_score(truth, score >= 0.5)
    assert (table["low"] <= table["value"]).all() and (table["value"] <= table["high"]).all()
    assert (table["high"] > table["low"]).all()
    as_lists = evaluation.clip_scores(
        truth.tolist(), score.tolist(), threshold=0.5, groups=groups.tolist()
    )
    pd.testing.assert_frame_equal(as_lists, table)
    perfect = evaluation.clip_scores(truth, truth, threshold=1, groups=groups)
    assert (perfect == 1).all(axis=None)  # a score at the threshold is positive


# --- many classes ---------------------------------------------------------------------------------


@st.composite
def guesses(draw):
    """truth, guess: classes of which some are never guessed, some never there, some neither."""
    n, n_classes = draw(st.integers(2, 60)), draw(st.integers(1, 9))
    classes = st.lists(st.integers(0, n_classes - 1), min_size=n, max_size=n)
    return np.array(draw(classes)), np.array(draw(classes)) // draw(st.integers(1, 3))


def reference(truth, guess):
    """Accuracy and scikit-learn's macro precision, recall and F1."""
    macro = precision_recall_fscore_support(truth, guess, average="macro", zero_division=0)
    return [accuracy_score(truth, guess), *macro[:3]]


@settings(max_examples=40)
@given(guesses())
def test_class_scores_are_scikit_learns(both):
    truth, guess = both
    table = evaluation.class_scores(truth, guess, groups=np.arange(len(truth)), n_resamples=5)
    assert table.index.tolist() == ["accuracy", "precision", "recall", "f1"]
    assert table.columns.tolist() == ["value", "low", "high"]
    np.testing.assert_allclose(table["value"], reference(truth, guess))
    assert table.notna().all(axis=None) and ((table >= 0) & (table <= 1)).all(axis=None)
    again = evaluation.class_scores(*map(list, both), groups=np.arange(len(truth)), n_resamples=5)
    pd.testing.assert_frame_equal(again, table)


def test_class_scores_by_hand():
    # Class 2 is never guessed, class 3 is guessed once and never there, class 4 is neither.
    truth, guess = [0, 0, 0, 1, 1, 2, 5], [0, 0, 1, 1, 3, 0, 5]
    table = evaluation.class_scores(truth, guess, groups=range(7), n_resamples=5)
    precision, recall = [2 / 3, 1 / 2, 0, 0, 1], [2 / 3, 1 / 2, 0, 0, 1]
    f1 = [2 / 3, 1 / 2, 0, 0, 1]
    expected = [4 / 7, np.mean(precision), np.mean(recall), np.mean(f1)]
    np.testing.assert_allclose(table["value"], expected)
    perfect = evaluation.class_scores(truth, truth, groups=range(7), n_resamples=20)
    assert (perfect == 1).all(axis=None)


def test_intervals_of_class_scores_are_over_groups():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(15), 6)
    truth = rng.integers(0, 5, 90)
    guess = np.where((groups % 3 > 0) | (rng.random(90) < 0.3), truth, rng.integers(0, 5, 90))
    table = evaluation.class_scores(truth, guess, groups=groups, n_resamples=60, seed=3)
    low, high = evaluation.bootstrap_interval(
        lambda t, g: np.array(reference(t, g)),
        truth,
        guess,
        groups=groups,
        n_resamples=60,
        seed=3,
    )
    np.testing.assert_allclose(table["low"], low)
    np.testing.assert_allclose(table["high"], high)
    assert (table["low"] < table["value"]).all() and (table["value"] < table["high"]).all()
    narrow = evaluation.class_scores(truth, guess, groups=np.arange(90), n_resamples=200)
    wide = evaluation.class_scores(truth, guess, groups=groups, n_resamples=200)
    assert ((wide["high"] - wide["low"]) > (narrow["high"] - narrow["low"])).all()


TIMES = st.lists(st.integers(0, 60), max_size=12, unique=True).map(
    lambda x: np.sort(np.array(x, float)) / 4
)


# --- two classifiers ------------------------------------------------------------------------------


def exact_p(a, b, groups):
    """p-value over all combinations of signs."""
    sums = [np.sum((a * 1 - b)[groups == g]) for g in np.unique(groups)]
    signs = np.array(np.meshgrid(*[[-1, 1]] * len(sums))).reshape(len(sums), -1)
    return np.mean(np.abs(sums @ signs) >= abs(sum(sums)))


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 3)), min_size=1))
def test_a_paired_test_is_exact_for_few_groups(rows):
    a, b, groups = (np.array(column) for column in zip(*rows, strict=True))
    p = evaluation.paired_test(a, b, groups=groups, n_resamples=4000)
    assert p == pytest.approx(exact_p(a, b, groups), abs=1e-12)
    assert p == evaluation.paired_test(b, a, groups=groups, n_resamples=4000)


def test_many_groups_are_drawn_by_the_seed():
    rng = np.random.default_rng(0)
    a, b, groups = rng.random(360) < 0.7, rng.random(360) < 0.67, np.repeat(np.arange(18), 20)
    p = [evaluation.paired_test(a, b, groups=groups, seed=seed) for seed in (0, 1, 0)]
    assert p[0] == p[2] != p[1]
    assert p[:2] == pytest.approx([exact_p(a, b, groups)] * 2, abs=0.02)


def test_copies_of_a_clip_prove_nothing_more():
    right, wrong = np.ones(5, bool), np.zeros(5, bool)
    few = evaluation.paired_test(right, wrong, groups=np.arange(5))
    many = evaluation.paired_test(
        right.repeat(20), wrong.repeat(20), groups=np.arange(5).repeat(20)
    )
    assert few == many == pytest.approx(2 / 2**5, abs=0.01)


def test_no_difference_is_no_evidence():
    same = np.array([True, False, True])
    assert evaluation.paired_test(same, same, groups=[0, 1, 2]) == 1


# --- events ---------------------------------------------------------------------------------------


@settings(max_examples=100)
@given(true=TIMES, found=TIMES, tolerance_s=st.sampled_from([0.25, 1.0, 2.0]))
def test_events_match_as_in_mir_eval(true, found, tolerance_s):
    pairs = evaluation.match_events(true, found, tolerance_s=tolerance_s)
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)
    assert all(abs(true[a] - found[b]) <= tolerance_s for a, b in pairs)
    scores = evaluation.event_scores(key(a=true), detected(a=found), ["a"], tolerance_s=tolerance_s)
    if len(true) and len(found):
        f1, precision, recall = mir_eval.onset.f_measure(true, found, window=tolerance_s)
        np.testing.assert_allclose(
            [scores["event_f1"], scores["event_precision"], scores["event_recall"]],
            [f1, precision, recall],
        )


def key(**times):
    rows = [(name, t) for name, ts in times.items() for t in ts]
    return pd.DataFrame(rows, columns=["clip_name", "centre_s"])


def detected(**times):
    rows = [(name, t - 0.5, t + 0.5, 0.9) for name, ts in times.items() for t in ts]
    return pd.DataFrame(rows, columns=["clip_name", "start_s", "end_s", "score"])


def scores(true, found, names=("a", "b"), **kwargs):
    result = evaluation.event_scores(key(**true), detected(**found), names, **kwargs)
    assert list(result) == ["event_precision", "event_recall", "event_f1"]
    return tuple(result.values())


def test_special_cases_of_event_scores():
    assert scores({}, {}) == (1, 1, 1)
    assert scores({}, {"a": [3]}) == (0, 1, 0)  # nothing to find: nothing missed, but one too many
    assert scores({"a": [3]}, {}) == (0, 0, 0)
    assert scores({"a": [3]}, {"a": [3.9]}) == (1, 1, 1)
    assert scores({"a": [3]}, {"a": [4.1]}) == (0, 0, 0)
    assert scores({"a": [3]}, {"a": [3.3]}, tolerance_s=0.2) == (0, 0, 0)
    assert scores({"a": [3]}, {"b": [3]}) == (0, 0, 0)  # in another recording
    assert scores({"a": [3]}, {"a": [2.8, 3.1]}) == (0.5, 1, 2 / 3)  # one call is one hit
    assert scores({"a": [3, 3.5]}, {"a": [3.2]}) == (1, 0.5, 2 / 3)
    assert scores({"a": [1, 2]}, {"a": [1.9, 0.2]}) == (1, 1, 1)  # the best matching, in any order
    # Recordings that were not looked at count neither way.
    assert scores({"a": [3], "b": [5]}, {"a": [3]}, names=["a"]) == (1, 1, 1)


def test_event_scores_are_of_all_events_together_not_a_mean_over_recordings():
    true = {"a": [10, 20, 30, 40], "b": [10]}
    found = {"a": [10, 20, 30, 40], "b": [90]}
    assert scores(true, found) == pytest.approx((0.8, 0.8, 0.8))


# --- counts ---------------------------------------------------------------------------------------


def counts(**values):
    table = pd.DataFrame({"clip_name": list(values), "call_count": list(values.values())})
    return table.astype({"call_count": "Int64"})


def test_counts_are_merged_by_name_and_not_by_place():
    found = evaluation.count_scores(counts(a=3, b=5, c=0), counts(c=1, b=4, a=3))
    assert found == {
        "exact": 1,
        "recordings": 3,
        "exact_share": pytest.approx(1 / 3),
        "mae": pytest.approx(2 / 3),
        "bias": 0.0,
        "total_true": 8,
        "total_counted": 8,  # right, though two recordings are wrong
    }
    assert all(type(value) in (int, float) for value in found.values())


def test_a_missing_count_is_no_zero():
    found = evaluation.count_scores(counts(a=3, b=5, d=1), counts(a=3, b=pd.NA, c=7))
    assert (found["recordings"], found["exact"], found["mae"]) == (1, 1, 0.0)
    assert (found["total_true"], found["total_counted"]) == (3, 3)
    with pytest.raises(ValueError, match="no recording"):
        evaluation.count_scores(counts(a=3), counts(a=pd.NA))
    with pytest.raises(ValueError, match="no recording"):
        evaluation.count_scores(counts(a=3), counts(b=3))


def test_other_columns_do_not_matter():
    key = counts(a=3, b=2).assign(remark=[None, "windy"])
    found = evaluation.count_scores(key, counts(a=3, b=2).assign(seconds=[np.nan, 1.0]))
    assert found["recordings"] == found["exact"] == 2


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=30))
def test_count_errors_are_numpys(pairs):
    true, found = np.array(pairs).T
    names = [f"r{i}.wav" for i in range(len(pairs))]
    result = evaluation.count_scores(
        pd.DataFrame({"clip_name": names, "call_count": true}),
        pd.DataFrame({"clip_name": names, "call_count": found}).sample(frac=1, random_state=0),
    )
    assert result["exact"] == (true == found).sum()
    assert result["mae"] == pytest.approx(np.abs(found - true).mean())
    assert result["bias"] == pytest.approx((found - true).mean())
