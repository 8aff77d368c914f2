"""Learn a model from a dataset: load, cross-validate, fit, explain, save with its metadata.

    make train
    make train ARGS="--data data/raw/penguins.csv --target species"
    make train ARGS="--model forest --set n_estimators=500 --name iris-forest"
    python -m src.train --data data/raw/cars.csv --target mpg --seed 7

Writes models/<name>-v<N>.skops, then models/metadata/<name>-v<N>.json, which makes the model exist,
then a report, and selects the model in models/current.json.
"""

from pathlib import Path
from typing import Any

import click

from mlmonkey.errors import UserError
from src.helpers.configuration import Config, script
from src.helpers.datasets import find_profile


@script("train")
@click.option("--data", type=click.Path(path_type=Path), default="data/raw/iris.csv",
              help="Raw file to learn from; one outside data/raw is copied there.")
@click.option("--target", help="Column to predict.")
@click.option("--name", help="What the model is called.  [default: the raw file's name]")
@click.option("--model", default="auto",
              help="Algorithm, a name in src/model/models.py; auto blends several.")
@click.option("--set", multiple=True, metavar="KEY=VALUE",
              help="A parameter of the algorithm; may be repeated.")
@click.option("--budget", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
              help="After so long no further fold of auto's blend begins.")
@click.option("--task", type=click.Choice(["auto", "classification", "regression"]),
              default="auto", help="auto: told from the target.")
@click.option("--seed", default=0, help="Decides everything random.")
@click.option("--folds", type=click.IntRange(2, 50), default=5, help="Of the cross-validation.")
@click.option("--hold-out", type=click.FloatRange(0, 0.9), default=0.2,
              help="Share of rows set apart for the last test; none under 50 rows.")
@click.option("--max-rows", type=click.IntRange(10),
              help="Learn from a seeded, stratified sample.  [default: what fits into memory]")
@click.option("--refit/--no-refit", default=False,
              help="Fit the saved model on all rows, the hold-out too.")
@click.option("--group", metavar="COLUMN",
              help="Rows with one value here stay on one side of each split; it is no feature.")
@click.option("--time", metavar="COLUMN",
              help="Hold out the latest rows by this date or number; folds are spans of time.")
@click.option("--drop", multiple=True, metavar="COLUMN",
              help="A column that is no feature; may be repeated.")
@click.option("--doctor", type=click.Choice(["error", "warn", "off"]), default="warn",
              help="Look for leaks, ids and the like first: refuse, tell, or don't look.")
@click.option("--features/--no-features", default=True,
              help="Use the functions of src/model/features.py for this table.")
@click.option("--threads", type=click.IntRange(0), default=0,
              help="Inner threads; 0: 1 under 20,000 rows, else 2, on every machine alike.")
@click.option("--format", type=click.Choice(["skops", "joblib"]), default="skops",
              help="joblib is a pickle: it runs code when it is opened.")
@click.option("--report/--no-report", default=True, help="Write the HTML page.")
@click.option("--dataset", metavar="KEY", help="Which dataset, where one file has several.")
def main(config: Config) -> None:
    """Train a model: its file, its metadata, its report, and the next commands to type.

    Example: make train ARGS="--data data/raw/penguins.csv --target species"
    """
    profile = find_profile(config.data, config.dataset)
    target = choose_target(config, profile)
    from src.helpers.closing import print_closing
    from src.helpers.model_page import write_model_page
    from src.helpers.training import train
    metadata = train(profile, target, config)
    page = write_model_page(metadata) if config.report else None
    print_closing(metadata, page)


def choose_target(config: Config, profile: dict[str, Any]) -> str:
    """The target that goes with the data.

    Raises:
        UserError: with the columns and the likeliest targets, ready to paste.
    """
    if config.target:
        return str(config.target)
    from src.helpers.commands import make_line, typed
    from src.helpers.tables import likeliest_targets
    path = profile["raw"]["path"]
    names = ", ".join(column["name"] for column in profile["columns"])
    likely = "   or   ".join(make_line("train", "--data", typed(path), "--target", name)
                             for name in likeliest_targets(profile["columns"]))
    raise UserError(f"which column of {path} is to be predicted? Its columns: {names}. "
                    f"Likeliest: {likely}")


if __name__ == "__main__":
    main()
