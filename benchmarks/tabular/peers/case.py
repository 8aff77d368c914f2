"""What each peer does alike: read a case, write its answers.

    python peers/NAME.py CASE_FOLDER ANSWERS.csv [WORD]

A case holds train.csv, test.csv without the target, and meta.json. Answers are one column per class
with its probability, or the column `prediction`. The last line printed is kept as a note.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


class Case:
    """One table, split: the frame to learn from, the targets, the frame to answer for."""

    def __init__(self) -> None:
        self.folder, self.output = Path(sys.argv[1]), Path(sys.argv[2])
        self.word = sys.argv[3] if len(sys.argv) > 3 else ""
        meta = json.loads((self.folder / "meta.json").read_text())
        self.target, self.task, self.classes = meta["target"], meta["task"], meta["classes"]
        self.regression = self.task == "regression"
        kind = {} if self.regression else {self.target: str}
        self.train = pd.read_csv(self.folder / "train.csv", dtype=kind)
        self.test = pd.read_csv(self.folder / "test.csv")
        self.X, self.y = self.train.drop(columns=self.target), self.train[self.target]
        self.text = [name for name in self.X if not pd.api.types.is_numeric_dtype(self.X[name])]
        for name in self.X:  # a column of the test alone may look like another type
            self.test[name] = (
                self.test[name].astype(str).where(self.test[name].notna()) if name in self.text
                else pd.to_numeric(self.test[name], errors="coerce"))

    def answer(self, model: Any, X: Any, note: str = "") -> None:
        """Ask a fitted scikit-learn estimator, write what it says."""
        if self.regression:
            self.write(model.predict(X), None, note)
        else:
            self.write(model.predict_proba(X), model.classes_, note)

    def write(self, values: np.ndarray, classes: Any, note: str = "") -> None:
        """Numbers, or probabilities with the classes their columns stand for."""
        if classes is None:
            answers = pd.DataFrame({"prediction": np.asarray(values, dtype=float)})
        else:
            answers = pd.DataFrame(np.asarray(values), columns=[str(name) for name in classes])
            answers = answers.reindex(columns=self.classes, fill_value=0.0)
        answers.to_csv(self.output, index=False)
        print(note)
