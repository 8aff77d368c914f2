"""All that decides how a model is fitted: algorithm, parameters, task, seed, threads, features."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml

from mlmonkey.errors import UserError
from mlmonkey.redact import without_cells
from src.helpers.configuration import Config, nearest
from src.helpers.freshness import feature_functions
from src.model.models import MODELS
from src.model.pipeline import build_pipeline


@contextmanager
def classes_may_be_many() -> Iterator[None]:
    """No doubt of scikit-learn about classes of two rows, of which a fold has one: we asked."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The number of unique classes is greater than")
        yield


class Recipe(NamedTuple):
    """All that decides how a model is fitted."""

    algorithm: str
    parameters: dict[str, Any]
    task: str
    seed: int
    threads: int
    functions: list[str]

    def make_estimator(self) -> tuple[Any, str]:
        """The unfitted estimator with its parameters, and the style of table it wants.

        Raises:
            UserError: for a parameter that it hasn't.
        """
        estimator, style = MODELS[self.algorithm](self.task, self.seed, self.threads)
        known = estimator.get_params()
        for name in self.parameters:
            if name not in known:
                raise UserError(f"--set {name}: {type(estimator).__name__} (--model "
                                f"{self.algorithm}) has no such parameter{nearest(name, known)}")
        return estimator.set_params(**self.parameters), style

    def build(self, X: pd.DataFrame) -> Any:
        """An unfitted pipeline for a table like X."""
        return build_pipeline(*self.make_estimator(), X, self.functions)

    def members(self, y: np.ndarray) -> int:
        """How many estimators are fitted in each fold for a target y (n,)."""
        from src.model.members import suitable
        names = getattr(self.make_estimator()[0], "members", None)
        return 1 if names is None else len(suitable(names, y, self.task))

    @classes_may_be_many()
    def fit(self, X: pd.DataFrame, y: np.ndarray, **more: Any) -> Any:
        """A pipeline fitted on X (n, features) and y (n,).

        Args:
            more: `fold` (n,) and `step`, for an estimator that learns in folds by itself.

        Raises:
            UserError: when the estimator refuses its parameters or this table.
        """
        pipeline = self.build(X)
        more = more if learns_in_folds(pipeline) else {}
        try:
            return pipeline.fit(X, y, **{f"model__{name}": value for name, value in more.items()})
        except (TypeError, ValueError) as error:
            if os.environ.get("TRACEBACK"):
                raise
            what = (f"--set {' --set '.join(f'{key}={value}' for key, value in given.items())}"
                    if (given := self.parameters) else f"--model {self.algorithm}")
            raise UserError(f"{what}: {type(pipeline[-1]).__name__} can't be fitted: "
                            f"{without_cells(error)}; TRACEBACK=1 shows where") from None


def learns_in_folds(pipeline: Any) -> bool:
    """Whether an estimator answers for each row by what it learned without it; see portfolio.py."""
    return hasattr(pipeline[-1], "take_held_out")


def make_recipe(config: Config, task: str, profile: dict[str, Any], threads: int) -> Recipe:
    """Check the algorithm's name and the settings.

    Raises:
        UserError: for an unknown algorithm or a setting that is not KEY=VALUE.
    """
    if config.model not in MODELS:
        raise UserError(f"--model {config.model}: there is no such algorithm in "
                        f"src/model/models.py{nearest(config.model, MODELS)}")
    parameters = {}
    for word in config.set:
        key, mark, value = word.partition("=")
        if not mark or not key:
            raise UserError(f"--set {word}: write it as KEY=VALUE, such as --set max_depth=3")
        parameters[key.strip()] = read_value(word, value)
    if config.budget is not None:
        if config.model != "auto":
            raise UserError(f"--budget is about auto's blend, not about --model {config.model}; "
                            "leave one of them out")
        parameters["budget"] = config.budget
    functions = feature_functions(profile) if config.features else []
    return Recipe(config.model, parameters, task, config.seed, threads, functions)


def read_value(word: str, text: str) -> Any:
    """A parameter's value: what YAML reads, and numbers such as 1e-3 too.

    Raises:
        UserError: when it is no value.
    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise UserError(f"--set {word}: {text!r} is no value; quote a text: "
                        "--set 'key=\"text\"'") from None
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
