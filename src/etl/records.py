"""Lines of text become records; a damaged line costs that line, never its neighbours.

A cell may be quoted; inside quotes a quote is doubled, and delimiters and line ends are text.
Blanks around a quoted cell don't matter. A quote inside an unquoted cell is like any character.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

MAX_RECORD_LINES = 1000  # a quote open for longer is a stray quote, not a text of many lines
QUOTED = r' *"([^"]*+(?:""[^"]*+)*+)'
OPEN = re.compile(QUOTED + r"\Z")


class Record(NamedTuple):
    """A record, or a blank line (`cells` is empty), or a line that can't be read (None).

    `line` counts physical lines from 1, `lines` says how many the record has; `repaired`: empty
    cells beyond the last column were taken off.
    """

    line: int
    lines: int
    text: str
    cells: list[str] | None
    reason: str = ""
    repaired: bool = False


def read_records(file: Iterable[str], delimiter: str, width: int | None = None) -> Iterator[Record]:
    """Every line of a file, in order, as part of exactly one record.

    Args:
        file: lines with their ends, as a file opened with newline="" gives them.
        width: how many cells a record has; None takes any number.
    """
    lines = _Lines(file)
    while (line := lines.take()) is not None:
        if width != 1 and delimiter not in line and not line.strip():
            yield Record(lines.number, 1, "", [])
        else:
            yield _read(line, lines, delimiter, width)


def split_cells(text: str, delimiter: str) -> tuple[list[str] | None, bool]:
    """The cells of a record, None when quotes are out of order; whether one is still open."""
    if '"' not in text:
        return text.split(delimiter), False
    cells: list[str] = []
    place, pattern = 0, _cell(delimiter)
    while found := pattern.match(text, place):
        inside, plain, end = found.groups()
        cells.append(plain if inside is None else inside.replace('""', '"'))
        if not end:
            return cells, False
        place = found.end()
    return None, OPEN.match(text, place) is not None


@cache
def _cell(delimiter: str) -> re.Pattern[str]:
    mark = re.escape(delimiter)
    return re.compile(rf'(?:{QUOTED}" *|(?! *")([^{mark}\r\n]*+))({mark}|\Z)')


class _Lines:
    """Lines of a file; those taken too many can be given back."""

    def __init__(self, file: Iterable[str]) -> None:
        self.file, self.number = iter(file), 0
        self.returned: list[str] = []

    def take(self) -> str | None:
        line = self.returned.pop() if self.returned else next(self.file, None)
        self.number += line is not None
        return line

    def give_back(self, lines: list[str]) -> None:
        self.number -= len(lines)
        self.returned.extend(reversed(lines))


def _read(line: str, lines: _Lines, delimiter: str, width: int | None) -> Record:
    """The record that begins with a line; lines after it belong to it only if all of it fits."""
    first, number, more = line.rstrip("\r\n"), lines.number, list[str]()
    text = first
    cells, is_open = split_cells(text, delimiter)
    while is_open and len(more) < MAX_RECORD_LINES and (following := lines.take()) is not None:
        more.append(following)
        if '"' in following:
            text = "".join([line, *more]).rstrip("\r\n")
            cells, is_open = split_cells(text, delimiter)
    if cells is not None:
        extra = cells[width:] if width else []
        if width in (None, len(cells)) or extra and not any(map(str.strip, extra)):
            return Record(number, 1 + len(more), text, cells[:width], repaired=bool(extra))
    lines.give_back(more)
    reason = "a stray quote" if cells is None or more else f"{len(cells)} cells instead of {width}"
    return Record(number, 1, first, None, reason)
