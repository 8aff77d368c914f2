"""What a table holds, column by column, computed by DuckDB without loading it.

Each column becomes a feature as mlmonkey.schema describes it. Private columns keep their name and
dtype only: no value, quantile or category of theirs is written anywhere.
"""

import math
from collections.abc import Sequence
from typing import Any

from src.etl.sql import identifier
from src.etl.convert import dtype_of_type

MIN_CATEGORY_COUNT = 5  # rarer values may point at a person, so they are counted, never listed
MAX_CATEGORIES = 100
QUANTILE_ROWS = 4_000_000  # evenly spread, of a longer table: their values are in memory at once
DECILES = "[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]"


def profile_columns(connection: Any, table: str, private: Sequence[str]) -> list[dict[str, Any]]:
    """Describe every column of an SQL table, by one query each."""
    connection.execute("SET parquet_metadata_cache = true")  # else each query reads it anew
    relation = connection.sql(f"FROM {table}")
    rows = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    features = []
    for name, kind in zip(relation.columns, relation.types):
        feature: dict[str, Any] = {"name": name, "dtype": dtype_of_type(str(kind))}
        if name in private:
            features.append(feature | {"private": True})
            continue
        describe = _describe_texts if feature["dtype"] == "text" else _describe_values
        present, content = describe(connection, table, identifier(name), feature["dtype"], rows)
        # 0 is said only of a column without a gap
        share = max(round(1 - present / rows, 6), 1e-6) if present < rows else 0.0
        features.append(feature | {"missing_share": share} | content)
    return features


def _describe_texts(connection: Any, table: str, column: str, dtype: str,
                    rows: int) -> tuple[int, dict[str, Any]]:
    """How many values are there, how many different ones, and which are frequent."""
    present, distinct, frequent = connection.execute(
        f"WITH counts AS MATERIALIZED (SELECT {column} AS value, count(*) AS n FROM {table} "
        f"WHERE {column} IS NOT NULL GROUP BY 1), frequent AS (FROM counts "
        f"WHERE n >= {MIN_CATEGORY_COUNT} ORDER BY n DESC, value LIMIT {MAX_CATEGORIES}) "
        "SELECT (SELECT sum(n) FROM counts), (SELECT count(*) FROM counts), "
        "(SELECT list({'value': value, 'count': n} ORDER BY n DESC, value) FROM frequent)"
    ).fetchone()
    return int(present or 0), {"distinct": distinct, "categories": frequent or []}


def _describe_values(connection: Any, table: str, column: str, dtype: str,
                     rows: int) -> tuple[int, dict[str, Any]]:
    """How many values are there, and their deciles; infinities and NaN count as missing."""
    number = column if dtype == "date" else f"CAST({column} AS DOUBLE)"
    kind = "quantile_cont" if dtype == "number" else "quantile_disc"
    values = f"(SELECT {number} AS value FROM {table} WHERE isfinite({number}))"
    some = ""
    if rows > QUANTILE_ROWS:
        values = f"(SELECT value, row_number() OVER () AS place FROM {values})"
        some = f" FILTER (WHERE place % {math.ceil(rows / QUANTILE_ROWS)} = 1)"
    present, *ends, quantiles = connection.execute(
        f"SELECT count(*), min(value), max(value), {kind}(value, {DECILES}){some} FROM {values}"
    ).fetchone()
    if not present:
        return 0, {}
    quantiles = [ends[0], *quantiles[1:-1], ends[1]]
    if dtype == "date":
        quantiles = [moment.isoformat() for moment in quantiles]
    return present, {"quantiles": quantiles, "minimum": quantiles[0], "maximum": quantiles[-1]}
