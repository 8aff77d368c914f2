"""Requests that break rules, as bytes, and the statuses that may answer them.

CLOSED means that the server hangs up without an answer, as it may on what is no HTTP.
"""

import gzip
import json
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

CLOSED = 0
BAD, MISSING, METHOD, LARGE, LONG, KIND, WRONG = 400, 404, 405, 413, 414, 415, 422
HEADERS = 431  # too many, or too long
NOT_IMPLEMENTED = 501  # the right answer to a transfer coding that nobody knows (RFC 9112)
WITHIN = 40  # seconds until each is answered or hung up on; a body may take 30
JSON = "Content-Type: application/json"
CHUNKED = (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
           b"Transfer-Encoding: chunked\r\n\r\n")
GZIP = f"{JSON}\r\nContent-Encoding: gzip"


class Case(NamedTuple):
    """Parts that are sent one after the other, and statuses that are right.

    `ends`: then the client says that no more comes; else it waits.
    """

    parts: Any
    right: tuple[int, ...]
    ends: bool = False


def cases(record: dict[str, Any]) -> dict[str, Case]:
    """Everything, by what it is.

    Args:
        record: a row that the model answers.
    """
    good = json.dumps({"features": record}).encode()
    names, values = list(record), list(record.values())
    line = ",".join("" if each is None else str(each) for each in values).encode() + b"\n"

    def post(body: bytes, *right: int, kind: str = JSON, path: str = "/predict") -> Case:
        head = [f"POST {path} HTTP/1.1", "Host: x", kind, f"Content-Length: {len(body)}"]
        return Case(["\r\n".join(filter(None, head)).encode() + b"\r\n\r\n", body], right)

    def row(text: str) -> bytes:
        """A list of values, the first one as it is written here."""
        return ('{"features": [' + ", ".join([text, *map(json.dumps, values[1:])]) + "]}").encode()

    def head(*lines: str, body: bytes = good) -> Case:
        return Case(["\r\n".join([*lines, "", ""]).encode("latin-1"), body],
                    (200, BAD, MISSING, LARGE, LONG, KIND, WRONG, HEADERS, CLOSED))

    def get(path: str, *right: int) -> Case:
        return Case([f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1")], right)

    return {
        "NaN": post(row("NaN"), WRONG), "Infinity": post(row("Infinity"), WRONG),
        "-Infinity": post(row("-Infinity"), WRONG), "1e999": post(row("1e999"), WRONG),
        "an integer of 400 digits": post(row("9" * 400), WRONG),
        "an integer of 100,000 digits": post(row("9" * 100_000), WRONG),
        "a number of 100,000 decimals": post(row("0." + "1" * 100_000), 200, BAD, WRONG),
        "deep lists": post(b"[" * 100_000, BAD), "deep records": post(b'{"a":' * 100_000, BAD),
        "deep lists, closed": post(b"[" * 100_000 + b"]" * 100_000, BAD),
        "deep features": post(b'{"features": ' + b"[" * 1000 + b"]" * 1000 + b"}", BAD, WRONG),
        **{f"the body {body}": post(body.encode(), WRONG) for body in (
            "null", "7", '"x"', "[]", "[[]]", "{}", '{"features": null}', '{"features": {}}',
            '{"features": [[]]}', '{"features": [{}]}', '{"features": [[[1]]]}')},
        "nulls everywhere": post(json.dumps({"features": [dict.fromkeys(names)] * 100}).encode(),
                                 200),
        "a key twice": post(good[:-1] + b', "features": 7}', WRONG),
        "a good key last": post(b'{"features": 7, ' + good[1:], 200),
        "a column twice": post(('{"features": {' + ", ".join(
            f"{json.dumps(name)}: null" for name in names * 2) + "}}").encode(), 200),
        "10,000 columns": post(json.dumps({"features": record | {
            f"column {n}": n for n in range(10_000)}}).encode(), 200),
        "10,000 values": post(json.dumps({"features": [1] * 10_000}).encode(), WRONG),
        "50,001 rows": post(json.dumps({"features": [[None]] * 50_001}).encode(), LARGE),
        "emoji as a name": post(json.dumps({"features": record | {"🦄": "🪐"}}).encode(), 200),
        "half a surrogate": post(b'{"features": "\\ud800"}', BAD),
        "UTF-16": post(good.decode().encode("utf-16"), BAD),
        "latin-1": post(b'{"features": {"gr\xf6\xdfe": 1}}', BAD),
        "a byte order mark": post(b"\xef\xbb\xbf" + good, BAD),
        "3 million lists": post(good[:-1] + b', "x": [' + b",".join([b"[[]]"] * 3_300_000) + b"]}",
                                LARGE),
        "a body that broke off": Case([b"POST /predict HTTP/1.1\r\nHost: x\r\n" + JSON.encode()
                                       + b"\r\nContent-Length: 9999\r\n\r\n" + good],
                                      (BAD, CLOSED), ends=True),
        "zeros": post(b"\0" * 1000, BAD), "two documents": post(good * 2, BAD),
        "cut short": post(good[:-3], BAD), "no body": post(b"", BAD),
        **{f"content {kind[14:] or 'of no type'}": post(good, KIND, kind=kind) for kind in (
            "", "Content-Type: text/plain", "Content-Type: application/xml", "Content-Type: ;;;=",
            "Content-Type: multipart/form-data; boundary=x", "Content-Type: image/png",
            "Content-Type: application/json; charset=utf-16",
            "Content-Type: application/x-www-form-urlencoded", "Content-Type: text/csv; header=7",
            GZIP, f"{JSON}\r\nContent-Encoding: br, gzip")},
        "gzip that says so": post(gzip.compress(good), KIND, kind=GZIP),
        "gzip that says nothing": post(gzip.compress(good), BAD),
        "a bomb": post(gzip.compress(b"0" * 10**8), KIND, kind=GZIP),
        **{f"CSV {words}": post(body, *right, kind="Content-Type: text/csv")
           for words, body, right in (
               ("of quotes", b'"' * 10_000, (BAD, WRONG)), ("of zeros", b"\0" * 10_000, (WRONG,)),
               ("of commas", b"," * 10**6, (BAD,)), ("of lines", b"\n" * 10**6, (BAD,)),
               ("with an open quote", b'"' + b"x\n" * 100_000, (BAD, WRONG)),
               ("of bytes", bytes(range(256)) * 40, (BAD,)))},
        "chunks": Case([CHUNKED, b"5\r\n" + good[:5] + b"\r\n", b"%x;x=y\r\n" % (len(good) - 5)
                        + good[5:] + b"\r\n0\r\n\r\n"], (200,)),
        "a field after the chunks": Case([CHUNKED.replace(b"Host", b"Trailer: X-A\r\nHost"),
                                          b"%x\r\n" % len(good) + good + b"\r\n",
                                          b"0\r\nX-A: x\r\n\r\n"], (200,)),
        "a chunk of a wrong size": Case([CHUNKED, b"zz\r\n" + good], (BAD, CLOSED)),
        "a chunk below zero": Case([CHUNKED, b"-5\r\n" + good], (BAD, CLOSED)),
        "a chunk of 2**70 bytes": Case([CHUNKED, b"4" + b"0" * 17 + b"\r\n" + good],
                                       (BAD, LARGE, CLOSED), ends=True),
        "a chunk that is cut": Case([CHUNKED, b"50\r\n" + good[:5] + b"\r\n0\r\n\r\n"],
                                    (BAD, CLOSED), ends=True),
        "100 MB": Case(megabytes(100), (LARGE, CLOSED)),
        "100 MB in chunks": Case(megabytes(100, in_chunks=True), (LARGE, CLOSED)),
        "a length below zero": head("POST /predict HTTP/1.1", "Host: x", JSON,
                                    "Content-Length: -5"),
        "a length of 30 digits": head("POST /predict HTTP/1.1", "Host: x", JSON,
                                      "Content-Length: " + "9" * 30),
        "a CSV in chunks that breaks off": Case(
            [CHUNKED.replace(b"application/json", b"text/csv; header=absent"),
             b"%x\r\n" % len(line) + line + b"\r\n"], (BAD, CLOSED), ends=True),
        "a length of 5,000 zeros": head("POST /predict HTTP/1.1", "Host: x", JSON,
                                        "Content-Length: " + "0" * 5000 + str(len(good))),
        "a length in words": head("POST /predict HTTP/1.1", "Host: x", JSON,
                                  "Content-Length: five"),
        "two lengths": head("POST /predict HTTP/1.1", "Host: x", JSON,
                            f"Content-Length: {len(good)}", "Content-Length: 3"),
        "a length and chunks": head("POST /predict HTTP/1.1", "Host: x", JSON, "Content-Length: 3",
                                    "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        "an unknown transfer coding": Case([b"POST /predict HTTP/1.1\r\nHost: x\r\n"
                                            b"Transfer-Encoding: magic\r\n\r\n", good],
                                           (BAD, CLOSED, NOT_IMPLEMENTED)),
        "10,000 headers": head("GET /health HTTP/1.1", "Host: x",
                               *(f"X-{n}: {n}" for n in range(10_000)), body=b""),
        "a header of 1 MB": head("GET /health HTTP/1.1", "Host: x", "X-A: " + "x" * 2**20,
                                 body=b""),
        "a type of 8,000 parameters": post(good, 200, BAD, KIND, HEADERS, CLOSED,
                                           kind=JSON + ";a=b" * 8000),
        "a strange Accept": post(good, 200, kind=f"{JSON}\r\nAccept: text/csv;q=x, */*;q=nan,,;;="),
        "a zero in a header": head("GET /health HTTP/1.1", "Host: x", "X-A: a\0b", body=b""),
        "letters beyond ASCII in a header": head("GET /health HTTP/1.1", "Host: x",
                                                 "X-Request-ID: \xe9\xff", body=b""),
        "a folded header": head("GET /health HTTP/1.1", "Host: x", "X-A: a", " b", body=b""),
        "no host": head("GET /health HTTP/1.1", body=b""),
        "two hosts": head("GET /health HTTP/1.1", "Host: x", "Host: y", body=b""),
        "an address of 100,000 letters": get("/" + "x" * 100_000, BAD, MISSING, LONG, HEADERS,
                                             CLOSED),
        "1,000 parameters": post(good, WRONG, LONG, path="/predict?" + "&".join(
            f"a{n}=1" for n in range(1000))),
        "a parameter of zeros": post(good, MISSING, path="/predict?model=%00"),
        "parameters that are no UTF-8": post(good, MISSING, path="/predict?model=%ff%fe"),
        "a model outside": post(good, MISSING, path="/predict?model=../../etc/passwd"),
        **{f"the address {path}": get(path, BAD, MISSING, 301, 308, CLOSED) for path in (
            "/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd",
            "//etc/passwd",
            "/predict/../../models/served-v1.skops", "/models/../served-v1.skops", "/%00", "/\xff",
            "/v2/models/..%2f..%2fetc%2fpasswd", "/v2/models/%2e%2e", "/v2/models/x/versions/../1",
            "/static/../x", "/.env", "/.git/config", "/%", "/%zz", "*")},
        "another scheme": head("GET http://example.com/health HTTP/1.1", "Host: x", body=b""),
        "no such version": Case([b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n"],
                                (200, BAD, 505, CLOSED)),
        "no version": Case([b"GET /health\r\n\r\n"], (200, BAD, CLOSED), ends=True),
        "no HTTP": Case([bytes(range(256)) * 100], (BAD, CLOSED), ends=True),
        "TLS": Case([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 512], (BAD, CLOSED),
                    ends=True),
        **{f"the method {method[:10]!r}": Case(
            [f"{method} /predict HTTP/1.1\r\nHost: x\r\n\r\n".encode()],
            (BAD, METHOD, MISSING, LONG, CLOSED)) for method in (
                "GET", "DELETE", "TRACE", "CONNECT", "PROPFIND", "get", "X" * 5000, "\x01")},
        "a client that waits to be told": post(good, 200, kind=f"{JSON}\r\nExpect: 100-continue"),
        "an upgrade": head("GET /health HTTP/1.1", "Host: x", "Connection: Upgrade",
                           "Upgrade: websocket", body=b""),
        "HTTP/2": Case([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 100],
                       (BAD, METHOD, 505, CLOSED), ends=True)}


def megabytes(count: int, in_chunks: bool = False) -> list[bytes]:
    """A body of blanks."""
    piece = b" " * 2**20
    if in_chunks:
        return [CHUNKED, *[b"100000\r\n" + piece + b"\r\n"] * count, b"0\r\n\r\n"]
    return [b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % (count * 2**20), *[piece] * count]


def send(port: int, case: Case) -> int:
    """The status that answers a case, or CLOSED.

    Raises:
        TimeoutError: when nothing comes and the line stays open.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=WITHIN) as line:
        try:
            for part in case.parts:
                line.sendall(part)
            if case.ends:
                line.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has heard enough; what it says may be there
        return status_of(line)


def status_of(line: socket.socket) -> int:
    """The first status that isn't 1xx."""
    said = b""
    try:
        while more := line.recv(65536):
            said += more
            for answer in answers(said):
                if answer >= 200:
                    return answer
    except ConnectionResetError:
        pass
    return CLOSED


def answers(said: bytes) -> Iterator[int]:
    """Statuses of the answers whose first line is there."""
    for part in said.split(b"HTTP/1.")[1:]:
        if len(part) > 5 and part[2:5].isdigit():
            yield int(part[2:5])
