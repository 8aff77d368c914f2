"""Workbooks (.xlsx, .xlsb, .xls, .ods) as CSV: the values that the cells show, no formulas."""

import csv
import datetime as dt
import re
import zipfile
from pathlib import Path
from typing import Any

import python_calamine

from mlmonkey.errors import UserError
from src.etl.unpack import PIECE_BYTES, choose
from src.settings import relative

UNCOMPUTED = re.compile(rb'<c(?![^>]* t="str")[^>]*><f[^>]*>[^<]*</f>(?:<v ?/>|<v></v>)?</c>')
LARGEST_WHOLE = 2**53  # beyond it a cell's number may stand for several


def write_sheet(path: Path, target: Path, sheet: str | None, usual: str | None) -> str:
    """Write one sheet of a workbook and return its name.

    Raises:
        UserError: for a workbook that can't be read, or has several sheets and none was chosen.
    """
    try:
        with python_calamine.CalamineWorkbook.from_path(str(path)) as book:
            # each is read whole, so one that is alone is not looked at before
            full = [name for name in book.sheet_names
                    if len(book.sheet_names) == 1 or book.get_sheet_by_name(name).height]
            seen = [each.name for each in book.sheets_metadata if each.name in full
                    and each.visible is python_calamine.SheetVisibleEnum.Visible]
            if usual not in full:
                usual = seen[0] if len(seen) == 1 else None
            name = choose(path, full, sheet, usual, "--sheet")
            say_formulas(path)
            rows = book.get_sheet_by_name(name).iter_rows()
            with open(target, "w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                for row in rows:
                    cells = [as_text(value) for value in row]
                    writer.writerow(cells if any(cells) else [])
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(f"{relative(path)} is not a readable workbook ({error}); save the sheet "
                        "again, or as CSV") from None
    return name


def say_formulas(path: Path) -> None:
    """Say that cells are empty because the program that wrote them computed nothing."""
    if not zipfile.is_zipfile(path):
        return
    count = 0
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/sheet"):
                with archive.open(name) as file:
                    while piece := file.read(PIECE_BYTES):
                        count += len(UNCOMPUTED.findall(piece)) if b"</f>" in piece else 0
    if count:
        print(f"note: {count:,} formulas of {relative(path)} hold no value, and count as missing; "
              "open the workbook in a spreadsheet program and save it")


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
