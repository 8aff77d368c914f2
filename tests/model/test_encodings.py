"""Any column can be typed and encoded, whatever is known of it in a fold and whatever comes later.

Warnings are errors here as everywhere.
"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mlmonkey.schema import canonical_frame
from src.model.encodings import TypedColumns, for_linear, for_trees, read_numbers, useless
from src.model.pipeline import LARGEST

ROWS = 30
WORDS = ["lorem", "ipsum", "dolor", "sit", "é", "😀", "\u202e", "?!", "7", "-"]
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
FEW = st.sampled_from([0.0, 1.0, 1e300, -1e300, 5e-324, 1.7e308])
DATES = st.sampled_from(["0001-01-01", "1815-12-10 07:00", "1969-12-31 23:59", "2024-02-29",
                         "9999-12-31 23:59:59"])
SPELLED = st.sampled_from(["$1,234.50", "12 kg", "1e400", "007", "-3", "1'000", "n/a", "", " ",
                           "true", "٣", "²", "9" * 400, "nan", "-"])
UNIQUE = st.integers(0, 10**6).map("id{}".format)
PROSE = st.lists(st.sampled_from(WORDS), min_size=3, max_size=6).map(" ".join)
COLUMNS = {"number": [NUMBERS, FEW], "integer": [st.integers(-2**60, 2**60)],
           "boolean": [st.booleans()], "date": [DATES],
           "text": [SPELLED, UNIQUE, PROSE, st.text(max_size=4),
                    st.text(min_size=3, max_size=9).map(lambda text: 99 * text)]}
CASES = [(dtype, values) for dtype, each in COLUMNS.items() for values in each]


def frame(values: list[Any], dtype: str) -> pd.DataFrame:
    if dtype == "date":
        column: Any = np.array(values, dtype="datetime64[us]")
    elif dtype == "text":
        column = values
    else:
        column = np.array([np.nan if value is None else value for value in values], dtype=float)
    return canonical_frame({"x": column}, [{"name": "x", "dtype": dtype}])


@pytest.mark.parametrize(("dtype", "values"), CASES, ids=lambda case: str(case)[:20])
@settings(max_examples=6, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_any_column_is_encoded_in_any_fold(dtype: str, values: st.SearchStrategy[Any],
                                           data: st.DataObject) -> None:
    column = data.draw(st.lists(data.draw(st.sampled_from([values, values | st.none()])),
                                min_size=ROWS, max_size=ROWS))
    if data.draw(st.booleans()):  # known outside the fold only, but for one row
        column[:ROWS // 2 - 1] = [None] * (ROWS // 2 - 1)
    X, y = frame(column, dtype), np.arange(ROWS) % 2
    columns = TypedColumns().fit(X)
    if not columns.kinds_:
        return
    typed = columns.transform(X)
    other = columns.transform(frame([None, *data.draw(st.lists(values, max_size=5))], dtype))
    fold = slice(0, ROWS // 2)
    trees = for_trees(columns, True, 0).fit(typed[fold], y[fold])
    linear = for_linear(columns, True, ROWS // 2, 0).fit(typed[fold], y[fold])
    for rows in (typed, other, typed[:1]):
        encoded = trees.transform(rows)
        assert encoded.shape[0] == len(rows)
        assert (np.isnan(encoded) | (np.abs(encoded) <= LARGEST)).all()
        dense = linear.transform(rows)
        assert np.isfinite(dense.toarray() if hasattr(dense, "toarray") else dense).all()


@pytest.mark.parametrize(("values", "dtype", "kind"), [
    ([None] * ROWS, "number", "no value"), ([None] * ROWS, "date", "no value"),
    ([7] * ROWS, "integer", "one value only"), (["x"] * ROWS, "text", "one value only"),
    ([f"id{i}" for i in range(ROWS)], "text", "an identifier"),
    (["x"] + [None] * (ROWS - 1), "text", "few"), ([True, None] * 15, "boolean", "number"),
    ([f"$1,{i:03}.50" for i in range(ROWS)], "text", "number"),
    ([f"{i} kg" for i in range(ROWS)], "text", "number"),
    ([f"0{i % 17:04}" for i in range(ROWS)], "text", "many"),
    (list(range(1950, 1950 + ROWS)), "integer", "number"),
    (["2024-01-01"] * 15 + ["1815-12-10"] * 15, "date", "date"),
    ([f"lorem ipsum dolor {i}" for i in range(ROWS)], "text", "text")])
def test_what_a_column_is(values: list[Any], dtype: str, kind: str) -> None:
    columns = TypedColumns().fit(frame(values, dtype))
    assert {**columns.kinds_, **columns.dropped_} == {"x": kind}


def test_a_row_number_is_dropped_where_others_can_say_something() -> None:
    number = frame(list(range(ROWS)), "integer")
    columns = TypedColumns().fit(number.assign(y=np.arange(ROWS) % 3.0))
    assert columns.kinds_ == {"y": "number"} and columns.dropped_ == {"x": "a row number"}
    part = np.random.default_rng(0).permutation(100)[:80]  # without the hold-out
    assert useless(frame(part.tolist(), "integer")["x"]) == "a row number"
    assert not useless(frame(list(range(1950, 2000)), "integer")["x"])


def test_numbers_are_read_with_signs_thousands_and_one_unit() -> None:
    texts = pd.Series(["$1,234.5", "-3", "12 kg", "007", "1e3", "", "a", None], dtype="str")
    numbers, share = read_numbers(texts)
    assert numbers.tolist()[:5] == pytest.approx([1234.5, -3, 12, np.nan, 1000], nan_ok=True)
    assert np.isnan(numbers[5:]).all() and share == 0.75
