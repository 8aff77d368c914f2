"""What `make dist` ships, and that `make format` finds nothing to do."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, Run


@pytest.mark.slow
def test_the_wheel_holds_mlmonkey_and_nothing_else(project: Path, run_make: Run) -> None:
    run_make(project, "dist")
    wheel = next((project / "dist").glob("*.whl"))
    names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    assert {name.split("/")[0] for name in names} == {"mlmonkey"}
    shipped = {path.name for path in (ROOT / "mlmonkey").iterdir() if path.is_file()}
    assert {name.split("/")[1] for name in names} == shipped


@pytest.mark.slow
def test_the_code_is_formatted() -> None:
    words = [sys.executable, "-m", "autopep8", "--diff", "--recursive", "--max-line-length", "100",
             "setup.py", "src", "mlmonkey", "tests", "benchmarks"]
    done = subprocess.run(words, cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout == ""


@pytest.mark.slow
def test_a_fresh_clone_trains_with_an_environment_of_its_own(tmp_path: Path) -> None:
    import os
    clone = tmp_path / "my clöne"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("PY_ENV", "PYTHON", "COVERAGE", "VIRTUAL_ENV"))}
    for words, part in ((["make", "train"], "Next:"), (["make", "train"], "nothing to do"),
                        (["make", "prediction"], "predictions: ")):
        done = subprocess.run(words, cwd=clone, env=kept, text=True, capture_output=True)
        assert done.returncode == 0 and part in done.stdout, done.stdout + done.stderr
    status = subprocess.run(["git", "status", "--short"], cwd=clone, text=True,
                            capture_output=True, check=True)
    assert status.stdout == ""
