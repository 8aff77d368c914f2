"""A new file is read as the model's data was: converted or reported, never silently otherwise."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlmonkey.errors import UserError
from src.etl.kinds import MISSING_WORDS
from src.helpers.batches import open_input

COLUMNS = {"amount": ("number", "number, decimal comma"), "price": ("number", "number"),
           "count": ("integer", "integer"), "day": ("date", "date, day/month/year"),
           "flag": ("boolean", "true or false"), "code": ("text", "text"),
           "word": ("text", "text")}
ROW = {"amount": "1,5", "price": "2.5", "count": "3", "day": "01/02/2024", "flag": "true",
       "code": "007", "word": "a"}
READING = {"format": "csv", "encoding": "utf-8", "delimiter": ";", "quote": '"', "header": True,
           "columns": list(COLUMNS), "missing": [*MISSING_WORDS, "-"]}


def about(**reading: Any) -> dict[str, Any]:
    """What open_input reads of a model's metadata."""
    schema: list[dict[str, Any]] = [{"name": name, "dtype": dtype}
                                    for name, (dtype, _) in COLUMNS.items()]
    schema[-1]["categories"] = [{"value": "a", "count": 9}, {"value": "NA", "count": 9}]
    typed = reading.get("format") == "parquet"
    return {"features": list(COLUMNS), "schema": schema, "target": {"name": "y", "dtype": "text"},
            "data": {"reading": READING | reading, "rules": {} if typed else {
                name: rule for name, (_, rule) in COLUMNS.items()}}}


def read(connection: Any, path: Path, trained: dict[str, Any],
         **options: Any) -> tuple[dict[str, list[Any]], list[str]]:
    """All values by column, and the error texts."""
    with tempfile.TemporaryDirectory() as folder:
        batches = list(open_input(path, trained, Path(folder), connection, **options).batches)
    frame = batches[0].X.frame()
    values = {name: [None if value != value else value for value in frame[name].tolist()]
              for name in frame}
    return values, batches[0].errors.tolist()


def csv_of(folder: Path, *rows: dict[str, str]) -> Path:
    path = folder / "new.csv"
    lines = [";".join((ROW | row).values()) for row in ({}, *rows)]
    path.write_text("\n".join([";".join(COLUMNS), *lines]) + "\n")
    return path


def parquet_of(connection: Any, folder: Path, **columns: str) -> Path:
    """One row; SQL for what differs from the row of text."""
    path = folder / "new.parquet"
    cells = {name: f"'{text}'" for name, text in ROW.items()} | columns
    selected = ", ".join(f"{sql} AS {name}" for name, sql in cells.items())
    connection.execute(f"COPY (SELECT {selected}) TO '{path}' (FORMAT parquet)")
    return path


def test_what_training_learned_decides(connection: Any, tmp_path: Path) -> None:
    path = csv_of(tmp_path, {"day": "12/11/2024", "amount": "1.234", "word": "-", "price": ""},
                  dict.fromkeys(COLUMNS, ""))
    values, errors = read(connection, path, about())
    assert errors == ["", "", ""] and all(column[2] is None for column in values.values())
    assert [str(day)[:10] for day in values["day"][:2]] == ["2024-02-01", "2024-11-12"]
    assert values["amount"][:2] == [1.5, 1234] and values["word"][1] is None
    assert values["code"][0] == "007" and values["flag"][0] == 1


@pytest.mark.parametrize(("column", "text"), [
    ("price", "2,5"), ("flag", "yes"), ("flag", "1"), ("count", "007"), ("count", "true"),
    ("day", "2024-02-01"), ("day", "13.02.2024"), ("amount", "1_5")])
def test_what_does_not_fit_is_reported(connection: Any, tmp_path: Path, column: str,
                                       text: str) -> None:
    others = [{"amount": "2,5", "price": "3.5", "day": "20/02/2024"}] * 2
    values, errors = read(connection, csv_of(tmp_path, *others, {column: text}), about())
    assert values[column][3] is None and errors[:3] == ["", "", ""]
    assert errors[3].startswith(f"column {column}: {text} is not ")


@pytest.mark.parametrize(("column", "texts", "option", "found"), [
    ("amount", ["1.234", "2.5", "3.75"], {"decimal": "point"}, [1.234, 2.5, 3.75]),
    ("price", ["1.234", "2,5", "3,75"], {"decimal": "comma"}, [1234, 2.5, 3.75]),
    ("day", ["03/04/2024", "03/13/2024", "12/31/2024"], {"dates": "month-first"},
     ["2024-03-04", "2024-03-13", "2024-12-31"])])
def test_a_column_in_another_style_is_refused_until_it_is_said(
        connection: Any, tmp_path: Path, column: str, texts: list[str], option: dict[str, str],
        found: list[Any]) -> None:
    path = csv_of(tmp_path, *({column: text} for text in texts))
    head, _, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *rows]))
    (name, word), = option.items()
    with pytest.raises(UserError, match=f"values of column '{column}' read only as .* how this "
                                        f"file is written: --{name} {word}, or --{name} "):
        read(connection, path, about())
    values, _ = read(connection, path, about(), **option)
    shown = [str(value)[:10] for value in values[column]] if column == "day" else values[column]
    assert shown == found


def test_whole_numbers_with_fractions_are_said(connection: Any, tmp_path: Path,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    path = csv_of(tmp_path, {"count": "1.234"})
    assert read(connection, path, about())[0]["count"] == [3, 1.234]
    assert "'count' holds fractions" in capsys.readouterr().out
    assert read(connection, path, about(), decimal="comma")[0]["count"] == [3, 1234]


def test_texts_of_a_typed_file_are_read_by_the_rules(connection: Any, tmp_path: Path,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    path = parquet_of(connection, tmp_path, word="' - '", code="' 007 '")
    values, errors = read(connection, path, about())
    assert errors == [""] and [str(values["day"][0])[:10], values["amount"][0]] == [
        "2024-02-01", 1.5]
    assert values["word"] == [None] and values["code"] == ["007"]
    assert "column 'amount' is VARCHAR in this file and number" in capsys.readouterr().out


def test_other_types_are_converted_or_reported(connection: Any, tmp_path: Path,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    path = parquet_of(connection, tmp_path, amount="DATE '2024-01-01'", price="true",
                      count="2::TINYINT", day="20240201", flag="1", code="7", word="NULL")
    values, errors = read(connection, path, about())
    assert errors[0].startswith("column amount: 2024-01-01 is not a number; "
                                "column day: 20240201 is not a date")
    assert {name: values[name][0] for name in ("price", "count", "flag", "code", "word")} == {
        "price": 1, "count": 2, "flag": 1, "code": "7", "word": None}
    said = capsys.readouterr().out
    for name in ("amount", "price", "day", "flag", "code"):
        assert f"note: column '{name}' is " in said, name
    assert "'count'" not in said


def test_a_word_for_missing_that_was_a_value_stays_one(connection: Any, tmp_path: Path) -> None:
    path = csv_of(tmp_path, {"word": "NA", "price": "NA", "day": "2024-02-01", "amount": "1.5"})
    values, _ = read(connection, path, about(format="parquet"))
    assert values["word"][1] == "NA"
    assert read(connection, path, about())[0]["word"][1] is None
    assert np.isclose(values["amount"][1], 1.5)
