"""Let each write, fsync, rename and open of each command fail once, and look at what is left.

    .venv/bin/python benchmarks/failing_calls.py
    .venv/bin/python benchmarks/failing_calls.py --only train report --errors EIO

strace makes the calls fail, one per run: those on the files of a project copy and on its temporary
ones, code apart. After each run: a non-zero exit and one line; every model loads and answers its
golden rows; each file is the old one or a complete new one; and the same command, typed again,
succeeds and cleans up. Prints what was not so. About half an hour; without strace one line.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from project import ROOT, copy_project

sys.path.insert(0, str(ROOT))
from mlmonkey.errors import UserError  # noqa: E402
from mlmonkey.files import sha256_of  # noqa: E402
from mlmonkey.store import ModelStore  # noqa: E402
from src.model.trusted import TRUSTED  # noqa: E402

TRAIN = ("src.train", "--target", "species", "--model", "dummy", "--folds", "2", "--no-report")
COMMANDS = {
    "generate-dataset": ("src.etl.generate_dataset", "--accept-changed-raw"),
    "train": (*TRAIN, "--seed", "1"),
    "prediction": ("src.predict",),
    "prediction-parquet": ("src.predict", "--input", "data/raw/iris.csv", "--keep", "all",
                           "--output", "data/predictions/scored.parquet"),
    "evaluate": ("src.evaluate", "--input", "data/raw/iris.csv"),
    "report": ("src.report", "--all"),
}
CALLS = ("write", "pwrite64", "fsync", "rename", "openat")
TRIALS = 5  # threads take turns differently, and then a number is another call
STATE = ("data", "models", "reports")
TOUCHED = (*STATE, "tmp", "params.yaml", ".env", "requirements.txt", "src/helpers/templates",
           "mlmonkey/metadata.schema.json")
LINE = re.compile(r'(?P<pid>\d+) +(?P<call>\w+)\((?:\d+<(?P<open>[^>]*)>|[^"]*"(?P<path>[^"]*)")')


class Failure(NamedTuple):
    """One call that is to fail: its number counts within its thread, as strace counts."""

    call: str
    number: int
    path: str


def main() -> None:
    """Run all cases and print a line per command, and one per case that went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--calls", nargs="+", choices=CALLS, default=list(CALLS))
    parser.add_argument("--errors", nargs="+", default=["ENOSPC", "EIO"])
    parser.add_argument("--show", action="store_true", help="What each run said, too.")
    options = parser.parse_args()
    if not shutil.which("strace"):
        print("skipped: strace is not installed")
        return
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one thread: calls in one order
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder) / "project", Path(folder) / "first")
        place.trace = Path(folder) / "trace"
        wrong = [line for name in options.only
                 for line in campaign(place, name, options)]
    print(f"{len(wrong)} wrong")
    sys.exit(bool(wrong))


class Place:
    """A project copy in its first state: a dataset, a model, and results of every command.

    Its raw file then changed, so that a new dataset differs from the first one.
    """

    trace: Path

    def __init__(self, project: Path, first: Path) -> None:
        self.project, self.first = copy_project(project), first
        (self.project / "tmp").mkdir()
        for settings in ("params.yaml", ".env"):  # the owner's would be other commands
            (self.project / settings).write_text("")
        self.must(*COMMANDS["generate-dataset"])
        self.must(*TRAIN)
        for name in list(COMMANDS)[2:]:
            self.must(*COMMANDS[name])
        raw = self.project / "data" / "raw" / "iris.csv"
        raw.write_text(raw.read_text().replace("5.1", "5.2", 1) + "a,line,too,many,cells,here\n")
        for name in STATE:
            shutil.copytree(self.project / name, self.first / name)

    def reset(self) -> None:
        """Back to the first state."""
        for name in STATE:
            shutil.rmtree(self.project / name)
            shutil.copytree(self.first / name, self.project / name)

    def run(self, words: tuple[str, ...], *before: str) -> subprocess.CompletedProcess[str]:
        """Run a script, possibly under strace."""
        environment = {**os.environ, "TMPDIR": str(self.project / "tmp"), "PYTHONHASHSEED": "0"}
        environment.pop("PYTHONUNBUFFERED", None)
        return subprocess.run([*before, sys.executable, "-m", *words], cwd=self.project,
                              env=environment, capture_output=True, text=True, check=False)

    def must(self, *words: str) -> None:
        """Run a script that has to succeed."""
        done = self.run(words)
        if done.returncode:
            sys.exit(f"{words}: {done.stderr}")

    def strace(self, words: tuple[str, ...], *more: str) -> subprocess.CompletedProcess[str]:
        """Run a script and write its calls into `trace`."""
        return self.run(words, "strace", "-f", "-qq", "-y", "--seccomp-bpf", "-s", "300",
                        "-o", str(self.trace), "-e", f"trace={','.join(CALLS)}", *more)

    def calls(self) -> Iterator[tuple[Failure, bool]]:
        """The calls of the trace on files that count, and whether each was made to fail."""
        seen: Counter[tuple[str, str]] = Counter()
        for line in self.trace.read_text(errors="replace").splitlines():
            match = LINE.match(line)
            if match is None:
                continue
            seen[match["pid"], match["call"]] += 1
            path = os.path.join(self.project, match["open"] or match["path"] or "")
            name = os.path.relpath(path, self.project)
            if name.startswith(TOUCHED) and "ENOENT" not in line:
                number = seen[match["pid"], match["call"]]
                yield Failure(match["call"], number, name), "(INJECTED)" in line


def campaign(place: Place, name: str, options: argparse.Namespace) -> list[str]:
    """Fail each call of one command; return a line per case that went wrong."""
    words, wrong, outcomes = COMMANDS[name], [], Counter[str]()
    place.reset()
    place.strace(words)
    failures = {(each.call, each.number): each for each, _ in place.calls()
                if each.call in options.calls}
    for failure in failures.values():
        for error in options.errors:
            for _ in range(TRIALS):
                place.reset()
                done = place.strace(words, "-e", f"inject={failure.call}:error={error}:"
                                    f"when={failure.number}")
                if hit := [call.path for call, injected in place.calls() if injected]:
                    break
            outcomes["failed" if done.returncode else "endured" if hit else "not met"] += 1
            found = [*look_at_words(done), *look_at_files(place)] if hit else []
            again = place.run(words)
            if again.returncode:
                found.append(f"the next run fails: {again.stderr.strip()}")
            found += [*look_at_leftovers(place), *look_at_files(place)]
            case = f"{name}: {failure.call} of {', '.join(hit)}, {error}"
            wrong += [f"{case}: {what}" for what in found]
            shown = found or (options.show and hit and [done.stderr.strip() or "endured"]) or []
            for what in shown:
                print(f"  {case}: {what}", flush=True)
    print(f"{name}: {len(failures)} calls, {dict(outcomes)}, {len(wrong)} wrong", flush=True)
    return wrong


def look_at_words(done: subprocess.CompletedProcess[str]) -> Iterator[str]:
    """What is wrong with a failed command's words: one error line, notes, nothing else."""
    lines = done.stderr.splitlines()
    if done.returncode and [line.partition(":")[0] for line in lines
                            if not line.startswith("note: ")] != ["error"]:
        yield f"exit {done.returncode}, said: {done.stderr.strip()[-600:]}"


def look_at_files(place: Place) -> Iterator[str]:
    """What is torn: models, the choice, datasets, and files under a final name."""
    project = place.project
    store = ModelStore(project / "models", project / "models" / "metadata", TRUSTED)
    try:
        for identifier in store.identifiers():
            store.load(identifier)
        store.choose()
    except UserError as error:
        yield str(error)
    for path in (path for top in STATE for path in (project / top).rglob("*")):
        if path.is_file() and not path.name.startswith(".") and (text := torn(path)):
            yield f"{path.relative_to(project)}: {text}"


def look_at_leftovers(place: Place) -> Iterator[str]:
    """What a failed run left, and the next one too."""
    for top in STATE:
        for path in (place.project / top).rglob(".*"):
            if not path.name.startswith((".lock-", ".gitkeep")):
                yield f"left: {path.relative_to(place.project)}"


def torn(path: Path) -> str:
    """Why a file is no complete one; empty when it is."""
    import duckdb
    if path.suffix == ".json":
        try:
            content = json.loads(path.read_bytes())
        except ValueError as error:
            return str(error)
        parts = [content[part] for part in ("staging", "transformed")
                 if "dataset_version" in content]
        return "" if all(sha256_of(path.parents[2] / part["path"]) == part["sha256"]
                         for part in parts) else "does not describe its dataset"
    if path.suffix == ".parquet":
        try:
            duckdb.sql(f"FROM read_parquet('{path}')").fetchall()
        except duckdb.Error as error:
            return str(error)
    endings = {".html": "</html>", ".csv": "\n"}
    if path.suffix in endings and not path.read_text().endswith(endings[path.suffix]):
        return "is cut off"
    return ""


if __name__ == "__main__":
    main()
