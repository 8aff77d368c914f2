"""MLflow's scoring server, on a model saved the way its documentation says."""

import os
import shutil
import sys
from pathlib import Path

import joblib
import mlflow

FOLDER = Path(os.environ["CASE"])

if __name__ == "__main__":
    if not (FOLDER / "mlflow" / "MLmodel").exists():
        shutil.rmtree(FOLDER / "mlflow", ignore_errors=True)
        mlflow.sklearn.save_model(joblib.load(FOLDER / "model.joblib"), FOLDER / "mlflow",
                                  serialization_format="cloudpickle")
    os.execv(sys.executable, [
        sys.executable, "-m", "mlflow", "models", "serve", "-m", str(FOLDER / "mlflow"),
        "--env-manager", "local", "--host", "127.0.0.1", "--port", sys.argv[1],
        "--workers", os.environ["WORKERS"]])
