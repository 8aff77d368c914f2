"""The tabular benchmark's own arithmetic, on results made up here."""

import json
from pathlib import Path

import pytest
from benchmarks.tabular.scores import score_answers
from benchmarks.tabular.summary import compare, print_summary, read_results


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two tables, three peers; one peer ran one table, another failed on one and ran it again."""
    lines = [("iris", "dummy", -1.0), ("iris", "good", -0.2), ("iris", "fair", -0.6),
             ("cars", "dummy", 0.0), ("cars", "good", 0.8), ("cars", "fair", None),
             ("cars", "fair", 0.4), ("iris", "broken", None)]
    file = tmp_path / "results.jsonl"
    file.write_text("".join(json.dumps({
        "table": table, "seed": 0, "peer": peer, "score": score, "cpu_s": 2.0, "wall_s": 1.0,
        "task": "multiclass" if table == "iris" else "regression", "peak_mib": 100.0,
        "neg_log_loss": score if table == "iris" else None,
        "error": "status 1" if score is None else None}) + "\n" for table, peer, score in lines))
    return file


def test_the_dummy_is_0_and_the_best_is_1(results: Path) -> None:
    frame = read_results(results).query("peer != 'broken'")
    compared = compare(frame.assign(case=frame["table"]))
    assert list(compared.index) == ["good", "fair", "dummy"]
    assert compared["mean_rank"].tolist() == [1, 2, 3]
    assert compared["score"].tolist() == pytest.approx([1, 0.5, 0])
    assert compared["log_loss_score"].tolist() == pytest.approx([1, 0.5, 0])
    assert compared["cpu_s"].tolist() == [4, 4, 4] and not compared["failed"].any()


def test_a_peer_that_ran_less_joins_a_second_comparison(
        results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(read_results(results), [])
    first, second = capsys.readouterr().out.split("2 cases of 2 tables")[1].split("1 cases of 1")
    assert "broken" not in first and "broken  " in second
    assert "failed: broken on iris-0: status 1" in second


def test_answers_are_scored_by_the_task(tmp_path: Path) -> None:
    truth, answers = tmp_path / "truth.csv", tmp_path / "answers.csv"
    truth.write_text("y\n1\n0\n1\n")
    answers.write_text("0,1\n.2,.8\n.9,.1\n.6,.4\n")
    scores = score_answers("binary", ["0", "1"], truth, answers)
    assert scores == pytest.approx(
        {"roc_auc": 1.0, "accuracy": 2 / 3, "neg_log_loss": -0.4149}, abs=1e-4)
    answers.write_text("prediction\n1\n0\n0\n")
    assert score_answers("regression", [], truth, answers)["r2"] == pytest.approx(-0.5)
