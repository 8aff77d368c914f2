"""Which trained model a command uses: the options for it, and the one way to load it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mlmonkey.store import LoadedModel, ModelId, ModelStore
from src.helpers.configuration import Config
from src.helpers.datasets import model_store


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --model-name, --model-version and --model-path to a script."""
    options = (
        click.option("--model-name", help="Which model.  [default: the default in current.json]"),
        click.option("--model-version", type=click.IntRange(1),
                     help="Which version of it.  [default: the selected one]"),
        click.option("--model-path", type=click.Path(path_type=Path),
                     help="A model file, such as models/iris-v1.skops, instead of a name."))
    for option in reversed(options):
        command = option(command)
    return command


def choose(config: Config) -> tuple[ModelStore, ModelId]:
    """The store and the model that the options mean; a file brings its own folder as the store."""
    store = model_store()
    path = config.model_path
    if path is not None and path.parent.resolve() != store.models.resolve():
        store = ModelStore(path.parent, path.parent / "metadata", store.trusted, store.code)
    return store, store.choose(config.model_name, config.model_version, path)


def load_chosen(config: Config) -> LoadedModel:
    """Load the model that the options mean; its bytes and golden rows are checked."""
    store, identifier = choose(config)
    return store.load(identifier)
