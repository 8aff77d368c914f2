"""Score a labelled file with a model that exists: metrics beside those of a dummy, as JSON.

    make evaluate
    make evaluate ARGS="--input data/raw/iris.csv --model-name iris"
    python -m src.evaluate --input new.csv --output new-metrics.json

Without --input the model's hold-out rows are used. Rows without a label, without an answer, or with
a label that training never saw are left out and counted.
"""

from pathlib import Path
from typing import Any

import click

from mlmonkey.errors import UserError
from mlmonkey.files import write_json
from src.etl.unpack import part_options
from src.helpers.choosing import load_chosen, model_options
from src.helpers.configuration import Config, script
from src.helpers.inputs import open_rows, reading_options
from src.helpers.output import choose_output, shown
from src.settings import relative


@script("evaluate")
@click.option("--input", type=click.Path(path_type=Path),
              help="File, of any kind that --data takes, with the target.  "
              "[default: the model's hold-out rows]")
@click.option("--output", type=click.Path(path_type=Path),
              help="Where the metrics go.  [default: in data/predictions]")
@part_options
@model_options
@reading_options
def main(config: Config) -> None:
    """Score a labelled file with an existing model.

    Example: make evaluate ARGS="--input data/raw/iris.csv --model-name iris"
    """
    import numpy as np

    from src.helpers.scores import score_answers, summarize
    output = choose_output(config, "-metrics", (".json",))
    model = load_chosen(config)
    target, task = model.metadata["target"], model.metadata["task"]
    counts = {"records": 0, "without_label": 0, "without_answer": 0, "unseen_label": 0, "scored": 0}
    labels, answers, probabilities = [], [], []
    with open_rows(config, model.metadata, labels=True) as source:
        for batch in source.batches:
            truth = batch.kept[target["name"]].to_numpy(dtype=object, na_value=None)
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
