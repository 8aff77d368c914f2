"""What is unusual is said, what can't be known is not claimed, and of private columns nothing."""

from typing import Any

import duckdb
import pytest
from conftest import read_metadata

from mlmonkey.rows import Reader
from mlmonkey.schema import draw_rows
from mlmonkey.unusual import find_unusual
from src.etl.profile import profile_columns

COLUMNS = {
    "number": [0.5, 1.5] * 50, "count": [1, 7] * 50, "yes": [True] * 100,
    "day": ["2024-01-31", "2024-06-30"] * 50, "void": [None] * 100,
    "gaps": [1.0, None] * 50, "few": ["a", "b"] * 50, "secret": ["a", "b"] * 50,
    "rare": ["a"] * 97 + ["x", "y", "z"], "id": [f"id {n}" for n in range(100)]}
TYPES = {"number": "DOUBLE", "count": "BIGINT", "yes": "BOOLEAN", "day": "DATE", "void": "DOUBLE",
         "gaps": "DOUBLE"}
USUAL = {"number": 1.0, "count": 3, "yes": True, "day": "2024-02-01", "void": None, "gaps": None,
         "few": "a", "secret": "a", "rare": "a", "id": "id 3"}


@pytest.fixture(scope="module")
def metadata() -> dict[str, Any]:
    """As much metadata as it takes, of a table with every kind of column."""
    connection = duckdb.connect()
    kinds = ", ".join(f'"{name}" {TYPES.get(name, "VARCHAR")}' for name in COLUMNS)
    connection.execute(f"CREATE TABLE t ({kinds})")
    connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(COLUMNS))})",
                           list(zip(*COLUMNS.values(), strict=True)))
    return {"schema": profile_columns(connection, "t", ["secret"]),
            "data": {"rows": {"dataset": 100}}}


def reasons(metadata: dict[str, Any], **change: Any) -> dict[str, str]:
    rows, _ = Reader(metadata["schema"]).read([USUAL, USUAL | change, USUAL])
    before, found, after = find_unusual(rows, metadata)
    assert before == after == []
    return {each["column"]: each["reason"] for each in found}


@pytest.mark.parametrize(("column", "value", "reason"), [
    ("number", 0.4999, "below 0.5"), ("number", 1e300, "above 1.5"), ("number", None, "missing"),
    ("number", 0.5, None), ("count", 8, "above 7"), ("count", 0.5, "below 1"),
    ("yes", False, "never seen"), ("day", "2024-01-30T23:59", "below 2024-01-31"),
    ("day", "2024-06-30", None), ("day", None, "missing"), ("void", 3.0, "never seen"),
    ("gaps", 2.0, "above 1.0"), ("few", "c", "never seen"), ("few", "", "never seen"),
    # a rare value is not listed: it can't be told from one that was never there
    ("rare", "x", "rare or never seen"), ("rare", "other", "rare or never seen"),
    ("id", "another", None), ("id", None, "missing"),
    ("secret", "another", None), ("secret", None, None)])
def test_each_kind_of_column(metadata: dict[str, Any], column: str, value: Any,
                             reason: str | None) -> None:
    assert reasons(metadata, **{column: value}) == ({column: reason} if reason else {})


def test_several_columns_in_the_schema_s_order(metadata: dict[str, Any]) -> None:
    assert list(reasons(metadata, few="c", count=9, number=None)) == ["number", "count", "few"]


@pytest.mark.parametrize("name", ["iris", "penguins", "cars"])
def test_the_golden_rows_know_which_of_them_is_strange(trained: Any, name: str) -> None:
    metadata = read_metadata(trained, f"{name}-v1")
    rows, _ = Reader(metadata["schema"]).read(draw_rows(metadata["schema"], 3, 0))
    usual, empty, strange = find_unusual(rows, metadata)
    assert usual == [] and {each["reason"] for each in empty} == {"missing"}
    free_text = {"cars": {"name"}}.get(name, set())  # too many names to be listed
    assert {each["column"] for each in strange} == set(metadata["features"]) - free_text


def test_one_gap_in_millions_is_a_gap() -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS SELECT nullif(i, 7) AS n FROM range(3000000) t(i)")
    assert profile_columns(connection, "t", [])[0]["missing_share"] > 0
