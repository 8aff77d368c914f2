"""Tensors of the Open Inference Protocol: from JSON or bytes to a model's rows, and back to bytes.

Numbers may be any FP, INT or UINT, where NaN is missing; booleans are BOOL, or 0, 1 and NaN; texts
and dates are BYTES, where the empty one is missing. In JSON null is missing as well.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from mlmonkey.errors import Problem
from mlmonkey.question import check_count
from mlmonkey.rows import KINDS, Feature, Rows, Schema, rows_from_columns
from mlmonkey.schema import EXPECTED, RowError, is_date, short

DATATYPES = {"BOOL": "?", "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8",
             "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8",
             "FP16": "<f2", "FP32": "<f4", "FP64": "<f8", "BYTES": "O"}
IN_JSON: dict[str, set[type]] = {"b": {bool}, "i": {int}, "u": {int}, "f": {int, float}, "O": {str}}


class Tensor(NamedTuple):
    """A tensor that came, its values flat: float64 (BOOL as 0 and 1), or texts with None."""

    datatype: str
    shape: list[int]
    values: np.ndarray


def require(holds: Any, otherwise: str, *values: Any) -> None:
    """Refuse with 400 what breaks the protocol, in words that name these values."""
    if not holds:
        raise Problem(400, otherwise.format(*map(short, values)))


def read_tensors(inputs: Sequence[dict[str, Any]], binary: memoryview) -> dict[str, Tensor]:
    """The tensors of a request by name.

    Args:
        inputs: objects with a name and an object of parameters, as was checked.
        binary: what follows the JSON, in the order of the inputs that say so.

    Raises:
        Problem: 400 when datatype, shape and data don't belong together.
    """
    tensors, place = {}, 0
    for each in inputs:
        kind: Any = each.get("datatype")
        name, shape = each["name"], each.get("shape", [])
        require(isinstance(kind, str) and kind in DATATYPES,
                "input {} has the datatype {}, expected one of " + ", ".join(DATATYPES), name, kind)
        require(isinstance(shape, list) and len(shape) in (1, 2)
                and all(type(length) is int and length >= 0 for length in shape),
                "input {} has the shape {}, expected [n], [n, 1] or [n, columns]", name, shape)
        size = each["parameters"].get("binary_data_size")
        require((size is None) != (each.get("data") is None),
                "input {} needs data or a binary_data_size", name)
        if size is None:
            values = from_json(name, each["data"], kind, shape)
        else:
            left = len(binary) - place
            require(type(size) is int and 0 <= size <= left,
                    "input {} has the binary_data_size {}; {} bytes are left", name, size, left)
            values = from_bytes(name, binary[place:place + size], kind, shape)
            place += size
        tensors[name] = Tensor(kind, shape, values)
    require(place == len(binary), "{} bytes belong to no input", len(binary) - place)
    return tensors


def from_json(name: str, data: Any, kind: str, shape: Sequence[int]) -> np.ndarray:
    """The values of a list, flat or with a list per row."""
    if isinstance(data, list) and len(shape) == 2 and set(map(type, data)) == {list}:
        require(set(map(len, data)) == {shape[1]},
                "input {} has rows of another length than its shape {}", name, shape)
        data = list(chain.from_iterable(data))
    require(isinstance(data, list) and len(data) == math.prod(shape),
            "input {} has other data than its shape {} needs", name, shape)
    require(set(map(type, data)) - {type(None)} <= IN_JSON[np.dtype(DATATYPES[kind]).kind],
            "input {} holds a value that is no {}", name, kind)
    return np.array([value or None for value in data], dtype=object) if kind == "BYTES" \
        else np.array(data, dtype=np.float64)


def from_bytes(name: str, part: memoryview, kind: str, shape: Sequence[int]) -> np.ndarray:
    """The values of a binary tensor; a text is its length in four bytes, then itself in UTF-8."""
    def check(holds: bool) -> None:
        require(holds, "input {} has {} bytes, which are not the {} of its shape {}", name,
                len(part), kind, shape)
    count = math.prod(shape)
    if kind != "BYTES":
        dtype = np.dtype(DATATYPES[kind])
        check(len(part) == count * dtype.itemsize)
        with np.errstate(invalid="ignore"):  # a NaN that signals is one too
            return np.frombuffer(part, "u1" if kind == "BOOL" else dtype).astype(np.float64)
    check(len(part) >= 4 * count)
    texts, place = np.empty(count, dtype=object), 0
    try:
        for number in range(count):
            begin = place + 4
            place = begin + struct.unpack_from("<I", part, place)[0]
            texts[number] = str(part[begin:place], "utf-8") or None
    except (struct.error, UnicodeDecodeError):
        check(False)
    check(place == len(part))
    return texts


def datatype_of(classes: Sequence[Any] | None) -> str:
    """Of the predictions: that of the classes, or FP64 for numbers."""
    return {"U": "BYTES", "b": "BOOL", "i": "INT64"}.get(np.array(classes).dtype.kind, "FP64")


def to_bytes(values: np.ndarray, kind: str) -> bytes:
    """A binary tensor."""
    if kind != "BYTES":
        return np.asarray(values, dtype=DATATYPES[kind]).tobytes()
    texts = [text.encode() for text in values]
    return b"".join(chain.from_iterable((struct.pack("<I", len(text)), text) for text in texts))


def make_rows(tensors: Mapping[str, Tensor], schema: Schema, most: int) -> tuple[Rows, int]:
    """The rows, and how many tensors were no column and were ignored.

    One tensor [n, columns] of another name stands for all columns, in the schema's order.

    Raises:
        Problem: 413 for more rows than `most`, 422 for missing or different columns.
        RowError: at the first value that does not fit.
    """
    names = [each["name"] for each in schema]
    (first, *others) = tensors.values()
    if not others and tensors.keys().isdisjoint(names) and first.shape[1:] == [len(names)]:
        table = first.values.reshape(first.shape)
        tensors = {name: Tensor(first.datatype, first.shape[:1], table[:, place])
                   for place, name in enumerate(names)}
    missing = [name for name in names if name not in tensors]
    if missing:
        raise Problem(422, f"there is no input {missing[0]!r}; expected a tensor [n] per column, "
                      f"or one [n, {len(names)}] for all", column=missing[0])
    rows = tensors[names[0]].shape[0]
    check_count(rows, most)
    for name in names:
        if tensors[name].shape not in ([rows], [rows, 1]):
            raise Problem(422, f"input {name!r} has the shape {short(tensors[name].shape)}, "
                          f"expected [{rows}] or [{rows}, 1] as the others", column=name)
    columns = {each["name"]: canonical(each, tensors[each["name"]]) for each in schema}
    return rows_from_columns(columns, schema), len(tensors) - len(names)


def canonical(feature: Feature, tensor: Tensor) -> np.ndarray:
    """A column (n,) of the kind that the model learned from."""
    name, dtype, values = feature["name"], feature["dtype"], tensor.values
    given = {"BYTES": "text", "BOOL": "boolean"}.get(tensor.datatype, "number")
    fitting = {"boolean": ("boolean", "number"), "text": ("text",), "date": ("text",)}
    if given not in fitting.get(dtype, ("number",)):
        raise Problem(422, f"input {name!r} is {tensor.datatype}, expected {EXPECTED[dtype]}",
                      column=name)
    if KINDS[dtype] == "number":
        odd = ~np.isin(values, (0, 1)) & ~np.isnan(values) if dtype == "boolean" \
            else np.isinf(values)
    else:
        odd = np.array([dtype == "date" and text is not None and not is_date(text)
                        for text in values])
    if odd.any():
        row = int(odd.argmax())
        raise RowError(row, name, values.tolist()[row], EXPECTED[dtype])
    if dtype == "date":
        return np.array([text or "NaT" for text in values], dtype="M8[us]")
    return values
