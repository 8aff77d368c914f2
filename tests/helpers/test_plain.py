"""One look at a row's numbers reads what the rule for numbers reads, or leaves them to it."""

import re
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from src.etl.convert import cells_sql, checked_value_sql
from src.etl.kinds import MISSING_WORDS
from src.helpers.plain import ALL_PLAIN, can_be_plain, is_odd, only_plain, plain_sql

PARTS = ["", "0", "00", "1", "7", "9.5", "1234567", "123456789012345678", "0.000001", ".", "-", "+",
         "e", "E", "e-05", "e-3", "e-400", "E+40", "400", "_", " ", "\t", "\n", "\r", "\v", "\f",
         "\u00a0", "inf", "nan", "NA", "x", "$", ",", ";", "\u0663", "\x00", "0x", "d", "%"]
ODD = ["007", "-007", "1,007", "1_000", "1e-400", "2E-4000", "123456789012345678", "1.5\v", "\f1.5",
       "0.12345678901234567", '"1.5"', "x 05", "+05", "+-1", "1 0.5e-300"]
FINE = ["", "0", "-0", "0.5", "-0.05,1.005", "9e-05", "9E-05", "1e05", "10", "100.001", "a_b",
        "a_1", "1.50,yes", "200,-3", "12345678901234567", "1.234567890123456", "e-", "have-0"]


def test_what_is_plain_is_what_the_rule_reads() -> None:
    random = np.random.default_rng(0)
    cells = sorted({"".join(random.choice(PARTS, random.integers(1, 5))) for _ in range(20_000)}
                   | {repr(each) for each in random.normal(size=500).tolist()} | {*ODD, *FINE})
    table = pd.DataFrame({"n": [cell or None for cell in cells]})
    with duckdb.connect() as connection:
        connection.register("cells", table)
        clean = cells_sql("cells", ["n"], {"missing": list(MISSING_WORDS)})
        wanted = [value for value, in connection.execute(
            f"SELECT {checked_value_sql('n', 'number')} FROM {clean}").fetchall()]
        for sure in (True, False):
            found = connection.execute(f"SELECT {ALL_PLAIN}, p FROM "
                                       f"{plain_sql('cells', {'n': 'p'}, sure)}").fetchall()
            plain = 0
            for cell, (fine, value), right in zip(cells, found, wanted, strict=True):
                # without quotes no cell holds a line end
                if fine and not (sure and is_odd(re.sub("[\r\n]", '"', cell).encode() + b"\n")):
                    assert (value, str(value)) == (right, str(right)), cell
                    plain += 1
            assert plain > 280


@pytest.mark.parametrize("text", [*ODD, *FINE])
def test_bytes_that_mislead_are_found(tmp_path: Path, text: str) -> None:
    path = tmp_path / "table.csv"
    for filler in ("", "1.5,x\n" * 40_000):
        for ending in ("\n", "\r\n", ""):
            path.write_bytes(f"{filler}{text}{ending}".encode())
            mixed = "\r" in ending and filler
            assert only_plain(path) == (text in FINE and not mixed)


def test_numbers_that_stand_for_missing_are_no_plain_ones() -> None:
    assert can_be_plain(MISSING_WORDS) and not can_be_plain([*MISSING_WORDS, "-999"])
