"""Where things are. Change a place in `.env`, in `.env.local` or in the environment.

    DATA_RAW_DIR=/mnt/tables make train

Nothing happens at import; `load_settings()` reads, and writes nothing.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mlmonkey.errors import UserError
from mlmonkey.redact import without_passwords

ROOT = Path(__file__).resolve().parent.parent

# variable -> folder from the root, in the order of the data's way
FOLDERS = {
    "DATA_RAW_DIR": "data/raw",
    "DATA_STAGING_DIR": "data/staging",
    "DATA_TRANSFORMED_DIR": "data/transformed",
    "DATA_PREDICTIONS_DIR": "data/predictions",
    "MODELS_DIR": "models",
    "MODELS_METADATA_DIR": "models/metadata",
    "REPORTS_DIR": "reports",
    "MONITORING_DIR": "data/monitoring",
}


@dataclass(frozen=True)
class Settings:
    """Absolute paths of the project's folders."""

    raw: Path
    staging: Path
    transformed: Path
    predictions: Path
    models: Path
    metadata: Path
    reports: Path
    monitoring: Path


def load_settings() -> Settings:
    """Resolve every folder: environment first, then .env.local, .env, and the default."""
    return Settings(*map(folder_of, FOLDERS))


def folder_of(variable: str) -> Path:
    """The absolute path that a folder's variable means; a relative one begins at the root."""
    folder = Path(environment_value(variable) or FOLDERS[variable]).expanduser()
    check_local(folder, variable)
    return Path(os.path.normpath(ROOT / folder))


def check_local(path: Path, name: str) -> None:
    """Refuse an address where a path is wanted: it would be made a folder, password and all."""
    if re.match("[A-Za-z][A-Za-z0-9+.-]+:/", str(path)):
        address = without_passwords(str(path).replace(":/", "://", 1))
        raise UserError(f"{name} takes a path on this machine, not an address ({address}); give "
                        'the path of a copy, which this makes: make onboard ARGS="--data ADDRESS"')


def environment_value(name: str) -> str | None:
    """One value as the project sees it: the environment, then .env.local, then .env."""
    layers: tuple[Mapping[str, str], ...] = (os.environ, read_env(".env.local"), read_env(".env"))
    return next((layer[name] for layer in layers if layer.get(name)), None)


@cache
def read_env(file: str) -> Mapping[str, str]:
    """Names and values of an env file in the root; empty when there is none."""
    from dotenv import dotenv_values
    try:
        values = dotenv_values(ROOT / file, interpolate=False, encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{file} is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{file} can't be read: {error.strerror}") from None
    return {name: value for name, value in values.items() if value is not None}


def relative(path: Path) -> str:
    """A path as people and metadata read it: from the root, or from a folder moved elsewhere.

    Never absolute inside the project's own folders: metadata travels to other machines.
    """
    full = Path(os.path.normpath(path if path.is_absolute() else Path.cwd() / path))
    if full.is_relative_to(ROOT):
        return full.relative_to(ROOT).as_posix()
    for name, folder in zip(FOLDERS, vars(load_settings()).values()):
        if full.is_relative_to(folder):
            return f"${name}/{full.relative_to(folder).as_posix()}"
    return full.name


def locate(text: str) -> Path:
    """The file that `relative` wrote."""
    head, _, tail = text.partition("/")
    if head.startswith("$") and head[1:] in FOLDERS:
        return folder_of(head[1:]) / tail
    return ROOT / text
