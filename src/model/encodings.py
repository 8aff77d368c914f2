"""What each column is, and how it is shown to trees and to linear models; all learned from rows.

TypedColumns decides once; the encoders are fitted inside each fold.
"""

import re
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (OneHotEncoder, OrdinalEncoder, QuantileTransformer,
                                   StandardScaler, TargetEncoder)

from src.model.pipeline import LARGEST, DateParts, TreeNumbers

ALMOST_ALL = 0.95  # share of values that must read as numbers; the rest becomes missing
FEW_LEVELS = 12  # categories with more levels are also encoded by the target's mean
DIRTY_LEVELS = 40  # with more, parts of their texts may say something too
NATIVE_LEVELS = 200  # of a category in boosting, which takes 255
ONE_HOT_LEVELS = 100  # of a category in the linear model; rarer ones share a column
TEXT_WORDS = 3  # words of an average value of free text, which no level of a category has
MEAN_FOLDS = 5  # of the target's means; fewer rows than these have none
QUANTILES = 200  # by which numbers are spread for the linear model
TOPICS = 30  # numbers that free text is condensed to, at most
SMALLEST = 1e-290  # a difference between smaller numbers is nothing to divide by
NUMBER = re.compile(r"\s*[$€£¥]?\s*([-+]?\d[\d,' _]*\.?\d*(?:[eE][-+]?\d+)?|[-+]?\.\d+)"
                    r"\s*([^\d\s.,]{0,8})\s*")
ROW_NUMBER = "a row number"
ZERO_FIRST = re.compile(r"0\d")


class TypedColumns(TransformerMixin, BaseEstimator):
    """Decides what each column of a canonical frame is, and drops what can't say anything.

    After fit, `kinds_` maps name -> number, date, few, many or text; `dropped_` maps name -> why.
    transform gives numbers and the parts of dates as float64, categories and text as text.
    """

    def fit(self, X: pd.DataFrame, y: Any = None) -> "TypedColumns":
        """Look at every column of X (n, features)."""
        self.kinds_: dict[str, str] = {}
        self.dropped_: dict[str, str] = {}
        self.unread_: dict[str, int] = {}
        for name in map(str, X.columns):
            reason = useless(X[name])
            if reason:
                self.dropped_[name] = reason
            else:
                self.kinds_[name] = self._kind(name, X[name])
        if not self.kinds_:  # a row number without rivals may be the time
            self.kinds_ = {name: "number" for name, reason in self.dropped_.items()
                           if reason == ROW_NUMBER}
            self.dropped_ = {name: reason for name, reason in self.dropped_.items()
                             if reason != ROW_NUMBER}
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """X (n, features) -> frame (n, typed columns)."""
        typed = {}
        for name, kind in self.kinds_.items():
            column = X[name]
            if kind == "date":
                parts = DateParts().transform(X[[name]])
                typed.update({f"{name} {part}": parts[:, i] for i, part in enumerate(
                    ("day", "month", "day of month", "weekday", "hour"))})
            elif kind == "number":
                numbers = (column.to_numpy(dtype=np.float64) if column.dtype.kind == "f"
                           else read_numbers(column)[0])
                numbers = np.where(np.abs(numbers) < SMALLEST, 0.0, numbers)
                typed[name] = numbers.clip(-LARGEST, LARGEST)
            else:
                typed[name] = column.str.strip()
        return pd.DataFrame(typed, index=X.index)

    def names(self, kind: str) -> list[str]:
        """The typed columns of a kind."""
        names = [name for name, each in self.kinds_.items() if each == kind]
        if kind != "number":
            return names
        return names + [f"{name} {part}" for name, each in self.kinds_.items() if each == "date"
                        for part in ("day", "month", "day of month", "weekday", "hour")]

    def codes(self) -> list[int]:
        """Positions of the category codes in what for_trees gives: they come first."""
        return list(range(len(self.names("few")) + len(self.names("many"))))

    def _kind(self, name: str, column: pd.Series) -> str:
        if column.dtype.kind == "f":
            return "number"
        if column.dtype.kind == "M":
            return "date"
        known = column.dropna()
        numbers, unit_share = read_numbers(known)
        if min(np.isfinite(numbers).mean(), unit_share) > ALMOST_ALL:
            self.unread_[name] = int(np.isnan(numbers).sum())
            return "number"
        words = known.str.count(r"\s+").mean() + 1
        levels = known.nunique()
        if words >= TEXT_WORDS and levels > max(FEW_LEVELS, len(known) / 5):
            return "text"
        return "few" if levels <= FEW_LEVELS else "many"


def useless(column: pd.Series) -> str:
    """Why a column can't say anything about a row that comes later; empty when it can."""
    known = column.dropna()
    if not len(known):
        return "no value"
    distinct = known.nunique()
    if distinct == 1 and len(known) == len(column):
        return "one value only"
    if distinct < len(column) or len(column) < 20:
        return ""
    if column.dtype.kind == "f":
        whole = (known % 1 == 0).all() and known.max() - known.min() == len(known) - 1
        return ROW_NUMBER if whole else ""
    if column.dtype.kind == "M" or np.isfinite(read_numbers(known)[0]).mean() > ALMOST_ALL:
        return ""
    return "an identifier" if known.str.count(r"\s+").mean() + 1 < TEXT_WORDS else ""


def read_numbers(column: pd.Series) -> tuple[np.ndarray, float]:
    """Numbers (n,) in texts with signs of currency, thousands and one unit; NaN for other texts.

    Returns:
        The numbers, and the share of the most frequent unit among those read.
    """
    levels, places = np.unique(column.fillna("").to_numpy(dtype=str), return_inverse=True)
    found = [None if ZERO_FIRST.match(level) else NUMBER.fullmatch(level) for level in levels]
    values = np.array([float(re.sub("[,' _]", "", match[1])) if match else np.nan
                       for match in found] or [np.nan])
    units = pd.Series([match[2] if match else None for match in found], dtype=object)
    counts = units.iloc[places].value_counts()
    return values[places], float(counts.iloc[0] / counts.sum()) if len(counts) else 0.0


def for_trees(columns: TypedColumns, rows: int, seed: int) -> ColumnTransformer:
    """Numbers as they are, categories as codes, many levels by the target too, text as topics.

    The codes come first, so that boosting can be told their positions.

    Args:
        rows: how many will be fitted on.
    """
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan,
                           encoded_missing_value=np.nan, max_categories=NATIVE_LEVELS,
                           min_frequency=2)
    few, many = columns.names("few"), columns.names("many")
    return ColumnTransformer([
        ("codes", codes, few + many),
        ("means", target_means(seed), many if rows >= MEAN_FOLDS else []),
        ("number", TreeNumbers(), columns.names("number")),
        *topics(columns, seed)], sparse_threshold=0)


def for_linear(columns: TypedColumns, rows: int, seed: int) -> ColumnTransformer:
    """Numbers filled and spread evenly, categories one-hot, many levels by the target too.

    Args:
        rows: how many will be fitted on.
    """
    levels = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=ONE_HOT_LEVELS,
                           min_frequency=2)
    spread = QuantileTransformer(output_distribution="normal", random_state=seed,
                                 n_quantiles=min(QUANTILES, rows), subsample=20_000)
    many = columns.names("many")
    return ColumnTransformer([
        ("number", make_pipeline(
            SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
            spread, StandardScaler()), columns.names("number")),
        ("levels", levels, columns.names("few") + many),
        ("means", make_pipeline(target_means(seed), StandardScaler()),
         many if rows >= MEAN_FOLDS else []),
        *[(name, make_pipeline(step, StandardScaler()), column)
          for name, step, column in topics(columns, seed)]])


def target_means(seed: int) -> TargetEncoder:
    """Levels as the target's mean, fitted crosswise so that no row sees its own target."""
    from sklearn.model_selection import KFold
    return TargetEncoder(cv=KFold(MEAN_FOLDS, shuffle=True, random_state=seed))


def topics(columns: TypedColumns, seed: int) -> list[tuple[str, Any, str]]:
    """One step per column of free text: weights of letter groups, condensed to a few numbers."""
    steps = []
    for number, name in enumerate(columns.names("text")):
        letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), max_features=5000,
                                  sublinear_tf=True)
        steps.append((f"topics {number}", make_pipeline(
            FilledText(), letters, Topics(TOPICS, random_state=seed)), name))
    return steps


class Topics(TruncatedSVD):
    """TruncatedSVD that asks for no more numbers than there are columns."""

    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """X (n, columns) -> float64 (n, numbers)."""
        self.set_params(n_components=min(TOPICS, X.shape[1]))
        with np.errstate(invalid="ignore"):  # of rows that are all alike no share is explained
            return np.asarray(super().fit_transform(X, y))


class FilledText(TransformerMixin, BaseEstimator):
    """A column of text without gaps: what has no letter at all is a dash."""

    def fit(self, X: pd.Series, y: Any = None) -> "FilledText":
        """Nothing is learned."""
        return self

    def transform(self, X: pd.Series) -> pd.Series:
        """X (n,) with a dash for a missing or an empty text."""
        return X.fillna("").replace("", "-").astype(object)

    def __sklearn_is_fitted__(self) -> bool:
        return True
