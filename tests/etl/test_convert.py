"""Text becomes values only where nothing is lost; equally good readings are put to the user."""

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlmonkey.errors import UserError
from src.etl.choose_rules import choose_rules
from src.etl.convert import (cells_sql, checked_value_sql, dtype_of_type, parquet_value_sql,
                             plain_sql)
from src.etl.kinds import MISSING_UNLESS_TEXT, MISSING_WORDS, missing_words
from src.etl.rules import BY_NAME

READING = missing_words()


def convert(connection: Any, texts: Sequence[str | None], **options: Any) -> tuple[str, list[Any]]:
    """The rule of one column of texts, and its values."""
    import pandas as pd
    connection.register("texts", pd.DataFrame({"n": range(len(texts)), "a": list(texts)}))
    connection.execute("CREATE OR REPLACE TEMP TABLE cells AS "
                       "SELECT CAST(a AS VARCHAR) AS a FROM texts ORDER BY n")
    rule = choose_rules(connection, "cells", ["a"], READING, **options)["a"]
    clean = cells_sql("cells", ["a"], READING)
    return rule, [value for value, in connection.execute(
        f"SELECT {checked_value_sql('a', rule)} FROM {clean}").fetchall()]


@pytest.mark.parametrize(("texts", "rule", "values"), [
    (["1", "-2", "+3", "0"], "integer", [1, -2, 3, 0]),
    (["9223372036854775807"], "integer", [2**63 - 1]),
    (["9223372036854775808"], "text", None),
    (["12345678901234567890123"], "text", None),
    (["007", "1"], "text", None),
    (["01.5", "1"], "text", None),
    (["1", "2.5", ".5", "5.", "-1e-3", "1E5"], "number", [1, 2.5, .5, 5, -.001, 1e5]),
    (["0.12345678901234567"], "number", [0.12345678901234567]),
    (["1.123456789012345678"], "text", None),
    (["1e400", "1"], "text", None),
    (["1e-400", "1"], "text", None),
    (["0.000", "0e5", "-0.0"], "number", [0, 0, 0]),
    (["1_000", "1"], "text", None),
    (["inf", "1"], "text", None),
    (["0x1F", "1"], "text", None),
    (["1,5", "-22,25"], "number, decimal comma", [1.5, -22.25]),
    (["1.234,5", "12"], "number, decimal comma", [1234.5, 12]),
    (["1,234.5", "12"], "number, thousands comma", [1234.5, 12]),
    (["1,234,567", "1"], "number, thousands comma", [1234567, 1]),
    (["12,34,567", "1,00,000.5"], "number, thousands comma", [1234567, 100000.5]),
    (["12,345,67"], "text", None),
    (["(1,234.50)", "7"], "number, thousands comma, accounting", [-1234.5, 7]),
    (["1.234,50-", "7"], "number, decimal comma, accounting", [-1234.5, 7]),
    (["(7)", "(8)"], "text", None),
    (["3-", "2", "1-"], "text", None),
    (["\u22125", "7"], "number, accounting", [-5, 7]),
    (["(-5)", "7"], "text", None),
    (["$(5.25)", "($1)", "-$2", "$3"], "currency $, accounting", [-5.25, -1, -2, 3]),
    (["(5 %)", "12%"], "percent, accounting", [-.05, .12]),
    (["EUR 12.50", "-EUR 7", "3 EUR"], "currency EUR", [12.5, -7, 3]),
    (["R$ 1.234,50", "R$5"], "currency R$, decimal comma", [1234.5, 5]),
    (["EUR 5", "USD 5"], "text", None),
    (["12 kg", "7 kg"], "text", None),
    (["1 234,5", "12", "1\u00a0234\u00a0567"], "number, blank thousands", [1234.5, 12, 1234567]),
    (["1'234.50", "0.5"], "number, blank thousands", [1234.5, .5]),
    (["12 34"], "text", None),
    (["18.00.00", "9.30.05"], "time of day", ["18:00:00", "09:30:05"]),
    (["18.00.00", "24.00.00"], "text", None),
    (["50%", "12.5 %"], "percent", [.5, .125]),
    (["12,5 %", "7%"], "percent, decimal comma", [.125, .07]),
    (["50%", "12"], "text", None),
    (["$5", "-$1.50", "$ 7"], "currency $", [5, -1.5, 7]),
    (["1.234,50 €", "5 €"], "currency €, decimal comma", [1234.5, 5]),
    (["£1,234.50", "£5"], "currency £, thousands comma", [1234.5, 5]),
    (["$5", "€5"], "text", None),
    (["$007"], "text", None),
    (["true", "FALSE", "True"], "true or false", [True, False, True]),
    (["yes", "no"], "text", None),
    (["2024-02-29", "2024-1-5"], "date, year-month-day",
     [dt.datetime(2024, 2, 29), dt.datetime(2024, 1, 5)]),
    (["2023-02-29"], "text", None),
    (["2024/02/29"], "date, year/month/day", [dt.datetime(2024, 2, 29)]),
    (["2010/10/19 05:00", "2010/10/19", "2010/1/2 9:07:30"], "date, year/month/day",
     [dt.datetime(2010, 10, 19, 5), dt.datetime(2010, 10, 19), dt.datetime(2010, 1, 2, 9, 7, 30)]),
    (["31.12.2024 23:59"], "date, day.month.year", [dt.datetime(2024, 12, 31, 23, 59)]),
    (["31.12.2024 24:01"], "text", None),
    (["31.12.2024", "1.2.2024"], "date, day.month.year",
     [dt.datetime(2024, 12, 31), dt.datetime(2024, 2, 1)]),
    (["31/12/2024", "01/02/2024"], "date, day/month/year",
     [dt.datetime(2024, 12, 31), dt.datetime(2024, 2, 1)]),
    (["12-31-2024", "01-02-2024"], "date, month-day-year",
     [dt.datetime(2024, 12, 31), dt.datetime(2024, 1, 2)]),
    (["2024-01-01 10:30", "2024-01-01T10:30:59.123456Z", "2024-01-02"], "date and time",
     [dt.datetime(2024, 1, 1, 10, 30), dt.datetime(2024, 1, 1, 10, 30, 59, 123456),
      dt.datetime(2024, 1, 2)]),
    (["2024-01-01T10:30:00+02:00", "2024-01-01 10:30Z", "2024-01-01 10:30:00.5 -0530",
      "2024-01-01 10:30 UTC"], "date and time, UTC",
     [dt.datetime(2024, 1, 1, 8, 30), dt.datetime(2024, 1, 1, 10, 30),
      dt.datetime(2024, 1, 1, 16, 0, 0, 500000), dt.datetime(2024, 1, 1, 10, 30)]),
    (["2024-01-01T10:30:00+02:00", "2024-01-01"], "text", None),
    (["2024-01-01T24:00"], "text", None),
    (["3 Jan 2024", "14-FEBRUARY-2024", "05sep1999 18:30"], "date, day Mon year",
     [dt.datetime(2024, 1, 3), dt.datetime(2024, 2, 14), dt.datetime(1999, 9, 5, 18, 30)]),
    (["Jan 3, 2024", "Sept. 4 2024", "May 5,2024, 1:30:05 PM"], "date, Mon day year",
     [dt.datetime(2024, 1, 3), dt.datetime(2024, 9, 4), dt.datetime(2024, 5, 5, 13, 30, 5)]),
    (["2024-Jan-03"], "date, year Mon day", [dt.datetime(2024, 1, 3)]),
    (["03-Jan-24", "3 Feb 99"], "date, day Mon yy",
     [dt.datetime(2024, 1, 3), dt.datetime(1999, 2, 3)]),
    (["03-Jan-45"], "text", None),
    (["3 Janvier 2024"], "text", None),
    (["1703419200", "1703419201"], "integer", [1703419200, 1703419201]),
    (["12/31/24", "01/02/24"], "date, month/day/yy",
     [dt.datetime(2024, 12, 31), dt.datetime(2024, 1, 2)]),
    (["31.12.24", "01.02.24"], "date, day.month.yy",
     [dt.datetime(2024, 12, 31), dt.datetime(2024, 2, 1)]),
    (["1/31/2024, 1:30:00 PM", "1/31/2024 12:05 am", "01/31/2024 18:00:00.25"],
     "date, month/day/year",
     [dt.datetime(2024, 1, 31, 13, 30), dt.datetime(2024, 1, 31, 0, 5),
      dt.datetime(2024, 1, 31, 18, 0, 0, 250000)]),
    (["1:30 PM", "12:00:05am", "12:30 pm"], "time of day, am or pm",
     ["13:30:00", "00:00:05", "12:30:00"]),
    (["13:30 PM"], "text", None),
    (["-", "1", ".", "Unknown", "2", "none"], "integer", [None, 1, None, None, 2, None]),
    (["-", "5%", "missing"], "percent", [None, .05, None]),
    (["-", "a", "unknown"], "text", None),
    (["-", "--"], "text", None),
    ([" 1 ", "\t2", "3\u00a0", "NA", "?", "", None, " n/a "], "integer",
     [1, 2, 3, None, None, None, None, None]),
    (["NaN", "1.5"], "number", [None, 1.5]),
    (["", "NA", None], "text", [None, None, None]),
    ([" two words ", "it's", "NA"], "text", ["two words", "it's", None]),
])
def test_rules(connection: Any, texts: list[str], rule: str, values: list[Any] | None) -> None:
    assert convert(connection, texts) == (rule, texts if values is None else values)


@settings(max_examples=30, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_floats_come_back_to_the_last_bit(connection: Any, numbers: list[float]) -> None:
    rule, values = convert(connection, [repr(number) for number in numbers])
    assert rule == "number"
    assert values == numbers
    assert [math.copysign(1, value) for value in values] == \
        [math.copysign(1, number) for number in numbers]


@settings(max_examples=30, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(st.integers(-2**70, 2**70), min_size=1, max_size=20))
def test_integers_come_back_or_stay_text(connection: Any, numbers: list[int]) -> None:
    texts = [str(number) for number in numbers]
    rule, values = convert(connection, texts)
    if rule == "integer":
        assert values == numbers
    elif rule == "number":  # no more digits than a float64 holds
        assert [int(value) for value in values] == numbers
    else:
        assert values == texts
    assert (rule == "integer") == all(-2**63 <= number < 2**63 for number in numbers)


@settings(max_examples=30, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moments=st.lists(st.datetimes(dt.datetime(1000, 1, 1)), min_size=1, max_size=20),
       mark=st.sampled_from(" T"))
def test_moments_come_back(connection: Any, moments: list[dt.datetime], mark: str) -> None:
    assert convert(connection, [moment.isoformat(mark) for moment in moments])[1] == moments
    days = [moment.replace(hour=0, minute=0, second=0, microsecond=0) for moment in moments]
    assert convert(connection, [f"{day:%d.%m.}{day.year:04}" for day in days])[1] == days


@settings(max_examples=50, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text("0123456789+-.,eE%$/: TZna", min_size=1, max_size=12).map(str.strip),
                      min_size=1, max_size=4))
def test_any_text_is_converted_without_loss_or_kept(connection: Any, texts: list[str]) -> None:
    rule, values = convert(connection, texts, decimal="comma", dates="day-first")
    for text, value in zip(texts, values):
        if text in MISSING_WORDS or rule != "text" and text in MISSING_UNLESS_TEXT:
            assert value is None
        elif rule == "text":
            assert value == text
        elif rule in ("integer", "number"):
            assert value == float(text)
        else:
            assert value is not None


@pytest.mark.parametrize(("texts", "option", "readings"), [
    (["1,234", "5,678"], "decimal",
     {"comma": ("number, decimal comma", [1.234, 5.678]),
      "point": ("number, thousands comma", [1234, 5678])}),
    (["1,234 €"], "decimal", {"comma": ("currency €, decimal comma", [1.234]),
                              "point": ("currency €, thousands comma", [1234])}),
    (["01/02/03"], "dates",
     {"day-first": ("date, day/month/yy", [dt.datetime(2003, 2, 1)]),
      "month-first": ("date, month/day/yy", [dt.datetime(2003, 1, 2)]),
      "year-first": ("date, yy/month/day", [dt.datetime(2001, 2, 3)])}),
    (["31/12/24"], "dates",
     {"day-first": ("date, day/month/yy", [dt.datetime(2024, 12, 31)]),
      "year-first": ("date, yy/month/day", [dt.datetime(2031, 12, 24)])}),
    (["(1,234)", "5,678"], "decimal",
     {"comma": ("number, decimal comma, accounting", [-1.234, 5.678]),
      "point": ("number, thousands comma, accounting", [-1234, 5678])}),
    (["01/02/2024"], "dates",
     {"day-first": ("date, day/month/year", [dt.datetime(2024, 2, 1)]),
      "month-first": ("date, month/day/year", [dt.datetime(2024, 1, 2)])}),
    (["01-02-2024"], "dates",
     {"day-first": ("date, day-month-year", [dt.datetime(2024, 2, 1)]),
      "month-first": ("date, month-day-year", [dt.datetime(2024, 1, 2)])}),
])
def test_equally_good_readings_are_put_to_the_user(connection: Any, texts: list[str], option: str,
                                                   readings: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"'a' reads equally well as .*--{option} "):
        convert(connection, texts)
    for word, expected in readings.items():
        assert convert(connection, texts, **{option: word}) == expected


def test_times_and_short_dates_are_put_to_the_user(connection: Any) -> None:
    for rule, value in {"time of day": "10:12:24",
                        "date, day.month.yy": dt.datetime(2024, 12, 10)}.items():
        with pytest.raises(UserError, match=f"--column a={rule}"):
            convert(connection, ["10.12.24"])
        assert convert(connection, ["10.12.24"], said={"a": rule}) == (rule, [value])


def test_what_is_said_of_a_column_counts(connection: Any) -> None:
    assert convert(connection, ["1", "2"], said={"a": "text"}) == ("text", ["1", "2"])
    assert convert(connection, ["Yes", "n", "-", "ja"], said={"a": "yes or no"}) == \
        ("yes or no", [True, False, None, True])
    assert convert(connection, [""], said={"a": "number"}) == ("number", [None])
    with pytest.raises(UserError, match=r"--column a=integer: 2 value\(s\) .* such as 'x'"):
        convert(connection, ["1", "x", "y"], said={"a": "integer"})
    with pytest.raises(UserError) as error:
        convert(connection, ["1", "x"], said={"a": "integer"}, private=["a"])
    assert "'x'" not in str(error.value)


def test_a_semicolon_between_cells_suggests_decimal_commas(connection: Any) -> None:
    connection.execute("CREATE OR REPLACE TEMP TABLE pairs AS SELECT * FROM (VALUES "
                       "('1.234', '5'), ('9.112', '6')) t(a, b)")
    reading = READING | {"delimiter": ";"}
    for trust in (True, False):
        with pytest.raises(UserError, match="'a' reads equally well .* as ; between cells sugg"):
            choose_rules(connection, "pairs", ["a", "b"], reading, trust=trust)
        assert choose_rules(connection, "pairs", ["a", "b"], reading, decimal="point",
                            trust=trust) == {"a": "number", "b": "integer"}
    connection.execute("INSERT INTO pairs VALUES ('0.5', '7')")
    assert choose_rules(connection, "pairs", ["a"], reading)["a"] == "number"


def test_a_point_is_a_decimal_point_unless_somebody_says_otherwise(connection: Any) -> None:
    assert convert(connection, ["1.234", "5.678"]) == ("number", [1.234, 5.678])
    assert convert(connection, ["1.234"], decimal="comma") == ("number, decimal comma", [1234])
    assert convert(connection, ["12", "7"], decimal="comma") == ("integer", [12, 7])


def test_thousands_are_told_by_their_currency_or_by_other_columns(connection: Any) -> None:
    assert convert(connection, ["£1,234", "£20,000"]) == (
        "currency £, thousands comma", [1234, 20000])
    connection.execute("CREATE OR REPLACE TEMP TABLE two AS SELECT * FROM (VALUES "
                       "('1,234', '0.5', '1,5'), ('2,250', '0.25', '2,25')) t(a, b, c)")
    assert choose_rules(connection, "two", ["a", "b"], READING)["a"] == "number, thousands comma"
    assert choose_rules(connection, "two", ["a", "c"], READING)["a"] == "number, decimal comma"
    with pytest.raises(UserError, match="'a' reads equally well"):
        choose_rules(connection, "two", ["a", "b", "c"], READING)


def test_a_column_with_decimal_commas_makes_thousands_of_another_likely(connection: Any) -> None:
    connection.execute("CREATE OR REPLACE TEMP TABLE two AS SELECT * FROM (VALUES "
                       "('1,5', '1.234', '5%', '7'), ('2,25', '999', '6%', '8')) t(a, b, c, d)")
    names = ["a", "b", "c", "d"]
    with pytest.raises(UserError, match="'b' reads equally .*--decimal comma or --decimal point"):
        choose_rules(connection, "two", names, READING)
    comma = choose_rules(connection, "two", names, READING, decimal="comma")
    assert (comma["a"], comma["b"]) == ("number, decimal comma", "number, decimal comma")
    assert choose_rules(connection, "two", names, READING, decimal="point")["b"] == "number"
    assert choose_rules(connection, "two", ["a", "c", "d"], READING)["c"] == "percent"


@pytest.mark.parametrize(("last", "rule"), [
    ("1", "integer"), ("1.5", "number"), ("1,5", "number, decimal comma"), ("x", "text"),
    ("", "integer"),
])
def test_the_whole_column_decides_not_its_beginning(connection: Any, last: str, rule: str) -> None:
    count = 250_000
    connection.execute("CREATE OR REPLACE TEMP TABLE long AS SELECT CASE WHEN range < "
                       f"{count} THEN '7' ELSE ? END AS a, CASE WHEN range < {count} THEN NULL "
                       f"ELSE ? END AS b FROM range({count + 1})", [last, last])
    rules = choose_rules(connection, "long", ["a", "b"], READING)
    assert rules == {"a": rule, "b": rule if last else "text"}


def test_a_thousand_columns_take_seconds(connection: Any) -> None:
    import time
    kinds = ["'1'", "'1.5'", "'x'", "'2024-01-01'", "NULL"]
    cells = ", ".join(f"{kinds[n % 5]} AS c{n}" for n in range(1000))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE wide AS SELECT {cells} FROM range(200)")
    started = time.perf_counter()
    rules = choose_rules(connection, "wide", [f"c{n}" for n in range(1000)], READING)
    assert time.perf_counter() - started < 60  # planned at once, it took minutes
    assert [rules[f"c{n}"] for n in range(5)] == \
        ["integer", "number", "text", "date, year-month-day", "text"]


def test_what_does_not_fit_the_rule_is_no_value(connection: Any) -> None:
    for rule, text in (("integer", "1.5"), ("number", "007"), ("percent", "5"),
                       ("date, day/month/year", "2/13/2024"), ("true or false", "yes")):
        sql = f"SELECT {checked_value_sql('a', rule)} FROM (SELECT '{text}' AS a)"
        assert connection.execute(sql).fetchone() == (None,)


@pytest.mark.parametrize(("sql", "dtype", "value"), [
    ("1.5", "integer", 1.5), ("'x'", "number", None), ("0.5", "boolean", None),
    ("1", "boolean", True), ("true", "number", 1.0), ("DATE '2024-01-01'", "number", None),
    ("'2024-01-01'", "date", dt.datetime(2024, 1, 1)), ("[1, 2]", "text", "[1, 2]"),
    ("CAST(NULL AS INTEGER)", "text", None),
])
def test_a_typed_cell_is_never_silently_another_value(connection: Any, sql: str, dtype: str,
                                                      value: Any) -> None:
    query = f"SELECT {parquet_value_sql('a', dtype)} FROM (SELECT {sql} AS a)"
    assert connection.execute(query).fetchone() == (value,)


@pytest.mark.parametrize(("sql", "dtype", "plain"), [
    ("1::TINYINT", "integer", 1), ("1::UBIGINT", "number", 1),
    ("1.5::DECIMAL(10,2)", "number", 1.5),
    ("true", "boolean", True), ("DATE '2024-01-01'", "date", dt.date(2024, 1, 1)),
    ("TIMESTAMPTZ '2024-01-01 10:00:00+02'", "date", dt.datetime(2024, 1, 1, 8)),
    ("TIME '10:00:00'", "text", "10:00:00"), ("[1, 2]", "text", "[1, 2]"),
    ("[DATE '2024-01-01']", "text", "[2024-01-01]"), ("[1.5::DECIMAL(4,2)]", "text", "[1.50]"),
    ("{'a': 1}", "text", "{'a': 1}"), ("'x'::BLOB", "text", "x"),
    ("'red'::ENUM('red', 'blue')", "text", "red"), ("INTERVAL 1 DAY", "text", "1 day"),
    ("uuid '6ccd780c-baba-1026-9564-5b8c656024db'", "text", "6ccd780c-baba-1026-9564-5b8c656024db"),
])
def test_types_of_a_parquet_file(connection: Any, sql: str, dtype: str, plain: Any) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    kind = str(connection.sql(f"SELECT {sql} AS a").types[0])
    assert dtype_of_type(kind) == dtype
    value = connection.execute(f"SELECT {plain_sql('a', kind)} FROM (SELECT {sql} AS a)"
                               ).fetchone()[0]
    assert value == plain or float(value) == plain


def test_every_rule_has_a_dtype_of_the_schema() -> None:
    assert {rule.dtype for rule in BY_NAME.values()} == \
        {"integer", "number", "boolean", "date", "text"}
