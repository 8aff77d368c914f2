"""Every table that can be read trains with `--model auto`, or one line says what to do."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Run, assert_refused, copy_project, write_table

from mlmonkey.errors import UserError
from mlmonkey.schema import canonical_frame
from src.helpers.configuration import Config
from src.helpers.doctor import examine
from src.helpers.evaluation import evaluate, explain, fit_all, split_rows
from src.helpers.recipe import Recipe
from src.helpers.tables import Table, check_task, tell_task

ROWS = 60
OPTIONS = {"doctor": "warn", "task": "auto", "folds": 5, "hold_out": 0.2, "seed": 0, "group": None,
           "time": None, "drop": ()}
RANDOM = np.random.default_rng(0)
NUMBERS = ("number", RANDOM.normal(size=ROWS))
LEVELS = ("text", [f"level {i}" for i in RANDOM.integers(0, 20, ROWS)])
HUGE = ("number", RANDOM.choice([1e300, -1e300, 5e-324, 1.7e308, np.inf, -np.inf, np.nan, 0], ROWS))
DAYS = ("date", np.arange(ROWS).astype("datetime64[D]").astype("datetime64[us]"))
TWO = [f"class {i % 2}" for i in range(ROWS)]
MEMBERS = ["extra trees", "linear"]  # boosting takes long to save, and is met in the slow ones

TRAINS: dict[str, tuple[dict[str, Any], Any]] = {
    "missing columns": ({"a": NUMBERS, "b": ("number", [np.nan] * ROWS),
                         "c": ("text", [None] * ROWS)}, TWO),
    "mixed, odd names": ({"": NUMBERS, " ": LEVELS, "é 😀": HUGE, "x": DAYS, "x day": NUMBERS,
                          "a__b": ("text", ["12 kg", "7", "?", None, "n/a", "1e400"] * 10)}, TWO),
    "two rows per class": ({"a": NUMBERS, "b": LEVELS}, [f"class {i // 2}" for i in range(ROWS)]),
    "truth values, rare": ({"a": NUMBERS}, np.arange(ROWS) < 2),
    "one row of a class": ({"a": NUMBERS}, ["rare"] + ["other"] * (ROWS - 1)),
    "copies": ({"a": ("number", np.arange(ROWS) % 2)}, TWO),
    "huge target": ({"a": NUMBERS, "b": HUGE}, RANDOM.normal(size=ROWS) * 1e99),
    "tiny target": ({"a": NUMBERS, "b": LEVELS}, RANDOM.integers(0, 50, ROWS) * 5e-324),
}


def train(columns: dict[str, Any], y: Any, refit: bool = False, budget: float | None = None,
          **options: Any) -> Any:
    """What training does between reading and saving."""
    schema: Any = [{"name": name, "dtype": dtype} for name, (dtype, _) in columns.items()]
    X, y = canonical_frame({name: each for name, (_, each) in columns.items()}, schema), np.array(y)
    dtype = {"f": "number", "b": "boolean", "i": "integer"}.get(y.dtype.kind, "text")
    table = Table(X, y, np.arange(len(y)), len(y), schema, {"name": "y", "dtype": dtype})
    config = Config(OPTIONS | options, {})
    task = tell_task(table, "x.csv")
    check_task(table, task, "x.csv")
    examine(table, task, config)
    recipe = Recipe("auto", {"members": MEMBERS, "budget": budget}, task, 0, 1, [])
    parts = split_rows(table, config, task)
    model, evaluation, _ = evaluate(table, parts, recipe, config, lambda step: None)
    explain(model, table, parts, 0, task)
    return (fit_all(model, table, recipe, config) if refit else model), X, evaluation


@pytest.mark.parametrize("case", TRAINS)
def test_any_table_trains_without_a_warning(case: str) -> None:
    model, X, evaluation = train(*TRAINS[case])
    assert all(np.isfinite(score["value"]) for score in evaluation.scores)
    answers = model.predict(pd.concat([X, X.iloc[:1].reindex([0]).mask(lambda row: row == row)]))
    assert len(answers) == ROWS + 1 and not pd.isna(answers).any()


@pytest.mark.parametrize(("columns", "y", "options", "said"), [
    ({"a": ("number", [7.0] * ROWS)}, TWO, {}, "one value only.*--model boosting"),
    ({"a": ("text", [f"id{i}" for i in range(ROWS)])}, TWO, {}, "an identifier"),
    ({"a": NUMBERS}, list(map(str, range(ROWS))), {}, "60 different values"),
    ({"a": NUMBERS}, [f"class {i // 2}" for i in range(ROWS)], {"hold_out": 0.9}, "--hold-out 0.9"),
])
def test_what_can_t_be_learned_is_refused_with_what_to_do(columns: Any, y: Any, options: Any,
                                                          said: str) -> None:
    with pytest.raises(UserError, match=said):
        train(columns, y, **options)


def test_a_target_of_numbers_and_some_words_names_the_words() -> None:
    y = ["none yet" if i % 9 == 0 else f"{i}.5" for i in range(ROWS)]
    with pytest.raises(UserError, match="88% of its values are numbers.*--missing 'none yet'$"):
        train({"a": NUMBERS}, y)


def test_a_refit_is_of_the_members_that_were_scored_and_keeps_no_row() -> None:
    model = train({"a": NUMBERS}, TWO, refit=True, budget=1e-9)[0][-1]
    assert list(model.losses_) == [MEMBERS[0], ""] and model.budget is None
    assert not hasattr(model, "held_out_")


@pytest.mark.slow
def test_odd_tables_train_as_a_user_does_it(tmp_path: Path, run_stage: Run) -> None:
    project = copy_project(tmp_path / "my prøject")
    odd = ["a", "a", "", "naïve 😀", "file_row_number"]
    tables = {
        "wide": ([f"n{i}" for i in range(1000)], [[f"{RANDOM.random():.3f}" for _ in range(1000)]
                                                  for _ in range(60)], 2),
        "many": (["a", "b"], [[f"{RANDOM.random():.3f}", f"w{i % 30}"] for i in range(800)], 200),
        "odd": (odd, [[i % 7, "1e300", "", ["x", "5", "", "2024-01-01"][i % 4], "-1e999"]
                      for i in range(80)], 2),
        "one": (["a"], [[i % 9] for i in range(20)], 9)}
    for name, (header, rows, classes) in tables.items():
        data = write_table(project, f"{name}.csv", [*header, "y"], [
            [*row, "" if i == 7 else f"class {i % classes}"] for i, row in enumerate(rows)])
        done = run_stage(project, "train", "--data", data, "--target", "y", "--model", "auto",
                         "--no-report", "--folds", 2)
        assert "Warning" not in done.stderr and "Traceback" not in done.stderr, done.stderr
    data = write_table(project, "constant.csv", ["a", "y"], [[1, i % 2] for i in range(60)])
    assert_refused(run_stage(project, "train", "--data", data, "--target", "y", "--model", "auto",
                             check=False), "one value only", "--model boosting")
