"""Scores of a quick forest on some rows of a table: enough to compare columns, folds and units."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from src.helpers.splits import folds, strata
from src.helpers.tables import Table

ROWS = 2000  # at most, and fewer where there are many columns
CELLS = 200_000
FEWEST = 200
FOLDS = 3


class Sample(NamedTuple):
    """Ranks or codes X (n, features), class numbers or ranks y (n,), rows of the table (n,)."""

    X: np.ndarray
    y: np.ndarray
    rows: np.ndarray
    classify: bool
    seed: int

    def fold(self, units: np.ndarray | None = None) -> np.ndarray:
        """Stratified folds (n,), which keep units of the table whole."""
        groups = strata(self.y, "classification" if self.classify else "regression")
        units = None if units is None else units[self.rows]
        return folds(groups, FOLDS, self.seed, units, self.classify)

    def forest(self) -> Any:
        """An unfitted forest of a few randomized trees."""
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
        kind = ExtraTreesClassifier if self.classify else ExtraTreesRegressor
        return kind(n_estimators=10, min_samples_leaf=2, max_features=None, random_state=self.seed)

    def answers(self, fold: np.ndarray, columns: Any = slice(None)) -> np.ndarray:
        """What the forest says about each row by the other folds (n,)."""
        X, said = self.X[:, columns], self.y.copy()
        for number in np.unique(fold[fold >= 0]):
            out = fold == number
            said[out] = self.forest().fit(X[~out], self.y[~out]).predict(X[out])
        return said

    def score(self, fold: np.ndarray, columns: Any = slice(None)) -> float:
        """Balanced accuracy, or R2 of the ranks; a dummy's without columns, NaN without folds."""
        tested = fold >= 0
        if not tested.any() or (fold == fold[0]).all():
            return float("nan")
        if not self.X[:, columns].shape[1]:
            return self.dummy()
        said, y = self.answers(fold, columns)[tested], self.y[tested]
        if self.classify:
            return float(np.mean([np.mean(said[y == each] == each) for each in np.unique(y)]))
        return float(1 - np.sum((said - y) ** 2) / max(np.sum((y - y.mean()) ** 2), 1e-12))

    def dummy(self) -> float:
        """The score of a model without columns."""
        return 1 / len(np.unique(self.y)) if self.classify else 0.0

    def miss(self, score: float) -> float:
        """The share of the way from a dummy to perfection that a score lacks."""
        return (1 - score) / max(1 - self.dummy(), 1e-12)

    def renames(self, column: int) -> bool:
        """Whether a column holds the target itself in other words."""
        values = self.X[:, column]
        if not self.classify:
            return bool(abs(np.corrcoef(values, self.y)[0, 1]) > 1 - 1e-9)
        pairs = len(np.unique(np.column_stack([values, self.y]), axis=0))
        return pairs == len(np.unique(values)) == len(np.unique(self.y))

    def scores(self, promised: float, left: float) -> dict[str, Any]:
        """For the metadata: with a suspect, and without it."""
        return {"metric": self.metric(), "with": round(promised, 4), "without": round(left, 4)}

    def metric(self) -> str:
        """What the score is called."""
        return "balanced accuracy" if self.classify else "R2 of ranks"


def draw_sample(table: Table, task: str, units: np.ndarray, seed: int) -> Sample:
    """Rows of whole units, drawn by the seed; the last unit may be cut."""
    most = min(ROWS, max(FEWEST, CELLS // table.X.shape[1]))
    order = np.random.default_rng(seed).permutation(int(units.max()) + 1)[units]
    rows = np.sort(np.argsort(order, kind="stable")[:most])
    X = table.X.iloc[rows]
    numbers = [column.rank().fillna(-1).to_numpy() if column.dtype.kind in "fM"
               else pd.factorize(column, sort=True)[0] for _, column in X.items()]
    y = (strata(table.y[rows], task) if task == "classification"
         else pd.Series(table.y[rows]).rank().to_numpy())
    return Sample(np.column_stack(numbers), y, rows, task == "classification", seed)
