"""The blend is made of what its members said about rows that they had not seen, in any folds.

Warnings are errors here as everywhere.
"""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from src.helpers.recipe import Recipe

ROWS = 20
LINEAR = {"members": ["linear"]}  # the quickest


def frame(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Two numbers, the second with gaps, few levels and many."""
    random = np.random.default_rng(seed)
    return pd.DataFrame({
        "number": random.random(rows), "gaps": np.where(random.random(rows) < 0.3, np.nan, 7.0),
        "few": pd.Series(random.choice(["a", "b"], rows), dtype="str"),
        "many": pd.Series([f"level {i % 15}" for i in range(rows)], dtype="str")})


def fitted(X: pd.DataFrame, y: Any, fold: Any = None, seed: int = 0, **parameters: Any) -> Any:
    task = "regression" if np.asarray(y).dtype.kind == "f" else "classification"
    more = {} if fold is None else {"fold": np.asarray(fold)}
    return Recipe("auto", parameters, task, seed, 1, []).fit(X, np.asarray(y), **more)


def test_classes_of_two_rows_are_no_reason_to_warn() -> None:
    y = np.repeat([f"class {i}" for i in range(30)], 2)
    model = fitted(frame(60), y)
    assert set(model.predict(frame(60))) <= set(y)


@pytest.mark.parametrize("rows", [10, 13, 19])
def test_a_few_numbers_are_folded_without_being_told_how(rows: int) -> None:
    assert np.isfinite(fitted(frame(rows), np.arange(rows) / 7, **LINEAR).predict(frame())).all()


@pytest.mark.parametrize("y", [np.arange(ROWS) % 2, np.arange(ROWS) % 3, np.arange(ROWS) / 7,
                               np.zeros(ROWS)], ids=["two", "three", "numbers", "one number"])
@pytest.mark.parametrize("known", [1, 2, 4])
def test_a_fold_may_leave_few_rows_to_learn_from(known: int, y: np.ndarray) -> None:
    model = fitted(frame(), y, np.arange(ROWS) >= known)
    assert np.isfinite(model.predict(frame(seed=1))).all()
