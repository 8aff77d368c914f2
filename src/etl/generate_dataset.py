"""Raw file -> staging (typed, faithful) -> transformed (what models learn from) + profile.

    make generate-dataset
    make generate-dataset ARGS="--data data/raw/penguins.csv"
    python -m src.etl.generate_dataset --data data/raw/sales.csv --decimal comma

Writes data/staging/<key>.parquet and <key>.rejects.csv, data/transformed/<key>.parquet and
<key>.json, the profile: all of them at the end, so that until then the former dataset stays.
"""

import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import click

from mlmonkey.errors import UserError
from mlmonkey.files import (PART, Lock, as_json, lock, naming, sha256_of, try_lock, whole_file,
                            whole_files)
from mlmonkey.sealed import sealed
from src.etl.formulas import escape, escape_option, treatment
from src.etl.unpack import part_options, table_name, unpack
from src.helpers.configuration import Config, script
from src.helpers.datasets import (KEYED_OPTIONS, dataset_is_fresh, dataset_key, find_raw,
                                  model_store, profile_path, read_profile, transformed_path)
from src.helpers.freshness import dataset_record
from src.helpers.progress import steps
from src.helpers.sources import source_of
from src.settings import load_settings, relative

MEMORY_LIMIT = "1GB"  # of DuckDB; beyond it, it works on disk
LOCK = ".lock-"  # + key: held while a dataset is made
STEPS = 6  # of the progress bar
LAYOUT = ("quote", "quote_escape", "preamble", "footer", "separator_lines")
SHOWN = 20  # columns whose reading is printed


@script("generate_dataset")
@click.option("--data", type=click.Path(path_type=Path), default="data/raw/iris.csv",
              help="Raw file: CSV in any ordinary dialect, JSON lines (both also packed: .gz, "
              ".zst, .zip), Parquet or a workbook.")
@part_options
@click.option("--delimiter", default="auto",
              help="Between cells: comma, semicolon, tab, pipe, space, colon, or the very signs.")
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
@click.option("--dates", type=click.Choice(["auto", "day-first", "month-first"]), default="auto",
              help="What 01/02/2024 means, where a column reads both ways.")
@click.option("--missing", multiple=True, help="One more word for a missing value; repeatable.")
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


def generate(raw: Path, key: str, config: Config, show: Callable[[str], None]) -> dict[str, Any]:
    """Run all steps for one raw file and return the profile; `show` is told each step."""
    from src.etl.account import Unproven
    try:
        return run_steps(raw, key, config, show, trust=True)
    except Unproven:
        return run_steps(raw, key, config, show, trust=False)


def run_steps(raw: Path, key: str, config: Config, show: Callable[[str], None],
              trust: bool) -> dict[str, Any]:
    """The steps of generate; `trust` is that of open_source."""
    import duckdb

    from src.etl.account import REASON, proving
    from src.etl.open_source import open_source
    from src.etl.sql import identifier, parquet_sql
    from src.etl.convert import choose_rules
    from src.etl.detect import check_beginning, detect_reading, scan
    from src.etl.profile import profile_columns
    from src.etl.stage import Misfit, describe, stage_rows, transform_rows
    seen, began = raw.stat(), {}

    def begin(step: str) -> None:
        began[step] = time.perf_counter()
        show(step)
    staging = load_settings().staging
    with work_folder(staging / f"{PART}{key}") as workspace, \
            duckdb.connect(config={"memory_limit": MEMORY_LIMIT,
                                   "temp_directory": str(workspace)}) as connection:
        begin("scan")
        plain = unpack(raw, workspace, config.member, config.sheet)
        check_beginning(raw, plain.path)
        scanned = scan(plain.path)
        sha256 = scanned.sha256 if plain.path == raw else sha256_of(raw)
        check_raw(raw, key, sha256, config.accept_changed_raw)
        with asking(raw, config):
            reading = detect_reading(raw, scanned, plain.delimiter or config.delimiter,
                                     config.header, config.encoding, config.missing,
                                     **{name: config.values[name] for name in LAYOUT})
        reading |= {"part": plain.part} if plain.part else {}
        begin("account for every record")
        source = open_source(connection, plain.path, reading, workspace,
                             escape if config.escape else str, trust)
        reading = source.reading
        check_columns(raw, reading["columns"], config.private)
        check_rejects(raw, key, source, config.max_rejects)
        begin("type the columns")
        rules = {}
        if reading["format"] != "parquet":
            readable = f"(FROM {source.sql()} WHERE {identifier(REASON)} IS NULL)"
            choose = partial(choose_rules, connection, readable, reading["columns"], reading,
                             config.decimal, config.dates)
            with asking(raw, config), proving(source):
                rules = choose(trust=True)
        content = {
            "dataset_version": 1, "key": key,
            "raw": {"path": relative(raw), "sha256": sha256, "size": seen.st_size,
                    "rows": source.account.records} | source_of(raw, sha256),
            "reading": reading, "rules": rules, "records": vars(source.account),
            "formulas": treatment(config.escape), "private": list(config.private),
            "config": config.block(),
            "stage": dataset_record(raw, sha256, config)}
        with new_files(key, source) as (staged, transformed, *rejected, profile):
            begin("stage")
            with asking(raw, config), proving(source):
                try:
                    rows = stage_rows(connection, source, rules, staged)
                except Misfit:
                    content["rules"] = rules = choose()
                    rows = stage_rows(connection, source, rules, staged)
            check_unchanged(raw, seen)
            content["staging"] = describe(staged, staging / f"{key}.parquet", rows)
            begin("transform")
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


@contextmanager
def new_files(key: str, source: Any) -> Iterator[list[Path]]:
    """The files of a dataset, which take their names together when all are written.

    Staging, transformed, what was rejected (when anything was), and the profile, which is last.
    """
    staging = load_settings().staging
    rejects, refused = staging / f"{key}.rejects.csv", staging / f"{key}.refused.csv"
    with whole_files(staging / f"{key}.parquet", transformed_path(key),
                     *([rejects] if source.rejects else []), profile_path(key)) as parts:
        yield parts
    for outdated in [refused] if source.rejects else [refused, rejects]:
        outdated.unlink(missing_ok=True)


@contextmanager
def work_folder(path: Path) -> Iterator[Path]:
    """A folder that ends with the block; those that killed runs left beside it go first."""
    for other in path.parent.glob(f"{PART}*/"):
        with open(path.parent / other.name.replace(PART, LOCK, 1), "a") as owner:
            if other == path or try_lock(owner) is Lock.MINE:
                shutil.rmtree(other, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        with naming(path):
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


def check_unchanged(raw: Path, seen: os.stat_result) -> None:
    """Refuse a raw file that somebody wrote to while it was read."""
    now = raw.stat()
    if (now.st_mtime_ns, now.st_size) != (seen.st_mtime_ns, seen.st_size):
        raise UserError(f"{relative(raw)} changed while it was read; type the command again")


def check_columns(raw: Path, columns: Sequence[str], private: Sequence[str]) -> None:
    """Refuse a private column that is not there: a typo must not make it public."""
    from src.helpers.configuration import nearest
    for name in private:
        if name not in columns:
            raise UserError(f"--private {name}: {relative(raw)} has no such column"
                            f"{nearest(name, columns)}")


def check_rejects(raw: Path, key: str, source: Any, limit: float) -> None:
    """Stop when more records are unreadable than allowed, or none is readable.

    Raises:
        UserError: naming the file in which the unreadable ones are; the former dataset stays.
    """
    account = source.account
    if not account.records:
        raise UserError(f"{relative(raw)} holds no record, only {account.lines} line(s) of header "
                        "or blanks; see the reading with --header no")
    share = account.rejected / account.records
    if share > limit:
        refused = load_settings().staging / f"{key}.refused.csv"
        with whole_file(refused) as temporary:
            shutil.copyfile(source.rejects, temporary)
        raise UserError(f"{account.rejected} of {account.records} records of {relative(raw)} can't "
                        f"be read ({share:.1%}, limit {limit:.1%}); look at {relative(refused)}, "
                        f"mend the file, or allow it: --max-rejects {math.ceil(share * 100) / 100}")


def print_account(profile: dict[str, Any]) -> None:
    """Say what was read, how, and where it is."""
    counts, reading = profile["records"], profile["reading"]
    if reading.get("part"):
        print(f"reading: {reading['part']} of {profile['raw']['path']}")
    if reading["format"] != "parquet":
        header = "header" if reading.get("header") else "no header"
        form = ("JSON lines" if reading["format"] == "json" else
                f"{reading['encoding']}, delimiter {reading['delimiter']!r}, {header}")
        print(f"reading: {form}, {len(reading['columns'])} columns")
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


def describe_layout(reading: dict[str, Any], counts: dict[str, int]) -> list[str]:
    """What is unusual about a file, and what of it is left out."""
    quotes = [] if reading["quote"] == '"' else [f"quotes are {reading['quote'] or 'text'}"]
    if reading["quote_escape"]:
        quotes.append("a backslash keeps a quote or a delimiter from its meaning")
    left_out = [f"{counts[part]:,} line(s) {where} the table are left out"
                for part, where in (("preamble", "above"), ("footer", "below")) if counts[part]]
    if reading["other_tables"]:
        left_out.append(f"{reading['other_tables']} more table(s) below the first one, left out: "
                        "for those, save each as a file of its own")
    if counts["blank"]:
        what = "blank, ruled or of delimiters only" if reading["skip_separator_lines"] else "blank"
        left_out.append(f"{counts['blank']:,} line(s) are {what}")
    return quotes + left_out


if __name__ == "__main__":
    main()
