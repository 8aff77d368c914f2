"""Steps of a serving form from columns to numbers for an estimator; see mlmonkey/serving.py.

A step takes named blocks and makes one: float64 (n, columns), or places of levels (n, texts).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mlmonkey.normal import normal_quantile

DAY = np.timedelta64(1, "D")
BOUND = 1e-7  # scikit-learn's: so near to its ends a number counts as the end
NUMBER = re.compile(r"\s*[$€£¥]?\s*([-+]?\d[\d,' _]*\.?\d*(?:[eE][-+]?\d+)?|[-+]?\.\d+)"
                    r"\s*([^\d\s.,]{0,8})\s*")
ZERO_FIRST = re.compile(r"0\d")
TEXTS = {str, type(None)}


def read_number(text: Any) -> tuple[float, str | None]:
    """The number in a text with signs of currency, thousands and one unit, and the unit.

    NaN and None for any other text.
    """
    text = text.rstrip("\0") if isinstance(text, str) else ""
    match = None if ZERO_FIRST.match(text) else NUMBER.fullmatch(text)
    return (float(re.sub("[,' _]", "", match[1])), match[2]) if match else (np.nan, None)


# ---- what is known of a column ------------------------------------------------------------------

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


# ---- numbers made ready -------------------------------------------------------------------------

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


def beside(*blocks: np.ndarray) -> np.ndarray:
    """Blocks as one."""
    return np.concatenate(blocks, axis=1)


STEPS: tuple[Callable[..., Any], ...] = (
    take, read_numbers, without_tiny, clip, empty, date_parts, levels, look_up, one_hot,
    letter_groups, topics, fill, is_missing, scale, spread, beside)
