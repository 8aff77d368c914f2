"""What the readers share: paths come in, one a line; a line of JSON goes out for each.

{"names": [...], "rows": [[...]]}, or {"error": "..."}; a file gets ten seconds.
"""

import datetime as dt
import json
import math
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any

SECONDS = 10


def serve(read: Callable[[str], tuple[Iterable[Any], Iterable[Iterable[Any]]]]) -> None:
    """Answer each path with what `read` makes of it."""
    def stop(*_: Any) -> None:
        raise TimeoutError(f"more than {SECONDS} s")
    signal.signal(signal.SIGALRM, stop)
    for line in sys.stdin:
        signal.alarm(SECONDS)
        try:
            names, rows = read(line.rstrip("\n"))
            answer = {"names": [str(name) for name in names],
                      "rows": [[plain(cell) for cell in row] for row in rows]}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        finally:
            signal.alarm(0)
        print(json.dumps(answer), flush=True)


def plain(value: Any) -> Any:
    """A value as JSON has it: None, a truth value, a number or a text."""
    if hasattr(value, "item"):
        value = value.item()
    if value is None or value != value or isinstance(value, float) and math.isinf(value):
        return None if value is None or value != value else str(value)
    if isinstance(value, (bool, int, float, str)):
        return value
    return value.isoformat() if isinstance(value, (dt.date, dt.time)) else str(value)
