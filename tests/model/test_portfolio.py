"""The blend is made of what its members said about rows that they had not seen, in any folds.

Warnings are errors here as everywhere.
"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mlmonkey.errors import UserError
from mlmonkey.model_files import deserialize, serialize
from mlmonkey.schema import canonical_frame
from src.helpers.recipe import Recipe
from src.model.blending import choose_weights, log_losses, squared_losses
from src.model.members import boosting_rounds
from src.model.portfolio import FEWEST_ROUNDS, LEAF_NUMBERS, PortfolioClassifier, make_member
from src.model.trusted import TRUSTED

ROWS = 20
LINEAR = {"members": ["linear"]}  # the quickest


def frame(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Two numbers, the second with gaps, few levels and many."""
    random = np.random.default_rng(seed)
    return pd.DataFrame({
        "number": random.random(rows), "gaps": np.where(random.random(rows) < 0.3, np.nan, 7.0),
        "few": pd.Series(random.choice(["a", "b"], rows), dtype="str"),
        "many": pd.Series([f"level {i % 15}" for i in range(rows)], dtype="str")})


def fitted(X: pd.DataFrame, y: Any, fold: Any = None, seed: int = 0, **parameters: Any) -> Any:
    task = "regression" if np.asarray(y).dtype.kind == "f" else "classification"
    more = {} if fold is None else {"fold": np.asarray(fold)}
    return Recipe("auto", parameters, task, seed, 1, []).fit(X, np.asarray(y), **more)


def test_classes_of_two_rows_are_no_reason_to_warn() -> None:
    y = np.repeat([f"class {i}" for i in range(12)], 2)
    model = fitted(frame(24), y)
    assert set(model.predict(frame(24))) <= set(y)


@pytest.mark.parametrize("rows", [10, 13, 19])
def test_a_few_numbers_are_folded_without_being_told_how(rows: int) -> None:
    assert np.isfinite(fitted(frame(rows), np.arange(rows) / 7, **LINEAR).predict(frame())).all()


@pytest.mark.parametrize("y", [np.arange(ROWS) % 2, np.arange(ROWS) % 3, np.arange(ROWS) / 7,
                               np.zeros(ROWS)], ids=["two", "three", "numbers", "one number"])
@pytest.mark.parametrize("known", [1, 2, 4])
def test_a_fold_may_leave_few_rows_to_learn_from(known: int, y: np.ndarray) -> None:
    model = fitted(frame(), y, np.arange(ROWS) >= known)
    assert np.isfinite(model.predict(frame(seed=1))).all()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    X, y = frame(), np.arange(ROWS) % 2
    first, again, other = (serialize(fitted(X, y, seed=seed), "skops") for seed in (0, 0, 1))
    assert first == again != other
    loaded = deserialize(first, "skops", TRUSTED, "x.skops")
    assert np.array_equal(loaded.predict_proba(X), deserialize(
        again, "skops", TRUSTED, "y.skops").predict_proba(X))


@pytest.mark.parametrize("members", [["boosting"], ["extra trees", "linear"]])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_held_out_answers_are_by_models_that_never_met_the_row(task: str,
                                                               members: list[str]) -> None:
    """Noise can be told by heart only: rows in no fold are known, those held out are not."""
    rows = 200
    X, fold = frame(rows)[["number"]], np.arange(rows) % 5
    random = np.random.default_rng(1)
    y = random.integers(0, 2, rows) if task == "classification" else random.normal(size=rows)
    model = fitted(X, y, fold, members=members)[-1]
    held, known = model.take_held_out(), model.predict(X)
    assert not hasattr(model, "held_out_")
    if task == "classification":
        assert np.allclose(held.sum(axis=1), 1)
        assert abs((held.argmax(axis=1) == y).mean() - 0.5) < 0.15
        assert (known == y).mean() > (held.argmax(axis=1) == y).mean()
    else:
        assert abs(np.corrcoef(held, y)[0, 1]) < 0.2


@pytest.mark.parametrize("kind", ["classes", "numbers"])
@settings(max_examples=4, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_any_folds_are_blended_no_worse_than_the_best_member(kind: str,
                                                             data: st.DataObject) -> None:
    rows = data.draw(st.integers(10, 30))
    fold = np.array(data.draw(st.lists(st.integers(-1, data.draw(st.integers(1, 9))),
                                       min_size=rows, max_size=rows)))
    fold[:2] = 0, 1
    if kind == "classes":  # by chance one only, or one that a fold's training rows lack
        y = np.array(data.draw(st.lists(st.integers(0, data.draw(st.integers(0, 3))),
                                        min_size=rows, max_size=rows)))
    else:
        y = np.array(data.draw(st.lists(st.floats(-1e99, 1e99), min_size=rows, max_size=rows)))
    X = frame(rows, data.draw(st.integers(0, 9)))
    model = fitted(X, y, fold, members=["extra trees", "linear"])[-1]
    assert sum(model.weights_.values()) == pytest.approx(1)
    assert set(model.weights_) == set(model.members_) <= {"extra trees", "linear"}
    alone = [loss for name, loss in model.losses_.items() if name]
    assert model.losses_[""] <= min(alone) * (1 + 0.006) + 1e-9
    held = model.take_held_out()
    assert np.isfinite(held).all() and np.isfinite(model.predict(X).astype(float)).all()
    tested = fold >= 0
    assert (held[~tested] == (0 if kind == "classes" else model.mean_)).all()
    if kind == "classes":
        assert np.allclose(held[tested].sum(axis=1), 1)


@settings(max_examples=40, deadline=None, phases=[Phase.generate])
@given(seed=st.integers(0, 9999), count=st.integers(1, 5), rows=st.integers(1, 60))
def test_shares_sum_to_one_and_lose_little_for_being_few(seed: int, count: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    y = random.normal(size=rows)
    answers = {str(n): y + random.normal(size=rows) * random.random() for n in range(count)}
    losses = {name: squared_losses(y, answer).mean() for name, answer in answers.items()}
    weights = choose_weights(answers, y, squared_losses)
    blend = sum(share * answers[name] for name, share in weights.items())
    assert sum(weights.values()) == pytest.approx(1) and min(weights.values()) > 0
    noise = 1.01 ** count  # each member left out may cost WORTH
    assert squared_losses(y, blend).mean() <= min(losses.values()) * noise + 1e-12


def test_a_budget_or_a_name_decides_which_members_there_are() -> None:
    X, y = frame(), np.arange(ROWS) % 2
    hasty = fitted(X, y, budget=1e-9)[-1]
    assert list(hasty.members_) == ["boosting"]
    named = fitted(X, y, members=["boosting"])[-1]
    assert list(fitted(X, y, members="linear")[-1].members_) == ["linear"]
    assert np.array_equal(hasty.predict_proba(X), named.predict_proba(X))
    for wrong in (["bosting"], [], "", None, 7, [["linear"]]):
        with pytest.raises(UserError, match=r"there is no member .*members=\[boosting, "):
            fitted(X, y, members=wrong)


def test_an_interrupt_that_nobody_would_be_told_of_ends_all() -> None:
    class Interrupted(PortfolioClassifier):
        def _fit_member(self, name: str, *words: Any) -> Any:
            if name == "linear":
                raise KeyboardInterrupt
            return super()._fit_member(name, *words)

    with pytest.raises(KeyboardInterrupt):
        Interrupted(["extra trees", "linear"]).fit(frame(), np.arange(ROWS) % 2)


def test_many_classes_cost_no_more_than_they_may(capsys: pytest.CaptureFixture[str]) -> None:
    assert boosting_rounds(None) == boosting_rounds(2) == 500
    assert boosting_rounds(50) == FEWEST_ROUNDS and boosting_rounds(5000) == 1
    columns = PortfolioClassifier(members=["linear"]).fit(frame(), np.arange(ROWS) % 2).columns_
    leaves = make_member("extra trees", columns, 200, 100, 0, 1).estimator.max_leaf_nodes
    assert 200 * leaves <= LEAF_NUMBERS
    model = fitted(frame(400), np.arange(400) % 200)[-1]
    assert "boosting is left out: 200 classes" in capsys.readouterr().out
    assert set(model.losses_) == {"", "extra trees", "linear"}
    assert log_losses(np.arange(400) % 200, model.take_held_out()).mean() < 8


def test_what_parts_of_a_date_are_called_is_no_other_column_s_name() -> None:
    schema = [{"name": "x", "dtype": "date"}, {"name": "x day", "dtype": "number"}]
    moments = np.arange("2024-01-01", "2024-01-21", dtype="datetime64[D]")
    X = canonical_frame({"x": moments.astype("datetime64[us]"), "x day": np.arange(20.0) % 3},
                        schema)
    assert len(fitted(X, np.arange(20) % 2, **LINEAR).predict(X)) == 20


def test_logarithms_of_skewed_numbers_are_learned_too() -> None:
    random = np.random.default_rng(1)
    X = frame(200).assign(number=random.normal(0, 1.5, 200))
    y = np.exp(X["number"].to_numpy() + random.normal(0, 0.3, 200))
    members = ["linear", "linear of logs"]
    model = fitted(X, y, members=members)[-1]
    assert model.weights_.get("linear of logs", 0) > 0.5
    assert model.losses_["linear of logs"] < model.losses_["linear"]
    answers = model.predict(X)
    assert 0.8 < answers.mean() / y.mean() < 1.2  # means, not medians
    again = deserialize(serialize(model, "skops"), "skops", TRUSTED, "x.skops")
    assert np.array_equal(again.predict(X), answers)
    for plain in (np.log(y), y - 5):  # not skewed; not without numbers below zero
        assert list(fitted(X, plain, members=members)[-1].losses_) == ["linear", ""]


def test_a_member_of_logs_is_not_for_classes() -> None:
    with pytest.raises(UserError, match="'linear of logs' is for numbers"):
        fitted(frame(), np.arange(ROWS) % 2, members=["linear of logs"])
