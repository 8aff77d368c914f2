"""Cells of a request's CSV become what DuckDB makes of the same cells in a file."""

from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmonkey.cells import SIMPLE, converter, read_column, write_cell
from mlmonkey.schema import RowError
from src.etl.convert import checked_value_sql
from src.etl.rules import BY_NAME

TEXTS = ["1", "-2.5", "+5", ".5", "5.", ".", "-", "e5", "1e5", "1E-3", "1e400", "1e-400", "0e5",
         "007", "-0", "0.0", "1_000", "nan", "inf", "٣", "1 000", "1,5", "1.234,5", "1.234",
         "1,234", "1,234.5", "12,34", "1234567890123456789", "0.30000000000000004",
         "123456789.123456789", "100000000000000000000", "12%", "12 %", "1,5 %", "1,234 %", "%",
         "-3%", "$5", "$ 5", "-$5", "- $ 5", "5$", "5 $", "€1.234,50", "£1,234.50", "¥7", "$",
         "$5$", "€5$", "€5", "£ 5.25", "5,5 £", "7,5¥", "true", "FALSE", "True", "yes", "t",
         "2024-01-31", "2024-1-31", "2024-02-30", "2023-02-29", "2024-02-29", "2024-01-31 18:30",
         "2024-01-31 8:30:15", "2024-01-31T18:30", "2024-01-31T18:30:15.25Z",
         "2024-01-31 18:30:61", "2024-13-01", "24-01-31", "2024/01/31", "31.01.2024",
         "31/01/2024", "01/31/2024", "31-01-2024", "01-31-2024 7:05", "9999-12-31", "now",
         "today", "a", "ß", "x y", "18.00.00", "9.05.59", "24.00.00", "1 234,5", "1'234.5", "12 34",
         "1 000 %", "$1 000", "€1\u00a0000,5", "1 000 £", "1\u202f000 ¥", "1 000 000"]
pieces = st.lists(st.sampled_from(["0", "1", "9", "20", "2024", ".", ",", "-", "/", "e", "+", " ",
                                   "%", "$", "€", "T", ":", "Z", "12", "31", "000"]), max_size=9)


@pytest.fixture(scope="module")
def connection() -> Any:
    with duckdb.connect() as connection:
        yield connection


def by_duckdb(connection: Any, rule: str, texts: list[str]) -> list[Any]:
    found = connection.execute(f"SELECT {checked_value_sql('cell', rule)} FROM "
                               "(SELECT unnest(?) AS cell)", [texts]).fetchall()
    return [value for value, in found]


def assert_same(rule: str, texts: list[str], found: list[Any]) -> None:
    convert = converter(rule)
    for text, value in zip(texts, found, strict=True):
        if not (isinstance(value, str) and "BC" in value):  # the year 0, which no Python date has
            here = convert(text)
            if value is None and rule.startswith("date, "):
                value = converter("date and time")(text)  # as JSON has dates
            assert here == value and isinstance(here, bool | datetime) == isinstance(
                value, bool | datetime), (rule, text, value, here)


@pytest.mark.parametrize("rule", [rule for rule in BY_NAME if rule != "integer"])
def test_the_rules_are_those_of_files(connection: Any, rule: str) -> None:
    found = by_duckdb(connection, rule, TEXTS)
    assert any(value is not None for value in found)
    assert_same(rule, TEXTS, found)


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(pieces.map("".join), min_size=1, max_size=20),
       st.sampled_from([rule for rule in BY_NAME if rule != "integer"]))
def test_generated_texts_are_read_alike(connection: Any, texts: list[str], rule: str) -> None:
    assert_same(rule, texts, by_duckdb(connection, rule, texts))


@given(st.lists(st.sampled_from(["", "0", "-0", "1.5", "12345.25", "-0.125", "9999999.99999999"])))
def test_simple_numbers_are_read_at_one_look_as_they_are_one_by_one(cells: list[str]) -> None:
    assert SIMPLE.fullmatch("\n".join(cells) + "\n")
    feature = {"name": "a", "dtype": "number"}
    quick = read_column(cells, feature, "number", {""})
    slow = read_column(cells, feature, "number", {"", "-999"})
    assert np.array_equal(quick, slow, equal_nan=True)


@pytest.mark.parametrize("rule", BY_NAME)
def test_a_cell_is_written_as_it_is_read(rule: str) -> None:
    values: list[Any] = [0, -7, 123456, 0.5, -1234567.25, 1e-9, 5.05993e11]
    dtype = "integer" if rule == "integer" else "number"
    if rule.startswith("date"):
        dtype, values = "date", ["2024-01-31T00:00:00", "0800-12-05T07:05:09"]
    elif rule in ("true or false", "text", "time of day"):
        dtype, values = {"text": ("text", ["a", "-1"]), "time of day": ("text", ["18:00:05"])}.get(
            rule, ("boolean", [True, False]))
    values = [int(value) for value in values] if rule == "integer" else values
    cells = [write_cell(value, rule) for value in [*values, None]]
    found = read_column(cells, {"name": "a", "dtype": dtype},
                        "number" if rule == "integer" else rule, {""})
    if dtype == "text":
        assert found.tolist() == [*values, None]
    elif dtype == "date":
        assert np.array_equal(found, np.array([*values, "NaT"], "M8[us]"), equal_nan=True)
    else:  # a percentage is divided by 100, which rounds
        assert np.allclose(found, [*values, np.nan], rtol=1e-15, atol=0, equal_nan=True)


def test_missing_words_and_blanks() -> None:
    feature = {"name": "a", "dtype": "number"}
    read = read_column([" 1 ", "NA", "", "\t-999\u00a0"], feature, "number", {"", "NA", "-999"})
    assert read[0] == 1 and np.isnan(read[1:]).all()
    texts = read_column([" a ", "", "NA"], feature | {"dtype": "text"}, "text", {"", "NA"})
    assert texts.tolist() == ["a", None, None]
    dates = read_column(["31.01.2024", ""], feature | {"dtype": "date"}, "date, day.month.year",
                        {""})
    assert dates.astype(str).tolist() == ["2024-01-31T00:00:00.000000", "NaT"]
    truths = read_column(["TRUE", "", "false"], feature | {"dtype": "boolean"}, "true or false",
                         {""})
    assert np.array_equal(truths, [1, np.nan, 0], equal_nan=True)


@pytest.mark.parametrize(("cell", "dtype", "rule"), [
    ("wide", "number", "number"), ("007", "integer", "number"), ("", "number", "number"),
    ("yes", "boolean", "true or false"), ("31.02.2024", "date", "date, day.month.year")])
def test_a_cell_that_does_not_fit_is_named(cell: str, dtype: str, rule: str) -> None:
    with pytest.raises(RowError) as error:
        read_column(["NA", cell], {"name": "a", "dtype": dtype}, rule, {"NA"})
    assert (error.value.row, error.value.column, error.value.value) == (1, "a", cell)
