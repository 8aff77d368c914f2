"""The serving form answers as scikit-learn does, to the last bits, whatever table and rows come."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from mlmonkey.golden import predict_with
from mlmonkey.normal import normal_quantile
from mlmonkey.rows import Reader, names_of, rows_from_columns
from mlmonkey.schema import canonical_frame
from mlmonkey.serving import Form
from src.helpers.datasets import feature_function
from src.model import gate
from src.model.compile import compile_form
from src.model.models import MODELS
from src.model.pipeline import build_pipeline
from src.model.program import NoForm

SMALL = {"boosting": {"max_iter": 8}, "forest": {"n_estimators": 6}, "linear": {}, "dummy": {},
         "auto": {"folds": 2}}
LETTERS = ["a", "b ", " c", "Ä", "", "12", "$ 1,200.50", "007"]
WORDS = "the quick brown fox jumps over école 12 x".split()
CASES = st.tuples(st.integers(0, 2**32 - 1), st.sampled_from(["boosting", "forest", "linear"]),
                  st.sampled_from([2, 3, None]),
                  st.lists(st.sampled_from(["number", "integer", "boolean", "date", "text", "many",
                                            "money", "words", "empty"]), min_size=1, max_size=6))


def make_table(random: np.random.Generator, kinds: list[str],
               rows: int) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """A canonical table with gaps."""
    dtypes = {"many": "text", "money": "text", "words": "text", "empty": "number"}
    schema = [{"name": f"{kind} {place}", "dtype": dtypes.get(kind, kind)}
              for place, kind in enumerate(kinds)]
    values: dict[str, Any] = {
        "number": lambda: random.normal(size=rows) * 10.0 ** random.integers(-3, 6),
        "integer": lambda: random.integers(-5, 5, rows).astype(np.float64),
        "boolean": lambda: random.integers(0, 2, rows).astype(np.float64),
        "date": lambda: np.datetime64("1950-01-01", "us")
        + random.integers(0, 4 * 10**15, rows).astype("m8[us]"),
        "text": lambda: np.array(LETTERS, dtype=object)[random.integers(0, len(LETTERS), rows)],
        "many": lambda: np.array([f"L{each}" for each in random.integers(0, 90, rows)],
                                 dtype=object),
        "money": lambda: np.array([f"$ {each:,}.5 USD" for each in random.integers(0, 10**6, rows)],
                                  dtype=object),
        "words": lambda: np.array([" ".join(random.choice(WORDS, 5)) for _ in range(rows)],
                                  dtype=object),
        "empty": lambda: np.full(rows, np.nan)}
    columns = {}
    for feature, kind in zip(schema, kinds, strict=True):
        column = values[kind]()
        missing = random.random(rows) < random.choice([0, 0.2])
        column[missing] = np.datetime64("NaT") if kind == "date" else np.nan
        columns[feature["name"]] = column
    return canonical_frame(columns, schema), schema


def fit(algorithm: str, classes: int | None, X: pd.DataFrame, random: np.random.Generator,
        **more: Any) -> Any:
    task = "classification" if classes else "regression"
    y = random.integers(0, classes, len(X)) if classes else random.normal(size=len(X))
    y[:6] = [0, 1, (classes or 3) - 1] * 2
    labels = np.array(["no", "yes", "who knows"])[y] if classes else y
    estimator, style = MODELS[algorithm](task, 0, 1)
    estimator.set_params(**SMALL[algorithm], **more)
    return build_pipeline(estimator, style, X, []).fit(X, labels)


def check(seed: int, algorithm: str, classes: int | None, kinds: list[str],
          **more: Any) -> None:
    random = np.random.default_rng(seed)
    X, schema = make_table(random, kinds, int(random.integers(20, 150)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tables that say nothing
        model = fit(algorithm, classes, X, random, **more)
        content, about = gate.make_form(model, X, schema, None, seed % 1000)
        assert about["form"], about
        assert content == compile_form(model, X, schema)[0]  # equal bytes
        others = make_table(random, kinds, 50)[0]
        gate.compare(model, Form(content or b""), others, schema)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(CASES)
def test_any_pipeline_answers_alike(case: tuple[int, str, int | None, list[str]]) -> None:
    check(*case)


@pytest.mark.parametrize("classes", [3, None])
def test_the_portfolio_answers_alike(classes: int | None) -> None:
    check(1, "auto", classes, ["number", "many", "text", "date", "money", "words"])


def test_a_level_that_nothing_follows_answers_alike() -> None:
    check(0, "boosting", 2, ["money"])  # a split with an empty set


def test_members_of_logs_answer_alike() -> None:
    check(2, "auto", None, ["number", "many"], members=["boosting of logs", "linear of logs"])


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(CASES)
def test_many_pipelines_answer_alike(case: tuple[int, str, int | None, list[str]]) -> None:
    check(*case)


@pytest.mark.slow
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(CASES)
def test_any_portfolio_answers_alike(case: tuple[int, str, int | None, list[str]]) -> None:
    check(case[0], "auto", case[2], ["number", *case[3]])


def penguins() -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    random = np.random.default_rng(0)
    X, _ = make_table(random, ["number", "number", "text"], 60)
    X.columns = ["bill_length_mm", "bill_depth_mm", "island"]
    return X, [{"name": name, "dtype": "text" if name == "island" else "number"} for name in X]


def test_functions_of_features_are_part_of_the_form() -> None:
    X, schema = penguins()
    y = (X["bill_length_mm"] > X["bill_depth_mm"]).to_numpy()
    estimator, style = MODELS["boosting"]("classification", 0, 1)
    model = build_pipeline(estimator, style, X, ["bill_shape"]).fit(X, y)
    content, about = gate.make_form(model, X, schema, feature_function, 0)
    assert content and about["form"]
    with pytest.raises(ValueError, match="bill_shape"):
        Form(content)


def test_a_model_without_a_form_says_why() -> None:
    X, schema = penguins()
    model = build_pipeline(KNeighborsClassifier(), "linear", X, []).fit(X, np.arange(60) % 2)
    content, about = gate.make_form(model, X, schema, None, 0)
    assert content is None
    assert about == {"form": False, "reason": "KNeighborsClassifier has no serving form"}


@pytest.mark.parametrize("break_it", [
    lambda program: next(step for step in program.early if step["do"] == "clip")["with"].update(
        largest=1e-9),
    lambda program: program.late.append({"do": "divide", "of": ["answer"], "to": "answer",
                                         "with": {"by": 1 + 1e-11}})])
def test_a_form_that_answers_otherwise_is_not_used(break_it: Any) -> None:
    X, schema = penguins()
    estimator, style = MODELS["boosting"]("classification", 0, 1)
    model = build_pipeline(estimator, style, X, []).fit(X, np.arange(60) % 2)
    _, program = compile_form(model, X, schema)
    break_it(program)
    with pytest.raises(NoForm, match="would answer otherwise: .* differ"):
        gate.compare(model, Form(program.finish([], model.classes_)), X, schema)


def test_rows_a_client_sends_and_the_table_s_own_are_answered_alike() -> None:
    random = np.random.default_rng(3)
    X, schema = make_table(random, ["number", "integer", "boolean", "date", "text"], 80)
    model = fit("boosting", 3, X, random)
    form = Form(compile_form(model, X, schema)[0])
    rows = [[None if value != value else value.isoformat() if hasattr(value, "isoformat")
             else bool(value) if feature["dtype"] == "boolean" else value
             for value, feature in zip(row, schema)] for row in X.itertuples(index=False)]
    names = [feature["name"] for feature in schema]
    for sent in (rows, [dict(zip(names, row)) for row in rows],
                 [rows[0], *[dict(zip(names, row)) for row in rows[1:]]]):
        read, ignored = Reader(schema).read(sent)
        assert not ignored
        assert (form.predict(read).probabilities == predict_with(model, X).probabilities).all()
    whole = rows_from_columns(X, schema)
    one = [form.predict(whole.take(slice(n, n + 1))).probabilities[0] for n in range(len(X))]
    assert (np.array(one) == form.predict(whole).probabilities).all()
    assert whole.frame().equals(X) and names_of(schema, "text") == ["text 4"]


def test_the_normal_quantile_is_scipy_s() -> None:
    from scipy.special import ndtri
    ranks = np.concatenate([np.linspace(0, 1, 9999), np.logspace(-300, -1, 999),
                            1 - np.logspace(-16, -1, 999)])
    with np.errstate(all="ignore"):
        found, wanted = normal_quantile(ranks), ndtri(ranks)
        assert ((np.abs(found - wanted) < 1e-14) | (found == wanted)).all()
