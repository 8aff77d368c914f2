"""How each training gets a version number of its own, under a name that belongs to its table.

A claim is a locked file: its owner is alive while the lock is held, whatever its process number.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, Any

from mlmonkey.errors import UserError
from mlmonkey.files import Lock, lock, remove_parts, try_lock
from mlmonkey.names import MOST_BYTES, ModelId, folded, owner_of, parse_identifier, usable_name

CLAIM = ".claim-"


@contextmanager
def claim(models: Path, metadata: Path, name: str) -> Iterator[ModelId]:
    """Reserve the next free version of a name for one training, against all others.

    What a training without metadata leaves is removed here, or by the next training when it was
    killed; where locks don't work nothing tells the dead from the living, and nothing is removed.
    """
    models.mkdir(parents=True, exist_ok=True)
    metadata.mkdir(parents=True, exist_ok=True)
    # under one lock: a claim just made, and not yet locked, looks like one of the dead
    with lock(models / ".lock-claims", f"{models}/claims"):
        _remove_leftovers(models, metadata)
        identifier, path, file = _new_claim(models, metadata, name)
    try:
        yield identifier
    finally:
        if not _is_model(metadata, identifier):
            _remove_artifacts(models, identifier)
        path.unlink(missing_ok=True)
        file.close()


def check_owner(name: str, newest: Mapping[str, Any] | None, source: str, target: str,
                taken: Collection[str] = ()) -> None:
    """A name belongs to one source and one target.

    Raises:
        UserError: when another table or target was trained under this name; prints one that is
            none of those taken.
    """
    if newest is None:
        return
    owner = (newest["input_data_location"], newest["target"]["name"])
    if owner != (source, target):
        stem = name if owner[0] == source else Path(source).stem
        wanted = usable_name(f"{stem}-{target}", MOST_BYTES - 5)
        names = (wanted if n == 1 else f"{wanted}-{n}" for n in count(1))
        free = next(each for each in names if folded(each) not in map(folded, taken))
        raise UserError(f"the name {name!r} belongs to {owner[0]} with target {owner[1]!r}; "
                        f"give this model its own: --name '{free}'")


def _new_claim(models: Path, metadata: Path, name: str) -> tuple[ModelId, Path, IO[Any]]:
    refused = 0
    while True:
        identifier = ModelId(name, max(_next(models, metadata, name), refused + 1))
        path = models / f"{CLAIM}{identifier}"
        try:
            file = open(path, "x")
        except FileExistsError:  # of a quicker one without locks, or of `Iris` where that is iris
            refused = identifier.version
            continue
        if try_lock(file) is Lock.TAKEN:
            file.close()  # somebody's after all: the next number
        elif _is_model(metadata, identifier):  # one without locks has come and gone meanwhile
            path.unlink(missing_ok=True)
            file.close()
        else:
            return identifier, path, file


def _next(models: Path, metadata: Path, name: str) -> int:
    # claims before metadata: a training ends its claim after it has written its metadata
    names = os.listdir(models)
    taken = [owner_of(each) for each in names]
    taken += [parse_identifier(each.removeprefix(CLAIM)) for each in names]
    taken += identifiers(metadata)
    # `Iris` and `iris` count as one: their files must not meet where they travel
    return 1 + max((each.version for each in taken if each and folded(each.name) == folded(name)),
                   default=0)


def identifiers(metadata: Path) -> list[ModelId]:
    """The models whose metadata is in a folder, by name, then by version."""
    found: Iterable[ModelId | None] = (parse_identifier(path.stem)
                                       for path in metadata.glob("*.json"))
    return sorted(identifier for identifier in found if identifier)


def _remove_leftovers(models: Path, metadata: Path) -> None:
    for folder in (models, metadata):
        remove_parts(folder)
    for path in models.glob(f"{CLAIM}*"):
        identifier = parse_identifier(path.name.removeprefix(CLAIM))
        try:
            file = open(path, "r+")
        except OSError:  # ended meanwhile, or not ours to open
            continue
        with file:
            if identifier and try_lock(file) is Lock.MINE:
                if not _is_model(metadata, identifier):
                    _remove_artifacts(models, identifier)
                path.unlink(missing_ok=True)


def _remove_artifacts(models: Path, identifier: ModelId) -> None:
    for path in models.iterdir():
        if owner_of(path.name) == identifier:
            path.unlink(missing_ok=True)


def _is_model(metadata: Path, identifier: ModelId) -> bool:
    return (metadata / f"{identifier}.json").exists()
