"""Text becomes numbers, dates and truth values by a stated rule, or stays the text it is.

A rule holds for a column when it fits every value that is there; the first that does is taken and
recorded. Nothing is lost: leading zeros, integers beyond 2^63 and more digits than a float64 holds
stay text. Two rules that fit equally well and read different values are put to the user.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from shlex import quote
from typing import Any

from mlmonkey.errors import UserError
from src.etl.sql import identifier, quoted
from src.etl.asking import Ambiguous
from src.etl.detect import Reading
from src.etl.rules import (ACCOUNTING, BY_NAME, COMMAS, RULES, TEXT, in_style, order_of,
                           rivals_of)

SAMPLE = '"first rows "'  # a table
SAMPLE_CELLS = 100_000  # where rules are tried first; the whole column only decides about few
FIRST_ROWS = 100  # at least
EXTREMES = ("min(cell)", "max(cell)", "arg_min(cell, strlen(cell))", "arg_max(cell, strlen(cell))")
POINTED = "[$£¥₹₩]|USD|GBP|JPY|CNY|INR|CAD|AUD|MXN|Rs"  # currencies
DIGIT = re.compile("[0-9]")
ODD_MINUS = re.compile("[()\u2212]|-[^0-9]*$")
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
                 decimal: str = "auto", dates: str = "auto", said: Mapping[str, str] | None = None,
                 private: Collection[str] = (), trust: bool = False) -> dict[str, str]:
    """The rule of each text column: the first that fits all of its values.

    Args:
        table: an SQL table of text columns, whose first rows stay in SAMPLE.
        decimal: `comma` or `point` where a column reads equally well with both.
        dates: `day-first`, `month-first` or `year-first`, likewise.
        said: the rules of columns that somebody chose.
        private: columns of which no value is shown.
        trust: take the rule that fits the first values, where the others can only refute it: see
            `checked_value_sql`.

    Raises:
        Ambiguous: where two readings fit equally well and nobody said which.
        UserError: where a rule that was said does not fit; only without trust.
    """
    rows = max(FIRST_ROWS, SAMPLE_CELLS // len(names))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {SAMPLE} AS FROM {table} LIMIT {rows}")
    chosen = dict(said or {})
    if not trust:
        asked = {name: [rule] for name, rule in chosen.items()}
        for name, (fitting, _) in _try_all(connection, table, asked, reading).items():
            if not fitting:
                _refuse(connection, table, name, chosen[name], reading, private)
    names = [name for name in names if name not in chosen]
    candidates = _look(connection, SAMPLE, names, reading)
    unseen = [name for name in names if name not in candidates]
    candidates = _narrow(connection, SAMPLE, candidates, reading)
    candidates |= _look(connection, table, unseen, reading)
    fits: dict[str, list[str]] = {name: [TEXT] for name in names if name not in candidates}
    if trust:
        commas = decimal == "comma" or any(COMMAS in rules[0] for rules in candidates.values())
        for name in candidates.keys() - unseen:
            rule, rivals = candidates[name][0], _rivals(candidates[name])
            if not BY_NAME[rule].needs and (
                    not rivals or rivals == [in_style(rule, COMMAS)] and not commas):
                fits[name] = [rule]
    waiting = {name: rules for name, rules in candidates.items() if name not in fits}
    waiting = _narrow(connection, table, waiting, reading, needs=True)
    fits |= {name: [rules[0], *_rivals(rules)] for name, rules in waiting.items()}
    mark = decimal if decimal != "auto" else _decimal_mark(fits.values())
    chosen |= {name: _decide(name, fits[name], decimal, dates, mark) for name in names}
    if decimal == "auto" and any(COMMAS in rule for rule in chosen.values()):
        _check_points(connection, table, {name: chosen[name] for name in names
                                          if in_style(chosen[name], COMMAS) in fits[name][1:]},
                      reading)
    return chosen


def count_missing(connection: Any, rules: Mapping[str, str], reading: Reading,
                  private: Collection[str]) -> dict[str, Any]:
    """Which words stand for no value in the first rows, and how often; after `choose_rules`.

    Returns: `records`, how many of them, and `columns`: name -> word -> count.
    """
    words = [word for word in (*reading["missing"], *reading["missing_unless_text"]) if word]
    names, columns = list(rules), dict[str, dict[str, int]]()
    found = connection.execute(
        f"SELECT number, trim(cell, '{BLANKS}') AS word, count(*) FROM "
        f"{_unnested(SAMPLE, names, [0] * len(names))} WHERE word IN "
        f"({', '.join(map(quoted, words))}) GROUP BY ALL ORDER BY ALL").fetchall()
    for number, word, count in found:
        if names[number] not in private and (
                rules[names[number]] != TEXT or word in reading["missing"]):
            columns.setdefault(names[number], {})[word] = count
    records = connection.execute(f"SELECT count(*) FROM {SAMPLE}").fetchone()[0]
    return {"records": records, "columns": columns}


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


def _long_sql(table: str, names: Sequence[str], kinds: Sequence[int], reading: Reading) -> str:
    """SQL for the clean cells of many columns as one column `cell`, with `number` of its column.

    One column, so that a rule is one expression: 1,000 of them take a minute to plan.
    """
    words = [*reading["missing"], *reading.get("missing_unless_text", [])]
    return (f"(SELECT number, kind, trim(cell, '{BLANKS}') AS cell FROM "
            f"{_unnested(table, names, kinds)}) WHERE cell IS NOT NULL "
            f"AND cell NOT IN ({', '.join(map(quoted, words))})")


def _unnested(table: str, names: Sequence[str], kinds: Sequence[int]) -> str:
    cells = ", ".join(map(identifier, names))
    return (f"(SELECT unnest(range({len(names)})) AS number, unnest({list(kinds)}) AS kind, "
            f"unnest([{cells}]) AS cell FROM {table})")


def _look(connection: Any, table: str, names: Sequence[str],
          reading: Reading) -> dict[str, list[str]]:
    """The rules that fit four values of each column, in order; none of columns without a value.

    Judged here, since hundreds of rules take SQL longer to plan than these four to read.
    """
    if not names:
        return {}
    found = connection.execute(
        f"SELECT number, {', '.join(EXTREMES)} FROM "
        f"{_long_sql(table, names, [0] * len(names), reading)} GROUP BY 1").fetchall()
    return {names[number]: _rules_of(list(dict.fromkeys(cells))) for number, *cells in found}


def _rules_of(cells: Sequence[str]) -> list[str]:
    """The rules that fit a few texts."""
    from mlmonkey.cells import converter
    if not all(DIGIT.search(cell) for cell in cells):
        return [*(["true or false"] * ({*map(str.lower, cells)} <= {"true", "false"})), TEXT]
    odd = any(ODD_MINUS.search(cell) for cell in cells)
    found: dict[str, None] = {}
    for rule in RULES:
        if not all(rule.mark in cell for cell in cells):
            continue
        plain, accounting, _ = rule.name.partition(ACCOUNTING)
        if plain in found if accounting and not odd else all(
                converter(rule.name)(cell) is not None for cell in cells):
            found[rule.name] = None
    return [*found, TEXT]


def _narrow(connection: Any, table: str, candidates: Mapping[str, Sequence[str]],
            reading: Reading, needs: bool = False) -> dict[str, list[str]]:
    """The candidates of each column from the first one on that fits all of its values.

    What does not fit one rule says which others it can't be: few are tried on all values.
    """
    waiting = {name: list(rules) for name, rules in candidates.items()}
    narrow = {}
    while waiting:
        asked = {name: [rules[0], *_rivals(rules)] for name, rules in waiting.items()}
        for name, (fitting, misfits) in _try_all(connection, table, asked, reading, needs).items():
            rules = waiting[name]
            if rules[0] in fitting:
                narrow[name] = [rule for rule in rules if rule not in asked[name]
                                or rule in fitting]
                del waiting[name]
            else:
                possible = _rules_of(misfits) if misfits else rules
                waiting[name] = [rule for rule in rules[1:] if rule in possible]
    return narrow


def _try_all(connection: Any, table: str, asked: Mapping[str, Sequence[str]], reading: Reading,
             needs: bool = False) -> dict[str, tuple[list[str], list[str]]]:
    """Which of the rules asked about fit all values of a column, and what the first does not fit.

    Args:
        needs: what rules need counts too: `table` is all there is.
    """
    names = [name for name, rules in asked.items() if rules[0] != TEXT]
    kinds = list(dict.fromkeys(tuple(asked[name]) for name in names))
    found: dict[str, tuple[list[str], list[str]]] = {
        name: (list(rules), []) for name, rules in asked.items()}
    if not names:
        return found
    fits, enough = [], []
    for place in range(max(map(len, kinds))):
        rules = {kind: BY_NAME[each[place]] for kind, each in enumerate(kinds) if place < len(each)}
        cases = [f"WHEN {kind} THEN {rule.fits_sql('cell')}" for kind, rule in rules.items()]
        fits.append(f"CASE kind {' '.join(cases)} ELSE false END AS fit{place}")
        cases = [f"WHEN {kind} THEN {rule.needs_sql('cell')}" for kind, rule in rules.items()
                 if needs and rule.needs]
        enough.append(f"bool_and(fit{place})" + (
            f" AND bool_or(CASE kind {' '.join(cases)} ELSE true END)" if cases else ""))
    long = _long_sql(table, names, [kinds.index(tuple(asked[name])) for name in names], reading)
    for number, *results in connection.execute(
            f"SELECT number, {', '.join(f'{each} FILTER (NOT fit0)' for each in EXTREMES)}, "
            f"{', '.join(enough)} FROM (SELECT number, kind, cell, {', '.join(fits)} FROM {long}) "
            "GROUP BY 1").fetchall():
        name, misfits, holds = names[number], results[:len(EXTREMES)], results[len(EXTREMES):]
        found[name] = ([rule for rule, fit in zip(asked[name], holds) if fit],
                       [cell for cell in dict.fromkeys(misfits) if cell is not None])
    return found


def _rivals(rules: Sequence[str]) -> list[str]:
    """The other readings of what the first rule fits."""
    return [rule for rule in rivals_of(rules[0]) if rule in rules]


def _refuse(connection: Any, table: str, name: str, rule: str, reading: Reading,
            private: Collection[str]) -> None:
    """Say which value a rule that somebody chose does not fit."""
    (count, example), = connection.execute(
        f"SELECT count(*), first(cell) FROM {_long_sql(table, [name], [0], reading)} "
        f"AND NOT coalesce({BY_NAME[rule].fits_sql('cell')}, false)").fetchall()
    shown = "" if name in private else f", such as {example[:60]!r}"
    raise UserError(f"--column {name}={rule}: {count:,} value(s) of this column can't be read so"
                    f"{shown}; mend them, name words for no value with --missing, or leave it text:"
                    f" --column {quote(f'{name}={TEXT}')}")


def _decimal_mark(fitting: Iterable[Sequence[str]]) -> str:
    """`comma` or `point` where the columns that read in one way only say so, else auto."""
    marks = {"comma" if COMMAS in rule else "point" for rule, *others in fitting
             if not others and rule.startswith(("number", "percent", "currency"))}
    return marks.pop() if len(marks) == 1 else "auto"


def _decide(name: str, fitting: Sequence[str], decimal: str, dates: str, mark: str) -> str:
    if len(fitting) == 1:
        return fitting[0]
    if fitting[1] == in_style(fitting[0], COMMAS):  # a point is a decimal point, unless somebody
        return fitting[decimal == "comma"]          # says otherwise
    if COMMAS in fitting[0]:
        if mark == "auto" and re.match(f"currency ({POINTED})", fitting[0]):
            return fitting[1]  # where people pay with it, three digits behind a comma are thousands
        option, said, ways = "decimal", mark, dict(zip(("comma", "point"), fitting))
    elif all(BY_NAME[rule].dtype == "date" for rule in fitting):
        option, said, ways = "dates", dates, {order_of(rule): rule for rule in fitting}
    else:
        option, said, ways = "column", "auto", {f"{name}={rule}": rule for rule in fitting}
    if said not in ways:
        raise Ambiguous(f"column {name!r} reads equally well as {' and as '.join(fitting)}",
                        option, list(ways))
    return ways[said]


def _check_points(connection: Any, table: str, chosen: Mapping[str, str],
                  reading: Reading) -> None:
    """Where one column has decimal commas, 1.234 in another may be a thousand: ask."""
    for name, rule in chosen.items():
        pointed = connection.execute("SELECT bool_or(contains(cell, '.')) FROM "
                                     f"{_long_sql(table, [name], [0], reading)}").fetchone()[0]
        if pointed:
            raise Ambiguous(f"column {name!r} reads equally well as {rule} and as "
                            f"{in_style(rule, COMMAS)}, which another column has", "decimal",
                            ("comma", "point"))
