"""Metadata fits its schema, knows its commit, and carries uncommitted code but no secret."""

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mlmonkey import metadata as md
from mlmonkey.errors import UserError


@pytest.fixture(scope="module")
def sample(trained: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((trained / "models/metadata/iris-v1.json").read_text())
    return content


def test_the_schema_is_a_schema_and_a_model_fits_it(sample: dict[str, Any]) -> None:
    schema = json.loads(md.SCHEMA_PATH.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    md.validate(sample)


@pytest.mark.parametrize("path", [
    "model_identifier", "scores", "schema", "golden", "stage", "data.raw", "artifacts.0.sha256",
    "scores.0.value", "target.name", "environment.python", "config.seed.source"])
def test_a_missing_field_does_not_fit(sample: dict[str, Any], path: str, tmp_path: Path) -> None:
    broken = copy.deepcopy(sample)
    *parents, last = [int(word) if word.isdigit() else word for word in path.split(".")]
    place: Any = broken
    for key in parents:
        place = place[key]
    del place[last]
    with pytest.raises(jsonschema.ValidationError):
        md.write_metadata(tmp_path / "m.json", broken)
    assert not list(tmp_path.iterdir())


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words], cwd=folder,
                   check=True, capture_output=True)


def test_a_patch_holds_uncommitted_code_and_can_be_applied(tmp_path: Path) -> None:
    src = tmp_path / "src"
    src.mkdir()
    (src / "a.py").write_text("one = 1\n")
    (tmp_path / "notes.txt").write_text("private\n")
    assert md.git_commit(tmp_path) is None
    assert md.uncommitted_patch(tmp_path, ["src"], []) is None
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "src")
    git(tmp_path, "commit", "-qm", "x")
    assert md.uncommitted_patch(tmp_path, ["src"], []) == ""
    (src / "a.py").write_text("one = 2\n")
    (src / "ü.py").write_text("two = 2\n")
    (src / "c.py").write_text("key = 's3cret'\n")
    patch = md.uncommitted_patch(tmp_path, ["src"], ["s3cret"])
    assert patch and "+one = 2" in patch and "+two = 2" in patch
    assert "s3cret" not in patch and "src/c.py left out" in patch and "private" not in patch
    (tmp_path / "p.patch").write_text(patch)
    git(tmp_path, "stash", "-u", "--", "src")
    git(tmp_path, "apply", "p.patch")
    assert (src / "a.py").read_text() == "one = 2\n" and (src / "ü.py").exists()
    assert len(md.git_commit(tmp_path) or "") == 40


def test_a_name_belongs_to_its_first_table(sample: dict[str, Any]) -> None:
    md.check_owner("iris", None, "data/raw/iris.csv", "species")
    md.check_owner("iris", sample, "data/raw/iris.csv", "species")
    for source, target, free in (("data/raw/iris.csv", "x", "iris-x"),
                                 ("data/raw/b.csv", "species", "b-species")):
        with pytest.raises(UserError, match=f"--name '{free}'"):
            md.check_owner("iris", sample, source, target)


def test_versions_of_what_is_not_installed_are_none() -> None:
    versions = md.installed_versions(["numpy", "no-such-package-here"])
    assert versions["numpy"] and versions["no-such-package-here"] is None
