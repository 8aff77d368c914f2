"""GET /openapi.json: what the endpoint answers, from the model's own schema; GET /docs: a page.

A file of routes describes them with `endpoint.paths["/its/route"] = {"get": {...}}`, a path item of
OpenAPI 3.1 that may refer to what is in components here. Routes that nobody describes are listed
with the first line of their function's docstring.
"""

import re
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask, Response

from mlmonkey import __version__
from mlmonkey.endpoint import Endpoint, Served
from mlmonkey.openapi_schemas import answers, components, options_as_parameters, problems, ref
from mlmonkey.page import read_page
from mlmonkey.replies import as_json

PAGE = Path(__file__).with_name("docs_page.html")


def add_routes(app: Flask, endpoint: Endpoint) -> None:
    """Add GET /openapi.json and GET /docs."""
    page, policy = read_page(PAGE)
    app.add_url_rule("/openapi.json", "openapi", partial(show_document, app, endpoint))
    app.add_url_rule("/docs", "docs", lambda: Response(page, mimetype="text/html", headers=policy))


def show_document(app: Flask, endpoint: Endpoint) -> Response:
    """Every route, for the model of ?model= or the first one."""
    served = endpoint.require()
    paths: dict[str, dict[str, Any]] = {address(str(rule)): {} for rule in app.url_map.iter_rules()}
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            view = app.view_functions[rule.endpoint]
            paths[address(str(rule))][method.lower()] = bare(view, rule.arguments, method)
    model = [{"$ref": "#/components/parameters/model"}]
    known = own_paths(endpoint, served, model) | endpoint.paths
    return as_json(with_token(endpoint.open, {
        "openapi": "3.1.0",
        "info": {"title": f"{served.info['model_name']} predicts {served.info['target']['name']}",
                 "version": f"{__version__}+v{served.info['model_version']}",
                 "description": about(served.info)},
        "servers": [{"url": "./"}],
        "paths": {path: known.get(path, item) for path, item in paths.items()},
        "components": components(endpoint, served)}))


def with_token(free: Collection[str] | None, document: dict[str, Any]) -> dict[str, Any]:
    """The document with the token that all but these addresses want; None: none of them does.

    Where `default` tells of every error, in a protocol's form, it tells of this one too.
    """
    if free is None:
        return document
    scheme = {"type": "http", "scheme": "bearer", "description": "ENDPOINT_TOKEN of the endpoint"}
    document["components"]["securitySchemes"] = {"token": scheme}
    document["security"] = [{"token": []}]
    refused = problems("401")
    for path, item in document["paths"].items():
        document["paths"][path] = {method: each | (
            {"security": []} if path in free else
            {} if "default" in each["responses"] else
            {"responses": refused | each["responses"]}) for method, each in item.items()}
    return document


def address(rule: str) -> str:
    """A route's address as OpenAPI writes it: /models/{name}."""
    return re.sub(r"<(?:[^<>:]*:)?([^<>:]+)>", r"{\1}", rule)


def bare(view: Any, arguments: Collection[str], method: str) -> dict[str, Any]:
    """A route that nobody describes."""
    lines = (getattr(view, "func", view).__doc__ or "").splitlines()
    found = {"summary": lines[0] if lines else "see its own description",
             "responses": {"default": {"description": "its answer, or a problem"}}}
    if arguments:
        found["parameters"] = [{"name": name, "in": "path", "required": True,
                                "schema": {"type": "string"}} for name in sorted(arguments)]
    if method == "POST":
        found["requestBody"] = {"content": {"application/json": {}}}
    return found


def about(info: Mapping[str, Any]) -> str:
    """What is said of a model above its routes."""
    scores = ", ".join(f"{each['metric']} {each['value']:.4g} ({each['strategy']})"
                       for each in info["scores"][:2])
    return (f"{info['model_name']}-v{info['model_version']}: {info['task']} of "
            f"{info['target']['name']} by {info['model_type']}, trained {info['timestamp']}"
            f"{'; ' + scores if scores else ''}. A row has {len(info['features'])} columns; a "
            "missing value is null, a category that training never saw is answered too.")


def own_paths(endpoint: Endpoint, served: Served,
              model: list[dict[str, str]]) -> dict[str, dict[str, Any]]:
    """The routes of mlmonkey/api.py and of pages."""
    def get(identifier: str, summary: str, name: str, statuses: str = "404 503",
            **more: Any) -> dict[str, Any]:
        return {"get": {"operationId": identifier, "summary": summary, **more,
                        "responses": answers({"application/json": {"schema": ref(name)}},
                                             statuses)}}

    def page(identifier: str, summary: str) -> dict[str, Any]:
        return {"get": {"operationId": identifier, "summary": summary, "responses": answers(
            {"text/html": {"schema": {"type": "string"}}}, "")}}
    example = served.info["example"]
    sent = {"application/json": {"schema": ref("Question"), "examples": {
        "records": {"value": {"features": [example]}},
        "lists": {"value": {"features": [list(example.values())]}}}},
        "text/csv": {"schema": {"type": "string"}, "example": served.info["example_csv"]}}
    return {
        "/": page("try", "A page to try the model"),
        "/docs": page("docs", "This description as a page"),
        "/openapi.json": {"get": {
            "operationId": "openapi", "summary": "This description", "parameters": model,
            "responses": answers({"application/json": {"schema": {"type": "object"}}},
                                 "404 503")}},
        "/predict": {"post": {
            "operationId": "predict", "summary": "Predict rows", "parameters": [
                *options_as_parameters(served.info), *model],
            "description": "Rows as lists in the order of the columns or as records, or a CSV in "
                           "UTF-8 whose first line names the columns in any order (or "
                           "text/csv; header=absent). More columns than the model has are passed "
                           "over and counted. Options stand in the JSON or else in the address.",
            "requestBody": {"required": True, "content": sent},
            "responses": answers({"application/json": {"schema": ref("Answer")},
                                  "text/csv": {"schema": {"type": "string"}}},
                                 "400 404 408 413 415 422 503")}},
        "/health": get("health", "The process is alive", "Health", ""),
        "/ready": get("ready", "The model answers as it did in training", "Ready",
                      parameters=model),
        "/info": get("info", "What a client must know to ask", "Info", parameters=model),
        "/models": get("models", "The models that ?model= takes", "Models")}
