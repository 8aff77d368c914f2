"""Tensors become the same rows as JSON does, and what is no tensor is refused, never a fault."""

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmonkey.errors import Problem
from mlmonkey.rows import Reader, Rows, Schema
from mlmonkey.schema import RowError
from mlmonkey.tensors import DATATYPES, datatype_of, make_rows, read_tensors, to_bytes

SCHEMA: Schema = [{"name": "n", "dtype": "number"}, {"name": "i", "dtype": "integer"},
                  {"name": "b", "dtype": "boolean"}, {"name": "d", "dtype": "date"},
                  {"name": "t", "dtype": "text"}]
NUMBER = st.none() | st.floats(allow_nan=False, allow_infinity=False)
ROW = st.tuples(
    NUMBER, st.none() | st.integers(-2**63, 2**63 - 1), st.none() | st.booleans(),
    st.none() | st.dates().map(str) | st.datetimes().map(lambda moment: moment.isoformat(" ")),
    st.none() | st.text(min_size=1)).map(list)
KINDS = ("FP64", "INT64", "BOOL", "BYTES", "BYTES")
quickly = settings(max_examples=100, deadline=None, database=None)


def encode(values: list[Any], kind: str) -> tuple[str, bytes]:
    """A column as a client sends it in bytes; where one is missing, numbers must be FP64."""
    if kind == "BYTES":
        return kind, to_bytes(np.array([value or "" for value in values], dtype=object), kind)
    if None in values:
        return "FP64", np.array(values, dtype="<f8").tobytes()
    return kind, np.array(values, dtype=DATATYPES[kind]).tobytes()


def assert_same(one: Rows, other: Rows) -> None:
    assert np.array_equal(one.numbers, other.numbers, equal_nan=True)
    assert np.array_equal(one.dates, other.dates, equal_nan=True)
    assert list(map(list, one.texts)) == list(map(list, other.texts))


@quickly
@given(rows=st.lists(ROW, min_size=1, max_size=5), wide=st.booleans())
def test_tensors_become_the_rows_that_json_becomes(rows: list[Any], wide: bool) -> None:
    shape = [len(rows), 1] if wide else [len(rows)]
    inputs: list[dict[str, Any]] = []
    written: list[dict[str, Any]] = []
    binary = b""
    for feature, kind, values in zip(SCHEMA, KINDS, zip(*rows, strict=True), strict=True):
        sent, part = encode(list(values), kind)
        binary += part
        one = {"name": feature["name"], "shape": shape}
        inputs.append(one | {"datatype": sent, "data": None,
                             "parameters": {"binary_data_size": len(part)}})
        data = [[value] for value in values] if wide else list(values)
        written.append(one | {"datatype": kind, "parameters": {}, "data": data})
    wanted = Reader(SCHEMA).read(rows)[0]
    for tensors in (read_tensors(inputs, memoryview(binary)),
                    read_tensors(written, memoryview(b""))):
        found, ignored = make_rows(tensors, SCHEMA, 5)
        assert_same(found, wanted)
        assert ignored == 0


@quickly
@given(kind=st.sampled_from([kind for kind in DATATYPES if kind not in ("BOOL", "BYTES")]),
       content=st.binary(max_size=64))
def test_every_datatype_of_numbers_is_read(kind: str, content: bytes) -> None:
    dtype = np.dtype(DATATYPES[kind])
    content = content[:len(content) // dtype.itemsize * dtype.itemsize]
    values = np.frombuffer(content, dtype)
    one = {"name": "x", "datatype": kind, "shape": [len(values)],
           "parameters": {"binary_data_size": len(content)}}
    found = read_tensors([one], memoryview(content))["x"].values
    with np.errstate(invalid="ignore"):
        assert np.array_equal(found, values.astype("f8"), equal_nan=True)


LENGTHS = st.lists(st.integers(-3, 6) | st.integers(-2**63, 2**64 - 1) | st.booleans(), max_size=3)
TENSOR = st.fixed_dictionaries({
    "name": st.sampled_from("nibdtx"), "datatype": st.sampled_from([*DATATYPES, "FP128", None, []]),
    "shape": LENGTHS | st.none(), "parameters": st.fixed_dictionaries(
        {}, optional={"binary_data_size": st.integers(-9, 40) | st.floats() | st.text()})},
    optional={"data": st.recursive(
        st.none() | st.booleans() | st.integers(-2**63, 2**64 - 1) | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4), max_leaves=8)})


@settings(max_examples=150, deadline=None, database=None)
@given(inputs=st.lists(TENSOR, min_size=1, max_size=4, unique_by=lambda each: each["name"]),
       binary=st.binary(max_size=40))
def test_what_is_no_tensor_is_refused(inputs: list[Any], binary: bytes) -> None:
    try:
        make_rows(read_tensors(inputs, memoryview(binary)), SCHEMA[:3], 5)
    except (Problem, RowError) as error:
        assert len(str(error)) < 300


@quickly
@given(texts=st.lists(st.text(min_size=1), min_size=1), place=st.integers(0, 500),
       byte=st.integers(0, 255), cut=st.integers(0, 9))
def test_broken_texts_are_refused(texts: list[str], place: int, byte: int, cut: int) -> None:
    content = bytearray(to_bytes(np.array(texts, dtype=object), "BYTES"))
    content[place % len(content)] = byte
    del content[len(content) - cut:]
    one = {"name": "t", "datatype": "BYTES", "shape": [len(texts)],
           "parameters": {"binary_data_size": len(content)}}
    try:
        found = read_tensors([one], memoryview(content))["t"].values
    except Problem as problem:
        assert problem.status == 400
    else:
        assert len(found) == len(texts)


@pytest.mark.parametrize(("shape", "content"), [
    ([2**62, 4], b""), ([2**64 - 1], b"\0" * 8), ([3], struct.pack("<I", 2**32 - 1) + b"abc"),
    ([1], b"\2\0\0\0\xff\xff"), ([1], b"\1\0\0"), ([1], b"\1\0\0\0ab"), ([0], b"\0")])
def test_lengths_that_lie_are_refused_before_anything_is_made(shape: list[int],
                                                              content: bytes) -> None:
    for kind in ("BYTES", "FP64"):
        one = {"name": "x", "datatype": kind, "shape": shape,
               "parameters": {"binary_data_size": len(content)}}
        if kind == "BYTES" or content:
            with pytest.raises(Problem) as raised:
                read_tensors([one], memoryview(content))
            assert raised.value.status == 400


@pytest.mark.parametrize(("name", "kind", "value", "part"), [
    ("n", "FP64", np.inf, "row 1, column 'n': inf is not a number"),
    ("i", "FP32", -np.inf, "row 1, column 'i': -inf is not a number"),
    ("b", "FP64", 2.0, "row 1, column 'b': 2.0 is not true or false"),
    ("d", "BYTES", "soon", "row 1, column 'd': 'soon' is not a date"),
    ("n", "BYTES", "1", "input 'n' is BYTES, expected a number"),
    ("n", "BOOL", True, "input 'n' is BOOL, expected a number"),
    ("t", "INT8", 1, "input 't' is INT8, expected a text"),
    ("d", "INT64", 1, "input 'd' is INT64, expected a date")])
def test_values_that_do_not_fit_are_named(name: str, kind: str, value: Any, part: str) -> None:
    good: dict[str, Any] = {"n": 1.5, "i": 2.0, "b": 1.0, "d": "2024-02-03", "t": "x"}
    tensors = {}
    for feature in SCHEMA:
        each = str(feature["name"])
        values, sent = [good[each]] * 2, "BYTES" if each in "dt" else "FP64"
        if each == name:
            values, sent = [good[each] if type(good[each]) is type(value) else value, value], kind
        content = to_bytes(np.array(values, dtype=object), sent)
        one = {"name": each, "datatype": sent, "shape": [2],
               "parameters": {"binary_data_size": len(content)}}
        tensors |= read_tensors([one], memoryview(content))
    with pytest.raises((Problem, RowError)) as raised:
        make_rows(tensors, SCHEMA, 5)
    assert part in str(raised.value)


@pytest.mark.parametrize(("classes", "kind"), [
    (None, "FP64"), (["a", "b"], "BYTES"), ([False, True], "BOOL"), ([0, 1, 7], "INT64"),
    ([0.5, 1], "FP64")])
def test_predictions_have_the_datatype_of_the_classes(classes: Any, kind: str) -> None:
    assert datatype_of(classes) == kind
