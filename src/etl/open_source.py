"""A raw file as a source that DuckDB reads strictly, every record of it accounted for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlmonkey.errors import UserError
from src.etl.account import Account, Source
from src.etl.clean import may_be_clean, open_clean
from src.etl.detect import Reading
from src.etl.json_lines import open_json
from src.etl.mend import mend
from src.etl.sql import parquet_sql
from src.settings import relative


def open_source(connection: Any, path: Path, reading: Reading, workspace: Path,
                write_reject: Callable[[str], str] = str, trust: bool = False,
                raw: Path | None = None) -> Source:
    """Account for every record of a file and return what DuckDB can read strictly.

    Args:
        connection: a DuckDB connection.
        workspace: a folder for a mended copy, kept as long as the source is read.
        write_reject: what is kept of a rejected record's raw text.
        trust: take a file whose lines and delimiters add up as clean; DuckDB, which is still to
            read it, can only refute that: see `proving`.
        raw: the file as the user knows it, where `path` was unpacked from it.
    """
    connection.execute("SET TimeZone = 'UTC'")  # moments with a zone must not depend on the machine
    if reading["format"] == "parquet":
        return _open_parquet(connection, path, reading, raw or path)
    if reading["format"] == "json":
        return open_json(path, reading, workspace, write_reject, raw or path)
    if may_be_clean(reading):
        source = open_clean(connection, path, reading, trust)
        if source is not None:
            return source
    return mend(path, reading, workspace, write_reject)


def _open_parquet(connection: Any, path: Path, reading: Reading, raw: Path) -> Source:
    import duckdb
    try:
        columns = connection.sql(f"FROM {parquet_sql(path)}").columns
        count = connection.execute(f"SELECT count(*) FROM {parquet_sql(path)}").fetchone()[0]
    except duckdb.Error as error:
        reason = str(error).splitlines()[0].replace(str(path), raw.name)
        raise UserError(f"{relative(raw)} is not a readable Parquet file ({reason[:120]}); "
                        "write it again") from None
    return Source(path, reading | {"columns": columns}, Account(records=count, read=count))
