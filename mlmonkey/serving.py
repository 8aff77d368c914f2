"""The serving form of a model: a small program over arrays, with neither pandas nor scikit-learn.

A form is an archive of program.json, arrays (.npy) and, for trees, trees.onnx. It holds no code:
steps are words, functions in column_steps.py and estimator_steps.py, with numbers and texts.
src/model/compile.py writes it in training, where it must answer as the model itself does; here it
is read and run.
"""

import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from mlmonkey import column_steps, estimator_steps
from mlmonkey.golden import Prediction
from mlmonkey.model_files import check_unpacked
from mlmonkey.rows import Rows, as_objects

VERSION = 1
PROGRAM, TREES = "program.json", "trees.onnx"
MOST_AT_ONCE = 8192  # rows that go through all steps together: what they need stays small
STEPS = {step.__name__: step for step in (*column_steps.STEPS, *estimator_steps.STEPS)}
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
            session = _session(trees) if trees else None
            self.steps = [(step["of"], step["to"], partial(STEPS[step["do"]], **{
                key: arrays(value) for key, value in step["with"].items()},
                **({"session": session} if step["do"] == "trees" else {})))
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
