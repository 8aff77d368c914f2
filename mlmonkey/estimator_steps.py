"""Steps of a serving form that answer, and blend answers; see mlmonkey/serving.py."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlmonkey.net import forward, parts

AT_ONCE = 1024  # rows whose leaves are looked up together
TINY = 1e-7  # probabilities below it count as much: one surprise must not decide


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


STEPS: tuple[Callable[..., Any], ...] = (
    single, trees, leaves, divide, linear, net, constant, sigmoid, softmax, exponential, unlog,
    first_column, spread_classes, mean, blend, weigh)
