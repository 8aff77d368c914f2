"""The application in this process: right answers, and every shape of bad input refused kindly."""

import base64
import dataclasses
import gc
import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from mlmonkey.api import create_app
from mlmonkey.rows import Reader
from mlmonkey.store import LoadedModel
from tests.asking import MAX_BYTES, MAX_ROWS, RELEASE, with_private

JSON = "application/json"
ROW = [5.8, 3.0, 4.35, 1.3]
RECORD = dict(zip(["sepal_length", "sepal_width", "petal_length", "petal_width"], ROW, strict=True))
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def clients(models: dict[str, LoadedModel]) -> dict[str, FlaskClient]:
    return {name: create_app(model, RELEASE, MAX_BYTES, MAX_ROWS).test_client()
            for name, model in models.items()}


@pytest.fixture(scope="module")
def iris(clients: dict[str, FlaskClient]) -> FlaskClient:
    return clients["iris"]


def ask(client: FlaskClient, body: Any) -> dict[str, Any]:
    answer = client.post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.get_json()
    return content


def assert_problem(answer: TestResponse, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    problem: dict[str, Any] = answer.get_json()
    assert problem["type"] == "about:blank" and problem["status"] == status
    assert problem["title"] and problem["detail"]
    return problem


@pytest.mark.parametrize("name", ["iris", "penguins", "cars"])
def test_answers_are_the_model_s_own(models: dict[str, LoadedModel],
                                     clients: dict[str, FlaskClient], name: str) -> None:
    model, rows = models[name], models[name].metadata["golden"]["rows"]
    read, _ = Reader(model.metadata["schema"]).read(rows)
    labels, probabilities = model.predict(read)
    body: dict[str, Any] = {"features": rows}
    if model.classes:
        body["probabilities"] = True
    answer = ask(clients[name], body)
    assert answer["result"] == labels.tolist()
    assert answer["result"] == model.metadata["golden"]["predictions"]
    if model.classes:
        assert answer["probabilities"] == probabilities.tolist()
        assert answer["classes"] == model.classes
    assert answer["release"] == RELEASE


def test_every_form_of_a_question_has_the_same_answer(iris: FlaskClient) -> None:
    forms: list[Any] = [ROW, [ROW], RECORD, [RECORD], dict(reversed(RECORD.items()))]
    answers = [ask(iris, {"features": form, "probabilities": True}) for form in forms]
    assert [answer["result"] for answer in answers] == [["versicolor"]] * len(forms)
    assert len({str(answer["probabilities"]) for answer in answers}) == 1
    mixed = ask(iris, {"features": [ROW, RECORD]})
    assert mixed["result"] == ["versicolor", "versicolor"]


def test_an_answer_holds_what_was_agreed_and_no_more(iris: FlaskClient) -> None:
    answer = ask(iris, {"features": ROW, "probabilities": False})
    assert set(answer) == {"release", "result", "timing"}
    assert 0 < answer["timing"] < 60


def test_other_keys_are_counted_and_null_is_missing(iris: FlaskClient) -> None:
    extra = ask(iris, {"features": [RECORD | {"id": 7, "colour": "red"}, RECORD], "note": "hello"})
    assert extra["ignored_keys"] == 3
    assert ask(iris, {"features": dict.fromkeys(RECORD)})["result"]
    assert ask(iris, {"features": [None] * 4})["result"]


def test_a_missing_key_is_named(iris: FlaskClient) -> None:
    name = list(RECORD)[2]
    problem = assert_problem(iris.post("/predict", json={"features": [RECORD, {
        key: value for key, value in RECORD.items() if key != name}]}), 422)
    assert problem["detail"] == f"row 1: column {name!r} is missing; send null for no value"
    assert (problem["row"], problem["column"], problem["value"]) == (1, name, None)
    assert problem["expected"] == "a value, or null"


def test_a_category_never_seen_is_no_error(models: dict[str, LoadedModel],
                                           clients: dict[str, FlaskClient]) -> None:
    row = models["penguins"].metadata["golden"]["rows"][0] | {"island": "Mars 🪐"}
    assert ask(clients["penguins"], {"features": row})["result"]


def question(**change: Any) -> bytes:
    return json.dumps({"features": RECORD | change}).encode()


DEEP = b"[" * 10_000
BAD: dict[str, tuple[int, bytes, str | None]] = {
    "no body": (400, b"", JSON),
    "cut short": (400, question()[:-5], JSON),
    "single quotes": (400, b"{'features': [1, 2, 3, 4]}", JSON),
    "two documents": (400, question() * 2, JSON),
    "invalid UTF-8": (400, b'{"features": "\xff\xfe"}', JSON),
    "UTF-16": (400, question().decode().encode("utf-16"), JSON),
    "a byte order mark": (400, b"\xef\xbb\xbf" + question(), JSON),
    "half a surrogate": (400, b'{"features": "\\ud800"}', JSON),
    "deep nesting": (400, DEEP, JSON),
    "deep nesting, closed": (400, DEEP + b"]" * 10_000, JSON),
    "deep nesting in a key": (400, b'{"a":' * 10_000 + b"1" + b"}" * 10_000, JSON),
    "nesting that the parser still takes": (
        422, b'{"features": [[' + b"[" * 900 + b"]" * 900 + b", 1, 1, 1]]}", JSON),
    "no type": (415, question(), None),
    "a form": (415, b"features=1", "application/x-www-form-urlencoded"),
    "a CSV without header": (422, b"1,2,3,4", "text/csv"),
    "another encoding": (415, question(), JSON + "; charset=latin-1"),
    "a strange type": (415, question(), "\"application/json\"; ;;=;"),
    "null": (422, b"null", JSON),
    "a number": (422, b"7", JSON),
    "a list": (422, b"[[5.8, 3.0, 4.35, 1.3]]", JSON),
    "no features": (422, b"{}", JSON),
    "features at the top": (422, json.dumps(RECORD).encode(), JSON),
    "features is null": (422, b'{"features": null}', JSON),
    "features is a text": (422, b'{"features": "5.8"}', JSON),
    "no row": (422, b'{"features": []}', JSON),
    "an empty row": (422, b'{"features": [[]]}', JSON),
    "an empty record": (422, b'{"features": {}}', JSON),
    "too short": (422, b'{"features": [5.8, 3.0]}', JSON),
    "too long": (422, b'{"features": [5.8, 3.0, 4.35, 1.3, 0]}', JSON),
    "rows of two lengths": (422, b'{"features": [[1, 2, 3, 4], [1, 2, 3]]}', JSON),
    "a row and a number": (422, b'{"features": [[1, 2, 3, 4], 5]}', JSON),
    "nested too deep": (422, b'{"features": [[[1, 2, 3, 4]]]}', JSON),
    "probabilities as a text": (422, b'{"features": [1, 2, 3, 4], "probabilities": "yes"}', JSON),
    "unusual as a number": (422, b'{"features": [1, 2, 3, 4], "unusual": 1}', JSON),
    **{f"interval {value}": (422, b'{"features": [1, 2, 3, 4], "interval": %s}' % value.encode(),
                             JSON) for value in ("0", "1", "-0.9", "90", "true", '"0.9"', "[0.9]",
                                                 "0.999", "1e-400")},
    "NaN": (422, b'{"features": [NaN, 3.0, 4.35, 1.3]}', JSON),
    "nan": (422, b'{"features": [nan, 3.0, 4.35, 1.3]}', JSON),
    "Infinity": (422, b'{"features": [Infinity, 3.0, 4.35, 1.3]}', JSON),
    "-Infinity": (422, b'{"features": [-Infinity, 3.0, 4.35, 1.3]}', JSON),
    "beyond a float": (422, b'{"features": [1e999, 3.0, 4.35, 1.3]}', JSON),
    "an integer of 400 digits": (422, b'{"features": [' + b"9" * 400 + b", 1, 1, 1]}", JSON),
    "a number as a text": (422, question(sepal_width="3.0"), JSON),
    "a boolean": (422, question(sepal_width=True), JSON),
    "a list as a value": (422, question(sepal_width=[3.0]), JSON),
    "a record as a value": (422, question(sepal_width={"value": 3.0}), JSON),
    "a misspelt name": (422, b'{"features": {"sepal length": 1}}', JSON),
    "the wrong last of duplicate keys": (422, b'{"features": [1], "features": [2]}', JSON),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused(iris: FlaskClient, case: str) -> None:
    status, body, kind = BAD[case]
    assert_problem(iris.post("/predict", data=body, content_type=kind), status)
    assert ask(iris, {"features": ROW})["result"] == ["versicolor"]


@pytest.mark.parametrize("number", ["123456789012345678901234567890", "-0", "5e-324", "1e308"])
def test_unusual_numbers_are_answered(iris: FlaskClient, number: str) -> None:
    body = f'{{"features": [{number}, 3, 4, 1]}}'
    assert iris.post("/predict", data=body, content_type=JSON).status_code == 200


def test_a_problem_names_row_column_value_and_what_was_expected(iris: FlaskClient) -> None:
    body = {"features": [RECORD.copy(), RECORD | {"petal_width": "wide"}]}
    problem = assert_problem(iris.post("/predict", json=body), 422)
    assert (problem["row"], problem["column"], problem["value"], problem["expected"]) == (
        1, "petal_width", "wide", "a number")
    del body["features"][0]["petal_width"]
    problem = assert_problem(iris.post("/predict", json=body), 422)
    assert (problem["row"], problem["column"]) == (0, "petal_width")


def test_a_problem_does_not_send_a_large_value_back(iris: FlaskClient) -> None:
    for value in ("x" * 50_000, ["x" * 100] * 400):
        answer = iris.post("/predict", data=question(sepal_width=value), content_type=JSON)
        assert_problem(answer, 422)
        assert len(answer.data) < 1000


def test_limits_are_stated(iris: FlaskClient) -> None:
    problem = assert_problem(iris.post("/predict", json={"features": [ROW] * (MAX_ROWS + 1)}), 413)
    assert problem["max_rows"] == MAX_ROWS
    body = b" " * (MAX_BYTES + 1)
    problem = assert_problem(iris.post("/predict", data=body, content_type=JSON), 413)
    assert "100,000" in problem["detail"]
    assert iris.get("/info").json["limits"] == {"max_bytes": MAX_BYTES, "max_rows": MAX_ROWS}
    assert len(ask(iris, {"features": [ROW] * MAX_ROWS})["result"]) == MAX_ROWS


def test_compressed_bodies_are_refused(iris: FlaskClient) -> None:
    answer = iris.post("/predict", data=question(), content_type=JSON,
                       headers={"Content-Encoding": "gzip"})
    assert "gzip" in assert_problem(answer, 415)["detail"]


@pytest.mark.parametrize(("body", "kind"), [
    (question(), JSON), (question(), JSON + "; charset=utf-8"),
    (",".join([*RECORD]).encode() + b"\n5.8,3,4.35,1.3\n5.8,3,4.35,1", "text/csv")])
def test_a_body_that_broke_off_is_refused(iris: FlaskClient, body: bytes, kind: str) -> None:
    """It may read as a whole one: half a CSV is one, too."""
    answer = iris.post("/predict", data=body, content_type=kind,
                       environ_overrides={"CONTENT_LENGTH": "9999"})
    assert f"broke off after {len(body)} of 9,999" in assert_problem(answer, 400)["detail"]


@pytest.mark.parametrize(("length", "status"), [("0" * 5_000 + "{}", 200), ("9" * 5_000, 413)])
def test_a_length_of_many_digits_is_a_number(iris: FlaskClient, length: str, status: int) -> None:
    """int() refuses more than 4,300 digits."""
    answer = iris.post("/predict", data=question(), content_type=JSON, environ_overrides={
        "CONTENT_LENGTH": length.format(len(question()))})
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(("path", "status"), [
    ("/predict", 413), ("/predict?unusual=false", 413), ("/invocations", 413),
    ("/v2/models/iris/infer", 413)])
@pytest.mark.parametrize("nested", ["[]", "{}", "[[]]", '{"a":{}}'])
def test_lists_without_end_are_not_even_read(models: dict[str, LoadedModel], path: str,
                                             status: int, nested: str) -> None:
    client = create_app(models["iris"], RELEASE, max_rows=50).test_client()
    body = ('{"features": [1, 2, 3, 4], "x": [' + ",".join([nested] * 150_000) + "]}").encode()
    answer = client.post(path, data=body, content_type=JSON)
    assert answer.status_code == status and "101,000 opening brackets" in answer.text
    assert gc.isenabled()


def test_a_large_body_is_parsed_once_and_let_go(models: dict[str, LoadedModel],
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    client, parsed = create_app(models["iris"], RELEASE).test_client(), []
    monkeypatch.setattr(orjson, "loads", lambda content, loads=orjson.loads: (
        parsed.append(len(content)), loads(content))[1])
    body = json.dumps({"features": [ROW] * 9_999 + [[*ROW[:3], "x"]]}).encode()
    problem = assert_problem(client.post("/predict", data=body, content_type=JSON), 422)
    assert (problem["row"], problem["value"]) == (9_999, "x") and parsed == [len(body)]
    assert gc.isenabled()


def test_a_number_has_no_probabilities(models: dict[str, LoadedModel],
                                       clients: dict[str, FlaskClient]) -> None:
    rows = models["cars"].metadata["golden"]["rows"]
    assert_problem(clients["cars"].post("/predict", json={
        "features": rows, "probabilities": True}), 422)


def test_an_interval_of_a_number_holds_it(models: dict[str, LoadedModel],
                                          clients: dict[str, FlaskClient]) -> None:
    rows = models["cars"].metadata["golden"]["rows"]
    answer = ask(clients["cars"], {"features": rows, "interval": 0.9})
    wider = ask(clients["cars"], {"features": rows, "interval": 0.951})
    for low, number, high, most in zip(answer["lower"], answer["result"], answer["upper"],
                                       wider["upper"], strict=True):
        assert low < number < high < most


def test_a_set_begins_with_the_prediction(models: dict[str, LoadedModel],
                                          clients: dict[str, FlaskClient]) -> None:
    rows = models["penguins"].metadata["golden"]["rows"]
    answer = ask(clients["penguins"], {"features": rows, "interval": 0.99, "probabilities": True})
    assert [labels[0] for labels in answer["set"]] == answer["result"]
    assert max(map(len, answer["set"])) > 1
    for labels, row in zip(answer["set"], answer["probabilities"], strict=True):
        shares = [row[answer["classes"].index(label)] for label in labels]
        assert shares == sorted(row, reverse=True)[:len(labels)]


def test_a_model_without_scores_refuses_an_interval(models: dict[str, LoadedModel]) -> None:
    metadata = {key: value for key, value in models["cars"].metadata.items() if key != "intervals"}
    client = create_app(dataclasses.replace(models["cars"], metadata=metadata),
                        RELEASE).test_client()
    assert client.get("/info").get_json()["largest_interval"] is None
    row = metadata["golden"]["rows"][0]
    problem = assert_problem(client.post("/predict", json={"features": row, "interval": 0.9}), 422)
    assert "cars-v1 has no intervals" in problem["detail"]
    assert ask(client, {"features": row})["result"]


def test_what_is_unusual_is_said_per_row(clients: dict[str, FlaskClient]) -> None:
    usual = clients["penguins"].get("/info").get_json()["example"]
    strange = usual | {"year": 2031, "island": "Atlantis", "bill_length_mm": None, "sex": None}
    answer = ask(clients["penguins"], {"features": [usual, strange], "unusual": True})
    assert answer["unusual"] == [[], [
        {"column": "island", "reason": "never seen"},
        {"column": "bill_length_mm", "reason": "missing"},
        {"column": "year", "reason": "above 2009"}]]


def test_other_addresses_and_methods(iris: FlaskClient) -> None:
    assert_problem(iris.get("/nothing"), 404)
    assert_problem(iris.get("/../models/iris-v1.skops"), 404)
    answer = iris.get("/predict")
    assert_problem(answer, 405)
    assert "POST" in answer.headers["Allow"]
    assert_problem(iris.post("/info"), 405)


def test_no_model_yet(models: dict[str, LoadedModel]) -> None:
    app = create_app(None, {})
    client = app.test_client()
    assert client.get("/health").get_json() == {"status": "alive"}
    for answer in (client.get("/ready"), client.get("/info"),
                   client.post("/predict", json={"features": ROW})):
        assert_problem(answer, 503)
    app.extensions["endpoint"].serve(models["iris"], RELEASE)
    assert client.get("/ready").get_json() == {"status": "ready", "model": "iris-v1"}
    assert ask(client, {"features": ROW})["result"] == ["versicolor"]


def test_several_models_answer_by_name(models: dict[str, LoadedModel],
                                       clients: dict[str, FlaskClient]) -> None:
    app = create_app(models["penguins"], RELEASE)
    for name in ("cars", "iris"):
        app.extensions["endpoint"].serve(models[name], RELEASE | {"model_name": name})
    client = app.test_client()
    listed = client.get("/models").get_json()
    assert listed["default"] == "penguins"
    assert client.get("/models?model=iris").get_json() == listed
    assert [each["model_name"] for each in listed["models"]] == ["penguins", "cars", "iris"]
    assert client.get("/info").get_json()["model_name"] == "penguins"
    assert client.get("/ready?model=cars").get_json()["model"] == "cars-v1"
    for name in models:
        row = {"features": client.get(f"/info?model={name}").get_json()["example"]}
        answer = client.post(f"/predict?model={name}", json=row).get_json()
        assert answer["result"] == ask(clients[name], row)["result"]
        assert name == "penguins" or answer["release"]["model_name"] == name


@pytest.mark.parametrize("name", ["", "Iris", "iris-v1", "../models/iris-v1", "..%2Firis", "%00",
                                  "%F0%9F%AA%90", "x" * 5_000, "cars&model=iris"])
def test_no_other_name_is_served(iris: FlaskClient, name: str) -> None:
    for answer in (iris.get(f"/info?model={name}"),
                   iris.post(f"/predict?model={name}", json={"features": ROW})):
        problem = assert_problem(answer, 404)
        assert problem["models"] == ["iris"] and len(answer.data) < 500


def test_a_fault_of_our_own_is_a_problem_too(models: dict[str, LoadedModel],
                                             caplog: pytest.LogCaptureFixture) -> None:
    broken = dataclasses.replace(models["iris"], form=None, open_estimator=lambda: None)
    client = create_app(broken, RELEASE).test_client()
    answer = client.post("/predict", json={"features": ROW})
    assert_problem(answer, 500)
    assert "NoneType" not in answer.text and "NoneType" in caplog.text


@pytest.mark.parametrize("name", ["iris", "penguins", "cars"])
def test_info_tells_what_clients_need(models: dict[str, LoadedModel],
                                      clients: dict[str, FlaskClient], name: str) -> None:
    answer = clients[name].get("/info")
    info, metadata = answer.get_json(), models[name].metadata
    assert [feature["name"] for feature in info["features"]] == metadata["features"]
    for feature in info["features"]:
        assert feature["example"] == info["example"][feature["name"]]
        if feature["dtype"] in ("integer", "number"):
            assert feature["minimum"] <= feature["example"] <= feature["maximum"]
        else:
            assert feature["example"] in feature["categories"]
    assert info["target"]["name"] == metadata["target"]["name"]
    assert info["target"].get("classes") == metadata["target"].get("classes")
    assert info["scores"] == metadata["scores"] and info["timestamp"] == metadata["timestamp"]
    assert ask(clients[name], {"features": info["example"]})["result"]
    for secret in ("sha256", "data/", "models/", "hold_out_rows", "seed", "quantiles"):
        assert secret not in answer.text


def test_info_keeps_private_columns_to_itself(models: dict[str, LoadedModel]) -> None:
    private = with_private(models["penguins"], "island", "body_mass_g")
    client = create_app(private, RELEASE).test_client()
    answer = client.get("/info")
    features = {feature["name"]: feature for feature in answer.get_json()["features"]}
    assert features["island"] == {"name": "island", "dtype": "text"}
    assert features["body_mass_g"] == {"name": "body_mass_g", "dtype": "integer"}
    assert "Biscoe" not in answer.text and "6300" not in answer.text
    assert ask(client, {"features": answer.get_json()["example"]})["result"]


def test_the_page_runs_its_own_script_and_nothing_else(iris: FlaskClient) -> None:
    answer = iris.get("/")
    assert answer.status_code == 200 and answer.mimetype == "text/html"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    for tag in ("script", "style"):
        inside = re.findall(rf"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL)
        assert len(inside) == 1
        digest = base64.b64encode(hashlib.sha256(inside[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.search(r"https?://|innerHTML|insertAdjacentHTML|document\.write", answer.text)
    assert not re.search(r"\son\w+=|style=", answer.text)  # the policy would stop both


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["2024-01-31", "now", "NaN", "1e999"]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(
        st.text(max_size=8) | st.sampled_from(["features", "probabilities", *RECORD]), inner,
        max_size=6), max_leaves=20)
quickly = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck),
                   database=None)


@pytest.fixture(scope="module")
def fuzzed(clients: dict[str, FlaskClient]) -> Iterator[list[FlaskClient]]:
    yield list(clients.values())
    for name, client in clients.items():
        example = client.get("/info").get_json()["example"]
        assert ask(client, {"features": example})["result"], name


def assert_never_our_fault(clients: list[FlaskClient], body: bytes) -> None:
    for client in clients:
        answer = client.post("/predict", data=body, content_type=JSON)
        assert answer.status_code in (200, 400, 413, 422), answer.text
        if answer.status_code != 200:
            assert_problem(answer, answer.status_code)


@quickly
@given(body=VALUES)
def test_arbitrary_json_is_never_our_fault(fuzzed: list[FlaskClient], body: Any) -> None:
    assert_never_our_fault(fuzzed, json.dumps(body).encode())


@quickly
@given(rows=st.lists(st.lists(VALUES, min_size=4, max_size=8) | st.dictionaries(
    st.sampled_from(list(RECORD)), VALUES), max_size=4), asked=VALUES,
    key=st.sampled_from(["probabilities", "interval", "unusual"]))
def test_arbitrary_rows_are_never_our_fault(fuzzed: list[FlaskClient], rows: Any, asked: Any,
                                            key: str) -> None:
    assert_never_our_fault(fuzzed, json.dumps({"features": rows, key: asked}).encode())


@quickly
@given(body=st.binary(max_size=200))
def test_arbitrary_bytes_are_never_our_fault(fuzzed: list[FlaskClient], body: bytes) -> None:
    assert_never_our_fault(fuzzed, body)


@quickly
@given(values=st.fixed_dictionaries({name: st.none() | st.floats(
    allow_nan=False, allow_infinity=False) | st.integers(-2**70, 2**70) for name in RECORD}))
def test_any_finite_number_is_answered(iris: FlaskClient, values: Any) -> None:
    answer = ask(iris, {"features": values, "probabilities": True, "interval": 0.9,
                        "unusual": True})
    assert sum(answer["probabilities"][0]) == pytest.approx(1)
