"""For notebooks: a trained model, and what is known of all of them, as pandas frames.

    import mlmonkey
    model = mlmonkey.load("penguins")        # mlmonkey.load() is the default model
    model.predict(df)                        # prediction and probability_<class>, with df's index
    model.scores, model.features             # frames of its metadata
    mlmonkey.leaderboard()                   # a row per model

A project says in its tox.ini how its models are opened, for they may rely on code of its own:

    [mlmonkey]
    store = module:function                  # which takes nothing and returns a ModelStore

The tox.ini is looked for in the present folder and those above. Without one the models are in
MODELS_DIR, or in the first folder `models` on the same way; their code is then missing.
"""

import os
import sys
from configparser import RawConfigParser
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from mlmonkey.current import read_current
from mlmonkey.errors import UserError
from mlmonkey.rows import Reader
from mlmonkey.store import LoadedModel, ModelStore


class Model:
    """A checked model that answers frames; `metadata` is its JSON."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded
        self.metadata = loaded.metadata

    def __repr__(self) -> str:
        return (f"<{self.loaded.identifier}: {self.metadata['task']} of "
                f"{self.metadata['target']['name']!r} by {self.metadata['model_type']}>")

    def predict(self, df: pd.DataFrame) -> pd.DataFrame:
        """An answer per row: `prediction`, and of classes `probability_<class>`.

        Columns that the model doesn't know are left out; values must be of its kinds, as at the
        endpoint.

        Raises:
            UserError: when a column is missing. ValueError: for the first value that doesn't fit.
        """
        names = [feature["name"] for feature in self.metadata["schema"]]
        missing = [name for name in names if name not in df]
        if missing:
            raise UserError(f"{self.loaded.identifier} needs the column(s) "
                            f"{', '.join(map(repr, missing))}; there are "
                            f"{', '.join(map(repr, df.columns[:20]))}")
        rows = [list(row) for row in zip(*(plain_values(df[name]) for name in names))]
        found = self.loaded.predict(Reader(self.metadata["schema"]).read(rows)[0])
        answers = {"prediction": found.labels}
        for place, label in enumerate(self.loaded.classes or []):
            answers[f"probability_{label}"] = found.probabilities[:, place]
        return pd.DataFrame(answers, index=df.index)

    @property
    def scores(self) -> pd.DataFrame:
        """A row per metric, a column per strategy; the dummy's beside them."""
        parts = {"": self.metadata["scores"], "dummy: ": self.metadata["baseline_scores"]}
        return pd.DataFrame([{"metric": each["metric"], "strategy": name + each["strategy"],
                              "value": each["value"]} for name, scores in parts.items()
                             for each in scores]).pivot(index="metric", columns="strategy",
                                                        values="value")

    @property
    def features(self) -> pd.DataFrame:
        """A row per column that the model asks for, the most important first."""
        importances = {each["feature"]: each["value"]
                       for each in self.metadata["feature_importances"]}
        frame = pd.DataFrame([{
            "feature": each["name"], "dtype": each["dtype"],
            "importance": importances.get(each["name"]),
            "missing": each["missing_share"], "minimum": each.get("minimum"),
            "maximum": each.get("maximum"), "categories": len(each.get("categories", []))}
            for each in self.metadata["schema"]]).set_index("feature")
        return frame.sort_values("importance", ascending=False)


def plain_values(column: pd.Series) -> list[Any]:
    """The values as JSON has them: None for missing, dates as text."""
    if column.dtype.kind == "M":
        column = column.dt.strftime("%Y-%m-%dT%H:%M:%S.%f")
    return [None if missing else value for value, missing in zip(column.tolist(), column.isna())]


def load_model(name: str | None, version: int | None) -> Model:
    """See mlmonkey.load."""
    store = find_store()
    return Model(store.load(store.choose(name, version)))


def compare_models() -> pd.DataFrame:
    """See mlmonkey.leaderboard."""
    store = find_store()
    chosen = read_current(store.models)["models"]
    selected = {name: each["version"] for name, each in chosen.items()}
    rows = []
    for identifier, metadata in store.readable():
        scores = [each for each in metadata["scores"] if each["strategy"] == "hold-out"]
        rows.append({"model": str(identifier), "target": metadata["target"]["name"],
                     "algorithm": metadata["algorithm"],
                     "rows": metadata["data"]["rows"]["training"],
                     **{each["metric"]: each["value"] for each in scores or metadata["scores"]},
                     "selected": selected.get(identifier.name) == identifier.version,
                     "trained": metadata["timestamp"]})
    return pd.DataFrame(rows).set_index("model") if rows else pd.DataFrame()


def find_store() -> ModelStore:
    """The models of the project that the present folder belongs to.

    Raises:
        UserError: when there is none.
    """
    here = Path.cwd()
    folders = [here, *here.parents]
    for folder in folders:
        settings = RawConfigParser()
        settings.read(folder / "tox.ini", encoding="utf-8")
        if named := settings.get("mlmonkey", "store", fallback=None):
            if str(folder) not in sys.path:
                sys.path.append(str(folder))
            module, _, function = named.partition(":")
            store: ModelStore = getattr(import_module(module), function)()
            return store
    models = os.environ.get("MODELS_DIR") or next(
        (folder / "models" for folder in folders if (folder / "models/metadata").is_dir()), None)
    if models is None:
        raise UserError(f"there are no models in {here} or above it; go to the project's folder, "
                        "or name theirs: MODELS_DIR=/path/to/models")
    metadata = os.environ.get("MODELS_METADATA_DIR") or Path(models) / "metadata"
    return ModelStore(Path(models), Path(metadata))
