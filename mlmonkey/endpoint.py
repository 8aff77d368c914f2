"""What the endpoint serves: one or several models by name, each exchanged as one.

Routes ask `endpoint.require()`, which gives the model that the request names with ?model=, or the
first one. A request names a model of this list and nothing else: no file, no version, no path.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from flask import request

from mlmonkey.conformal import largest_level
from mlmonkey.csv_body import write_csv
from mlmonkey.errors import Problem
from mlmonkey.golden import Prediction
from mlmonkey.rows import Reader, Rows
from mlmonkey.schema import example_row, short
from mlmonkey.store import LoadedModel


class Served(NamedTuple):
    """A model and what is said about it, exchanged as one."""

    model: LoadedModel
    release: dict[str, Any]
    info: dict[str, Any]
    reader: Reader


class Endpoint:
    """The models that are served, and the limits of a request."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self.limits = dict(limits)
        self.observers: list[Callable[[Served, Rows, Prediction, int], None]] = []
        self.paths: dict[str, Any] = {}  # routes as OpenAPI describes them, for /openapi.json
        self.open: Collection[str] | None = None  # addresses without a token, where one is wanted
        self._served: dict[str, Served] = {}

    def serve(self, model: LoadedModel, release: Mapping[str, Any]) -> None:
        """Answer with this model from now on; one of the same name goes, others stay."""
        info = describe(model.metadata) | {"limits": self.limits}
        self._served[model.identifier.name] = Served(
            model, dict(release), info, Reader(model.metadata["schema"]))

    def predict(self, served: Served, rows: Rows, ignored: int = 0) -> Prediction:
        """What the model answers to these rows; every route that predicts comes through here.

        Args:
            ignored: keys of the request that the model doesn't know, for who counts them.
        """
        found = served.model.predict(rows)
        for observe in self.observers:
            observe(served, rows, found, ignored)
        return found

    def names(self) -> list[str]:
        """The names that are served; the first one answers who names none."""
        return list(self._served)

    def first(self) -> Served:
        """What answers who names none.

        Raises:
            Problem: 503 before any does.
        """
        if not self._served:
            raise Problem(503, "the model is not loaded yet; ask again in a moment")
        return next(iter(self._served.values()))

    def require(self, name: str | None = None) -> Served:
        """What is served under this name; without one, under that of ?model=, or the first.

        Raises:
            Problem: 404 for a name that isn't served, 503 before any is.
        """
        served, first = self._served, self.first()
        if name is None and request.query_string:
            name = request.args.get("model")
        if name is None:
            return first
        if name not in served:
            secret = self.open is not None and request.path in self.open  # asked without a token
            more = {} if secret else {"expected": "one of: " + ", ".join(served),
                                      "models": list(served)}
            raise Problem(404, f"no model called {short(name)} is served here", **more)
        return served[name]


def describe(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What /info tells: no paths, no values of private columns, no configuration."""
    example = example_row(metadata["schema"])
    target = {key: metadata["target"][key] for key in ("name", "dtype", "classes")
              if key in metadata["target"]}
    return {"model_name": metadata["model_name"], "model_version": metadata["model_version"],
            "model_type": metadata["model_type"], "task": metadata["task"], "target": target,
            "features": describe_features(metadata["schema"], example), "example": example,
            "example_csv": write_csv(example, metadata), "scores": metadata["scores"],
            "largest_interval": largest_level(metadata), "timestamp": metadata["timestamp"]}


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
