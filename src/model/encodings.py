"""What each column is, and how it is shown to trees and to linear models; all learned from rows.

TypedColumns decides once; the encoders are fitted inside each fold.
"""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (OneHotEncoder, OrdinalEncoder, QuantileTransformer,
                                   StandardScaler, TargetEncoder)

from mlmonkey.column_steps import read_number
from src.model.pipeline import LARGEST, DateParts, TreeNumbers

ALMOST_ALL = 0.95  # share of values that must read as numbers; the rest becomes missing
FEW_LEVELS = 12  # categories with more levels are also encoded by the target's mean
DIRTY_LEVELS = 40  # with more, parts of their texts may say something too
LEVEL_ROWS = 3  # of each level on average, else the parts are names of single rows
NATIVE_LEVELS = 200  # of a category in boosting, which takes 255
ONE_HOT_LEVELS = 100  # of a category in the linear model; rarer ones share a column
TEXT_WORDS = 2  # words of an average value of free text, at least
MEAN_FOLDS = 5  # of the target's means; fewer rows than these can't have any
TEXT_LENGTH = 2000  # characters of free text that are looked at, the first ones
QUANTILES = 200  # by which numbers are spread for the linear model
LETTER_GROUPS = 5000  # of two to four letters, the most frequent ones
TOPICS = 30  # numbers that text is condensed to, at most
SMALLEST = 1e-290  # a difference between smaller numbers is nothing to divide by
ROW_NUMBER = "a row number"


class TypedColumns(TransformerMixin, BaseEstimator):
    """Decides what each column of a canonical frame is, and drops what can't say anything.

    Args:
        seed: decides how text is condensed.

    After fit, `kinds_` maps name -> number, date, few, many, dirty or text (few and many levels, so
    many that parts of their texts may say something, free text); `dropped_` maps name -> why.
    transform gives numbers, the parts of dates and the topics of text as float64, categories as
    text; levels that differ in case only are one, unless they are single letters. The topics know
    nothing of the target, so they are found once, for all folds.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: Any = None) -> "TypedColumns":
        """Look at every column of X (n, features)."""
        self.kinds_: dict[str, str] = {}
        self.dropped_: dict[str, str] = {}
        self.unread_: dict[str, int] = {}
        self.folded_: list[str] = []
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
        self.topics_ = {name: find_topics(X[name], self.seed)
                        for name, kind in self.kinds_.items() if kind in ("text", "dirty")}
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """X (n, features) -> frame (n, typed columns)."""
        typed: dict[str, Any] = {}
        for name, kind in self.kinds_.items():
            column = X[name]
            if kind == "date":
                parts = DateParts().transform(X[[name]])
                typed.update(zip(part_names(name), parts.T))
            elif kind == "number":
                numbers = (column.to_numpy(dtype=np.float64) if column.dtype.kind == "f"
                           else read_numbers(column)[0])
                numbers = np.where(np.abs(numbers) < SMALLEST, 0.0, numbers)
                typed[name] = numbers.clip(-LARGEST, LARGEST)
            elif kind != "text":
                typed[name] = (column.str.strip().str.lower() if name in self.folded_
                               else column.str.strip())
            if name in self.topics_:
                texts, places = different(column)
                numbers = self.topics_[name].transform(texts)[places]
                typed.update(zip(topic_names(name, numbers.shape[1]), numbers.T))
        return pd.DataFrame(typed, index=X.index)

    def names(self, kind: str) -> list[str]:
        """The typed columns of a kind; dirty ones have many levels too."""
        kinds = (kind, "dirty") if kind == "many" else (kind,)
        names = [name for name, each in self.kinds_.items() if each in kinds]
        if kind != "number":
            return names
        return names + [part for name, each in self.kinds_.items() if each == "date"
                        for part in part_names(name)]

    def topics(self, *kinds: str) -> list[str]:
        """The typed columns that hold the topics of columns of some kinds."""
        return [topic for name, found in self.topics_.items() if self.kinds_[name] in kinds
                for topic in topic_names(name, len(found[-1].components_))]

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
        known = known.str.strip()
        written = known.unique()
        levels = pd.Series(written).str.lower()
        if (levels[levels.duplicated()].str.len() > 1).any():
            self.folded_.append(name)
            written = levels.unique()
        if (known.str.count(r"\s+").mean() + 1 >= TEXT_WORDS
                and len(written) > max(FEW_LEVELS, len(known) / 5)):
            return "text"
        dirty = DIRTY_LEVELS < len(written) <= len(known) / LEVEL_ROWS
        return "few" if len(written) <= FEW_LEVELS else "dirty" if dirty else "many"


def part_names(name: str) -> list[str]:
    """What the parts of a date are called: as no column of a file can be."""
    return [f"{name}\0{part}" for part in ("day", "month", "day of month", "weekday", "hour")]


def topic_names(name: str, count: int) -> list[str]:
    """What the topics of a text are called: as no column of a file can be."""
    return [f"{name}\0topic {number}" for number in range(count)]


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
        # from 0 on and dense, as a training part of them still is; years begin elsewhere
        whole = (known % 1 == 0).all() and 0 <= known.min() and known.max() < 2 * len(known)
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
    found = [read_number(level) for level in levels]
    values = np.array([value for value, _ in found] or [np.nan])
    units = pd.Series([unit for _, unit in found], dtype=object)
    counts = units.iloc[places].value_counts()
    return values[places], float(counts.iloc[0] / counts.sum()) if len(counts) else 0.0


def for_trees(columns: TypedColumns, means: bool, seed: int,
              topics: tuple[str, ...] = ("text", "dirty")) -> ColumnTransformer:
    """Numbers as they are, categories as codes, many levels by the target too, text as topics.

    The codes come first, so that boosting can be told their positions.

    Args:
        means: whether many levels are encoded by the target too.
        topics: kinds of columns whose topics are shown.
    """
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan,
                           encoded_missing_value=np.nan, max_categories=NATIVE_LEVELS,
                           min_frequency=2)
    few, many = columns.names("few"), columns.names("many")
    return ColumnTransformer([
        ("codes", codes, few + many),
        ("means", target_means(seed), many if means else []),
        ("number", TreeNumbers(), columns.names("number") + columns.topics(*topics))],
        sparse_threshold=0)


def for_linear(columns: TypedColumns, means: bool, rows: int, seed: int) -> ColumnTransformer:
    """Numbers filled and spread evenly, categories one-hot, many levels by the target too.

    Args:
        means: whether many levels are encoded by the target too.
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
        ("means", make_pipeline(target_means(seed), StandardScaler()), many if means else []),
        ("topics", StandardScaler(), columns.topics("text", "dirty"))])


def target_means(seed: int) -> TargetEncoder:
    """Levels as the target's mean, fitted crosswise so that no row sees its own target."""
    from sklearn.model_selection import KFold
    return TargetEncoder(cv=KFold(MEAN_FOLDS, shuffle=True, random_state=seed))


def find_topics(column: pd.Series, seed: int) -> Pipeline:
    """What condenses the letter groups of texts to a few numbers; fitted on each text once."""
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), max_features=LETTER_GROUPS,
                              sublinear_tf=True)
    return make_pipeline(letters, Topics(TOPICS, random_state=seed)).fit(different(column)[0])


class Topics(TruncatedSVD):
    """TruncatedSVD that asks for no more numbers than there are columns."""

    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """X (n, columns) -> float64 (n, numbers)."""
        self.set_params(n_components=min(TOPICS, X.shape[1]))
        with np.errstate(invalid="ignore"):  # of rows that are all alike no share is explained
            return np.asarray(super().fit_transform(X, y))


def different(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """The different texts of a column, cut to TEXT_LENGTH, and each row's; a dash for none."""
    texts = column.fillna("").str[:TEXT_LENGTH].replace("", "-")
    return np.unique(texts.to_numpy(dtype=object), return_inverse=True)
