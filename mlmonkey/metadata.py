"""The metadata of a model: what every other command, tracker and report reads.

The field names are in metadata.schema.json beside this file. Written once, whole, after everything
it names; checked against the schema when written, not on every read.
"""

import hashlib
import json
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mlmonkey.errors import UserError
from mlmonkey.files import write_bytes, write_json

METADATA_VERSION = 1
SCHEMA_PATH = Path(__file__).with_name("metadata.schema.json")


def validate(metadata: Mapping[str, Any]) -> None:
    """Check metadata against the shipped JSON Schema.

    Raises:
        jsonschema.ValidationError: at the first field that does not fit.
    """
    import jsonschema
    jsonschema.validate(metadata, json.loads(SCHEMA_PATH.read_text(encoding="utf-8")))


def write_metadata(path: Path, metadata: Mapping[str, Any]) -> None:
    """Validate, then write whole: from here on the model exists."""
    validate(metadata)
    write_json(path, metadata)


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


def git_commit(root: Path) -> str | None:
    """The commit checked out at `root`; None without git, or outside a repository."""
    answer = _git(root, "rev-parse", "HEAD")
    return answer.strip() if answer else None


def uncommitted_patch(root: Path, paths: Sequence[str], secrets: Sequence[str]) -> str | None:
    """Uncommitted changes and new files under `paths`, as one patch that git can apply.

    Files that hold one of the secrets are left out, with a line that says so.

    Returns:
        None without git or without a commit; an empty text when all is committed.
    """
    if git_commit(root) is None:
        return None
    changed = (_git(root, "diff", "--name-only", "-z", "--relative", "HEAD", "--", *paths)
               or "").split("\0")
    added = (_git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", *paths)
             or "").split("\0")
    pieces = []
    for name in filter(None, changed):
        pieces.append((name, _git(root, "diff", "--relative", "HEAD", "--", name) or ""))
    for name in filter(None, added):
        # git answers 1 when the two sides differ, which they always do here
        pieces.append((name, _git(root, "diff", "--no-index", "--", "/dev/null", name) or ""))
    return "".join(f"# {name} left out: it holds a value of .env.local\n"
                   if any(secret in text for secret in secrets) else text
                   for name, text in sorted(pieces))


def identifier_of(commit: str | None, timestamp: str, name: str) -> str:
    """A model's identifier: SHA-1 of commit, time and name, as this shape of project always had."""
    return hashlib.sha1(f"{commit}{timestamp}{name}".encode()).hexdigest()


def read_scores(metadata: Mapping[str, Any], field: str = "scores") -> dict[str, dict[str, float]]:
    """Scores as {strategy: {metric: value}}; for tables and comparisons."""
    table: dict[str, dict[str, float]] = {}
    for score in metadata[field]:
        table.setdefault(score["strategy"], {})[score["metric"]] = score["value"]
    return table


def check_owner(name: str, newest: Mapping[str, Any] | None, source: str, target: str) -> None:
    """A name belongs to one source and one target.

    Raises:
        UserError: when another table or target was trained under this name; prints a free name.
    """
    if newest is None:
        return
    owner = (newest["input_data_location"], newest["target"]["name"])
    if owner != (source, target):
        free = f"{name}-{target}" if owner[0] == source else Path(source).stem + "-" + target
        raise UserError(f"the name {name!r} belongs to {owner[0]} with target {owner[1]!r}; "
                        f"give this model its own: --name '{free}'")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), "-c", "core.quotePath=false", *words],
                              capture_output=True, check=False)
    except OSError:
        return None
    if done.returncode > 1 or (done.returncode == 1 and "--no-index" not in words):
        return None
    return done.stdout.decode("utf-8", errors="replace")
