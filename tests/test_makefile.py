"""The Makefile against its own help, its twins, its quoting; and what git is allowed to hold."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = sorted(set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE)))
STAGES = ["generate-dataset", "train", "prediction", "evaluate", "deploy-endpoint", "report"]
# What the design promises; the list only grows.
PROMISED = (
    STAGES
    + (
        "help create-environment requirements init init-train lint format pytest tox "
        "count-test-files count-report-files clean dist test test-all lock audit licences "
        "docker-build docker-run up down notebook docs graph"
    ).split()
)
# Variables of the make that runs these tests must not reach the ones under test.
OURS = ("PY_ENV", "PIP_EXEC", "CONDA_EXEC", "PYTHON", "EXTRAS", "TORCH_INDEX", "ARGS", "MAKEFLAGS",
        "MAKELEVEL")
# What runs here are stand-ins: their lines are no coverage of the real scripts.
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if name not in OURS and not name.startswith("COVERAGE_")
}

STAND_IN = """
import json, sys
print(json.dumps(sys.argv[1:]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The Makefile over a stand-in for the stages that prints the words it is called with."""
    root = tmp_path / "mon prôjet"
    (root / "src" / "helpers").mkdir(parents=True)
    for package in ("src", "src/helpers"):
        (root / package / "__init__.py").touch()
    (root / "src" / "stages.py").write_text(STAND_IN)
    shutil.copy(ROOT / "src" / "helpers" / "environment.py", root / "src" / "helpers")
    shutil.copy(ROOT / "Makefile", root)
    (root / "setup.py").write_text('EXTRAS = {"dev": []}\n')
    (root / "requirements.txt").write_text("pytest\n")
    for folder in ("tests", "reports", "data/raw", "models"):
        (root / folder).mkdir(parents=True)
        (root / folder / ".gitkeep").touch()
    return root


def make(
    project: Path, *words: str, py_env: str = "none", **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *words],
        cwd=project,
        env=CLEAN | {"PY_ENV": py_env, "PYTHON": sys.executable} | variables,
        capture_output=True,
        text=True,
    )


def files(project: Path) -> set[str]:
    return {str(path.relative_to(project)) for path in project.rglob("*")}


# ----- help, twins, -n, -j ----------------------------------------------------------------------


def test_help_lists_every_target_and_nothing_else(project: Path) -> None:
    page = make(project, "help").stdout
    listed = re.findall(r"^  ([a-z][a-z-]*) {2,}\S", page, re.MULTILINE)
    assert sorted(listed) == TARGETS
    assert set(PROMISED) <= set(TARGETS)
    assert make(project).stdout == page  # help is what plain `make` shows
    assert max(map(len, page.splitlines())) <= 100


def test_help_names_every_variable(project: Path) -> None:
    page = make(project, "help").stdout
    exported = re.findall(r"^export (PY_ENV .+)$", MAKEFILE, re.MULTILINE)[0]
    for variable in [*exported.split(), "ARGS", "COVERAGE_FLOOR", "ENGINE", "COMPOSE"]:
        assert f"{variable}=" in page, variable


@pytest.mark.parametrize("target", [target for target in TARGETS if "-" in target])
def test_every_dashed_target_has_a_twin_with_underscores(project: Path, target: str) -> None:
    dashed = make(project, "-n", target)
    twin = make(project, "-n", target.replace("-", "_"))
    assert dashed.returncode == twin.returncode == 0
    assert dashed.stdout == twin.stdout != ""


@pytest.mark.parametrize("target", TARGETS)
def test_a_dry_run_of_any_target_does_nothing(project: Path, target: str) -> None:
    before = files(project)
    done = make(project, "-n", target, py_env="pip")
    assert done.returncode == 0 and done.stderr == ""
    assert files(project) == before


@pytest.mark.parametrize("stage", STAGES)
def test_a_dry_run_prints_the_command_of_the_stage(project: Path, stage: str) -> None:
    done = make(project, "-n", stage, "ARGS=--seed 7", py_env="pip")
    command = f"STARTED_BY=make:$PPID exec .venv/bin/python -m src.stages {stage} --seed 7"
    assert done.stdout.splitlines()[-1] == command
    assert "src.helpers.environment" in done.stdout


def test_two_targets_at_once_run_one_after_the_other(project: Path) -> None:
    for flags in (["-j2"], ["-j2", "-n"]):
        done = make(project, *flags, "train", "prediction", "init_train")
        assert done.returncode == 0 and done.stderr == ""
    done = make(project, "-j2", "train", "prediction")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [["train"], ["prediction"]]


@pytest.mark.parametrize(
    "target", [target for target in TARGETS if target not in ("help", "clean")]
)
def test_targets_make_the_environment_first(project: Path, target: str) -> None:
    plan = make(project, "-n", target, py_env="pip").stdout
    alone = target in ("up", "down") or target.startswith(("count-", "docker-"))
    assert ("src.helpers.environment" in plan) == (not alone)
    needs_dev = target in ("test", "pytest", "tox", "lint", "format", "dist", "lock")
    assert ("src.helpers.environment dev" in plan) == needs_dev
    for extra, name in (("audit", "audit"), ("jupyter", "notebook"), ("docs", "docs"),
                        ("test-all", "test-all")):
        assert (f"src.helpers.environment {extra}" in plan) == (target == name)


# ----- ARGS -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("--name 'a b'", ["--name", "a b"]),
        ('--name "a  b" --x', ["--name", "a  b", "--x"]),
        ("""--name "it's" """, ["--name", "it's"]),
        ("--name 'say \"hi\"'", ["--name", 'say "hi"']),
        ("--name '$5 $(USD) $$ ${x}'", ["--name", "$5 $(USD) $$ ${x}"]),
        ("--name '$(' ", ["--name", "$("]),
        ('--name "$PRICE"', ["--name", "9 €"]),
        ("--name '#1;2|3&4>5*?~%'", ["--name", "#1;2|3&4>5*?~%"]),
        (r"--name 'back\slash' --y=\"", ["--name", r"back\slash", '--y="']),
        ("--data 'données/x y.csv'", ["--data", "données/x y.csv"]),
        ("--empty ''", ["--empty", ""]),
    ],
)
def test_args_reach_the_script_as_typed(project: Path, args: str, words: list[str]) -> None:
    for done in (
        make(project, "train", f"ARGS={args}", PRICE="9 €"),
        make(project, "train", ARGS=args, PRICE="9 €"),
    ):
        assert done.stderr == ""
        assert json.loads(done.stdout) == ["train", *words]


def test_a_run_prints_only_what_the_script_prints(project: Path) -> None:
    done = make(project, "train")
    assert (done.returncode, done.stdout, done.stderr) == (0, '["train"]\n', "")


def test_the_exit_of_a_script_stops_make(project: Path) -> None:
    (project / "src" / "stages.py").write_text("raise SystemExit(2)\n")
    assert make(project, "init-train", "prediction").returncode == 2


# ----- counts and clean -------------------------------------------------------------------------


def test_count_test_files(project: Path) -> None:
    none = make(project, "count-test-files")
    assert none.returncode == 2 and "error: no tests/**/test_*.py" in none.stderr
    (project / "tests" / "deep er").mkdir()
    (project / "tests" / "deep er" / "test_x.py").touch()
    (project / "tests" / "conftest.py").touch()
    one = make(project, "count-test-files")
    assert (one.returncode, one.stdout, one.stderr) == (0, "1 test files\n", "")


def test_count_report_files(project: Path) -> None:
    none = make(project, "count-report-files")
    assert (none.returncode, none.stdout) == (0, "0 report files\n")
    assert "warning: reports/ is empty" in none.stderr
    (project / "reports" / "iris-v1.html").touch()
    one = make(project, "count_report_files")
    assert (one.returncode, one.stdout, one.stderr) == (0, "1 report files\n", "")


def test_clean_removes_caches_and_no_work(project: Path) -> None:
    kept = {"models/a.skops", "data/raw/x.csv", "reports/r.html", ".venv/x/__pycache__/y.pyc"}
    gone = {
        "src/__pycache__/x.pyc",
        ".coverage",
        "dist/x.whl",
        "mlmonkey.egg-info/x",
        ".mypy_cache/x",
    }
    for file in kept | gone:
        (project / file).parent.mkdir(parents=True, exist_ok=True)
        (project / file).touch()
    done = make(project, "clean")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    left = files(project)
    assert kept <= left
    assert not gone & left


# ----- what git holds ---------------------------------------------------------------------------


def git(*words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.splitlines()


in_git = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git clone")


@in_git
def test_local_secrets_and_results_are_ignored_by_git() -> None:
    ignored = [".env.local", ".venv/bin/python", "data/raw/mine.csv", "data/staging/x.parquet"]
    ignored += ["models/iris-v1.skops", "models/metadata/iris-v1.json", "reports/iris-v1.html"]
    ignored += ["models/current.json", "data/deep/er/x.csv", "notebooks/.ipynb_checkpoints/x"]
    assert git("check-ignore", "--no-index", *ignored) == ignored
    committed = [".env", "data/raw/iris.csv", "models/metadata/.gitkeep", "notebooks/x.ipynb"]
    assert git("check-ignore", "--no-index", *committed) == []


@in_git
def test_no_data_model_or_environment_is_committed() -> None:
    held = git("ls-files", "--cached", "--others", "--exclude-standard")
    folders = ("data/", "models/", "reports/", ".venv/", "dist/")
    kept = {file for file in held if file.startswith(folders)}
    tables = {f"data/raw/{name}.csv" for name in ("cars", "iris", "penguins")}
    empty = {"data/staging", "data/transformed", "data/predictions", "models", "models/metadata"}
    assert kept == tables | {f"{folder}/.gitkeep" for folder in empty | {"reports"}}
    assert "notebooks/.gitkeep" in held


def test_the_committed_env_holds_no_secret() -> None:
    for line in (ROOT / ".env").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, value = line.partition("=")
            assert not re.search("(?i)token|secret|password|passwd|key|credential", name), line
            assert not re.search("[A-Za-z0-9+/_-]{20,}|://[^/]*@", value), line


@pytest.mark.parametrize(
    ("table", "rows", "columns"), [("cars", 406, 9), ("iris", 150, 5), ("penguins", 344, 8)]
)
def test_the_shipped_tables(table: str, rows: int, columns: int) -> None:
    lines = (ROOT / "data" / "raw" / f"{table}.csv").read_text().splitlines()
    assert len(lines) == rows + 1
    assert {line.count(",") + 1 for line in lines} == {columns}
