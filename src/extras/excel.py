"""Workbooks (.xlsx, .xlsb, .xls, .ods) as CSV: the values that the cells show, no formulas."""

import csv
import datetime as dt
from pathlib import Path
from typing import Any

import python_calamine

from mlmonkey.errors import UserError
from src.etl.unpack import choose
from src.settings import relative

LARGEST_WHOLE = 2**53  # beyond it a cell's number may stand for several


def write_sheet(path: Path, target: Path, sheet: str | None, usual: str | None) -> str:
    """Write one sheet of a workbook and return its name.

    Raises:
        UserError: for a workbook that can't be read, or has several sheets and none was chosen.
    """
    try:
        with python_calamine.CalamineWorkbook.from_path(str(path)) as book:
            full = [name for name in book.sheet_names if book.get_sheet_by_name(name).height]
            name = choose(path, full, sheet, usual, "--sheet")
            with open(target, "w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                for row in book.get_sheet_by_name(name).iter_rows():
                    cells = [as_text(value) for value in row]
                    writer.writerow(cells if any(cells) else [])
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(f"{relative(path)} is not a readable workbook ({error}); save the sheet "
                        "again, or as CSV") from None
    return name


def as_text(value: Any) -> str:
    """A cell as a CSV file has it, so that the rules for text read it back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST_WHOLE:
        return str(int(value))
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, dt.timedelta):
        return str(value.total_seconds())
    return str(value)
