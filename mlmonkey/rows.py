"""Rows without pandas: what a request or a batch becomes before a model answers it.

The same canonical values as mlmonkey.schema.canonical_frame gives, in blocks, so that one row costs
little: numbers and booleans in one float64 matrix with NaN for missing, dates in one datetime64[us]
matrix with NaT, and per column of text a sequence in which all that is no str is missing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np

Feature = Mapping[str, Any]
Schema = Sequence[Feature]

NUMBERS = {int, float, type(None)}
BOOLEANS = {bool, type(None)}
KINDS = {"integer": "number", "number": "number", "boolean": "number", "date": "date",
         "text": "text"}


@dataclass(frozen=True)
class Rows:
    """n canonical rows.

    Args:
        schema: the features, in the model's order.
        numbers: float64 (n, numbers and booleans) in the schema's order.
        dates: datetime64[us] (n, dates).
        texts: one sequence (n,) per column of text.
    """

    schema: Schema
    numbers: np.ndarray
    dates: np.ndarray
    texts: Sequence[Any]

    def __len__(self) -> int:
        return len(self.numbers)

    def column(self, name: str) -> np.ndarray:
        """A column (n,) as functions of features see it: texts as objects, NaN for missing."""
        kind, place = places(self.schema)[name]
        if kind == "text":
            return as_objects(self.texts[place])
        block = self.numbers if kind == "number" else self.dates
        column: np.ndarray = block[:, place]
        column.flags.writeable = False
        return column

    def frame(self) -> Any:
        """The canonical frame, for models that need one."""
        from mlmonkey.schema import canonical_frame
        return canonical_frame({each["name"]: self.column(each["name"]) for each in self.schema},
                               self.schema)

    def take(self, rows: Any) -> "Rows":
        """Some rows, by a mask (n,), a slice or numbers."""
        return Rows(self.schema, self.numbers[rows], self.dates[rows],
                    [np.asarray(texts, dtype=object)[rows] for texts in self.texts])


def rows_from_columns(columns: Mapping[str, Any], schema: Schema) -> Rows:
    """Rows from canonical columns by name, such as a canonical frame's."""
    count = len(columns[schema[0]["name"]])

    def block(kind: str, dtype: str) -> np.ndarray:
        values = [columns[name] for name in names_of(schema, kind)]
        matrix = np.empty((count, len(values)), dtype=dtype)
        for place, each in enumerate(values):
            matrix[:, place] = each
        return matrix
    return Rows(schema, block("number", "f8"), block("date", "M8[us]"),
                [np.asarray(columns[name], dtype=object) for name in names_of(schema, "text")])


def names_of(schema: Schema, kind: str) -> list[str]:
    """The columns of a kind (number, date, text), in the schema's order."""
    return [each["name"] for each in schema if KINDS[each["dtype"]] == kind]


def places(schema: Schema) -> dict[str, tuple[str, int]]:
    """Of each column its kind, and its place among those of its kind."""
    return {name: (kind, place) for kind in ("number", "date", "text")
            for place, name in enumerate(names_of(schema, kind))}


def as_objects(texts: Iterable[Any]) -> np.ndarray:
    """Texts (n,) as objects, with one NaN for all that is missing."""
    values = [value if isinstance(value, str) else np.nan for value in texts]
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


class Reader:
    """Makes rows of what a client sends: JSON lists in the schema's order, or records.

    The usual case is checked by the types of all values at once, so that a row costs little; only
    when something is odd are values looked at one by one, to say which.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.names = [each["name"] for each in schema]
        numbers = [each["name"] for each in schema if each["dtype"] in ("integer", "number")]
        wanted = {"whole": self.names, "checked": numbers,
                  "number": names_of(schema, "number"), "date": names_of(schema, "date"),
                  "text": names_of(schema, "text"),
                  "boolean": [each["name"] for each in schema if each["dtype"] == "boolean"]}
        self.by_name = {kind: _picker(names) for kind, names in wanted.items()}
        self.by_place = {kind: _picker([self.names.index(name) for name in names])
                         for kind, names in wanted.items()}
        if wanted["number"] == self.names:  # a list of nothing but numbers, as it comes
            self.by_place["number"] = lambda row: row
        self.wanted = wanted

    def read(self, rows: Sequence[Any]) -> tuple[Rows, int]:
        """The rows, and how many keys of records were not features and were ignored.

        Raises:
            RowError: at the first value that does not fit. None is missing, never an error.
        """
        ignored = 0
        kinds = set(map(type, rows))
        if kinds == {list}:
            pick = self.by_place
            if set(map(len, rows)) != {len(self.names)}:
                self._refuse(rows)
        elif kinds == {dict}:
            pick = self.by_name
            try:
                pick["whole"](rows[0])
            except KeyError:
                self._refuse(rows)
            ignored = sum(map(len, rows)) - len(rows) * len(self.names)
        else:
            rows, ignored = self._as_lists(rows)
            pick = self.by_place
        try:
            return self._convert(rows, pick), ignored
        except (KeyError, TypeError, ValueError, OverflowError):
            self._refuse(rows)
            raise

    def _convert(self, rows: Sequence[Any], pick: Mapping[str, Callable[[Any], Any]]) -> Rows:
        """Raises whatever comes first when a value does not fit; never lets one pass."""
        wanted = self.wanted
        flat: list[Any] = list(chain.from_iterable(map(pick["number"], rows)))
        if wanted["boolean"]:
            _require(set(map(type, chain.from_iterable(map(pick["boolean"], rows)))) <= BOOLEANS)
            _require(set(map(type, chain.from_iterable(map(pick["checked"], rows)))) <= NUMBERS)
        else:
            _require(set(map(type, flat)) <= NUMBERS)
        numbers = np.array(flat, dtype=np.float64)
        if not np.isfinite(numbers).all():
            _require(all(flat[place] is None for place in np.flatnonzero(~np.isfinite(numbers))))
        numbers = numbers.reshape(len(rows), len(wanted["number"]))
        dates = np.empty((len(rows), len(wanted["date"])), dtype="M8[us]")
        if wanted["date"]:
            from mlmonkey.schema import is_date
            moments = list(map(pick["date"], rows))
            _require(all(value is None or type(value) is str and is_date(value)
                         for value in chain.from_iterable(moments)))
            dates = np.array([["NaT" if value is None else value for value in row]
                              for row in moments], dtype="M8[us]").reshape(dates.shape)
        texts: list[Any] = []
        if wanted["text"]:
            texts = list(zip(*map(pick["text"], rows))) or [()] * len(wanted["text"])
            _require(set(map(type, chain.from_iterable(texts))) <= {str, type(None)})
        return Rows(self.schema, numbers, dates, texts)

    def _as_lists(self, rows: Sequence[Any]) -> tuple[list[list[Any]], int]:
        """Lists and records mixed, or what is neither."""
        self._refuse(rows, values=False)
        return ([list(self.by_name["whole"](row)) if isinstance(row, dict) else row
                 for row in rows],
                sum(len(row) - len(self.names) for row in rows if isinstance(row, dict)))

    def _refuse(self, rows: Sequence[Any], values: bool = True) -> None:
        """Raise for the first row, or value, that does not fit; return when all do."""
        from mlmonkey.schema import check_row, check_values
        for number, row in enumerate(rows):
            check_row(number, row, self.names)
        if values:
            check_values([[row[name] for name in self.names] if isinstance(row, dict) else row
                          for row in rows], self.schema)


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError("a value that does not fit")


def _picker(keys: Sequence[Any]) -> Callable[[Any], Any]:
    """The values of a row under these keys, as a tuple."""
    if len(keys) > 1:
        return itemgetter(*keys)
    return (lambda row: (row[keys[0]],)) if keys else (lambda row: ())
