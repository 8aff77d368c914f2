"""The gate in front of the endpoint: a serving form answers as the model does, or it is not used.

Both answer the training rows and rows with one odd value each: missing, empty, never seen, extreme,
and the neighbours of every threshold of the trees, as far as the limits go.
"""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from mlmonkey.golden import Prediction, predict_with
from mlmonkey.rows import Schema, rows_from_columns
from mlmonkey.schema import canonical_frame
from mlmonkey.serving import Form, Functions
from src.model.compile import compile_form
from src.model.program import NoForm

TOLERANCE = 1e-12  # of probabilities, and of numbers relative to their size above 1
MOST_ROWS = 200_000  # of the training table, drawn with the seed where there are more
ODD_ROWS = (2_000, 20_000)  # generated: as many as the table has, within these limits
FEWEST = 20  # for each column: all that is odd in itself
ALL_ODD = 200  # rows that are odd in every column
AT_ONCE = 20_000  # rows answered together
NUMBERS = [np.nan, 0.0, -0.0, 1.0, -1.0, 5e-324, 1e-300, -1e-300, 1e30, np.nextafter(1e30, 2e30),
           -1e30, 1e300, -1e300, 1.7976931348623157e308, -1.7976931348623157e308]
DATES = ["NaT", "0001-01-01", "1582-10-10", "1900-02-28T23:59:59.999999", "1969-12-31T23:59:59",
         "1970-01-01", "2000-02-29T12:00", "2038-01-19T03:14:08", "9999-12-31T23:59:59.999999"]
TEXTS = [None, "", " ", "-", "0", "12", "1e400", "nan", "None", "a value never seen",
         "\u00e9\u0301", "\U0001f600", "x" * 1000]


def make_form(model: Any, X: pd.DataFrame, schema: Schema, functions: Functions | None,
              seed: int) -> tuple[bytes | None, dict[str, Any]]:
    """The bytes of a form that has passed the gate, or None, and what the metadata says of it.

    Args:
        X: the canonical training table.
    """
    try:
        content, program = compile_form(model, X, schema)
        random = np.random.default_rng(seed)
        rows = np.sort(random.permutation(len(X))[:MOST_ROWS])
        odd = odd_rows(X, schema, program.edges, random, int(np.clip(len(X), *ODD_ROWS)))
        form = Form(content, functions)
        for frame in (X.iloc[rows], odd):
            for start in range(0, len(frame), AT_ONCE):
                compare(model, form, frame.iloc[start:start + AT_ONCE], schema)
    except NoForm as error:
        return None, {"form": False, "reason": str(error)}
    except Exception as error:  # a parameter or a version whose parts look otherwise
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return None, {"form": False, "reason": f"it could not be made: {reason}"}
    return content, {"form": True, "rows": len(rows), "generated": len(odd)}


def compare(model: Any, form: Form, frame: pd.DataFrame, schema: Schema) -> None:
    """Refuse a form that answers otherwise.

    Raises:
        NoForm: saying by how much.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        want = predict_with(model, frame)
    got = form.predict(rows_from_columns(frame, schema))
    if off := difference(want, got):
        raise NoForm(f"its serving form would answer otherwise: {off}")


def difference(want: Prediction, got: Prediction) -> str:
    """How answers differ beyond what is allowed; empty when they agree."""
    if want.probabilities is None:
        values, found = np.asarray(want.labels), np.asarray(got.labels)
        room = TOLERANCE * np.maximum(1, np.abs(values))
    else:
        if (other := int((np.asarray(want.labels) != np.asarray(got.labels)).sum())):
            return f"{other} of {len(want.labels):,} labels differ"
        values, found, room = want.probabilities, got.probabilities, TOLERANCE
    with np.errstate(invalid="ignore"):
        apart = ~((np.abs(values - found) <= room) | (values == found)
                  | np.isnan(values) & np.isnan(found))
    if not apart.any():
        return ""
    return (f"{int(apart.sum())} of {apart.size:,} numbers differ, by up to "
            f"{np.nanmax(np.abs(values - found)[apart]):.2g}")


def odd_rows(X: pd.DataFrame, schema: Schema, edges: dict[tuple[str, str], list[np.ndarray]],
             random: np.random.Generator, most: int) -> pd.DataFrame:
    """Rows of the table with one odd value each, then some of odd values only.

    Args:
        most: about so many; at least FEWEST for each column.
    """
    share = max(FEWEST, most // len(schema))
    values = {each["name"]: odd_values(X[each["name"]], each["dtype"], edges, random, share)[:share]
              for each in schema}
    count = sum(map(len, values.values()))
    base = X.iloc[random.integers(0, len(X), count + ALL_ODD)]
    columns, start = {}, 0
    for name, odd in values.items():
        column = base[name].to_numpy().copy()
        column[start:start + len(odd)] = odd
        column[count:] = odd[random.integers(0, len(odd), ALL_ODD)]
        columns[name], start = column, start + len(odd)
    return canonical_frame(columns, schema)


def odd_values(column: pd.Series, dtype: str, edges: dict[tuple[str, str], list[np.ndarray]],
               random: np.random.Generator, most: int) -> np.ndarray:
    """Odd values (m,) of a column, and those beside its thresholds, of which some are drawn."""
    name = str(column.name)
    if dtype == "text":
        levels = column.dropna().unique().astype(object)
        levels = levels[random.permutation(len(levels))[:most]]
        return np.concatenate([np.array([np.nan if each is None else each for each in TEXTS],
                                        dtype=object), levels, levels[:20] + " "])
    kind = "day" if dtype == "date" else "number"
    found = np.unique(np.concatenate([np.array([]), *edges.get((name, kind), [])]))
    found = found[np.isfinite(found)]
    found = np.sort(random.permutation(found)[:most // 5])
    if dtype == "date":
        near = np.floor(found * 86_400_000_000)
        near = near[np.abs(near) < 2.5e17].astype("m8[us]")
        moments = [np.datetime64(0, "us") + near + step for step in (-1, 0, 1)]
        return np.concatenate([np.array(DATES, dtype="M8[us]"), *moments])
    single = found.astype(np.float32)
    with np.errstate(all="ignore"):
        near = [found, np.nextafter(found, -np.inf), np.nextafter(found, np.inf),
                np.nextafter(single, np.float32(-np.inf)).astype(np.float64),
                np.nextafter(single, np.float32(np.inf)).astype(np.float64)]
    numbers = np.concatenate([np.array(NUMBERS), *near])
    return numbers if dtype != "boolean" else np.array([np.nan, 0.0, 1.0])
