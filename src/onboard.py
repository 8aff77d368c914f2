"""Bring a table into data/raw from a database or from storage, or a raw file to storage.

    make onboard ARGS="--data sqlite:///shop.db --table orders"
    make onboard ARGS="--data postgresql://host/shop --query 'SELECT * FROM orders ORDER BY id'"
    make onboard ARGS="--data s3://bucket/sales.csv --dest data/raw/sales-2.csv"
    make onboard ARGS="--data data/raw/sales.csv --dest s3://bucket/sales.csv"

The copy in data/raw is an ordinary raw file, which is kept unchanged; `<file>.source.json` beside
it says where it is from. `train` and `generate-dataset` take the same addresses as --data, and do
this first. Passwords come from the environment or .env.local, never from an address.
"""

import os
from pathlib import Path

import click

from mlmonkey.errors import UserError
from src.helpers.configuration import Config, script
from src.helpers.datasets import find_raw
from src.helpers.sources import check_address, copy_in, is_address
from src.settings import read_env, relative

# what the libraries of databases and storage read from the environment
SETTINGS = ("PG", "AWS_")


@script("onboard")
@click.option("--data", help="An address, or a file that goes to the address --dest.")
@click.option("--dest", help="Where it goes: a new file in data/raw, or an address.")
@click.option("--table", help="Which table of a database.")
@click.option("--query", help="Or the SQL whose rows are wanted; give it an ORDER BY.")
@click.option("--accept-changed-raw", is_flag=True,
              help="Replace a copy whose source has changed.")
def main(config: Config) -> None:
    """Copy a table from a database or storage to data/raw, or a raw file to storage.

    Example: make onboard ARGS="--data sqlite:///shop.db --table orders"
    """
    if config.data is None:
        raise UserError("onboard what? make onboard ARGS=\"--data ADDRESS\" brings it to data/raw, "
                        "make onboard ARGS=\"--data data/raw/FILE --dest ADDRESS\" from there")
    for name, value in [*read_env(".env.local").items(), *read_env(".env").items()]:
        if name.startswith(SETTINGS):
            os.environ.setdefault(name, value)
    if is_address(config.data):
        copy_in(config)
        return
    if config.table or config.query:
        raise UserError("--table and --query belong to the address of a database; leave them out")
    raw = find_raw(Path(config.data))
    if config.dest is None:
        print(f"{relative(raw)} is in data/raw")
        return
    from src.etl.unpack import import_extra
    check_address(config.dest, "--dest")
    import_extra("storage").upload(raw, config.dest)


if __name__ == "__main__":
    main()
