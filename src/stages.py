"""Runs what a target needs, and only what is due: raw file -> dataset -> model -> everything else.

    python -m src.stages train --data data/raw/penguins.csv --target species
    python -m src.stages prediction --input new.csv --output scored.csv

Make calls only this for staged targets. Each stage is a script of its own, run as a subprocess; it
is skipped, saying so, while the record of what decides its result (src/helpers/freshness.py) has
the same key as the record stored with a result that is still there.
"""

import signal

if __name__ == "__main__":  # until run_politely can answer, an interrupt waits
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from mlmonkey.current import select
from mlmonkey.errors import UserError
from mlmonkey.names import ModelId, check_name
from src.etl.unpack import table_name
from src.helpers import freshness
from src.helpers.choosing import print_choice
from src.helpers.configuration import SECTIONS, Config, ScriptCommand, config_of, nearest
from src.helpers.datasets import (dataset_is_fresh, dataset_key, find_raw, model_store,
                                  read_profile, transformed_path)
from src.helpers.endings import PATIENCE, STARTED_BY, run_politely
from src.helpers.sources import is_address, raw_copy_of
from src.settings import load_settings

# target -> the stages it may run, in order; the last one is the target's own script
TARGETS = {
    "generate-dataset": ("onboard", "generate_dataset"),
    "train": ("onboard", "generate_dataset", "train"),
    "prediction": ("prediction",),
    "evaluate": ("evaluate",),
    "deploy-endpoint": ("deploy_endpoint",),
    "report": ("report",),
    "onboard": ("onboard",),
}


def main(words: Sequence[str]) -> int:
    """Run a target with the words of ARGS; return the exit code of the last script that ran."""
    if not words or words[0] not in TARGETS:
        raise UserError(f"unknown target {words[0] if words else ''!r}"
                        f"{nearest(words[0] if words else '', TARGETS)}")
    target, arguments = words[0], list(words[1:])
    own = TARGETS[target][-1]
    if {"--help", "--show-config"} & set(arguments):
        return explain(TARGETS[target], arguments)
    parts = share_out(TARGETS[target], arguments)
    if target == "onboard":
        return run(own, parts[own])
    if target in ("generate-dataset", "train"):
        return bring_up_to_date(target, parts)
    options = resolve(own, parts[own])
    if not options.values.get("model_path") and not model_store().identifiers():
        print(f"{target} needs a model and there is none yet: training the default one")
        code = bring_up_to_date("train", share_out(TARGETS["train"], []))
        if code:
            return code
    print_choice(options)
    if own == "deploy_endpoint":  # a server takes this process's place, so that signals reach it
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", SECTIONS[own], *parts[own]])
    return run(own, parts[own])


def bring_up_to_date(target: str, parts: dict[str, list[str]]) -> int:
    """Make the dataset and, for `train`, the model; skip what is up to date."""
    if code := bring_in(parts):
        return code
    training = resolve("train", parts["train"]) if target == "train" else None
    words = parts["generate_dataset"]
    asked = resolve("generate_dataset", words)
    if asked.sources["data"] == "default":  # the table that train would learn from
        asked = training or resolve("train", [])
    data = (training or asked).data
    if training:
        check_name(table_name(data) if training.name is None else training.name)
    raw = find_raw(data)
    words = [*words, "--data", str(raw)]  # the last one counts
    options = resolve("generate_dataset", words)
    key = dataset_key(raw, options)
    if dataset_is_fresh(key, raw, options):
        print(f"dataset {key}: up to date")
    else:
        code = run("generate_dataset", words)
        if code:
            return code
    if training is None:
        return 0
    arguments = [*parts["train"], "--dataset", key]
    if same := same_training(key, resolve("train", arguments)):
        return reselect(same, training)
    return run("train", arguments)


def bring_in(parts: dict[str, list[str]]) -> int:
    """Copy a table that --data names by its address, and let the stages read the copy."""
    words = parts.pop("onboard")
    asked = resolve("onboard", words)
    if asked.sources["data"] != "flag" or not is_address(asked.data):
        for option in ("table", "query", "dest"):
            if asked.sources[option] == "flag":
                raise UserError(f"--{option} goes with an address as --data, such as "
                                "sqlite:///shop.db; leave it out")
        return 0
    raw = raw_copy_of(asked)
    for own in parts.values():
        own += ["--data", str(raw)]  # the last one counts
    return run("onboard", words)


def share_out(stages: Sequence[str], arguments: Sequence[str]) -> dict[str, list[str]]:
    """Give each stage its own words of ARGS; a word that no stage knows is an error."""
    commands = {stage: load_command(stage) for stage in stages}
    options = {option.name: option for command in commands.values() for option in command.params}
    known = [name for option in options.values() for name in option.opts + option.secondary_opts]
    union = click.Command(stages[-1], params=list(options.values()))
    context = click.Context(union)
    try:
        values, rest, _ = union.make_parser(context).parse_args(list(arguments))
    except click.NoSuchOption as error:
        raise UserError(f"unknown option {error.option_name}"
                        f"{nearest(error.option_name, known)}") from None
    if rest:
        raise UserError(f"unknown word {rest[0]!r} in ARGS; options begin with --, such as "
                        f"--{nearest_option(rest[0], known)}")
    return {stage: [word for option in command.params if option.name in values
                    for word in written(option, values[option.name])]
            for stage, command in commands.items()}


def written(option: Any, value: Any) -> list[str]:
    """One parsed option as the words that give it again."""
    if option.is_flag:
        flags = option.opts if value in (True, option.flag_value) else option.secondary_opts
        return [flags[0]]
    return [word for each in (value if option.multiple else [value])
            for word in (option.opts[0], each)]


def resolve(stage: str, arguments: Sequence[str]) -> Config:
    """The options of a stage from all sources, as its script will see them."""
    context = load_command(stage).make_context(stage, list(arguments))
    config = config_of(context)
    config.values.pop("show_config")
    return config


def same_training(key: str, training: Config) -> ModelId | None:
    """A complete model that this training would only repeat; the newest one of them."""
    profile = read_profile(key)
    if profile is None or not transformed_path(key).is_file():
        return None
    wanted = freshness.train_record(profile, training)["key"]
    store = model_store()
    for identifier, metadata in store.readable(backwards=True):
        if metadata["stage"]["key"] == wanted:
            try:
                store.check(identifier)
                return identifier
            except UserError as damage:
                print(f"note: {damage}; this training makes it anew under the next number")
    return None


def reselect(identifier: ModelId, training: Config) -> int:
    """Nothing to train: select the version again, and write its report if that is gone."""
    print(f"model {identifier}: up to date, nothing to do")
    select(model_store().models, identifier)
    page = load_settings().reports / f"{identifier}.html"
    if not training.report or page.is_file():
        return 0
    return run("report", ["--model-name", identifier.name,
                          "--model-version", str(identifier.version)])


def explain(stages: Sequence[str], arguments: Sequence[str]) -> int:
    """Show help or configuration of each stage of a target."""
    if "--help" in arguments:
        return max(run(stage, ["--help"]) for stage in reversed(stages))
    parts = share_out(stages, arguments)
    return max(run(stage, parts[stage]) for stage in stages)


def run(stage: str, arguments: Sequence[str]) -> int:
    """Run one script and wait for it; an interrupt ends it, and this process says so."""
    sys.stdout.flush()
    # the script takes an interrupt only when it can end politely: see run_politely
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    environment = os.environ | {STARTED_BY: f"stages:{os.getpid()}"}
    process = subprocess.Popen([sys.executable, "-m", SECTIONS[stage], *arguments],
                               env=environment)
    pressed = []

    def pass_on(number: int, frame: Any) -> None:
        pressed.append(number)
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL if number == signal.SIGALRM else signal.SIGINT)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)

    def carry_on(number: int, frame: Any) -> None:  # the script has understood: see endings.py
        signal.setitimer(signal.ITIMER_REAL, 0)
        pressed.clear()

    handlers = {number: signal.signal(number, pass_on)
                for number in (signal.SIGINT, signal.SIGALRM)}
    handlers[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, carry_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    code = process.wait()
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    if pressed or code == -signal.SIGINT:
        raise KeyboardInterrupt
    if code < 0:
        raise UserError(f"{stage} was ended by signal {-code} ({signal.strsignal(-code)}), by "
                        "another program or for want of memory; what was complete is kept: "
                        "type the command again")
    return code


def load_command(stage: str) -> ScriptCommand:
    """The click command of a stage's script; importing a script does nothing else."""
    command: ScriptCommand = import_module(SECTIONS[stage]).main
    return command


def nearest_option(word: str, known: Sequence[str]) -> str:
    """The option that a bare word was probably meant to be."""
    import difflib
    close = difflib.get_close_matches(word, [name.lstrip("-") for name in known], 1, 0.0)
    return close[0] if close else word


if __name__ == "__main__":
    run_politely(lambda: main(sys.argv[1:]))
