"""Text becomes numbers, dates and truth values by a stated rule, or stays the text it is.

A rule holds for a column when it fits every value that is there; the first that does is taken and
recorded. Nothing is lost: leading zeros, integers beyond 2^63 and more digits than a float64 holds
stay text. Two rules that fit equally well and read different values are put to the user.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlmonkey.errors import UserError
from src.etl.account import identifier, quoted
from src.etl.detect import Reading

BATCH = 50  # columns examined by one query: a query of 14,000 expressions takes minutes to plan
DIGITS = 17  # significant digits that survive a float64
PLAIN = r"([0-9]+)?([.][0-9]+|[.])?([eE][+-]?[0-9]+)?"
COMMA = r"([0-9]{1,3}([.][0-9]{3})+|[0-9]+)(,[0-9]+)?"
THOUSANDS = r"[0-9]{1,3}(,[0-9]{3})+([.][0-9]+)?|[0-9]+([.][0-9]+)?"
CURRENCIES = "$€£¥"
TEXT = "text"
TYPES = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "TIMESTAMP",
         "text": "VARCHAR"}


@dataclass(frozen=True)
class Rule:
    """A way to read text: SQL for whether it fits and for the value, over `{t}`, the text."""

    name: str
    dtype: str
    fits: str
    value: str


def _number(name: str, pattern: str, point: str, bare: str = "{t}", marked: str = "true",
            share: str = "") -> Rule:
    """A rule for numbers: `bare` takes marks off the text, `point` writes it as SQL does."""
    pattern = pattern.replace("{", "{{").replace("}", "}}")
    written = point.format(t=bare)
    digits = (f"length(regexp_replace(ltrim(regexp_replace({written}, '[eE].*|[^0-9eE]', '', 'g'),"
              f" '0'), '0+$', '')) <= {DIGITS}")
    no_zeros = f"NOT regexp_matches({written}, '^[+-]?0[0-9]')"
    fits = (f"{marked} AND regexp_full_match({bare}, '[+-]?({pattern})') AND {digits} AND {no_zeros} "
            f"AND isfinite(TRY_CAST({written} AS DOUBLE))")
    return Rule(name, "number", fits, f"TRY_CAST({written} AS DOUBLE){share}")


def _day(name: str, pattern: str, form: str) -> Rule:
    return Rule(name, "date", f"regexp_full_match({{t}}, '{pattern}') "
                f"AND try_strptime({{t}}, '{form}') IS NOT NULL", f"try_strptime({{t}}, '{form}')")


STYLES = (("", PLAIN, "{t}"),
          (", decimal comma", COMMA, "replace(replace({t}, '.', ''), ',', '.')"),
          (", thousands comma", THOUSANDS, "replace({t}, ',', '')"))
UNPERCENT = "regexp_replace({t}, ' ?%$', '')"


def _currency(sign: str) -> dict[str, str]:
    """One sign for the whole column: two currencies in it are no number."""
    return {"bare": f"regexp_replace(regexp_replace({{t}}, '^([+-]?) ?[{sign}] ?', '\\1'), "
                    f"' ?[{sign}]$', '')", "marked": f"contains({{t}}, '{sign}')"}


RULES = (
    Rule("integer", "integer", "regexp_full_match({t}, '[+-]?(0|[1-9][0-9]{{0,18}})') "
         "AND TRY_CAST({t} AS BIGINT) IS NOT NULL", "TRY_CAST({t} AS BIGINT)"),
    *(_number("number" + style, pattern, point) for style, pattern, point in STYLES),
    *(_number("percent" + style, pattern, point, UNPERCENT, "suffix({t}, '%')", " / 100")
      for style, pattern, point in STYLES),
    *(_number(f"currency {sign}{style}", pattern, point, **_currency(sign))
      for sign in CURRENCIES for style, pattern, point in STYLES),
    Rule("true or false", "boolean", "lower({t}) IN ('true', 'false')", "lower({t}) = 'true'"),
    _day("date, year-month-day", r"[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}", "%Y-%m-%d"),
    _day("date, year/month/day", r"[0-9]{{4}}/[0-9]{{1,2}}/[0-9]{{1,2}}", "%Y/%m/%d"),
    _day("date, day.month.year", r"[0-9]{{1,2}}[.][0-9]{{1,2}}[.][0-9]{{4}}", "%d.%m.%Y"),
    _day("date, day/month/year", r"[0-9]{{1,2}}/[0-9]{{1,2}}/[0-9]{{4}}", "%d/%m/%Y"),
    _day("date, month/day/year", r"[0-9]{{1,2}}/[0-9]{{1,2}}/[0-9]{{4}}", "%m/%d/%Y"),
    Rule("date and time", "date",
         r"regexp_full_match({t}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T][0-9]{{2}}:[0-9]{{2}}"
         r"(:[0-9]{{2}}([.][0-9]{{1,6}})?)?Z?') AND TRY_CAST({t} AS TIMESTAMP) IS NOT NULL",
         "TRY_CAST({t} AS TIMESTAMP)"),
)
BY_NAME = {rule.name: rule for rule in RULES} | {TEXT: Rule(TEXT, "text", "true", "{t}")}
# what a column of a Parquet file, or a computed column, is read with when it arrives as text
BY_DTYPE = {"integer": "number", "number": "number", "boolean": "true or false",
            "date": "date and time", "text": TEXT}
DECIMAL_WORDS = {"comma": ", decimal comma", "point": ", thousands comma"}
DATE_WORDS = {"day-first": "date, day/month/year", "month-first": "date, month/day/year"}


def cell_sql(name: str, reading: Reading) -> str:
    """SQL for one cell's text: blanks around it taken off, missing words NULL."""
    words = ", ".join(map(quoted, reading["missing"]))
    trimmed = f"trim({identifier(name)}, ' \t\u00a0')"
    return f"CASE WHEN {trimmed} IN ({words}) THEN NULL ELSE {trimmed} END"


def choose_rules(connection: Any, table: str, names: Sequence[str], reading: Reading,
                 decimal: str = "auto", dates: str = "auto") -> dict[str, str]:
    """The rule of each text column, by counting over all of its values.

    Args:
        table: an SQL table of text columns.
        decimal: `comma` or `point` where a column reads equally well with both.
        dates: `day-first` or `month-first`, likewise.

    Raises:
        UserError: where two readings fit equally well and nobody said which.
    """
    chosen = {}
    for start in range(0, len(names), BATCH):
        some = names[start:start + BATCH]
        counts = [f"count({cell_sql(name, reading)})" for name in some]
        fits = [f"count(*) FILTER ({rule.fits.format(t=f'c{number}')})"
                for number, _ in enumerate(some) for rule in RULES]
        cells = ", ".join(f"{cell_sql(name, reading)} AS c{number}"
                          for number, name in enumerate(some))
        row = connection.execute(f"SELECT {', '.join(counts)} FROM {table}").fetchone()
        fitting = connection.execute(
            f"SELECT {', '.join(fits)} FROM (SELECT {cells} FROM {table})").fetchone()
        for number, name in enumerate(some):
            mine = fitting[number * len(RULES):(number + 1) * len(RULES)]
            names_fitting = [rule.name for rule, count in zip(RULES, mine) if count == row[number]]
            chosen[name] = _decide(name, names_fitting if row[number] else [], decimal, dates)
    return chosen


def value_sql(name: str, rule: str, reading: Reading) -> str:
    """SQL for one converted cell; NULL where it is missing or the rule does not fit."""
    text = f"({cell_sql(name, reading)})"
    chosen = BY_NAME[rule]
    if rule == TEXT:
        return text
    return f"CASE WHEN {chosen.fits.format(t=text)} THEN {chosen.value.format(t=text)} END"


def parquet_value_sql(name: str, dtype: str) -> str:
    """SQL for one cell of a typed file as the dtype that a model knows; NULL where it can't be."""
    return f"TRY_CAST({identifier(name)} AS {TYPES[dtype]})"


def dtype_of_type(sql_type: str) -> str:
    """The schema's word for a DuckDB type."""
    head = sql_type.split("(")[0]
    if head in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"):
        return "integer"
    if head in ("FLOAT", "DOUBLE", "DECIMAL", "UBIGINT", "HUGEINT"):
        return "number"
    if head == "BOOLEAN":
        return "boolean"
    return "date" if head.startswith(("DATE", "TIMESTAMP")) else "text"


def _decide(name: str, fitting: Sequence[str], decimal: str, dates: str) -> str:
    if not fitting:
        return TEXT
    first = fitting[0]
    kind = first.removesuffix(DECIMAL_WORDS["comma"])
    readings = ({word: kind + tail for word, tail in DECIMAL_WORDS.items()}
                if kind != first else DATE_WORDS)
    said, option = (decimal, "--decimal") if kind != first else (dates, "--dates")
    if not set(readings.values()) <= set(fitting):
        return first
    if said == "auto":
        raise UserError(f"column {name!r} reads equally well as {' and as '.join(readings.values())}"
                        f"; say which: {option} {' or '.join(readings)}")
    return readings[said]
