"""Seeded ways to set rows apart: a hold-out, and folds; by strata, by units, or by time.

A unit is what never straddles a split: rows that are copies of each other, or of one group. Units
are dealt out so that each part holds its share of every stratum; numbers are stratified by tenths
of their range of ranks. A class that only one unit holds is always trained on and never tested on,
so no table is too uneven to be split.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from src.model.encodings import useless

MIN_HOLD_OUT_ROWS = 50  # fewer rows than this are all needed for training: folds only


def strata(y: np.ndarray, task: str) -> np.ndarray:
    """An integer (n,) per row: its class, or the tenth of the ranks that its number falls into."""
    if task == "classification":
        return np.unique(y, return_inverse=True)[1]
    ranks = np.argsort(np.argsort(y, kind="stable"), kind="stable")
    return ranks * 10 // max(len(y), 1)


def copies(X: pd.DataFrame) -> np.ndarray:
    """A number (n,) per row, the same for rows in which every column of X but ids is equal.

    Every row has its own where columns of few values would make most rows coincide by chance:
    such rows are no copies, and a model that never met a combination could not be tested on it.
    """
    numbers, twins = np.zeros(len(X), dtype=np.int64), len(X) - 1.0
    for position in range(X.shape[1]):
        codes, _ = pd.factorize(X.iloc[:, position], use_na_sentinel=False)
        counts = np.bincount(codes).astype(float)
        if len(counts) == len(X) and useless(X.iloc[:, position]):
            continue
        # how many twins a row would have, were the columns independent
        twins *= (counts * (counts - 1)).sum() / max(1, len(X) * (len(X) - 1))
        numbers = pd.factorize(numbers * len(counts) + codes)[0]
        if numbers[-1:].max(initial=-1) == len(X) - 1:  # all rows differ already
            return numbers
    return np.arange(len(X)) if twins >= 1 else numbers


def tie(units: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Units (n,) that hold whole units and whole groups; -1 is no group.

    Groups alone where common copies would tie most of them together.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    alone = groups < 0
    groups = np.where(alone, groups.max() + 1 + units, groups)
    size = int(max(units.max(), groups.max())) + 1
    links = coo_array((np.ones(len(units)), (units, groups + size)), shape=(2 * size, 2 * size))
    tied = connected_components(links, directed=False)[1][units]
    few = 2 * len(np.unique(tied)) < len(np.unique(groups))
    return np.unique(groups if few else tied, return_inverse=True)[1]


def hold_out(groups: np.ndarray, share: float, seed: int,
             units: np.ndarray | None = None) -> np.ndarray:
    """Row numbers set apart for the last test, sorted; none for a small table.

    Args:
        groups: strata (n,).
        share: of each stratum, 0 to 1.
        units: what stays together (n,); each row by itself when left out.
    """
    units = np.arange(len(groups)) if units is None else units
    if len(groups) < MIN_HOLD_OUT_ROWS or share * len(groups) < 0.5:
        return np.array([], dtype=np.int64)
    part = deal(groups, [1 - share, share], seed, units)
    return _without_unknown(part == 1, groups, units, np.arange(len(groups)))


def folds(groups: np.ndarray, count: int, seed: int, units: np.ndarray | None = None,
          classes: bool = True) -> np.ndarray:
    """The fold (n,) in which each row is tested, 0 to count - 1; -1: never.

    Args:
        classes: whether each stratum must be known from other folds.
    """
    units = np.arange(len(groups)) if units is None else units
    fold = deal(groups, [1] * count, seed, units)
    return _without_lone(fold, groups, units) if classes else fold


def latest(times: np.ndarray, groups: np.ndarray, share: float, units: np.ndarray) -> np.ndarray:
    """Like hold_out, but the latest rows; of a class only found among them the first is left.

    Args:
        times: when each row was (n,); rows of one moment stay together, and so do units, whose
            moment is their last row's.
        groups: classes (n,), or zeros.
    """
    begins = moments(times, units)
    places = np.unique(begins)[1:]
    if len(groups) < MIN_HOLD_OUT_ROWS or share * len(groups) < 0.5 or not len(places):
        return np.array([], dtype=np.int64)
    cut = places[np.argmin(np.abs(places - (1 - share) * len(times)))]
    return _without_unknown(begins >= cut, groups, units, begins)


def spans(times: np.ndarray, groups: np.ndarray, count: int, units: np.ndarray) -> np.ndarray:
    """Like folds, but each is a span of time; moments with many rows make them fewer than count."""
    begins = moments(times, units)
    middles = begins + np.bincount(begins)[begins] / 2
    fold = np.unique(middles * count // len(times), return_inverse=True)[1]
    return _without_lone(fold, groups, units)


def moments(times: np.ndarray, units: np.ndarray) -> np.ndarray:
    """How many rows come before each row's moment (n,)."""
    ends = pd.Series(times).groupby(units).transform("max").to_numpy()
    return np.searchsorted(np.sort(ends), ends)


def deal(groups: np.ndarray, weights: Sequence[float], seed: int, units: np.ndarray) -> np.ndarray:
    """The part (n,) of each row: of every stratum each part gets about its weight, units whole."""
    random = np.random.default_rng(seed)
    share = np.asarray(weights, dtype=float) / np.sum(weights)
    have = np.zeros((len(share), int(groups.max(initial=0)) + 1))
    part = np.full(len(groups), -1)
    wanted = np.bincount(groups)[:, None] * share  # rows of each stratum in each part
    for rows in _large(units, random):
        mine = groups[rows]
        # how full each part would be of what this unit holds
        full = (have[:, mine].T + np.bincount(mine)[mine, None] / 2) / wanted[mine]
        part[rows] = np.argmin(full.sum(axis=0))
        np.add.at(have[part[rows[0]]], mine, 1)
    for group in np.unique(groups[part < 0]):
        rows = random.permutation(np.flatnonzero((groups == group) & (part < 0)))
        most = np.ceil((len(rows) + have[:, group].sum()) * share).astype(int) + 1
        places = np.repeat(np.arange(len(share)), most)
        level = (np.concatenate([np.arange(each) for each in most]) + 0.5
                 + have[places, group]) / share[places]
        order = np.lexsort((have.sum(axis=1)[places] / share[places], level))[:len(rows)]
        part[rows] = places[order]
        have[:, group] += np.bincount(places[order], minlength=len(share))
    return part


def _large(units: np.ndarray, random: np.random.Generator) -> list[np.ndarray]:
    """The rows of each unit of several, the largest first, equals in random order."""
    rows = np.flatnonzero(np.bincount(units)[units] > 1)
    rows = rows[np.argsort(units[rows], kind="stable")]
    found = np.split(rows, np.flatnonzero(np.diff(units[rows])) + 1) if len(rows) else []
    shuffled = [found[place] for place in random.permutation(len(found))]
    return sorted(shuffled, key=len, reverse=True)


def _without_unknown(held: np.ndarray, groups: np.ndarray, units: np.ndarray,
                     order: np.ndarray) -> np.ndarray:
    """Rows held out, less the first unit of each stratum that would be known from nowhere else."""
    for group in np.setdiff1d(groups[held], groups[~held]):
        rows = np.flatnonzero(groups == group)
        if held[rows].all():  # another stratum's unit may have brought it back already
            held = held & (units != units[rows[np.argmin(order[rows])]])
    return np.flatnonzero(held)


def _without_lone(fold: np.ndarray, groups: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Folds (n,) with -1 for units with a stratum that no other fold holds."""
    folds_of_group = pd.Series(fold).groupby(groups).transform("nunique").to_numpy()
    return np.where(np.isin(units, units[folds_of_group == 1]), -1, fold)
