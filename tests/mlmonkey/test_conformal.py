"""Intervals and sets: ranks, refusals, and that what is asked for is held."""

from typing import Any

import numpy as np
import pytest

from mlmonkey.conformal import NoInterval, intervals_block, largest_level, threshold, widen
from mlmonkey.golden import Prediction

CLASSES = np.array(["a", "b", "c"])


def metadata_of(block: dict[str, Any] | None) -> dict[str, Any]:
    return {"model_name": "x", "model_version": 1} | ({"intervals": block} if block else {})


def numbers(y: np.ndarray) -> list[tuple[np.ndarray, Prediction]]:
    """Answers that are all zero, so that a score is the size of the truth, in two parts."""
    return [(part, Prediction(np.zeros(len(part)), None)) for part in np.array_split(y, 2)]


def test_a_threshold_is_the_score_of_the_exact_rank() -> None:
    y = np.random.default_rng(0).permutation(np.arange(1, 100)) * np.tile([1, -1], 50)[:99]
    block = intervals_block(numbers(y.astype(float)), [], None)
    assert block and block["rows"] == 99 and len(block["thresholds"]) == 198
    assert "hold_out" not in block
    metadata = metadata_of(block)
    for level, limit in ((0.9, 90), (0.5, 50), (0.899, 90), (0.001, 1), (0.99, 99), (0.07, 7)):
        assert threshold(metadata, level) == limit
    assert largest_level(metadata) == 0.99
    with pytest.raises(NoInterval, match="interval 0.995: x-v1 goes up to 0.99; .* 99 rows"):
        threshold(metadata, 0.995)


def test_few_rows_keep_nothing_and_say_so() -> None:
    assert intervals_block(numbers(np.arange(19.0)), [], None) is None
    assert intervals_block(numbers(np.arange(20.0)), [], None)
    assert largest_level(metadata_of(None)) is None
    with pytest.raises(NoInterval, match="x-v1 has no intervals: .*make train"):
        threshold(metadata_of(None), 0.9)


def test_errors_that_are_no_number_any_more_are_no_thresholds() -> None:
    y = np.full(40, -1.7e308)
    answers = np.where(np.arange(40) < 30, -1.7e308, 1.7e308)
    block = intervals_block([(y, Prediction(answers, None))], [], None)
    assert block and set(block["thresholds"]) == {0.0}
    assert largest_level(metadata_of(block)) == pytest.approx(30 / 41, abs=0.005)


def test_a_set_is_never_empty_and_begins_with_the_most_probable() -> None:
    answer = Prediction(np.array(["b", "a", "c"]), np.array([
        [0.3, 0.6, 0.1], [0.4, 0.35, 0.25], [0.0, 0.0, 1.0]]))
    classes = CLASSES.tolist()
    assert widen(answer, 0.7, classes) == {"set": [["b", "a"], ["a", "b"], ["c"]]}
    assert widen(answer, 0.1, classes) == {"set": [["b"], ["a"], ["c"]]}
    assert widen(answer, 1.0, classes)["set"][2] == ["c", "a", "b"]


@pytest.mark.parametrize("seed", range(5))
def test_sets_and_intervals_hold_what_was_asked_for(seed: int) -> None:
    random = np.random.default_rng(seed)

    def draw(rows: int) -> tuple[np.ndarray, Prediction]:
        """Classes drawn from the probabilities 0.5, 0.3, 0.2 in any order; answers know them."""
        probabilities = random.permuted(np.tile([0.5, 0.3, 0.2], (rows, 1)), axis=1)
        sure = probabilities + random.uniform(0, 0.001, probabilities.shape)
        places = (random.random((rows, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
        return CLASSES[places], Prediction(CLASSES[sure.argmax(axis=1)], sure)

    block = intervals_block([draw(250), draw(250)], [draw(2000)], CLASSES)
    assert block and block["hold_out"]["level"] == 0.9
    y, answer = draw(4000)
    for level in (0.7, 0.9):
        sets = widen(answer, threshold(metadata_of(block), level), CLASSES.tolist())["set"]
        held = np.mean([label in labels for label, labels in zip(y, sets)])
        assert held == pytest.approx(level, abs=0.05)
    assert block["hold_out"]["covered"] / 2000 == pytest.approx(held, abs=0.03)

    block = intervals_block(numbers(random.gumbel(0, 1, 500)), [], None)
    y = random.gumbel(0, 1, 4000)
    found = widen(Prediction(np.zeros(4000), None), threshold(metadata_of(block), 0.9), None)
    assert np.mean((found["lower"] <= y) & (y <= found["upper"])) == pytest.approx(0.9, abs=0.05)
