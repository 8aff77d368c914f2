"""Lines of JSON that are CSV but for the names between their cells: read without parsing each.

Most files have the same names in the same order in each record, and nothing nested. What is left
when braces, names and colons are taken out is CSV, each value as it was written. All at once, over
the bytes of many lines; lines of any other form are for src/etl/json_lines.py.
"""

import json
import re

import numpy as np

QUOTE, COMMA, COLON, OPEN, CLOSE, BLANK, N, U = b'",:{} nu'
ESCAPE = rb'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})'
ONE_ESCAPE, ESCAPES = re.compile(ESCAPE), re.compile(rb"(?:" + ESCAPE + rb")+")
# what is outside quotes, with "" for a text; possessive, as nothing in it reads in two ways
CELL = (rb'(?:""|-?(?:0|[1-9][0-9]*+)(?:[.][0-9]++)?+(?:[eE][+-]?[0-9]++)?+|true|false|null'
        rb"|NaN|-?Infinity)")
ROWS = re.compile(rb"(?: *+" + CELL + rb" *+(?:,|[}] *+\n))*+")


def plain_records(lines: str, expected: bytes | None = None,
                  more: int = 0) -> tuple[bytes, bytes] | None:
    """The names in lines of JSON, with all that is around them, and the cells as CSV.

    Each row of CSV ends in an empty cell. None when a line has not the form that is meant here.

    Args:
        lines: whole ones.
        expected: the names of one line, where those of all must be the same.
        more: how many other empty cells each row ends in.
    """
    try:
        plain = text = (lines if lines.endswith("\n") else lines + "\n").encode()
    except UnicodeEncodeError:  # bytes that were no text
        return None
    if b"\\" in text:
        plain = ONE_ESCAPE.sub(lambda found: b"_" * len(found[0]), text)
        if b"\\" in plain:
            return None
    count = text.count(b"\n")
    signs = np.frombuffer(plain, np.uint8)
    if np.count_nonzero(signs < BLANK) != count:
        return None
    quotes = signs == QUOTE
    inside = np.bitwise_xor.accumulate(quotes.view(np.uint8)).view(bool)  # with the first quote
    outside = ~(inside | quotes)
    commas, colons = (signs == COMMA) & outside, (signs == COLON) & outside
    marks = commas | colons | (signs == OPEN) & outside
    # from a brace or comma until a colon
    names = np.bitwise_xor.accumulate(marks.view(np.uint8)).view(bool) | colons
    written = np.frombuffer(text, np.uint8).copy()
    found = written[names].tobytes()
    if expected is not None and found != expected * count:
        return None
    cells = ~names | commas
    if not ROWS.fullmatch(signs[cells & (~inside | quotes)].tobytes()):
        return None
    cells &= inside | (signs != BLANK)
    nulls = np.flatnonzero((signs == N) & outside & cells)
    nulls = nulls[signs[nulls + 1] == U]  # not in Infinity
    for place in range(4):
        cells[nulls + place] = False
    written[(signs == CLOSE) & outside] = COMMA
    rows = written[cells].tobytes()
    if more:
        rows = rows.replace(b",\n", b"," * (more + 1) + b"\n")  # no text has a line feed yet
    try:
        return found, rows if plain is text else ESCAPES.sub(unescaped, rows)
    except ValueError:
        return None


def unescaped(found: re.Match[bytes]) -> bytes:
    """Escapes of JSON as CSV has them between quotes.

    Raises:
        ValueError: for what no text file holds: halves of characters, zeros.
    """
    text: str = json.loads(b'"' + found[0] + b'"')
    if "\0" in text:
        raise ValueError
    return text.replace('"', '""').encode()
