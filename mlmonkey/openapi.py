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
from mlmonkey.page import read_page
from mlmonkey.replies import as_json

PAGE = Path(__file__).with_name("docs_page.html")
MOST_EXAMPLES = 20  # categories of a column
STATUSES = {"400": "not JSON, or not CSV", "401": "no token, or another one",
            "404": "no such model", "408": "not sent in time", "413": "too large, or too many rows",
            "415": "other content", "422": "does not fit the model", "503": "no model yet"}
# a day, or a moment without a zone, that the calendar has; the years 0001 to 9999
YEAR = "(?!0000)[0-9]{4}"
LEAP = "(?:(?!0000)(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00))"
DAY = (f"(?:{YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|"
       f"[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|{LEAP}-02-29)")
DATE = (f"^{DAY}(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{{1,9}})?)?)?$")


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


def ref(name: str) -> dict[str, str]:
    """A schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def answers(content: Mapping[str, Any], statuses: str) -> dict[str, Any]:
    """Responses: the good one, and problems by status."""
    return {"200": {"description": "the answer", "content": dict(content)}} | problems(statuses)


def problems(statuses: str) -> dict[str, Any]:
    """Responses by status."""
    return {status: {"description": STATUSES[status], "content": {
        "application/problem+json": {"schema": ref("Problem")}}} for status in statuses.split()}


def components(endpoint: Endpoint, served: Served) -> dict[str, Any]:
    """Schemas and parameters, made from the model's own columns."""
    info, text = served.info, {"type": "string"}
    columns = {each["name"]: column(each) for each in info["features"]}
    label = {"integer": {"type": "integer"}, "boolean": {"type": "boolean"},
             "number": {"type": "number"}}.get(info["target"]["dtype"], text)
    if "classes" not in info["target"]:
        label = {"type": "number"}
    row = {"type": "array", "description": "the columns' values in their order",
           "prefixItems": list(columns.values()),
           "minItems": len(columns), "maxItems": len(columns),
           "examples": [list(info["example"].values())]}
    record = {"type": "object", "description": "a row by the names of its columns",
              "required": list(columns), "properties": columns, "examples": [info["example"]]}
    first = endpoint.names()[0] == served.model.identifier.name
    named = {"type": "string", "enum": [served.model.identifier.name]}
    schemas = {
        "Record": record, "Row": row,
        "Question": {
            "type": "object", "description": "what /predict is asked", "required": ["features"],
            "properties": {"features": {"anyOf": [
                {"type": "array", "minItems": 1, "maxItems": endpoint.limits["max_rows"],
                 "items": {"anyOf": [ref("Record"), ref("Row")]}}, ref("Record"), ref("Row")]},
                **options(info, interval=["number", "null"])}},
        "Answer": answer(info, label),
        "Release": {"type": "object", "properties": {
            "model_name": text, "model_version": {"type": "integer"}, "model_location": text,
            "model_metadata_location": text}, "required": ["model_name", "model_version"]},
        "Problem": {"type": "object", "description": "what is wrong (RFC 9457)", "properties": {
            "type": text, "title": text, "status": {"type": "integer"}, "detail": text,
            "row": {"type": "integer", "description": "counted from 0"},
            "column": {"type": ["string", "null"]}, "value": {}, "expected": text},
            "required": ["type", "title", "status", "detail"]},
        "Health": {"type": "object", "properties": {"status": {"const": "alive"}},
                   "required": ["status"]},
        "Ready": {"type": "object", "properties": {"status": {"const": "ready"}, "model": text},
                  "required": ["status", "model"]},
        "Info": {"type": "object", "properties": {
            "model_name": text, "model_version": {"type": "integer"}, "model_type": text,
            "task": text, "target": {"type": "object"}, "timestamp": text,
            "features": {"type": "array", "items": {"type": "object"}}, "example": ref("Record"),
            "example_csv": text, "scores": {"type": "array", "items": {"type": "object"}},
            "largest_interval": {"type": ["number", "null"]}, "limits": {"type": "object"}},
            "required": ["model_name", "model_version", "task", "target", "features", "example"]},
        "Models": {"type": "object", "properties": {
            "default": text, "models": {"type": "array", "items": {"type": "object"}}},
            "required": ["default", "models"]}}
    return {"schemas": schemas, "parameters": {"model": {
        "name": "model", "in": "query", "required": not first, "schema": named,
        "description": f"one of {', '.join(endpoint.names())}; columns differ: "
                       "/openapi.json?model=NAME describes another one"}}}


def column(feature: Mapping[str, Any]) -> dict[str, Any]:
    """A column's values; null is a missing one.

    Its categories are examples: another one is no error.
    """
    kinds: dict[str, dict[str, Any]] = {
        "integer": {"type": ["number", "null"]}, "date": {"type": ["string", "null"],
                                                          "pattern": DATE},
        "number": {"type": ["number", "null"], "format": "double"},
        "boolean": {"type": ["boolean", "null"]}, "text": {"type": ["string", "null"]}}
    known, words = kinds[feature["dtype"]], [feature["dtype"]]
    if "minimum" in feature:
        words.append(f"{feature['minimum']} to {feature['maximum']} in training")
    if categories := feature.get("categories"):
        words.append(f"{len(categories)} frequent {'value' if len(categories) == 1 else 'values'} "
                     "in training")
    examples = [each for each in dict.fromkeys([feature.get("example"), *(categories or [])])
                if each is not None][:MOST_EXAMPLES]
    return known | {"description": ", ".join(words)} | ({"examples": examples} if examples else {})


def options(info: Mapping[str, Any], interval: Any = "number") -> dict[str, Any]:
    """What can be asked besides: the keys of a question, and parameters of the address."""
    found: dict[str, Any] = {}
    if "classes" in info["target"]:
        found["probabilities"] = {"type": "boolean", "description": "of each class"}
    if info["largest_interval"]:
        gives = ("the set of classes that holds" if "classes" in info["target"] else
                 "lower and upper, which hold")
        found["interval"] = {"type": interval, "exclusiveMinimum": 0,
                             "maximum": info["largest_interval"],
                             "description": f"{gives} this share of truths", "examples": [0.9]}
    found["unusual"] = {"type": "boolean",
                        "description": "which values lie outside what training held"}
    return found


def options_as_parameters(info: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The options in the address."""
    return [{"name": name, "in": "query", "schema": schema, "description": schema["description"]}
            for name, schema in options(info).items()]


def answer(info: Mapping[str, Any], label: Mapping[str, Any]) -> dict[str, Any]:
    """The good answer to a prediction."""
    numbers = {"type": "array", "items": {"type": "number"}}
    properties: dict[str, Any] = {
        "release": ref("Release"), "result": {"type": "array", "items": label},
        "timing": {"type": "number", "description": "seconds"},
        "ignored_keys": {"type": "integer", "description": "keys that the model has no use for"},
        "unusual": {"type": "array", "items": {"type": "array", "items": {
            "type": "object", "properties": {"column": {"type": "string"},
                                             "reason": {"type": "string"}},
            "required": ["column", "reason"]}}}}
    if "classes" in info["target"]:
        properties |= {"probabilities": {"type": "array", "items": numbers,
                                         "description": "per row in the order of classes"},
                       "classes": {"type": "array", "items": label},
                       "set": {"type": "array", "items": {"type": "array", "items": label}}}
    else:
        properties |= {"lower": numbers, "upper": numbers}
    return {"type": "object", "description": "what /predict answers",
            "required": ["release", "result", "timing"], "properties": properties}
