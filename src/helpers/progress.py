"""Bars on stderr while somebody is looking: silent in a pipe, a log or a test."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from threading import Event, Thread
from typing import Any

SECONDS = 0.5  # between two looks at a step that lasts


@contextmanager
def steps(total: int) -> Iterator[Callable[..., None]]:
    """A bar of so many steps; call what it yields with the name of each step that begins.

    It also takes a function that tells which share of the step is done: then the bar moves on
    while the step lasts.
    """
    with bar(total) as shown, ExitStack() as present:
        done = count()

        def begin(what: str, share: Callable[[], float] | None = None) -> None:
            present.close()
            shown.n = min(next(done), total - 1)  # some may have to begin again
            shown.set_description(what)
            if share and not shown.disable:
                present.enter_context(_following(shown, share))
        yield begin


@contextmanager
def _following(shown: Any, share: Callable[[], float]) -> Iterator[None]:
    """Let a bar move on by a share of one, looked at from a thread beside."""
    began, over = shown.n, Event()

    def follow() -> None:
        with suppress(Exception):  # what is looked at may have just ended: no reason to fail
            while not over.wait(SECONDS):
                shown.n = max(shown.n, round(began + min(share(), 1), 2))
                shown.refresh()
    beside = Thread(target=follow)
    beside.start()
    try:
        yield
    finally:
        over.set()
        beside.join()


def bar(total: int, **options: Any) -> Any:
    """A tqdm bar that goes when its work is done."""
    from tqdm import tqdm
    return tqdm(total=total, leave=False, disable=not sys.stderr.isatty(), file=sys.stderr,
                **options)
