"""Training a small table on a busy machine: one inner thread, two that spin, two that sleep.

    .venv/bin/python benchmarks/threads.py --rounds 3

Two processes keep the cores busy meanwhile. Rounds are interleaved; wall and processor seconds are
those of `python -m src.train` on penguins, the dataset made before.
"""

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from project import Used, copy_project, measure

WORDS = [sys.executable, "-m", "src.train", "--data", "data/raw/penguins.csv", "--target",
         "species", "--no-report", "--threads"]
WAYS = {"1 thread": ("1", {}), "2 threads, spinning waits": ("2", {}),  # OpenMP's own choice
        "2 threads, sleeping waits": ("2", {"OMP_WAIT_POLICY": "PASSIVE"})}


def main() -> None:
    """Measure and print one line per way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    seconds: dict[str, list[Used]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        project = copy_project(Path(folder) / "project")
        dataset = [sys.executable, "-m", "src.etl.generate_dataset", *WORDS[3:5]]
        subprocess.run(dataset, cwd=project, check=True, stdout=subprocess.DEVNULL)
        busy = [multiprocessing.Process(target=spin, daemon=True) for _ in range(2)]
        for process in busy:
            process.start()
        for _ in range(rounds):
            for name, (threads, environment) in WAYS.items():
                os.environ.update(environment)
                seconds[name].append(measure([*WORDS, threads], project))
                for variable in environment:
                    del os.environ[variable]
        for process in busy:
            process.kill()
    for name, measured in seconds.items():
        used = Used(*map(statistics.median, zip(*measured)))
        print(f"{name:<26} wall {used.wall:.1f} s   processor {used.processor:.1f} s")


def spin() -> None:
    """Keep one core busy."""
    while True:
        pass


if __name__ == "__main__":
    main()
