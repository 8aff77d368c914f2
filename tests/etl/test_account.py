"""Read + repaired + rejected = records, each line once, and nothing is changed on the way."""

import csv
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlmonkey.errors import UserError
from src.etl.account import Account, Source
from src.etl.open_source import open_source
from src.etl.sql import identifier
from src.etl.detect import DELIMITERS, detect_reading, scan

MARKS = {mark: word for word, mark in DELIMITERS.items()}
TEXTS = st.text(st.characters(codec="cp1252", exclude_characters="\0\ufeff"), max_size=6) | \
    st.sampled_from(["", "NA", "a,b", "a;b", "a\tb", "a|b", "two\nlines", "two\r\nlines", 'a "b"',
                     "0012", "-1.5", "1e-7", "99999999999999999999", "é€"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("account")


def read(connection: Any, path: Path, **options: Any) -> tuple[Source, list[list[str]], list[str]]:
    """The source, the cells of its records (missing is an empty text), and the reasons."""
    source = open_source(connection, path, detect_reading(path, scan(path), **options),
                         path.parent / "work")
    rows = connection.execute(f"FROM {source.sql()}").fetchall()
    return (source, [["" if cell is None else cell for cell in row[:-1]] for row in rows],
            [row[-1] for row in rows])


def read_bytes(connection: Any, folder: Path, content: bytes,
               **options: Any) -> tuple[Source, list[list[str]], list[str]]:
    path = folder / "table.csv"
    path.write_bytes(content)
    return read(connection, path, **options)


@settings(max_examples=60, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), delimiter=st.sampled_from(",;\t|"),
       line_end=st.sampled_from(["\n", "\r\n", "\r"]),
       quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
       encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
       ended=st.booleans())
def test_any_table_in_any_dialect_is_read_back_equal(
        connection: Any, folder: Path, data: st.DataObject, delimiter: str, line_end: str,
        quoting: int, encoding: str, ended: bool) -> None:
    width = data.draw(st.integers(1, 4))
    rows = data.draw(st.lists(st.lists(TEXTS, min_size=width, max_size=width), min_size=1,
                              max_size=6))
    # ` "x"` may be a quoted cell with a blank before it; csv writes no quotes around it
    rows = [[cell.lstrip(" ") for cell in row] for row in rows]
    if any(set(cell) & set("\r\n") for row in rows for cell in row):
        quoting = csv.QUOTE_ALL  # csv quotes its own line end only
    path = folder / "any.csv"
    with open(path, "w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
        writer.writerows([[f"name {n}" for n in range(width)], *rows])
    if not ended:
        with open(path, encoding=encoding, newline="") as file:
            text = file.read()
        path.write_bytes(text.removesuffix(line_end).encode(encoding))
        if width == 1 and rows[-1] == [""] and quoting == csv.QUOTE_MINIMAL:
            ended = True  # csv quotes it: "" remains
    source, cells, reasons = read(connection, path, delimiter=MARKS[delimiter], header="yes",
                                  encoding="auto" if encoding != "cp1252" else "cp1252")
    assert cells == rows
    assert set(reasons) == {None}
    account = source.account
    assert (account.records, account.read, account.rejected) == (len(rows), len(rows), 0)
    account.check(path)
    assert source.rejects is None


LINES = ["1,2,3", "4,5,6", "7,8,9", "10,11,12", '"a, b",c,"d"', "13,14,15"]
CELLS = [line.split(",") for line in LINES[:4]] + [["a, b", "c", "d"], ["13", "14", "15"]]


@pytest.mark.parametrize("place", [0, 1, 3, 6])
@pytest.mark.parametrize(("damaged", "reason"), [
    (b"1,2", "2 cells instead of 3"), (b"1,2,3,4", "4 cells instead of 3"),
    (b'"open,2,3', "a stray quote"), (b'1,2,"open', "a stray quote"),
    (b'"a"b,2,3', "a stray quote"), (b"1,\xff,3", "bytes that are not utf-8"),
])
def test_damage_costs_its_own_line(connection: Any, folder: Path, place: int, damaged: bytes,
                                   reason: str) -> None:
    lines = [line.encode() for line in LINES]
    content = b"\n".join([b"x,y,\xc3\xa9t\xc3\xa9", *lines[:place], damaged, *lines[place:]])
    source, cells, reasons = read_bytes(connection, folder, content)
    assert cells == [*CELLS[:place], ["", "", ""], *CELLS[place:]]
    assert [text for text in reasons if text] == [f"line {place + 2}: {reason}"]
    assert reasons.index(f"line {place + 2}: {reason}") == place
    assert source.account == Account(lines=8, header=1, records=7, read=6, rejected=1)
    assert source.rejects is not None
    with open(source.rejects, encoding="utf-8", newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["line"], row["reason"]) == (str(place + 2), reason)
    if b"\xff" not in damaged:
        assert row["text"] == damaged.decode()


@pytest.mark.parametrize(("content", "expected"), [
    (b"a,b\n1,2\n\n\n3,4\n\n", Account(lines=6, header=1, blank=3, records=2, read=2)),
    (b"a,b\n1,2\n   \n3,4", Account(lines=4, header=1, blank=1, records=2, read=2)),
    (b"\na,b\n1,2\n", Account(lines=3, header=1, blank=1, records=1, read=1)),
    (b'a,b\n"x\ny",2\n3,4\n', Account(lines=4, header=1, continued=1, records=2, read=2)),
    (b'a,b\n"x\n\ny",2\n\n3,4\n',
     Account(lines=6, header=1, blank=1, continued=2, records=2, read=2)),
    (b'"a\nb",c\n1,2\n', Account(lines=3, header=2, records=1, read=1)),
    (b"a,b\n1,2,\n3,4\n", Account(lines=3, header=1, records=2, read=1, repaired=1)),
    (b"a,b,\n1,2,\n3,4,\n", Account(lines=3, header=1, records=2, repaired=2)),
    (b"a,b\r\n1,2\n3,4\r\n", Account(lines=3, header=1, records=2, read=2)),
    (b"a,b\n,\n1,2\n", Account(lines=3, header=1, records=2, read=2)),
    (b'a, b\n"1" , "2, 3"\n', Account(lines=2, header=1, records=1, read=1)),
    (b"a\n1\n\n3\n", Account(lines=4, header=1, records=3, read=3)),
    (b"a,b\n", Account(lines=1, header=1)),
])
def test_lines_and_records_add_up(connection: Any, folder: Path, content: bytes,
                                  expected: Account) -> None:
    source, cells, _ = read_bytes(connection, folder, content, header="yes")
    assert source.account == expected
    assert len(cells) == expected.records


def test_both_ways_of_reading_agree(connection: Any, folder: Path) -> None:
    """A file in order is read by DuckDB, another line by line: its good lines must read alike."""
    good = ['5" disk,x,1', '"a" , "b, c" ,2', " padded , y,3", '"",,4', 'say ""hi"",z,5',
            'é,"\t",6']
    for line in good:
        content = f"a,b,c\n{line}\n".encode()
        clean, one, _ = read_bytes(connection, folder, content, delimiter="comma", header="yes")
        mended, two, _ = read_bytes(connection, folder, content + b"1,2\n", delimiter="comma",
                                    header="yes")
        assert (clean.mended, mended.mended) == (False, True), line
        assert [cell.strip() for cell in one[0]] == [cell.strip() for cell in two[0]]


def test_cells_larger_than_a_sample_and_than_a_line_of_duckdb(connection: Any,
                                                              folder: Path) -> None:
    for size in (200_000, 5_000_000):
        content = b'a,b\n1,"' + b"x" * size + b'"\n2,y\n'
        source, cells, _ = read_bytes(connection, folder, content)
        assert [len(row[1]) for row in cells] == [size, 1]
        assert source.account.read == 2


def test_odd_truncated_and_zero_bytes(connection: Any, folder: Path) -> None:
    content = "a,b\n1,é\n2,x\n".encode("utf-16") + b"\x33"
    source, cells, reasons = read_bytes(connection, folder, content)
    assert cells[:2] == [["1", "é"], ["2", "x"]]
    assert reasons[2] == "line 4: bytes that are not utf-16"
    far = b"a,b\n" + b"1,2\n" * 300_000 + b"1,x\0y\n"
    source, cells, _ = read_bytes(connection, folder, far)
    assert cells[-1] == ["1", "x\0y"]


@pytest.mark.parametrize("name", ["a*.csv", "a?.csv", "a[1].csv", "it's.csv", "x=1/é ü.csv"])
def test_no_name_is_a_pattern(connection: Any, tmp_path: Path, name: str) -> None:
    for other in ("ab.csv", "a1.csv"):
        (tmp_path / other).write_text("a,b\n9,9\n")
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("a,b\n1,2\n")
    assert read(connection, path)[1] == [["1", "2"]]
    typed = path.with_suffix(".parquet")
    connection.execute("COPY (SELECT 1 AS a) TO '" + str(typed).replace("'", "''") + "'")
    source, cells, _ = read(connection, typed)
    assert (source.reading["columns"], cells) == (["a"], [[1]])


def test_strange_column_names(connection: Any, folder: Path) -> None:
    names = ["it's", 'say "x"', "é; DROP TABLE x", "a{b}", "%s", "select", "c0", "number", "$1"]
    path = folder / "names.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, ["x"] * len(names)])
    source, cells, _ = read(connection, path, delimiter="comma")
    assert source.reading["columns"] == names
    assert cells == [["x"] * len(names)]
    assert connection.execute(f"SELECT {identifier(names[1])} FROM {source.sql()}").fetchone()


def test_a_broken_parquet_file_is_refused(connection: Any, tmp_path: Path) -> None:
    path = tmp_path / "broken.parquet"
    connection.execute(f"COPY (SELECT range AS a FROM range(1000)) TO '{path}'")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="not a readable Parquet file"):
        read(connection, path)


def test_an_account_that_does_not_add_up_is_our_fault(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="does not add up"):
        Account(lines=2, header=1, records=1, read=0).check(tmp_path)
    with pytest.raises(RuntimeError, match="does not add up"):
        Account(lines=3, header=1, records=1, read=1).check(tmp_path)


def test_compressed_bytes_are_no_table(tmp_path: Path) -> None:
    from src.etl.detect import check_readable
    path = tmp_path / "table.csv.lz"
    path.write_bytes(b"LZIP\1" + bytes(40))
    with pytest.raises(UserError, match="not a table"):
        check_readable(path)
