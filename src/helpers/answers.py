"""What prediction writes for each record: answers of a model as columns, a batch at a time."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from mlmonkey.csv_answers import answer_columns
from mlmonkey.rows import Rows
from mlmonkey.store import LoadedModel
from mlmonkey.unusual import find_unusual
from src.helpers.batches import Batch
from src.helpers.progress import bar

SQL_TYPES = {"text": "VARCHAR", "boolean": "BOOLEAN", "integer": "BIGINT", "number": "DOUBLE"}


class Answers:
    """The columns of a model's answers; `types` are their SQL types, `counts` grow with the frames.

    Args:
        limit: threshold of the intervals; None for answers without.
        unusual: say which values lie outside what the model's table held.
    """

    def __init__(self, model: LoadedModel, limit: float | None, unusual: bool) -> None:
        self.model, self.limit, self.unusual = model, limit, unusual
        classes, dtype = model.classes, model.metadata["target"]["dtype"]
        self.types = {"prediction": SQL_TYPES[dtype] if classes else "DOUBLE"}
        if limit is not None:
            self.types |= ({"set": "VARCHAR"} if classes else
                           {"lower": "DOUBLE", "upper": "DOUBLE"})
        self.types |= {f"probability_{label}": "DOUBLE" for label in classes or []}
        self.types |= {"unusual": "VARCHAR"} if unusual else {}
        self.types["error"] = "VARCHAR"
        self.counts: dict[str, Any] = {"records": 0, "errors": 0, "seconds": 0.0}
        self.counts |= {"unusual": 0} if unusual else {}

    def frames(self, batches: Iterable[Batch], total: int) -> Iterator[pd.DataFrame]:
        """A frame per batch, kept columns first; a row with an error has no answer."""
        started = time.perf_counter()
        with bar(total, unit=" records", unit_scale=True) as shown_records:
            for batch in batches:
                fine = batch.errors == ""
                answers = {name: self._empty(name, len(fine)) for name in self.types}
                if fine.any():
                    for name, values in self._answer(batch.X.take(fine)).items():
                        answers[name][fine] = values
                answers["error"] = batch.errors
                kept = batch.kept.reset_index(drop=True)
                kept.columns = free_names(list(kept.columns), list(self.types))
                self.counts["records"] += len(fine)
                self.counts["errors"] += int((~fine).sum())
                shown_records.update(len(fine))
                yield pd.concat([kept, pd.DataFrame(answers)], axis=1)
        self.counts["seconds"] = round(time.perf_counter() - started, 3)

    def _empty(self, name: str, rows: int) -> np.ndarray:
        # labels are objects: 1 must not become 1.0 because a row beside it has no answer
        if self.types[name] == "DOUBLE" and not (name == "prediction" and self.model.classes):
            return np.full(rows, np.nan)
        return np.full(rows, None, dtype=object)

    def _answer(self, X: Rows) -> dict[str, Any]:
        found = self.model.predict(X)
        unusual = find_unusual(X, self.model.metadata) if self.unusual else None
        if unusual is not None:
            self.counts["unusual"] += sum(map(bool, unusual))
        return answer_columns(found, self.model.classes, self.limit, unusual)


def free_names(names: list[str], taken: list[str]) -> list[str]:
    """Names of input columns that are none of the answers', and none twice."""
    free: list[str] = []
    for name in names:
        while name in taken or name in free:
            name += "_input"
        free.append(name)
    return free
