"""/v2 in this process, asked with what a stock client writes and read as it reads."""

import dataclasses
import gzip
import json
import logging
import zlib
from typing import Any

import numpy as np
import orjson
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tritonclient.http import (InferenceServerClient, InferInput, InferRequestedOutput,
                               InferResult)
from tritonclient.utils import np_to_triton_dtype
from werkzeug.test import TestResponse

from mlmonkey.api import create_app
from mlmonkey.bodies import read_python_json
from mlmonkey.open_inference import HEADER
from mlmonkey.store import LoadedModel
from tests.asking import MAX_BYTES, MAX_ROWS, NAMES

IRIS = {"sepal_length": 5.8, "sepal_width": 3.0, "petal_length": 4.35, "petal_width": 1.3}
pytestmark = pytest.mark.usefixtures("one_thread")
quickly = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck),
                   database=None)


@pytest.fixture(scope="module")
def client(models: dict[str, LoadedModel]) -> FlaskClient:
    app = create_app(None, {}, MAX_BYTES, MAX_ROWS)
    for model in models.values():
        app.extensions["endpoint"].serve(model, {})
    return app.test_client()


def tensor(name: str, values: Any, binary: bool = True) -> InferInput:
    values = np.asarray(values)
    one = InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
    one.set_data_from_numpy(values, binary_data=binary)
    return one


def tensors(model: LoadedModel, rows: list[dict[str, Any]], binary: bool) -> list[InferInput]:
    """Records as a tensor per column; of texts the empty one is missing, of numbers NaN."""
    return [tensor(name, np.array(
        [row[name] or "" for row in rows] if each["dtype"] == "text" else
        [np.nan if row[name] is None else row[name] for row in rows],
        dtype=object if each["dtype"] == "text" else "f8"), binary)
        for each in model.metadata["schema"] for name in (each["name"],)]


def post(client: FlaskClient, name: str, inputs: list[InferInput],
         coding: str | None = None, **more: Any) -> TestResponse:
    body, length = InferenceServerClient.generate_request_body(inputs, **more)
    headers = {} if length is None else {HEADER: str(length)}
    if coding:
        body = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
        headers["Content-Encoding"] = coding
    return client.post(f"/v2/models/{name}/infer", data=body, headers=headers)


def infer(client: FlaskClient, name: str, inputs: list[InferInput], **more: Any) -> InferResult:
    answer = post(client, name, inputs, **more)
    assert answer.status_code == 200, answer.text
    length = answer.headers.get(HEADER)
    return InferenceServerClient.parse_response_body(
        answer.data, header_length=None if length is None else int(length))


def predictions(result: InferResult) -> list[Any]:
    found = result.as_numpy("prediction").tolist()
    return [each.decode() if isinstance(each, bytes) else each for each in found]


def asked(client: FlaskClient, name: str, rows: Any) -> dict[str, Any]:
    body = {"features": rows, "probabilities": name != "cars"}
    found: dict[str, Any] = client.post(f"/predict?model={name}", json=body).get_json()
    return found


def assert_error(answer: TestResponse, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/json"
    content = answer.get_json()
    assert set(content) == {"error"} and 0 < len(content["error"]) < 400, content
    return str(content["error"])


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_the_answers_are_those_of_predict(client: FlaskClient, models: dict[str, LoadedModel],
                                          name: str, binary: bool) -> None:
    rows = models[name].metadata["golden"]["rows"]
    wanted = asked(client, name, rows)
    outputs = None if binary else [InferRequestedOutput(output, binary_data=False) for output in
                                   ("prediction", "probabilities")[:1 + (name != "cars")]]
    for coding in (None, "gzip", "deflate"):
        result = infer(client, name, tensors(models[name], rows, binary), outputs=outputs,
                       coding=coding, request_id="a1")
        assert predictions(result) == wanted["result"]
        if name != "cars":
            assert result.as_numpy("probabilities").tolist() == wanted["probabilities"]
        head = result.get_response()
        assert (head["model_name"], head["model_version"], head["id"]) == (name, "1", "a1")
        assert all(("parameters" in each) == binary for each in head["outputs"])


@pytest.mark.parametrize("kind", ["f8", "f4", "f2", "i8", "i4", "u2"])
@pytest.mark.parametrize("binary", [True, False])
def test_numbers_may_come_as_one_tensor(client: FlaskClient, kind: str, binary: bool) -> None:
    table = np.array([[5.8, 3.0, 4.35, 1.3], [6.7, 3.1, 5.6, 2.4]], dtype=kind)
    wanted = asked(client, "iris", table.astype("f8").tolist())
    result = infer(client, "iris", [tensor("anything", table, binary)])
    assert predictions(result) == wanted["result"]
    assert result.as_numpy("probabilities").tolist() == wanted["probabilities"]


def test_a_column_may_be_wide_and_others_are_counted(client: FlaskClient) -> None:
    inputs = [tensor(name, [[value]] * 2) for name, value in IRIS.items()]
    result = infer(client, "iris", [*inputs, tensor("species", np.array([b"x"] * 3))])
    assert predictions(result) == ["versicolor"] * 2
    assert result.get_response()["parameters"] == {"ignored_inputs": 1}


def test_outputs_are_chosen(client: FlaskClient) -> None:
    body: dict[str, Any] = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64",
                                        "data": list(IRIS.values())}]}
    for more, names in (({}, ["prediction", "probabilities"]),
                        ({"outputs": [{"name": "probabilities"}]}, ["probabilities"]),
                        ({"outputs": None, "parameters": None, "id": None},
                         ["prediction", "probabilities"])):
        answer = client.post("/v2/models/iris/versions/1/infer", json=body | more)
        assert answer.status_code == 200 and HEADER not in answer.headers, answer.text
        content = answer.get_json()
        assert [each["name"] for each in content["outputs"]] == names and "id" not in content
    assert content["outputs"][0] == {"name": "prediction", "datatype": "BYTES", "shape": [1],
                                     "data": ["versicolor"]}
    assert content["outputs"][1]["shape"] == [1, 3]
    body |= {"parameters": {"binary_data_output": True, "priority": 3},
             "outputs": [{"name": "probabilities"},
                         {"name": "prediction", "parameters": {"binary_data": False}}]}
    answer = client.post("/v2/models/iris/infer", json=body)
    head = json.loads(answer.data[:int(answer.headers[HEADER])])
    assert head["outputs"][0]["parameters"] == {"binary_data_size": 24}
    assert head["outputs"][1]["data"] == ["versicolor"]
    assert len(answer.data) == int(answer.headers[HEADER]) + 24


def test_metadata_names_tensors(client: FlaskClient) -> None:
    assert client.get("/v2").get_json()["extensions"] == ["binary_tensor_data"]
    assert client.get("/v2/health/live").get_json() == {"live": True}
    assert client.get("/v2/health/ready").get_json() == {"ready": True}
    assert client.get("/v2/models/cars/ready").get_json() == {"name": "cars", "ready": True}
    about = client.get("/v2/models/penguins/versions/1").get_json()
    assert (about["name"], about["versions"]) == ("penguins", ["1"])
    assert {"name": "sex", "datatype": "BYTES", "shape": [-1]} in about["inputs"]
    assert {"name": "year", "datatype": "FP64", "shape": [-1]} in about["inputs"]
    assert about["outputs"][1] == {
        "name": "probabilities", "datatype": "FP64", "shape": [-1, 3],
        "parameters": {"classes": ["Adelie", "Chinstrap", "Gentoo"]}}
    assert client.get("/v2/models/cars").get_json()["outputs"] == [
        {"name": "prediction", "datatype": "FP64", "shape": [-1]}]


GOOD: dict[str, Any] = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [1, 2, 3, 4]}


def body_of(change: Any = None, **more: Any) -> bytes:
    return json.dumps({"inputs": [GOOD | (change or {})]} | more).encode()


BAD: dict[str, tuple[int, bytes, dict[str, str]]] = {
    "no body": (400, b"", {}),
    "no JSON": (400, body_of()[:-5], {}),
    "a list": (400, b"[]", {}),
    "no inputs": (400, b"{}", {}),
    "inputs of numbers": (400, b'{"inputs": [1]}', {}),
    "no name": (400, b'{"inputs": [{}]}', {}),
    "deep": (400, b"[" * 20_000, {}),
    "infinity": (400, body_of({"data": [float("inf"), 2, 3, 4]}), {}),
    "a name twice": (400, body_of(inputs=[GOOD, GOOD]), {}),
    "another datatype": (400, body_of({"datatype": "BF16"}), {}),
    "another shape": (400, body_of({"shape": [1, 5]}), {}),
    "a negative shape": (400, body_of({"shape": [-1, -4]}), {}),
    "a text among numbers": (400, body_of({"data": [1, 2, 3, "4"]}), {}),
    "rows of other lengths": (400, body_of({"data": [[1, 2, 3], [4]], "shape": [2, 2]}), {}),
    "bytes that are not there": (400, body_of({"parameters": {"binary_data_size": 32}}), {}),
    "shared memory": (400, body_of({"parameters": {"shared_memory_region": "x"}}), {}),
    "an id that is a number": (400, body_of(id=7), {}),
    "parameters of another kind": (400, body_of(parameters=[1]), {}),
    "a switch of another kind": (400, body_of(parameters={"binary_data_output": 1}), {}),
    "a header longer than the body": (400, body_of(), {HEADER: "9999"}),
    "a header that is no number": (400, body_of(), {HEADER: "-1"}),
    "bytes that belong to nobody": (400, body_of() + b"1234", {HEADER: str(len(body_of()))}),
    "no gzip": (400, body_of(), {"Content-Encoding": "gzip"}),
    "half a gzip": (400, gzip.compress(body_of())[:-9], {"Content-Encoding": "gzip"}),
    "two gzips": (400, gzip.compress(body_of()) * 2, {"Content-Encoding": "gzip"}),
    "a bomb": (413, gzip.compress(b" " * (MAX_BYTES + 1)), {"Content-Encoding": "gzip"}),
    "too large": (413, b" " * (MAX_BYTES + 1), {}),
    "too many rows": (413, body_of({"shape": [51, 4], "data": [1] * 204}), {}),
    "another compression": (415, body_of(), {"Content-Encoding": "br"}),
    "another content": (415, body_of(), {"Content-Type": "text/csv"}),
    "no row": (422, body_of({"shape": [0, 4], "data": []}), {}),
    "another output": (422, body_of(outputs=[{"name": "y"}]), {}),
    "classification": (400, body_of(outputs=[{"name": "prediction", "parameters": {
        "classification": 2}}]), {}),
    "too few columns": (422, body_of({"shape": [2, 2]}), {}),
    "a column alone": (422, body_of({"name": "sepal_length", "shape": [4]}), {}),
    "columns of other lengths": (422, body_of(inputs=[
        GOOD | {"name": name, "shape": [1 + place // 3], "data": [1] * (1 + place // 3)}
        for place, name in enumerate(IRIS)]), {}),
    "texts for numbers": (422, body_of({"datatype": "BYTES", "data": ["1"] * 4}), {})}


@pytest.mark.parametrize("case", BAD)
def test_bad_requests_are_refused_in_the_protocol_s_form(client: FlaskClient, case: str) -> None:
    status, body, headers = BAD[case]
    assert_error(client.post("/v2/models/iris/infer", data=body, headers=headers), status)


def test_nan_is_missing_beside_texts_that_only_look_like_it(client: FlaskClient,
                                                            models: dict[str, LoadedModel]) -> None:
    row = models["penguins"].metadata["golden"]["rows"][0] | {"year": None}
    wanted = asked(client, "penguins", row | {"island": 'NaN "\\ NaN', "sex": "NaN"})
    inputs = [{"name": name, "shape": [1], "datatype": "BYTES" if isinstance(value, str) else
               "FP64", "data": [float("nan") if value is None else value]}
              for name, value in (row | {"island": 'NaN "\\ NaN', "sex": "NaN"}).items()]
    answer = client.post("/v2/models/penguins/infer", data=json.dumps({"inputs": inputs}))
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["outputs"][1]["data"] == wanted["probabilities"][0]
    bad = b'{"inputs": [NaN, "' + rb'\"' * 40_000
    assert_error(client.post("/v2/models/iris/infer", data=bad), 400)


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/v2/models/iris/infer", 405), ("GET", "/v2/nothing", 404),
    ("POST", "/v2/models/x/infer", 404), ("GET", "/v2/models/x", 404),
    ("GET", "/v2/models/iris/versions/2", 404), ("GET", "/v2/models/iris/versions/01/ready", 404),
    ("POST", "/v2/models/iris/versions/2/infer", 404), ("GET", "/v2/models/..%2firis", 404)])
def test_what_is_not_there_is_said_in_the_protocol_s_form(client: FlaskClient, method: str,
                                                          path: str, status: int) -> None:
    assert_error(client.open(path, method=method, data=body_of()), status)


def test_other_routes_keep_their_form(client: FlaskClient) -> None:
    for path in ("/v2x", "/nothing"):
        assert client.get(path).mimetype == "application/problem+json"


def test_no_model_yet_and_a_fault_of_our_own(models: dict[str, LoadedModel],
                                             caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(None, {})
    client = app.test_client()
    assert client.get("/v2/health/live").status_code == 200
    assert_error(client.get("/v2/health/ready"), 503)
    assert_error(client.post("/v2/models/iris/infer", data=body_of()), 503)
    broken = dataclasses.replace(models["iris"], form=None, open_estimator=lambda: None)
    app.extensions["endpoint"].serve(broken, {})
    with caplog.at_level(logging.ERROR):
        assert_error(client.post("/v2/models/iris/infer", data=body_of()), 500)


@quickly
@given(value=st.recursive(
    st.text(st.sampled_from('NaN"\\ ,é')) | st.just(float("nan")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('Na"\\'), inner)))
def test_nan_is_read_outside_texts_alone(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert read_python_json(text.encode(), 1) == orjson.loads(orjson.dumps(value))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(
        st.sampled_from(["inputs", "outputs", "parameters", "id", "name", *GOOD]), inner),
    max_leaves=12)


@quickly
@given(body=VALUES)
def test_arbitrary_json_is_never_our_fault(client: FlaskClient, body: Any) -> None:
    assert_error(client.post("/v2/models/iris/infer", data=json.dumps(body)), 400)


@quickly
@given(changes=st.dictionaries(st.sampled_from([*GOOD, "parameters"]), VALUES, min_size=1),
       more=st.dictionaries(st.sampled_from(["id", "outputs", "parameters"]), VALUES),
       length=st.none() | st.integers(-5, 300), tail=st.binary(max_size=20))
def test_changed_requests_are_never_our_fault(client: FlaskClient, changes: Any, more: Any,
                                              length: int | None, tail: bytes) -> None:
    body = body_of(changes, **more)
    headers = {} if length is None else {HEADER: str(len(body) if length > 200 else length)}
    answer = client.post("/v2/models/iris/infer", data=body + tail, headers=headers)
    if answer.status_code != 200:
        assert answer.status_code in (400, 413, 422), answer.text
        assert_error(answer, answer.status_code)
