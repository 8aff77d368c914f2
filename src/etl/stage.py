"""The two tables of a dataset: staging, the typed and faithful copy, and transformed, its rows.

Parquet files are written whole, rows in order: the same input gives the same bytes.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlmonkey.errors import UserError
from mlmonkey.files import sha256_of, whole_file
from src.etl.account import REASON, Source, identifier, parquet_sql, quoted
from src.etl.convert import cells_sql, plain_sql, value_sql
from src.settings import relative


def stage_rows(connection: Any, source: Source, rules: Mapping[str, str],
               path: Path) -> dict[str, Any]:
    """Write the records that could be read, each column converted by its rule."""
    names = source.reading["columns"]
    table = cells_sql(source.sql(), names, source.reading) if rules else source.sql()
    values = [f"{value_sql(name, rules[name]) if rules else identifier(name)} AS {identifier(name)}"
              for name in names]
    return write_parquet(connection, f"SELECT {', '.join(values)} FROM {table} "
                         f"WHERE {identifier(REASON)} IS NULL", path)


def transform_rows(connection: Any, stem: str, staged: Path, path: Path) -> dict[str, Any]:
    """Apply the project's own function for this table, if there is one.

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
                            f"({str(error).splitlines()[0]}); mend it, or take {stem!r} out of "
                            "TRANSFORMS") from None
    columns = list(zip(rows.columns, map(str, rows.types)))
    values = [plain_sql(name, kind) for name, kind in columns]
    odd = [f"{name!r} ({kind})" for (name, kind), value in zip(columns, values)
           if value != identifier(name)]
    if odd:
        print(f"reading: as text or as a moment in UTC: {', '.join(odd)}")
    elif not transform:
        with whole_file(path) as temporary:
            shutil.copyfile(staged, temporary)
        return describe(path, len(rows))
    selected = ", ".join(f"{value} AS {identifier(name)}"
                         for (name, _), value in zip(columns, values))
    return write_parquet(connection, rows.project(selected).sql_query(), path)


def write_parquet(connection: Any, query: str, path: Path) -> dict[str, Any]:
    """Write a query's rows, in order, whole or not at all."""
    with whole_file(path) as temporary:
        rows = connection.execute(
            f"COPY ({query}) TO {quoted(str(temporary))} "
            "(FORMAT parquet, COMPRESSION zstd)").fetchone()[0]
    return describe(path, rows)


def describe(path: Path, rows: int) -> dict[str, Any]:
    """What the profile says of a file."""
    return {"path": relative(path), "rows": rows, "size": path.stat().st_size,
            "sha256": sha256_of(path)}
