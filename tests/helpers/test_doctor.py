"""The doctor: finds what is planted, is silent about sound tables, fails on none."""

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, Run, assert_refused, read_metadata, write_table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlmonkey.errors import UserError
from src.helpers.configuration import Config
from src.helpers.doctor import Finding, examine
from src.helpers.tables import Table

CONFIG = {"doctor": "warn", "task": "auto", "folds": 5, "seed": 0, "group": None, "time": None}
RANDOM = np.random.default_rng(7)


def read_shipped(name: str) -> dict[str, list[Any]]:
    """The columns of a shipped table, without rows that lack a value."""
    with open(ROOT / "data" / "raw" / name, encoding="utf-8", newline="") as file:
        records = [record for record in csv.DictReader(file) if not {"", "NA"} & {*record.values()}]
    return {key: [number(record[key]) for record in records] for key in records[0]}


def number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def table_of(columns: dict[str, Any], target: str, **more: Any) -> Table:
    schema, frame = [], {}
    for name, values in columns.items():
        column = pd.Series(values)
        kind = ("text" if column.dtype.kind not in "fiubM" else "date" if column.dtype.kind == "M"
                else "integer" if (column.dropna() % 1 == 0).all() and not column.max() > 1e15
                else "number")
        schema.append({"name": name, "dtype": kind})
        frame[name] = column if kind in ("text", "date") else column.astype(float)
    X = pd.DataFrame(frame)
    y = X.pop(target).to_numpy()
    about = next(each for each in schema if each["name"] == target)
    y = y.astype({"text": str, "integer": int, "number": float}[about["dtype"]])
    return Table(X, y, np.arange(len(y)), len(y), [each for each in schema if each is not about],
                 about | more)


def find(columns: dict[str, Any], target: str, **more: Any) -> list[Finding]:
    values = CONFIG | more
    table = table_of(columns, target)
    regression = table.y.dtype.kind == "f" or (
        table.y.dtype.kind == "i" and len(np.unique(table.y)) > 10)
    return examine(table, "regression" if regression else "classification",
                   Config(values, dict.fromkeys(values, "default")))


IRIS, CARS = read_shipped("iris.csv"), read_shipped("cars.csv")


@pytest.mark.parametrize(("name", "target"), [
    ("iris.csv", "species"), ("iris.csv", "petal_width"), ("penguins.csv", "species"),
    ("penguins.csv", "sex"), ("penguins.csv", "body_mass_g"), ("cars.csv", "mpg"),
    ("cars.csv", "origin")])
def test_sound_tables_are_left_in_peace(name: str, target: str) -> None:
    assert find(read_shipped(name), target) == []


def shuffled(columns: dict[str, Any]) -> dict[str, Any]:
    order = np.random.default_rng(1).permutation(len(next(iter(columns.values()))))
    return {name: pd.Series(values).iloc[order].reset_index(drop=True)
            for name, values in columns.items()}


def people() -> dict[str, Any]:
    """Ten measurements of each of 60 patients: who is recognised, and has one diagnosis."""
    who = np.repeat(np.arange(60), 10)
    body = RANDOM.normal(size=(60, 3))[who] + RANDOM.normal(size=(600, 3)) / 10
    return shuffled({"a": body[:, 0], "b": body[:, 1], "c": body[:, 2],
                     "patient": [f"P{each:03}" for each in who],
                     "sick": np.array(["no", "yes"])[RANDOM.integers(0, 2, 60)[who]]})


NOISE = {name: RANDOM.normal(size=400) for name in "abcd"}
STARS = np.clip(np.round(sum(NOISE.values()) + 3), 0, 6)


@pytest.mark.parametrize(("columns", "target", "check", "column", "option"), [
    (IRIS | {"the code": [each.upper() for each in IRIS["species"]]}, "species",
     "leak", "the code", "--drop 'the code'"),
    (CARS | {"consumption": [235 / each for each in CARS["mpg"]]}, "mpg",
     "leak", "consumption", "--drop consumption"),
    (CARS | {"noisy": CARS["mpg"] * RANDOM.normal(1, 0.01, len(CARS["mpg"]))}, "mpg",
     "leak", "noisy", "--drop noisy"),
    (shuffled(IRIS) | {"row": range(150)}, "species", "id", "row", "--drop row"),
    (shuffled(IRIS) | {"name": [f"x{each}" for each in range(150)]}, "species",
     "id", "name", "--drop name"),
    (shuffled({name: values * 3 for name, values in IRIS.items()}), "species",
     "copies", None, "src/etl/transform.py"),
    (NOISE | {"stars": STARS}, "stars", "task", "stars", "--task regression"),
    (NOISE | {"stars": STARS / 2}, "stars", "task", "stars", "--task classification"),
    ({"a": NOISE["a"], "stars": [str(int(each)) if i % 9 else "none"
                                 for i, each in enumerate(STARS)]}, "stars",
     "task", "stars", "--missing WORD"),
    (IRIS | {"species": ["rare", "rare", *IRIS["species"][2:]]}, "species",
     "classes", "species", "src/etl/transform.py"),
    ({"day": pd.date_range("2024-01-01", periods=400)[::-1], "a": NOISE["a"],
      "y": NOISE["b"].cumsum()}, "y", "time", "day", "--time day"),
    (people(), "sick", "group", "patient", "--group patient"),
], ids=lambda each: each if isinstance(each, str) else "")
def test_what_is_planted_is_found(columns: dict[str, Any], target: str, check: str,
                                  column: str | None, option: str) -> None:
    found = find(columns, target)
    assert [(each["check"], each["column"]) for each in found] == [(check, column)]
    assert option in found[0]["option"]
    if check in ("leak", "copies", "time", "group"):
        assert found[0]["scores"]["with"] > found[0]["scores"]["without"]
    if check in ("leak", "copies", "time", "group", "id"):
        assert f"{found[0]['scores']['without']:.2f}"[:-1] in found[0]["text"]


def test_ids_hide_no_copies_and_copies_no_ids() -> None:
    columns = {name: 3 * list(values) for name, values in shuffled(IRIS).items()}
    found = find(columns | {"row": range(450)}, "species")
    assert [(each["check"], each["column"]) for each in found] == [("copies", None), ("id", "row")]
    found = find(columns | {"record id": 3 * list(range(1000, 1600, 4))}, "species")
    assert [each["column"] for each in found] == [None, "record id"]


def test_what_the_doctor_asked_for_ends_the_finding() -> None:
    columns = people()
    who = pd.factorize(columns.pop("patient"))[0]
    table = table_of(columns, "sick")._replace(groups=who)
    config = Config(CONFIG, dict.fromkeys(CONFIG, "default"))
    assert examine(table, "classification", config) == []


def test_rare_classes_and_another_task_are_told_with_scores_both_ways() -> None:
    rare = {**IRIS, "species": [*list(IRIS["species"])[:-2], "odd", "odder"]}
    finding = next(each for each in find(rare, "species") if each["check"] == "classes")
    assert finding["scores"]["with"] < finding["scores"]["without"]
    assert f"{finding['scores']['without']:.3f} without" in finding["text"]
    numbers = {**IRIS, "species": pd.factorize(np.array(IRIS["species"]))[0] + 0.5}
    finding = next(each for each in find(numbers, "species") if each["check"] == "task")
    assert re.search(r"0\.9\d\d as numbers, balanced accuracy 0\.9\d\d as classes", finding["text"])


def test_rare_classes_of_a_private_target_are_not_quoted() -> None:
    columns = IRIS | {"species": ["secret", "secret", *IRIS["species"][2:]]}
    table = table_of(columns, "species", private=True)
    found = examine(table, "classification", Config(CONFIG, dict.fromkeys(CONFIG, "default")))
    assert found[0]["check"] == "classes" and "secret" not in str(found)


COLUMNS = st.sampled_from([
    lambda random, count: random.normal(size=count) * 1e300,
    lambda random, count: np.full(count, np.nan),
    lambda random, count: np.full(count, 3.0),
    lambda random, count: np.where(random.random(count) < 0.5, np.nan, np.arange(count)),
    lambda random, count: random.choice(["a", "\u732b", " ", None], count),
    lambda random, count: [f"P{each % 7:02}" for each in range(count)],
    lambda random, count: pd.date_range("2024-01-01", periods=count).where(
        random.random(count) < 0.9),
    lambda random, count: pd.Series([None] * count, dtype="str"),
])


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(COLUMNS, min_size=1, max_size=6), st.integers(10, 150), st.integers(2, 9),
       st.sampled_from(["number", "classes", "sorted"]), st.integers(0, 99))
def test_no_table_is_too_odd(columns: list[Any], count: int, kinds: int, target: str,
                             seed: int) -> None:
    random = np.random.default_rng(seed)
    frame = {f"{place} {'id' if place % 2 else ''}": make(random, count)
             for place, make in enumerate(columns)}
    labels = random.integers(0, kinds, count)
    y = {"number": random.normal(size=count) * 1e200, "classes": labels,
         "sorted": np.sort(labels).astype(str)}[target]
    if len(set(y)) > 1:
        found = find(frame | {"y": y}, "y")
        assert find(frame | {"y": y}, "y", doctor="off") == []
        assert all(np.isfinite([*list(each.get("scores", {"": 0}).values())[1:]]).all()
                   for each in found)
        if found:
            with pytest.raises(UserError, match="--doctor warn"):
                find(frame | {"y": y}, "y", doctor="error")


def test_a_finding_is_told_kept_and_can_refuse(project: Path, run_stage: Run) -> None:
    rows = [[*row, row[-1].upper()] for row in zip(*IRIS.values())]
    data = write_table(project, "leaky.csv", [*IRIS, "the code"], rows)
    words = ("train", "--data", data, "--target", "species", "--set", "max_iter=5", "--folds", 2)
    refusing = (*words, "--doctor", "error", "--no-report")
    done = run_stage(project, *refusing, check=False)
    assert_refused(done, "'the code' alone predicts 'species'", "--drop 'the code'",
                   "--doctor warn")
    assert not list((project / "models" / "metadata").glob("leaky*"))
    out = run_stage(project, *words).stdout
    assert "doctor: 'the code' alone predicts 'species'" in out
    found = read_metadata(project, "leaky-v1")["doctor"]
    assert [each["check"] for each in found] == ["leak"]
    assert "alone predicts" in (project / "reports" / "leaky-v1.html").read_text()
    out = run_stage(project, *refusing, "--drop", "the code").stdout
    assert "doctor:" not in out
    metadata = read_metadata(project, "leaky-v2")
    assert metadata["doctor"] == [] and "the code" not in metadata["features"]
