"""CI files: valid by the schemas that their makers publish, the same everywhere, only make."""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from conftest import ROOT
from test_makefile import TARGETS

FILES = {".github/workflows/test.yml": "github-workflows", ".gitlab-ci.yml": "gitlab-ci",
         ".circleci/config.yml": "circle-ci"}
COMPOSE = {"docker-compose.yml": "compose-spec", "docker-compose.gpu.yml": "compose-spec"}


def read(file: str) -> Any:
    return yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))


def commands(part: Any) -> Iterator[str]:
    """What is run, wherever it stands."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part):
        if str(key).endswith(("run", "script", "command")) and isinstance(value, str | list):
            yield from [value] if isinstance(value, str) else value
        elif isinstance(value, dict | list):
            yield from commands(value)


@pytest.mark.parametrize("file", FILES)
def test_it_calls_make_and_nothing_else(file: str) -> None:
    found = list(commands(read(file)))
    assert all(re.fullmatch(r'make [a-z-]+( ARGS=("[^"]+"|\w+))?', line) for line in found), found
    called = {line.split()[1] for line in found}
    assert {"train", "test", "test-all", "docker-build", "tox"} <= called <= set(TARGETS)


def test_all_of_them_use_the_same_pythons() -> None:
    text = {file: (ROOT / file).read_text() for file in FILES}
    pythons = {file: set(re.findall(r'"(3\.\d+)"', text[file])) for file in FILES}
    assert set(map(frozenset, pythons.values())) == {frozenset({"3.11", "3.12", "3.13"})}
    assert 'python_requires=">=3.11"' in (ROOT / "setup.py").read_text()


def test_commits_are_checked_by_make() -> None:
    hooks = read(".pre-commit-config.yaml")["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == ["make format", "make lint"]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "schema"), (FILES | COMPOSE).items())
def test_it_is_valid(file: str, schema: str) -> None:
    pytest.importorskip("check_jsonschema")
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    if schema == "gitlab-ci":
        words += ["--data-transform", "gitlab-ci"]
    done = subprocess.run([*words, file], cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_what_pre_commit_reads_is_valid() -> None:
    pytest.importorskip("pre_commit")
    words = [sys.executable, "-m", "pre_commit", "validate-config", ".pre-commit-config.yaml"]
    done = subprocess.run(words, cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
