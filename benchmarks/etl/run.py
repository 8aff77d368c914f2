"""Raw -> staging, and all of `generate-dataset`, against DuckDB's own COPY of the same file.

    make init && .venv/bin/python benchmarks/etl/run.py --rows 1000000 --rounds 3
    .venv/bin/python benchmarks/etl/run.py --rows 10000000 --rounds 1
    .venv/bin/python benchmarks/etl/run.py --format json

The table has 20 mixed columns, about 140 bytes a row as CSV and 330 as JSON. COPY is one line of
SQL: types found by DuckDB, Parquet with its usual zstd, no hash, no account of records, no profile.
Raw to staging is `generate-dataset` that ends before it transforms, with all it does until then.
Wall and processor seconds are those of whole processes, the memory is the peak of the largest one.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.project import Used, copy_project, measure  # noqa: E402

TABLE = """
COPY (SELECT i AS id, 100000 + h % 900000 AS customer,
  (h % 1000000) / 1000.0 AS price, ((h // 7) % 200000 - 100000) / 100.0 AS balance,
  round(sin(i) * 1000, 6) AS signal, round(cos(i * 1.7), 8) AS ratio, (h // 11) % 120 AS age,
  (h // 13) % 50 AS items, CASE WHEN h % 10 = 0 THEN NULL ELSE (h // 17) % 1000 END AS gaps,
  ['red', 'green', 'blue', 'grey'][1 + (h % 4)::INT] AS colour, 'city ' || (h // 19) % 500 AS city,
  'user-' || lpad(((h // 23) % 100000)::VARCHAR, 6, '0') AS code,
  lpad(((h // 29) % 100000)::VARCHAR, 5, '0') AS postcode,
  DATE '2015-01-01' + ((h // 31) % 3650)::INT AS day,
  TIMESTAMP '2020-01-01' + INTERVAL (i % 100000000) SECOND AS moment, h % 3 = 0 AS active,
  ['low', 'NA', 'middle', 'high'][1 + ((h // 3) % 4)::INT] AS level,
  ((h // 37) % 10000) / 100.0 AS rate,
  CASE WHEN h % 25 = 0 THEN 'a text, with a comma' ELSE 'text ' || (h // 41) % 1000 END AS note,
  (h // 43) % 2 AS label
  FROM (SELECT i, (hash(i) >> 2)::BIGINT AS h FROM range({rows}) t(i)))
TO '{path}' (FORMAT {format})
"""
COPY = """
import sys, duckdb
with duckdb.connect() as connection:
    connection.execute(f"COPY (FROM '{sys.argv[1]}') TO '{sys.argv[2]}' "
                       "(FORMAT parquet, COMPRESSION zstd)")
"""


TO_STAGING = """
import contextlib, os
from src.etl import generate_dataset
@contextlib.contextmanager
def steps(total):
    yield lambda step, share=None: step == "transform" and os._exit(0)
generate_dataset.steps = steps
generate_dataset.main()
"""


def main() -> None:
    """Make the table, measure in turns, and print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3, help="whose medians are printed")
    parser.add_argument("--format", choices=["csv", "json"], default="csv",
                        help="of the table; json has a record a line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        project = copy_project(Path(folder) / "project")
        table = project / f"data/raw/table.{options.format}"
        write_table(table, options.rows, options.format)
        ways = {"COPY of DuckDB": [sys.executable, "-c", COPY, str(table),
                                   str(Path(folder) / "copy.parquet")],
                "raw to staging": [sys.executable, "-c", TO_STAGING,
                                   "--data", f"data/raw/{table.name}"],
                "generate-dataset": [sys.executable, "-m", "src.etl.generate_dataset",
                                     "--data", f"data/raw/{table.name}"]}
        found: dict[str, list[Used]] = {name: [] for name in ways}
        steps: list[dict[str, float]] = []
        for _ in range(options.rounds):
            for name, words in ways.items():
                clear(project)
                found[name].append(measure(words, project))
            steps.append(timings(project))
        size = table.stat().st_size
    print(f"{options.rows:,} rows x 20 columns, {size / 1e6:,.0f} MB, {os.cpu_count()} cores, "
          f"median of {options.rounds}")
    middle = {name: Used(*map(statistics.median, zip(*used))) for name, used in found.items()}
    for name, used in middle.items():
        print(f"{name:<18} wall {used.wall:6.2f} s  processor {used.processor:6.2f} s  "
              f"memory {used.memory:5.0f} MB")
    copy = middle.pop("COPY of DuckDB")
    for name, used in middle.items():
        print(f"{name + ' / COPY':<24} wall {used.wall / copy.wall:.2f}  "
              f"processor {used.processor / copy.processor:.2f}")
    shown = ", ".join(f"{name} {seconds:.2f}" for name, seconds in steps[-1].items())
    print(f"seconds of steps   {shown}")


def write_table(path: Path, rows: int, form: str) -> None:
    """The table, made by DuckDB: the same rows each time."""
    import duckdb
    duckdb.execute(TABLE.format(rows=rows, path=path, format=form))


def clear(project: Path) -> None:
    for name in ("staging", "transformed"):
        shutil.rmtree(project / "data" / name, ignore_errors=True)


def timings(project: Path) -> dict[str, float]:
    """Seconds of each step, as the dataset's profile keeps them."""
    profile = next((project / "data/transformed").glob("*.json"))
    found: dict[str, float] = json.loads(profile.read_text(encoding="utf-8"))["timings"]
    return found


if __name__ == "__main__":
    main()
