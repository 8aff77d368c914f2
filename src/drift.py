"""Tell whether what a model was asked looks like what it was trained on.

    make drift
    make drift ARGS="--model-name penguins --model-version 2"
    python -m src.drift --all-columns

Reads the model's metadata and the counts that its endpoints keep in data/monitoring; no model is
loaded and nothing is written. A running endpoint adds to them every few seconds.
"""

from typing import Any

import click

from mlmonkey.errors import UserError
from src.helpers.choosing import choose, model_options
from src.helpers.commands import make_line
from src.helpers.configuration import Config, script
from src.settings import load_settings, relative

SHOWN = 20  # columns


@script("drift")
@model_options
@click.option("--all-columns/--no-all-columns", default=False,
              help=f"Show every column, not only the {SHOWN} that moved most.")
def main(config: Config) -> None:
    """Show per column how far the rows of an endpoint are from those of the training.

    Example: make drift ARGS="--model-name iris"
    """
    from mlmonkey.drift import OLD_MODEL, bins_of, describe_drift, tally_path
    from mlmonkey.monitoring import read_tally
    store, identifier = choose(config)
    metadata = store.read_metadata(identifier)
    bins = bins_of(metadata)
    if bins is None:
        raise UserError(f"{identifier} {OLD_MODEL}")
    path = tally_path(load_settings().monitoring, metadata)
    try:
        tally = read_tally(path, metadata["model_identifier"], bins)
    except ValueError as reason:
        raise UserError(f"{relative(path)} can't be used: {reason}; an endpoint sets it aside by "
                        "itself, or remove it") from None
    if tally is None:
        print(f"{identifier}: no row was counted yet; an endpoint does that, into "
              f"{relative(path)}: " + make_line("deploy-endpoint", "--model-name", identifier.name))
        return
    show(describe_drift(metadata, bins, tally), None if config.all_columns else SHOWN)
    print(f"counts: {relative(path)} (remove it to begin anew)")


def show(found: dict[str, Any], most: int | None) -> None:
    """Print the verdict, then the columns, the worst one first."""
    print(f"{found['model_name']}-v{found['model_version']}: {found['verdict']}; "
          f"{found['rows']:,} rows from {found['since']} to {found['until']}, beside "
          f"{found['training_rows']:,} of training")
    if found["rows"] < found["fewest_rows"]:
        print(f"  {found['fewest_rows']} are the least to compare")
        return
    names = [each["feature"] for each in found["features"]]
    width = max(14, *(min(40, len(name)) for name in names))
    print(f"  {'column':<{width}}  {'PSI':>7}  {'missing (training)':>18}  "
          f"{'unseen or out of range':>22}")
    for each in found["features"][:most]:
        beyond = each.get("unseen") or each["out_of_range"]
        print(f"  {each['feature']:<{width}}  {each['psi']:>7.3f}  {share(each['missing']):>18}  "
              f"{share(beyond):>22}  {each['verdict']}")
    if most and len(names) > most:
        print(f"  and {len(names) - most} more: --all-columns")
    if answers := found["answers"]:
        label = f"answers: {answers['target']}"
        print(f"  {label:<{width}}  {answers['psi']:>7.3f}  {'':>18}  {'':>22}  "
              f"{answers['verdict']}")


def share(each: dict[str, float]) -> str:
    """A share now, and that of training."""
    return f"{each['now']:.1%} ({each['training']:.1%})"


if __name__ == "__main__":
    main()
