"""Staging trusts the rule that the first values have, and every other value can refute it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlmonkey.errors import UserError
from src.etl import choose_rules as choosing
from src.etl.account import REASON, Unproven, proving
from src.etl.open_source import open_source
from src.etl.choose_rules import choose_rules
from src.etl.convert import cells_sql, checked_value_sql
from src.etl.detect import detect_reading, scan
from src.etl.kinds import MISSING_WORDS
from src.etl.stage import Misfit, stage_rows

CELLS = st.sampled_from([
    "0", "7", "-7", "007", "+7", " 7", "7\u00a0", "1.5", "-0.0", "1.50", ".5", "5.", "1e3",
    "1e-400", "1e400", "00", "-00.5", "0.00000", "12345678901234567", "1.2345678901234567",
    "9223372036854775807", "1_000", "1,234",
    "9223372036854775808", "2,5", "-1", "NA", " NA ", "", "true", "True", "false ", "2024-01-31",
    "2024-1-31", "2024-01-31 10:20:30", "2024-01-31 10:20", "2024-01-31T10:20:30", "2024-02-30",
    "0044-01-01", "infinity", "nan", "31/12/2024", "a", " a", "a b", "Ü", "ß ", None])


class Texts:
    """A column of texts in memory, in a source's place."""

    proven = True

    def __init__(self, connection: Any, texts: Sequence[str | None], words: Sequence[str]) -> None:
        connection.register("texts", pd.DataFrame({"n": range(len(texts)), "a": list(texts)}))
        connection.execute("CREATE OR REPLACE TEMP TABLE cells AS SELECT CAST(a AS VARCHAR) AS a, "
                           f'NULL AS "{REASON}" FROM texts ORDER BY n')
        self.reading = {"columns": ["a"], "missing": [*MISSING_WORDS, *words]}
        self.tidy = not any(re.search("[ \\t-\\r]$|\u00a0", text) for text in texts if text)

    def sql(self) -> str:
        return "cells"


@settings(max_examples=25, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(CELLS, min_size=1, max_size=5), seen=st.integers(1, 3),
       words=st.sampled_from([[], ["7"], ["a b"]]))
def test_what_is_trusted_comes_out_as_what_is_checked(
        connection: Any, tmp_path_factory: pytest.TempPathFactory, texts: list[str | None],
        seen: int, words: list[str]) -> None:
    source: Any = Texts(connection, texts, words)
    try:
        rules = choose_rules(connection, "cells", ["a"], source.reading, decimal="point",
                             dates="day-first")
    except UserError:
        return
    clean = cells_sql("cells", ["a"], source.reading)
    expected = connection.execute(f"SELECT {checked_value_sql('a', rules['a'])} FROM {clean}"
                                  ).fetchall()
    path = tmp_path_factory.mktemp("stage") / "staged.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choosing, "SAMPLE_CELLS", seen)
        patch.setattr(choosing, "FIRST_ROWS", seen)
        trusted = choose_rules(connection, "cells", ["a"], source.reading, decimal="point",
                               dates="day-first", trust=True)
    try:
        stage_rows(connection, source, trusted, path)
    except Misfit:
        assert trusted != rules
        stage_rows(connection, source, rules, path)
    else:
        assert trusted == rules
    assert connection.execute(f"FROM '{path}'").fetchall() == expected


def test_a_value_beyond_the_sample_refutes_a_rule(connection: Any, tmp_path: Path) -> None:
    source: Any = Texts(connection, ["1"] * choosing.SAMPLE_CELLS + ["1", "x"], [])
    rules = choose_rules(connection, "cells", ["a"], source.reading, trust=True)
    assert rules == {"a": "integer"}
    with pytest.raises(Misfit):
        stage_rows(connection, source, rules, tmp_path / "a.parquet")


def test_duckdb_refutes_what_only_adds_up(connection: Any, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("a,b\n" + 9 * "1,2\n" + "1,2,3\n4\n" + 9 * "1,2\n")
    reading = detect_reading(path, scan(path), "comma", header="yes")
    source = open_source(connection, path, reading, tmp_path / "work", trust=True)
    assert not source.proven
    with pytest.raises(Unproven), proving(source):
        stage_rows(connection, source, {}, tmp_path / "staged.parquet")
    assert open_source(connection, path, reading, tmp_path / "work").mended


def test_records_that_staging_does_not_find_are_not_counted(connection: Any,
                                                            tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n3,4\n")
    source = open_source(connection, path, detect_reading(path, scan(path)), tmp_path / "work",
                         trust=True)
    assert not source.proven and source.account.records == 2
    path.write_text("a,b\n1,2\n3,4\n5,6\n")
    with pytest.raises(Unproven):
        stage_rows(connection, source, {}, tmp_path / "staged.parquet")
