"""The rows that prediction and evaluation score: those of --input, or the model's hold-out."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from src.helpers.configuration import Config
from src.helpers.datasets import read_profile

if TYPE_CHECKING:  # DuckDB and pandas are not for a script's --help
    from src.helpers.batches import Input


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --delimiter, --decimal and --dates to a script: how its file differs from the data."""
    options = (
        click.option("--delimiter", default="auto",
                     help="Of this file, where it differs from the data."),
        click.option("--decimal", type=click.Choice(["auto", "comma", "point"]), default="auto",
                     help="What 1,234 means in this file, where it differs from the data."),
        click.option("--dates", default="auto",
                     type=click.Choice(["auto", "day-first", "month-first", "year-first"]),
                     help="What 01/02/03 means in this file, where it differs from the data."))
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def open_rows(config: Config, metadata: dict[str, Any], keep: Sequence[str] = (),
              labels: bool = False, escape: bool = False) -> "Iterator[Input]":
    """Open --input or the hold-out for a model; its batches can be read while the block lasts.

    Args:
        keep, labels, escape: see src/helpers/batches.py.
    """
    import duckdb

    from src.helpers.batches import MEMORY_LIMIT, open_hold_out, open_input
    with tempfile.TemporaryDirectory() as workspace, \
            duckdb.connect(config={"memory_limit": MEMORY_LIMIT,
                                   "temp_directory": workspace}) as connection:
        if config.input is None:
            profile = read_profile(metadata["data"]["key"])
            yield open_hold_out(metadata, profile, Path(workspace), connection, keep, labels,
                                escape)
        else:
            yield open_input(config.input, metadata, Path(workspace), connection, keep,
                             config.delimiter, labels, escape, config.member, config.sheet,
                             config.decimal, config.dates)
