"""Copies of the project to work in, and ways to run its commands as a user would.

Every copy lies under a name with a blank and a letter beyond ASCII: nothing may trip over that.
"""

import csv
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

from mlmonkey.files import lock, write_json
from mlmonkey.metadata_check import validate
from mlmonkey.sealed import sealed
from mlmonkey.store import LoadedModel, ModelId, ModelStore
from src.helpers.datasets import feature_function
from src.model.trusted import TRUSTED

# a machine that is busy is no failure; profiles are hypothesis' own way to say so for all tests
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")

ROOT = Path(__file__).resolve().parent.parent
RAW = ("iris.csv", "penguins.csv", "cars.csv")
FILES = ("Makefile", "setup.py", "requirements.txt", "requirements-dev.txt", "requirements.lock",
         "requirements-dev.lock", "requirements-test-all.txt", "requirements-test-all.lock")
CODE = ("src", "mlmonkey")
# not the owner's params.yaml and .env: they may name other tables and the owner's own folders;
# boosting, because most tests are about other things and it is quick
PARAMS = """train:
  data: data/raw/iris.csv
  target: species
  model: boosting
  hold_out: 0.2
"""
OUTPUTS = ("data/staging", "data/transformed", "data/predictions", "models", "models/metadata",
           "reports")
SECTIONS = ("GENERATE_DATASET_", "TRAIN_", "PREDICTION_", "EVALUATE_", "DEPLOY_ENDPOINT_",
            "ENDPOINT_", "PROMOTE_", "REPORT_", "ONBOARD_", "DRIFT_", "DATA_", "MODELS_",
            "REPORTS_", "MONITORING_", "MAKE", "ARGS", "EXTRAS", "PROMETHEUS_")

Run = Callable[..., subprocess.CompletedProcess[str]]


def copy_project(folder: Path) -> Path:
    """A clean copy of the project: its code, the shipped tables, no settings and no results."""
    for name in CODE:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    (folder / "data" / "raw").mkdir(parents=True)
    for name in RAW:
        shutil.copy(ROOT / "data" / "raw" / name, folder / "data" / "raw" / name)
    (folder / "params.yaml").write_text(PARAMS)
    (folder / ".env").touch()
    for name in OUTPUTS:
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / ".gitkeep").touch()
    return folder


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without options of ours; make uses this interpreter."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SECTIONS)}
    return kept | {"PY_ENV": "none", "PYTHON": sys.executable} | more


def run_in(project: Path, words: list[str], check: bool = True,
           **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a project copy; with `check`, a failure shows what it printed."""
    done = subprocess.run(words, cwd=project, env=clean_environment(**more), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
    if check:
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done


ONE_BY_ONE = """
import json, sys
from importlib import import_module
main = import_module(sys.argv[1]).main
for words in json.loads(sys.argv[2]):
    try:
        main(words)
    except SystemExit as end:
        print(chr(0), end.code, chr(0), flush=True)
        print(end=chr(0), file=sys.stderr, flush=True)
"""


def run_one_by_one(project: Path, module: str,
                   cases: Iterable[Sequence[str]]) -> list[subprocess.CompletedProcess[str]]:
    """Run a script with each of these words in one process: most of a short run is imports."""
    cases = list(cases)
    words = [sys.executable, "-c", ONE_BY_ONE, module, json.dumps(cases)]
    done = run_in(project, words)
    out, errors = done.stdout.split("\0"), done.stderr.split("\0")
    assert len(errors) == len(cases) + 1, done.stderr
    return [subprocess.CompletedProcess(case, int(code), said, complained)
            for case, said, code, complained in zip(cases, out[::2], out[1::2], errors)]


@pytest.fixture(scope="session")
def run_stage() -> Run:
    """Run `python -m src.stages WORDS` in a project copy."""
    def run(project: Path, *words: object, check: bool = True, **more: str) -> object:
        stage = [sys.executable, "-m", "src.stages", *map(str, words)]
        return run_in(project, stage, check, **more)
    return run  # type: ignore[return-value]


@pytest.fixture(scope="session")
def run_make() -> Run:
    """Run `make TARGET ARGS=...` in a project copy."""
    def run(project: Path, *words: str, check: bool = True, **more: str) -> object:
        return run_in(project, ["make", *words], check, **more)
    return run  # type: ignore[return-value]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh, untrained copy of the project."""
    return copy_project(tmp_path / "my prøject")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, run_make: Run) -> Path:
    """A copy in which the three shipped tables were trained with make; read it, don't change it.

    The processes of one test run share it: the first one trains, the others wait.
    """
    shared = tmp_path_factory.getbasetemp().parent
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shared = tmp_path_factory.mktemp("shared")
    folder, complete = shared / "trained" / "my prøject", shared / "complete"
    with lock(shared / "lock", "the trained copy"):
        if not complete.exists():
            copy_project(folder)
            run_make(folder, "train")
            run_make(folder, "train", "ARGS=--data data/raw/penguins.csv --target species")
            run_make(folder, "train", "ARGS=--data data/raw/cars.csv --target mpg")
            complete.touch()
    return folder


@pytest.fixture
def trained_copy(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained project, to be changed, in which no endpoint has counted yet."""
    return Path(shutil.copytree(trained, tmp_path / "my prøject",
                                ignore=shutil.ignore_patterns("monitoring")))


@pytest.fixture
def store(trained: Path, tmp_path: Path) -> ModelStore:
    """The trained models in a folder of their own, to be changed."""
    models = Path(shutil.copytree(trained / "models", tmp_path / "models"))
    return ModelStore(models, models / "metadata", TRUSTED, functions=feature_function)


@pytest.fixture(scope="module")
def connection() -> Iterator[Any]:
    """A DuckDB in memory."""
    import duckdb
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture(scope="session")
def models(trained: Path) -> dict[str, LoadedModel]:
    """The three trained models, loaded; take a copy to change one."""
    folder = trained / "models"
    store = ModelStore(folder, folder / "metadata", TRUSTED, functions=feature_function)
    return {name: store.load(ModelId(name, 1)) for name in ("iris", "penguins", "cars")}


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """As the server does it: on a busy machine OpenMP's threads wait for each other for seconds."""
    with threadpool_limits(1):
        yield


def edit_sealed(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a sealed JSON file as somebody would who seals it again."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    write_json(path, sealed(content))


def read_metadata(project: Path, identifier: str) -> dict[str, Any]:
    """A model's metadata, checked against its schema."""
    path = project / "models" / "metadata" / f"{identifier}.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    validate(content)
    return content


def write_table(project: Path, name: str, header: list[str], rows: list[list[Any]]) -> str:
    """A raw table; returns what --data takes."""
    path = project / "data" / "raw" / name
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return f"data/raw/{name}"


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def assert_refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """A user's mistake: exit code 2 (make's own for any failure), one error line, no traceback."""
    text = done.stdout + done.stderr
    assert done.returncode == 2, text
    assert "Traceback" not in text
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, text
    for part in parts:
        assert part in lines[0], lines[0]
