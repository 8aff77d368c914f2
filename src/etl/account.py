"""Every record of a raw file is accounted for: read, repaired or rejected, each line once.

DuckDB reads a clean file as it stands. It counts as clean when the strict reader accepts it and
lines and delimiters add up: none is left over, none is missing. Any other file goes through
`_mend`, which keeps damage local: a bad line costs that line, never another.
"""

import codecs
import csv
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from mlmonkey.errors import UserError
from src.etl.asking import Ambiguous
from src.etl.detect import Reading
from src.etl.records import Dialect, Lines, Record, read_records
from src.etl.repair import Columns
from src.settings import relative

PIECE_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 22  # DuckDB keeps room for many lines of this size
KNOWN_LINES = 1000  # from which the columns are known, when a line is damaged
REASON = "rejected "  # column of a source; no column of a CSV file has a name that ends in a blank
ROW_NUMBER = "row number "  # column of numbered_sql
UNREADABLE = re.compile("[\udc00-\udcff]")  # as _mark_bytes writes bytes that are no text


@dataclass
class Account:
    """Counts of one file. `continued` lines are those of a record after its first one.

    Lines without a cell, of delimiters only or ruled are `blank`; further tables are `footer`.
    """

    lines: int = 0
    preamble: int = 0
    header: int = 0
    blank: int = 0
    footer: int = 0
    continued: int = 0
    records: int = 0
    read: int = 0
    repaired: int = 0
    rejected: int = 0

    def check(self, path: Path) -> None:
        """Raise when lines or records are left over: a fault of the reader, not of the file."""
        if self.read + self.repaired + self.rejected != self.records or \
                self.lines != self.preamble + self.header + self.blank + self.footer + \
                self.continued + self.records:
            raise RuntimeError(f"{path}: {self} does not add up")


@dataclass(frozen=True)
class Source:
    """A file that DuckDB can read strictly, the account of the raw file, and what was rejected.

    `rejects` is a CSV file with line, reason and raw text; None when nothing was rejected.
    """

    path: Path
    reading: Reading
    account: Account
    mended: bool = False
    rejects: Path | None = None
    longest: int = 0  # bytes of a mended record
    proven: bool = True  # else whoever reads all of it must find `account.records` records

    def sql(self) -> str:
        """An SQL table of all records in order; REASON is NULL for those that could be read.

        Every column of a CSV file is text.
        """
        if self.reading["format"] == "parquet":
            return f"(SELECT *, NULL AS {identifier(REASON)} FROM {parquet_sql(self.path)})"
        if self.mended:
            return csv_sql(self.path, [*self.reading["columns"], REASON], ",", False,
                           longest=self.longest)
        table = csv_sql(self.path, self.reading["columns"], self.reading["delimiter"],
                        self.reading["header"], _line_end(self.path),
                        sign=self.reading["quote"])
        return f"(SELECT *, NULL AS {identifier(REASON)} FROM {table})"


def open_source(connection: Any, path: Path, reading: Reading, workspace: Path,
                write_reject: Callable[[str], str] = str, trust: bool = False) -> Source:
    """Account for every record of a file and return what DuckDB can read strictly.

    Args:
        connection: a DuckDB connection.
        workspace: a folder for a mended copy, kept as long as the source is read.
        write_reject: what is kept of a rejected record's raw text.
        trust: take a file whose lines and delimiters add up as clean; DuckDB, which is still to
            read it, can only refute that: see `proving`.
    """
    connection.execute("SET TimeZone = 'UTC'")  # moments with a zone must not depend on the machine
    if reading["format"] == "parquet":
        return _open_parquet(connection, path, reading)
    if reading["format"] == "json":
        from src.etl.json_lines import open_json_lines
        return open_json_lines(path, reading, workspace, write_reject)
    if _may_be_clean(reading):
        source = _open_clean(connection, path, reading, trust)
        if source is not None:
            return source
    return _mend(path, reading, workspace, write_reject)


class Unproven(Exception):
    """A file that was taken as clean may not be: open it again without trust."""


@contextmanager
def proving(source: Source) -> Iterator[None]:
    """Blame a source that isn't proven for whatever goes wrong with its rows."""
    import duckdb
    try:
        yield
    except (duckdb.Error, Ambiguous) as error:
        if source.proven:
            raise
        raise Unproven from error


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def parquet_sql(path: Path) -> str:
    """SQL for the rows of one Parquet file."""
    return f"read_parquet({_one_file(path)}, hive_partitioning=false)"


def numbered_sql(path: Path) -> str:
    """The same with ROW_NUMBER, from 0; DuckDB's own can't be had beside a column of its name."""
    return (f"(SELECT *, row_number() OVER () - 1 AS {identifier(ROW_NUMBER)} "
            f"FROM {parquet_sql(path)})")


def csv_sql(path: Path, names: Sequence[str], delimiter: str, header: bool,
            line_end: str = "\\n", longest: int = 0, sign: str = '"') -> str:
    """SQL for the records of one CSV file, read strictly; every cell is text, an empty one NULL."""
    columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in names)
    line = max(longest, MAX_LINE_BYTES)
    # of DuckDB's own, eight times larger, buffers it keeps the more the longer the file is
    return (f"read_csv({_one_file(path)}, auto_detect=false, columns={{{columns}}}, "
            f"delim={quoted(delimiter)}, quote={quoted(sign)}, escape={quoted(sign)}, "
            f"header={str(header).lower()}, "
            f"new_line='{line_end}', nullstr='', strict_mode=true, hive_partitioning=false, "
            f"max_line_size={line}, buffer_size={2 * line})")


def _one_file(path: Path) -> str:
    """A path as an SQL literal that names this file only: *, ? and [ are no pattern in it."""
    return quoted(re.sub(r"([*?\[])", r"[\1]", str(path)))


def _open_parquet(connection: Any, path: Path, reading: Reading) -> Source:
    import duckdb
    try:
        columns = connection.sql(f"FROM {parquet_sql(path)}").columns
        count = connection.execute(f"SELECT count(*) FROM {parquet_sql(path)}").fetchone()[0]
    except duckdb.Error as error:
        raise UserError(f"{relative(path)} is not a readable Parquet file "
                        f"({str(error).splitlines()[0][:120]}); write it again") from None
    return Source(path, reading | {"columns": columns}, Account(records=count, read=count))


def _may_be_clean(reading: Reading) -> bool:
    """Whether DuckDB can read such a file as it stands."""
    return reading["encoding"] in ("utf-8", "utf-8-sig") and reading["header_rows"] < 2 and \
        len(reading["delimiter"].encode()) == 1 and not (
            reading["quote_escape"] or reading["preamble"] or reading["footer"] or
            reading["skip_separator_lines"] or reading["careful"])


def _open_clean(connection: Any, path: Path, reading: Reading, trust: bool) -> Source | None:
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
        return Source(path, reading, account, proven=False)
    inner = [_occurrences(names, text) if found.torn else "0" for text in ("\n", mark)]
    inner.append(_most_in_lines(names, mark) if found.torn else "0")
    table = csv_sql(path, names, mark, reading["header"], _line_end(path), sign=reading["quote"])
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
    return Source(path, reading, account)


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


def _count_bytes(path: Path, mark: bytes, sign: bytes) -> _Bytes:
    import numpy as np
    count, last = _Bytes(), b"\n"
    with open(path, "rb") as file:
        while piece := file.read(PIECE_BYTES):
            piece += file.readline()
            count.broken = count.broken or not piece.isascii() and not _is_text(piece)
            signs = np.frombuffer(piece, dtype=np.uint8)  # there are many: quicker than bytes.count
            ends, returns = signs == ord("\n"), b"\r" in piece and piece.count(b"\r")
            count.lines += int(np.count_nonzero(ends))
            if piece.startswith((b"\n", b"\r\n")) or (ends[1:] & ends[:-1]).any() or \
                    returns and b"\n\r\n" in piece:
                count.blank += len(re.findall(rb"\n(?=\r?\n)", b"\n" + piece))
            count.marks += int(np.count_nonzero(signs == ord(mark)))
            if sign and not count.torn and len(parts := piece.split(sign)) > 1:
                between = b"".join(parts[1::2])
                count.inside += between.count(mark)
                count.torn = len(parts) % 2 == 0 or b"\n" in between
            if returns:
                count.returns += returns - piece.count(b"\r\n")
            last = piece[-1:]
    count.lines += last != b"\n"
    return count


def _is_text(piece: bytes) -> bool:
    try:
        piece.decode()
    except UnicodeDecodeError:
        return False
    return True


def _line_end(path: Path) -> str:
    """How the first line ends, as DuckDB writes it; it may look for one inside quotes itself."""
    with open(path, "rb") as file:
        return "\\r\\n" if file.readline().endswith(b"\r\n") else "\\n"


def _mend(path: Path, reading: Reading, workspace: Path,
          write_reject: Callable[[str], str]) -> Source:
    """Read line by line; write a clean UTF-8 copy in which a rejected record has only a reason."""
    codecs.register_error("mark bytes", _mark_bytes)
    account, width, longest = Account(), len(reading["columns"]), 0
    dialect = Dialect(reading["delimiter"], reading["quote"], reading["quote_escape"])
    mended, rejects = workspace / "mended.csv", workspace / "rejects.csv"
    workspace.mkdir(parents=True, exist_ok=True)
    with _open_text(path, reading) as file, \
            open(mended, "w", encoding="utf-8", newline="") as clean, \
            open(rejects, "w", encoding="utf-8", errors="backslashreplace", newline="") as rest:
        writer = csv.writer(clean, lineterminator="\n", quoting=csv.QUOTE_ALL)
        lost = csv.writer(rest, lineterminator="\n")
        lost.writerow(["line", "reason", "text"])
        below = deque[str]()
        lines = Lines(_but_the_last(file, reading["footer"], below))
        names = _skip_to_records(lines, reading, dialect, account)
        columns = Columns(_first_rows(path, reading, dialect), width, dialect)
        for record in read_records(lines, dialect, width, columns,
                                   reading["skip_separator_lines"]):
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
    return Source(mended, reading, account, True, kept, longest)


def _open_text(path: Path, reading: Reading) -> TextIO:
    """A file as text of which no byte is lost; line ends stay as they are."""
    file = open(path, encoding=reading["encoding"], errors="mark bytes", newline="")
    if reading["encoding"] not in ("utf-8-sig", "utf-16", "utf-32") and file.read(1) != "\ufeff":
        file.seek(0)
    return file


def _but_the_last(file: Iterable[str], count: int, last: deque[str]) -> Iterator[str]:
    """The lines of a file; so many at its end go to `last` instead."""
    for line in file:
        last.append(line)
        if len(last) > count:
            yield last.popleft()


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
