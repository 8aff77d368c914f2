"""A damaged record is repaired where only one reading makes sense, else it is left to be rejected.

Possible readings: an empty cell too many or too few, a text with a delimiter in it and no quotes
around it, two cells without a delimiter between them, half a pair of quotes, another dialect in
one line. A reading makes sense when each cell is of the kind that its column has in sound records;
nothing that stands in the line may get lost, but delimiters and quotes.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from src.etl.dialect import COMMON
from src.etl.kinds import MISSING_WORDS, kind_of, main_kind, shape_of
from src.etl.records import Dialect, split_cells

ENOUGH = 5  # sound records, to know the columns from
FEW = 3  # shapes of a column's cells
MOST = 300  # readings of a line that are looked at
LONGEST = 1 << 16  # characters of a line that may be repaired: each reading passes over all of it
MOST_STEPS = 2_000  # on the way to them


class Column(NamedTuple):
    """What the cells of a column are like in sound records."""

    kind: str
    empty: bool  # some are
    shapes: frozenset[str]
    levels: frozenset[str] | None  # all texts there are, where they repeat
    decimals: int | None  # digits behind the last mark, where all have the same number
    length: int | None  # characters, where all have the same number
    wordy: bool  # texts of several words

    def fits(self, cell: str) -> bool:
        """Whether a cell may stand in this column."""
        text = cell.strip()
        if text in MISSING_WORDS:
            return self.empty
        if self.levels is not None:
            return text in self.levels
        if self.kind != "text":
            return kind_of(text) == self.kind and shape_of(text.lstrip("+-")) in self.shapes and \
                self.length in (None, len(text)) and self.decimals in (None, _decimals(text))
        if self.length is not None:
            return len(text) == self.length and shape_of(text) in self.shapes
        return kind_of(text) == "text" or any(kind_of(shape) != "text" for shape in self.shapes)

    def is_usual(self, cell: str) -> bool:
        """Whether a cell has a shape that others have, where these are few."""
        return len(self.shapes) > FEW or shape_of(cell.strip()) in self.shapes or \
            self.kind == "number"


class Columns:
    """The columns of a table, as its sound records show them."""

    def __init__(self, rows: Sequence[Sequence[str]], width: int, dialect: Dialect) -> None:
        sound = [row for row in rows if len(row) == width]
        self.known, self.guessed = len(sound) >= ENOUGH, len(sound) > 1
        self.dialect, self.width = dialect.plain(), width
        self.lined = any("\n" in cell for row in sound for cell in row)
        self.columns = [_describe([cell.strip() for cell in column]) for column in zip(*sound)]

    def fits(self, cells: Sequence[str]) -> bool:
        """Whether each cell is of its column's kind, and the kinds tell columns apart."""
        if not self.known:
            return self._agrees(cells)
        return len(cells) == self.width and \
            any(column.kind not in ("text", "") or column.levels for column in self.columns) and \
            all(column.fits(cell) for column, cell in zip(self.columns, cells))

    def begins(self, line: str) -> bool:
        """Whether a line may be the beginning of a record: several cells, the first one fits."""
        first, mark, _ = line.partition(self.dialect.delimiter)
        return mark != "" and self.columns[0].fits(_bare(first, self.dialect.quote))

    def unwrap(self, cells: list[str]) -> list[str] | None:
        """The cells without quotes that stand for nothing: only so do they fit."""
        bare = [_bare(_bare(cell, '"'), "'") for cell in cells]
        return bare if bare != cells and self.fits(bare) and not self.fits(cells) else None

    def repair(self, text: str, cells: list[str] | None) -> list[str] | None:
        """The cells that a line can only mean; None when there are none, or several."""
        if self.width < 2 or len(text) > LONGEST:
            return None
        if not self.known:
            return self._pieces(text) if cells is None else None
        ways = [self._dialects, self._quotes if cells is None else self._counts]
        if cells is not None and self.dialect.quote and self.dialect.quote in text:
            ways.append(self._quotes)
        for way in ways:
            found: dict[tuple[str, ...], list[str]] = {}
            for number, each in enumerate(way(text, cells or [])):
                if number > MOST or len(found) > 1:
                    break
                if self.fits(each):
                    found.setdefault(tuple(cell.strip() for cell in each), each)
            if found:
                return next(iter(found.values())) if len(found) == 1 else None
        return self._pieces(text) if cells is None else None

    def _agrees(self, cells: Sequence[str]) -> bool:
        """Whether cells are numbers, days and times where those of few records are."""
        kinds = [(column.kind, kind_of(cell.strip())) for column, cell in zip(self.columns, cells)
                 if column.kind not in ("text", "")]
        return self.guessed and len(cells) == self.width and kinds != [] and \
            all(own in (kind, "") for kind, own in kinds)

    def _pieces(self, text: str) -> list[str] | None:
        """What is between the delimiters of a line, where that may be its cells."""
        cells = [_bare(piece, self.dialect.quote) for piece in text.split(self.dialect.delimiter)]
        return cells if not self.lined and self._agrees(cells) else None

    def _dialects(self, text: str, cells: list[str]) -> Iterator[list[str]]:
        """The line in another dialect."""
        for mark in dict.fromkeys([self.dialect.delimiter, *COMMON, " "]):
            for quote in "\"'":
                for escape in ("", "\\"):
                    dialect = Dialect(mark, quote, escape)
                    if dialect != self.dialect and mark in text and \
                            (quote in text or mark != self.dialect.delimiter):
                        other, _ = split_cells(text, dialect)
                        if other is not None and other != cells:
                            yield other

    def _counts(self, text: str, cells: list[str]) -> Iterator[list[str]]:
        """Cells taken out, joined, put in or cut."""
        extra = len(cells) - self.width
        if extra > 0:
            yield from self._without_empty(cells, extra)
            if not self._is_longer(cells):
                for start in range(self.width):
                    if self.columns[start].wordy and all(cells[start:start + extra + 1]):
                        yield self._joined(cells, start, extra)
        elif extra < 0:
            for places in combinations(range(self.width), -extra):
                if all(self.columns[place].empty for place in places):
                    yield self._with_empty(cells, places)
            if extra == -1:
                quote = self.dialect.quote or '"'
                for place, cell in enumerate(cells):
                    for cut in range(1, len(cell)):
                        parts = cell[:cut].removesuffix(quote), cell[cut:].removeprefix(quote)
                        if all(column.is_usual(part) for column, part in
                               zip(self.columns[place:], parts)):
                            yield [*cells[:place], *parts, *cells[place + 1:]]

    def _quotes(self, text: str, cells: list[str]) -> Iterator[list[str]]:
        """The line cut at its delimiters, with quotes at the ends of cells taken off."""
        pieces = text.split(self.dialect.delimiter)
        self.steps = 0
        yield from self._fill(pieces, 0, 0)

    def _fill(self, pieces: list[str], start: int, place: int) -> Iterator[list[str]]:
        """Pieces of a line put together to cells that fit, from a place on."""
        if place == self.width:
            yield from [[]] if start == len(pieces) else []
            return
        mark, quote, *_ = self.dialect
        for end in range(start + 1, len(pieces) - (self.width - place - 1) + 1):
            self.steps += 1
            whole = mark.join(pieces[start:end])
            # only a text that has a quote at one of its ends may hold a delimiter
            if self.steps < MOST_STEPS and (end == start + 1 or _touches(whole, quote)):
                cell = _bare(whole, quote)
                if self.columns[place].fits(cell):
                    for rest in self._fill(pieces, end, place + 1):
                        yield [cell, *rest]

    def _without_empty(self, cells: list[str], extra: int) -> Iterator[list[str]]:
        empty = [place for place, cell in enumerate(cells) if not cell.strip()]
        for places in combinations(empty, extra):
            yield [cell for place, cell in enumerate(cells) if place not in places]

    def _is_longer(self, cells: list[str]) -> bool:
        """Whether a record seems to be followed, or preceded, by more cells: they'd be lost."""
        return self.fits(cells[:self.width]) or self.fits(cells[-self.width:])

    def _joined(self, cells: list[str], start: int, extra: int) -> list[str]:
        whole = self.dialect.delimiter.join(cells[start:start + extra + 1])
        return [*cells[:start], whole, *cells[start + extra + 1:]]

    def _with_empty(self, cells: list[str], places: Sequence[int]) -> list[str]:
        rest = iter(cells)
        return ["" if place in places else next(rest) for place in range(self.width)]


def _describe(cells: Sequence[str]) -> Column:
    """One column from the cells of sound records."""
    there = [cell for cell in cells if cell not in MISSING_WORDS]
    kind = main_kind(there, 0.8)  # damage may have come to some
    texts = [cell for cell in there if kind_of(cell) == kind]
    distinct = frozenset(texts)
    once = sum(count == 1 for count in Counter(texts).values())  # others like these may come
    levels = distinct if kind == "text" and len(texts) >= 3 * len(distinct) and \
        50 * once <= len(texts) else None
    counts = {_decimals(cell) for cell in texts} if kind == "number" else set()
    lengths = {len(cell) for cell in texts}
    even = len(lengths) == 1 and len(distinct) > 1 and (kind != "number" or min(lengths) > 3)
    return Column(kind, len(there) < len(cells), frozenset(
        shape_of(cell.lstrip("+-") if kind == "number" else cell) for cell in texts), levels,
        counts.pop() if len(counts) == 1 else None, lengths.pop() if even else None,
        kind == "text" and levels is None and
        sum(" " in cell.strip() for cell in texts) > len(texts) / 2)


def _decimals(cell: str) -> int:
    """Digits behind the last point or comma; -1 without one."""
    found = re.search(r"[.,](\d*)\D*$", cell)
    return len(found[1]) if found else -1


def _touches(text: str, quote: str) -> bool:
    """Whether a text has a quote at one of its ends."""
    return text.strip().startswith(quote) or text.strip().endswith(quote)


def _bare(cell: str, quote: str) -> str:
    """A cell without the quotes at its ends."""
    text = cell.strip()
    if not quote or quote not in text:
        return cell
    inside = text.removeprefix(quote).removesuffix(quote)
    parts = inside.split(quote * 2)
    parts[0] = parts[0].removeprefix(quote)
    parts[-1] = parts[-1].removesuffix(quote)
    return quote.join(parts)
