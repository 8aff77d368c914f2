"""One line per request: when, which worker, who asked, what, status, size and time.

Never a payload, nor what follows the ? of an address: both may be private.
"""

import os
import time

from mlmonkey.redact import without_passwords


class AccessLog:
    """Writes the lines of one worker to standard output.

    Straight to the file: gunicorn's own logging of a request costs 100 us, half of what it takes
    to answer one.
    """

    def __init__(self) -> None:
        self.worker, self.second, self.stamp = os.getpid(), 0, ""

    def write(self, client: str, method: str, path: str, status: int, size: int,
              began: float) -> None:
        """Log a request; `path` has no query, `began` is of time.perf_counter()."""
        now = int(time.time())
        if now != self.second:
            self.second, self.stamp = now, time.strftime("[%d/%b/%Y:%H:%M:%S %z]")
        if "@" in path:
            path = without_passwords(path)
        if not path.isprintable():
            path = ascii(path)
        took = 1e3 * (time.perf_counter() - began)
        line = (f'{self.stamp} <{self.worker}> {client} "{method} {path}" {status} {size} bytes '
                f"{took:.1f} ms\n")
        os.write(1, line.encode(errors="replace"))
