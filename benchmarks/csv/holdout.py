"""Files that the reader was not made with: pollutions of published benchmarks, habits of portals.

    .venv/bin/python benchmarks/csv/run.py --corpus holdout

In the manner of Pollock (data loading benchmark, VLDB 2023), which damages one shop's table at
every place, and of files as scientific instruments, statistical offices, spreadsheets and R write
them. Written apart from corpus.py, which the reader was made with: only how a case is kept and a
record is written are shared.
"""

import random
import re
from collections.abc import Iterator

from corpus import PLAIN, Case, Dialect, usual
from holdout_habits import QUOTED, File, columns, portals, short
from holdout_tables import SHAPES
from tables import Table


def make_cases(seed: int) -> Iterator[Case]:
    """All files, in order of their kinds."""
    files: list[File] = []
    for name, shape in SHAPES.items():
        table = shape(random.Random(f"{name} {seed}"))
        for maker in (payload, dialects, encodings, around, headers, tables, damaged, other_rows):
            files += maker(table)
    files += [*portals(random.Random(seed)), *columns(random.Random(seed)),
              *short(random.Random(seed))]
    for kind, content, table, names in sorted(files, key=lambda file: file[0]):
        yield Case(kind, content, table, names)


def payload(table: Table) -> Iterator[File]:
    """How a file ends."""
    for dialect in (PLAIN, QUOTED):
        text = dialect.content(dialect.lines(table)).decode()
        for content in (text, text.rstrip("\r\n"), text + dialect.end, text + dialect.end * 3,
                        text + "\x1a"):
            yield "end of the file", content.encode(), table, usual(table)


def dialects(table: Table) -> Iterator[File]:
    """Delimiters, quotes, escapes, line ends, for the whole file."""
    texts = [table.names, *([text for text, _ in row] for row in table.rows)]
    for mark in (";", "\t", "|", " ", ":", ", ", "\t\t", "^", "\x01", "¦", "#", "@@"):
        for always in (False, True):
            dialect = Dialect(mark, always=always, end="\r\n")
            yield "delimiter", dialect.content(dialect.lines(table)), table, usual(table)
    for dialect in (Dialect(quote="'", always=True), Dialect("\t", quote="'"), QUOTED):
        yield "quote", dialect.content(dialect.lines(table)), table, usual(table)
    for number, mark in enumerate(",;\t"):
        dialect = Dialect(mark, escape="\\", always=number != 0)
        yield "escape", dialect.content(dialect.lines(table)), table, usual(table)
        if not any("\n" in text for row in texts for text in row):  # no quotes at all
            lines = [mark.join(re.sub(rf'([\\"{mark}])', r"\\\1", text) for text in row)
                     for row in texts]
            yield "escape", PLAIN.content(lines), table, usual(table)
    for end in ("\n", "\r\n", "\r"):
        for always in (False, True):
            dialect = Dialect(";", end=end, always=always)
            yield "line ends", dialect.content(dialect.lines(table)), table, usual(table)


def encodings(table: Table) -> Iterator[File]:
    """Of letters beyond ASCII."""
    for name in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"):
        dialect = Dialect("\t" if "16" in name else ",", encoding=name, end="\r\n")
        yield "encoding", dialect.content(dialect.lines(table)), table, usual(table)
    for name, words in (("cp1251", "Бухгалтерия Склад Отдел"), ("gb18030", "北京市 上海市 广州市"),
                        ("cp932", "経理部 倉庫 東京支店"), ("cp1253", "Λογιστήριο Αποθήκη Γραφείο"),
                        ("euc-kr", "서울시 부산시 대구시"), ("cp1250", "Účetnictví Skład Žižkov")):
        rows = [[*([cell for cell in row if cell[0].isascii()][:2]), (word, word)]
                for row, word in zip(table.rows, words.split() * len(table.rows))]
        changed = Table(["first", "second", "place"], rows)
        dialect = Dialect(";", encoding=name)
        yield "encoding", dialect.content(dialect.lines(changed)), changed, usual(changed)


def around(table: Table) -> Iterator[File]:
    """Lines above and below the table."""
    lines, bare = QUOTED.lines(table), "," * (len(table.names) - 1)
    for word in ("PREAMBLE", '"Table 3: Sales, by day, 2018"', "https://data.example/set/12"):
        for above in ([word], [word] * 3, [word, ""], [word + bare], [word + bare] * 2 + [bare]):
            yield "preamble", QUOTED.content([*above, *lines]), table, usual(table)
    for above in (["sep=,"], ["#fields follow", "#"], ["Operator;AB", "Device;X-12", ""],
                  ["[Header]", "Operator,AB", "Date,28/01/2018", "", "[Data]"],
                  ["Contents", "", "This sheet lists sales, see notes.", "", ""]):
        yield "preamble", PLAIN.content([*above, *PLAIN.lines(table)]), table, usual(table)
    for word in ("FOOTNOTE", '"Source: Office for Numbers, 2018"', "1. Figures are provisional",
                 "* revised"):
        for below in ([word], [word] * 3, ["", word], [word + bare], [bare, word + bare],
                      [bare] * 5):
            yield "footnote", QUOTED.content([*lines, *below]), table, usual(table)


def headers(table: Table) -> Iterator[File]:
    """Names that are missing, repeated, on several lines, long or odd."""
    body, last = QUOTED.lines(table, header=False), len(table.names) - 1
    yield "no header", QUOTED.content(body), table, None
    yield "no header", PLAIN.content(PLAIN.lines(table, header=False)), table, None
    for count in (2, 3):  # the same names again
        yield ("header", QUOTED.content([QUOTED.line(table.names)] * count + body), table,
               [[name, " ".join([name] * count)] for name in table.names])
    odd = ("", "HEAD/%R", "HEADER" * 10000, " padded ", "two\nlines", "größe (€)", "2018")
    for place in (0, 2, last):
        for name in odd:
            names = [name if each == place else old for each, old in enumerate(table.names)]
            yield ("header", QUOTED.content([QUOTED.line(names), *body]), table,
                   [[each.strip(), " ".join(each.split())] for each in names])
    names = ["HEADER" if each in (0, 1) else old for each, old in enumerate(table.names)]
    yield "header", QUOTED.content([QUOTED.line(names), *body]), table, [[name] for name in names]


def tables(table: Table) -> Iterator[File]:
    """A second table of fewer, as many or more columns, with a gap and without."""
    for width in (-1, 0, 1):
        names = table.names[:width or None] + ["col1"] * (width > 0)
        rows = [[text for text, _ in row][:width or None] + [""] * (width > 0)
                for row in table.rows]
        for gap in ([], [""], ["", "Table 2"]):
            if width == 0 and not gap:
                continue  # the same names without a gap: one table, or two?
            yield ("several tables", PLAIN.content(
                [*PLAIN.lines(table), *gap, *map(PLAIN.line, [names, *rows])]), table, usual(table))


def damaged(table: Table) -> Iterator[File]:
    """A mark too many or too few at one place: every column of some rows, -1 the row of names."""
    count, width = len(table.rows), len(table.names)
    for row in (-1, 0, count // 2, count - 1):
        for place in range(0, width, 1 if width < 10 else 3):
            for dialect in (PLAIN, QUOTED):
                texts = [text for text, _ in table.rows[row]] if row >= 0 else table.names
                cells = [dialect.cell(text) for text in texts]
                here, before = cells[place], cells[:place]
                after, mark = cells[place + 1:], dialect.quote
                for kind, changed in (
                        ("row: delimiter more", [*before, "", here, *after]),
                        ("row: delimiter less", [*before[:-1], "".join([*before[-1:], here]),
                                                 *after]),
                        ("row: quote more", [*before, mark + here, *after]),
                        ("row: quote more", [*before, here + mark, *after]),
                        ("row: quote less", [*before, here.removeprefix(mark), *after]),
                        ("row: quote less", [*before, here.removesuffix(mark), *after])):
                    if changed != cells and not (kind == "row: quote more" and here == ""
                                                 and changed[place] == mark * 2):
                        lines = dialect.lines(table)
                        lines[row + 1] = ",".join(changed)
                        yield kind, dialect.content(lines), table, usual(table)


def other_rows(table: Table) -> Iterator[File]:
    """A whole row in another way: cells, delimiter, quotes, escape, line end."""
    lines, width = QUOTED.lines(table), len(table.names)
    for row in (0, 1, len(table.rows) // 2, len(table.rows) - 1):
        texts = [text for text, _ in table.rows[row]]
        rest = Table(table.names, table.rows[:row] + table.rows[row + 1:])
        for kind, line, answer in (
                ("row: cells", "", rest), ("row: cells", QUOTED.line(texts[:width // 2]), table),
                ("row: cells", QUOTED.line(texts + texts[-1:] * 5), table),
                *(("row: other delimiter", Dialect(mark, always=True).line(texts), table)
                  for mark in " ;\t"),
                *(("row: other delimiter", Dialect(mark).line(texts), table) for mark in " ;\t"),
                ("row: other quote", Dialect(quote="'", always=True).line(texts), table),
                ("row: other quote", PLAIN.line(texts), table),
                ("row: other escape", Dialect(always=True, escape="\\").line(texts), table)):
            changed = [*lines[:row + 1], line, *lines[row + 2:]]
            yield kind, QUOTED.content(changed), answer, usual(table)
        for end in ("\n", "\r", "\n\r\n"):
            text = "\r\n".join(lines[:row + 2]) + end + "\r\n".join([*lines[row + 2:], ""])
            yield "row: other end", text.encode(), table, usual(table)
