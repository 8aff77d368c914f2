"""`make train` on iris against a bare script: wall and processor seconds, as a ratio, in one run.

    make train && .venv/bin/python benchmarks/train_overhead.py --rounds 10

Rounds are interleaved; each `make train` begins without dataset, model and report. The processor
time is that of the whole process tree (make, stages, ETL, training).
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
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
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            for name, words in ways.items():
                clear(project)
                measured = measure(words, project)
                if number:  # the first round warms the disk cache
                    seconds[name].append(measured)
    medians = {name: [statistics.median(values) for values in zip(*measured)]
               for name, measured in seconds.items()}
    for name, (wall, processor) in medians.items():
        print(f"{name:<12} wall {wall:.2f} s   processor {processor:.2f} s")
    bare, ours = medians["bare script"], medians["make train"]
    print(f"ratio        wall {ours[0] / bare[0]:.2f}     processor {ours[1] / bare[1]:.2f}"
          f"     (median of {rounds} interleaved rounds)")


def copy_project(folder: Path) -> Path:
    """What make train needs, without results."""
    for name in ("src", "mlmonkey", "data/raw"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("Makefile", "params.yaml", "requirements.txt", "requirements-dev.txt", ".env",
                 "setup.py"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def clear(project: Path) -> None:
    """Remove every result."""
    for name in RESULTS:
        shutil.rmtree(project / name, ignore_errors=True)


def measure(words: list[str], project: Path) -> tuple[float, float]:
    """Wall and processor seconds of a command and all its children."""
    before, started = os.times(), time.perf_counter()
    subprocess.run(words, cwd=project, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, os.times()
    return wall, (after.children_user + after.children_system
                  - before.children_user - before.children_system)


if __name__ == "__main__":
    main()
