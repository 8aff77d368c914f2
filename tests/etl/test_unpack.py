"""Tables in .gz, .zst, .zip and workbooks are read as the same table in CSV is."""

import bz2
import csv
import datetime as dt
import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest
import zstandard
from conftest import ROOT, Run, assert_refused, read_metadata

from mlmonkey.errors import UserError
from src.etl import unpack as packing
from src.etl.account import REASON, Source
from src.etl.open_source import open_source
from src.etl.sql import identifier
from src.etl.detect import check_beginning, check_readable, detect_reading, scan
from src.etl.unpack import table_name, unpack

CSV = 'id,size,day,text\n007,1.50,2024-02-01,"a, b"\n008,,2024-12-31,Ü\n'.encode()
ROWS = [("007", "1.50", "2024-02-01", "a, b"), ("008", None, "2024-12-31", "Ü")]


def read(path: Path, folder: Path, **options: Any) -> tuple[Source, list[tuple[Any, ...]]]:
    """The table of a raw file: its source, and the records as text."""
    check_readable(path)
    plain = unpack(path, folder / "work", **options)
    check_beginning(path, plain.path)
    reading = detect_reading(path, scan(plain.path), plain.delimiter or "auto")
    with duckdb.connect() as connection:
        source = open_source(connection, plain.path, reading, folder / "work")
        names = ", ".join(map(identifier, source.reading["columns"]))
        rows = connection.execute(f"SELECT {names} FROM {source.sql()} "
                                  f"WHERE {identifier(REASON)} IS NULL").fetchall()
    return source, rows


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_packed_tables(tmp_path: Path) -> None:
    for name, content in (("a.csv.gz", gzip.compress(CSV[:20]) + gzip.compress(CSV[20:])),
                          ("b", zstandard.compress(CSV[:20]) + zstandard.compress(CSV[20:])),
                          ("c", bz2.compress(CSV)), ("d", lzma.compress(CSV))):
        (tmp_path / name).write_bytes(content)
        assert read(tmp_path / name, tmp_path)[1] == ROWS
    one = zipped(tmp_path / "c.zip", {"d/t.csv": CSV, "d/.x": b"x", "__MACOSX/t.csv": b"x"})
    assert read(one, tmp_path)[1] == ROWS
    assert [table_name(Path(name)) for name in ("a.csv.gz", "a.b.csv", "a.zip", "A.CSV.ZST")] == \
        ["a", "a.b", "a", "A"]


def test_a_member_of_several_is_chosen_by_name(tmp_path: Path) -> None:
    two = zipped(tmp_path / "two.zip", {"a.csv": b"x\n1\n", "b c.csv": CSV})
    for options, words in (({}, "holds 2 tables; say which: --member a.csv --member 'b c.csv'"),
                           ({"member": "z"}, "no member 'z'; choose: --member a.csv"),
                           ({"sheet": "b"}, "--sheet b: two.zip is no workbook")):
        with pytest.raises(UserError, match=words):
            read(two, tmp_path, **options)
    for options in ({"member": "b c.csv"}, {"usual": "b c.csv"}):
        assert read(two, tmp_path, **options)[1] == ROWS
    (tmp_path / "a.csv").write_bytes(CSV)
    with pytest.raises(UserError, match="--member a: a.csv is no .zip"):
        read(tmp_path / "a.csv", tmp_path, member="a")


def test_damage_and_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = zipped(tmp_path / "z", {"a.csv": CSV * 9}).read_bytes()
    cases = {"cut.gz": gzip.compress(CSV)[:-9], "cut.zip": whole[:-30],
             "flip.zip": whole.replace(CSV[:4], b"") if CSV[:4] in whole else
             whole[:50] + bytes([whole[50] ^ 255]) + whole[51:],
             "flip.gz": gzip.compress(CSV)[:-6] + b"123456",
             "odd.zst": zstandard.compress(CSV)[:6] + b"\xff" * 20,
             # half of the table comes out, and the library's reader says nothing
             "cut.zst": zstandard.compress(os.urandom(300_000).hex().encode())[:200_000],
             "tail.zst": zstandard.compress(CSV) + b"tail",
             "cut.xz": lzma.compress(CSV)[:-9], "cut.bz2": bz2.compress(CSV)[:-9],
             "bytes.gz": gzip.compress(b"a.csv" + b"\0" * 600), "empty.gz": gzip.compress(b"")}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=f"{name} (is|holds an empty)"):
            read(tmp_path / name, tmp_path)
    monkeypatch.setattr(packing, "ALWAYS_BYTES", 1 << 20)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"a,b\n" * 2_000_000))
    (tmp_path / "bomb.zst").write_bytes(zstandard.compress(b"a,b\n" * 2_000_000))
    zipped(tmp_path / "bomb.zip", {"a.csv": b"a,b\n" * 2_000_000})
    zipped(tmp_path / "bomb.xlsx", {"xl/workbook.xml": b" " * 8_000_000})
    for name in ("bomb.gz", "bomb.zst", "bomb.zip", "bomb.xlsx"):
        with pytest.raises(UserError, match="unpacks to more than 1 MB, over 100 times"):
            read(tmp_path / name, tmp_path)


def test_other_kinds_of_files_are_called_by_their_names(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(ROOT / "data/raw/iris.csv", "iris.csv")
    page = b"\n<HTML><table><tr><td>1</td></tr></table>"
    for name, content, words in (
            ("a.tar.gz", gzip.compress(archive.getvalue()), "holds a .tar archive; unpack it"),
            ("a.tar", archive.getvalue(), "is a .tar archive; unpack it by hand"),
            ("a.gz", gzip.compress(gzip.compress(CSV)), "holds another packed file or workbook"),
            ("a b.db", b"SQLite format 3\0" + bytes(99), "sqlite:///.*a b.db' --table TABLE"),
            ("a.xls", page, "is a page of HTML or XML; open it in a spreadsheet program"),
            ("a.arrow", b"ARROW1\0\0" + bytes(99), "is an Arrow file; write it as Parquet")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=words):
            read(tmp_path / name, tmp_path)


def test_a_workbook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = openpyxl.Workbook()
    first = book.active
    assert first is not None
    first.append(["when", "day", "whole", "part", "flag", "code", "note"])
    first.append([dt.datetime(2024, 1, 2, 3, 4, 5), dt.date(2024, 1, 2), 3, 2.5, True, "007",
                  'a "b",\nc'])
    first.append([None] * 7)
    first.append([None, None, 2**60, None, False, "NA", None])
    path = tmp_path / "a.xlsx"
    book.create_sheet("empty")
    book.save(path)
    source, rows = read(path, tmp_path)
    assert source.reading["columns"] == ["when", "day", "whole", "part", "flag", "code", "note"]
    assert rows == [("2024-01-02 03:04:05", "2024-01-02", "3", "2.5", "true", "007", 'a "b",\nc'),
                    (None, None, "1.152921504606847e+18", None, "false", "NA", None)]
    book.create_sheet("more").append(["x"])
    book.save(path)
    with pytest.raises(UserError, match="2 tables; say which: --sheet Sheet --sheet more"):
        read(path, tmp_path)
    assert read(path, tmp_path, usual="Sheet")[1] == rows
    book["more"].sheet_state = "hidden"
    book["more"]["B1"] = "=A1"
    book.save(path)
    capsys.readouterr()
    assert read(path, tmp_path)[1] == rows  # the only one that is seen
    assert "1 formulas of a.xlsx hold no value, and count as missing" in capsys.readouterr().out
    blank = openpyxl.Workbook()
    blank.save(path)
    with pytest.raises(UserError, match="a.xlsx holds no table|empty"):
        read(path, tmp_path)
    zipped(path, {"xl/workbook.xml": b"<"})
    with pytest.raises(UserError, match="a.xlsx is not a readable workbook"):
        read(path, tmp_path)


@pytest.mark.slow
def test_damage_inside_parquet(project: Path, run_stage: Run) -> None:
    path = project / "data/raw/a.parquet"
    duckdb.sql("SELECT 'text ' || hash(i) AS a FROM range(9999) t(i)").write_parquet(str(path))
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * 4_000 + content[4_100:])
    done = run_stage(project, "generate-dataset", "--data", "data/raw/a.parquet", check=False)
    assert_refused(done, "data/raw/a.parquet is a damaged Parquet file (", "write it again")
    path.write_bytes(content[:5_000])
    done = run_stage(project, "generate-dataset", "--data", "data/raw/a.parquet", check=False)
    assert_refused(done, "data/raw/a.parquet is not a readable Parquet file (")
    assert str(project) not in done.stderr


@pytest.mark.slow
def test_a_model_of_a_packed_table_scores_other_kinds(project: Path, run_stage: Run) -> None:
    raw = project / "data" / "raw"
    packed = gzip.compress((ROOT / "data/raw/iris.csv").read_bytes())
    (raw / "flowers.csv.gz").write_bytes(packed)
    run_stage(project, "train", "--data", "data/raw/flowers.csv.gz", "--target", "species",
              "--model", "dummy", "--folds", "2", "--no-report")
    assert read_metadata(project, "flowers-v1")["data"]["raw"]["size"] == len(packed)
    with open(raw / "iris.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    (project / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "150 records, 0 without" in run_stage(project, "prediction", "--input",
                                                 "new.jsonl").stdout
    (raw / "flowers.csv.gz").write_bytes(gzip.compress(CSV))
    done = run_stage(project, "generate-dataset", "--data", "data/raw/flowers.csv.gz", check=False)
    assert_refused(done, "flowers.csv.gz changed after flowers-v1 was trained on it")
