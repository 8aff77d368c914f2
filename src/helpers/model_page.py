"""The HTML page of a model, from its metadata alone."""

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlmonkey.conformal import CHECKED, largest_level, threshold
from mlmonkey.files import write_text
from mlmonkey.metadata import read_scores
from src.helpers.commands import make_line, train_words
from src.helpers.dataset_page import (TOP, describe_account, describe_columns, describe_reading,
                                      number, render, share)
from src.settings import load_settings, relative

# metric -> its name for people; those that begin with neg_ are shown as losses, the less the better
METRICS = {
    "accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy",
    "f1_macro": "F1, macro", "neg_log_loss": "Log-loss", "roc_auc": "ROC AUC",
    "roc_auc_ovr": "ROC AUC", "r2": "R\u00b2",
    "neg_mean_absolute_error": "Mean absolute error",
    "neg_root_mean_squared_error": "Root mean squared error",
    "neg_median_absolute_error": "Median absolute error"}
FEW_CLASSES = 12  # up to so many, the confusion matrix is a table with its counts to be read


def write_model_page(metadata: Mapping[str, Any]) -> Path:
    """Write reports/<name>-v<N>.html and return where it is."""
    path = load_settings().reports / f"{metadata['model_name']}-v{metadata['model_version']}.html"
    target, data, evaluation = (metadata[key] for key in ("target", "data", "evaluation"))
    classes = describe_classes(target, evaluation) if "classes" in target else []
    # a range is missing only when the target is private: then nothing may tell its values
    private_target = target.get("private", False) and not classes
    write_text(path, render(
        "model.html", metadata=metadata, headline=headline(metadata),
        scores=describe_scores(metadata), intervals=describe_intervals(metadata),
        classes=classes, FEW_CLASSES=FEW_CLASSES,
        confusion=pooled(evaluation["confusion"], classes) if classes else [],
        pairs=confused(evaluation["confusion"], target["classes"]) if classes else [],
        ticks=ticks(*evaluation["edges"][::len(evaluation["edges"]) - 1])
        if "grid" in evaluation and not private_target else [], private_target=private_target,
        importances=describe_importances(metadata["feature_importances"]),
        columns=describe_columns(metadata["schema"]),
        account=describe_account(data.get("records", {}), data["rows"]),
        reading=describe_reading(data.get("reading", {})),
        commands=describe_commands(metadata)))
    return path


def headline(metadata: Mapping[str, Any]) -> str:
    """How good the model is against the dummy, in words that need no statistics."""
    evaluation, scores = metadata["evaluation"], read_scores(metadata)
    strategy = evaluation["strategy"]
    model, dummy = scores[strategy], read_scores(metadata, "baseline_scores")[strategy]
    where = (f"On {evaluation['rows']:,} rows it had never seen, it" if strategy == "hold-out"
             else f"In {strategy} over {evaluation['rows']:,} rows, it")
    if metadata["task"] == "classification":
        loss, base = 1 - model["accuracy"], 1 - dummy["accuracy"]
        text, gain = f"is right {share(1 - loss)} of the time", "makes {} fewer mistakes than"
        other = f"that always answers the most frequent class (right {share(1 - base)})"
    else:
        loss, base = (-each["neg_mean_absolute_error"] for each in (model, dummy))
        text, gain = f"is {number(loss, 3)} off on average", "errs {} less than"
        other = f"that always answers the mean ({number(base, 3)} off)"
    better = (gain.format(share(1 - loss / base)) if 0 < loss < base else
              "beats" if loss < base else "is no better than")
    return f"{where} {text} and {better} a dummy {other}."


def describe_scores(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Per strategy the metrics of model and dummy, with their places (percent) on an axis."""
    dummy = read_scores(metadata, "baseline_scores")
    tables: dict[str, list[dict[str, Any]]] = {}
    for score in metadata["scores"]:
        metric, strategy = score["metric"], score["strategy"]
        loss = metric.startswith("neg_")
        sign = -1 if loss else 1
        value, base = sign * score["value"], sign * dummy[strategy].get(metric, math.nan)
        spread = score.get("std")
        # a quality is measured against perfection, a loss against the dummy's
        top = max(value + (spread or 0), base if base > 0 else 0, 1e-12) if loss else 1.0
        low, x, high, base_x = (100 * min(1.0, max(0.0, place / top)) for place in (
            value - (spread or 0), value, value + (spread or 0), base))
        tables.setdefault(strategy, []).append({
            "label": METRICS.get(metric, metric.removeprefix("neg_").replace("_", " ")),
            "name": metric, "loss": loss, "value": value, "spread": spread, "base": base,
            "low": low, "x": x, "high": high, "base_x": base_x,
            "decimals": min(12, max(0, 2 - math.floor(math.log10(top / 1.5))))})
    return [{"strategy": strategy, "rows": rows} for strategy, rows in tables.items()]


def describe_intervals(metadata: Mapping[str, Any]) -> str:
    """What `--interval` adds to an answer, and how often it held the truth; empty without any."""
    if (largest_level(metadata) or 0) < CHECKED:
        return ""
    adds = ("the labels that hold the truth" if "classes" in metadata["target"] else
            f"a range of ± {number(threshold(metadata, CHECKED), 3)} that holds the truth")
    text = f"With --interval {CHECKED} each answer comes with {adds} {share(CHECKED)} of the time"
    held = metadata["intervals"].get("hold_out")
    return text + (f"; on the {held['rows']:,} rows it had never seen, it did for "
                   f"{share(held['covered'] / held['rows'])}." if held else ".")


def describe_classes(target: Mapping[str, Any],
                     evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Classes, the most frequent first: rows, and how many of them were found and rightly named."""
    confusion = evaluation["confusion"]
    said = [sum(column) for column in zip(*confusion)]
    classes = [{"place": place, "name": name, "count": count,
                "found": _ratio(confusion[place][place], sum(confusion[place])),
                "right": _ratio(confusion[place][place], said[place])}
               for place, (name, count) in enumerate(zip(target["classes"], target["counts"]))]
    return sorted(classes, key=lambda each: -each["count"])


def pooled(confusion: Sequence[Sequence[int]], classes: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Rows of (count, share of its true class), classes by frequency, those beyond TOP as one."""
    groups = [[each["place"]] for each in classes[:TOP]]
    if rest := [each["place"] for each in classes[TOP:]]:
        groups.append(rest)
    counts = [[sum(confusion[i][j] for i in true for j in said) for said in groups]
              for true in groups]
    return [[(count, count / max(1, sum(row))) for count in row] for row in counts]


def confused(confusion: Sequence[Sequence[int]], names: Sequence[Any]) -> list[Any]:
    """The pairs of classes most often taken for each other: true, predicted, count."""
    pairs = [(names[i], names[j], count) for i, row in enumerate(confusion)
             for j, count in enumerate(row) if count and i != j]
    return sorted(pairs, key=lambda pair: -pair[2])[:10]


def describe_importances(importances: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Features with the places (percent) of value and spread; the axis begins at 0 or below."""
    low = min([0.0, *(each["value"] - each["std"] for each in importances)])
    high = max([0.0, *(each["value"] + each["std"] for each in importances)])
    width = (high - low) or 1.0
    rows = [dict(each) | {"low": 100 * (each["value"] - each["std"] - low) / width,
                          "x": 100 * (each["value"] - low) / width,
                          "high": 100 * (each["value"] + each["std"] - low) / width}
            for each in importances]
    decimals = max(3, 2 - math.floor(math.log10(high))) if high > 0 else 3
    return {"rows": rows, "zero": -100 * low / width, "decimals": min(12, decimals)}


def ticks(low: float, high: float, most: int = 6) -> list[dict[str, Any]]:
    """Round numbers on an axis, with their places 0..1."""
    if not high > low:
        return []
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(step * factor for factor in (1, 2, 5, 10, 20)
                if (high - low) / (step * factor) <= most)
    return [{"label": number(place * step, 6), "place": (place * step - low) / (high - low)}
            for place in range(math.ceil(low / step), math.floor(high / step) + 1)]


def describe_commands(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What to type next: predict, serve, ask, and train the same again."""
    chosen = ("--model-name", metadata["model_name"],
              "--model-version", str(metadata["model_version"]))
    row = json.dumps({"features": metadata["golden"]["rows"][0]}, ensure_ascii=False)
    curl = ("curl -s localhost:5000/predict -H 'Content-Type: application/json' -d "
            + shlex.quote(row))
    commands = [("Score a file", make_line("prediction", *chosen, "--input", "FILE.csv",
                                           "--output", "SCORED.csv")),
                ("Score the rows held out", make_line("prediction", *chosen)),
                ("Serve it", make_line("deploy-endpoint", *chosen)),
                ("Ask it", curl if len(row) < 4000 else "")]
    if not metadata["data"]["rows"]["hold_out"]:
        del commands[1]
    if metadata["git_commit"]:
        commands.append(("Go back to its code", f"git checkout {metadata['git_commit']}"))
    models = load_settings().models
    commands += [("Add what was not committed",
                  f"git apply {shlex.quote(relative(models / each['file']))}")
                 for each in metadata["artifacts"] if each["role"] == "patch"]
    commands.append(("Train it again", make_line("train", *train_words(metadata))))
    return [(what, line) for what, line in commands if line]


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
