"""What runs again, and what doesn't: one training per change that matters."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, Run, assert_refused, clean_environment, run_in

from src.helpers.freshness import CODE, FEATURES_CODE

FAST = ("--set", "max_iter=5", "--folds", "2", "--no-report")


def versions(project: Path, name: str = "iris") -> int:
    return len(list((project / "models" / "metadata").glob(f"{name}-v*.json")))


def selected(project: Path, name: str = "iris") -> int:
    current = json.loads((project / "models" / "current.json").read_text())
    version: int = current["models"][name]["version"]
    return version


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory, run_stage: Run) -> Path:
    """A project with one quick model of iris."""
    from conftest import copy_project
    folder = copy_project(tmp_path_factory.mktemp("stages") / "my prøject")
    run_stage(folder, "train", *FAST)
    return folder


@pytest.fixture
def quick(fast: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fast, tmp_path / "my prøject"))


def test_a_second_train_has_nothing_to_do(quick: Path, run_stage: Run) -> None:
    done = run_stage(quick, "train", *FAST)
    assert "dataset iris-" in done.stdout and "up to date" in done.stdout
    assert "model iris-v1: up to date, nothing to do" in done.stdout
    assert versions(quick) == 1


def test_a_second_train_imports_no_heavy_library(quick: Path) -> None:
    words = [sys.executable, "-X", "importtime", "-m", "src.stages", "train", *FAST]
    imported = run_in(quick, words).stderr
    for package in ("sklearn", "pandas", "scipy", "duckdb", "flask"):
        assert f"| {package}\n" not in imported.replace(" ", "").replace("|", "| "), package


def test_going_back_to_earlier_settings_selects_that_version(quick: Path, run_stage: Run) -> None:
    run_stage(quick, "train", *FAST, "--seed", 5)
    assert (versions(quick), selected(quick)) == (2, 2)
    done = run_stage(quick, "train", *FAST)
    assert "iris-v1: up to date" in done.stdout
    assert (versions(quick), selected(quick)) == (2, 1)
    assert "model iris-v1" in run_stage(quick, "prediction").stdout


def test_what_changes_the_result_runs_again_and_only_that(quick: Path, run_stage: Run) -> None:
    def train(*words: object, **more: str) -> tuple[bool, bool]:
        before = versions(quick)
        out = run_stage(quick, "train", *FAST, *words, **more).stdout
        return "records:" in out, versions(quick) > before

    assert train(TRAIN_SEED="3") == (False, True)  # environment
    params = quick / "params.yaml"
    params.write_text(params.read_text().replace("hold_out: 0.2", "hold_out: 0.3"))
    assert train() == (False, True)  # a value
    assert train("--report") == (False, False)  # no value that decides the result
    assert train("--max-rejects", 0.5) == (False, False)
    code = quick / "src" / "model" / "pipeline.py"
    code.write_text(code.read_text() + "\n# changed\n")
    assert train() == (False, True)  # code of the training
    code = quick / "src" / "etl" / "transform.py"
    code.write_text(code.read_text() + "\n# changed\n")
    assert train() == (True, False)  # code of the dataset, which came out the same
    code = quick / "src" / "model" / "features.py"
    code.write_text(code.read_text() + "\n# changed\n")
    assert train() == (False, False)  # no function of it is used for iris
    assert train("--missing", "-") == (True, True)  # another dataset, although with equal rows


def test_changed_raw_bytes_need_a_word(quick: Path, run_stage: Run) -> None:
    raw = quick / "data" / "raw" / "iris.csv"
    original = raw.read_bytes()
    raw.write_bytes(original.replace(b"5.1", b"5.2", 1))
    assert_refused(run_stage(quick, "train", *FAST, check=False), "data/raw/iris.csv changed",
                   "iris-v1", "--accept-changed-raw")
    assert "stale: data/raw/iris.csv changed" in run_stage(quick, "prediction").stdout
    run_stage(quick, "train", *FAST, "--accept-changed-raw")
    assert versions(quick) == 2
    run_stage(quick, "train", *FAST)  # a model knows these bytes now
    raw.write_bytes(original)
    run_stage(quick, "train", *FAST)
    assert (versions(quick), selected(quick)) == (2, 1)


def test_lost_results_are_made_again(quick: Path, run_stage: Run) -> None:
    next((quick / "data" / "transformed").glob("*.parquet")).unlink()
    out = run_stage(quick, "train", *FAST).stdout
    assert "records:" in out and "iris-v1: up to date" in out
    file = quick / "models" / "iris-v1.skops"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert_refused(run_stage(quick, "prediction", check=False), "iris-v1.skops", "sha256")
    assert "note: " in run_stage(quick, "train", *FAST).stdout
    assert selected(quick) == 2
    transformed = next((quick / "data" / "transformed").glob("*.parquet"))
    transformed.write_bytes(bytes(len(transformed.read_bytes())))
    assert "records:" in run_stage(quick, "train", *FAST).stdout


def test_damaged_metadata_stops_nobody_else(quick: Path, run_stage: Run) -> None:
    damaged = quick / "models" / "metadata" / "iris-v2.json"
    damaged.write_text('{"a":')
    done = run_stage(quick, "train", *FAST)
    assert "up to date, nothing to do" in done.stdout and "iris-v2.json" in done.stderr
    run_stage(quick, "train", *FAST, "--seed", 6)
    assert selected(quick) == 3
    done = run_stage(quick, "prediction", "--model-version", 2, check=False)
    assert_refused(done, "iris-v2.json")


def test_prediction_trains_only_when_there_is_no_model(project: Path, run_stage: Run) -> None:
    out = run_stage(project, "prediction").stdout
    assert "there is none yet: training the default one" in out
    assert (project / "data" / "predictions" / "iris.csv").is_file()
    run_stage(project, "prediction", TRAIN_SEED="9")
    assert versions(project) == 1


def test_prediction_says_what_is_stale(quick: Path, run_stage: Run) -> None:
    code = quick / "src" / "model" / "models.py"
    code.write_text(code.read_text() + "\n# changed\n")
    out = run_stage(quick, "prediction").stdout
    assert "stale: src/model/models.py changed" in out
    command = out.split("renew it: ")[1].splitlines()[0]
    assert command.startswith("make train ARGS=\"--data data/raw/iris.csv --target species ")
    subprocess.run(command, shell=True, cwd=quick, env=clean_environment(), check=True)
    assert "stale" not in run_stage(quick, "prediction").stdout
    code = quick / "src" / "etl" / "transform.py"
    code.write_text(code.read_text() + "\n# changed\n")
    assert "stale: src/etl/transform.py changed" in run_stage(quick, "prediction").stdout


def test_every_imported_file_decides_the_key_or_is_known_not_to(quick: Path) -> None:
    code = ("import sys, src.train, src.helpers.training; print(*(m.__file__ for n, m in "
            "sys.modules.items() if n.split('.')[0] in ('src', 'mlmonkey') and m.__file__))")
    files = run_in(quick, [sys.executable, "-c", code]).stdout.replace(str(quick) + "/", "")
    imported = {name for name in files.split() if not name.endswith("__init__.py")}
    keyed = {str(path.relative_to(ROOT)) for pattern in (*CODE["train"], FEATURES_CODE)
             for path in ROOT.glob(pattern)}
    names = {"src/": "settings",
             "src/helpers/": "commands configuration datasets endings freshness memory os_errors"
             " params progress secrets",
             "src/etl/": "sql unpack",
             "mlmonkey/": "errors files store claims code_state current metadata_check names redact"
             " sealed monitoring"}
    without_effect = {f"{folder}{name}.py" for folder, each in names.items()
                      for name in each.split()}
    assert imported - without_effect <= keyed


def test_a_foreign_model_file_trains_nothing(project: Path, trained: Path, run_stage: Run) -> None:
    file = trained / "models" / "iris-v1.skops"
    words = ("prediction", "--input", "data/raw/iris.csv", "--model-path")
    out = run_stage(project, *words, file).stdout
    assert "model iris-v1, trained" in out and versions(project) == 0
    for wrong in (("--model-name", "iris"), ("--model-version", "1")):
        assert_refused(run_stage(project, *words, file, *wrong, check=False), "leave out")
    done = run_stage(project, *words, file.with_suffix(".joblib"), check=False)
    assert_refused(done, "is not the file of iris-v1")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_script_that_is_ended_is_said_in_a_line(quick: Path, number: int) -> None:
    code = quick / "src" / "train.py"
    code.write_text("import os, signal\nsignal.pthread_sigmask(signal.SIG_SETMASK, [])\n"
                    "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
                    f"os.kill(os.getpid(), {int(number)})\n")
    words = [sys.executable, "-c", "from src import stages; from src.helpers import endings;"
             "endings.run_politely(lambda: stages.run('train', []))"]
    done = run_in(quick, words, check=False)
    assert done.returncode == (130 if number == signal.SIGINT else 2)
    assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_ends_with_one_line_and_keeps_what_was(quick: Path) -> None:
    words = ["make", "train", "ARGS=--no-report --set max_iter=5000"]
    for delay in (0, 0.8, 2):  # from the first line of the training
        process = subprocess.Popen(words, cwd=quick, env=clean_environment(), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True)
        assert process.stdout and any("training:" in line for line in process.stdout)
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        lines = [line for line in errors.splitlines() if not line.startswith("make:")]
        assert lines == ["interrupted: what was complete is kept, the rest was removed"]
        assert versions(quick) == 1 and selected(quick) == 1
        assert not list((quick / "models").glob("iris-v2*"))


@pytest.mark.parametrize(("words", "parts"), [
    (("trian",), ("'trian'", "did you mean 'train'?")),
    (("train", "--modle", "forest"), ("--modle", "did you mean '--model'?")),
    (("train", "forest"), ("'forest'", "options begin with --")),
    (("train", "--seed"), ("--seed", "requires an argument")),
    (("train", "--seed", "x"), ("'x'", "integer")),
    (("prediction", "--seed", "1"), ("--seed",)),
    ((), ("unknown target",)),
])
def test_words_that_no_stage_knows_are_refused(fast: Path, run_stage: Run, words: tuple[str, ...],
                                               parts: tuple[str, ...]) -> None:
    assert_refused(run_stage(fast, *words, check=False), *parts)


def test_options_reach_the_stage_that_knows_them(quick: Path, run_stage: Run) -> None:
    out = run_stage(quick, "train", *FAST, "--max-rejects", 0.3, "--show-config").stdout
    assert "max_rejects         0.3  (flag)" in out
    assert "max_iter=5" in out
    helped = run_stage(quick, "train", "--help").stdout
    assert "--max-rejects" in helped and "--target" in helped


def test_a_script_run_by_hand_builds_nothing_else(project: Path) -> None:
    words = [sys.executable, "-m", "src.train"]
    assert_refused(run_in(project, words, check=False), "no dataset", "make generate-dataset")
    words = [sys.executable, "-m", "src.predict"]
    assert_refused(run_in(project, words, check=False), "no model", "make train")


def test_a_script_run_by_hand_counts_for_make(quick: Path, run_stage: Run) -> None:
    run_in(quick, [sys.executable, "-m", "src.train", *FAST, "--seed", "8"])
    out = run_stage(quick, "train", *FAST, "--seed", 8).stdout
    assert "iris-v2: up to date" in out


def test_make_runs_every_stage_with_quotes_and_blanks(quick: Path, run_make: Run) -> None:
    run_make(quick, "train", "ARGS=--no-report --set max_iter=5 --folds 2 --name 'my iris'")
    assert versions(quick, "my iris") == 1
    out = quick / "out put.csv"
    run_make(quick, "prediction", f"ARGS=--model-name 'my iris' --output '{out.name}'")
    assert out.is_file()
    run_make(quick, "-j2", "evaluate", "prediction")
