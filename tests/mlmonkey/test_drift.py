"""Shifted rows are seen, ordinary ones are not; counts add up, whatever the file holds."""

import csv
import dataclasses
import gc
import json
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from scipy.stats import chi2

from mlmonkey import counting, monitoring
from mlmonkey.api import create_app
from mlmonkey.drift import FEWEST_ROWS, by_chance, psi
from mlmonkey.sealed import sealed
from mlmonkey.store import LoadedModel, ModelId
from tests.asking import RELEASE

pytestmark = pytest.mark.usefixtures("one_thread")
UNSEEN = "an island of somebody's own"


@pytest.fixture(scope="module")
def model(models: dict[str, LoadedModel]) -> LoadedModel:
    return models["penguins"]


@pytest.fixture(scope="module")
def rows(trained: Path, model: LoadedModel) -> list[dict[str, Any]]:
    return training_rows(trained, model.metadata)


def training_rows(project: Path, metadata: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of penguins, each once."""
    def value(text: str, dtype: str) -> Any:
        return None if text in ("", "NA") else text if dtype == "text" else float(text)
    with open(project / "data" / "raw" / "penguins.csv", newline="") as file:
        return [{each["name"]: value(row[each["name"]], each["dtype"])
                 for each in metadata["schema"]} for row in csv.DictReader(file)]


def app_of(model: LoadedModel, folder: Path | None = None) -> Flask:
    app = create_app(model, RELEASE)
    app.extensions["drift"].keep(folder)
    return app


def ask(app: Flask, rows: list[Any]) -> None:
    assert app.test_client().post("/predict", json={"features": rows}).status_code == 200


def drift_of(app: Flask) -> dict[str, Any]:
    answer = app.test_client().get("/drift")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def column(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in found["features"] if each["feature"] == name)


def test_rows_like_the_training_show_nothing(model: LoadedModel, rows: list[Any]) -> None:
    random, app = np.random.default_rng(7), app_of(model)
    for place in random.integers(0, len(rows), 300):
        ask(app, rows[place])
    found = drift_of(app)
    assert (found["verdict"], found["rows"], found["training_rows"]) == ("stable", 300, 342)
    assert {each["verdict"] for each in [*found["features"], found["answers"]]} <= {
        "stable", "within chance"}
    assert [each["feature"] for each in found["features"][:3]] == found["worst"]
    assert column(found, "island")["unseen"] == {"now": 0, "training": 0}
    assert column(found, "year")["out_of_range"] == {"now": 0, "training": 0}
    assert column(found, "sex")["missing"]["training"] == pytest.approx(9 / 342, abs=1e-6)


def test_shifted_rows_are_seen(model: LoadedModel, rows: list[Any], tmp_path: Path) -> None:
    app = app_of(model, tmp_path)
    ask(app, [row | {"island": UNSEEN if number % 4 else row["island"], "body_mass_g": 9_999,
                     "flipper_length_mm": (row["flipper_length_mm"] or 200) + 15,
                     "year": None if number % 2 else row["year"]}
              for number, row in enumerate(rows)])
    found = drift_of(app)
    assert found["verdict"] == "significant shift"
    moved = {each["feature"] for each in found["features"] if each["verdict"] != "stable"}
    assert moved == {"island", "body_mass_g", "flipper_length_mm", "year"}
    assert set(found["worst"]) < moved
    assert column(found, "island")["unseen"]["now"] == pytest.approx(.75, abs=.01)
    assert column(found, "body_mass_g")["out_of_range"] == {"now": 1, "training": 0}
    assert column(found, "year")["missing"] == {"now": .5, "training": 0}
    assert found["answers"]["psi"] > .1 and found["answers"]["target"] == "species"
    text = (tmp_path / "penguins-v1.json").read_text()
    for value in (UNSEEN, "9999", "Biscoe", "female", "Gentoo", "2007"):
        assert value not in text


def test_too_few_rows_are_no_alarm(model: LoadedModel, rows: list[Any]) -> None:
    app = app_of(model)
    assert drift_of(app)["rows"] == 0
    ask(app, [rows[0]] * (FEWEST_ROWS - 1))
    found = drift_of(app)
    assert (found["verdict"], found["features"]) == ("too few rows to tell", [])
    ask(app, rows[0])
    assert drift_of(app)["verdict"] == "significant shift"


def test_the_index_is_the_textbook_s() -> None:
    assert psi([5, 5, 0], [5, 5, 0]) == 0
    expected = .3 * np.log(.8 / .5) - .3 * np.log(.2 / .5)
    assert psi([500_000, 500_000], [800_000, 200_000]) == pytest.approx(expected, abs=1e-5)
    assert psi([1, 10**6], [10**6, 0]) > 10


@pytest.mark.parametrize(("bins", "most"), [(2, .005), (13, .05), (102, .05)])
def test_what_chance_alone_gives(bins: int, most: float) -> None:
    for alarms in (.01, .0001):
        expected = chi2.ppf(1 - alarms, bins - 1) * (1 / 150 + 1 / 1000)
        chance = by_chance([150, *[0] * (bins - 1)], [0, 1000, *[1] * (bins - 2)], alarms)
        assert chance == pytest.approx(expected, rel=.15)
    random, shares = np.random.default_rng(3), np.full(bins, 1 / bins)
    pairs = [random.multinomial([400, 700], shares).tolist() for _ in range(2000)]
    assert np.mean([psi(*pair) > by_chance(*pair, .01) for pair in pairs]) <= max(.02, most)


def test_private_columns_are_not_counted(model: LoadedModel, rows: list[Any],
                                         tmp_path: Path) -> None:
    schema = [{key: each[key] for key in ("name", "dtype")} | {"private": True}
              if each["name"] in ("sex", "body_mass_g") else each
              for each in model.metadata["schema"]]
    app = app_of(dataclasses.replace(model, metadata=model.metadata | {
        "schema": schema, "target": model.metadata["target"] | {"private": True}}), tmp_path)
    ask(app, rows)
    shown = json.dumps(drift_of(app)) + (tmp_path / "penguins-v1.json").read_text()
    assert "island" in shown
    for name in ("sex", "body_mass_g", "species"):
        assert name not in shown
    assert drift_of(app)["answers"] is None


def test_the_first_row_of_a_worker_and_refused_ones_do_not_count(
        model: LoadedModel, rows: list[Any], tmp_path: Path) -> None:
    app = create_app(model, RELEASE)
    ask(app, rows[:3])
    app.extensions["drift"].keep(tmp_path)
    ask(app, rows[:2])
    assert app.test_client().post("/predict", json={"features": [{}]}).status_code == 422
    assert drift_of(app)["rows"] == 2


def test_endpoints_and_threads_add_up_and_restarts_keep(model: LoadedModel, rows: list[Any],
                                                        tmp_path: Path) -> None:
    apps = [app_of(model, tmp_path) for _ in range(3)]

    def work(app: Flask) -> None:
        for number in range(20):
            ask(app, rows[number:number + 2])
            if number % 5 == 0:
                drift_of(app)
    threads = [threading.Thread(target=work, args=(app,)) for app in apps * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for app in apps:
        app.extensions["drift"].store()
    found = drift_of(app_of(model, tmp_path))
    assert found["rows"] == 6 * 40 and found["counted"] == "all workers"
    assert found["since"] <= found["until"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".lock-penguins-v1", "penguins-v1.json"]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_does_not_count_its_parent_s_rows(model: LoadedModel, rows: list[Any],
                                                 tmp_path: Path) -> None:
    app = app_of(model, tmp_path)
    ask(app, rows[:5])
    child = os.fork()
    if not child:
        ask(app, rows[:2])
        app.extensions["drift"].store()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert drift_of(app)["rows"] == 7


def test_applications_that_are_gone_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new model makes one, and what is registered for forks stays with the process."""
    create_app(None, {})
    registered, known = [], len(counting.COUNTING)
    monkeypatch.setattr(os, "register_at_fork", lambda **each: registered.append(each))
    for _ in range(3):
        create_app(None, {})
    gc.collect()
    assert not registered and len(counting.COUNTING) <= known


def test_each_version_has_counts_of_its_own(model: LoadedModel, rows: list[Any],
                                            tmp_path: Path) -> None:
    app = app_of(model, tmp_path)
    ask(app, rows[:3])
    metadata = model.metadata | {"model_version": 2, "model_identifier": "f" * 40}
    newer = dataclasses.replace(model, identifier=ModelId("penguins", 2), metadata=metadata)
    app.extensions["endpoint"].serve(newer, RELEASE)
    ask(app, rows[:4])
    assert [drift_of(app)[key] for key in ("model_version", "rows")] == [2, 4]
    app.extensions["drift"].store()
    stored = {path.name: json.loads(path.read_text())["rows"] for path in tmp_path.glob("*.json")}
    assert stored == {"penguins-v1.json": 3, "penguins-v2.json": 4}


def test_a_folder_that_can_t_be_used_is_said_once(model: LoadedModel, rows: list[Any],
                                                  tmp_path: Path,
                                                  caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    app = app_of(model, tmp_path / "file" / "monitoring")
    for number in range(1, 4):
        ask(app, rows[:2])
        found = drift_of(app)
        assert (found["rows"], found["counted"]) == (2 * number, "this worker alone")
    assert len(caplog.messages) == 1 and "in this worker's memory" in caplog.messages[0]
    (tmp_path / "file").unlink()
    found = drift_of(app)
    assert (found["rows"], found["counted"]) == (6, "all workers")


def test_a_lock_that_is_held_too_long_stops_nobody(model: LoadedModel, rows: list[Any],
                                                   tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl
    monkeypatch.setattr(monitoring, "PATIENCE", 0.02)
    app = app_of(model, tmp_path)
    ask(app, rows[:2])
    with open(tmp_path / ".lock-penguins-v1", "a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert drift_of(app)["counted"] == "this worker alone"
    assert [drift_of(app)[key] for key in ("rows", "counted")] == [2, "all workers"]


@pytest.mark.parametrize("kind", ["empty", "cut", "flipped", "other model", "not an object",
                                  "nested", "other counts", "no rows", "binary", "folder", "link"])
def test_a_file_that_is_none_of_ours_is_set_aside(model: LoadedModel, rows: list[Any],
                                                  tmp_path: Path, kind: str,
                                                  caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "penguins-v1.json"
    damage(path, kind, model, rows)
    app = app_of(model, tmp_path)
    found = drift_of(app) if kind == "cut" else {"rows": 0}
    ask(app, rows[:2])
    assert found["rows"] == 0 and drift_of(app)["rows"] == 2
    assert len(caplog.messages) == 1 and "penguins-v1.json.set-aside" in caplog.messages[0]
    assert os.path.lexists(tmp_path / "penguins-v1.json.set-aside")
    assert json.loads(path.read_text())["rows"] == 2


def damage(path: Path, kind: str, model: LoadedModel, rows: list[Any]) -> None:
    """Put something else in the place of a good file."""
    app = app_of(model, path.parent)
    ask(app, rows[:7])
    app.extensions["drift"].store()
    text = path.read_text()
    content = json.loads(text)
    if kind in ("folder", "link"):
        path.unlink()
        path.mkdir() if kind == "folder" else path.symlink_to("/etc/passwd")
        return
    path.write_bytes({
        "empty": b"", "cut": text[:-9].encode(), "binary": b"\x00\xff" * 99,
        "flipped": text.replace('"rows": 7', '"rows": 6').encode(),
        "not an object": b"[]", "nested": b"[" * 100_000,
        "other model": again(content | {"model_identifier": "0" * 40}),
        "other counts": again(content | {"counts": {}}),
        "no rows": again(content | {"rows": "7"})}[kind])


def again(content: dict[str, Any]) -> bytes:
    return json.dumps(sealed(content)).encode()


def test_a_model_of_before_says_so(model: LoadedModel, rows: list[Any]) -> None:
    metadata = {key: value for key, value in model.metadata.items() if key != "drift"}
    app = create_app(dataclasses.replace(model, metadata=metadata), RELEASE)
    ask(app, rows[:2])
    answer = app.test_client().get("/drift")
    assert answer.status_code == 404 and "train it anew" in answer.get_json()["detail"]
    assert create_app(None, RELEASE).test_client().get("/drift").status_code == 503
