"""Request ids, token, counts and the log's lines, in this process."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from mlmonkey.api import create_app
from mlmonkey.operations import BEGAN, LATE, OPEN, Operations
from mlmonkey.store import LoadedModel

ROW = {"features": [5.8, 3.0, 4.35, 1.3]}
TOKEN = "a-Token_of.many+signs="
Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def model(models: dict[str, LoadedModel]) -> LoadedModel:
    return models["iris"]


@pytest.fixture
def lines() -> Lines:
    return []


def operated(model: LoadedModel | None, lines: Lines, folder: Path,
             token: str | None = None) -> Iterator[FlaskClient]:
    app = create_app(model, {}, max_rows=3)
    operations = Operations(app, app.extensions["endpoint"], lines.append, folder, token)
    yield app.test_client()
    operations.metrics.totals.close()
    operations.metrics.histograms.close()


@pytest.fixture
def client(model: LoadedModel, lines: Lines, tmp_path: Path) -> Iterator[FlaskClient]:
    yield from operated(model, lines, tmp_path)


@pytest.fixture
def guarded(model: LoadedModel, lines: Lines, tmp_path: Path) -> Iterator[FlaskClient]:
    yield from operated(model, lines, tmp_path, TOKEN)


def counts(client: FlaskClient) -> dict[tuple[str, ...], float]:
    """Samples by name and values of labels, in order of theirs, as Prometheus's parser reads."""
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.mimetype == "text/plain" and answer.status_code == 200
    return {(sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
            for family in text_string_to_metric_families(answer.text) for sample in family.samples}


def test_metrics_count_requests_seconds_rows_errors_and_versions(client: FlaskClient) -> None:
    for _ in range(3):
        assert client.post("/predict", json={"features": [ROW["features"]] * 2, "x": 1}).json
    assert client.post("/predict", json={"features": [ROW["features"]] * 4}).status_code == 413
    assert client.post("/predict", data="?").status_code == 415
    assert client.get("/nothing/of/mine").status_code == 404
    found = counts(client)
    assert found["endpoint_requests_total", "/predict", "200"] == 3
    assert found["endpoint_requests_total", "/predict", "413"] == 1
    assert found["endpoint_requests_total", "/predict", "415"] == 1
    assert found["endpoint_requests_total", "other", "404"] == 1
    assert found["endpoint_request_seconds_count", "/predict"] == 5
    assert found["endpoint_request_seconds_bucket", "+Inf", "/predict"] == 5
    assert 0 < found["endpoint_request_seconds_sum", "/predict"] < 60
    assert found["endpoint_rows_total", "iris"] == 6
    assert found["endpoint_ignored_keys_total", "iris"] == 3
    assert [key for key in found if key[0] == "endpoint_model_info"] == [
        ("endpoint_model_info", "iris", "HistGradientBoostingClassifier", "1")]
    assert counts(client)["endpoint_requests_total", "/metrics", "200"] == 1


def test_buckets_add_up_and_hold_their_limits(client: FlaskClient) -> None:
    metrics = client.application.wsgi_app.metrics  # type: ignore[attr-defined]
    for seconds in (.0005, .00051, 3, 1e9):
        metrics.count_request("/x", 200, seconds)
    found = {key[1]: value for key, value in counts(client).items()
             if key[::2] == ("endpoint_request_seconds_bucket", "/x")}
    assert (found["0.0005"], found["0.001"], found["2.5"], found["10.0"], found["+Inf"]) == (
        1, 2, 2, 3, 4)
    assert list(found.values()) == sorted(found.values())


def test_counts_of_all_processes_add_up_and_outlive_them(client: FlaskClient, lines: Lines,
                                                         tmp_path: Path) -> None:
    """As prometheus_client does it: files of others count, and one's own go on."""
    assert client.post("/predict", json=ROW).status_code == 200
    for file in list(tmp_path.glob("*.db")):
        (tmp_path / file.name.replace(str(os.getpid()), "1")).write_bytes(file.read_bytes())
    found = counts(client)
    assert found["endpoint_requests_total", "/predict", "200"] == 2
    assert found["endpoint_request_seconds_count", "/predict"] == 2
    assert found["endpoint_rows_total", "iris"] == 2
    for again in operated(None, lines, tmp_path):
        assert counts(again)["endpoint_requests_total", "/predict", "200"] == 2
        assert again.post("/predict", json=ROW).status_code == 503
        assert counts(again)["endpoint_requests_total", "/predict", "503"] == 1


@pytest.mark.parametrize(("sent", "kept"), [
    ("b1946ac9-2a0f", True), ("A.b:c/d+e=f@g_h", True), ("x" * 128, True), ("x" * 129, False),
    ("", False), ('a"b', False), ("a\\b", False), ("é", False), ("<b>", False)])
def test_a_sane_request_id_comes_back_and_any_other_is_replaced(
        client: FlaskClient, lines: Lines, sent: str, kept: bool) -> None:
    answer = client.get("/health", headers={"X-Request-ID": sent})
    identifier = answer.headers["X-Request-ID"]
    assert lines[-1]["id"] == identifier and (identifier == sent) is kept
    assert answer.headers.getlist("X-Request-ID") == [identifier]


def test_made_ids_differ_and_errors_have_them_too(client: FlaskClient, lines: Lines) -> None:
    for path in ("/health", "/none", "/predict"):
        assert client.get(path).headers["X-Request-ID"]
    assert len({line["id"] for line in lines}) == 3


def test_a_line_says_who_asked_what_and_never_a_payload(client: FlaskClient, lines: Lines) -> None:
    client.post("/predict?probabilities=true", json=ROW, headers={"X-Secret": "hidden"})
    line = lines.pop()
    assert (line["method"], line["path"], line["status"]) == ("POST", "/predict", 200)
    assert (line["model"], line["rows"], line["client"]) == ("iris-v1", 1, "127.0.0.1")
    assert line["bytes"] > 50 and 0 < line["ms"] < 60_000
    assert not any(word in json.dumps(line) for word in ("5.8", "hidden", "probabilities"))
    client.get("/é")
    assert lines.pop()["path"] == "/é"


def test_a_request_that_is_given_up_is_an_answer_like_others(client: FlaskClient,
                                                             lines: Lines) -> None:
    answer = client.post("/predict", json=ROW, environ_overrides={LATE: 7})
    assert answer.status_code == 408 and "7 seconds" in answer.get_json()["detail"]
    assert answer.headers["X-Request-ID"] == lines[-1]["id"] and lines[-1]["status"] == 408
    assert counts(client)["endpoint_requests_total", "/predict", "408"] == 1


@pytest.mark.parametrize(("path", "key", "route"), [
    ("/predict", "detail", "/predict"), ("/none", "detail", "other"),
    ("/v2/models/iris/infer", "error", "/v2/models/<name>/infer"), ("/v2/none", "error", "other"),
    ("/invocations", "message", "/invocations")])
def test_who_is_refused_is_told_so_in_the_path_s_own_form(
        guarded: FlaskClient, path: str, key: str, route: str) -> None:
    for status, more in ((401, {}), (408, {LATE: 7, BEGAN: time.perf_counter() - 7})):
        answer = guarded.post(path, json=ROW, environ_overrides=more)
        assert answer.status_code == status
        assert ("token" if status == 401 else "7 seconds") in answer.get_json()[key]
        assert ("status" in answer.get_json()) is (key == "detail")
    found = counts(guarded)
    assert found["endpoint_requests_total", route, "401"] == 1
    assert found["endpoint_requests_total", route, "408"] == 1
    assert 7 <= found["endpoint_request_seconds_sum", route] < 60


def test_a_worker_that_has_just_begun_does_not_stop_the_counts(client: FlaskClient,
                                                               tmp_path: Path) -> None:
    (tmp_path / "counter_1.db").touch()  # prometheus_client gives it a size after that
    assert client.get("/health").status_code == 200
    assert counts(client)["endpoint_requests_total", "/health", "200"] == 1


def test_who_has_no_token_is_not_told_what_else_is_served(client: FlaskClient,
                                                          guarded: FlaskClient) -> None:
    assert client.get("/ready?model=zz").get_json()["models"] == ["iris"]
    for path in OPEN:
        assert "iris" not in guarded.get(f"{path}?model=zz").text, path
    answer = guarded.get("/info?model=zz", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.get_json()["models"] == ["iris"]


def test_without_the_token_only_what_is_open_answers(guarded: FlaskClient, lines: Lines) -> None:
    for path in OPEN:
        assert guarded.get(path).status_code == 200, path
    rules = {rule.rule for rule in guarded.application.url_map.iter_rules()}
    for path in (*rules, "/none", "/health/", "//", "//health", "/health/../info", "/v2/health/x"):
        path = path.replace("<", "").replace(">", "")
        answer = guarded.post(path, json=ROW)
        if path in OPEN:
            continue
        assert answer.status_code == 401, path
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.is_json and answer.headers["X-Request-ID"]
    assert not any(TOKEN in json.dumps(line) for line in lines)


@pytest.mark.parametrize(("sent", "right"), [
    (f"Bearer {TOKEN}", True), (f"bearer {TOKEN}", True), (f"Bearer {TOKEN} ", False),
    (f"Bearer  {TOKEN}", False), (f"Basic {TOKEN}", False), (TOKEN, False), ("Bearer", False),
    ("Bearer ", False), (f"Bearer {TOKEN[:-1]}", False), (f"Bearer {TOKEN}x", False),
    ("Bearer \xff", False), (f"Bearer {TOKEN.upper()}", False)])
def test_only_the_token_opens(guarded: FlaskClient, sent: str, right: bool) -> None:
    answer = guarded.post("/predict", json=ROW, headers={"Authorization": sent})
    assert answer.status_code == (200 if right else 401)
