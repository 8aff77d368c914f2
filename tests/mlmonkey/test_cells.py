"""Cells of a request's CSV become what DuckDB makes of the same cells in a file."""

from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmonkey.cells import SIMPLE, converter, missing_words, read_column, write_cell
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
         "3 Jan 2024", "03JAN24", "Jan 3, 2024", "Sept. 3 2024", "Janu 3 2024", "3-May-99 7:05 pm",
         "2024-Dec-31", "3 Jan 45", "Jan 3, 24", "2024.1.31",
         "31/12/24", "12/31/24", "24/12/31", "31.12.24", "12-31-24",
         "1/31/2024, 1:30 PM", "31/12/2024 0:30 am", "31/12/2024 12:30AM", "31/01/2024 8:15:30.25",
         "1:30 PM", "12:00:05am", "13:30 PM", "2024-01-31T10:30+02:00", "2024-01-31 10:30 UTC",
         "2024-01-31 10:30:15.5 -0530", "2024-01-31T10:30+15", "0001-01-01T00:00+02",
         "2024-01-31T24:00Z", "(1,234.50)", "(5)", "1.234,50-", "5-", "-5-", "(-5)", "\u22125",
         "$(5.5)", "($5)", "(5 %)", "(5)%", "12,34,567", "1,23,45", "EUR 12.50", "-EUR 1.234,5",
         "7 EUR", "R$ 5", "kr 5", "₹12,34,567.5", "yes", "N", "Oui", "-",
         "1 000 %", "$1 000", "€1\u00a0000,5", "1 000 £", "1\u202f000 ¥", "1 000 000"]
# of all currencies a sign, a code, and one with a letter that is a mark to patterns
RULES = [rule for rule in BY_NAME if not rule.startswith("currency ")
         or rule.split(",")[0] in ("currency $", "currency EUR", "currency R$")]
pieces = st.lists(st.sampled_from(["0", "1", "9", "20", "2024", ".", ",", "-", "/", "e", "+", " ",
                                   "%", "$", "€", "T", ":", "Z", "12", "31", "000",
                                   "(", ")", "EUR", "Jan", "PM", "R"]), max_size=9)


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


@pytest.mark.parametrize("rule", RULES)
def test_the_rules_are_those_of_files(connection: Any, rule: str) -> None:
    found = by_duckdb(connection, rule, TEXTS)
    assert any(value is not None for value in found)
    assert_same(rule, TEXTS, found)


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(pieces.map("".join), min_size=1, max_size=20),
       st.sampled_from(RULES))
def test_generated_texts_are_read_alike(connection: Any, texts: list[str], rule: str) -> None:
    assert_same(rule, texts, by_duckdb(connection, rule, texts))


@given(st.lists(st.sampled_from(["", "0", "-0", "1.5", "12345.25", "-0.125", "9999999.99999999"])))
def test_simple_numbers_are_read_at_one_look_as_they_are_one_by_one(cells: list[str]) -> None:
    assert SIMPLE.fullmatch("\n".join(cells) + "\n")
    feature = {"name": "a", "dtype": "number"}
    quick = read_column(cells, feature, "number", {""})
    slow = read_column(cells, feature, "number", {"", "-999"})
    assert np.array_equal(quick, slow, equal_nan=True)


@pytest.mark.parametrize("rule", RULES)
def test_a_cell_is_written_as_it_is_read(rule: str) -> None:
    values: list[Any] = [0, -7, 123456, 0.5, -1234567.25, 1e-9, 5.05993e11]
    dtype = "integer" if rule == "integer" else "number"
    if rule.startswith("date"):
        early = "1999" if "yy" in rule else "0800"
        dtype, values = "date", ["2024-01-31T00:00:00", f"{early}-12-05T07:05:09"]
    elif BY_NAME[rule].dtype == "text":
        dtype, values = "text", ["a", "-1"] if rule == "text" else ["18:00:05", "00:30:00"]
    elif BY_NAME[rule].dtype == "boolean":
        dtype, values = "boolean", [True, False]
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


def test_words_that_are_missing_unless_a_column_is_text() -> None:
    reading = {"missing": ["", "NA"], "missing_unless_text": ["-"]}
    assert missing_words(reading, "text") == {"", "NA"}
    assert missing_words(reading, "number") == {"", "NA", "-"}
    assert missing_words({"missing": [""]}, "number") == {""}  # of an earlier version


@pytest.mark.parametrize(("cell", "dtype", "rule"), [
    ("wide", "number", "number"), ("007", "integer", "number"), ("", "number", "number"),
    ("yes", "boolean", "true or false"), ("31.02.2024", "date", "date, day.month.year")])
def test_a_cell_that_does_not_fit_is_named(cell: str, dtype: str, rule: str) -> None:
    with pytest.raises(RowError) as error:
        read_column(["NA", cell], {"name": "a", "dtype": dtype}, rule, {"NA"})
    assert (error.value.row, error.value.column, error.value.value) == (1, "a", cell)
