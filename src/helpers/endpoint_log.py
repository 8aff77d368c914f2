"""The endpoint's log: a line of JSON per request, and per event such as a change of model.

Never a payload, a header, nor what follows the ? of an address: all may be private.
"""

import os
import time
from contextlib import suppress
from typing import Any

import orjson

from mlmonkey.redact import without_passwords

# letters of a path: a line of up to 4,096 bytes goes into a pipe as one, with no other in it
LONGEST = 500


class Log:
    """Writes the lines of one worker to standard output.

    Straight to the file: gunicorn's own logging of a request costs 100 us, a quarter of what it
    takes to answer one.
    """

    def __init__(self) -> None:
        self.worker, self.second, self.stamp = os.getpid(), 0, ""

    def request(self, line: dict[str, Any]) -> None:
        """Say how one request was answered."""
        path = line["path"]
        if not path.isprintable():
            line["path"] = path = ascii(path)
        if ":/" in path or len(path) > LONGEST:
            line["path"] = shortened(path)
        if len(line["method"]) > LONGEST:
            line["method"] = line["method"][:LONGEST]
        self.write(line)

    def event(self, event: str, **more: Any) -> None:
        """Say what happened beside the requests."""
        self.write({"event": event, **more})

    def write(self, line: dict[str, Any]) -> None:
        """Write a line, with when and which worker."""
        now = time.time()
        if int(now) != self.second:
            self.second = int(now)
            self.stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        first = {"time": f"{self.stamp}.{int(now % 1 * 1000):03d}Z", "worker": self.worker}
        with suppress(OSError):  # a full disk, or nobody who reads: the request is answered
            os.write(1, orjson.dumps(first | line, option=orjson.OPT_APPEND_NEWLINE))


def shortened(path: str) -> str:
    """The beginning of a path, without passwords, also one that the cut would part from its @."""
    kept = path[:LONGEST] + ("@" if "@" in path[LONGEST:] else "")
    return without_passwords(kept.replace(" ", "%20")) + ("..." if len(path) > LONGEST else "")
