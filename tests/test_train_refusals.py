"""Every mistake that training meets is one line with the next thing to type, and exit code 2."""

from pathlib import Path

import pytest
from conftest import Run, assert_refused, copy_project, run_one_by_one, write_table

FAST = ("--set", "max_iter=5", "--folds", "2", "--no-report")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose datasets these tests may add to."""
    return copy_project(tmp_path_factory.mktemp("refusals") / "my prøject")


MISTAKES: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    (("--target", "specie"), ("no column 'specie'", "did you mean 'species'?")),
    (("--model", "bosting"), ("bosting", "did you mean 'boosting'?")),
    (("--set", "max_itr=7"), ("max_itr", "did you mean 'max_iter'?")),
    (("--set", "max_iter=-7"), ("max_iter", "-7")),
    (("--set", "max_iter"), ("KEY=VALUE",)),
    (("--set", "learning_rate=["), ("learning_rate=[", "no value")),
    (("--set", "scoring=foo", "--set", "early_stopping=true"), ("--set scoring=foo", "foo")),
    (("--model", "linear", "--set", "solver=liblinear"), ("solver=liblinear", "liblinear")),
    (("--model", "auto", "--set", "members=[linear, bosting]"), ("'bosting'", "[boosting, ")),
    (("--model", "auto", "--set", "members=7"), ("no member 7", "[boosting, ")),
    (("--group", "sepal_lenght"), ("--group", "did you mean 'sepal_length'?")),
    (("--time", "species"), ("--time species", "target")),
    (("--group", "species", "--target", "sepal_width", "--time", "species"), ("holds text",)),
    (("--drop", "sepal_lenght"), ("--drop", "did you mean 'sepal_length'?")),
    (tuple(word for name in ("sepal_length", "sepal_width", "petal_length", "petal_width")
           for word in ("--drop", name)), ("no column besides",)),
    (("--name", "a/b"), ("'a/b'", "--name 'a_b'")),
    (("--name", ""), ("--name 'unnamed'",)),
]


def test_mistakes_are_one_line(bench: Path, run_stage: Run) -> None:
    run_stage(bench, "generate-dataset")
    cases = [words if "--name" in words else (*words, "--name", "mistake")
             for words, _ in MISTAKES]
    for done, (_, parts) in zip(run_one_by_one(bench, "src.train", cases), MISTAKES, strict=True):
        assert_refused(done, *parts)
    assert not list((bench / "models").glob("*v*"))


@pytest.mark.parametrize(("words", "parts"), [
    (("--folds", "1"), ("--folds",)),
    (("--name", "a/b"), ("'a/b'", "--name 'a_b'")),
    (("--data", "data/raw/iri.csv"), ("data/raw/iri.csv", "did you mean 'iris.csv'?")),
    (("--data", "data/raw"), ("data/raw is a folder",)),
    (("--data", "data/raw/penguins.csv"), ("Its columns: species, island", "--target species")),
])
def test_what_the_stages_notice_is_one_line_too(bench: Path, run_stage: Run,
                                                words: tuple[str, ...],
                                                parts: tuple[str, ...]) -> None:
    assert_refused(run_stage(bench, "train", *words, check=False), *parts)


def test_tables_that_teach_nothing_are_one_line(bench: Path) -> None:
    tables: dict[str, tuple[str, tuple[str, ...]]] = {
        "two": ("x,y\n1,a\n2,b\n", ("2 row(s)", "at least 10")),
        "one-class": ("x,y\n" + "1,a\n" * 20, ("one value only", "--target COLUMN")),
        "missing": ("x,y\n" + "1,\n" * 20, ("missing in every row", "--target x")),
        "single": ("y\n" + "1\n2\n" * 20, ("no column besides the target",)),
        "day": ("x,y\n" + "1,2024-01-01\n2,2024-01-02\n" * 9, ("is a date",)),
        "ids": ("x,y\n" + "".join(f"1,id{i}\n" for i in range(60)), ("too many to be",))}
    for name, (content, _) in tables.items():
        (bench / "data" / "raw" / f"{name}.csv").write_text(content)
    asked = [("--data", f"data/raw/{name}.csv") for name in tables]
    made = run_one_by_one(bench, "src.etl.generate_dataset", asked)
    assert not any(done.returncode for done in made)
    refused = run_one_by_one(bench, "src.train", [(*words, "--target", "y") for words in asked])
    for done, (_, parts) in zip(refused, tables.values(), strict=True):
        assert_refused(done, *parts)


@pytest.mark.parametrize(("file", "content", "parts"), [
    ("empty.csv", b"", ("is empty",)),
    ("noise.csv", bytes(range(256)) * 9, ("is not a table",)),
    ("cut.parquet", b"PAR1 and no more", ("not a readable Parquet file",)),
])
def test_what_is_no_table_is_one_line(bench: Path, run_stage: Run, tmp_path: Path,
                                      file: str, content: bytes,
                                      parts: tuple[str, ...]) -> None:
    (tmp_path / file).write_bytes(content)
    done = run_stage(bench, "train", "--data", tmp_path / file, "--target", "y", check=False)
    assert_refused(done, *parts)


def test_a_name_belongs_to_one_source_and_target(trained_copy: Path, run_stage: Run) -> None:
    done = run_stage(trained_copy, "train", "--target", "petal_width", check=False)
    assert_refused(done, "belongs to data/raw/iris.csv", "--name 'iris-petal_width'")
    words = ("--data", "data/raw/cars.csv", "--target", "mpg", "--name", "iris")
    assert_refused(run_stage(trained_copy, "train", *words, check=False), "--name 'cars-mpg'")


def test_a_folder_without_leave_to_write_is_one_line(bench: Path, run_stage: Run,
                                                     tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder is wanted: refused for root too")
    done = run_stage(bench, "train", *FAST, "--name", "blocked", check=False,
                     MODELS_DIR=str(blocked), MODELS_METADATA_DIR=str(blocked / "metadata"))
    assert_refused(done, "blocked")


def test_a_private_target_stays_unsaid(bench: Path, run_stage: Run) -> None:
    write_table(bench, "secret.csv", ["x", "y"], [[i, "hush"] for i in range(20)])
    done = run_stage(bench, "train", "--data", "data/raw/secret.csv", "--target", "y", "--private",
                     "y", check=False)
    assert_refused(done, "one value only;")
    assert "hush" not in done.stdout + done.stderr


def test_a_table_that_lacks_a_feature_s_column(bench: Path, run_stage: Run, tmp_path: Path) -> None:
    (tmp_path / "cars.csv").write_text("mpg,weight\n" + "".join(f"{i},{i}\n" for i in range(30)))
    words = ("--data", tmp_path / "cars.csv", "--target", "mpg", *FAST)
    folders = {"DATA_RAW_DIR": str(tmp_path)}
    done = run_stage(bench, "train", *words, check=False, **folders)
    assert_refused(done, "power_to_weight", "'horsepower'", "--no-features")
    run_stage(bench, "train", *words, "--no-features", **folders)
