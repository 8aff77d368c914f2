"""Text becomes numbers, dates and truth values by a stated rule, or stays the text it is: the SQL.

Nothing is lost: leading zeros, integers beyond 2^63 and more digits than a float64 holds stay text.
"""

import re
from collections.abc import Mapping, Sequence

from src.etl.detect import Reading
from src.etl.rules import BY_NAME, TEXT
from src.etl.sql import identifier, quoted

WIDE = 200  # columns: with more, to plan what is quick for a cell costs more than it saves
FEW = 50
BLANKS = " \t\u00a0"
# what one look reads of a cell {t}: its value {v}, and whether it is written as most are,
# without blanks, words for missing and all that a rule allows
USUAL = {
    "integer": ("TRY_CAST({t} AS BIGINT)", "CAST({v} AS VARCHAR) = {t}"),
    "number": ("TRY_CAST({t} AS DOUBLE)",
               "strlen({t}) <= 17 AND regexp_full_match({t}, '-?(0|[1-9][0-9]*)([.][0-9]+)?')"),
    "true or false": ("{t} = 'true'", "{t} IN ('true', 'false')"),
} | dict.fromkeys(("date, year-month-day", "date and time"), (
    "TRY_CAST({t} AS TIMESTAMP)", "CASE strlen({t}) WHEN 19 THEN CAST({v} AS VARCHAR) = {t} "
    "WHEN 10 THEN CAST(CAST({v} AS DATE) AS VARCHAR) = {t} END"))
# the same for cells at whose end no blank is: a cast would pass over it. A number that begins as
# one does is one, if its digits are together, and its exponent is not beyond all measure
TIDY_NUMBER = ("CASE WHEN {v} > 1e-300 AND {v} < 1e300 THEN "
               "CASE WHEN {t} >= '1' THEN {t} < ':' ELSE {t} >= '0.' AND {t} < '0/' END "
               "WHEN {v} < -1e-300 AND {v} > -1e300 THEN "
               "{t} >= '-1' AND {t} < '-:' OR {t} >= '-0.' AND {t} < '-0/' "
               "ELSE {t} = '0' END AND strlen({t}) <= 17 AND NOT contains({t}, '_')")
TYPES = {"integer": "DOUBLE", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "TIMESTAMP",
         "text": "VARCHAR"}


def cells_sql(table: str, names: Sequence[str], reading: Reading,
              done: Mapping[str, str] | None = None, tidy: bool = False) -> str:
    """SQL for a table whose cells have no blanks around them and are NULL for missing words.

    Step by step in subqueries: nested in one expression, 1,000 columns take a minute to plan.

    Args:
        done: name -> column that is true where a cell has been read already; it is NULL then.
        tidy: no cell ends with a blank, and none holds one beyond ASCII.
    """
    words = "|".join(map(_pattern, reading["missing"]))
    longest = max(len(word.encode()) for word in reading["missing"])
    trimmed, known = [], []
    for name, cell in zip(names, map(identifier, names)):
        waits = f"WHEN {done[name]} THEN NULL " if done and name in done else ""
        # most cells have no blanks, and trimming costs more than the look at both ends
        ends = f"{cell} < '!'" if tidy else (
            f"{cell} < '!' OR {cell}[-1] < '!' OR contains({cell}, '\u00a0')"
            if len(names) <= WIDE else f"regexp_matches({cell}, '^[{BLANKS}]|[{BLANKS}]$')")
        trimmed.append(f"CASE {waits}WHEN {ends} THEN trim({cell}, '{BLANKS}') ELSE {cell} END "
                       f"AS {cell}")
        # one by one they are compared quicker than a pattern is, and planned slower
        missing = (" OR ".join(f"{cell} = {quoted(word)}" for word in reading["missing"])
                   if len(names) <= FEW else f"regexp_full_match({cell}, '{words}')")
        known.append(f"CASE {waits}WHEN strlen({cell}) > {longest} THEN {cell} "
                     f"WHEN {missing} THEN NULL ELSE {cell} END AS {cell}")
    return (f"(SELECT * REPLACE ({', '.join(known)}) FROM "
            f"(SELECT * REPLACE ({', '.join(trimmed)}) FROM {table}))")


def value_sql(name: str, rule: str) -> str:
    """SQL for one clean cell that the rule fits, converted."""
    return BY_NAME[rule].value_sql(identifier(name))


def checked_value_sql(name: str, rule: str, otherwise: str = "NULL") -> str:
    """SQL for one clean cell, converted; NULL where it is missing, or the rule does not fit.

    Args:
        otherwise: SQL for where the rule does not fit.
    """
    if rule == TEXT:
        return identifier(name)
    cell = identifier(name)
    return (f"CASE WHEN {cell} IS NULL THEN NULL WHEN {BY_NAME[rule].fits_sql(cell)} "
            f"THEN {value_sql(name, rule)} ELSE {otherwise} END")


def unless_missing_sql(cell: str, reading: Reading, otherwise: str) -> str:
    """SQL for a clean cell that its column's rule does not fit: NULL for a word for no value."""
    words = "|".join(map(_pattern, reading.get("missing_unless_text", [])))
    return f"CASE WHEN NOT regexp_full_match({cell}, '{words}') THEN {otherwise} END"


def usual_sql(name: str, rule: str, place: str, tidy: bool) -> tuple[str, str] | None:
    """SQL for the value of a cell as it stands, and for whether it is written as most are.

    Args:
        place: an SQL name for the value, in the second one.
        tidy: no cell ends with a blank.

    None where the rule has no such form.
    """
    if rule not in USUAL:
        return None
    value, test = USUAL[rule]
    if tidy and rule == "number":
        test = TIDY_NUMBER
    return value.format(t=identifier(name)), test.format(t=identifier(name), v=place)


def parquet_value_sql(name: str, dtype: str) -> str:
    """SQL for one cell of a typed file as the dtype that a model knows; NULL where it can't be."""
    value = identifier(name)
    if dtype == "boolean":  # 0.5 is no truth value, though SQL would say so
        value = f"CAST({value} AS VARCHAR)"
    return f"TRY_CAST({value} AS {TYPES[dtype]})"


def plain_sql(name: str, sql_type: str) -> str:
    """SQL for a column as a type that models know: moments in UTC, all that is odd as text."""
    dtype, column = dtype_of_type(sql_type), identifier(name)
    if dtype == "date":
        return column if "ZONE" not in sql_type else f"CAST({column} AS TIMESTAMP)"
    return column if dtype != "text" or sql_type == "VARCHAR" else f"CAST({column} AS VARCHAR)"


def dtype_of_type(sql_type: str) -> str:
    """The schema's word for a DuckDB type."""
    head = re.sub(r"[(][0-9, ]*[)]$", "", sql_type)
    if head in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"):
        return "integer"
    if head in ("FLOAT", "DOUBLE", "DECIMAL", "UBIGINT", "HUGEINT", "UHUGEINT"):
        return "number"
    if head == "BOOLEAN":
        return "boolean"
    return "date" if re.fullmatch("DATE|TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?", head) else "text"


def _pattern(word: str) -> str:
    """A word as a regular expression inside an SQL literal."""
    return "".join(each if each.isalnum() else f"\\x{{{ord(each):x}}}" for each in word)
