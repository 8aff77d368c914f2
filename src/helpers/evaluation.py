"""How good a model is, beside a dummy: folds, hold-out, and what each column is worth."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss, r2_score

from mlmonkey.golden import Prediction, predict_with
from src.helpers.configuration import Config
from src.helpers.recipe import Recipe
from src.helpers.scores import aligned, evaluation_block, score_answers, summarize
from src.helpers.splits import folds, hold_out, strata
from src.helpers.tables import Table

IMPORTANCE_ROWS = 2000  # more rows make the importances no truer, only slower
IMPORTANCE_REPEATS = 5
IMPORTANCE_ROUNDS = 500  # predictions in all: with many columns each is permuted less often


class Evaluation(NamedTuple):
    """Scores of a model or dummy, and what the report draws."""

    scores: list[dict[str, Any]]
    block: dict[str, Any]


class Parts(NamedTuple):
    """Row numbers to train on (n,), row numbers held out (m,), and the fold of each of the n."""

    training: np.ndarray
    hold_out: np.ndarray
    fold: np.ndarray


def split_rows(table: Table, config: Config, task: str) -> Parts:
    """Set the hold-out apart, then number the folds of the rest; say what is unusual."""
    groups = strata(table.y, task)
    held = hold_out(groups, config.hold_out, config.seed)
    training = np.setdiff1d(np.arange(len(table.y)), held)
    if not len(held):
        print("note: no hold-out, the scores are those of the folds")
    fold = folds(groups[training], config.folds, config.seed)
    if (fold < 0).any():
        print(f"note: {(fold < 0).sum()} class(es) with a single row are learned, never tested")
    return Parts(training, held, fold)


def evaluate(table: Table, parts: Parts, recipe: Recipe, config: Config,
             step: Any) -> tuple[Evaluation, Evaluation]:
    """Cross-validate and test on the hold-out: the model, and a dummy on the same rows."""
    dummy = recipe._replace(algorithm="dummy", parameters={}, functions=[])
    classes = np.unique(table.y) if recipe.task == "classification" else None
    strategy = f"{config.folds}-fold cross-validation"
    answers: list[tuple[Recipe, list[tuple[np.ndarray, Prediction]]]] = [(recipe, []), (dummy, [])]
    for number in range(config.folds):
        step(f"fold {number + 1} of {config.folds}")
        tested = parts.training[parts.fold == number]
        learned = parts.training[parts.fold != number]
        if len(tested):
            for one, given in answers:
                given.append((tested, _answer(one, table, learned, tested, classes)))
    if len(parts.hold_out):
        step("hold-out")
        for one, given in answers:
            given.append((parts.hold_out, _answer(one, table, parts.training, parts.hold_out,
                                                  classes)))
    results = []
    for _, given in answers:
        scored = [score_answers(recipe.task, table.y[rows], *answer, classes)
                  for rows, answer in given]
        last = len(scored) - bool(len(parts.hold_out))
        scores = summarize(scored[last:], "hold-out") + summarize(scored[:last], strategy)
        shown = given[last:] or given
        rows = np.concatenate([rows for rows, _ in shown])
        labels = np.concatenate([answer.labels for _, answer in shown])
        block = evaluation_block(recipe.task, "hold-out" if given[last:] else strategy,
                                 table.y[rows], labels, classes)
        results.append(Evaluation(scores, block))
    return results[0], results[1]


def explain(model: Any, table: Table, parts: Parts, seed: int, task: str) -> list[dict[str, Any]]:
    """Permutation importance of each column: how much log-loss or R2 is lost without it."""
    rows = parts.hold_out if len(parts.hold_out) else parts.training
    rows = np.random.default_rng(seed).permutation(rows)[:IMPORTANCE_ROWS]
    repeats = int(np.clip(IMPORTANCE_ROUNDS // table.X.shape[1], 1, IMPORTANCE_REPEATS))
    found = permutation_importance(model, table.X.iloc[rows], table.y[rows], random_state=seed,
                                   scoring=_log_loss if task == "classification" else _r2,
                                   n_repeats=repeats)
    order = np.argsort(-found.importances_mean, kind="stable")
    return [{"feature": str(table.X.columns[i]), "value": float(found.importances_mean[i]),
             "std": float(found.importances_std[i])} for i in order]


def _answer(recipe: Recipe, table: Table, learned: np.ndarray, tested: np.ndarray,
            classes: np.ndarray | None) -> Prediction:
    model = recipe.fit(table.X.iloc[learned], table.y[learned])
    with warnings.catch_warnings():
        # a category that only the tested rows hold is what prediction will meet too
        warnings.filterwarnings("ignore", message="Found unknown categories")
        answer = predict_with(model, table.X.iloc[tested])
    if classes is None or len(model.classes_) == len(classes):
        return answer
    return Prediction(answer.labels, aligned(answer.probabilities, model.classes_, classes))


def _log_loss(model: Any, X: pd.DataFrame, y: np.ndarray) -> float:
    return -float(log_loss(y, model.predict_proba(X), labels=model.classes_))


def _r2(model: Any, X: pd.DataFrame, y: np.ndarray) -> float:
    return float(r2_score(y, model.predict(X)))
