"""The models by name. Yours to edit: to add one, add a function and a line to MODELS.

A function takes the task (classification or regression), the seed and the number of threads, and
returns an unfitted scikit-learn estimator and the style of table it wants: `trees` (missing values
and category codes), `linear` (filled, scaled, one-hot) or `whole` (the frame as it is). Try it:
make train ARGS="--model forest"
"""

from collections.abc import Callable
from typing import Any

Model = tuple[Any, str]


def auto(task: str, seed: int, threads: int) -> Model:
    """Blend of boosting, randomized trees, a linear model and, where torch is, a small net."""
    from mlmonkey.metadata import installed_versions
    from src.model.members import MEMBERS
    from src.model.portfolio import PortfolioClassifier, PortfolioRegressor
    kind = PortfolioClassifier if task == "classification" else PortfolioRegressor
    members = (*MEMBERS, "net") if installed_versions(["torch"])["torch"] else MEMBERS
    return kind(members, seed=seed, threads=threads), "whole"


def dummy(task: str, seed: int, threads: int) -> Model:
    """Ignores the inputs: the score that any model has to beat."""
    from sklearn.dummy import DummyClassifier, DummyRegressor
    if task == "classification":
        return DummyClassifier(strategy="prior", random_state=seed), "whole"
    return DummyRegressor(strategy="mean"), "whole"


def linear(task: str, seed: int, threads: int) -> Model:
    """Logistic regression, or ridge regression for numbers."""
    from sklearn.linear_model import LogisticRegression, Ridge
    if task == "classification":
        return LogisticRegression(max_iter=2000, random_state=seed), "linear"
    return Ridge(random_state=seed), "linear"


def forest(task: str, seed: int, threads: int) -> Model:
    """Random forest of 200 trees."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    kind = RandomForestClassifier if task == "classification" else RandomForestRegressor
    return kind(n_estimators=200, random_state=seed, n_jobs=threads), "trees"


def boosting(task: str, seed: int, threads: int) -> Model:
    """Histogram gradient boosting, 100 rounds."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    kind = (HistGradientBoostingClassifier if task == "classification"
            else HistGradientBoostingRegressor)
    return kind(early_stopping=False, random_state=seed), "trees"


MODELS: dict[str, Callable[[str, int, int], Model]] = {
    "auto": auto,
    "dummy": dummy,
    "linear": linear,
    "forest": forest,
    "boosting": boosting,
}
