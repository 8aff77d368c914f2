"""What a model's input looks like, and how every row that comes later is checked against it.

A feature is a dict: `name`, `dtype` (integer, number, boolean, date or text), `missing_share` and,
unless it is private, `minimum`, `maximum` and `quantiles` (deciles) or `categories` with counts.

Every model sees one canonical frame: integer, number and boolean columns as float64 with NaN for
missing and for infinities, dates as datetime64[us] with NaT, text as pandas strings with NaN.
Training, batch and endpoint build it with the same functions, so that they can't disagree.
"""

import re
import reprlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlmonkey.rows import Feature, Schema

if TYPE_CHECKING:
    import pandas as pd

DECILES = np.linspace(0, 1, 11)
# numpy alone would also read "now" and "today", and move a time zone's clock without a word
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?)?")
UNSEEN_CATEGORY = "a value never seen"
EXPECTED = {"integer": "a number", "number": "a number", "boolean": "true or false",
            "date": "a date such as 2024-01-31, or 2024-01-31T18:30 without a zone",
            "text": "a text"}


class RowError(ValueError):
    """A row that does not fit the schema: says which row, column and value, and what was expected.

    `row` counts from 0; `column` is None when the row as a whole has the wrong shape.
    """

    def __init__(self, row: int, column: str | None, value: Any, expected: str,
                 text: str | None = None) -> None:
        self.row, self.column, self.value, self.expected = row, column, value, expected
        where = f"row {row}" if column is None else f"row {row}, column {column!r}"
        super().__init__(text or f"{where}: {short(value)} is not {expected}")


def canonical_frame(columns: "Mapping[str, Any] | pd.DataFrame",
                    schema: Schema) -> "pd.DataFrame":
    """Build the frame that models see from columns that already hold values of the right kind.

    Args:
        columns: name -> values (n,); a pandas frame will do. Other columns are left out.
        schema: the features, in the model's order.
    """
    import pandas as pd
    return pd.DataFrame({f["name"]: _canonical(columns[f["name"]], f["dtype"]) for f in schema})


def check_row(number: int, row: Any, names: Sequence[str]) -> None:
    """Refuse a row that is neither a list of as many values nor a record with every name.

    Raises:
        RowError: saying which row, and what is missing.
    """
    if isinstance(row, dict):
        missing = [name for name in names if name not in row]
        if missing:
            raise RowError(number, missing[0], None, "a value, or null",
                           f"row {number}: column {missing[0]!r} is missing; "
                           "send null for no value")
    elif not isinstance(row, list) or len(row) != len(names):
        raise RowError(number, None, row, f"a record or a list of {len(names)} values")


def check_values(rows: Sequence[Sequence[Any]], schema: Schema) -> None:
    """Refuse the first value, column by column, that does not fit its feature.

    Raises:
        RowError: saying which row and column.
    """
    for position, feature in enumerate(schema):
        for number, row in enumerate(rows):
            value = row[position]
            if value is not None and not _fits(value, feature["dtype"]):
                raise RowError(number, feature["name"], value, EXPECTED[feature["dtype"]])


def draw_rows(schema: Schema, count: int, seed: int) -> list[dict[str, Any]]:
    """Draw rows from the schema alone, never from anybody's data; private features stay missing.

    The first row is typical, the second all missing, the third all unseen or out of range; the
    others are drawn between the quantiles and from the categories, one value in ten missing.
    """
    random = np.random.default_rng(seed)
    rows = [example_row(schema), {f["name"]: None for f in schema},
            {f["name"]: _unseen(f) for f in schema}]
    while len(rows) < count:
        rows.append({f["name"]: _draw(f, random) for f in schema})
    return rows[:count]


def example_row(schema: Schema) -> dict[str, Any]:
    """A typical row as JSON values: medians and the most frequent categories."""
    return {feature["name"]: _typical(feature) for feature in schema}


def short(value: Any) -> str:
    """A value as people recognise it, in at most 60 characters; nested ones are cut early."""
    brief = reprlib.Repr()  # plain repr walks all of a body, and fails at 1,000 levels
    brief.maxlevel, brief.maxstring, brief.maxother = 3, 60, 60
    text = brief.repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _canonical(values: Any, dtype: str) -> "pd.Series":
    import pandas as pd
    if dtype == "text":
        return pd.Series(np.asarray(values, dtype=object), dtype="str")
    if dtype == "date":
        return pd.Series(pd.to_datetime(pd.Series(values)).astype("datetime64[us]").to_numpy())
    numbers = pd.Series(values).to_numpy(dtype=np.float64, na_value=np.nan)
    return pd.Series(np.where(np.isfinite(numbers), numbers, np.nan))


def _fits(value: Any, dtype: str) -> bool:
    if dtype == "text":
        return isinstance(value, str)
    if dtype == "boolean":
        return isinstance(value, bool)
    if dtype == "date":
        return isinstance(value, str) and is_date(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= 1.7976931348623157e308  # larger integers don't fit a float64; NaN neither


def is_date(text: str) -> bool:
    """Whether a text is a day or moment of the years 1 to 9999, without a zone."""
    if not DATE.fullmatch(text):
        return False
    try:
        moment = np.datetime64(text, "us")
    except ValueError:
        return False
    return not np.isnat(moment) and 0 < moment.astype("datetime64[Y]").astype(int) + 1970 < 10000


def _typical(feature: Feature) -> Any:
    if feature["dtype"] == "text":
        categories = feature.get("categories") or [{"value": None}]
        return categories[0]["value"]
    return _as_json(feature["quantiles"][5], feature) if "quantiles" in feature else None


def _unseen(feature: Feature) -> Any:
    if feature.get("private"):
        return None
    if feature["dtype"] == "text":
        return UNSEEN_CATEGORY
    if feature["dtype"] == "date":
        return "1900-01-01T00:00:00"
    if feature["dtype"] == "boolean" or "maximum" not in feature:
        return None
    low, high = feature["minimum"], feature["maximum"]
    return _as_json(high + 10 * (high - low) + 1, feature)


def _draw(feature: Feature, random: np.random.Generator) -> Any:
    missing, place = random.random() < 0.1, random.random()
    if missing or feature.get("private"):
        return None
    if feature["dtype"] == "text":
        values = [category["value"] for category in feature.get("categories", [])]
        return values[int(place * len(values))] if values else None
    if "quantiles" not in feature:
        return None
    if feature["dtype"] in ("date", "boolean"):
        return _as_json(feature["quantiles"][int(place * len(DECILES))], feature)
    return _as_json(float(np.interp(place, DECILES, feature["quantiles"])), feature)


def _as_json(value: Any, feature: Feature) -> Any:
    if feature["dtype"] == "date":
        return value
    if feature["dtype"] == "boolean":
        return bool(value)
    if feature["dtype"] == "integer":
        return int(round(value))
    return float(f"{value:.6g}")
