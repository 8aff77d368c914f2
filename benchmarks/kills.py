"""Kill every stage at random moments: afterwards the old state or the new one, never a torn one.

    .venv/bin/python benchmarks/kills.py                  100 of each signal and stage, 40 minutes
    .venv/bin/python benchmarks/kills.py --times 5 --stages train,report

SIGKILL and SIGINT go to the whole process group, as a lost machine and a Ctrl-C do, at moments
spread over the time that the stage takes. After each one every model that is listed must load and
pass its golden rows, every Parquet file and page must be whole and belong to what describes it, and
what was there before must be there. Every tenth time a prediction must work beside the leftovers;
at last a training must remove them. The tests run a small version.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.project import ROOT, copy_project  # noqa: E402
from mlmonkey.claims import owner_of  # noqa: E402
from mlmonkey.files import sha256_of  # noqa: E402
from mlmonkey.store import ModelStore  # noqa: E402
from src.model.trusted import TRUSTED  # noqa: E402

SIGNALS = (signal.SIGKILL, signal.SIGINT)
LINE = "interrupted: what was complete is kept, the rest was removed"
TABLE = "data/raw/kills.csv"
OUTPUT = "data/predictions/kills.csv"
# each run has work to do: another table under the same name, another seed
STAGES = {
    "generate-dataset": f"--data {TABLE}",
    "train": "--model boosting --no-report --set max_iter=20 --folds 3 --seed",
    "prediction": f"--model-name iris --input {TABLE} --keep all --output {OUTPUT}",
    "report": "--all",
}


def main() -> None:
    """Run the campaign in a copy of the project; exit 1 when anything was torn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.
                                     RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100, help="of each signal and stage")
    parser.add_argument("--stages", default=",".join(STAGES), help="which ones")
    parser.add_argument("--seed", type=int, default=0, help="decides the moments")
    options = parser.parse_args()
    torn = []
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(Path(folder) / "project", options.seed)
        for stage in options.stages.split(","):
            for number in SIGNALS:
                found = campaign.kill(stage, number, options.times)
                torn += found
                print(f"{stage:<17} {number.name:<8} {options.times} times: {len(found)} torn",
                      *found, sep="\n  ", flush=True)
        left = campaign.leftovers()
        print("leftovers after the next runs:", *left or ["none"], sep="\n  ")
    sys.exit(bool(torn + left))


class Campaign:
    """A copy of the project with a dataset, a model, predictions and pages, to be killed in."""

    def __init__(self, project: Path, seed: int) -> None:
        self.project = project
        self.random = random.Random(seed)
        self.store = ModelStore(project / "models", project / "models" / "metadata", TRUSTED)
        self.runs = 0
        copy_project(project)
        self.write_table()
        self.seconds = {stage: self.complete(stage) for stage in ("train", "generate-dataset",
                                                                  "prediction", "report")}

    def kill(self, stage: str, number: signal.Signals, times: int) -> list[str]:
        """Run a stage so many times and kill it at some moment; return what was torn."""
        torn = []
        for _ in tqdm(range(times), f"{stage} {number.name}", leave=False):
            if stage == "generate-dataset":
                self.write_table()
            before = self.state()
            error = self.interrupted(stage, number, self.random.uniform(0, self.seconds[stage]))
            torn += [f"{stage} {number.name} run {self.runs}: {each}"
                     for each in [*self.differences(before), *([error] if error else [])]]
            if self.runs % 10 == 0:
                self.complete("prediction")
        return torn

    def leftovers(self) -> list[str]:
        """What a training, a prediction and a report leave of the killed ones' files."""
        for stage in STAGES:
            self.write_table()
            self.complete(stage)
        return [f"left: {path.relative_to(self.project)}" for path in self.project.rglob(".*")
                if path.name.startswith((".part-", ".claim-"))]

    def write_table(self) -> None:
        """Another table of the same columns: the raw file that datasets and predictions read."""
        header, *rows = (ROOT / "data" / "raw" / "iris.csv").read_text().splitlines()
        table = [header, *(self.random.choice(rows) for _ in range(20_000))]
        temporary = self.project / TABLE / ".." / ".table"
        temporary.resolve().write_text("\n".join(table) + "\n")
        os.replace(temporary.resolve(), self.project / TABLE)

    def words(self, stage: str) -> list[str]:
        """The command; a training gets a seed that none had before."""
        self.runs += 1
        seed = [str(self.runs)] if stage == "train" else []
        return [sys.executable, "-m", "src.stages", stage, *STAGES[stage].split(), *seed]

    def complete(self, stage: str) -> float:
        """Run a stage to its end; return the seconds."""
        began = time.monotonic()
        done = subprocess.run(self.words(stage), cwd=self.project, text=True, capture_output=True)
        if done.returncode:
            raise SystemExit(f"{stage} trips: {done.stdout}{done.stderr}")
        return time.monotonic() - began

    def interrupted(self, stage: str, number: signal.Signals, seconds: float) -> str | None:
        """Run a stage and end it after so many seconds; return what is wrong with its end."""
        with subprocess.Popen(self.words(stage), cwd=self.project, text=True,
                              start_new_session=True, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE) as process:
            time.sleep(seconds)
            began = time.monotonic()
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                return None
            _, errors = process.communicate()
        took = time.monotonic() - began
        lines = [line for line in errors.splitlines() if "it/s" not in line and line.strip()]
        if took > 2:
            return f"ended after {took:.1f} s"
        if number is signal.SIGINT and process.returncode == 130 and lines[-1:] != [LINE]:
            return f"said {lines}"
        if process.returncode == -signal.SIGINT and not lines:
            return None  # Python itself was still starting
        return None if process.returncode in (0, -9, 130) else f"{process.returncode}: {lines}"

    def state(self) -> dict[str, str]:
        """The files that have a final name, and their sha256."""
        return {path.relative_to(self.project).as_posix(): sha256_of(path)
                for folder in ("data/staging", "data/transformed", "data/predictions", "models",
                               "reports")
                for path in (self.project / folder).rglob("*")
                if path.is_file() and not path.name.startswith(".")}

    def differences(self, before: dict[str, str]) -> list[str]:
        """What is neither the old state nor a complete new one."""
        after = self.state()
        wrong = [f"{name} is gone" for name in before if name not in after
                 and (not name.startswith("models/") or owned(name, before))]
        wrong += [f"{name} changed" for name, sha256 in before.items()
                  if owned(name, before) and after.get(name) != sha256]
        for identifier in self.store.identifiers():
            path = self.store.metadata_path(identifier).relative_to(self.project).as_posix()
            if path not in before or self.runs % 10 == 0:
                wrong += complaint(lambda: self.store.load(identifier))
        wrong += complaint(lambda: self.store.read_metadata(self.store.choose()))
        for profile in (self.project / "data" / "transformed").glob("[!.]*.json"):
            wrong += complaint(lambda: self.check_dataset(profile))
        for page in (self.project / "reports").glob("[!.]*.html"):
            wrong += [f"{page.name} is cut"] * ("</html>" not in page.read_text())
        wrong += complaint(self.check_prediction)
        return wrong

    def check_dataset(self, profile: Path) -> None:
        """A profile's files must be those that it describes."""
        content = json.loads(profile.read_text())
        for part in ("staging", "transformed"):
            if sha256_of(self.project / content[part]["path"]) != content[part]["sha256"]:
                raise ValueError(f"{content[part]['path']} is not the file of {profile.name}")

    def check_prediction(self) -> None:
        """A scored file has every record and the JSON that was written with it."""
        output = self.project / OUTPUT
        about = json.loads(output.with_name(output.name + ".json").read_text())
        if sha256_of(output) != about["output"]["sha256"]:
            raise ValueError(f"{output.name} is not the file of its JSON")


def owned(name: str, state: dict[str, str]) -> bool:
    """Whether a file belongs to a model; without metadata it is what a killed training left."""
    model = owner_of(Path(name).name) or Path(name).stem
    return name.startswith("models/") and f"models/metadata/{model}.json" in state


def complaint(check: Callable[[], object]) -> Sequence[str]:
    """What a check raises, as a list of at most one line."""
    try:
        check()
    except Exception as error:  # whatever is wrong is a finding
        return [f"{type(error).__name__}: {error}"]
    return []


if __name__ == "__main__":
    main()
