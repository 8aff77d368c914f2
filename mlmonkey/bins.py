"""Values counted in bins: what drift is told from, so that nobody's data need be kept.

Each column that is not private, and the answers, have a run of places in one vector of counts:

    numbers, dates, booleans   below the range of training; its tenths; above it; missing
    texts                      each category that the schema lists; all others; missing
    answers                    each class; of numbers as above

A tenth reaches from one decile to the next, which belongs to it; deciles that coincide are one, so
that a boolean, or an integer with few values, has a place per value or so.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mlmonkey.metadata import now
from mlmonkey.monitoring import Tally
from mlmonkey.rows import KINDS, Rows, Schema, names_of
from mlmonkey.schema import DECILES

MOST_WAITING = 512  # rows that wait to be counted together, which costs each of them far less
ONCE = (1,) * 8  # as many values are quicker counted one by one
MOST_VALUES = 65_536  # of them, however many columns there are


class Bins:
    """Which place of the vector a value is counted at.

    Args:
        target: name, dtype and, for classification, classes.
        answers: deciles of a regression's answers in training.
    """

    def __init__(self, schema: Schema, target: Mapping[str, Any],
                 answers: Sequence[float] | None = None) -> None:
        self.columns: dict[str, slice] = {}
        self.texts: list[tuple[int, dict[str, int], int]] = []  # column, place of each, of others
        self.classes: dict[Any, int] = {}
        self.answers: slice | None = None
        self.size = 0
        self._edges: list[np.ndarray] = []  # of what is counted as numbers, and their columns
        self._taken: list[int] = []
        self._starts: list[int] = []
        # the block of numbers, then that of dates, then the answers
        block = names_of(schema, "number") + names_of(schema, "date")
        texts = names_of(schema, "text")
        for feature in schema:
            name, kind = feature["name"], KINDS[feature["dtype"]]
            if feature.get("private"):
                continue
            if kind == "text":
                known = {each["value"]: self.size + place
                         for place, each in enumerate(feature["categories"])}
                self.texts.append((texts.index(name), known, self.size + len(known)))
                self.columns[name] = self._reserve(len(known) + 2)
            else:
                self.columns[name] = self._reserve_numbers(block.index(name),
                                                           feature.get("quantiles"))
        if not target.get("private"):
            if "classes" in target:
                self.classes = {each: self.size + place
                                for place, each in enumerate(target["classes"])}
                self.answers = self._reserve(len(self.classes))
            else:
                self.answers = self._reserve_numbers(len(block), answers)
        self.most_waiting = max(1, min(MOST_WAITING, MOST_VALUES // (len(block) + 1)))

    def _reserve(self, places: int) -> slice:
        self.size += places
        return slice(self.size - places, self.size)

    def _reserve_numbers(self, column: int, quantiles: Sequence[Any] | None) -> slice:
        edges = edges_of(quantiles)
        self._edges.append(edges)
        self._taken.append(column)
        self._starts.append(self.size)
        return self._reserve(len(edges) + 1)

    def count(self, numbers: np.ndarray, dates: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """The vector of n rows without their texts and classes.

        Args:
            numbers, dates: the blocks of canonical rows. answers: (n,), looked at if numbers.
        """
        vector = np.zeros(self.size, dtype=np.int64)
        parts = [numbers, as_numbers(dates)]
        if self.answers and not self.classes:
            parts.append(answers.reshape(-1, 1))
        values = np.concatenate(parts, axis=1).T[self._taken]
        values.sort(axis=1)  # NaN comes last
        for column, edges, start in zip(values, self._edges, self._starts, strict=True):
            reached = column.searchsorted(edges, side="right")
            vector[start] = reached[0]
            vector[start + 1:start + len(edges)] = np.diff(reached)
            vector[start + len(edges)] = len(column) - reached[-1]
        return vector

    def as_json(self, vector: np.ndarray) -> dict[str, Any]:
        """Counts by column, and of the answers, as a file holds them: no value, no category."""
        content: dict[str, Any] = {"counts": {name: vector[places].tolist()
                                              for name, places in self.columns.items()}}
        return content | ({"answers": vector[self.answers].tolist()} if self.answers else {})

    def from_json(self, content: Mapping[str, Any], rows: int) -> np.ndarray:
        """The vector that `as_json` gave.

        Raises:
            ValueError: when these are no counts of so many rows in these bins.
        """
        vector = np.zeros(self.size, dtype=np.int64)
        columns = content.get("counts")
        if not isinstance(columns, dict) or columns.keys() != self.columns.keys():
            raise ValueError("its columns are others")
        for name, places in self.columns.items():
            vector[places] = _checked(columns[name], places, rows, repr(name))
        if self.answers:
            vector[self.answers] = _checked(content.get("answers"), self.answers, rows, "answers")
        return vector


class Counts:
    """What was counted since it was last taken; any thread may add.

    Rows wait until there are many, to be counted together; their texts are looked up at once, so
    that none is held.
    """

    def __init__(self, bins: Bins) -> None:
        self.bins = bins
        self._lock = threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self._rows, self._since = 0, ""
        self._given: Tally | None = None
        self._vector = np.zeros(self.bins.size, dtype=np.int64)
        self._looked_up = [0] * self.bins.size
        self._waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._most = self.bins.most_waiting

    def add(self, rows: Rows, answers: np.ndarray) -> None:
        """Count n canonical rows and the answers (n,) to them."""
        bins, count = self.bins, len(rows.numbers)
        with self._lock:
            looked_up = self._looked_up
            for column, known, others in bins.texts:
                for text, times in _times(rows.texts[column]):
                    looked_up[known.get(text, others) if type(text) is str else others + 1] += times
            if bins.classes:
                for answer, times in _times(answers.tolist()):
                    looked_up[bins.classes[answer]] += times
            self._waiting.append((rows.numbers, rows.dates, answers))
            if not self._rows:
                self._since = now()
            self._rows += count
            self._most -= count
            if self._most <= 0:
                self._count_waiting()

    def is_empty(self) -> bool:
        """Whether nothing was counted."""
        return not self._rows and self._given is None

    def give_back(self, tally: Tally) -> None:
        """Keep what was taken and could not be put anywhere."""
        with self._lock:
            self._given = tally.plus(self._given)

    def take(self) -> Tally | None:
        """What was counted, if anything was; from here on counting begins anew."""
        with self._lock:
            found = self._given
            if self._rows:
                if self._waiting:
                    self._count_waiting()
                vector = self._vector + np.array(self._looked_up, dtype=np.int64)
                found = Tally(self._rows, self._since, now(), vector).plus(found)
            self._clear()
            return found

    def _count_waiting(self) -> None:
        self._vector += self.bins.count(*map(np.concatenate, zip(*self._waiting)))
        self._waiting, self._most = [], self.bins.most_waiting


def reference(parts: Iterable[Rows], schema: Schema, target: Mapping[str, Any],
              answers: np.ndarray) -> dict[str, Any]:
    """What later rows are compared with, for the metadata: counts of the training table.

    Args:
        parts: the canonical rows of the table, some at a time.
        answers: of the model, or of those of the folds, to rows that they had not seen.
    """
    columns = Counts(Bins(schema, {"private": True}))
    for part in parts:
        columns.add(part, np.empty(0))
    found = _taken(columns)
    if target.get("private"):
        return found
    quantiles = None if "classes" in target else np.quantile(answers, DECILES).tolist()
    given = Counts(Bins([], target, quantiles))
    given.add(Rows([], np.empty((len(answers), 0)), np.empty((len(answers), 0), "M8[us]"), []),
              answers)
    return found | {"answers": {"counts": _taken(given)["answers"]}
                    | ({"quantiles": quantiles} if quantiles else {})}


def _taken(counts: Counts) -> dict[str, Any]:
    tally = counts.take()
    assert tally  # a training has rows
    return {"rows": tally.rows, **counts.bins.as_json(tally.vector)}


def edges_of(quantiles: Sequence[Any] | None) -> np.ndarray:
    """The largest number of each place but the last, which is for what is missing.

    Args:
        quantiles: deciles; None where training saw no value, so that any is beyond its range.
    """
    if not quantiles:
        return np.array([np.inf])
    found = (as_numbers(np.array(quantiles, dtype="M8[us]")) if isinstance(quantiles[0], str)
             else np.array(quantiles, dtype=np.float64))
    return np.array([np.nextafter(found[0], -np.inf), *np.unique(found[1:]), np.inf])


def as_numbers(dates: np.ndarray) -> np.ndarray:
    """Dates as microseconds in float64, NaN for none."""
    return np.where(np.isnat(dates), np.nan, dates.astype("M8[us]").astype(np.int64))


def _times(values: Sequence[Any]) -> Iterable[tuple[Any, int]]:
    """Values, and how often each is there."""
    return zip(values, ONCE) if len(values) <= len(ONCE) else Counter(values).items()


def _checked(counts: Any, places: slice, rows: int, what: str) -> list[int]:
    if not (isinstance(counts, list) and len(counts) == places.stop - places.start
            and all(type(each) is int and each >= 0 for each in counts) and sum(counts) == rows):
        raise ValueError(f"the counts of {what} are not those of {rows:,} rows in these bins")
    return counts
