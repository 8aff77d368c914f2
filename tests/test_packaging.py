"""What `make dist` ships, what a fresh clone installs, and that `make format` finds nothing."""

import json
import os
import re
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, Run
from test_docs import wait_until_ready
from test_supply import pins


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


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which `make train` made an environment: without extras and developers' packages.

    A test that follows may use that environment; none may add to it.
    """
    folder = tmp_path_factory.mktemp("fresh") / "my clöne"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    assert "Next:" in make(folder, "train")
    return folder


def make(folder: Path, *words: str) -> str:
    done = subprocess.run(["make", *words], cwd=folder, env=untouched_environment(), text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def untouched_environment() -> dict[str, str]:
    """Variables as in a shell outside of the environment that runs these tests."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith(("PY_ENV", "PYTHON", "COVERAGE", "VIRTUAL_ENV", "EXTRAS"))}


@pytest.mark.slow
def test_a_fresh_clone_works_and_stays_clean(clone: Path, tmp_path: Path) -> None:
    assert "nothing to do" in make(clone, "train")
    assert "predictions: " in make(clone, "prediction")
    status = subprocess.run(["git", "status", "--short"], cwd=clone, text=True,
                            capture_output=True, check=True)
    assert status.stdout == ""
    # From elsewhere: mlmonkey is installed, and nothing called src.
    check = "import importlib.util, mlmonkey; assert importlib.util.find_spec('src') is None"
    subprocess.run([clone / ".venv/bin/python", "-c", check], cwd=tmp_path,
                   env=untouched_environment(), check=True)


@pytest.mark.slow
def test_the_core_needs_no_package_of_developers(clone: Path, free_port: int) -> None:
    check = "import importlib.metadata as m; print(*(d.name for d in m.distributions()))"
    done = subprocess.run([clone / ".venv/bin/python", "-c", check], text=True,
                          env=untouched_environment(), capture_output=True, check=True)
    installed = {re.sub(r"[-_.]+", "-", name).lower() for name in done.stdout.split()}
    assert installed <= set(pins("requirements.lock")) | {"mlmonkey", "pip"}
    assert not installed & {"pytest", "mypy", "flake8", "torch"}

    words = ["make", "deploy-endpoint", f"ARGS=--host 127.0.0.1 --port {free_port}"]
    with subprocess.Popen(words, cwd=clone, env=untouched_environment(),
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until_ready(free_port)
            request = urllib.request.Request(
                f"http://127.0.0.1:{free_port}/predict", b'{"features": [[5.1, 3.5, 1.4, 0.2]]}',
                {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert json.load(answer)["result"] == ["setosa"]
        finally:
            server.terminate()
