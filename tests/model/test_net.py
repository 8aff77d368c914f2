"""The net of `--model auto`: learned where torch is, answered everywhere, absent without it."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Run, assert_refused, read_metadata, run_in, write_table

from mlmonkey.metadata import installed_versions
from mlmonkey.model_files import deserialize, serialize
from mlmonkey.net import MIXED
from mlmonkey.rows import rows_from_columns
from mlmonkey.schema import canonical_frame
from mlmonkey.serving import Form
from src.model.gate import make_form
from src.model.models import auto
from src.model.net import (EPOCHS, FEWEST_EPOCHS, STEPS, WAVES, WIDTH, WORK, NetClassifier,
                           NetRegressor, plan)
from src.model.pipeline import build_pipeline
from src.model.trusted import TRUSTED

BLEND = ("--model", "auto", "--folds", 2, "--no-report")


@pytest.fixture(scope="module")
def torch_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PYTHONPATH with torch; in the environment itself it would join every blend."""
    folder = tmp_path_factory.mktemp("torch")
    pin = re.search(r'"(torch==.*)"', (ROOT / "setup.py").read_text())
    index = os.environ.get("TORCH_INDEX")  # of wheels for a processor alone, as for make init
    assert pin
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--only-binary=:all:",
         "--target", folder, pin[1], *(["--extra-index-url", index] if index else [])],
        capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{pin[1]} can't be installed: {done.stderr.strip().splitlines()[-1]}")
    return str(folder)


def random_net(net: Any, columns: int, numbers: np.ndarray, outputs: int) -> Any:
    """A net as if fitted."""
    random, wide = np.random.default_rng(0), columns + len(numbers) * MIXED
    shapes = [(len(numbers), WAVES), (len(numbers), WAVES), (len(numbers), WAVES, MIXED),
              (wide, WIDTH), (WIDTH,), (WIDTH, WIDTH), (WIDTH,), (WIDTH, outputs), (outputs,)]
    net.numbers_, net.epoch_ = numbers, 1
    net.weights_ = [random.normal(0, 0.1, shape).astype(np.float32) for shape in shapes]
    return net


def test_a_saved_net_answers_the_same_without_torch() -> None:
    net = random_net(NetClassifier(), 3, np.array([0, 2]), 3)
    net.classes_ = np.arange(3)
    X = np.random.default_rng(1).normal(size=(2500, 3)) * 1e3
    answers = net.predict_proba(X)
    assert np.allclose(answers.sum(axis=1), 1) and answers.std(axis=0).min() > 0
    again = deserialize(serialize(net, "skops"), "skops", TRUSTED, "net.skops")
    assert (again.predict_proba(X) == answers).all()
    assert np.allclose(again.predict_proba(X[-1:]), answers[-1:], rtol=1e-12)
    assert not net.predict_proba(X[:0]).size


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_blend_with_a_net_is_compiled(task: str) -> None:
    random, schema = np.random.default_rng(0), [
        {"name": "size", "dtype": "number"}, {"name": "day", "dtype": "date"},
        {"name": "kind", "dtype": "text"}, {"name": "empty", "dtype": "number"}]
    columns = {"size": random.normal(size=200), "empty": np.full(200, np.nan),
               "day": np.datetime64("2020-01-01", "us") + random.integers(0, 10**14, 200),
               "kind": random.choice(np.array(["a", "b", np.nan], dtype=object), 200)}
    X = canonical_frame(columns, schema)
    y = random.integers(0, 3, 200) if task == "classification" else random.normal(size=200)
    blend, style = auto(task, 0, 1)
    model = build_pipeline(blend.set_params(members=["linear"], folds=2), style, X, []).fit(X, y)
    for member in model[-1].members_["linear"]:
        width = member.encoder.transform(model[-1].columns_.transform(X[:2])).shape[1]
        if task == "classification":
            net = random_net(NetClassifier(), width, np.arange(2), 3)
            net.classes_ = member.estimator.classes_
        else:
            net = random_net(NetRegressor(), width, np.arange(2), 1)
        member.estimator = net
    content, about = make_form(model, X, schema, None, 0)
    assert content and about["form"], about
    assert Form(content).predict(rows_from_columns(X[:0], schema)).labels.shape == (0,)


@pytest.mark.parametrize("rows", [1, 50, 2000, 60_000, 10**7])
@pytest.mark.parametrize("weights", [10**5, 10**7])
def test_the_cost_of_a_fit_is_bounded(rows: int, weights: int) -> None:
    seen, steps, epochs = plan(rows, weights)
    assert 1 <= seen <= rows and FEWEST_EPOCHS <= epochs <= EPOCHS
    assert 3 * weights * seen * epochs <= WORK and steps * epochs <= STEPS + epochs


def test_without_torch_there_is_no_net_and_a_broken_one_is_told(
        project: Path, tmp_path: Path, run_stage: Run) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libgomp is missing')")
    done = run_stage(project, "train", *BLEND, "--set", "members=[net]", PYTHONPATH=str(tmp_path),
                     check=False)
    assert_refused(done, "libgomp is missing", "make init EXTRAS=torch", "members=[boosting,")
    done = run_stage(project, "train", *BLEND, "--set", "members=[bosting]", check=False)
    assert_refused(done, "no member 'bosting'")
    members = auto("regression", 0, 1)[0].members
    assert ("net" in members) == bool(installed_versions(["torch"])["torch"])


@pytest.mark.slow
def test_where_torch_is_the_net_joins_and_its_model_needs_none(
        project: Path, torch_path: str, run_stage: Run) -> None:
    x = np.random.default_rng(0).normal(size=(200, 4))
    bowls = write_table(project, "bowls.csv", ["a", "b", "c", "d", "y"],
                        np.column_stack([x, x.sum(axis=1) ** 2]).round(3).tolist())
    words = ("train", "--data", bowls, "--target", "y", *BLEND)
    prediction = ("prediction", "--model-name", "bowls", "--input", bowls)
    said = run_stage(project, *words, PYTHONPATH=torch_path).stdout
    metadata = read_metadata(project, "bowls-v1")
    members = {each["name"]: each["share"] for each in metadata["portfolio"]["members"]}
    assert list(members)[-1] == "net" and "net  " in said
    assert metadata["serving"]["form"] and members["net"] > 0
    assert metadata["stage"]["versions"]["torch"].startswith("2.")
    out = run_stage(project, *prediction).stdout
    assert "model bowls-v1, trained" in out and "stale" not in out

    run_stage(project, *words, "--name", "twin", PYTHONPATH=torch_path)
    twin = read_metadata(project, "twin-v1")
    assert twin["artifacts"][0]["sha256"] == metadata["artifacts"][0]["sha256"]

    run_stage(project, *words)
    members = read_metadata(project, "bowls-v2")["portfolio"]["members"]
    assert "net" not in [each["name"] for each in members]
    assert "stale: torch absent -> 2." in run_stage(project, *prediction,
                                                    PYTHONPATH=torch_path).stdout
    said = run_stage(project, *words, PYTHONPATH=torch_path).stdout
    assert "bowls-v1" in said and not (project / "models/metadata/bowls-v3.json").exists()


LEARNED = """
import numpy as np, torch, warnings
from scipy.sparse import csr_array
from mlmonkey.net import forward
from src.model.net import NetClassifier, NetRegressor, dense
warnings.simplefilter("error")
random = np.random.default_rng(0)
X = random.normal(size=(300, 4)); X[:, 3] = X[:, 3] > 0
y = (X[:, 0] ** 2 > X[:, 3]).astype(int)
many = random.normal(size=(300, 300))
for each in (X, csr_array(X), X[:, :1], X[:, 3:], np.zeros((300, 2)), many):
    net = NetClassifier().fit(each[:200], y[:200], each[200:], y[200:])
    answers = net.predict_proba(each)
    again = NetClassifier().fit(each[:200], y[:200], each[200:], y[200:]).predict_proba(each)
    assert np.isfinite(answers).all() and (answers == again).all()
    tensors = [torch.from_numpy(weight) for weight in net.weights_]
    scores = forward(tensors, torch.from_numpy(net.numbers_),
                     torch.from_numpy(dense(each, np.float32)), torch)
    assert np.allclose(torch.softmax(scores, 1).numpy(), answers, atol=1e-4)
    numbers = NetRegressor().fit(each[:200], X[:200, 0], each[200:], X[200:, 0]).predict(each)
    assert np.isfinite(numbers).all()
labels = NetClassifier().fit(X[:200], y[:200], X[200:], y[200:]).predict(X[200:])
assert (labels == y[200:]).mean() > 0.8
few = NetClassifier().fit(X[:2], np.array([0, 3]), X[:1], np.array([3]))
assert few.predict_proba(X[:5]).shape == (5, 2)
"""


@pytest.mark.slow
def test_whatever_the_columns_are_it_learns_the_same_twice(torch_path: str) -> None:
    run_in(ROOT, [sys.executable, "-c", LEARNED], PYTHONPATH=torch_path)
