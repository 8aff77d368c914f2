"""Remarks above and below the records of a table."""

import re
from collections.abc import Sequence

from src.etl.blocks import Row
from src.etl.dialect import COMMON
from src.etl.header import kind_votes
from src.etl.kinds import kind_of, main_kind

NUMBERED = re.compile(r"\(?\d{1,2}[.)] +[^\W\d]")  # 1. Figures are provisional
NOTE_SIGNS = ("#", "*", "//", "--", "(", "[", "%", "©", "†")
NOTE_WORDS = ("source", "note", "total", "sum", "quelle", "summe", "gesamt", "end of", "footnote",
              "generated", "exported", "copyright", "legend")
TOTALS = ("total", "grand total", "sum", "summe", "gesamt", "ending balance")


def count_notes_above(rows: Sequence[Row], width: int) -> int:
    """How many rows at the top hold one text in the first cell, above rows that hold more."""
    if width == 1:
        return 0
    count = 0
    while count + 2 < len(rows) and rows[count].filled == 1 and rows[count].cells[0].strip():
        count += 1
    usual = sorted(row.filled for row in rows)[len(rows) // 2]
    if width == 2:  # the second name may be missing
        body = [row.cells for row in rows[count:]]
        return count if count and usual == 2 and all(body[0]) and kind_votes(body[0], body[1:])[0] \
            else 0
    return count if usual > 1 else 0


def count_notes_below(rows: Sequence[Row], width: int) -> int:
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
        foreign = kind not in ("text", "") and kind_of(text) == "text" and \
            (text[:1].isalpha() or NUMBERED.match(text) is not None)
        remark = text.lower().startswith(NOTE_SIGNS + NOTE_WORDS) or ": " in text
        alone = row.filled == 1 and text != "" and width > 2 and (
            foreign or remark or whole and kind == "text" or
            not whole and len(text) > 2 * longest and not any(mark in text for mark in COMMON))
        total = whole and text.lower().startswith(TOTALS) and \
            main_kind(first[:-1]) not in ("text", "")
        if not alone and not total and (whole or not remark):
            break
        count += 1
    others = sum(row.filled == 1 for row in rows[1:len(rows) - count])
    return count if others <= len(rows) / 50 else 0
