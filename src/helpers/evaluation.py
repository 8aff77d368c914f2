"""How good a model is, beside a dummy: folds, hold-out, and what each column is worth."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, r2_score

from mlmonkey.conformal import intervals_block
from mlmonkey.errors import UserError
from mlmonkey.golden import Prediction, predict_with
from src.helpers.configuration import Config
from src.helpers.recipe import Recipe, learns_in_folds
from src.helpers.scores import aligned, evaluation_block, score_answers, summarize
from src.helpers.splits import copies, folds, hold_out, latest, spans, strata, tie
from src.helpers.tables import Table

IMPORTANCE_ROWS = 500, 2000  # at least, at most: more make the importances no truer, only slower
IMPORTANCE_ANSWERS = 50_000  # of all permutations together; the blend needs a second for them
IMPORTANCE_REPEATS = 5
IMPORTANCE_ROUNDS = 500  # permutations in all: with many columns each is permuted less often
PREDICTED_ROWS = 50_000  # at once, of all permutations together


class Evaluation(NamedTuple):
    """Scores of a model or dummy, what the report draws, and what intervals are made from.

    `answers` are labels or numbers for rows that were not learned from: all folds and the hold-out.
    """

    scores: list[dict[str, Any]]
    block: dict[str, Any]
    intervals: dict[str, Any] | None
    answers: np.ndarray


class Parts(NamedTuple):
    """Row numbers to train on (n,), row numbers held out (m,), and the fold of each of the n."""

    training: np.ndarray
    hold_out: np.ndarray
    fold: np.ndarray


def split_rows(table: Table, config: Config, task: str) -> Parts:
    """Set the hold-out apart, then number the folds of the rest; say what is unusual."""
    groups, units = strata(table.y, task), units_of(table)
    if table.times is None:
        held = hold_out(groups, config.hold_out, config.seed, units)
    else:
        known = groups if task == "classification" else np.zeros_like(groups)
        held = latest(table.times, known, config.hold_out, units)
        print(f"note: the hold-out is the latest by {config.time!r}; folds are spans of time, each "
              "tested by earlier and later ones: trust the hold-out more")
    training = np.setdiff1d(np.arange(len(table.y)), held)
    if not len(held):
        print("note: no hold-out, the scores are those of the folds")
    fold = number_folds(table, task, config, training, units)
    if (fold < 0).any():
        print(f"note: {(fold < 0).sum():,} row(s) are learned, never tested: no row that is not "
              "kept with them has their class")
    return Parts(training, held, fold)


def number_folds(table: Table, task: str, config: Config, rows: np.ndarray,
                 units: np.ndarray) -> np.ndarray:
    """The fold (n,) of each of some rows; see splits.py.

    Raises:
        UserError: when what the options keep together leaves nothing to test.
    """
    groups, units, classes = strata(table.y, task)[rows], units[rows], task == "classification"
    if table.times is None:
        fold = folds(groups, config.folds, config.seed, units, classes)
    else:
        fold = spans(table.times[rows], groups if classes else groups * 0, config.folds, units)
    if fold.max() >= 0 and fold.min() < fold.max():
        return fold
    if table.groups is None and table.times is None:  # a handful of rows, copied many times
        fold = folds(groups, config.folds, config.seed)
        if fold.max() >= 0:
            return fold
        raise UserError(f"--hold-out {config.hold_out:g} leaves one row of each class of "
                        f"{table.target['name']!r}, and none to test it with; choose a smaller one")
    option = f"--time {config.time}" if config.group is None else f"--group {config.group}"
    raise UserError(f"{option}: kept together like this no row can be tested by others"
                    + (" that know its class" if classes else "") + "; choose another column")


def units_of(table: Table) -> np.ndarray:
    """What never straddles a split (n,): copies of a row, and groups where they are told."""
    units = copies(table.X)
    return units if table.groups is None else tie(units, table.groups)


def evaluate(table: Table, parts: Parts, recipe: Recipe, config: Config,
             step: Callable[[str], None]) -> tuple[Any, Evaluation, Evaluation]:
    """Fit, cross-validate and test on the hold-out: the model, and a dummy on the same rows.

    Returns:
        The model, fitted on all but the hold-out, its evaluation and the dummy's.
    """
    classes = np.unique(table.y) if recipe.task == "classification" else None
    strategy = f"{len(np.unique(parts.fold[parts.fold >= 0]))}-fold cross-validation"
    dummy = recipe._replace(algorithm="dummy", parameters={}, functions=[])
    found = []
    for one, say in ((recipe, step), (dummy, _silently)):
        model, given = learn(one, table, parts, classes, say)
        if len(parts.hold_out):
            say("hold-out")
            given.append((parts.hold_out, _answer(model, table, parts.hold_out, classes)))
        scored = [score_answers(recipe.task, table.y[rows], *answer, classes)
                  for rows, answer in given]
        last = len(scored) - bool(len(parts.hold_out))
        scores = summarize(scored[last:], "hold-out") + summarize(scored[:last], strategy)
        shown = given[last:] or given
        rows = np.concatenate([rows for rows, _ in shown])
        labels = np.concatenate([answer.labels for _, answer in shown])
        block = evaluation_block(recipe.task, "hold-out" if given[last:] else strategy,
                                 table.y[rows], labels, classes)
        answered = [(table.y[rows], answer) for rows, answer in given]
        intervals = intervals_block(answered[:last], answered[last:], classes)
        answers = np.concatenate([answer.labels for _, answer in given])
        found.append((model, Evaluation(scores, block, intervals, answers)))
    return *found[0], found[1][1]


def learn(recipe: Recipe, table: Table, parts: Parts, classes: np.ndarray | None,
          step: Callable[[str], None]) -> tuple[Any, list[tuple[np.ndarray, Prediction]]]:
    """Fit on the training rows; return the model, and its answers for each fold held out."""
    def fit(rows: np.ndarray, **more: Any) -> Any:
        return recipe.fit(table.X.iloc[rows], table.y[rows], **more)

    numbers = np.unique(parts.fold[parts.fold >= 0])
    if learns_in_folds(recipe.build(table.X)):
        model = fit(parts.training, fold=parts.fold, step=step)
        held = model[-1].take_held_out()
        answers = [held[parts.fold == number] for number in numbers]
        return model, [(parts.training[parts.fold == number],
                        Prediction(answer, None) if classes is None
                        else Prediction(classes[answer.argmax(axis=1)], answer))
                       for number, answer in zip(numbers, answers)]
    given = []
    for number in numbers:
        step(f"fold {number + 1} of {len(numbers)}")
        tested = parts.training[parts.fold == number]
        model = fit(parts.training[parts.fold != number])
        given.append((tested, _answer(model, table, tested, classes)))
    step("fit")
    return fit(parts.training), given


def fit_all(evaluated: Any, table: Table, recipe: Recipe, config: Config) -> Any:
    """The model fitted on the hold-out too; a blend of the members whose scores were told."""
    if not learns_in_folds(evaluated):
        return recipe.fit(table.X, table.y)
    rows = np.arange(len(table.y))
    fold = number_folds(table, recipe.task, config, rows, units_of(table))
    complete = {"members": [name for name in evaluated[-1].losses_ if name], "budget": None}
    recipe = recipe._replace(parameters=recipe.parameters | complete)
    model = recipe.fit(table.X, table.y, fold=fold)
    model[-1].take_held_out()
    return model


def explain(model: Any, table: Table, parts: Parts, seed: int, task: str) -> list[dict[str, Any]]:
    """Permutation importance of each column: how much log-loss or R2 is lost without it.

    As sklearn.inspection.permutation_importance, but with many permutations in one prediction.
    """
    rows = parts.hold_out if len(parts.hold_out) else parts.training
    random, columns = np.random.default_rng(seed), list(map(str, table.X.columns))
    repeats = int(np.clip(IMPORTANCE_ROUNDS // len(columns), 1, IMPORTANCE_REPEATS))
    most = int(np.clip(IMPORTANCE_ANSWERS // (len(columns) * repeats), *IMPORTANCE_ROWS))
    rows = random.permutation(rows)[:most]
    X, y = table.X.iloc[rows], table.y[rows]
    whole = _quality(model, [X], y, task)[0]
    at_once = max(1, PREDICTED_ROWS // (len(rows) * repeats))
    lost: list[float] = []
    for start in range(0, len(columns), at_once):
        lost += [whole - quality for quality in _quality(
            model, [_with(X, name, X[name].array.take(random.permutation(len(rows))))
                    for name in columns[start:start + at_once] for _ in range(repeats)], y, task)]
    losses = np.reshape(lost, (len(columns), repeats))
    order = np.argsort(-losses.mean(axis=1), kind="stable")
    return [{"feature": columns[i], "value": float(losses[i].mean()),
             "std": float(losses[i].std())} for i in order]


def _with(X: pd.DataFrame, name: str, values: Any) -> pd.DataFrame:
    """X with other values in one column; assign knows no column called self."""
    changed = X.copy(deep=False)
    changed[name] = values
    return changed


def _answer(model: Any, table: Table, tested: np.ndarray,
            classes: np.ndarray | None) -> Prediction:
    with warnings.catch_warnings():
        # a category that only the tested rows hold is what prediction will meet too
        warnings.filterwarnings("ignore", message="Found unknown categories")
        answer = predict_with(model, table.X.iloc[tested])
    if classes is None or len(model.classes_) == len(classes):
        return answer
    return Prediction(answer.labels, aligned(answer.probabilities, model.classes_, classes))


def _silently(what: str) -> None:
    """No step of the progress bar: a dummy takes no time."""


def _quality(model: Any, frames: list[pd.DataFrame], y: np.ndarray, task: str) -> list[float]:
    """Negative log-loss or R2 of each frame, answered together."""
    answers = predict_with(model, pd.concat(frames, ignore_index=True))
    if task == "classification":
        return [-float(log_loss(y, each, labels=model.classes_))
                for each in np.split(answers.probabilities, len(frames))]
    return [float(r2_score(y, each)) for each in np.split(answers.labels, len(frames))]
