"""Scores with scikit-learn's names, from answers rather than from estimators; greater is better."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import metrics

Score = dict[str, Any]

GRID = 20  # bins of actual by predicted in the report of a regression


def score_answers(task: str, y: np.ndarray, labels: np.ndarray, probabilities: np.ndarray | None,
                  classes: np.ndarray | None) -> dict[str, float]:
    """Metric name -> value; a metric that these rows can't give is left out.

    Args:
        y: true values (n,).
        labels: predicted labels or numbers (n,).
        probabilities: (n, classes), None for regression.
        classes: labels in the order of the probabilities.
    """
    if task == "regression":
        scores = {
            "neg_mean_absolute_error": -metrics.mean_absolute_error(y, labels),
            "neg_root_mean_squared_error": -metrics.root_mean_squared_error(y, labels),
            "neg_median_absolute_error": -metrics.median_absolute_error(y, labels)}
        varied = len(y) > 1 and np.ptp(y) > 0
        return ({"r2": metrics.r2_score(y, labels)} if varied else {}) | scores
    assert probabilities is not None and classes is not None
    present = np.unique(y)
    recalls = [np.mean(labels[y == label] == label) for label in present]
    scores = {
        "accuracy": metrics.accuracy_score(y, labels),
        "balanced_accuracy": float(np.mean(recalls)),
        "f1_macro": metrics.f1_score(y, labels, labels=present, average="macro", zero_division=0),
        "neg_log_loss": -metrics.log_loss(y, probabilities, labels=classes)}
    if len(present) == len(classes) == 2:
        scores["roc_auc"] = metrics.roc_auc_score(y == classes[1], probabilities[:, 1])
    elif len(present) == len(classes):
        scores["roc_auc_ovr"] = metrics.roc_auc_score(y, probabilities, multi_class="ovr",
                                                      labels=classes)
    return scores


def summarize(per_fold: Sequence[dict[str, float]], strategy: str) -> list[Score]:
    """Mean and spread over folds, as the metadata's `scores` list; no spread for a single test."""
    names = dict.fromkeys(name for scores in per_fold for name in scores)
    summary = []
    for name in names:
        values = [scores[name] for scores in per_fold if name in scores]
        score: Score = {"metric": name, "strategy": strategy, "value": float(np.mean(values))}
        if len(per_fold) > 1:
            score["std"] = float(np.std(values))
        summary.append(score)
    return summary


def aligned(probabilities: np.ndarray, have: np.ndarray, want: np.ndarray) -> np.ndarray:
    """Probabilities (n, want) from an estimator that saw only some of the classes."""
    full = np.zeros((len(probabilities), len(want)))
    full[:, np.searchsorted(want, have)] = probabilities
    return full


def evaluation_block(task: str, strategy: str, y: np.ndarray, labels: np.ndarray,
                     classes: np.ndarray | None) -> dict[str, Any]:
    """What the report draws: counts only, never a row of anybody's data."""
    block: dict[str, Any] = {"strategy": strategy, "rows": len(y)}
    if task == "classification":
        counts = metrics.confusion_matrix(y, labels, labels=classes)
        return block | {"confusion": counts.tolist()}
    low, high = min(y.min(), labels.min()), max(y.max(), labels.max())
    edges = np.linspace(low, high if high > low else low + 1, GRID + 1)
    grid = np.histogram2d(y, labels, bins=[edges, edges])[0].astype(int)
    deciles = np.quantile(labels - y, np.linspace(0, 1, 11))
    return block | {"grid": grid.tolist(), "edges": edges.tolist(),
                    "residual_quantiles": deciles.tolist()}
