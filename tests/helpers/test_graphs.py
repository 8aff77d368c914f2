"""The drawings name what there is; the pages of the API are made without a network."""

import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import ROOT, Run

from src.helpers.graphs import PIPELINE, draw_imports, draw_pipeline, read_imports
from src.settings import FOLDERS
from src.stages import TARGETS


def words_of(drawing: str) -> set[str]:
    return {word for each in ElementTree.fromstring(drawing).itertext() for word in each.split()}


def test_the_pipeline_names_every_target_and_folder() -> None:
    assert set(PIPELINE) == set(TARGETS) | {"drift"}
    assert words_of(draw_pipeline()) >= set(PIPELINE) | set(FOLDERS.values())


def test_the_imports_name_every_module_and_point_one_way() -> None:
    modules, counts = read_imports()
    files = [path for top in ("src", "mlmonkey") for path in (ROOT / top).rglob("*.py")
             if path.stem not in ("__init__", "settings")]
    assert {path.stem for path in files} == {name for names in modules.values() for name in names}
    assert words_of(draw_imports()) >= {path.stem for path in files}
    assert not {one for one, _ in counts} & {"mlmonkey"}


@pytest.mark.slow
def test_the_docs_are_made(project: Path, run_make: Run) -> None:
    pytest.importorskip("pdoc")
    shutil.copy(ROOT / "tox.ini", project)
    run_make(project, "docs")
    made = project / "build" / "docs"
    assert "leaderboard" in (made / "mlmonkey.html").read_text(encoding="utf-8")
    assert (made / "src" / "train.html").exists() and (made / "imports.svg").exists()
    assert (project / "docs" / "REFERENCE.md").exists()
