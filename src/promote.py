"""Choose the version of a model that is used from now on: by commands, and by running endpoints.

    make promote ARGS="--model-name iris --model-version 2"
    python -m src.promote --model-name iris --model-version 1      # back to the first

The model's files are checked first. It stays chosen when others are trained. An endpoint that
serves this name changes to it by itself (src/helpers/deployment.py).
"""

import click

from mlmonkey.current import promote
from mlmonkey.errors import UserError
from src.helpers.configuration import Config, script
from src.helpers.datasets import model_store


@script("promote")
@click.option("--model-name", help="Which model.")
@click.option("--model-version", type=click.IntRange(1), help="Which version of it.")
def main(config: Config) -> None:
    """Make a version the one that its name stands for.

    Example: make promote ARGS="--model-name iris --model-version 2"
    """
    store = model_store()
    if config.model_name is None or config.model_version is None:
        known = ", ".join(map(str, store.identifiers())) or "none yet, train one: make train"
        raise UserError("name the model and the version, as in --model-name iris --model-version "
                        f"2; known: {known}")
    identifier = store.choose(config.model_name, config.model_version)
    store.check(identifier)
    before = promote(store.models, identifier)
    print(f"{identifier} is promoted: --model-name {identifier.name} means it from now on"
          + (f" (before: version {before})" if before else ""))


if __name__ == "__main__":
    main()
