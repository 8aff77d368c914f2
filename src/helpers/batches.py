"""Records of a file for a trained model: read as training read, in order, a batch at a time.

Every record of the input becomes exactly one row of one batch, in its place: a record that can't
be read, or a value that can't be what the model knows, is a row with an error text. Memory does
not grow with the file.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mlmonkey.errors import UserError
from mlmonkey.schema import EXPECTED, canonical_frame
from src.etl.account import Account, Reject, Source, identifier, open_source, quoted
from src.etl.convert import BY_DTYPE, cell_sql, parquet_value_sql, value_sql
from src.etl.detect import DELIMITERS, check_readable, detect_reading, scan
from src.helpers.tables import read_rows
from src.settings import relative

VECTORS = 10  # of 2,048 rows each: a batch is 20,480 rows
MEMORY_LIMIT = "500MB"  # of DuckDB
KEPT = "kept "  # before the names of input columns that are to be echoed


class Batch(NamedTuple):
    """Rows in the input's order: X (n, features), error texts (n,) or empty, echoed columns."""

    X: pd.DataFrame
    errors: np.ndarray
    kept: pd.DataFrame


class Input(NamedTuple):
    """A file that is open for a model."""

    path: Path
    sha256: str
    account: Account
    columns: list[str]
    ignored: list[str]
    batches: Iterator[Batch]


def open_input(path: Path, metadata: Mapping[str, Any], workspace: Path, connection: Any,
               keep: Sequence[str] = (), delimiter: str = "auto",
               labels: bool = False) -> Input:
    """Open a file with the reading that the model's data had.

    Args:
        keep: names of input columns to echo; `all` for every one.
        delimiter: a word of DELIMITERS where this file differs from the model's data.
        labels: the target must be there too; it is echoed as typed values instead of `keep`.

    Raises:
        UserError: when columns are missing; names them.
    """
    check_readable(path)
    scanned = scan(path)
    reading = _reading(path, scanned, metadata["data"]["reading"], delimiter)
    source = open_source(connection, path, reading, workspace)
    columns = list(source.reading["columns"])
    target = metadata["target"]
    wanted = [*metadata["features"], *([target["name"]] if labels else [])]
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise UserError(f"{relative(path)} lacks the column(s) {', '.join(map(repr, missing))}; "
                        f"it has {', '.join(columns[:20])}{' ...' if len(columns) > 20 else ''}"
                        + _delimiter_hint(path, scanned, reading))
    echoed = columns if list(keep) == ["all"] else list(keep)
    for name in echoed:
        if name not in columns:
            raise UserError(f"--keep {name}: {relative(path)} has no such column; it has "
                            f"{', '.join(columns)}")
    ignored = [name for name in columns if name not in wanted]
    kept = {name: identifier(name) for name in echoed}
    if labels:
        kept = {target["name"]: _feature_sql(target, source, metadata["data"]["rules"])[0]}
    batches = _merge(_read(connection, source, metadata, kept), source.rejects,
                     metadata["schema"], list(kept))
    return Input(path, scanned.sha256, source.account, columns, ignored, batches)


def hold_out_batch(metadata: Mapping[str, Any], profile: Mapping[str, Any] | None,
                   keep: Sequence[str]) -> Batch:
    """The rows that the model has never seen, from the dataset that it was trained on.

    Raises:
        UserError: when there is no hold-out, or the dataset is not the one of the training.
    """
    rows = metadata["data"]["hold_out_rows"]
    name, raw = metadata["model_name"], metadata["data"]["raw"]["path"]
    if not rows:
        raise UserError(f"{name} has no hold-out (its table has few rows); name a file: "
                        f"make prediction ARGS=\"--input '{raw}'\"")
    if profile is None or profile["transformed"]["sha256"] != \
            metadata["data"]["transformed"]["sha256"]:
        raise UserError(f"the dataset that {name} was trained on is no longer there; train anew "
                        f"(make train), or name a file: make prediction ARGS=\"--input '{raw}'\"")
    frame = read_rows(profile["key"], profile["columns"]).iloc[rows].reset_index(drop=True)
    echoed = list(frame.columns) if list(keep) == ["all"] else list(keep)
    for column in echoed:
        if column not in frame.columns:
            raise UserError(f"--keep {column}: the dataset of {name} has no such column; it has "
                            f"{', '.join(frame.columns)}")
    return Batch(canonical_frame(frame, metadata["schema"]), np.full(len(frame), "", dtype=object),
                 frame[echoed])


def rule_of(name: str, dtype: str, rules: Mapping[str, str]) -> str:
    """The rule that reads a column's text: that of the training, widened from integer to number."""
    rule = rules.get(name)
    if rule is None or rule == "integer" or (rule == "text") != (dtype == "text"):
        return BY_DTYPE[dtype]
    return rule


def _reading(path: Path, scanned: Any, trained: Mapping[str, Any],
             delimiter: str) -> dict[str, Any]:
    words = tuple(trained["missing"])
    if trained["format"] != "csv":
        return detect_reading(path, scanned, delimiter, missing=words)
    if delimiter == "auto":
        delimiter = next(word for word, mark in DELIMITERS.items() if mark == trained["delimiter"])
    return detect_reading(path, scanned, delimiter, "yes" if trained["header"] else "no",
                          missing=words) | {"missing": list(words)}


def _delimiter_hint(path: Path, scanned: Any, reading: Mapping[str, Any]) -> str:
    if reading["format"] != "csv":
        return ""
    seen = detect_reading(path, scanned)["delimiter"]
    if seen == reading["delimiter"]:
        return ""
    word = next(word for word, mark in DELIMITERS.items() if mark == seen)
    return f"; the model's data had {reading['delimiter']!r} between cells: try --delimiter {word}"


def _read(connection: Any, source: Source, metadata: Mapping[str, Any],
          echoed: Mapping[str, str]) -> Iterator[Batch]:
    """Batches of the records that can be read, converted by DuckDB; `echoed` is name -> SQL."""
    values, errors = [], []
    for feature in metadata["schema"]:
        value, error = _feature_sql(feature, source, metadata["data"]["rules"])
        values.append(f"{value} AS {identifier(feature['name'])}")
        errors.append(error)
    kept = [f"{value} AS {identifier(KEPT + name)}" for name, value in echoed.items()]
    said = f"concat_ws('; ', {', '.join(errors)})"
    connection.execute(f"SELECT {', '.join([*values, *kept])}, {said} AS {identifier(KEPT)} "
                       f"FROM {source.sql()}")
    while len(chunk := connection.fetch_df_chunk(VECTORS)):
        names = {KEPT + name: name for name in echoed}
        yield Batch(canonical_frame(chunk, metadata["schema"]),
                    chunk[KEPT].to_numpy(dtype=object), chunk[list(names)].rename(columns=names))


def _feature_sql(feature: Mapping[str, Any], source: Source,
                 rules: Mapping[str, str]) -> tuple[str, str]:
    """SQL for a feature's value, and for what is wrong with it (NULL when nothing is)."""
    name, dtype = feature["name"], feature["dtype"]
    if source.reading["format"] == "parquet":
        value, text = parquet_value_sql(name, dtype), f"CAST({identifier(name)} AS VARCHAR)"
    else:
        value = value_sql(name, rule_of(name, dtype, rules), source.reading)
        text = f"({cell_sql(name, source.reading)})"
    shown = "'a private value'" if feature.get("private") else f"left({text}, 60)"
    return value, (f"CASE WHEN {text} IS NOT NULL AND ({value}) IS NULL THEN concat("
                   f"{quoted(f'column {name}: ')}, {shown}, {quoted(f' is not {EXPECTED[dtype]}')})"
                   " END")


def _merge(batches: Iterator[Batch], rejects: Sequence[Reject], schema: Sequence[Any],
           echoed: Sequence[str]) -> Iterator[Batch]:
    """Put the rejected records back into their places."""
    waiting = list(rejects)
    start = 0  # place among all records of the batch's first row
    for batch in batches:
        pieces, taken = [], 0
        while waiting and waiting[0].place <= start + len(batch.errors) - taken:
            run = waiting[0].place - start
            pieces.append(_rows(batch, taken, taken + run))
            pieces.append(_rejected([waiting.pop(0)], schema, echoed))
            taken, start = taken + run, start + run + 1
        pieces.append(_rows(batch, taken, len(batch.errors)))
        start += len(batch.errors) - taken
        yield _joined(pieces)
    for some in itertools.batched(waiting, 10000) if hasattr(itertools, "batched") else [waiting]:
        if some:
            yield _rejected(some, schema, echoed)


def _rows(batch: Batch, start: int, stop: int) -> Batch:
    return Batch(batch.X.iloc[start:stop], batch.errors[start:stop], batch.kept.iloc[start:stop])


def _joined(pieces: Sequence[Batch]) -> Batch:
    pieces = [piece for piece in pieces if len(piece.errors)]
    if len(pieces) == 1:
        return pieces[0]
    return Batch(pd.concat([piece.X for piece in pieces], ignore_index=True),
                 np.concatenate([piece.errors for piece in pieces]),
                 pd.concat([piece.kept for piece in pieces], ignore_index=True))


def _rejected(rejects: Sequence[Reject], schema: Sequence[Any],
              echoed: Sequence[str]) -> Batch:
    count = len(rejects)
    X = canonical_frame({f["name"]: [None] * count for f in schema}, schema)
    errors = np.array([f"line {reject.line}: {reject.reason}" for reject in rejects], dtype=object)
    kept = pd.DataFrame({name: pd.Series([None] * count, dtype="str") for name in echoed},
                        index=range(count))
    return Batch(X, errors, kept)
