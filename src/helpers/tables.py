"""The training table: canonical frame and target, from the transformed file of a dataset."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mlmonkey.errors import UserError
from mlmonkey.schema import Feature, canonical_frame
from src.etl.sql import ROW_NUMBER, identifier, numbered_sql, parquet_sql
from src.helpers.commands import make_line, typed
from src.helpers.configuration import Config, nearest
from src.helpers.datasets import transformed_path
from src.helpers.freshness import is_whole
from src.settings import relative

MIN_ROWS = 10
MAX_CLASSES = 1000
LARGEST_TARGET = 1e100
MOSTLY_NUMBERS = 0.8  # share of a text target's values that read as numbers
FEW_VALUES = 10  # an integer target with no more distinct values than this is taken for classes


class Table(NamedTuple):
    """Rows to learn from: X (n, features), y (n,), and their row numbers in the dataset (n,).

    Where the options name columns for them: `groups` (n,), integers of which -1 is none, and
    `times` (n,), of which rows without one have the earliest.
    `known` rows have a target; more than n where these are a sample.
    """

    X: pd.DataFrame
    y: np.ndarray
    rows: np.ndarray
    known: int
    schema: list[Feature]
    target: Feature
    groups: np.ndarray | None = None
    times: np.ndarray | None = None


def read_rows(profile: dict[str, Any], target: str, most: int | None,
              seed: int) -> tuple[pd.DataFrame, np.ndarray, int]:
    """The rows of a dataset whose target is known, or a sample of them.

    Args:
        most: rows that are wanted; None: all.

    Returns:
        The canonical frame (n, columns), the rows' numbers (n,), and how many have a target.

    Raises:
        UserError: when the file is gone, damaged, or another one than the profile describes.
    """
    import duckdb
    path = transformed_path(profile["key"])
    try:
        with (tempfile.TemporaryDirectory() as workspace,
              duckdb.connect(config={"temp_directory": workspace}) as connection):
            if most is None:
                frame = connection.sql(f"FROM {parquet_sql(path)}").df()
            else:
                about = next(each for each in profile["columns"] if each["name"] == target)
                frame, rows, count = draw_sample(connection, path, about, most, seed)
        whole = is_whole(path, profile["transformed"]["sha256"])  # after reading: it may change
    except duckdb.Error:
        whole = False
    if not whole:
        raise UserError(f"{relative(path)} is damaged, gone or not what its profile describes; "
                        "make it again: "
                        + make_line("generate-dataset", "--data", typed(profile["raw"]["path"])))
    frame = canonical_frame(frame, profile["columns"])
    if most is None:
        known = frame[target].notna().to_numpy()
        frame, rows, count = frame[known].reset_index(drop=True), np.flatnonzero(known), known.sum()
    return frame, rows, int(count)


def draw_sample(connection: Any, path: Path, target: Feature, most: int,
                seed: int) -> tuple[pd.DataFrame, np.ndarray, int]:
    """Rows drawn from a Parquet file without loading the others, in the file's order.

    Each class, or tenth of the ranks of numbers, gives its share, and two rows while there is room.

    Returns:
        The frame (n, columns), the rows' numbers (n,), and how many rows have a target.
    """
    table, value, number = numbered_sql(path), identifier(target["name"]), identifier(ROW_NUMBER)
    known = (f"isfinite(CAST({value} AS DOUBLE))" if target["dtype"] in ("integer", "number")
             else f"{value} IS NOT NULL")
    count, distinct = connection.execute(
        f"SELECT count(*), count(DISTINCT {value}) FROM {table} WHERE {known}").fetchone()
    part = (value if distinct <= MAX_CLASSES
            else f"ntile(10) OVER (ORDER BY {value}, {number})")
    connection.execute(
        "CREATE TEMP TABLE sample AS WITH known AS ("
        f"SELECT {number} AS number, {part} AS part FROM {table} WHERE {known}), "
        "lots AS (SELECT *, hash(xor(hash(number), CAST($seed AS UBIGINT))) AS lot FROM known), "
        "places AS (SELECT number, count(*) OVER (PARTITION BY part) AS size, "
        "row_number() OVER (PARTITION BY part ORDER BY lot, number) AS place FROM lots) "
        "SELECT number FROM places ORDER BY greatest(place - 2, 0) / size, place, number "
        "LIMIT $most", {"seed": seed, "most": most})
    frame = connection.sql(f"FROM {table} WHERE {number} IN (FROM sample) ORDER BY {number}").df()
    return frame, frame.pop(ROW_NUMBER).to_numpy(), count


def read_training_table(profile: dict[str, Any], target: str, config: Config) -> Table:
    """The rows whose target is known, or a stratified sample of --max-rows of them.

    Without the columns of --group and --drop.

    Raises:
        UserError: when nothing can be learned from this table and target; says why.
    """
    columns = {column["name"]: column for column in profile["columns"]}
    path = profile["raw"]["path"]
    check_target(path, target, columns)
    check_columns(path, target, config, columns)
    frame, rows, known = read_rows(profile, target, config.max_rows, config.seed)
    values = frame.pop(target)
    if not known:
        raise UserError(f"{path}: the target {target!r} is missing in every row; choose another: "
                        f"--target {_others(columns, target)}")
    if known < MIN_ROWS:
        raise UserError(f"{path}: {known} row(s) with a target are too few to learn from; "
                        f"at least {MIN_ROWS} are needed")
    without = {target, config.group, *config.drop}
    schema = [column for name, column in columns.items() if name not in without]
    if not schema:
        raise UserError(f"{path} has no column besides the target {target!r}"
                        + " and those left out" * (len(columns) > 1) + " to learn from; add some, "
                        "or see how the file was read: "
                        + make_line("generate-dataset", "--data", typed(path)))
    about = columns[target]
    if about["dtype"] == "number" and _are_classes(values):
        about = about | {"dtype": "integer"}  # 0.0 and 1.0, as a column with gaps is often written
    groups = None if config.group is None else pd.factorize(frame[config.group])[0]
    times = None if config.time is None else _moments(frame[config.time])
    return Table(frame[[column["name"] for column in schema]], _target_values(values, about), rows,
                 known, schema, about, groups, times)


def check_target(path: str, target: str, columns: dict[str, Feature]) -> None:
    """Refuse a target that is no column of the table."""
    if target not in columns:
        raise UserError(f"{path} has no column {target!r}{nearest(target, columns)}")


def check_columns(path: str, target: str, config: Config, columns: dict[str, Feature]) -> None:
    """Refuse columns of --group, --time and --drop that can't be what they are told to be."""
    for option, name in (("group", config.group), ("time", config.time),
                         *(("drop", name) for name in config.drop)):
        if name is None:
            continue
        if name not in columns:
            raise UserError(f"--{option}: {path} has no column {name!r}{nearest(name, columns)}")
        if name == target:
            raise UserError(f"--{option} {name}: this column is the target; choose another")
        if option == "time" and columns[name]["dtype"] in ("text", "boolean"):
            raise UserError(f"--time {name}: holds {columns[name]['dtype']}, not dates or numbers; "
                            "choose another, or see how the file was read: "
                            + make_line("generate-dataset", "--data", typed(path)))


def tell_task(table: Table, path: str) -> str:
    """Classification or regression, told from the target.

    Raises:
        UserError: when the target has one value only, or is no target at all.
    """
    name, dtype, distinct = table.target["name"], table.target["dtype"], len(np.unique(table.y))
    if distinct == 1:
        value = "" if table.target.get("private") else f" ({table.y[0]!s})"
        raise UserError(f"{path}: the target {name!r} has one value only{value}; there is nothing "
                        "to tell apart; choose another: --target COLUMN")
    if dtype == "date":
        raise UserError(f"{path}: the target {name!r} is a date, which no model here predicts; "
                        "choose another: --target COLUMN")
    if dtype == "number" or (dtype == "integer" and distinct > FEW_VALUES):
        return "regression"
    return "classification"


def check_task(table: Table, task: str, path: str) -> None:
    """Refuse a task that the target can't have."""
    name, dtype, distinct = table.target["name"], table.target["dtype"], len(np.unique(table.y))
    if task == "regression" and dtype not in ("integer", "number"):
        raise UserError(f"{path}: the target {name!r} holds {dtype}, not numbers; leave out "
                        "--task regression")
    if task == "regression" and np.abs(table.y).max() > LARGEST_TARGET:
        raise UserError(f"{path}: the target {name!r} holds numbers beyond {LARGEST_TARGET:.0e}, "
                        "whose squares are too large to add up; divide them, or choose another: "
                        "--target COLUMN")
    if task == "classification" and (distinct > MAX_CLASSES or distinct > len(table.y) / 2):
        if dtype == "text":
            refuse_numbers_as_text(table, path)
        raise UserError(f"{path}: the target {name!r} has {distinct} different values in "
                        f"{len(table.y)} rows, too many to be classes; choose another: "
                        "--target COLUMN" + (", or --task regression"
                                             if dtype in ("integer", "number") else ""))


def refuse_numbers_as_text(table: Table, path: str) -> None:
    """Refuse a target of numbers among which some words made all of them text."""
    from src.model.encodings import read_numbers
    read = np.isfinite(read_numbers(pd.Series(table.y))[0])
    if read.mean() >= MOSTLY_NUMBERS and not read.all():
        words = (["WORD"] if table.target.get("private") else
                 list(dict.fromkeys(map(str, table.y[~read])))[:3])
        raise UserError(f"{path}: the target {table.target['name']!r} is text, but "
                        f"{read.mean():.0%} of its values are numbers; name words for no value: "
                        + " ".join(f"--missing {quote(word)}" for word in words))


def likeliest_targets(columns: Sequence[Feature]) -> list[str]:
    """Columns people would want predicted, best first: words for it, few classes, the last one."""
    words = ("target", "label", "class", "y", "outcome", "species", "price", "churn")

    def rank(position: int) -> tuple[bool, bool, bool, int]:
        column = columns[position]
        few = 2 <= column.get("distinct", 0) <= 20
        return (column["name"].lower() not in words, column["dtype"] == "date",
                not (few or position == len(columns) - 1), -position)
    usable = [i for i, column in enumerate(columns) if not column.get("private")]
    return [columns[position]["name"] for position in sorted(usable, key=rank)][:3]


def _moments(column: pd.Series) -> np.ndarray:
    """When each row was, as numbers (n,); a missing time is earlier than all."""
    if column.dtype.kind == "M":
        known = column.notna().to_numpy()
        return np.where(known, column.to_numpy(dtype=np.int64).astype(float), -np.inf)
    return column.fillna(-np.inf).to_numpy(dtype=np.float64)


def _are_classes(values: pd.Series) -> bool:
    return values.nunique() <= FEW_VALUES and bool((values % 1 == 0).all())


def _target_values(values: pd.Series, target: Feature) -> np.ndarray:
    if target["dtype"] == "text":
        return values.to_numpy(dtype=str)
    if target["dtype"] == "date":
        return values.to_numpy()
    kind = {"boolean": np.bool_, "integer": np.int64}.get(target["dtype"], np.float64)
    return values.to_numpy(dtype=np.float64).astype(kind)


def _others(columns: dict[str, Feature], target: str) -> str:
    usable = [column for name, column in columns.items() if name != target]
    return " or --target ".join(likeliest_targets(usable)) or "COLUMN"
