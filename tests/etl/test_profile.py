"""The profile says what a table holds, and nothing of private or rare values."""

import datetime as dt
import json
from typing import Any

import duckdb
import pytest

from src.etl.profile import MAX_CATEGORIES, profile_columns


def profile(query: str, private: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS {query}")
        columns = profile_columns(connection, "t", private)
    json.dumps(columns, allow_nan=False)
    return {column["name"]: column for column in columns}


def test_numbers_and_truth_values() -> None:
    found = profile("SELECT range AS n, range / 2 AS x, range % 2 = 0 AS b, CASE WHEN range < 25 "
                    "THEN NULL ELSE 7 END AS gap FROM range(101)")
    assert found["n"] == {"name": "n", "dtype": "integer", "missing_share": 0.0,
                          "quantiles": [10 * n for n in range(11)], "minimum": 0, "maximum": 100}
    assert found["x"]["dtype"] == "number" and found["x"]["quantiles"][5] == 25
    assert found["b"]["dtype"] == "boolean" and set(found["b"]["quantiles"]) == {0, 1}
    assert found["gap"]["missing_share"] == pytest.approx(25 / 101, abs=1e-6)


def test_infinities_and_nan_count_as_missing() -> None:
    found = profile("SELECT * FROM (VALUES (1.0::DOUBLE), ('nan'), ('inf'), (3.0)) t(x)")
    assert found["x"]["missing_share"] == 0.5
    assert (found["x"]["minimum"], found["x"]["maximum"]) == (1, 3)


def test_dates() -> None:
    found = profile("SELECT DATE '2024-01-01' + range::INT AS d FROM range(3)")
    assert found["d"]["minimum"] == dt.date(2024, 1, 1).isoformat()
    assert found["d"]["dtype"] == "date"


def test_texts_list_frequent_values_only() -> None:
    found = profile("SELECT unnest(['it''s', 'it''s', 'it''s', 'it''s', 'it''s', 'a', 'a', 'a', "
                    "'a', 'a', 'a', 'rare', NULL]) AS t")
    assert found["t"] == {"name": "t", "dtype": "text", "missing_share": round(1 / 13, 6),
                          "distinct": 3, "categories": [{"value": "a", "count": 6},
                                                        {"value": "it's", "count": 5}]}
    many = profile(f"SELECT (range % 200)::VARCHAR AS t FROM range({200 * 5})")["t"]
    assert many["distinct"] == 200 and len(many["categories"]) == MAX_CATEGORIES


def test_columns_without_a_value_and_tables_without_a_row() -> None:
    found = profile("SELECT NULL::VARCHAR AS t, NULL::DOUBLE AS x, NULL::DATE AS d FROM range(3)")
    assert all(column["missing_share"] == 1 for column in found.values())
    assert found["t"]["categories"] == [] and "quantiles" not in found["x"]
    empty = profile("SELECT 'a' AS t, 1.5 AS x WHERE false")
    assert empty["t"]["missing_share"] == 0 and "minimum" not in empty["x"]


def test_private_columns_keep_name_and_dtype_only() -> None:
    found = profile("SELECT 'secret' AS name, 42 AS age FROM range(9)", private=("name", "age"))
    assert found == {"name": {"name": "name", "dtype": "text", "private": True},
                     "age": {"name": "age", "dtype": "integer", "private": True}}


def test_strange_column_names() -> None:
    names = ["it's", 'say "x"', "value", "counts", "n", "{table}"]
    columns = ", ".join("'x' AS \"" + name.replace('"', '""') + '"' for name in names)
    assert list(profile(f"SELECT {columns} FROM range(9)")) == names


def test_deciles_of_a_long_table_come_from_rows_evenly_spread(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.etl.profile.QUANTILE_ROWS", 100)
    found = profile("SELECT range AS n, CASE WHEN range = 77 THEN 1.5 END AS x FROM range(1001)")
    assert found["n"]["quantiles"] == pytest.approx([100 * n for n in range(11)], abs=11)
    assert (found["n"]["minimum"], found["n"]["maximum"]) == (0, 1000)
    assert found["x"]["quantiles"] == [1.5] * 11
