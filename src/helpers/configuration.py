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
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from mlmonkey.errors import UserError
from mlmonkey.files import sha256_of_text
from mlmonkey.redact import without_passwords
from src.helpers.endings import run_politely
from src.helpers.params import as_text, as_words, read_params
from src.settings import FOLDERS, check_local, read_env, relative

SECTIONS = {"generate_dataset": "src.etl.generate_dataset", "train": "src.train",
            "prediction": "src.predict", "evaluate": "src.evaluate",
            "deploy_endpoint": "src.deploy_endpoint", "promote": "src.promote",
            "report": "src.report", "onboard": "src.onboard", "drift": "src.drift"}
# strongest first; click itself tells flags, environment, and the rest apart
STRENGTH = ("flag", "environment", ".env.local", ".env", "params.yaml", "default")
# columns of one table: named by a weaker source than --data, they belong to another
OF_THE_DATA = {"target", "group", "time", "drop"}


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
        """The values as JSON: lists for tuples, paths as `relative` writes them.

        Of a value of .env.local only a fingerprint, which tells that it changed and no more; of an
        address no password.
        """
        return {name: f"*** {sha256_of_text(str(value))[:8]}"
                if self.sources.get(name) == ".env.local" else
                relative(value) if isinstance(value, Path) else
                list(map(without_passwords, value)) if isinstance(value, tuple) else
                without_passwords(value) if isinstance(value, str) else value
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
            # threads that wait must sleep: spinning beside another busy process they take
            # twenty times as long; OpenMP reads this when a library that uses it is imported
            os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
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
        check_names(self)
        extra["default_map"], sources = weak_layers(self)
        try:
            context = super().make_context(info_name, args, parent, **extra)
        except click.BadParameter as error:
            raise _with_source(error, self.section, sources) from None
        for option in self.params:
            if isinstance(value := context.params[str(option.name)], Path):
                check_local(value, option.opts[0])
        context.meta["weak_sources"] = sources
        return context

    def main(self, *args: Any, **extra: Any) -> Any:
        # not click's own main, which prints an empty line when it is interrupted
        def work() -> Any:
            name = f"python -m {SECTIONS[self.section]}"
            with self.make_context(name, list(args[0] if args else sys.argv[1:])) as context:
                return self.invoke(context)
        run_politely(work)


def config_of(context: click.Context) -> Config:
    """Values and sources of a parsed command."""
    sources = {}
    for name in context.params:
        kind = context.get_parameter_source(name)
        weak = context.meta["weak_sources"].get(name, "default")
        sources[name] = ("flag" if kind == ParameterSource.COMMANDLINE else
                         "environment" if kind == ParameterSource.ENVIRONMENT else weak)
    config = Config(context.params, sources)
    for name in OF_THE_DATA & sources.keys():
        if config.stronger("data", name):
            config.values[name] = () if isinstance(config.values[name], tuple) else None
            config.sources[name] = "default"
    return config


def weak_layers(command: click.Command) -> tuple[dict[str, Any], dict[str, str]]:
    """What params.yaml, .env and .env.local say for one command: values, and the source of each.

    All as text, which click's types judge as they judge a flag; null and an empty text set nothing.
    """
    section, options = str(command.name), {option.name: option for option in command.params}
    prefix = f"{section.upper()}_"
    layers: dict[str, dict[str, Any]] = {"params.yaml": read_params().get(section, {})}
    for file in (".env", ".env.local"):
        layers[file] = {name.removeprefix(prefix).lower(): text or None
                        for name, text in read_env(file).items() if name.startswith(prefix)}
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, layer in layers.items():
        for name, value in layer.items():
            if value is None:
                continue
            place, sources[name] = _place(source, section, name), source
            if options[name].multiple:
                values[name] = as_words(value, place)
            elif isinstance(value, list | dict):
                raise UserError(f"{place}: takes one value, not {value}")
            else:
                values[name] = as_text(value)
    return values, sources


def check_names(command: click.Command) -> None:
    """Refuse names that nothing reads, in params.yaml, .env, .env.local and the environment.

    What belongs to another script is left to that script, which need not be imported here.

    Raises:
        UserError: with the nearest known name.
    """
    section, options = str(command.name), [str(option.name) for option in command.params
                                           if option.name != "show_config"]
    params = read_params()
    for other in params:
        if other not in SECTIONS:
            raise UserError(f"params.yaml: unknown section {other!r}{nearest(other, SECTIONS)}")
    for name in params.get(section, {}):
        if name not in options:
            raise UserError(f"params.yaml: unknown key {section}.{name}{nearest(name, options)}")
    own, others = f"{section.upper()}_", tuple(f"{other.upper()}_" for other in SECTIONS)
    variables = {f"{own}{name.upper()}" for name in options}
    for source, names in ((".env", read_env(".env")), (".env.local", read_env(".env.local")),
                          ("the environment", os.environ)):
        for name in names:
            mine, prefixed = name.startswith(own), name.startswith(others)
            # REPORT_DIR is no business of the report but a slip of REPORTS_DIR
            known = {*FOLDERS} if prefixed and not mine else variables | {*FOLDERS}
            close = difflib.get_close_matches(name, known, 1, 0.85)
            # other programs own names of the environment too: there only a near miss is a mistake
            if name not in known and (close and prefixed if source == "the environment"
                                      else close or mine):
                raise UserError(f"{source}: unknown variable {name}{nearest(name, known)}")


def nearest(word: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """`; did you mean 'seed'?`; when none is near, `otherwise`, or the list of known words."""
    words = sorted(map(str, known))
    close = difflib.get_close_matches(word, words, 1, 0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    if otherwise is not None:
        return otherwise
    return f"; known: {', '.join(words[:20])}{' ...' if len(words) > 20 else ''}"


def show(section: str, config: Config) -> None:
    """Print each value and its source, one line each; what .env.local says may be secret."""
    width = max(map(len, config.values))
    click.echo(f"{section}: value and source of each option, strongest source first:"
               f" {', '.join(STRENGTH)}")
    for name, value in config.values.items():
        text = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        text = "***" if config.sources[name] == ".env.local" else text
        click.echo(f"  {name:<{width}}  {without_passwords(text)}  ({config.sources[name]})")


def _with_source(error: click.BadParameter, section: str, weak: Mapping[str, str]) -> Exception:
    """The error about a value, naming the place that the value came from."""
    if error.ctx is None or error.param is None:
        return error
    name = str(error.param.name)
    kind = error.ctx.get_parameter_source(name)
    source = "the environment" if kind == ParameterSource.ENVIRONMENT else weak.get(name)
    if kind == ParameterSource.COMMANDLINE or source is None:
        return error
    message = error.message if source != ".env.local" else (  # click's words repeat the value
        f"no value for {error.param.opts[0]} {error.param.make_metavar(error.ctx)}")
    return UserError(f"{_place(source, section, name)}: {message}")


def _place(source: str, section: str, name: str) -> str:
    return (f"params.yaml: {section}.{name}" if source == "params.yaml" else
            f"{section.upper()}_{name.upper()} in {source}")
