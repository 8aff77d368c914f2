"""Options of the scripts: flag, environment, .env.local, .env, params.yaml, default, in this order.

One decorator makes a script's `main` a click command that knows where each value came from:

    @script("train")
    @click.option("--seed", default=0)
    def main(config: Config) -> None:
        print(config.seed, config.sources["seed"])

The word is the section of params.yaml, the prefix of the variables (TRAIN_SEED) and the command.
"""

import difflib
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from mlmonkey.errors import UserError
from src.settings import FOLDERS, ROOT, read_env, relative

SECTIONS = {"generate_dataset": "src.etl.generate_dataset", "train": "src.train",
            "prediction": "src.predict", "evaluate": "src.evaluate",
            "deploy_endpoint": "src.deploy_endpoint", "report": "src.report"}
# strongest first; click itself tells flags, environment, and the rest apart
STRENGTH = ("flag", "environment", ".env.local", ".env", "params.yaml", "default")
INTERRUPTED = 130


class Config:
    """The resolved options of one script: values as attributes, and where each came from."""

    def __init__(self, values: Mapping[str, Any], sources: Mapping[str, str]) -> None:
        self.values, self.sources = dict(values), dict(sources)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(name) from None

    def stronger(self, one: str, other: str) -> bool:
        """Whether option `one` was set by a stronger source than option `other`."""
        return STRENGTH.index(self.sources[one]) < STRENGTH.index(self.sources[other])

    def plain(self) -> dict[str, Any]:
        """The values as JSON: lists for tuples, paths as `relative` writes them."""
        return {name: relative(value) if isinstance(value, Path) else
                list(value) if isinstance(value, tuple) else value
                for name, value in self.values.items()}

    def block(self) -> dict[str, dict[str, Any]]:
        """For the metadata: each value and its source."""
        return {name: {"value": value, "source": self.sources[name]}
                for name, value in self.plain().items()}


def script(section: str) -> Callable[[Callable[[Config], int | None]], "ScriptCommand"]:
    """Make `main(config)` the command of a script; its docstring is the help.

    What main returns is the exit code; None is 0.
    """

    def decorate(main: Callable[[Config], int | None]) -> "ScriptCommand":
        @click.pass_context
        def callback(context: click.Context, **values: Any) -> int | None:
            config = config_of(context)
            if config.values.pop("show_config"):
                show(section, config)
                return None
            return main(config)
        callback.__doc__ = main.__doc__
        options = list(reversed(getattr(main, "__click_params__", [])))
        options.append(click.Option(["--show-config"], is_flag=True,
                                    help="Print each value and its source, and stop."))
        return ScriptCommand(section, options, callback, main.__doc__ or "")
    return decorate


class ScriptCommand(click.Command):
    """A click command that reads all sources, and ends mistakes with one line and exit code 2."""

    def __init__(self, section: str, options: list[Any], callback: Callable[..., Any],
                 text: str) -> None:
        super().__init__(section, params=options, callback=callback, help=text,
                         context_settings={"auto_envvar_prefix": section.upper(),
                                           "max_content_width": 100, "show_default": True})
        self.section = section

    def make_context(self, info_name: str | None, args: list[str],
                     parent: click.Context | None = None, **extra: Any) -> click.Context:
        check_names()
        values, sources = weak_layers(self)
        extra["default_map"] = values
        context = super().make_context(info_name, args, parent, **extra)
        context.meta["weak_sources"] = sources
        return context

    def main(self, *args: Any, **extra: Any) -> Any:
        extra.setdefault("prog_name", f"python -m {SECTIONS[self.section]}")
        return run_politely(lambda: super(ScriptCommand, self).main(
            *args, **{**extra, "standalone_mode": False}))


def run_politely(work: Callable[[], Any]) -> None:
    """Run and exit: mistakes are one line and code 2; TRACEBACK=1 shows where they came from."""
    # threads that wait for each other sleep: on a busy machine spinning made training 10x slower
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        code = work()
    except (KeyboardInterrupt, click.Abort):
        _end("interrupted: what was complete is kept, the rest was removed", INTERRUPTED)
    except click.ClickException as error:
        _end(f"error: {_one_line(error.format_message())}", 2)
    except (UserError, OSError) as error:
        if os.environ.get("TRACEBACK"):
            raise
        _end(f"error: {_one_line(str(error))}", 2)
    sys.exit(code if isinstance(code, int) else 0)


def config_of(context: click.Context) -> Config:
    """Values and sources of a parsed command."""
    sources = {}
    for name in context.params:
        kind = context.get_parameter_source(name)
        weak = context.meta["weak_sources"].get(name, "default")
        sources[name] = ("flag" if kind == ParameterSource.COMMANDLINE else
                         "environment" if kind == ParameterSource.ENVIRONMENT else weak)
    return Config(context.params, sources)


def weak_layers(command: click.Command) -> tuple[dict[str, Any], dict[str, str]]:
    """What params.yaml, .env and .env.local say for one command: values, and the source of each."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    prefix = f"{str(command.name).upper()}_"
    for name, value in read_params().get(str(command.name), {}).items():
        values[name], sources[name] = value, "params.yaml"
    for file in (".env", ".env.local"):
        for variable, text in read_env(file).items():
            if variable.startswith(prefix):
                name = variable.removeprefix(prefix).lower()
                values[name], sources[name] = text, file
    for option in command.params:
        if option.multiple and option.name in values:  # type: ignore[attr-defined]
            values[option.name] = _several(values[option.name])
    return values, sources


def check_names() -> None:
    """Refuse names that nothing reads, in params.yaml, .env, .env.local and the environment.

    Raises:
        UserError: with the nearest known name.
    """
    options = {section: option_names(section) for section in SECTIONS}
    for section, content in read_params().items():
        if section not in options:
            raise UserError(f"params.yaml: unknown section {section!r}"
                            f"{nearest(section, options)}")
        for name in content:
            if name not in options[section]:
                raise UserError(f"params.yaml: unknown key {section}.{name}"
                                f"{nearest(name, options[section])}")
    known = {f"{section.upper()}_{name.upper()}" for section, names in options.items()
             for name in names} | set(FOLDERS)
    for source, names in ((".env", read_env(".env")), (".env.local", read_env(".env.local")),
                          ("the environment", os.environ)):
        for name in names:
            close = difflib.get_close_matches(name, known, 1, 0.85)
            prefixed = name.startswith(tuple(f"{section.upper()}_" for section in SECTIONS))
            # other programs own names of the environment too: there only a near miss is a mistake
            if name not in known and (close and prefixed if source == "the environment"
                                      else close or prefixed):
                raise UserError(f"{source}: unknown variable {name}{nearest(name, known)}")


@cache
def option_names(section: str) -> tuple[str, ...]:
    """The option names of a script, as params.yaml writes them."""
    import importlib
    command = importlib.import_module(SECTIONS[section]).main
    return tuple(str(option.name) for option in command.params if option.name != "show_config")


@cache
def read_params() -> dict[str, dict[str, Any]]:
    """The sections of params.yaml; empty when there is no such file."""
    import yaml
    path = ROOT / "params.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return {}
    except yaml.YAMLError as error:
        raise UserError(f"params.yaml can't be read: {_one_line(str(error))}") from None
    if not isinstance(content, dict):
        raise UserError("params.yaml must hold sections, such as `train:` with `seed: 7` below it")
    for section, keys in content.items():
        if not isinstance(keys, dict | None):
            raise UserError(f"params.yaml: section {section!r} must hold keys and values")
    return {str(section): keys or {} for section, keys in content.items()}


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'seed'?`, or the list of known words when none is near."""
    words = sorted(map(str, known))
    close = difflib.get_close_matches(word, words, 1, 0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(words[:20])}{' ...' if len(words) > 20 else ''}"


def show(section: str, config: Config) -> None:
    """Print each value and its source, one line each."""
    width = max(map(len, config.values))
    click.echo(f"{section}: value and source of each option, strongest source first:"
               f" {', '.join(STRENGTH)}")
    for name, value in config.values.items():
        text = " ".join(map(str, value)) if isinstance(value, tuple) else value
        click.echo(f"  {name:<{width}}  {text}  ({config.sources[name]})")


def secret_values() -> list[str]:
    """Values of .env.local that must never be written anywhere; very short ones hide nothing."""
    return [value for value in read_env(".env.local").values() if len(value) >= 4]


def progress_shown() -> bool:
    """Whether a bar makes sense: somebody is looking."""
    return sys.stderr.isatty()


def _several(value: Any) -> list[str]:
    if isinstance(value, str):
        return shlex.split(value)
    if isinstance(value, dict):
        return [f"{name}={setting}" for name, setting in value.items()]
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _end(line: str, code: int) -> None:
    print(line, file=sys.stderr)
    sys.exit(code)
