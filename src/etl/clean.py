"""A file that DuckDB can read as it stands: lines and delimiters add up.

It counts as clean when the strict reader accepts it and no line and no delimiter is left over or
missing. Any other file is mended: see src/etl/mend.py.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.etl.account import Account, Source
from src.etl.detect import Reading
from src.etl.sql import csv_sql, identifier, line_end, quoted

PIECE_BYTES = 1 << 17


def may_be_clean(reading: Reading) -> bool:
    """Whether DuckDB can read such a file as it stands."""
    return reading["encoding"] in ("utf-8", "utf-8-sig") and reading["header_rows"] < 2 and \
        len(reading["delimiter"].encode()) == 1 and not (
            reading["quote_escape"] or reading["preamble"] or reading["footer"] or
            reading["skip_separator_lines"] or reading["careful"] or reading.get("framed"))


def open_clean(connection: Any, path: Path, reading: Reading, trust: bool) -> Source | None:
    """The file itself when it is in order; None when a line or a delimiter doesn't add up."""
    import duckdb
    names, mark = reading["columns"], reading["delimiter"]
    found = _count_bytes(path, mark.encode(), reading["quote"].encode())
    if found.returns or found.broken:
        return None
    header = int(reading["header"])
    if trust and not found.torn:
        blank = found.blank if len(names) > 1 else 0
        count = found.lines - header - blank
        if (len(names) - 1) * (count + header) + found.inside != found.marks:
            return None
        account = Account(lines=found.lines, header=header, blank=blank, records=count, read=count)
        return Source(path, reading, account, tidy=found.tidy, proven=False)
    inner = [_occurrences(names, text) if found.torn else "0" for text in ("\n", mark)]
    inner.append(_most_in_lines(names, mark) if found.torn else "0")
    table = csv_sql(path, names, mark, reading["header"], line_end(path), sign=reading["quote"])
    try:
        count, continued, inside, most = connection.execute(
            f"SELECT count(*), {', '.join(inner)} FROM {table}").fetchone()
    except duckdb.Error:
        return None
    if len(names) > 1 and most >= len(names) - 1:
        return None  # records between two stray quotes? the slow way tells
    blank = found.blank if len(names) > 1 else 0  # in a single column a missing value
    if blank and continued:
        return None  # blank lines inside quotes or between records? the slow way tells
    inside += header * sum(name.count(mark) for name in names) if found.torn else found.inside
    if header + blank + continued + count != found.lines or \
            (len(names) - 1) * (count + header) + inside != found.marks:
        return None
    account = Account(lines=found.lines, header=header, blank=blank, continued=continued,
                      records=count, read=count)
    account.check(path)
    return Source(path, reading, account, tidy=found.tidy and not found.torn)


def _occurrences(names: Sequence[str], text: str) -> str:
    """SQL for how often a character occurs in all cells together."""
    def within(cell: str) -> str:
        return (f"coalesce(sum(CASE WHEN contains({cell}, {quoted(text)}) THEN strlen({cell}) "
                f"- strlen(replace({cell}, {quoted(text)}, '')) END), 0)")
    return " + ".join(within(identifier(name)) for name in names)


def _most_in_lines(names: Sequence[str], mark: str) -> str:
    """SQL for how many delimiters a cell of several lines has at most."""
    cells = ", ".join(
        f"max(CASE WHEN contains({cell}, '\n') THEN strlen({cell}) - "
        f"strlen(replace({cell}, {quoted(mark)}, '')) END)" for cell in map(identifier, names))
    return f"coalesce(greatest({cells}), 0)"


@dataclass
class _Bytes:
    """What a pass over the bytes counts; the last line needs no end."""

    lines: int = 0
    blank: int = 0
    marks: int = 0
    inside: int = 0  # of these, between two quotes
    torn: bool = False  # line ends between two quotes, or so it seems
    broken: bool = False  # bytes that are not UTF-8, which DuckDB sees in the cells it needs only
    returns: int = 0  # carriage returns without a line feed: line ends to some, text to others
    tidy: bool = True  # no blank before a delimiter, a quote or a line end, none beyond ASCII


def _count_bytes(path: Path, mark: bytes, sign: bytes) -> _Bytes:
    import numpy as np
    count, piece = _Bytes(), b"\n"
    masks = np.empty((3, 2 * PIECE_BYTES), bool)  # kept: to ask for memory takes most of the time
    with open(path, "rb") as file:
        while lines := file.read(PIECE_BYTES):
            piece = lines if lines.endswith(b"\n") else lines + file.readline()
            if len(piece) > masks.shape[1]:
                masks = np.empty((3, len(piece)), bool)
            _count_piece(count, piece, mark, sign, masks[:, :len(piece)])
    count.lines += not piece.endswith(b"\n")
    return count


def _count_piece(count: _Bytes, piece: bytes, mark: bytes, sign: bytes, masks: Any) -> None:
    """Add the counts of whole lines."""
    import numpy as np
    signs = np.frombuffer(piece, dtype=np.uint8)  # there are many: quicker than bytes.count
    ends, marks = (np.equal(signs, code, out=mask)
                   for code, mask in zip((ord("\n"), ord(mark)), masks))
    returns = b"\r" in piece and piece.count(b"\r")
    count.broken = count.broken or not piece.isascii() and not _is_text(piece)
    count.lines += int(np.count_nonzero(ends))
    count.marks += int(np.count_nonzero(marks))
    if piece.startswith((b"\n", b"\r\n")) or returns and b"\n\r\n" in piece or \
            np.logical_and(ends[1:], ends[:-1], out=masks[2, 1:]).any():
        count.blank += len(re.findall(rb"\n(?=\r?\n)", b"\n" + piece))
    if sign and not count.torn and len(parts := piece.split(sign)) > 1:
        between = b"".join(parts[1::2])
        count.inside += between.count(mark)
        count.torn = len(parts) % 2 == 0 or b"\n" in between
    if returns:
        count.returns += returns - piece.count(b"\r\n")
    if count.tidy:
        ends |= marks
        if sign:
            ends |= np.equal(signs, ord(sign), out=masks[2])
        blanks = np.equal(signs, ord(" "), out=masks[2])
        blanks[:-1] &= ends[1:]
        odd = {b"\t", b"\v", b"\f"} - {mark} | ({b" \r"} if returns else set()) | (
            set() if piece.isascii() else {b"\xc2\xa0"})
        count.tidy = not (blanks.any() or any(each in piece for each in odd))


def _is_text(piece: bytes) -> bool:
    try:
        piece.decode()
    except UnicodeDecodeError:
        return False
    return True
