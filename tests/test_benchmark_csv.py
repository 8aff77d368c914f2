"""The benchmark of untidy files: its corpus is the same each time, its scores are fair."""

import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks" / "csv"


@pytest.fixture(scope="module")
def parts() -> Any:
    """The corpus and the scorer, which find each other as neighbours."""
    sys.path.insert(0, str(FOLDER))
    try:
        import corpus
        import holdout
        import score
    finally:
        sys.path.remove(str(FOLDER))
    return corpus, score, holdout


def test_the_corpus_is_the_same_each_time(parts: Any) -> None:
    corpus, _, holdout = parts
    for make_cases in (corpus.make_cases, holdout.make_cases):
        one, two = ([case.content for case in make_cases(3)] for _ in range(2))
        assert one == two and len(one) > 800
    assert len({case.kind for case in corpus.make_cases(3)}) == len(corpus.KINDS)


def test_values_and_their_texts_count_alike(parts: Any) -> None:
    _, score, _ = parts
    answer = {"names": [["a"], ["b"], [""]], "rows": [[0.5, "2024-01-31", None], [1.0, "x", True]],
              "texts": [["50%", "31.01.2024", "?"], ["100%", "x", "TRUE"]]}
    for rows in ([[0.5, "2024-01-31T00:00:00", None], [1, " x", True]],
                 [["50%", "31.01.2024", "?"], ["100%", "x", "True"]]):
        scores = score.score_file(answer, ["a", "b ", "column_3"], rows)
        assert all(part.f1 == 1 for part in scores.values())
    wrong = score.score_file(answer, ["b", "a", "c"], [["x", 0.5, None]])
    assert (wrong["records"].f1, wrong["header"].recall) == (0, 1 / 3)
    assert wrong["cells"].precision == 1 / 3


def test_records_are_no_names_where_there_is_no_header(parts: Any) -> None:
    _, score, _ = parts
    answer = {"names": None, "rows": [[1.0, "x"]], "texts": [["1", "x"]]}
    assert score.score_file(answer, [], [[1, "x"]])["header"].f1 == 1
    assert score.score_file(answer, ["1", "x"], [])["header"].f1 == 0
    assert score.score_file(answer, ["column0", "column1"], [[1, "x"]])["header"].f1 == 1
