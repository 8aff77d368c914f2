"""Seeded, stratified ways to set rows apart: a hold-out, and folds.

Numbers are stratified by tenths of their range of ranks. A class with a single row is always
trained on and never tested on, so no table is too uneven to be split.
"""

import numpy as np

MIN_HOLD_OUT_ROWS = 50  # fewer rows than this are all needed for training: folds only


def strata(y: np.ndarray, task: str) -> np.ndarray:
    """An integer (n,) per row: its class, or the tenth of the ranks that its number falls into."""
    if task == "classification":
        return np.unique(y, return_inverse=True)[1]
    ranks = np.argsort(np.argsort(y, kind="stable"), kind="stable")
    return ranks * 10 // max(len(y), 1)


def hold_out(groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Row numbers set apart for the last test, sorted; none for a small table.

    Args:
        groups: strata (n,).
        share: of each stratum, 0 to 1.
    """
    if len(groups) < MIN_HOLD_OUT_ROWS or share == 0:
        return np.array([], dtype=np.int64)
    random = np.random.default_rng(seed)
    chosen = []
    for group in np.unique(groups):
        rows = random.permutation(np.flatnonzero(groups == group))
        chosen.append(rows[:min(round(len(rows) * share), len(rows) - 1)])
    return np.sort(np.concatenate(chosen))


def folds(groups: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The fold (n,) in which each row is tested, 0 to count - 1; -1: never."""
    random = np.random.default_rng(seed)
    numbers = np.full(len(groups), -1)
    place = 0
    for group in np.unique(groups):
        rows = random.permutation(np.flatnonzero(groups == group))
        if len(rows) > 1:
            numbers[rows] = (place + np.arange(len(rows))) % count
            place += len(rows)
    return numbers
