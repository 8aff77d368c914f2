"""What the processes of one session take: a server, its workers and their helpers. Linux only."""

import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def members(session: int) -> list[int]:
    """Process numbers of a session, whoever their parents are."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            words = _stat(int(folder.name))
            if words and int(words[3]) == session:
                found.append(int(folder.name))
    return found


def processor_seconds(session: int) -> float:
    """User and system time since their start."""
    return sum(int(words[11]) + int(words[12])
               for words in map(_stat, members(session)) if words) / TICK


def memory(session: int) -> tuple[int, int]:
    """Resident memory of the largest process, and of all with shared pages once; MiB."""
    largest, everybody = 0, 0
    for number in members(session):
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
