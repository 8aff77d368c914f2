"""params.yaml as its scripts read it: sections of options, every value as the text of a flag."""

import shlex
from functools import cache
from typing import Any

from mlmonkey.errors import UserError
from src.settings import ROOT


@cache
def read_params() -> dict[str, dict[str, Any]]:
    """The sections of params.yaml; empty when there is no such file."""
    import yaml
    path = ROOT / "params.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig")) or {}
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise UserError("params.yaml is not UTF-8 text; save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise UserError(f"params.yaml can't be read: {error}") from None
    if not isinstance(content, dict):
        raise UserError("params.yaml must hold sections, such as `train:` with `seed: 7` below it")
    for section, keys in content.items():
        if not isinstance(keys, dict | None):
            raise UserError(f"params.yaml: section {section!r} must hold keys and values")
    return {str(section): {str(name): value for name, value in (keys or {}).items()}
            for section, keys in content.items()}


def as_words(value: Any, place: str) -> list[str]:
    """What a repeatable option gets: one text of words, a list, or names with values."""
    if isinstance(value, dict):
        return [f"{name}={as_yaml(setting)}" for name, setting in value.items()]
    if isinstance(value, list):
        return [as_text(each) for each in value]
    try:
        return shlex.split(as_text(value))
    except ValueError as error:
        raise UserError(f"{place}: {error}") from None


def as_text(value: Any) -> str:
    """A value of params.yaml as it would be typed after a flag."""
    return value if isinstance(value, str) else as_yaml(value)


def as_yaml(value: Any) -> str:
    """One line from which yaml.safe_load reads the same value."""
    import yaml
    return str(yaml.safe_dump([value], default_flow_style=True, allow_unicode=True,
                              width=float("inf"))).strip()[1:-1]
