"""Files written whole or not at all, fingerprints, and locks that end with their owner."""

import errno
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # pragma: no cover - a system without flock: nothing is ever locked
    fcntl = None  # type: ignore[assignment]

PART = ".part-"  # how the names of unfinished files begin
# what systems without locks on a folder, such as some network ones, answer
NO_LOCKS_HERE = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}


class Lock(Enum):
    """What came of asking for a lock; only `MINE` and `TAKEN` say anything about other owners."""

    MINE = "mine"
    TAKEN = "taken"
    IMPOSSIBLE = "locks don't work here"


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_text(text: str) -> str:
    """Hexadecimal SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the final name only when the block succeeds.

    The bytes are on disk before the rename, so a crash leaves the old file or the new one. The
    temporary file is locked while its owner lives; see remove_parts.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    owner, temporary = _locked_part(path)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
        owner.close()


def remove_parts(folder: Path) -> None:
    """Remove the unfinished files of dead writers; where locks don't work, none."""
    for path in folder.glob(f"{PART}*"):
        try:
            file = open(path, "r+b")
        except OSError:  # finished meanwhile, or not ours to open
            continue
        with file:
            if try_lock(file) is Lock.MINE:
                path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a small text file whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Write JSON that people can read and diff, whole or not at all."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def sync(path: Path) -> None:
    """Ask the system to put a file or a folder's names on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def lock(path: Path, what: str) -> Iterator[None]:
    """Hold an exclusive lock on `path`; say on stderr when somebody else has it, then wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        if try_lock(file) is Lock.TAKEN:
            print(f"waiting: another command is working on {what}", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def try_lock(file: IO[Any]) -> Lock:
    """Ask for an exclusive lock on an open file without waiting; it ends when the file is closed.

    Raises:
        OSError: for what has nothing to do with locks.
    """
    if fcntl is None:
        return Lock.IMPOSSIBLE
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return Lock.TAKEN
    except OSError as error:
        if error.errno in NO_LOCKS_HERE:
            return Lock.IMPOSSIBLE
        raise
    return Lock.MINE


def _locked_part(path: Path) -> tuple[IO[Any], Path]:
    """A new temporary file beside `path`, open and locked as far as locks work here."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=PART, suffix=path.suffix)
        file = os.fdopen(handle, "rb")
        # between creation and lock it looked abandoned, and somebody may have removed it
        if try_lock(file) is not Lock.TAKEN and os.path.exists(name):
            return file, Path(name)
        file.close()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
