"""Every record of a raw file is accounted for: read, repaired or rejected, each line once.

DuckDB reads a clean file as it stands. It counts as clean when the strict reader accepts it and
the lines add up: header + blank + records + line ends inside quotes = physical lines. Any other
file goes through `_mend`, which keeps damage local: a bad line costs that line, never another.
"""

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from mlmonkey.errors import UserError
from src.etl.detect import Reading
from src.settings import relative

MAX_RECORD_LINES = 100  # a quote open for longer is a stray quote, not a text of many lines
PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class Reject:
    """A record that can't be read: its place among the records (from 0), its line (from 1)."""

    place: int
    line: int
    text: str
    reason: str


@dataclass
class Account:
    """Counts of one file; `check` proves that nothing is lost."""

    lines: int = 0
    header: int = 0
    blank: int = 0
    records: int = 0
    read: int = 0
    repaired: int = 0
    rejected: int = 0

    def check(self, path: Path) -> None:
        """Raise when records and counts differ: a fault of the reader, not of the file."""
        if self.read + self.repaired + self.rejected != self.records:
            raise RuntimeError(f"{path}: {self} does not add up")


@dataclass(frozen=True)
class Source:
    """A file that DuckDB can read strictly, the account of the raw file, and what was rejected."""

    path: Path
    reading: Reading
    account: Account
    rejects: list[Reject] = field(default_factory=list)

    def sql(self) -> str:
        """A table function for the source; every CSV column is text."""
        if self.reading["format"] == "parquet":
            return f"read_parquet({quoted(str(self.path))})"
        names = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in self.reading["columns"])
        return (f"read_csv({quoted(str(self.path))}, auto_detect=false, columns={{{names}}}, "
                f"delim={quoted(self.reading['delimiter'])}, quote='\"', escape='\"', "
                f"header={str(self.reading['header']).lower()}, nullstr='', strict_mode=true, "
                f"max_line_size={1 << 26})")


def open_source(connection: Any, path: Path, reading: Reading, workspace: Path) -> Source:
    """Account for every record of a file and return what DuckDB can read strictly.

    Args:
        connection: a DuckDB connection.
        workspace: a folder for a mended copy, kept as long as the source is read.
    """
    if reading["format"] == "parquet":
        return _open_parquet(connection, path, reading)
    if reading["encoding"] in ("utf-8", "utf-8-sig"):
        source = _open_clean(connection, path, reading)
        if source is not None:
            return source
    return _mend(path, reading, workspace / "mended.csv")


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _open_parquet(connection: Any, path: Path, reading: Reading) -> Source:
    import duckdb
    source = Source(path, reading, Account())
    try:
        relation = connection.sql(f"FROM {source.sql()}")
        count = connection.execute(f"SELECT count(*) FROM {source.sql()}").fetchone()[0]
    except duckdb.Error as error:
        raise UserError(f"{relative(path)} is not a readable Parquet file "
                        f"({str(error).splitlines()[0][:120]}); write it again") from None
    return Source(path, reading | {"columns": relation.columns},
                  Account(records=count, read=count))


def _open_clean(connection: Any, path: Path, reading: Reading) -> Source | None:
    """The file itself when it is in order; None when any line is not."""
    import duckdb
    lines, blank = _count_lines(path)
    source = Source(path, reading, Account())
    inside = " + ".join(f"count({name}) FILTER (contains({name}, chr(10)))"
                        for name in map(identifier, reading["columns"]))
    ends = " + ".join(f"coalesce(sum(length({name}) - length(replace({name}, chr(10), ''))), 0)"
                      for name in map(identifier, reading["columns"]))
    try:
        count, several, within = connection.execute(
            f"SELECT count(*), {inside}, {ends} FROM {source.sql()}").fetchone()
    except duckdb.Error:
        return None
    if len(reading["columns"]) == 1:
        blank = 0  # in a single column a blank line is a missing value
    header = int(reading["header"])
    if several and blank or header + blank + count + within != lines:
        return None
    account = Account(lines=lines, header=header, blank=blank, records=count, read=count)
    account.check(path)
    return Source(path, reading, account)


def _count_lines(path: Path) -> tuple[int, int]:
    """Physical lines, and how many of them are blank; a last line needs no line end."""
    lines = blank = 0
    last = b"\n"
    with open(path, "rb") as file:
        while piece := file.read(PIECE_BYTES):
            piece += file.readline()
            lines += piece.count(b"\n")
            blank += len(re.findall(rb"(?m)^[ \t]*\r?$", piece)) - piece.endswith(b"\n")
            last = piece[-1:]
    return lines + (last != b"\n"), blank


def _mend(path: Path, reading: Reading, mended: Path) -> Source:
    """Read line by line, write what is sound to a clean UTF-8 copy, keep what is not."""
    account, rejects = Account(), []
    width = len(reading["columns"])
    csv.field_size_limit(1 << 26)  # bytes in one cell; the module's own limit is 128 KiB
    mended.parent.mkdir(parents=True, exist_ok=True)
    with open(path, encoding=reading["encoding"], errors="replace", newline=None) as file, \
            open(mended, "w", encoding="utf-8", newline="") as clean:
        writer = csv.writer(clean, lineterminator="\n", quoting=csv.QUOTE_ALL)
        lines = _Lines(file)
        pending_header = reading["header"]
        while (line := lines.take()) is not None:
            first = lines.number
            if not line.strip() and width > 1:
                account.blank += 1
                continue
            fields, reason, repaired = _parse(line, lines, reading["delimiter"], width)
            if pending_header:
                account.header += 1
                pending_header = False
                continue
            account.records += 1
            if fields is None:
                account.rejected += 1
                rejects.append(Reject(account.records - 1, first, line.rstrip("\n"), reason))
            else:
                account.repaired += repaired
                account.read += not repaired
                writer.writerow(fields)
        account.lines = lines.number
    account.check(path)
    clean_reading = reading | {"encoding": "utf-8", "delimiter": ",", "header": False}
    return Source(mended, clean_reading, account, rejects)


class _Lines:
    """Lines of a file, with look-ahead that can be given back."""

    def __init__(self, file: IO[str]) -> None:
        self.file, self.number = file, 0
        self.returned: list[str] = []

    def take(self) -> str | None:
        line = self.returned.pop() if self.returned else self.file.readline()
        self.number += bool(line)
        return line or None

    def give_back(self, lines: list[str]) -> None:
        self.number -= len(lines)
        self.returned.extend(reversed(lines))


def _parse(line: str, lines: _Lines, delimiter: str,
           width: int) -> tuple[list[str] | None, str, bool]:
    """Fields of the record that begins at a line, or None and the reason; whether mended."""
    text, more = line, list[str]()
    while (fields := _fields(text, delimiter)) is None and len(more) < MAX_RECORD_LINES:
        following = lines.take() if text.count('"') % 2 else None
        if following is None:
            break
        more.append(following)
        text += following
    if fields is None or (more and len(fields) != width):
        lines.give_back(more)
        return None, "a stray quote", False
    if len(fields) > width and not any(map(str.strip, fields[width:])):
        return fields[:width], "", True
    if len(fields) != width:
        return None, f"{len(fields)} cells instead of {width}", False
    return fields, "", False


def _fields(text: str, delimiter: str) -> list[str] | None:
    try:
        return next(csv.reader([text.rstrip("\n")], delimiter=delimiter, strict=True), [""])
    except csv.Error:
        return None
