"""What operators need around the routes: request ids, a token, counts, and a line per request.

    Operations(app, endpoint, log=print, counts=folder_of_all_workers, token=None)

X-Request-ID of a request is its id where it is a sane one, and comes back with the answer. All of
this is WSGI around the application, not hooks in it, which would cost three times as much.
"""

import hmac
import os
import re
import time
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException

from mlmonkey.endpoint import Endpoint, Served
from mlmonkey.golden import Prediction
from mlmonkey.metrics import Metrics
from mlmonkey.replies import problem_at
from mlmonkey.rows import Rows
from mlmonkey.shortcut import ROUTE

# no token is asked for here
OPEN = {"/", "/docs", "/health", "/ready", "/ping", "/v2/health/live", "/v2/health/ready"}
SANE = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)
# what a server may say of a request in its environ: when it began, by time.perf_counter(), and
# after how many seconds it was given up because the client had not sent all of it
BEGAN, LATE = "endpoint.began", "endpoint.late"
IDENTIFIER = "endpoint.id"  # is kept there


class Operations:
    """Looks after each request of one worker."""

    def __init__(self, app: Flask, endpoint: Endpoint, log: Callable[[dict[str, Any]], None],
                 counts: Path, token: str | None = None) -> None:
        self.log, self.metrics = log, Metrics(endpoint, counts)
        self.token = token and f"Bearer {token}".encode()
        self.predicted: dict[str, Any] = {}
        endpoint.open = OPEN if token else None
        self.prefix, self.numbers = os.urandom(6).hex(), count(1)
        self.metrics.add_routes(app)
        endpoint.observers.append(self.note)
        self.flask = app
        self.app, app.wsgi_app = app.wsgi_app, self  # type: ignore[method-assign]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request: 408 and 401 here, all else in the application."""
        began = environ.get(BEGAN) or time.perf_counter()
        asked = environ.get("HTTP_X_REQUEST_ID")
        identifier = asked if asked and SANE.fullmatch(asked) else \
            f"{self.prefix}-{next(self.numbers):x}"
        environ[IDENTIFIER] = identifier

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            headers.append(("X-Request-ID", identifier))
            self.leave(environ, int(status[:3]), headers, time.perf_counter() - began)
            return start_response(status, headers, exc_info)
        if LATE in environ:
            return self.refuse(environ, start, 408, "the request was not complete after "
                               f"{environ[LATE]} seconds")
        if not self.may_ask(environ):
            return self.refuse(environ, start, 401, "this endpoint answers those who send its "
                               "token", expected="Authorization: Bearer TOKEN")
        return self.app(environ, start)

    def may_ask(self, environ: dict[str, Any]) -> bool:
        """Whether the token is there, or needless; how long that takes tells nothing about it."""
        if not self.token or environ["PATH_INFO"] in OPEN:
            return True
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        return hmac.compare_digest(f"{scheme.title()} {token}".encode(), self.token)

    def refuse(self, environ: dict[str, Any], start: Any, status: int, detail: str,
               **more: Any) -> Iterable[bytes]:
        """Answer what the application never sees, in its form and under its route's name."""
        path = environ["PATH_INFO"]
        try:
            rule, _ = self.flask.url_map.bind("").match(path, environ["REQUEST_METHOD"],
                                                        return_rule=True)
            environ[ROUTE] = rule.rule
        except HTTPException:
            pass  # no route: it counts as other
        answer = problem_at(self.flask, path, status, detail, more)
        if status == 401:
            answer.headers["WWW-Authenticate"] = 'Bearer realm="endpoint"'
        return answer(environ, start)

    def note(self, served: Served, rows: Rows, found: Prediction, ignored: int) -> None:
        """Count rows, and keep what predicted them for the log, whose line is next: from here to
        there no worker does anything else."""
        identifier = served.model.identifier
        self.metrics.count_rows(identifier.name, len(rows), ignored)
        self.predicted = {"model": str(identifier), "rows": len(rows)}

    def leave(self, environ: dict[str, Any], status: int, headers: list[tuple[str, str]],
              seconds: float) -> None:
        """Count and log an answer."""
        # none when the application wasn't called
        rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
        route = environ.get(ROUTE) or (rule.rule if rule else "other")
        self.metrics.count_request(route, status, seconds)
        size = 0
        for name, value in headers:
            if name == "Content-Length":
                size = int(value)
        line = {"id": environ[IDENTIFIER], "client": environ.get("REMOTE_ADDR", ""),
                "method": environ["REQUEST_METHOD"],
                "path": environ["PATH_INFO"].encode("latin-1").decode(errors="replace"),
                "status": status, "bytes": size, "ms": round(1e3 * seconds, 2)}
        self.log(line | self.predicted)
        self.predicted = {}
