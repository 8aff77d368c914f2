"""The steps of a training, from a profile to a complete model in the store."""

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from mlmonkey import metadata as md
from mlmonkey.bins import reference
from mlmonkey.claims import check_owner
from mlmonkey.code_state import git_commit, uncommitted_patch
from mlmonkey.current import select
from mlmonkey.errors import UserError
from mlmonkey.golden import golden_difference, golden_outputs, predict_with
from mlmonkey.model_files import deserialize, serialize
from mlmonkey.names import ModelId, check_name
from mlmonkey.rows import rows_from_columns
from mlmonkey.schema import draw_rows
from mlmonkey.store import ModelStore
from src.etl.unpack import table_name
from src.helpers import freshness
from src.helpers.configuration import Config
from src.helpers.datasets import model_store
from src.helpers.doctor import examine
from src.helpers.evaluation import Parts, evaluate, explain, fit_all, split_rows
from src.helpers.memory import with_row_limit
from src.helpers.progress import steps
from src.helpers.recipe import make_recipe
from src.helpers.secrets import secret_values
from src.helpers.tables import Table, check_task, read_training_table, tell_task
from src.model.gate import make_form
from src.settings import ROOT

GOLDEN_ROWS = 20
TIMED_ROWS = 1000
AT_ONCE = 20_000  # rows counted together
MANY_ROWS = 20_000  # with fewer, threads wait for each other longer than they work
PATCH_PATHS = ("src", "mlmonkey", "Makefile", "setup.py", "requirements*", "params.yaml")


def train(profile: dict[str, Any], target: str, config: Config) -> dict[str, Any]:
    """Train, evaluate and save a model; return its metadata."""
    clock, config = Clock(), with_row_limit(config, profile)
    table = read_training_table(profile, target, config)
    path = profile["raw"]["path"]
    task = tell_task(table, path) if config.task == "auto" else config.task
    check_task(table, task, path)
    name = check_name(table_name(Path(path)) if config.name is None else config.name)
    threads = config.threads or (1 if len(table.y) < MANY_ROWS else 2)
    recipe = make_recipe(config, task, profile, threads)
    store = model_store()
    newest = next((metadata for identifier, metadata in store.readable(backwards=True)
                   if identifier.name == name), None)
    check_owner(name, newest, path, target, [each.name for each in store.identifiers()])
    print(f"training: {config.model} {task} of {target!r} from {len(table.y):,} rows, "
          f"{len(table.schema)} columns{_said(config.task)}")
    if table.known > len(table.y):
        print(f"note: these are a sample of {table.known:,} rows" + (
            ", as many as fit into memory; --max-rows sets another number"
            if config.sources["max_rows"] == "memory" else ""))
    if without := profile["transformed"]["rows"] - table.known:
        print(f"note: {without:,} rows without a value of {target!r} are left out")
    if shutil.which("git") is None:
        print("note: git is not installed, so the metadata has no commit and no patch")
    clock.split("read")
    findings = examine(table, task, config)
    clock.split("doctor")
    with store.claim(name) as identifier, threadpool_limits(threads), \
            steps(config.folds * recipe.members(table.y) + 4) as step:
        parts = split_rows(table, config, task)
        model, evaluation, dummy = evaluate(table, parts, recipe, config, step)
        clock.split("evaluation")
        if config.refit:
            step("fit on all rows")
            model = fit_all(model, table, recipe, config)
            clock.split("refit")
        step("importances")
        importances = explain(model, table, parts, config.seed, task)
        clock.split("importances")
        step("save")
        settle(model)
        metadata = save(store, identifier, model, {
            "profile": profile, "table": table, "task": task, "config": config, "recipe": recipe,
            "evaluation": evaluation, "dummy": dummy, "importances": importances,
            "parts": parts, "doctor": findings, "clock": clock})
    if not select(store.models, identifier):
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
    golden = {"rows": rows, **golden_outputs(lambda asked: predict_with(model, asked.frame()),
                                             rows, table.schema)}
    content, file = serialize(model, config.format), f"{identifier}.{config.format}"
    # a model that could not be loaded again must not come into being
    loaded = deserialize(content, config.format, store.trusted, file)
    if difference := golden_difference(lambda asked: predict_with(loaded, asked.frame()),
                                       golden, table.schema):
        raise UserError(f"{recipe.algorithm} gives other numbers when it is loaded again "
                        f"({difference}); nothing was saved; try --format joblib")
    artifacts = [md.write_artifact(store.models, file, "model", config.format, content)]
    done["clock"].split("save")
    form, serving = make_form(model, table.X, table.schema, store.functions, config.seed)
    if form:
        artifacts.append(md.write_artifact(store.models, f"{identifier}.form", "serving", "form",
                                           form))
    if recipe.functions:
        text = (ROOT / freshness.FEATURES_CODE).read_bytes()
        artifacts.append(md.write_artifact(store.models, f"{identifier}.features.txt", "features",
                                           "text", text))
    if patch:
        artifacts.append(md.write_artifact(store.models, f"{identifier}.patch", "patch", "text",
                                           patch))
    done["clock"].split("serving")
    frame = table.X.iloc[np.arange(TIMED_ROWS) % len(table.X)]
    with threadpool_limits(1):  # as the endpoint's workers do
        predict_with(model, frame)
    done["clock"].split("answer 1,000 rows")
    target = describe_target(table, done["task"])
    parts_of_table = (rows_from_columns(table.X.iloc[start:start + AT_ONCE], table.schema)
                      for start in range(0, len(table.X), AT_ONCE))
    drift = reference(parts_of_table, table.schema, target, done["evaluation"].answers)
    done["clock"].split("drift")
    metadata = {
        "metadata_version": md.METADATA_VERSION,
        "model_identifier": md.identifier_of(commit, timestamp, str(identifier)),
        "model_name": identifier.name, "model_version": identifier.version,
        "model_type": type(model[-1]).__name__, "algorithm": recipe.algorithm,
        "task": done["task"],
        "model_hyperparameters": {name: _plain(value)
                                  for name, value in model[-1].get_params().items()},
        "input_data_location": profile["raw"]["path"],
        "target": target,
        "features": [feature["name"] for feature in table.schema],
        "feature_importances": done["importances"],
        "scores": done["evaluation"].scores, "baseline_scores": done["dummy"].scores,
        "git_commit": commit, "timestamp": timestamp,
        "data": describe_data(profile, table, parts, config.refit),
        "schema": table.schema,
        "environment": md.environment_block(freshness.pinned(), recipe.threads,
                                            None if patch is None else bool(patch)),
        "config": config.block(), "artifacts": artifacts, "golden": golden,
        "serving": serving, "drift": drift,
        "doctor": done["doctor"],
        "evaluation": without_private(done["evaluation"].block, table),
        "timings": done["clock"].finished(),
        **({"portfolio": model[-1].summary()} if recipe.algorithm == "auto" else {}),
        "stage": freshness.train_record(profile, config),
    }
    # in the unit of the target: of a private number nothing of the kind is kept
    intervals = done["evaluation"].intervals
    if intervals and not (table.target.get("private") and done["task"] == "regression"):
        metadata["intervals"] = intervals
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
        "rows": {"dataset": dataset, "without_target": dataset - table.known,
                 "not_sampled": table.known - len(table.y),
                 "training": len(table.y) - (0 if refit else held), "hold_out": held},
        "refit": refit, "hold_out_rows": table.rows[parts.hold_out].tolist(),
    }


def _said(task: str) -> str:
    return " (told from the target; --task overrides)" if task == "auto" else ""


def _plain(value: Any) -> Any:
    """A parameter as JSON; what JSON has no word for, as text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else str(value)
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else str(value)
