"""Every folder follows its variable, and nothing happens at import."""

import sys
from pathlib import Path

import pytest
from conftest import run_in

from src.helpers.os_errors import os_error_line
from src.settings import FOLDERS, ROOT, load_settings, locate, relative


@pytest.mark.parametrize("variable", FOLDERS)
def test_each_folder_follows_its_own_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                              variable: str) -> None:
    before = vars(load_settings())
    monkeypatch.setenv(variable, str(tmp_path))
    after = vars(load_settings())
    changed = [name for name in before if before[name] != after[name]]
    assert len(changed) == 1 and after[changed[0]] == tmp_path
    assert list(before).index(changed[0]) == list(FOLDERS).index(variable)


def test_env_local_wins_over_env(project: Path) -> None:
    (project / ".env").write_text("MODELS_DIR=from_env\nREPORTS_DIR=pages\n")
    (project / ".env.local").write_text("MODELS_DIR=from_local\n")
    code = "from src.settings import load_settings as s; print(s().models.name, s().reports.name)"
    assert run_in(project, [sys.executable, "-c", code]).stdout == "from_local pages\n"


def test_paths_in_metadata_travel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert relative(ROOT / "data" / "raw" / "x.csv") == "data/raw/x.csv"
    assert locate("data/raw/x.csv") == ROOT / "data" / "raw" / "x.csv"
    monkeypatch.setenv("DATA_RAW_DIR", str(tmp_path))
    assert relative(tmp_path / "a" / "x.csv") == "$DATA_RAW_DIR/a/x.csv"
    assert locate("$DATA_RAW_DIR/a/x.csv") == tmp_path / "a" / "x.csv"
    monkeypatch.setenv("DATA_RAW_DIR", "../elsewhere/raw")
    moved = ROOT.parent / "elsewhere" / "raw" / "x.csv"
    assert relative(moved) == "$DATA_RAW_DIR/x.csv" and locate("$DATA_RAW_DIR/x.csv") == moved
    monkeypatch.setenv("DATA_RAW_DIR", "~/raw")
    assert load_settings().raw == Path.home() / "raw"
    assert relative(Path("/somewhere/else/x.csv")) == "x.csv"


def test_an_error_names_the_path_in_a_moved_folder_and_its_variable(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODELS_METADATA_DIR", str(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(OSError) as raised:
        (tmp_path / "file" / "x.json").write_text("")
    assert os_error_line(raised.value) == (
        f"can't use {tmp_path}/file/x.json: a file stands where a folder is needed; "
        "move that file away or choose another folder with MODELS_METADATA_DIR")


def test_importing_any_script_does_nothing(project: Path) -> None:
    before = sorted(path for path in project.rglob("*") if "__pycache__" not in path.parts)
    modules = ["src.stages", "src.train", "src.predict", "src.evaluate", "src.deploy_endpoint",
               "src.report", "src.drift", "src.etl.generate_dataset"]
    code = (f"import sys, {', '.join(modules)}; print([name for name in ('pandas', 'numpy', "
            "'sklearn', 'duckdb', 'flask', 'gunicorn') if name in sys.modules])")
    assert run_in(project, [sys.executable, "-B", "-c", code]).stdout == "[]\n"
    assert sorted(path for path in project.rglob("*")
                  if "__pycache__" not in path.parts) == before
