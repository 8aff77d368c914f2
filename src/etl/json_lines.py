"""JSON: a record a line, or an array of records, as text that the rules for CSV read.

Numbers keep the digits they are written with; what is nested stays JSON text; null, an empty text
and a key that is not there are missing values. A line that is no record costs that line. In an
array a record counts as a line.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

from mlmonkey.errors import UserError
from src.etl.account import MENDED, Account, Source
from src.etl.detect import Reading, clean_names
from src.etl.json_plain import plain_records
from src.settings import relative

KINDS = {str: "a text or a number", list: "a list", bool: "a truth value", type(None): "null"}
PIECE = 1 << 16  # characters: one odd line lets all lines of a piece be read one by one
FIRST_LINES = 1000  # from which the names are known, unless a later line has others
AT_ONCE, LONGEST = 1 << 20, 1 << 24  # characters of an array, and of a record in it
BEGINNING, BETWEEN = re.compile(r"\ufeff?\s*(\[?)\s*(\[?)"), re.compile(r"[\s,]*")
MARKED = re.compile(r'"\\u0000([^"]*)\\u0000"')  # a number that is to keep its digits
EXAMPLE = '{"size": 1.5, "colour": "red"}'
Lines = Iterator[tuple[int, str, dict[str, Any] | None, str]]


def open_json(path: Path, reading: Reading, workspace: Path, write_reject: Callable[[str], str],
              raw: Path) -> Source:
    """Account for every line; write the records as a clean CSV file for DuckDB's strict reader.

    Args:
        raw: the file as the user knows it, where `path` was unpacked from it.

    Raises:
        UserError: for JSON that is no table.
    """
    workspace.mkdir(parents=True, exist_ok=True)
    encoding = reading["encoding"]
    if is_array(path, encoding, raw):
        path, encoding = write_lines(path, encoding, workspace / "lines.jsonl", raw), "utf-8"
    with open_text(path, encoding) as file:
        first = [(line, record) for _, line, record, _ in read_lines(islice(file, FIRST_LINES))
                 if record]
    keys = dict.fromkeys(name for _, record in first for name in record)  # as they first appear
    if not keys:
        raise UserError(f"{relative(raw)} holds no record with a name in it; each line of JSON "
                        f"is to be such as {EXAMPLE}")
    usual = plain_records(first[0][0])
    names = usual[0] if usual else b""  # of the first record, as it has them
    more = len(keys) - len(first[0][1])
    account, longest = write_records(path, encoding, keys, names, more, workspace, write_reject)
    if unknown := len(keys) - more - len(first[0][1]):  # those of later lines are known now
        account, longest = write_records(path, encoding, keys, names, more + unknown, workspace,
                                         write_reject)
    account.read = account.records - account.rejected
    account.check(raw)
    columns = clean_names(list(keys))
    renamed = [f"{key!r} is called {name!r}" for key, name in zip(keys, columns) if key != name]
    return Source(workspace / MENDED, reading | {"columns": columns, "renamed": renamed},
                  account, True, workspace / "rejects.csv" if account.rejected else None, longest)


def open_text(path: Path, encoding: str) -> IO[str]:
    """A file of JSON; bytes that are no text are kept, so that only their lines are refused."""
    return open(path, encoding=encoding, errors="surrogateescape")


def is_array(path: Path, encoding: str, raw: Path) -> bool:
    """Whether records are in an array, go over several lines, or have commas between them.

    Raises:
        UserError: for an array of arrays, whose columns have no names.
    """
    with open_text(path, encoding) as file:
        text = file.read(LONGEST)
    begun = BEGINNING.match(text)
    assert begun
    if begun[2]:
        raise UserError(f"{relative(raw)} holds lists, which don't name their columns; write each "
                        f"row as {EXAMPLE}")
    if begun[1]:
        return True
    try:
        _, end = json.JSONDecoder().raw_decode(text, begun.end())
    except (ValueError, RecursionError):
        return False
    return "\n" in text[begun.end():end] or text[end:].lstrip(" \t")[:1] in (",", "{")


def write_lines(path: Path, encoding: str, target: Path, raw: Path) -> Path:
    """Write each record of an array on a line of its own, as it was but for line ends.

    Raises:
        UserError: naming the line where there is no record.
    """
    decode = json.JSONDecoder().raw_decode
    with open_text(path, encoding) as file, \
            open(target, "w", encoding="utf-8", errors="surrogateescape") as lines:
        text, above = file.read(AT_ONCE), 0
        begun = BEGINNING.match(text)
        assert begun
        ending = r"[\s,]*\]\s*" if begun[1] else r"[\s,]*"
        done = begun.end(1)
        while True:
            reason: Exception
            try:
                while True:
                    start = BETWEEN.match(text, done).end()  # type: ignore[union-attr]
                    _, end = decode(text, start)
                    lines.write(text[start:end].replace("\n", " ") + "\n")
                    done = end
            except (ValueError, RecursionError) as error:
                reason = error
            # what is left was not read to its end, or is no record
            above += text.count("\n", 0, done)
            more = "" if len(text) - done > LONGEST else file.read(AT_ONCE)
            text, done = text[done:] + more, 0
            if not more:
                break
    if not re.fullmatch(ending, text):
        above += text.count("\n", 0, getattr(reason, "pos", 0)) + 1
        raise UserError(f"{relative(raw)} is damaged at line {above:,} "
                        f"({getattr(reason, 'msg', 'nested too deeply')}); mend it, or write a "
                        "record a line, where a bad line costs that line only")
    return target


def write_records(path: Path, encoding: str, keys: dict[str, None], names: bytes, more: int,
                  workspace: Path, write_reject: Callable[[str], str]) -> tuple[Account, int]:
    """Write the records as CSV with a reason behind each, and what was rejected.

    Args:
        keys: names of the columns, to which unknown ones are added.
        names: those of the first record, and `more` how many columns it lacks.

    Returns:
        The account, and the length of the longest record at most.
    """
    account, longest, width = Account(), 0, len(keys)
    with open_text(path, encoding) as file, open(workspace / MENDED, "wb") as clean, \
            open(workspace / "rejects.csv", "w", encoding="utf-8", errors="backslashreplace",
                 newline="") as rest:
        lost = csv.writer(rest, lineterminator="\n")
        lost.writerow(["line", "reason", "text"])
        while text := file.read(PIECE):
            text += file.readline()
            if names and (found := plain_records(text, names, more)):
                count = text.count("\n") + (text[-1] != "\n")
                account.lines += count
                account.records += count
                longest = max(longest, len(found[1]))
                clean.write(found[1])
                continue
            cells = io.StringIO()
            writer = csv.writer(cells, lineterminator="\n", quoting=csv.QUOTE_ALL)
            for number, line, record, reason in read_lines(io.StringIO(text), account.lines + 1):
                account.lines += 1
                longest = max(longest, 4 * len(line) + 3 * width)  # in UTF-8, all quoted
                account.blank += record is None and not reason
                account.records += record is not None or bool(reason)
                if record is not None:
                    if not record.keys() <= keys.keys():
                        keys |= dict.fromkeys(record)
                    writer.writerow([*(as_cell(record.get(key)) for key in keys), ""])
                elif reason:
                    account.rejected += 1
                    lost.writerow([number, reason, write_reject(line.rstrip("\n"))])
                    writer.writerow([""] * width + [f"line {number}: {reason}"])
            clean.write(cells.getvalue().encode())
    return account, longest


def read_lines(lines: Iterable[str], first: int = 1) -> Lines:
    """Number and text of each line, and its record, or why it has none: empty for a blank line."""
    for number, line in enumerate(lines, start=first):
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
    """The record with what is nested in it as it was written, its numbers marked as such."""
    plain = json.loads(line, parse_float="\0{}\0".format, parse_constant="\0{}\0".format)
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
    return MARKED.sub(r"\1", json.dumps(value, ensure_ascii=False))
