"""Text that a spreadsheet would run as a formula, escaped in the CSV files that people open.

An apostrophe before it makes it text again; spreadsheets don't show it. What counts is how a cell
begins: = + - @ (as wide letters too), also after blanks, or a tab or line end. Numbers stay.
"""

import re
from collections.abc import Callable
from typing import Any

import click

from src.etl.sql import quoted
from src.etl.rules import CURRENCIES

# both patterns mean the same to Python and to DuckDB's RE2
BLANKS = "[\\x00 \t\r\n\v\f\u00a0\u3000\ufeff]*"
FORMULA = f"^(?:{BLANKS}[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])"
NUMBER = (f"^{BLANKS}[+-]? ?(?:[{CURRENCIES}]? ?(?:[0-9][0-9.,]*|[.][0-9]+)(?:[eE][+-]?[0-9]+)?"
          f" ?[%{CURRENCIES}]?|(?i:inf(?:inity)?)){BLANKS}$")


def escape_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --escape/--no-escape to a script."""
    option = click.option("--escape/--no-escape", default=True,
                          help="Put ' before text in CSV that a spreadsheet would run.")
    return option(command)


def escape(text: str) -> str:
    """A cell's text, behind an apostrophe where a spreadsheet would run it."""
    runs = re.search(FORMULA, text) and not re.search(NUMBER, text)
    return f"'{text}" if runs else text


def escaped_sql(text: str) -> str:
    """SQL for what `escape` makes of a text; NULL stays NULL."""
    return (f"CASE WHEN regexp_matches({text}, {quoted(FORMULA)}) "
            f"AND NOT regexp_matches({text}, {quoted(NUMBER)}) "
            f"THEN {quoted(chr(39))} || {text} ELSE {text} END")


def treatment(escaped: bool) -> str:
    """What was done about formulas, as the JSON beside a file says it."""
    return "escaped" if escaped else "as they are"
