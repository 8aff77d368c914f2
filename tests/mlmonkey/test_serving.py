"""An endpoint's worker answers with the serving form alone: no pandas, no scikit-learn."""

import json
import subprocess
import sys
from pathlib import Path

from conftest import clean_environment, edit_sealed, read_metadata

from mlmonkey.store import ModelId, ModelStore

HEAVY = {"pandas", "scipy", "sklearn", "skops", "joblib", "duckdb", "matplotlib"}
WORKER = """
import json, sys
from pathlib import Path
from tempfile import TemporaryDirectory
from src.deploy_endpoint import main  # all that the master imports
from src.helpers.datasets import model_store
from src.helpers.deployment import Deployment
from mlmonkey.names import ModelId
def make(models, log):
    from mlmonkey.api import create_app
    from mlmonkey.operations import Operations
    app = create_app(models[0], {})
    Operations(app, app.extensions["endpoint"], log.request, Path(folder))
    return app
store = model_store()
identifier = ModelId(sys.argv[1], 1)
with TemporaryDirectory() as folder:
    app = Deployment(store, [identifier], True, Path(folder), make).load()  # asks the example row
client = app.test_client()
row = {name: None for name in store.read_metadata(identifier)["features"]}
ask = {"features": [row], "unusual": True, "interval": 0.5}
answer = client.post("/predict", json=ask)
print(json.dumps([answer.status_code, sorted({name.split(".")[0] for name in sys.modules})]))
"""


def worker(project: Path, name: str, **environment: str) -> tuple[int, set[str]]:
    """The status of an answer, and the packages that a worker has imported then."""
    done = subprocess.run([sys.executable, "-c", WORKER, name], cwd=project, text=True, check=True,
                          capture_output=True, env=clean_environment(**environment))
    assert not done.stderr, done.stderr
    status, packages = json.loads(done.stdout.splitlines()[-1])
    return status, set(packages)


def test_a_worker_imports_neither_pandas_nor_scikit_learn(trained: Path) -> None:
    for name in ("iris", "penguins", "cars"):
        status, packages = worker(trained, name)
        assert status == 200 and not packages & HEAVY, name


def test_the_engine_of_the_trees_reports_to_nobody(trained: Path, tmp_path: Path) -> None:
    folders = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
    assert worker(trained, "iris", **folders)[0] == 200
    assert not list(tmp_path.rglob("*"))  # it numbers the machine there before it reports


def test_without_a_form_the_model_itself_answers(trained_copy: Path) -> None:
    path = trained_copy / "models" / "metadata" / "penguins-v1.json"
    edit_sealed(path, lambda metadata: metadata.update(
        artifacts=[each for each in metadata["artifacts"] if each["role"] != "serving"],
        serving={"form": False, "reason": "tried out"}))
    status, packages = worker(trained_copy, "penguins")
    assert status == 200 and packages >= {"pandas", "sklearn"}


def test_form_and_model_are_one(store: ModelStore, trained: Path) -> None:
    for name in ("iris", "penguins", "cars"):
        metadata = read_metadata(trained, f"{name}-v1")
        assert metadata["serving"]["form"] and metadata["serving"]["generated"] > 100
        model = store.load(ModelId(name, 1))
        assert model.form is not None and model.estimator.predict
