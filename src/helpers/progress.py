"""Bars on stderr while somebody is looking: silent in a pipe, a log or a test."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def steps(total: int) -> Iterator[Callable[[str], None]]:
    """A bar of so many steps; call what it yields with the name of each step that begins."""
    with bar(total) as shown:
        def begin(what: str) -> None:
            shown.set_description(what)
            shown.update()
        yield begin


def bar(total: int, **options: Any) -> Any:
    """A tqdm bar that goes when its work is done."""
    from tqdm import tqdm
    return tqdm(total=total, leave=False, disable=not sys.stderr.isatty(), file=sys.stderr,
                **options)
