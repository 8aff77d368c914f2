"""polars.read_csv that goes on where it can."""

import polars as pl
from reading import serve


def read(path: str):
    frame = pl.read_csv(path, try_parse_dates=True, infer_schema_length=None, ignore_errors=True,
                        truncate_ragged_lines=True, encoding="utf8-lossy")
    return frame.columns, frame.rows()


serve(read)
