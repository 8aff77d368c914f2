"""Notebooks run, hold no outputs, read models through `import mlmonkey`; the page to explore."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Run, assert_refused, run_in

from src.helpers.strip_notebooks import strip

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
READ = """
import sys
import pandas as pd
import mlmonkey
model = mlmonkey.load("penguins")
golden = model.metadata["golden"]
rows = pd.DataFrame(golden["rows"])
answers = model.predict(rows.assign(unknown=1)[::-1])
assert answers.index.tolist() == rows.index.tolist()[::-1]
assert answers["prediction"].tolist()[::-1] == golden["predictions"]
assert answers.filter(like="probability_").sum(axis=1).round(9).eq(1).all()
assert len(model.predict(rows[:0])) == 0
assert {"hold-out", "dummy: hold-out"} <= set(model.scores.columns)
assert model.features.index[0] == "bill_length_mm" and model.features["importance"][0:1].item() > 0
assert mlmonkey.leaderboard().index.tolist() == ["cars-v1", "iris-v1", "penguins-v1"]
for wrong in (rows.drop(columns="sex"), rows.assign(year="next")):
    try:
        model.predict(wrong)
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_notebooks_are_stripped() -> None:
    assert {path.stem for path in NOTEBOOKS} >= {"exploration", "delivery"}
    for path in NOTEBOOKS:
        text = path.read_text(encoding="utf-8")
        assert strip(text) == text, f"{path.name} holds outputs: make format"


def test_stripping_leaves_the_cells() -> None:
    text = NOTEBOOKS[0].read_text(encoding="utf-8")
    used = json.loads(text)
    used["metadata"]["widgets"] = {"state": 1}
    for cell in used["cells"]:
        cell["metadata"]["collapsed"] = True
        if cell["cell_type"] == "code":
            cell |= {"outputs": [{"data": "a secret"}], "execution_count": 7}
    assert strip(json.dumps(used)) == text


def test_a_notebook_finds_and_asks_the_models_of_its_project(trained_copy: Path) -> None:
    folder = trained_copy / "notebooks"
    folder.mkdir()
    shutil.copy(ROOT / "tox.ini", trained_copy)
    words = [sys.executable, "-c", READ]
    done = run_in(folder, words, PYTHONPATH=str(trained_copy))
    missing, unfit = done.stdout.splitlines()
    assert missing.startswith("UserError penguins-v1 needs the column(s) 'sex'; there are 'island'")
    assert unfit == "RowError row 0, column 'year': 'next' is not a number"


def test_without_a_project_the_models_are_where_a_variable_says(
    trained: Path, tmp_path: Path
) -> None:
    code = "import mlmonkey; print(mlmonkey.load('iris'))"
    words = [sys.executable, "-c", code]
    done = run_in(tmp_path, words, PYTHONPATH=str(ROOT), MODELS_DIR=str(trained / "models"))
    assert done.stdout == ("<iris-v1: classification of 'species' by "
                           "HistGradientBoostingClassifier>\n")
    done = run_in(tmp_path, words, check=False, PYTHONPATH=str(ROOT))
    assert "UserError: there are no models in" in done.stderr


@pytest.mark.slow
def test_every_notebook_runs(trained_copy: Path) -> None:
    pytest.importorskip("nbmake")
    pytest.importorskip("skrub")
    shutil.copy(ROOT / "tox.ini", trained_copy)
    shutil.copytree(ROOT / "notebooks", trained_copy / "notebooks")
    words = [sys.executable, "-m", "pytest", "-o", "addopts=", "--nbmake", "notebooks"]
    done = run_in(trained_copy, words, PYTHONPATH=str(trained_copy))
    assert f"{len(NOTEBOOKS)} passed" in done.stdout


@pytest.mark.slow
def test_a_page_to_explore_holds_no_private_column(project: Path, run_make: Run) -> None:
    pytest.importorskip("skrub")
    run_make(project, "generate-dataset", "ARGS=--data data/raw/penguins.csv --private island")
    out = run_in(project, [sys.executable, "-m", "src.report", "--explore"]).stdout
    page = re.findall(r"^to explore .*: (reports/.*-explore.html)$", out, re.M)
    text = (project / page[0]).read_text(encoding="utf-8")
    assert "bill_length_mm" in text and "Adelie" in text
    assert "Torgersen" not in text and "island" not in text
    assert not re.search(r"""src=["']?(https?:)?//|<link|@import""", text)


def test_a_page_to_explore_is_an_extra(trained: Path) -> None:
    code = ("import sys; sys.modules['skrub'] = None; from src.report import main; "
            "main(['--explore'])")
    assert_refused(run_in(trained, [sys.executable, "-c", code], check=False),
                   "--explore needs skrub", "make init EXTRAS=explore")
