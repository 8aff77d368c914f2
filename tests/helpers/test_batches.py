"""Every record of an input is one row of one batch, in order, read as training read its data."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlmonkey.errors import UserError
from src.etl.kinds import MISSING_WORDS
from src.helpers import batches
from src.helpers.batches import Input, open_input

READING = {"format": "csv", "encoding": "utf-8", "delimiter": ",", "quote": '"', "header": True,
           "columns": ["n", "t"], "missing": list(MISSING_WORDS)}


def metadata(rules: dict[str, str] | None = None, dtypes: Sequence[str] = ("integer", "text"),
             private: Sequence[str] = (), target: str = "text", **reading: Any) -> dict[str, Any]:
    """What open_input reads of a model's metadata: features n and t, target y."""
    schema: list[dict[str, Any]] = [{"name": name, "dtype": dtype}
                                    for name, dtype in zip("nt", dtypes)]
    for feature in schema:
        if feature["name"] in private:
            feature["private"] = True
    return {"features": ["n", "t"], "schema": schema, "target": {"name": "y", "dtype": target},
            "data": {"reading": READING | reading,
                     "rules": {"n": "integer", "t": "text"} if rules is None else rules}}


def read(connection: Any, path: Path, about: dict[str, Any],
         **options: Any) -> tuple[Input, pd.DataFrame]:
    """The open input, and all its batches as one frame: n, t, error and what was kept."""
    with tempfile.TemporaryDirectory() as workspace:
        source = open_input(path, about, Path(workspace), connection, **options)
        frames = []
        for batch in source.batches:
            assert len(batch.X) == len(batch.errors) == len(batch.kept)
            X = batch.X.frame()
            assert list(X.dtypes.astype(str)) == ["float64" if feature["dtype"] in (
                "integer", "number", "boolean") else "datetime64[us]" if feature["dtype"] == "date"
                else "str" for feature in about["schema"]]
            frames.append(X.assign(error=batch.errors)
                          .join(batch.kept.add_prefix("kept "), how="left"))
    return source, pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "input.csv"
    path.write_bytes(text.encode(encoding))
    return path


@settings(max_examples=40, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bad=st.lists(st.sampled_from(["", "few", "many", "quote", "number"]), min_size=1,
                    max_size=30), blank=st.booleans())
def test_records_come_in_their_places(connection: Any, tmp_path_factory: pytest.TempPathFactory,
                                      bad: list[str], blank: bool) -> None:
    check_places(connection, tmp_path_factory.mktemp("places"), bad, blank)


@pytest.mark.parametrize("bad", [
    ["few", "", ""], ["", "", "few"], ["", "many", "quote", "few", ""], ["few"] * 5,
    [""] * 2048 + ["few"] + [""] * 2047 + ["quote", "few"] + [""] * 9,
    ["few"] * 3000 + [""] * 3000 + ["many"] * 3000,
])
@pytest.mark.parametrize("vectors", [1, 10])
def test_records_keep_their_places_across_batches(
        connection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: list[str],
        vectors: int) -> None:
    monkeypatch.setattr(batches, "VECTORS", vectors)
    check_places(connection, tmp_path, bad, blank=False)


def check_places(connection: Any, folder: Path, bad: list[str], blank: bool) -> None:
    lines = {"": "{},x", "few": "{}", "many": "{},x,y,z", "quote": '{},"x', "number": "{}?,x"}
    texts = [lines[kind].format(number) for number, kind in enumerate(bad)]
    separator = "\n\n" if blank else "\n"
    source, found = read(connection, write(folder, separator.join(["n,t", *texts, ""])), metadata(),
                         keep=["all"])
    assert source.account.records == len(found) == len(bad)
    for number, (kind, row) in enumerate(zip(bad, found.to_dict("records"))):
        line = 2 + number * (1 + blank) + blank
        if kind == "":
            assert (row["n"], row["t"], row["error"]) == (number, "x", "")
            assert (row["kept n"], row["kept t"]) == (str(number), "x")
        elif kind == "number":
            assert np.isnan(row["n"]) and row["error"] == f"column n: {number}? is not a number"
        elif kind == "quote" and not row["error"]:  # the records around it tell what it is
            assert (row["n"], row["t"], row["kept t"]) == (number, "x", "x")
        else:
            assert np.isnan(row["n"]) and pd.isna(row["t"]) and pd.isna(row["kept n"])
            assert row["error"].startswith(f"line {line}: ")


def test_an_input_without_records_has_no_batch(connection: Any, tmp_path: Path) -> None:
    source, found = read(connection, write(tmp_path, "n,t\n"), metadata())
    assert (source.account.records, len(found)) == (0, 0)


def test_columns_are_found_by_name_and_others_are_named(connection: Any, tmp_path: Path) -> None:
    path = write(tmp_path, "extra, t ,more, n \nx,a,1,7\n")
    source, found = read(connection, path, metadata())
    assert source.ignored == ["extra", "more"]
    assert (found["n"].tolist(), found["t"].tolist()) == ([7], ["a"])
    with pytest.raises(UserError, match="lacks the column.*'n', 't'"):
        read(connection, write(tmp_path, "a,b\n1,2\n"), metadata())
    with pytest.raises(UserError, match="try --delimiter semicolon"):
        read(connection, write(tmp_path, "n;t\n1;x\n2;y\n"), metadata())
    _, found = read(connection, write(tmp_path, "n;t\n1;x\n2;y\n"), metadata(),
                    delimiter="semicolon")
    assert found["n"].tolist() == [1, 2]
    with pytest.raises(UserError, match="--keep z: "):
        read(connection, write(tmp_path, "n,t\n1,x\n"), metadata(), keep=["z"])


def test_the_rules_of_the_training_are_used_again(connection: Any, tmp_path: Path) -> None:
    about = metadata({"n": "percent, decimal comma", "t": "date, month/day/year"},
                     ("number", "date"), delimiter=";", missing=["", "-"])
    path = write(tmp_path, "n;t\n12,5 %;01/02/2024\n-;-\n12.5;13/01/2024\nNA;01/25/2024\n")
    _, found = read(connection, path, about)
    assert found["n"].tolist()[0] == 0.125 and found["t"].tolist()[0] == pd.Timestamp(2024, 1, 2)
    assert found["error"].tolist()[:2] == ["", ""] and np.isnan(found["n"][1])
    assert found["error"][2].startswith("column n: 12.5 is not a number; column t: 13/01/2024 is")


@pytest.mark.parametrize(("rule", "dtype", "text", "value"), [
    ("integer", "integer", "1.5", 1.5), ("integer", "integer", "007", None),
    (None, "integer", "7", 7), (None, "boolean", "TRUE", 1), (None, "date", "2024-01-31", "date"),
    (None, "date", "2024-01-31 10:00", "date"), ("text", "number", "2.5", 2.5),
    ("integer", "text", "7", "7"),
])
def test_how_one_cell_is_read(connection: Any, tmp_path: Path, rule: str | None, dtype: str,
                              text: str, value: Any) -> None:
    about = metadata({"n": rule, "t": "text"} if rule else {}, (dtype, "text"))
    _, found = read(connection, write(tmp_path, f"n,t\n{text},x\n"), about)
    if value is None:
        assert pd.isna(found["n"][0]) and found["error"][0]
    else:
        assert found["error"][0] == ""
        assert found["n"][0] == (pd.Timestamp(text) if value == "date" else value)


def test_private_values_are_not_told(connection: Any, tmp_path: Path) -> None:
    _, found = read(connection, write(tmp_path, "n,t\nsecret,x\n,y\n"), metadata(private=["n"]))
    assert found["error"].tolist() == ["column n: a private value is not a number", ""]


def test_kept_columns_stand_as_in_the_file(connection: Any, tmp_path: Path) -> None:
    path = write(tmp_path, "value 0,n,t,it's\n a ,007,NA,b\n")
    _, found = read(connection, path, metadata(), keep=["it's", "n", "value 0", "t", "n"])
    row = found.loc[0, ["kept it's", "kept n", "kept value 0", "kept t"]].tolist()
    assert row == ["b", "007", " a ", "NA"]
    assert pd.isna(found["t"][0]) and found["error"][0] == "column n: 007 is not a number"


def test_an_older_encoding_is_that_of_the_training(connection: Any, tmp_path: Path) -> None:
    path = write(tmp_path, "n,t\n1,źż\n", "iso8859-2")
    assert read(connection, path, metadata(encoding="iso8859-2"))[1]["t"].tolist() == ["źż"]
    path = write(tmp_path, "n,t\n1,źż\n", "utf-16")
    assert read(connection, path, metadata(encoding="iso8859-2"))[1]["t"].tolist() == ["źż"]
    path = write(tmp_path, "n,t\n1,é\n", "cp1252")
    assert read(connection, path, metadata(encoding="utf-8"))[1]["t"].tolist() == ["é"]


def test_labels_are_typed_and_kept(connection: Any, tmp_path: Path) -> None:
    path = write(tmp_path, "n,t,y\n1,x,2\n2,y,\n3\n4,z,odd\n")
    about = metadata({"n": "integer", "t": "text", "y": "integer"}, target="integer")
    source, found = read(connection, path, about, labels=True)
    assert found["kept y"].isna().tolist() == [False, True, True, True]
    assert found["kept y"][0] == 2
    assert [bool(text) for text in found["error"]] == [False, False, True, False]
    with pytest.raises(UserError, match="lacks the column.*'y'"):
        read(connection, write(tmp_path, "n,t\n1,x\n"), about, labels=True)


def test_parquet_is_converted_or_reported(connection: Any, tmp_path: Path) -> None:
    path = tmp_path / "input.parquet"
    connection.execute("COPY (SELECT * FROM (VALUES (1.5, 'x'), (2.0, NULL), (NULL, 'z')) t(n, t)) "
                       f"TO '{path}' (FORMAT parquet)")
    source, found = read(connection, path, metadata(), keep=["all"])
    assert found["n"].tolist()[:2] == [1.5, 2] and (found["error"] == "").all()
    assert source.account.records == 3
    connection.execute(f"COPY (SELECT 'seven' AS n, 7 AS t) TO '{path}' (FORMAT parquet)")
    _, found = read(connection, path, metadata())
    assert found["error"].tolist() == ["column n: seven is not a number"]
    assert found["t"].tolist() == ["7"]
    about = metadata({}, format="parquet")
    _, found = read(connection, write(tmp_path, "n,t\n7,x\n"), about)
    assert found["n"].tolist() == [7]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    import subprocess
    import sys
    code = """if True:
        import resource, sys, tempfile
        from pathlib import Path
        import duckdb
        sys.path[:0] = ["tests/helpers", "tests"]
        from test_batches import metadata, open_input
        with tempfile.TemporaryDirectory() as work, \\
                duckdb.connect(config={"memory_limit": "200MB"}) as connection:
            source = open_input(Path(sys.argv[1]), metadata(), Path(work), connection)
            print(sum(len(batch.errors) for batch in source.batches), source.account.rejected,
                  resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        """
    path, peaks = tmp_path / "long.csv", []
    for count in (20_000, 400_000):
        with open(path, "w") as file:
            file.write("n,t\n" + "1,some text of a record\nbroken\n" * (count // 2))
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True,
                              text=True, cwd=Path(__file__).parents[2], check=True)
        records, rejected, peak = map(int, done.stdout.split())
        assert (records, rejected) == (count, count // 2)
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 120  # MB; the lists of 200,000 rejects alone would be about that
