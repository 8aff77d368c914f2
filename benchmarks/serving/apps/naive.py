"""What everybody writes first: Flask, a DataFrame per request, pipeline.predict."""

import json
import os
from pathlib import Path

import joblib
import pandas as pd
from flask import Flask, jsonify, request

FOLDER = Path(os.environ["CASE"])
COLUMNS = json.loads((FOLDER / "case.json").read_text())["columns"]
app = Flask("naive")
model = joblib.load(FOLDER / "model.joblib")


@app.post("/predict")
def predict():
    frame = pd.DataFrame(request.get_json()["features"], columns=COLUMNS)
    return jsonify({"result": model.predict(frame).tolist()})
