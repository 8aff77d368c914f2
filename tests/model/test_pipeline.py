"""The pipeline meets any column: missing, unseen, constant, dates, computed."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mlmonkey.errors import UserError
from mlmonkey.schema import canonical_frame
from src.model import features
from src.model.encodings import TypedColumns
from src.model.models import MODELS
from src.model.pipeline import ComputedFeatures, DateParts, build_pipeline

SCHEMA = [{"name": "number", "dtype": "number"}, {"name": "text", "dtype": "text"},
          {"name": "date", "dtype": "date"}]


def frame(numbers: list[Any], texts: list[Any], dates: list[Any]) -> pd.DataFrame:
    moments = np.array(dates, dtype="datetime64[us]")
    return canonical_frame({"number": numbers, "text": texts, "date": moments}, SCHEMA)


def fitted(model: str, task: str, X: pd.DataFrame, y: Any) -> Any:
    estimator, style = MODELS[model](task, 0, 1)
    if model == "forest":
        estimator.set_params(n_estimators=5)
    if model == "auto":
        estimator.set_params(folds=2)
    return build_pipeline(estimator, style, X, []).fit(X, y)


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=8, deadline=None, phases=[Phase.generate])
@given(data=st.data(), task=st.sampled_from(["classification", "regression"]))
def test_any_column_can_be_learned_and_any_row_answered(model: str, task: str,
                                                        data: st.DataObject) -> None:
    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return data.draw(st.lists(values | st.none(), min_size=20, max_size=20))
    numbers = st.floats(allow_nan=True, allow_infinity=True, width=32)
    dates = st.sampled_from(["1900-01-01", "2024-02-29 13:00:00", "2100-01-01"])
    X = frame(column(numbers), column(st.text(max_size=3)), column(dates))
    y = np.arange(20) % 2
    if model == "auto" and not TypedColumns().fit(X).kinds_:
        with pytest.raises(UserError, match="no column can say anything"):
            fitted(model, task, X, y)
        return
    pipeline = fitted(model, task, X, y)
    new = frame([None, np.inf, 1e308], ["never seen", None, ""], [None, "1700-01-01", "2200-01-01"])
    assert np.isfinite(pipeline.predict(new).astype(float)).all()


def test_a_date_is_five_numbers() -> None:
    X = frame([1, 1], ["a", "a"], ["2024-02-29 13:30", None])[["date"]]
    parts = DateParts().fit_transform(X)
    assert parts[0].tolist() == [19782 + 13.5 / 24, 2, 29, 3, 13]
    assert np.isnan(parts[1]).all()


def test_a_category_decides_where_only_it_can() -> None:
    X = frame([0.0] * 60, ["a", "b", "c"] * 20, [None] * 60)
    y = np.array(["x", "y", "x"] * 20)
    for model in ("linear", "forest", "boosting"):
        assert (fitted(model, "classification", X, y).predict(X) == y).all(), model


def test_every_shipped_function_computes_without_warnings() -> None:
    penguin = {"bill_length_mm": np.array([40.0, np.nan, 1.0]),
               "bill_depth_mm": np.array([20.0, 20.0, 0.0])}
    assert features.bill_shape({k: v[:2] for k, v in penguin.items()})["bill_ratio"][0] == 2
    computed = ComputedFeatures(["bill_shape"]).transform(pd.DataFrame(penguin))
    assert list(computed) == [*penguin, "bill_ratio"]
    assert computed["bill_ratio"].tolist()[0] == 2
    assert computed["bill_ratio"].isna().tolist() == [False, True, True]  # 1 / 0 is missing
    car = {"horsepower": np.array([100.0]), "weight": np.array([2000.0])}
    assert features.power_to_weight(car)["power_to_weight"].tolist() == [50]
