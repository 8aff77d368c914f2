"""Which trained model a command uses: the options, what is said of it, the one way to load it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from mlmonkey.errors import UserError
from mlmonkey.store import LoadedModel, ModelId, ModelStore
from src.helpers.commands import make_line, train_words
from src.helpers.configuration import Config
from src.helpers.datasets import model_store, read_profile
from src.helpers.freshness import changes


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
    path = config.values.get("model_path")
    if path is None:
        return store, store.choose(config.model_name, config.model_version)
    if config.model_name or config.model_version:
        raise UserError(f"--model-path {path} already says which model; leave out --model-name and "
                        "--model-version")
    if path.parent.resolve() != store.models.resolve():
        store = ModelStore(path.parent, path.parent / "metadata", store.trusted, store.code,
                           store.functions)
    identifier = store.choose(path=path)
    files = [artifact["file"] for artifact in store.read_metadata(identifier)["artifacts"]]
    if path.name not in files:
        raise UserError(f"--model-path {path} is not the file of {identifier}; that is {files[0]}")
    return store, identifier


def choose_several(config: Config) -> tuple[ModelStore, list[ModelId]]:
    """The store and the models of --models, or the one that the other options mean."""
    if not config.values.get("models"):
        store, identifier = choose(config)
        return store, [identifier]
    if config.model_path or config.model_name or config.model_version:
        raise UserError(f"--models {config.models} already says which models; leave out "
                        "--model-name, --model-version and --model-path")
    store = model_store()
    return store, [store.choose(name) for name in dict.fromkeys(
        each.strip() for each in config.models.split(","))]


def model_words(config: Config) -> list[str]:
    """The options that named the model, to be typed again; none when there were none."""
    return [word for option in ("model_path", "model_name", "model_version", "models")
            if config.values[option] is not None and config.sources[option] == "flag"
            for word in (f"--{option.replace('_', '-')}", str(config.values[option]))]


def load_chosen(config: Config) -> LoadedModel:
    """Load the model that the options mean; its bytes and golden rows are checked."""
    store, identifier = choose(config)
    return store.load(identifier)


def print_choice(config: Config) -> None:
    """Say which model is used, how old it is, what has changed since, and how to renew it."""
    store, identifiers = choose_several(config)
    for identifier in identifiers:
        metadata = store.read_metadata(identifier)
        line = f"model {identifier}, trained {spell_age(metadata['timestamp'])} ago"
        if changed := changes_since(metadata):
            words = train_words(metadata)
            if f"{metadata['data']['raw']['path']} changed" in changed:
                words.append("--accept-changed-raw")
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            line += f"; stale: {', '.join(changed[:3])}{more}; " \
                    f"renew it: {make_line('train', *words)}"
        print(line)


def changes_since(metadata: dict[str, Any]) -> list[str]:
    """What has changed since a model was trained: raw file, code of dataset and training, versions.

    A dataset that was made anew, and came out the same, is no change.
    """
    data = metadata["data"]
    raw = {data["raw"]["path"]: data["raw"]["sha256"]}
    profile = read_profile(data["key"])
    same = profile and profile["transformed"]["sha256"] == data["transformed"]["sha256"]
    code = profile["stage"]["code"] if profile and same else {}
    return changes(metadata["stage"], {**raw, **code})


def spell_age(timestamp: str) -> str:
    """The time since a timestamp of the metadata, in its largest unit."""
    try:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(timestamp)).total_seconds()
    except (TypeError, ValueError):
        raise UserError(f"the metadata's timestamp {timestamp!r} is no time; restore the file, or "
                        "train anew: make train") from None
    units = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
    unit, size = next((unit for unit in units if seconds >= unit[1]), units[-1])
    count = max(0, int(seconds // size))
    return f"{count} {unit}{'' if count == 1 else 's'}"
