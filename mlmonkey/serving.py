"""The serving form of a model: a small program over arrays, with neither pandas nor scikit-learn.

A form is an archive of program.json, arrays (.npy) and, for trees, trees.onnx. It holds no code:
steps are words of STEPS with numbers and texts. src/model/compile.py writes it in training, where
it must answer as the model itself does; here it is read and run.

A step takes named blocks and makes one: float64 (n, columns), or places of levels (n, texts).
"""

import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from mlmonkey.golden import Prediction
from mlmonkey.model_files import check_unpacked
from mlmonkey.net import forward, parts
from mlmonkey.rows import Rows, as_objects

VERSION = 1
PROGRAM, TREES = "program.json", "trees.onnx"
MOST_AT_ONCE = 8192  # rows that go through all steps together: what they need stays small
AT_ONCE = 1024  # rows whose leaves are looked up together
DAY = np.timedelta64(1, "D")
BOUND = 1e-7  # scikit-learn's: so near to its ends a number counts as the end
NUMBER = re.compile(r"\s*[$€£¥]?\s*([-+]?\d[\d,' _]*\.?\d*(?:[eE][-+]?\d+)?|[-+]?\.\d+)"
                    r"\s*([^\d\s.,]{0,8})\s*")
TINY = 1e-7  # probabilities below it count as much: one surprise must not decide
TEXTS = {str, type(None)}
ZERO_FIRST = re.compile(r"0\d")

Functions = Callable[[str], Callable[[Any], Mapping[str, np.ndarray]]]


class Form:
    """A form that is ready to answer.

    Args:
        content: its bytes, which were vouched for.
        functions: gives a function of the project's features by its name.

    Raises:
        ValueError, KeyError, zipfile.BadZipFile: when these bytes are no form.
    """

    def __init__(self, content: bytes, functions: Functions | None = None) -> None:
        check_unpacked(content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            self.program = json.loads(archive.read(PROGRAM))
            if self.program["version"] != VERSION:
                raise ValueError(f"version {self.program['version']} is not known here")
            trees = archive.read(TREES) if TREES in archive.namelist() else b""

            def arrays(value: Any) -> Any:
                if isinstance(value, dict) and value.keys() == {"array"}:
                    with archive.open(value["array"]) as file:
                        return np.load(io.BytesIO(file.read()), allow_pickle=False)
                return value
            own = {"trees": _session(trees) if trees else None}
            self.steps = [(step["of"], step["to"], partial(STEPS[step["do"]], **{
                key: arrays(value) for key, value in step["with"].items()},
                **({"session": own["trees"]} if step["do"] == "trees" else {})))
                for step in self.program["steps"]]
        classes = self.program["classes"]
        self.classes = None if classes is None else np.array(classes)
        named = self.program["functions"]
        if named and functions is None:
            raise ValueError(f"it needs functions of features: {', '.join(named)}")
        self.computed = [functions(name) for name in named] if functions else []
        self.added = self.program["added"]

    def predict(self, rows: Rows) -> Prediction:
        """Labels and probabilities; the label is the most probable class."""
        if len(rows) > MOST_AT_ONCE:
            parts = [self.predict(rows.take(slice(start, start + MOST_AT_ONCE)))
                     for start in range(0, len(rows), MOST_AT_ONCE)]
            labels, probabilities = zip(*parts)
            return Prediction(np.concatenate(labels), None if self.classes is None
                              else np.concatenate(probabilities))
        blocks: dict[str, Any] = {"numbers": rows.numbers, "dates": rows.dates,
                                  "texts": rows.texts, "rows": len(rows)}
        with np.errstate(all="ignore"):  # infinities are looked after where they matter
            if self.computed:
                blocks |= self._compute(rows)
            for takes, makes, step in self.steps:
                made = step(*[blocks[name] for name in takes])
                if isinstance(makes, str):
                    blocks[makes] = made
                else:
                    blocks.update(zip(makes, made, strict=True))
        answer = blocks["answer"]
        if self.classes is None:
            return Prediction(answer, None)
        return Prediction(self.classes[answer.argmax(axis=1)], answer)

    def _compute(self, rows: Rows) -> dict[str, Any]:
        """The blocks with the columns that functions of features add."""
        columns = {each["name"]: rows.column(each["name"]) for each in rows.schema}
        for function in self.computed:
            columns.update({key: finite(values)
                            for key, values in function(dict(columns)).items()})
        new = {kind: [columns[name] for name in names] for kind, names in self.added.items()}
        return {"numbers": _beside(rows.numbers, new["number"]),
                "dates": _beside(rows.dates, new["date"]),
                "texts": [*rows.texts, *map(as_objects, new["text"])]}


def finite(values: np.ndarray) -> np.ndarray:
    """The values, infinities as NaN."""
    if values.dtype.kind == "f":
        return np.where(np.isfinite(values), values, np.nan)
    return values


def write_form(program: Mapping[str, Any], arrays: Mapping[str, np.ndarray],
               trees: bytes) -> bytes:
    """The bytes of a form; equal forms have equal bytes."""
    members = {PROGRAM: json.dumps(program, ensure_ascii=False, allow_nan=False).encode()}
    if trees:
        members[TREES] = trees
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        members[name] = buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, 1)
    return buffer.getvalue()


def read_number(text: Any) -> tuple[float, str | None]:
    """The number in a text with signs of currency, thousands and one unit, and the unit.

    NaN and None for any other text.
    """
    text = text.rstrip("\0") if isinstance(text, str) else ""
    match = None if ZERO_FIRST.match(text) else NUMBER.fullmatch(text)
    return (float(re.sub("[,' _]", "", match[1])), match[2]) if match else (np.nan, None)


# ---- steps: what is known of a column -----------------------------------------------------------

def take(block: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Some columns."""
    return block[:, columns]


def read_numbers(texts: Sequence[Any], columns: Sequence[int], smallest: float) -> np.ndarray:
    """Texts that are numbers; those smaller than so much are 0."""
    numbers = np.empty((len(texts[columns[0]]), len(columns)))
    for place, column in enumerate(columns):
        numbers[:, place] = [read_number(text)[0] for text in texts[column]]
    return without_tiny(numbers, smallest)


def without_tiny(block: np.ndarray, smallest: float) -> np.ndarray:
    """Numbers smaller than so much are 0."""
    return np.where(np.abs(block) < smallest, 0.0, block)


def clip(block: np.ndarray, largest: float) -> np.ndarray:
    """Numbers within these limits; NaN stays."""
    return np.asarray(np.maximum(np.minimum(block, largest), -largest))


def empty(block: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """0 for good in columns that held no value in training."""
    return np.where(columns, 0.0, block)


def date_parts(dates: np.ndarray) -> np.ndarray:
    """(n, dates) -> (n, 5 * dates): day count since 1970, month, day, weekday (Monday 0), hour."""
    days, months = dates.astype("M8[D]"), dates.astype("M8[M]")
    parts = np.stack([
        (dates - np.datetime64(0, "us")) / DAY,
        (months - months.astype("M8[Y]")) / np.timedelta64(1, "M") + 1,
        (days - months.astype("M8[D]")) / DAY + 1,
        ((days - np.datetime64(0, "D")) / DAY + 3) % 7,
        np.floor((dates - days) / np.timedelta64(1, "h"))], axis=2)
    return parts.reshape(len(dates), 5 * dates.shape[1])


def levels(texts: Sequence[Any], columns: Sequence[int], known: Sequence[Mapping[str, int]],
           strip: bool, fold: Sequence[bool]) -> np.ndarray:
    """Places (n, columns) of texts among the known ones; then come missing, then unseen.

    Args:
        strip: blanks around a text don't count. fold: nor does its case, column by column.
    """
    found = np.empty((len(texts[columns[0]]) if columns else 0, len(columns)), dtype=np.intp)
    for place, (column, levels) in enumerate(zip(columns, known, strict=True)):
        missing, unseen, get = len(levels), len(levels) + 1, levels.get
        values = texts[column]
        if not set(map(type, values)) <= TEXTS:
            values = [text if isinstance(text, str) else None for text in values]
        if strip:
            values = [text and text.strip() for text in values]
        if fold[place]:
            values = [text and text.lower() for text in values]
        found[:, place] = [missing if text is None else get(text, unseen) for text in values]
    return found


def look_up(found: np.ndarray, columns: np.ndarray, starts: np.ndarray,
            values: np.ndarray) -> np.ndarray:
    """Per output column the value of a level: values[start + place of the text's column]."""
    return np.asarray(values.take(found[:, columns] + starts))


def one_hot(found: np.ndarray, columns: np.ndarray, starts: np.ndarray, positions: np.ndarray,
            width: int) -> np.ndarray:
    """(n, width) of 0 and one 1 per text; a position of `width` is none."""
    block = np.zeros((len(found), width + 1))
    block[np.arange(len(found))[:, None], positions.take(found[:, columns] + starts)] = 1
    return block[:, :width]


def letter_groups(texts: Sequence[Any], column: int, length: int) -> list[list[str]]:
    """Of each text the groups of two to four letters in its words, blanks around them included.

    Args:
        length: characters of a text that are looked at.
    """
    return [_groups(text[:length] if isinstance(text, str) else "") for text in texts[column]]


def _groups(text: str) -> list[str]:
    groups = []
    for word in (text or "-").lower().split():
        word = f" {word} "
        for size in range(2, 1 + min(4, len(word))):
            groups += [word[start:start + size] for start in range(len(word) - size + 1)]
    return groups


def topics(groups: Sequence[Sequence[str]], known: Mapping[str, int], weights: np.ndarray,
           parts: np.ndarray) -> np.ndarray:
    """Weights of letter groups (TF-IDF), condensed to a few numbers per text."""
    block = np.zeros((len(groups), parts.shape[1]))
    for row, each in enumerate(groups):
        places = [known[group] for group in each if group in known]
        if places:
            columns, counts = np.unique(places, return_counts=True)
            weight = (np.log(counts.astype(np.float64)) + 1) * weights[columns]
            weight /= np.sqrt(np.cumsum(weight * weight)[-1])
            block[row] = (weight[:, None] * parts[columns]).sum(axis=0)
    return block


# ---- steps: numbers made ready ------------------------------------------------------------------

def fill(block: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Missing numbers as the value of their column."""
    return np.where(np.isnan(block), values, block)


def is_missing(block: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """1.0 where a number is missing, for some columns."""
    return np.isnan(block[:, columns]).astype(np.float64)


def scale(block: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Around 0, in units of the deviation."""
    return np.asarray((block - mean) / deviation)


def spread(block: np.ndarray, quantiles: np.ndarray, references: np.ndarray, low: float,
           high: float) -> np.ndarray:
    """Numbers by their rank in training, normally distributed; see QuantileTransformer.

    Args:
        quantiles: of training (quantiles, columns). references: their ranks, 0 to 1.
    """
    made = np.empty_like(block)
    for place in range(block.shape[1]):
        column, ranks = block[:, place], quantiles[:, place]
        rank = 0.5 * (np.interp(column, ranks, references)
                      - np.interp(-column, -ranks[::-1], -references[::-1]))
        rank[column + BOUND > ranks[-1]] = 1
        rank[column - BOUND < ranks[0]] = 0
        made[:, place] = rank
    return np.asarray(np.clip(normal_quantile(made), low, high))


def normal_quantile(rank: np.ndarray) -> np.ndarray:
    """Inverse of the standard normal distribution, as in the Cephes library (Moshier 1989)."""
    upper = rank > 1 - 0.13533528323661269189
    tail = np.where(upper, 1 - rank, rank)
    middle = tail > 0.13533528323661269189
    y = np.where(upper, 1 - rank, rank)
    centre = np.where(middle, y, 0.5) - 0.5
    square = centre * centre
    inner = (centre + centre * (square * _polynomial(square, P0) / _monic(square, Q0)))
    inner = inner * 2.50662827463100050242
    x = np.sqrt(-2 * np.log(np.where(middle | (y <= 0), 0.1, y)))
    first, z = x - np.log(x) / x, 1 / x
    outer = first - np.where(x < 8, z * _polynomial(z, P1) / _monic(z, Q1),
                             z * _polynomial(z, P2) / _monic(z, Q2))
    found = np.where(middle, inner, np.where(upper, outer, -outer))
    found = np.where(rank <= 0, -np.inf, np.where(rank >= 1, np.inf, found))
    return np.asarray(np.where(np.isnan(rank), np.nan, found))


def _polynomial(x: np.ndarray, coefficients: Sequence[float]) -> np.ndarray:
    found = np.full_like(x, coefficients[0])
    for each in coefficients[1:]:
        found = found * x + each
    return found


def _monic(x: np.ndarray, coefficients: Sequence[float]) -> np.ndarray:
    return _polynomial(x, (1.0, *coefficients))


P0 = (-5.99633501014107895267E1, 9.80010754185999661536E1, -5.66762857469070293439E1,
      1.39312609387279679503E1, -1.23916583867381258016E0)
Q0 = (1.95448858338141759834E0, 4.67627912898881538453E0, 8.63602421390890590575E1,
      -2.25462687854119370527E2, 2.00260212380060660359E2, -8.20372256168333339912E1,
      1.59056225126211695515E1, -1.18331621121330003142E0)
P1 = (4.05544892305962419923E0, 3.15251094599893866154E1, 5.71628192246421288162E1,
      4.40805073893200834700E1, 1.46849561928858024014E1, 2.18663306850790267539E0,
      -1.40256079171354495875E-1, -3.50424626827848203418E-2, -8.57456785154685413611E-4)
Q1 = (1.57799883256466749731E1, 4.53907635128879210584E1, 4.13172038254672030440E1,
      1.50425385692907503408E1, 2.50464946208309415979E0, -1.42182922854787788574E-1,
      -3.80806407691578277194E-2, -9.33259480895457427372E-4)
P2 = (3.23774891776946035970E0, 6.91522889068984211695E0, 3.93881025292474443415E0,
      1.33303460815807542389E0, 2.01485389549179081538E-1, 1.23716634817820021358E-2,
      3.01581553508235416007E-4, 2.65806974686737550832E-6, 6.23974539184983293730E-9)
Q2 = (6.02427039364742014255E0, 3.67983563856160859403E0, 1.37702099489081330271E0,
      2.16236993594496635890E-1, 1.34204006088543189037E-2, 3.28014464682127739104E-4,
      2.89247864745380683936E-6, 6.79019408009981274425E-9)


def beside(*blocks: np.ndarray) -> np.ndarray:
    """Blocks as one."""
    return np.concatenate(blocks, axis=1)


# ---- steps: estimators --------------------------------------------------------------------------

def single(block: np.ndarray) -> np.ndarray:
    """Numbers as float32 can hold them, as the trees of forests see them."""
    return block.astype(np.float32).astype(np.float64)


def trees(*blocks: np.ndarray, session: Any, inputs: Sequence[str],
          outputs: Sequence[str]) -> list[np.ndarray]:
    """Sums of leaves, or numbers of leaves, of all ensembles at once."""
    found: list[np.ndarray] = session.run(outputs, dict(zip(inputs, blocks)), None)
    return found


def leaves(numbers: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean over the trees of a forest (n, classes) of what their leaves (n, trees) say."""
    mean = np.empty((len(numbers), values.shape[1]))
    for start in range(0, len(numbers), AT_ONCE):
        part = numbers[start:start + AT_ONCE].T.astype(np.intp)
        # over the first axis: one tree after the other, as in training, to the last bit
        mean[start:start + AT_ONCE] = values.take(part, axis=0).sum(axis=0)
    mean /= numbers.shape[1]
    return mean


def divide(block: np.ndarray, by: float) -> np.ndarray:
    """A sum as a mean."""
    return block / by


def linear(block: np.ndarray, weights: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """(n, columns) -> (n, outputs)."""
    return np.asarray(block @ weights + offset)


def net(block: np.ndarray, numbers: np.ndarray, **weights: np.ndarray) -> np.ndarray:
    """Scores (n, outputs) of a small net; see mlmonkey/net.py."""
    ordered = list(weights.values())
    return np.concatenate([forward(ordered, numbers, block[part], np)
                           for part in parts(len(block))])


def constant(rows: int, values: np.ndarray) -> np.ndarray:
    """The same for every row."""
    return np.tile(values, (rows, 1))


def sigmoid(block: np.ndarray) -> np.ndarray:
    """(n, 1) -> (n, 2) probabilities."""
    second = 1 / (1 + np.exp(-block))
    return np.concatenate([1 - second, second], axis=1)


def softmax(block: np.ndarray) -> np.ndarray:
    """(n, classes) -> probabilities."""
    powers = np.exp(block - block.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def exponential(block: np.ndarray) -> np.ndarray:
    """Inverse of the logarithm."""
    return np.exp(block)


def unlog(block: np.ndarray, low: float, unit: float, factor: float, top: float) -> np.ndarray:
    """Numbers (n,) whose logarithms were learned; see OfLogs in src/model/portfolio.py."""
    return np.asarray(low + unit * (factor * np.exp(np.clip(block, 0, top)) - 1))


def first_column(block: np.ndarray) -> np.ndarray:
    """(n, 1) -> numbers (n,)."""
    return block[:, 0]


def spread_classes(block: np.ndarray, columns: np.ndarray, width: int) -> np.ndarray:
    """Probabilities of some classes among all; those of the others are 0."""
    made = np.zeros((len(block), width))
    made[:, columns] = block
    return made


def mean(*blocks: np.ndarray) -> np.ndarray:
    """Mean of what the folds say."""
    return np.asarray(np.mean(blocks, axis=0))


def blend(*answers: np.ndarray, shares: Sequence[float], temperatures: Sequence[float],
          last: float) -> np.ndarray:
    """Shares of probabilities (n, classes), each made bolder or more careful, then all together."""
    blended = sum(share * tempered(answer, each)
                  for share, answer, each in zip(shares, answers, temperatures, strict=True))
    return tempered(np.asarray(blended), last)


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (n, classes) made bolder (below 1) or more careful (above 1)."""
    powers = np.clip(probabilities, TINY, 1) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def weigh(*answers: np.ndarray, shares: Sequence[float], mean: float,
          deviation: float) -> np.ndarray:
    """Shares of numbers (n,), back in the unit of the target."""
    blended = sum(share * answer for share, answer in zip(shares, answers, strict=True))
    return np.asarray(mean + deviation * blended)


STEPS: dict[str, Callable[..., Any]] = {step.__name__: step for step in (
    take, read_numbers, without_tiny, clip, empty, date_parts, levels, look_up, one_hot, fill,
    is_missing, scale, spread, beside, single, trees, leaves, divide, linear, net, constant,
    sigmoid, softmax, exponential, unlog, first_column, letter_groups, topics, spread_classes, mean,
    blend, weigh)}


def _session(content: bytes) -> Any:
    """The engine of the trees: one thread, and no arena that keeps memory."""
    # else it tells its maker of this machine and of each model, and leaves a number in the home
    # folder; read when it is imported
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.log_severity_level = 4  # what it can't do is raised as well
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session._sess  # what it wraps: a third less per call


def _beside(block: np.ndarray, columns: Sequence[np.ndarray]) -> np.ndarray:
    return np.column_stack([block, *(each.astype(block.dtype) for each in columns)]) \
        if columns else block
