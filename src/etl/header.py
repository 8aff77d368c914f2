"""Which rows name the columns, and what they call them: told from the kinds of what is below."""

from collections.abc import Sequence

from src.etl.kinds import kind_of, main_kind

ROWS = 100  # that are looked at to tell names from values
MAX_NAMES_ROWS = 4


def count_header_rows(rows: Sequence[Sequence[str]], width: int) -> int:
    """How many of the first rows name the columns."""
    rows = [[*row[:width], *[""] * (width - len(row))] for row in rows[:ROWS]]
    sparse = _sparse_rows(rows, width)
    if sparse:
        return sparse + 1
    if not rows or width > 1 and not names_columns(rows[0], rows[1:]):
        return 0 if not _spans(rows, width) else _more_names(rows, width)
    if width == 1 and not names_columns(rows[0], rows[1:]):
        return 0
    return _more_names(rows, width) if width > 1 else 1


def join_names(names: Sequence[Sequence[str]], width: int) -> list[str]:
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


def names_columns(row: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether a row names the columns: it is of another kind than what is below it."""
    gains, losses = kind_votes(row, body)
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
        if len(below) > 1 and len(set(below)) < 0.7 * len(below):
            seen += 1
            repeated += cell.strip() in below
    return not repeated or repeated < seen / 2


def kind_votes(row: Sequence[str], body: Sequence[Sequence[str]]) -> tuple[int, int]:
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


def stand_out(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a row of these names would be no record, for some column's values are no texts."""
    return kind_votes(names, [row for row in rows
                              if [cell.strip() for cell in row] != list(names)])[0] > 0


def _sparse_rows(rows: Sequence[Sequence[str]], width: int) -> int:
    """How many rows of names for some columns only stand above the row that names all of them."""
    count = 0
    while count < min(MAX_NAMES_ROWS, len(rows) - 2) and \
            2 * sum(bool(cell.strip()) for cell in rows[count]) < width and \
            all(kind_of(cell.strip()) in ("text", "") for cell in rows[count]):
        count += 1
    full = count and all(cell.strip() for cell in rows[count])
    return count if full and kind_votes(rows[count], rows[count + 1:])[0] and \
        not kind_votes(rows[count], rows[count + 1:])[1] else 0


def _spans(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether a first row with gaps stands above a row of names."""
    return len(rows) > 2 and any(not cell.strip() for cell in rows[0]) and \
        all(cell.strip() for cell in rows[1]) and names_columns(rows[1], rows[2:]) and \
        kind_votes(rows[1], rows[2:])[0] > 0 and \
        all(kind_of(cell.strip()) in ("text", "") for cell in rows[0])


def _more_names(rows: Sequence[Sequence[str]], width: int) -> int:
    """How many of the rows below the first one are names as well: groups above, units below."""
    count = 1
    while count < min(MAX_NAMES_ROWS, len(rows) - 1):
        row, above = rows[count], rows[count - 1]
        gains, losses = kind_votes(row, rows[count + 1:])
        typed = gains + losses
        texts = [cell.strip() for cell in row if cell.strip()]
        units = len(texts) > 1 and all(text[0] in "[(" and text[-1] in "])" for text in texts)
        spans = any(not cell.strip() for cell in above) or len(set(above)) < len(above)
        # x, y, x, y below A, , B, are names of four columns, too
        distinct = 1 < len(texts) in (len(set(texts)),
                                      len(set(join_names(rows[:count + 1], width))))
        if losses or not gains or not (units or spans and distinct or
                                       gains > 2 and distinct and len(texts) == width):
            break
        if typed and any(cell.strip() in {each[place].strip() for each in rows[count + 1:]}
                         for place, cell in enumerate(row) if cell.strip()):
            break
        count += 1
    return count
