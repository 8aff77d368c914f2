"""This project's reader, as `make generate-dataset` uses it, however many records are rejected."""

import sys
import tempfile
from pathlib import Path

import duckdb
from reading import serve

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from src.etl.account import REASON  # noqa: E402
from src.etl.open_source import open_source  # noqa: E402
from src.etl.sql import identifier  # noqa: E402
from src.etl.choose_rules import choose_rules  # noqa: E402
from src.etl.convert import cells_sql, checked_value_sql  # noqa: E402
from src.etl.detect import check_readable, detect_reading, scan  # noqa: E402


def read(name: str):
    path = Path(name)
    check_readable(path)
    with tempfile.TemporaryDirectory() as workspace, duckdb.connect() as connection:
        source = open_source(connection, path, detect_reading(path, scan(path)), Path(workspace))
        names = source.reading["columns"]
        table = f"(FROM {source.sql()} WHERE {identifier(REASON)} IS NULL)"
        rules = choose_rules(connection, table, names, source.reading)
        values = ", ".join(checked_value_sql(name, rules[name]) for name in names)
        clean = cells_sql(table, names, source.reading)
        rows = connection.execute(f"SELECT {values} FROM {clean}").fetchall()
        return (names if source.reading["header"] else []), rows


serve(read)
