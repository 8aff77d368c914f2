"""The project's reader against other people's, on files that nobody cleaned.

    .venv/bin/python benchmarks/csv/run.py
    .venv/bin/python benchmarks/csv/run.py --peers ours --kinds "row: bytes" --worst 5
    .venv/bin/python benchmarks/csv/run.py --corpus holdout
    .venv/bin/python benchmarks/csv/run.py --write

Makes the corpus (corpus.py), reads each file with each peer, each with an environment of its own,
made at its first use, and prints F1 by kind and overall (score.py); --write puts the table into
benchmarks/RESULTS.md.
"""

import argparse
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import corpus
import holdout
from score import FAILED, Score, score_file
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
from benchmarks.environments import CACHE, python_of  # noqa: E402

FOLDER = CACHE / "csv"
RESULTS = HERE.parents[0] / "RESULTS.md"
CORPORA = {"corpus": corpus.make_cases, "holdout": holdout.make_cases}
PARTS = ("header", "records", "cells")
ENVIRONMENTS = {"frames": ["pandas==3.1.1", "polars==2.1.0", "duckdb==2.0.0", "clevercsv==0.8.5"]}
PEERS = ("ours", "duckdb_default", "duckdb_lenient", "pandas_default", "pandas_sniffing",
         "polars_default", "polars_lenient", "clevercsv_table")
Scores = dict[str, dict[str, Score]]  # file -> part -> score


def main() -> None:
    """Make the corpus, read and score, print."""
    options = read_options()
    folder = options.cache / f"{options.corpus}-{options.seed}"
    count = corpus.write_corpus(folder, CORPORA[options.corpus](options.seed))
    answers = json.loads((folder / "answers.json").read_text())
    chosen = {name: answer for name, answer in answers.items()
              if not options.kinds or answer["kind"] in options.kinds}
    print(f"{len(chosen)} of {count} files, seed {options.seed}", file=sys.stderr)
    scores = {peer: score_peer(peer, folder, chosen, options) for peer in options.peers}
    table = as_table(scores, chosen)
    print(table)
    if options.write:
        write_table(table)


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS,
                        help=f"default: {' '.join(PEERS)}")
    parser.add_argument("--corpus", default="corpus", choices=CORPORA,
                        help="holdout: of another hand (holdout.py); default: corpus")
    parser.add_argument("--kinds", nargs="+", help="kinds of damage; default: all")
    parser.add_argument("--seed", type=int, default=0, help="of the corpus; default: 0")
    parser.add_argument("--worst", type=int, default=0, help="print so many of the worst files")
    parser.add_argument("--write", action="store_true", help="write the table to RESULTS.md")
    parser.add_argument("--cache", type=Path, default=FOLDER,
                        help=f"environments and corpus; default: {FOLDER}")
    options = parser.parse_args()
    if options.write and options.corpus != "corpus":
        parser.error("--write: the table in RESULTS.md is of the other corpus")
    return options


def score_peer(peer: str, folder: Path, answers: dict[str, Any],
               options: argparse.Namespace) -> Scores:
    """Read every file with one peer and score what it gave."""
    python = sys.executable if peer == "ours" else python_of(
        options.cache / "environments" / "frames", ENVIRONMENTS["frames"])
    reader = start(python, peer)
    scores, remarks = {}, {}
    for name, answer in tqdm(answers.items(), disable=None, desc=peer):
        assert reader.stdin and reader.stdout
        reader.stdin.write(f"{folder / name}\n")
        reader.stdin.flush()
        line = reader.stdout.readline()
        if not line:  # the reader died of this file
            reader.wait()
            reader = start(python, peer)
        given = json.loads(line or '{"error": "died"}')
        remarks[name] = given.get("error", "")
        scores[name] = FAILED if "error" in given else score_file(answer, given["names"],
                                                                  given["rows"])
    reader.communicate()
    worst = sorted(scores, key=lambda name: overall(scores[name]))[:options.worst]
    for name in worst:
        print(f"{peer} {overall(scores[name]):.3f} {name} {remarks[name]}", file=sys.stderr)
    return scores


def start(python: str, peer: str) -> "subprocess.Popen[str]":
    """A process that reads the files it is told."""
    return subprocess.Popen([python, str(HERE / "peers" / f"{peer}.py")], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)


def overall(parts: dict[str, Score]) -> float:
    """One figure of a file: the mean F1 of header, records and cells."""
    return fmean(parts[part].f1 for part in PARTS)


def as_table(scores: dict[str, Scores], answers: dict[str, Any]) -> str:
    """Markdown: F1 by kind, the mean of header, records and cells, then each of them."""
    files = defaultdict(list)
    for name, answer in answers.items():
        files[answer["kind"]].append(name)
    lines = [row(["mean F1 of header, records and cells", "files", *scores])]
    lines.append("|---" * (len(scores) + 2) + "|")
    for kind, names in files.items():
        lines.append(row([kind, str(len(names)), *best(
            [fmean(overall(each[name]) for name in names) for each in scores.values()])]))
    lines.append(row(["**all files**", str(len(answers)), *best(
        [fmean(map(overall, each.values())) for each in scores.values()])]))
    for part in PARTS:
        for rate in Score._fields:
            lines.append(row([f"{part}: {rate}", "", *best(
                [fmean(getattr(parts[part], rate) for parts in each.values())
                 for each in scores.values()])]))
    return "\n".join(lines)


def row(cells: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def best(figures: Sequence[float]) -> list[str]:
    """Figures as text, the best ones bold."""
    return [f"**{figure:.3f}**" if figure > max(figures) - 0.0005 and len(figures) > 1
            else f"{figure:.3f}" for figure in figures]


def write_table(table: str) -> None:
    """Put the table between its marks in RESULTS.md."""
    text = RESULTS.read_text()
    marks = r"(<!-- csv -->\n).*?(<!-- /csv -->)"
    RESULTS.write_text(re.sub(marks, lambda found: f"{found[1]}{table}\n{found[2]}", text,
                              flags=re.S))


if __name__ == "__main__":
    main()
