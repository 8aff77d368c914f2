"""Scores carry scikit-learn's names and its values."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer, get_scorer_names

from src.helpers.scores import aligned, evaluation_block, score_answers, summarize


@pytest.mark.parametrize("classes", [2, 3])
def test_classification_scores_are_those_of_the_scorers(classes: int) -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(90, 3))
    y = np.array(["a", "b", "c"])[(X[:, 0] + random.normal(size=90) > 0) * (classes - 1)
                                  * (X[:, 1] > 0) + (X[:, 2] > 0) * (classes == 2)
                                  if classes == 3 else (X[:, 0] > 0) * 1]
    model = LogisticRegression().fit(X, y)
    probabilities = model.predict_proba(X)
    labels = model.classes_[probabilities.argmax(axis=1)]
    scores = score_answers("classification", y, labels, probabilities, model.classes_)
    for name, value in scores.items():
        assert name in get_scorer_names()
        assert value == pytest.approx(get_scorer(name)(model, X, y)), name


def test_regression_scores_are_those_of_the_scorers() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(50, 3))
    y = X[:, 0] + random.normal(size=50)
    model = Ridge().fit(X, y)
    scores = score_answers("regression", y, model.predict(X), None, None)
    assert len(scores) == 4
    for name, value in scores.items():
        assert value == pytest.approx(get_scorer(name)(model, X, y)), name


def test_what_a_fold_cannot_give_is_left_out() -> None:
    y, classes = np.array(["a", "a"]), np.array(["a", "b"])
    scores = score_answers("classification", y, y, np.array([[1.0, 0], [0.5, 0.5]]), classes)
    assert "roc_auc" not in scores and scores["balanced_accuracy"] == 1
    assert "r2" not in score_answers("regression", np.array([1.0]), np.array([2.0]), None, None)
    summary = summarize([{"r2": 1.0, "x": 0.0}, {"x": 2.0}], "2-fold")
    assert summary == [{"metric": "r2", "strategy": "2-fold", "value": 1.0, "std": 0.0},
                       {"metric": "x", "strategy": "2-fold", "value": 1.0, "std": 1.0}]


def test_probabilities_of_fewer_classes_are_put_in_place() -> None:
    full = aligned(np.array([[0.25, 0.75]]), np.array(["a", "c"]), np.array(["a", "b", "c"]))
    assert full.tolist() == [[0.25, 0, 0.75]]


def test_evaluation_blocks_hold_counts_only() -> None:
    y = np.array([1.0, 2.0, 3.0])
    block = evaluation_block("regression", "hold-out", y, y, None)
    assert np.sum(block["grid"]) == 3 and len(block["edges"]) == 21
    constant = evaluation_block("regression", "hold-out", y[:1], y[:1], None)
    assert np.sum(constant["grid"]) == 1
    labels = np.array(["a", "b"])
    block = evaluation_block("classification", "x", labels, labels, np.array(["a", "b", "c"]))
    assert block["confusion"] == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
