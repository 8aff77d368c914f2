"""Run each command where files may not grow, and on a disk that is full, and look at what is left.

    .venv/bin/python benchmarks/disk_full.py

First a limit on the size of each file (ulimit -f), then, as root, a small disk in memory with 0, 4,
8, ... kB free, until the command succeeds. After each run that fails: one line; every model loads
and answers its golden rows; each file is the old one or a complete new one; and the same command,
typed again with room, succeeds and cleans up. Prints what was not so.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from failing_calls import COMMANDS, Place, look_at_files, look_at_leftovers, look_at_words

DISK = 64 << 20  # bytes
STEP = 4096  # what a disk gives at least
LIMITS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]  # of a file, in 512 bytes


def main() -> None:
    """Run all cases and print a line per command, and one per case that went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--show", action="store_true", help="What each run said, too.")
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder) / "project", Path(folder) / "first")
        for name in options.only:
            wrong += campaign(place, name, "limit", limits(), options.show)
        disk = Path(folder) / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", str(disk)],
                          stderr=subprocess.DEVNULL, check=False).returncode:
            print("skipped: a small disk needs root, and leave to mount it")
        else:
            try:
                place = Place(disk / "project", Path(folder) / "first on disk")
                for name in options.only:
                    wrong += campaign(place, name, "disk", rooms(disk), options.show)
            finally:
                subprocess.run(["umount", str(disk)], check=True)
    print(f"{wrong} wrong")
    sys.exit(bool(wrong))


def limits() -> Iterator[tuple[str, list[str], Callable[[], None]]]:
    """Sizes that a file may have: what to say, the words before a command, how to prepare it."""
    for blocks in LIMITS:
        yield f"{512 * blocks} bytes", ["sh", "-c", 'ulimit -f "$0" && exec "$@"', str(blocks)], int


def rooms(disk: Path) -> Iterator[tuple[str, list[str], Callable[[], None]]]:
    """Free space on the disk, likewise."""
    for steps in range(0, 64):
        yield f"{STEP * steps} bytes", [], lambda: fill(disk, STEP * steps)


def fill(disk: Path, room: int) -> None:
    """Leave so many bytes free."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "filler").write_bytes(bytes(free - room))


def campaign(place: Place, name: str, what: str,
             ways: Iterator[tuple[str, list[str], Callable[[], None]]], show: bool) -> int:
    """Give one command more and more room until it succeeds; return how often things were wrong."""
    wrong = failed = 0
    for size, before, prepare in ways:
        place.reset()
        prepare()
        done = place.run(COMMANDS[name], *before)
        found = [*look_at_words(done), *look_at_files(place)]
        (place.project.parent / "filler").unlink(missing_ok=True)
        again = place.run(COMMANDS[name])
        if again.returncode:
            found.append(f"the next run fails: {again.stderr.strip()}")
        found += [*look_at_leftovers(place), *look_at_files(place)]
        wrong += len(found)
        for line in found or ([done.stderr.strip()] if show and done.returncode else []):
            print(f"  {name}: {what} of {size}: {line}", flush=True)
        if not done.returncode:
            print(f"{name}: {what}: failed {failed} times, then succeeded with {size}", flush=True)
            break
        failed += 1
    return wrong


if __name__ == "__main__":
    main()
