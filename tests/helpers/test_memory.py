"""--max-rows: what fits into memory, what it does to the key, and which rows are drawn."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import Run, copy_project, read_metadata, write_table
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from src.helpers.configuration import Config
from src.helpers.freshness import train_record
from src.helpers.memory import rows_within, total_memory, with_row_limit
from src.helpers.tables import draw_sample

COLUMNS = [{"name": "x", "dtype": "number"}, {"name": "y", "dtype": "text"}]


def config(max_rows: int | None) -> Config:
    return Config({"max_rows": max_rows, "features": False, "seed": 0, "model": "boosting"},
                  {"max_rows": "flag" if max_rows else "default", "seed": "default",
                   "features": "default", "model": "default"})


def profile(rows: int) -> dict[str, Any]:
    return {"columns": COLUMNS, "transformed": {"rows": rows, "path": "x.parquet", "sha256": "0"}}


@pytest.mark.parametrize(("group", "files"), [
    ("0::/a/b", {"memory.max": "max", "a/memory.max": "5000000", "a/b/memory.max": "max"}),
    ("3:cpu:/x\n4:memory:/y/z", {"memory/memory.limit_in_bytes": "5000000"}),
    ("4:memory:/y", {"memory/memory.limit_in_bytes": "9223372036854771712",
                     "memory/y/memory.limit_in_bytes": "5000000\n"})])
def test_the_tightest_control_group_counts(tmp_path: Path, group: str,
                                           files: dict[str, str]) -> None:
    machine = total_memory(tmp_path)
    assert machine > 2**28
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(group + "\n")
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert total_memory(tmp_path) == 5_000_000


def test_only_a_limit_that_bites_is_part_of_the_key() -> None:
    few, many = profile(1000), profile(10**12)
    assert with_row_limit(config(None), few).max_rows is None
    assert with_row_limit(config(1000), few).sources["max_rows"] == "default"
    assert train_record(few, config(None))["key"] == train_record(few, config(5000))["key"]
    assert train_record(few, config(999))["key"] != train_record(few, config(None))["key"]
    limit = rows_within(total_memory(), COLUMNS)
    assert train_record(many, config(None))["config"]["max_rows"] == limit < 10**12
    resolved = with_row_limit(config(None), many)
    assert resolved.block()["max_rows"] == {"value": limit, "source": "memory"}
    assert with_row_limit(resolved, many).values == resolved.values


def test_wide_tables_and_texts_leave_room_for_fewer_rows() -> None:
    assert rows_within(2**34, COLUMNS[:1]) > 1_000_000
    assert rows_within(2**34, COLUMNS) < rows_within(2**34, COLUMNS[:1])
    assert rows_within(2**34, COLUMNS * 100) == rows_within(2**34 + 2**24, COLUMNS * 100)


def sample_of(path: Path, values: list[Any], dtype: str, most: int, seed: int = 0) -> pd.DataFrame:
    """Draw from a file with the column `y a"z`; the answer's rows are those of the file."""
    table = pd.DataFrame({'y a"z': values, "number": np.arange(len(values))})
    with duckdb.connect() as connection:
        connection.from_df(table).write_parquet(str(path))
        frame, rows, known = draw_sample(connection, path, {"name": 'y a"z', "dtype": dtype},
                                         most, seed)
    assert list(rows) == list(frame["number"]) == sorted(set(rows))
    assert known == table['y a"z'].notna().sum()
    assert len(frame) == min(most, known) and frame['y a"z'].notna().all()
    return frame


@settings(max_examples=12, deadline=None, phases=[Phase.generate])
@given(labels=st.lists(st.sampled_from(["a", "b", "ü", "rare", None]), min_size=1, max_size=60),
       most=st.integers(1, 60))
def test_classes_keep_their_shares_and_two_rows(tmp_path_factory: pytest.TempPathFactory,
                                                labels: list[str | None], most: int) -> None:
    path = tmp_path_factory.getbasetemp() / "sampled.parquet"
    drawn = sample_of(path, labels, "text", most)['y a"z'].value_counts()
    counts = pd.Series(labels, dtype="str").value_counts()
    for label, count in counts.items():
        if most >= 2 * len(counts):
            assert drawn[label] >= min(count, 2)
        assert drawn.get(label, 0) <= max(2, count * most / counts.sum() + 1)


def test_samples_of_numbers_are_spread_seeded_and_independent(tmp_path: Path) -> None:
    values = np.random.default_rng(0).permutation(20_000) * 1e10
    values[::4] = np.nan
    path = tmp_path / "numbers.parquet"
    drawn = [sample_of(path, list(values), "number", 1500, seed) for seed in (0, 0, 1)]
    assert drawn[0].equals(drawn[1])
    assert 100 < len(set(drawn[0]["number"]) & set(drawn[2]["number"])) < 200  # by chance 150
    tenths = np.histogram(drawn[0]['y a"z'], np.nanquantile(values, np.linspace(0, 1, 11)))[0]
    assert set(tenths) <= set(range(149, 152))


def test_a_sample_is_learned_said_and_recorded(tmp_path: Path, run_stage: Run) -> None:
    project = copy_project(tmp_path / "my prøject")
    rows = [[i, i % 7, "rare" if i % 1000 == 0 else "ab"[i % 2] if i % 3 else ""]
            for i in range(3000)]
    data = write_table(project, "big.csv", ["file_row_number", "number", "y"], rows)
    words = ("train", "--data", data, "--target", "y", "--set", "max_iter=5", "--folds", 2,
             "--no-report", "--max-rows", 300)
    out = run_stage(project, *words).stdout
    assert "from 300 rows" in out and "note: these are a sample of 2,001 rows\n" in out
    metadata = read_metadata(project, "big-v1")
    assert metadata["data"]["rows"] == {"dataset": 3000, "without_target": 999, "not_sampled": 1701,
                                        "training": 240, "hold_out": 60}
    assert metadata["config"]["max_rows"] == {"value": 300, "source": "flag"}
    assert metadata["target"]["counts"] == [149, 149, 2]
    run_stage(project, "prediction", "--model-name", "big", "--keep", "all", "--output", "held.csv")
    held = pd.read_csv(project / "held.csv")
    assert len(held) == 60 and held["y"].notna().all()
    assert held["file_row_number"].tolist() == metadata["data"]["hold_out_rows"]
