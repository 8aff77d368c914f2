"""Rows of a CSV that a client sends."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from mlmonkey.cells import missing_words, read_column, rule_of, write_cell
from mlmonkey.errors import Problem
from mlmonkey.question import check_count
from mlmonkey.rows import Rows, rows_from_columns
from mlmonkey.schema import RowError, short

MOST_CELLS = 100_000  # of a line
MOST_BLANK = 100_000  # lines


def read_csv(content: bytes, header: bool, metadata: Mapping[str, Any],
             max_rows: int) -> tuple[Rows, int]:
    """The rows of a CSV, and how many of its cells belong to no column of the model.

    Cells are read as training read those of its file: missing words, decimal commas, dates. Between
    them is a comma or the mark of that file, whichever gives the model's columns.

    Args:
        header: the first record names the columns, in any order; False: all of them in the model's
            order and no others.

    Raises:
        Problem: 400 for what is no CSV in UTF-8, 413 for too many rows, 422 without a row or for
            a column that is missing or stands twice.
        RowError: for a record of another length, or a cell that does not fit.
    """
    schema, reading = metadata["schema"], metadata["data"]["reading"]
    names = [feature["name"] for feature in schema]
    try:
        text = content.decode("utf-8-sig")
        marks = list(dict.fromkeys([reading.get("delimiter", ","), ","]))
        mark = choose_mark(text, marks, names, header)
        records = list(islice(read_records(text, mark), max_rows + header + 1))
    except UnicodeDecodeError as error:
        raise Problem(400, f"the body is not UTF-8: byte {error.start:,} is "
                      f"{content[error.start]:#x}") from None
    except csv.Error as error:
        raise Problem(400, f"the body is not CSV: {error}") from None
    titles = find_columns(records.pop(0) if records else [], names) if header else names
    check_count(len(records), max_rows)
    for number, record in enumerate(records):
        if len(record) != len(titles):
            raise RowError(number, None, record, f"{len(titles)} cells",
                           f"row {number}: {len(record)} cells instead of {len(titles)}")
    places = {title: place for place, title in enumerate(titles)}
    columns = {}
    for feature in schema:
        name, place = feature["name"], places[feature["name"]]
        rule = rule_of(name, feature["dtype"], metadata["data"]["rules"])
        columns[name] = read_column([record[place] for record in records], feature, rule,
                                    missing_words(reading, rule))
    return rows_from_columns(columns, schema), (len(titles) - len(names)) * len(records)


def read_records(text: str, mark: str) -> Iterator[list[str]]:
    """The records of a CSV.

    A blank line is no record, unless there is but one column: there it is an empty cell.

    Raises:
        csv.Error: also for so many cells or blank lines that nobody else would be served meanwhile.
    """
    width = blank = 0
    for record in csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True,
                             skipinitialspace=True):
        width = width or len(record)
        blank += not record
        if len(record) > MOST_CELLS or blank > MOST_BLANK:
            raise csv.Error(f"more than {MOST_CELLS:,} cells in a line, or {MOST_BLANK:,} blank "
                            "lines")
        if record or width == 1:
            yield record or [""]


def choose_mark(text: str, marks: Sequence[str], names: Sequence[str], header: bool) -> str:
    """The first mark that gives the model's columns in the first record, or else the first."""
    for mark in marks:
        try:
            first = next(read_records(text, mark), [])
        except csv.Error:
            continue
        if set(names) <= set(map(clean, first)) if header else len(first) == len(names):
            return mark
    return marks[0]


def find_columns(header: Sequence[str], names: Sequence[str]) -> list[str]:
    """The titles in a header, in which each column of the model stands once.

    Raises:
        Problem: 422 otherwise.
    """
    titles = list(map(clean, header))
    counts = Counter(titles)
    for name in names:
        if counts[name] != 1:
            said = "has no column" if name not in counts else "has more than one column"
            raise Problem(422, f"the header {said} {short(name)}", column=name,
                          expected="a first line with the columns " + ", ".join(names[:20])
                          + (" ..." if len(names) > 20 else "") + "; or text/csv; header=absent")
    return titles


def clean(title: str) -> str:
    """A column's name as training has it: without blanks around it, with one between words."""
    return " ".join(title.split())


def write_csv(record: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    """A record as a CSV that `read_csv` reads."""
    rules, file = metadata["data"]["rules"], io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows([record, [
        write_cell(record[feature["name"]], rule_of(feature["name"], feature["dtype"], rules))
        for feature in metadata["schema"]]])
    return file.getvalue()
