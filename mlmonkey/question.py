"""What a request to POST /predict asks, or the problem with it.

Options are keys of the JSON, or parameters of the address, which a CSV needs; a key counts before a
parameter. An unknown key is counted and passed over, for records come with more keys than are
asked for; an unknown parameter is refused, for somebody typed it.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from werkzeug.datastructures import ImmutableMultiDict, MultiDict

from mlmonkey.errors import Problem
from mlmonkey.schema import short

FEATURES = "a list of rows, each a list or a record, or one row"
SWITCHES = ("probabilities", "unusual")
KEYS = {"features", "interval", *SWITCHES}
NONE: MultiDict[str, str] = ImmutableMultiDict()
PARAMETERS = (*SWITCHES, "interval", "model")  # the endpoint itself reads the last one
WORDS = {"true": True, "false": False}
NUMBER = re.compile(r"[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?")


class Question(NamedTuple):
    """Rows, what is asked about them, and how many other keys there are.

    `probabilities` is None where nobody said.
    """

    rows: list[Any]
    probabilities: bool | None
    unusual: bool
    interval: float | None
    unknown: int


def read_question(body: Any, max_rows: int, args: MultiDict[str, str] = NONE) -> Question:
    """The question in a request's JSON and its address, whose parameters are `args`.

    Raises:
        Problem: 422 for another shape, 413 for too many rows.
    """
    if not isinstance(body, dict) or "features" not in body:
        raise Problem(422, 'the body must be an object with the key "features"',
                      expected='{"features": ...}: ' + FEATURES)
    rows = body["features"]
    if isinstance(rows, dict) or (isinstance(rows, list) and rows
                                  and not isinstance(rows[0], (list, dict))):
        rows = [rows]
    if not isinstance(rows, list):
        raise Problem(422, f'"features" holds no row: it is {short(rows)}', expected=FEATURES)
    check_count(len(rows), max_rows)
    return read_options(body, rows, args)


def check_count(rows: int, most: int) -> None:
    """Refuse no row, and too many.

    Raises:
        Problem: 422 or 413.
    """
    if not rows:
        raise Problem(422, "there is no row in it", expected=FEATURES)
    if rows > most:
        raise Problem(413, f"more than {most:,} rows in one request, which is the limit: send them "
                      "in parts, or use make prediction", max_rows=most)


def read_options(body: Mapping[str, Any], rows: list[Any],
                 args: MultiDict[str, str] = NONE) -> Question:
    """The question about these rows, of the JSON's keys and the address's parameters.

    Raises:
        Problem: 422 for a wrong value or an unknown parameter.
    """
    if args:
        parameters = read_parameters(args)
        read_options(parameters, rows)  # a wrong one is told, even where the body's counts
        body = {**parameters, **body}
    for switch in SWITCHES:
        if not isinstance(body.get(switch, False), bool):
            raise Problem(422, f'"{switch}" must be true or false', expected="true or false")
    interval = body.get("interval")
    if interval is not None and not (isinstance(interval, float) and 0 < interval < 1):
        raise Problem(422, f'"interval" is {short(interval)}', value=as_sent(interval),
                      expected="a share above 0 and below 1, such as 0.9")
    return Question(rows, body.get("probabilities"), body.get("unusual", False), interval,
                    len(body.keys() - KEYS) if len(body) > 1 else 0)


def read_parameters(args: MultiDict[str, str]) -> dict[str, Any]:
    """The address's parameters as a JSON would have them; texts that are no such value stay texts.

    Raises:
        Problem: 422 for a parameter that is unknown, or is there twice.
    """
    asked = args.to_dict(flat=False)
    for name, values in asked.items():
        if name not in PARAMETERS:
            raise Problem(422, f"there is no parameter {short(name)}", parameter=as_sent(name),
                          expected="one of: " + ", ".join(PARAMETERS))
        if len(values) > 1:
            raise Problem(422, f"the parameter {name} is there twice", parameter=name)
    found: dict[str, Any] = {name: WORDS.get(asked[name][0], asked[name][0])
                             for name in SWITCHES if name in asked}
    if "interval" in asked:
        text = asked["interval"][0]
        found["interval"] = float(text) if NUMBER.fullmatch(text) else text
    return found


def as_sent(value: Any) -> Any:
    """A refused value as it came, or shortened."""
    if isinstance(value, (list, dict)) or (isinstance(value, str) and len(value) > 60):
        return short(value)
    return value
