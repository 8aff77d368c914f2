"""How long /health takes beside clients that have sent half a request and wait.

    .venv/bin/python benchmarks/serving/slow_clients.py --clients 1000
    .venv/bin/python benchmarks/serving/slow_clients.py --server granian

Half of the clients stop within the headers, half within the body. New ones take the places of those
that the server hangs up on, so that all of them are there while /health is asked.
"""

import argparse
import resource
import select
import socket
import statistics
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.serving.cases import main as make_case  # noqa: E402
from benchmarks.serving.peers import ours  # noqa: E402
from benchmarks.serving.run import serving  # noqa: E402

HEAD = (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 500\r\n")
HALVES = (HEAD, HEAD + b'\r\n{"features": [')
ROW = b'{"features": [5.1, 3.5, 1.4, 0.2]}'


def main() -> None:
    """Train, serve, hold, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=200, help="default: 200")
    parser.add_argument("--server", default="gunicorn", help="default: gunicorn")
    parser.add_argument("--requests", type=int, default=200, help="of /health; default: 200")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_case(folder, "forest-iris")
        with serving(ours(options.server), sys.executable, folder, 2, ROW) as server:
            alone = ask_health(server.port, options.requests, [])
            beside = ask_health(server.port, options.requests,
                                [hold(server.port, n) for n in range(options.clients)])
    for words, took in (("alone", alone), (f"beside {options.clients} slow clients", beside)):
        print(f"/health under {options.server}, {words}: median {statistics.median(took):.1f} ms, "
              f"slowest {max(took):.1f} ms, "
              f"{sum(each > 100 for each in took)} of {len(took)} above 100 ms")


def hold(port: int, number: int) -> socket.socket:
    """A client that has sent half a request."""
    line = socket.create_connection(("127.0.0.1", port), timeout=10)
    line.sendall(HALVES[number % 2])
    return line


def ask_health(port: int, requests: int, held: list[socket.socket]) -> list[float]:
    """Milliseconds of each request, each over a line of its own."""
    took = []
    waiting = select.poll()
    by_number = {line.fileno(): line for line in held}
    for number in by_number:
        waiting.register(number, select.POLLIN)
    for count in range(requests):
        for number, _ in waiting.poll(0):  # hung up on
            waiting.unregister(number)
            by_number.pop(number).close()
            line = hold(port, count)
            by_number[line.fileno()] = line
            waiting.register(line.fileno(), select.POLLIN)
        began = time.perf_counter()
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/health")
        assert connection.getresponse().read() == b'{"status":"alive"}'
        connection.close()
        took.append(1e3 * (time.perf_counter() - began))
    for line in by_number.values():
        line.close()
    return took


if __name__ == "__main__":
    main()
