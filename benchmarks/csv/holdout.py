"""Files that the reader was not made with: pollutions of published benchmarks, habits of portals.

    .venv/bin/python benchmarks/csv/run.py --corpus holdout

In the manner of Pollock (data loading benchmark, VLDB 2023), which damages one shop's table at
every place, and of files as scientific instruments, statistical offices, spreadsheets and R write
them. Written apart from corpus.py, which the reader was made with: only how a case is kept and a
record is written are shared.
"""

import datetime as dt
import random
import re
from collections.abc import Iterator

from corpus import PLAIN, Case, Dialect, usual
from tables import Cell, Table

QUOTED = Dialect(always=True, end="\r\n")
GOODS = ("Trail Shoes, Low", "Men's Wool Socks", 'Patio Table, Round 48"', "Kids' Rain Jacket",
         "Fly Rod 8 Wt.", 'Boxer, 5" Inseam', "Camp Stove Bundle", "Cotton/Linen Sweater")
PROSE = ("Built for wet days, light enough for dry ones.", "Soft and warm; it won't shrink or fade.",
         'An 8\'9" rod that casts far, even in wind.', "Sun protection 50+ and quick to dry.",
         "Our best value, filled with 650-fill down, keeps you warm when wet.",
         "Made in small numbers: two pockets, one zip, no nonsense.")
OFFICES = ("Tax & Duties", "Roads, Bridges and Ports", "Legal Advice", "Water", "Statistics")
STREETS = ("1 Horse Guards Road\nLondon\nSW1A 2HQ", "Castle View House\nRuncorn", "12 High St")


def shop(rng: random.Random, count: int = 84) -> Table:
    """Sales: days, clocks, numbers, codes, prices, prose, addresses, a column that is empty."""
    rows: list[list[Cell]] = []
    for number in range(count):
        day, code = dt.date(2018, 1, 28) + dt.timedelta(number), rng.choice("MG RI CC YY".split())
        code, clock = f"{code}-{rng.randrange(1000, 9999)}", f"{number // 4:02}:{number % 4 * 15:02}"
        count_, price = rng.randrange(34), rng.randrange(90, 9999) / 100
        texts = (rng.choice(GOODS), " ".join(rng.sample(PROSE, 2)),
                 f"https://www.example.com/product/{code.replace('-', '_')}.html")
        rows.append([(f"{day:%d/%m/%Y}", day.isoformat()), (clock, clock), (str(count_), count_),
                     (code, code), (f"${price:.2f}", price), *((text, text) for text in texts),
                     ("", None)])
    return Table("DATE TIME Qty PRODUCTID Price ProductType ProductDescription URL Comments"
                 .split(), rows)


def readings(rng: random.Random, count: int = 200) -> Table:
    """An instrument: narrow and long, numbers only."""
    rows = [[(f"{n / 10:.1f}", n / 10), (f"{v:.4E}", float(f"{v:.4E}")), (str(t), t)]
            for n in range(count) for v, t in [(rng.gauss(0, 1e-3), rng.randrange(-20, 40))]]
    return Table(["Time (s)", "Current [A]", "T/°C"], rows)


def staff(rng: random.Random, count: int = 40) -> Table:
    """An office's register: wide, texts, some of several lines, words for what isn't told."""
    names = ("Post Reference,Name,Grade,Job Title,Organisation,Unit,Contact Phone,Contact E-mail,"
             "Reports to,Salary Floor,Salary,FTE,Address,Valid?").split(",")
    rows = []
    for number in range(count):
        person = f"{rng.choice(('Ann', 'Raj', 'Zoë', 'Ívar'))} {rng.choice(('Hall', 'Ng', 'Møller'))}"
        pay = rng.randrange(60, 150) * 1000
        pairs: list[Cell] = [(text, text) for text in (
            f"{9000 + number}-{rng.choice('ABC')}", rng.choice((person, "N/D")),
            rng.choice(("SCS1", "SCS2", "SCS1A")), f"Head of {rng.choice(OFFICES)}",
            "Ministry of Works, Trade and Roads", rng.choice(OFFICES),
            f"020 7270 {rng.randrange(1000, 9999)}", f"office{number}@works.example",
            rng.choice(("XX", "9001-A", "9002-B")))]
        share = rng.choice((1.0, 0.6, 0.85))
        rows.append([*pairs, (f"£{pay:,}", pay), (f"£{pay:,}-£{pay + 4999:,}",) * 2,
                     (f"{share:.2f}", share), (address := rng.choice(STREETS), address), ("1", 1)])
    return Table(names, rows)


SHAPES = {"shop": shop, "readings": readings, "staff": staff}
File = tuple[str, bytes, Table, list[list[str]] | None]


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
        yield ("encoding", Dialect(";", encoding=name).content(Dialect(";").lines(changed)),
               changed, usual(changed))


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
    for place in (0, 2, last):
        for name in ("", "HEAD/%R", "HEADER" * 10000, " padded ", "two\nlines", "größe (€)", "2018"):
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


def portals(rng: random.Random) -> Iterator[File]:
    """As offices, instruments, spreadsheets, databases and R write their tables."""
    def texts(table: Table) -> list[list[str]]:
        return [[text for text, _ in row] for row in table.rows]
    sold, measured, people = shop(rng, 30), readings(rng, 60), staff(rng)
    for table in (sold, measured, people):
        lines, names = PLAIN.lines(table), usual(table)
        bare = "," * (len(table.names) - 1)
        yield "portal", PLAIN.content([line + ",,," for line in lines] + [bare + ",,,"] * 9), table, names
        yield "portal", PLAIN.content([lines[0], *(line + "," for line in lines[1:])]), table, names
        yield "portal", PLAIN.content([lines[0], bare, *lines[1:]]), table, names
        yield "comments", PLAIN.content(["# made by a program, v1.2", "# 28 Jan 2018", *lines[:9],
                                         "# paused", *lines[9:]]), table, names
        yield "comments", PLAIN.content(["#" + lines[0], *lines[1:]]), table, [
            [name, f"#{name}"] for name in table.names]
        # R's write.table: row names, and no name above them
        quoted = [" ".join(f'"{name}"' for name in table.names)]
        for number, row in enumerate(texts(table), start=1):
            quoted.append(Dialect(" ", always=True, escape="\\").line([str(number), *row]))
        numbered = [[(str(n), n), *row] for n, row in enumerate(table.rows, start=1)]
        yield "R", PLAIN.content(quoted), Table(["", *table.names], numbered), [[""], *names]
        indexed = PLAIN.lines(Table(["", *table.names], numbered))
        yield "R", PLAIN.content(indexed), Table(["", *table.names], numbered), [[""], *names]
        nulls = [["\\N" if not text else text.replace("\n", "\\n") for text in row]
                 for row in [table.names, *texts(table)]]
        if table is not people:
            yield "database", PLAIN.content(map("\t".join, nulls)), Table(table.names, [
                [("\\N", None) if not cell[0] else cell for cell in row] for row in table.rows
            ]), names
            cells = [[cell.replace("|", "/") for cell in row] for row in [table.names, *texts(table)]]
            wide = [max(map(len, column)) for column in zip(*cells)]
            padded = [[cell.ljust(size) for cell, size in zip(row, wide)] for row in cells]
            rule = "+" + "+".join("-" * (size + 2) for size in wide) + "+"
            boxed = [f"| {' | '.join(row)} |" for row in padded]
            yield "database", PLAIN.content([rule, boxed[0], rule, *boxed[1:], rule]), table, names
            marked = "|" + "|".join(" --- " for _ in wide) + "|"
            yield "database", PLAIN.content([boxed[0], marked, *boxed[1:]]), table, names
    for gap in ("   ", "\t", " "):
        lines = [gap.join(text.rjust(8 if gap == " " else 0) for text in row)
                 for row in texts(measured)]
        yield "aligned", PLAIN.content(lines), measured, None
        yield "aligned", PLAIN.content(["#" + gap.join(("time", "I", "T")).rjust(20), *lines]), \
            measured, [["time", "#time", "# time"], ["I"], ["T"]]
    for words in (["..", "-"], ["[x]", "[c]"], ["#DIV/0!"], [":", "."], ["9999"], ["<5"]):
        rows = [[cell if n == 0 or rng.random() > 0.2 else (word, None if word not in ("9999", "<5")
                 else 9999 if word == "9999" else word)
                 for n, cell in enumerate(row)] for row in measured.rows
                for word in [rng.choice(words)]]
        table = Table(measured.names, rows)
        yield "missing words", PLAIN.content(PLAIN.lines(table)), table, usual(table)
    for form, mark in (("{:,.2f}", ","), ("£{:,.2f}", ","), ("{:.1f}%", ";"), ("({:.2f})", ",")):
        factor = -1 if "(" in form else 0.01 if "%" in form else 1
        rows = [[(f"{2000 + n // 12}-{n % 12 + 1:02}",) * 2, *((form.format(v), round(v * factor, 6))
                 for v in (rng.randrange(100, 10 ** 8) / 100 for _ in range(5)))] for n in range(48)]
        if "%" in form:
            rows = [[row[0], *((text.replace(".", ","), round(float(text[:-1]) / 100, 6))
                               for text, _ in row[1:])] for row in rows]
        table = Table(["Month", *map(str, range(2015, 2020))], rows)
        yield "year columns", Dialect(mark).content(Dialect(mark).lines(table)), table, usual(table)


def columns(rng: random.Random) -> Iterator[File]:
    """Tables of one column, and of texts only."""
    kinds = {"prose": lambda n: rng.choice(PROSE), "number": lambda n: str(rng.randrange(999)),
             "decimal": lambda n: f"{rng.random() * 99:.3f}", "day": lambda n: f"2018-01-{n + 1:02}",
             "mail": lambda n: f"office{n}@works.example", "place": lambda n: rng.choice(OFFICES),
             "address": lambda n: f"{n + 1} High St, Runcorn, WA7 {n % 9}QQ",
             "euro": lambda n: f"{rng.random() * 99:.2f}".replace(".", ",")}
    for word, make in kinds.items():
        for count in (2, 6, 28):
            texts = [make(number) for number in range(count)]
            value = {"number": float, "decimal": float,
                     "euro": lambda text: float(text.replace(",", "."))}.get(word, str)
            table = Table([word], [[(text, value(text))] for text in texts])
            yield "one column", PLAIN.content([word, *texts]), table, [[word]]
            yield "one column", QUOTED.content(QUOTED.lines(table)), table, [[word]]
    for count in (4, 12, 40):
        rows = [[(text, text) for text in (rng.choice(("Ann", "Raj", "Zoë", "Eve")) + f" {n}",
                                           rng.choice(OFFICES), rng.choice(STREETS[2:]))]
                for n in range(count)]
        table = Table(["Who", "Where", "Address"], rows)
        for dialect in (PLAIN, Dialect(";", always=True), Dialect("\t")):
            yield "texts only", dialect.content(dialect.lines(table)), table, usual(table)
            yield ("texts only", dialect.content(dialect.lines(table, header=False)), table, None)


def short(rng: random.Random) -> Iterator[File]:
    """A few lines, and cells of many lines."""
    for count in (0, 1, 2, 3, 4):
        for shape in SHAPES.values():
            table = shape(rng, count)
            for dialect in (PLAIN, Dialect(";", always=True), Dialect("\t", end="\r\n")):
                yield "few lines", dialect.content(dialect.lines(table)), table, usual(table)
    for size in (3, 40, 900):
        for dialect in (PLAIN, Dialect(";", always=True, end="\r\n")):
            texts = [dialect.end.join(rng.choice(PROSE) for _ in range(size)) for _ in range(9)]
            rows = [[(str(n), n), (text, text), (text[::-1], text[::-1]), ("ok", "ok")]
                    for n, text in enumerate(texts)]
            table = Table(["id", "text", "back", "state"], rows)
            yield "long cells", dialect.content(dialect.lines(table)), table, usual(table)
