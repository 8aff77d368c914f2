"""Text becomes numbers, dates and truth values by a stated rule, or stays the text it is.

A rule holds for a column when it fits every value that is there; the first that does is taken and
recorded. Nothing is lost: leading zeros, integers beyond 2^63 and more digits than a float64 holds
stay text. Two rules that fit equally well and read different values are put to the user.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from src.etl.sql import identifier, quoted
from src.etl.asking import Ambiguous
from src.etl.detect import Reading
from src.etl.rules import BY_NAME, COMMAS, RULES, TEXT, twin_of

SAMPLE_CELLS = 100_000  # where each rule is tried first; the whole column only decides about few
FIRST_ROWS = 100  # at least
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
# one does is one, if none of its digits are apart, and its exponent is not beyond all measure
TIDY_NUMBER = ("strlen({t}) <= 17 AND CASE WHEN {t} >= '1' THEN {t} < ':' "
               "WHEN {t} >= '0' THEN {t} < '0/' "
               "ELSE {t} >= '-1' AND {t} < '-:' OR {t} >= '-0.' AND {t} < '-0/' END "
               "AND abs({v}) < 1e300 AND ({v} <> 0 OR strlen({t}) < 6) AND NOT contains({t}, '_')")
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


def choose_rules(connection: Any, table: str, names: Sequence[str], reading: Reading,
                 decimal: str = "auto", dates: str = "auto",
                 trust: bool = False) -> dict[str, str]:
    """The rule of each text column: the first that fits all of its values.

    Args:
        table: an SQL table of text columns.
        decimal: `comma` or `point` where a column reads equally well with both.
        dates: `day-first` or `month-first`, likewise.
        trust: take the rule that fits the first values, where the others can only refute it: see
            `checked_value_sql`.

    Raises:
        Ambiguous: where two readings fit equally well and nobody said which.
    """
    candidates, unseen = _try_sample(connection, table, names, reading)
    fitting: dict[str, list[str]] = {}  # the rule, and its twin where that fits too
    if trust:
        commas = decimal == "comma" or any(rules[0].endswith(COMMAS)
                                           for rules in candidates.values())
        for name in [name for name in names if name not in unseen]:
            rule, twin = candidates[name][0], twin_of(candidates[name][0])
            if twin not in candidates[name] or twin == rule + COMMAS and not commas:
                fitting[name] = [rule]
    while waiting := [name for name in names if name not in fitting]:
        asked = {name: candidates[name] if name in unseen else
                 [rule for rule in (candidates[name][0], twin_of(candidates[name][0]))
                  if rule in candidates[name]] for name in waiting}
        for name, rules in _try_all(connection, table, asked, reading).items():
            if name in unseen or asked[name][0] in rules:
                fitting[name] = rules
            else:
                candidates[name].pop(0)
    mark = decimal if decimal != "auto" else _decimal_mark(fitting.values())
    chosen = {name: _decide(name, rules, decimal, dates, mark) for name, rules in fitting.items()}
    if decimal == "auto" and any(rule.endswith(COMMAS) for rule in chosen.values()):
        _check_points(connection, table, {name: rule for name, rule in chosen.items()
                                          if rule + COMMAS in fitting[name]}, reading)
    return chosen


def value_sql(name: str, rule: str) -> str:
    """SQL for one clean cell that the rule fits, converted."""
    return BY_NAME[rule].value.format(t=identifier(name))


def checked_value_sql(name: str, rule: str, otherwise: str = "NULL") -> str:
    """SQL for one clean cell, converted; NULL where it is missing, or the rule does not fit.

    Args:
        otherwise: SQL for where the rule does not fit.
    """
    if rule == TEXT:
        return identifier(name)
    cell = identifier(name)
    return (f"CASE WHEN {cell} IS NULL THEN NULL WHEN {BY_NAME[rule].fits.format(t=cell)} "
            f"THEN {value_sql(name, rule)} ELSE {otherwise} END")


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


def _long_sql(table: str, names: Sequence[str], kinds: Sequence[int], reading: Reading) -> str:
    """SQL for the clean cells of many columns as one column `cell`, with `number` of its column.

    One column, so that a rule is one expression: 1,000 of them take a minute to plan.
    """
    cells = ", ".join(map(identifier, names))
    long = (f"(SELECT unnest(range({len(names)})) AS number, unnest({list(kinds)}) AS kind, "
            f"unnest([{cells}]) AS cell FROM {table})")
    return f"{cells_sql(long, ['cell'], reading)} WHERE cell IS NOT NULL"


def _try_sample(connection: Any, table: str, names: Sequence[str],
                reading: Reading) -> tuple[dict[str, list[str]], set[str]]:
    """The rules that fit the first values of each column, in order, and the columns without any."""
    rows = max(FIRST_ROWS, SAMPLE_CELLS // len(names))
    fits = ", ".join(f"bool_and({rule.fits.format(t='cell')})" for rule in RULES)
    found = connection.execute(
        f"SELECT number, {fits} FROM "
        f"{_long_sql(f'(FROM {table} LIMIT {rows})', names, [0] * len(names), reading)} GROUP BY 1"
    ).fetchall()
    candidates = {names[number]: [rule.name for rule, fit in zip(RULES, holds) if fit] + [TEXT]
                  for number, *holds in found}
    unseen = set(names) - set(candidates)
    return candidates | {name: list(BY_NAME) for name in unseen}, unseen


def _try_all(connection: Any, table: str, asked: Mapping[str, Sequence[str]],
             reading: Reading) -> dict[str, list[str]]:
    """Which of the rules asked about fit all values of their column; TEXT fits always."""
    names = [name for name, rules in asked.items() if rules[0] != TEXT]
    kinds = list(dict.fromkeys(tuple(asked[name]) for name in names))
    fitting = {name: [TEXT] if TEXT in rules else [] for name, rules in asked.items()}
    if not names:
        return fitting
    fits = []
    for place in range(max(map(len, kinds))):
        cases = [f"WHEN {kind} THEN {BY_NAME[rules[place]].fits.format(t='cell')}"
                 for kind, rules in enumerate(kinds) if place < len(rules)]
        fits.append(f"bool_and(CASE kind {' '.join(cases)} ELSE false END)")
    long = _long_sql(table, names, [kinds.index(tuple(asked[name])) for name in names], reading)
    for number, *holds in connection.execute(
            f"SELECT number, {', '.join(fits)} FROM {long} GROUP BY 1").fetchall():
        fitting[names[number]] = [rule for rule, fit in zip(asked[names[number]], holds) if fit]
    return fitting


def _decimal_mark(fitting: Iterable[Sequence[str]]) -> str:
    """`comma` or `point` where the columns that read in one way only say so, else auto."""
    marks = {"comma" if rule.endswith(COMMAS) else "point" for rule, *others in fitting
             if not others and rule.startswith(("number", "percent", "currency"))}
    return marks.pop() if len(marks) == 1 else "auto"


def _decide(name: str, fitting: Sequence[str], decimal: str, dates: str, mark: str) -> str:
    first, twin = fitting[0], twin_of(fitting[0])
    if twin is None or twin not in fitting:
        return first
    if twin.endswith(COMMAS):  # a point is a decimal point, unless somebody says otherwise
        return twin if decimal == "comma" else first
    if first.endswith(COMMAS):
        if mark == "auto" and re.match("currency [^€]", first):
            return twin  # where people pay with it, three digits behind a comma are thousands
        said, option, words = mark, "decimal", ("comma", "point")
    else:
        said, option, words = dates, "dates", ("day-first", "month-first")
    if said == "auto":
        raise Ambiguous(f"column {name!r} reads equally well as {first} and as {twin}", option,
                        words)
    return dict(zip(words, (first, twin)))[said]


def _check_points(connection: Any, table: str, chosen: Mapping[str, str],
                  reading: Reading) -> None:
    """Where one column has decimal commas, 1.234 in another may be a thousand: ask."""
    for name, rule in chosen.items():
        pointed = connection.execute("SELECT bool_or(contains(cell, '.')) FROM "
                                     f"{_long_sql(table, [name], [0], reading)}").fetchone()[0]
        if pointed:
            raise Ambiguous(f"column {name!r} reads equally well as {rule} and as {rule + COMMAS}, "
                            "which another column has", "decimal", ("comma", "point"))
