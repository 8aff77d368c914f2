"""A small net for tables: learned with torch, answered with numpy.

Two hidden layers see each column as it is, and each number as waves too (Gorishniy et al. 2022).
torch is imported while fitting and nowhere else: what is saved are arrays, and mlmonkey/net.py is
the one text of the computation for both, so that a server needs no torch.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from mlmonkey.errors import UserError
from mlmonkey.net import ANSWERED, MIXED, Weights, forward, parts

WIDTH = 192  # of both hidden layers
WAVES = 16  # of each number
MOST_NUMBERS = 256  # with more of them, all columns stay as they are
FREQUENCY = 0.2  # of waves at first, in radians per standard deviation: their spread
BATCHES = 32  # of an epoch at least, as long as each has SMALLEST_BATCH rows
SMALLEST_BATCH, LARGEST_BATCH = 32, 256
EPOCHS = 40  # at most
STEPS = 4000  # at most
WORK = 3e11  # multiplications at most: about 20 s of one core
FEWEST_EPOCHS = 4  # where the limits allow no more, each sees a part of the rows
PATIENCE = 0.2  # share of the epochs without a better held fold before it ends
FASTEST = 2e-3  # learning rate at the top of its one cycle
RISE = 0.1  # share of the steps until there
MEMORY = (0.9, 0.99)  # of the gradients' mean and square, per step
DROPOUT = 0.25
DECAY = 0.1  # of weights, per step and unit of learning rate


class Net(BaseEstimator):
    """What classifier and regressor share.

    After fit: `weights_` (float32 arrays), `numbers_` (positions of the columns that become waves),
    `epoch_` (the one that was kept, from 1; 0: nothing was learned).

    Args:
        seed: decides first weights, order of rows and dropout.
        threads: of torch while fitting.
    """

    def __init__(self, seed: int = 0, threads: int = 1) -> None:
        self.seed = seed
        self.threads = threads

    def _fit(self, X: Any, y: np.ndarray, X_val: Any, y_val: np.ndarray,
             last: np.ndarray) -> None:
        """Learn from float64 X (n, columns), dense or sparse, and targets y (n,).

        Args:
            last: (outputs,) what is answered before anything is learned.
        """
        torch = import_torch()
        threads = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed)
                self.numbers_ = positions_of_numbers(X, self.seed)
                weights = first_weights(X.shape[1], len(self.numbers_), last)
                self.weights_, self.epoch_ = learn(weights, self.numbers_, X, y, X_val, y_val)
        finally:
            torch.set_num_threads(threads)

    def _answer(self, X: Any) -> np.ndarray:
        weights = [weight.astype(np.float64) for weight in self.weights_]
        return np.concatenate([forward(weights, self.numbers_, dense(X[part], np.float64), np)
                               for part in parts(X.shape[0])])


def import_torch() -> Any:
    """The package, which is an extra.

    Raises:
        UserError: when it is not installed, or broken.
    """
    try:
        import torch
    except (ImportError, OSError) as error:
        raise UserError(f"the net needs torch, which can't be imported ({error}): "
                        "make init EXTRAS=torch; or leave the net out: "
                        "--set 'members=[boosting, extra trees, linear]'") from None
    return torch


class NetClassifier(ClassifierMixin, Net):
    """A net that answers with probabilities; y are labels."""

    def fit(self, X: Any, y: np.ndarray, X_val: Any, y_val: np.ndarray) -> "NetClassifier":
        """Fit on X (n, columns) and labels y (n,); stop by rows whose labels y holds too."""
        self.classes_, numbers = np.unique(y, return_inverse=True)
        self._fit(X, numbers, X_val, np.searchsorted(self.classes_, y_val),
                  np.log(np.bincount(numbers) / len(numbers)))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (n, classes) in the order of classes_."""
        scores = self._answer(X)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label (n,)."""
        labels: np.ndarray = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels


class NetRegressor(RegressorMixin, Net):
    """A net that answers with a number; y are best near a mean of 0 and a deviation of 1."""

    def fit(self, X: Any, y: np.ndarray, X_val: Any, y_val: np.ndarray) -> "NetRegressor":
        """Fit on X (n, columns) and numbers y (n,); stop by other rows."""
        self._fit(X, y.astype(np.float32), X_val, y_val.astype(np.float32), np.array([y.mean()]))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Numbers (n,)."""
        return self._answer(X)[:, 0]


def learn(weights: Weights, numbers: np.ndarray, X: Any, y: np.ndarray, X_val: Any,
          y_val: np.ndarray) -> tuple[Weights, int]:
    """The arrays of the best epoch, and its number, from 1; `weights` are the first tensors."""
    import torch
    sizes = [weight.numel() for weight in weights]
    seen, steps, epochs = plan(len(y), sum(sizes))
    descent = Descent(torch.cat([weight.flatten() for weight in weights]), epochs * steps,
                      torch.cat([torch.full_like(weight, DECAY * (weight.ndim > 1)).flatten()
                                 for weight in weights]))

    def shaped(flat: Any) -> Weights:
        return [part.view(each.shape) for part, each in zip(flat.split(sizes), weights)]

    def drop(layer: Any) -> Any:
        return torch.nn.functional.dropout(layer, DROPOUT)

    best, kept, kept_epoch = np.inf, descent.flat, 0
    for epoch in range(1, epochs + 1):
        for rows in np.array_split(torch.randperm(len(y)).numpy()[:seen], steps):
            flat = descent.flat.requires_grad_()
            loss = losses(shaped(flat), numbers, X[rows], y[rows], drop).mean()
            descent.step(*torch.autograd.grad(loss, flat))
        with torch.no_grad():
            now = sum(float(losses(shaped(descent.flat), numbers, X_val[part], y_val[part]).sum())
                      for part in parts(X_val.shape[0]))
        if now < best:
            best, kept, kept_epoch = now, descent.flat, epoch
        elif epoch - kept_epoch > PATIENCE * epochs:
            break
    return [weight.numpy().copy() for weight in shaped(kept.detach())], kept_epoch


class Descent:
    """AdamW (Loshchilov and Hutter 2019) in one cycle; to import torch's takes longer than a fit.

    Args:
        flat: all weights in one tensor; each step makes another one.
        steps: of the cycle: a short rise of the learning rate, then a long fall to 0.
        decay: of each weight, per step and unit of learning rate.
    """

    def __init__(self, flat: Any, steps: int, decay: Any) -> None:
        self.flat, self.steps, self.decay = flat, steps, decay
        self.drift, self.spread, self.taken = flat * 0, flat * 0, 0

    def step(self, gradient: Any) -> None:
        """Go down a gradient, a tensor like flat."""
        self.taken += 1
        self.drift.lerp_(gradient, 1 - MEMORY[0])
        self.spread.lerp_(gradient ** 2, 1 - MEMORY[1])
        drift = self.drift / (1 - MEMORY[0] ** self.taken)
        spread = self.spread / (1 - MEMORY[1] ** self.taken)
        done = self.taken / self.steps
        rate = FASTEST * min(done / RISE, (1 + math.cos(math.pi * done)) / 2)
        flat = self.flat.detach()
        self.flat = flat - rate * (drift / (spread.sqrt() + 1e-8) + self.decay * flat)


def losses(weights: Weights, numbers: np.ndarray, X: Any, y: np.ndarray,
           drop: Callable[[Any], Any] = lambda layer: layer) -> Any:
    """Log-loss for class numbers y (n,), squared error for other numbers; a tensor (n,)."""
    import torch
    scores = forward(weights, torch.from_numpy(numbers), torch.from_numpy(dense(X, np.float32)),
                     torch, drop)
    if y.dtype.kind == "f":
        return (scores[:, 0] - torch.from_numpy(y)) ** 2
    return torch.nn.functional.cross_entropy(scores, torch.from_numpy(y), reduction="none")


def first_weights(columns: int, numbers: int, last: np.ndarray) -> Weights:
    """Tensors to learn, in the order of NAMES; the last ones answer `last`."""
    import torch

    def drawn(*shape: int, scale: float) -> Any:
        return torch.randn(*shape) * scale

    wide = columns + numbers * MIXED
    weights = [drawn(numbers, WAVES, scale=FREQUENCY),
               torch.rand(numbers, WAVES) * 2 * np.pi,
               drawn(numbers, WAVES, MIXED, scale=(2 / WAVES) ** 0.5),
               drawn(wide, WIDTH, scale=(2 / wide) ** 0.5), torch.zeros(WIDTH),
               drawn(WIDTH, WIDTH, scale=(2 / WIDTH) ** 0.5), torch.zeros(WIDTH),
               torch.zeros(WIDTH, len(last)), torch.tensor(last, dtype=torch.float32)]
    return weights


def plan(rows: int, weights: int) -> tuple[int, int, int]:
    """How many rows an epoch sees, its steps, and the number of epochs, all within the limits.

    A weight takes one multiplication forwards and two backwards.
    """
    size = int(np.clip(rows // BATCHES, SMALLEST_BATCH, LARGEST_BATCH))
    seen = min(EPOCHS * rows, STEPS * size, WORK / (3 * weights))
    each = int(min(rows, seen / FEWEST_EPOCHS))
    return each, -(-each // size), int(seen / each)


def positions_of_numbers(X: Any, seed: int) -> np.ndarray:
    """Positions of the columns with more than two values, in a sample; none if there are many."""
    rows = np.random.default_rng(seed).permutation(X.shape[0])[:ANSWERED]
    ordered = np.sort(dense(X[rows], np.float64), axis=0)
    positions = np.flatnonzero((np.diff(ordered, axis=0) > 0).sum(axis=0) > 1)
    return positions if len(positions) <= MOST_NUMBERS else positions[:0]


def dense(X: Any, kind: type) -> np.ndarray:
    """A part of X (n, columns) as it is, be it sparse or not."""
    return np.asarray(X.toarray() if issparse(X) else X, dtype=kind)
