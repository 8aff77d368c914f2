"""Golden rows: drawn from the schema, answered in training, and answered again at every load."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mlmonkey.metadata import installed_versions

RELATIVE_TOLERANCE = 1e-9


class Prediction(NamedTuple):
    """Answers for n rows: labels (n,), and probabilities (n, classes) or None for regression."""

    labels: Any
    probabilities: Any


Predict = Callable[[Any], Prediction]  # of canonical rows; see mlmonkey.rows


def predict_with(estimator: Any, frame: Any) -> Prediction:
    """Labels and probabilities of a fitted estimator; the label is the most probable class."""
    if not hasattr(estimator, "predict_proba"):
        return Prediction(estimator.predict(frame), None)
    probabilities = estimator.predict_proba(frame)
    return Prediction(estimator.classes_[probabilities.argmax(axis=1)], probabilities)


def golden_outputs(predict: Predict, rows: Sequence[Any],
                   schema: Sequence[Any]) -> dict[str, Any]:
    """What a model answers to the golden rows, as JSON."""
    from mlmonkey.rows import Reader
    labels, probabilities = predict(Reader(schema).read(rows)[0])
    return {"predictions": labels.tolist(),
            "probabilities": None if probabilities is None else probabilities.tolist()}


def golden_difference(predict: Predict, golden: Mapping[str, Any],
                      schema: Sequence[Any]) -> str | None:
    """Where the golden rows' answers differ from training, in words; None when they agree."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other library versions warn; the numbers decide
        try:
            seen = golden_outputs(predict, golden["rows"], schema)
        except Exception as error:  # whatever other versions, or edited rows, make it raise
            return f"they can't be answered: {' '.join(str(error).split())[:200]}"
    for key in ("predictions", "probabilities"):
        before, after = golden[key] or [], seen[key] or []
        if len(before) != len(after):
            return f"{len(before)} {key} became {len(after)}"
        for row, (was, now) in enumerate(zip(before, after, strict=True)):
            if not _same(was, now):
                return f"row {row}: {was} became {now}"
    return None


def _same(was: Any, now: Any) -> bool:
    if isinstance(was, list) and isinstance(now, list):
        return len(was) == len(now) and all(map(_same, was, now))
    if isinstance(was, float) and isinstance(now, float):
        return abs(was - now) <= max(RELATIVE_TOLERANCE * max(abs(was), abs(now)), 1e-15)
    return bool(was == now)


def moved_versions(metadata: Mapping[str, Any]) -> str:
    """Libraries whose version differs from the training's, in words."""
    was = metadata["environment"]["libraries"]
    now = installed_versions(was)
    return ", ".join(f"{name} {was[name]} -> {now[name]}" for name in was if was[name] != now[name])
