"""Every value has one place, however the rows come; private columns have none."""

from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmonkey.bins import Bins, Counts, reference
from mlmonkey.rows import Reader, Rows

DAYS = [f"2024-01-{day:02}" for day in range(1, 12)]
SCHEMA: list[dict[str, Any]] = [
    {"name": "number", "dtype": "number", "quantiles": [n / 2 for n in range(11)]},
    {"name": "count", "dtype": "integer", "quantiles": [1, 1, 1, 1, 2, 2, 3, 3, 3, 9, 9]},
    {"name": "yes", "dtype": "boolean", "quantiles": [0] * 6 + [1] * 5},
    {"name": "always", "dtype": "boolean", "quantiles": [1] * 11},
    {"name": "void", "dtype": "number"},
    {"name": "day", "dtype": "date", "quantiles": DAYS},
    {"name": "word", "dtype": "text", "categories": [{"value": "a", "count": 9},
                                                     {"value": "", "count": 5}]},
    {"name": "secret", "dtype": "number", "private": True},
    {"name": "secret word", "dtype": "text", "private": True}]
READER = Reader(SCHEMA)
NUMBER = st.one_of(st.none(), st.sampled_from([0.0, -0.0, 5.0, 5e-324, -5e-324, 1e300]),
                   st.floats(-1, 6))
RECORD = st.fixed_dictionaries({
    "number": NUMBER, "count": st.one_of(st.none(), st.integers(0, 10)),
    "yes": st.one_of(st.none(), st.booleans()), "always": st.one_of(st.none(), st.booleans()),
    "void": NUMBER, "day": st.sampled_from([None, "2023-12-31", "2024-01-01T00:00", "2024-01-03",
                                            "2024-01-03T00:00:01", "2024-02-01", *DAYS]),
    "word": st.sampled_from([None, "a", "", "b", "A", "a value never seen"]),
    "secret": NUMBER, "secret word": st.sampled_from(["a", "b"])})


def place_of(value: Any, feature: dict[str, Any]) -> int:
    """The place of one value, counted by hand."""
    if feature["dtype"] == "text":
        known = [each["value"] for each in feature["categories"]]
        return len(known) + 1 if value is None else \
            known.index(value) if value in known else len(known)
    quantiles = feature.get("quantiles")
    if feature["dtype"] == "date":
        quantiles = [datetime.fromisoformat(each) for each in quantiles]
        value = value and datetime.fromisoformat(value)
    ends = sorted(set(quantiles[1:])) if quantiles else []
    if value is None:
        return len(ends) + 2 if ends else 1
    if not ends:
        return 0
    return 0 if value < quantiles[0] else 1 + sum(value > end for end in ends)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(RECORD, st.sampled_from(["x", "y"])), min_size=1, max_size=30), st.data())
def test_any_batches_in_any_order_count_as_one(rows: list[Any], data: st.DataObject) -> None:
    bins = Bins(SCHEMA, {"name": "t", "dtype": "text", "classes": ["x", "y"]})
    bins.most_waiting = data.draw(st.integers(1, 10))
    counts = Counts(bins)
    for start, end in cut(data.draw(st.permutations(rows)), data):
        counts.add(READER.read([row for row, _ in start])[0], np.array([y for _, y in start]))
        if end and (tally := counts.take()):
            counts.give_back(tally)
    tally = counts.take()
    assert tally and tally.rows == len(rows) and counts.is_empty() and counts.take() is None
    content = bins.as_json(tally.vector)
    assert content["counts"].keys() == {each["name"] for each in SCHEMA if "private" not in each}
    for feature in SCHEMA[:-2]:
        expected = [0] * len(content["counts"][feature["name"]])
        for row, _ in rows:
            expected[place_of(row[feature["name"]], feature)] += 1
        assert content["counts"][feature["name"]] == expected, feature
    assert content["answers"] == [sum(y == name for _, y in rows) for name in "xy"]
    assert (bins.from_json(content, len(rows)) == tally.vector).all()


def cut(rows: list[Any], data: st.DataObject) -> list[tuple[list[Any], bool]]:
    """The rows in pieces, and after which of them something is taken."""
    pieces = []
    while rows:
        size = data.draw(st.integers(1, len(rows)))
        pieces.append((rows[:size], data.draw(st.booleans())))
        rows = rows[size:]
    return pieces


def test_numbers_as_answers() -> None:
    answers = np.arange(101.0)
    found = reference([only_numbers(answers)], [SCHEMA[0]], {"name": "t", "dtype": "number"},
                      answers)
    assert found["rows"] == 101 and sum(found["counts"]["number"]) == 101
    assert found["answers"] == {"counts": [0, 11, *[10] * 9, 0, 0],
                                "quantiles": pytest.approx([10.0 * n for n in range(11)])}
    bins = Bins([SCHEMA[0]], {"name": "t", "dtype": "number"}, found["answers"]["quantiles"])
    counts = Counts(bins)
    counts.add(only_numbers(np.zeros(4)), np.array([-0.5, 100.5, 10.0, 10.5]))
    tally = counts.take()
    assert tally and bins.as_json(tally.vector)["answers"] == [1, 1, 1, *[0] * 8, 1, 0]


def only_numbers(values: np.ndarray) -> Rows:
    return Rows([SCHEMA[0]], values[:, None], np.empty((len(values), 0), "M8[us]"), [])


def test_a_private_target_is_not_counted() -> None:
    target = {"name": "t", "dtype": "text", "classes": ["x"], "private": True}
    assert "answers" not in reference([only_numbers(np.ones(9))], [SCHEMA[0]], target, np.ones(9))
    counts = Counts(Bins([SCHEMA[0]], target))
    counts.add(only_numbers(np.ones(2)), np.array(["x", "x"]))
    tally = counts.take()
    assert tally and "answers" not in counts.bins.as_json(tally.vector)


def test_texts_are_not_held() -> None:
    counts = Counts(Bins([SCHEMA[6]], {"private": True}))
    counts.add(Reader([SCHEMA[6]]).read([["somebody's secret"]])[0], np.array(["x"]))
    assert "somebody's secret" not in repr(vars(counts))


@pytest.mark.parametrize(("key", "value"), [
    ("counts", None), ("counts", {}), ("counts", {"number": [3]}), ("answers", None),
    ("number", [1, 2]), ("number", [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ("number", [4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1]), ("number", ["3"] + [0] * 12),
    ("number", [3.0] + [0] * 12), ("number", [True] * 3 + [0] * 10), ("number", "x" * 13)])
def test_other_counts_are_refused(key: str, value: Any) -> None:
    bins = Bins([SCHEMA[0]], {"name": "t", "dtype": "text", "classes": ["x", "y"]})
    content: dict[str, Any] = {"counts": {"number": [3] + [0] * 12}, "answers": [1, 2]}
    assert bins.from_json(content, 3).sum() == 6
    (content if key in content else content["counts"])[key] = value
    with pytest.raises(ValueError):
        bins.from_json(content, 3)
