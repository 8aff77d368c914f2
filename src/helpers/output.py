"""Where a command may write what the user asks for, and how the place is shown."""

import os
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from mlmonkey.errors import UserError
from src.etl.unpack import table_name
from src.helpers.choosing import choose
from src.helpers.configuration import Config
from src.settings import ROOT, load_settings, relative

OWNED = ("raw", "staging", "transformed", "models", "metadata")  # written by their scripts only
LONGEST = 250  # bytes of a file name, which ends at 255: `.json` comes behind it
CODE = ("src", "mlmonkey", "tests", "docs", "benchmarks")


def choose_output(config: Config, more: str, endings: Sequence[str]) -> Path:
    """--output, or a file in data/predictions with the name of the input or the model, and `more`.

    To be called before anything heavy is loaded: it looks at the input too.

    Raises:
        UserError: for an unreadable input, or an output that may not be written.
    """
    from src.etl.detect import check_readable
    if config.input:
        check_readable(config.input, "--input")
    stem = table_name(config.input) if config.input else choose(config)[1].name
    output: Path = config.output or load_settings().predictions / f"{stem}{more}{endings[0]}"
    return check_output(output, config.input, endings)


def check_output(path: Path, source: Path | None, endings: Sequence[str]) -> Path:
    """Return a path that may be written.

    Raises:
        UserError: for another ending, too long a name, a folder, the input itself, or a place
            that belongs to the project's own results.
    """
    if path.suffix not in endings:
        raise UserError(f"--output {path}: write it as {' or '.join(endings)}")
    if len(os.fsencode(path.name)) > LONGEST:
        raise UserError(f"--output {path}: the file's name is too long; choose another: "
                        f"--output 'data/predictions/scored{path.suffix}'")
    if path.is_dir():
        raise UserError(f"--output {path} is a folder; name a file in it: "
                        f"--output {quote(str(path / ('output' + endings[0])))}")
    if source and path.resolve() == source.resolve():
        raise UserError(f"--output {path} is the input itself; choose another name")
    folders = [getattr(load_settings(), name).resolve() for name in OWNED]
    folders += [ROOT / name for name in CODE]
    if any(path.resolve().is_relative_to(folder) for folder in folders):
        raise UserError(f"--output {path}: {relative(path.parent)} holds what other commands "
                        "wrote; choose another folder: --output "
                        f"{quote('data/predictions/' + path.name)}")
    return path


def shown(path: Path) -> str:
    """A path to print: short inside the project, whole outside."""
    full = path.resolve()
    return relative(full) if full.is_relative_to(ROOT) else str(full)
