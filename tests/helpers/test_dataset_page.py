"""The page of a dataset, and the numbers and drawings that both pages share."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from src.helpers.dataset_page import (describe_columns, file_size, fixed, histogram, number, share,
                                      spell, write_dataset_page)
from tests.helpers.test_model_page import HOSTILE, read_page


@pytest.fixture
def profile(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The profile of the penguins, as the ETL wrote it; pages go to a folder of the test."""
    monkeypatch.setenv("REPORTS_DIR", str(tmp_path))
    path = next((trained / "data" / "transformed").glob("penguins-*.json"))
    return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def test_the_page_holds_columns_account_and_reading(profile: dict[str, Any]) -> None:
    path = write_dataset_page(profile)
    page = read_page(path)
    assert path.name == f"{profile['key']}.html"
    for word in (*profile["rules"], "344", "342", "2.6\u00a0%".replace("\u00a0", " "), "Adelie 151",
                 "32.1 to 59.6", "utf-8", "comma", profile["raw"]["sha256"],
                 profile["transformed"]["sha256"],
                 'make generate-dataset ARGS="--data data/raw/penguins.csv"'):
        assert word in page.text, word


def test_names_and_values_are_harmless(profile: dict[str, Any]) -> None:
    for column, name in zip(profile["columns"], HOSTILE):
        column["name"] = name
        if "categories" in column:
            column["categories"] = [{"value": value, "count": 9} for value in HOSTILE[:3]]
    profile["rules"] = dict.fromkeys(HOSTILE, "date, <b>")
    profile["raw"]["path"] = "data/raw/" + HOSTILE[0]
    page = read_page(write_dataset_page(profile))
    assert HOSTILE[0] in page.text and HOSTILE[1] in page.text


def test_private_columns_and_options_stay_in_the_commands(profile: dict[str, Any]) -> None:
    profile["columns"][2] = {"name": "bill_length_mm", "dtype": "number", "private": True}
    profile["private"] = profile["stage"]["config"]["private"] = ["bill_length_mm"]
    profile["stage"]["config"]["delimiter"] = "comma"
    path = write_dataset_page(profile)
    page = read_page(path)
    assert "59.6" not in path.read_text(encoding="utf-8")
    assert page.text.count("--private bill_length_mm") == 2
    assert "--delimiter comma" in page.text


def test_a_table_without_rules_and_rows(profile: dict[str, Any]) -> None:
    profile["rules"], profile["reading"] = {}, {"format": "parquet", "missing": []}
    profile["columns"] = [{"name": "empty", "dtype": "number", "missing_share": 1.0},
                          {"name": "ids", "dtype": "text", "missing_share": 0.0, "distinct": 9000,
                           "categories": []},
                          {"name": "day", "dtype": "date", "missing_share": 0.0, "quantiles":
                           [f"2024-01-{day:02}T00:00:00" for day in range(1, 12)]}]
    page = read_page(write_dataset_page(profile))
    assert "no value" in page.text and "9,000 rare values, not listed" in page.text
    assert "2024-01-01 to 2024-01-11" in page.text
    assert "The file itself states the type" in page.text


def test_bars_have_the_shape_of_the_column() -> None:
    even = histogram([float(value) for value in range(11)])
    assert all(math.isclose(bar, 1.0) for bar in even)
    assert histogram([5.0] * 11) == [1.0]
    steep = histogram([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 100])
    assert steep[0] == 1.0 and max(steep[1:]) < 0.2
    few = histogram([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1], whole=True)
    assert len(few) == 2 and few[0] > few[1]
    assert histogram([-1e308, *[0.0] * 9, 1e308]) == [1.0]


def test_private_columns_are_described_by_nothing() -> None:
    secret = {"name": "income", "dtype": "number", "private": True, "quantiles": list(range(11))}
    assert describe_columns([secret])[0]["range"] is None
    assert describe_columns([secret])[0]["bars"] == []


@pytest.mark.parametrize(("value", "text"), [
    (0, "0"), (5.0, "5"), (0.98531, "0.9853"), (-2.5, "\u22122.5"), (1234.5, "1234"),
    (123456.0, "123,456"), (1.5e-7, "1.5e\u221207"), (2e12, "2e+12"), (math.inf, "inf")])
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_shares_never_claim_all_or_nothing() -> None:
    given = [0, 1, 0.5, 0.026316, 0.99999, 0.00001]
    assert [share(value).replace("\u00a0", " ") for value in given] == [
        "0 %", "100 %", "50 %", "2.6 %", "over 99.9 %", "under 0.1 %"]


def test_small_words() -> None:
    assert (fixed(-0.0001, 2), fixed(-1.5, 1)) == ("0.00", "\u22121.5")
    given = (None, [], True, ["a", 1])
    assert [spell(value) for value in given] == ["none", "none", "true", "a, 1"]
    assert spell(list(range(40))).endswith("and 10 more")
    assert (file_size(999), file_size(15241), file_size(3_000_000_000)) == (
        "999 bytes", "15.2 kB", "3 GB")
