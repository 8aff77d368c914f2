"""The endpoint: a Flask application made from loaded models.

    app = create_app(store.load(identifier), release)
    app.extensions["endpoint"].serve(another, its_release)     # several, by name

| route         | answer                                                                        |
| POST /predict | labels or numbers; when asked probabilities, intervals, what is unusual       |
| GET /health   | this process is alive                                                         |
| GET /ready    | the model is loaded and its golden rows gave the numbers of training          |
| GET /info     | what clients need: columns, categories, ranges, an example row, scores, limits |
| GET /models   | the names that ?model= takes at each of these, and their versions             |

Each further group of routes is a file with `add_routes(app, endpoint)`. Errors: see replies.py.
"""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from flask import Flask, Response, request

from mlmonkey import counting, invocations, open_inference, openapi, page
from mlmonkey.answering import ask, in_words
from mlmonkey.bodies import is_csv, read_body, read_csv_body, wants_csv
from mlmonkey.csv_answers import answer_columns
from mlmonkey.csv_body import read_csv
from mlmonkey.endpoint import Endpoint
from mlmonkey.question import read_options, read_question
from mlmonkey.replies import answer_errors, as_csv, as_json
from mlmonkey.shortcut import WRONG, Shortcut
from mlmonkey.store import LoadedModel

MAX_BYTES = 16 * 2**20  # of one body, read into memory whole
MAX_ROWS = 50_000  # of one request: about a second of one worker, which answers nobody else then


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
    answer_errors(app)
    add_routes(app, endpoint)
    page.add_routes(app, endpoint)
    open_inference.add_routes(app, endpoint)
    invocations.add_routes(app, endpoint)
    openapi.add_routes(app, endpoint)
    counting.add_routes(app, endpoint)
    Shortcut(app, endpoint)
    return app


def add_routes(app: Flask, endpoint: Endpoint) -> None:
    """Add the routes of the table above."""
    app.add_url_rule("/predict", "predict", partial(predict, endpoint), methods=["POST"])
    app.add_url_rule("/health", "health", lambda: as_json({"status": "alive"}))
    app.add_url_rule("/ready", "ready", lambda: as_json(
        {"status": "ready", "model": str(endpoint.require().model.identifier)}))
    app.add_url_rule("/info", "info", lambda: as_json(endpoint.require().info))
    app.add_url_rule("/models", "models", partial(list_models, endpoint))


def predict(endpoint: Endpoint) -> Response:
    """Answer {"features": rows}, rows as lists in the schema's order or as records, or a CSV.

    With "probabilities": true the answer holds them as one list per row in the order of its
    "classes": a class may be a number or a boolean, which no JSON key can be, and long answers
    don't repeat the names in each row. "interval": 0.9 adds "lower" and "upper", or the "set"
    of each row; "unusual": true a list per row. Who accepts text/csv gets what a prediction's
    file holds.
    """
    began = time.perf_counter()
    environ, served, most = request.environ, endpoint.require(), endpoint.limits["max_rows"]
    if WRONG in environ:
        raise environ[WRONG]
    if is_csv(environ):
        asked = read_options({}, [], request.args)
        rows, ignored = read_csv(*read_csv_body(), served.model.metadata, most)
    else:
        asked = read_question(read_body(environ, endpoint.limits), most, request.args)
        rows, ignored = served.reader.read(asked.rows)
    answer = ask(endpoint, served, asked, rows, ignored)
    if wants_csv(environ):
        return as_csv(answer_columns(*answer, asked.probabilities is not False))
    return as_json(in_words(served, asked, answer, ignored, began))


def list_models(endpoint: Endpoint) -> Response:
    """The models in the order of the list given at start; the first one is the default."""
    endpoint.require()  # one there is, and what was named is one
    return as_json({"default": endpoint.names()[0], "models": [
        {key: endpoint.require(name).info[key] for key in (
            "model_name", "model_version", "task", "target", "timestamp")}
        for name in endpoint.names()]})
