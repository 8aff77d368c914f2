"""Splits: stratified, seeded, complete, whole units, latest last; for any table."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from src.helpers.splits import copies, folds, hold_out, latest, spans, strata, tie

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


@st.composite
def rows(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class, unit and time of each row."""
    count = draw(st.integers(2, 200))
    random = np.random.default_rng(draw(st.integers(0, 9999)))
    kinds, units, moments = (draw(st.integers(1, most)) for most in (5, count, 60))
    times = random.integers(0, moments, count).astype(float)
    times[random.random(count) < draw(st.sampled_from([0, 0.1]))] = -np.inf
    return random.integers(0, kinds, count), random.integers(0, units, count), times


@given(rows(), st.floats(0, 0.9), st.integers(2, 10), st.integers(0, 99), st.booleans())
def test_units_stay_whole(each: tuple[np.ndarray, ...], share: float, count: int, seed: int,
                          classes: bool) -> None:
    y, units, _ = each
    groups = strata(y, "classification")
    held = hold_out(groups, share, seed, units)
    rest = np.setdiff1d(np.arange(len(y)), held)
    assert not set(units[held]) & set(units[rest])
    assert set(groups[held]) <= set(groups[rest])
    fold = folds(groups, count, seed, units, classes)
    assert len(set(zip(units, fold))) == len(set(units))
    for number in np.unique(fold[fold >= 0]) if classes else ():
        assert set(groups[fold == number]) <= set(groups[fold != number])
    assert classes or fold.min() >= 0
    assert np.array_equal(fold, folds(groups, count, seed, units, classes))


@given(st.integers(2, 30), st.integers(2, 5), st.integers(0, 99))
def test_equal_units_are_dealt_out_evenly(size: int, count: int, seed: int) -> None:
    units = np.repeat(np.arange(20 * count), size)
    y = np.arange(len(units)) % 2
    fold = folds(y, count, seed, units)
    for label in (0, 1):
        sizes = np.bincount(fold[y == label], minlength=count)
        assert np.ptp(sizes) <= size
    held = hold_out(y, 0.25, seed, units)
    assert abs(len(held) - len(y) / 4) <= size


@given(rows(), st.floats(0.01, 0.9), st.integers(2, 10), st.booleans())
def test_time_goes_forward(each: tuple[np.ndarray, ...], share: float, count: int,
                           classes: bool) -> None:
    y, units, times = each
    groups = strata(y, "classification") * classes
    alone = np.arange(len(y))
    held = latest(times, groups, share, alone)
    rest = np.setdiff1d(alone, held)
    assert set(groups[held]) <= set(groups[rest])
    if len(held):
        begin = times[held].min()
        # later than the hold-out's begin is only the first row of a class that is new there
        new = [row for row in rest if times[row] >= begin]
        assert len({groups[row] for row in new}) == len(new)
        assert all(times[row] <= times[groups == groups[row]].min() for row in new)
    elif len(y) >= 50:
        assert len(set(times)) == 1
    fold = spans(times, groups, count, alone)
    order = np.argsort(times, kind="stable")
    tested = fold[order][fold[order] >= 0]
    assert (np.diff(tested) >= 0).all()
    for number in np.unique(tested):
        assert set(groups[fold == number]) <= set(groups[fold != number])
    if len(set(times)) > 1 and not classes:
        assert len(set(tested)) > 1 and fold.min() == 0
    whole = latest(times, groups, share, units)
    assert not set(units[whole]) & set(np.delete(units, whole))


@given(st.integers(2, 40), st.integers(1, 4), st.integers(0, 99))
def test_copies_are_found_and_chance_is_none(count: int, times: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    X = pd.DataFrame(random.random((count, 3)), columns=list("abc"))
    X["text"] = pd.Series(random.choice(["x", "y", None], count), dtype="str")
    X.iloc[0, 0] = np.nan
    order = random.permutation(np.tile(np.arange(count), times))
    numbers = copies(X.iloc[order])
    assert len(set(zip(order, numbers))) == len(set(order)) == len(set(numbers))
    if len(order) >= 20:  # as many as a column that looks like ids must have
        named = X.iloc[order].assign(record=[f"R{place}" for place in range(len(order))])
        assert np.array_equal(copies(named), numbers)
    few = pd.DataFrame(random.integers(0, 2, (200, 3)).astype(float))
    assert len(set(copies(few))) == 200


def test_groups_and_copies_tie_each_other() -> None:
    groups = np.array([0, 0, 1, 1, 2, 2, -1, -1, 3, 4])
    copied = np.array([0, 1, 1, 2, 3, 4, 5, 6, 7, 8])
    units = tie(copied, groups)
    assert len(set(units[:4])) == 1 and len(set(units)) == 6
    everywhere = np.array([0, 1, 0, 1, 0, 1, 2, 3, 0, 0])  # two rows that all groups have
    assert np.array_equal(tie(everywhere, groups)[:6], [0, 0, 1, 1, 2, 2])
