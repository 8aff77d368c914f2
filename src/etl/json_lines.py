"""JSON lines: one record a line, as text that the same rules read as that of a CSV file.

Numbers keep the digits they are written with; what is nested stays JSON text; null, an empty text
and a key that is not there are missing values. A line that is no record costs that line.
"""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mlmonkey.errors import UserError
from src.etl.account import Account, Source
from src.etl.detect import Reading, clean_names
from src.settings import relative

KINDS = {str: "a text", list: "a list", bool: "a truth value", type(None): "null"}


def open_json_lines(path: Path, reading: Reading, workspace: Path,
                    write_reject: Callable[[str], str]) -> Source:
    """Account for every line; write the records as a clean CSV file for DuckDB's strict reader."""
    keys: dict[str, None] = {}  # in the order in which they first appear
    for _, _, record, _ in read_lines(path, reading["encoding"]):
        if record is not None and not record.keys() <= keys.keys():
            keys |= dict.fromkeys(record)
    if not keys:
        raise UserError(f"{relative(path)} holds no record with a name in it; each line of JSON "
                        'is to be such as {"size": 1.5, "colour": "red"}')
    account, longest = Account(), 0
    mended, rejects = workspace / "mended.csv", workspace / "rejects.csv"
    workspace.mkdir(parents=True, exist_ok=True)
    with open(mended, "w", encoding="utf-8", newline="") as clean, \
            open(rejects, "w", encoding="utf-8", errors="backslashreplace", newline="") as rest:
        writer = csv.writer(clean, lineterminator="\n", quoting=csv.QUOTE_ALL)
        lost = csv.writer(rest, lineterminator="\n")
        lost.writerow(["line", "reason", "text"])
        for number, line, record, reason in read_lines(path, reading["encoding"]):
            account.lines += 1
            longest = max(longest, 4 * len(line) + 3 * len(keys))  # in UTF-8, all quoted
            if record is not None:
                account.records += 1
                writer.writerow([*(as_cell(record.get(key)) for key in keys), ""])
            elif reason:
                account.records += 1
                account.rejected += 1
                lost.writerow([number, reason, write_reject(line.rstrip("\r\n"))])
                writer.writerow([""] * len(keys) + [f"line {number}: {reason}"])
            else:
                account.blank += 1
    account.read = account.records - account.rejected
    account.check(path)
    columns = clean_names(list(keys))
    renamed = [f"{key!r} is called {name!r}" for key, name in zip(keys, columns) if key != name]
    return Source(mended, reading | {"columns": columns, "renamed": renamed}, account, True,
                  rejects if account.rejected else None, longest)


def read_lines(path: Path, encoding: str) -> Iterator[tuple[int, str, dict[str, Any] | None, str]]:
    """Number and text of each line, and its record, or why it has none: empty for a blank line."""
    with open(path, encoding=encoding, errors="surrogateescape") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                yield number, line, None, ""
                continue
            try:
                record = json.loads(line, parse_int=str, parse_float=str, parse_constant=str,
                                    object_pairs_hook=without_twins)
                if not isinstance(record, dict):
                    raise ValueError(f"{KINDS[type(record)]} instead of a record")
                if any(isinstance(value, list | dict) for value in record.values()):
                    record = keep_nested(line, record)
                if not line.isascii() or "\\u" in line:
                    check_characters(record)
            except (ValueError, RecursionError) as error:
                reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
                yield number, line, None, reason.removesuffix(": line 1 column 1 (char 0)")
            else:
                yield number, line, record, ""


def keep_nested(line: str, record: dict[str, Any]) -> dict[str, Any]:
    """The record with what is nested in it as it was written, its numbers as numbers."""
    plain = json.loads(line)
    return {name: plain[name] if isinstance(value, list | dict) else value
            for name, value in record.items()}


def without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A record of which no value is lost."""
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a name that appears twice")
    return record


def check_characters(record: dict[str, Any]) -> None:
    """Refuse what no text file holds: halves of characters, bytes that were none, zeros."""
    text = repr(list(record)) + "".join(map(str, record.values()))
    if "\0" in text or not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError("a character that is none")


def as_cell(value: Any) -> str:
    """A value as a cell of a CSV file."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False)
