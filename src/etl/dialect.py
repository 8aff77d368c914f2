"""Delimiter, quotes and escape of a file, told from its first lines.

Every way to read the lines that their own signs suggest is tried. A good one cuts many lines into
the same number of cells, and its cells look like values: numbers, dates, words, nothing; a cell
that still holds a mark between cells, or half a pair of quotes, does not.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from src.etl.kinds import kind_of, main_kind
from src.etl.records import BLANKS, RULED, Dialect, Lines, read_records

COMMON = ",;\t|"
UNUSUAL = set("._-+/@\"'()[]{}<>?`´’\\") | {"\r", "\n", "\f", "\ufeff", "\0"}  # in words, numbers
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d([.,]\d+)?)?")
MAX_LONG = 4  # characters of a delimiter
NEAR = 0.98  # a reading not this much worse than the best one is as good
MOST_CELLS = 4000  # that are looked at
ENOUGH = 0.3  # share of lines that a delimiter must be in


class Reading(NamedTuple):
    """A dialect, how good it is, and what it makes of the lines."""

    dialect: Dialect
    grade: float
    width: int
    rows: list[list[str]]


def choose_dialects(lines: Sequence[str], delimiter: str | None = None, quote: str | None = None,
                    escape: str | None = None) -> list[Dialect]:
    """The best way to read lines; more than one where others, with other cells, are as good.

    Args:
        delimiter, quote, escape: what is known of the dialect.
    """
    filled = [line for line in lines if line.strip()]
    marks = _likely_delimiters(filled) if delimiter is None else [delimiter]
    readings = []
    for mark in marks:
        dialects = product([mark], _likely_quotes(filled, mark) if quote is None else [quote],
                           _likely_escapes(filled) if escape is None else [escape],
                           [_is_framed(filled, mark)])
        found = [read_as(Dialect(*dialect), lines) for dialect in dialects]
        readings.append(max(found, key=lambda reading: reading.grade))
    if delimiter is None:
        readings = [reading for reading in readings
                    if reading.width > 1 and reading.grade > _grade_alone(filled, reading)]
    if not readings:
        known = Dialect(delimiter or ",", '"' if quote is None else quote, escape or "")
        if delimiter is None and read_as(known, lines).width > 1:  # one column of prose
            free = [mark for mark in COMMON if not any(mark in line for line in lines)]
            known = known._replace(delimiter=free[0] if free else known.delimiter)
        return [known]
    best = max(reading.grade for reading in readings)
    good = sorted((reading for reading in readings if reading.grade >= best * NEAR),
                  key=lambda reading: -reading.grade)
    rivals = [reading for reading in good[1:]
              if not same_cells(reading.rows, good[0].rows) and reading.width >= good[0].width]
    shortest = min((reading for reading in good if same_cells(reading.rows, good[0].rows)),
                   key=lambda reading: len(reading.dialect.delimiter))
    return [shortest.dialect, *(reading.dialect for reading in rivals)]


def read_as(dialect: Dialect, lines: Sequence[str]) -> Reading:
    """Read lines in a dialect and grade what comes out."""
    records = [record for record in read_records(Lines(lines), dialect)
               if record.cells is None or any(map(str.strip, record.cells))]
    counts = Counter({0: 0})
    for record in records:
        counts[len(record.cells or [])] += record.lines
    total = sum(counts.values()) or 1
    # a wider table says more: what is beside it may be a title, notes or another table
    width = max(counts, key=lambda each: counts[each] * (each - 1) / each if each else 0)
    rows = [record.cells for record in records if record.cells and len(record.cells) == width]
    if width < 2:
        return Reading(dialect, 0.0, max(width, 1), rows)
    evenness = counts[width] / total
    some = rows[:max(20, MOST_CELLS // width)]
    cells = [grade_cell(cell, dialect) for row in some for cell in row]
    empty = sum(not any(cell.strip() for cell in column) for column in list(zip(*rows))[:-1])
    typed = sum(cells) / len(cells) * (1 - empty / width)
    return Reading(dialect, evenness * typed * _trust(dialect, some) * (1 - 0.3 / width), width,
                   rows)


def grade_cell(cell: str, dialect: Dialect) -> float:
    """How much a cell looks like a value."""
    text = cell.strip()
    if not text:
        return 0.8
    kind = kind_of(text)
    if kind in ("number", "date", "time"):
        return 1.0
    if not dialect.escape and (f"\\{dialect.delimiter}" in text or '\\"' in text):
        return 0.5
    if text[0] in "\"'" or text[-1] in '"':
        return 0.2
    marks = set(COMMON + "^~") - {dialect.delimiter}
    if any(mark in text for mark in marks):
        return 0.75 if re.fullmatch(r"(?:[^,;]+[,;] )+[^,;]+", text) else 0.5
    return 0.95


def same_cells(one: Sequence[Sequence[str]], other: Sequence[Sequence[str]]) -> bool:
    """Whether two readings differ by blanks around cells at most."""
    return [[cell.strip() for cell in row] for row in one] == [[cell.strip() for cell in row]
                                                               for row in other]


def _trust(dialect: Dialect, rows: Sequence[Sequence[str]]) -> float:
    """How likely a delimiter is before anything is known of the lines."""
    mark = dialect.delimiter
    if mark in COMMON:
        return 1.0
    if mark in BLANKS or not mark.strip(" "):  # words are apart by blanks too
        if 2 * sum(any(" " in cell.strip() for cell in row) for row in rows) > len(rows):
            return 0.97  # quotes keep the blanks of texts apart from those between cells
        kinds = [kind_of(cell.strip()) for row in rows for cell in row]
        listed = sum(cell[-1:] in (",", ";") for row in rows for cell in row)
        if 20 * listed > len(kinds) or \
                sum(kind in ("number", "date", "time") for kind in kinds) < 0.2 * len(kinds):
            return 0.25
        return 0.9
    return 0.97 if mark in ":^~" or len(mark) > 1 or not mark.isprintable() else 0.9


def _likely_delimiters(lines: Sequence[str]) -> list[str]:
    """Signs, and runs of signs, that are in many lines."""
    counts: Counter[str] = Counter()
    quoted: Counter[str] = Counter()
    for line in lines:
        text = MOMENT.sub("", line.rstrip("\r\n"))  # what is in it is between no cells
        signs = {sign for sign in text if not sign.isalnum() and sign not in UNUSUAL}
        runs = set(re.findall(r"[^\w\"'\s.+-]{2,}|[^\w\"'\s.+-][ \t]|\t\t+|  ", text))
        counts.update(signs | {run[start:end] for run in runs if len(run) <= 3 * MAX_LONG
                               and "/" not in run for start in range(len(run)) for end in
                               range(start + 2, min(start + MAX_LONG, len(run)) + 1)})
        if "\\t" in text:
            counts["\\t"] += 1
        counts.update([*BLANKS] if re.search(r"^ +\S|  |\t[ \t]| \t", text) else [])
        for mark in {*re.findall(r"(?<=[\"'])[,;\t|]|[,;\t|](?=[\"'])", text)}:
            quoted[mark] += 1
    least = max(1, ENOUGH * len(lines))
    # where texts have many lines, few lines have a delimiter
    marks = [mark for mark, count in counts.items() if count >= least or quoted[mark] > 1]
    return sorted(marks, key=lambda mark: (-counts[mark], COMMON.find(mark) % 99, mark))[:25]


def _is_framed(lines: Sequence[str], mark: str) -> bool:
    """Whether a delimiter begins and ends every line but ruled ones, as in | a | b |."""
    texts = [line.strip() for line in lines if not RULED.fullmatch(line.strip())]
    return len(texts) > 1 and mark not in BLANKS and bool(mark.strip()) and all(
        len(text) > len(mark) and text.startswith(mark) and text.endswith(mark) for text in texts)


def _likely_quotes(lines: Sequence[str], mark: str) -> list[str]:
    """The double quote, and the single one where it stands at both ends of cells, or lines."""
    edge = re.escape(mark)
    pattern = re.compile(rf"(?:^|{edge}) *'(?:[^']|'')*(?:' *(?={edge}|$)|$)", re.MULTILINE)
    count = sum("'" in line and pattern.search(line.rstrip("\r\n")) is not None for line in lines)
    return ["\"", "'"] if count > max(1, len(lines) / 100) or count and len(lines) < 4 else ["\""]


def _likely_escapes(lines: Sequence[str]) -> list[str]:
    return ["", "\\"] if any("\\" in line for line in lines) else [""]


def _grade_alone(lines: Sequence[str], reading: Reading) -> float:
    """How good it would be to take each line for one cell."""
    texts = [line.strip() for line in lines]
    mark = reading.dialect.delimiter
    sign = mark.strip() or mark
    plain = sum(kind_of(text) in ("date", "time") or kind_of(text) == "number"
                and ("," not in text or "," not in texts[0]) for text in texts[1:])
    if plain > 0.8 * (len(texts) - 1):
        return 1.0
    typed = any(main_kind(column) != "text" for column in zip(*reading.rows))
    named = sign not in lines[0] and (reading.width == 2 or not typed and texts[0].count(" ") < 2)
    ended = not typed and sum(text[-1] in ".!?" for text in texts) > 0.8 * len(texts)
    if (named or ended) and all(line.count(sign) == line.count(sign + " ") for line in lines):
        return 0.9  # prose
    if reading.width == 2 and (mark in " :" or mark in BLANKS):
        return 0.75
    return 0.3
