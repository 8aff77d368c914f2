"""Raw file -> staging (typed, faithful) -> transformed (what models learn from) + profile.

    make generate-dataset
    make generate-dataset ARGS="--data data/raw/penguins.csv"
    python -m src.etl.generate_dataset --data data/raw/sales.csv --decimal comma

Writes data/staging/<key>.parquet and <key>.rejects.csv, data/transformed/<key>.parquet and
<key>.json, the profile: all of them at the end, so that until then the former dataset stays.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click

from mlmonkey.errors import UserError
from mlmonkey.files import PART, as_json, lock, sha256_beside
from mlmonkey.sealed import sealed
from src.etl.checks import check_columns, check_raw, check_rejects, check_unchanged, said_rules
from src.etl.files import LOCK, new_files, share_written, work_folder
from src.etl.formulas import escape, escape_option, treatment
from src.etl.saying import print_account
from src.etl.unpack import part_options, table_name, unpack
from src.helpers.configuration import Config, script
from src.helpers.datasets import (KEYED_OPTIONS, dataset_is_fresh, dataset_key, find_raw,
                                  transformed_path)
from src.helpers.freshness import dataset_record
from src.helpers.progress import steps
from src.helpers.sources import source_of
from src.settings import load_settings, relative

MEMORY_LIMIT = "1GB"  # of DuckDB, until the table is known; beyond it, it works on disk
STEPS = 6  # of the progress bar
PROGRESS = "SET enable_progress_bar = true; SET enable_progress_bar_print = false"
LAYOUT = ("quote", "quote_escape", "preamble", "footer", "separator_lines")


@script("generate_dataset")
@click.option("--data", type=click.Path(path_type=Path), default="data/raw/iris.csv",
              help="Raw file: CSV in any ordinary dialect, JSON (both also packed: .gz, .zst, "
              ".bz2, .xz, .zip), Parquet or a workbook.")
@part_options
@click.option("--delimiter", default="auto",
              help="Between cells: comma, semicolon, tab, pipe, space, colon, blanks (any number "
              "of them) or the very signs.")
@click.option("--quote", default="auto", help="Around cells: double, single, none, or the sign.")
@click.option("--quote-escape", type=click.Choice(["auto", "doubled", "backslash"]),
              default="auto", help="How a quote is written inside quotes.")
@click.option("--header", default="auto",
              help="Whether the first line names the columns: yes, no, or how many lines do.")
@click.option("--preamble", default="auto", help="How many lines are above the table.")
@click.option("--footer", default="auto", help="How many lines are below the table.")
@click.option("--separator-lines", type=click.Choice(["auto", "skip", "keep"]), default="auto",
              help="Whether a line of delimiters only is left out or a record.")
@click.option("--encoding", default="auto", help="Such as utf-8, cp1252 or utf-16.")
@click.option("--decimal", type=click.Choice(["auto", "comma", "point"]), default="auto",
              help="What 1,234 means, where a column reads both ways.")
@click.option("--dates", type=click.Choice(["auto", "day-first", "month-first", "year-first"]),
              default="auto", help="What 01/02/03 means, where a column reads several ways.")
@click.option("--column", multiple=True, metavar="NAME=RULE",
              help="How a column is read, such as 'postcode=text' or 'day=date, day/month/year'; "
              "repeatable.")
@click.option("--missing", multiple=True, help="One more word for a missing value; repeatable.")
@click.option("--not-missing", multiple=True,
              help="A word that is a value, such as NA for Namibia; repeatable.")
@click.option("--private", multiple=True,
              help="A column whose values appear in no profile, report or log; may be repeated.")
@click.option("--max-rejects", type=click.FloatRange(0, 1), default=0.01,
              help="Largest share of records that may be unreadable.")
@escape_option
@click.option("--accept-changed-raw", is_flag=True,
              help="Go on although a raw file changed after a model was trained on it.")
def main(config: Config) -> None:
    """Make the dataset of a raw file: read, type, account for every record, transform, profile.

    Example: make generate-dataset ARGS="--data data/raw/penguins.csv"
    """
    raw = find_raw(config.data)
    key = dataset_key(raw, config)
    staging = load_settings().staging
    with lock(staging / f"{LOCK}{key}", f"the dataset {key}") as waited, steps(STEPS) as begin:
        if waited and dataset_is_fresh(key, raw, config):
            print(f"dataset {key}: up to date")
            return
        profile = generate(raw, key, config, begin)
    print_account(profile)


def generate(raw: Path, key: str, config: Config, show: Callable[..., None]) -> dict[str, Any]:
    """Run all steps for one raw file and return the profile; `show` is told each step."""
    from src.etl.account import Unproven
    try:
        return run_steps(raw, key, config, show, trust=True)
    except Unproven:
        return run_steps(raw, key, config, show, trust=False)


def run_steps(raw: Path, key: str, config: Config, show: Callable[..., None],
              trust: bool) -> dict[str, Any]:
    """The steps of generate; `trust` is that of open_source."""
    import duckdb

    from src.etl.account import MENDED, REASON, proving
    from src.etl.open_source import open_source
    from src.etl.sql import identifier, parquet_sql
    from src.etl.choose_rules import choose_rules, count_missing
    from src.etl.detect import check_beginning, detect_reading, scan
    from src.etl.profile import profile_columns
    from src.etl.stage import Misfit, describe, limit_memory, stage_rows, transform_rows
    seen, began = raw.stat(), {}

    def begin(step: str, share: Callable[[], float] | None = None) -> None:
        began[step] = time.perf_counter()
        show(step, share)
    staging = load_settings().staging
    with work_folder(staging / f"{PART}{key}") as workspace, \
            duckdb.connect(config={"memory_limit": MEMORY_LIMIT,
                                   "temp_directory": str(workspace)}) as connection:
        if sys.stderr.isatty():  # it costs up to four hundredths of the time
            connection.execute(PROGRESS)
        begin("scan")
        hashed = sha256_beside(raw)
        plain = unpack(raw, workspace, config.member, config.sheet)
        check_beginning(raw, plain.path)
        scanned = scan(plain.path)
        with asking(raw, config):
            reading = detect_reading(raw, scanned, plain.delimiter or config.delimiter,
                                     config.header, config.encoding, config.missing,
                                     config.not_missing,
                                     **{name: config.values[name] for name in LAYOUT})
        reading |= {"part": plain.part} if plain.part else {}
        begin("account for every record", lambda: share_written(workspace / MENDED, plain.path))
        source = open_source(connection, plain.path, reading, workspace,
                             escape if config.escape else str, trust, raw)
        reading = source.reading
        sha256 = hashed.result()
        check_raw(raw, key, sha256, config.accept_changed_raw)
        check_columns(raw, reading["columns"], config.private)
        said = said_rules(raw, reading, config.column)
        check_rejects(raw, key, source, config.max_rejects)
        limit_memory(connection, source)
        begin("type the columns")
        rules, words = {}, {}
        if reading["format"] != "parquet":
            readable = f"(FROM {source.sql()} WHERE {identifier(REASON)} IS NULL)"
            choose = partial(choose_rules, connection, readable, reading["columns"], reading,
                             config.decimal, config.dates, said, config.private)
            with asking(raw, config), proving(source):
                rules = choose(trust=True)
                words = count_missing(connection, rules, reading, config.private)
        content = {
            "dataset_version": 1, "key": key,
            "raw": {"path": relative(raw), "sha256": sha256, "size": seen.st_size,
                    "rows": source.account.records} | source_of(raw, sha256),
            "reading": reading, "rules": rules, "missing_words": words,
            "records": vars(source.account),
            "formulas": treatment(config.escape), "private": list(config.private),
            "config": config.block(),
            "stage": dataset_record(raw, sha256, config)}
        with new_files(key, source) as (staged, transformed, *rejected, profile):
            begin("stage", lambda: connection.query_progress() / 100)
            with asking(raw, config), proving(source):
                try:
                    rows = stage_rows(connection, source, rules, staged)
                except Misfit:
                    content["rules"] = rules = choose()
                    rows = stage_rows(connection, source, rules, staged)
            check_unchanged(raw, seen)
            content["staging"] = describe(staged, staging / f"{key}.parquet", rows)
            begin("transform", lambda: connection.query_progress() / 100)
            rows = transform_rows(connection, table_name(raw), staged, transformed)
            content["transformed"] = describe(transformed, transformed_path(key), rows)
            begin("profile")
            table = parquet_sql(transformed)
            content["columns"] = profile_columns(connection, table, config.private)
            content["timings"] = durations(began)
            for part in rejected:
                shutil.copyfile(str(source.rejects), part)
            profile.write_text(as_json(sealed(content)), encoding="utf-8")
    return content


def durations(began: dict[str, float]) -> dict[str, float]:
    """Seconds of each step, the last of which ends now, and of all."""
    moments = [*began.values(), time.perf_counter()]
    spans = {step: moments[n + 1] - moments[n] for n, step in enumerate(began)}
    return {step: round(span, 3)
            for step, span in ({"total": moments[-1] - moments[0]} | spans).items()}


@contextmanager
def asking(raw: Path, config: Config) -> Iterator[None]:
    """Put two readings to the user as two commands to choose from."""
    from src.etl.asking import Ambiguous
    from src.helpers.commands import make_line, option_words
    try:
        yield
    except Ambiguous as error:
        said = ["--data", relative(raw), *option_words(config.block(), KEYED_OPTIONS)]
        raise UserError(error.with_commands(
            lambda words: make_line("generate-dataset", *said, *words))) from None


if __name__ == "__main__":
    main()
