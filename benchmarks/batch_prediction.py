"""`make prediction` on a large table against its inference alone: processor seconds, as a ratio.

    make init && .venv/bin/python benchmarks/batch_prediction.py --rows 1000000

Inference alone is the same serving form in one call on ready float64 arrays, without any file. The
table has 20 columns of numbers with six digits; the model is boosting of two classes in 100 rounds.
The processor time is that of the whole process tree (make, stages, prediction), the memory that of
its largest process; then all answers of the file are compared with those of the one call.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from project import Used, copy_project, measure

COLUMNS = 20
TRAINED = 10_000  # rows of the table that the model learns from
AT_ONCE = 50_000  # rows written together
ALONE = """
import json, sys, time
import duckdb
import numpy as np
from mlmonkey.names import ModelId
from mlmonkey.rows import rows_from_columns
from src.helpers.datasets import model_store
model = model_store().load(ModelId("table", 1))
schema = model.metadata["schema"]
names = ", ".join(f'"{each["name"]}"' for each in schema)
table = duckdb.sql(f"SELECT {names} FROM read_csv('{sys.argv[1]}', all_varchar=false)").fetchnumpy()
rows = rows_from_columns(table, schema)
began = time.process_time()
found = model.form.predict(rows)
seconds = time.process_time() - began
written = duckdb.sql(f"FROM read_csv('{sys.argv[2]}', all_varchar=true)").fetchnumpy()
equal = (written["prediction"] == found.labels.astype(str)).all() and all(
    np.array_equal(written[f"probability_{label}"].astype(np.float64), column)
    for label, column in zip(model.classes, found.probabilities.T))
print(json.dumps([seconds, bool(equal)]))
"""


def main() -> None:
    """Make a table and a model, measure, and print one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3, help="whose medians are printed")
    parser.add_argument("--digits", type=int, default=6, help="significant ones of each number")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = copy_project(Path(folder) / "project")
        write_table(project / "data/raw/table.csv", TRAINED, options.digits)
        whole, quarter = Path(folder) / "whole.csv", Path(folder) / "quarter.csv"
        write_table(whole, options.rows, options.digits)
        write_table(quarter, options.rows // 4, options.digits)
        run_make(project, "train", "--data data/raw/table.csv --target y --model boosting "
                                   "--folds 2 --no-report")
        output = Path(folder) / "answers.csv"
        command, alone = [], []
        small = predict(project, quarter, output).memory
        for _ in range(options.rounds):
            used = predict(project, whole, output)
            command.append(used.processor)
            done = subprocess.run([sys.executable, "-c", ALONE, whole, output], cwd=project,
                                  check=True, text=True, stdout=subprocess.PIPE)
            seconds, equal = json.loads(done.stdout.splitlines()[-1])
            alone.append(seconds)
    tree, inference = statistics.median(command), statistics.median(alone)
    print(f"rows                  {options.rows:,} x {COLUMNS} numbers")
    print(f"whole command         {tree:.2f} s of processor time")
    print(f"inference alone       {inference:.2f} s")
    print(f"ratio                 {tree / inference:.2f}")
    print(f"peak memory           {used.memory:.0f} MB; with a quarter of the rows {small:.0f} MB")
    print(f"answers bit-equal     {'yes' if equal else 'NO'}")


def write_table(path: Path, rows: int, digits: int) -> None:
    """Random numbers and a label that depends on them."""
    random = np.random.default_rng(rows)
    with open(path, "w", encoding="ascii") as file:
        print(*(f"x{place}" for place in range(COLUMNS)), "y", sep=",", file=file)
        for start in range(0, rows, AT_ONCE):
            numbers = random.normal(size=(min(AT_ONCE, rows - start), COLUMNS))
            labels = numbers[:, 0] + numbers[:, 1] * numbers[:, 2] > 0
            line = ",".join([f"%.{digits}g"] * COLUMNS) + ",%s\n"
            file.writelines(line % (*row, "yes" if label else "no")
                            for row, label in zip(numbers.tolist(), labels.tolist(), strict=True))


def predict(project: Path, table: Path, output: Path) -> Used:
    """What one prediction takes."""
    return run_make(project, "prediction", f"--input {table} --output {output}")


def run_make(project: Path, target: str, words: str) -> Used:
    """What a target takes."""
    return measure(["make", target, "PY_ENV=none", f"PYTHON={sys.executable}", f"ARGS={words}"],
                   project)


if __name__ == "__main__":
    main()
