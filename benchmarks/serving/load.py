"""A small stand-in for wrk: one body again and again over lines that stay open; prints JSON.

    python load.py 127.0.0.1 8000 /predict BODY_FILE SECONDS CONNECTIONS

One thread of Python sends about 12,000 requests per second at most and takes a core for that: a
server's processor time per request is as true as with wrk, its rate and times on few cores are not.
"""

import json
import re
import selectors
import socket
import sys
import time

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def main(host: str, port: str, path: str, body: str, seconds: str, connections: str) -> None:
    """Send until the time is up, then say what came back."""
    with open(body, "rb") as file:
        content = file.read()
    message = (f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
               f"Content-Length: {len(content)}\r\n\r\n").encode() + content
    ready, took, failed = selectors.DefaultSelector(), [], 0

    def ask(line: socket.socket) -> None:
        line.sendall(message)
        ready.register(line, selectors.EVENT_READ, [time.perf_counter(), b""])

    for _ in range(int(connections)):
        ask(socket.create_connection((host, int(port)), timeout=60))
    began = time.perf_counter()
    while time.perf_counter() - began < float(seconds):
        for key, _ in ready.select(1):
            line: socket.socket = key.fileobj  # type: ignore[assignment]
            more = line.recv(1 << 20)
            key.data[1] += more
            if more and not is_whole(key.data[1]):
                continue
            took.append(time.perf_counter() - key.data[0])
            failed += not key.data[1].startswith(b"HTTP/1.1 200")
            ready.unregister(line)
            if not more or b"\r\nconnection: close" in key.data[1].lower():
                line.close()
                line = socket.create_connection((host, int(port)), timeout=60)
            ask(line)
    wall = time.perf_counter() - began
    took.sort()
    print(json.dumps({"requests": len(took), "seconds": wall, "failed": failed,
                      "p50_ms": 1e3 * took[len(took) // 2],
                      "p99_ms": 1e3 * took[int(len(took) * 0.99)]}))


def is_whole(answer: bytes) -> bool:
    """Whether all of the body is there."""
    head, blank, rest = answer.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    return bool(blank) and (len(rest) >= int(length[1]) if length
                            else rest.endswith(b"0\r\n\r\n"))


if __name__ == "__main__":
    main(*sys.argv[1:])
