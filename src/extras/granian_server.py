"""`--server granian`: HTTP in Rust, the application called from one event loop per worker.

A body is collected before the application is called, so that slow clients hold up nobody: under
granian's WSGI each of them would hold a thread.
"""

import asyncio
import io
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from mlmonkey.errors import UserError
from src.helpers.deployment import Deployment

HEADERS_WITHIN = 5  # seconds, else the line is cut without an answer
CONNECTIONS = 4_000  # open at once per worker, most of them waiting
STOPPING = 5  # seconds for the requests in work when the server is told to end
LARGEST_HEAD = 65_536  # bytes of a request's headers
BACKLOG = 2_048  # lines that wait to be accepted


def serve(listener: socket.socket, workers: int, timeout: int, deployment: Deployment,
          ready: Callable[[], None]) -> None:
    """Run granian until it is told to end; the first worker that can answer calls `ready`.

    Args:
        timeout: seconds that a client may take to send a request's body.

    Raises:
        UserError: with a worker's own words, when it refuses the model.
    """
    refusals, firsts = os.pipe(), os.pipe()
    for reading, _ in (refusals, firsts):
        os.set_blocking(reading, False)
    os.write(firsts[1], b"1")  # the worker that reads it is the first one

    class Server(MPServer):
        def _init_shared_socket(self) -> None:
            # the socket that listens already: no other process can take its port meanwhile
            holder: Any = SocketHolder  # its types say less than it takes
            vars(self).update(_ssp=None, _sfd=listener.fileno(), _sso=listener,
                              _shd=holder(listener.fileno(), False, BACKLOG))

        def signal_handler_reload(self, *args: Any, **kwargs: Any) -> None:
            deployment.hang_up()  # granian's own way, new workers, closes lines that clients hold

        def _respawn_workers(self, *args: Any, **more: Any) -> None:
            super()._respawn_workers(*args, **more)
            if deployment.has_answered():
                self.respawned_wrks.clear()  # else a second death within 5 seconds ended them all

    master = os.getpid()

    def load_in_worker() -> Any:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the master's handler would do nothing here
        try:
            answer = Shell(deployment.load(), timeout).answer
        except (UserError, OSError) as error:
            os.write(refusals[1], " ".join(str(error).split()).encode() + b"\n")
            os.kill(os.getppid(), signal.SIGTERM)
            while True:  # until the master ends this worker, which an exit would make it replace
                signal.pause()
        threading.Thread(target=keep_up, args=(deployment, master), daemon=True).start()
        if taken(firsts[0]):
            ready()
        return answer

    multiprocessing.set_start_method("fork", force=True)  # the master has no thread of its own yet
    server = Server("", interface=Interfaces.RSGI, workers=workers, http=HTTPModes.http1,
                    websockets=False, backpressure=CONNECTIONS, log_level=LogLevels.error,
                    http1_settings=HTTP1Settings(header_read_timeout=1000 * HEADERS_WITHIN,
                                                 max_buffer_size=LARGEST_HEAD),
                    respawn_failed_workers=True, workers_kill_timeout=STOPPING)
    server.serve(target_loader=load_in_worker, wrap_loader=False)
    if refused := taken(refusals[0]):
        raise UserError(refused.decode().splitlines()[0])


def keep_up(deployment: Deployment, master: int) -> None:
    """Let the deployment look for another version each second; end when the master was killed."""
    while os.getppid() == master:
        time.sleep(1)
        deployment.keep_up()
    os.kill(os.getpid(), signal.SIGTERM)


def taken(reading: int) -> bytes:
    """What waits in a pipe."""
    try:
        return os.read(reading, 65536)
    except BlockingIOError:
        return b""


class Shell:
    """Calls a Flask application for granian's requests."""

    def __init__(self, app: Any, timeout: int) -> None:
        self.app, self.timeout = app, timeout
        self.most = app.config["MAX_CONTENT_LENGTH"] or sys.maxsize

    async def answer(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        began = time.perf_counter()
        environ = make_environ(scope, scope.headers.items()) | {"endpoint.began": began}
        whole = False
        if self.app.wsgi_app.may_ask(environ):  # 16 MB of anybody else would only fill the memory
            try:
                whole = await self.read_body(environ, protocol)
            except TimeoutError:
                environ["endpoint.late"] = self.timeout
        status, answered, content = self.call(environ)
        if not whole:
            answered.append(("Connection", "close"))
        protocol.response_bytes(status, [(name.lower(), value) for name, value in answered],
                                content)

    async def read_body(self, environ: dict[str, Any], protocol: Any) -> bool:
        """Give the application the body; of one that is too large as much as it needs to refuse it.

        Returns whether all of it was read: else the line must not be used again.

        Granian ends a body that broke off like a whole one, but for an empty part more, as it also
        gives for fields after the last chunk: these are believed where the headers announce them.
        """
        in_chunks = environ.pop("HTTP_TRANSFER_ENCODING", None) is not None
        if int(environ["CONTENT_LENGTH"]) > self.most:
            return False
        if not in_chunks and environ["CONTENT_LENGTH"] == "0":
            return True
        parts, size, empty = [], 0, 0
        async with asyncio.timeout(self.timeout):
            async for part in protocol:
                parts.append(part)
                size += len(part)
                empty += not part
                if size > self.most:
                    break
        environ["wsgi.input"] = io.BytesIO(b"".join(parts))
        if in_chunks:
            broke_off = empty > 1 and "HTTP_TRAILER" not in environ
            environ["CONTENT_LENGTH"] = str(size + broke_off)  # less than stated is refused
        return size <= self.most

    def call(self, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers and body that the application answers."""
        started: list[Any] = []
        parts = self.app(environ, lambda status, headers, exc_info=None: started.extend(
            (status, headers)))
        content = b"".join(parts)
        if hasattr(parts, "close"):
            parts.close()
        return int(started[0][:3]), started[1], content


def make_environ(scope: Any, headers: list[tuple[str, str]]) -> dict[str, Any]:
    """A request as WSGI has it (PEP 3333), without its body.

    Granian has undone the percent signs of the path already, and refused a length that is none.
    """
    host, _, port = scope.server.rpartition(":")
    environ = {
        "REQUEST_METHOD": scope.method, "SCRIPT_NAME": "", "QUERY_STRING": scope.query_string,
        "PATH_INFO": scope.path.encode().decode("latin-1"), "SERVER_NAME": host,
        "SERVER_PORT": port, "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0], "CONTENT_LENGTH": "0",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme, "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr,
        "wsgi.multithread": False, "wsgi.multiprocess": True, "wsgi.run_once": False}
    for name, value in headers:
        if "_" not in name:  # it would pass for the one with a dash
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    # Python refuses to read 5,000 digits, all of them zeros too
    environ["CONTENT_LENGTH"] = environ["CONTENT_LENGTH"].lstrip("0")[:19] or "0"
    return environ
