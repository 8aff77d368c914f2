"""`make train` on iris against a bare script: wall and processor seconds, as a ratio, in one run.

    make train && .venv/bin/python benchmarks/train_overhead.py --rounds 10

Rounds are interleaved; each `make train` begins without dataset, model and report. The processor
time is that of the whole process tree (make, stages, ETL, training).
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from project import ROOT, Used, copy_project, measure

RESULTS = ("data/staging", "data/transformed", "models", "reports")


def main() -> None:
    """Measure and print one line per way, then the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        project = copy_project(Path(folder) / "project")
        ways = {
            "bare script": [sys.executable, str(ROOT / "benchmarks" / "bare_train.py"),
                            "data/raw/iris.csv", str(Path(folder) / "model.skops")],
            "make train": ["make", "train", "PY_ENV=none", f"PYTHON={sys.executable}",
                           "ARGS=--model boosting"]}
        seconds: dict[str, list[Used]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            for name, words in ways.items():
                clear(project)
                measured = measure(words, project)
                if number:  # the first round warms the disk cache
                    seconds[name].append(measured)
    medians = {name: Used(*map(statistics.median, zip(*used))) for name, used in seconds.items()}
    for name, used in medians.items():
        print(f"{name:<12} wall {used.wall:.2f} s   processor {used.processor:.2f} s")
    bare, ours = medians["bare script"], medians["make train"]
    print(f"ratio        wall {ours.wall / bare.wall:.2f}     "
          f"processor {ours.processor / bare.processor:.2f}"
          f"     (median of {rounds} interleaved rounds)")


def clear(project: Path) -> None:
    """Remove every result."""
    for name in RESULTS:
        shutil.rmtree(project / name, ignore_errors=True)


if __name__ == "__main__":
    main()
