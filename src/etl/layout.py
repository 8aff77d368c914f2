"""Where the table is in a file: lines above it, rows of names, records, lines below it."""

from collections.abc import Sequence
from typing import NamedTuple

from src.etl.blocks import Row, filled_rows, first_table, split_rows, usual_width, with_names_above
from src.etl.header import count_header_rows, join_names, kind_votes
from src.etl.notes import count_notes_above, count_notes_below
from src.etl.records import Dialect, Record

MOST_NOTES = 20  # rows of them
ENOUGH = 5  # records that tell whether a column is ever empty


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
    rows = filled_rows(records, kept, dialect)
    if not rows:
        return None
    blocks = split_rows(rows)
    main, others = (rows, 0) if above is not None else first_table(blocks)
    # where the place of the names is known, they tell how many columns there are
    width = len(rows[header - 1].cells) if above is not None and header and len(rows) >= header \
        else usual_width(main)
    if width > 1 and above is None and main is not rows:
        main = with_names_above(rows, main, width, dialect)
    main = main[0 if above is not None else count_notes_above(main, width):]
    main = main[:len(main) - (0 if below is not None else count_notes_below(main, width))]
    if header is None:
        main = main[_apart(main) if above is None else 0:]
        header = count_header_rows([row.cells for row in main], width)
    names = [_sound_names(row.cells, records[row.place].text, dialect) for row in main[:header]]
    body = [row.cells for row in main[header:] if len(row.cells) == width]
    if header == 1 and len(names[0]) < width and dialect.quote:  # "one""two" are two names
        parts = dialect.quote.join(names[0]).split(dialect.quote)
        names[0] = parts if len(parts) == width else names[0]
    if header == 1 and len(names[0]) == width - 1 and dialect.plain().delimiter in " \t" and \
            len({row[0] for row in body}) == len(body):
        names[0].insert(0, "")  # R writes no name above its names of rows
    top = records[main[0].place].line - 1 if main else 0
    last = records[main[-1].place]
    rest = any(row.place > main[-1].place for row in rows)
    total = sum(record.lines for record in records)
    return Layout(above if above is not None else
                  top if any(row.place < main[0].place for row in rows) else 0, header,
                  below if below is not None else
                  total - (last.line + last.lines - 1) if rest else 0,
                  width, join_names(names, width), body,
                  _bare_lines(records) and _never_empty(body) if skip_bare is None else skip_bare,
                  others)


def with_tail(layout: Layout, records: Sequence[Record], dialect: Dialect,
              skip_bare: bool | None = None) -> Layout:
    """The layout of a long file, whose end was not among the records: lines below the table."""
    rows = filled_rows(records, range(len(records)), dialect)
    notes = count_notes_below(rows, layout.width)
    below = 0
    if notes:
        first = records[rows[-notes].place].line
        below = sum(record.lines for record in records if record.line >= first)
    bare = _bare_lines(records) and _never_empty(layout.rows)
    return layout._replace(below=below, skip_bare=layout.skip_bare or bare
                           if skip_bare is None else skip_bare)


def _apart(rows: Sequence[Row]) -> int:
    """How many rows stand above a gap behind which the names are: notes in the table's form."""
    gaps = [number for number in range(1, min(len(rows) - 1, MOST_NOTES))
            if rows[number].place != rows[number - 1].place + 1]
    for number in reversed(gaps):
        gains, losses = kind_votes(rows[number].cells, [row.cells for row in rows[number + 1:]])
        if gains > losses:
            return number
    return 0


def _sound_names(names: list[str], text: str, dialect: Dialect) -> list[str]:
    """Names without a stray quote: their line then has an odd number of quotes."""
    odd = dialect.quote and not dialect.escape and text.count(dialect.quote) % 2
    return [name.strip().strip(dialect.quote) for name in names] if odd else names


def _bare_lines(records: Sequence[Record]) -> bool:
    """Whether some lines hold delimiters only."""
    return any(len(cells) > 1 and not any(map(str.strip, cells))
               for record in records if (cells := record.cells))


def _never_empty(body: Sequence[Sequence[str]]) -> bool:
    """Whether some column has a value in every record: then a line without any is none."""
    return len(body) >= ENOUGH and any(all(cell.strip() for cell in column)
                                       for column in zip(*body))
