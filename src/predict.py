"""Score a file with a trained model: every record one answer, in order, in bounded memory.

    make prediction
    make prediction ARGS="--input data/raw/iris.csv --output data/predictions/scored.csv --keep all"
    python -m src.predict --input new.parquet --output scored.parquet --model-name penguins

Writes the answers (CSV or Parquet, by the ending) and, beside them, <output>.json: which model,
which input, how many records. Without --input the model's hold-out rows are scored.
"""

from pathlib import Path
from typing import Any

import click

from mlmonkey.files import as_json, sha256_of, whole_files
from mlmonkey.store import LoadedModel
from src.etl.formulas import escape_option, treatment
from src.etl.unpack import part_options
from src.helpers.choosing import load_chosen, model_options
from src.helpers.configuration import Config, script
from src.helpers.inputs import open_rows, reading_options
from src.helpers.output import choose_output, shown
from src.settings import relative


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
@reading_options
@click.option("--max-rejects", type=click.FloatRange(0, 1), default=0.01,
              help="Largest share of records without an answer; above it the exit code is 1.")
def main(config: Config) -> int:
    """Score a file: prediction, probability of each class, and an error text where there is none.

    How sure an answer is: --interval 0.9; what is strange about a row: --unusual.

    Example: make prediction ARGS="--input data/raw/penguins.csv --model-name penguins"
    """
    from mlmonkey.conformal import threshold
    from src.helpers.answers import Answers
    from src.helpers.scored_files import check_distinct, write_answers
    output = choose_output(config, "", (".csv", ".parquet"))
    model = load_chosen(config)
    keep = [name.strip() for name in (config.keep or "").split(",") if name.strip()]
    escape = config.escape and output.suffix == ".csv"  # no spreadsheet runs Parquet
    limit = threshold(model.metadata, config.interval) if config.interval else None
    answers = Answers(model, limit, config.unusual)
    with open_rows(config, model.metadata, keep, escape=escape) as source:
        if config.input:
            say_ignored(source, model.metadata)
        if output.suffix == ".parquet":
            check_distinct([*(source.columns if keep == ["all"] else keep), *answers.types])
        replaced = ", which it replaced" if output.exists() else ""
        with whole_files(output, output.with_name(output.name + ".json")) as (rows, beside):
            write_answers(rows, answers.frames(source.batches, source.account.records),
                          source.types | answers.types)
            beside.write_text(as_json({
                **describe(config, model, source, escape),
                "output": {"file": output.name, "sha256": sha256_of(rows)},
                "counts": answers.counts}), encoding="utf-8")
    counts = answers.counts
    unusual = f"{counts['unusual']:,} unusual, " if config.unusual else ""
    print(f"predictions: {shown(output)}{replaced}, {counts['records']:,} records, "
          f"{counts['errors']:,} without an answer, {unusual}{counts['seconds']:.1f} s")
    return int(counts["errors"] > config.max_rejects * counts["records"])


def say_ignored(source: Any, metadata: dict[str, Any]) -> None:
    """Name the columns that the model has no use for; the target is expected to be there."""
    ignored = [name for name in source.ignored if name != metadata["target"]["name"]]
    if ignored:
        print(f"note: ignored columns that the model doesn't know: {', '.join(ignored)}")


def describe(config: Config, model: LoadedModel, source: Any, escape: bool) -> dict[str, Any]:
    """Which model answered which records, for the file beside the answers."""
    return {"model": model.metadata["model_identifier"], "model_name": model.identifier.name,
            "model_version": model.identifier.version, "interval": config.interval,
            "formulas": treatment(escape),
            "input": {"path": relative(source.path), "sha256": source.sha256,
                      "records": vars(source.account)} if config.input else
            {"hold_out_of": model.metadata["input_data_location"]}}


if __name__ == "__main__":
    main()
