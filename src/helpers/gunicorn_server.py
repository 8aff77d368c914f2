"""The default server: gunicorn with gevent's workers, which slow clients cannot stop."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from logging import LogRecord
from types import SimpleNamespace
from typing import Any

from mlmonkey.errors import UserError
from mlmonkey.redact import traceback_without_cells, without_quotes
from src.helpers.deployment import Deployment

HEADERS_WITHIN = 5  # seconds, else the line is cut without an answer; so is one that stays idle
CONNECTIONS = 4_000  # open at once per worker, most of them waiting
STUCK = 120  # seconds without a sign of life, loading included, after which a worker is replaced
MOST_LEFT = 2**20  # bytes of a body that nobody wanted, and which are read to keep the line
STOPPING = 3  # seconds for the requests in work when the server is told to end


def serve(listener: socket.socket, workers: int, timeout: int, deployment: Deployment,
          ready: Callable[[], None]) -> None:
    """Run gunicorn until it is told to end; the first worker that can answer calls `ready`.

    Args:
        timeout: seconds that a client may take to send a request's body.

    Raises:
        UserError: with a worker's own words, when it refuses the model.
    """
    from gunicorn.app.base import BaseApplication
    from gunicorn.arbiter import Arbiter
    settings = {"bind": f"fd://{listener.detach()}", "workers": workers,
                "worker_class": worker_class(), "worker_connections": CONNECTIONS,
                "timeout": STUCK, "keepalive": HEADERS_WITHIN,
                # a worker needs up to 2 more, to notice and to look once more, and then it ends
                "graceful_timeout": STOPPING + 4,
                "loglevel": "warning",
                "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,
                "control_socket_disable": True,
                # nobody is trusted to say another scheme or path; written so, no address is parsed
                "forwarded_allow_ips": "*", "secure_scheme_headers": {}, "forwarder_headers": ""}
    master = os.getpid()
    refusals: list[str] = []
    reading, writing = os.pipe()
    os.set_blocking(reading, False)

    class Server(BaseApplication):
        def load_config(self) -> None:
            for name, value in settings.items():
                self.cfg.set(name, value)
            self.cfg.set("pre_request", give_turns)
            self.cfg.set("post_worker_init", on_worker_ready)
            self.cfg.set("child_exit", on_exit_of_worker)

        def load(self) -> Any:
            try:
                return in_time(deployment.load(), timeout)
            except (UserError, OSError) as error:
                os.write(writing, " ".join(str(error).split()).encode() + b"\n")
                sys.exit(0)

    class Master(Arbiter):
        def handle_int(self) -> None:
            self.handle_term()  # requests in work are answered; a second Ctrl-C ends it at once

        def handle_hup(self) -> None:
            deployment.hang_up()  # gunicorn's own way, new workers, closes lines that clients hold

    def on_worker_ready(worker: Any) -> None:
        import gevent
        worker.cfg.set("graceful_timeout", STOPPING)
        worker.log.error_log.addFilter(tell_no_request)
        gevent.spawn(keep_up, deployment)
        if worker.age == 1:
            ready()

    def on_exit_of_worker(arbiter: Any, worker: Any) -> None:
        if refusals:
            return
        try:
            refusals.extend(os.read(reading, 65536).decode().splitlines())
        except BlockingIOError:
            return
        raise StopIteration  # gunicorn's way to end: another worker would be refused as well

    try:
        Master(Server()).run()
    except SystemExit:
        if refusals and os.getpid() == master:
            raise UserError(refusals[0]) from None
        raise


def worker_class() -> type:
    """gevent's workers: 200 half-sent requests stop gthread; here a waiting client costs nothing.

    Told to end, gunicorn's own would reset the lines that wait to be accepted, with the requests
    on them: of 16 clients that ask without a pause nearly each lost one, for each comes back on a
    new line after an answer with `Connection: close`.
    """
    from gevent.server import StreamServer
    from gunicorn.workers.ggevent import GeventWorker

    class Lines(StreamServer):
        max_accept = 1  # at a time, so that each worker gets some

        def close(self) -> None:
            with suppress(OSError):  # of a client that has hung up meanwhile
                while self.started and not self.full() and (line := self.do_read()):
                    self.do_handle(*line)
            super().close()

        def stop(self, timeout: float | None = None) -> None:
            """Leave those who are late: the worker's end cuts them without a traceback each."""

    class Worker(GeventWorker):
        def server_class(self, listener: Any, spawn: Any, **rest: Any) -> StreamServer:
            name = listener.getsockname()  # asked for when a line begins, after the close maybe
            named = SimpleNamespace(getsockname=lambda: name)
            return Lines(listener, partial(self.handle, named), spawn=spawn)

        def init_signals(self) -> None:
            super().init_signals()
            signal.signal(signal.SIGINT, self.handle_exit)  # Ctrl-C reaches the whole group

    return Worker


def in_time(app: Any, seconds: int) -> Callable[[dict[str, Any], Any], Any]:
    """Give up on a client that has not sent its request after so many seconds: 408, and hang up.

    Hang up as well on a client that goes on sending what nobody reads.
    """
    import gevent

    from mlmonkey.operations import BEGAN, LATE

    def limited(environ: dict[str, Any], start_response: Any) -> Any:
        began = time.perf_counter()
        with gevent.Timeout(seconds, False):
            answer = app(environ, start_response)
            if is_left(environ["wsgi.input"]):
                start_response.__self__.force_close()
            return answer
        # gunicorn drops a Connection header; this makes it send its own, and close
        start_response.__self__.force_close()
        return app(environ | {BEGAN: began, LATE: seconds}, start_response)
    return limited


def is_left(body: Any) -> bool:
    """Whether much of a body is unread, such as of one that is too large.

    To keep the line gunicorn would read it to its end, and serve nobody else meanwhile: 100 MB took
    half a minute on a busy machine.
    """
    reader = body.reader
    return getattr(reader, "length", 0) > MOST_LEFT or getattr(reader, "parser", None) is not None


def give_turns(worker: Any, request: Any) -> None:
    """Before a request is answered, all others that wait get a turn.

    A client whose next request is there before its last one's work is done would else be answered
    again and again: of 16 clients the slowest one in a hundred waited 130 ms and more.
    """
    import gevent
    gevent.idle(2)


def keep_up(deployment: Deployment) -> None:
    """Let the deployment look for another version each second, in a thread beside the requests."""
    import gevent
    while True:
        gevent.sleep(1)
        gevent.get_hub().threadpool.apply(deployment.keep_up)


def tell_no_request(record: LogRecord) -> bool:
    """gunicorn quotes the line of a request that it can't read, which may hold anything.

    A client that was cut off because it did not read is nothing to tell.
    """
    if record.exc_info and isinstance(record.exc_info[1], TimeoutError):
        return False
    record.msg, record.args = without_quotes(record.getMessage()), None
    if record.exc_info and record.exc_info[1]:
        record.msg += "\n" + traceback_without_cells(record.exc_info[1])
        record.exc_info = None
    return True
