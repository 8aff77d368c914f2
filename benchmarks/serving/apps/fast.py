"""FastAPI as its tutorial has it: a pydantic model of the body, a plain function."""

import json
import os
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

FOLDER = Path(os.environ["CASE"])
COLUMNS = json.loads((FOLDER / "case.json").read_text())["columns"]
app = FastAPI()
model = joblib.load(FOLDER / "model.joblib")


class Question(BaseModel):
    features: list[list[Any]]


@app.post("/predict")
def predict(question: Question) -> dict[str, list[str]]:
    frame = pd.DataFrame(question.features, columns=COLUMNS)
    return {"result": model.predict(frame).tolist()}
