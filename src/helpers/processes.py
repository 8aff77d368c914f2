"""The processes of an endpoint: how many there are, and the folders that they share."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from mlmonkey.monitoring import check_folder
from mlmonkey.store import ModelId
from src.helpers.os_errors import os_error_line
from src.settings import load_settings

HELD = "held"  # a file in the folder that the processes share, locked while one of them lives


def cores(groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Processors that this process may use; a container's quota counts, of either version."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for files in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        with suppress(OSError, ValueError):  # "max": no quota; so is -1 in the older version
            quota, period = " ".join((groups / name).read_text() for name in files).split()
            if int(quota) > 0:
                return max(1, min(found or 1, int(quota) // int(period)))
    return found or 1


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A folder, in memory where there is one, for what the workers share; gone in the end.

    One whose processes were killed goes when the next endpoint starts: nobody holds its lock.
    """
    memory, master = Path("/dev/shm"), os.getpid()
    folder = Path(mkdtemp(prefix="endpoint-", dir=memory if os.access(memory, os.W_OK) else None))
    with open(folder / "new", "w") as held:  # by the master and all that it forks
        fcntl.flock(held, fcntl.LOCK_EX)
        (folder / "new").rename(folder / HELD)
        for other in folder.parent.glob(f"endpoint-*/{HELD}"):
            with suppress(OSError), open(other) as file:  # such as that it is another user's
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                rmtree(other.parent)
        try:
            yield folder
        finally:
            if os.getpid() == master:  # not a worker, which leaves this block too
                rmtree(folder, ignore_errors=True)


def counts_folder(shared: Path) -> Path:
    """Where the workers add up what they count for /metrics."""
    folder = Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", shared / "counts"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def monitoring_folder(identifier: ModelId) -> Path | None:
    """Where the workers add up what they count for /drift; None, which is said, when they can't."""
    folder = load_settings().monitoring
    try:
        check_folder(folder / f"{identifier}.json")
    except OSError as error:
        print(f"warning: drift is counted in each worker's memory alone: {os_error_line(error)}",
              file=sys.stderr, flush=True)
        return None
    return folder
