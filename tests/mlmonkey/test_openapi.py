"""/openapi.json describes this model and every route, and leaks nothing; /docs shows it offline."""

import json
import re
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import jsonschema
import pytest
from werkzeug.serving import make_server

from mlmonkey.api import create_app
from mlmonkey.openapi_schemas import DATE
from mlmonkey.operations import Operations
from mlmonkey.schema import is_date
from mlmonkey.store import LoadedModel
from tests.asking import NAMES, RELEASE, with_private

CLIENT = """
import sys
from client import Client
from client.api.default import info, predict
from client.models import Answer, Problem, Question, Record
client = Client(base_url=sys.argv[1])
example = info.sync(client=client).example
for rows in (example, [example, example], [list(example.to_dict().values())]):
    answer = predict.sync(client=client, body=Question(features=rows), probabilities=True)
    assert isinstance(answer, Answer), answer
    assert abs(sum(answer.probabilities[0]) - 1) < 1e-9
wrong = predict.sync(client=client, body=Question(features=[["x"]]))
assert isinstance(wrong, Problem) and wrong.status == 422
print(*answer.result)
"""


@pytest.fixture(scope="module")
def app(models: dict[str, LoadedModel]) -> Any:
    app = create_app(models["iris"], RELEASE)
    for name in NAMES[1:]:
        app.extensions["endpoint"].serve(models[name], RELEASE)
    return app


def whole(schema: Any, document: dict[str, Any]) -> Any:
    """A schema that stands by itself."""
    return {"$ref": schema["$ref"], "components": document["components"]}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_valid_and_true_of_answers(app: Any, name: str) -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    client = app.test_client()
    document = client.get(f"/openapi.json?model={name}").get_json()
    validator.validate(document)
    item = document["paths"]["/predict"]["post"]
    sent = item["requestBody"]["content"]
    answered = item["responses"]["200"]["content"]["application/json"]["schema"]
    query = f"?model={name}&interval=0.9&unusual=true"
    bodies = [each["value"] for each in sent["application/json"]["examples"].values()]
    for body in bodies:
        jsonschema.validate(body, whole(sent["application/json"]["schema"], document))
    answers = [client.post("/predict" + query, json=body) for body in bodies]
    answers.append(client.post("/predict" + query, data=sent["text/csv"]["example"],
                               content_type="text/csv"))
    for answer in answers:
        assert answer.status_code == 200, answer.text
        jsonschema.validate(answer.get_json(), whole(answered, document))
    assert len({json.dumps(answer.get_json()["result"]) for answer in answers}) == 1
    for path in ("/health", "/ready", "/info", "/models"):
        content = document["paths"][path]["get"]["responses"]["200"]["content"]
        answer = client.get(f"{path}?model={name}").get_json()
        jsonschema.validate(answer, whole(content["application/json"]["schema"], document))


def test_it_lists_every_route_and_those_of_other_files(models: dict[str, LoadedModel]) -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    app = create_app(models["iris"], RELEASE)
    app.extensions["endpoint"].paths["/told"] = {"get": {
        "summary": "told", "responses": {"200": {"description": "fine"}}}}

    def untold(name: str) -> str:
        """Nobody has told of this one."""
        return name
    app.add_url_rule("/told", "told", lambda: "")
    app.add_url_rule("/un/<string:name>/told", "untold", untold, methods=["GET", "POST"])
    document = app.test_client().get("/openapi.json").get_json()
    validator.validate(document)
    assert set(document["paths"]) == {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(rule))
                                      for rule in app.url_map.iter_rules()}
    assert document["paths"]["/told"]["get"]["summary"] == "told"
    assert document["paths"]["/un/{name}/told"]["post"]["summary"] == \
        "Nobody has told of this one."


def test_it_tells_of_the_token(models: dict[str, LoadedModel]) -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    app = create_app(models["iris"], RELEASE)
    client = app.test_client()
    assert "security" not in client.get("/openapi.json").get_json()
    app.extensions["endpoint"].open = {"/", "/docs", "/health"}
    document = client.get("/openapi.json").get_json()
    validator.validate(document)
    assert document["security"] == [{"token": []}]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for path, item in document["paths"].items():
        for operation in item.values():
            free = path in ("/", "/docs", "/health")
            assert bool({"401", "default"} & set(operation["responses"])) is not free or (
                free and "default" in operation["responses"]), path
            assert not {"401", "default"} <= set(operation["responses"]), path
            assert operation.get("security") == ([] if free else None), path


def test_it_says_what_operators_get(models: dict[str, LoadedModel], tmp_path: Path) -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    app = create_app(models["penguins"], RELEASE)
    metrics = Operations(app, app.extensions["endpoint"], lambda line: None, tmp_path).metrics
    client = app.test_client()
    document = client.get("/openapi.json").get_json()
    validator.validate(document)
    for path in ("/metrics", "/drift", "/models"):
        answer, item = client.get(path), document["paths"][path]["get"]
        content = item["responses"]["200"]["content"][answer.mimetype]["schema"]
        assert "default" not in item["responses"] and item["operationId"] == path[1:]
        if answer.is_json:
            content["components"] = document["components"]
            jsonschema.validate(answer.get_json(), content)
    for path in ("/drift", "/models"):
        assert client.get(f"{path}?model=zz").status_code == 404
        assert "404" in document["paths"][path]["get"]["responses"]
    metrics.totals.close()
    metrics.histograms.close()


def test_private_columns_leave_no_value(models: dict[str, LoadedModel]) -> None:
    private = with_private(models["penguins"], "island", "body_mass_g")
    client = create_app(private, RELEASE).test_client()
    answer = client.get("/openapi.json")
    for value in ("Biscoe", "Torgersen", "6300", "2700"):
        assert value not in answer.text
    columns = answer.get_json()["components"]["schemas"]["Record"]["properties"]
    assert columns["island"] == {"type": ["string", "null"], "description": "text"}
    for secret in ("sha256", "data/", "models/penguins", "hold_out_rows", "quantiles"):
        assert secret not in answer.text


def test_without_a_model_it_waits() -> None:
    client = create_app(None, {}).test_client()
    assert client.get("/openapi.json").status_code == 503
    assert client.get("/docs").status_code == 200


def test_the_pattern_of_dates_is_what_is_accepted() -> None:
    pattern = re.compile(DATE)
    for text in ("2024-01-31", "2024-02-29", "2000-02-29", "1900-02-28", "0001-01-01",
                 "9999-12-31T23:59", "2024-01-31 00:00:00", "2024-01-31T18:30:15.123456789"):
        assert is_date(text) and pattern.fullmatch(text), text
    for text in ("2023-02-29", "1900-02-29", "0000-01-01", "2024-04-31", "2024-13-01", "24-01-01",
                 "2024-01-31T24:00", "2024-01-31T18:60", "2024-01-31Z", "now", "2024-1-31"):
        assert not is_date(text) and not pattern.fullmatch(text), text


def test_the_page_asks_nobody_else(app: Any) -> None:
    answer = app.test_client().get("/docs")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert not re.search(r"https?://|innerHTML|insertAdjacentHTML|document\.write", answer.text)
    assert not re.search(r"\son\w+=|style=", answer.text)  # the policy would stop both


@pytest.mark.slow
def test_a_client_made_from_it_asks_the_endpoint(app: Any, tmp_path: Path) -> None:
    pytest.importorskip("openapi_python_client")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        text = app.test_client().get("/openapi.json").text
        (tmp_path / "openapi.json").write_text(text, encoding="utf-8")
        (tmp_path / "config.yaml").write_text("post_hooks: []\n")  # unformatted will do
        made = subprocess.run(
            [sys.executable, "-m", "openapi_python_client", "generate", "--path", "openapi.json",
             "--meta", "none", "--output-path", "client", "--config", "config.yaml"],
            cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert made.returncode == 0, made.stdout + made.stderr
        asked = subprocess.run([sys.executable, "-c", CLIENT, f"http://127.0.0.1:{server.port}"],
                               cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert (asked.returncode, asked.stdout) == (0, "versicolor\n"), asked.stderr
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
