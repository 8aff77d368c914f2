"""This project as its user runs it, in a copy: train with the algorithm named, then prediction."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from case import Case

sys.path.append(str(Path(__file__).resolve().parents[2]))  # benchmarks/


def main() -> None:
    """Train, predict, translate the columns."""
    from train_overhead import copy_project
    case = Case()
    with tempfile.TemporaryDirectory() as folder:
        project = copy_project(Path(folder) / "project")
        shutil.copy(case.folder / "train.csv", project / "data/raw/table.csv")
        shutil.copy(case.folder / "test.csv", project / "test.csv")
        task = "regression" if case.regression else "classification"
        stage(project, "train", "--data", "data/raw/table.csv", "--target", case.target,
              "--task", task, "--model", case.word or "boosting", "--hold-out", "0", "--no-report")
        stage(project, "prediction", "--model-name", "table", "--input", "test.csv",
              "--output", "answers.csv", "--max-rejects", "1")
        answers = pd.read_csv(project / "answers.csv")
        size = sum(file.stat().st_size for file in project.glob("models/table-v*.*"))
    columns = (["prediction"] if case.regression
               else [f"probability_{name}" for name in case.classes])
    usual = ([case.y.mean()] if case.regression
             else case.y.value_counts(normalize=True)[case.classes].tolist())
    refused = int(answers[columns[0]].isna().sum())  # such a row gets the dummy's answer
    answers = answers[columns].fillna(dict(zip(columns, usual))).to_numpy()
    case.write(answers[:, 0] if case.regression else answers,
               None if case.regression else case.classes,
               f"model {size / 1e6:.1f} MB, {refused} rows refused")


def stage(project: Path, *words: str) -> None:
    """A command of the project; what it complains of is this peer's error."""
    done = subprocess.run([sys.executable, "-m", "src.stages", *words], cwd=project,
                          stdout=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
