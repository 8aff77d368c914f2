"""How members of the portfolio share in its answer: weights, temperatures, and what they lose."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mlmonkey.estimator_steps import TINY, blend, tempered

ROUNDS = 20  # of the greedy selection; shares are at least a twentieth
TEMPERATURES = np.geomspace(0.25, 3, 51)  # tried for the probabilities
DOUBT = 200  # rows with which a temperature is moved half the way
WORTH = 0.005  # share of the loss that a member must save, or one standard error, to be kept

Answers = Mapping[str, np.ndarray]


def choose_weights(answers: Answers, y: np.ndarray,
                   losses: Callable[..., np.ndarray]) -> dict[str, float]:
    """Shares of the members in the smallest blend that loses least, but for noise.

    Args:
        losses: (y, answers) -> loss of each row (n,).
    """
    weights, best = greedy_weights(answers, y, losses)
    while len(weights) > 1:
        rest, fewer = min(((name, *greedy_weights({other: answers[other] for other in weights
                                                   if other != name}, y, losses))
                           for name in weights), key=lambda each: each[2].mean())[1:]
        gain = fewer - best
        if gain.mean() > min(gain.std() / np.sqrt(len(y)), WORTH * best.mean()):
            break
        weights, best = rest, fewer
    return weights


def greedy_weights(answers: Answers, y: np.ndarray, losses: Callable[..., np.ndarray]
                   ) -> tuple[dict[str, float], np.ndarray]:
    """Shares of the members in the blend that loses least, and its loss of each row (n,)."""
    chosen: list[str] = []
    total: Any = 0.0
    best: tuple[float, list[str], np.ndarray] = (np.inf, [], np.array([]))
    for _ in range(ROUNDS):
        tried = {name: losses(y, (total + answer) / (len(chosen) + 1))
                 for name, answer in answers.items()}
        name = min(tried, key=lambda each: tried[each].mean())
        chosen.append(name)
        total = total + answers[name]
        if tried[name].mean() < best[0]:
            best = tried[name].mean(), list(chosen), tried[name]
    return {name: best[1].count(name) / len(best[1]) for name in answers
            if name in best[1]}, best[2]


def mix(answers: Answers, weights: Mapping[str, float],
        temperatures: Mapping[str, float]) -> np.ndarray:
    """Blended probabilities (n, classes); the temperature called "" is that of the blend."""
    return blend(*[answers[name] for name in weights], shares=list(weights.values()),
                 temperatures=[temperatures[name] for name in weights], last=temperatures[""])


def best_temperature(y: np.ndarray, probabilities: np.ndarray) -> float:
    """The temperature that loses least, nearer to 1 the fewer rows say so."""
    best = min(TEMPERATURES, key=lambda each: log_losses(y, tempered(probabilities, each)).mean())
    return float(best ** (len(y) / (len(y) + DOUBT)))


def log_losses(y: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Log-loss of each row (n,) for class numbers y (n,)."""
    return np.asarray(-np.log(np.clip(probabilities[np.arange(len(y)), y], TINY, 1)))


def squared_losses(y: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Squared difference of each row (n,)."""
    return np.asarray((y - numbers) ** 2)
