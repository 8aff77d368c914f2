"""Raw file -> staging (typed, faithful) -> transformed (what models learn from) + profile.

    make generate-dataset
    make generate-dataset ARGS="--data data/raw/penguins.csv"
    python -m src.etl.generate_dataset --data data/raw/sales.csv --decimal comma

Writes data/staging/<key>.parquet and <key>.rejects.csv, data/transformed/<key>.parquet and
<key>.json, the profile, in this order: the profile is the sign that all is complete.
"""

import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from mlmonkey.errors import UserError
from mlmonkey.files import lock, whole_file, write_json
from src.helpers.configuration import Config, script
from src.helpers.datasets import (dataset_key, find_raw, model_store, profile_path, read_profile,
                                  transformed_path)
from src.helpers.freshness import dataset_record
from src.helpers.progress import steps
from src.settings import load_settings, relative

MEMORY_LIMIT = "1GB"  # of DuckDB; beyond it, it works on disk
STEPS = 6  # of the progress bar
SHOWN = 20  # columns whose reading is printed


@script("generate_dataset")
@click.option("--data", type=click.Path(path_type=Path), default="data/raw/iris.csv",
              help="Raw file: CSV in any ordinary dialect, or Parquet.")
@click.option("--delimiter", default="auto", help="Mark between cells.",
              type=click.Choice(["auto", "comma", "semicolon", "tab", "pipe"]))
@click.option("--header", type=click.Choice(["auto", "yes", "no"]), default="auto",
              help="Whether the first line names the columns.")
@click.option("--encoding", default="auto", help="Such as utf-8, cp1252 or utf-16.")
@click.option("--decimal", type=click.Choice(["auto", "comma", "point"]), default="auto",
              help="What 1,234 means, where a column reads both ways.")
@click.option("--dates", type=click.Choice(["auto", "day-first", "month-first"]), default="auto",
              help="What 01/02/2024 means, where a column reads both ways.")
@click.option("--missing", multiple=True, help="One more word for a missing value; repeatable.")
@click.option("--private", multiple=True,
              help="A column whose values appear in no profile, report or log; may be repeated.")
@click.option("--max-rejects", type=click.FloatRange(0, 1), default=0.01,
              help="Largest share of records that may be unreadable.")
@click.option("--accept-changed-raw", is_flag=True,
              help="Go on although a raw file changed after a model was trained on it.")
def main(config: Config) -> None:
    """Make the dataset of a raw file: read, type, account for every record, transform, profile.

    Example: make generate-dataset ARGS="--data data/raw/penguins.csv"
    """
    raw = find_raw(config.data)
    key = dataset_key(raw, config)
    with lock(load_settings().staging / f".lock-{key}", f"the dataset {key}"), \
            steps(STEPS) as begin:
        profile = generate(raw, key, config, begin)
    print_account(profile)


def generate(raw: Path, key: str, config: Config, begin: Callable[[str], None]) -> dict[str, Any]:
    """Run all steps for one raw file and return the profile; `begin` is told each step."""
    import duckdb

    from src.etl.account import REASON, identifier, open_source, parquet_sql
    from src.etl.convert import choose_rules
    from src.etl.detect import detect_reading, scan
    from src.etl.profile import profile_columns
    from src.etl.stage import stage_rows, transform_rows
    started = time.perf_counter()
    begin("scan")
    scanned = scan(raw)
    check_raw(raw, key, scanned.sha256, config.accept_changed_raw)
    reading = detect_reading(raw, scanned, config.delimiter, config.header, config.encoding,
                             config.missing)
    staging = load_settings().staging
    with work_folder(staging / f".part-{key}") as workspace, \
            duckdb.connect(config={"memory_limit": MEMORY_LIMIT,
                                   "temp_directory": str(workspace)}) as connection:
        begin("account for every record")
        source = open_source(connection, raw, reading, workspace)
        reading = reading | {"columns": source.reading["columns"]}
        check_columns(raw, reading["columns"], config.private)
        keep_rejects(staging / f"{key}.rejects.csv", source.rejects)
        check_rejects(raw, key, source.account, config.max_rejects)
        begin("type the columns")
        rules = {}
        if reading["format"] == "csv":
            readable = f"(FROM {source.sql()} WHERE {identifier(REASON)} IS NULL)"
            rules = choose_rules(connection, readable, reading["columns"], reading,
                                 config.decimal, config.dates)
        profile_path(key).unlink(missing_ok=True)  # from here on the former dataset is incomplete
        begin("stage")
        staged = stage_rows(connection, source, rules, staging / f"{key}.parquet")
        begin("transform")
        transformed = transform_rows(connection, raw.stem, staging / f"{key}.parquet",
                                     transformed_path(key))
        begin("profile")
        columns = profile_columns(connection, parquet_sql(transformed_path(key)), config.private)
    record = dataset_record(raw, scanned.sha256, config)
    content = {
        "dataset_version": 1, "key": key,
        "raw": {"path": relative(raw), "sha256": scanned.sha256, "size": scanned.size,
                "rows": source.account.records},
        "reading": reading, "rules": rules, "records": vars(source.account),
        "staging": staged, "transformed": transformed, "columns": columns,
        "private": list(config.private), "config": config.block(), "stage": record,
        "timings": {"total": round(time.perf_counter() - started, 3)},
    }
    write_json(profile_path(key), content)
    return content


@contextmanager
def work_folder(path: Path) -> Iterator[Path]:
    """A folder that ends with the block; what a killed run left in it goes first."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def check_raw(raw: Path, key: str, sha256: str, accepted: bool) -> None:
    """Raw data is immutable once a model was trained on it; before that, a change is said.

    Raises:
        UserError: when models know this file, and none knows these bytes.
    """
    store = model_store()
    known = {}
    for identifier, metadata in store.readable():
        if metadata["data"]["raw"]["path"] == relative(raw):
            known[metadata["data"]["raw"]["sha256"]] = identifier
    former = read_profile(key)
    if not known and former and former["raw"]["sha256"] != sha256:
        print(f"note: {relative(raw)} changed since its dataset was made; made anew")
    if not known or sha256 in known:
        return
    model = list(known.values())[-1]
    if not accepted:
        raise UserError(f"{relative(raw)} changed after {model} was trained on it; raw data stays "
                        "as it is: save the new table under a new name, or go on with "
                        "--accept-changed-raw")
    print(f"note: {relative(raw)} changed after {model} was trained on it; accepted")


def check_columns(raw: Path, columns: Sequence[str], private: Sequence[str]) -> None:
    """Refuse a private column that is not there: a typo must not make it public."""
    from src.helpers.configuration import nearest
    for name in private:
        if name not in columns:
            raise UserError(f"--private {name}: {relative(raw)} has no such column"
                            f"{nearest(name, columns)}")


def keep_rejects(path: Path, rejects: Path | None) -> None:
    """Keep what could not be read: line, reason and raw text; no file when there is nothing."""
    if rejects is None:
        path.unlink(missing_ok=True)
        return
    with whole_file(path) as temporary:
        shutil.copyfile(rejects, temporary)


def check_rejects(raw: Path, key: str, account: Any, limit: float) -> None:
    """Stop when more records are unreadable than allowed, or none is readable."""
    if not account.records:
        raise UserError(f"{relative(raw)} holds no record, only {account.lines} line(s) of header "
                        "or blanks; see the reading with --header no")
    share = account.rejected / account.records
    if share > limit:
        rejects = relative(load_settings().staging / f"{key}.rejects.csv")
        raise UserError(f"{account.rejected} of {account.records} records of {relative(raw)} can't "
                        f"be read ({share:.1%}, limit {limit:.1%}); look at {rejects}, mend the "
                        f"file, or allow it: --max-rejects {math.ceil(share * 100) / 100}")


def print_account(profile: dict[str, Any]) -> None:
    """Say what was read, how, and where it is."""
    counts, reading = profile["records"], profile["reading"]
    if reading["format"] == "csv":
        header = "header" if reading["header"] else "no header"
        print(f"reading: {reading['encoding']}, delimiter {reading['delimiter']!r}, {header}, "
              f"{len(reading['columns'])} columns")
        for note in reading["renamed"][:SHOWN]:
            print(f"reading: {note}")
        unusual = {name: rule for name, rule in profile["rules"].items()
                   if rule not in ("text", "integer", "number")}
        for name, rule in list(unusual.items())[:SHOWN]:
            print(f"reading: column {name!r} as {rule}")
        if len(unusual) > SHOWN:
            print(f"reading: {len(unusual) - SHOWN} more columns by rules that the profile names")
    print(f"records: {counts['records']:,} = {counts['read']:,} read + {counts['repaired']:,} "
          f"repaired + {counts['rejected']:,} rejected; "
          f"{profile['transformed']['rows']:,} after transform")
    print(f"dataset: {profile['transformed']['path']}, profile {profile['key']}.json")


if __name__ == "__main__":
    main()
