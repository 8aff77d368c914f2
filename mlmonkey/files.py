"""Files written whole or not at all, fingerprints, and locks that end with their owner."""

import errno
import hashlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from enum import Enum
from pathlib import Path
from threading import Thread
from typing import IO, Any

try:
    import fcntl
except ImportError:  # pragma: no cover - a system without flock: nothing is ever locked
    fcntl = None  # type: ignore[assignment]

HASHED_BYTES = 1 << 22  # at a time; smaller pieces stop the other threads of Python too often
PART = ".part-"  # how the names of unfinished files begin
PART_PATTERN = re.compile(rf"{re.escape(PART)}[a-z0-9_]{{8}}([.][^.]+)?")  # and how they go on
# what systems without locks on a folder, such as some network ones, answer
NO_LOCKS_HERE = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}


class Lock(Enum):
    """What came of asking for a lock; only `MINE` and `TAKEN` say anything about other owners."""

    MINE = "mine"
    TAKEN = "taken"
    IMPOSSIBLE = "locks don't work here"


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes, read in pieces."""
    digest, piece = hashlib.sha256(), bytearray(min(path.stat().st_size + 1, HASHED_BYTES))
    with open(path, "rb", buffering=0) as file:
        while size := file.readinto(piece):
            digest.update(memoryview(piece)[:size])
    return digest.hexdigest()


def sha256_beside(path: Path) -> Future[str]:
    """The same, computed while the caller does other work; nobody waits for it at an end."""
    found: Future[str] = Future()

    def find() -> None:
        try:
            found.set_result(sha256_of(path))
        except Exception as error:
            found.set_exception(error)
    Thread(target=find, daemon=True).start()
    return found


def sha256_of_text(text: str) -> str:
    """Hexadecimal SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def whole_file(path: Path, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the final name only when the block succeeds.

    The bytes are on disk before the rename, so a crash leaves the old file or the new one; with
    durable=False, which never waits for a disk, that holds for a crash of the process alone.
    """
    with whole_files(path, durable=durable) as (temporary,):
        yield temporary


@contextmanager
def whole_files(*paths: Path, durable: bool = True) -> Iterator[list[Path]]:
    """Yield a temporary path beside each path; all of them take their final names, or none does.

    Only a crash between two renames leaves some of both: the last file names the others' sha256.
    """
    with ExitStack() as parts, naming(paths[0]):
        temporaries = [parts.enter_context(part_beside(path)) for path in paths]
        yield temporaries
        for temporary in temporaries:
            os.chmod(temporary, 0o666 & ~_umask())
            if durable:
                sync(temporary)
        _rename(dict(zip(temporaries, paths)))
        for folder in dict.fromkeys(path.parent for path in paths if durable):
            sync(folder)


@contextmanager
def part_beside(path: Path) -> Iterator[Path]:
    """Yield an empty temporary file beside `path`, gone when the block ends.

    It is locked while its owner lives; what dead ones left in the folder is removed first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_parts(path.parent)
    owner, temporary = _locked_part(path)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
        owner.close()


def remove_parts(folder: Path) -> None:
    """Remove the unfinished files of dead writers; where locks don't work, none."""
    for path in folder.glob(f"{PART}*"):
        if not PART_PATTERN.fullmatch(path.name):
            continue
        try:
            file = open(path, "r+b")
        except OSError:  # finished meanwhile, or not ours to open
            continue
        with file:
            if try_lock(file) is Lock.MINE:
                path.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an error of the system that names no file, such as a failed write, name this one."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


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
    write_text(path, as_json(content))


def as_json(content: Any) -> str:
    """JSON that people can read and diff."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def sync(path: Path) -> None:
    """Ask the system to put a file or a folder's names on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        with naming(path):
            os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def lock(path: Path, what: str) -> Iterator[bool]:
    """Hold an exclusive lock on `path`; say on stderr when somebody else has it, then wait.

    Yields whether it waited: somebody else may have done the work meanwhile.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        taken = try_lock(file) is Lock.TAKEN
        if taken:
            print(f"waiting: another command is working on {what}", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield taken


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


def _rename(names: Mapping[Path, Path]) -> None:
    """Rename all files, or put the former ones back, for which the disk must know hard links."""
    several = {path: temporary.with_suffix(".former") for temporary, path in names.items()
               if len(names) > 1 and path.exists()}
    with ExitStack() as kept, ExitStack() as undo:
        for path, former in several.items():
            kept.callback(former.unlink, missing_ok=True)
            with suppress(OSError):  # without one, what was renamed stays so
                os.link(path, former)
        for temporary, path in names.items():
            os.replace(temporary, path)
            if path not in several:
                undo.callback(path.unlink)
            elif several[path].exists():
                undo.callback(os.replace, several[path], path)
        undo.pop_all()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
