"""Clean tables of several shapes: what is written to a file, and the values that it means.

A cell is a pair of the text as it stands in a file and its value: a number, a date or time as ISO
text, True or False, None where it is missing, else the text itself.
"""

import datetime as dt
import random
from dataclasses import dataclass, field
from typing import Any

Cell = tuple[str, Any]
WORDS = ("amber basalt cedar delta ember fjord garnet harbor indigo juniper krypton lagoon marble "
         "nickel onyx poplar quartz russet saffron timber umber velvet willow zephyr").split()
PLACES = ("Genève", "Köln", "São Paulo", "Malmö", "Besançon", "Zürich", "Cádiz", "Łódź"[1:])
REMARKS = ("arrived late, left early", "no remark", "see page 12; then call", "fine, thanks",
           'the "old" one', "two\nlines of text", "nothing to add", "it's been mended",
           "checked by A. Miller, twice", "half full")


@dataclass
class Table:
    """Names (n,) and rows of cells (m, n)."""

    names: list[str]
    rows: list[list[Cell]]
    kinds: list[str] = field(default_factory=list)

    def column(self, kind: str) -> int:
        """The place of the first column of a kind."""
        return self.kinds.index(kind)


def make_cell(kind: str, row: int, rng: random.Random) -> Cell:
    """A cell of one kind of column."""
    if kind == "id":
        return str(row + 1), float(row + 1)
    if kind == "integer":
        number = rng.randint(-40, 900)
        return str(number), float(number)
    if kind == "float":
        text = f"{rng.uniform(0.5, 99):.2f}"
        return text, float(text)
    if kind == "large":
        text = f"{rng.uniform(1000, 90000):.2f}"
        return text, float(text)
    if kind == "date":
        day = dt.date(2019, 1, 1) + dt.timedelta(days=rng.randrange(1500))
        return day.isoformat(), day.isoformat()
    if kind == "time":
        text = f"{rng.randrange(24):02}:{rng.randrange(60):02}:00"
        return text, text
    if kind == "boolean":
        truth = rng.random() < 0.5
        return ("true" if truth else "false"), truth
    if kind == "code":
        text = f"{rng.randrange(1000):05}"
        return text, text
    if kind == "level":
        text = rng.choice(("low", "middle", "high"))
        return text, text
    if kind == "place":
        text = rng.choice(PLACES)
        return text, text
    if kind == "remark":
        text = rng.choice(REMARKS)
        return text, text
    text = " ".join(rng.sample(WORDS, 2))
    return text, text


# name of a shape -> its columns and its rows
SHAPES: dict[str, tuple[dict[str, str], int]] = {
    "measures": ({"id": "id", "name": "name", "weight": "float", "count": "integer",
                  "day": "date", "level": "level"}, 40),
    "numbers": ({"alpha": "float", "beta": "float", "gamma": "integer", "delta": "float"}, 30),
    "remarks": ({"number": "id", "remark": "remark", "place": "place", "price": "float",
                 "done": "boolean"}, 25),
    "wide": ({"key": "code", **{f"value {n}": kind for n, kind in enumerate(
        ("float", "integer", "level", "name", "large") * 4, 1)}, "at": "time"}, 30),
    "small": ({"city": "place", "kind": "level", "score": "integer"}, 5),
}


def make_table(shape: str, seed: int, gaps: float = 0.0) -> Table:
    """The table of a shape; `gaps` is the share of cells after the first column that are empty."""
    columns, count = SHAPES[shape]
    rng = random.Random(f"{shape} {seed}")
    rows = [[make_cell(kind, row, rng) for kind in columns.values()] for row in range(count)]
    for cells in rows:
        for place in range(1, len(cells)):
            if rng.random() < gaps:
                cells[place] = ("", None)
    return Table(list(columns), rows, list(columns.values()))
