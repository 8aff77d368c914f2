"""Lines and records: whatever csv writes is read back; damage costs its own line."""

import csv
import io

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from src.etl.records import MAX_RECORD_LINES, Dialect, Lines, Record, split_cells
from src.etl.records import read_records as read_lines

DELIMITERS = st.sampled_from(",;\t|")
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
QUOTING = st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
ANY = st.characters(codec="utf-8", exclude_characters="\0")
CELLS = st.text(ANY, max_size=6) | st.sampled_from(
    ['"', '""', ",", ";", "\t", "|", "\n", "\r\n", "a\nb", 'say "hi"', " x ", "é€", "5\" disk"])


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """Rows of text cells, two to five columns; none of them looks like a blank line."""
    width = draw(st.integers(2, 5))
    return draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=8))


def write(rows: list[list[str]], delimiter: str, line_end: str, quoting: int) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting).writerows(rows)
    return text.getvalue()


def read_records(lines: list[str], delimiter: str, width: int) -> list[Record]:
    return list(read_lines(Lines(lines), Dialect(delimiter), width))


def lines_of(text: str) -> list[str]:
    return list(io.StringIO(text, newline=""))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(tables(), DELIMITERS, LINE_ENDS, QUOTING)
def test_whatever_csv_writes_is_read_back(rows: list[list[str]], delimiter: str, line_end: str,
                                          quoting: int) -> None:
    # csv leaves ` "x"` unquoted; with blanks in front of a quote two readings are possible
    assume(not any(cell.lstrip(" ").startswith('"') and cell.startswith(" ")
                   for row in rows for cell in row))
    if any(set(cell) & set("\r\n") for row in rows for cell in row):
        quoting = csv.QUOTE_ALL  # csv quotes its own line end only
    lines = lines_of(write(rows, delimiter, line_end, quoting))
    records = (read_records(lines, delimiter, len(rows[0])))
    assert [record.cells for record in records] == rows
    assert sum(record.lines for record in records) == len(lines)
    assert not any(record.repaired for record in records)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.text('ab",; \n\r', max_size=12), max_size=12), st.integers(1, 4))
def test_every_line_of_any_text_belongs_to_one_record(parts: list[str], width: int) -> None:
    lines = lines_of("".join(parts))
    records = (read_records(lines, ",", width))
    assert sum(record.lines for record in records) == len(lines)
    place = 1
    for record in records:
        assert record.line == place
        place += record.lines
        assert record.cells is None or record.cells == [] or len(record.cells) == width
        assert (record.cells is None) == bool(record.reason)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.from_regex(r"[a-z0-9 ]{1,5}", fullmatch=True), min_size=3, max_size=3),
                min_size=3, max_size=9),
       st.sampled_from(['"open,2,3', '1,"open,3', 'x"y,"z"w,3', "1,2", "1,2,3,4", '"a"b,2,3',
                        ",,,4", '1,2,"open', '"', '""",2,3']), st.data())
def test_a_damaged_line_costs_only_itself(rows: list[list[str]], damaged: str,
                                          data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows)))
    texts = [",".join(row) for row in rows]
    lines = [line + "\n" for line in [*texts[:place], damaged, *texts[place:]]]
    records = (read_records(lines, ",", 3))
    assert [record.cells for record in records if record.cells] == rows
    [lost] = [record for record in records if record.cells is None]
    assert (lost.line, lost.lines, lost.text) == (place + 1, 1, damaged)


@pytest.mark.parametrize(("line", "cells", "repaired"), [
    ("a,b,c", ["a", "b", "c"], False),
    ("a,b,c,", ["a", "b", "c"], True),
    ("a,b,c, , ", ["a", "b", "c"], True),
    ('"a" , "b, c" ,d', ["a", "b, c", "d"], False),
    ('5" disk,2,3', ['5" disk', "2", "3"], False),
    ('"say ""hi""",2,', ['say "hi"', "2", ""], False),
    (",,", ["", "", ""], False),
])
def test_one_line(line: str, cells: list[str], repaired: bool) -> None:
    [record] = read_records([line + "\n"], ",", 3)
    assert (record.cells, record.repaired) == (cells, repaired)


@pytest.mark.parametrize(("line", "reason"), [
    ("1,2", "2 cells instead of 3"), ("1,2,3,4", "4 cells instead of 3"),
    ('"a"b,2,3', "a stray quote"), ('"a,2,3', "a stray quote"),
])
def test_reasons(line: str, reason: str) -> None:
    [record] = read_records([line], ",", 3)
    assert (record.cells, record.reason) == (None, reason)


def test_a_line_of_delimiters_is_a_record_and_blanks_are_none() -> None:
    records = (read_records(["\t\t\n", " \n", "\n"], "\t", 3))
    assert [record.cells for record in records] == [["", "", ""], [], []]


def test_in_a_single_column_a_blank_line_is_a_missing_value() -> None:
    assert [record.cells for record in read_records(["a\n", "\n"], ",", 1)] == [["a"], [""]]


def test_a_quote_left_open_does_not_swallow_the_file() -> None:
    lines = ['"open,1\n'] + ["a,1\n"] * (3 * MAX_RECORD_LINES)
    records = (read_records(lines, ",", 2))
    assert [record.cells for record in records] == [None] + [["a", "1"]] * (3 * MAX_RECORD_LINES)


def test_an_open_quote_is_told_from_a_stray_one() -> None:
    assert split_cells('a,"b', Dialect()) == (None, True)
    assert split_cells('a,"b"c', Dialect()) == (None, False)
