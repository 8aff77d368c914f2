"""Cells of text as values, by the rules that training recorded for its columns.

The rules are those of src/etl/rules.py, which DuckDB applies to files: here they read the CSV of a
request, where DuckDB would cost a worker more memory than the model. A test compares the two. Dates
may be written as in JSON, too.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np

from mlmonkey.rows import Feature
from mlmonkey.schema import EXPECTED, RowError

BLANKS = " \t\u00a0"
DIGITS = 17  # significant digits that survive a float64
# what a column of a Parquet file, or a computed column, is read with when it arrives as text
BY_DTYPE = {"integer": "number", "number": "number", "boolean": "true or false",
            "date": "date and time", "text": "text"}
PLAIN = r"(?:0|[1-9][0-9]*)?(?:[.][0-9]*)?(?:[eE][+-]?[0-9]+)?"
COMMA = r"(?:[1-9][0-9]{0,2}(?:[.][0-9]{3})+|0|[1-9][0-9]*)(?:,[0-9]+)?"
THOUSANDS = r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|0|[1-9][0-9]*)(?:[.][0-9]+)?"
BLANKED = r"(?:[1-9][0-9]{0,2}(?:[ \u00a0\u202f'][0-9]{3})+|0|[1-9][0-9]*)(?:[.,][0-9]+)?"
STYLES = {"": (PLAIN, {}), "decimal comma": (COMMA, {".": "", ",": "."}),
          "thousands comma": (THOUSANDS, {",": ""}),
          "blank thousands": (BLANKED, {" ": "", "\u00a0": "", "\u202f": "", "'": "", ",": "."})}
CLOCK_RULE = "time of day"
CLOCKED = re.compile("(?:[01]?[0-9]|2[0-3])(?:[.][0-5][0-9][.]|:[0-5][0-9]:)[0-5][0-9]")
PARTS = {"year": "([0-9]{4})", "month": "([0-9]{1,2})", "day": "([0-9]{1,2})"}
CLOCK = "(?: ([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?)?"
MOMENT = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}"
                    "(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]{1,6})?)?Z?)?")
# most columns of numbers, a cell per line: nothing in them but digits, few enough to be exact
SIMPLE = re.compile(r"(?:(?:-?(?:0|[1-9][0-9]{0,6})(?:[.][0-9]{1,8})?)?\n)*+")

Convert = Callable[[str], Any]


def rule_of(name: str, dtype: str, rules: Mapping[str, str]) -> str:
    """The rule that reads a column's text: that of the training, widened from integer to number."""
    rule = rules.get(name)
    if rule is None or rule == "integer" or (rule in ("text", CLOCK_RULE)) != (dtype == "text"):
        return BY_DTYPE[dtype]
    return rule


def read_column(cells: Sequence[str], feature: Feature, rule: str,
                missing: Collection[str]) -> np.ndarray:
    """A column (n,) as Rows hold it, of n cells as they stand in a file.

    Raises:
        RowError: at the first cell that the rule does not fit; row numbers count from 0.
    """
    simple = rule == "number" and not any(
        word and SIMPLE.fullmatch(word + "\n") for word in missing)
    if simple and "" in missing and SIMPLE.fullmatch("\n".join(cells) + "\n"):
        return np.array([float(cell or "nan") for cell in cells])
    convert, values = converter(rule), []
    for number, cell in enumerate(cells):
        text = cell.strip(BLANKS)
        value = None if text in missing else convert(text)
        if value is None and text not in missing:
            raise RowError(number, feature["name"], text, EXPECTED[feature["dtype"]])
        values.append(value)
    kind = {"text": "O", "date": "M8[us]"}.get(feature["dtype"], "f8")
    return np.array(values, dtype=np.dtype(kind))


def write_cell(value: Any, rule: str) -> str:
    """A JSON value as a cell that its column's rule reads; missing is an empty one."""
    kind, _, style = rule.partition(", ")
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if kind == "date":
        moment, words = datetime.fromisoformat(value), re.findall("[a-z]+", style)
        parts = (str(getattr(moment, word)).zfill(4 if word == "year" else 2) for word in words)
        day = style[len(words[0])].join(parts)
        return day + (f" {moment:%H:%M:%S}" if moment.time().isoformat() != "00:00:00" else "")
    if isinstance(value, str):
        return value
    kind, _, sign = kind.partition(" ")
    number = f"{Decimal(repr(value)) * (100 if kind == 'percent' else 1):f}"
    if style == "decimal comma":
        number = number.replace(".", ",")
    return f"{sign}{number}%" if kind == "percent" else sign + number


def converter(rule: str) -> Convert:
    """A function from a text to its value by a rule; None where the rule does not fit."""
    if rule == "text":
        return str
    if rule == CLOCK_RULE:
        return lambda text: text.replace(".", ":").rjust(8, "0") if CLOCKED.fullmatch(text) \
            else None
    if rule == "true or false":
        return lambda text: {"true": True, "false": False}.get(text.lower())
    if rule == "date and time":
        return _moment
    kind, _, style = rule.partition(", ")
    if kind == "date":
        words = re.findall("[a-z]+", style)
        pattern = re.compile(f"[{style[len(words[0])]}]".join(map(PARTS.__getitem__, words))
                             + CLOCK)
        return partial(_day, pattern=pattern, words=words)
    kind, _, sign = kind.partition(" ")
    written, marks = STYLES[style]
    return partial(_number, bare=partial(_bare, kind=kind, sign=sign), marks=str.maketrans(marks),
                   pattern=re.compile(f"[+-]?(?:{written})"),
                   share=100 if kind == "percent" else 1)


def _bare(text: str, kind: str, sign: str) -> str:
    """The text without its percent or currency sign; nothing, which fits no rule, without one."""
    if kind == "percent":
        return re.sub(" ?%$", "", text) if text.endswith("%") else ""
    if kind == "currency":
        return re.sub(f" ?[{sign}]$", "", re.sub(f"^([+-]?) ?[{sign}] ?", r"\1", text)) \
            if sign in text else ""
    return text


def _number(text: str, bare: Convert, marks: dict[int, Any], pattern: re.Pattern[str],
            share: int) -> float | None:
    text = bare(text)
    if not pattern.fullmatch(text):
        return None
    written = text.translate(marks)
    digits = re.sub("[eE].*|[^0-9]", "", written).lstrip("0").rstrip("0")
    try:
        value = float(written)
    except ValueError:  # no digit at all
        return None
    exact = len(written) <= DIGITS or len(digits) <= DIGITS
    if not exact or value in (np.inf, -np.inf) or (value == 0 and digits):
        return None
    return value / share


def _day(text: str, pattern: re.Pattern[str], words: Sequence[str]) -> datetime | None:
    found = pattern.fullmatch(text)
    if not found:
        return _moment(text)  # as JSON has it, which nobody can take for anything else
    *parts, hour, minute, second = (int(part or 0) for part in found.groups())
    day = dict(zip(words, parts))
    try:
        return datetime(day["year"], day["month"], day["day"], hour, minute, second)
    except ValueError:
        return None


def _moment(text: str) -> datetime | None:
    if not MOMENT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        return None
