"""Other people's machines: a locale of C, no git, no HOME or one that can't be written, a umask."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Run, assert_refused, clean_environment, read_metadata, write_table

pytestmark = pytest.mark.slow
QUICK = ("--set", "max_iter=5", "--folds", "2", "--no-report")
# Python leaves the locale of C for UTF-8 by itself, unless it is told not to.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


def write_strange_table(project: Path) -> str:
    rows = [[f"n{n % 7}", n % 13 / 7, "größer" if n % 13 > 6 else "ок"] for n in range(80)]
    return write_table(project, "größe 数.csv", ["名前", "Größe", "ziel ñ"], rows)


def test_names_and_cells_beyond_ascii_in_a_locale_of_c(project: Path, run_stage: Run) -> None:
    data = write_strange_table(project)
    done = run_stage(project, "train", "--data", data, check=False, **ASCII)
    assert_refused(done, "größe 数.csv", "名前, Größe, ziel ñ")
    done = run_stage(project, "train", "--data", data, "--target", "ziel ñ", *QUICK, **ASCII)
    assert '"Größe"' in done.stdout  # the line to paste
    assert read_metadata(project, "größe 数-v1")["target"]["classes"] == ["größer", "ок"]
    run_stage(project, "prediction", "--input", data, "--output", "été.csv", "--keep", "all",
              **ASCII)
    with open(project / "été.csv", encoding="utf-8", newline="") as file:
        scored = list(csv.DictReader(file))
    assert len(scored) == 80 and scored[7]["ziel ñ"] == "größer"


@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_without_git_and_home_files_get_the_modes_of_the_umask(
    project: Path, tmp_path: Path, umask: int
) -> None:
    programs = tmp_path / "programs"  # the whole PATH
    programs.mkdir()
    (programs / "cat").symlink_to(str(shutil.which("cat")))  # joblib counts processors with it
    variables = clean_environment(PATH=str(programs))
    home = variables.pop("HOME", None)
    if umask:
        variables["HOME"] = "/dev/null"  # nothing can be written or read there
    words = [sys.executable, "-m", "src.stages", "train", *QUICK[:-1]]
    done = subprocess.run(words, cwd=project, env=variables, umask=umask, text=True,
                          capture_output=True, timeout=300)
    assert done.returncode == 0 and done.stderr == "", done.stdout + done.stderr
    metadata = read_metadata(project, "iris-v1")
    assert metadata["git_commit"] is None
    assert home is None or home not in json.dumps(metadata)
    written = [path for folder in ("data/staging", "data/transformed", "models", "reports")
               for path in (project / folder).rglob("*")
               if path.is_file() and path.name != ".gitkeep"]
    assert len(written) >= 7
    modes = {oct(path.stat().st_mode & 0o777) for path in written if path.suffix != ".lock"}
    assert modes == {oct(0o666 & ~umask)}, written
