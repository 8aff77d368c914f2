"""What a script without any project around it does to train on iris: the measure of our overhead.

    python benchmarks/bare_train.py data/raw/iris.csv /tmp/model.skops

The same reads, folds, importances and imports as `make train ARGS="--model boosting"`: no
configuration, no accounting, no metadata, no golden rows, no report, no versions.
"""

import sys

import duckdb
import jsonschema  # noqa: F401 - imported because training imports it
import numpy as np
import skops.io
import tqdm  # noqa: F401 - likewise
import yaml  # noqa: F401 - likewise
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import permutation_importance
from sklearn.metrics import (accuracy_score, balanced_accuracy_score, f1_score, log_loss,
                             roc_auc_score)
from sklearn.model_selection import StratifiedKFold, train_test_split
from threadpoolctl import threadpool_limits


def main(data: str, output: str) -> None:
    """Train, evaluate, explain, save."""
    frame = duckdb.sql(f"FROM read_csv('{data}')").df()
    y = frame.pop("species").to_numpy(dtype=str)
    X, X_test, y, y_test = train_test_split(frame, y, test_size=0.2, stratify=y, random_state=0)
    with threadpool_limits(1):
        scores = []
        for learned, tested in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
            for model in (HistGradientBoostingClassifier(random_state=0), DummyClassifier()):
                model.fit(X.iloc[learned], y[learned])
                scores.append(score(model, X.iloc[tested], y[tested]))
        for model in (HistGradientBoostingClassifier(random_state=0), DummyClassifier()):
            scores.append(score(model.fit(X, y), X_test, y_test))
        model = HistGradientBoostingClassifier(random_state=0).fit(X, y)
        importances = permutation_importance(model, X_test, y_test, random_state=0,
                                             scoring="neg_log_loss")
    with open(output, "wb") as file:
        file.write(skops.io.dumps(model))
    print(np.mean(scores, axis=0), importances.importances_mean)


def score(model: object, X: object, y: np.ndarray) -> list[float]:
    """The five scores that training prints."""
    probabilities = model.predict_proba(X)  # type: ignore[attr-defined]
    labels = model.classes_[probabilities.argmax(axis=1)]  # type: ignore[attr-defined]
    return [accuracy_score(y, labels), balanced_accuracy_score(y, labels),
            f1_score(y, labels, average="macro", zero_division=0), log_loss(y, probabilities),
            roc_auc_score(y, probabilities, multi_class="ovr")]


if __name__ == "__main__":
    main(*sys.argv[1:])
