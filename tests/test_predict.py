"""Scoring files: every record one answer, in order, whatever the file holds."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import Run, assert_refused, read_metadata, run_one_by_one

from mlmonkey.files import sha256_of

HEADER = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def read_csv(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_csv(path: Path, rows: list[list[object]]) -> Path:
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_without_input_the_hold_out_is_scored(trained: Path, tmp_path: Path,
                                              run_stage: Run) -> None:
    out = tmp_path / "scored.csv"
    run_stage(trained, "prediction", "--model-name", "penguins", "--output", out, "--keep",
              "species,island")
    metadata = json.loads((trained / "models/metadata/penguins-v1.json").read_text())
    rows = read_csv(out)
    assert list(rows[0]) == ["species", "island", "prediction", "probability_Adelie",
                             "probability_Chinstrap", "probability_Gentoo", "error"]
    assert len(rows) == len(metadata["data"]["hold_out_rows"])
    right = sum(row["species"] == row["prediction"] for row in rows) / len(rows)
    scores = {(s["metric"], s["strategy"]): s["value"] for s in metadata["scores"]}
    assert right == pytest.approx(scores["accuracy", "hold-out"])
    about = json.loads((tmp_path / "scored.csv.json").read_text())
    assert about["model_name"] == "penguins" and about["model_version"] == 1
    assert about["counts"]["records"] == len(rows)
    assert about["output"] == {"file": "scored.csv", "sha256": sha256_of(tmp_path / "scored.csv")}


def test_records_keep_order_and_number_whatever_they_hold(trained: Path, tmp_path: Path,
                                                          run_stage: Run) -> None:
    table = tmp_path / "in put.csv"
    table.write_text("id,petal_width,petal_length,sepal_width,sepal_length,extra\n"
                     "a,0.2,1.4,3.5,5.1,x\n"  # a setosa
                     "b,0.2,1.4\n"  # too short
                     "\n"
                     "c,?,NA,,5.1,x\n"  # missing words
                     "d,wide,1.4,3.5,5.1,x\n"  # no number
                     'e,"2.5",6.0,3.3,6.3,"x\ny"\n'  # a virginica, over two lines
                     "f,2.5,6.0,3.3,6.3,x,y,z\n"  # too long
                     "g, 2.5 ,6,3.3,6.3,x\n", encoding="utf-8")
    out = tmp_path / "scored.csv"
    done = run_stage(trained, "prediction", "--model-name", "iris", "--input", table, "--output",
                     out, "--keep", "id", check=False)
    assert done.returncode == 1, done.stderr  # more than 1 % without an answer; the file is whole
    assert "ignored columns that the model doesn't know: id, extra" in done.stdout
    rows = read_csv(out)
    assert [row["id"] for row in rows] == ["a", "", "c", "d", "e", "", "g"]
    assert [row["prediction"] for row in rows][0::4] == ["setosa", "virginica"]
    assert rows[6]["prediction"] == "virginica" and rows[2]["prediction"]
    assert rows[1]["error"] == "line 3: 3 cells instead of 6"
    assert rows[3]["error"] == "column petal_width: wide is not a number"
    assert rows[3]["prediction"] == rows[3]["probability_setosa"] == ""
    again = run_stage(trained, "prediction", "--model-name", "iris", "--input", table, "--output",
                      out, "--max-rejects", "0.5")
    assert "7 records, 3 without an answer" in again.stdout


def test_csv_and_parquet_in_and_out_agree_with_the_model(trained: Path, tmp_path: Path,
                                                         run_stage: Run) -> None:
    import duckdb
    raw, parquet = trained / "data/raw/penguins.csv", tmp_path / "penguins.parquet"
    duckdb.sql(f"COPY (FROM read_csv('{raw}', nullstr='NA')) TO '{parquet}'")
    outputs = [tmp_path / name for name in ("a.csv", "b.csv", "c.parquet")]
    for source, out in ((raw, outputs[0]), (parquet, outputs[1]), (parquet, outputs[2])):
        run_stage(trained, "prediction", "--model-name", "penguins", "--input", source,
                  "--output", out, "--keep", "year")
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    table = duckdb.sql(f"FROM '{outputs[2]}'")
    assert [str(kind) for kind in table.types] == ["BIGINT", "VARCHAR", *["DOUBLE"] * 3, "VARCHAR"]
    for row, typed in zip(read_csv(outputs[0]), table.fetchall(), strict=True):
        assert row["prediction"] == typed[1]
        assert [float(row[f"probability_{name}"]) for name in ("Adelie", "Chinstrap", "Gentoo")] \
            == list(typed[2:5])


def test_integer_labels_stay_integers_beside_errors(project: Path, run_stage: Run,
                                                    tmp_path: Path) -> None:
    table = write_csv(tmp_path / "count.csv", [["x", "y"], *([i, i % 3] for i in range(60))])
    run_stage(project, "train", "--data", table, "--target", "y", "--set", "max_iter=5",
              "--folds", "2", "--no-report")
    new = write_csv(tmp_path / "new.csv", [["x"], ["bad"], [1], [2]])
    for out in (tmp_path / "out.csv", tmp_path / "out.parquet"):
        run_stage(project, "prediction", "--input", new, "--output", out, "--max-rejects", 1)
    assert [row["prediction"] in ("0", "1", "2") for row in read_csv(tmp_path / "out.csv")] == [
        False, True, True]


def test_unseen_categories_and_a_wider_number_are_answered(trained: Path, tmp_path: Path,
                                                           run_stage: Run) -> None:
    header = "island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex,year\n"
    table = tmp_path / "new.csv"
    table.write_text(header + "Atlantis,40,18.5,190.5,4e3,unknown,2031\n" + ",,,,,,\n")
    out = tmp_path / "out.csv"
    run_stage(trained, "prediction", "--model-name", "penguins", "--input", table, "--output", out)
    assert all(row["prediction"] and not row["error"] for row in read_csv(out))


def test_a_large_file_is_read_in_batches(trained: Path, tmp_path: Path, run_stage: Run) -> None:
    rows = [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]] * 25_000
    rows[30_000] = [1, 2, 3]
    table = write_csv(tmp_path / "large.csv", [HEADER, *rows])
    out = tmp_path / "out.csv"
    run_stage(trained, "prediction", "--model-name", "iris", "--input", table, "--output", out)
    answers = [row["prediction"] for row in read_csv(out)]
    assert answers[30_000] == ""
    assert answers[:30_000] == ["setosa", "virginica"] * 15_000
    assert answers[30_001:] == ["virginica", *["setosa", "virginica"] * 9_999]


def noisy_rows(task: str, count: int, seed: int) -> list[list[object]]:
    """Rows a, b, y of which nobody could tell y exactly."""
    random = np.random.default_rng(seed)
    a, b = random.uniform(-1, 1, count), random.choice(["north", "south"], count)
    y = 3 * a + (b == "north") + random.gumbel(0, 0.5, count)
    if task == "classification":
        y = np.array(["low", "middle", "high|er"])[np.digitize(y, [-0.5, 1.5])]
    return [list(row) for row in zip(a.tolist(), b.tolist(), y.tolist())]


def coverage(project: Path, run_stage: Run, task: str, *words: str) -> float:
    """The share of fresh rows whose truth lies in the interval or set asked for with 0.9."""
    header: list[object] = ["a", "b", "y"]
    table = write_csv(project / "data/raw" / f"{task}.csv", [header, *noisy_rows(task, 500, 0)])
    fresh = write_csv(project / "fresh.csv", [header, *noisy_rows(task, 1000, 1)])
    run_stage(project, "train", "--data", table, "--target", "y", "--no-report", *words)
    run_stage(project, "prediction", "--input", fresh, "--output", project / "out.csv", "--keep",
              "y", "--interval", "0.9")
    rows = read_csv(project / "out.csv")
    if task == "regression":
        held = [float(row["lower"]) <= float(row["y"]) <= float(row["upper"]) for row in rows]
    else:
        held = [row["y"].replace("|", r"\|") in re.split(r"(?<!\\)\|", row["set"]) for row in rows]
    return sum(held) / len(held)


@pytest.mark.parametrize(("task", "model"), [
    ("regression", "boosting"), ("classification", "boosting"),
    *(pytest.param(task, model, marks=pytest.mark.slow)
      for task in ("regression", "classification") for model in ("auto", "forest", "linear"))])
def test_nine_of_ten_truths_that_nobody_saw_lie_in_an_interval_of_09(
        project: Path, run_stage: Run, task: str, model: str) -> None:
    fewer = ("--set", "max_iter=30") if model == "boosting" else ()
    assert 0.86 < coverage(project, run_stage, task, "--model", model, *fewer) < 0.94


def test_records_without_an_answer_have_no_interval(trained: Path, tmp_path: Path,
                                                    run_stage: Run) -> None:
    import duckdb
    header = "island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex,year\n"
    table = tmp_path / "new.csv"
    table.write_text(header + "Atlantis,40,18.5,190.5,4e3,,2031\nBiscoe,x,18.5,190,4000,male,2008\n"
                     "Biscoe,40,18.5,190,4000,male,2008\n")
    words = ("prediction", "--model-name", "penguins", "--input", table, "--max-rejects", 1,
             "--interval", 0.9, "--unusual", "--output")
    done = run_stage(trained, *words, tmp_path / "out.csv")
    assert "3 records, 1 without an answer, 1 unusual" in done.stdout
    rows = read_csv(tmp_path / "out.csv")
    assert list(rows[0]) == ["prediction", "set", "probability_Adelie", "probability_Chinstrap",
                             "probability_Gentoo", "unusual", "error"]
    assert rows[0]["unusual"] == "column island: never seen; column year: above 2009"
    assert rows[1]["set"] == rows[1]["unusual"] == "" and rows[1]["error"]
    assert rows[2]["set"] == rows[2]["prediction"] and rows[2]["unusual"] == ""
    about = json.loads((tmp_path / "out.csv.json").read_text())
    assert about["interval"] == 0.9 and about["counts"]["unusual"] == 1
    run_stage(trained, *words, tmp_path / "out.parquet")
    assert [row[1] or "" for row in duckdb.sql(f"FROM '{tmp_path / 'out.parquet'}'").fetchall()
            ] == [row["set"] for row in rows]


MISTAKES: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    (("--interval", "90"), ("--interval", "0<x<1")),
    (("--interval", "0.999"), ("iris-v1 goes up to 0.99", "120 rows")),
    (("--input", "nope.csv"), ("nope.csv",)),
    (("--input", "data/raw"), ("is a folder",)),
    (("--input", "data/raw/cars.csv"), ("lacks the column(s) 'sepal_length', 'sepal_width'",)),
    (("--input", "data/raw/iris.csv", "--output", "x.xlsx"), ("x.xlsx", ".csv or .parquet")),
    (("--input", "data/raw/iris.csv", "--output", "data/raw/iris.csv"), ("is the input itself",)),
    (("--output", "data/raw/new.csv"), ("data/raw", "data/predictions/new.csv")),
    (("--output", "models/metadata/new.csv"), ("models/metadata",)),
    (("--output", "data/raw/sub/new.csv"), ("data/raw/sub",)),
    (("--output", "src/new.csv"), ("src",)),
    (("--input", "data"), ("--input data/FILE.csv",)),
    (("--input", "data/raw/iris.csv", "--keep", "colour"), ("--keep colour",)),
    (("--keep", "colour"), ("--keep colour",)),
    (("--model-name", "irsi"), ("'irsi'", "known: cars-v1, iris-v1, penguins-v1")),
    (("--model-version", "7"), ("version 7", "known: iris-v1")),
    (("--model-path", "models/iris-v9.skops"), ("iris-v9", "known: ")),
    (("--model-path", "models/iris.pkl"), ("not a model file", "runs code")),
]


def test_mistakes_are_one_line(trained: Path, run_stage: Run) -> None:
    cases = [words if set(words) & {"--model-name", "--model-path"}
             else ("--model-name", "iris", *words) for words, _ in MISTAKES]
    for done, (_, parts) in zip(run_one_by_one(trained, "src.predict", cases), MISTAKES,
                                strict=True):
        assert_refused(done, *parts)
    for place in (0, 2, -1):  # and by way of the stages
        done = run_stage(trained, "prediction", *cases[place], check=False)
        assert_refused(done, *MISTAKES[place][1])


def test_another_delimiter_is_named(trained: Path, tmp_path: Path, run_stage: Run) -> None:
    table = tmp_path / "semi.csv"
    table.write_text(";".join(HEADER) + "\n5.1;3.5;1.4;0.2\n" * 3)
    words = ("prediction", "--model-name", "iris", "--input", table)
    assert_refused(run_stage(trained, *words, check=False), "--delimiter semicolon")
    out = tmp_path / "out.csv"
    run_stage(trained, *words, "--delimiter", "semicolon", "--output", out)
    assert read_csv(out)[0]["prediction"] == "setosa"


def test_what_is_echoed_is_echoed_to_the_last_digit(project: Path, run_stage: Run,
                                                    tmp_path: Path) -> None:
    import duckdb
    ids = [9007199254740993 + 2 * i for i in range(100)]
    table = write_csv(tmp_path / "ids.csv", [["id", "v", "prediction", "prediction_input", "y"],
                                             *([n, i, "x\ry", "", i % 2]
                                               for i, n in enumerate(ids))])
    run_stage(project, "train", "--data", table, "--target", "y", "--set", "max_iter=5",
              "--folds", "2", "--no-report")
    out, parquet = tmp_path / "out.csv", tmp_path / "out.parquet"
    run_stage(project, "prediction", "--keep", "all", "--output", out)  # the hold-out
    held = read_metadata(project, "ids-v1")["data"]["hold_out_rows"]
    with open(out, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["id", "v", "prediction_input", "prediction_input_input", "y", "prediction",
                      "probability_0", "probability_1", "error"]
    assert [int(row[0]) for row in rows] == [ids[place] for place in held]
    assert {row[2] for row in rows} == {"x\ry"} and {row[4] for row in rows} == {"0", "1"}
    duckdb.sql("CREATE TABLE big AS SELECT 12345678901234567890::DECIMAL(20, 0) + i AS id, i AS v, "
               "'' AS prediction, '' AS prediction_input, [i, i] AS many FROM range(30) t(i)")
    duckdb.sql(f"COPY big TO '{tmp_path / 'big.parquet'}'")
    run_stage(project, "prediction", "--input", tmp_path / "big.parquet", "--keep", "id,many",
              "--output", parquet)
    assert duckdb.sql(f"SELECT id, many FROM '{parquet}'").fetchall() == duckdb.sql(
        "SELECT id, many FROM big").fetchall()


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_an_input_without_records_has_an_output_with_columns(
        trained: Path, tmp_path: Path, run_stage: Run, ending: str) -> None:
    import duckdb
    table, out = write_csv(tmp_path / "none.csv", [HEADER]), tmp_path / f"out{ending}"
    run_stage(trained, "prediction", "--model-name", "iris", "--input", table, "--output", out,
              "--keep", "petal_width")
    read = f"read_csv('{out}', header=true)" if ending == ".csv" else f"'{out}'"
    assert duckdb.sql(f"FROM {read}").columns == [
        "petal_width", "prediction", "probability_setosa", "probability_versicolor",
        "probability_virginica", "error"]


def test_columns_that_differ_in_case_are_refused_as_parquet(trained: Path, tmp_path: Path,
                                                            run_stage: Run) -> None:
    table = write_csv(tmp_path / "t.csv", [[*HEADER, "Prediction"], [1, 2, 3, 4, 5]])
    words = ("prediction", "--model-name", "iris", "--input", table, "--keep", "all", "--output")
    done = run_stage(trained, *words, tmp_path / "o.parquet", check=False)
    assert_refused(done, "'Prediction'", "'prediction'", "--output FILE.csv")
    run_stage(trained, *words, tmp_path / "o.csv")
