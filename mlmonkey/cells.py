"""Cells of text as values, by the rules that training recorded for its columns.

The rules are those of src/etl/rules.py, which DuckDB applies to files: here they read the CSV of a
request, where DuckDB would cost a worker more memory than the model. A test compares the two. Dates
may be written as in JSON, too.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache, partial
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
THOUSANDS = (r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}|0|[1-9][0-9]*)"
             r"(?:[.][0-9]+)?")
BLANKED = r"(?:[1-9][0-9]{0,2}(?:[ \u00a0\u202f'][0-9]{3})+|0|[1-9][0-9]*)(?:[.,][0-9]+)?"
STYLES = {"": (PLAIN, {}), "decimal comma": (COMMA, {".": "", ",": "."}),
          "thousands comma": (THOUSANDS, {",": ""}),
          "blank thousands": (BLANKED, {" ": "", "\u00a0": "", "\u202f": "", "'": "", ",": "."})}
BRACKETS = re.compile("([^-+()0-9.,]*)[(]([^-+()]+)[)]([^-+()0-9.,]*)")
BEHIND = re.compile("([^-+()]*[0-9][.,][0-9]+)-([^-+()0-9.,]*)")
CLOCK_RULES = {"time of day": re.compile("([01]?[0-9]|2[0-3])([.:])([0-5][0-9])\\2([0-5][0-9])()"),
               "time of day, am or pm": re.compile(
                   "(0?[1-9]|1[0-2])(:)([0-5][0-9])(?::([0-5][0-9]))? ?([AaPp])[Mm]")}
MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september",
          "october", "november", "december")
MONTH_NUMBERS = {name: number for number, month in enumerate(MONTHS, 1)
                 for name in (month, month[:3])} | {"sept": 9}
PARTS = {"year": "([0-9]{4})", "month": "([0-9]{1,2})", "day": "([0-9]{1,2})",
         "yy": "([0-37-9][0-9])",
         "Mon": "([A-Za-z]{3,9})"}
CLOCK = ("(?:,? ([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.]([0-9]{1,6}))?)?(?: ?([AaPp])[Mm])?)?")
ISO_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
ISO_TIME = "[ T](?:[01][0-9]|2[0-3]):[0-9]{2}(?::[0-9]{2}(?:[.][0-9]{1,6})?)?"
MOMENT = re.compile(f"{ISO_DAY}(?:{ISO_TIME}Z?)?")
ZONED = re.compile(f"({ISO_DAY}{ISO_TIME}) ?(?:Z|UTC|GMT|([+-])(0[0-9]|1[0-4])(?::?([0-5][0-9]))?)")
TRUTH = dict.fromkeys(("yes", "y", "true", "t", "on", "oui", "ja"), True) | dict.fromkeys(
    ("no", "n", "false", "f", "off", "non", "nein"), False)
# most columns of numbers, a cell per line: nothing in them but digits, few enough to be exact
SIMPLE = re.compile(r"(?:(?:-?(?:0|[1-9][0-9]{0,6})(?:[.][0-9]{1,8})?)?\n)*+")

Convert = Callable[[str], Any]


def rule_of(name: str, dtype: str, rules: Mapping[str, str]) -> str:
    """The rule that reads a column's text: that of the training, widened from integer to number."""
    rule = rules.get(name)
    if rule is None or rule == "integer" or (
            rule == "text" or rule in CLOCK_RULES) != (dtype == "text"):
        return BY_DTYPE[dtype]
    return rule


def missing_words(reading: Mapping[str, Any], rule: str) -> set[str]:
    """The words for no value in a column that a rule reads."""
    return {*reading["missing"],
            *(reading.get("missing_unless_text", []) if rule != "text" else [])}


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
    kind, *styles = rule.split(", ")
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if kind == "date":
        moment, words = datetime.fromisoformat(value), re.findall("[A-Za-z]+", styles[0])
        day = styles[0][len(words[0])].join(_write_part(moment, word) for word in words)
        return day + (f" {moment:%H:%M:%S}" if moment.time().isoformat() != "00:00:00" else "")
    if styles == ["UTC"]:
        return datetime.fromisoformat(value).isoformat() + "Z"
    if isinstance(value, str):
        hour = int(value[:2]) if styles == ["am or pm"] else 0
        return f"{hour % 12 or 12}{value[2:]} {'AP'[hour > 11]}M" if styles else value
    kind, _, sign = kind.partition(" ")
    number = f"{Decimal(repr(value)) * (100 if kind == 'percent' else 1):f}"
    if "decimal comma" in styles:
        number = number.replace(".", ",")
    return f"{sign}{number}%" if kind == "percent" else sign + number


def _write_part(moment: datetime, word: str) -> str:
    if word == "Mon":
        return MONTHS[moment.month - 1][:3].title()
    if word == "yy":
        return f"{moment.year % 100:02}"
    return str(getattr(moment, word)).zfill(4 if word == "year" else 2)


@cache
def converter(rule: str) -> Convert:
    """A function from a text to its value by a rule; None where the rule does not fit."""
    if rule == "text":
        return str
    if rule == "integer":
        return _integer
    if rule in CLOCK_RULES:
        return partial(_clock, pattern=CLOCK_RULES[rule])
    if rule in ("true or false", "yes or no"):
        truth = TRUTH if rule == "yes or no" else {"true": True, "false": False}
        return lambda text: truth.get(text.lower())
    if rule == "date and time":
        return _moment
    if rule == "date and time, UTC":
        return _moment_of_a_zone
    kind, *styles = rule.split(", ")
    if kind == "date":
        words = re.findall("[A-Za-z]+", styles[0])
        between = [f"[{styles[0][len(words[0])]}]"] * 2
        if "Mon" in words:
            between = [f"[-/. ,]{{{int('Mon' not in pair)},2}}" for pair in zip(words, words[1:])]
        digits = {word: PARTS[word] for word in words}
        if "yy" in words and between[0] == "[.]":
            digits |= dict.fromkeys(("day", "month"), "([0-9]{2})")
        pattern = "".join(digits[word] + blank for word, blank in zip(words, [*between, CLOCK]))
        return partial(_day, pattern=re.compile(pattern), words=words)
    kind, _, sign = kind.partition(" ")
    accounting = "accounting" in styles
    written, marks = STYLES[next((style for style in styles if style in STYLES), "")]
    return partial(_number, bare=partial(_bare, kind=kind, sign=sign, accounting=accounting),
                   marks=str.maketrans(marks), pattern=re.compile(f"[+-]?(?:{written})"),
                   share=100 if kind == "percent" else 1)


def _integer(text: str) -> int | None:
    if not re.fullmatch("[+-]?(?:0|[1-9][0-9]{0,18})", text):
        return None
    return value if -2**63 <= (value := int(text)) < 2**63 else None


def _clock(text: str, pattern: re.Pattern[str]) -> str | None:
    found = pattern.fullmatch(text)
    if not found:
        return None
    hour, _, minute, second, half = found.groups()
    hours = int(hour) % 12 + 12 * (half in "Pp") if half else int(hour)
    return f"{hours:02}:{minute}:{second or '00'}"


def _bare(text: str, kind: str, sign: str, accounting: bool) -> str:
    """The text without its percent or currency sign; nothing, which fits no rule, without one."""
    if accounting:
        text = text.replace("\u2212", "-")
        if found := BRACKETS.fullmatch(text):
            text = "-{}{}{}".format(*found.groups())
        if found := BEHIND.fullmatch(text):
            text = "-{}{}".format(*found.groups())
    if kind == "percent":
        return re.sub(" ?%$", "", text) if text.endswith("%") else ""
    if kind == "currency":
        mark = re.escape(sign)
        return re.sub(f" ?{mark}$", "", re.sub(f"^([+-]?) ?{mark} ?", r"\1", text)) \
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
    *parts, hour, minute, second, fraction, half = found.groups()
    day = {"month" if word == "Mon" else word:
           MONTH_NUMBERS.get(part.lower(), 0) if word == "Mon" else int(part)
           for word, part in zip(words, parts)}
    year = day["year"] if "year" in day else day["yy"] + (2000 if day["yy"] < 40 else 1900)
    hour = int(hour or 0)
    if half:
        if fraction or not 0 < hour < 13:
            return None
        hour = hour % 12 + 12 * (half in "Pp")
    try:
        return datetime(year, day["month"], day["day"], hour, int(minute or 0), int(second or 0),
                        int((fraction or "0").ljust(6, "0")))
    except ValueError:
        return None


def _moment(text: str) -> datetime | None:
    if not MOMENT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        return None


def _moment_of_a_zone(text: str) -> datetime | None:
    found = ZONED.fullmatch(text)
    if not found or not (moment := _moment(found[1])):
        return None
    ahead = timedelta(hours=int(found[3] or 0), minutes=int(found[4] or 0))
    try:
        return moment + ahead if found[2] == "-" else moment - ahead
    except OverflowError:
        return None
