"""Plain numbers: rows of a CSV file whose numbers need one look instead of every rule's.

SQL reads numbers fast, but it also reads texts that the rule for numbers leaves alone: 007, 1_000,
1e-400, more digits than a float64 holds. Where the file's bytes hold nothing of the kind, what SQL
reads is right; where they do, one pattern decides about all cells of a row together. Rows that have
any other cell (a word for missing, a currency) are left to the rules.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from src.etl.sql import identifier
from src.etl.rules import DIGITS

PIECE_BYTES = 1 << 16  # what is made of a piece stays in the processor's cache
LARGEST = 1e300  # of what is plain: infinity and NaN are not
WHOLE = [f"[1-9][0-9]{{{digits - 1}}}" for digits in range(1, DIGITS + 1)]
NUMBER = "-?(?:0(?:[.]0{0,4}[0-9]{1,%d})?|%s)" % (DIGITS, "|".join(
    f"{whole}(?:[.][0-9]{{1,{DIGITS - digits}}})?" if digits < DIGITS else whole
    for digits, whole in enumerate(WHOLE, 1)))
ALL_PLAIN = '"all plain "'  # a name that no column of a CSV file has: it ends in a blank


def plain_sql(table: str, plain: Mapping[str, str], sure: bool) -> str:
    """SQL for a table with the plain numbers of some columns, and whether all of a row are plain.

    Args:
        plain: name of a column -> that of its numbers.
        sure: what SQL reads as a number is one; see `only_plain`.
    """
    cells = {identifier(name): number for name, number in plain.items()}
    numbers = [f"TRY_CAST({cell} AS DOUBLE) AS {number}" for cell, number in cells.items()]
    good = [f"(abs({number}) <= {LARGEST} OR {cell} IS NULL)" for cell, number in cells.items()]
    if not sure:
        good.append(f"regexp_full_match(concat_ws(' ', {', '.join(cells)}), "
                    f"'(?:{NUMBER}(?: |$))*')")
    return (f"(SELECT *, coalesce({' AND '.join(good)}, false) AS {ALL_PLAIN} "
            f"FROM (SELECT *, {', '.join(numbers)} FROM {table}))")


def can_be_plain(missing: Sequence[str]) -> bool:
    """Whether no word for a missing value reads as a number."""
    return not any(re.search("[0-9]", word) for word in missing)


def only_plain(path: Path) -> bool:
    """Whether a CSV file holds nothing that SQL reads as a number and the rule does not."""
    lines = returns = 0
    with open(path, "rb") as file:
        while piece := file.read(PIECE_BYTES):
            piece += file.readline()
            if is_odd(piece):
                return False
            lines += piece.count(b"\n")
            returns += piece.count(b"\r")
    return returns in (0, lines)  # else one may be at the end of a cell


def is_odd(lines: bytes) -> bool:
    """Whether something in lines may read as a number to SQL and not to the rule."""
    if any(mark in lines for mark in (b'"', b"\v", b"\f")) or b"+" in lines and b"+-" in lines:
        return True  # line ends in a cell, blanks that only SQL ignores, two signs
    sign = np.frombuffer(b"\n%b\n\n\n\n" % lines, dtype=np.uint8)
    digit = sign - np.uint8(ord("0")) < 10
    part = digit | (sign == ord("."))
    runs = part  # of so many bytes and one more, from each byte on
    for bytes_more in (1, 2, 4, 8, DIGITS - 15):
        runs = runs[:-bytes_more] & runs[bytes_more:]
    if runs.any():
        return True  # too many digits
    between = np.flatnonzero(sign == ord("_"))
    if (digit[between - 1] & digit[between + 1]).any():
        return True
    before = np.flatnonzero((sign[1:-1] == ord("0")) & digit[2:] & ~part[:-2])  # of zeros in front
    signed = (sign[before] == ord("+")) | (sign[before] == ord("-"))
    letter = sign[before - signed]
    if not ((letter == ord("e")) | (letter == ord("E"))).all():
        return True
    tens = np.flatnonzero((sign[:-4] | 32) == ord("e"))  # powers of it; | 32 makes a letter small
    tens = tens[sign[tens + 1] == ord("-")]
    # with three digits the number may be too small for a float64
    return bool((digit[tens + 2] & digit[tens + 3] & digit[tens + 4]).any())
