"""Which rows exist: filter, drop duplicates, join. Yours to edit.

A function takes the staging rows of one table as a DuckDB relation and returns the rows that models
learn from. Add yours to TRANSFORMS under the raw file's name without its ending; a table without
an entry stays as it is. Clients of `make prediction` and the endpoint send the columns that come
out here, so what is computed from a single row belongs in src/model/features.py instead.
"""

from collections.abc import Callable

from duckdb import DuckDBPyRelation


def measured_only(rows: DuckDBPyRelation) -> DuckDBPyRelation:
    """Penguins that somebody measured: two birds have a species and nothing else."""
    return rows.filter("bill_length_mm IS NOT NULL OR body_mass_g IS NOT NULL")


TRANSFORMS: dict[str, Callable[[DuckDBPyRelation], DuckDBPyRelation]] = {
    "penguins": measured_only,
}
