"""DuckDB's read_csv as it is: it finds out the dialect."""

import duckdb
from reading import serve


def read(path: str):
    table = duckdb.sql("FROM read_csv($path, sample_size=-1)", params={"path": path})
    return table.columns, table.fetchall()


serve(read)
