"""One flipped bit or lost byte in any file of a model or dataset: refused by name, or made anew."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from conftest import Run, assert_refused, clean_environment

from benchmarks.corruption import campaign, files_of
from mlmonkey.errors import UserError
from mlmonkey.sealed import SEAL, is_intact, read_json, sealed
from mlmonkey.store import ModelId, ModelStore

PENGUINS = ModelId("penguins", 1)


def test_damage_in_200_places_is_refused_by_name(store: ModelStore) -> None:
    files, random = files_of(store), Random(0)
    assert sorted(path.name.removeprefix("penguins-v1") for path in files) == [
        ".features.txt", ".form", ".json", ".patch", ".skops", "current.json"]
    for path, use in files.items():
        found = campaign(path, use, 40, random)
        assert found.keys() <= {"refused", "said the same"}, (path, found)
        assert found["refused"] == 40 or path.suffix == ".json" and found["refused"] > 20
        use()


def test_a_shorter_and_a_longer_file_are_refused(store: ModelStore) -> None:
    path = store.models / "penguins-v1.skops"
    content = path.read_bytes()
    for other in (b"", content[:-1], content + b"\0"):
        path.write_bytes(other)
        with pytest.raises(UserError, match="penguins-v1.skops is damaged: .* bytes instead of"):
            store.load(PENGUINS)
    path.unlink()
    with pytest.raises(UserError, match="penguins-v1.skops is missing"):
        store.load(PENGUINS)


@pytest.mark.parametrize("change", [
    ("golden", "predictions", 0), ("target", "classes", 1), ("scores", 0, "value"),
    ("schema", 0, "quantiles"), ("data", "hold_out_rows", 0), ("timestamp",)])
def test_a_value_that_was_edited_is_refused(store: ModelStore, change: tuple[Any, ...]) -> None:
    path = store.metadata_path(PENGUINS)
    content = json.loads(path.read_text())
    place = content
    for key in change[:-1]:
        place = place[key]
    place[change[-1]] = "2020-01-01" if change == ("timestamp",) else 7
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="penguins-v1.json is damaged .*; restore it, or remove"):
        store.read_metadata(PENGUINS)


def test_a_seal_allows_any_way_of_writing(store: ModelStore) -> None:
    path = store.metadata_path(PENGUINS)
    content = json.loads(path.read_text())
    for text in (json.dumps(content), json.dumps(content, indent=7, sort_keys=True)):
        path.write_text(text)
        assert store.load(PENGUINS).metadata == content
    assert is_intact(sealed({"a": (1, 2.0), "b": {3: None, 10: "ü"}}))
    assert sealed(sealed({"a": 1})) == sealed({"a": 1})
    assert list(sealed({"a": 1})) == ["a", SEAL]


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '{"a": NaN}', '{"a": -Infinity}', "{", "",
                                  '{"a": 1}x', "\ufeff{}", "[" * 10**6, '{"a":' * 10**6])
def test_json_that_is_not_the_same_to_everybody_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError):
        read_json(path)


def test_damage_ends_a_command_in_one_line(trained_copy: Path, run_stage: Run) -> None:
    random, models = Random(1), trained_copy / "models"
    for name in ("penguins-v1.skops", "penguins-v1.features.txt", "metadata/penguins-v1.json",
                 "current.json"):
        content = (models / name).read_bytes()
        place = content.index(b"n") if name.endswith("json") else random.randrange(len(content))
        (models / name).write_bytes(content[:place] + content[place + 1:])
        done = run_stage(trained_copy, "prediction", "--model-name", "penguins", check=False)
        assert_refused(done, name)
        (models / name).write_bytes(content)


def test_a_damaged_dataset_is_made_anew_and_never_learned_from(
        trained_copy: Path, run_stage: Run) -> None:
    folder = trained_copy / "data" / "transformed"
    table, profile = next(folder.glob("iris-*.parquet")), next(folder.glob("iris-*.json"))
    sound = table.read_bytes(), read_json(profile)["columns"]
    flipped = bytearray(sound[0])
    flipped[len(flipped) // 2] ^= 4
    table.write_bytes(flipped)
    by_hand = [sys.executable, "-m", "src.train", "--data", "data/raw/iris.csv", "--target",
               "species"]
    done = subprocess.run(by_hand, cwd=trained_copy, env=clean_environment(), text=True,
                          capture_output=True, check=False)
    assert_refused(done, f"{table.name} is damaged", "make generate-dataset")
    # damage after which the profile still makes sense
    profile.write_text(profile.read_text().replace('"sepal_width"', '"sepal_widt"', 1))
    done = run_stage(trained_copy, "train")
    assert f"note: data/transformed/{profile.name} is damaged" in done.stderr
    assert "records: 150" in done.stdout and "model iris-v1: up to date" in done.stdout
    assert (table.read_bytes(), read_json(profile)["columns"]) == sound
