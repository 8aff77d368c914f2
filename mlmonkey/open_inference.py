"""The Open Inference Protocol (version 2 over HTTP) under /v2, with its binary tensors.

    client = tritonclient.http.InferenceServerClient("localhost:5000")
    client.infer("iris", tensors).as_numpy("prediction")

| route                                   | answer                                        |
| GET /v2                                 | this server                                   |
| GET /v2/health/live, /v2/health/ready   | this process is alive; a model answers        |
| GET /v2/models/NAME[/versions/N]        | the tensors that come and go                  |
| GET /v2/models/NAME[/versions/N]/ready  | this model answers                            |
| POST /v2/models/NAME[/versions/N]/infer | prediction, and the probabilities of classes  |

Tensors: see tensors.py. Other parameters than those of binary tensors are ignored. Errors are
{"error": "..."} with the statuses of replies.py: 400 breaks the protocol, 422 keeps it and does not
fit the model.
"""

import re
import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import orjson
from flask import Flask, Response, request

from mlmonkey import __version__
from mlmonkey.bodies import read_bytes, read_python_json
from mlmonkey.endpoint import Endpoint, Served
from mlmonkey.errors import Problem
from mlmonkey.replies import as_json, errors_under, json_of
from mlmonkey.schema import short
from mlmonkey.tensors import datatype_of, make_rows, read_tensors, require, to_bytes

USUAL = {"text": "BYTES", "date": "BYTES", "boolean": "BOOL"}  # of a column's tensor; others: FP64
SERVER = {"name": "mlmonkey", "version": __version__, "extensions": ["binary_tensor_data"]}
HEADER = "Inference-Header-Content-Length"  # bytes of JSON, after which the binary tensors come


def add_routes(app: Flask, endpoint: Endpoint) -> None:
    """Add the routes of the table above, and describe them."""
    def add(path: str, summary: str, view: Any, **more: Any) -> None:
        rule, method = f"/v2{path}", "post" if more else "get"
        app.add_url_rule(rule, rule, view, methods=[method])
        endpoint.paths[re.sub("<(.+?)>", r"{\1}", rule)] = {method: {
            "summary": summary, "responses": {
                "200": {"description": "the answer", **json_of({})},
                "default": {"description": "the error", **json_of({"error": "string"})}},
            "parameters": [{"name": name, "in": "path", "required": True,
                            "schema": {"type": "string"}} for name in re.findall("<(.+?)>", rule)],
            **more}}
    add("", "This server", lambda: as_json(SERVER))
    add("/health/live", "This process is alive", lambda: as_json({"live": True}))
    add("/health/ready", "A model answers", lambda: as_json({"ready": bool(endpoint.require())}))
    for path in ("/models/<name>", "/models/<name>/versions/<version>"):
        add(path, "The tensors of a model", partial(describe, endpoint))
        add(f"{path}/ready", "This model answers", partial(model_ready, endpoint))
        add(f"{path}/infer", "Answer tensors with tensors", partial(infer, endpoint),
            requestBody={"required": True, **json_of({"inputs": "array"})})
    errors_under(app, ("/v2/",), lambda problem: {"error": problem["detail"]})


def find(endpoint: Endpoint, name: str, version: str | None) -> Served:
    """What is served under this name, which must be this version where one is named."""
    served = endpoint.require(name)
    number = served.model.identifier.version
    if version not in (None, str(number)):
        raise Problem(404, f"{name} is served as version {number}, not as {short(version)}")
    return served


def model_ready(endpoint: Endpoint, name: str, version: str | None = None) -> Response:
    """200 when this model answers."""
    find(endpoint, name, version)
    return as_json({"name": name, "ready": True})


def describe(endpoint: Endpoint, name: str, version: str | None = None) -> Response:
    """The tensors of a model; `classes` are in the order of the probabilities' columns."""
    model = find(endpoint, name, version).model
    outputs: list[dict[str, Any]] = [
        {"name": "prediction", "datatype": datatype_of(model.classes), "shape": [-1]}]
    if model.classes is not None:
        outputs.append({"name": "probabilities", "datatype": "FP64",
                        "shape": [-1, len(model.classes)],
                        "parameters": {"classes": model.classes}})
    inputs = [{"name": each["name"], "datatype": USUAL.get(each["dtype"], "FP64"), "shape": [-1]}
              for each in model.metadata["schema"]]
    return as_json({"name": name, "versions": [str(model.identifier.version)],
                    "platform": "mlmonkey", "inputs": inputs, "outputs": outputs})


def infer(endpoint: Endpoint, name: str, version: str | None = None) -> Response:
    """Answer tensors with tensors."""
    served = find(endpoint, name, version)
    model = served.model
    question, binary = read_request(endpoint.limits)
    wanted = read_outputs(question, model.classes)
    rows, ignored = make_rows(read_tensors(question["inputs"], binary), model.metadata["schema"],
                              endpoint.limits["max_rows"])
    found = endpoint.predict(served, rows, ignored)
    outputs, parts = [], []
    for output, as_bytes in wanted.items():
        values, kind = (found.labels, datatype_of(model.classes)) if output == "prediction" \
            else (found.probabilities, "FP64")
        one: dict[str, Any] = {"name": output, "datatype": kind, "shape": list(values.shape)}
        if as_bytes:
            parts.append(to_bytes(values, kind))
            one["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            one["data"] = values.ravel().tolist()
        outputs.append(one)
    answer = {"model_name": name, "model_version": str(model.identifier.version),
              **({"id": question["id"]} if question.get("id") else {}),
              **({"parameters": {"ignored_inputs": ignored}} if ignored else {}),
              "outputs": outputs}
    if not parts:
        return as_json(answer)
    head = orjson.dumps(answer)
    return Response(b"".join([head, *parts]), mimetype="application/octet-stream",
                    headers={HEADER: str(len(head))})


def read_request(limits: Mapping[str, int]) -> tuple[dict[str, Any], memoryview]:
    """The JSON of a request, its outer form checked, and the bytes behind it.

    Raises:
        Problem: 400, 413, 415.
    """
    if request.mimetype not in ("", "application/json", "application/octet-stream"):
        raise Problem(415, f"the content is {short(request.mimetype)}, expected application/json, "
                      "or application/octet-stream with binary tensors")
    content, said = read_content(limits["max_bytes"]), request.headers.get(HEADER)
    require(said is None or re.fullmatch("[0-9]{1,12}", said) and int(said) <= len(content),
            f"{HEADER} is {{}}; the body has {{}} bytes", said, len(content))
    length = len(content) if said is None else int(said)
    question = read_python_json(content[:length], limits["max_rows"])
    require(isinstance(question, dict), "the JSON is no object")
    require(isinstance(question.get("id") or "", str), '"id" is no text')
    for part in (question, *check_named(question, "inputs"), *check_named(question, "outputs")):
        part["parameters"] = part.get("parameters") or {}
        require(isinstance(part["parameters"], dict), '"parameters" is no object')
        require("shared_memory_region" not in part["parameters"], "shared memory is not supported")
    require(question["inputs"], '"inputs" holds no tensor')
    return question, memoryview(content)[length:]


def check_named(question: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The tensors under a key, each with a name of its own."""
    tensors: list[dict[str, Any]] = question.get(key) or []
    require(isinstance(tensors, list) and all(
        isinstance(each, dict) and isinstance(each.get("name"), str) for each in tensors),
        "{} is no list of objects with a name", key)
    require(len({each["name"] for each in tensors}) == len(tensors), "{} repeats a name", key)
    question[key] = tensors
    return tensors


def read_content(limit: int) -> bytes:
    """The body; a compressed one is not unpacked beyond the limit."""
    content = read_bytes(request.environ, limit)
    coding = request.headers.get("Content-Encoding", "identity")
    if coding == "identity":
        return content
    if coding not in ("gzip", "deflate"):
        raise Problem(415, f"the content is compressed as {short(coding)}, not as gzip or deflate")
    unpacker = zlib.decompressobj(47)  # gzip or zlib, as its first bytes say
    try:
        content = unpacker.decompress(content, limit + 1)
    except zlib.error:
        raise Problem(400, f"the body is not {coding}") from None
    if len(content) > limit:
        raise Problem(413, f"the unpacked body is larger than {limit:,} bytes, which is the limit")
    require(unpacker.eof and not unpacker.unused_data, "the body is not one whole {} stream",
            coding)
    return content


def read_outputs(question: Mapping[str, Any], classes: Sequence[Any] | None) -> dict[str, bool]:
    """The outputs that are wanted, all when none is named, and which as bytes."""
    known = ["prediction"] + ["probabilities"] * (classes is not None)
    usual, wanted = question["parameters"].get("binary_data_output", False), {}
    for each in question["outputs"] or [{"name": name, "parameters": {}} for name in known]:
        if each["name"] not in known:
            raise Problem(422, f"there is no output {short(each['name'])}", expected=known)
        require("classification" not in each["parameters"],
                "classification is not supported; ask for the output probabilities")
        wanted[each["name"]] = each["parameters"].get("binary_data", usual)
        require(isinstance(wanted[each["name"]], bool), "binary_data is neither true nor false")
    return wanted
