"""Metadata fits its schema, and names belong to one table."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mlmonkey import metadata as md
from mlmonkey.claims import check_owner
from mlmonkey.errors import UserError
from mlmonkey.metadata_check import SCHEMA_PATH, validate


@pytest.fixture(scope="module")
def sample(trained: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((trained / "models/metadata/iris-v1.json").read_text())
    return content


def test_the_schema_is_a_schema_and_a_model_fits_it(sample: dict[str, Any]) -> None:
    schema = json.loads(SCHEMA_PATH.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validate(sample)


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


def test_a_name_belongs_to_its_first_table(sample: dict[str, Any]) -> None:
    check_owner("iris", None, "data/raw/iris.csv", "species")
    check_owner("iris", sample, "data/raw/iris.csv", "species")
    for source, target, free in (("data/raw/iris.csv", "x", "iris-x"),
                                 ("data/raw/b.csv", "species", "b-species")):
        with pytest.raises(UserError, match=f"--name '{free}'"):
            check_owner("iris", sample, source, target)
        with pytest.raises(UserError, match=f"--name '{free}-3'"):
            check_owner("iris", sample, source, target, [free.upper(), f"{free}-2"])
    with pytest.raises(UserError, match="--name 'a_b-_x'"):  # and one that can be a name
        check_owner("iris", sample, "data/raw/a*b.csv", "$x'")


def test_versions_of_what_is_not_installed_are_none() -> None:
    versions = md.installed_versions(["numpy", "no-such-package-here"])
    assert versions["numpy"] and versions["no-such-package-here"] is None
