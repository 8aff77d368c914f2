"""CSV to and from the endpoint: the answers of the same rows as JSON, or what is wrong with it."""

import copy
import csv
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from flask.testing import FlaskClient

from mlmonkey.api import create_app
from mlmonkey.store import LoadedModel
from tests.asking import MAX_BYTES, MAX_ROWS, RELEASE

IRIS = "sepal_length,sepal_width,petal_length,petal_width"
ROW = "5.8,3.0,4.35,1.3"


@pytest.fixture(scope="module")
def clients(models: dict[str, LoadedModel]) -> dict[str, FlaskClient]:
    return {name: create_app(model, RELEASE, MAX_BYTES, MAX_ROWS).test_client()
            for name, model in models.items()}


def post(client: FlaskClient, body: str | bytes, query: str = "", kind: str = "text/csv",
         **headers: str) -> Any:
    data = body.encode() if isinstance(body, str) else body
    return client.post("/predict" + query, data=data, content_type=kind, headers=headers)


def as_csv(rows: list[dict[str, Any]], mark: str = ",", end: str = "\r\n") -> str:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=mark, lineterminator=end)
    writer.writerow(rows[0])
    writer.writerows([["" if value is None else value for value in row.values()] for row in rows])
    return file.getvalue()


@pytest.mark.parametrize("name", ["iris", "penguins", "cars"])
def test_the_answer_is_that_of_the_same_rows_as_json(models: dict[str, LoadedModel],
                                                     clients: dict[str, FlaskClient],
                                                     name: str) -> None:
    client, rows = clients[name], models[name].metadata["golden"]["rows"]
    rows = [dict(reversed({**row, "note": 'a "b",\nc'}.items())) for row in rows]
    ask: dict[str, Any] = {"interval": 0.9, "unusual": True}
    if models[name].classes:
        ask["probabilities"] = True
    query = "?" + "&".join(f"{key}={json.dumps(value)}" for key, value in ask.items())
    expected = client.post("/predict", json={"features": rows} | ask).get_json()
    assert expected["ignored_keys"] == len(rows)
    for answer in (post(client, as_csv(rows), query), post(client, as_csv(rows, end="\n"), query),
                   post(client, b"\xef\xbb\xbf" + as_csv(rows).encode(), query),
                   client.post("/predict" + query, json={"features": rows})):
        assert answer.status_code == 200 and answer.mimetype == "application/json", answer.text
        assert answer.get_json() | {"timing": 0} == expected | {"timing": 0}


def test_a_csv_without_header(clients: dict[str, FlaskClient]) -> None:
    answer = post(clients["iris"], ROW + "\n" + ROW, kind="text/csv; header=absent; charset=UTF-8")
    assert answer.get_json()["result"] == ["versicolor"] * 2
    answer = post(clients["iris"], ROW + ",1", kind="text/csv; header=absent")
    assert answer.status_code == 422 and answer.get_json()["row"] == 0


def test_it_is_read_as_the_training_s_file_was(models: dict[str, LoadedModel]) -> None:
    metadata = copy.deepcopy(models["iris"].metadata)
    metadata["data"]["reading"]["delimiter"] = ";"
    metadata["data"]["reading"]["missing"] = ["", "-999"]
    metadata["data"]["rules"] |= {"petal_length": "number, decimal comma",
                                  "petal_width": "percent, decimal comma"}
    client = create_app(dataclasses.replace(models["iris"], metadata=metadata),
                        RELEASE).test_client()
    row = dict(zip(IRIS.split(","), [5.8, None, 4.35, 1.3], strict=True))
    expected = client.post("/predict?probabilities=true", json={"features": row}).get_json()
    for text in (f'{IRIS.replace(",", ";")}\n 5.8 ;-999;"4,35";130 %\n',
                 f'{IRIS}\n5.8,,"4,35","130,0%"\n\n'):
        answer = post(client, text, "?probabilities=true")
        assert answer.status_code == 200, answer.text
        assert answer.get_json() | {"timing": 0} == expected | {"timing": 0}
    assert post(client, f'{IRIS}\n5.8,NA,"4,35",1').get_json()["value"] == "NA"


BAD: dict[str, tuple[int, str | bytes, str]] = {
    "nothing": (422, "", "no column 'sepal_length'"),
    "blank lines": (422, "\n\r\n\n", "no column 'sepal_length'"),
    "no row": (422, IRIS + "\n", "no row"),
    "no header": (422, ROW, "no column 'sepal_length'"),
    "a column is missing": (422, IRIS.replace(",petal_width", "") + "\n1,2,3", "'petal_width'"),
    "a column twice": (422, IRIS + ",sepal_width\n1,2,3,4,5", "more than one column"),
    "a cell too few": (422, f"{IRIS}\n{ROW}\n1,2,3", "row 1: 3 cells instead of 4"),
    "a cell too many": (422, f"{IRIS}\n{ROW},1", "row 0: 5 cells instead of 4"),
    "no number": (422, f"{IRIS}\n{ROW}\n1,wide,3,4", "'wide' is not a number"),
    "infinite": (422, f"{IRIS}\ninf,2,3,4", "'inf'"),
    "too large": (422, f"{IRIS}\n1e999,2,3,4", "'1e999'"),
    "an open quote": (400, f'{IRIS}\n"1,2,3,4', "not CSV"),
    "text after a quote": (400, f'{IRIS}\n"1"x,2,3,4', "not CSV"),
    "a huge cell": (400, f"{IRIS},note\n{ROW}," + "x" * 140_000, "not CSV"),
    "a million columns": (400, "," * 10**6, "not CSV"),
    "a million lines": (400, "\n" * 10**6, "not CSV"),
    "latin-1": (400, f"{IRIS},größe\n{ROW},1".encode("latin-1"), "not UTF-8"),
    "UTF-16": (400, f"{IRIS}\n{ROW}".encode("utf-16"), "not UTF-8"),
    "too many rows": (413, IRIS + f"\n{ROW}" * (MAX_ROWS + 1), "50 rows"),
    "JSON": (422, '{"features": [1, 2, 3, 4]}', "no column"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_csv_is_refused(models: dict[str, LoadedModel], case: str) -> None:
    client = create_app(models["iris"], RELEASE, max_rows=MAX_ROWS).test_client()
    status, body, part = BAD[case]
    answer = post(client, body, Accept="text/csv")
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert part in answer.get_json()["detail"], answer.text
    assert len(answer.data) < 1000


@pytest.mark.parametrize("kind", ["text/csv; charset=latin-1", "text/csv; header=maybe",
                                  "text/plain", "application/csv"])
def test_other_kinds_of_text_are_refused(clients: dict[str, FlaskClient], kind: str) -> None:
    assert post(clients["iris"], f"{IRIS}\n{ROW}", kind=kind).status_code == 415
    answer = post(clients["iris"], f"{IRIS}\n{ROW}", **{"Content-Encoding": "gzip"})
    assert answer.status_code == 415


@pytest.mark.parametrize(("query", "part"), [
    ("?probabilites=true", "no parameter 'probabilites'"), ("?probabilities=1", "true or false"),
    ("?unusual", "true or false"), ("?interval=90", "interval"), ("?interval=nan", "interval"),
    ("?interval=0.5&interval=0.9", "twice"), ("?interval=.999", "goes up to")])
def test_a_wrong_parameter_is_refused(clients: dict[str, FlaskClient], query: str,
                                      part: str) -> None:
    for answer in (post(clients["iris"], f"{IRIS}\n{ROW}", query),
                   clients["iris"].post("/predict" + query, json={"features": [1, 2, 3, 4]})):
        assert answer.status_code == 422 and part in answer.get_json()["detail"], answer.text


def test_an_option_in_the_body_counts_before_the_address(clients: dict[str, FlaskClient]) -> None:
    body = {"features": [1, 2, 3, 4], "unusual": True, "model": "passed over"}
    answer = clients["iris"].post("/predict?unusual=false&probabilities=true&model=iris", json=body)
    assert {"unusual", "probabilities"} <= answer.get_json().keys()
    assert clients["iris"].post("/predict?unusual=7", json=body).status_code == 422


@pytest.mark.parametrize("name", ["penguins", "cars"])
def test_an_answer_as_csv_is_what_prediction_writes(trained_copy: Path, run_stage: Run, name: str,
                                                    clients: dict[str, FlaskClient]) -> None:
    table = trained_copy / "data" / "raw" / f"{name}.csv"
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    table = table.with_name("first.csv")
    table.write_text("".join(lines[:40]), encoding="utf-8")
    run_stage(trained_copy, "prediction", "--input", table, "--output", "out.csv", "--model-name",
              name, "--interval", "0.9", "--unusual")
    answer = post(clients[name], table.read_bytes(), "?interval=0.9&unusual=true",
                  Accept="text/csv")
    assert answer.status_code == 200 and answer.mimetype == "text/csv"
    written = (trained_copy / "out.csv").read_text(encoding="utf-8").splitlines()
    assert [line.removesuffix(",") for line in written[1:]] == answer.text.splitlines()[1:]
    assert written[0] == answer.text.splitlines()[0] + ",error"


def test_what_a_client_accepts(clients: dict[str, FlaskClient]) -> None:
    for accept, kind in {"": "application/json", "*/*": "application/json",
                         "text/csv": "text/csv", "text/csv, application/json": "application/json",
                         "application/json;q=0.5, text/csv": "text/csv",
                         "text/html": "application/json"}.items():
        answer = clients["iris"].post("/predict", json={"features": [5.8, 3, 4.35, 1.3]},
                                      headers={"Accept": accept})
        assert (answer.status_code, answer.mimetype) == (200, kind), accept
    answer = post(clients["iris"], f"{IRIS}\n{ROW}", "?probabilities=false", Accept="text/csv")
    assert answer.text == "prediction\nversicolor\n"
    answer = post(clients["cars"], b"", "?probabilities=true", Accept="text/csv")
    assert answer.status_code == 422
