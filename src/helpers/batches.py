"""Records of a file for a trained model: read as training read, in order, a batch at a time.

Every record of the input becomes exactly one row of one batch, in its place: a record that can't
be read, or a value that can't be what the model knows, is a row with an error text. Memory does
not grow with the file.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mlmonkey.cells import rule_of
from mlmonkey.errors import UserError
from mlmonkey.files import sha256_beside
from mlmonkey.rows import Rows, rows_from_columns
from mlmonkey.schema import EXPECTED, Feature
from mlmonkey.serving import finite
from src.etl.account import REASON, Account, Source
from src.etl.open_source import open_source
from src.etl.sql import ROW_NUMBER, identifier, numbered_sql, quoted
from src.etl.convert import (cells_sql, checked_value_sql, dtype_of_type, parquet_value_sql,
                             unless_missing_sql)
from src.etl.detect import (check_beginning, check_readable, delimiter_word, detect_reading,
                            scan)
from src.etl.formulas import escaped_sql
from src.etl.rules import BY_NAME, COMMAS, THOUSAND, in_style, order_of, rivals_of
from src.etl.unpack import unpack
from src.helpers.commands import make_line, typed
from src.helpers.configuration import nearest
from src.helpers.datasets import transformed_path
from src.helpers.freshness import is_whole
from src.helpers.plain import ALL_PLAIN, can_be_plain, only_plain, plain_sql
from src.settings import relative

VECTORS = 10  # of 2,048 rows each: a batch is 20,480 rows
MEMORY_LIMIT = "500MB"  # of DuckDB


class Batch(NamedTuple):
    """Rows in the input's order: X (n rows), error texts (n,) or empty, echoed columns."""

    X: Rows
    errors: np.ndarray
    kept: pd.DataFrame


class Input(NamedTuple):
    """A file that is open for a model; `types` are the SQL types of a Parquet file's columns."""

    path: Path
    sha256: str
    account: Account
    columns: list[str]
    types: dict[str, str]
    ignored: list[str]
    batches: Iterator[Batch]


def open_input(path: Path, metadata: Mapping[str, Any], workspace: Path, connection: Any,
               keep: Sequence[str] = (), delimiter: str = "auto",
               labels: bool = False, escape: bool = False, member: str | None = None,
               sheet: str | None = None, decimal: str = "auto", dates: str = "auto") -> Input:
    """Open a file with the reading that the model's data had.

    Args:
        workspace: a folder for what is unpacked or mended, kept as long as batches are read.
        keep: names of input columns to echo; `all` for every one.
        delimiter: a word of DELIMITERS, or the mark itself, where this file differs.
        labels: the target must be there too; it is echoed as typed values instead of `keep`.
        escape: what is echoed is text that no spreadsheet runs.
        member, sheet: which table of the file, where it holds several.
        decimal, dates: how this file writes what reads both ways, where the model's data differed.

    Raises:
        UserError: when columns are missing; names them. While batches are read: when a column says
            that its numbers or dates are written otherwise than the model's data were.
    """
    check_readable(path, "--input")
    trained = metadata["data"]["reading"]
    plain = unpack(path, workspace, member, sheet, trained.get("part"))
    check_beginning(path, plain.path)
    hashed = sha256_beside(path)
    scanned = scan(plain.path)
    reading = _reading(path, scanned, metadata, plain.delimiter or delimiter)
    source = open_source(connection, plain.path, reading, workspace, raw=path)
    columns = list(source.reading["columns"])
    target = metadata["target"]
    wanted = [*metadata["features"], *([target["name"]] if labels else [])]
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise UserError(f"{relative(path)} lacks the column(s) {', '.join(map(repr, missing))}; "
                        f"it has {', '.join(columns[:20])}{' ...' if len(columns) > 20 else ''}"
                        f"{nearest(missing[0], columns, '')}"
                        f"{_delimiter_hint(path, scanned, reading)}")
    echoed = columns if list(keep) == ["all"] else list(dict.fromkeys(keep))
    for name in echoed:
        if name not in columns:
            raise UserError(f"--keep {name}: {relative(path)} has no such column; it has "
                            f"{', '.join(columns)}")
    ignored = [name for name in columns if name not in wanted]
    relation = connection.sql(f"FROM {source.sql()}")
    types = dict(zip(relation.columns, map(str, relation.types)))
    features = [*metadata["schema"], *([target] if labels else [])]
    rules = {feature["name"]: restyled(rule_of(feature["name"], feature["dtype"],
                                               metadata["data"]["rules"]), decimal, dates)
             for feature in features}
    texts = set(columns)
    if source.reading["format"] == "parquet":
        say_types(features, types)
        texts = {name for name, kind in types.items()
                 if kind == "VARCHAR" and trained["format"] != "parquet"}
    check = Styles(path, connection, source, rules, {decimal, dates} == {"auto"})
    batches = _read(connection, source, features, rules, texts, echoed, labels, escape, check)
    return Input(path, hashed.result(), source.account, columns, types, ignored, batches)


def open_hold_out(metadata: Mapping[str, Any], profile: Mapping[str, Any] | None,
                  workspace: Path, connection: Any, keep: Sequence[str] = (),
                  labels: bool = False, escape: bool = False) -> Input:
    """Open the rows that the model has never seen, from the dataset that it was trained on.

    Raises:
        UserError: when there is no hold-out, or the dataset is not the one of the training.
    """
    name, raw = metadata["model_name"], metadata["data"]["raw"]["path"]
    if not metadata["data"]["hold_out_rows"]:
        raise UserError(f"{name} has no hold-out (its table has few rows); name a file: "
                        + make_line("prediction", "--input", typed(raw)))
    trained = metadata["data"]["transformed"]["sha256"]
    if profile is None or not is_whole(transformed_path(profile["key"]), trained):
        raise UserError(f"the dataset that {name} was trained on is no longer there; train anew "
                        "(make train), or name a file: "
                        + make_line("prediction", "--input", typed(raw)))
    rows = workspace / f"hold-out of {name}.parquet"
    table, number = numbered_sql(transformed_path(profile["key"])), identifier(ROW_NUMBER)
    connection.execute(
        f"COPY (SELECT * EXCLUDE ({number}) FROM {table} WHERE {number} IN "
        f"(SELECT unnest(?))) TO {quoted(str(rows))} (FORMAT parquet)",
        [metadata["data"]["hold_out_rows"]])
    return open_input(rows, metadata, workspace, connection, keep, labels=labels,
                      escape=escape)


def restyled(rule: str, decimal: str, dates: str) -> str:
    """The rule for the same kind of values in the style that somebody says a file has."""
    style = {"comma": COMMAS, "point": THOUSAND}.get(decimal)
    if style and (decimal == "comma" or COMMAS in rule):
        rule = in_style(rule, style) or rule
    if dates == "auto" or BY_NAME[rule].dtype != "date":
        return rule
    return next((other for other in rivals_of(rule) if order_of(other) == dates), rule)


def other_styles(rule: str) -> list[str]:
    """The rules that read the same kind of values as others write them."""
    if THOUSAND in rule:
        return [rule.replace(THOUSAND, COMMAS)]
    return [other for other in rivals_of(rule) if BY_NAME[other].dtype == BY_NAME[rule].dtype]


def say_types(features: Sequence[Mapping[str, Any]], types: Mapping[str, str]) -> None:
    """Name the columns of a typed file that are of another type than the model's data was."""
    kinds = {"integer": "number"}  # the one widens to the other
    for feature in features:
        name, dtype = feature["name"], feature["dtype"]
        found = dtype_of_type(types[name])
        if kinds.get(found, found) != kinds.get(dtype, dtype) and types[name] != '"NULL"':
            print(f"note: column {name!r} is {types[name]} in this file and {dtype} in the model's "
                  f"data: its values are read as {dtype}, or reported")


class Styles:
    """Looks at a column as a whole when one of its values does not fit the rule of the training.

    What fits no longer is reported row by row, but beside it 1.234 or 03/04/2024 would be read as
    something else than is meant.
    """

    def __init__(self, path: Path, connection: Any, source: Source, rules: Mapping[str, str],
                 wanted: bool) -> None:
        self.path, self.connection, self.source = path, connection, source
        readable = source.reading["format"] != "parquet" and wanted
        self.waiting = {name: [(rule, other) for other in other_styles(rule)]
                        for name, rule in rules.items() if readable and other_styles(rule)}

    def check(self, errors: Sequence[str]) -> None:
        """Refuse a file of which more values fit the other style only than the trained one only."""
        starts = {f"column {name}: ": name for name in self.waiting}
        for name in [name for start, name in starts.items()
                     if any(start in error for error in errors)]:
            for rule, other in self.waiting.pop(name):
                self._compare(name, rule, other)

    def _compare(self, name: str, rule: str, other: str) -> None:
        fits, fits_other = (f"coalesce({BY_NAME[each].fits_sql(identifier(name))}, false)"
                            for each in (rule, other))
        table = cells_sql(self.source.sql(), [name], self.source.reading)
        ours, theirs = self.connection.cursor().execute(
            f"SELECT count(*) FILTER (WHERE {fits} AND NOT {fits_other}), count(*) FILTER "
            f"(WHERE {fits_other} AND NOT {fits}) FROM {table} "
            f"WHERE {identifier(REASON)} IS NULL").fetchone()
        if theirs > ours:
            raise UserError(
                f"{relative(self.path)}: {theirs:,} values of column {name!r} read only as "
                f"{other}, {ours:,} only as {rule}, as the model's data did; say how this file "
                f"is written: {style_option(other)}, or {style_option(rule)} to report them")


def style_option(rule: str) -> str:
    """The option that means a rule's style."""
    if BY_NAME[rule].dtype == "date":
        return f"--dates {order_of(rule)}"
    return f"--decimal {'comma' if COMMAS in rule else 'point'}"


def _reading(path: Path, scanned: Any, metadata: Mapping[str, Any],
             delimiter: str) -> dict[str, Any]:
    """How to read a file for a model: as its data were read."""
    trained = metadata["data"]["reading"]
    words = {name: trained.get(name, []) for name in ("missing", "missing_unless_text")}
    if trained["format"] == "parquet":  # a typed file has no word for missing, it may be a value
        values = {category["value"] for feature in metadata["schema"]
                  for category in feature.get("categories", [])}
        words["missing"] = [word for word in words["missing"] if word not in values]
    return _detect(path, scanned, trained, delimiter) | words


def _detect(path: Path, scanned: Any, trained: Mapping[str, Any], delimiter: str) -> dict[str, Any]:
    if trained["format"] != "csv":
        return detect_reading(path, scanned, delimiter)
    if delimiter == "auto":
        delimiter = trained["delimiter"]
    # bytes tell Unicode from an older encoding, but not one of those from another
    older = not (scanned.encoding + trained["encoding"]).count("utf")
    said = {"preamble": "0", "footer": "0"}
    if "header_rows" in trained:  # models of an earlier version don't say so much
        said |= {"quote": trained["quote"] or "none",
                 "footer": "auto" if trained["footer"] else "0",
                 "quote_escape": "backslash" if trained["quote_escape"] else "doubled",
                 "separator_lines": "skip" if trained["skip_separator_lines"] else "keep"}
    rows = str(trained.get("header_rows", int(trained["header"])))
    encoding = trained["encoding"] if older else "auto"
    reading = detect_reading(path, scanned, delimiter, rows, encoding, **said)
    known = {*trained.get("columns", ())}
    if reading["format"] == "csv" and trained["header"] and not known <= {*reading["columns"]}:
        below = detect_reading(path, scanned, delimiter, rows, encoding,
                               **said | {"preamble": "auto"})  # notes may be above the names
        if known <= {*below["columns"]}:
            return below
    return reading


def _delimiter_hint(path: Path, scanned: Any, reading: Mapping[str, Any]) -> str:
    if reading["format"] != "csv":
        return ""
    seen = detect_reading(path, scanned)["delimiter"]
    if seen == reading["delimiter"]:
        return ""
    word = delimiter_word(seen)
    return f"; the model's data had {reading['delimiter']!r} between cells: try --delimiter {word}"


def _read(connection: Any, source: Source, wanted: Sequence[Feature], rules: Mapping[str, str],
          as_texts: Collection[str], echoed: Sequence[str], labels: bool, escape: bool,
          styles: Styles) -> Iterator[Batch]:
    """Batches of all records in order, converted by DuckDB.

    Args:
        as_texts: columns that the rules read; the others have types.
        labels: the last of the wanted columns is the target, whose values are kept.
    """
    schema = wanted[:-1] if labels else wanted
    # step by step in subqueries (see cells_sql): as it stands, clean, converted, what is wrong
    texts = [f"CAST({identifier(name)} AS VARCHAR)" for name in echoed]
    raw = [f"{escaped_sql(text) if escape else text} AS {_column('kept', n)}"
           for n, text in enumerate(texts)]
    table = f"(SELECT {', '.join(['*', *raw])} FROM {source.sql()})"
    plain = plain_numbers(wanted, rules, source.reading)
    if plain:
        table = plain_sql(table, plain, only_plain(source.path))
    if cleaned := [feature["name"] for feature in wanted if feature["name"] in as_texts]:
        table = cells_sql(table, cleaned, source.reading, dict.fromkeys(plain, ALL_PLAIN))
    values = [f"{_value(feature, as_texts, rules, plain)} AS {_column('value', n)}, CAST("
              f"{identifier(feature['name'])} AS VARCHAR) AS {_column('text', n)}"
              for n, feature in enumerate(wanted)]
    table = f"(SELECT *, {', '.join(values)} FROM {table})"
    errors = ", ".join(_error(feature, n, source.reading if feature["name"] in as_texts else {})
                       for n, feature in enumerate(schema))
    results = [_column("value", n) for n in range(len(wanted))] + [
        _column("kept", n) for n in range(len(echoed))]
    empty = " OR ".join(f"{_column('value', n)} IS NULL" for n in range(len(schema)))
    connection.execute(f"SELECT coalesce({identifier(REASON)}, CASE WHEN {empty} THEN "
                       f"concat_ws('; ', {errors}) ELSE '' END), {', '.join(results)} FROM {table}")
    whole = {feature["name"] for feature in schema if feature["dtype"] == "integer"}
    first = True  # without a record there is one empty batch, so that an output has its columns
    while len(chunk := connection.fetch_df_chunk(VECTORS)) or first:
        first = False
        errors_found, *cells = (chunk.iloc[:, n] for n in range(chunk.shape[1]))
        if styles.waiting and (wrong := errors_found[errors_found != ""].tolist()):
            styles.check(wrong)
        features = {feature["name"]: _canonical(cells[n], feature["dtype"])
                    for n, feature in enumerate(schema)}
        say_fractions(whole, features)
        names = [wanted[-1]["name"]] if labels else echoed
        kept = dict(zip(names, cells[len(schema):]))
        yield Batch(rows_from_columns(features, schema), errors_found.to_numpy(dtype=object),
                    pd.DataFrame(kept, index=chunk.index))


def say_fractions(whole: set[str], columns: Mapping[str, np.ndarray]) -> None:
    """Say once of a column that it holds fractions, where training saw whole numbers only."""
    for name in [name for name in whole if (columns[name] % 1 > 0).any()]:
        whole.remove(name)
        print(f"note: column {name!r} holds fractions, where the model's data held whole numbers; "
              "if 1.234 means a thousand in this file: --decimal comma")


def _canonical(cells: pd.Series, dtype: str) -> np.ndarray:
    """Converted cells as Rows hold them; see mlmonkey.rows."""
    if dtype == "text":
        return cells.to_numpy(dtype=object)
    if dtype == "date":
        return cells.to_numpy(dtype="M8[us]")
    return finite(cells.to_numpy(dtype=np.float64, na_value=np.nan))


def plain_numbers(wanted: Sequence[Mapping[str, Any]], rules: Mapping[str, str],
                  reading: Mapping[str, Any]) -> dict[str, str]:
    """Name of a column -> that of its plain numbers, which are read before all else."""
    if reading["format"] == "parquet" or not can_be_plain(reading["missing"]):
        return {}
    return {feature["name"]: _column("plain", n) for n, feature in enumerate(wanted)
            if rules[feature["name"]] == "number"}


def _column(kind: str, number: int) -> str:
    """A name that no column of a CSV file has: it ends in a blank."""
    return identifier(f"{kind} {number} ")


def _value(feature: Mapping[str, Any], as_texts: Collection[str], rules: Mapping[str, str],
           plain: Mapping[str, str]) -> str:
    name = feature["name"]
    if name not in as_texts:
        return parquet_value_sql(name, feature["dtype"])
    value = checked_value_sql(name, rules[name])
    if name not in plain:
        return value
    return f"CASE WHEN {ALL_PLAIN} THEN {plain[name]} ELSE {value} END"


def _error(feature: Mapping[str, Any], number: int, reading: dict[str, Any]) -> str:
    """SQL for what is wrong with a value: NULL when it is there, or missing (so is its text)."""
    value, text = _column("value", number), _column("text", number)
    shown = f"left({text}, 60)"
    if feature.get("private"):
        shown = f"left({text}, 0) || 'a private value'"
    start, ending = f"column {feature['name']}: ", f" is not {EXPECTED[feature['dtype']]}"
    wrong = unless_missing_sql(text, reading, f"{quoted(start)} || {shown} || {quoted(ending)}")
    return f"CASE WHEN {value} IS NULL THEN {wrong} END"
