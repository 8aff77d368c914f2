"""`--model auto`: a few very different models, learned in five folds, blended by what they won.

Boosting, extremely randomized trees, a linear model and, where torch is installed, a small net see
the same rows in encodings of their own. Each is fitted once per fold; what it says about the fold
that it has not seen decides its share (greedy selection with replacement, Caruana et al. 2004) and
how bold its probabilities are (one temperature, Guo et al. 2017). What answers later is the average
of the folds' models; members whose gain is within noise are left out, so that what is served stays
small.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import has_fit_parameter

from mlmonkey.errors import UserError
from mlmonkey.estimator_steps import tempered, unlog
from src.model.blending import (Answers, best_temperature, choose_weights, greedy_weights,
                                log_losses, mix, squared_losses)
from src.model.encodings import MEAN_FOLDS, TypedColumns, for_linear, for_trees
from src.model.members import LOGS, MEMBERS, boosting_rounds, suitable

PATIENCE = 20  # rounds without a better held fold before boosting stops
SHRINKAGE = 3.0  # rows by which each leaf of boosting is drawn to nothing
TREES = 60  # randomized ones in each fold
LEAVES = 1000  # at most in each of them, so that what is served stays small
LEAF_NUMBERS = 20_000  # at most in each of them: every leaf holds a number per class
FEWEST_ROUNDS = 30  # with fewer, of more classes than they are for, boosting is left out
MEAN_CLASSES = 5  # with more, levels have no target means: a column per class buries the others


class Portfolio(BaseEstimator):
    """What classifier and regressor share: members fitted in folds, and their shares.

    After fit: `columns_` (what each column is), `members_` (name -> a fitted Member per fold),
    `weights_` (name -> share), `losses_` (name -> loss of each member alone, all of them; "" -> of
    the blend) and `brought_` (name -> how much more the blend would lose without it).

    Args:
        members: names, of MEMBERS or "net".
        budget: seconds after which no further fold begins, once a member is complete; None: all
            are fitted. Those that were, named as `members`, give the same model without a clock.
        folds: how many, where fit is not told the fold of each row.
        seed: decides folds, trees and everything else that is random.
        threads: inner threads while fitting.
    """

    def __init__(self, members: Sequence[str] = MEMBERS, budget: float | None = None,
                 folds: int = 5, seed: int = 0, threads: int = 1) -> None:
        self.members = members
        self.budget = budget
        self.folds = folds
        self.seed = seed
        self.threads = threads

    def _fit_members(self, X: pd.DataFrame, y: np.ndarray, fold: np.ndarray,
                     step: Callable[[str], None] | None) -> dict[str, np.ndarray]:
        """Fit members in every fold; return what each said about rows it had not seen.

        Once one is complete, the end of the budget or a first interrupt ends the search.
        """
        self.columns_ = TypedColumns(self.seed).fit(X)
        if not self.columns_.kinds_:
            reasons = [f"{name}: {reason}" for name, reason in self.columns_.dropped_.items()]
            raise UserError("no column can say anything about a row that comes later "
                            f"({', '.join(reasons[:5])}{' ...' if len(reasons) > 5 else ''}); add "
                            "others, or take them as they are: --model boosting")
        typed = self.columns_.transform(X)
        answers: dict[str, np.ndarray] = {}
        self.members_: dict[str, list[Member]] = {}
        began = time.monotonic()

        def is_late() -> bool:
            return bool(answers and self.budget and time.monotonic() - began > self.budget)
        for name in self._worthwhile(y):
            try:
                fitted, held = self._fit_member(name, typed, y, fold, step, is_late)
            except TimeoutError:
                break
            except KeyboardInterrupt:
                if not answers or step is None:  # nobody would be told of a smaller blend
                    raise
                from src.helpers.endings import carry_on
                carry_on("the search", f"the model is made of {' and '.join(answers)}")
                break
            self.members_[name], answers[name] = fitted, held
        return answers

    def _worthwhile(self, y: np.ndarray) -> list[str]:
        """The suitable members, without boosting where there are too many classes for it."""
        if not isinstance(self, ClassifierMixin):
            return suitable(self.members, self.mean_ + self.scale_ * y, "regression")
        names, classes = suitable(self.members, y, "classification"), int(y.max()) + 1
        if (boosting_rounds(classes) >= FEWEST_ROUNDS or "boosting" not in names
                or len(names) == 1):
            return names
        print(f"note: boosting is left out: {classes} classes would take it as many trees a round; "
              "to have it alone: --set 'members=[boosting]'")
        return [name for name in names if name != "boosting"]

    def _fit_member(self, name: str, typed: pd.DataFrame, y: np.ndarray, fold: np.ndarray,
                    step: Callable[[str], None] | None,
                    is_late: Callable[[], bool]) -> tuple[list["Member"], np.ndarray]:
        numbers = np.unique(fold[fold >= 0])
        classes = int(y.max()) + 1 if isinstance(self, ClassifierMixin) else None
        fitted, held = [], []
        for count, number in enumerate(numbers):
            if is_late():
                raise TimeoutError
            if step:
                step(f"{name} {count + 1} of {len(numbers)}")
            out = fold == number
            member = make_member(name, self.columns_, classes, int((~out).sum()),
                                 self.seed + int(number), self.threads)
            fitted.append(member.fit(typed[~out], y[~out], typed[out], y[out]))
            held.append(member.answer(typed[out]))
        answers = np.zeros((len(y), *held[0].shape[1:]))
        for number, answer in zip(numbers, held):
            answers[fold == number] = answer
        return fitted, answers

    def _keep(self, weights: dict[str, float], answers: Answers, y: np.ndarray,
              losses: Callable[..., np.ndarray]) -> None:
        """Keep the members with a share, and what each alone and all together lose."""
        self.weights_ = weights
        self.members_ = {name: self.members_[name] for name in weights}
        self.losses_ = {name: float(losses(y, answer).mean()) for name, answer in answers.items()}
        blend = sum(share * answers[name] for name, share in weights.items())
        self.losses_[""] = float(losses(y, blend).mean())
        self.brought_ = {name: float(greedy_weights(
            {other: answers[other] for other in weights if other != name}, y, losses)[1].mean())
            - self.losses_[""] for name in weights if len(weights) > 1}

    def _answers(self, X: pd.DataFrame) -> dict[str, np.ndarray]:
        typed = self.columns_.transform(X)
        return {name: np.mean([member.answer(typed) for member in self.members_[name]], axis=0)
                for name in self.weights_}

    def summary(self) -> dict[str, Any]:
        """What the metadata and the report say about the blend."""
        return {
            "loss": "log-loss" if isinstance(self, ClassifierMixin)
            else "squared error / variance of the target",
            "blend": self.losses_[""],
            "members": [{"name": name, "share": self.weights_.get(name, 0.0), "alone": loss,
                         "brought": self.brought_.get(name)}
                        for name, loss in self.losses_.items() if name],
            "columns": self.columns_.kinds_, "dropped": self.columns_.dropped_,
            "unread": {name: count for name, count in self.columns_.unread_.items() if count}}

    def take_held_out(self) -> np.ndarray:
        """What the blend said in training about rows it had not seen; forgotten with this call.

        Probabilities (n, classes) or numbers (n,); weights and temperatures were each time
        chosen on the other folds. Rows that were in no fold hold zeros.
        """
        held: np.ndarray = self.held_out_
        del self.held_out_
        return held


class PortfolioClassifier(ClassifierMixin, Portfolio):
    """Blend of classifiers; their losses are log-losses."""

    def fit(self, X: pd.DataFrame, y: np.ndarray, fold: np.ndarray | None = None,
            step: Callable[[str], None] | None = None) -> "PortfolioClassifier":
        """Fit on a canonical frame X (n, features) and labels y (n,).

        Args:
            fold: in which fold each row is held out (n,); -1: in none.
            step: is told what begins; without it an interrupt ends all.
        """
        self.classes_, numbers = np.unique(y, return_inverse=True)
        fold = own_folds(numbers, "classification", self) if fold is None else fold
        answers = self._fit_members(X, numbers, fold, step)

        def boldened(rows: np.ndarray) -> tuple[dict[str, float], dict[str, np.ndarray]]:
            temperatures = {name: best_temperature(numbers[rows], answer[rows])
                            for name, answer in answers.items()}
            return temperatures, {name: tempered(answer[rows], temperatures[name])
                                  for name, answer in answers.items()}

        def blend(rows: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
            temperatures, bold = boldened(rows)
            weights = choose_weights(bold, numbers[rows], log_losses)
            blended = np.asarray(sum(weights[name] * bold[name] for name in weights))
            return weights, temperatures | {"": best_temperature(numbers[rows], blended)}

        tested = fold >= 0
        self.held_out_ = np.zeros((len(y), len(self.classes_)))
        for number in np.unique(fold[tested]):
            out = fold == number
            learned = blend(tested & ~out) if (tested & ~out).any() else blend(tested)
            self.held_out_[out] = mix({name: answer[out] for name, answer in answers.items()},
                                      *learned)
        weights, self.temperatures_ = blend(tested)
        self._keep(weights, boldened(tested)[1], numbers[tested], log_losses)
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Probabilities (n, classes) in the order of classes_."""
        return mix(self._answers(X), self.weights_, self.temperatures_)

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """The most probable label (n,)."""
        labels: np.ndarray = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels


class PortfolioRegressor(RegressorMixin, Portfolio):
    """Blend of regressors; their losses are squared errors in the target's variance."""

    def fit(self, X: pd.DataFrame, y: np.ndarray, fold: np.ndarray | None = None,
            step: Callable[[str], None] | None = None) -> "PortfolioRegressor":
        """Fit on a canonical frame X (n, features) and numbers y (n,); see the classifier."""
        self.mean_, self.scale_ = float(np.mean(y)), float(np.std(y)) or 1.0
        scaled = (y - self.mean_) / self.scale_
        fold = own_folds(y, "regression", self) if fold is None else fold
        answers = self._fit_members(X, scaled, fold, step)
        tested = fold >= 0
        self.held_out_ = np.full(len(y), self.mean_)

        def choose(rows: np.ndarray) -> dict[str, float]:
            return choose_weights({name: answer[rows] for name, answer in answers.items()},
                                  scaled[rows], squared_losses)
        for number in np.unique(fold[tested]):
            out = fold == number
            weights = choose(tested & ~out if (tested & ~out).any() else tested)
            self.held_out_[out] += self.scale_ * sum(share * answers[name][out]
                                                     for name, share in weights.items())
        self._keep(choose(tested), {name: answer[tested] for name, answer in answers.items()},
                   scaled[tested], squared_losses)
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Numbers (n,)."""
        answers = self._answers(X)
        return np.asarray(self.mean_ + self.scale_ * sum(
            share * answers[name] for name, share in self.weights_.items()))


class OfLogs(RegressorMixin, BaseEstimator):
    """A regressor of logarithms whose answers are means again (Snowdon, Can. J. For. Res. 1991).

    After fit, `scale_` says how: low and unit of log(1 + (y - low) / unit), the factor by which
    means are above exponentials, and the top beyond which nothing was learned.

    Args:
        estimator: unfitted regressor.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: np.ndarray, X_val: Any, y_val: np.ndarray) -> "OfLogs":
        """Fit on encoded X (n, columns) and y (n,); the held rows say the factor."""
        low = float(y.min())
        unit = float(np.median(y) - low) or float(y.mean() - low)
        logs, held = (np.log1p(np.maximum(each - low, 0) / unit) for each in (y, y_val))
        stops = has_fit_parameter(self.estimator, "X_val")
        self.estimator.fit(X, logs, **({"X_val": X_val, "y_val": held} if stops else {}))
        top = float(logs.max())
        said = np.clip(self.estimator.predict(X_val), 0, top)
        factor = float(np.exp(held).mean() / np.exp(said).mean())
        self.scale_ = {"low": low, "unit": unit, "factor": factor, "top": top}
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Numbers (n,)."""
        return unlog(self.estimator.predict(X), **self.scale_)


class Member(BaseEstimator):
    """An encoding and an estimator, fitted on the rows outside one fold.

    Args:
        encoder: unfitted transformer of typed columns.
        estimator: unfitted scikit-learn estimator.
        classes: how many there are (the rows outside a fold may lack some); None: numbers.
    """

    def __init__(self, encoder: Any, estimator: Any, classes: int | None) -> None:
        self.encoder = encoder
        self.estimator = estimator
        self.classes = classes

    def fit(self, X: pd.DataFrame, y: np.ndarray, X_held: pd.DataFrame,
            y_held: np.ndarray) -> "Member":
        """Fit on typed columns X (n, columns); boosting and net stop by the held rows."""
        encoded = self.encoder.fit_transform(X, y)
        if (y == y[0]).all():
            from sklearn.dummy import DummyClassifier, DummyRegressor
            self.estimator = (DummyClassifier if self.classes else DummyRegressor)().fit(encoded, y)
        elif has_fit_parameter(self.estimator, "X_val"):
            known = np.isin(y_held, y) if self.classes else np.full(len(y_held), True)
            if not known.any():  # no class of the held rows is known: nothing to stop by
                X_held, y_held, known = X, y, np.full(len(y), True)
            self.estimator.fit(encoded, y, X_val=self.encoder.transform(X_held[known]),
                               y_val=y_held[known])
        else:
            self.estimator.fit(encoded, y)
        if "n_jobs" in self.estimator.get_params():
            self.estimator.set_params(n_jobs=1)  # a server's workers share the machine already
        return self

    def answer(self, X: pd.DataFrame) -> np.ndarray:
        """Probabilities (n, classes), or numbers (n,)."""
        encoded = self.encoder.transform(X)
        if self.classes is None:
            return np.asarray(self.estimator.predict(encoded))
        answers = np.zeros((len(X), self.classes))
        answers[:, self.estimator.classes_] = self.estimator.predict_proba(encoded)
        return answers


def make_member(name: str, columns: TypedColumns, classes: int | None, rows: int, seed: int,
                threads: int) -> Member:
    """An unfitted member by its name."""
    from sklearn import ensemble, linear_model
    if name.endswith(LOGS):
        member = make_member(name.removesuffix(LOGS), columns, classes, rows, seed, threads)
        return Member(member.encoder, OfLogs(member.estimator), classes)
    means = rows >= MEAN_FOLDS and (classes or 1) <= MEAN_CLASSES
    if name == "boosting":
        kind = (ensemble.HistGradientBoostingClassifier if classes
                else ensemble.HistGradientBoostingRegressor)
        rounds = boosting_rounds(classes)
        return Member(for_trees(columns, means, seed), kind(
            learning_rate=max(0.06, min(0.3, 6 / rounds)), max_iter=rounds, max_features=0.5,
            early_stopping=True, n_iter_no_change=PATIENCE, l2_regularization=SHRINKAGE,
            random_state=seed, categorical_features=columns.codes() or None), classes)
    if name == "extra trees":
        kind = ensemble.ExtraTreesClassifier if classes else ensemble.ExtraTreesRegressor
        # among many topics random splits would seldom find another column
        shown = ("dirty",) if set(columns.kinds_.values()) - {"text"} else ("text",)
        return Member(for_trees(columns, means, seed, shown), kind(
            n_estimators=TREES, min_samples_leaf=2, n_jobs=threads,
            max_leaf_nodes=min(LEAVES, LEAF_NUMBERS // (classes or 1)),
            max_features="sqrt" if classes else 0.5, random_state=seed), classes)
    if name == "net":
        from src.model.net import NetClassifier, NetRegressor
        kind = NetClassifier if classes else NetRegressor
        return Member(for_linear(columns, means, rows, seed), kind(seed, threads), classes)
    estimator = (linear_model.LogisticRegression(max_iter=300, C=0.5) if classes
                 else linear_model.RidgeCV(np.geomspace(0.01, 10_000, 13)))
    return Member(for_linear(columns, means, rows, seed), estimator, classes)


def own_folds(y: np.ndarray, task: str, portfolio: Portfolio) -> np.ndarray:
    """Stratified folds (n,) for those who call fit without any."""
    from src.helpers.splits import folds, strata
    return folds(strata(y, task), portfolio.folds, portfolio.seed,
                 classes=task == "classification")
