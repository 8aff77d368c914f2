"""A file that is not in order: a bad line costs that line, never another.

Lines that are in order are copied as they stand, many at once; the others are read one by one.
"""

import codecs
import csv
import re
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import TextIO

from src.etl.account import MENDED, Account, Source
from src.etl.detect import Reading
from src.etl.header import stand_out
from src.etl.pieces import Text, orderly_lines, read_pieces
from src.etl.records import Dialect, Lines, Record, read_records
from src.etl.repair import Columns

KNOWN_LINES = 1000  # from which the columns are known, when a line is damaged
UNREADABLE = re.compile("[\udc00-\udcff]")  # as _mark_bytes writes bytes that are no text


def mend(path: Path, reading: Reading, workspace: Path,
         write_reject: Callable[[str], str]) -> Source:
    """Write a clean UTF-8 copy, in which a rejected record has only a reason."""
    codecs.register_error("mark bytes", _mark_bytes)
    account, width, longest = Account(), len(reading["columns"]), 0
    dialect = Dialect(reading["delimiter"], reading["quote"], reading["quote_escape"],
                      reading.get("framed", False))  # models of an earlier version don't say
    mended, rejects = workspace / MENDED, workspace / "rejects.csv"
    workspace.mkdir(parents=True, exist_ok=True)
    with _open_text(path, reading) as file, \
            open(mended, "w", encoding="utf-8", newline="") as clean, \
            open(rejects, "w", encoding="utf-8", errors="backslashreplace", newline="") as rest:
        lost = csv.writer(rest, lineterminator="\n")
        lost.writerow(["line", "reason", "text"])
        below: list[str] = []
        lines = Text(read_pieces(file, reading["footer"], below))
        names = _skip_to_records(lines, reading, dialect, account)
        first_rows = _first_rows(path, reading, dialect)
        names = names if names and stand_out(names, first_rows) else None
        skip_bare = reading["skip_separator_lines"]
        orderly = orderly_lines(dialect, width, names)
        mark, sign = (dialect.delimiter, dialect.quote or '"') if orderly else Dialect()[:2]
        writer = csv.writer(clean, delimiter=mark, quotechar=sign, lineterminator="\n",
                            quoting=csv.QUOTE_ALL)
        columns = Columns(first_rows, width, dialect)
        records = read_records(lines, dialect, width, columns, skip_bare)
        while True:
            if orderly and (many := lines.take_many(orderly)):
                account.records += many.count("\n")
                longest = max(longest, 4 * len(many))
                clean.write(many.replace("\r\n", "\n").replace("\n", f"{mark}\n"))
            if (record := next(records, None)) is None:
                break
            longest = max(longest, 4 * len(record.text) + 3 * width)  # in UTF-8, all quoted
            if record.cells == []:
                account.blank += record.lines
                continue
            if names and record.cells is not None and names == _stripped(record.cells):
                account.header += record.lines  # said again within the table
                continue
            account.records += 1
            account.continued += record.lines - 1
            if reason := _reason(record, reading["encoding"]):
                account.rejected += 1
                lost.writerow([record.line, reason, write_reject(record.text)])
                writer.writerow([""] * width + [f"line {record.line}: {reason}"])
            else:
                padded = "\0" in record.text  # zeros between characters mean nothing
                account.repaired += record.repaired or padded
                cells = record.cells or []
                writer.writerow([*(cell.replace("\0", "") for cell in cells), ""] if padded
                                else [*cells, ""])
    account.footer = len(below)
    account.lines = lines.number + len(below)
    account.read = account.records - account.repaired - account.rejected
    account.check(path)
    kept = rejects if account.rejected else None
    return Source(mended, reading, account, True, kept, longest, dialect=Dialect(mark, sign))


def _open_text(path: Path, reading: Reading) -> TextIO:
    """A file as text of which no byte is lost; line ends stay as they are."""
    file = open(path, encoding=reading["encoding"], errors="mark bytes", newline="")
    if reading["encoding"] not in ("utf-8-sig", "utf-16", "utf-32") and file.read(1) != "\ufeff":
        file.seek(0)
    return file


def _skip_to_records(lines: Lines, reading: Reading, dialect: Dialect,
                     account: Account) -> list[str] | None:
    """Take the lines above the first record; return the row of names, where it is the only one."""
    while account.preamble < reading["preamble"] and lines.take() is not None:
        account.preamble += 1
    names: list[str] = []
    rows = 0
    for record in read_records(lines, dialect) if reading["header_rows"] else ():
        if not record.cells and record.cells is not None or not any(_stripped(record.cells or "x")):
            account.blank += record.lines
            continue
        account.header += record.lines
        names, rows = _stripped(record.cells or []), rows + 1
        if rows == reading["header_rows"]:
            break
    return names if len(set(names) - {""}) > 1 else None


def _stripped(cells: Iterable[str]) -> list[str]:
    return [cell.strip() for cell in cells]


def _first_rows(path: Path, reading: Reading, dialect: Dialect) -> list[list[str]]:
    """Records from the beginning of a file, damaged ones too."""
    with _open_text(path, reading) as file:
        lines = Lines(islice(file, KNOWN_LINES))
        _skip_to_records(lines, reading, dialect, Account())
        return [record.cells for record in read_records(
            lines, dialect, skip_bare=reading["skip_separator_lines"]) if record.cells]


def _reason(record: Record, encoding: str) -> str:
    """Why a record is rejected; empty when it is not."""
    if not record.text.isascii() and UNREADABLE.search(record.text):
        return f"bytes that are not {encoding}"
    return record.reason if record.cells is None else ""


def _mark_bytes(error: UnicodeError) -> tuple[str, int]:
    """Keep bytes that can't be decoded as characters that no text has."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start:error.end]
    return "".join(chr(0xDC00 + byte) for byte in bad), error.end
