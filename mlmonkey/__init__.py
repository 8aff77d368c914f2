"""mlmonkey: the helper package under the scripts: metadata, schema, store, endpoint.

It knows no path of any project and imports nothing from `src`: what it needs is passed in.
In a notebook `load` and `leaderboard` find the models of the folder that it is in.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from mlmonkey.notebook import Model

__version__ = "0.1.0"


def load(name: str | None = None, version: int | None = None) -> "Model":
    """A trained model for a notebook: `mlmonkey.load("iris").predict(df)`; see mlmonkey.notebook.

    Args:
        name: which model; None for the default one.
        version: which version of it; None for the selected one.
    """
    from mlmonkey.notebook import load_model
    return load_model(name, version)


def leaderboard() -> "pd.DataFrame":
    """A row per trained model: what it learned, from how much, and its scores."""
    from mlmonkey.notebook import compare_models
    return compare_models()
