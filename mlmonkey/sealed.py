"""Reading what may be damaged or planted: regular files only, and JSON that vouches for itself.

A sealed JSON file holds the sha256 of its own content, so that one flipped bit is noticed and any
way of indenting it is not. A hash beside or inside a file stops accidents, not somebody who can
write both.
"""

import errno
import json
import os
import stat
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from shlex import quote
from typing import Any

from mlmonkey.errors import UserError

SEAL = "content_sha256"
MOST_JSON = 2**28  # bytes: a model that held out 18 million rows lists them in as many


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content, as JSON gives it back, with its seal as the last entry."""
    content = json.loads(json.dumps(content, allow_nan=False))
    return {**content, SEAL: _digest(content)}


def is_intact(content: Mapping[str, Any]) -> bool:
    """Whether the seal is there and fits the rest."""
    try:
        return bool(content.get(SEAL) == _digest(content))
    except RecursionError:
        return False


def read_json(path: Path) -> Any:
    """What a JSON file says, read once from a regular file.

    Raises:
        ValueError: for what is not JSON to everybody: NaN, or a key that stands twice.
        UserError, OSError: as read_regular.
    """
    content = read_regular(path, MOST_JSON)
    try:
        return json.loads(content.decode(), object_pairs_hook=_once_each, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_regular(path: Path, most: int) -> bytes:
    """The bytes of a regular file of at most so many, by one descriptor: what is checked is read.

    Never through a link, and never waiting for the other end of a pipe.

    Raises:
        UserError: for a link, a folder, a pipe, a device, or a larger file.
        OSError: as the system gives it, when there is no such file or it may not be read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise UserError(f"{path} is a link, which is not followed; put the file itself "
                            "there") from None
        if error.errno == errno.ENXIO:  # a socket
            raise UserError(f"{path} is no regular file; put the right file back") from None
        raise
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path} is no regular file; put the right file back")
        if status.st_size > most:
            raise UserError(f"{path} is damaged: {status.st_size:,} bytes instead of at most "
                            f"{most:,}; put the right file back")
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(most + 1)
    finally:
        os.close(handle)


def damaged(path: Path, why: str) -> UserError:
    """What is said of a file that can't be used as it is."""
    return UserError(f"{path} is damaged ({why}); restore it, or remove it and train anew: "
                     f"rm {quote(str(path))} && make train")


def _digest(content: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in content.items() if key != SEAL}
    return sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key stands twice in it")
    return content


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")
