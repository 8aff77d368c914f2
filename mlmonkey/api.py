"""The endpoint: a Flask application made from one loaded model.

    app = create_app(store.load(identifier))

| route         | answer                                                                        |
| POST /predict | labels or numbers; when asked probabilities, intervals, what is unusual       |
| GET /health   | this process is alive                                                         |
| GET /ready    | the model is loaded and its golden rows gave the numbers of training          |
| GET /info     | what clients need: columns, categories, ranges, an example row, scores, limits |
| GET /         | a page to try it: one file, no network                                        |

Errors are application/problem+json (RFC 9457): type, title, status, detail, and where a value is at
fault row, column, value, expected. 400 not JSON, 413 too large, 415 other content, 422 does not fit
the model, 503 no model. Bad input never gives 500, and 200 never holds an error.
"""

import hashlib
import re
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from mlmonkey.conformal import NoInterval, largest_level, threshold, widen
from mlmonkey.question import Problem, as_sent, read_body, read_question
from mlmonkey.redact import traceback_without_cells
from mlmonkey.rows import Reader
from mlmonkey.schema import RowError, example_row
from mlmonkey.store import LoadedModel
from mlmonkey.unusual import find_unusual

MAX_BYTES = 16 * 2**20  # of one body, read into memory whole
MAX_ROWS = 50_000  # of one request: about a second of one worker, which answers nobody else then
PAGE = Path(__file__).with_name("try_page.html")


def create_app(model: LoadedModel | None, release: Mapping[str, Any],
               max_bytes: int = MAX_BYTES, max_rows: int = MAX_ROWS) -> Flask:
    """Make the application.

    Args:
        model: what answers; None answers 503 until `app.extensions["endpoint"].serve` gives one.
        release: what each answer says about the model: model_name, model_version, and the places
            model_location and model_metadata_location as relative paths.
        max_bytes, max_rows: of one request; more is refused with 413.
    """
    app = Flask("mlmonkey", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = max_bytes
    endpoint = Endpoint({"max_bytes": max_bytes, "max_rows": max_rows})
    app.extensions["endpoint"] = endpoint
    if model is not None:
        endpoint.serve(model, release)
    page, policy = read_page()
    app.add_url_rule("/predict", view_func=endpoint.predict, methods=["POST"])
    app.add_url_rule("/health", "health", lambda: as_json({"status": "alive"}))
    app.add_url_rule("/ready", view_func=endpoint.ready)
    app.add_url_rule("/info", view_func=endpoint.info)
    app.add_url_rule("/", "page", lambda: Response(page, mimetype="text/html", headers=policy))
    app.register_error_handler(Problem, lambda problem: as_problem(
        problem.status, problem.detail, problem.more))
    app.register_error_handler(NoInterval, lambda error: as_problem(422, str(error), {}))
    app.register_error_handler(RowError, lambda error: as_problem(422, str(error), {
        "row": error.row, "column": error.column, "value": as_sent(error.value),
        "expected": error.expected}))
    app.register_error_handler(HTTPException, on_http_error)
    app.register_error_handler(Exception, on_fault)
    return app


class Served(NamedTuple):
    """A model and what is said about it, exchanged as one."""

    model: LoadedModel
    release: dict[str, Any]
    info: dict[str, Any]
    reader: Reader


class Endpoint:
    """The routes that need a model."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self.limits = dict(limits)
        self.served: Served | None = None

    def serve(self, model: LoadedModel, release: Mapping[str, Any]) -> None:
        """Answer with this model from now on."""
        info = describe(model.metadata) | {"limits": self.limits}
        self.served = Served(model, dict(release), info, Reader(model.metadata["schema"]))

    def require(self) -> Served:
        """What is served now."""
        if self.served is None:
            raise Problem(503, "the model is not loaded yet; ask again in a moment")
        return self.served

    def ready(self) -> Response:
        """200 from the moment on that predictions will be right."""
        return as_json({"status": "ready", "model": str(self.require().model.identifier)})

    def info(self) -> Response:
        """What a client must know to ask."""
        return as_json(self.require().info)

    def predict(self) -> Response:
        """Answer {"features": rows}, rows as lists in the schema's order or as records.

        With "probabilities": true the answer holds them as one list per row in the order of its
        "classes": a class may be a number or a boolean, which no JSON key can be, and long answers
        don't repeat the names in each row. "interval": 0.9 adds "lower" and "upper", or the "set"
        of each row; "unusual": true a list per row.
        """
        began = time.perf_counter()
        model, release, _, reader = self.require()
        asked = read_question(read_body(), self.limits["max_rows"])
        if asked.probabilities and model.classes is None:
            raise Problem(422, f"{model.identifier} predicts a number, which has no probabilities; "
                          "leave the key out")
        limit = threshold(model.metadata, asked.interval) if asked.interval else None
        rows, ignored = reader.read(asked.rows)
        found = model.predict(rows)
        answer = {"release": release, "result": found.labels.tolist()}
        if asked.probabilities:
            answer |= {"probabilities": found.probabilities.tolist(), "classes": model.classes}
        if limit is not None:
            answer |= widen(found, limit, model.classes)
        if asked.unusual:
            answer["unusual"] = find_unusual(rows, model.metadata)
        if ignored + asked.unknown:
            answer["ignored_keys"] = ignored + asked.unknown
        return as_json(answer | {"timing": round(time.perf_counter() - began, 6)})


def describe(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What /info tells: no paths, no values of private columns, no configuration."""
    example = example_row(metadata["schema"])
    target = {key: metadata["target"][key] for key in ("name", "dtype", "classes")
              if key in metadata["target"]}
    return {"model_name": metadata["model_name"], "model_version": metadata["model_version"],
            "model_type": metadata["model_type"], "task": metadata["task"], "target": target,
            "features": describe_features(metadata["schema"], example), "example": example,
            "scores": metadata["scores"], "largest_interval": largest_level(metadata),
            "timestamp": metadata["timestamp"]}


def describe_features(schema: Sequence[Mapping[str, Any]],
                      example: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Per column: name, dtype, example, and unless it is private categories or range."""
    found = []
    for feature in schema:
        one = {"name": feature["name"], "dtype": feature["dtype"]}
        if not feature.get("private"):
            if "minimum" in feature and feature["dtype"] != "boolean":
                number = int if feature["dtype"] == "integer" else lambda value: value
                one |= {key: number(feature[key]) for key in ("minimum", "maximum")}
            if "categories" in feature:
                one["categories"] = [each["value"] for each in feature["categories"]]
            one["example"] = example[feature["name"]]
        found.append(one)
    return found


def read_page() -> tuple[str, dict[str, str]]:
    """The try-it page, and headers that let it run its own script and style and nothing else."""
    page = PAGE.read_text(encoding="utf-8")
    hashes = {tag: b64encode(hashlib.sha256(text.encode()).digest()).decode()
              for tag, text in re.findall(r"<(script|style)>(.*?)</\1>", page, re.DOTALL)}
    policy = ("default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; "
              "form-action 'none'; frame-ancestors 'none'; "
              + "; ".join(f"{tag}-src 'sha256-{digest}'" for tag, digest in hashes.items()))
    return page, {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff",
                  "Cache-Control": "no-cache"}


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
    current_app.logger.error(traceback_without_cells(error))
    return as_problem(500, "the model's code failed on this request; the server's log says where",
                      {})


def as_json(content: Any, status: int = 200, kind: str = "application/json") -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(content), status, mimetype=kind)


def as_problem(status: int, detail: str, more: Mapping[str, Any]) -> Response:
    """An error; about:blank means that the title is the status's own."""
    return as_json({"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status,
                    "detail": detail, **more}, status, "application/problem+json")
