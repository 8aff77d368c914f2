"""MLflow's scoring server, on a model saved the way its documentation says."""

import os
import sys
from pathlib import Path

import joblib
import mlflow

FOLDER = Path(os.environ["CASE"])

if __name__ == "__main__":
    if not (FOLDER / "mlflow").exists():
        mlflow.sklearn.save_model(joblib.load(FOLDER / "model.joblib"), FOLDER / "mlflow")
    os.execv(sys.executable, [
        sys.executable, "-m", "mlflow", "models", "serve", "-m", str(FOLDER / "mlflow"),
        "--env-manager", "local", "--host", "127.0.0.1", "--port", sys.argv[1],
        "--workers", os.environ["WORKERS"]])
