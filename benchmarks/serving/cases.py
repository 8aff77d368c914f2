"""The models that everybody serves, the rows that are asked, and the answers that are right.

    python cases.py FOLDER forest-iris        # in the project's environment

Ours is trained with the project's own commands; for the others the same estimator is fitted on the
same rows in a plain scikit-learn pipeline, as one writes it without any project, and kept with
joblib. Asked are rows that are no training rows, without missing values, which not every protocol
can express.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
MOST_ROWS = 1000  # of one request


class Case(NamedTuple):
    """A table, `--model`, and who serves it (nobody but ours has `auto`)."""

    table: str
    model: str
    ours_only: bool = False


CASES = {"boosting-numeric": Case("numeric", "boosting"),
         "boosting-mixed": Case("mixed", "boosting"),
         "forest-iris": Case("iris", "forest"),
         "auto-mixed": Case("mixed", "auto", ours_only=True)}


def main(folder: Path, name: str) -> None:
    """Write the table, train both models, write what is asked and what must be answered."""
    case = CASES[name]
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    frame, asked = TABLES[case.table]()
    table = folder / "raw" / f"{case.table}.csv"
    frame.to_csv(table, index=False)
    train_ours(folder, table, case.model)
    target = frame.columns[-1]
    expected = None if case.ours_only else fit_plainly(folder, frame, case.model, asked)
    (folder / "case.json").write_text(json.dumps({
        "columns": list(frame.columns.drop(target)), "rows": asked.to_numpy(object).tolist(),
        "text": list(asked.columns[asked.dtypes.map(str) == "str"]), "labels": expected}))


def places(folder: Path) -> dict[str, str]:
    """The environment in which the project's commands work in a case's folder."""
    names = ("DATA_RAW_DIR", "DATA_STAGING_DIR", "DATA_TRANSFORMED_DIR", "DATA_PREDICTIONS_DIR",
             "MODELS_DIR", "MODELS_METADATA_DIR", "REPORTS_DIR")
    ours = {name: str(folder / name.split("_")[-2].lower()) for name in names}
    return os.environ | ours | {"OMP_NUM_THREADS": "1"}


def train_ours(folder: Path, table: Path, model: str) -> None:
    """`make train` on all rows, without the page."""
    subprocess.run([sys.executable, "-m", "src.stages", "train", "--data", str(table), "--target",
                    "target", "--name", "served", "--model", model, "--hold-out", "0",
                    "--doctor", "off", "--no-report"], cwd=ROOT, env=places(folder), check=True,
                   stdout=subprocess.DEVNULL)


def fit_plainly(folder: Path, frame: Any, model: str, asked: Any) -> list[Any]:
    """The same estimator without the project; returns its labels for the rows asked."""
    import joblib
    import numpy as np
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder
    X, y = frame.drop(columns="target"), frame["target"].to_numpy(dtype=str)
    text = [name for name in X.columns if X[name].dtype == "str"]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan,
                           encoded_missing_value=np.nan, max_categories=100, min_frequency=2)
    columns = ColumnTransformer([("text", codes, text)], remainder="passthrough")
    estimator = (RandomForestClassifier(n_estimators=200, random_state=0) if model == "forest" else
                 HistGradientBoostingClassifier(early_stopping=False, random_state=0,
                                                categorical_features=range(len(text)) or None))
    pipeline = make_pipeline(columns, estimator).fit(X, y)
    joblib.dump(pipeline, folder / "model.joblib")
    return list(pipeline.predict(asked))


def numeric() -> tuple[Any, Any]:
    """20 numbers, two classes."""
    import numpy as np
    import pandas as pd
    random = np.random.default_rng(0)
    values = random.normal(size=(4000 + MOST_ROWS, 20)).round(4)
    score = values[:, :6] @ random.normal(size=6) + values[:, 6] * values[:, 7]
    frame = pd.DataFrame(values, columns=[f"number_{i}" for i in range(20)])
    frame["target"] = np.where(score + random.normal(size=len(frame)) > 0, "yes", "no")
    return split(frame)


def mixed() -> tuple[Any, Any]:
    """12 numbers and 8 categories of 3 to 40 levels, three classes."""
    import numpy as np
    import pandas as pd
    random = np.random.default_rng(1)
    values = random.normal(size=(4000 + MOST_ROWS, 12)).round(4)
    levels = random.integers([3, 4, 5, 8, 10, 15, 25, 40], size=(len(values), 8))
    score = values[:, :4] @ random.normal(size=4) + np.sin(levels[:, 4]) + levels[:, 0]
    frame = pd.DataFrame(values, columns=[f"number_{i}" for i in range(12)])
    for i in range(8):
        frame.insert(2 * i, f"kind_{i}", [f"level {level}" for level in levels[:, i]])
    frame["target"] = pd.cut(score + random.normal(size=len(frame)), [-np.inf, 0, 2, np.inf],
                             labels=["low", "middle", "high"]).astype(str)
    return split(frame)


def iris() -> tuple[Any, Any]:
    """The shipped table; asked are its rows, moved a little."""
    import numpy as np
    import pandas as pd
    frame = pd.read_csv(ROOT / "data" / "raw" / "iris.csv").rename(columns={"species": "target"})
    asked = frame.drop(columns="target").sample(MOST_ROWS, replace=True, random_state=0)
    moved = asked + np.random.default_rng(2).normal(scale=0.1, size=asked.shape)
    return frame, moved.round(2).reset_index(drop=True)


TABLES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "numeric": numeric, "mixed": mixed, "iris": iris}


def split(frame: Any) -> tuple[Any, Any]:
    """Training rows, and the rows that are asked, without the target."""
    return frame[MOST_ROWS:], frame[:MOST_ROWS].drop(columns="target")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
