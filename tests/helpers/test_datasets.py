"""Raw files are found or copied in, never overwritten; datasets are found by key or by raw file."""

import os
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mlmonkey.errors import UserError
from mlmonkey.files import write_json
from mlmonkey.sealed import sealed
from src.helpers import datasets
from src.helpers.configuration import Config
from src.helpers.datasets import dataset_key, find_profile, find_raw, read_profile

OPTIONS = {"member": None, "sheet": None,
           "delimiter": "auto", "quote": "auto", "quote_escape": "auto", "header": "auto",
           "preamble": "auto", "footer": "auto", "separator_lines": "auto",
           "encoding": "auto", "decimal": "auto",
           "dates": "auto", "column": (), "missing": (), "not_missing": (), "private": (),
           "max_rejects": 0.01}


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of our own, outside the project."""
    for name, folder in (("DATA_RAW_DIR", "raw"), ("DATA_STAGING_DIR", "staging"),
                         ("DATA_TRANSFORMED_DIR", "transformed")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    (tmp_path / "raw").mkdir()
    (tmp_path / "transformed").mkdir()
    return tmp_path / "raw"


def test_a_file_inside_data_raw_is_used_as_it_is(raw: Path) -> None:
    path = raw / "sub" / "x.csv"
    path.parent.mkdir()
    path.write_text("a,b\n1,2\n")
    assert find_raw(path) == path
    assert [each.name for each in raw.iterdir()] == ["sub"]


def test_a_file_elsewhere_is_copied_in_once(raw: Path, tmp_path: Path,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    outside = tmp_path / "it's mine.csv"
    outside.write_text("a,b\n1,2\n")
    assert find_raw(outside) == raw / outside.name
    assert (raw / outside.name).read_text() == outside.read_text()
    assert "copied" in capsys.readouterr().out
    assert find_raw(outside) == raw / outside.name
    assert "already holds these bytes" in capsys.readouterr().out
    assert [each.name for each in raw.iterdir()] == [outside.name]


def test_a_name_with_other_bytes_is_never_overwritten(raw: Path, tmp_path: Path) -> None:
    outside = tmp_path / "it's mine.csv"
    outside.write_text("a,b\n1,2\n")
    (raw / outside.name).write_text("other,bytes\n1,2\n")
    (raw / "it's mine-2.csv").write_text("taken\n")
    with pytest.raises(UserError, match="holds other bytes") as error:
        find_raw(outside)
    import shlex
    command = shlex.split(str(error.value).rsplit("use that: ", 1)[1])
    assert command == ["cp", str(outside), "$DATA_RAW_DIR/it's mine-3.csv"]
    assert (raw / outside.name).read_text().startswith("other")


def test_too_little_room_is_said_before_copying(raw: Path, tmp_path: Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int
    outside = tmp_path / "x.csv"
    outside.write_text("a,b\n1,2\n")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(3))
    with pytest.raises(UserError, match="needs 8 bytes in .*, 3 are free"):
        find_raw(outside)
    assert list(raw.iterdir()) == []


def test_a_link_to_a_file_elsewhere_counts_as_elsewhere(raw: Path, tmp_path: Path) -> None:
    outside = tmp_path / "x.csv"
    outside.write_text("a,b\n1,2\n")
    os.symlink(outside, raw / "x.csv")
    assert find_raw(raw / "x.csv") == raw / "x.csv"


def test_keys_tell_files_and_readings_apart(raw: Path) -> None:
    def key(name: str, **changed: Any) -> str:
        return dataset_key(raw / name, Config(OPTIONS | changed, {}))
    keys = {key("x.csv"), key("x.parquet"), key("sub/x.csv"), key("x.csv", header="no"),
            key("x.csv", missing=("-",)), key("x.csv", private=("a",)),
            key("x.csv", column=("a=text",)), key("x.csv", not_missing=("NA",))}
    assert len(keys) == 8
    assert all(re.fullmatch("x-[0-9a-f]{8}", each) for each in keys)
    assert key("x.csv") == key("x.csv", max_rejects=0.5)
    assert re.fullmatch("a_1_ b-[0-9a-f]{8}", key("a[1] b.csv"))
    assert key("a[1].csv") != key("a_1_.csv")


def test_profiles_are_found_by_key_or_raw_file(raw: Path, tmp_path: Path) -> None:
    path = raw / "x.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="no dataset of .*make generate-dataset"):
        find_profile(path, None)
    for key in ("x-1", "x-2"):
        write_json(tmp_path / "transformed" / f"{key}.json", sealed(
            {"key": key, "raw": {"path": "$DATA_RAW_DIR/x.csv"}}))
    assert find_profile(path, "x-2")["key"] == "x-2"
    with pytest.raises(UserError, match="several ways; .*--dataset x-1 or --dataset x-2"):
        find_profile(path, None)
    (tmp_path / "transformed" / "x-2.json").write_text("{torn")
    assert read_profile("x-2") is None
    assert find_profile(path, None)["key"] == "x-1"
    with pytest.raises(UserError, match="no dataset x-3 yet"):
        find_profile(path, "x-3")
    (tmp_path / "transformed" / "x-3.json").write_text("[1]")
    assert read_profile("x-3") is None


def test_two_copies_at_once_take_turns(raw: Path, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "x.csv").write_text(f"a,b\n{number},2\n")

    def copy(number: int) -> str:
        try:
            return str(datasets.find_raw(tmp_path / str(number) / "x.csv"))
        except UserError as error:
            return str(error)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(copy, range(4)))
    assert answers.count(str(raw / "x.csv")) == 1
    assert sum("holds other bytes" in answer for answer in answers) == 3
