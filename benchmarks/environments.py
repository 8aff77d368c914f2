"""Environments of other people's packages, made at their first use: one folder each, kept."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ml-skeleton"


def python_of(folder: Path, packages: Sequence[str]) -> str:
    """The Python of an environment, made when it is missing or its list has changed."""
    wanted = "\n".join(packages)
    python, stamp = folder / "bin" / "python", folder / "made-from.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"environment {folder.name}: {', '.join(packages)}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-input",
                        "--disable-pip-version-check", *packages], check=True)
        stamp.write_text(wanted)
    return str(python)
