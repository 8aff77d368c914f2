"""Commands to paste: for the closing lines of a training, for its page, and for stale models."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from src.helpers.params import read_params
from src.settings import environment_value, locate

LEFT_OUT = ("data", "target", "dataset", "report", "accept_changed_raw")
DEFAULT_PORT = 5000


def make_line(target: str, *words: str) -> str:
    """A make command to paste, quoted where its words need it."""
    inner = " ".join(map(shlex.quote, words))
    for sign in ("\\", '"', "$", "`"):
        inner = inner.replace(sign, "\\" + sign)
    return f'make {target} ARGS="{inner}"' if inner else f"make {target}"


def train_words(metadata: Mapping[str, Any]) -> list[str]:
    """The options that train this model again; what was left at its default stays out."""
    words = ["--data", typed(metadata["input_data_location"]),
             "--target", metadata["target"]["name"]]
    options = {**metadata["data"].get("config", {}), **metadata["config"]}
    return words + option_words(options, [name for name in options if name not in LEFT_OUT])


def option_words(options: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """The flags that say some options again, where these were not left at their defaults."""
    words = []
    for name in names:
        value, flag = options[name]["value"], f"--{name.replace('_', '-')}"
        if options[name]["source"] in ("default", ".env.local"):
            continue
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            words += [word for each in (value if isinstance(value, list) else [value])
                      for word in (flag, str(each))]
    return words


def private_words(names: Sequence[str]) -> list[str]:
    """The options that keep these columns private."""
    return [word for name in names for word in ("--private", name)]


def typed(path: str) -> str:
    """A path of the metadata as it is typed: `$DATA_RAW_DIR/x.csv` would stay so in quotes."""
    return str(locate(path)) if path.startswith("$") else path


def endpoint_port() -> int:
    """The port that deploy-endpoint takes without a flag."""
    return int(environment_value("DEPLOY_ENDPOINT_PORT")
               or read_params().get("deploy_endpoint", {}).get("port", DEFAULT_PORT))
