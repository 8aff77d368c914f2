"""Schemas of what an endpoint takes and answers, from a model's own columns; see openapi.py."""

from collections.abc import Mapping
from typing import Any

from mlmonkey.endpoint import Endpoint, Served

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
