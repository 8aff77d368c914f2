"""Where an option's value comes from: every pair of sources, and names that nothing reads."""

import itertools
import re
import sys
from pathlib import Path

import pytest
from conftest import assert_refused, run_in

from src.helpers.configuration import SECTIONS, STRENGTH, Config, nearest, option_names

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
    assert (source, int(value)) == (expected, VALUES.get(expected, 0))


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
    ("train:\n  seed: many\n", "", {}, ("'many'", "integer")),
    ("", "TRAIN_SEDE=1\n", {}, (".env:", "TRAIN_SEDE", "TRAIN_SEED")),
    ("", "MODEL_DIR=x\n", {}, (".env:", "MODEL_DIR", "MODELS_DIR")),
    ("", "", {"TRAIN_SEDE": "1"}, ("environment", "TRAIN_SEDE", "TRAIN_SEED")),
    ("", "", {"TRAIN_SEED": "many"}, ("'many'",)),
])
def test_names_and_values_that_nothing_reads_are_refused(
        bare: Path, params: str, env: str, environment: dict[str, str],
        parts: tuple[str, ...]) -> None:
    (bare / "params.yaml").write_text(params)
    (bare / ".env").write_text(env)
    (bare / ".env.local").write_text("")
    words = [sys.executable, "-m", "src.train", "--show-config"]
    assert_refused(run_in(bare, words, check=False, **environment), *parts)


def test_other_programs_may_own_names_in_the_environment(bare: Path) -> None:
    set_sources(bare, ())
    assert shown_config(bare, TRAIN_STATION="Ghent", MODEL="x")["seed"] == ("0", "default")


@pytest.mark.parametrize("section", SECTIONS)
def test_every_script_has_help_with_an_example_and_every_option_a_text(section: str) -> None:
    from importlib import import_module
    command = import_module(SECTIONS[section]).main
    assert "Example: make " in command.help
    assert all(option.help for option in command.params if option.name != "help"), section
    assert option_names(section)


def test_nearest_names_one_word_or_all() -> None:
    assert nearest("speces", ["species", "island"]) == "; did you mean 'species'?"
    assert nearest("x", ["b", "a"]) == "; known: a, b"


def test_config_knows_which_source_is_stronger() -> None:
    config = Config({"data": 1, "target": 2}, {"data": "flag", "target": "params.yaml"})
    assert config.stronger("data", "target") and not config.stronger("target", "data")
    assert config.data == 1
    with pytest.raises(AttributeError):
        config.nothing
