"""Write the HTML pages of models and datasets from their metadata and profiles.

    make report                                   the model in use, and its dataset
    make report ARGS="--model-name penguins --model-version 2"
    make report ARGS="--all"                      every model and every dataset
    make report ARGS="--explore"                  a page to look around in the dataset as well
    python -m src.report --all

Writes reports/<model>-v<N>.html and reports/<dataset key>.html. Reads JSON only, loads no model.
"""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from mlmonkey.errors import UserError
from mlmonkey.store import ModelStore
from src.helpers.configuration import Config, script
from src.helpers.datasets import model_store, read_profile
from src.settings import load_settings, relative


@script("report")
@click.option("--model-name", help="Which model.  [default: the one in use]")
@click.option("--model-version", type=click.IntRange(1), help="Which version of it.")
@click.option("--all/--no-all", default=False, help="Pages of every model and every dataset.")
@click.option("--explore/--no-explore", default=False,
              help="A page with rows, distributions and associations of each dataset too, which is "
                   "an extra: make init EXTRAS=explore")
def main(config: Config) -> None:
    """Write the pages of a model and its dataset into reports/ and print where they are.

    Example: make report ARGS="--all"
    """
    models = choose_models(model_store(), config)
    profiles = choose_profiles(models, config.all)
    if not models and not profiles:
        raise UserError("there is no model and no dataset to report on; make them: make train")
    for what, page in write_pages(models, profiles):
        print(f"{what}: {relative(page)}")
    for profile in profiles if config.explore else []:
        print(f"to explore {profile['key']}: {relative(explore(profile))}")


def choose_models(store: ModelStore, config: Config) -> list[dict[str, Any]]:
    """Metadata of the models to show: none where nothing is trained and none was asked for."""
    known = store.identifiers()
    if config.all:
        return [store.read_metadata(identifier) for identifier in known]
    if not known and config.model_name is None and config.model_version is None:
        return []
    return [store.read_metadata(store.choose(config.model_name, config.model_version))]


def choose_profiles(models: list[dict[str, Any]], every: bool) -> list[dict[str, Any]]:
    """Profiles of the models' datasets; of all datasets when asked, or when there is no model.

    A dataset that is gone costs its page only: what the model was made from is in its metadata.
    """
    keys = [metadata["data"].get("key") for metadata in models]
    if every or not models:
        keys = sorted(path.stem for path in load_settings().transformed.glob("[!.]*.json"))
    profiles = (read_profile(key) for key in keys if key)
    return [profile for profile in profiles if profile and "dataset_version" in profile]


def write_pages(models: list[dict[str, Any]],
                profiles: list[dict[str, Any]]) -> Iterator[tuple[str, Path]]:
    """Write each page; yield what it shows and where it is."""
    from src.helpers.dataset_page import write_dataset_page
    from src.helpers.model_page import write_model_page
    for metadata in models:
        model = f"{metadata['model_name']}-v{metadata['model_version']}"
        yield f"model {model}", write_model_page(metadata)
    for profile in profiles:
        yield f"dataset {profile['key']}", write_dataset_page(profile)


def explore(profile: dict[str, Any]) -> Path:
    """Write the page that an extra draws.

    Raises:
        UserError: when that extra isn't installed.
    """
    try:
        page: Path = import_module("src.extras.explore_page").write_explore_page(profile)
    except ModuleNotFoundError as error:
        raise UserError(f"--explore needs {error.name}, which is not here: "
                        "make init EXTRAS=explore") from None
    return page


if __name__ == "__main__":
    main()
