"""Score a file with a trained model: every record one answer, in order, in bounded memory.

    make prediction
    make prediction ARGS="--input data/raw/iris.csv --output data/predictions/scored.csv --keep all"
    python -m src.predict --input new.parquet --output scored.parquet --model-name penguins

Writes the answers (CSV or Parquet, by the ending) and, beside them, <output>.json: which model,
which input, how many records. Without --input the model's hold-out rows are scored.
"""

import csv
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from mlmonkey.errors import UserError
from mlmonkey.files import as_json, part_beside, sha256_of, whole_files
from src.etl.formulas import escape_option, treatment
from src.etl.unpack import part_options, table_name
from src.helpers.configuration import Config, script
from src.helpers.choosing import choose, load_chosen, model_options
from src.helpers.datasets import read_profile
from src.helpers.output import check_output, shown
from src.settings import load_settings, relative

FORMATS = (".csv", ".parquet")


@script("prediction")
@click.option("--input", type=click.Path(path_type=Path),
              help="File, of any kind that --data takes, to score.  "
              "[default: the model's hold-out rows]")
@click.option("--output", type=click.Path(path_type=Path),
              help="Where the answers go, .csv or .parquet.  [default: in data/predictions]")
@part_options
@model_options
@click.option("--keep", help="Input columns to put first, such as id,name; or all.")
@click.option("--interval", type=click.FloatRange(0, 1, min_open=True, max_open=True),
              help="Add lower and upper, or the set of classes, that hold this share of truths.")
@click.option("--unusual/--no-unusual", default=False,
              help="Add which columns of a row lie outside what the model's table held.")
@escape_option
@click.option("--delimiter", default="auto", help="Of this file, where it differs from the data.")
@click.option("--decimal", type=click.Choice(["auto", "comma", "point"]), default="auto",
              help="What 1,234 means in this file, where it differs from the data.")
@click.option("--dates", type=click.Choice(["auto", "day-first", "month-first"]), default="auto",
              help="What 01/02/2024 means in this file, where it differs from the data.")
@click.option("--max-rejects", type=click.FloatRange(0, 1), default=0.01,
              help="Largest share of records without an answer; above it the exit code is 1.")
def main(config: Config) -> int:
    """Score a file: prediction, probability of each class, and an error text where there is none.

    How sure an answer is: --interval 0.9; what is strange about a row: --unusual.

    Example: make prediction ARGS="--input data/raw/penguins.csv --model-name penguins"
    """
    import duckdb

    from mlmonkey.conformal import threshold
    from src.helpers.answers import Answers
    from src.helpers.batches import MEMORY_LIMIT, open_hold_out, open_input
    output = choose_output(config)
    model = load_chosen(config)
    keep = [name.strip() for name in (config.keep or "").split(",") if name.strip()]
    escape = config.escape and output.suffix == ".csv"  # no spreadsheet runs Parquet
    limit = threshold(model.metadata, config.interval) if config.interval else None
    answers = Answers(model, limit, config.unusual)
    about: dict[str, Any] = {"model": model.metadata["model_identifier"],
                             "model_name": model.identifier.name,
                             "model_version": model.identifier.version,
                             "interval": config.interval, "formulas": treatment(escape)}
    with tempfile.TemporaryDirectory() as workspace, \
            duckdb.connect(config={"memory_limit": MEMORY_LIMIT,
                                   "temp_directory": workspace}) as connection:
        if config.input is None:
            profile = read_profile(model.metadata["data"]["key"])
            source = open_hold_out(model.metadata, profile, Path(workspace), connection, keep,
                                   escape=escape)
            about["input"] = {"hold_out_of": model.metadata["input_data_location"]}
        else:
            source = open_input(config.input, model.metadata, Path(workspace), connection, keep,
                                config.delimiter, escape=escape, member=config.member,
                                sheet=config.sheet, decimal=config.decimal, dates=config.dates)
            say_ignored(source, model.metadata)
            about["input"] = {"path": relative(source.path), "sha256": source.sha256,
                              "records": vars(source.account)}
        if output.suffix == ".parquet":
            check_distinct([*(source.columns if keep == ["all"] else keep), *answers.types])
        replaced = ", which it replaced" if output.exists() else ""
        with whole_files(output, output.with_name(output.name + ".json")) as (rows, beside):
            write_answers(rows, answers.frames(source.batches, source.account.records),
                          source.types | answers.types)
            about |= {"output": {"file": output.name, "sha256": sha256_of(rows)}}
            beside.write_text(as_json(about | {"counts": answers.counts}), encoding="utf-8")
    counts = answers.counts
    unusual = f"{counts['unusual']:,} unusual, " if config.unusual else ""
    print(f"predictions: {shown(output)}{replaced}, {counts['records']:,} records, "
          f"{counts['errors']:,} without an answer, {unusual}{counts['seconds']:.1f} s")
    return int(counts["errors"] > config.max_rejects * counts["records"])


def choose_output(config: Config) -> Path:
    """Where the answers go; looked at before anything heavy is loaded.

    Raises:
        UserError: for an unreadable input, or an output that may not be written.
    """
    from src.etl.detect import check_readable
    if config.input:
        check_readable(config.input, "--input")
    stem = table_name(config.input) if config.input else choose(config)[1].name
    output: Path = config.output or load_settings().predictions / f"{stem}.csv"
    return check_output(output, config.input, FORMATS)


def say_ignored(source: Any, metadata: dict[str, Any]) -> None:
    """Name the columns that the model has no use for; the target is expected to be there."""
    ignored = [name for name in source.ignored if name != metadata["target"]["name"]]
    if ignored:
        print(f"note: ignored columns that the model doesn't know: {', '.join(ignored)}")


def check_distinct(names: list[str]) -> None:
    """Refuse Parquet where two columns differ in case only: its readers take them for one.

    Raises:
        UserError: naming both.
    """
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(name.lower(), name)
        if other != name:
            raise UserError(f"the columns {other!r} and {name!r} differ in case only, which "
                            "Parquet readers can't tell apart; write CSV: --output FILE.csv")


def write_answers(path: Path, frames: Iterable[Any], types: dict[str, str]) -> None:
    """Write frames as they come; Parquet by way of CSV."""
    if path.suffix == ".parquet":
        with part_beside(path.with_suffix(".csv")) as rows:
            write_answers(rows, frames, types)
            to_parquet(rows, path, types)
        return
    from mlmonkey.csv_answers import csv_cells, csv_lines
    with open(path, "w", encoding="utf-8", newline="") as file:
        for number, frame in enumerate(frames):
            if number == 0:
                file.write(",".join(csv_cells(list(frame.columns))) + "\n")
            file.writelines(csv_lines({name: frame[name].to_numpy(
                None if frame[name].dtype.kind == "f" else object) for name in frame}))


def to_parquet(rows: Path, path: Path, types: dict[str, str]) -> None:
    """Give the written rows the types of the input's columns and of the model's answers."""
    import duckdb

    from src.etl.sql import csv_sql, identifier, quoted
    with open(rows, encoding="utf-8", newline="") as file:
        names = next(csv.reader(file))
    values = ", ".join(f"CAST({identifier(name)} AS {types.get(name, 'VARCHAR')}) "
                       f"AS {identifier(name)}" for name in names)
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT {values} FROM {csv_sql(rows, names, ',', True)}) "
                           f"TO {quoted(str(path))} "
                           "(FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)")


if __name__ == "__main__":
    main()
