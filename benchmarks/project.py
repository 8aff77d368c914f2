"""A copy of the project to measure in, and what a command takes there."""

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Used(NamedTuple):
    """What a command took with all its children: seconds, and MB of the largest process."""

    wall: float
    processor: float
    memory: float


def copy_project(folder: Path) -> Path:
    """What make and the scripts need, with the shipped tables, without results."""
    for name in ("src", "mlmonkey", "data/raw"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("Makefile", "params.yaml", "requirements.txt", "requirements-dev.txt", ".env",
                 "setup.py"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def measure(words: list[str], folder: Path) -> Used:
    """Run a command, which has to succeed."""
    began = time.perf_counter()
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} failed")
    return Used(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
