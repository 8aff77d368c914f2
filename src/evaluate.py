"""Score a labelled file with a model that exists: metrics beside those of a dummy, as JSON.

    make evaluate
    make evaluate ARGS="--input data/raw/iris.csv --model-name iris"
    python -m src.evaluate --input new.csv --output new-metrics.json

Without --input the model's hold-out rows are used. Rows without a label, without an answer, or with
a label that training never saw are left out and counted.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from mlmonkey.errors import UserError
from mlmonkey.files import write_json
from src.etl.unpack import part_options, table_name
from src.helpers.choosing import choose, load_chosen, model_options
from src.helpers.configuration import Config, script
from src.helpers.datasets import read_profile
from src.helpers.output import check_output, shown
from src.settings import load_settings, relative


@script("evaluate")
@click.option("--input", type=click.Path(path_type=Path),
              help="File, of any kind that --data takes, with the target.  "
              "[default: the model's hold-out rows]")
@click.option("--output", type=click.Path(path_type=Path),
              help="Where the metrics go.  [default: in data/predictions]")
@part_options
@model_options
@click.option("--delimiter", default="auto", help="Of this file, where it differs from the data.")
@click.option("--decimal", type=click.Choice(["auto", "comma", "point"]), default="auto",
              help="What 1,234 means in this file, where it differs from the data.")
@click.option("--dates", type=click.Choice(["auto", "day-first", "month-first"]), default="auto",
              help="What 01/02/2024 means in this file, where it differs from the data.")
def main(config: Config) -> None:
    """Score a labelled file with an existing model.

    Example: make evaluate ARGS="--input data/raw/iris.csv --model-name iris"
    """
    import numpy as np

    from src.helpers.scores import score_answers, summarize
    output = choose_output(config)
    model = load_chosen(config)
    target, task = model.metadata["target"], model.metadata["task"]
    counts = {"records": 0, "without_label": 0, "without_answer": 0, "unseen_label": 0, "scored": 0}
    labels, answers, probabilities = [], [], []
    for batch, truth in labelled_batches(config, model.metadata):
        known = usable(batch, truth, target, counts)
        if known.any():
            answer = model.predict(batch.X.take(known))
            labels.append(as_labels(truth[known], target))
            answers.append(answer.labels)
            probabilities.append(answer.probabilities)
    if not counts["scored"]:
        raise UserError(f"no row could be scored ({spell(counts)}); look at the column "
                        f"{target['name']!r} of the input")
    y, given = np.concatenate(labels), np.concatenate(answers)
    classes = np.array(model.classes) if model.classes else None
    sure = np.concatenate(probabilities) if model.classes else None
    strategy = relative(config.input) if config.input else "hold-out"
    scores = summarize([score_answers(task, y, given, sure, classes)], strategy)
    write_json(output, {"model": model.metadata["model_identifier"],
                        "model_name": model.identifier.name,
                        "model_version": model.identifier.version,
                        "target": target["name"], "counts": counts, "scores": scores})
    print(f"scores of {model.identifier} on {strategy}, {spell(counts)}:")
    for score in scores:
        print(f"  {score['metric']:<28}  {score['value']:.4g}")
    print(f"metrics: {shown(output)}")


def choose_output(config: Config) -> Path:
    """Where the metrics go; looked at before anything heavy is loaded."""
    from src.etl.detect import check_readable
    if config.input:
        check_readable(config.input, "--input")
    stem = table_name(config.input) if config.input else choose(config)[1].name
    output: Path = config.output or load_settings().predictions / f"{stem}-metrics.json"
    return check_output(output, config.input, [".json"])


def labelled_batches(config: Config, metadata: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Batches of rows, each with the target's values as objects (n,), None where missing."""
    import duckdb

    from src.helpers.batches import MEMORY_LIMIT, open_hold_out, open_input
    name = metadata["target"]["name"]
    with tempfile.TemporaryDirectory() as workspace, \
            duckdb.connect(config={"memory_limit": MEMORY_LIMIT,
                                   "temp_directory": workspace}) as connection:
        if config.input is None:
            profile = read_profile(metadata["data"]["key"])
            source = open_hold_out(metadata, profile, Path(workspace), connection, labels=True)
        else:
            source = open_input(config.input, metadata, Path(workspace), connection,
                                delimiter=config.delimiter, labels=True, member=config.member,
                                sheet=config.sheet, decimal=config.decimal, dates=config.dates)
        for batch in source.batches:
            yield batch, batch.kept[name].to_numpy(dtype=object, na_value=None)


def usable(batch: Any, truth: Any, target: dict[str, Any], counts: dict[str, int]) -> Any:
    """Which rows (n,) have an answer and a label that the model knows; counts the others."""
    import numpy as np
    answered = batch.errors == ""
    present = np.array([value is not None for value in truth], dtype=bool)
    known = present.copy()
    if "classes" in target:
        names = set(target["classes"])
        known &= np.array([value in names for value in truth], dtype=bool)
    counts["records"] += len(truth)
    counts["without_answer"] += int((~answered).sum())
    counts["without_label"] += int((answered & ~present).sum())
    counts["unseen_label"] += int((answered & present & ~known).sum())
    counts["scored"] += int((answered & known).sum())
    return answered & known


def as_labels(truth: Any, target: dict[str, Any]) -> Any:
    """Labels (n,) of the kind that the model answers with."""
    import numpy as np
    kinds: dict[str, Any] = {"text": str, "boolean": np.bool_, "integer": np.int64}
    kind = kinds.get(target["dtype"], np.float64) if "classes" in target else np.float64
    return truth.astype(kind)


def spell(counts: dict[str, int]) -> str:
    """The counts in words: all that is not zero."""
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()
                     if count or name == "scored")


if __name__ == "__main__":
    main()
