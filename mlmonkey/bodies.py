"""The body of a request: which kind it is, its bytes, and the JSON in them."""

import gc
import re
from collections.abc import Mapping
from typing import Any

import orjson
from flask import request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from mlmonkey.errors import Problem
from mlmonkey.schema import short

JSON = "application/json"
UTF_8 = ("utf-8", "utf8", "us-ascii")
ROOM = 100_000  # lists and objects in a JSON that any model's requests may hold
PER_ROW = 20  # and so many more for each row that a request may have
# not JSON (RFC 8259), yet what several languages write for a missing or overflown number
NOT_FINITE = re.compile(r"-?(nan|inf)", re.IGNORECASE)
TEXTS = re.compile(rb'((?:"[^"\\]*+(?:\\.[^"\\]*+)*+"?[^"N]*+)++)', re.DOTALL)  # of a JSON


def read_body(environ: Mapping[str, Any], limits: Mapping[str, int]) -> Any:
    """The request's JSON.

    Raises:
        Problem: 415 for other content; as `read_bytes` and `parse`.
    """
    if not is_plain_json(environ):
        check_is_json()
    return parse(read_bytes(environ, limits["max_bytes"]), limits["max_rows"])


def parse(content: bytes, max_rows: int) -> Any:
    """A JSON's value.

    Raises:
        Problem: 400 for what is no JSON, 413 as `load`, 422 for infinite numbers.
    """
    try:
        return load(content, max_rows)
    except orjson.JSONDecodeError as error:
        # the position is that of the word, or of the sign's next letter
        if NOT_FINITE.match(error.doc, error.pos) or "number is infinity" in error.msg:
            raise Problem(422, f"a number is not finite: {error}; write null for a missing value",
                          expected="a finite number, or null") from None
        raise Problem(400, f"the body is not JSON: {error}") from None


def load(content: bytes, max_rows: int) -> Any:
    """A JSON's value.

    Python's search for garbage goes through all new lists again and again: 3 million of them, in
    16 MB, took ten seconds of a worker, which served nobody else.

    Raises:
        Problem: 413 for more lists and objects than the rows of a request need.
        orjson.JSONDecodeError: for what is no JSON.
    """
    if len(content) <= ROOM:
        return orjson.loads(content)
    most = ROOM + PER_ROW * max_rows
    if len(content) - len(content.translate(None, b"[{")) > most:
        raise Problem(413, f"more than {most:,} opening brackets in one body, which is the limit: "
                      "send the rows in parts")
    gc.disable()
    try:
        return orjson.loads(content)
    finally:
        gc.enable()


def read_python_json(content: bytes, max_rows: int) -> Any:
    """JSON in which a missing number may be NaN, as Python's clients of other protocols write it.

    Raises:
        Problem: 400, or 413 as `load`.
    """
    try:
        try:
            return load(content, max_rows)
        except orjson.JSONDecodeError:
            if b"NaN" not in content:
                raise
            parts = TEXTS.split(content)  # every other one is texts
            parts[::2] = [part.replace(b"NaN", b"null") for part in parts[::2]]
            return load(b"".join(parts), max_rows)
    except orjson.JSONDecodeError as error:
        raise Problem(400, f"the body is not JSON: {error}") from None


def is_plain_json(environ: Mapping[str, Any]) -> bool:
    """Whether the content is JSON in the usual spelling of its type."""
    return environ.get("CONTENT_TYPE") == JSON and "HTTP_CONTENT_ENCODING" not in environ


def check_is_json() -> None:
    """Refuse other content; takes 20 us, which the usual spelling is spared.

    Raises:
        Problem: 415.
    """
    kind, charset = request.mimetype, request.mimetype_params.get("charset", "utf-8").lower()
    coding = request.headers.get("Content-Encoding", "identity")
    if kind != "application/json" or charset not in ("utf-8", "utf8") or coding != "identity":
        said = ", ".join(filter(None, [request.content_type, coding.replace("identity", "")]))
        raise Problem(415, f"the content is {short(said or 'of no stated type')}, expected "
                      "application/json or text/csv in UTF-8, not compressed",
                      expected="application/json or text/csv")


def read_bytes(environ: Mapping[str, Any], most: int) -> bytes:
    """The request's body; straight from the server where its length is stated and allowed.

    Of chunks one byte more than allowed is read: werkzeug would cut them off there without a word.

    Raises:
        Problem: 400 where it broke off, or the server can't read it, such as chunks of a wrong
            size.
        RequestEntityTooLarge: for more bytes.
    """
    said = environ.get("CONTENT_LENGTH", "")
    body: bytes
    try:
        if said.isdecimal():
            length = int(said.lstrip("0")[:19] or 0)  # 19 digits are too many, int takes 4,300
            if length > most:
                raise RequestEntityTooLarge
            body = environ["wsgi.input"].read(length)
            if len(body) < length:
                raise broken_off(body, length)
        elif said or not environ.get("wsgi.input_terminated"):
            body = request.get_data(cache=False)
        elif len(body := environ["wsgi.input"].read(most + 1)) > most:
            raise RequestEntityTooLarge
        return body
    except (HTTPException, Problem):
        raise
    except Exception as error:  # of the server's reader, each server has its own
        raise Problem(400, f"the body can't be read: {type(error).__name__}") from None


def broken_off(body: bytes, length: int) -> Problem:
    """A client that says so many bytes, sends fewer and then no more: half a CSV is one, too."""
    return Problem(400, f"the body broke off after {len(body):,} of {length:,} bytes")


def read_csv_body() -> tuple[bytes, bool]:
    """The request's CSV, and whether its first line is a header (text/csv; header=absent).

    Raises:
        Problem: 415 for another encoding.
    """
    parameters = request.mimetype_params
    coding = request.headers.get("Content-Encoding", "identity")
    header = parameters.get("header", "present").lower()
    if parameters.get("charset", "utf-8").lower() not in UTF_8 or coding != "identity" \
            or header not in ("present", "absent"):
        raise Problem(415, f"the content is {short(request.content_type)}, {coding}; expected "
                      "text/csv in UTF-8, not compressed, header present or absent",
                      expected="text/csv")
    return read_bytes(request.environ, request.max_content_length or 0), header == "present"


def is_csv(environ: Mapping[str, Any]) -> bool:
    """Whether a CSV was sent."""
    return environ.get("CONTENT_TYPE") != JSON and request.mimetype == "text/csv"


def wants_csv(environ: Mapping[str, Any]) -> bool:
    """Whether the client prefers the answer as CSV."""
    if "text/csv" not in environ.get("HTTP_ACCEPT", ""):
        return False
    best = request.accept_mimetypes.best_match(["application/json", "text/csv"])
    return bool(best == "text/csv")
