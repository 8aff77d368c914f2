"""The two tables of a dataset: staging, the typed and faithful copy, and transformed, its rows.

Rows stay in order: the same input gives the same bytes.
"""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlmonkey.errors import UserError
from mlmonkey.files import sha256_of
from mlmonkey.redact import without_cells
from src.etl.account import REASON, Source, Unproven
from src.etl.sql import identifier, parquet_sql, quoted
from src.etl.convert import (WIDE, cells_sql, checked_value_sql, dtype_of_type, plain_sql,
                             unless_missing_sql, usual_sql)
from src.settings import relative

YEARS = "year({t}) BETWEEN 1 AND 9999"  # of Python's dates; an infinite one has no year
MISFIT = "a value that the rule of its column does not fit"


class Misfit(Exception):
    """A value that the rule of its column does not fit."""


def limit_memory(connection: Any, source: Source) -> None:
    """Give DuckDB the memory that keeps its threads busy: more it fills with what is done.

    Each thread holds some thousand values of every column, and room for several of the longest
    lines; a plan for thousands of columns is large itself.
    """
    columns, lines = len(source.reading["columns"]), source.longest * 16 >> 20
    threads = os.cpu_count() or 1
    megabytes = max(min(threads * (400 + 2 * columns) + lines, 1000), columns)
    connection.execute(f"SET memory_limit = '{megabytes}MB'")


def stage_rows(connection: Any, source: Source, rules: Mapping[str, str], path: Path) -> int:
    """Write the records that could be read, each column converted by its rule; count them.

    Raises:
        Misfit: at the first value that its rule does not fit.
        Unproven: when the source was taken as clean, and its records are others.
    """
    import duckdb
    names, table = source.reading["columns"], source.sql()
    values = {name: identifier(name) for name in names}
    if rules:
        # step by step in subqueries: see cells_sql
        usual = {}
        word_reads = re.search("[0-9]", "".join(source.reading["missing"]))
        if not word_reads and len(names) <= WIDE:
            usual = {name: (place, *sql) for n, name in enumerate(names)
                     if (sql := usual_sql(name, rules[name], place := f'"usual {n} "',
                                          source.tidy))}
        if usual:
            seen = ", ".join(f"{value} AS {place}" for place, value, _ in usual.values())
            good = ", ".join(f"CASE WHEN {test} THEN {place} END AS {place}"
                             for place, _, test in usual.values())
            table = f"(SELECT * REPLACE ({good}) FROM (SELECT *, {seen} FROM {table}))"
        table = cells_sql(table, names, source.reading,
                          {name: f"{place} IS NOT NULL" for name, (place, *_) in usual.items()},
                          source.tidy)
        values = {name: checked_value_sql(name, rules[name], unless_missing_sql(
            identifier(name), source.reading, f"error('{MISFIT}')")) for name in names}
        values |= {name: f"CASE WHEN {place} IS NOT NULL THEN {place} ELSE {values[name]} END"
                   for name, (place, *_) in usual.items()}
    selected = ", ".join(f"{value} AS {identifier(name)}" for name, value in values.items())
    try:
        count = write_parquet(connection, f"SELECT {selected} FROM {table} "
                              f"WHERE {identifier(REASON)} IS NULL", path)
    except duckdb.InvalidInputException as error:
        if MISFIT not in str(error):
            raise
        raise Misfit from None
    if not source.proven and count != source.account.records:
        raise Unproven
    return count


def transform_rows(connection: Any, stem: str, staged: Path, path: Path) -> int:
    """Apply the project's own function for this table, if there is one; count the rows.

    Raises:
        UserError: when the function does not fit the table.
    """
    import duckdb

    from src.etl.transform import TRANSFORMS
    rows = connection.sql(f"FROM {parquet_sql(staged)}")
    transform = TRANSFORMS.get(stem)
    if transform:
        print(f"transform: {transform.__name__} of src/etl/transform.py")
        try:
            rows = transform(rows)
        except duckdb.Error as error:
            raise UserError(f"{transform.__name__} of src/etl/transform.py doesn't fit this table "
                            f"({without_cells(error)}); mend it, or take {stem!r} out of "
                            "TRANSFORMS") from None
    columns = list(zip(rows.columns, map(str, rows.types)))
    values = [plain_sql(name, kind) for name, kind in columns]
    odd = [f"{name!r} ({kind})" for (name, kind), value in zip(columns, values)
           if value != identifier(name)]
    if odd:
        print(f"reading: as text or as a moment in UTC: {', '.join(odd)}")
    beyond = dates_beyond(rows, columns)
    if beyond:
        print("reading: dates before the year 1 or after 9999 count as missing: "
              + ", ".join(f"{count:,} of {name!r}" for name, count in beyond.items()))
        values = [f"CASE WHEN {YEARS.format(t=value)} THEN {value} END" if name in beyond else value
                  for (name, _), value in zip(columns, values)]
    if not (odd or beyond or transform):
        shutil.copyfile(staged, path)
        return len(rows)
    selected = ", ".join(f"{value} AS {identifier(name)}"
                         for (name, _), value in zip(columns, values))
    return write_parquet(connection, rows.project(selected).sql_query(), path)


def dates_beyond(rows: Any, columns: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Columns with dates that Python has not, such as infinity, and how many of them."""
    names = [name for name, kind in columns if dtype_of_type(kind) == "date"]
    if not names:
        return {}
    counts = rows.aggregate(", ".join(
        f"count({cell}) - count(*) FILTER (WHERE {YEARS.format(t=cell)})"
        for cell in map(identifier, names))).fetchall()[0]
    return {name: count for name, count in zip(names, counts) if count}


def write_parquet(connection: Any, query: str, path: Path) -> int:
    """Write a query's rows, in order, and count them."""
    # into the very file that is there: it is locked, which shows others that its writer lives;
    # the second version's encodings are smaller before they are compressed, and quicker to; a
    # dictionary of more values costs more time than it saves room
    count: int = connection.execute(
        f"COPY ({query}) TO {quoted(str(path))} "
        "(FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 1, "
        "DICTIONARY_SIZE_LIMIT 5000, USE_TMP_FILE false)").fetchone()[0]
    return count


def describe(written: Path, path: Path, rows: int) -> dict[str, Any]:
    """What the profile says of a file that will be `path`."""
    return {"path": relative(path), "rows": rows, "size": written.stat().st_size,
            "sha256": sha256_of(written)}
