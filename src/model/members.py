"""Which members the portfolio has, and which of them suit a target."""

from typing import Any

import numpy as np

from mlmonkey.errors import UserError

MEMBERS = ("boosting", "extra trees", "linear", "boosting of logs", "linear of logs")
LOGS = " of logs"
SKEWED = 2.0  # skewness of numbers, none below zero, whose logarithms are learned too
BOOSTING_ROUNDS = 500  # at most; the held fold stops it earlier
BOOSTING_TREES = 1500  # at most in each fold: every round grows one per class


def suitable(names: Any, y: np.ndarray, task: str) -> list[str]:
    """The members for a target y (n,): logarithms of skewed numbers only, unless told so alone."""
    names = known_members(names)
    if task == "regression":
        scaled = (y - np.mean(y)) / (np.std(y) or 1.0)
        if np.min(y) > -1e-9 * np.std(y) and np.mean(scaled ** 3) > SKEWED:
            return names
    plain = [name for name in names if not name.endswith(LOGS)]
    if task == "regression":
        return plain or names
    if not plain:
        raise UserError(f"--set members: {names[0]!r} is for numbers, not for classes; leave it "
                        "out, or say --task regression")
    return plain


def known_members(names: Any) -> list[str]:
    """The names of members as they were told, one or a list, each once.

    Raises:
        UserError: for a name that no member has, and for the net without torch.
    """
    told = list(names) if isinstance(names, (list, tuple)) and names else [names]
    for name in told:
        if name not in (*MEMBERS, "net"):
            raise UserError(f"--set members: there is no member {name!r}; choose among them, or "
                            f"net where torch is: --set 'members=[{', '.join(MEMBERS)}]'")
    if "net" in told:
        from src.model.net import import_torch
        import_torch()
    return list(dict.fromkeys(told))


def boosting_rounds(classes: int | None) -> int:
    """At most so many: two classes or numbers take one tree for each, more take one per class."""
    trees = classes if classes and classes > 2 else 1
    return max(1, min(BOOSTING_ROUNDS, BOOSTING_TREES // trees))
