"""What a request to POST /predict asks, or the problem with it."""

import re
from typing import Any, NamedTuple

import orjson
from flask import request

from mlmonkey.schema import short

FEATURES = "a list of rows, each a list or a record, or one row"
SWITCHES = ("probabilities", "unusual")
# not JSON (RFC 8259), yet what several languages write for a missing or overflown number
NOT_FINITE = re.compile(r"-?(nan|inf)", re.IGNORECASE)


class Problem(Exception):
    """What is wrong with a request, and the status that says so; `more` goes into the answer."""

    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.more = status, detail, more


class Question(NamedTuple):
    """Rows, what is asked about them, and how many other keys there are."""

    rows: list[Any]
    probabilities: bool
    unusual: bool
    interval: float | None
    unknown: int


def read_body() -> Any:
    """The request's JSON.

    Raises:
        Problem: 415 for other content, 400 for what is no JSON, 422 for infinite numbers.
    """
    kind, charset = request.mimetype, request.mimetype_params.get("charset", "utf-8").lower()
    coding = request.headers.get("Content-Encoding", "identity")
    if kind != "application/json" or charset not in ("utf-8", "utf8") or coding != "identity":
        said = ", ".join(filter(None, [request.content_type, coding.replace("identity", "")]))
        raise Problem(415, f"the content is {short(said or 'of no stated type')}, expected "
                      "application/json in UTF-8, not compressed", expected="application/json")
    try:
        return orjson.loads(request.get_data(cache=False))
    except orjson.JSONDecodeError as error:
        # the position is that of the word, or of the sign's next letter
        if NOT_FINITE.match(error.doc, error.pos) or "number is infinity" in error.msg:
            raise Problem(422, f"a number is not finite: {error}; write null for a missing value",
                          expected="a finite number, or null") from None
        raise Problem(400, f"the body is not JSON: {error}") from None


def read_question(body: Any, max_rows: int) -> Question:
    """The question in a request's JSON.

    Raises:
        Problem: 422 for another shape, 413 for too many rows.
    """
    if not isinstance(body, dict) or "features" not in body:
        raise Problem(422, 'the body must be an object with the key "features"',
                      expected='{"features": ...}: ' + FEATURES)
    for switch in SWITCHES:
        if not isinstance(body.get(switch, False), bool):
            raise Problem(422, f'"{switch}" must be true or false', expected="true or false")
    rows, interval = body["features"], body.get("interval")
    if interval is not None and not (isinstance(interval, float) and 0 < interval < 1):
        raise Problem(422, f'"interval" is {short(interval)}', value=as_sent(interval),
                      expected="a share above 0 and below 1, such as 0.9")
    if isinstance(rows, dict) or (isinstance(rows, list) and rows
                                  and not isinstance(rows[0], (list, dict))):
        rows = [rows]
    if not isinstance(rows, list) or not rows:
        raise Problem(422, f'"features" holds no row: it is {short(rows)}', expected=FEATURES)
    if len(rows) > max_rows:
        raise Problem(413, f"{len(rows):,} rows in one request; at most {max_rows:,} are answered: "
                      "send them in parts, or use make prediction", max_rows=max_rows)
    return Question(rows, body.get("probabilities", False), body.get("unusual", False), interval,
                    len(body.keys() - {"features", "interval", *SWITCHES}))


def as_sent(value: Any) -> Any:
    """A refused value as it came, or shortened."""
    if isinstance(value, (list, dict)) or (isinstance(value, str) and len(value) > 60):
        return short(value)
    return value
