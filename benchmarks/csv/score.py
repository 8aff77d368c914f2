"""How much of a table came through: precision, recall and F1 of its header, records and cells.

One rule for everybody: a value counts when it is the value that was meant, or the very text that
stands in the file for it. So a reader may convert or not: 50% is right as 0.5 and as "50%". Blanks
around texts don't count; numbers are compared to 12 digits, days as ISO dates; a missing value is
None, NaN, the empty text or the word that the file has for it. A cell is right in its column only;
a record when all of its cells are; both are counted as often as they occur, rows in any order.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
MIDNIGHT = re.compile(r"(\d{4}-\d{2}-\d{2})[T ]00:00(:00(\.0+)?)?")
MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(\.0+)?")


class Score(NamedTuple):
    """Of one file, each between 0 and 1."""

    precision: float
    recall: float
    f1: float


def normal(value: Any) -> str:
    """A value as text, so that equal ones are equal texts."""
    if value is None or isinstance(value, float) and math.isnan(value):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"{float(value):.12g}"
    text = str(value).strip(" \t\u00a0").replace("\r\n", "\n")
    if PLAIN_NUMBER.fullmatch(text) and (text.lstrip("+-")[:1] != "0" or
                                         re.match(r"[+-]?0(\.|$)", text)):
        return f"{float(text):.12g}"
    if found := MIDNIGHT.fullmatch(text):
        return found[1]
    if found := MOMENT.fullmatch(text):
        return f"{found[1]}T{found[2]}"
    return text.lower() if text.lower() in ("true", "false") else text


def score_file(answer: dict[str, Any], names: Sequence[Any] | None,
               rows: Sequence[Sequence[Any]]) -> dict[str, Score]:
    """Header, records and cells of what a reader gave for one file."""
    expected = [[normal(value) for value in row] for row in answer["rows"]]
    # per column: the text in the file -> the value that it means
    width = len(expected[0]) if expected else 0
    means = [{normal(text[place]): row[place] for text, row in zip(answer["texts"], expected)}
             for place in range(width)]
    found = [[means[place].get(cell, cell) if place < width else cell
              for place, cell in enumerate(map(normal, row))] for row in rows]
    return {"header": score_header(answer, [str(name).strip() for name in names or []]),
            "records": compare(map(tuple, expected), map(tuple, found)),
            "cells": compare(((place, cell) for row in expected for place, cell in enumerate(row)),
                             ((place, cell) for row in found for place, cell in enumerate(row)))}


def score_header(answer: dict[str, Any], names: list[str]) -> Score:
    """Names in their places; a repeated one may get an ending, an empty one any name.

    Where a file has no header, no name may come from its records.
    """
    if answer["names"] is None:
        records = {normal(cell) for row in answer["rows"] + answer["texts"] for cell in row}
        good = float(not any(normal(name) in records - {""} for name in names))
        return Score(good, good, good)
    taken: set[str] = set()
    right = 0
    for choice, name in zip(answer["names"], names):
        choice, plain = [plain_name(each) for each in choice], plain_name(name)
        right += any(not each or plain == each or each in taken and plain.startswith(each)
                     for each in choice)
        taken.update(choice)
    return rates(right, len(names), len(answer["names"]))


def plain_name(name: str) -> str:
    """A name without the signs that a reader may write in another way."""
    return re.sub(r"[\s_./]+", " ", name).strip()


def compare(expected: Iterable[Any], found: Iterable[Any]) -> Score:
    """Of what was found how much is right, and of what is right how much was found."""
    truth, given = Counter(expected), Counter(found)
    if not truth and not given:
        return Score(1.0, 1.0, 1.0)
    return rates((truth & given).total(), given.total(), truth.total())


def rates(right: int, given: int, wanted: int) -> Score:
    """Precision, recall, F1."""
    precision, recall = right / given if given else 0.0, right / wanted if wanted else 0.0
    return Score(precision, recall, 2 * precision * recall / (precision + recall) if right else 0.0)


FAILED = {part: Score(0.0, 0.0, 0.0) for part in ("header", "records", "cells")}
