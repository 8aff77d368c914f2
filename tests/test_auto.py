"""`--model auto` as a user meets it: what is said of the blend, its budget, and a first Ctrl-C."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, Run, assert_refused, clean_environment, copy_project, read_metadata

from mlmonkey.metadata import read_scores


@pytest.fixture(scope="module")
def blended(tmp_path_factory: pytest.TempPathFactory, run_stage: Run) -> Path:
    """Cars as the shipped params.yaml trains them: without a word about the model."""
    project = copy_project(tmp_path_factory.mktemp("auto") / "my prøject")
    (project / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    out = run_stage(project, "train", "--data", "data/raw/cars.csv", "--target", "mpg").stdout
    (project / "said").write_text(out)
    return project


def test_the_blend_is_told_in_lines_metadata_and_page(blended: Path) -> None:
    said, metadata = (blended / "said").read_text(), read_metadata(blended, "cars-v1")
    portfolio = metadata["portfolio"]
    assert metadata["algorithm"] == "auto" and metadata["model_type"] == "PortfolioRegressor"
    assert sum(member["share"] for member in portfolio["members"]) == pytest.approx(1)
    assert portfolio["blend"] <= min(member["alone"] for member in portfolio["members"]) + 1e-12
    page = (blended / "reports" / "cars-v1.html").read_text()
    for member in portfolio["members"]:
        assert member["name"] in said and member["name"] in page
    assert " MB; 1,000 rows in " in said and metadata["timings"]["answer 1,000 rows"] > 0
    held = metadata["intervals"]["hold_out"]
    assert f"it did for {100 * held['covered'] / held['rows']:.0f}" in page
    assert read_scores(metadata)["hold-out"]["r2"] > 0.8


@pytest.mark.slow
def test_what_was_complete_within_the_budget_is_the_same_without_a_clock(
        blended: Path, run_stage: Run) -> None:
    words = ("--data", "data/raw/cars.csv", "--target", "mpg", "--no-report")
    run_stage(blended, "train", *words, "--name", "hasty", "--budget", "0.001")
    run_stage(blended, "train", *words, "--name", "named", "--set", "members=[boosting]")
    hasty, named = (read_metadata(blended, f"{name}-v1") for name in ("hasty", "named"))
    assert [each["name"] for each in hasty["portfolio"]["members"]] == ["boosting"]
    assert hasty["golden"] == named["golden"] and hasty["scores"] == named["scores"]
    done = run_stage(blended, "train", *words, "--name", "x", "--model", "linear", "--budget", "9",
                     check=False)
    assert_refused(done, "--budget", "--model linear")


def test_a_first_interrupt_ends_the_search_and_saves(blended: Path) -> None:
    """The second member is made endless, so that the moment is certain."""
    code = blended / "src" / "model" / "portfolio.py"
    code.write_text(code.read_text().replace(
        '    if name == "extra trees":\n',
        '    if name == "extra trees":\n        print("endless", flush=True)\n'
        '        time.sleep(600)\n'))
    words = ["make", "train", "ARGS=--data data/raw/cars.csv --target mpg --name cut --no-report"]
    with subprocess.Popen(words, cwd=blended, env=clean_environment(), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          start_new_session=True) as process:
        assert process.stdout and any("endless" in line for line in process.stdout)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert "interrupted: the search ends, the model is made of boosting" in errors
    assert [each["name"] for each in read_metadata(blended, "cut-v1")["portfolio"]["members"]] \
        == ["boosting"]
