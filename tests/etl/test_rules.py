"""What a rule reads is what stands there: in any form it comes back, and nothing is lost."""

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.etl.choose_rules import choose_rules
from src.etl.convert import cells_sql, checked_value_sql
from src.etl.kinds import missing_words
from src.etl.rules import ACCOUNTING, BY_NAME, COMMAS, RIVALS, RULES, order_of, rivals_of

READING = missing_words()
NUMBERS = [rule.name for rule in RULES if rule.dtype == "number" and (
    not rule.name.startswith("currency ") or
    re.match("currency ([$€]|EUR|R[$]|kr)", rule.name))]
DATES = [rule.name for rule in RULES if rule.name.startswith("date, ")]
SEPARATORS = {"": ("", "."), "decimal comma": (".", ","), "thousands comma": (",", "."),
              "blank thousands": (" ", ",")}
MONTHS = ["Jan", "February", "mar", "APR", "May", "June", "Jul", "august", "Sept", "Oct", "nov",
          "December"]
quickly = settings(max_examples=20, deadline=None, derandomize=True,
                   suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def connection() -> Iterator[Any]:
    with duckdb.connect() as connection:
        yield connection


def read(connection: Any, texts: Sequence[str], **options: Any) -> tuple[str, list[Any]]:
    """The rule that is chosen for a column, and its values."""
    connection.execute("CREATE OR REPLACE TEMP TABLE cells AS SELECT unnest(?) AS a", [texts])
    rule = choose_rules(connection, "cells", ["a"], READING, **options)["a"]
    return rule, by_rule(connection, texts, rule)


def by_rule(connection: Any, texts: Sequence[str], rule: str) -> list[Any]:
    connection.execute("CREATE OR REPLACE TEMP TABLE cells AS SELECT unnest(?) AS a", [texts])
    return [value for value, in connection.execute(
        f"SELECT {checked_value_sql('a', rule)} FROM {cells_sql('cells', ['a'], READING)}"
    ).fetchall()]


def write_number(value: Decimal, rule: str) -> str:
    kind, *styles = rule.split(", ")
    thousands, point = SEPARATORS[next((each for each in styles if each in SEPARATORS), "")]
    text = f"{abs(value):,f}".translate(str.maketrans({",": thousands, ".": point}))
    kind, _, sign = kind.partition(" ")
    text = f"{text} %" if kind == "percent" else f"{sign} {text}" if sign else text
    below = f"({text})" if ACCOUNTING in rule else f"-{text}"
    return below if value < 0 else text


@quickly
@given(values=st.lists(st.decimals(-10**9, 10**9, places=2), min_size=1, max_size=9),
       rule=st.sampled_from(NUMBERS))
def test_numbers_come_back_however_they_are_written(connection: Any, values: list[Decimal],
                                                    rule: str) -> None:
    values = [*values, Decimal("7.25")]  # not all of them are below zero
    texts = [write_number(value, rule) for value in values]
    share = 100 if rule.startswith("percent") else 1
    expected = [float(value) / share for value in values]
    assert by_rule(connection, texts, rule) == expected
    chosen, found = read(connection, texts, decimal="comma" if COMMAS in rule else "point")
    assert found == expected, chosen


def write_date(moment: dt.datetime, rule: str, clock: str) -> str:
    style = rule.removeprefix("date, ")
    parts = {"year": f"{moment.year:04}", "month": str(moment.month), "day": f"{moment.day:02}",
             "Mon": MONTHS[moment.month - 1], "yy": f"{moment.year % 100:02}"}
    day = re.sub("year|month|day|Mon|yy", lambda word: parts[word[0]], style)
    time = moment.strftime(clock)
    return day + (time.replace(" 0", " ") if "%I" in clock else time)


@quickly
@given(moments=st.lists(st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2039, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0)), min_size=1, max_size=9),
    rule=st.sampled_from(DATES),
    clock=st.sampled_from(["", " %H:%M:%S", " %H:%M:%S.%f", ", %I:%M:%S %p", " %I:%M:%S%p"]))
def test_dates_come_back_however_they_are_written(
        connection: Any, moments: list[dt.datetime], rule: str, clock: str) -> None:
    if not clock:
        moments = [moment.replace(hour=0, minute=0, second=0) for moment in moments]
    texts = [write_date(moment, rule, clock) for moment in moments]
    assert by_rule(connection, texts, rule) == moments
    if rule == "date, day.month.yy":
        return  # may be times, too
    words = {"dates": order_of(rule)} if rivals_of(rule) else {}
    chosen, found = read(connection, texts, **words)
    assert found == moments, chosen


def digits_of(text: str) -> str:
    """The digits that count."""
    return re.sub("[^0-9]", "", text).lstrip("0").rstrip("0")


@quickly
@given(texts=st.lists(st.lists(st.sampled_from(
    ["0", "1", "9", "12", "345", "2024", ".", ",", "-", "\u2212", "+", " ", "%", "$", "EUR",
     "(", ")", "/", ":", "'"]), max_size=8).map("".join), min_size=5, max_size=40),
    rule=st.sampled_from(NUMBERS))
def test_no_digit_and_no_sign_is_lost(connection: Any, texts: list[str], rule: str) -> None:
    share = 100 if rule.startswith("percent") else 1
    for text, value in zip(texts, by_rule(connection, texts, rule)):
        if value is not None and len(digits_of(text)) < 15:
            assert digits_of(f"{Decimal(f'{value * share:.14g}'):f}") == digits_of(text), text
            below = re.search("[-\u2212(]", text) is not None
            assert (value < 0) == below or value == 0, text


@quickly
@given(texts=st.lists(st.lists(st.sampled_from(
    ["1", "2", "11", "31", "24", "2024", "1999", "-", "/", ".", " ", "Jan", "May", ",",
     ":30", "12:05"]), min_size=3, max_size=7).map("".join), min_size=5, max_size=40),
    rule=st.sampled_from(DATES))
def test_no_part_of_a_date_is_lost(connection: Any, texts: list[str], rule: str) -> None:
    for text, value in zip(texts, by_rule(connection, texts, rule)):
        if value is not None:
            stands = sorted(map(int, re.findall("[0-9]+", text)))
            year = value.year % 100 if "yy" in rule else value.year
            parts = [year, value.day, *([value.month] if "Mon" not in rule else []),
                     *([value.hour, value.minute] if ":" in text else []),
                     *([value.second] if text.count(":") == 2 else [])]
            assert stands == sorted(parts), text


def test_rivals_read_other_values_and_name_each_other(connection: Any) -> None:
    for group in RIVALS:
        text = {2: "01/02/2003", 3: "01/02/03"}[len(group)].replace("/", group[0][9]) \
            if group[0] != "time of day" else "10.12.24"
        values = [by_rule(connection, [text], rule)[0] for rule in group]
        assert None not in values and len(set(map(str, values))) == len(group), group
        assert all(set(rivals_of(rule)) == {*group} - {rule} for rule in group
                   if not BY_NAME[rule].needs)
