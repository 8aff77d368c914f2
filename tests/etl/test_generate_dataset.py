"""make generate-dataset as people run it: raw -> staging -> transformed, every record accounted."""

import csv
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import Run, assert_refused, clean_environment, copy_project

Generate = Callable[..., tuple[str, dict[str, Any], list[tuple[Any, ...]]]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One copy for all tests here: each uses raw files of its own."""
    return copy_project(tmp_path_factory.mktemp("etl") / "my prøject")


@pytest.fixture
def generate(place: Path, run_stage: Run) -> Generate:
    """Write a raw file, run the command; what was printed, the profile and the rows come back."""
    def run(name: str, content: bytes | str | None = None,
            *words: str) -> tuple[str, dict[str, Any], list[tuple[Any, ...]]]:
        raw = place / "data" / "raw" / name
        if content is not None:
            raw.write_bytes(content.encode() if isinstance(content, str) else content)
        done = run_stage(place, "generate-dataset", "--data", f"data/raw/{name}", *words)
        profile = newest_profile(place, name)
        with duckdb.connect() as connection:
            rows = connection.execute("FROM read_parquet(?)",
                                      [str(place / profile["transformed"]["path"])]).fetchall()
        return done.stdout, profile, rows
    return run


def newest_profile(place: Path, name: str) -> dict[str, Any]:
    profiles = [json.loads(path.read_text()) for path in sorted(
        (place / "data" / "transformed").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)]
    found: dict[str, Any] = [each for each in profiles
                             if each["raw"]["path"] == f"data/raw/{name}"][-1]
    return found


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


UNTIDY = (
    " order ;Größe; Preis ;Anteil;am; id ;;Größe;note\r\n"
    "1;1,5;1.234,50 €;50 %;31.12.2024;007;x;a; blanks \r\n"
    "\r\n"
    '2;NA;5 €;12,5%;01.02.2024;008;?;b;"semicolon; and\r\nline end"\r\n'
    "3;-2,25;;7 %;n/a;009; y ;;say it's 5\" wide"
)


def test_an_untidy_file(place: Path, generate: Generate) -> None:
    import datetime as dt
    said, profile, rows = generate("untidy.csv", UNTIDY.encode("cp1252"))
    assert rows == [
        (1, 1.5, 1234.5, .5, dt.datetime(2024, 12, 31), "007", "x", "a", "blanks"),
        (2, None, 5, .125, dt.datetime(2024, 2, 1), "008", None, "b",
         "semicolon; and\r\nline end"),
        (3, -2.25, None, .07, None, "009", "y", None, "say it's 5\" wide")]
    assert [column["name"] for column in profile["columns"]] == \
        ["order", "Größe", "Preis", "Anteil", "am", "id", "column_7", "Größe_2", "note"]
    assert [column["dtype"] for column in profile["columns"]] == \
        ["integer", "number", "number", "number", "date", "text", "text", "text", "text"]
    assert profile["records"] == {"lines": 6, "preamble": 0, "header": 1, "blank": 1,
                                  "footer": 0, "continued": 1, "records": 3, "read": 3,
                                  "repaired": 0, "rejected": 0}
    reading = profile["reading"]
    assert (reading["encoding"], reading["delimiter"], reading["header"]) == ("cp1252", ";", True)
    for words in ("cp1252, delimiter ';', header, 9 columns", "'Preis' as currency €, decimal",
                  "'am' as date, day.month.year", "3 = 3 read + 0 repaired + 0 rejected"):
        assert words in said
    assert "reading: 1 line(s) are blank" in said
    said = generate("notes.csv", "Sales\nof 2024\na;b\n1;x\n2;y\n3;z\n", "--footer", "1",
                    "--quote", "single")[0]
    assert "reading: quotes are '\nreading: 2 line(s) above the table are left out\n" in said
    assert "reading: 1 line(s) below the table are left out\n" in said
    for part in ("staging", "transformed"):
        path = place / profile[part]["path"]
        assert (profile[part]["sha256"], profile[part]["rows"]) == (sha256(path), 3)
    assert profile["raw"]["sha256"] == sha256(place / "data" / "raw" / "untidy.csv")
    leftovers = [path.name for path in (place / "data" / "staging").iterdir()
                 if path.name.startswith(".part-")]
    assert leftovers == []


CELLS = (
    "country,price,day,active,code,level\n"
    'NA,"(1,234.50)",3 Jan 2024,yes,007,-\n'
    "DE,25.00,4 Feb 2024,no,12,low\n"
    "NA,-,missing,yes,13,high\n"
    'FR,"2,000.00",5 Mar 2024,no,14,-\n' + 3 * "DE,7.00,4 Feb 2024,yes,15,low\n"
    + 3 * "FR,7.00,4 Feb 2024,no,15,low\n")


def test_what_cells_mean_is_said_and_can_be_overridden(place: Path, run_stage: Run,
                                                       generate: Generate) -> None:
    import datetime as dt
    said, profile, rows = generate("cells.csv", CELLS)
    assert rows[:3] == [(None, -1234.5, dt.datetime(2024, 1, 3), "yes", "007", "-"),
                        ("DE", 25, dt.datetime(2024, 2, 4), "no", "12", "low"),
                        (None, None, None, "yes", "13", "high")]
    for words in ("'price' as number, thousands comma, accounting", "'day' as date, day Mon year",
                  "'NA' is no value, 2 time(s) in 'country'\n", "'-' is no value, 1 time(s) in 'p",
                  "two words stay words in 'active'; as truth values: --column 'active=yes or no'"):
        assert words in said
    assert profile["missing_words"] == {"records": 10, "columns": {
        "country": {"NA": 2}, "price": {"-": 1}, "day": {"missing": 1}}}
    options = ("--not-missing", "NA", "--column", "active=yes or no", "--column", "price=text",
               "--missing", "25.00")
    _, other, rows = generate("cells.csv", None, *options)
    assert rows[:3] == [("NA", "(1,234.50)", dt.datetime(2024, 1, 3), True, "007", "-"),
                        ("DE", None, dt.datetime(2024, 2, 4), False, "12", "low"),
                        ("NA", "-", None, True, "13", "high")]
    assert profile["key"] != other["key"] and other["rules"]["active"] == "yes or no"
    for word, *told in (("activ=text", "did you mean 'active'?"), ("code=txt", "'text'"),
                        ("code", "takes NAME=RULE"), ("level=number", "such as 'low'")):
        assert_refused(run_stage(place, "generate-dataset", "--data", "data/raw/cells.csv",
                                 "--column", word, check=False), f"--column {word}", *told)
    assert_refused(run_stage(place, "generate-dataset", "--data", "data/raw/cells.csv",
                             "--not-missing", "NUL", check=False), "did you mean 'NULL'?")


def test_rejects_are_kept_and_counted(place: Path, generate: Generate, run_stage: Run) -> None:
    content = "a,b\n" + "1,x\n" * 150 + "1,2,3\n" + '"open,1\n' + "2,y,\n" + "1,x\n" * 150
    done = run_stage(place, "generate-dataset", "--max-rejects", "0.02", "--data",
                     "data/raw/rejects.csv", check=False)
    assert_refused(done, "no file data/raw/rejects.csv")
    said, profile, rows = generate("rejects.csv", content)
    assert "303 = 300 read + 1 repaired + 2 rejected" in said
    assert len(rows) == 301 and (2, "y") in rows
    with open(place / "data" / "staging" / f"{profile['key']}.rejects.csv", newline="") as file:
        assert list(csv.reader(file)) == [["line", "reason", "text"],
                                          ["152", "3 cells instead of 2", "1,2,3"],
                                          ["153", "a stray quote", '"open,1']]
    strict = run_stage(place, "generate-dataset", "--max-rejects", "0.001", "--data",
                       "data/raw/rejects.csv", "--missing", "x", check=False)
    assert_refused(strict, "2 of 303 records", ".refused.csv", "--max-rejects 0.01")
    said, _, _ = generate("rejects.csv", content.replace("1,2,3\n", "").replace('"open,1\n', ""))
    assert "note: data/raw/rejects.csv changed since its dataset was made" in said
    assert not (place / "data" / "staging" / f"{profile['key']}.rejects.csv").exists()


def test_a_second_run_is_skipped_and_changes_rerun(place: Path, generate: Generate) -> None:
    content = "a,b\n1,x\n2,y\n"
    said, first, _ = generate("again.csv", content)
    assert "up to date" not in said
    staged = place / first["staging"]["path"]
    before = sha256(staged), sha256(place / first["transformed"]["path"])
    assert "again-" in generate("again.csv")[0] and "up to date" in generate("again.csv")[0]
    said, other, rows = generate("again.csv", None, "--missing", "x")
    assert "up to date" not in said and other["key"] != first["key"]
    assert rows == [(1, None), (2, "y")]
    assert "up to date" in generate("again.csv")[0]  # the first dataset is still there
    staged.unlink()
    assert "up to date" not in generate("again.csv")[0]
    assert (sha256(staged), sha256(place / first["transformed"]["path"])) == before
    said, changed, rows = generate("again.csv", content + "3,z\n")
    assert "note: data/raw/again.csv changed since its dataset was made" in said
    assert changed["key"] == first["key"] and len(rows) == 3


@pytest.mark.parametrize(("content", "option", "words", "value"), [
    ("a;b\n1,234;x\n5,678;y\n", "--decimal comma\" or make", ("--decimal", "point"), 1234),
    ("a;b\n01/02/2024;x\n", "--dates day-first\" or make", ("--dates", "month-first"), None),
    ("1.5,a;2\n3.5,b;4\n", "--delimiter", ("--delimiter", "comma"), 1.5),
])
def test_equally_good_readings_are_asked(place: Path, run_stage: Run, generate: Generate,
                                         content: str, option: str, words: tuple[str, ...],
                                         value: float | None) -> None:
    name = f"asked-{words[0].strip('-')}.csv"
    (place / "data" / "raw" / name).write_text(content)
    assert_refused(run_stage(place, "generate-dataset", "--data", f"data/raw/{name}", check=False),
                   "reads equally well", option)
    _, profile, rows = generate(name, None, *words)
    assert value is None or rows[0][0] == value
    assert profile["columns"][0]["dtype"] == ("date" if value is None else "number")


@pytest.mark.parametrize(("name", "content", "words"), [
    ("header-only.csv", "a,b,c\n", ("no record", "--header no")),
    ("empty.csv", "", ("empty",)),
    ("noise.csv", b"\x00\x01\x02" * 99, ("not a table",)),
    ("broken.parquet", b"PAR1" + b"x" * 99, ("not a readable Parquet file",)),
])
def test_what_holds_no_table_is_refused(place: Path, run_stage: Run, name: str,
                                        content: str | bytes, words: tuple[str, ...]) -> None:
    (place / "data" / "raw" / name).write_bytes(
        content.encode() if isinstance(content, str) else content)
    done = run_stage(place, "generate-dataset", "--data", f"data/raw/{name}", check=False)
    assert_refused(done, f"data/raw/{name}", *words)


def test_private_columns_appear_nowhere(place: Path, run_stage: Run, generate: Generate) -> None:
    content = "name,age\n" + "Ada Lovelace,36\n" * 9 + "Grace Hopper,85\n" * 9
    said, profile, rows = generate("people.csv", content, "--private", "name")
    assert profile["columns"][0] == {"name": "name", "dtype": "text", "private": True}
    assert "Lovelace" not in json.dumps(profile) and "Lovelace" not in said
    assert rows[0] == ("Ada Lovelace", 36)  # the rows themselves stay whole
    done = run_stage(place, "generate-dataset", "--data", "data/raw/people.csv", "--private", "nam",
                     check=False)
    assert_refused(done, "--private nam", "did you mean 'name'")


def test_parquet_with_odd_types(place: Path, generate: Generate) -> None:
    import datetime as dt
    raw = place / "data" / "raw" / "odd.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT 1.25::DECIMAL(10,2) AS price, [1, 2] AS list, {'a': 1} AS struct, "
            "TIMESTAMPTZ '2024-01-01 10:00:00+02' AS moment, TIME '10:30:00' AS time, "
            "'red'::ENUM('red', 'blue') AS colour, DATE '2024-02-29' AS day, 7::UTINYINT AS small, "
            "'x y' AS \"it's \"\"odd\"\"\", NULL::VARCHAR AS nothing) TO "
            f"'{raw}' (FORMAT parquet)")
    said, profile, rows = generate("odd.parquet")
    assert [float(rows[0][0]), *rows[0][1:]] == [
        1.25, "[1, 2]", "{'a': 1}", dt.datetime(2024, 1, 1, 8), "10:30:00", "red",
        dt.date(2024, 2, 29), 7, "x y", None]
    assert [column["dtype"] for column in profile["columns"]] == \
        ["number", "text", "text", "date", "text", "text", "date", "integer", "text", "text"]
    assert "as text or as a moment in UTC: 'list' (INTEGER[])" in said
    assert profile["rules"] == {} and profile["records"]["read"] == 1


def test_names_of_files_and_columns_may_hold_anything(place: Path, generate: Generate) -> None:
    name = "it's [1] *ä; DROP.csv"
    _, profile, rows = generate(name, "it's,\"say \"\"x\"\"\",a;b\n1,2,3\n")
    assert [column["name"] for column in profile["columns"]] == ["it's", 'say "x"', "a;b"]
    assert rows == [(1, 2, 3)]
    assert not set("[]*?") & set(profile["key"])


@pytest.mark.slow
def test_a_thousand_columns_take_seconds(place: Path, generate: Generate) -> None:
    lines = [",".join(f"c{n}" for n in range(1000))]
    lines += [",".join(("1.5", "x", "7", "")[(n + row) % 2 * 2 + row % 2] for n in range(1000))
              for row in range(20)]
    _, profile, rows = generate("wide.csv", "\n".join(lines))
    assert (len(profile["columns"]), len(rows)) == (1000, 20)
    assert profile["timings"]["total"] < 30


def test_two_runs_of_one_dataset_take_turns(place: Path) -> None:
    (place / "data" / "raw" / "twice.csv").write_text("a,b\n" + "1,x\n" * 10_000)
    words = [sys.executable, "-m", "src.etl.generate_dataset", "--data", "data/raw/twice.csv"]
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys; from pathlib import Path; from mlmonkey.files import "
         "lock\nwith lock(Path(sys.argv[1]), 'x'):\n    print('held', flush=True)\n    input()",
         str(place / "data" / "staging" / f".lock-{key_of(place, 'twice.csv')}")],
        cwd=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdin and holder.stdout and holder.stdout.readline() == "held\n"
    second = subprocess.Popen(words, cwd=place, env=clean_environment(), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert second.stderr and second.stderr.readline().startswith("waiting: another command")
    assert second.poll() is None
    holder.communicate("go\n")
    said, _ = second.communicate(timeout=60)
    assert second.returncode == 0 and "10,000 read" in said
    assert len(list((place / "data" / "transformed").glob("twice-*.parquet"))) == 1


def key_of(place: Path, name: str) -> str:
    """The key of a dataset with default options, from the project itself."""
    code = ("import sys; from pathlib import Path; from src.stages import resolve; "
            "from src.helpers.datasets import dataset_key; raw = Path(sys.argv[1]); "
            "print(dataset_key(raw, resolve('generate_dataset', [])))")
    done = subprocess.run([sys.executable, "-c", code, f"data/raw/{name}"], cwd=place, text=True,
                          env=clean_environment(), capture_output=True, check=True)
    return done.stdout.strip()


def test_a_transform_that_does_not_fit_the_table_says_so(place: Path, run_stage: Run) -> None:
    raw = place / "data" / "raw" / "penguins.csv"
    shipped = raw.read_bytes()
    raw.write_text("other,columns\n1,2\n")
    try:
        done = run_stage(place, "generate-dataset", "--data", "data/raw/penguins.csv", check=False)
    finally:
        raw.write_bytes(shipped)
    assert_refused(done, "measured_only", "src/etl/transform.py")


def test_transform_decides_which_rows_exist(generate: Generate) -> None:
    said, profile, rows = generate("penguins.csv")
    assert "transform: measured_only" in said and "342 after transform" in said
    assert (profile["staging"]["rows"], profile["transformed"]["rows"]) == (344, 342)
    assert len(rows) == 342


def test_raw_data_is_immutable_once_a_model_was_trained(trained_copy: Path, run_stage: Run) -> None:
    raw = trained_copy / "data" / "raw" / "cars.csv"
    words = ("generate-dataset", "--data", "data/raw/cars.csv")
    original = raw.read_bytes()
    raw.write_bytes(original + original.splitlines(keepends=True)[-1])
    assert_refused(run_stage(trained_copy, *words, check=False),
                   "data/raw/cars.csv changed after cars-v1", "--accept-changed-raw")
    done = run_stage(trained_copy, *words, "--accept-changed-raw")
    assert "note: data/raw/cars.csv changed" in done.stdout and "407 records" not in done.stdout
    raw.write_bytes(original)
    done = run_stage(trained_copy, *words)
    assert "changed after" not in done.stdout and "406 = 406 read" in done.stdout
