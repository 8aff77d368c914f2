"""BentoML: a service with one method."""

import json
import os
from pathlib import Path
from typing import Any

import bentoml
import joblib
import pandas as pd

FOLDER = Path(os.environ["CASE"])


@bentoml.service(workers=int(os.environ["WORKERS"]))
class Service:
    def __init__(self) -> None:
        self.columns = json.loads((FOLDER / "case.json").read_text())["columns"]
        self.model = joblib.load(FOLDER / "model.joblib")

    @bentoml.api
    def predict(self, features: list[list[Any]]) -> list[str]:
        return self.model.predict(pd.DataFrame(features, columns=self.columns)).tolist()
