"""Files that nobody cleaned: clean tables x every kind of damage x positions, with the answers.

    .venv/bin/python benchmarks/csv/corpus.py FOLDER [--seed 0]

Writes FOLDER/<kind>-<n>.csv and FOLDER/answers.json. The answer is always the clean table, whatever
the damage was: names, values, and the texts that stand for them in the file.
"""

import argparse
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tables import SHAPES, WORDS, Cell, Table, make_table


@dataclass(frozen=True)
class Dialect:
    """How a table is written; `always`: every cell is quoted."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""  # doubled quotes
    end: str = "\n"
    encoding: str = "utf-8"
    always: bool = False
    blank: str = ""  # around cells
    last_end: bool = True

    def cell(self, text: str) -> str:
        """One cell as it stands in the file."""
        special = (self.delimiter, self.quote, "\n", "\r", self.escape or self.quote)
        if self.quote and (self.always or any(sign in text for sign in special)
                           or text != text.strip()):
            inside = text.replace("\\", "\\\\") if self.escape else text
            inside = inside.replace(self.quote, (self.escape or self.quote) + self.quote)
            text = self.quote + inside + self.quote
        return self.blank + text + self.blank

    def line(self, texts: Sequence[str]) -> str:
        """One record without its end."""
        return self.delimiter.join(map(self.cell, texts))

    def lines(self, table: Table, header: bool = True) -> list[str]:
        """All records."""
        rows = [[text for text, _ in row] for row in table.rows]
        return [self.line(row) for row in ([table.names] if header else []) + rows]

    def content(self, lines: Sequence[str]) -> bytes:
        """The file."""
        text = self.end.join(lines) + self.end * self.last_end
        return text.encode(self.encoding)


@dataclass
class Case:
    """A file and its answer; `names` holds what each column may be called, None: no header."""

    kind: str
    content: bytes
    table: Table
    names: list[list[str]] | None

    def answer(self) -> dict[str, Any]:
        """As JSON."""
        return {"kind": self.kind, "names": self.names,
                "rows": [[value for _, value in row] for row in self.table.rows],
                "texts": [[text for text, _ in row] for row in self.table.rows]}


PLAIN = Dialect()
Maker = Callable[[Table, random.Random], Iterator[tuple[bytes, Table, list[list[str]] | None]]]
KINDS: dict[str, Maker] = {}


def kind(name: str) -> Callable[[Maker], Maker]:
    """Register a maker of files under the name of its kind."""
    def register(maker: Maker) -> Maker:
        KINDS[name] = maker
        return maker
    return register


def usual(table: Table) -> list[list[str]]:
    """Names that stand in the file as they are."""
    return [[name] for name in table.names]


def written(table: Table, *dialects: Dialect) -> Iterator[tuple[bytes, Table, list[list[str]]]]:
    """The table in some dialects."""
    for dialect in dialects:
        yield dialect.content(dialect.lines(table)), table, usual(table)


@kind("clean")
def clean(table: Table, rng: random.Random) -> Any:
    """RFC 4180 and its ordinary neighbours."""
    yield from written(table, PLAIN, Dialect(always=True, end="\r\n"), Dialect(last_end=False))


@kind("delimiter")
def delimiter(table: Table, rng: random.Random) -> Any:
    """One character between cells."""
    yield from written(table, *(Dialect(mark) for mark in ";\t|:^~"), Dialect(" "),
                       Dialect("\x1f"), Dialect(";", always=True, end="\r\n"))


@kind("long delimiter")
def long_delimiter(table: Table, rng: random.Random) -> Any:
    """Several characters between cells."""
    yield from written(table, *(Dialect(mark) for mark in ("||", ", ", "\t\t", "::", "~|~", "; ")))


@kind("quote")
def quote(table: Table, rng: random.Random) -> Any:
    """Other quotes, and none."""
    yield from written(table, Dialect(quote="'"), Dialect(quote="'", always=True),
                       Dialect(";", quote="'"), Dialect("\t", always=True))


@kind("escape")
def escape(table: Table, rng: random.Random) -> Any:
    """A backslash before quotes inside quotes."""
    yield from written(table, Dialect(escape="\\"), Dialect(escape="\\", always=True),
                       Dialect(";", escape="\\", always=True))


@kind("line ends")
def line_ends(table: Table, rng: random.Random) -> Any:
    """CR LF, CR alone, and some of each."""
    yield from written(table, Dialect(end="\r\n"), Dialect(end="\r"),
                       Dialect(end="\r", always=True))
    for other in ("\r\n", "\r"):
        text = ""
        lines = PLAIN.lines(table)
        odd = set(rng.sample(range(len(lines)), max(1, len(lines) // 4)))
        for place, line in enumerate(lines):
            text += line + (other if place in odd else "\n")
        yield text.encode(), table, usual(table)


@kind("encoding")
def encoding(table: Table, rng: random.Random) -> Any:
    """With and without a byte order mark, old and wide ones."""
    for name in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1", "utf-32"):
        try:
            yield from written(table, Dialect(encoding=name))
        except UnicodeEncodeError:
            continue
    for name, letters in (("cp1251", "Москва Казань Тверь Омск Пермь Самара".split()),
                          ("shift_jis", "東京都 大阪府 京都府 北海道 沖縄県 神奈川県".split()),
                          ("cp1250", "Łódź Kraków Wrocław Poznań Gdańsk Brno-Žabovřesky".split())):
        places = [(f"{rng.choice(letters)} {rng.choice(letters)}") for _ in table.rows]
        changed = Table([*table.names, "town"], [[*row, (place, place)] for row, place in
                                                 zip(table.rows, places)])
        with_places = [[cell for cell in row if cell[0].isascii()] for row in changed.rows]
        if all(len(row) == len(changed.names) - 1 for row in with_places):
            continue
        rows = [[(cell if cell[0].isascii() or place == len(row) - 1 else ("x", "x"))
                 for place, cell in enumerate(row)] for row in changed.rows]
        yield from written(Table(changed.names, rows), Dialect(encoding=name))


@kind("no header")
def no_header(table: Table, rng: random.Random) -> Any:
    """Records from the first line on."""
    for dialect in (PLAIN, Dialect(";", always=True), Dialect("\t")):
        yield dialect.content(dialect.lines(table, header=False)), table, None


@kind("header rows")
def header_rows(table: Table, rng: random.Random) -> Any:
    """Two or three rows of names: groups above names, units below, one name over some rows."""
    groups = [f"group {n // 2 + 1}" if n % 2 == 0 else "" for n in range(len(table.names))]
    full = [f"group {n // 2 + 1}" for n in range(len(table.names))]
    both = [[name, f"{group} {name}"] for group, name in zip(full, table.names)]
    body = PLAIN.lines(table)
    yield PLAIN.content([PLAIN.line(groups), *body]), table, both
    yield PLAIN.content([PLAIN.line(full), *body]), table, both
    units = [f"[{rng.choice(('m', 'kg', 's', 'pcs'))}]" for _ in table.names]
    yield (PLAIN.content([body[0], PLAIN.line(units), *body[1:]]), table,
           [[name, f"{name} {unit}"] for name, unit in zip(table.names, units)])


@kind("odd names")
def odd_names(table: Table, rng: random.Random) -> Any:
    """Names that are repeated, empty or padded."""
    last = len(table.names) - 1
    for change in ({1: table.names[0]}, {last: ""}, {0: ""}, {1: f"  {table.names[1]} "},
                   {1: table.names[0], 2: table.names[0]}):
        names = [change.get(place, name) for place, name in enumerate(table.names)]
        lines = [",".join(names), *PLAIN.lines(table, header=False)]
        yield PLAIN.content(lines), table, [[name.strip()] for name in names]


@kind("preamble")
def preamble(table: Table, rng: random.Random) -> Any:
    """Lines above the table: a title, notes, with or without delimiters, a gap below."""
    lines, width = PLAIN.lines(table), len(table.names)
    padded = "," * (width - 1)
    for above in (["Report of 2021"], ["Report of 2021", "made by the office, room 5", ""],
                  ["# exported 2021-04-03 10:20", "# do not edit"],
                  ["Report" + padded, "Office 5" + padded, padded],
                  ["Station: north", "Unit: mm", "Version: 3", ""]):
        yield PLAIN.content([*above, *lines]), table, usual(table)


@kind("footer")
def footer(table: Table, rng: random.Random) -> Any:
    """Lines below the table: a source, notes, with or without delimiters, a gap above."""
    lines, width = PLAIN.lines(table), len(table.names)
    padded = "," * (width - 1)
    for below in (["Source: own survey"], ["", "Source: own survey, 2021", "* estimated"],
                  ["# end of file"], ["Checked by the office" + padded, "Room 5" + padded],
                  [padded, "Source: own survey" + padded], [f"({len(table.rows)} rows)"]):
        yield PLAIN.content([*lines, *below]), table, usual(table)


@kind("empty lines")
def empty_lines(table: Table, rng: random.Random) -> Any:
    """Blank lines, lines of delimiters only, ruled lines."""
    lines, width = PLAIN.lines(table), len(table.names)
    bare = "," * (width - 1)
    middle = len(lines) // 2
    yield PLAIN.content([*lines[:middle], "", "", *lines[middle:], "", ""]), table, usual(table)
    yield PLAIN.content(["", "", *lines]), table, usual(table)
    yield PLAIN.content([*lines, *[bare] * 6]), table, usual(table)
    yield PLAIN.content([*lines[:middle], bare, *lines[middle:]]), table, usual(table)
    yield PLAIN.content([bare, *lines]), table, usual(table)
    yield PLAIN.content([lines[0], "-" * 30, *lines[1:]]), table, usual(table)
    bars = Dialect("|", blank=" ")
    ruled = bars.lines(table)
    yield PLAIN.content([ruled[0], "-+-".join(["----"] * width), *ruled[1:]]), table, usual(table)


@kind("several tables")
def several_tables(table: Table, rng: random.Random) -> Any:
    """Another table below the first one: with and without a gap, a title, the same width."""
    other = make_table("numbers" if len(table.names) != 4 else "measures", rng.randrange(99))
    same = Table([f"{name} 2" for name in table.names], table.rows[: len(table.rows) // 2])
    first, second, third = (PLAIN.lines(each) for each in (table, other, same))
    yield PLAIN.content([*first, "", *second]), table, usual(table)
    yield PLAIN.content([*first, "", "Table 2", *second]), table, usual(table)
    yield PLAIN.content([*first, *second]), table, usual(table)
    yield PLAIN.content([*first, "", *third]), table, usual(table)
    yield PLAIN.content(["Table 1", *first, "", "Table 2", *third]), table, usual(table)


@kind("numbers as people write them")
def written_numbers(table: Table, rng: random.Random) -> Any:
    """Decimal commas, thousands, percent, currency."""
    def comma(value: float) -> str:
        return f"{value:.2f}".replace(".", ",")

    def grouped(value: float) -> str:
        return f"{value:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")
    styles: dict[str, tuple[Callable[[float], str], float]] = {
        "decimal comma": (comma, 1), "thousands": (lambda value: f"{value * 100:,.2f}", 100),
        "points and comma": (lambda value: grouped(value * 100), 100),
        "percent": (lambda value: f"{value:.2f}%", 0.01),
        "currency": (lambda value: f"${value:,.2f}", 1),
        "euro": (lambda value: f"{comma(value)} €", 1),
        "blank thousands": (lambda value: f"{value * 1000:,.1f}".replace(",", " "), 1000)}
    for name, (form, factor) in styles.items():
        rows = [[restyle(cell, kind, form, factor) for cell, kind in zip(row, table.kinds)]
                for row in table.rows]
        dialect = Dialect(";" if "," in form(1.5) else ",")
        yield from written(Table(table.names, rows, table.kinds), dialect)


def restyle(cell: Cell, kind: str, form: Callable[[float], str], factor: float) -> Cell:
    """A decimal number in another form."""
    if kind not in ("float", "large") or cell[1] is None:
        return cell
    text = form(cell[1])
    digits = 1 if factor == 1000 else 4
    return text, round(cell[1] * factor, digits)


@kind("missing words")
def missing_words(table: Table, rng: random.Random) -> Any:
    """Words for no value, in a tenth of the cells after the first column."""
    for word in ("", "NA", "N/A", "?", "-", "NULL", "n.a.", "#N/A", "."):
        rows = [[(word, None) if place and rng.random() < 0.1 else cell
                 for place, cell in enumerate(row)] for row in table.rows]
        yield from written(Table(table.names, rows), PLAIN)


@kind("dates and times")
def dates_and_times(table: Table, rng: random.Random) -> Any:
    """A column of days or times in other forms."""
    days = [f"{rng.randint(2015, 2022)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
            for _ in table.rows]
    days[0] = "2017-03-25"
    clocks = [f"{rng.randrange(24):02}:{rng.randrange(60):02}:00" for _ in table.rows]
    forms: dict[str, Callable[[str, str], tuple[str, str]]] = {
        "day/month/year": lambda day, _: ("/".join(reversed(day.split("-"))), day),
        "month/day/year": lambda day, _: (f"{day[5:7]}/{day[8:]}/{day[:4]}", day),
        "day.month.year": lambda day, _: (".".join(reversed(day.split("-"))), day),
        "yyyymmdd hyphens and time": lambda day, clock: (f"{day} {clock}", f"{day}T{clock}"),
        "dotted time": lambda _, clock: (clock.replace(":", "."), clock),
        "month's name": lambda day, _: (f"{day[8:]} {MONTHS[int(day[5:7]) - 1]} {day[:4]}", day)}
    for form in forms.values():
        rows = [[*row, form(day, clock)] for row, day, clock in zip(table.rows, days, clocks)]
        yield from written(Table([*table.names, "when"], rows), PLAIN)


MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


@kind("truth values")
def truth_values(table: Table, rng: random.Random) -> Any:
    """A column of truth values in other words."""
    for yes, no in (("true", "false"), ("TRUE", "FALSE"), ("True", "False")):
        truths = [rng.random() < 0.5 for _ in table.rows]
        rows = [[*row, (yes if truth else no, truth)] for row, truth in zip(table.rows, truths)]
        yield from written(Table([*table.names, "truth"], rows), PLAIN)


@kind("blanks")
def blanks(table: Table, rng: random.Random) -> Any:
    """Blanks around cells, a delimiter at each line's end."""
    yield from written(table, Dialect(";", blank=" "), Dialect("|", blank="  "))
    lines = [line + "," for line in PLAIN.lines(table)]
    yield PLAIN.content(lines), table, usual(table)
    width = [max(len(text) for text in column) for column in
             zip(table.names, *[[PLAIN.cell(text) for text, _ in row] for row in table.rows])]
    if not any("\n" in text for row in table.rows for text, _ in row):
        rows = [table.names, *[[text for text, _ in row] for row in table.rows]]
        lines = ["; ".join(Dialect(";").cell(text).ljust(size) for text, size in zip(row, width))
                 for row in rows]
        yield PLAIN.content(lines), table, usual(table)


def damaged_row(table: Table, rng: random.Random, damage: Callable[[list[str], int], str],
                dialects: Sequence[Dialect] = (PLAIN, Dialect(";"), Dialect(always=True)),
                ) -> Iterator[tuple[bytes, Table, list[list[str]]]]:
    """The table with one damaged row: rows x cells at the beginning, within, at the end."""
    count, width = len(table.rows), len(table.names)
    places = [(0, 0), (0, width - 1), (count // 2, 0), (count // 2, width // 2), (count - 1, 1),
              (count - 1, width - 1), (rng.randrange(count), rng.randrange(width))]
    for number, (row, column) in enumerate(places):
        dialect = dialects[number % len(dialects)]
        lines = dialect.lines(table)
        cells = [dialect.cell(text) for text, _ in table.rows[row]]
        lines[row + 1] = damage([*cells, dialect.delimiter], column)
        yield dialect.content(lines), table, usual(table)


def put(cells: list[str], column: int, change: Callable[[str], str]) -> str:
    """A line in which one cell is changed; the last of `cells` is the delimiter."""
    *cells, mark = cells
    return mark.join(change(cell) if place == column else cell for place, cell in enumerate(cells))


@kind("row: delimiter missing")
def row_missing(table: Table, rng: random.Random) -> Any:
    """Two cells run together."""
    def damage(cells: list[str], column: int) -> str:
        *cells, mark = cells
        column = max(column, 1)
        return mark.join([*cells[:column - 1], cells[column - 1] + cells[column],
                          *cells[column + 1:]])
    yield from damaged_row(table, rng, damage)


@kind("row: delimiter too many")
def row_extra(table: Table, rng: random.Random) -> Any:
    """A second delimiter after a cell."""
    yield from damaged_row(table, rng, lambda cells, column: put(
        cells, column, lambda cell: cell + cells[-1]))


@kind("row: cells missing")
def row_short(table: Table, rng: random.Random) -> Any:
    """A row that ends early."""
    yield from damaged_row(table, rng, lambda cells, column: cells[-1].join(
        cells[:-1][:max(column, 1)]))


@kind("row: cells too many")
def row_long(table: Table, rng: random.Random) -> Any:
    """A row with its last cell again."""
    yield from damaged_row(table, rng, lambda cells, column: cells[-1].join(
        [*cells[:-1], *[cells[-2]] * (1 + column % 3)]))


@kind("row: unquoted delimiter")
def row_unquoted(table: Table, rng: random.Random) -> Any:
    """A text that holds a delimiter and is not quoted."""
    texts = [place for place, kind in enumerate(table.kinds) if kind in ("name", "remark")]
    if texts:
        for row in (0, len(table.rows) // 2, len(table.rows) - 1):
            for dialect in (PLAIN, Dialect(";")):
                rows = [list(cells) for cells in table.rows]
                text = f"north{dialect.delimiter} near the lake"
                rows[row][texts[0]] = (text, text)
                lines = dialect.lines(Table(table.names, rows))
                lines[row + 1] = lines[row + 1].replace(f'"{text}"', text)
                yield dialect.content(lines), Table(table.names, rows), usual(table)


@kind("row: quote opened")
def row_opened(table: Table, rng: random.Random) -> Any:
    """A quote before a cell that is never closed."""
    yield from damaged_row(table, rng, lambda cells, column: put(
        cells, column, lambda cell: '"' + cell))


@kind("row: quote not closed")
def row_unclosed(table: Table, rng: random.Random) -> Any:
    """A quoted cell without its closing quote."""
    yield from damaged_row(table, rng, lambda cells, column: put(
        cells, column, lambda cell: cell.removesuffix('"')), [Dialect(always=True),
                                                              Dialect(";", always=True)])


@kind("row: quote not opened")
def row_unopened(table: Table, rng: random.Random) -> Any:
    """A quoted cell without its opening quote, and an unquoted one with a closing quote."""
    yield from damaged_row(table, rng, lambda cells, column: put(
        cells, column, lambda cell: cell.removeprefix('"') if cell.startswith('"') else cell + '"'))


@kind("row: quote inside")
def row_inside(table: Table, rng: random.Random) -> Any:
    """A quote in the middle of a cell that is not doubled; it belongs to the text."""
    texts = [place for place, kind in enumerate(table.kinds) if kind in ("name", "remark", "place")]
    for number, row in enumerate((0, len(table.rows) // 2, len(table.rows) - 1) if texts else ()):
        for dialect in (PLAIN, Dialect(always=True)):
            rows = [list(cells) for cells in table.rows]
            rows[row][texts[0]] = ('a 5" nail', 'a 5" nail')
            changed = Table(table.names, rows)
            lines = dialect.lines(changed)
            lines[row + 1] = lines[row + 1].replace(
                '"a 5"" nail"', 'a 5" nail' if not dialect.always else '"a 5" nail"')
            yield dialect.content(lines), changed, usual(table)


@kind("row: two quotes in two rows")
def row_two_quotes(table: Table, rng: random.Random) -> Any:
    """A stray quote in one row and another in a later one, which seem to belong together."""
    for row, column in ((0, 1), (len(table.rows) // 2, 0), (1, len(table.names) - 1)):
        lines = [PLAIN.line([text for text, _ in cells]) for cells in table.rows]
        other = min(row + 3, len(table.rows) - 1)
        cells = [PLAIN.cell(text) for text, _ in table.rows[row]]
        lines[row] = put([*cells, ","], column, lambda cell: '"' + cell)
        cells = [PLAIN.cell(text) for text, _ in table.rows[other]]
        lines[other] = put([*cells, ","], column, lambda cell: cell + '"')
        yield PLAIN.content([PLAIN.line(table.names), *lines]), table, usual(table)


@kind("row: other dialect")
def row_other(table: Table, rng: random.Random) -> Any:
    """A row with another delimiter, with other quotes, with another escape."""
    for row in (0, len(table.rows) // 2, len(table.rows) - 1):
        texts = [text for text, _ in table.rows[row]]
        for dialect, other in ((PLAIN, Dialect(";")), (Dialect(";"), Dialect("\t")),
                               (PLAIN, Dialect(quote="'", always=True)),
                               (Dialect(always=True), Dialect(always=True, escape="\\"))):
            lines = dialect.lines(table)
            lines[row + 1] = other.line(texts)
            yield dialect.content(lines), table, usual(table)


@kind("row: bytes")
def row_bytes(table: Table, rng: random.Random) -> Any:
    """Bytes that are no text in a row of an otherwise sound file."""
    for row in (0, len(table.rows) // 2, len(table.rows) - 1):
        for bad in (b"\xff", b"\xc3\x28", b"\0"):
            rows = [list(cells) for cells in table.rows]
            rows = [[*cells, (note, note)] for cells, note in zip(rows, NOTES * len(rows))]
            changed = Table([*table.names, "note"], rows)
            lines = [line.encode() for line in PLAIN.lines(changed)]
            cells = lines[row + 1].split(b",")
            cells[1] += bad
            lines[row + 1] = b",".join(cells)
            yield b"\n".join(lines) + b"\n", changed, usual(changed)


NOTES = ["très bon", "größer", "señal", "plain"]


@kind("header damaged")
def header_damaged(table: Table, rng: random.Random) -> Any:
    """A delimiter too many or too few, a stray quote among the names."""
    lines, names = PLAIN.lines(table), table.names
    yield PLAIN.content([lines[0] + ",", *lines[1:]]), table, usual(table)
    yield PLAIN.content([",".join(names[:-1]), *lines[1:]]), table, [*usual(table)[:-1], [""]]
    yield PLAIN.content(['"' + lines[0], *lines[1:]]), table, usual(table)
    yield (PLAIN.content([",".join([names[0], names[1] + '"', *names[2:]]), *lines[1:]]), table,
           usual(table))
    yield (PLAIN.content([";".join(names), *lines[1:]]), table, usual(table))


@kind("aligned by blanks")
def aligned(table: Table, rng: random.Random) -> Any:
    """Columns that stand below each other, apart by as many blanks as that takes."""
    texts = [table.names, *([text for text, _ in row] for row in table.rows)]
    if not any(sign in text for row in texts for text in row for sign in '"\n'):
        texts = [[f'"{text}"' if " " in text else text or "NA" for text in row] for row in texts]
        wide = [max(map(len, column)) for column in zip(*texts)]
        for lines in ([" ".join(map(str.rjust, row, wide)) for row in texts],
                      ["   ".join(map(str.ljust, row, wide)) for row in texts]):
            yield PLAIN.content(lines), table, usual(table)


@kind("framed")
def framed(table: Table, rng: random.Random) -> Any:
    """A delimiter at both ends of each line, ruled lines or not, as databases and wikis write."""
    texts = [table.names, *([text for text, _ in row] for row in table.rows)]
    if not any("\n" in text for row in texts for text in row):
        wide = [max(map(len, column)) for column in zip(*texts)]
        lines = [f"| {' | '.join(map(str.ljust, row, wide))} |" for row in texts]
        rule = "+" + "+".join("-" * (size + 2) for size in wide) + "+"
        yield PLAIN.content([rule, lines[0], rule, *lines[1:], rule]), table, usual(table)
        yield (PLAIN.content([lines[0], "|" + " --- |" * len(wide), *lines[1:]]), table,
               usual(table))


@kind("one column")
def one_column(table: Table, rng: random.Random) -> Any:
    """Texts with commas, numbers, addresses and the like, below one name."""
    makers: list[Callable[[int], Cell]] = [
        lambda n: (f"{n} Mill Lane, {WORDS[n % 20]}",) * 2,
        lambda n: (f"{n * 7 % 90},{n % 10}5", float(f"{n * 7 % 90}.{n % 10}5")),
        lambda n: (f"{WORDS[n % 20]}{n}@{WORDS[n % 7]}.example",) * 2,
        lambda n: (f"{' '.join(WORDS[n % 13:][:4])}, {' '.join(WORDS[n % 9:][:3])}",) * 2]
    for make in makers:
        column = Table(["entry"], [[make(number)] for number in range(len(table.rows))])
        texts = [text for row in column.rows for text, _ in row]
        yield PLAIN.content(["entry", *texts]), column, usual(column)


@kind("names again")
def names_again(table: Table, rng: random.Random) -> Any:
    """Files put together: the row of names stands again within the table."""
    lines = PLAIN.lines(table)
    for places in ([len(lines) // 2], [len(lines) - 1, 2][:len(lines) // 9]):
        again = [line for place, line in enumerate(lines)
                 for line in ([lines[0], line] if place in places else [line])]
        yield PLAIN.content(again), table, usual(table)


@kind("row names")
def row_names(table: Table, rng: random.Random) -> Any:
    """A column of names that has none itself, as R writes it."""
    numbered = Table(["", *table.names], [[(str(n), float(n)), *row] for n, row in
                                          enumerate(table.rows, start=1)])
    for mark in " \t":
        dialect = Dialect(mark, always=True)
        lines = [dialect.line(table.names), *dialect.lines(numbered, header=False)]
        yield dialect.content(lines), numbered, [[name] for name in numbered.names]


@kind("cells of many lines")
def many_lines(table: Table, rng: random.Random) -> Any:
    """Texts that fill a page."""
    for dialect in (PLAIN, Dialect(";", quote="'"), Dialect("\t", always=True)):
        texts = ["\n".join(" ".join(rng.sample(WORDS, 9)) + rng.choice(".,;!") for _ in range(40))
                 for _ in table.rows]
        rows = [[row[0], (text, text), *row[1:]] for row, text in zip(table.rows, texts)]
        changed = Table([table.names[0], "page", *table.names[1:]], rows)
        yield dialect.content(dialect.lines(changed)), changed, usual(changed)


def make_cases(seed: int) -> Iterator[Case]:
    """Every kind x shape; single-row kinds x positions."""
    for name, maker in KINDS.items():
        for number, shape in enumerate(SHAPES):
            table = make_table(shape, seed + number, gaps=0.05 if number % 2 else 0)
            rng = random.Random(f"{name} {shape} {seed}")
            for content, answer, names in maker(table, rng):
                yield Case(name, content, answer, names)


def write_corpus(folder: Path, cases: Iterable[Case]) -> int:
    """Write all files and the answers; count them."""
    folder.mkdir(parents=True, exist_ok=True)
    answers: dict[str, Any] = {}
    for number, case in enumerate(cases):
        name = f"{case.kind.replace(':', '').replace(chr(39), '').replace(' ', '-')}-{number}.csv"
        (folder / name).write_bytes(case.content)
        answers[name] = case.answer()
    (folder / "answers.json").write_text(json.dumps(answers))
    return len(answers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(write_corpus(options.folder, make_cases(options.seed)), "files in", options.folder)
