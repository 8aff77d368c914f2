"""LitServe: the four methods of its tutorial."""

import json
import os
import sys
from pathlib import Path

import joblib
import litserve
import pandas as pd

FOLDER = Path(os.environ["CASE"])


class Api(litserve.LitAPI):
    def setup(self, device):
        self.columns = json.loads((FOLDER / "case.json").read_text())["columns"]
        self.model = joblib.load(FOLDER / "model.joblib")

    def decode_request(self, request):
        return pd.DataFrame(request["features"], columns=self.columns)

    def predict(self, frame):
        return self.model.predict(frame)

    def encode_response(self, labels):
        return {"result": labels.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu",
                                workers_per_device=int(os.environ["WORKERS"]))
    server.run(port=int(sys.argv[1]), host="127.0.0.1", generate_client_file=False)
