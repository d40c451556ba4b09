"""helpers.data.splits: rounds test unheard clips, and every clip is in exactly one part."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import data
from helpers.data.folders import DataError


def clips(fold, *, n_labels=2):
    """A clip table whose sources lie in one fold each, two clips of each."""
    n = len(fold)
    return pd.DataFrame(
        {
            "path": [f"{i}.wav" for i in range(n)],
            "label": [f"class {i // 2 % n_labels}" for i in range(n)],
            "group": [f"{fold[i]} {i // 2}" for i in range(n)],
            "fold": fold,
        }
    )


@given(st.lists(st.integers(1, 6), min_size=3, max_size=40).filter(lambda f: len(set(f)) >= 3))
def test_rounds_are_a_partition_whose_test_is_one_fold(numbers):
    table, rounds = data.rounds(clips(np.array(numbers)))
    assert [r.test_fold for r in rounds] == sorted(set(numbers))
    for one in rounds:
        parts = [one.training, one.validation, one.test]
        assert sorted(np.concatenate(parts)) == list(range(len(table)))
        assert (table["fold"].iloc[one.test] == one.test_fold).all()
        (validated,) = set(table["fold"].iloc[one.validation])
        others = [k for k in numbers if k != one.test_fold]
        assert others.count(validated) == min(others.count(k) for k in set(others))
        for a in range(3):
            for b in range(a):
                assert not set(table["fold"].iloc[parts[a]]) & set(table["fold"].iloc[parts[b]])
        np.testing.assert_array_equal(
            one.trainval, np.sort(np.concatenate([one.training, one.validation]))
        )


def test_only_the_folds_that_are_named_are_tested_in_their_order():
    _, rounds = data.rounds(clips(np.repeat([1, 2, 3], 8)), test_folds=[3, 1, 3])
    assert [r.test_fold for r in rounds] == [3, 1]


@given(st.integers(3, 12), st.integers(0, 20))
@settings(max_examples=20)
def test_without_folds_there_are_as_many_as_the_sources_allow(n_sources, seed):
    table = clips(np.full(4 * n_sources, -1))
    made, rounds = data.rounds(table, n_folds=5, seed=seed)
    assert (made["fold"] >= 1).all() and len(rounds) == made["fold"].nunique()
    assert 3 <= len(rounds) <= min(5, n_sources)
    for one in rounds:
        everything, test = set(made["group"].iloc[one.trainval]), made["group"].iloc[one.test]
        assert not everything & set(test)


def test_of_two_folds_one_is_tested_and_sources_of_the_other_are_held_out():
    table, rounds = data.rounds(clips(np.repeat([1, 2], 20)), test_folds=[1])
    (one,) = rounds
    assert len(one.training) and len(one.validation)
    assert not set(table["group"].iloc[one.training]) & set(table["group"].iloc[one.validation])
    assert set(table["fold"].iloc[one.trainval]) == {2}


def test_what_cannot_be_tested_is_said():
    with pytest.raises(DataError, match=r"only fold 4 is there"):
        data.rounds(clips(np.full(8, 4)))
    with pytest.raises(DataError, match=r"FOLDS names \[7\].*choose from \[1, 2, 3\]"):
        data.rounds(clips(np.repeat([1, 2, 3], 4)), test_folds=[2, 7])
    with pytest.raises(DataError, match="need three folds.*only 1 sources of 'class 0'"):
        data.rounds(clips(np.full(4, -1)))


@given(st.floats(0.1, 0.6), st.integers(0, 20))
def test_a_random_round_tears_sources_apart(share, seed):
    table = clips(np.repeat([1, 2, 3, 4], 30))
    one = data.random_round(table, share=share, seed=seed)
    assert sorted([*one.training, *one.test]) == list(range(len(table)))
    tested = table.iloc[one.test]["label"].value_counts() / table["label"].value_counts()
    assert (tested - share).abs().max() < 0.02
    is_test = np.isin(np.arange(len(table)), one.test)
    assert data.leaked_share(table["group"], is_test) > 0.1
