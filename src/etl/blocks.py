"""The lines of a file as blocks of rows that belong together; one of them is the table.

A file may hold notes, blank and ruled lines, and several tables: the first complete one, which has
names and a record, is read.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from src.etl.dialect import COMMON
from src.etl.header import kind_votes, names_columns
from src.etl.kinds import kind_of
from src.etl.records import MAX_TORN_LINES, Dialect, Record

SIGNS = ("", "#", "%", "//", ";")  # alone before names, a line is a remark to other programs


class Row(NamedTuple):
    """A line or lines that are no gap: the place among all records, and the cells."""

    place: int
    cells: list[str]
    filled: int


def filled_rows(records: Sequence[Record], places: Iterable[int], dialect: Dialect) -> list[Row]:
    """The records that hold something."""
    return [Row(place, cells, sum(bool(cell.strip()) for cell in cells))
            for place in places if (cells := _cells(records[place], dialect)) and
            any(map(str.strip, cells))]


def split_rows(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that belong together: no gap between them, and one width but for single rows."""
    blocks: list[list[Row]] = []
    width = 0
    for number, row in enumerate(rows):
        following = rows[number + 1] if number + 1 < len(rows) else None
        gap = not blocks or row.place != rows[number - 1].place + 1
        lasting = len(row.cells) != width and (
            following is not None and following.place == row.place + 1
            and len(following.cells) == len(row.cells))
        if gap or lasting:
            blocks.append([])
            width = len(row.cells)
        blocks[-1].append(row)
    return blocks


def first_table(blocks: Sequence[list[Row]]) -> tuple[list[Row], int]:
    """The rows of the first complete table, and how many more tables there are."""
    def is_table(block: list[Row]) -> bool:
        width = usual_width(block)
        return width > 1 and sum(len(row.cells) == width for row in block) > 1 and \
            any(row.filled > 1 for row in block)
    tables = [place for place, block in enumerate(blocks) if is_table(block)]
    if not tables:
        wide = [place for place, block in enumerate(blocks) if usual_width(block) > 1]
        if not wide:
            return [row for block in blocks for row in block], 0
        tables = wide[:1]
    first = tables[0]
    for place in tables[1:]:  # pairs of a word and a value above a wider and longer table are notes
        if usual_width(blocks[first]) == 2 and usual_width(blocks[place]) > 2 and \
                len(blocks[first]) < 10 and len(blocks[place]) > len(blocks[first]):
            first = place
    main, others, width = list(blocks[first]), 0, usual_width(blocks[first])
    pending: list[Row] = []
    for place in range(first + 1, len(blocks)):
        block = blocks[place]
        same = usual_width(block) == width and not _is_title(pending, main)
        if others == 0 and same and _goes_on(main, block, width):
            main += pending + block
            pending = []
        elif others == 0 and not is_table(block) and len(block) < 3:
            pending = pending + block
        else:
            others += is_table(block)
    return main, others


def usual_width(rows: Sequence[Row]) -> int:
    """The most frequent number of cells; the wider of equally frequent ones."""
    counts = Counter(len(row.cells) for row in rows)
    return max(counts, key=lambda width: (counts[width], width))


def with_names_above(rows: Sequence[Row], main: list[Row], width: int,
                     dialect: Dialect) -> list[Row]:
    """The table with the row above it where that has the names, one delimiter more or less."""
    higher = [row for row in rows if row.place < main[0].place][-MAX_TORN_LINES:]
    body = [row.cells for row in main if len(row.cells) == width]
    if not higher or kind_votes(body[0], body[1:])[0] > kind_votes(body[0], body[1:])[1]:
        return main
    for number, row in enumerate(higher):  # the first record may be damaged
        if len(row.cells) == width == len({*row.cells} - {""}) and \
                all(kind_of(cell.strip()) == "text" for cell in row.cells) and \
                main[0].place - row.place == len(higher) - number:
            return [*higher[number:], *main]
    above = higher[-1]
    cells = above.cells
    if len(cells) > width:
        there = [cell for cell in cells if cell.strip() not in SIGNS]
        cells = there if len(there) == width else cells
    if above.place < main[0].place - 1 and len(cells) != width:
        return main  # a ruled line may stand below names; a gap stands below notes
    if len(cells) < width:
        others = [cells[0].split(mark) for mark in COMMON] if len(cells) == 1 else []
        cells = next((each for each in others if len(each) == width), cells)
    near = abs(len(cells) - width) <= max(1, width // 4) and len(cells) > 1
    filled = [cell.strip() for cell in cells if cell.strip()]
    if near and len(set(filled)) == len(filled) > 0.6 * width and \
            all(kind_of(cell) == "text" for cell in filled):
        return [Row(above.place, cells, len(filled)), *main]
    return main


def _cells(record: Record, dialect: Dialect) -> list[str]:
    """The cells of a record; of one whose quotes are out of order, what its delimiters tell."""
    if record.cells is not None:
        return record.cells
    return [cell.strip().strip(dialect.quote)
            for cell in record.text.split(dialect.plain().delimiter)]


def _is_title(pending: Sequence[Row], main: Sequence[Row]) -> bool:
    """Whether rows between two blocks are the next table's title: one text, apart from both."""
    return any(row.filled == 1 for row in pending) and bool(main) and \
        any(row.place != main[-1].place + 1 for row in pending[:1])


def _goes_on(main: Sequence[Row], block: Sequence[Row], width: int) -> bool:
    """Whether a block is more of the same table: its first row doesn't name columns."""
    rows = [row.cells for row in main if len(row.cells) == width]
    first = next(row.cells for row in block if len(row.cells) == width)
    if [cell.strip() for cell in first] == [cell.strip() for cell in rows[0]]:
        return False
    body = rows[1:] if len(rows) > 1 else rows
    gains, losses = kind_votes(first, body)
    if gains + losses:
        return losses >= gains
    return not (names_columns(first, [row.cells for row in block][1:]) and
                names_columns(rows[0], rows[1:]) and kind_votes(rows[0], rows[1:])[0])
