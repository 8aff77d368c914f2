"""The serving form of encoders: from the columns of a table to blocks for an estimator.

Levels of categories are not translated but asked: what an encoder of scikit-learn makes of each
level it knows, of a missing one and of one never seen becomes a table.
"""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from src.model.pipeline import LARGEST
from src.model.program import NoForm, Part, Program, Source

UNSEEN = "\ufffdnever seen"


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
            program.note_edges(source, step.quantiles_[[0, -1], place])
        block = program.add("spread", block, quantiles=step.quantiles_, low=float(low),
                            references=step.references_, high=float(high))
    else:
        raise NoForm(f"{kind} has no serving form")
    return block, sources


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
