"""src/helpers/environment.py as make calls it: what it installs, when, and what it refuses."""

import ast
import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import copy_project

ROOT = Path(__file__).resolve().parents[2]
# Variables of the make that runs these tests must not reach the ones under test.
OURS = ("PY_ENV", "PIP_EXEC", "CONDA_EXEC", "PYTHON", "EXTRAS", "TORCH_INDEX", "ARGS", "MAKEFLAGS",
        "MAKELEVEL")
CLEAN = {name: value for name, value in os.environ.items() if name not in OURS}

SETUP = """
EXTRAS = {"dev": ["pytest"], "torch": ["torch==2.13.0"], "jupyter": ["jupyterlab>=4"],
          "test-all": ["moto"]}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The smallest project that has an environment, under a name that is hard on quoting."""
    root = tmp_path / "mon prôjet"
    (root / "src" / "helpers").mkdir(parents=True)
    (root / "src" / "__init__.py").touch()
    (root / "src" / "helpers" / "__init__.py").touch()
    shutil.copy(ROOT / "src" / "helpers" / "environment.py", root / "src" / "helpers")
    shutil.copy(ROOT / "Makefile", root)
    (root / "setup.py").write_text(SETUP)
    (root / "requirements.txt").write_text("# core\npytest==9  # to be found here\n")
    (root / "requirements-dev.txt").write_text("-r requirements.txt\ncoverage==7\n")
    (root / "requirements-test-all.txt").write_text("-r requirements-dev.txt\n")
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-test-all.lock"):
        (root / name).write_text("pytest==9 --hash=sha256:0\n")
    return root


@pytest.fixture
def fake_pip(tmp_path: Path) -> Path:
    """A pip that writes down what it is asked to do, then does what `$BEHAVIOUR` says."""
    path = tmp_path / "fake pip"
    path.write_text('#!/bin/sh\necho "$*" >> "$0.calls"\neval "$BEHAVIOUR"\n')
    path.chmod(0o755)
    return path


def environment(
    project: Path, *extras: str, **variables: object
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "src.helpers.environment", *extras],
        cwd=project,
        env=CLEAN | {name: str(value) for name, value in variables.items()},
        capture_output=True,
        text=True,
    )


def calls(program: Path) -> list[str]:
    """What pip was asked since the last look."""
    log = Path(f"{program}.calls")
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return lines


LOCKED = "--python .venv/bin/python install --only-binary=:all: --require-hashes -r "
REST = "--python .venv/bin/python install --only-binary=:all: --no-build-isolation "


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 2 and one line that holds the words; no traceback."""
    error = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    assert done.returncode == 2, done
    assert error[-1].startswith("error: ")
    assert all(line.startswith("environment: ") for line in error[:-1]), done.stderr
    for word in words:
        assert word in error[-1]


# ----- what is installed, and when --------------------------------------------------------------


def test_an_environment_up_to_date_asks_pip_nothing_and_prints_nothing(
    project: Path, fake_pip: Path
) -> None:
    first = environment(project, PIP_EXEC=fake_pip)
    assert first.returncode == 0, first.stderr
    assert "making .venv" in first.stderr and "ready in" in first.stderr
    assert calls(fake_pip) == [LOCKED + "requirements.lock", REST + "-r requirements.txt -e ."]

    for file in project.glob("*.txt"):
        file.touch()  # time alone decides nothing
    second = environment(project, PIP_EXEC=fake_pip)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert calls(fake_pip) == []


def test_a_changed_file_is_installed_again(project: Path, fake_pip: Path) -> None:
    environment(project, PIP_EXEC=fake_pip)
    for name in ("requirements.txt", "requirements.lock", "setup.py"):
        calls(fake_pip)
        with open(project / name, "a") as file:
            file.write("# changed\n")
        done = environment(project, PIP_EXEC=fake_pip)
        assert f"(changed: {name})" in done.stderr
        assert "making" not in done.stderr
        assert len(calls(fake_pip)) == 2


def test_extras_accumulate(project: Path, fake_pip: Path) -> None:
    environment(project, "dev", PIP_EXEC=fake_pip)
    files = "-r requirements.txt -r requirements-dev.txt"
    assert calls(fake_pip) == [LOCKED + "requirements-dev.lock", REST + f"{files} -e ."]
    environment(project, PIP_EXEC=fake_pip)
    assert calls(fake_pip) == []
    environment(project, PIP_EXEC=fake_pip, EXTRAS="torch, jupyter")
    assert calls(fake_pip)[1].endswith("-r requirements-dev.txt -e .[jupyter,torch]")
    environment(project, "dev", PIP_EXEC=fake_pip, EXTRAS="jupyter")
    assert calls(fake_pip) == []
    environment(project, "test-all", PIP_EXEC=fake_pip)
    first, second = calls(fake_pip)
    assert first == LOCKED + "requirements-test-all.lock"
    assert second == REST + f"{files} -r requirements-test-all.txt -e .[jupyter,torch]"


def test_an_extra_taken_out_of_setup_is_forgotten(project: Path, fake_pip: Path) -> None:
    environment(project, PIP_EXEC=fake_pip, EXTRAS="torch")
    (project / "setup.py").write_text('EXTRAS = {"dev": ["pytest"]}\n')
    calls(fake_pip)
    assert environment(project, PIP_EXEC=fake_pip).returncode == 0
    assert calls(fake_pip)[1].endswith("-r requirements.txt -e .")


def test_another_torch_index_replaces_torch(project: Path, fake_pip: Path) -> None:
    environment(project, PIP_EXEC=fake_pip, EXTRAS="torch", TORCH_INDEX="file:///cpu")
    assert "--extra-index-url file:///cpu" in calls(fake_pip)[1]
    environment(project, PIP_EXEC=fake_pip)  # none given: what was chosen stays
    assert calls(fake_pip) == []
    done = environment(project, PIP_EXEC=fake_pip, TORCH_INDEX="file:///gpu")
    assert "changed: TORCH_INDEX" in done.stderr
    _, uninstall, install = calls(fake_pip)
    assert uninstall.endswith("uninstall --yes torch")
    assert "--extra-index-url file:///gpu" in install


def test_a_killed_installation_is_gone_on_with(project: Path, fake_pip: Path) -> None:
    environment(project, PIP_EXEC=fake_pip, EXTRAS="jupyter")
    (project / "requirements.txt").write_text("numpy==2\n")
    killed = environment(project, PIP_EXEC=fake_pip, BEHAVIOUR="kill -9 $PPID")
    assert killed.returncode == -9
    calls(fake_pip)
    done = environment(project, PIP_EXEC=fake_pip)
    assert done.returncode == 0 and "making" not in done.stderr
    assert calls(fake_pip)[1].endswith("-r requirements.txt -e .[jupyter]")
    assert environment(project, PIP_EXEC=fake_pip).stderr == ""


def test_a_moved_project_gets_a_new_venv(project: Path, fake_pip: Path) -> None:
    environment(project, "dev", PIP_EXEC=fake_pip)
    calls(fake_pip)
    moved = project.rename(project.parent / "moved here")
    done = environment(moved, PIP_EXEC=fake_pip)
    assert "making .venv" in done.stderr and "(changed: folder)" in done.stderr
    assert "requirements-dev.txt" in calls(fake_pip)[1]  # what was asked for earlier comes along
    assert environment(moved, PIP_EXEC=fake_pip).stderr == ""


def test_a_venv_whose_python_is_broken_is_made_anew(project: Path, fake_pip: Path) -> None:
    environment(project, PIP_EXEC=fake_pip)
    python = project / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3.11")
    done = environment(project, PIP_EXEC=fake_pip)
    assert done.returncode == 0 and "its Python is gone" in done.stderr
    assert subprocess.run([python, "-c", "pass"]).returncode == 0


def test_another_python_asked_for_makes_the_venv_anew(project: Path, fake_pip: Path) -> None:
    environment(project, PIP_EXEC=fake_pip)
    stamp = project / ".venv" / "ml-skeleton.json"
    content = json.loads(stamp.read_text())
    stamp.write_text(json.dumps(content | {"PYTHON": "3.99"}))
    done = environment(project, PIP_EXEC=fake_pip, PYTHON=sys.executable)
    assert "making .venv" in done.stderr and "its Python is gone, or another" in done.stderr
    assert json.loads(stamp.read_text())["PYTHON"] == "%d.%d" % sys.version_info[:2]


def test_the_kind_of_environment_stays_until_another_is_asked_for(
    project: Path, fake_pip: Path
) -> None:
    first = environment(project, PIP_EXEC=fake_pip)
    assert "with pip" in first.stderr
    stamp = project / ".venv" / "ml-skeleton.json"
    stamp.write_text(stamp.read_text().replace('"pip"', '"uv"'))
    assert environment(project).stderr == ""
    done = environment(project, PY_ENV="pip", PIP_EXEC=fake_pip)
    assert "making .venv with pip" in done.stderr and "(changed: PY_ENV)" in done.stderr


def test_conda_makes_the_environment_and_pip_fills_it(
    project: Path, fake_pip: Path, tmp_path: Path
) -> None:
    """conda itself is no pip package: a program that takes its words stands in for it here."""
    conda = tmp_path / "conda"
    add_program(tmp_path, "conda", f'echo "$*" >> "$0.calls"; "{sys.executable}" -m venv "$4"')
    done = environment(project, PY_ENV="conda", CONDA_EXEC=conda, PIP_EXEC=fake_pip)
    assert done.returncode == 0 and "making .venv with conda" in done.stderr, done.stderr
    version = "%d.%d" % sys.version_info[:2]
    assert calls(conda) == [f"create --yes --prefix {project}/.venv --override-channels "
                            f"--channel conda-forge python={version} pip"]
    assert calls(fake_pip) == [LOCKED + "requirements.lock", REST + "-r requirements.txt -e ."]
    assert environment(project).stderr == ""  # nobody has to say PY_ENV=conda again
    failing = environment(project, PY_ENV="pip", PIP_EXEC=fake_pip, BEHAVIOUR="exit 1")
    assert failing.returncode == 2
    add_program(tmp_path, "conda", "echo no such channel; exit 1")
    refused(environment(project, PY_ENV="conda", CONDA_EXEC=conda), "failed: no such channel")


def test_a_second_make_waits_for_the_first(project: Path, fake_pip: Path) -> None:
    environment(project, PIP_EXEC=fake_pip)
    (project / "requirements.txt").write_text("numpy==2\n")
    with open(project / ".venv.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = subprocess.Popen(
            [sys.executable, "-m", "src.helpers.environment"],
            cwd=project,
            env=CLEAN | {"PIP_EXEC": str(fake_pip)},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert second.stderr and "waiting for another make" in second.stderr.readline()
    assert "ready in" in second.communicate(timeout=30)[1]


# ----- what is refused --------------------------------------------------------------------------


def test_a_failing_pip_is_one_line_with_the_command(project: Path, fake_pip: Path) -> None:
    output = "echo Looking; echo 'ERROR: No matching distribution found for x==9'; exit 1"
    done = environment(project, PIP_EXEC=fake_pip, BEHAVIOUR=output)
    refused(done, "No matching distribution found for x==9", f"'{fake_pip}' --python")
    assert "Looking" not in done.stderr
    calls(fake_pip)
    assert environment(project, PIP_EXEC=fake_pip).returncode == 0
    assert len(calls(fake_pip)) == 2


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"PY_ENV": "nnone"}, ["PY_ENV=nnone is unknown; known: pip, conda, uv, none"]),
        ({"EXTRAS": "dev,torhc"},
         ["EXTRAS=torhc is unknown; known: dev, jupyter, test-all, torch"]),
        ({"PIP_EXEC": "/no where/pip"}, ["PIP_EXEC=/no where/pip", "no such program"]),
        ({"PY_ENV": "conda", "PATH": "/no"}, ["conda: not found; install", "CONDA_EXEC=", "=pip"]),
        ({"PY_ENV": "conda", "CONDA_EXEC": "/no"}, ["CONDA_EXEC=/no: no such program"]),
        ({"PY_ENV": "uv", "PATH": "/no"}, ["uv: not found; install", "PIP_EXEC=", "PY_ENV=pip"]),
    ],
)
def test_unknown_words_and_missing_programs(
    project: Path, variables: dict[str, str], words: list[str]
) -> None:
    refused(environment(project, **variables), *words)


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv(project: Path, tmp_path: Path, module: str) -> None:
    (tmp_path / f"{module}.py").write_text("raise ModuleNotFoundError('as Debian ships it')\n")
    done = environment(project, PYTHONPATH=tmp_path)
    refused(done, f"has no module {module}", "apt install python3-venv")


def test_a_project_that_cannot_be_written(project: Path) -> None:
    (project / ".venv.lock").mkdir()
    refused(environment(project), "cannot make the environment", "PY_ENV=none")


def test_none_installs_nothing_and_names_what_is_missing(project: Path) -> None:
    done = environment(project, "dev", PY_ENV="none")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (project / "requirements.txt").write_text("pytest==9\nno-such-thing==1\n")
    (project / "requirements-dev.txt").write_text("-r requirements.txt\nnor.this\n")
    refused(environment(project, PY_ENV="none"), "lacks no-such-thing;", "-r requirements.txt")
    refused(environment(project, "dev", PY_ENV="none"), "lacks no-such-thing, nor.this;")
    refused(environment(project, PY_ENV="none", EXTRAS="torch"), "lacks no-such-thing")
    assert not (project / ".venv").exists() and not (project / ".venv.lock").exists()


# ----- the search for a Python, by make ---------------------------------------------------------


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder to be the whole PATH: what recipes need, and no Python."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("sed", "head"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return folder


def make(project: Path, programs: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(shutil.which("make")), ".environment", *words],
        cwd=project,
        env=CLEAN | {"PATH": str(programs)},
        capture_output=True,
        text=True,
    )


def add_program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


# Answers as Python 3.8 does: its version is printed, the check for 3.11 fails.
OLD_PYTHON = '[ "$1" = -V ] && echo Python 3.8.18 && exit; exit 1'


def test_no_python(project: Path, programs: Path) -> None:
    refused(make(project, programs), "no Python 3.11 or newer among python3 python3.14", "PYTHON=")
    refused(make(project, programs, "PYTHON=/no where/python"), "newer among /no where/python")


def test_an_old_python_is_named_with_its_version(project: Path, programs: Path) -> None:
    add_program(programs, "python3", OLD_PYTHON)
    refused(make(project, programs), "python3 is Python 3.8.18", "make PYTHON=")
    python = programs / "python3"
    refused(make(project, programs, f"PYTHON={python}"), f"{python} is Python 3.8.18")


def test_a_newer_python_is_found_behind_an_old_one(
    project: Path, programs: Path, fake_pip: Path
) -> None:
    add_program(programs, "python3", OLD_PYTHON)
    add_program(programs, "python3.12", f'exec "{sys.executable}" "$@"')
    done = make(project, programs, f"PIP_EXEC={fake_pip}")
    assert done.returncode == 0, done.stderr
    assert len(calls(fake_pip)) == 2
    refused(make(project, programs, "PY_ENV=none"), "python3 is Python 3.8.18")


def test_old_pythons_can_read_the_file_as_far_as_the_refusal() -> None:
    text = (ROOT / "src" / "helpers" / "environment.py").read_text()
    ast.parse(text, feature_version=(3, 6))
    before_check = text[: text.index("if sys.version_info")]
    assert [line for line in before_check.splitlines() if "import" in line][-2:] == [
        "import os",
        "import sys",
    ]


# ----- for real ---------------------------------------------------------------------------------

UV = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
CONDA = next(filter(None, map(shutil.which, ("micromamba", "mamba", "conda"))), None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "programs"),
    [
        pytest.param("uv", {"PIP_EXEC": UV}, marks=pytest.mark.skipif(not UV, reason="no uv")),
        pytest.param(
            "conda", {"CONDA_EXEC": CONDA}, marks=pytest.mark.skipif(not CONDA, reason="no conda")
        ),
    ],
)
def test_uv_and_conda_make_an_environment_that_trains(
    tmp_path: Path, kind: str, programs: dict[str, str]
) -> None:
    folder = copy_project(tmp_path / "my prøject")
    variables = CLEAN | programs | {"PYTHON": sys.executable}
    for words in (["train", f"PY_ENV={kind}"], ["prediction"]):  # the kind is remembered
        done = subprocess.run(
            ["make", *words], cwd=folder, env=variables, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "environment" not in done.stderr
    # From elsewhere: mlmonkey is installed, and nothing called src.
    check = "import importlib.util, mlmonkey; assert importlib.util.find_spec('src') is None"
    subprocess.run([folder / ".venv/bin/python", "-c", check], cwd=tmp_path, env=CLEAN, check=True)
