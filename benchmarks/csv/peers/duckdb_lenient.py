"""DuckDB's read_csv that goes on where it can."""

import duckdb
from reading import serve


def read(path: str):
    table = duckdb.sql("FROM read_csv($path, sample_size=-1, strict_mode=false, null_padding=true, "
                       "ignore_errors=true)", params={"path": path})
    return table.columns, table.fetchall()


serve(read)
