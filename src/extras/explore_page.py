"""`make report ARGS=--explore`: a page to look around in a dataset, drawn by skrub's TableReport.

Unlike the other pages it holds rows and every value it draws, of all columns but the private ones:
it is for those who may see the table.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
from skrub import TableReport

from mlmonkey.files import write_text
from src.etl.sql import identifier, quoted
from src.settings import load_settings, locate

ROWS = 50_000  # more take longer and show the same


def write_explore_page(profile: Mapping[str, Any]) -> Path:
    """Write reports/<key>-explore.html from a dataset and return where it is."""
    table = quoted(str(locate(profile["transformed"]["path"])))
    names = ", ".join(identifier(column["name"]) for column in profile["columns"]
                      if not column.get("private"))
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")  # else a sample of a large file differs each time
        frame = connection.sql(f"SELECT {names} FROM {table} USING SAMPLE reservoir({ROWS} ROWS) "
                               "REPEATABLE (0)").df()
    count = profile["transformed"]["rows"]
    part = "" if count <= ROWS else f", {ROWS:,} of {count:,} rows"
    page = TableReport(frame, title=f"{profile['key']}{part}", verbose=0).html()
    path = load_settings().reports / f"{profile['key']}-explore.html"
    write_text(path, page)
    return path
