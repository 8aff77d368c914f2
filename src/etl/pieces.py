"""The text of a file in pieces, of which lines that are in order are taken many at once."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from src.etl.records import Dialect, Lines

PIECE = 1 << 19  # characters; four times as many bytes are still no longer than a line of DuckDB's
LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n)?+")
FEW = 5  # names that tell whether a line may be the names again
BLANK = r"[^\S\r\n]"  # within a line


class Text(Lines):
    """Lines out of pieces of text that end where a line ends."""

    def __init__(self, pieces: Iterable[str]) -> None:
        self.pieces, self.number = iter(pieces), 0
        self.piece, self.place = "", 0

    def take(self) -> str | None:
        """The next line, None behind the last one."""
        line = self.take_many(LINE)
        return (self.tidy(line) if self.tidy else line) or None

    def give_back(self, lines: list[str]) -> None:
        """Undo the last calls of take."""
        self.number -= len(lines)
        length = sum(map(len, lines))
        if length > self.place or self.tidy:  # they began in a piece before this one, or changed
            self.piece, self.place = "".join(lines) + self.piece[self.place:], length
        self.place -= length

    def take_many(self, pattern: re.Pattern[str]) -> str:
        """The next lines as far as a pattern of whole lines goes within a piece, if it does."""
        if self.place == len(self.piece):
            self.piece, self.place = next(self.pieces, ""), 0
        found = pattern.match(self.piece, self.place)
        if not found:
            return ""
        self.place = found.end()
        self.number += count_lines(found[0])
        return found[0]


def read_pieces(file: TextIO, footer: int, below: list[str]) -> Iterator[str]:
    """The text of a file but its last lines; these go to `below` instead."""
    held, count = deque[tuple[str, int]](), 0
    while piece := file.read(PIECE) + file.readline():
        held.append((piece, count_lines(piece)))
        count += held[-1][1]
        while held and count - held[0][1] >= footer:
            text, lines = held.popleft()
            count -= lines
            yield text
    rest = LINE.findall("".join(text for text, _ in held))[:count]
    below += rest[max(count - footer, 0):]
    if count > footer:
        yield "".join(rest[:count - footer])


def count_lines(text: str) -> int:
    """How many lines a text of whole lines has; the last one needs no end."""
    returns = text.count("\r") - text.count("\r\n") if "\r" in text else 0
    return text.count("\n") + returns + (text != "" and text[-1] not in "\r\n")


def orderly_lines(dialect: Dialect, width: int,
                  names: Sequence[str] | None) -> re.Pattern[str] | None:
    """What matches lines that are one record each, whatever is around them, and need no repair.

    They can be copied as they stand. None where DuckDB could not read a copy.
    """
    mark, quote, escape = map(re.escape, dialect[:3])
    single = (dialect.delimiter, dialect.quote or '"')
    if dialect.framed or not all(len(sign.encode()) == 1 for sign in single) or \
            dialect.delimiter in {"'", '"', dialect.quote}:
        return None
    odd = rf"\r\n\0\ufeff\udc00-\udcff'\"{quote}{escape}"
    # whether a line repeats the names is told from its delimiters, a blank one too
    inside = odd + mark if names and dialect.delimiter.isspace() else odd
    cell, rich = f"[^{odd}{mark}]*+", _with_quotes(dialect, odd + mark, "")
    if quote:
        cell = f"(?:{quote}[^{inside}]*+{quote}|{cell})"
        rich = f"{quote}{_with_quotes(dialect, inside, quote * 2)}{quote}|{rich}"
    rich = rf"(?>(?:{cell}|{rich})(?=[{mark}\r\n]))"  # slower: only where the first one fails
    lines = "|".join(f"(?:{each}{mark}){{{width - 1}}}{each}" for each in (cell, rich))
    other = rf"(?!(?:{BLANK}|[-=_*~+#|:,;{mark}])*+\r?\n)"
    if names and len(names) == width:
        around = rf"[^\S\r\n{mark}]*+(?:{quote})?+[^\S\r\n{mark}]*+"
        signs = [[f"(?:{quote}){{1,2}}" if sign == dialect.quote else re.escape(sign)
                  for sign in name] for name in names[:FEW]]
        first = [around + "".join(name) + around for name in signs]
        other += f"(?!{mark.join(first)}[{mark}\r\n])"
    return re.compile(rf"(?:{other}(?:{lines})\r?\n)++")


def _with_quotes(dialect: Dialect, odd: str, pair: str) -> str:
    """What matches a text with quotes in it that mean nothing: single ones, not at its ends."""
    alone = [sign for sign in "'\"" if sign != (dialect.quote or '"')]
    within = "|".join([f"{sign}(?!{sign})" for sign in alone] +
                      [f"{pair}(?!{pair[:len(pair) // 2]})"] * bool(pair))
    return rf"(?![\s'\"])(?:[^{odd}]++|{within})++(?<![\s'\"])"
