"""Break the endpoint: requests made from its own OpenAPI, and a list of hostile ones by hand.

    .venv/bin/python benchmarks/endpoint/fuzz.py
    .venv/bin/python benchmarks/endpoint/fuzz.py --requests 300 --server granian --seed 7

A model of a table with every kind of column is trained and served as `make deploy-endpoint` does
it. schemathesis asks until so many requests are answered, with all of its checks; then come the
cases of hostile.py. After each of those the example row must have its right answer. At the end no
worker may have ended, no traceback be in the log, and memory not have grown by more than a limit.
Exit code 1 when anything was wrong. Needs Linux (/proc).
"""

import argparse
import csv
import json
import os
import random
import re
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
from benchmarks.endpoint.hostile import cases, send  # noqa: E402
from benchmarks.serving.cases import train_ours  # noqa: E402
from benchmarks.serving.peers import ours  # noqa: E402
from benchmarks.serving.process_tree import members, memory  # noqa: E402
from benchmarks.serving.run import Server, ask, serving  # noqa: E402

EXAMPLE: dict[str, Any] = {"rings": 7, "größe 📏": 1.75, "is it?": True, "day, or so": "2024-02-29",
                           'a "word"': "red"}
MOST_GROWTH = 200  # MiB of all processes, for bodies of 16 MiB in both workers and what is kept
ROUTES = 25  # about so many, each gets its share of a round's requests
OF_A_ROUND = 200  # most requests to one route; then another seed begins


def main() -> int:
    """Train, serve, ask, break, print."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=5000, help="of schemathesis; default: 5000")
    parser.add_argument("--server", default="gunicorn", choices=["gunicorn", "granian"])
    parser.add_argument("--workers", type=int, default=2, help="default: 2")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    options = parser.parse_args()
    body = json.dumps({"features": EXAMPLE}).encode()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        train_ours(folder, write_table(folder / "raw" / "odd.csv"), "boosting")
        with serving(ours(options.server), sys.executable, folder, options.workers, body) as server:
            right = answer_of(server, body)
            before, workers = memory(server.first)[1], set(members(server.first))
            wrong = ask_from_openapi(server, options, folder)
            wrong += break_by_hand(server, body, right)
            after = memory(server.first)[1]
            if lost := workers - set(members(server.first)):
                wrong.append(f"{len(lost)} processes of the server ended")
        log = (folder / "server.log").read_text(encoding="utf-8", errors="replace")
    if "Traceback" in log:
        wrong.append("a traceback in the log:\n" + log[log.index("Traceback"):][:3000])
    if after - before > MOST_GROWTH:
        wrong.append("memory grew too much")
    print(f"memory of {options.server} with {options.workers} workers: {before} MiB before, "
          f"{after} MiB after")
    print("\n".join([*wrong, f"{len(wrong)} faults"]))
    return bool(wrong)


def write_table(path: Path) -> Path:
    """A table with every kind of column, gaps, and names that need quotes."""
    path.parent.mkdir(parents=True)
    draw = random.Random(0)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*EXAMPLE, "target"])
        for number in range(400):
            row = [draw.randrange(100), round(draw.gauss(1.7, 0.2), 3), draw.random() < 0.5,
                   date(2024, 1, 1) + timedelta(draw.randrange(900)),
                   draw.choice(["red", "grün", "blue, dark", "🟣"])]
            target = ["low", "high"][row[0] > 50] if draw.random() < 0.9 else "middle"
            writer.writerow(["" if draw.random() < 0.05 else value for value in row] + [target])
    return path


def answer_of(server: Server, body: bytes) -> Any:
    """What a good request is answered."""
    status, answer = ask(server.port, "/predict", body)
    assert status == 200, answer
    return json.loads(answer)["result"]


def ask_from_openapi(server: Server, options: argparse.Namespace, folder: Path) -> list[str]:
    """Rounds of schemathesis, each with another seed, until there were requests enough."""
    done, seed, wrong, began = 0, options.seed, list[str](), time.perf_counter()
    address = f"http://127.0.0.1:{server.port}/openapi.json"
    while done < options.requests and not wrong:
        most = min(OF_A_ROUND, max(4, (options.requests - done) // ROUTES))
        asked = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "fuzz.toml"),
             "run", address, "--max-examples", str(most), "--seed", str(seed),
             "--no-color", "--continue-on-failure", "--suppress-health-check", "all"], cwd=folder,
            capture_output=True, text=True,
            env=os.environ | {"SCHEMATHESIS_HOOKS": "benchmarks.endpoint.fuzz_hooks",
                              "PYTHONPATH": str(HERE.parents[1]), "EXAMPLE": json.dumps(EXAMPLE)})
        found = re.search(r"([\d,]+) generated", asked.stdout)
        done += int(found[1].replace(",", "")) if found else 0
        if asked.returncode or not found:
            wrong.append(f"schemathesis, seed {seed}:\n{asked.stdout[-8000:]}"
                         f"{asked.stderr[-2000:]}")
        seed += 1
    print(f"schemathesis: {done:,} requests in {seed - options.seed} rounds, "
          f"{time.perf_counter() - began:.0f} s", flush=True)
    return wrong


def break_by_hand(server: Server, body: bytes, right: Any) -> list[str]:
    """Every hostile case, and the good request after it."""
    wrong, slowest = [], (0.0, "")
    made = cases(EXAMPLE)
    for name, case in made.items():
        began = time.perf_counter()
        try:
            status: Any = send(server.port, case)
        except TimeoutError:
            status = "nothing"
        slowest = max(slowest, (time.perf_counter() - began, name))
        if status not in case.right:
            wrong.append(f"{name}: {status} instead of {' or '.join(map(str, case.right))}")
        if answer_of(server, body) != right:
            wrong.append(f"{name}: the good request after it has another answer")
    print(f"hostile cases: {len(made)}, slowest {slowest[0]:.1f} s ({slowest[1]})", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
