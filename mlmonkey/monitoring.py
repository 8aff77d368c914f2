"""The file in which all processes that answer with a model add up what they counted.

Small, sealed, written whole, under a lock; it holds counts in the bins of mlmonkey/bins.py and no
value of anybody's. What is no such file of this very model is set aside, never added to.
"""

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mlmonkey.errors import UserError
from mlmonkey.files import Lock, part_beside, try_lock, whole_file
from mlmonkey.sealed import is_intact, read_json, sealed

if TYPE_CHECKING:  # the process that listens looks at the folder, and must not load numpy
    from mlmonkey.bins import Bins

PATIENCE = 2  # seconds to wait for others, each of whom holds the lock for about a millisecond
MOST_ROWS = 2**62


class Tally(NamedTuple):
    """How many rows were counted, when the first and the last of them (UTC), and their vector."""

    rows: int
    since: str
    until: str
    vector: Any

    def plus(self, other: "Tally | None") -> "Tally":
        """Both together."""
        return self if other is None else Tally(
            self.rows + other.rows, min(self.since, other.since), max(self.until, other.until),
            self.vector + other.vector)


def check_folder(path: Path) -> None:
    """Refuse a place where no file can be locked and written.

    Raises:
        OSError: as the system gives it.
    """
    with _locked(path), part_beside(path):
        pass


def read_tally(path: Path, model: str, bins: "Bins") -> Tally | None:
    """What a file holds; None where there is none.

    Args:
        model: the model's identifier in its metadata, which only this very training has.

    Raises:
        ValueError: saying why this is no such file of this model.
        OSError: as the system gives it.
    """
    try:
        content = read_json(path)
    except FileNotFoundError:
        return None
    except UserError as error:
        raise ValueError(str(error)) from None
    if not isinstance(content, dict) or not is_intact(content):
        raise ValueError("its content is not what was written")
    if content.get("model_identifier") != model:
        raise ValueError("it belongs to another training under this name")
    rows, since, until = (content.get(key) for key in ("rows", "since", "until"))
    if not (type(rows) is int and 0 < rows < MOST_ROWS
            and isinstance(since, str) and isinstance(until, str)):
        raise ValueError("it doesn't say how many rows were counted since when")
    return Tally(rows, since, until, bins.from_json(content, rows))


def add_to_file(path: Path, model: str, bins: "Bins", fresh: Tally | None,
                say: Callable[[str], None]) -> Tally | None:
    """Add counts to the file, if there are any, and return what it holds now.

    Args:
        say: is told of a file that had to be set aside.

    Raises:
        OSError: when the folder can't be used, locks don't work there, or others hold it too long.
    """
    with _locked(path):
        try:
            stored = read_tally(path, model, bins)
        except ValueError as reason:
            aside = path.with_name(f"{path.name}.set-aside")
            os.replace(path, aside)
            say(f"{path} can't be added to: {reason}; it is called {aside.name} now, and counting "
                "begins anew")
            stored = None
        if fresh is None:
            return stored
        total = fresh.plus(stored)
        content = {"model": path.stem, "model_identifier": model, "rows": total.rows,
                   "since": total.since, "until": total.until, **bins.as_json(total.vector)}
        # not forced to disk, which may take the time of a hundred requests: a cut of the power
        # may cost the counts
        with whole_file(path, durable=False) as temporary:
            temporary.write_text(json.dumps(sealed(content), ensure_ascii=False), encoding="utf-8")
    return total


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock, deadline = path.with_name(f".lock-{path.stem}"), time.monotonic() + PATIENCE
    with open(lock, "a") as file:
        while (got := try_lock(file)) is Lock.TAKEN:
            if time.monotonic() > deadline:
                raise OSError(errno.EAGAIN, "somebody holds it for too long", str(lock))
            time.sleep(0.01)  # never in the system's own wait, which would stop all of a worker
        if got is Lock.IMPOSSIBLE:  # two workers would overwrite each other's counts
            raise OSError(errno.ENOLCK, "locks don't work here", str(lock))
        yield
