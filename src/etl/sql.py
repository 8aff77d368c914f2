"""Names, texts and files as DuckDB's SQL writes them."""

import re
from collections.abc import Sequence
from pathlib import Path

MAX_LINE_BYTES = 1 << 22  # DuckDB keeps room for many lines of this size
ROW_NUMBER = "row number "  # column of numbered_sql


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
    ends = f"new_line='{line_end}', " if line_end else ""
    # of DuckDB's own, eight times larger, buffers it keeps the more the longer the file is
    return (f"read_csv({_one_file(path)}, auto_detect=false, columns={{{columns}}}, "
            f"delim={quoted(delimiter)}, quote={quoted(sign)}, escape={quoted(sign)}, "
            f"header={str(header).lower()}, "
            f"{ends}nullstr='', strict_mode=true, hive_partitioning=false, "
            f"max_line_size={line}, buffer_size={2 * line})")


def _one_file(path: Path) -> str:
    """A path as an SQL literal that names this file only: *, ? and [ are no pattern in it."""
    return quoted(re.sub(r"([*?\[])", r"[\1]", str(path)))


def line_end(path: Path) -> str:
    """How DuckDB writes a file's line end; empty where it must find that out for itself.

    It may take one inside quotes for it; told that it is two signs, version 2.0 reads nothing.
    """
    with open(path, "rb") as file:
        return "" if file.readline().endswith(b"\r\n") else "\\n"
