"""How many rows a training takes: --max-rows, or what fits into the memory of this machine."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from src.helpers.configuration import Config

SHARE = 0.5  # of the memory, for the peak of a training; the rest is left to others
NUMBER_BYTES = 200  # at the peak, per number or date; about 60 were seen with the blend
TEXT_BYTES = 3000  # per text; about 3,200 were seen for 15 words, 90 for categories


def with_row_limit(config: Config, profile: Mapping[str, Any]) -> Config:
    """The options of a training with --max-rows as it counts: none where all rows fit.

    So a table that fits has the same key on every machine, and one that doesn't names its number.
    """
    limit, source = config.max_rows, config.sources["max_rows"]
    if limit is None:
        limit, source = rows_within(total_memory(), profile["columns"]), "memory"
    if profile["transformed"]["rows"] <= limit:
        limit, source = None, "default"
    return Config(config.values | {"max_rows": limit}, config.sources | {"max_rows": source})


def rows_within(memory: int, columns: list[dict[str, Any]]) -> int:
    """How many rows of a table can be learned from, to two digits: kernels differ by a little."""
    row = sum(TEXT_BYTES if column["dtype"] == "text" else NUMBER_BYTES for column in columns)
    return int(float(f"{SHARE * memory / row:.1e}"))


def total_memory(root: Path = Path("/")) -> int:
    """Bytes of this machine, or of the control group that this process lives in; never free ones.

    Args:
        root: below which proc and sys are looked for.
    """
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([pages, *group_limits(root)])


def group_limits(root: Path) -> Iterator[int]:
    """The limits of Linux' control groups around this process, of either version."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for kind, place in (line.split(":", 2)[1:] for line in lines):
        if kind in ("", "memory"):
            top = root / "sys/fs/cgroup" / kind
            inner = top / place.lstrip("/")
            for folder in (inner, *inner.parents):
                for name in ("memory.max", "memory.limit_in_bytes"):
                    with suppress(OSError, ValueError):  # "max": no limit
                        yield int((folder / name).read_text(encoding="ascii"))
                if folder == top:
                    break
