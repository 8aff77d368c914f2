"""The endpoint beside other people's servers: the same model, the same rows, over loopback.

    .venv/bin/python benchmarks/serving/run.py
    .venv/bin/python benchmarks/serving/run.py --peers ours hello flask --rounds 1 --seconds 1
    .venv/bin/python benchmarks/serving/run.py --chart benchmarks/serving.svg

Each peer is started, asked whether its answers are those of scikit-learn, loaded over 16 lines with
one row and with 1,000 rows, and ended; then the next one, and all of them again in the next round.
The load comes from wrk where it is on the PATH, else from load.py, which says what it can't tell.
Counted is the processor time of all the server's processes, never the load's. Results
are lines of JSON in a folder of their own for each state of the code, and finished ones are not
done again. Needs Linux (/proc), a quiet machine, and a registry for the peers' environments.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))
from benchmarks.environments import CACHE, python_of  # noqa: E402
from benchmarks.serving.cases import CASES, places  # noqa: E402
from benchmarks.serving.peers import PEERS, Peer  # noqa: E402
from benchmarks.serving.process_tree import members, memory, processor_seconds  # noqa: E402
from benchmarks.serving.summary import draw, print_summary  # noqa: E402

FOLDER = CACHE / "serving"
SIZES = (1, 1000)  # rows of a request
LINES = 16  # open connections
WARM_UP = 1  # seconds of load before what is counted
START_WITHIN = 90  # seconds


class Server(NamedTuple):
    """A running peer, by the number of its first process."""

    first: int
    port: int
    cold_start: float


def main() -> None:
    """Make what is missing, run what is due, print the table."""
    options = read_options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        for name in options.cases:
            make_case(options.folder / name, name)
        due = plan(options)
        for count, (number, case, peer) in enumerate(due, 1):
            print(f"{count}/{len(due)} round {number}: {peer} on {case}", file=sys.stderr)
            for line in run_peer(peer, case, options):
                with options.results.open("a") as file:
                    file.write(json.dumps({"round": number, "case": case, "peer": peer} | line)
                               + "\n")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from here")
    lines = [line for line in read_results(options) if line["peer"] in options.peers
             and line["case"] in options.cases and line["round"] < options.rounds]
    print_summary(lines)
    if options.chart:
        draw(lines, options.chart)
    print(f"results: {options.results}")


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS),
                        metavar="PEER", help=f"default: {' '.join(PEERS)}")
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES),
                        metavar="CASE", help=f"default: {' '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=5, help="default: 5")
    parser.add_argument("--seconds", type=float, default=5, help="of load each; default: 5")
    parser.add_argument("--workers", type=int, default=2, help="of each server; default: 2")
    parser.add_argument("--chart", type=Path, metavar="FILE.svg", help="draw one row's time")
    parser.add_argument("--cache", type=Path, default=FOLDER,
                        help=f"environments, models, results; default: {FOLDER}")
    options = parser.parse_args()
    if not Path("/proc/self/stat").exists():
        parser.error("processor time is read from /proc, which only Linux has")
    options.cache = options.cache.resolve()
    options.folder = options.cache / f"code-{digest_of_code()}"
    options.folder.mkdir(parents=True, exist_ok=True)
    options.results = options.folder / "results.jsonl"
    return options


def digest_of_code() -> str:
    """Eight digits that change with what trains, serves, or measures."""
    files = sorted([*ROOT.glob("src/**/*.py"), *ROOT.glob("mlmonkey/*"), *HERE.glob("**/*.py"),
                    *HERE.glob("*.lua"), ROOT / "requirements.txt"])
    content = b"".join(file.read_bytes() for file in files if file.is_file())
    return hashlib.sha256(content).hexdigest()[:8]


def make_case(folder: Path, name: str) -> None:
    """Train the models of a case; its description is written last."""
    if not (folder / "case.json").exists():
        print(f"models of {name}", file=sys.stderr)
        subprocess.run([sys.executable, str(HERE / "cases.py"), str(folder), name], check=True)


def plan(options: argparse.Namespace) -> list[tuple[int, str, str]]:
    """Round by round, case by case, every peer: what has no line for its last size yet."""
    done = {(line["round"], line["case"], line["peer"]) for line in read_results(options)
            if line["rows"] == SIZES[-1]}
    return [(number, case, peer) for number in range(options.rounds) for case in options.cases
            for peer in options.peers if (number, case, peer) not in done
            and not (CASES[case].ours_only and PEERS[peer].packages)]


def read_results(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The newest line of each run with these seconds and workers."""
    found = options.results.read_text().splitlines() if options.results.exists() else []
    lines = [json.loads(line) for line in found]
    return list({(line["round"], line["case"], line["peer"], line["rows"]): line for line in lines
                 if (line["load_s"], line["workers"]) == (options.seconds, options.workers)
                 }.values())


def run_peer(name: str, case: str, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Start a server, compare its answers, and load it with each size."""
    peer, folder = PEERS[name], options.folder / case
    content = json.loads((folder / "case.json").read_text())
    python = sys.executable
    if peer.packages:
        python = python_of(options.cache / "environments" / name, peer.packages)
    bodies = {rows: json.dumps(peer.ask(content, content["rows"][:rows])).encode()
              for rows in SIZES}
    with (tempfile.TemporaryDirectory() as temporary,
          serving(peer, python, folder, options.workers, bodies[1]) as server):
        for rows in SIZES:
            status, answer = ask(server.port, peer.path, bodies[rows])
            check(name, peer, content["labels"], rows, status, answer)
            body = Path(temporary) / "body.json"
            body.write_bytes(bodies[rows])
            put_load_on(server, peer.path, body, WARM_UP)
            before = processor_seconds(server.first)
            figures = put_load_on(server, peer.path, body, options.seconds)
            processor = processor_seconds(server.first) - before
            if not figures["requests"]:
                sys.exit(f"error: {name} answered nothing in {options.seconds} seconds; give it "
                         "more: --seconds")
            largest, everybody = memory(server.first)
            yield {"rows": rows, "load_s": options.seconds, "workers": options.workers,
                   "processor_ms": 1e3 * processor / figures["requests"],
                   "cold_start_s": server.cold_start, "worker_mib": largest,
                   "all_mib": everybody, **figures}


@contextmanager
def serving(peer: Peer, python: str, folder: Path, workers: int, body: bytes) -> Iterator[Server]:
    """A peer that has answered once, in a session of its own, of which nothing stays behind."""
    port, log = free_ports(), folder / "server.log"
    programs = f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}"
    environment = places(folder) | {"CASE": str(folder), "WORKERS": str(workers), "PATH": programs}
    began = time.perf_counter()
    with log.open("wb") as file:
        process = subprocess.Popen(peer.command(python, port, workers), cwd=ROOT, stdout=file,
                                   env=environment, stderr=file, stdin=subprocess.DEVNULL,
                                   start_new_session=True)
    try:
        while not answers(port, peer.path, body):
            if process.poll() is not None or time.perf_counter() - began > START_WITHIN:
                sys.exit(f"error: {' '.join(map(str, process.args))} does not answer; its words "
                         f"are in {log}")
            time.sleep(0.01)
        yield Server(process.pid, port, time.perf_counter() - began)
    finally:
        everybody = members(process.pid)
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        for number in everybody:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        process.wait()


def free_ports() -> int:
    """A port that is free; MLServer takes the next two as well."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def answers(port: int, path: str, body: bytes) -> bool:
    """Whether it answers a prediction with 200 now."""
    try:
        return ask(port, path, body)[0] == 200
    except (OSError, HTTPException):
        return False


def ask(port: int, path: str, body: bytes) -> tuple[int, bytes]:
    """Status and body of one answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def check(name: str, peer: Peer, expected: list[str] | None, rows: int, status: int,
          answer: bytes) -> None:
    """End the run when somebody answers otherwise than scikit-learn."""
    if not peer.checked or expected is None:
        return
    labels = peer.labels(json.loads(answer)) if status == 200 else answer[:200]
    if labels != expected[:rows]:
        sys.exit(f"error: {name} answers {status} and {str(labels)[:200]}, where scikit-learn "
                 f"says {str(expected[:rows])[:200]}")


def put_load_on(server: Server, path: str, body: Path, seconds: float) -> dict[str, Any]:
    """Requests, seconds, failures, and how long answers took."""
    if wrk := shutil.which("wrk"):
        words = [wrk, "-t1", f"-c{LINES}", f"-d{max(1, round(seconds))}", "--timeout", "60",
                 "-s", str(HERE / "wrk.lua"), f"http://127.0.0.1:{server.port}{path}"]
    else:
        words = [sys.executable, "-S", str(HERE / "load.py"), "127.0.0.1", str(server.port), path,
                 str(body), str(seconds), str(LINES)]
    done = subprocess.run(words, env=os.environ | {"BODY": str(body)}, capture_output=True,
                          text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    if figures["failed"]:
        sys.exit(f"error: {figures['failed']} of {figures['requests']} requests failed; the "
                 "server's words are in server.log of the case's folder")
    return figures | {"load": "wrk" if wrk else "load.py"}


if __name__ == "__main__":
    main()
