"""Splits: stratified, seeded, complete, for any table."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from src.helpers.splits import folds, hold_out, strata

LABELS = st.lists(st.integers(0, 4), min_size=2, max_size=300).map(np.array)


@given(LABELS, st.floats(0, 0.9), st.integers(0, 99))
def test_a_hold_out_leaves_a_row_of_each_class(y: np.ndarray, share: float, seed: int) -> None:
    groups = strata(y, "classification")
    held = hold_out(groups, share, seed)
    assert (np.diff(held) > 0).all()
    assert set(np.delete(groups, held)) == set(groups)
    assert np.array_equal(held, hold_out(groups, share, seed))
    for group in np.unique(groups):
        size = (groups == group).sum()
        if len(y) >= 50:
            assert abs((groups[held] == group).sum() - size * share) <= 1


@given(LABELS, st.integers(2, 10), st.integers(0, 99))
def test_every_row_is_tested_once_by_rows_that_know_its_class(y: np.ndarray, count: int,
                                                              seed: int) -> None:
    groups = strata(y, "classification")
    fold = folds(groups, count, seed)
    for number in range(count):
        assert set(groups[fold == number]) <= set(groups[fold != number])
    single = np.isin(groups, [g for g in np.unique(groups) if (groups == g).sum() == 1])
    assert np.array_equal(fold < 0, single)
    assert np.array_equal(fold, folds(groups, count, seed))


@given(st.lists(st.floats(-1e9, 1e9), min_size=20, max_size=200).map(np.array))
def test_numbers_are_stratified_by_rank(y: np.ndarray) -> None:
    groups = strata(y, "regression")
    assert groups.min() == 0 and groups.max() == 9
    order = np.argsort(y, kind="stable")
    assert (np.diff(groups[order]) >= 0).all()
