"""The canonical frame, JSON rows against a schema, and rows drawn from a schema alone."""

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonkey.rows import Feature, Reader
from mlmonkey.schema import RowError, canonical_frame, draw_rows, example_row

DECILES = [float(i) for i in range(11)]
SCHEMA: list[Feature] = [
    {"name": "n", "dtype": "number", "quantiles": DECILES, "minimum": 0.0, "maximum": 10.0},
    {"name": "i", "dtype": "integer", "quantiles": DECILES, "minimum": 0.0, "maximum": 10.0},
    {"name": "b", "dtype": "boolean", "quantiles": [0.0] * 5 + [1.0] * 6, "minimum": 0.0,
     "maximum": 1.0},
    {"name": "d", "dtype": "date", "quantiles": ["2024-01-01T00:00:00"] * 11,
     "minimum": "2024-01-01T00:00:00", "maximum": "2024-01-01T00:00:00"},
    {"name": "t", "dtype": "text", "categories": [{"value": "x", "count": 9}]},
    {"name": "p", "dtype": "text", "private": True},
    {"name": "e", "dtype": "number"},
]
NAMES = [feature["name"] for feature in SCHEMA]
GOOD = {"n": 1.5, "i": 2, "b": True, "d": "2024-02-03", "t": "x", "p": "s", "e": None}
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=9)


def frame_from_rows(rows: list[Any]) -> tuple[pd.DataFrame, int]:
    found, ignored = Reader(SCHEMA).read(rows)
    return found.frame(), ignored


def test_lists_and_records_give_the_same_frame() -> None:
    one, _ = frame_from_rows([GOOD])
    other, _ = frame_from_rows([list(GOOD.values())])
    pd.testing.assert_frame_equal(one, other)
    assert [str(dtype) for dtype in one.dtypes] == ["float64"] * 3 + [
        "datetime64[us]", "str", "str", "float64"]


def test_null_is_missing_and_extra_keys_are_counted() -> None:
    frame, ignored = frame_from_rows([dict.fromkeys(NAMES) | {"more": 1, "and": 2}])
    assert frame.isna().all().all() and ignored == 2


@pytest.mark.parametrize(("column", "value"), [
    ("n", "1"), ("n", True), ("n", float("nan")), ("n", float("inf")), ("n", 10 ** 400),
    ("n", [1]), ("i", "2"), ("b", 1), ("b", "true"), ("d", "soon"), ("d", 20240101), ("d", "NaT"),
    ("d", "99999-01-01"), ("t", 1), ("t", False), ("t", {}), ("e", "")])
def test_values_of_another_kind_are_refused_with_their_place(column: str, value: Any) -> None:
    with pytest.raises(RowError) as raised:
        frame_from_rows([GOOD, GOOD | {column: value}])
    assert (raised.value.row, raised.value.column) == (1, column)
    assert "row 1" in str(raised.value) and raised.value.expected


@pytest.mark.parametrize("row", [[], [1, 2], "text", 7, None, {}, {"n": 1}])
def test_rows_of_another_shape_are_refused(row: Any) -> None:
    with pytest.raises(RowError):
        frame_from_rows([row])


def test_a_missing_key_is_named() -> None:
    with pytest.raises(RowError, match="^row 1: column 'd' is missing; send null for no value$"
                       ) as raised:
        frame_from_rows([GOOD, {name: GOOD[name] for name in NAMES if name != "d"}])
    assert (raised.value.row, raised.value.column, raised.value.value) == (1, "d", None)
    assert raised.value.expected == "a value, or null"


@given(st.lists(JSON | st.lists(JSON, min_size=7, max_size=7)
                | st.fixed_dictionaries({name: JSON for name in NAMES}), max_size=3))
def test_any_json_gives_a_frame_or_says_which_row(rows: list[Any]) -> None:
    try:
        frame, _ = frame_from_rows(rows)
    except RowError as error:
        assert 0 <= error.row < len(rows)
    else:
        assert frame.shape == (len(rows), 7)
        assert np.isfinite(frame["n"].dropna()).all()


def test_drawn_rows_fit_the_schema_and_repeat() -> None:
    rows = draw_rows(SCHEMA, 20, seed=3)
    assert rows == draw_rows(SCHEMA, 20, seed=3) != draw_rows(SCHEMA, 20, seed=4)
    frame, ignored = frame_from_rows(rows)
    assert len(frame) == 20 and not ignored
    assert {row["p"] for row in rows} == {None}
    assert rows[0] == example_row(SCHEMA)
    assert set(rows[1].values()) == {None}
    assert rows[2]["t"] not in ("x", None) and rows[2]["n"] > 10


def test_a_frame_of_any_dtypes_becomes_canonical() -> None:
    frame = pd.DataFrame({
        "n": pd.array([1, None], dtype="Int64"), "i": np.array([1, 2], dtype=np.int8),
        "b": np.array([True, None], dtype=object),
        "d": [datetime(2024, 1, 1), None], "t": ["x", None], "p": ["x", "y"],
        "e": [np.inf, -np.inf], "other": [1, 2]})
    canonical = canonical_frame(frame, SCHEMA)
    assert list(canonical) == NAMES
    assert canonical["n"].tolist()[0] == 1.0 and np.isnan(canonical["n"][1])
    assert canonical["b"].tolist()[0] == 1.0 and np.isnan(canonical["b"][1])
    assert canonical["e"].isna().all() and canonical["d"].isna().tolist() == [False, True]
