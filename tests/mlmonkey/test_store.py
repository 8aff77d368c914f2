"""The one loader refuses whatever differs from what training recorded, and names it."""

import json
import os
import pickle
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlmonkey.errors import UserError
from mlmonkey.store import ModelId, ModelStore, check_name, parse_identifier
from src.model.trusted import TRUSTED

IRIS = ModelId("iris", 1)


@pytest.fixture(scope="module")
def small(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(trained / "models", tmp_path_factory.mktemp("store") / "models"))


@pytest.fixture
def store(small: Path, tmp_path: Path) -> ModelStore:
    models = Path(shutil.copytree(small, tmp_path / "models"))
    return ModelStore(models, models / "metadata", TRUSTED)


def edit(store: ModelStore, change: Callable[[dict[str, Any]], Any]) -> None:
    path = store.metadata_path(IRIS)
    metadata = json.loads(path.read_text())
    change(metadata)
    path.write_text(json.dumps(metadata))


def refuses(store: ModelStore, *parts: str, identifier: ModelId = IRIS) -> None:
    with pytest.raises(UserError) as raised:
        store.load(identifier)
    for part in parts:
        assert part in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_loaded_model_answers_as_in_training(store: ModelStore) -> None:
    model = store.load(IRIS)
    assert model.classes == ["setosa", "versicolor", "virginica"]
    assert model.metadata["model_name"] == "iris"


def test_flipped_and_cut_files_are_refused_by_name(store: ModelStore) -> None:
    path = store.models / "iris-v1.skops"
    content = path.read_bytes()
    random = np.random.default_rng(0)
    for place in [0, len(content) - 1, *random.integers(0, len(content), 10)]:
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(random.integers(8))
        path.write_bytes(flipped)
        refuses(store, "iris-v1.skops", "sha256")
    path.write_bytes(content[:-1])
    refuses(store, "iris-v1.skops", "bytes instead of")
    path.unlink()
    refuses(store, "iris-v1.skops", "is missing")


def test_a_swapped_model_and_anothers_metadata_are_refused(store: ModelStore) -> None:
    shutil.copy(store.models / "penguins-v1.skops", store.models / "iris-v1.skops")
    refuses(store, "iris-v1.skops")
    shutil.copy(store.metadata_path(ModelId("penguins", 1)), store.metadata_path(IRIS))
    refuses(store, "iris-v1.json", "another model")


def test_numbers_that_moved_are_refused(store: ModelStore) -> None:
    edit(store, lambda m: m["golden"]["probabilities"][0].__setitem__(0, 0.123))
    refuses(store, "iris-v1", "golden rows", "row 0", "make train")
    edit(store, lambda m: m["golden"].update(predictions=["setosa"] * 20))
    edit(store, lambda m: m["environment"]["libraries"].update({"scikit-learn": "0.1"}))
    refuses(store, "golden rows", "scikit-learn 0.1 -> ")


def test_tiny_differences_of_another_processor_pass(store: ModelStore) -> None:
    edit(store, lambda m: m["golden"]["probabilities"][0].__setitem__(
        0, m["golden"]["probabilities"][0][0] * (1 + 1e-12)))
    store.load(IRIS)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"model_name": "iris"}',
                                     b"[" * 100_000])
def test_damaged_metadata_is_refused(store: ModelStore, content: bytes) -> None:
    path = store.metadata_path(IRIS)
    path.write_bytes(content)
    refuses(store, "iris-v1.json is damaged", f"rm {shlex.quote(str(path))} && make train")
    path.unlink()  # as the line says
    assert IRIS not in store.identifiers()


@pytest.mark.parametrize("key", ["stage", "golden", "schema", "artifacts", "data", "target",
                                 "environment", "data.raw", "data.raw.path", "stage.key",
                                 "golden.rows", "artifacts.0.size", "schema.0.name"])
def test_edited_metadata_is_refused(store: ModelStore, key: str) -> None:
    *parents, last = [int(word) if word.isdigit() else word for word in key.split(".")]
    whole = store.metadata_path(IRIS).read_bytes()

    def remove(metadata: Any) -> None:
        for parent in parents:
            metadata = metadata[parent]
        del metadata[last]

    def retype(metadata: Any) -> None:
        for parent in parents:
            metadata = metadata[parent]
        metadata[last] = [1] if isinstance(metadata[last], dict) else {"a": 1}
    for change in (remove, retype):
        store.metadata_path(IRIS).write_bytes(whole)
        edit(store, change)
        refuses(store, "iris-v1.json is damaged", f"{last}", "rm ")


def test_golden_rows_that_were_edited_are_refused(store: ModelStore) -> None:
    whole = store.metadata_path(IRIS).read_bytes()
    for change in ({"rows": []}, {"rows": [{}] * 20}, {"predictions": []},
                   {"predictions": [1.5] * 20}, {"probabilities": None},
                   {"probabilities": ["x"] * 20}):
        store.metadata_path(IRIS).write_bytes(whole)
        edit(store, lambda m: m["golden"].update(change))
        refuses(store, "iris-v1 refuses to answer")


@pytest.mark.parametrize("content", [
    "[]", "{", '{"default": "iris", "models": {"iris": 1}}', '{"default": "iris", "models": []}',
    '{"default": 1, "models": {}}', '{"default": "iris", "models": {"iris": {"version": "1"}}}',
    '{"default": "iris", "models": {"iris": {"version": 1, "promoted": "no"}}}'])
def test_an_edited_choice_is_refused(store: ModelStore, content: str) -> None:
    path = store.models / "current.json"
    path.write_text(content)
    for use in (store.current, store.choose, lambda: store.select(IRIS)):
        with pytest.raises(UserError, match="current.json is damaged .*; restore it, or remove"):
            use()
    path.unlink()
    assert store.choose()


def test_commands_that_look_through_all_models_skip_the_unreadable(
        store: ModelStore, capfd: pytest.CaptureFixture[str]) -> None:
    store.metadata_path(ModelId("cars", 1)).write_text("{")
    edit(store, lambda m: m.pop("stage"))
    assert [identifier.name for identifier, _ in store.readable()] == ["penguins"]
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2 and "cars-v1.json" in lines[0] and "iris-v1.json" in lines[1]
    shutil.copy(store.metadata_path(ModelId("penguins", 1)), store.metadata_path(IRIS))
    edit(store, lambda m: m.update(model_name="iris"))
    assert [identifier.name for identifier, metadata in store.readable(backwards=True)
            if metadata["data"]] == ["penguins", "iris"]


def test_a_pickle_is_never_opened_whatever_it_is_called(store: ModelStore,
                                                        tmp_path: Path) -> None:
    trap = tmp_path / "trap"

    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(trap),)
    content = pickle.dumps(Payload())
    from mlmonkey.files import sha256_of
    for name in ("iris-v1.skops", "iris-v1.pkl", "iris-v1.pt", "iris-v1.features.txt"):
        path = store.models / name
        path.write_bytes(content)
        edit(store, lambda m: m["artifacts"].__setitem__(0, {
            "role": "model", "file": name, "format": "skops", "size": len(content),
            "sha256": sha256_of(path)}))
        refuses(store, "iris-v1")
    assert not trap.exists()


def test_files_outside_the_folder_are_never_opened(store: ModelStore, tmp_path: Path) -> None:
    outside = tmp_path / "iris-v1.skops"
    shutil.move(store.models / "iris-v1.skops", outside)
    (store.models / "iris-v1.skops").symlink_to(outside)
    refuses(store, "is a link")
    for name in ("../iris-v1.skops", str(outside), "penguins-v1.skops", "", "metadata"):
        edit(store, lambda m: m["artifacts"][0].update(file=name))
        refuses(store, "isn't its file")
    (store.models / "iris-v1.skops").unlink()
    (store.models / "iris-v1.skops").mkdir()
    edit(store, lambda m: m["artifacts"][0].update(file="iris-v1.skops"))
    refuses(store, "is missing")


def test_foreign_types_in_a_skops_file_are_refused(store: ModelStore) -> None:
    strict = ModelStore(store.models, store.metadata, trusted=())
    with pytest.raises(UserError, match="does not trust: .*TreePredictor"):
        strict.load(IRIS)


def test_choosing_a_model(store: ModelStore) -> None:
    assert store.choose() == ModelId("cars", 1)  # trained last
    assert store.choose("iris") == store.choose("iris", 1) == IRIS
    assert store.choose(path=Path("models/iris-v1.skops")) == IRIS
    for words in (("nobody",), ("iris", 2)):
        with pytest.raises(UserError, match="known: "):
            store.choose(*words)  # type: ignore[arg-type]
    (store.models / "current.json").unlink()
    assert store.choose("iris") == IRIS and store.choose() == ModelId("penguins", 1)
    (store.models / "current.json").write_text("{")
    with pytest.raises(UserError, match="current.json is damaged"):
        store.choose()


def test_a_promoted_version_keeps_its_place(store: ModelStore) -> None:
    current = json.loads((store.models / "current.json").read_text())
    current["models"]["iris"]["promoted"] = True
    current["default"] = "iris"
    (store.models / "current.json").write_text(json.dumps(current))
    assert not store.select(ModelId("iris", 2))
    assert store.select(ModelId("penguins", 1))
    assert store.current() == current


@pytest.mark.parametrize(("text", "expected"), [
    ("iris-v1", ("iris", 1)), ("sales-2024-v12", ("sales-2024", 12)), ("a-v2-v3", ("a-v2", 3)),
    ("my søns 1.0-v1", ("my søns 1.0", 1)), ("iris", None), ("iris-v0", None), ("iris-v01", None),
    ("../iris-v1", None), ("-v1", None), ("iris-v1\n", None)])
def test_identifiers(text: str, expected: tuple[str, int] | None) -> None:
    assert parse_identifier(text) == expected


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a\\b", "a\nb", "x" * 101, "a.", "a ",
                                  "🐧", "a:b"])
def test_names_that_are_no_file_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="--name NAME"):
        check_name(name)


def test_names_are_kept_as_they_are() -> None:
    for name in ("iris", "sales-2024", "my søns 1.0", "x" * 100, "a+b_c"):
        assert check_name(name) == name
