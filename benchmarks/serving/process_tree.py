"""What a server takes with its workers and their helpers, wherever they went. Linux only."""

import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def members(first: int) -> list[int]:
    """The first process of a session, all others of it, and their children in other sessions."""
    parents, found = {}, {first}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (words := _stat(int(folder.name))):
            parents[int(folder.name)] = int(words[1])
            if int(words[3]) == first:
                found.add(int(folder.name))
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def processor_seconds(first: int) -> float:
    """User and system time since their start."""
    return sum(int(words[11]) + int(words[12])
               for words in map(_stat, members(first)) if words) / TICK


def memory(first: int) -> tuple[int, int]:
    """Resident memory of the largest process, and of all with shared pages once; MiB."""
    largest, everybody = 0, 0
    for number in members(first):
        try:
            lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
        largest = max(largest, sizes["Rss"])
        everybody += sizes["Pss"]
    return largest // 1024, everybody // 1024


def _stat(number: int) -> list[str]:
    """Fields of /proc/N/stat after the name, which may hold anything; empty when it has ended."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
