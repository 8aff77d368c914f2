"""What a table holds, column by column, computed by DuckDB without loading it.

Each column becomes a feature as mlmonkey.schema describes it. Private columns keep their name and
dtype only: no value, quantile or category of theirs is written anywhere.
"""

from collections.abc import Sequence
from typing import Any

from src.etl.account import identifier
from src.etl.convert import dtype_of_type

MIN_CATEGORY_COUNT = 5  # rarer values may point at a person, so they are counted, never listed
MAX_CATEGORIES = 100
DECILES = "[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]"


def profile_columns(connection: Any, table: str, private: Sequence[str]) -> list[dict[str, Any]]:
    """Describe every column of an SQL table."""
    relation = connection.sql(f"FROM {table}")
    return [_profile(connection, table, name, dtype_of_type(str(kind)), name in private)
            for name, kind in zip(relation.columns, relation.types)]


def _profile(connection: Any, table: str, name: str, dtype: str, private: bool) -> dict[str, Any]:
    feature: dict[str, Any] = {"name": name, "dtype": dtype}
    if private:
        return feature | {"private": True}
    column = identifier(name)
    rows, present = connection.execute(f"SELECT count(*), count({column}) FROM {table}").fetchone()
    feature["missing_share"] = round(1 - present / rows, 6) if rows else 0.0
    if dtype == "text":
        return feature | _categories(connection, table, column)
    return feature | _quantiles(connection, table, column, dtype)


def _categories(connection: Any, table: str, column: str) -> dict[str, Any]:
    distinct = connection.execute(f"SELECT count(DISTINCT {column}) FROM {table}").fetchone()[0]
    frequent = connection.execute(
        f"SELECT {column}, count(*) AS n FROM {table} WHERE {column} IS NOT NULL GROUP BY 1 "
        f"HAVING n >= {MIN_CATEGORY_COUNT} ORDER BY n DESC, 1 LIMIT {MAX_CATEGORIES}").fetchall()
    return {"distinct": distinct,
            "categories": [{"value": value, "count": count} for value, count in frequent]}


def _quantiles(connection: Any, table: str, column: str, dtype: str) -> dict[str, Any]:
    number = column if dtype == "date" else f"CAST({column} AS DOUBLE)"
    finite = f"{column} IS NOT NULL" if dtype == "date" else f"isfinite({number})"
    kind = "quantile_cont" if dtype == "number" else "quantile_disc"
    quantiles = connection.execute(
        f"SELECT {kind}({number}, {DECILES}) FROM {table} WHERE {finite}").fetchone()[0]
    if not quantiles:
        return {}
    if dtype == "date":
        quantiles = [moment.isoformat() for moment in quantiles]
    return {"quantiles": quantiles, "minimum": quantiles[0], "maximum": quantiles[-1]}
