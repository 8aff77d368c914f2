"""What a small net for tables computes: one text for learning (torch) and answering (numpy)."""

from collections.abc import Callable
from typing import Any

MIXED = 4  # numbers that the waves of one number are mixed to
REACH = 3.0  # standard deviations within which a column counts in full
ANSWERED = 2000  # rows answered at a time, for the sake of memory
NAMES = ("frequency", "phase", "mixture", "first", "first_shift", "second", "second_shift", "last",
         "last_shift")  # of the arrays of a net, in the order that `forward` takes them

Weights = list[Any]  # arrays of numpy, or tensors


def forward(weights: Weights, numbers: Any, X: Any, xp: Any,
            drop: Callable[[Any], Any] = lambda layer: layer) -> Any:
    """Scores (n, outputs) of rows X (n, columns).

    Args:
        weights: in the order of NAMES.
        numbers: positions of the columns that become waves.
        xp: numpy for arrays, torch for tensors; both know every function used.
        drop: what to do to each hidden layer.
    """
    frequency, phase, mixture, *layers = weights
    X = X / xp.sqrt(1 + (X / REACH) ** 2)  # far outliers are no further than REACH
    waves = xp.cos(X[:, numbers].T[:, :, None] * frequency[:, None] + phase[:, None]) @ mixture
    waves = waves.swapaxes(0, 1).reshape(len(X), len(frequency) * MIXED)
    hidden = xp.concatenate([X, waves], 1)
    for weight, shift in (layers[0:2], layers[2:4]):
        hidden = drop(xp.clip(hidden @ weight + shift, 0, None))
    return hidden @ layers[4] + layers[5]


def parts(rows: int) -> list[slice]:
    """Slices of a few rows each, one at least."""
    return [slice(start, start + ANSWERED) for start in range(0, max(rows, 1), ANSWERED)]
