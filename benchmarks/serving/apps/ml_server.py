"""MLServer with its scikit-learn runtime."""

import json
import os
import sys
from pathlib import Path

FOLDER = Path(os.environ["CASE"])

if __name__ == "__main__":
    folder = FOLDER / "mlserver"
    folder.mkdir(exist_ok=True)
    (folder / "model-settings.json").write_text(json.dumps({
        "name": "served", "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(FOLDER / "model.joblib")}}))
    port = int(sys.argv[1])
    (folder / "settings.json").write_text(json.dumps({
        "host": "127.0.0.1", "http_port": port, "grpc_port": port + 1, "metrics_port": port + 2,
        "parallel_workers": int(os.environ["WORKERS"])}))
    os.chdir(folder)
    os.execv(sys.executable, [sys.executable, "-m", "mlserver.cli.main", "start", "."])
