"""The one loader refuses whatever differs from what training recorded, and names it."""

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import edit_sealed

from mlmonkey.current import read_current, select
from mlmonkey.errors import UserError
from mlmonkey.store import ModelId, ModelStore

IRIS = ModelId("iris", 1)


def edit(store: ModelStore, change: Callable[[dict[str, Any]], Any]) -> None:
    edit_sealed(store.metadata_path(IRIS), change)


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
    for use in (lambda: read_current(store.models), store.choose,
                lambda: select(store.models, IRIS)):
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
    path = store.models / "current.json"
    path.write_text(json.dumps(current))
    with pytest.raises(UserError, match="if you edited it, take out content_sha256 too"):
        read_current(store.models)
    del current["content_sha256"]
    path.write_text(json.dumps(current))
    assert not select(store.models, ModelId("iris", 2))
    assert select(store.models, ModelId("penguins", 1))
    assert read_current(store.models) == current and "content_sha256" in path.read_text()
