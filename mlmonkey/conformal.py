"""How far off an answer may be: intervals of numbers and sets of classes, by conformal prediction.

Cross-validation answered every training row by models that had not seen it. How wrong it was is a
score: |y - answer| of a number (Lei et al., JASA 2018), 1 - probability of the true class (LAC:
Sadinle, Lei, Wasserman, JASA 2019). What lies within the ceil((n + 1) * level)-th smallest of n
scores belongs to the interval or set (Vovk, Gammerman, Shafer 2005; across folds: Vovk 2015).

Marginal and for exchangeable rows: over many rows like those of the training, the share asked for
holds the truth; a single kind of row may fare better or worse. Exact where the scores are the
served model's own; here they are those of the folds' models, which had fewer rows to learn from.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlmonkey.errors import UserError
from mlmonkey.golden import Prediction

STEPS = 200  # thresholds are kept for every half percent
MIN_ROWS = 20  # with fewer scores, what they say is chance
CHECKED = 0.9  # the level at which training counts the hold-out rows that are covered

Answered = tuple[np.ndarray, Prediction]


class NoInterval(UserError):
    """A model can't answer with the interval asked for; the text says why."""


def intervals_block(folds: Sequence[Answered], hold_out: Sequence[Answered],
                    classes: np.ndarray | None) -> dict[str, Any] | None:
    """What metadata keeps: a threshold for each half percent that the rows are enough for.

    Args:
        folds: true values (n,) and answers that cross-validation gave, part by part.
        hold_out: the same of rows that no model has seen, to count how many are covered.
        classes: labels in the order of the probabilities; None for numbers.

    Returns:
        None for fewer than MIN_ROWS rows.
    """
    scores = np.sort(np.concatenate([_scores(y, answer, classes) for y, answer in folds]))
    ranks = -(-(len(scores) + 1) * np.arange(1, STEPS) // STEPS)
    thresholds = scores[ranks[ranks <= len(scores)] - 1]
    thresholds = thresholds[np.isfinite(thresholds)]
    if len(scores) < MIN_ROWS or not len(thresholds):
        return None
    block = {"rows": len(scores), "thresholds": thresholds.tolist()}
    if hold_out and len(thresholds) >= _place(CHECKED):
        limit = thresholds[_place(CHECKED) - 1]
        covered = sum(int(((_scores(y, answer, classes) <= limit) | (answer.labels == y)).sum())
                      for y, answer in hold_out)
        block["hold_out"] = {"level": CHECKED, "rows": sum(len(y) for y, _ in hold_out),
                             "covered": covered}
    return block


def threshold(metadata: Mapping[str, Any], level: float) -> float:
    """The largest score that still belongs to an interval; a level between two steps goes up.

    Args:
        level: share of the truths to be held, above 0 and below 1.

    Raises:
        NoInterval: when the model keeps no thresholds, or too few for this level.
    """
    name = f"{metadata['model_name']}-v{metadata['model_version']}"
    if "intervals" not in metadata:
        raise NoInterval(f"{name} has no intervals: it is older than they are, or has fewer than "
                         f"{MIN_ROWS} rows, or its target is a private number; leave interval out, "
                         "or train anew: make train")
    thresholds = metadata["intervals"]["thresholds"]
    if _place(level) > len(thresholds):
        raise NoInterval(f"interval {level}: {name} goes up to {largest_level(metadata)}; it was "
                         f"tested on {metadata['intervals']['rows']:,} rows")
    return float(thresholds[_place(level) - 1])


def largest_level(metadata: Mapping[str, Any]) -> float | None:
    """The largest level that a model can answer with; None when it has no intervals."""
    return len(metadata["intervals"]["thresholds"]) / STEPS if "intervals" in metadata else None


def widen(answer: Prediction, limit: float, classes: Sequence[Any] | None) -> dict[str, list[Any]]:
    """`lower` and `upper` of each number (n,), or the `set` of labels of each row (n lists).

    A set begins with the most probable label, which is the prediction, and is never empty.
    """
    if classes is None:
        return {"lower": (answer.labels - limit).tolist(),
                "upper": (answer.labels + limit).tolist()}
    order = np.argsort(-answer.probabilities, axis=1, kind="stable")
    sizes = np.maximum(1, (1 - answer.probabilities <= limit).sum(axis=1))
    return {"set": [[classes[place] for place in row[:size]]
                    for row, size in zip(order, sizes, strict=True)]}


def _scores(y: np.ndarray, answer: Prediction, classes: np.ndarray | None) -> np.ndarray:
    if classes is None:
        with np.errstate(over="ignore"):
            return np.asarray(np.abs(y - answer.labels), dtype=np.float64)
    return np.asarray(1 - answer.probabilities[np.arange(len(y)), np.searchsorted(classes, y)])


def _place(level: float) -> int:
    """Which of the steps a level is, from 1; 0.9 is 180 although 0.9 * 200 may be a little more."""
    return max(1, int(np.ceil(level * STEPS - 1e-9)))
