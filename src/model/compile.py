"""From a fitted pipeline to its serving form (mlmonkey/serving.py), or the reason why it has none.

Numbers go through the same operations in the same order, trees through float64. Encoders are in
compile_columns.py, estimators in compile_estimators.py, the portfolio in compile_portfolio.py.
"""

from typing import Any

import pandas as pd

from mlmonkey.rows import Schema
from src.model.compile_columns import encode, fitted, level_encoders
from src.model.compile_estimators import add_estimator
from src.model.compile_portfolio import add_portfolio
from src.model.program import NoForm, Program


def compile_form(model: Any, X: pd.DataFrame, schema: Schema) -> tuple[bytes, Program]:
    """The serving form of a fitted pipeline, and what the gate must know of it.

    Args:
        X: some rows of the canonical frame, for the kinds of computed columns.

    Raises:
        NoForm: naming the step that has none.
    """
    steps = dict(model.steps)
    functions = steps["features"].functions if "features" in steps else []
    program = Program(schema, _added(steps["features"], X) if functions else
                      {"number": [], "date": [], "text": []})
    estimator = steps["model"]
    if type(estimator).__name__ in ("PortfolioClassifier", "PortfolioRegressor"):
        add_portfolio(program, estimator)
    else:
        if "columns" not in steps:
            raise NoForm(f"{type(estimator).__name__} takes the table as it is")
        encoders = fitted(steps["columns"])
        program.know(level_encoders(encoders))
        parts = [part for encoder, columns in encoders
                 for part in encode(program, encoder, columns, None)]
        add_estimator(program, estimator, parts, to="answer")
    return program.finish(functions, getattr(estimator, "classes_", None)), program


def _added(computed: Any, X: pd.DataFrame) -> dict[str, list[str]]:
    sample = computed.transform(X.head(50))
    kinds: dict[str, list[str]] = {"number": [], "date": [], "text": []}
    for name, dtype in sample.dtypes.items():
        if name not in X.columns:
            kinds["number" if dtype.kind in "fiub" else "date" if dtype.kind == "M"
                  else "text"].append(str(name))
    return kinds
