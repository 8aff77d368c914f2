"""Which text is escaped, the same in Python and in SQL, and what the files say about it."""

import csv
import json
import re
import sys
from pathlib import Path

import duckdb
import pytest
from conftest import Run, run_in
from hypothesis import given, settings
from hypothesis import strategies as st

from src.etl.formulas import escape, escaped_sql

RUN = ["=1+1", "+x", "-cmd|' /C calc'!A1", "@SUM(1)", "\tx", "\rx", "\nx", " =1", "\u00a0=1",
       "\uff1d1", "-", "-1-2", "-1+cmd()", "-3.5,x", "+49 170 x", "-1)", "\x00=1"]
STAYS = ["", "x", "a=1", "'=1", " x", "1-2", "-3.5", "+1e5", "-$1,234.5", "- $5", "-5 %", "-.5",
         "-inf", "\t-5", "2024-01-31", "x\n=1"]


@pytest.mark.parametrize("text", RUN)
def test_what_a_spreadsheet_would_run_is_escaped(text: str) -> None:
    assert escape(text) == "'" + text and escape(escape(text)) == "'" + text


@pytest.mark.parametrize("text", STAYS)
def test_numbers_and_other_text_stay(text: str) -> None:
    assert escape(text) == text


@settings(deadline=None)
@given(st.one_of(st.text(), st.from_regex(r"\A[ =+@\-\t\n$.,0-9eE%x]{0,9}\Z")))
def test_sql_and_python_agree(text: str) -> None:
    query = f"SELECT {escaped_sql('cell')} FROM (SELECT CAST(? AS VARCHAR) AS cell)"
    assert duckdb.execute(query, [text]).fetchall() == [(escape(text),)]
    assert duckdb.execute(query, [None]).fetchall() == [(None,)]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cells, a header and a line too long that begin as formulas do."""
    path = tmp_path_factory.mktemp("formulas") / "new.csv"
    path.write_text("petal_width,petal_length,sepal_width,sepal_length,=note\n"
                    "0.2,1.4,3.5,5.1,=1+1\n0.2,1.4,-3.5,5.1,+1e5\n"
                    "=cmd(),1.4,3.5,5.1,@x\n-0.2,1,2,3,4,5\n", encoding="utf-8")
    return path


def predict(run_stage: Run, place: Path, table: Path, out: Path, *words: str) -> dict[str, object]:
    run_stage(place, "prediction", "--model-name", "iris", "--input", table, "--output", out,
              "--max-rejects", "1", "--keep", "petal_width,=note,sepal_width", *words)
    about: dict[str, object] = json.loads(Path(f"{out}.json").read_text(encoding="utf-8"))
    return about


@pytest.mark.parametrize(("words", "mark", "said"), [
    ((), "'", "escaped"), (("--no-escape",), "", "as they are")])
def test_echoed_cells_are_escaped(trained: Path, table: Path, tmp_path: Path, run_stage: Run,
                                  words: tuple[str, ...], mark: str, said: str) -> None:
    out = tmp_path / "out.csv"
    assert predict(run_stage, trained, table, out, *words)["formulas"] == said
    with open(out, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:3] == ["petal_width", "=note", "sepal_width"]
    assert [row[:3] for row in rows] == [
        ["0.2", mark + "=1+1", "3.5"], ["0.2", "+1e5", "-3.5"],
        [mark + "=cmd()", mark + "@x", "3.5"], ["", "", ""]]
    # an error text quotes cells, and never begins with one
    assert [row[-1] for row in rows] == ["", "", "column petal_width: =cmd() is not a number",
                                         "line 5: 6 cells instead of 5"]


def test_parquet_is_no_spreadsheet(trained: Path, table: Path, tmp_path: Path,
                                   run_stage: Run) -> None:
    out = tmp_path / "out.parquet"
    assert predict(run_stage, trained, table, out)["formulas"] == "as they are"
    assert duckdb.sql(f"SELECT \"=note\" FROM '{out}'").fetchall() == [
        ("=1+1",), ("+1e5",), ("@x",), (None,)]


def test_rejects_are_escaped(project: Path, run_stage: Run) -> None:
    raw = project / "data" / "raw" / "t.csv"
    raw.write_text("a,b\n" + "1,x\n" * 9 + "=1+1,2,3\n", encoding="utf-8")
    for words, text, said in (((), "'=1+1,2,3", "escaped"),
                              (("--no-escape",), "=1+1,2,3", "as they are")):
        out = run_stage(project, "generate-dataset", "--data", raw, "--max-rejects", "1",
                        *words).stdout
        assert "up to date" not in out
        profile = json.loads(next(
            (project / "data" / "transformed").glob("*.json")).read_text(encoding="utf-8"))
        assert profile["formulas"] == said
        rejects = project / "data" / "staging" / f"{profile['key']}.rejects.csv"
        with open(rejects, encoding="utf-8", newline="") as file:
            assert list(csv.reader(file))[1] == ["11", "3 cells instead of 2", text]
    page = project / "reports" / f"{profile['key']}.html"
    run_in(project, [sys.executable, "-m", "src.report"])
    assert re.search("generate-dataset.*--no-escape", page.read_text(encoding="utf-8"))
