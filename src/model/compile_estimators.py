"""The serving form of estimators: trees, linear models, the net."""

from typing import Any, NamedTuple

import numpy as np

from mlmonkey.net import NAMES
from src.model.compile_columns import gather
from src.model.onnx_trees import Ensemble
from src.model.program import NoForm, Part, Program, Source

Steps = list[tuple[str, dict[str, Any]]]  # words of steps and what is given to them


def add_estimator(program: Program, estimator: Any, parts: list[Part],
                  to: str | None = None) -> str:
    """Add an estimator: a block of probabilities (n, classes), or of numbers (n,).

    Raises:
        NoForm: for one that is not known here.
    """
    kind = type(estimator).__name__
    if kind.startswith("HistGradientBoosting"):
        output, last = _add_boosting(program, estimator, parts)
    elif kind in ("RandomForestClassifier", "ExtraTreesClassifier", "RandomForestRegressor",
                  "ExtraTreesRegressor"):
        output, last = _add_forest(program, estimator, parts)
    elif kind in ("LogisticRegression", "Ridge", "RidgeCV", "LinearRegression", "Lasso",
                  "ElasticNet"):
        block, _ = gather(program, parts)
        program.steps = program.late
        weights = estimator.coef_ if estimator.coef_.ndim == 1 else estimator.coef_.T
        last = [("linear", {"weights": weights, "offset": np.asarray(estimator.intercept_)})]
        if kind == "LogisticRegression":
            last.append(("sigmoid" if len(estimator.classes_) == 2 else "softmax", {}))
        output = block
    elif kind in ("NetClassifier", "NetRegressor"):
        output, _ = gather(program, parts)
        weights = [each.astype(np.float64) for each in estimator.weights_]
        last = [("net", {"numbers": estimator.numbers_, **dict(zip(NAMES, weights, strict=True))}),
                ("softmax" if kind == "NetClassifier" else "first_column", {})]
    elif kind == "OfLogs":
        output = add_estimator(program, estimator.estimator, parts)
        last = [("unlog", estimator.scale_)]
    elif kind == "DummyClassifier" and estimator.strategy == "prior":
        output, last = "rows", [("constant", {"values": np.asarray(estimator.class_prior_)})]
    elif kind == "DummyRegressor":
        output, last = "rows", [("constant", {"values": estimator.constant_.ravel()}),
                                ("first_column", {})]
    else:
        raise NoForm(f"{kind} has no serving form")
    program.steps = program.late
    for number, (do, given) in enumerate(last, 1):
        output = program.add(do, output, to=to if number == len(last) else None, **given)
    program.steps = program.early
    return output


def _add_boosting(program: Program, estimator: Any, parts: list[Part]) -> tuple[str, Steps]:
    inverse = {"IdentityLink": [], "LogitLink": ["sigmoid"], "MultinomialLogit": ["softmax"],
               "LogLink": ["exponential"]}.get(type(estimator._loss.link).__name__)
    if inverse is None:
        raise NoForm(f"boosting with loss {estimator.loss!r} has no serving form")
    parts, codes = _split_categories(estimator, parts)
    block, sources = gather(program, parts)
    names = []
    for place, known in enumerate(np.ravel(estimator._baseline_prediction)):
        # an ensemble for each class: a tenth quicker than one for all of them
        predictors = [iteration[place] for iteration in estimator._predictors]
        counts = [len(each.nodes) for each in predictors]
        starts = np.cumsum([1, *counts])[:-1]
        base = np.zeros(1, dtype=predictors[0].nodes.dtype)  # a leaf: what is known before
        base["is_leaf"], base["value"] = 1, known
        nodes = np.concatenate([base, *(each.nodes for each in predictors)])
        offsets = np.concatenate([[0], np.repeat(starts, counts)])
        leaf, numeric = nodes["is_leaf"] == 1, nodes["is_categorical"] == 0
        feature = np.where(leaf, 0, nodes["feature_idx"])
        members = {}
        for start, predictor in zip(starts, predictors, strict=True):
            for number in np.flatnonzero(predictor.nodes["is_categorical"]):
                node = predictor.nodes[number]
                left = codes[node["feature_idx"]].left(predictor.raw_left_cat_bitsets[
                    node["bitset_idx"]], bool(node["missing_go_to_left"]))
                members[int(start + number)] = left
        _note_trees(program, sources, feature, nodes["num_threshold"], ~leaf & numeric)
        names.append(program.add_trees(block, Ensemble(
            len(sources), 1, np.concatenate([[0], starts]), nodes["left"] + offsets,
            nodes["right"] + offsets, leaf, feature, nodes["num_threshold"],
            nodes["missing_go_to_left"] == 1, nodes["value"], np.zeros(len(nodes), dtype=int),
            members)))
    made: Steps = [(do, {}) for do in inverse]
    if not hasattr(estimator, "classes_"):
        made.append(("first_column", {}))
    program.steps = program.late
    output = names[0] if len(names) == 1 else program.add("beside", *names)
    return output, made


class Codes(NamedTuple):
    """Codes of one categorical column: how many, and which of them boosting knows (codes,)."""

    known: np.ndarray

    def left(self, bits: np.ndarray, missing: bool) -> list[int]:
        """The codes that go left, from 1, the last for missing."""
        goes = np.append(_bits(bits)[:len(self.known)] | (~self.known & missing), missing)
        return (np.flatnonzero(goes) + 1).tolist() or [0]  # no row's code: a set can't be empty


def _bits(words: np.ndarray) -> np.ndarray:
    """The bits of uint32 words, the lowest first."""
    return np.unpackbits(np.asarray(words, dtype="<u4").view(np.uint8),
                         bitorder="little").astype(bool)


def _split_categories(estimator: Any, parts: list[Part]) -> tuple[list[Part], dict[int, Codes]]:
    """The parts as the trees see them, and the codes of each feature that is a category.

    Categories come first, as whole numbers from 1, of which the last is missing or never seen.
    """
    if estimator.is_categorical_ is None:
        return parts, {}
    ends = np.cumsum([len(part.sources) for part in parts])[:-1]
    asked = [bool(its.any()) for its in np.split(estimator.is_categorical_, ends)]
    first = [part for part, its in zip(parts, asked, strict=True) if its]
    looked = [each for part in first for each in part.looked]
    if len(looked) != estimator.is_categorical_.sum():
        raise NoForm("boosting with categories that are numbers has no serving form")
    count = max(len(values) for _, values in looked)
    matrix = np.stack([np.append(values, np.full(count - len(values), np.nan))
                       for _, values in looked], axis=1)
    coded = estimator._preprocessor.named_transformers_["encoder"].transform(matrix)
    bitsets, rows = estimator._bin_mapper.make_known_categories_bitsets()
    split, codes = [], {}
    for feature, (text, values) in enumerate(looked):
        own = coded[:len(values), feature]
        missing = int(np.nanmax(own, initial=-1)) + 1
        codes[feature] = Codes(_bits(bitsets[rows[feature]])[:missing])
        split.append((text, np.where(np.isnan(own), missing, own) + 1))
    rest = [part for part, its in zip(parts, asked, strict=True) if not its]
    return [Part("", [None] * len(split), split), *rest], codes


def _add_forest(program: Program, estimator: Any, parts: list[Part]) -> tuple[str, Steps]:
    block, sources = gather(program, parts)
    block = program.add("single", block)
    trees = [each.tree_ for each in estimator.estimators_]
    nodes = np.concatenate([tree.__getstate__()["nodes"] for tree in trees])
    values = np.concatenate([tree.value[:, 0, :] for tree in trees])
    counts = [tree.node_count for tree in trees]
    starts = np.cumsum([0, *counts])[:-1]
    offsets, owners = np.repeat(starts, counts), np.repeat(np.arange(len(trees)), counts)
    leaf = nodes["left_child"] < 0
    classes = hasattr(estimator, "classes_")
    _note_trees(program, sources, nodes["feature"], nodes["threshold"], ~leaf)
    # of a classifier the number of the leaf: it says something about every class
    weight = np.cumsum(leaf) - 1.0 if classes else values[:, 0]
    name = program.add_trees(block, Ensemble(
        len(sources), len(trees) if classes else 1, starts,
        np.where(leaf, 0, nodes["left_child"] + offsets),
        np.where(leaf, 0, nodes["right_child"] + offsets), leaf,
        np.where(leaf, 0, nodes["feature"]), nodes["threshold"],
        nodes["missing_go_to_left"] == 1, weight, owners if classes else owners * 0, {}))
    if classes:
        return name, [("leaves", {"values": values[leaf]})]
    return name, [("divide", {"by": len(trees)}), ("first_column", {})]


def _note_trees(program: Program, sources: list[Source], feature: np.ndarray,
                threshold: np.ndarray, asked: np.ndarray) -> None:
    for place, source in enumerate(sources):
        if source is not None:
            program.note_edges(source, np.unique(threshold[asked & (feature == place)]))
