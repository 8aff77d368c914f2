"""What `train` ends with: scores against the dummy, where everything is, and what to type next."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlmonkey.metadata import read_scores
from src.helpers.commands import endpoint_port, make_line
from src.helpers.datasets import model_store
from src.settings import load_settings, relative


def print_closing(metadata: Mapping[str, Any], page: Path | None) -> None:
    """Print the table of scores, the places, and three lines to paste."""
    model = f"{metadata['model_name']}-v{metadata['model_version']}"
    print(f"\n{model}: {metadata['model_type']}, {metadata['task']} of "
          f"{metadata['target']['name']!r}")
    print_scores(metadata)
    if "portfolio" in metadata:
        print_members(metadata["portfolio"])
    print_places(metadata, model, page)
    print_next(metadata)


def print_scores(metadata: Mapping[str, Any]) -> None:
    """One line per metric: each strategy beside the dummy; greater is better."""
    scores, dummy = read_scores(metadata), read_scores(metadata, "baseline_scores")
    spread = {(score["strategy"], score["metric"]): score["std"]
              for score in metadata["scores"] if "std" in score}
    strategies = list(scores)
    width = max(len(metric) for values in scores.values() for metric in values)
    print("  " + " " * width + "".join(f"  {name:>24}  {'dummy':>9}" for name in strategies))
    for metric in dict.fromkeys(metric for values in scores.values() for metric in values):
        line = f"  {metric:<{width}}"
        for strategy in strategies:
            value = scores[strategy].get(metric)
            std = spread.get((strategy, metric))
            text = "-" if value is None else f"{value:.4g}"
            text += "" if std is None else f" +- {std:.2g}"
            base = dummy.get(strategy, {}).get(metric)
            line += f"  {text:>24}  {'-' if base is None else format(base, '.4g'):>9}"
        print(line)


def print_members(portfolio: Mapping[str, Any]) -> None:
    """What each member of the blend brought, and the columns that can't say anything."""
    print(f"  blend     {portfolio['loss']} {portfolio['blend']:.4g} out of fold, of")
    for member in portfolio["members"]:
        brought = ("left out: its gain is within noise" if not member["share"] else
                   "" if member["brought"] is None else
                   f"without it {portfolio['blend'] + member['brought']:.4g}")
        print(f"              {member['name']:<12} {member['share']:>4.0%}   alone "
              f"{member['alone']:.4g}   {brought}".rstrip())
    for name, why in portfolio["dropped"].items():
        print(f"  not used  {name}: {why}")


def print_places(metadata: Mapping[str, Any], model: str, page: Path | None) -> None:
    """Where model, metadata and report are, and how long it took."""
    settings = load_settings()
    file = next(each["file"] for each in metadata["artifacts"] if each["role"] == "model")
    size = next(each["size"] for each in metadata["artifacts"] if each["role"] == "model")
    seconds = metadata["timings"]["answer 1,000 rows"]
    print(f"  model     {relative(settings.models / file)} ({size / 1e6:.1f} MB; 1,000 rows in "
          f"{seconds:.2f} s)")
    print(f"  serving   {describe_serving(metadata['serving'])}")
    print(f"  metadata  {relative(settings.metadata / f'{model}.json')}")
    if page:
        print(f"  report    {relative(page)}")
    print(f"  time      {metadata['timings']['total']:.1f} s")


def describe_serving(serving: Mapping[str, Any]) -> str:
    """Which form the endpoint answers with."""
    if serving["form"]:
        return (f"compiled; it answers {serving['rows']:,} training rows and "
                f"{serving['generated']:,} odd ones alike")
    return f"by scikit-learn, slowly: {serving['reason']}"


def print_next(metadata: Mapping[str, Any]) -> None:
    """Three lines to paste: a prediction, the endpoint, a request with an example row."""
    from mlmonkey.schema import example_row
    name, version = metadata["model_name"], metadata["model_version"]
    words = ["--model-name", name]
    if model_store().choose(name).version != version:  # a promoted one keeps its place
        words += ["--model-version", str(version)]
    row = json.dumps({"features": example_row(metadata["schema"])}, ensure_ascii=False)
    print("Next:")
    print("  " + make_line("prediction", *words))
    print("  " + make_line("deploy-endpoint", *words))
    print(f"  curl -s localhost:{endpoint_port()}/predict -H 'Content-Type: application/json' "
          f"-d {shlex.quote(row)}")
