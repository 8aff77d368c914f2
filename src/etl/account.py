"""Every record of a raw file is accounted for: read, repaired or rejected, each line once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from src.etl.asking import Ambiguous
from src.etl.detect import Reading
from src.etl.records import Dialect
from src.etl.sql import csv_sql, identifier, line_end, parquet_sql

REASON = "rejected "  # column of a source; no column of a CSV file has a name that ends in a blank
MENDED = "mended.csv"  # in the workspace, while a file is read that is not in order


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
    tidy: bool = False  # no cell ends with a blank, and none holds one beyond ASCII
    dialect: Dialect = Dialect()  # of a mended copy
    proven: bool = True  # else whoever reads all of it must find `account.records` records

    def sql(self) -> str:
        """An SQL table of all records in order; REASON is NULL for those that could be read.

        Every column of a CSV file is text.
        """
        if self.reading["format"] == "parquet":
            return f"(SELECT *, NULL AS {identifier(REASON)} FROM {parquet_sql(self.path)})"
        if self.mended:
            return csv_sql(self.path, [*self.reading["columns"], REASON], self.dialect.delimiter,
                           False, longest=self.longest, sign=self.dialect.quote)
        table = csv_sql(self.path, self.reading["columns"], self.reading["delimiter"],
                        self.reading["header"], line_end(self.path),
                        sign=self.reading["quote"])
        return f"(SELECT *, NULL AS {identifier(REASON)} FROM {table})"


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
