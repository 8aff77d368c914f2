"""/ping and /invocations in this process: each form of rows answers as /predict does."""

import json
from typing import Any

import pandas as pd
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from mlmonkey.api import create_app
from mlmonkey.invocations import FORMS
from mlmonkey.store import LoadedModel
from tests.asking import MAX_BYTES, MAX_ROWS

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def client(models: dict[str, LoadedModel]) -> FlaskClient:
    app = create_app(models["penguins"], {}, MAX_BYTES, MAX_ROWS)
    app.extensions["endpoint"].serve(models["cars"], {})
    return app.test_client()


def golden(model: LoadedModel) -> tuple[list[dict[str, Any]], list[Any]]:
    return model.metadata["golden"]["rows"], model.metadata["golden"]["predictions"]


def assert_error(answer: TestResponse, status: int, word: str = "BAD_REQUEST") -> str:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/json"
    content = answer.get_json()
    assert set(content) == {"error_code", "message"} and content["error_code"] == word
    assert 0 < len(content["message"]) < 400
    return str(content["message"])


@pytest.mark.parametrize("name", ["penguins", "cars"])
def test_every_form_is_answered_as_predict_does(client: FlaskClient, models: dict[str, LoadedModel],
                                                name: str) -> None:
    rows, wanted = golden(models[name])
    columns = list(rows[0])
    lists = [list(row.values()) for row in rows]
    backwards = [[*row[::-1], "more"] for row in lists]
    by_column = {key: [row[key] for row in rows] for key in columns}
    frame = pd.DataFrame(rows)
    bodies: list[dict[str, Any]] = [
        {"dataframe_split": {"columns": columns, "data": lists}},
        {"dataframe_split": {"columns": [*columns[::-1], "z"], "data": backwards}},
        {"dataframe_split": {"data": lists}}, {"dataframe_records": rows},
        {"instances": rows}, {"instances": lists}, {"inputs": rows}, {"inputs": lists},
        {"inputs": by_column | {"z": [1] * 20}},
        {"dataframe_split": frame.to_dict(orient="split"), "params": {"x": 1}}]
    for body in bodies:
        text = json.dumps(body)  # as MLflow's client writes a frame: with NaN for missing
        assert ("NaN" in text) == ("index" in body.get("dataframe_split", {}))
        answer = client.post(f"/invocations?model={name}", data=text,
                             content_type="application/json")
        assert answer.status_code == 200, answer.text
        assert answer.get_json() == {"predictions": wanted}
    for header in (True, False):
        kind = "text/csv" if header else "text/csv; header=absent"
        answer = client.post(f"/invocations?model={name}", content_type=kind,
                             data=frame.to_csv(index=False, header=header))
        assert answer.get_json() == {"predictions": wanted}


BAD: dict[str, tuple[int, Any]] = {
    "a list": (422, [1]), "no form": (422, {"features": [[1]]}),
    "two forms": (422, {"instances": [[1]], "inputs": [[1]]}),
    "no row": (422, {"instances": []}), "no list": (422, {"instances": "x"}),
    "a number": (422, {"instances": [1]}), "null": (422, {"inputs": None}),
    "too many rows": (413, {"instances": [[1]] * 51}),
    "a split without data": (422, {"dataframe_split": {"columns": ["a"]}}),
    "a split that is a list": (422, {"dataframe_split": [[1]]}),
    "names that are a text": (422, {"dataframe_split": {"columns": "ab", "data": [[1, 2]]}}),
    "a name twice": (422, {"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}),
    "too short a row": (422, {"dataframe_split": {"columns": ["a", "b"], "data": [[1]]}}),
    "names that are no texts": (422, {"dataframe_split": {"columns": [[], {}], "data": [[1, 2]]}}),
    "columns of other lengths": (422, {"inputs": {"a": [1], "b": [1, 2]}}),
    "a column that is no list": (422, {"inputs": {"a": 1}}),
    "no column": (422, {"inputs": {}}), "empty columns": (422, {"inputs": {"a": []}})}


@pytest.mark.parametrize("case", BAD)
def test_bad_requests_are_refused_in_the_protocol_s_form(client: FlaskClient, case: str) -> None:
    status, body = BAD[case]
    assert_error(client.post("/invocations", json=body), status)


def test_what_is_wrong_is_named(client: FlaskClient, models: dict[str, LoadedModel]) -> None:
    row = golden(models["penguins"])[0][0]
    for records in ({"dataframe_records": [row, row | {"year": "x"}]},
                    {"inputs": {key: [row[key], "x" if key == "year" else row[key]]
                                for key in row}}):
        said = assert_error(client.post("/invocations", json=records), 422)
        assert said == "row 1, column 'year': 'x' is not a number"
    split = {"columns": ["island"], "data": [["Dream"]]}
    said = assert_error(client.post("/invocations", json={"dataframe_split": split}), 422)
    assert "row 0: column 'bill_length_mm' is missing" in said


def test_other_errors_have_the_form_too(client: FlaskClient) -> None:
    kind = "application/json"
    assert_error(client.post("/invocations", data=b"{", content_type=kind), 400)
    assert_error(client.post("/invocations", data=b" " * (MAX_BYTES + 1), content_type=kind), 413)
    assert_error(client.post("/invocations", data=b"x", content_type="application/pdf"), 415)
    assert_error(client.post("/invocations", data=b"\xff", content_type="text/csv"), 400)
    assert_error(client.post("/invocations", data=b"island\nDream", content_type="text/csv"), 422)
    assert_error(client.get("/invocations"), 405)
    assert_error(client.post("/invocations?model=x", json={"instances": [[1]]}), 404,
                 "RESOURCE_DOES_NOT_EXIST")


def test_ping_says_whether_a_model_answers(client: FlaskClient) -> None:
    assert client.get("/ping").status_code == 200
    assert_error(create_app(None, {}).test_client().get("/ping"), 503, "TEMPORARILY_UNAVAILABLE")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(
        st.sampled_from(["columns", "data", "index", "island", "year"]), inner), max_leaves=12)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(body=st.dictionaries(st.sampled_from(FORMS), VALUES, min_size=1, max_size=2))
def test_arbitrary_json_is_never_our_fault(client: FlaskClient, body: Any) -> None:
    answer = client.post("/invocations", json=body)
    assert answer.status_code in (400, 422), answer.text
    assert_error(answer, answer.status_code)
