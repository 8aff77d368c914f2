"""Full and read-only disks, inputs that vanish, odd clocks, and commands at the same time."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import duckdb
import pytest
from conftest import (ROOT, Run, assert_refused, clean_environment, copy_project, edit_sealed,
                      run_in)

from mlmonkey.files import lock, sha256_of
from mlmonkey.store import ModelStore
from src.helpers.os_errors import os_error_of
from src.model.trusted import TRUSTED

FAST = ("--model", "dummy", "--folds", "2", "--no-report")
# 2 kB a file; coverage's own files would not fit
LIMITED = ("sh", "-c", 'unset COVERAGE_PROCESS_START COVERAGE_PROCESS_CONFIG; '
           'ulimit -f 4 && exec "$@"', "sh")
KEY = ("from pathlib import Path; from src import stages; print(stages.dataset_key("
       "Path('data/raw/cars.csv'), stages.resolve('generate_dataset', [])))")
FOLDERS = ("data", "models", "reports")


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory, run_stage: Run) -> Path:
    """A project with one quick model of iris."""
    folder = copy_project(tmp_path_factory.mktemp("faults") / "my prøject")
    run_stage(folder, "train", *FAST)
    return folder


@pytest.fixture
def quick(fast: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fast, tmp_path / "my prøject"))


def state(project: Path) -> dict[str, str]:
    """Every file but locks, and its content."""
    return {str(path.relative_to(project)): sha256_of(path)
            for top in FOLDERS for path in (project / top).rglob("*")
            if path.is_file() and not path.name.startswith(".lock-")}


def script(*words: str) -> list[str]:
    return [sys.executable, "-m", *words]


def test_files_that_may_not_grow_leave_the_former_state(quick: Path) -> None:
    raw = quick / "data" / "raw" / "iris.csv"
    raw.write_text(raw.read_text().replace("5.1", "5.2", 1))
    commands = {"staging": ("src.etl.generate_dataset", "--accept-changed-raw"),
                "iris-v2.": ("src.train", "--target", "species", *FAST, "--seed", "1"),
                "scored.csv": ("src.predict", "--input", "data/raw/penguins.csv", "--keep", "all",
                               "--model-name", "iris", "--output", "scored.csv"),
                "reports/iris-v1.html": ("src.report",)}
    penguins = "sepal_length,sepal_width,petal_length,petal_width\n" + "5,3,1,1\n" * 2000
    (quick / "data" / "raw" / "penguins.csv").write_text(penguins)
    before = state(quick)
    for place, words in commands.items():
        done = run_in(quick, [*LIMITED, *script(*words)], check=False)
        assert_refused(done, place, "ulimit -f unlimited")
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert state(quick) == before, place
    run_in(quick, script(*commands["staging"]))
    after = state(quick)
    assert set(after) == set(before)
    assert {Path(name).parts[1] for name in after if after[name] != before[name]} == {
        "staging", "transformed"}


def test_an_output_that_cannot_be_printed_is_one_line(quick: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    for words in (("src.report",), ("src.stages", "report")):
        with open("/dev/full", "w") as full:
            done = subprocess.run(script(*words), cwd=quick, stdout=full, stderr=subprocess.PIPE,
                                  env=clean_environment(PYTHONUNBUFFERED=""), text=True,
                                  check=False)
        assert (done.returncode, done.stderr) == (2, "error: the disk is full; free some space\n")


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder that can't be written to: for root, whom no mode stops, a disk that can't."""
    folder.mkdir()
    if os.getuid():
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=4k", "none", str(folder)],
                      capture_output=True, check=False).returncode:
        pytest.skip("root may not mount here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_read_only_folder_is_named_with_its_variable(quick: Path, tmp_path: Path) -> None:
    folder, before = tmp_path / "read only", state(quick)
    with read_only(folder):
        for variable, words in {
                "DATA_STAGING_DIR": ("src.etl.generate_dataset",), "REPORTS_DIR": ("src.report",),
                "DATA_TRANSFORMED_DIR": ("src.etl.generate_dataset",)}.items():
            done = run_in(quick, script(*words), check=False, **{variable: str(folder)})
            assert_refused(done, str(folder), f"choose another folder with {variable}")
        done = run_in(quick, script("src.predict", "--output", str(folder / "a.csv")), check=False)
        assert_refused(done, str(folder))
    assert state(quick) == before


VANISHING = """
import os, sys
from src.etl import detect
real = detect.scan
def scan(path):
    found = real(path)
    {deed}
    return found
detect.scan = scan
from src.etl.generate_dataset import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(("deed", "said"), [
    ("os.unlink(path)", "can't find data/raw/cars.csv: no such file"),
    ("open(path, 'a').write('\\n'.join(open(path).readlines()[1:3]))",
     "data/raw/cars.csv changed while it was read; type the command again")])
def test_a_raw_file_that_goes_or_changes_while_it_is_read(quick: Path, deed: str,
                                                          said: str) -> None:
    before = state(quick)
    words = [sys.executable, "-c", VANISHING.format(deed=deed), "--data", "data/raw/cars.csv"]
    assert_refused(run_in(quick, words, check=False), said)
    before.pop("data/raw/cars.csv")
    after = state(quick)
    after.pop("data/raw/cars.csv", None)
    assert after == before


def test_a_dataset_that_is_gone_or_another_is_not_learned_from(quick: Path) -> None:
    rows = next((quick / "data" / "transformed").glob("*.parquet"))
    words = script("src.train", "--target", "species", *FAST)
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM read_parquet('{rows}') LIMIT 60) TO '{rows}' "
                           "(FORMAT parquet)")
    for _ in range(2):
        assert_refused(run_in(quick, words, check=False), "data/transformed/iris-", "gone or not",
                       "make generate-dataset")
        rows.unlink(missing_ok=True)


def test_clocks_that_jump_change_nothing(quick: Path, run_stage: Run) -> None:
    metadata = quick / "models" / "metadata" / "iris-v1.json"
    edit_sealed(metadata, lambda content: content.update(timestamp="2199-01-01T00:00:00+00:00"))
    for number, path in enumerate(path for top in FOLDERS for path in (quick / top).rglob("*")):
        moment = 7_000_000_000 * (number % 2)  # 1970 and 2191
        os.utime(path, (moment, moment))
    assert "iris-v1: up to date" in run_stage(quick, "train", *FAST).stdout
    assert "trained 0 seconds ago" in run_stage(quick, "prediction").stdout


def test_a_run_that_waited_does_not_work_again(quick: Path) -> None:
    words = script("src.etl.generate_dataset", "--data", "data/raw/cars.csv")
    key = run_in(quick, [sys.executable, "-c", KEY]).stdout.strip()
    with lock(quick / "data" / "staging" / f".lock-{key}", "the dataset"):
        runs = [subprocess.Popen(words, cwd=quick, env=clean_environment(), text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                for _ in range(2)]
        for run in runs:
            assert run.stderr and run.stderr.readline() == (
                f"waiting: another command is working on the dataset {key}\n")
    outputs = sorted(run.communicate(timeout=120)[0] for run in runs)
    assert [run.returncode for run in runs] == [0, 0]
    assert outputs[0] == f"dataset {key}: up to date\n" and "records: 406" in outputs[1]


def test_duckdb_s_words_become_the_system_s() -> None:
    with duckdb.connect() as connection, pytest.raises(duckdb.Error) as caught:
        connection.execute("COPY (SELECT 1) TO '/nowhere/a.parquet'")
    error = os_error_of(str(caught.value))
    assert isinstance(error, FileNotFoundError) and error.filename == "/nowhere/a.parquet"
    text = 'Could not write file \\"/full/a.parquet\\": No space left on device","errno":"28"}'
    error = os_error_of(text)
    assert error and (error.errno, error.filename) == (28, "/full/a.parquet")
    assert os_error_of("Binder Error: no such column") is None


@pytest.mark.slow
def test_trainings_predictions_and_an_endpoint_at_once(quick: Path) -> None:
    endpoint = subprocess.Popen(
        script("src.deploy_endpoint", "--host", "127.0.0.1", "--port", "0", "--workers", "1"),
        cwd=quick, env=clean_environment(), stdout=subprocess.PIPE, text=True)
    assert endpoint.stdout
    port = int(next(line for line in endpoint.stdout if " at http" in line)
               .split("127.0.0.1:")[1].split()[0])
    trainings = [subprocess.Popen(
        script("src.train", "--target", "species", *FAST, "--seed", str(seed)), cwd=quick,
        env=clean_environment(), stdout=subprocess.DEVNULL) for seed in range(1, 5)]
    try:
        while any(training.poll() is None for training in trainings):
            run_in(quick, script("src.predict"))
            used = json.loads((quick / "data" / "predictions" / "iris.csv.json").read_text())
            named = json.loads((quick / "models" / "metadata" /
                                f"iris-v{used['model_version']}.json").read_text())
            assert used["model"] == named["model_identifier"]
            with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as client:
                client.request("POST", "/predict", '{"features": [5.1, 3.5, 1.4, 0.2]}',
                               {"Content-Type": "application/json"})
                answer = client.getresponse()
                release = json.loads(answer.read())["release"]
            assert answer.status == 200 and release["model_version"] == 1
        assert [training.wait() for training in trainings] == [0] * 4
    finally:
        endpoint.terminate()
        endpoint.communicate(timeout=60)
    store = ModelStore(quick / "models", quick / "models" / "metadata", TRUSTED)
    assert [store.load(each).identifier.version for each in store.identifiers()] == [1, 2, 3, 4, 5]


@pytest.mark.slow
def test_a_small_campaign_of_failing_calls() -> None:
    words = ("--only", "report", "--calls", "rename", "fsync", "--errors", "EIO")
    done = run_in(ROOT, [sys.executable, str(ROOT / "benchmarks" / "failing_calls.py"), *words])
    if "skipped" in done.stdout:
        pytest.skip(done.stdout.strip())
    assert done.stdout.splitlines()[-1] == "0 wrong"
