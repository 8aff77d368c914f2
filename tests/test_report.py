"""`make report`: which pages it writes, and what it says."""

import shutil
import sys
from pathlib import Path

from conftest import Run, assert_refused, run_in
from tests.helpers.test_model_page import read_page


def pages_of(project: Path) -> list[str]:
    return sorted(path.stem.split("-")[0] + ("-v1" if path.stem.endswith("-v1") else "")
                  for path in (project / "reports").glob("*.html"))


def forget_models(project: Path) -> None:
    shutil.rmtree(project / "models")
    (project / "models" / "metadata").mkdir(parents=True)
    for page in (project / "reports").glob("*.html"):
        page.unlink()


def test_the_model_in_use_and_its_dataset(trained_copy: Path, run_make: Run) -> None:
    shutil.rmtree(trained_copy / "reports")
    lines = run_make(trained_copy, "report").stdout.splitlines()
    assert "model cars-v1: reports/cars-v1.html" in lines
    assert lines[-1].startswith("dataset cars-") and "reports/cars-" in lines[-1]
    assert pages_of(trained_copy) == ["cars", "cars-v1"]
    assert not [path for path in trained_copy.joinpath("reports").iterdir()
                if path.suffix != ".html"]


def test_all_of_them(trained_copy: Path, run_stage: Run) -> None:
    # what a killed run leaves is none of them
    (trained_copy / "data" / "transformed" / ".part-abcd1234.json").touch()
    done = run_stage(trained_copy, "report", "--all")
    assert done.stderr == ""
    names = ["cars", "iris", "penguins"]
    assert pages_of(trained_copy) == sorted([*names, *(f"{name}-v1" for name in names)])
    assert done.stdout.count("reports/") == 6
    for path in (trained_copy / "reports").glob("*.html"):
        read_page(path)


def test_a_named_model_whose_dataset_is_gone(trained_copy: Path, run_stage: Run) -> None:
    shutil.rmtree(trained_copy / "reports")
    for path in (trained_copy / "data" / "transformed").glob("penguins-*"):
        path.unlink()
    run_stage(trained_copy, "report", "--model-name", "penguins", "--model-version", 1)
    assert pages_of(trained_copy) == ["penguins-v1"]


def test_an_unknown_model_is_refused(trained: Path, run_stage: Run) -> None:
    assert_refused(run_stage(trained, "report", "--model-name", "pinguins", check=False),
                   "pinguins", "penguins")


def test_without_a_model_the_datasets_then_nothing(trained_copy: Path) -> None:
    report = [sys.executable, "-m", "src.report"]
    forget_models(trained_copy)
    run_in(trained_copy, report)
    assert pages_of(trained_copy) == ["cars", "iris", "penguins"]
    shutil.rmtree(trained_copy / "data" / "transformed")
    assert_refused(run_in(trained_copy, report, check=False), "make train")
