"""Tables and models of any name go the whole way, and what is printed for pasting can be pasted."""

import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from conftest import Run, assert_refused, clean_environment, run_in

QUICK = ("--target", "species", "--model", "dummy", "--folds", "2")
# what shells, pages, patterns, formats and make itself give a meaning to
HOSTILE = "$(touch pwned); `touch pwned` <img src=x onerror=alert(1)> 'q' \"d\" [1]*? %s #!{x} $x\\"
KEPT = "sales-2024 🐧 (1) & été, a@b=c-v2"


def put(project: Path, name: str) -> str:
    """The iris table under another name; returns what --data takes."""
    shutil.copy(project / "data" / "raw" / "iris.csv", project / "data" / "raw" / name)
    return f"data/raw/{name}"


def paste(project: Path, text: str, start: str) -> str:
    """Run the line of a text that begins so, as a shell reads it."""
    line = next(line.strip() for line in text.splitlines() if line.strip().startswith(start))
    return run_in(project, ["sh", "-c", line]).stdout


@pytest.mark.slow
def test_a_hostile_table_and_an_odd_model_go_all_the_way(project: Path, run_stage: Run) -> None:
    data = put(project, f"{HOSTILE}.csv")
    asked = run_stage(project, "train", "--data", data, "--model", "dummy", check=False)
    assert_refused(asked, "can't name a model", "--name '")
    apart = unicodedata.normalize("NFD", KEPT)  # as some systems write names
    out = run_stage(project, "train", "--data", data, "--name", apart, *QUICK).stdout
    assert f"\n{KEPT}-v1: " in out
    page = (project / "reports" / f"{KEPT}-v1.html").read_text()
    assert "<img" not in page and "&lt;img" in page and "&amp; été" in page

    (project / "data" / "raw" / f"{HOSTILE}.csv").write_text("changed")
    said = paste(project, out, "make prediction")
    assert f"predictions: data/predictions/{KEPT}.csv, 30 records" in said
    shutil.copy(project / "data" / "raw" / "iris.csv", project / data)
    again = said.split("renew it: ")[1].replace(" --accept-changed-raw", "")
    assert f"model {KEPT}-v1: up to date" in paste(project, again, "make train")

    shutil.rmtree(project / "data" / "transformed")
    lost = run_stage(project, "prediction", "--model-name", apart, check=False)
    assert_refused(lost, f"dataset that {KEPT} was trained on is no longer there")
    assert "150 records" in paste(project, lost.stderr.split("name a file: ")[1], "make prediction")
    assert not list(project.rglob("pwned*"))


def test_the_line_that_asks_for_a_target_can_be_pasted(project: Path, run_stage: Run) -> None:
    data = put(project, f"{HOSTILE}.csv")
    (project / "params.yaml").write_text("")
    asked = run_stage(project, "train", "--data", data, "--name", "a", check=False)
    assert_refused(asked, "Likeliest: ")
    line = asked.stderr.split("Likeliest: ")[1].split(" or make")[0]
    refused = run_in(project, ["sh", "-c", line], check=False)
    assert "can't name a model" in refused.stderr  # of all it said, only the name is missing
    assert not list(project.rglob("pwned*"))


def test_a_name_that_can_not_be_written_down_is_refused(project: Path) -> None:
    for name in (b"a\nb.csv", b"caf\xe9.csv", b"a\x1b[2Jb.csv"):
        path = os.path.join(os.fsencode(project / "data" / "raw"), name)
        shutil.copy(project / "data" / "raw" / "iris.csv", path)
        words = [sys.executable, "-m", "src.stages", "train", "--name", "a", "--data", path]
        done = subprocess.run(words, cwd=project, text=True, env=clean_environment(),
                              capture_output=True, check=False)
        assert_refused(done, "rename it")
        assert done.stderr.count("\n") == 1 and "\x1b" not in done.stderr


@pytest.mark.slow
def test_the_longest_names_fit(project: Path, run_stage: Run) -> None:
    data = put(project, "x" * 251 + ".csv")
    asked = run_stage(project, "train", "--data", data, check=False)
    assert_refused(asked, f"--name '{'x' * 200}'")
    for name in ("🐧" * 50, "x" * 200):
        run_stage(project, "train", "--data", data, "--name", name, "--no-report", *QUICK)
        assert f"{name}.csv, 30 records" in run_stage(project, "prediction").stdout
    shutil.copy(project / data, project / ("y" * 251 + ".csv"))
    done = run_stage(project, "prediction", "--input", "y" * 251 + ".csv", check=False)
    assert_refused(done, "too long", "--output")
