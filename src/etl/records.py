"""Lines of text become records; a damaged line costs that line, never its neighbours.

A cell may be quoted; inside quotes a quote is doubled or behind a backslash, and delimiters and
line ends are text. Blanks around a quoted cell don't matter. A quote inside an unquoted cell is
like any character.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NamedTuple, Protocol

MAX_RECORD_LINES = 1000  # a quote open for longer is a stray quote, not a text of many lines
BLANKS = {r"\s+": r"[ \t]+", r"\s{2,}": r" {2,}[ \t]*|\t[ \t]*"}  # delimiters of any length
MAX_TORN_LINES = 10  # of a damaged record with texts of several lines
RULED = re.compile(r"(?=.*([-=_*~+#])\1)[-=_*~+#|: \t,;]+")


class Dialect(NamedTuple):
    """How cells are told apart; no quote at all is an empty text, `escape` a backslash or empty.

    A delimiter may be one of BLANKS; `framed`: another one begins and ends each line.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    framed: bool = False

    def plain(self) -> "Dialect":
        """The dialect of the same lines when they are tidied."""
        return Dialect("\t" if self.delimiter in BLANKS else self.delimiter, *self[1:3])

    def tidy(self, line: str) -> str:
        """A line with one tab for blanks between cells, and without a frame."""
        text = line.rstrip("\r\n")
        bare, end = text.strip(" \t"), line[len(text):]
        if self.framed and bare.startswith(self.delimiter) and bare.endswith(self.delimiter):
            text = bare[len(self.delimiter):-len(self.delimiter)]
        if self.delimiter in BLANKS:
            parts = bare.split(self.quote) if self.quote else [bare]
            parts[::2] = [re.sub(BLANKS[self.delimiter], "\t", part) for part in parts[::2]]
            text = self.quote.join(parts)
        return text + end


class Record(NamedTuple):
    """A record, or a line without cells (`cells` is empty), or one that can't be read (None).

    `line` counts physical lines from 1, `lines` says how many the record has; `repaired`: its cells
    are what only one reading of a damaged line gives.
    """

    line: int
    lines: int
    text: str
    cells: list[str] | None
    reason: str = ""
    repaired: bool = False


class Mender(Protocol):
    """What knows the columns of a table: see src/etl/repair.py."""

    lined: bool  # some cells have several lines

    def repair(self, text: str, cells: list[str] | None) -> list[str] | None:
        """The only cells that a damaged record can mean, or None."""

    def unwrap(self, cells: list[str]) -> list[str] | None:
        """The cells without quotes that mean nothing, or None."""

    def begins(self, line: str) -> bool:
        """Whether a line may be the beginning of a record."""

    def fits(self, cells: list[str]) -> bool:
        """Whether cells are of the kinds that the columns have."""


class Lines:
    """Lines of a file; those taken too many can be given back."""

    tidy: Callable[[str], str] | None = None  # what is done to each line at first

    def __init__(self, file: Iterable[str]) -> None:
        self.file, self.number = iter(file), 0
        self.returned: list[str] = []

    def take(self) -> str | None:
        """The next line, None behind the last one."""
        line = self.returned.pop() if self.returned else next(self.file, None)
        if line is not None and self.tidy is not None:
            line = self.tidy(line)
        self.number += line is not None
        return line

    def give_back(self, lines: list[str]) -> None:
        """Undo the last calls of take."""
        self.number -= len(lines)
        self.returned.extend(reversed(lines))


def read_records(lines: Lines, dialect: Dialect, width: int | None = None,
                 mender: Mender | None = None, skip_bare: bool = False) -> Iterator[Record]:
    """Every line of a file, in order, as part of exactly one record.

    Args:
        width: how many cells a record has; None takes any number.
        skip_bare: a line of nothing but delimiters is no record.
    """
    if dialect.framed or dialect.delimiter in BLANKS:
        lines.tidy, dialect = dialect.tidy, dialect.plain()
    while (line := lines.take()) is not None:
        if width != 1 and is_no_record(line, dialect, skip_bare):
            yield Record(lines.number, 1, line.rstrip("\r\n"), [])
        else:
            yield _read(line, lines, dialect, width, mender)


def is_no_record(line: str, dialect: Dialect, skip_bare: bool) -> bool:
    """Whether a line is blank, a ruled line, or, where these are skipped, delimiters only."""
    text = line.strip("\r\n")
    if skip_bare and not text.replace(dialect.delimiter, "").strip():
        return True
    return dialect.delimiter not in text and not text.strip() or \
        RULED.fullmatch(text.strip()) is not None


def split_cells(text: str, dialect: Dialect) -> tuple[list[str] | None, bool]:
    """The cells of a record, None when quotes are out of order; whether one is still open."""
    delimiter, quote, escape, _ = dialect
    if (not quote or quote not in text) and (not escape or escape not in text):
        return text.split(delimiter), False
    cells: list[str] = []
    place, (pattern, opened) = 0, _patterns(dialect)
    while found := pattern.match(text, place):
        inside, plain, end = found.groups()
        if escape:
            cells.append(re.sub(_escaped(dialect), r"\1", plain if inside is None else inside))
        else:
            cells.append(plain if inside is None else inside.replace(quote * 2, quote))
        if not end:
            return cells, False
        place = found.end()
    return None, opened.match(text, place) is not None


@cache
def _patterns(dialect: Dialect) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A cell, quoted or not, with the delimiter after it; and a quoted one that goes on."""
    mark, quote = re.escape(dialect.delimiter), re.escape(dialect.quote)
    other = f"[^{mark}\\r\\n]" if len(dialect.delimiter) == 1 else rf"(?!{mark})[^\r\n]"
    blank = " *" if dialect.delimiter.strip(" ") else ""
    plain = f"({other[:-1]}]*+)" if other.startswith("[") else f"((?:{other})*+)"
    if dialect.escape:
        plain = rf"((?:\\.|{other[:-1]}\\])*+)"
        inside = rf"([^{quote}\\]*+(?:(?:\\.|{quote}{quote})[^{quote}\\]*+)*+)"
    else:
        inside = f"([^{quote}]*+(?:{quote}{quote}[^{quote}]*+)*+)"
    if not quote:
        return re.compile(rf"(?:(?!)()|{plain})({mark}|\Z)", re.DOTALL), re.compile("(?!)")
    quoted = f"{blank}{quote}{inside}"
    return (re.compile(rf"(?:{quoted}{quote}{blank}|(?!{blank}{quote}){plain})({mark}|\Z)",
                       re.DOTALL), re.compile(quoted + r"\\?\Z", re.DOTALL))


@cache
def _escaped(dialect: Dialect) -> re.Pattern[str]:
    """A sign that a backslash keeps from its meaning; before others a backslash is a text."""
    signs = [sign for sign in ("\\", dialect.quote, dialect.delimiter) if sign]
    both = f"|{re.escape(dialect.quote)}(?={re.escape(dialect.quote)})" if dialect.quote else ""
    return re.compile(rf"(?:\\(?={'|'.join(map(re.escape, signs))}){both})(.)", re.DOTALL)


def _read(line: str, lines: Lines, dialect: Dialect, width: int | None,
          mender: Mender | None) -> Record:
    """The record that begins with a line; lines after it belong to it only if all of it fits."""
    first, number, more = line.rstrip("\r\n"), lines.number, list[str]()
    text = first
    cells, is_open = split_cells(text, dialect)
    while is_open and len(more) < MAX_RECORD_LINES and (following := lines.take()) is not None:
        more.append(following)
        if dialect.quote in following and (dialect.escape or _may_close(dialect, following)):
            text = "".join([line, *more]).rstrip("\r\n")
            cells, is_open = split_cells(text, dialect)
    whole = cells is not None and not (more and mender and _are_records([line, *more], dialect,
                                                                        width, mender))
    if cells is not None and whole:
        extra = cells[width:] if width else []
        if width in (None, len(cells)) or extra and not any(map(str.strip, extra)):
            if extra and mender and not mender.fits(cells[:width]) and \
                    (mended := mender.repair(text, cells)):
                return Record(number, 1 + len(more), text, mended, repaired=True)
            if mender and ('"' in text or "'" in text) and (bare := mender.unwrap(cells[:width])):
                return Record(number, 1 + len(more), text, bare, repaired=True)
            return Record(number, 1 + len(more), text, cells[:width], repaired=bool(extra))
        if more and mender and not any(map(mender.begins, more)) and \
                (mended := mender.repair(text, cells)):
            return Record(number, 1 + len(more), text, mended, repaired=True)
    lines.give_back(more)
    alone = cells if not more else None
    if mender and (mended := mender.repair(first, alone)):
        return Record(number, 1, first, mended, repaired=True)
    if mender and mender.lined and (found := _mend_lines(line, lines, dialect, mender)):
        return found
    reason = "a stray quote" if alone is None else f"{len(alone)} cells instead of {width}"
    return Record(number, 1, first, None, reason)


def _may_close(dialect: Dialect, line: str) -> bool:
    """Whether not all quotes of a line are doubled: else a text that is open stays so."""
    return dialect.quote in line.replace(dialect.quote * 2, "")


def _mend_lines(line: str, lines: Lines, dialect: Dialect, mender: Mender) -> Record | None:
    """A damaged record of a few lines; those after the first one begin no record."""
    taken, number = [line], lines.number
    while len(taken) < MAX_TORN_LINES and (following := lines.take()) is not None:
        taken.append(following)
        if mender.begins(following):
            break
        text = "".join(taken).rstrip("\r\n")
        if mended := mender.repair(text, split_cells(text, dialect)[0]):
            return Record(number, len(taken), text, mended, repaired=True)
    lines.give_back(taken[1:])
    return None


def _are_records(lines: list[str], dialect: Dialect, width: int | None, mender: Mender) -> bool:
    """Whether the lines of a text in quotes are records by themselves: then quotes are damage."""
    fitting = 0
    for line in lines:
        cells = [cell.strip().strip(dialect.quote) for cell in
                 line.rstrip("\r\n").split(dialect.delimiter)]
        if len(cells) != width:
            return False
        fitting += mender.fits(cells)
    return 2 * fitting > len(lines)
