"""From a table of mixed columns to what an estimator can learn from; fitted inside each fold.

Three styles: `trees` keeps missing numbers and hands categories over as codes; `linear` fills,
scales and one-hot encodes; `whole` is for estimators that see to it themselves. All meet unseen
categories and missing values without an error.
"""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from mlmonkey.errors import UserError
from mlmonkey.serving import finite

MAX_LEVELS = 100  # of one categorical column; rarer ones share a level
LARGEST = 1e30  # the forest sums float32 values, which end at 3.4e38
MIN_LEVEL_ROWS = 2  # a level that was seen once says nothing about the next row


class MissingColumn(KeyError):
    """A column that a function of features.py asks for and the table lacks."""


class Columns(dict[str, np.ndarray]):
    """Columns by name (n,); any other KeyError in a function is about its own dict."""

    def __missing__(self, name: str) -> np.ndarray:
        raise MissingColumn(name)


class ComputedFeatures(TransformerMixin, BaseEstimator):
    """Adds the columns that functions of src/model/features.py compute from a row.

    Args:
        functions: names of the functions, in the order in which they run.
    """

    def __init__(self, functions: list[str]) -> None:
        self.functions = functions

    def fit(self, X: pd.DataFrame, y: Any = None) -> "ComputedFeatures":
        """Nothing is learned."""
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """X (n, features) with the computed columns after its own; infinities become missing."""
        from src.model import features
        columns = {name: X[name].to_numpy() for name in X.columns}
        for name in self.functions:
            with np.errstate(all="ignore"):
                try:
                    new = getattr(features, name)(Columns(columns))
                except MissingColumn as missing:
                    raise UserError(f"{name} of src/model/features.py needs the column {missing}, "
                                    "which this table lacks; mend FEATURES there, or leave it "
                                    "out: --no-features") from None
            columns.update({key: finite(values) for key, values in new.items()})
        added = {key: values for key, values in columns.items() if key not in X.columns}
        return pd.concat([X, pd.DataFrame(added, index=X.index)], axis=1)

    def __sklearn_is_fitted__(self) -> bool:
        return True


class DateParts(TransformerMixin, BaseEstimator):
    """A date column as five numbers: day count since 1970, month, day, weekday (Monday 0), hour."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> "DateParts":
        """Nothing is learned."""
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """X (n, dates) -> float64 (n, 5 * dates); NaN where the date is missing."""
        parts = []
        for name in X.columns:
            moments = X[name].to_numpy(dtype="datetime64[us]")
            parts.append((moments - np.datetime64(0, "us")) / np.timedelta64(1, "D"))
            fields = X[name].dt
            parts += [part.to_numpy(dtype=np.float64, na_value=np.nan) for part in
                      (fields.month, fields.day, fields.day_of_week, fields.hour)]
        return np.column_stack(parts)

    def __sklearn_is_fitted__(self) -> bool:
        return True


class TreeNumbers(TransformerMixin, BaseEstimator):
    """Numbers as tree ensembles can take them: within float32, and no column without any value.

    Missing values stay missing. A column that is all missing in training becomes 0 for good.
    """

    def fit(self, X: Any, y: Any = None) -> "TreeNumbers":
        """Remember which columns of X (n, columns) hold no value."""
        self.empty_ = np.isnan(np.asarray(X, dtype=np.float64)).all(axis=0)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """X (n, columns) -> float64 (n, columns)."""
        numbers = np.asarray(X, dtype=np.float64).clip(-LARGEST, LARGEST)
        return np.where(self.empty_, 0.0, numbers)


def build_pipeline(estimator: Any, style: str, X: pd.DataFrame, functions: list[str]) -> Pipeline:
    """An unfitted pipeline around an estimator.

    Args:
        estimator: any scikit-learn classifier or regressor.
        style: `trees`, `linear` or `whole`.
        X: canonical frame (n, features), for the names and dtypes of its columns only.
        functions: names of functions of src/model/features.py to apply first.
    """
    computed = ComputedFeatures(functions)
    steps = [("features", computed)] if functions else []
    if style == "whole":
        return Pipeline([*steps, ("model", estimator)])
    sample = computed.transform(X.head(50))
    kinds: dict[str, list[str]] = {"number": [], "date": [], "text": []}
    for name, dtype in sample.dtypes.items():
        kind = "number" if dtype.kind in "fiub" else "date" if dtype.kind == "M" else "text"
        kinds[kind].append(str(name))
    columns = _for_trees(kinds) if style == "trees" else _for_linear(kinds)
    if style == "trees" and "categorical_features" in estimator.get_params():
        estimator.set_params(categorical_features=list(range(len(kinds["text"]))) or None)
    return Pipeline([*steps, ("columns", columns), ("model", estimator)])


def _for_trees(kinds: dict[str, list[str]]) -> ColumnTransformer:
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan,
                           encoded_missing_value=np.nan, max_categories=MAX_LEVELS,
                           min_frequency=MIN_LEVEL_ROWS)
    return ColumnTransformer([  # text first: boosting is told the positions of categories
        ("text", make_pipeline(codes, TreeNumbers()), kinds["text"]),
        ("number", TreeNumbers(), kinds["number"]),
        ("date", make_pipeline(DateParts(), TreeNumbers()), kinds["date"])])


def _for_linear(kinds: dict[str, list[str]]) -> ColumnTransformer:
    levels = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=MAX_LEVELS,
                           min_frequency=MIN_LEVEL_ROWS, sparse_output=False)
    numbers = [TreeNumbers(), SimpleImputer(strategy="median", keep_empty_features=True),
               StandardScaler()]
    return ColumnTransformer([("number", make_pipeline(*numbers), kinds["number"]),
                              ("text", levels, kinds["text"]),
                              ("date", make_pipeline(DateParts(), *numbers), kinds["date"])])
