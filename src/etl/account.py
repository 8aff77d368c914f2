"""Every record of a raw file is accounted for: read, repaired or rejected, each line once.

DuckDB reads a clean file as it stands. It counts as clean when the strict reader accepts it and
lines and delimiters add up: none is left over, none is missing. Any other file goes through
`_mend`, which keeps damage local: a bad line costs that line, never another.
"""

import codecs
import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlmonkey.errors import UserError
from src.etl.detect import Reading
from src.etl.records import Record, read_records
from src.settings import relative

PIECE_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 22  # DuckDB keeps room for many lines of this size
REASON = "rejected "  # column of a source; no column of a CSV file has a name that ends in a blank
ROW_NUMBER = "row number "  # column of numbered_sql
UNREADABLE = re.compile("[\udc00-\udcff]")  # as _mark_bytes writes bytes that are no text


@dataclass
class Account:
    """Counts of one file. `continued` lines are those of a record after its first one."""

    lines: int = 0
    header: int = 0
    blank: int = 0
    continued: int = 0
    records: int = 0
    read: int = 0
    repaired: int = 0
    rejected: int = 0

    def check(self, path: Path) -> None:
        """Raise when lines or records are left over: a fault of the reader, not of the file."""
        if self.read + self.repaired + self.rejected != self.records or \
                self.lines != self.header + self.blank + self.continued + self.records:
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
                        self.reading["header"], _line_end(self.path))
        return f"(SELECT *, NULL AS {identifier(REASON)} FROM {table})"


def open_source(connection: Any, path: Path, reading: Reading, workspace: Path,
                write_reject: Callable[[str], str] = str) -> Source:
    """Account for every record of a file and return what DuckDB can read strictly.

    Args:
        connection: a DuckDB connection.
        workspace: a folder for a mended copy, kept as long as the source is read.
        write_reject: what is kept of a rejected record's raw text.
    """
    connection.execute("SET TimeZone = 'UTC'")  # moments with a zone must not depend on the machine
    if reading["format"] == "parquet":
        return _open_parquet(connection, path, reading)
    if reading["format"] == "json":
        from src.etl.json_lines import open_json_lines
        return open_json_lines(path, reading, workspace, write_reject)
    if reading["encoding"] in ("utf-8", "utf-8-sig"):
        source = _open_clean(connection, path, reading)
        if source is not None:
            return source
    return _mend(path, reading, workspace, write_reject)


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
            line_end: str = "\\n", longest: int = 0) -> str:
    """SQL for the records of one CSV file, read strictly; every cell is text, an empty one NULL."""
    columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in names)
    line = max(longest, MAX_LINE_BYTES)
    # of DuckDB's own, eight times larger, buffers it keeps the more the longer the file is
    return (f"read_csv({_one_file(path)}, auto_detect=false, columns={{{columns}}}, "
            f"delim={quoted(delimiter)}, quote='\"', escape='\"', header={str(header).lower()}, "
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


def _open_clean(connection: Any, path: Path, reading: Reading) -> Source | None:
    """The file itself when it is in order; None when a line or a delimiter doesn't add up."""
    import duckdb
    names, mark = reading["columns"], reading["delimiter"]
    found = _count_bytes(path, mark.encode())
    if found.returns:
        return None
    inner = [_occurrences(names, text) if found.quotes else "0" for text in ("\n", mark)]
    table = csv_sql(path, names, mark, reading["header"], _line_end(path))
    try:
        count, continued, inside = connection.execute(
            f"SELECT count(*), {', '.join(inner)} FROM {table}").fetchone()
    except duckdb.Error:
        return None
    header = int(reading["header"])
    blank = found.blank if len(names) > 1 else 0  # in a single column a missing value
    if blank and continued:
        return None  # blank lines inside quotes or between records? the slow way tells
    inside += header * sum(name.count(mark) for name in names)
    if header + blank + continued + count != found.lines or \
            (len(names) - 1) * (count + header) + inside != found.marks:
        return None
    account = Account(found.lines, header, blank, continued, count, read=count)
    account.check(path)
    return Source(path, reading, account)


def _occurrences(names: Sequence[str], text: str) -> str:
    """SQL for how often a character occurs in all cells together."""
    def within(cell: str) -> str:
        return (f"coalesce(sum(CASE WHEN contains({cell}, {quoted(text)}) THEN strlen({cell}) "
                f"- strlen(replace({cell}, {quoted(text)}, '')) END), 0)")
    return " + ".join(within(identifier(name)) for name in names)


@dataclass
class _Bytes:
    """What a pass over the bytes counts; the last line needs no end."""

    lines: int = 0
    blank: int = 0
    marks: int = 0
    quotes: int = 0
    returns: int = 0  # carriage returns without a line feed: line ends to some, text to others


def _count_bytes(path: Path, mark: bytes) -> _Bytes:
    count, last = _Bytes(), b"\n"
    with open(path, "rb") as file:
        while piece := file.read(PIECE_BYTES):
            piece += file.readline()
            count.lines += piece.count(b"\n")
            count.blank += len(re.findall(rb"\n(?=\r?\n)", b"\n" + piece))
            count.marks += piece.count(mark)
            count.quotes += piece.count(b'"')
            if returns := piece.count(b"\r"):
                count.returns += returns - piece.count(b"\r\n")
            last = piece[-1:]
    count.lines += last != b"\n"
    return count


def _line_end(path: Path) -> str:
    """How the first line ends, as DuckDB writes it; it may look for one inside quotes itself."""
    with open(path, "rb") as file:
        return "\\r\\n" if file.readline().endswith(b"\r\n") else "\\n"


def _mend(path: Path, reading: Reading, workspace: Path,
          write_reject: Callable[[str], str]) -> Source:
    """Read line by line; write a clean UTF-8 copy in which a rejected record has only a reason."""
    codecs.register_error("mark bytes", _mark_bytes)
    account, width, longest = Account(), len(reading["columns"]), 0
    mended, rejects = workspace / "mended.csv", workspace / "rejects.csv"
    workspace.mkdir(parents=True, exist_ok=True)
    with open(path, encoding=reading["encoding"], errors="mark bytes", newline="") as file, \
            open(mended, "w", encoding="utf-8", newline="") as clean, \
            open(rejects, "w", encoding="utf-8", errors="backslashreplace", newline="") as rest:
        writer = csv.writer(clean, lineterminator="\n", quoting=csv.QUOTE_ALL)
        lost = csv.writer(rest, lineterminator="\n")
        lost.writerow(["line", "reason", "text"])
        for record in read_records(file, reading["delimiter"], width):
            account.lines += record.lines
            longest = max(longest, 4 * len(record.text) + 3 * width)  # in UTF-8, all quoted
            if record.cells == []:
                account.blank += record.lines
                continue
            if reading["header"] and not account.header:
                account.header += record.lines
                continue
            account.records += 1
            account.continued += record.lines - 1
            if reason := _reason(record, reading["encoding"]):
                account.rejected += 1
                lost.writerow([record.line, reason, write_reject(record.text)])
                writer.writerow([""] * width + [f"line {record.line}: {reason}"])
            else:
                account.repaired += record.repaired
                writer.writerow([*(record.cells or []), ""])
    account.read = account.records - account.repaired - account.rejected
    account.check(path)
    kept = rejects if account.rejected else None
    return Source(mended, reading, account, True, kept, longest)


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
