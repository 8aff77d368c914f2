"""`--data sqlite:///shop.db`: a table of a SQLite file, read by Python's own library.

A value of SQLite has a type, a column has none: a column is what all of its values are.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from mlmonkey.errors import UserError
from src.etl.sql import identifier
from src.etl.detect import check_readable
from src.helpers.configuration import nearest
from src.helpers.progress import bar
from src.settings import relative

AT_ONCE = 5_000  # rows
EXACT = 2**53  # whole numbers up to it are the same as a float64


def tables(address: str) -> list[str]:
    """The names of tables and views."""
    with opened(address) as connection:
        return [name for name, in connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name")]


def write_rows(address: str, table: str | None, query: str | None,
               rows: Path) -> tuple[str, list[tuple[str, str]]]:
    """Write rows as CSV; return the source's name, and name and type of each column.

    Raises:
        UserError: for no such file or table, or a query that SQLite refuses.
    """
    if table is not None and table not in (known := tables(address)):
        raise UserError(f"{relative(path_of(address))} has no table {table!r}"
                        f"{nearest(table, known)}")
    with opened(address) as connection, bar(0, unit=" rows") as shown, \
            open(rows, "w", encoding="utf-8", newline="") as file:
        cursor = connection.execute(query or f"SELECT * FROM {identifier(table or '')}")
        if cursor.description is None:
            raise UserError("--query returns no rows; it is to begin with SELECT or WITH")
        kinds: list[set[type]] = [set() for _ in cursor.description]
        while records := cursor.fetchmany(AT_ONCE):
            columns = list(zip(*records, strict=True))
            for kind, column in zip(kinds, columns, strict=True):
                kind |= set(map(type, column))
                if kind >= {int, float} and any(
                        isinstance(value, int) and abs(value) > EXACT for value in column):
                    kind.add(str)
            cells = [list(map(as_cell, column)) for column in columns]
            file.writelines(",".join(record) + "\n" for record in zip(*cells, strict=True))
            shown.update(len(records))
        names = [each[0] for each in cursor.description]
    return f"sqlite:///{relative(path_of(address))}", [
        (name, type_of(kind - {type(None)})) for name, kind in zip(names, kinds, strict=True)]


def path_of(address: str) -> Path:
    """sqlite:///x.db is a file here, sqlite:////data/x.db one that begins at the root."""
    parts = urlsplit(address)
    if parts.netloc or len(parts.path) < 2:
        raise UserError(f"{address}: write sqlite:///shop.db, or sqlite:////folder/shop.db")
    return Path(unquote(parts.path[1:]))


@contextmanager
def opened(address: str) -> Iterator[sqlite3.Connection]:
    """A connection that can't write."""
    path = path_of(address)
    if not path.is_file():
        check_readable(path)
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro",
                                     uri=True)) as connection:
            yield connection
    except (sqlite3.Error, sqlite3.Warning) as error:
        advice = ("; read the column as bytes: --query 'SELECT CAST(... AS BLOB) ...'"
                  if "decode to UTF-8" in str(error) else "")
        raise UserError(f"SQLite: {relative(path)}: {error}{advice}") from None


def as_cell(value: Any) -> str:
    """A value as a cell; NULL is an empty one without quotes."""
    if value is None:
        return ""
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    return value.hex() if isinstance(value, bytes) else repr(value)


def type_of(kinds: set[type]) -> str:
    """The type of a column whose values have these types; SQLite has no dates, they are text."""
    if kinds == {int}:
        return "BIGINT"
    if kinds and kinds <= {int, float}:
        return "DOUBLE"
    return "date and time" if kinds == {str} else "VARCHAR"
