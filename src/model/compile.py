"""From a fitted pipeline to its serving form (mlmonkey/serving.py), or the reason why it has none.

Levels of categories are not translated but asked: what an encoder of scikit-learn makes of each
level it knows, of a missing one and of one never seen becomes a table. Numbers go through the same
operations in the same order, trees through float64.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mlmonkey.net import NAMES
from mlmonkey.rows import Schema, names_of
from mlmonkey.serving import VERSION, write_form
from src.model.onnx_trees import Ensemble, model_bytes
from src.model.pipeline import LARGEST

UNSEEN = "\ufffdnever seen"
Steps = list[tuple[str, dict[str, Any]]]  # words of serving.STEPS and what is given to them
Source = tuple[str, str] | None  # column and what of it (number or day), for the gate's neighbours


class NoForm(Exception):
    """Why a model has no serving form."""


class Part(NamedTuple):
    """Columns of an encoded table: a block, or values by the levels of a text's column.

    `looked` has per column the text's place and the values of its levels, missing, never seen.
    """

    block: str
    sources: list[Source]
    looked: list[tuple[int, np.ndarray]]


class Program:
    """A form in the making: steps before the trees and after them, arrays, tree ensembles.

    Args:
        schema: the features.
        added: kind -> names of computed columns.
    """

    def __init__(self, schema: Schema, added: Mapping[str, list[str]]) -> None:
        self.added = added
        self.names = {kind: names_of(schema, kind) + added[kind]
                      for kind in ("number", "date", "text")}
        self.texts: list[str] = []
        self.known: list[dict[str, int]] = []
        self.early: list[dict[str, Any]] = []
        self.late: list[dict[str, Any]] = []
        self.steps = self.early
        self.arrays: dict[str, np.ndarray] = {}
        self.ensembles: list[Ensemble] = []
        self.inputs: list[str] = []
        self.edges: dict[tuple[str, str], list[np.ndarray]] = {}
        self.blocks = 0

    def add(self, do: str, *of: str, to: str | None = None, **given: Any) -> str:
        """Add a step; return the name of the block that it makes."""
        self.blocks += 1
        to = to or f"b{self.blocks}"
        for key, value in given.items():
            if isinstance(value, np.ndarray):
                name = f"{len(self.arrays)}.npy"
                self.arrays[name] = value
                given[key] = {"array": name}
        self.steps.append({"do": do, "of": list(of), "to": to, "with": given})
        return to

    def take(self, kind: str, columns: Sequence[str]) -> str:
        """Some columns of the table, all of a kind."""
        places = [self.names[kind].index(name) for name in columns]
        if places == list(range(len(self.names[kind]))):
            return f"{kind}s"
        return self.add("take", f"{kind}s", columns=np.array(places))

    def know(self, encoders: Iterable[tuple[Any, Sequence[str]]], strip: bool = False,
             folded: Sequence[str] = ()) -> None:
        """Gather the levels that encoders know, and add the step that finds their places.

        Args:
            strip: blanks around a level don't count; of the columns `folded`, nor does its case.
        """
        levels: dict[str, dict[str, int]] = {}
        for encoder, columns in encoders:
            for name, values in zip(columns, encoder.categories_, strict=True):
                known = levels.setdefault(name, {})
                for value in values:
                    if isinstance(value, str):
                        known.setdefault(value, len(known))
        self.texts, self.known = list(levels), list(levels.values())
        if levels:
            self.add("levels", "texts", to="levels", known=self.known, strip=strip,
                     fold=[name in folded for name in self.texts],
                     columns=[self.names["text"].index(name) for name in self.texts])

    def finish(self, functions: Sequence[str], classes: Any) -> bytes:
        """The form's bytes."""
        names = range(len(self.ensembles))
        trees = [{"do": "trees", "of": self.inputs, "to": [f"y{n}" for n in names],
                  "with": {"inputs": [f"x{n}" for n in names],
                           "outputs": [f"y{n}" for n in names]}}] if self.ensembles else []
        program = {"version": VERSION, "functions": list(functions), "added": dict(self.added),
                   "classes": None if classes is None else np.asarray(classes).tolist(),
                   "steps": [*self.early, *trees, *self.late]}
        return write_form(program, self.arrays,
                          model_bytes(self.ensembles) if self.ensembles else b"")


def compile_form(model: Any, X: pd.DataFrame, schema: Schema) -> tuple[bytes, "Program"]:
    """The serving form of a fitted pipeline, and what the gate must know of it.

    Args:
        X: some rows of the canonical frame, for the kinds of computed columns.

    Raises:
        NoForm: naming the step that has none.
    """
    steps = dict(model.steps)
    functions = steps["features"].functions if "features" in steps else []
    program = Program(schema, _added(steps["features"], X) if functions else
                      {"number": [], "date": [], "text": []})
    estimator = steps["model"]
    if type(estimator).__name__ in ("PortfolioClassifier", "PortfolioRegressor"):
        from src.model.compile_portfolio import add_portfolio
        add_portfolio(program, estimator)
    else:
        if "columns" not in steps:
            raise NoForm(f"{type(estimator).__name__} takes the table as it is")
        encoders = fitted(steps["columns"])
        program.know(level_encoders(encoders))
        parts = [part for encoder, columns in encoders
                 for part in encode(program, encoder, columns, None)]
        add_estimator(program, estimator, parts, to="answer")
    return program.finish(functions, getattr(estimator, "classes_", None)), program


def _added(computed: Any, X: pd.DataFrame) -> dict[str, list[str]]:
    sample = computed.transform(X.head(50))
    kinds: dict[str, list[str]] = {"number": [], "date": [], "text": []}
    for name, dtype in sample.dtypes.items():
        if name not in X.columns:
            kinds["number" if dtype.kind in "fiub" else "date" if dtype.kind == "M"
                  else "text"].append(str(name))
    return kinds


# ---- columns ------------------------------------------------------------------------------------

def fitted(columns: Any) -> list[tuple[Any, list[str]]]:
    """The encoders of a fitted ColumnTransformer with their columns, none of them empty."""
    return [(encoder, [names] if isinstance(names, str) else list(names))
            for _, encoder, names in columns.transformers_
            if len(names) and not isinstance(encoder, str)]


def level_encoders(encoders: Iterable[tuple[Any, list[str]]]) -> list[tuple[Any, list[str]]]:
    """Those of the encoders that know levels."""
    first = [(steps_of(encoder)[0], columns) for encoder, columns in encoders]
    return [(encoder, columns) for encoder, columns in first if hasattr(encoder, "categories_")]


def steps_of(encoder: Any) -> list[Any]:
    """The steps of a small pipeline, those of pipelines in it too, or the encoder alone."""
    if not hasattr(encoder, "steps"):
        return [encoder]
    return [each for _, step in encoder.steps for each in steps_of(step)]


def encode(program: Program, encoder: Any, columns: list[str],
           typed: Part | None) -> list[Part]:
    """What an encoder makes of some columns.

    Args:
        typed: numbers that stand for `columns`, where they are no longer the table's own.
    """
    steps = steps_of(encoder)
    if type(steps[0]).__name__ in ("OrdinalEncoder", "TargetEncoder", "OneHotEncoder"):
        return [ask_levels(program, encoder, steps, columns)]
    if typed is not None:
        block, sources = typed.block, typed.sources
    elif type(steps[0]).__name__ == "DateParts":
        block = program.take("date", columns)
        sources = [source for name in columns for source in ((name, "day"), *[None] * 4)]
    else:
        block, sources = program.take("number", columns), [(name, "number") for name in columns]
    for step in steps:
        block, sources = add_step(program, step, block, sources)
    return [Part(block, sources, [])]


def add_step(program: Program, step: Any, block: str,
             sources: list[Source]) -> tuple[str, list[Source]]:
    """Add what a transformer of numbers does.

    Raises:
        NoForm: for one that is not known here.
    """
    kind = type(step).__name__
    if kind == "TreeNumbers":
        block = program.add("clip", block, largest=LARGEST)
        if step.empty_.any():
            block = program.add("empty", block, columns=step.empty_)
    elif kind == "DateParts":
        block = program.add("date_parts", block)
    elif kind == "SimpleImputer" and not np.isnan(step.statistics_).any():
        whole = block
        block = program.add("fill", block, values=step.statistics_)
        if step.indicator_ is not None and len(step.indicator_.features_):
            missing = program.add("is_missing", whole, columns=step.indicator_.features_)
            block = program.add("beside", block, missing)
            sources = sources + [None] * len(step.indicator_.features_)
    elif kind == "StandardScaler" and step.with_mean and step.with_std:
        block = program.add("scale", block, mean=step.mean_, deviation=step.scale_)
    elif kind == "QuantileTransformer" and step.output_distribution == "normal":
        from scipy.stats import norm
        low, high = norm.ppf(1e-7 - np.spacing(1)), norm.ppf(1 - (1e-7 - np.spacing(1)))
        for place, source in enumerate(sources):
            note_edges(program, source, step.quantiles_[[0, -1], place])
        block = program.add("spread", block, quantiles=step.quantiles_, low=float(low),
                            references=step.references_, high=float(high))
    else:
        raise NoForm(f"{kind} has no serving form")
    return block, sources


def note_edges(program: Program, source: Source, edges: np.ndarray) -> None:
    """Remember values of a column beside which answers change."""
    if source is not None:
        program.edges.setdefault(source, []).append(edges)


def ask_levels(program: Program, encoder: Any, steps: list[Any], columns: list[str]) -> Part:
    """What an encoder says of every level, of a missing one and of one never seen."""
    places = [program.texts.index(name) for name in columns]
    known = [program.known[place] for place in places]
    count = max(map(len, known)) + 2
    frame = pd.DataFrame({
        name: pd.Series([*levels, np.nan, UNSEEN] + [np.nan] * (count - len(levels) - 2),
                        dtype="str") for name, levels in zip(columns, known, strict=True)})
    if any(UNSEEN in levels for levels in known):
        raise NoForm("a category has the name of those never seen")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that one level was never seen
        said = encoder.transform(frame)
    said = np.asarray(said.todense() if hasattr(said, "todense") else said, dtype=np.float64)
    widths = _widths(steps[0], said.shape[1])
    if sum(widths) != said.shape[1]:
        raise NoForm(f"{type(steps[0]).__name__} made other columns than expected")
    ends = np.cumsum(widths)
    looked = [(place, said[:len(levels) + 2, column])
              for place, levels, end, width in zip(places, known, ends, widths, strict=True)
              for column in range(end - width, end)]
    if type(steps[0]).__name__ == "OneHotEncoder" and len(steps) == 1:
        return Part(add_one_hot(program, looked), [None] * len(looked), [])
    return Part("", [None] * len(looked), looked)


def _widths(encoder: Any, total: int) -> list[int]:
    """How many columns an encoder makes of each of its own."""
    count = len(encoder.categories_)
    if type(encoder).__name__ != "OneHotEncoder":
        return [total // count] * count
    if encoder.drop is not None:
        raise NoForm("OneHotEncoder that drops levels has no serving form")
    rare = getattr(encoder, "infrequent_categories_", [None] * count)
    return [len(levels) - (0 if few is None else len(few) - 1)
            for levels, few in zip(encoder.categories_, rare, strict=True)]


def add_one_hot(program: Program, looked: list[tuple[int, np.ndarray]]) -> str:
    """A step for columns of 0 and 1, at most one 1 per column of text."""
    width, columns, starts, positions = len(looked), [], [], np.array([], dtype=np.intp)
    for text in dict.fromkeys(place for place, _ in looked):
        own = [number for number, (place, _) in enumerate(looked) if place == text]
        block = np.stack([looked[number][1] for number in own], axis=1)
        columns.append(text)
        starts.append(len(positions))
        found = np.where(block.any(axis=1), own[0] + block.argmax(axis=1), width)
        positions = np.append(positions, found)
    return program.add("one_hot", "levels", columns=np.array(columns), starts=np.array(starts),
                       positions=positions, width=width)


def gather(program: Program, parts: Sequence[Part]) -> tuple[str, list[Source]]:
    """All parts as one block (n, columns)."""
    blocks = [part.block or _add_look_up(program, part.looked) for part in parts]
    block = blocks[0] if len(blocks) == 1 else program.add("beside", *blocks)
    return block, [source for part in parts for source in part.sources]


def _add_look_up(program: Program, looked: list[tuple[int, np.ndarray]]) -> str:
    values = [each for _, each in looked]
    starts = np.cumsum([0, *map(len, values)])[:-1]
    return program.add("look_up", "levels", columns=np.array([place for place, _ in looked]),
                       starts=starts, values=np.concatenate(values))


# ---- estimators ---------------------------------------------------------------------------------

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
        names.append(f"y{len(program.ensembles)}")
        _add_ensemble(program, block, Ensemble(
            len(sources), 1, np.concatenate([[0], starts]), nodes["left"] + offsets,
            nodes["right"] + offsets, leaf, feature, nodes["num_threshold"],
            nodes["missing_go_to_left"] == 1, nodes["value"], np.zeros(len(nodes), dtype=int),
            members))
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
    _add_ensemble(program, block, Ensemble(
        len(sources), len(trees) if classes else 1, starts,
        np.where(leaf, 0, nodes["left_child"] + offsets),
        np.where(leaf, 0, nodes["right_child"] + offsets), leaf,
        np.where(leaf, 0, nodes["feature"]), nodes["threshold"],
        nodes["missing_go_to_left"] == 1, weight, owners if classes else owners * 0, {}))
    name = f"y{len(program.ensembles) - 1}"
    if classes:
        return name, [("leaves", {"values": values[leaf]})]
    return name, [("divide", {"by": len(trees)}), ("first_column", {})]


def _add_ensemble(program: Program, block: str, ensemble: Ensemble) -> None:
    program.inputs.append(block)
    program.ensembles.append(ensemble)


def _note_trees(program: Program, sources: list[Source], feature: np.ndarray,
                threshold: np.ndarray, asked: np.ndarray) -> None:
    for place, source in enumerate(sources):
        if source is not None:
            note_edges(program, source, np.unique(threshold[asked & (feature == place)]))
