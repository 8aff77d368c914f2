"""Training as a user types it: what comes out, what it says, and every mistake it meets."""

import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import (Run, assert_refused, copy_project, read_metadata, run_one_by_one,
                      write_table)

from mlmonkey.metadata import read_scores

FAST = ("--set", "max_iter=5", "--folds", "2", "--no-report")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose models and datasets these tests may add to."""
    return copy_project(tmp_path_factory.mktemp("train") / "my prøject")


@pytest.mark.parametrize(("name", "task", "rows", "headline", "at_least"), [
    ("iris", "classification", 150, "accuracy", 0.85),
    ("penguins", "classification", 342, "accuracy", 0.9),
    ("cars", "regression", 406, "r2", 0.7)])
def test_the_shipped_tables_train_well(trained: Path, name: str, task: str, rows: int,
                                       headline: str, at_least: float) -> None:
    metadata = read_metadata(trained, f"{name}-v1")
    assert metadata["task"] == task and metadata["data"]["rows"]["dataset"] == rows
    for strategy, scores in read_scores(metadata).items():
        assert scores[headline] > at_least, strategy
        assert scores[headline] > read_scores(metadata, "baseline_scores")[strategy][headline]
    assert {score["strategy"] for score in metadata["scores"]} == {
        "hold-out", "5-fold cross-validation"}
    assert all("std" in score for score in metadata["scores"] if "fold " in score["strategy"])
    assert len(metadata["feature_importances"]) == len(metadata["features"])
    assert set(metadata["timings"]) >= {"read", "evaluation", "importances", "total"}
    held = metadata["data"]["hold_out_rows"]
    assert len(held) == metadata["data"]["rows"]["hold_out"] > rows * 0.15
    assert sum(metadata["data"]["rows"][part] for part in (
        "training", "hold_out", "without_target")) == rows


def test_metadata_names_no_person_and_no_absolute_path(trained: Path) -> None:
    for path in (trained / "models" / "metadata").glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert str(trained) not in text and str(Path.home()) not in text
        assert not re.search(r'"/[a-z]', text)


def test_golden_rows_hold_missing_and_unseen_values_and_nobodys_data(trained: Path) -> None:
    golden = read_metadata(trained, "penguins-v1")["golden"]
    assert len(golden["rows"]) == len(golden["predictions"]) == 20
    assert set(golden["rows"][1].values()) == {None}
    assert golden["rows"][2]["island"] == "a value never seen"


def test_training_ends_with_scores_places_and_three_lines_that_work(
        bench: Path, run_stage: Run, run_make: Run) -> None:
    out = run_stage(bench, "train", *FAST).stdout
    assert re.search(r"accuracy +0\.\d+ +0\.3333 +[01]\.?\d* \+- ", out)
    for part in ("models/iris-v1.skops", "models/metadata/iris-v1.json", " s\n", "Next:"):
        assert part in out
    lines = out.split("Next:\n")[1].splitlines()
    assert [line.split()[0] for line in lines] == ["make", "make", "curl"]
    argument = re.fullmatch(r'  make prediction ARGS="(.*)"', lines[0])
    assert argument
    assert "predictions: " in run_make(bench, "prediction", f"ARGS={argument[1]}").stdout
    body = json.loads(lines[2].split("-d ")[1].strip("'"))
    assert set(body["features"]) == set(read_metadata(bench, "iris-v1")["features"])


def test_data_from_elsewhere_is_copied_in(bench: Path, run_stage: Run, tmp_path: Path) -> None:
    table = tmp_path / "flowers of mine.csv"
    shutil.copy(bench / "data" / "raw" / "iris.csv", table)
    out = run_stage(bench, "train", "--data", table, "--target", "species", *FAST).stdout
    assert "copied" in out and (bench / "data" / "raw" / table.name).is_file()
    metadata = read_metadata(bench, "flowers of mine-v1")
    assert metadata["input_data_location"] == "data/raw/flowers of mine.csv"
    out = run_stage(bench, "train", "--data", table, "--target", "species", *FAST).stdout
    assert "already holds these bytes" in out and "nothing to do" in out
    table.write_text(table.read_text().replace("5.1", "5.2"))
    done = run_stage(bench, "train", "--data", table, "--target", "species", check=False)
    assert_refused(done, "holds other bytes", "flowers of mine-2.csv")


def test_options_reach_the_estimator_and_the_metadata(bench: Path, run_stage: Run) -> None:
    run_stage(bench, "train", "--model", "forest", "--set", "n_estimators=7", "--set",
              "max_depth=null", "--name", "woods", "--refit", "--no-report", TRAIN_SEED="4")
    metadata = read_metadata(bench, "woods-v1")
    parameters = metadata["model_hyperparameters"]
    assert parameters["n_estimators"] == 7 and parameters["max_depth"] is None
    assert parameters["n_jobs"] == 1 and parameters["random_state"] == 4
    assert metadata["config"]["seed"] == {"value": 4, "source": "environment"}
    assert metadata["config"]["refit"] == {"value": True, "source": "flag"}
    assert metadata["data"]["rows"]["training"] == 150


@pytest.mark.slow
@pytest.mark.parametrize("model", ["dummy", "linear", "forest"])
@pytest.mark.parametrize(("data", "target"), [("penguins", "species"), ("cars", "mpg")])
def test_every_model_meets_mixed_columns(bench: Path, run_stage: Run, model: str, data: str,
                                         target: str) -> None:
    name = f"{data}-{model}"
    run_stage(bench, "train", "--data", f"data/raw/{data}.csv", "--target", target, "--model",
              model, "--name", name, "--folds", 2, "--no-report")
    run_stage(bench, "prediction", "--model-name", name, "--input", f"data/raw/{data}.csv")
    metadata = read_metadata(bench, f"{name}-v1")
    scores = read_scores(metadata)["hold-out"]
    base = read_scores(metadata, "baseline_scores")["hold-out"]
    headline = "accuracy" if "accuracy" in scores else "r2"
    assert (scores[headline] > base[headline]) == (model != "dummy")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["linear", "forest", "boosting"])
def test_hard_tables_train(bench: Path, run_stage: Run, model: str) -> None:
    header = ["day", "flag", "constant", "empty", "id", "wide", "n", "few"]
    rows = [[f"2024-{1 + i % 12:02}-{1 + i % 28:02}", ["true", "false", ""][i % 3], 7, "",
             f"id-{i}", f"level {i % 150}", i * 1e12, f"class {i % 3}" if i else "rare"]
            for i in range(300)]
    data = write_table(bench, f"hard-{model}.csv", header, rows)
    words = ("--data", data, "--target", "few", "--model", model, "--folds", 3, "--no-report")
    out = run_stage(bench, "train", *words).stdout
    assert "1 row(s) are learned, never tested" in out
    metadata = read_metadata(bench, f"hard-{model}-v1")
    assert [feature["dtype"] for feature in metadata["schema"]] == [
        "date", "boolean", "integer", "text", "text", "text", "number"]
    run_stage(bench, "prediction", "--model-name", f"hard-{model}", "--input", data)


def test_a_rare_class_and_many_rows_train(bench: Path, run_stage: Run) -> None:
    rows = [[i, i % 7, f"class {i % 2}" if i else "rare"] for i in range(12_100)]
    data = write_table(bench, "many.csv", ["x", "z", "y"], rows)
    run_stage(bench, "train", "--data", data, "--target", "y", *FAST)
    assert read_metadata(bench, "many-v1")["model_hyperparameters"]["early_stopping"] is False


def test_a_parameter_reads_numbers_as_people_write_them(bench: Path, run_stage: Run) -> None:
    run_stage(bench, "train", "--set", "learning_rate=1e-1", "--name", "numbers", *FAST)
    parameters = read_metadata(bench, "numbers-v1")["model_hyperparameters"]
    assert parameters["learning_rate"] == 0.1 and parameters["max_iter"] == 5


def test_a_private_target_has_no_range_in_the_metadata(bench: Path, run_stage: Run) -> None:
    words = ("--data", "data/raw/cars.csv", "--target", "mpg", "--private", "mpg", *FAST)
    run_stage(bench, "train", *words, "--name", "hidden")
    metadata = read_metadata(bench, "hidden-v1")
    assert metadata["target"] == {"name": "mpg", "dtype": "number", "private": True}
    assert "edges" not in metadata["evaluation"] and "intervals" not in metadata


def test_a_small_table_has_folds_only(bench: Path, run_stage: Run) -> None:
    data = write_table(bench, "small.csv", ["x", "y"], [[i, i % 2] for i in range(30)])
    words = ("--data", data, "--target", "y", "--no-report")
    assert "no hold-out" in run_stage(bench, "train", *words).stdout
    metadata = read_metadata(bench, "small-v1")
    assert metadata["data"]["hold_out_rows"] == []
    assert metadata["evaluation"]["strategy"] == "5-fold cross-validation"
    assert set(metadata["intervals"]) == {"rows", "thresholds"}
    done = run_stage(bench, "prediction", "--model-name", "small", check=False)
    assert_refused(done, "no hold-out", "--input data/raw/small.csv")


def test_groups_stay_whole_and_the_hold_out_is_the_latest(bench: Path, run_stage: Run) -> None:
    rows = [[f"P{i // 4:02}", f"2024-{1 + i % 12:02}-{1 + i // 12:02}", i % 7, i % 5]
            for i in range(240)]
    data = write_table(bench, "visits.csv", ["patient", "day", "x", "y"], rows)
    words = ("--data", data, "--target", "y", "--task", "regression", *FAST)
    out = run_stage(bench, "train", *words, "--group", "patient", "--name", "whole").stdout
    metadata = read_metadata(bench, "whole-v1")
    held = set(metadata["data"]["hold_out_rows"])
    assert len(held) == 48 and {row // 4 * 4 in held for row in held} == {True}
    assert metadata["features"] == ["day", "x"] and "--group patient" not in out
    run_stage(bench, "train", *words, "--time", "day", "--drop", "patient", "--name", "late",
              "--refit")
    metadata = read_metadata(bench, "late-v1")
    held = set(metadata["data"]["hold_out_rows"])
    days = [row[1] for row in rows]
    assert min(days[row] for row in held) > max(days[row] for row in {*range(240)} - held)
    assert abs(len(held) - 48) <= 10 and metadata["config"]["time"]["value"] == "day"


def test_task_is_told_from_the_target_and_can_be_said(bench: Path) -> None:
    cases = {"count": (range(200), "regression"), "class": ([0, 1] * 100, "classification"),
             "gaps": ([0.0, 1.0, "", 1.0] * 50, "classification"),
             "measure": ([i / 7 for i in range(200)], "regression")}
    tables = [write_table(bench, f"{name}.csv", ["x", "y"], [[i, y] for i, y in enumerate(values)])
              for name, (values, _) in cases.items()]
    made = run_one_by_one(bench, "src.etl.generate_dataset",
                          [("--data", data) for data in (*tables, "data/raw/iris.csv")])
    assert not any(done.returncode for done in made)
    *told, said, many, text = run_one_by_one(bench, "src.train", [
        *(("--data", data, "--target", "y", *FAST) for data in tables),
        ("--data", tables[-1], "--target", "x", "--name", "said", "--task", "regression", *FAST),
        ("--data", tables[-1], "--target", "y", "--name", "no", "--task", "classification"),
        ("--task", "regression", "--name", "no")])
    for done, (name, (_, task)) in zip(told, cases.items(), strict=True):
        assert f"boosting {task} of 'y'" in done.stdout and "--task overrides" in done.stdout
        assert ("50 rows without a value of 'y' are left out" in done.stdout) == (name == "gaps")
    assert read_metadata(bench, "gaps-v1")["target"]["classes"] == [0, 1]
    assert said.returncode == 0 and read_metadata(bench, "said-v1")["task"] == "regression"
    assert_refused(many, "too many to be classes")
    assert_refused(text, "'species' holds text")


def test_private_columns_leave_no_value_behind(bench: Path, run_stage: Run) -> None:
    rows = [[f"secret-{i % 4}", 1000 + i, ["a", "b"][i % 2]] for i in range(80)]
    data = write_table(bench, "private.csv", ["who", "salary", "y"], rows)
    words = ("--private", "who", "--private", "salary")
    run_stage(bench, "train", "--data", data, "--target", "y", *words, *FAST, "--report")
    metadata = read_metadata(bench, "private-v1")
    assert metadata["schema"] == [{"name": "who", "dtype": "text", "private": True},
                                  {"name": "salary", "dtype": "integer", "private": True}]
    assert all(set(row.values()) == {None} for row in metadata["golden"]["rows"])
    for folder in ("models/metadata", "data/transformed", "reports"):
        for path in (bench / folder).glob("private*"):
            if path.suffix != ".parquet":
                assert "secret-" not in path.read_text(), path
    done = run_stage(bench, "train", "--data", data, "--target", "y", "--private", "whom",
                     check=False)
    assert_refused(done, "--private whom", "did you mean 'who'?")


def test_a_features_function_ties_the_model_to_its_text(trained_copy: Path,
                                                        run_stage: Run) -> None:
    code = trained_copy / "src" / "model" / "features.py"
    text = code.read_text()
    code.write_text(text.replace("1000 *", "2000 *"))
    done = run_stage(trained_copy, "prediction", "--model-name", "cars", check=False)
    assert_refused(done, "another text of", "features.py.saved")
    run_stage(trained_copy, "prediction", "--model-name", "iris")
    saved = trained_copy / "models" / "cars-v1.features.txt"
    assert saved.read_text() == text


def test_a_model_of_your_own_is_a_few_lines(bench: Path, run_stage: Run, tmp_path: Path) -> None:
    project = Path(shutil.copytree(bench, tmp_path / "own"))
    code = project / "src" / "model" / "models.py"
    code.write_text(code.read_text() + '''

def neighbours(task: str, seed: int, threads: int) -> Model:
    """The nearest rows decide."""
    from sklearn.neighbors import KNeighborsClassifier
    return KNeighborsClassifier(), "linear"


MODELS["neighbours"] = neighbours
''')
    done = run_stage(project, "train", "--model", "neighbours", "--name", "near", check=False)
    assert_refused(done, "does not trust", "KDTree", "list of trusted types")
    assert not list((project / "models").glob("near*"))
    trusted = project / "src" / "model" / "trusted.py"
    foreign = done.stderr.split("does not trust: ")[1].split(";")[0].split(", ")
    names = "".join(f'    "{name}",\n' for name in foreign)
    trusted.write_text(trusted.read_text().replace("TRUSTED = (\n", f"TRUSTED = (\n{names}"))
    run_stage(project, "train", "--model", "neighbours", "--name", "near", "--no-report")
    assert "predictions:" in run_stage(project, "prediction", "--model-name", "near").stdout


def test_the_same_command_in_two_clones_gives_the_same_numbers(
        project: Path, trained: Path, run_stage: Run) -> None:
    words = ("--data", "data/raw/penguins.csv", "--target", "species")
    run_stage(project, "train", *words, PYTHONHASHSEED="77", TZ="Asia/Tokyo", LC_ALL="C")
    one, other = (read_metadata(folder, "penguins-v1") for folder in (trained, project))
    assert one["artifacts"] == other["artifacts"]  # sizes and sha256: the same bytes
    for metadata in (one, other):
        for field in ("model_identifier", "timestamp", "timings", "content_sha256"):
            del metadata[field]
    assert one == other


def test_joblib_is_there_for_those_who_want_it(bench: Path, run_stage: Run) -> None:
    out = run_stage(bench, "train", "--format", "joblib", "--name", "jar", *FAST,
                    PATH="/nowhere").stdout
    assert "git is not installed" in out and read_metadata(bench, "jar-v1")["git_commit"] is None
    assert read_metadata(bench, "jar-v1")["artifacts"][0]["format"] == "joblib"
    assert "predictions:" in run_stage(bench, "prediction", "--model-name", "jar").stdout
