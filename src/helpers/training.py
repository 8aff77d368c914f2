"""The steps of a training, from a profile to a complete model in the store."""

import os
import shutil
import time
import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss, r2_score
from threadpoolctl import threadpool_limits

from mlmonkey import metadata as md
from mlmonkey.code_state import git_commit, uncommitted_patch
from mlmonkey.errors import UserError
from mlmonkey.golden import Prediction, golden_difference, golden_outputs, predict_with
from mlmonkey.model_files import deserialize, serialize
from mlmonkey.schema import draw_rows
from mlmonkey.store import ModelId, ModelStore, check_name
from src.helpers import freshness
from src.helpers.configuration import Config, nearest
from src.helpers.datasets import model_store
from src.helpers.progress import steps
from src.helpers.scores import aligned, evaluation_block, score_answers, summarize
from src.helpers.splits import folds, hold_out, strata
from src.helpers.tables import Table, check_task, read_training_table, tell_task
from src.model.models import MODELS
from src.model.pipeline import build_pipeline
from src.settings import ROOT, secret_values

GOLDEN_ROWS = 20
MANY_ROWS = 20_000  # with fewer, threads wait for each other longer than they work
IMPORTANCE_ROWS = 2000  # more rows make the importances no truer, only slower
IMPORTANCE_REPEATS = 5
IMPORTANCE_ROUNDS = 500  # predictions in all: with many columns each is permuted less often
PATCH_PATHS = ("src", "mlmonkey", "Makefile", "setup.py", "requirements*", "params.yaml")


class Evaluation(NamedTuple):
    """Scores of a model or dummy, and what the report draws."""

    scores: list[dict[str, Any]]
    block: dict[str, Any]


class Recipe(NamedTuple):
    """All that decides how a model is fitted."""

    algorithm: str
    parameters: dict[str, Any]
    task: str
    seed: int
    threads: int
    functions: list[str]

    def build(self, X: pd.DataFrame) -> Any:
        """An unfitted pipeline for a table like X."""
        estimator, style = MODELS[self.algorithm](self.task, self.seed, self.threads)
        known = estimator.get_params()
        for name in self.parameters:
            if name not in known:
                raise UserError(f"--set {name}: {type(estimator).__name__} has no such parameter"
                                f"{nearest(name, known)}")
        return build_pipeline(estimator.set_params(**self.parameters), style, X, self.functions)

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Any:
        """A pipeline fitted on X (n, features) and y (n,).

        Raises:
            UserError: when the estimator refuses its parameters or this table.
        """
        pipeline = self.build(X)
        try:
            return pipeline.fit(X, y)
        except (TypeError, ValueError) as error:
            if os.environ.get("TRACEBACK"):
                raise
            what = (f"--set {' --set '.join(f'{key}={value}' for key, value in given.items())}"
                    if (given := self.parameters) else f"--model {self.algorithm}")
            raise UserError(f"{what}: {type(pipeline[-1]).__name__} can't be fitted: {error}; "
                            "TRACEBACK=1 shows where") from None


def train(profile: dict[str, Any], target: str, config: Config) -> dict[str, Any]:
    """Train, evaluate and save a model; return its metadata."""
    clock = Clock()
    table = read_training_table(profile, target)
    path = profile["raw"]["path"]
    task = tell_task(table, path) if config.task == "auto" else config.task
    check_task(table, task, path)
    name = check_name(profile["key"].rsplit("-", 1)[0] if config.name is None else config.name)
    threads = config.threads or (1 if len(table.y) < MANY_ROWS else 2)
    recipe = make_recipe(config, task, profile, threads)
    store = model_store()
    check_owner(store, name, path, target)
    print(f"training: {config.model} {task} of {target!r} from {len(table.y):,} rows, "
          f"{len(table.schema)} columns{_said(config.task)}")
    if without := profile["transformed"]["rows"] - len(table.y):
        print(f"note: {without:,} rows without a value of {target!r} are left out")
    if shutil.which("git") is None:
        print("note: git is not installed, so the metadata has no commit and no patch")
    clock.split("read")
    with store.claim(name) as identifier, threadpool_limits(threads), \
            steps(config.folds + 4) as step:
        parts = split_rows(table, config, task)
        evaluation, dummy = evaluate(table, parts, recipe, config, step)
        clock.split("evaluation")
        step("fit")
        fitted_rows = np.arange(len(table.y)) if config.refit else parts.training
        model = recipe.fit(table.X.iloc[fitted_rows], table.y[fitted_rows])
        clock.split("fit")
        step("importances")
        importances = explain(model, table, parts, config.seed, task)
        clock.split("importances")
        step("save")
        settle(model)
        metadata = save(store, identifier, model, {
            "profile": profile, "table": table, "task": task, "config": config, "recipe": recipe,
            "evaluation": evaluation, "dummy": dummy, "importances": importances,
            "parts": parts, "clock": clock})
    if not store.select(identifier):
        print(f"note: the promoted version of {name!r} stays the one that is used")
    return metadata


class Clock:
    """Seconds spent in each step."""

    def __init__(self) -> None:
        self.began = self.last = time.perf_counter()
        self.timings: dict[str, float] = {}

    def split(self, step: str) -> None:
        """End a step."""
        now = time.perf_counter()
        self.timings[step] = round(now - self.last, 4)
        self.last = now

    def finished(self) -> dict[str, float]:
        """The steps and their total so far."""
        return self.timings | {"total": round(time.perf_counter() - self.began, 4)}


class Parts(NamedTuple):
    """Row numbers to train on (n,), row numbers held out (m,), and the fold of each of the n."""

    training: np.ndarray
    hold_out: np.ndarray
    fold: np.ndarray


def make_recipe(config: Config, task: str, profile: dict[str, Any], threads: int) -> Recipe:
    """Check the algorithm's name and the settings.

    Raises:
        UserError: for an unknown algorithm or a setting that is not KEY=VALUE.
    """
    if config.model not in MODELS:
        raise UserError(f"--model {config.model}: there is no such algorithm in "
                        f"src/model/models.py{nearest(config.model, MODELS)}")
    parameters = {}
    for word in config.set:
        key, mark, value = word.partition("=")
        if not mark or not key:
            raise UserError(f"--set {word}: write it as KEY=VALUE, such as --set max_depth=3")
        parameters[key.strip()] = read_value(word, value)
    functions = freshness.feature_functions(profile) if config.features else []
    return Recipe(config.model, parameters, task, config.seed, threads, functions)


def read_value(word: str, text: str) -> Any:
    """A parameter's value: what YAML reads, and numbers such as 1e-3 too.

    Raises:
        UserError: when it is no value.
    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise UserError(f"--set {word}: {text!r} is no value; quote a text: "
                        "--set 'key=\"text\"'") from None
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def check_owner(store: ModelStore, name: str, path: str, target: str) -> None:
    """A name belongs to one source and one target: refuse another one under it."""
    known = (metadata for identifier, metadata in store.readable(backwards=True)
             if identifier.name == name)
    newest = next(known, None)
    md.check_owner(name, newest, path, target)


def split_rows(table: Table, config: Config, task: str) -> Parts:
    """Set the hold-out apart, then number the folds of the rest; say what is unusual."""
    groups = strata(table.y, task)
    held = hold_out(groups, config.hold_out, config.seed)
    training = np.setdiff1d(np.arange(len(table.y)), held)
    if not len(held):
        print("note: no hold-out, the scores are those of the folds")
    fold = folds(groups[training], config.folds, config.seed)
    if (fold < 0).any():
        print(f"note: {(fold < 0).sum()} class(es) with a single row are learned, never tested")
    return Parts(training, held, fold)


def evaluate(table: Table, parts: Parts, recipe: Recipe, config: Config,
             step: Any) -> tuple[Evaluation, Evaluation]:
    """Cross-validate and test on the hold-out: the model, and a dummy on the same rows."""
    dummy = recipe._replace(algorithm="dummy", parameters={}, functions=[])
    classes = np.unique(table.y) if recipe.task == "classification" else None
    strategy = f"{config.folds}-fold cross-validation"
    answers: list[tuple[Recipe, list[tuple[np.ndarray, Prediction]]]] = [(recipe, []), (dummy, [])]
    for number in range(config.folds):
        step(f"fold {number + 1} of {config.folds}")
        tested = parts.training[parts.fold == number]
        learned = parts.training[parts.fold != number]
        if len(tested):
            for one, given in answers:
                given.append((tested, _answer(one, table, learned, tested, classes)))
    if len(parts.hold_out):
        step("hold-out")
        for one, given in answers:
            given.append((parts.hold_out, _answer(one, table, parts.training, parts.hold_out,
                                                  classes)))
    results = []
    for _, given in answers:
        scored = [score_answers(recipe.task, table.y[rows], *answer, classes)
                  for rows, answer in given]
        last = len(scored) - bool(len(parts.hold_out))
        scores = summarize(scored[last:], "hold-out") + summarize(scored[:last], strategy)
        shown = given[last:] or given
        rows = np.concatenate([rows for rows, _ in shown])
        labels = np.concatenate([answer.labels for _, answer in shown])
        block = evaluation_block(recipe.task, "hold-out" if given[last:] else strategy,
                                 table.y[rows], labels, classes)
        results.append(Evaluation(scores, block))
    return results[0], results[1]


def explain(model: Any, table: Table, parts: Parts, seed: int, task: str) -> list[dict[str, Any]]:
    """Permutation importance of each column: how much log-loss or R2 is lost without it."""
    rows = parts.hold_out if len(parts.hold_out) else parts.training
    rows = np.random.default_rng(seed).permutation(rows)[:IMPORTANCE_ROWS]
    repeats = int(np.clip(IMPORTANCE_ROUNDS // table.X.shape[1], 1, IMPORTANCE_REPEATS))
    found = permutation_importance(model, table.X.iloc[rows], table.y[rows], random_state=seed,
                                   scoring=_log_loss if task == "classification" else _r2,
                                   n_repeats=repeats)
    order = np.argsort(-found.importances_mean, kind="stable")
    return [{"feature": str(table.X.columns[i]), "value": float(found.importances_mean[i]),
             "std": float(found.importances_std[i])} for i in order]


def settle(model: Any) -> None:
    """One thread in what is saved: a server's workers share the machine already."""
    estimator = model[-1]
    if "n_jobs" in estimator.get_params():
        estimator.set_params(n_jobs=1)


def save(store: ModelStore, identifier: ModelId, model: Any,
         done: dict[str, Any]) -> dict[str, Any]:
    """Write the artifacts, then the metadata that makes them a model."""
    config, profile, table, parts = (done[key] for key in ("config", "profile", "table", "parts"))
    recipe, timestamp = done["recipe"], md.now()
    commit = git_commit(ROOT)
    patch = uncommitted_patch(ROOT, PATCH_PATHS, secret_values())
    rows = draw_rows(table.schema, GOLDEN_ROWS, config.seed)
    golden = {"rows": rows, **golden_outputs(model, rows, table.schema)}
    content, file = serialize(model, config.format), f"{identifier}.{config.format}"
    # a model that could not be loaded again must not come into being
    loaded = deserialize(content, config.format, store.trusted, file)
    if difference := golden_difference(loaded, golden, table.schema):
        raise UserError(f"{recipe.algorithm} gives other numbers when it is loaded again "
                        f"({difference}); nothing was saved; try --format joblib")
    artifacts = [md.write_artifact(store.models, file, "model", config.format, content)]
    if recipe.functions:
        text = (ROOT / freshness.FEATURES_CODE).read_bytes()
        artifacts.append(md.write_artifact(store.models, f"{identifier}.features.txt", "features",
                                           "text", text))
    if patch:
        artifacts.append(md.write_artifact(store.models, f"{identifier}.patch", "patch", "text",
                                           patch))
    done["clock"].split("save")
    metadata = {
        "metadata_version": md.METADATA_VERSION,
        "model_identifier": md.identifier_of(commit, timestamp, str(identifier)),
        "model_name": identifier.name, "model_version": identifier.version,
        "model_type": type(model[-1]).__name__, "algorithm": recipe.algorithm,
        "task": done["task"],
        "model_hyperparameters": {name: _plain(value)
                                  for name, value in model[-1].get_params().items()},
        "input_data_location": profile["raw"]["path"],
        "target": describe_target(table, done["task"]),
        "features": [feature["name"] for feature in table.schema],
        "feature_importances": done["importances"],
        "scores": done["evaluation"].scores, "baseline_scores": done["dummy"].scores,
        "git_commit": commit, "timestamp": timestamp,
        "data": describe_data(profile, table, parts, config.refit),
        "schema": table.schema,
        "environment": md.environment_block(freshness.pinned(), recipe.threads,
                                            None if patch is None else bool(patch)),
        "config": config.block(), "artifacts": artifacts, "golden": golden,
        "evaluation": without_private(done["evaluation"].block, table),
        "timings": done["clock"].finished(),
        "stage": freshness.train_record(profile, config),
    }
    md.write_metadata(store.metadata_path(identifier), metadata)
    return metadata


def describe_target(table: Table, task: str) -> dict[str, Any]:
    """Classes and their counts, or the range of the numbers; no range when it is private."""
    target = {key: value for key, value in table.target.items()
              if key in ("name", "dtype", "private")}
    if task == "classification":
        classes, counts = np.unique(table.y, return_counts=True)
        return target | {"classes": classes.tolist(), "counts": counts.tolist()}
    if table.target.get("private"):
        return target
    return target | {"minimum": float(table.y.min()), "maximum": float(table.y.max()),
                     "mean": float(table.y.mean())}


def without_private(block: dict[str, Any], table: Table) -> dict[str, Any]:
    """The evaluation as it may be shown: a private target's numbers have no axis."""
    if not table.target.get("private"):
        return block
    return {key: value for key, value in block.items() if key not in ("edges",
                                                                      "residual_quantiles")}


def describe_data(profile: dict[str, Any], table: Table, parts: Parts,
                  refit: bool) -> dict[str, Any]:
    """Where the rows came from, how they were read, and which were held out."""
    dataset = profile["transformed"]["rows"]
    held = len(parts.hold_out)
    return {
        "key": profile["key"], "raw": profile["raw"], "transformed": profile["transformed"],
        "config": profile["config"],
        "reading": profile["reading"], "rules": profile["rules"], "records": profile["records"],
        "rows": {"dataset": dataset, "without_target": dataset - len(table.y),
                 "training": len(table.y) - (0 if refit else held), "hold_out": held},
        "refit": refit, "hold_out_rows": table.rows[parts.hold_out].tolist(),
    }


def _answer(recipe: Recipe, table: Table, learned: np.ndarray, tested: np.ndarray,
            classes: np.ndarray | None) -> Prediction:
    model = recipe.fit(table.X.iloc[learned], table.y[learned])
    with warnings.catch_warnings():
        # a category that only the tested rows hold is what prediction will meet too
        warnings.filterwarnings("ignore", message="Found unknown categories")
        answer = predict_with(model, table.X.iloc[tested])
    if classes is None or len(model.classes_) == len(classes):
        return answer
    return Prediction(answer.labels, aligned(answer.probabilities, model.classes_, classes))


def _log_loss(model: Any, X: pd.DataFrame, y: np.ndarray) -> float:
    return -float(log_loss(y, model.predict_proba(X), labels=model.classes_))


def _r2(model: Any, X: pd.DataFrame, y: np.ndarray) -> float:
    return float(r2_score(y, model.predict(X)))


def _said(task: str) -> str:
    return " (told from the target; --task overrides)" if task == "auto" else ""


def _plain(value: Any) -> Any:
    """A parameter as JSON; what JSON has no word for, as text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else str(value)
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else str(value)
