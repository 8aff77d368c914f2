"""Which version of each name is used, and which name by default: current.json beside the models.

    {"default": NAME, "models": {NAME: {"version": N, "promoted": true or false}}}
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlmonkey.files import lock, write_json
from mlmonkey.names import ModelId
from mlmonkey.sealed import SEAL, damaged, is_intact, read_json, sealed

FILE = "current.json"


def read_current(models: Path) -> dict[str, Any]:
    """The default name, and the selected version of each name; neither where there is no file.

    A person may edit it and take out its seal; a seal that doesn't fit means damage.
    """
    path = models / FILE
    try:
        content = read_json(path)
    except FileNotFoundError:
        return {"default": None, "models": {}}
    except ValueError as error:
        raise damaged(path, str(error)) from None
    if not _is_choice(content):
        raise damaged(path, 'it must be {"default": NAME, "models": {NAME: {"version": N, '
                            '"promoted": true or false}}}')
    if SEAL in content and not is_intact(content):
        raise damaged(path, f"its content is not what was written: {SEAL} differs; if you "
                            f"edited it, take out {SEAL} too")
    return {"default": content.get("default"), "models": content["models"]}


def select(models: Path, identifier: ModelId) -> bool:
    """Make a version its name's choice, and its name the default, unless one is promoted.

    Returns:
        False when a promoted version of this name keeps its place.
    """
    with _changed(models) as current:
        versions = current["models"]
        kept = bool(versions.get(identifier.name, {}).get("promoted", False))
        if not kept:
            versions[identifier.name] = {"version": identifier.version, "promoted": False}
        if not versions.get(current["default"], {}).get("promoted", False):
            current["default"] = identifier.name
    return not kept


def promote(models: Path, identifier: ModelId) -> int | None:
    """Make a version its name's choice, whatever is trained later.

    Returns:
        The version that was chosen before.
    """
    with _changed(models) as current:
        before: int | None = current["models"].get(identifier.name, {}).get("version")
        current["models"][identifier.name] = {"version": identifier.version, "promoted": True}
        current["default"] = current["default"] or identifier.name
    return before


@contextmanager
def _changed(models: Path) -> Iterator[dict[str, Any]]:
    with lock(models / f".lock-{FILE}", f"{models}/{FILE}"):
        current = read_current(models)
        yield current
        write_json(models / FILE, sealed(current))


def _is_choice(content: Any) -> bool:
    return (isinstance(content, dict) and content.keys() <= {"default", "models", SEAL}
            and isinstance(content.get("default"), str | None)
            and isinstance(content.get("models"), dict)
            and all(isinstance(each, dict) and type(each.get("version")) is int
                    and isinstance(each.get("promoted", False), bool)
                    for each in content["models"].values()))
