"""Drift: whether the rows that a model answers still look like those it was trained on.

    GET /drift                                        asks an endpoint
    make drift ARGS="--model-name iris"               reads the file alone

PSI, the population stability index, is the sum over bins of (q - p) * ln(q / p), where p and q are
the shares of training and of now; below 0.1 nothing has changed that matters, above 0.25 much has
(N. Siddiqi, Credit Risk Scorecards, 2006). Where nothing has changed it still is about (1/n + 1/m)
times a chi-square of one less than the bins, n and m being the rows (B. Yurdakul and J. Naranjo,
Statistical properties of the population stability index, Journal of Risk Model Validation 14(4),
2020): so what chance alone may give is never called a shift.
"""

from collections.abc import Mapping, Sequence
from math import log, sqrt
from pathlib import Path
from typing import Any

from mlmonkey.bins import Bins
from mlmonkey.monitoring import Tally

FEWEST_ROWS = 200  # with fewer nothing is said
STABLE, SHIFTED = 0.1, 0.25  # PSI; between them is a moderate shift
FALSE_ALARMS = 0.001  # how often one of all columns may be called shifted by chance
SMOOTHING = 0.5  # added to each count, since a share of 0 has no logarithm
WORST = 3
TOO_FEW, NOTHING, MODERATE, MUCH, CHANCE = (
    "too few rows to tell", "stable", "moderate shift", "significant shift", "within chance")
OLD_MODEL = "was trained before training kept what drift is told from; train it anew: make train"


def bins_of(metadata: Mapping[str, Any]) -> Bins | None:
    """Where a model's rows are counted; None for one whose training kept nothing to compare with.
    """
    was = metadata.get("drift", {"counts": {}})
    bins = Bins(metadata["schema"], metadata["target"], was.get("answers", {}).get("quantiles"))
    compared = [(was["counts"].get(name), places) for name, places in bins.columns.items()]
    if bins.answers:
        compared.append((was.get("answers", {}).get("counts"), bins.answers))
    fits = all(counts and len(counts) == places.stop - places.start for counts, places in compared)
    return bins if fits and "rows" in was else None


def tally_path(folder: Path, metadata: Mapping[str, Any]) -> Path:
    """The file of a model."""
    return folder / f"{metadata['model_name']}-v{metadata['model_version']}.json"


def describe_drift(metadata: Mapping[str, Any], bins: Bins,
                   tally: Tally | None) -> dict[str, Any]:
    """What the counts say: each column with its PSI and shares, the worst one first.

    Columns that are private are not there at all.
    """
    found = {"model_name": metadata["model_name"], "model_version": metadata["model_version"],
             "rows": tally.rows if tally else 0, "since": tally.since if tally else None,
             "until": tally.until if tally else None,
             "training_rows": metadata["drift"]["rows"], "fewest_rows": FEWEST_ROWS}
    if tally is None or tally.rows < FEWEST_ROWS:
        return found | {"verdict": TOO_FEW, "worst": [], "features": [], "answers": None}
    was = metadata["drift"]
    columns = [_describe_column(feature, was["counts"][feature["name"]],
                                tally.vector[bins.columns[feature["name"]]].tolist(),
                                len(bins.columns) + 1)
               for feature in metadata["schema"] if feature["name"] in bins.columns]
    columns.sort(key=lambda each: -each["psi"])
    answers = None
    if bins.answers:
        answers = {"target": metadata["target"]["name"], **_compare(
            was["answers"]["counts"], tally.vector[bins.answers].tolist(), len(bins.columns) + 1)}
    verdicts = {each["verdict"] for each in [*columns, *([answers] if answers else [])]}
    verdict = next((each for each in (MUCH, MODERATE) if each in verdicts), NOTHING)
    return found | {"verdict": verdict, "worst": [each["feature"] for each in columns[:WORST]],
                    "features": columns, "answers": answers}


def psi(was: Sequence[int], now: Sequence[int]) -> float:
    """The population stability index of two lists of counts in the same bins."""
    before, after = (sum(counts) + SMOOTHING * len(counts) for counts in (was, now))
    return sum((q / after - p / before) * log(q / after * before / p)
               for p, q in ((p + SMOOTHING, q + SMOOTHING)
                            for p, q in zip(was, now, strict=True)))


def by_chance(was: Sequence[int], now: Sequence[int], alarms: float) -> float:
    """The PSI that two samples of one distribution exceed with this probability.

    The chi-square's quantile as Wilson and Hilferty approximate it (1931).
    """
    from statistics import NormalDist  # not for each start of a worker
    degrees = max(1, sum(1 for p, q in zip(was, now) if p or q) - 1)
    spread = 2 / (9 * degrees)
    quantile = degrees * (1 - spread + NormalDist().inv_cdf(1 - alarms) * sqrt(spread)) ** 3
    return (1 / max(1, sum(was)) + 1 / max(1, sum(now))) * quantile


def _compare(was: Sequence[int], counts: Sequence[int], compared: int) -> dict[str, Any]:
    index, chance = psi(was, counts), by_chance(was, counts, FALSE_ALARMS / compared)
    verdict = (NOTHING if index < STABLE else CHANCE if index < chance else
               MODERATE if index < SHIFTED else MUCH)
    return {"psi": round(index, 4), "by_chance": round(chance, 4), "verdict": verdict}


def _describe_column(feature: Mapping[str, Any], was: Sequence[int], counts: Sequence[int],
                     compared: int) -> dict[str, Any]:
    """The last place counts what is missing; what training did not see has its own."""
    kinds = {"missing": [-1]}
    if feature["dtype"] == "text":
        kinds["unseen"] = [-2]  # in training: those too rare to be listed
    else:
        kinds["out_of_range"] = [0, -2] if "quantiles" in feature else [0]
    shares = {kind: {"now": round(sum(counts[place] for place in places) / sum(counts), 6),
                     "training": round(sum(was[place] for place in places) / sum(was), 6)}
              for kind, places in kinds.items()}
    return {"feature": feature["name"], **_compare(was, counts, compared), **shares}
