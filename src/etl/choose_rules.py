"""Which rule each column of text has: the first that fits every value that is there.

Two rules that fit equally well and read different values are put to the user.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from shlex import quote
from typing import Any

from mlmonkey.errors import UserError
from src.etl.asking import Ambiguous
from src.etl.convert import BLANKS
from src.etl.detect import Reading
from src.etl.rules import (ACCOUNTING, BY_NAME, COMMAS, RULES, TEXT, in_style, order_of,
                           rivals_of)
from src.etl.sql import identifier, quoted

SAMPLE = '"first rows "'  # a table
SAMPLE_CELLS = 100_000  # where rules are tried first; the whole column only decides about few
FIRST_ROWS = 100  # at least
POINTED = "[$£¥₹₩]|USD|GBP|JPY|CNY|INR|CAD|AUD|MXN|Rs"  # currencies
EXTREMES = ("min(cell)", "max(cell)", "arg_min(cell, strlen(cell))", "arg_max(cell, strlen(cell))")
DIGIT = re.compile("[0-9]")
ODD_MINUS = re.compile("[()\u2212]|-[^0-9]*$")


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
        commas = decimal == "comma" or reading.get("delimiter") == ";" or any(
            COMMAS in rules[0] for rules in candidates.values())
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
    why = "which another column has" if any(COMMAS in rule for rule in chosen.values()) else \
        "as ; between cells suggests" if mark == "auto" and reading.get("delimiter") == ";" else ""
    if decimal == "auto" and why:
        _check_points(connection, table, {name: chosen[name] for name in names
                                          if in_style(chosen[name], COMMAS) in fits[name][1:]},
                      reading, why)
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
                  reading: Reading, why: str) -> None:
    """Where something else tells of decimal commas, 1.234 may be a thousand: ask."""
    for name, rule in chosen.items():
        pointed = connection.execute("SELECT bool_or(contains(cell, '.')) FROM "
                                     f"{_long_sql(table, [name], [0], reading)}").fetchone()[0]
        if pointed:
            raise Ambiguous(f"column {name!r} reads equally well as {rule} and as "
                            f"{in_style(rule, COMMAS)}, {why}", "decimal",
                            ("comma", "point"))
