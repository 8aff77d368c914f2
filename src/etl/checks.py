"""What stops a dataset: raw data that changed, a wrong name, too much that can't be read."""

import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from mlmonkey.errors import UserError
from mlmonkey.files import whole_file
from src.etl.detect import Reading
from src.etl.rules import BY_NAME
from src.helpers.configuration import nearest
from src.helpers.datasets import model_store, read_profile
from src.settings import load_settings, relative


def check_raw(raw: Path, key: str, sha256: str, accepted: bool) -> None:
    """Raw data is immutable once a model was trained on it; before that, a change is said.

    Raises:
        UserError: when models know this file, and none knows these bytes.
    """
    store = model_store()
    known = {}
    for identifier, metadata in store.readable():
        if metadata["data"]["raw"]["path"] == relative(raw):
            known[metadata["data"]["raw"]["sha256"]] = identifier
    former = read_profile(key)
    if not known and former and former["raw"]["sha256"] != sha256:
        print(f"note: {relative(raw)} changed since its dataset was made; made anew")
    if not known or sha256 in known:
        return
    model = list(known.values())[-1]
    if not accepted:
        raise UserError(f"{relative(raw)} changed after {model} was trained on it; raw data stays "
                        "as it is: save the new table under a new name, or go on with "
                        "--accept-changed-raw")
    print(f"note: {relative(raw)} changed after {model} was trained on it; accepted")


def check_unchanged(raw: Path, seen: os.stat_result) -> None:
    """Refuse a raw file that somebody wrote to while it was read."""
    now = raw.stat()
    if (now.st_mtime_ns, now.st_size) != (seen.st_mtime_ns, seen.st_size):
        raise UserError(f"{relative(raw)} changed while it was read; type the command again")


def check_columns(raw: Path, columns: Sequence[str], private: Sequence[str]) -> None:
    """Refuse a private column that is not there: a typo must not make it public."""
    for name in private:
        if name not in columns:
            raise UserError(f"--private {name}: {relative(raw)} has no such column"
                            f"{nearest(name, columns)}")


def said_rules(raw: Path, reading: Reading, words: Sequence[str]) -> dict[str, str]:
    """Name of a column -> the rule that somebody chose for it.

    Raises:
        UserError: for what is no column, or no rule.
    """
    rules = {}
    for word in words:
        name, _, rule = word.rpartition("=")
        if reading["format"] == "parquet":
            raise UserError(f"--column {word}: {relative(raw)} has types of its own; leave it out")
        if not name or rule not in BY_NAME:
            raise UserError(f"--column {word}: takes NAME=RULE, such as 'postcode=text'; "
                            f"{rule!r} is no rule{nearest(rule, BY_NAME, '')}")
        if name not in reading["columns"]:
            raise UserError(f"--column {word}: {relative(raw)} has no column {name!r}"
                            f"{nearest(name, reading['columns'])}")
        rules[name] = rule
    return rules


def check_rejects(raw: Path, key: str, source: Any, limit: float) -> None:
    """Stop when more records are unreadable than allowed, or none is readable.

    Raises:
        UserError: naming the file in which the unreadable ones are; the former dataset stays.
    """
    account = source.account
    if not account.records:
        only = (f", only {account.lines} line(s) of header or blanks; see the reading with "
                "--header no" if source.reading["format"] == "csv" else "; save the table again")
        raise UserError(f"{relative(raw)} holds no record{only}")
    if account.records == 1 and source.reading["format"] == "json":
        raise UserError(f"{relative(raw)} is one record, maybe with a table in it; write the table "
                        "with a record a line: df.to_json('table.jsonl', orient='records', "
                        f"lines=True), or jq -c '.data[]' {quote(relative(raw))} > table.jsonl")
    share = account.rejected / account.records
    if share > limit:
        refused = load_settings().staging / f"{key}.refused.csv"
        with whole_file(refused) as temporary:
            shutil.copyfile(source.rejects, temporary)
        raise UserError(f"{account.rejected} of {account.records} records of {relative(raw)} can't "
                        f"be read ({share:.1%}, limit {limit:.1%}); look at {relative(refused)}, "
                        f"mend the file, or allow it: --max-rejects {math.ceil(share * 100) / 100}")
