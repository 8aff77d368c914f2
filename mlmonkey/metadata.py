"""The metadata of a model: what every other command, tracker and report reads.

The field names are in metadata.schema.json beside this file. Written once, whole, after everything
it names; checked against the schema when written, not on every read.
"""

import hashlib
import json
import platform
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from pathlib import Path
from typing import Any

from mlmonkey.errors import UserError
from mlmonkey.files import write_bytes, write_json
from mlmonkey.names import MOST_BYTES, folded, usable_name
from mlmonkey.sealed import sealed

METADATA_VERSION = 2
SCHEMA_PATH = Path(__file__).with_name("metadata.schema.json")
KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
    "boolean": bool, "null": type(None)}


def validate(metadata: Mapping[str, Any]) -> None:
    """Check metadata against the shipped JSON Schema.

    Raises:
        jsonschema.ValidationError: at the first field that does not fit.
    """
    import jsonschema
    jsonschema.validate(metadata, json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))


def misfit(metadata: Any) -> str | None:
    """Where metadata lacks what other commands reach into, in words; None when it can be used.

    The same schema as in `validate`, but only kinds, choices and required keys, which takes less
    than a millisecond on every read: an edited file must end in a line, not in a traceback.
    """
    schema = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    return next(_misfits(metadata, schema, schema["$defs"], "it"), None)


def _misfits(value: Any, part: Any, shared: Mapping[str, Any], place: str) -> Iterator[str]:
    part = shared[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
    kinds = [part["type"]] if isinstance(part.get("type"), str) else part.get("type", KINDS)
    if not any(isinstance(value, KINDS[kind]) for kind in kinds):
        yield f"{place} is not of the kind {' or '.join(kinds)}"
    elif value not in part.get("enum", [part.get("const", value)]):
        yield f"{place} has a value that is not known here"
    elif isinstance(value, dict):
        for key in part.get("required", ()):
            if key not in value:
                yield f"{place} has no {key!r}"
        for key, content in value.items():
            inner = part.get("properties", {}).get(key, part.get("additionalProperties"))
            if isinstance(inner, dict):
                yield from _misfits(content, inner, shared, f"{place}.{key}".removeprefix("it."))
    elif isinstance(value, list):
        if len(value) < part.get("minItems", 0):
            yield f"{place} has only {len(value)} entries"
        # the rows held out may be many
        for number, content in enumerate(value[:1000] if "items" in part else ()):
            yield from _misfits(content, part["items"], shared, f"{place}[{number}]")


def write_metadata(path: Path, metadata: Mapping[str, Any]) -> None:
    """Seal, validate, then write whole: from here on the model exists."""
    content = sealed(metadata)
    validate(content)
    write_json(path, content)


def write_artifact(folder: Path, file: str, role: str, form: str, content: bytes) -> dict[str, Any]:
    """Write one file of a model and return its entry for the `artifacts` list."""
    write_bytes(folder / file, content)
    return {"role": role, "file": file, "format": form, "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest()}


def now() -> str:
    """The time as metadata writes it: UTC, ISO 8601, seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def environment_block(libraries: Iterable[str], threads: int, dirty: bool | None) -> dict[str, Any]:
    """Python, platform and library versions of this process; no user or host name."""
    return {"python": platform.python_version(), "platform": platform.system(),
            "machine": platform.machine(), "libraries": installed_versions(libraries),
            "threads": threads, "uncommitted_changes": dirty}


def installed_versions(packages: Iterable[str]) -> dict[str, str | None]:
    """Version of each package in this environment; None for one that is not installed."""
    return {package: _version(package) for package in packages}


def identifier_of(commit: str | None, timestamp: str, name: str) -> str:
    """A model's identifier: SHA-1 of commit, time and name, as this shape of project always had."""
    return hashlib.sha1(f"{commit}{timestamp}{name}".encode()).hexdigest()


def read_scores(metadata: Mapping[str, Any], field: str = "scores") -> dict[str, dict[str, float]]:
    """Scores as {strategy: {metric: value}}; for tables and comparisons."""
    table: dict[str, dict[str, float]] = {}
    for score in metadata[field]:
        table.setdefault(score["strategy"], {})[score["metric"]] = score["value"]
    return table


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


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
