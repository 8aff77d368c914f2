"""Where an option's value comes from: every pair of sources, and names that nothing reads."""

import difflib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from conftest import assert_refused, clean_environment, run_in

from src.helpers.configuration import SECTIONS, STRENGTH, Config, nearest
from src.helpers.params import as_words
from src.settings import FOLDERS

# one value per source, weakest last; the default of --seed is 0
VALUES = {"flag": 11, "environment": 12, ".env.local": 13, ".env": 14, "params.yaml": 15}


def shown_config(project: Path, *flags: str, **environment: str) -> dict[str, tuple[str, str]]:
    words = [sys.executable, "-m", "src.train", "--show-config", *flags]
    lines = run_in(project, words, **environment).stdout.splitlines()[1:]
    found = (re.fullmatch(r"  (\w+) +(.*?)  \((.+)\)", line) for line in lines)
    return {match[1]: (match[2], match[3]) for match in found if match}


def set_sources(project: Path, sources: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
    for file in (".env", ".env.local"):
        (project / file).write_text(f"TRAIN_SEED={VALUES[file]}\n" if file in sources else "")
    (project / "params.yaml").write_text(
        f"train:\n  seed: {VALUES['params.yaml']}\n" if "params.yaml" in sources else "")
    flags = ["--seed", str(VALUES["flag"])] if "flag" in sources else []
    environment = {"TRAIN_SEED": str(VALUES["environment"])} if "environment" in sources else {}
    return flags, environment


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from conftest import copy_project
    return copy_project(tmp_path_factory.mktemp("configuration") / "my prøject")


@pytest.mark.parametrize("sources", [*itertools.combinations(VALUES, 2), tuple(VALUES),
                                     ("params.yaml",), ()])
def test_the_strongest_source_wins_and_is_named(bare: Path, sources: tuple[str, ...]) -> None:
    flags, environment = set_sources(bare, sources)
    value, source = shown_config(bare, *flags, **environment)["seed"]
    expected = next((name for name in STRENGTH if name in sources), "default")
    shown = "***" if expected == ".env.local" else str(VALUES.get(expected, 0))
    assert (source, value) == (expected, shown)


def resolved(project: Path, **environment: str) -> dict[str, object]:
    """The values that src.train would get, as JSON."""
    code = ("import json; from src.stages import resolve\n"
            "print(json.dumps(resolve('train', []).plain()))")
    done = run_in(project, [sys.executable, "-c", code], **environment)
    values: dict[str, object] = json.loads(done.stdout)
    return values


def test_values_of_env_files_are_used_quoted_exported_and_with_a_mark_in_front(bare: Path) -> None:
    set_sources(bare, ())
    (bare / ".env").write_text("\ufeffexport TRAIN_SEED='3'\nTRAIN_NAME=\"a b\"\nTRAIN_TARGET=\n")
    (bare / ".env.local").write_text("TRAIN_FOLDS=4\n")
    values = resolved(bare)
    assert [values[name] for name in ("seed", "name", "target")] == [3, "a b", None]
    assert values["folds"].startswith("*** ")  # of .env.local a fingerprint only


def test_values_of_params_keep_their_meaning_and_null_sets_nothing(bare: Path) -> None:
    set_sources(bare, ())
    (bare / "params.yaml").write_text(
        "train: {name: null, seed: null, refit: yes, report: false, target: 7, hold_out: 1.0e-7}\n"
        "generate_dataset: {accept_changed_raw: true, missing: ['?', 7]}\n")
    values = resolved(bare)
    names = ("name", "seed", "refit", "report", "target", "hold_out")
    assert [values[name] for name in names] == [None, 0, True, False, "7", 1e-7]
    assert shown_config(bare)["name"] == ("None", "default")
    words = [sys.executable, "-m", "src.etl.generate_dataset", "--show-config"]
    shown = run_in(bare, words).stdout
    assert "True  (params.yaml)" in shown and "? 7  (params.yaml)" in shown


@pytest.mark.parametrize("value", [None, True, 0.1, 1e-7, 12, "10", "no", "a b, c", "é", [1, None]])
def test_a_parameter_of_set_is_read_again_as_the_same_value(value: object) -> None:
    (word,) = as_words({"max_depth": value}, "params.yaml: train.set")
    name, _, text = word.partition("=")
    assert (name, yaml.safe_load(text)) == ("max_depth", value)


def test_options_that_repeat_come_from_every_source(bare: Path) -> None:
    set_sources(bare, ())
    (bare / "params.yaml").write_text("train:\n  set: {max_iter: 20, max_depth: 3}\n")
    assert shown_config(bare)["set"] == ("max_iter=20 max_depth=3", "params.yaml")
    (bare / ".env").write_text("TRAIN_SET='max_iter=30 max_depth=4'\n")
    assert shown_config(bare)["set"] == ("max_iter=30 max_depth=4", ".env")
    assert shown_config(bare, TRAIN_SET="a=1 b=2")["set"] == ("a=1 b=2", "environment")
    assert shown_config(bare, "--set", "a=1 2")["set"] == ("a=1 2", "flag")


@pytest.mark.parametrize(("params", "env", "environment", "parts"), [
    ("train:\n  sede: 1\n", "", {}, ("train.sede", "did you mean 'seed'?")),
    ("trian:\n  seed: 1\n", "", {}, ("'trian'", "did you mean 'train'?")),
    ("train: 7\n", "", {}, ("'train'", "keys and values")),
    ("- train\n", "", {}, ("must hold sections",)),
    ("train: [\n", "", {}, ("params.yaml can't be read",)),
    ("train:\n  seed: many\n", "", {}, ("error: params.yaml: train.seed: 'many'", "integer")),
    ("train:\n  seed: 1.5\n", "", {}, ("error: params.yaml: train.seed: '1.5'", "integer")),
    ("train:\n  seed: [1, 2]\n", "", {}, ("params.yaml: train.seed", "one value", "[1, 2]")),
    ("train:\n  set: \"a='b\"\n", "", {}, ("params.yaml: train.set", "quotation")),
    ("train:\n  name: caf\udce9\n", "", {}, ("params.yaml is not UTF-8",)),
    ("", "TRAIN_NAME=caf\udce9\n", {}, (".env is not UTF-8",)),
    ("", "TRAIN_SEED=many\n", {}, ("error: TRAIN_SEED in .env: 'many'", "integer")),
    ("", "REPORT_DIR=x\n", {}, (".env:", "REPORT_DIR", "REPORTS_DIR")),
    ("", "TRAIN_SEDE=1\n", {}, (".env:", "TRAIN_SEDE", "TRAIN_SEED")),
    ("", "MODEL_DIR=x\n", {}, (".env:", "MODEL_DIR", "MODELS_DIR")),
    ("", "", {"TRAIN_SEDE": "1"}, ("environment", "TRAIN_SEDE", "TRAIN_SEED")),
    ("", "", {"TRAIN_SEED": "many"}, ("error: TRAIN_SEED in the environment: 'many'",)),
])
def test_names_and_values_that_nothing_reads_are_refused(
        bare: Path, params: str, env: str, environment: dict[str, str],
        parts: tuple[str, ...]) -> None:
    (bare / "params.yaml").write_text(params, errors="surrogateescape")
    (bare / ".env").write_text(env, errors="surrogateescape")
    (bare / ".env.local").write_text("")
    words = [sys.executable, "-m", "src.train", "--show-config"]
    assert_refused(run_in(bare, words, check=False, **environment), *parts)


def test_a_flag_is_named_as_it_was_typed(bare: Path) -> None:
    set_sources(bare, ("params.yaml",))
    words = [sys.executable, "-m", "src.train", "--seed", "many"]
    assert_refused(run_in(bare, words, check=False), "'--seed'", "'many'")


@pytest.mark.parametrize(("local", "words", "parts"), [
    ("TRAIN_SEED=x7secret\n", ["--show-config"], ("TRAIN_SEED in .env.local", "--seed INTEGER")),
    ("TRAIN_TASK=x7secret\n", ["--show-config"], ("TRAIN_TASK in .env.local", "regression")),
    ("TRAIN_DATA=x7secret\n", [], ("***",)),
    ("TRAIN_NAME=caf\udce9 x7secret\n", [], (".env.local is not UTF-8",)),
])
def test_no_error_repeats_a_value_of_env_local(bare: Path, local: str, words: list[str],
                                               parts: tuple[str, ...]) -> None:
    set_sources(bare, ())
    (bare / ".env.local").write_text(local, errors="surrogateescape")
    done = run_in(bare, [sys.executable, "-m", "src.train", *words], check=False)
    assert_refused(done, *parts)
    assert "x7secret" not in done.stdout + done.stderr


def test_a_script_minds_its_own_section_and_imports_no_other_script(bare: Path) -> None:
    set_sources(bare, ())
    report = bare / "src" / "report.py"
    before = report.read_text()
    report.write_text("this is no Python\n")
    try:
        (bare / "params.yaml").write_text("report: {sede: 1}\ntrain: {seed: 5}\n")
        (bare / ".env").write_text("REPORT_SEDE=1\n")
        assert shown_config(bare)["seed"] == ("5", "params.yaml")
    finally:
        report.write_text(before)
    words = [sys.executable, "-m", "src.report", "--show-config"]
    assert_refused(run_in(bare, words, check=False), "params.yaml", "report.sede")
    (bare / "params.yaml").write_text("")
    assert_refused(run_in(bare, words, check=False), ".env", "REPORT_SEDE")
    (bare / ".env").write_text("")


def test_no_option_of_any_script_looks_like_a_slip_of_a_folder() -> None:
    variables = [f"{section}_{option.name}".upper() for section, module in SECTIONS.items()
                 for option in import_module(module).main.params]
    assert not [name for name in variables if difflib.get_close_matches(name, FOLDERS, 1, 0.85)]


def ending(project: Path, body: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process whose work is `body`, ended as a script is."""
    code = ("import errno, os\nfrom src.helpers.endings import run_politely\n"
            f"def work():\n    {body}\nrun_politely(work)")
    return run_in(project, [sys.executable, "-c", code], check=False, **environment)


DUCKDB = "import duckdb; duckdb.sql('select * from nothing')"


@pytest.mark.parametrize(("body", "parts"), [
    ("os.makedirs('params.yaml/x')", ("can't use params.yaml/x: a file stands", "move that")),
    ("open('models', 'w')", ("can't use models: it is a folder", "MODELS_DIR")),
    ("open('data/raw/x.csv')", ("can't find data/raw/x.csv: no such file", "DATA_RAW_DIR")),
    ("raise OSError(errno.ENOSPC, 'x', os.path.abspath('models/metadata/x.json'))",
     ("can't write models/metadata/x.json: the disk is full; free", "with MODELS_METADATA_DIR")),
    ("raise OSError(errno.EROFS, 'x', 'reports')",
     ("can't write reports: the disk is read-only", "REPORTS_DIR")),
    ("raise OSError(errno.EACCES, 'x', 'models/metadata')",
     ("can't write models/metadata: permission denied; change its rights or choose another folder"
      " with MODELS_METADATA_DIR",)),
    ("raise OSError(errno.ELOOP, 'too many links', '/x')", ("can't use /x: too many links",)),
    ("raise OSError(errno.EIO, 'it broke')", ("the disk fails", "system's log")),
    ("raise OSError(errno.ENOTTY, 'it broke')", ("it broke",)),
    (DUCKDB, ("DuckDB: Catalog Error", "nothing", "TRACEBACK=1")),
])
def test_what_the_system_refuses_is_a_sentence(bare: Path, body: str,
                                               parts: tuple[str, ...]) -> None:
    set_sources(bare, ())
    done = ending(bare, body)
    assert_refused(done, *parts)
    assert len(done.stderr.splitlines()) == 1 and "Errno" not in done.stderr or "broke" in body
    assert "Traceback" in ending(bare, body, TRACEBACK="1").stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(bare: Path) -> None:
    set_sources(bare, ())
    (bare / "reports").chmod(0o500)
    try:
        done = ending(bare, "open('reports/x.html', 'w')")
    finally:
        (bare / "reports").chmod(0o700)
    assert_refused(done, "can't write reports/x.html: permission denied", "REPORTS_DIR")


@pytest.mark.parametrize("body", [
    "raise KeyboardInterrupt", "raise RuntimeError('Query interrupted')",
    "import duckdb; raise duckdb.InterruptException('INTERRUPT Error: Interrupted!')"])
def test_an_interrupt_is_one_line(bare: Path, body: str) -> None:
    done = ending(bare, body)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "interrupted: what was complete is kept, the rest was removed\n"


def test_an_interrupted_script_prints_no_empty_line(bare: Path) -> None:
    set_sources(bare, ())
    code = ("import time\nfrom src.helpers.configuration import script\n@script('train')\n"
            "def main(config):\n    print('ready', flush=True)\n    time.sleep(60)\nmain([])")
    process = subprocess.Popen([sys.executable, "-c", code], cwd=bare, env=clean_environment(),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == (
        "", "interrupted: what was complete is kept, the rest was removed\n")
    assert process.returncode == 130


def test_a_fault_of_ours_shows_its_place(bare: Path) -> None:
    done = ending(bare, "raise ValueError('odd')")
    assert done.returncode == 1 and "Traceback" in done.stderr


def test_a_reader_that_leaves_early_is_no_error(bare: Path) -> None:
    set_sources(bare, ())
    command = f"set -o pipefail; '{sys.executable}' -m src.train --show-config | true"
    assert run_in(bare, ["bash", "-c", command], check=False).stderr == ""


def test_other_programs_may_own_names_in_the_environment(bare: Path) -> None:
    set_sources(bare, ())
    assert shown_config(bare, TRAIN_STATION="Ghent", MODEL="x")["seed"] == ("0", "default")


@pytest.mark.parametrize("section", SECTIONS)
def test_every_script_has_help_with_an_example_and_every_option_a_text(section: str) -> None:
    command = import_module(SECTIONS[section]).main
    assert "Example: make " in command.help
    assert all(option.help for option in command.params if option.name != "help"), section


def test_nearest_names_one_word_or_all() -> None:
    assert nearest("speces", ["species", "island"]) == "; did you mean 'species'?"
    assert nearest("x", ["b", "a"]) == "; known: a, b"


def test_config_knows_which_source_is_stronger() -> None:
    config = Config({"data": 1, "target": 2}, {"data": "flag", "target": "params.yaml"})
    assert config.stronger("data", "target") and not config.stronger("target", "data")
    assert config.data == 1
    with pytest.raises(AttributeError):
        config.nothing
