"""The file of a prediction, written as the answers come: CSV, or Parquet by way of it."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mlmonkey.csv_answers import csv_cells, csv_lines
from mlmonkey.errors import UserError
from mlmonkey.files import part_beside


def check_distinct(names: list[str]) -> None:
    """Refuse Parquet where two columns differ in case only: its readers take them for one.

    Raises:
        UserError: naming both.
    """
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(name.lower(), name)
        if other != name:
            raise UserError(f"the columns {other!r} and {name!r} differ in case only, which "
                            "Parquet readers can't tell apart; write CSV: --output FILE.csv")


def write_answers(path: Path, frames: Iterable[Any], types: dict[str, str]) -> None:
    """Write frames as they come; Parquet by way of CSV."""
    if path.suffix == ".parquet":
        with part_beside(path.with_suffix(".csv")) as rows:
            write_answers(rows, frames, types)
            to_parquet(rows, path, types)
        return
    with open(path, "w", encoding="utf-8", newline="") as file:
        for number, frame in enumerate(frames):
            if number == 0:
                file.write(",".join(csv_cells(list(frame.columns))) + "\n")
            file.writelines(csv_lines({name: frame[name].to_numpy(
                None if frame[name].dtype.kind == "f" else object) for name in frame}))


def to_parquet(rows: Path, path: Path, types: dict[str, str]) -> None:
    """Give the written rows the types of the input's columns and of the model's answers."""
    import duckdb

    from src.etl.sql import csv_sql, identifier, quoted
    with open(rows, encoding="utf-8", newline="") as file:
        names = next(csv.reader(file))
    values = ", ".join(f"CAST({identifier(name)} AS {types.get(name, 'VARCHAR')}) "
                       f"AS {identifier(name)}" for name in names)
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT {values} FROM {csv_sql(rows, names, ',', True)}) "
                           f"TO {quoted(str(path))} "
                           "(FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)")
