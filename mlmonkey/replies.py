"""What every route answers with: JSON, and errors as application/problem+json (RFC 9457).

type, title, status, detail, and where a value is at fault row, column, value, expected. 400 not
JSON, 404 no such route or model, 413 too large, 415 other content, 422 does not fit the model, 503
no model. Bad input never gives 500, and 200 never holds an error.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from itertools import chain
from typing import Any

import orjson
from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from mlmonkey.conformal import NoInterval
from mlmonkey.csv_answers import csv_cells, csv_lines
from mlmonkey.errors import Problem
from mlmonkey.question import as_sent
from mlmonkey.redact import traceback_without_cells
from mlmonkey.schema import RowError

PROBLEM = "application/problem+json"
FORMS = "mlmonkey_error_forms"  # of protocols, by their paths, among an application's extensions


def answer_errors(app: Flask) -> None:
    """Make every error of an application a problem in this form."""
    app.register_error_handler(Problem, lambda problem: as_problem(
        problem.status, problem.detail, problem.more))
    app.register_error_handler(NoInterval, lambda error: as_problem(422, str(error), {}))
    app.register_error_handler(RowError, lambda error: as_problem(422, str(error), {
        "row": error.row, "column": error.column, "value": as_sent(error.value),
        "expected": error.expected}))
    app.register_error_handler(HTTPException, on_http_error)
    app.register_error_handler(Exception, on_fault)


def errors_under(app: Flask, paths: tuple[str, ...],
                 form: Callable[[Mapping[str, Any]], Any]) -> None:
    """Give the errors of these paths and those below them a protocol's form, made of a problem.

    Args:
        paths: each ends with a slash, such as /v2/ for /v2 and what is below it.
    """
    app.extensions.setdefault(FORMS, {})[paths] = form


def json_of(keys: Mapping[str, str]) -> dict[str, Any]:
    """What OpenAPI says of a JSON object that has at least these keys, with their types."""
    return {"content": {"application/json": {"schema": {
        "type": "object", "required": list(keys),
        "properties": {key: {"type": kind} for key, kind in keys.items()}}}}}


def on_http_error(error: HTTPException) -> Response:
    """404, 405, 413 and whatever else Flask finds, in the form of all other errors."""
    status, detail = error.code or 500, error.description or ""
    if status == 413:
        detail = f"the body is larger than {request.max_content_length:,} bytes, which is the limit"
    answer = as_problem(status, detail, {})
    if getattr(error, "valid_methods", None):
        answer.headers["Allow"] = ", ".join(error.valid_methods)  # type: ignore[attr-defined]
    return answer


def on_fault(error: Exception) -> Response:
    """A fault of the code, such as src/model/features.py: the log says where, never what was sent.

    Flask would log the error's words, which may quote the request.
    """
    identifier = request.environ.get("endpoint.id", "without an id")
    current_app.logger.error(f"request {identifier}: {traceback_without_cells(error)}")
    return as_problem(500, "the model's code failed on this request; the server's log says where",
                      {})


def as_json(content: Any, status: int = 200, kind: str = "application/json") -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(content), status, content_type=kind)


def as_csv(columns: Mapping[str, Any]) -> Response:
    """A table as CSV."""
    lines = chain([",".join(csv_cells(list(columns))) + "\n"], csv_lines(columns))
    return Response("".join(lines), content_type="text/csv; charset=utf-8; header=present")


def as_problem(status: int, detail: str, more: Mapping[str, Any]) -> Response:
    """An error of the request that Flask is answering."""
    return problem_at(current_app, request.path, status, detail, more)


def problem_at(app: Flask, path: str, status: int, detail: str,
               more: Mapping[str, Any]) -> Response:
    """An error in the form of this path; about:blank means that the title is the status's own."""
    problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status,
               "detail": detail, **more}
    for paths, form in app.extensions.get(FORMS, {}).items():
        if f"{path}/".startswith(paths):
            return as_json(form(problem), status)
    return as_json(problem, status, PROBLEM)
