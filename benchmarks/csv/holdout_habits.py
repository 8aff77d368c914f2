"""Files of the hold-out corpus as people and programs write them, and small ones."""

import random
from collections.abc import Iterator

from corpus import PLAIN, Dialect, usual
from holdout_tables import OFFICES, PROSE, SHAPES, STREETS, readings, shop, staff
from tables import Table

QUOTED = Dialect(always=True, end="\r\n")
File = tuple[str, bytes, Table, list[list[str]] | None]


def portals(rng: random.Random) -> Iterator[File]:
    """As offices, instruments, spreadsheets, databases and R write their tables."""
    def texts(table: Table) -> list[list[str]]:
        return [[text for text, _ in row] for row in table.rows]
    sold, measured, people = shop(rng, 30), readings(rng, 60), staff(rng)
    for table in (sold, measured, people):
        lines, names = PLAIN.lines(table), usual(table)
        bare = "," * (len(table.names) - 1)
        wider = [line + ",,," for line in lines] + [bare + ",,,"] * 9
        yield "portal", PLAIN.content(wider), table, names
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
            cells = [table.names, *texts(table)]
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
        rows = [[(f"{2000 + n // 12}-{n % 12 + 1:02}",) * 2,
                 *((form.format(v), round(v * factor, 6)) for v in
                   (rng.randrange(100, 10 ** 8) / 100 for _ in range(5)))] for n in range(48)]
        if "%" in form:
            rows = [[row[0], *((text.replace(".", ","), round(float(text[:-1]) / 100, 6))
                               for text, _ in row[1:])] for row in rows]
        table = Table(["Month", *map(str, range(2015, 2020))], rows)
        yield "year columns", Dialect(mark).content(Dialect(mark).lines(table)), table, usual(table)


def columns(rng: random.Random) -> Iterator[File]:
    """Tables of one column, and of texts only."""
    kinds = {"prose": lambda n: rng.choice(PROSE), "number": lambda n: str(rng.randrange(999)),
             "decimal": lambda n: f"{rng.random() * 99:.3f}",
             "day": lambda n: f"2018-01-{n + 1:02}",
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
    for size in (3, 40, 200):
        for dialect in (PLAIN, Dialect(";", always=True, end="\r\n")):
            texts = [dialect.end.join(rng.choice(PROSE) for _ in range(size)) for _ in range(9)]
            rows = [[(str(n), n), (text, text), (text[::-1], text[::-1]), ("ok", "ok")]
                    for n, text in enumerate(texts)]
            table = Table(["id", "text", "back", "state"], rows)
            yield "long cells", dialect.content(dialect.lines(table)), table, usual(table)
