"""The scoring protocol that MLflow's server and SageMaker's containers share.

| GET /ping         | 200 when the model answers                                             |
| POST /invocations | {"predictions": [...]} to one of the forms below                       |

{"dataframe_split": {"columns": [...], "data": [[...], ...]}}; {"dataframe_records": [{...}, ...]};
{"instances": [[...] or {...}, ...]}; {"inputs": the same, or {column: [...], ...}}. Lists without
names of columns are in the schema's order. A CSV begins with its header, unless the content is
text/csv; header=absent. Errors are {"error_code": ..., "message": ...} with the
statuses of replies.py.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from flask import Flask, Response, request

from mlmonkey.bodies import check_is_json, is_csv, read_bytes, read_csv_body, read_python_json
from mlmonkey.csv_body import read_csv
from mlmonkey.endpoint import Endpoint
from mlmonkey.errors import Problem
from mlmonkey.question import check_count
from mlmonkey.replies import as_json, errors_under, json_of

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
WORDS = {401: "UNAUTHENTICATED", 404: "RESOURCE_DOES_NOT_EXIST", 500: "INTERNAL_ERROR",
         503: "TEMPORARILY_UNAVAILABLE"}  # MLflow's; all others are BAD_REQUEST

LISTS, RECORDS = ({"type": "array", "minItems": 1, "items": {"$ref": f"#/components/schemas/{row}"}}
                  for row in ("Row", "Record"))
ASKED = {"type": "object", "oneOf": [{"required": [form]} for form in FORMS], "properties": {
    "dataframe_split": {"type": "object", "required": ["data"], "properties": {"data": LISTS}},
    "dataframe_records": RECORDS, "instances": {"anyOf": [LISTS, RECORDS]},
    "inputs": {"anyOf": [LISTS, RECORDS]}}}


def add_routes(app: Flask, endpoint: Endpoint) -> None:
    """Add the routes of the table above, and describe them."""
    app.add_url_rule("/ping", "ping", lambda: as_json({"ping": bool(endpoint.require())}))
    app.add_url_rule("/invocations", "invocations", partial(invoke, endpoint), methods=["POST"])
    errors_under(app, ("/ping/", "/invocations/"), lambda problem: {
        "error_code": WORDS.get(problem["status"], "BAD_REQUEST"), "message": problem["detail"]})

    def answers(**keys: str) -> dict[str, Any]:
        return {"200": {"description": "the answer", **json_of(keys)}, "default": {
            "description": "the error", **json_of({"error_code": "string", "message": "string"})}}
    endpoint.paths["/ping"] = {"get": {"summary": "A model answers",
                                       "responses": answers(ping="boolean")}}
    endpoint.paths["/invocations"] = {"post": {
        "summary": "Predict rows, as MLflow's server does", "requestBody": {
            "required": True, "content": {"application/json": {"schema": ASKED},
                                          "text/csv": {"schema": {"type": "string"}}}},
        "parameters": [{"$ref": "#/components/parameters/model"}],
        "responses": answers(predictions="array")}}


def invoke(endpoint: Endpoint) -> Response:
    """Answer the rows of a body in one of the forms above."""
    served, most = endpoint.require(), endpoint.limits["max_rows"]
    if is_csv(request.environ):
        rows, ignored = read_csv(*read_csv_body(), served.model.metadata, most)
    else:
        check_is_json()
        body = read_python_json(read_bytes(request.environ, endpoint.limits["max_bytes"]), most)
        rows, ignored = served.reader.read(read_rows(body, most))
    found = endpoint.predict(served, rows, ignored)
    return as_json({"predictions": found.labels.tolist()})


def read_rows(body: Any, most: int) -> list[Any]:
    """The rows as lists in the schema's order, or as records.

    Raises:
        Problem: 422 for another shape, 413 for more than so many rows.
    """
    forms = [form for form in FORMS if isinstance(body, dict) and form in body]
    if len(forms) != 1:
        raise Problem(422, f"the body must be an object with one of the keys {', '.join(FORMS)}")
    form, rows = forms[0], body[forms[0]]
    if form == "dataframe_split":
        rows = of_split(rows)
    elif form == "inputs" and isinstance(rows, dict):
        rows = of_columns(rows)
    if not isinstance(rows, list):
        raise Problem(422, f"{form} holds no list of rows")
    check_count(len(rows), most)
    return rows


def of_split(split: Any) -> Any:
    """Rows of names of columns beside lists; without names they come as they are."""
    if not isinstance(split, dict) or not isinstance(split.get("data"), list):
        raise Problem(422, 'dataframe_split holds no object with the list "data"')
    columns, data = split.get("columns"), split["data"]
    if columns is None:
        return data
    if not isinstance(columns, list) or len({str(name) for name in columns}) != len(columns):
        raise Problem(422, '"columns" is no list of different names')
    for number, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(columns):
            raise Problem(422, f"row {number} is no list of {len(columns)} values, as columns has")
    return [dict(zip(map(str, columns), row)) for row in data]


def of_columns(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of a list of values per column."""
    lengths = {len(values) if isinstance(values, list) else None for values in columns.values()}
    if len(lengths) != 1 or None in lengths:
        raise Problem(422, "inputs holds no lists of one length, one per column")
    return [dict(zip(columns, row)) for row in zip(*columns.values())]
