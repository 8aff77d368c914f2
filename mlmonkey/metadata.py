"""The metadata of a model: what every other command, tracker and report reads.

The field names are in metadata.schema.json beside this file. Written once, whole, after everything
it names; checked against the schema when written, not on every read.
"""

import hashlib
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mlmonkey.files import write_bytes, write_json
from mlmonkey.metadata_check import validate
from mlmonkey.sealed import sealed

METADATA_VERSION = 2


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


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
