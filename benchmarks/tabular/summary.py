"""What the peers' results come to: mean rank, normalised score, processor seconds.

    python benchmarks/tabular/summary.py RESULTS.jsonl [boosting ours:auto ...]

A score is normalised within its case (a table and a seed): 0 is the dummy's, 1 the best peer's,
below -1 counts as -1; a peer that failed counts as the dummy and ranks last. Peers are compared on
the cases that all of them ran; peers that ran fewer cases join in a second comparison.
"""

import json
import sys
from pathlib import Path

import pandas as pd


def read_results(path: Path) -> pd.DataFrame:
    """One row per table, seed and peer; a later line takes an earlier one's place."""
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    newest = {(line["table"], line["seed"], line["peer"]): line for line in lines}
    return pd.DataFrame(list(newest.values()))


def print_summary(results: pd.DataFrame, peers: list[str]) -> None:
    """The scores by table, the comparison of those that ran everywhere, then with all the rest."""
    if peers:
        results = results[results["peer"].isin([*peers, "dummy"])]
    results = results.assign(case=results["table"] + "-" + results["seed"].astype(str))
    scores = results.groupby(["task", "table", "peer"], sort=False)["score"].mean()
    print(scores.unstack().round(4).to_string(na_rep="-"), "\n")
    counts = results.groupby("peer")["case"].nunique()
    everywhere = counts.index[counts == counts.max()]
    print_comparison(results[results["peer"].isin(everywhere)])
    if len(everywhere) < len(counts):
        print_comparison(results)
    for line in results[results["error"].notna()].itertuples():
        print(f"failed: {line.peer} on {line.case}: {line.error}")


def print_comparison(results: pd.DataFrame) -> None:
    """A line per peer over the cases that all ran."""
    compared = compare(results)
    cases = compared.attrs["cases"]
    tables = results.loc[results["case"].isin(cases), "table"].nunique()
    print(f"{len(cases)} cases of {tables} tables")
    print(compared.to_string(float_format=lambda value: f"{value:.3f}"), "\n")


def compare(results: pd.DataFrame) -> pd.DataFrame:
    """Mean rank, normalised main score and log-loss, and what it took, per peer."""
    ran = results.groupby("case")["peer"].nunique()
    cases = list(ran.index[ran == results["peer"].nunique()])
    results = results[results["case"].isin(cases)]
    score = normalise(results, "score")
    classified = results[results["task"] != "regression"]
    loss = normalise(classified.reindex(columns=["case", "peer", "neg_log_loss"]), "neg_log_loss")
    ranks = results.pivot(index="case", columns="peer", values="score").rank(
        axis=1, ascending=False, na_option="bottom")
    by_peer = results.groupby("peer")
    compared = pd.DataFrame({
        "mean_rank": ranks.mean(), "score": score.mean(), "log_loss_score": loss.mean(),
        "cpu_s": by_peer["cpu_s"].sum(), "wall_s": by_peer["wall_s"].sum(),
        "peak_mib": by_peer["peak_mib"].max(), "failed": by_peer["error"].count()})
    compared.attrs["cases"] = cases
    return compared.sort_values("mean_rank")


def normalise(results: pd.DataFrame, column: str) -> pd.DataFrame:
    """A column by case and peer: 0 is the dummy, 1 the best."""
    values = results.pivot(index="case", columns="peer", values=column)
    if values.empty:
        return values
    values = values.sub(values["dummy"], axis=0)
    best = values.max(axis=1)
    return values.div(best.where(best > 0), axis=0).fillna(0).clip(lower=-1)


if __name__ == "__main__":
    print_summary(read_results(Path(sys.argv[1])), sys.argv[2:])
