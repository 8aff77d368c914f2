"""What POST /predict answers to rows: the model's words as a JSON object."""

import time
from typing import Any, NamedTuple

from mlmonkey.conformal import threshold, widen
from mlmonkey.endpoint import Endpoint, Served
from mlmonkey.errors import Problem
from mlmonkey.golden import Prediction
from mlmonkey.question import Question
from mlmonkey.rows import Rows
from mlmonkey.unusual import find_unusual


class Answer(NamedTuple):
    """What a model says, its classes, the limit of intervals and what is unusual, where asked."""

    found: Prediction
    classes: list[Any] | None
    limit: Any
    unusual: list[Any] | None


def ask(endpoint: Endpoint, served: Served, asked: Question, rows: Rows, ignored: int) -> Answer:
    """Let the model answer.

    Raises:
        Problem, NoInterval: for what it can't say.
    """
    model = served.model
    if asked.probabilities and model.classes is None:
        raise Problem(422, f"{model.identifier} predicts a number, which has no probabilities; "
                      "leave the key out")
    limit = threshold(model.metadata, asked.interval) if asked.interval else None
    found = endpoint.predict(served, rows, ignored + asked.unknown)
    unusual = find_unusual(rows, model.metadata) if asked.unusual else None
    return Answer(found, model.classes, limit, unusual)


def in_words(served: Served, asked: Question, answer: Answer, ignored: int,
             began: float) -> dict[str, Any]:
    """The answer as a JSON object; a request began so, by time.perf_counter()."""
    found, classes, limit, unusual = answer
    words = {"release": served.release, "result": found.labels.tolist()}
    if asked.probabilities:
        words |= {"probabilities": found.probabilities.tolist(), "classes": classes}
    if limit is not None:
        words |= widen(found, limit, classes)
    if unusual is not None:
        words["unusual"] = unusual
    if ignored + asked.unknown:
        words["ignored_keys"] = ignored + asked.unknown
    words["timing"] = int(1e6 * (time.perf_counter() - began)) / 1e6
    return words
