"""Where the table is in a file: lines above it, rows of names, records, lines below it.

A file may hold notes, blank and ruled lines, and several tables: the first complete one, which has
names and a record, is read, and what is left out is said.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from src.etl.dialect import COMMON
from src.etl.kinds import kind_of, main_kind
from src.etl.records import Dialect, Record

ROWS = 100  # that are looked at to tell names from values
MAX_NAMES_ROWS = 4
ENOUGH = 5  # records that tell whether a column is ever empty
NOTE_SIGNS = ("#", "*", "//", "--", "(", "[", "%", "©", "†")
NOTE_WORDS = ("source", "note", "total", "sum", "quelle", "summe", "gesamt", "end of", "footnote",
              "generated", "exported", "copyright", "legend")


class Row(NamedTuple):
    """A line or lines that are no gap: the place among all records, and the cells."""

    place: int
    cells: list[str]
    filled: int


class Layout(NamedTuple):
    """Physical lines above and below the table, rows of names, and what stands in the table."""

    above: int
    header_rows: int
    below: int
    width: int
    names: list[str]
    rows: list[list[str]]
    skip_bare: bool
    others: int  # further tables below


def find_table(records: Sequence[Record], dialect: Dialect, header: int | None = None,
               above: int | None = None, below: int | None = None,
               skip_bare: bool | None = None) -> Layout | None:
    """The first complete table among records of any width; None when nothing is there.

    Args:
        header, above, below, skip_bare: what is known already.
    """
    first_line = 0 if above is None else above
    last_line = sum(record.lines for record in records) - (below or 0)
    kept = [place for place, record in enumerate(records) if first_line < record.line <= last_line]
    rows = _rows(records, kept, dialect)
    if not rows:
        return None
    blocks = _split(rows)
    main, others = (rows, 0) if above is not None else _main(blocks)
    # where the place of the names is known, they tell how many columns there are
    width = len(rows[header - 1].cells) if above is not None and header and len(rows) >= header \
        else _width(main)
    if width > 1 and above is None and main is not rows:
        main = _with_names_above(rows, main, width, dialect)
    main = main[0 if above is not None else _notes_before(main, width):]
    main = main[:len(main) - (0 if below is not None else _notes_behind(main, width))]
    if header is None:
        header = count_header_rows([row.cells for row in main], width)
    names = [row.cells for row in main[:header]]
    body = [row.cells for row in main[header:] if len(row.cells) == width]
    top = records[main[0].place].line - 1 if main else 0
    last = records[main[-1].place]
    rest = any(row.place > main[-1].place for row in rows)
    total = sum(record.lines for record in records)
    return Layout(above if above is not None else
                  top if any(row.place < main[0].place for row in rows) else 0, header,
                  below if below is not None else
                  total - (last.line + last.lines - 1) if rest else 0,
                  width, _join(names, width), body,
                  _bare_lines(records) and _never_empty(body) if skip_bare is None else skip_bare,
                  others)


def with_tail(layout: Layout, records: Sequence[Record], dialect: Dialect,
              skip_bare: bool | None = None) -> Layout:
    """The layout of a long file, whose end was not among the records: lines below the table."""
    rows = _rows(records, range(len(records)), dialect)
    notes = _notes_behind(rows, layout.width)
    below = 0
    if notes:
        first = records[rows[-notes].place].line
        below = sum(record.lines for record in records if record.line >= first)
    bare = _bare_lines(records) and _never_empty(layout.rows)
    return layout._replace(below=below, skip_bare=layout.skip_bare or bare
                           if skip_bare is None else skip_bare)


def count_header_rows(rows: Sequence[Sequence[str]], width: int) -> int:
    """How many of the first rows name the columns."""
    rows = [[*row[:width], *[""] * (width - len(row))] for row in rows[:ROWS]]
    sparse = _sparse_rows(rows, width)
    if sparse:
        return sparse + 1
    if not rows or width > 1 and not _names(rows[0], rows[1:]):
        return 0 if not _spans(rows, width) else _more_names(rows, width)
    if width == 1 and not _names(rows[0], rows[1:]):
        return 0
    return _more_names(rows, width) if width > 1 else 1


def _rows(records: Sequence[Record], places: Iterable[int], dialect: Dialect) -> list[Row]:
    """The records that hold something."""
    return [Row(place, cells, sum(bool(cell.strip()) for cell in cells))
            for place in places if (cells := _cells(records[place], dialect)) and
            any(map(str.strip, cells))]


def _bare_lines(records: Sequence[Record]) -> bool:
    """Whether some lines hold delimiters only."""
    return any(len(cells) > 1 and not any(map(str.strip, cells))
               for record in records if (cells := record.cells))


def _never_empty(body: Sequence[Sequence[str]]) -> bool:
    """Whether some column has a value in every record: then a line without any is none."""
    return len(body) >= ENOUGH and any(all(cell.strip() for cell in column)
                                       for column in zip(*body))


def _cells(record: Record, dialect: Dialect) -> list[str]:
    """The cells of a record; of one whose quotes are out of order, what its delimiters tell."""
    if record.cells is not None:
        return record.cells
    return [cell.strip().strip(dialect.quote) for cell in record.text.split(dialect.delimiter)]


def _split(rows: Sequence[Row]) -> list[list[Row]]:
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


def _width(rows: Sequence[Row]) -> int:
    """The most frequent number of cells; the wider of equally frequent ones."""
    counts = Counter(len(row.cells) for row in rows)
    return max(counts, key=lambda width: (counts[width], width))


def _main(blocks: Sequence[list[Row]]) -> tuple[list[Row], int]:
    """The rows of the first complete table, and how many more tables there are."""
    def is_table(block: list[Row]) -> bool:
        width = _width(block)
        return width > 1 and sum(len(row.cells) == width for row in block) > 1 and \
            any(row.filled > 1 for row in block)
    tables = [place for place, block in enumerate(blocks) if is_table(block)]
    if not tables:
        wide = [place for place, block in enumerate(blocks) if _width(block) > 1]
        if not wide:
            return [row for block in blocks for row in block], 0
        tables = wide[:1]
    first = tables[0]
    for place in tables[1:]:  # pairs of a word and a value above a wider and longer table are notes
        if _width(blocks[first]) == 2 and _width(blocks[place]) > 2 and \
                len(blocks[first]) < 10 and len(blocks[place]) > len(blocks[first]):
            first = place
    main, others, width = list(blocks[first]), 0, _width(blocks[first])
    pending: list[Row] = []
    for place in range(first + 1, len(blocks)):
        block = blocks[place]
        same = _width(block) == width and not pending_is_title(pending, main)
        if others == 0 and same and _goes_on(main, block, width):
            main += pending + block
            pending = []
        elif others == 0 and not is_table(block) and len(block) < 3:
            pending = pending + block
        else:
            others += is_table(block)
    return main, others


def pending_is_title(pending: Sequence[Row], main: Sequence[Row]) -> bool:
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
    gains, losses = _votes(first, body)
    if gains + losses:
        return losses >= gains
    return not _names(first, [row.cells for row in block][1:]) or not _names(rows[0], rows[1:]) \
        or not _votes(rows[0], rows[1:])[0]


def _with_names_above(rows: Sequence[Row], main: list[Row], width: int,
                      dialect: Dialect) -> list[Row]:
    """The table with the row above it where that has the names, one delimiter more or less."""
    above = next((row for row in reversed(rows) if row.place < main[0].place), None)
    body = [row.cells for row in main if len(row.cells) == width]
    if above is None or _votes(body[0], body[1:])[0] > _votes(body[0], body[1:])[1]:
        return main
    cells = above.cells
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


def _notes_before(rows: Sequence[Row], width: int) -> int:
    """How many rows at the top hold one text in the first cell, above rows that hold more."""
    if width == 1:
        return 0
    count = 0
    while count + 2 < len(rows) and rows[count].filled == 1 and rows[count].cells[0].strip():
        count += 1
    usual = sorted(row.filled for row in rows)[len(rows) // 2]
    if width == 2:  # the second name may be missing
        body = [row.cells for row in rows[count:]]
        return count if count and usual == 2 and all(body[0]) and _votes(body[0], body[1:])[0] \
            else 0
    return count if usual > 1 else 0


def _notes_behind(rows: Sequence[Row], width: int) -> int:
    """How many rows at the bottom are remarks: one text in the first cell, or of another width."""
    if width == 1 or len(rows) < 3:
        return 0
    body = [row for row in rows[1:] if len(row.cells) == width and row.filled > 1]
    if not body or sum(row.filled > 1 for row in rows) < 3:
        return 0
    first = [row.cells[0].strip() for row in body]
    kind, longest = main_kind(first), max(map(len, first))
    count = 0
    for row in reversed(rows[1:]):
        text = row.cells[0].strip()
        whole = len(row.cells) == width
        foreign = kind not in ("text", "") and kind_of(text) == "text" and text[:1].isalpha()
        remark = text.lower().startswith(NOTE_SIGNS + NOTE_WORDS) or ": " in text
        alone = row.filled == 1 and text != "" and width > 2 and (
            foreign or remark or whole and kind == "text" or
            not whole and len(text) > 2 * longest and not any(mark in text for mark in COMMON))
        if not alone and (whole or not remark):
            break
        count += 1
    others = sum(row.filled == 1 for row in rows[1:len(rows) - count])
    return count if others <= len(rows) / 50 else 0


def _votes(row: Sequence[str], body: Sequence[Sequence[str]]) -> tuple[int, int]:
    """In how many columns a row differs in kind from those below it, and in how many it agrees."""
    gains = losses = 0
    for place, cell in enumerate(row):
        kind = main_kind((each[place].strip() for each in body[:ROWS] if place < len(each)), 0.8)
        own = kind_of(cell.strip().strip("'\""))  # a damaged record is no row of names
        if kind in ("number", "date", "time") and own:
            if own == kind or own != "text":
                losses += 1
            else:
                gains += 1
    return gains, losses


def _names(row: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether a row names the columns: it is of another kind than what is below it."""
    gains, losses = _votes(row, body)
    if gains or losses:
        years = [cell.strip() for cell in row if cell.strip().isdigit()]
        counted = len(years) > 1 and len(years) == losses and \
            all(int(b) - int(a) == 1 for a, b in zip(years, years[1:]))
        return gains > losses or gains == losses and gains > 0 or bool(counted) and \
            any(kind_of(cell.strip()) == "text" for cell in row) and int(years[0]) > 1000
    if any(kind_of(cell.strip()) not in ("text", "") for cell in row):
        return any(main_kind(each[place].strip() for each in body if place < len(each)) == "text"
                   for place, cell in enumerate(row) if kind_of(cell.strip()) not in ("text", ""))
    seen = repeated = 0
    for place, cell in enumerate(row):
        below = [each[place].strip() for each in body if place < len(each) and each[place].strip()]
        if len(below) > 4 and len(set(below)) < 0.7 * len(below):
            seen += 1
            repeated += cell.strip() in below
    return not repeated or repeated < seen / 2


def _sparse_rows(rows: Sequence[Sequence[str]], width: int) -> int:
    """How many rows of names for some columns only stand above the row that names all of them."""
    count = 0
    while count < min(MAX_NAMES_ROWS, len(rows) - 2) and \
            2 * sum(bool(cell.strip()) for cell in rows[count]) < width and \
            all(kind_of(cell.strip()) in ("text", "") for cell in rows[count]):
        count += 1
    full = count and all(cell.strip() for cell in rows[count])
    return count if full and _votes(rows[count], rows[count + 1:])[0] and \
        not _votes(rows[count], rows[count + 1:])[1] else 0


def _spans(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether a first row with gaps stands above a row of names."""
    return len(rows) > 2 and any(not cell.strip() for cell in rows[0]) and \
        all(cell.strip() for cell in rows[1]) and _names(rows[1], rows[2:]) and \
        _votes(rows[1], rows[2:])[0] > 0 and \
        all(kind_of(cell.strip()) in ("text", "") for cell in rows[0])


def _more_names(rows: Sequence[Sequence[str]], width: int) -> int:
    """How many of the rows below the first one are names as well: groups above, units below."""
    count = 1
    while count < min(MAX_NAMES_ROWS, len(rows) - 1):
        row, above = rows[count], rows[count - 1]
        gains, losses = _votes(row, rows[count + 1:])
        typed = gains + losses
        texts = [cell.strip() for cell in row if cell.strip()]
        units = len(texts) > 1 and all(text[0] in "[(" and text[-1] in "])" for text in texts)
        spans = any(not cell.strip() for cell in above) or len(set(above)) < len(above)
        distinct = len(set(texts)) == len(texts) > 1
        if losses or not gains or not (units or spans and distinct or
                                       gains > 2 and distinct and len(texts) == width):
            break
        if typed and any(cell.strip() in {each[place].strip() for each in rows[count + 1:]}
                         for place, cell in enumerate(row) if cell.strip()):
            break
        count += 1
    return count


def _join(names: Sequence[Sequence[str]], width: int) -> list[str]:
    """One name per column; a group's name holds for the columns behind it, too."""
    joined = [""] * width
    for number, row in enumerate(names):
        cells = [cell.strip() for cell in row]
        if len(cells) > width:  # a delimiter too many between names
            cells = [cell for cell in cells if cell] if len([c for c in cells if c]) == width \
                else cells[:width]
        cells += [""] * (width - len(cells))
        if number < len(names) - 1 and sum(map(bool, cells)) > 1:
            for place in range(1, width):
                cells[place] = cells[place] or cells[place - 1]
        joined = [f"{one} {other}".strip() if one != other else one
                  for one, other in zip(joined, cells)]
    return joined
