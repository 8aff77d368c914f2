"""What one pass over the bytes says of a file holds for every cell of it."""

import csv
import re
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.etl import clean
from src.etl.detect import detect_reading, scan
from src.etl.open_source import open_source

CELLS = st.text(alphabet="ab1 ,;\t\v\f\u00a0é'\"\n", max_size=4)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6),
       mark=st.sampled_from([("comma", ","), ("semicolon", ";"), ("tab", "\t")]),
       end=st.sampled_from(["\n", "\r\n"]), quoting=st.sampled_from([csv.QUOTE_MINIMAL,
                                                                     csv.QUOTE_ALL]),
       size=st.sampled_from([1, 8, 1 << 17]))
def test_no_cell_of_a_tidy_file_ends_with_a_blank(
        tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]],
        mark: tuple[str, str], end: str, quoting: int, size: int) -> None:
    path = tmp_path_factory.mktemp("clean") / "table.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=mark[1], lineterminator=end, quoting=quoting)
        writer.writerows([("one", "two"), ("x", "1"), *rows])
    with duckdb.connect() as connection, pytest.MonkeyPatch.context() as patch:
        patch.setattr(clean, "PIECE_BYTES", size)
        reading = detect_reading(path, scan(path), mark[0], "yes", quote="double",
                                 quote_escape="doubled", preamble="0", footer="0",
                                 separator_lines="keep")
        source = open_source(connection, path, reading, path.parent / "work", trust=True)
        if source.mended:
            return
        cells = [cell for row in connection.execute(f"FROM {source.sql()}").fetchall()
                 for cell in row[:2] if cell]
    untidy = [cell for cell in cells if re.search("[ \t-\r]$|\u00a0", cell)]
    assert not (source.tidy and untidy)


@pytest.mark.parametrize("cell", [b"1 ", b"1\t", b'"1 "', b"1\xc2\xa0", b"1 \r", b" 1"])
def test_a_blank_behind_a_cell_makes_a_file_untidy(tmp_path: Path, cell: bytes) -> None:
    path = tmp_path / "table.csv"
    end = b"\r\n" if cell.endswith(b"\r") else b"\n"
    for cells in ((b"x", cell.strip(b"\r")), (cell.strip(b"\r"), b"x")):
        path.write_bytes(end.join([b"a,b", b"x,2", b",".join(cells), b"y,3", b""]))
        with duckdb.connect() as connection:
            source = open_source(connection, path, detect_reading(path, scan(path)), tmp_path)
        assert source.tidy == (cell == b" 1") and not source.mended
