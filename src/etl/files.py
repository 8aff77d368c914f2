"""The files of a dataset while it is made: a folder to work in, and names taken together."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlmonkey.files import PART, Lock, naming, try_lock, whole_files
from src.helpers.datasets import profile_path, transformed_path
from src.settings import load_settings

LOCK = ".lock-"  # + key: held while a dataset is made


@contextmanager
def new_files(key: str, source: Any) -> Iterator[list[Path]]:
    """The files of a dataset, which take their names together when all are written.

    Staging, transformed, what was rejected (when anything was), and the profile, which is last.
    """
    staging = load_settings().staging
    rejects, refused = staging / f"{key}.rejects.csv", staging / f"{key}.refused.csv"
    with whole_files(staging / f"{key}.parquet", transformed_path(key),
                     *([rejects] if source.rejects else []), profile_path(key)) as parts:
        yield parts
    for outdated in [refused] if source.rejects else [refused, rejects]:
        outdated.unlink(missing_ok=True)


@contextmanager
def work_folder(path: Path) -> Iterator[Path]:
    """A folder that ends with the block; those that killed runs left beside it go first."""
    for other in path.parent.glob(f"{PART}*/"):
        with open(path.parent / other.name.replace(PART, LOCK, 1), "a") as owner:
            if other == path or try_lock(owner) is Lock.MINE:
                shutil.rmtree(other, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        with naming(path):
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def share_written(path: Path, source: Path) -> float:
    """How far a copy of a file is, about; none where there is no copy."""
    return path.stat().st_size / source.stat().st_size if path.exists() else 0.0
