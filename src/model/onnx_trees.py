"""Tree ensembles as ONNX (`TreeEnsemble` of ai.onnx.ml 5) in float64, written by hand.

Converters go through float32, which moves rows across thresholds. The format is protobuf; what is
needed of it is at the end of this file.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

LESS_OR_EQUAL, MEMBER = 0, 6  # modes of a node


class Ensemble(NamedTuple):
    """Trees as one table of nodes, leaves among them; `left` is where the condition holds.

    Args:
        left, right: numbers of nodes. roots: of the trees.
        feature: column of the input.
        members: node -> the whole numbers from 1 for which its condition holds.
        weight, target: of a leaf, what it adds to which output.
    """

    features: int
    outputs: int
    roots: np.ndarray
    left: np.ndarray
    right: np.ndarray
    is_leaf: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    weight: np.ndarray
    target: np.ndarray
    members: Mapping[int, Sequence[int]]


def model_bytes(ensembles: Sequence[Ensemble]) -> bytes:
    """An ONNX model with inputs x0, x1, ... (n, features) and outputs y0, y1, ... (n, outputs)."""
    graph = b"".join(
        _message(1, _node(one, number)) for number, one in enumerate(ensembles))
    graph += _text(2, "trees")
    for number, one in enumerate(ensembles):
        graph += _message(11, _value(f"x{number}", one.features))
        graph += _message(12, _value(f"y{number}", one.outputs))
    operators = [_text(1, "ai.onnx.ml") + _number(2, 5), _number(2, 18)]
    return _number(1, 10) + b"".join(_message(8, each) for each in operators) + _message(7, graph)


def _node(one: Ensemble, number: int) -> bytes:
    nodes = _expanded(one)
    inner = ~nodes.is_leaf
    places = np.where(inner, np.cumsum(inner), np.cumsum(nodes.is_leaf)) - 1  # among their like
    left, right = nodes.left[inner], nodes.right[inner]
    member = np.isin(np.flatnonzero(inner), list(one.members))
    sets = [each for node in np.flatnonzero(inner)[member]
            for each in (*one.members[node], np.nan)]
    attributes = {
        "tree_roots": places[nodes.roots],
        "nodes_featureids": nodes.feature[inner],
        "nodes_splits": nodes.threshold[inner],
        "nodes_modes": np.where(member, MEMBER, LESS_OR_EQUAL).astype(np.uint8),
        "nodes_truenodeids": places[left], "nodes_trueleafs": nodes.is_leaf[left],
        "nodes_falsenodeids": places[right], "nodes_falseleafs": nodes.is_leaf[right],
        "nodes_missing_value_tracks_true": nodes.missing_left[inner],
        "leaf_targetids": nodes.target[nodes.is_leaf],
        "leaf_weights": nodes.weight[nodes.is_leaf]}
    if sets:
        attributes["membership_values"] = np.array(sets)
    text = _text(1, f"x{number}") + _text(2, f"y{number}") + _text(4, "TreeEnsemble")
    text += _text(7, "ai.onnx.ml")
    for name, value in (("n_targets", one.outputs), ("aggregate_function", 1),
                        ("post_transform", 0)):
        text += _message(5, _text(1, name) + _number(3, value) + _number(20, 2))
    for name, array in attributes.items():
        if array.dtype.kind == "f" or array.dtype == np.uint8:
            text += _message(5, _text(1, name) + _message(5, _tensor(array)) + _number(20, 4))
        else:
            text += _message(5, _text(1, name) + _message(8, varints(array)) + _number(20, 7))
    return text


def _expanded(one: Ensemble) -> Ensemble:
    """Roots that are leaves get a node above them."""
    alone = np.flatnonzero(one.is_leaf[one.roots])
    roots, count = one.roots.copy(), len(one.left)
    roots[alone] = np.arange(count, count + len(alone))

    def longer(array: np.ndarray, values: Any = 0) -> np.ndarray:
        return np.append(array, np.full(len(alone), values, dtype=array.dtype))
    return one._replace(
        roots=roots, left=longer(one.left, one.roots[alone]),
        right=longer(one.right, one.roots[alone]), feature=longer(one.feature),
        is_leaf=longer(one.is_leaf), threshold=longer(one.threshold),
        missing_left=longer(one.missing_left), weight=longer(one.weight),
        target=longer(one.target))


# ---- protobuf: a field is its number and kind, then a varint, or a length and bytes --------------

def _number(field: int, value: int) -> bytes:
    return varints(np.array([field << 3, value]))


def _message(field: int, content: bytes) -> bytes:
    return varints(np.array([field << 3 | 2, len(content)])) + content


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())


def _tensor(array: np.ndarray) -> bytes:
    kind = 2 if array.dtype == np.uint8 else 11  # float64
    return _number(1, len(array)) + _number(2, kind) + _message(9, array.tobytes())


def _value(name: str, width: int) -> bytes:
    rows, columns = _message(1, _text(2, "n")), _message(1, _number(1, width))
    kind = _message(1, _number(1, 11) + _message(2, rows + columns))
    return _text(1, name) + _message(2, kind)


def varints(numbers: np.ndarray) -> bytes:
    """Numbers below 2**35, seven bits a byte, the lowest first; all but the last have bit 8 set."""
    groups = numbers.astype(np.int64)[:, None] >> np.arange(0, 35, 7)
    length = np.maximum(1, (groups > 0).sum(axis=1))[:, None]
    more = np.arange(1, 6) < length
    return ((groups & 127) | (more << 7)).astype(np.uint8)[np.arange(5) < length].tobytes()
