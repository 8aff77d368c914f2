"""A running endpoint, as a user starts it, for tests that ask it over HTTP."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from conftest import clean_environment

READY_WITHIN = 60  # seconds; a few on a quiet machine
STAGE = [sys.executable, "-m", "src.stages", "deploy-endpoint"]
LOCAL = ("--host", "127.0.0.1", "--port", "0")
BOTH = pytest.mark.parametrize("kind", [
    "gunicorn", pytest.param("granian", marks=pytest.mark.slow)])


class Server:
    """A running endpoint, its address and what it has printed."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log, self.port = process, log, 0

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def wait(self) -> None:
        """Until the first worker says its address, which it does when it can answer."""
        until(lambda: self.process.poll() is not None or "curl -s" in self.text(), self.text)
        assert self.process.poll() is None, self.text()
        found = re.search(r"http://[\w.\[\]:]+?:(\d+) ", self.text())
        assert found, self.text()
        self.port = int(found[1])

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body).encode(),
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def workers(self) -> set[str]:
        """Process numbers of the workers that have answered a prediction, from the log."""
        return set(re.findall(r'"worker":(\d+),.*"path":"/predict"', self.text()))

    def workers_alive(self) -> list[str]:
        """Process numbers of the master's children; of Linux alone."""
        number = self.process.pid
        return Path(f"/proc/{number}/task/{number}/children").read_text(encoding="ascii").split()

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=15)


@contextmanager
def serving(project: Path, log: Path, *words: str, **more: str) -> Iterator[Server]:
    with open(log, "wb") as file:
        process = subprocess.Popen([*STAGE, *LOCAL, *words], cwd=project,
                                   env=clean_environment(**more), stdin=subprocess.DEVNULL,
                                   stdout=file, stderr=file)
    server = Server(process, log)
    try:
        server.wait()
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=15)


def until(true: Callable[[], Any], about: Callable[[], str]) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while not true():
        assert time.monotonic() < deadline, about()
        time.sleep(0.05)
