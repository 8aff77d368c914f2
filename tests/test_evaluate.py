"""Scoring a labelled file with a model that exists."""

import csv
import json
from pathlib import Path

import pytest
from conftest import Run, assert_refused


@pytest.mark.parametrize("name", ["iris", "cars"])
def test_the_hold_out_gives_the_scores_of_the_training(trained: Path, tmp_path: Path,
                                                       run_stage: Run, name: str) -> None:
    out = tmp_path / "metrics.json"
    run_stage(trained, "evaluate", "--model-name", name, "--output", out)
    metadata = json.loads((trained / f"models/metadata/{name}-v1.json").read_text())
    trained_scores = {s["metric"]: s["value"] for s in metadata["scores"]
                      if s["strategy"] == "hold-out"}
    again = {s["metric"]: s["value"] for s in json.loads(out.read_text())["scores"]}
    assert again == pytest.approx(trained_scores)


def test_a_labelled_file_is_scored_and_every_row_counted(trained: Path, tmp_path: Path,
                                                         run_stage: Run) -> None:
    with open(trained / "data/raw/iris.csv", newline="") as file:
        rows = list(csv.reader(file))
    rows += [["5", "3", "1", "0.2", ""], ["5", "3", "1", "0.2", "tulip"],
             ["five", "3", "1", "0.2", "setosa"]]
    table, out = tmp_path / "labelled.csv", tmp_path / "m.json"
    with open(table, "w", newline="") as file:
        csv.writer(file).writerows(rows)
    text = run_stage(trained, "evaluate", "--model-name", "iris", "--input", table, "--output",
                     out).stdout
    counts = json.loads(out.read_text())["counts"]
    assert counts == {"records": 153, "without_label": 1, "without_answer": 1, "unseen_label": 1,
                      "scored": 150}
    assert "1 unseen label" in text and "accuracy" in text


def test_mistakes_are_one_line(trained: Path, tmp_path: Path, run_stage: Run) -> None:
    table = tmp_path / "t.csv"
    table.write_text("sepal_length,sepal_width,petal_length,petal_width\n1,2,3,4\n")
    words = ("evaluate", "--model-name", "iris")
    assert_refused(run_stage(trained, *words, "--input", table, check=False), "'species'")
    table.write_text("sepal_length,sepal_width,petal_length,petal_width,species\n1,2,3,4,\n")
    assert_refused(run_stage(trained, *words, "--input", table, check=False),
                   "no row could be scored", "1 without label")
    assert_refused(run_stage(trained, *words, "--output", "m.csv", check=False), ".json")
    out = "models/metadata/iris-v1.json"
    assert_refused(run_stage(trained, *words, "--output", out, check=False), "models/metadata")
