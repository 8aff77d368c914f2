"""Whether metadata is what metadata.schema.json, beside this file, says that it is."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

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
