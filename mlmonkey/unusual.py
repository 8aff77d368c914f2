"""Which values of a row lie outside what the table held that a model was learned from.

The source is the schema in the metadata: ranges, shares of missing values, frequent categories. It
lists no rare category, so that "never seen" is said only of columns whose list is whole; where the
list holds almost all values, another one is "rare or never seen"; elsewhere nothing is said. Of
private columns the schema knows nothing, and so nothing is ever said.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mlmonkey.rows import Rows

ALMOST_ALL = 0.95  # share of a column's values that its listed categories must make up


def find_unusual(rows: Rows, metadata: Mapping[str, Any]) -> list[list[dict[str, str]]]:
    """Per row of n canonical ones a list of {"column", "reason"}, often empty."""
    found: list[list[dict[str, str]]] = [[] for _ in range(len(rows))]
    for feature in metadata["schema"]:
        if feature.get("private"):
            continue
        for odd, reason in _reasons(rows.column(feature["name"]), feature, metadata):
            for row in np.flatnonzero(odd):
                found[row].append({"column": feature["name"], "reason": reason})
    return found


def _reasons(column: np.ndarray, feature: Mapping[str, Any],
             metadata: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    """Which rows (n,) are unusual, and why."""
    present = column == column  # NaN and NaT are not
    if feature["missing_share"] == 0:
        yield ~present, "missing"
    if feature["dtype"] == "text":
        listed = feature["categories"]
        values = (1 - feature["missing_share"]) * metadata["data"]["rows"]["dataset"]
        known = {each["value"] for each in listed}
        other = present & np.array([value not in known for value in column], dtype=bool)
        if len(listed) == feature["distinct"]:
            yield other, "never seen"
        elif sum(each["count"] for each in listed) >= ALMOST_ALL * values:
            yield other, "rare or never seen"
    elif "minimum" not in feature:
        yield present, "never seen"
    else:
        low, high = feature["minimum"], feature["maximum"]
        for rows, word, end in ((column < _as_value(low), "below", low),
                                (column > _as_value(high), "above", high)):
            yield rows, ("never seen" if feature["dtype"] == "boolean" else
                         f"{word} {int(end) if feature['dtype'] == 'integer' else end}")


def _as_value(end: Any) -> Any:
    return np.datetime64(end, "us") if isinstance(end, str) else end
