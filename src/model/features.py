"""What is computed from a row: your feature engineering. Yours to edit.

A function takes the columns of a table as a dict of numpy arrays (n,) and returns new columns as a
dict of numpy arrays (n,): numbers as float64 with NaN for missing, text as objects. It sees one
row or a million, so write it for whole arrays. Add yours to FEATURES under the raw file's name
without its ending. The functions become part of the fitted model: training, `make prediction` and
the endpoint can't disagree.
"""

from collections.abc import Callable

import numpy as np

Columns = dict[str, np.ndarray]


def bill_shape(columns: Columns) -> Columns:
    """How slender a penguin's bill is; no unit."""
    return {"bill_ratio": columns["bill_length_mm"] / columns["bill_depth_mm"]}


def power_to_weight(columns: Columns) -> Columns:
    """Horsepower per 1,000 pounds of car."""
    return {"power_to_weight": 1000 * columns["horsepower"] / columns["weight"]}


FEATURES: dict[str, list[Callable[[Columns], Columns]]] = {
    "penguins": [bill_shape],
    "cars": [power_to_weight],
}
