"""Where an endpoint listens: the socket, or a line that says why there is none."""

import errno
import socket
from collections.abc import Sequence

from mlmonkey.errors import UserError
from src.helpers.commands import make_line

READ_WITHIN = 30  # seconds in which a client must go on reading its answer, else it is cut off
USUAL = {80: "a web server", 443: "a web server", 5000: "AirPlay Receiver on macOS",
         8000: "another development server", 8080: "another development server", 8888: "Jupyter"}


def listen(host: str, port: int, model: Sequence[str] = ()) -> socket.socket:
    """A listening socket; `model` are the options that belong into advice to try another port.

    Raises:
        UserError: for an occupied or forbidden port, or an address that isn't this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, *_, (address, *_) = min(found, key=lambda each: each[0] != socket.AF_INET)
        listener = socket.create_server((str(address), port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
    else:
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; each accepted line has it too
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * READ_WITHIN)
        return listener
    if number == errno.EADDRINUSE:
        usual = f" (there usually sits {USUAL[port]})" if port in USUAL else ""
        raise UserError(f"port {port} is occupied{usual}; take a free one: "
                        + make_line("deploy-endpoint", *model, "--port",
                                    str(free_port(str(address), family, port))))
    if number == errno.EACCES:
        raise UserError(f"--port {port} needs rights that you don't have; take one above 1023: "
                        f"--port {free_port(str(address), family, 8079)}")
    raise UserError(f"--host {host[:60]!r} is no address of this machine; all addresses: "
                    "--host 0.0.0.0, this machine alone: --host 127.0.0.1")


def free_port(address: str, family: int, port: int) -> int:
    """The next port that nobody listens on; 0 (any) when there is none near."""
    for candidate in range(port + 1, min(port + 100, 65536)):
        try:
            socket.create_server((address, candidate), family=family).close()
            return candidate
        except OSError:
            continue
    return 0


def shown_host(host: str) -> str:
    """A host as it is written in an address; all addresses are shown as localhost."""
    if host in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host
