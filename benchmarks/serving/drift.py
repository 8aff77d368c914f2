"""What counting for drift costs a request, and how often its verdict is wrong.

    .venv/bin/python benchmarks/serving/drift.py
    .venv/bin/python benchmarks/serving/drift.py --tables 50 --training 150

Tables of 20 columns are drawn (numbers, integers with few values, texts of 2 to 50 levels), and
rows as an endpoint counts them: of the same distribution, where every verdict of a shift is false,
and with one column moved by half a standard deviation, which is to be seen.
"""

import sys
import time
from pathlib import Path
from typing import Any

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from mlmonkey.bins import Counts, reference  # noqa: E402
from mlmonkey.drift import MODERATE, MUCH, bins_of, describe_drift  # noqa: E402
from mlmonkey.rows import Reader, Rows  # noqa: E402
from mlmonkey.schema import DECILES  # noqa: E402

COLUMNS, LEVELS, WORDS = 20, (2, 5, 10, 20, 50), [f"level {number}" for number in range(50)]
TARGET = {"name": "target", "dtype": "text", "classes": ["no", "yes"]}


@click.command(help=__doc__)
@click.option("--tables", default=200, help="Drawn for each size.")
@click.option("--training", default=[150, 1_000, 20_000], multiple=True, help="Rows of a table.")
@click.option("--asked", default=[200, 1_000, 20_000], multiple=True, help="Rows of an endpoint.")
def main(tables: int, training: tuple[int, ...], asked: tuple[int, ...]) -> None:
    """Print both tables."""
    random = np.random.default_rng(7)
    for mixed in (False, True):
        one, many = cost(random, mixed, 1), cost(random, mixed, 1_000)
        print(f"{'mixed' if mixed else 'numbers':<8} one row {one:5.1f} us, "
              f"1,000 rows {many:6.0f} us")
    for rows in training:
        for count in asked:
            alarms = [verdict(random, rows, count, 0) for _ in range(tables)]
            found = [verdict(random, rows, count, 0.5) for _ in range(tables)]
            print(f"training {rows:>6,} asked {count:>6,}  false alarms {np.mean(alarms):6.1%}  "
                  f"shift seen {np.mean(found):6.1%}", flush=True)


def draw(random: np.random.Generator, count: int, mixed: bool, shift: float = 0) -> dict[str, Any]:
    """Columns by name; the first one is moved."""
    columns: dict[str, Any] = {}
    for place in range(COLUMNS):
        if mixed and place % 4 == 1:
            columns[f"integer {place}"] = random.poisson(2, count).astype(float)
        elif mixed and place % 4 > 1:
            levels = LEVELS[place % len(LEVELS)]
            words = np.array(WORDS, dtype=object)
            columns[f"text {place}"] = words[(levels * random.random(count) ** 2).astype(int)]
        else:
            columns[f"number {place}"] = random.normal(size=count)
    columns["number 0"] += shift
    return columns


def describe(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """The schema, as training writes it."""
    schema: list[dict[str, Any]] = []
    for name, values in columns.items():
        if name.startswith("text"):
            levels, counts = np.unique(values.astype(str), return_counts=True)
            schema.append({"name": name, "dtype": "text", "categories": [
                {"value": str(level), "count": int(many)}
                for level, many in zip(levels, counts) if many >= 5]})
        else:
            schema.append({"name": name, "dtype": "number", "quantiles": np.quantile(
                values, DECILES, method="inverted_cdf").tolist()})
    return schema


def as_rows(columns: dict[str, Any], schema: list[dict[str, Any]]) -> Rows:
    """Rows as a request gives them."""
    lists = (column.tolist() for column in columns.values())
    return Reader(schema).read(list(map(list, zip(*lists))))[0]


def verdict(random: np.random.Generator, training: int, asked: int, shift: float) -> bool:
    """Whether a shift is told of rows drawn beside a table."""
    table = draw(random, training, mixed=True)
    schema = describe(table)
    answers = np.array(TARGET["classes"])
    metadata = {"model_name": "x", "model_version": 1, "schema": schema, "target": TARGET}
    metadata["drift"] = reference([as_rows(table, schema)], schema, TARGET,
                                  answers[random.integers(0, 2, training)])
    bins = bins_of(metadata)
    assert bins
    counts = Counts(bins)
    counts.add(as_rows(draw(random, asked, True, shift), schema),
               answers[random.integers(0, 2, asked)])
    return describe_drift(metadata, bins, counts.take())["verdict"] in (MODERATE, MUCH)


def cost(random: np.random.Generator, mixed: bool, count: int) -> float:
    """Processor microseconds per request of so many rows, later counting in batches included."""
    columns = draw(random, 1_000, mixed)
    schema = describe(columns)
    counts = Counts(bins_of({"schema": schema, "target": TARGET, "drift": reference(
        [as_rows(columns, schema)], schema, TARGET, np.array(TARGET["classes"]))}))  # type: ignore
    rows = as_rows({name: values[:count] for name, values in columns.items()}, schema)
    answers = np.array(["yes"] * count)
    repeat, best = 20_000 // count, np.inf
    for _ in range(9):
        began = time.process_time()
        for _ in range(repeat):
            counts.add(rows, answers)
        counts.take()
        best = min(best, (time.process_time() - began) / repeat)
    return 1e6 * best


if __name__ == "__main__":
    main()
