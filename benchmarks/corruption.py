"""Damage each file that a model or a dataset consists of, one place at a time: all is refused.

    python -m benchmarks.corruption --places 2000

Trains penguins in a temporary copy. A place is a flipped bit or a byte cut out. A damaged file of a
model must be refused in one line that names it, unless it is JSON and still says the same (a blank
more or less); a damaged dataset must count as missing. Prints a line per file; exit code 1 when
something damaged was used.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.project import copy_project
from mlmonkey.errors import UserError
from mlmonkey.metadata import write_artifact, write_metadata
from mlmonkey.store import ModelId, ModelStore

PENGUINS = ModelId("penguins", 1)
TRAIN = [sys.executable, "-m", "src.stages", "train", "--data", "data/raw/penguins.csv",
         "--target", "species", "--no-report"]


def main() -> None:
    """Damage every file and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--places", type=int, default=2000, help="of each file")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = copy_project(Path(folder) / "project")
        subprocess.run(TRAIN, cwd=project, check=True, stdout=subprocess.DEVNULL)
        from src.helpers.datasets import feature_function
        from src.model.trusted import TRUSTED
        store = ModelStore(project / "models", project / "models" / "metadata", TRUSTED,
                           functions=feature_function)
        random, used = Random(options.seed), 0
        for path, use in (files_of(store) | files_of_dataset(project)).items():
            found = campaign(path, use, options.places, random)
            used += found["used"]
            print(f"{path.relative_to(project)}: " + ", ".join(
                f"{count:,} {what}" for what, count in sorted(found.items())))
    sys.exit(1 if used else 0)


def files_of(store: ModelStore) -> dict[Path, Callable[[], Any]]:
    """Every kind of file that a model has, with what reads it; a patch is added to the model."""
    metadata = store.read_metadata(PENGUINS)
    if not any(each["role"] == "patch" for each in metadata["artifacts"]):
        metadata["artifacts"].append(write_artifact(
            store.models, f"{PENGUINS}.patch", "patch", "text", b"--- a/x\n+++ b/x\n" * 50))
        write_metadata(store.metadata_path(PENGUINS), metadata)
    store.load(PENGUINS)  # sound so far
    paths = [store.models / each["file"] for each in metadata["artifacts"]]
    return {path: lambda: store.check(PENGUINS)
            for path in [*paths, store.metadata_path(PENGUINS)]} | {
                store.models / "current.json": store.choose}


def files_of_dataset(project: Path) -> dict[Path, Callable[[], Any]]:
    """Profile and tables, with what decides whether they are made anew."""
    from mlmonkey.sealed import is_intact, read_json
    from src.helpers.freshness import is_whole
    profile = next((project / "data" / "transformed").glob("*.json"))
    content = json.loads(profile.read_text(encoding="utf-8"))

    def refuse(damaged: bool, path: Path) -> None:
        if damaged:
            raise UserError(f"{path} is made anew")
    tables = {project / content[part]["path"]: content[part]["sha256"]
              for part in ("staging", "transformed")}
    return {profile: lambda: refuse(not is_intact(read_json(profile)), profile)} | {
        path: lambda path=path, sha256=sha256: refuse(not is_whole(path, sha256), path)
        for path, sha256 in tables.items()}


def campaign(path: Path, use: Callable[[], Any], places: int, random: Random) -> Counter[str]:
    """Damage a file in so many places: how often it was refused, said the same, or was used."""
    content, found = path.read_bytes(), Counter[str]()
    for _ in range(places):
        damaged = damage(content, random)
        path.write_bytes(damaged)
        try:
            use()
        except (UserError, ValueError) as error:  # ValueError: a profile that is no JSON
            named = isinstance(error, ValueError) or path.name in str(error)
            found["refused" if named and "\n" not in str(error) else "refused without a name"] += 1
        else:
            found["said the same" if same_json(content, damaged) else "used"] += 1
    path.write_bytes(content)
    return found


def damage(content: bytes, random: Random) -> bytes:
    """The content with one bit flipped, or one byte cut out."""
    place = random.randrange(len(content))
    if random.random() < 0.5:
        return content[:place] + content[place + 1:]
    flipped = content[place] ^ 1 << random.randrange(8)
    return content[:place] + bytes([flipped]) + content[place + 1:]


def same_json(one: bytes, other: bytes) -> bool:
    """Whether both are JSON that says the same."""
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


if __name__ == "__main__":
    main()
