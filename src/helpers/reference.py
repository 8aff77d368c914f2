"""Write docs/REFERENCE.md: every make target, every option of every script, every variable.

    python -m src.helpers.reference          # part of: make docs
"""

import re
from collections.abc import Iterable, Iterator
from importlib import import_module

import click

from mlmonkey.files import write_text
from src.helpers.configuration import SECTIONS
from src.settings import ROOT

PAGE = ROOT / "docs" / "REFERENCE.md"


def main() -> None:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    write_text(PAGE, reference())
    print("reference: docs/REFERENCE.md")


def reference() -> str:
    """The page, from what `make help` shows and what each script asks click for."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z][a-z-]*):.* ## +(.+)", makefile, re.MULTILINE)
    variables = re.findall(r"^##   ([A-Z].+?)  +(.+)", makefile, re.MULTILINE)
    lines = ["# Reference", "", "Made by `make docs` from the code; edit nothing here.", "",
             "## Targets", "", *table("target", "does", (
                 (f"`make {name}`", text) for name, text in targets)), "",
             "## Variables of make", "", *table("variable", "is", (
                 (f"`{name}`", text) for name, text in variables)), ""]
    for section, module in SECTIONS.items():
        target = section.replace("_", "-")
        lines += [f"## Options of {target}", "",
                  f'`make {target} ARGS="..."` or `python -m {module} ...`; a variable is '
                  f"`{section.upper()}_...`, the section of params.yaml `{section}`.", "",
                  *table("option", "is", map(described, import_module(module).main.params)), ""]
    return "\n".join(lines).rstrip() + "\n"


def described(option: click.Parameter) -> tuple[str, str]:
    """An option with what it takes, and its help with the default."""
    context = click.Context(click.Command("any"), show_default=True)
    names, text = option.get_help_record(context) or ("", "")
    return f"`{names}`", text


def table(first: str, second: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The lines of a table; a bar inside a cell must not end it."""
    yield from (f"| {first} | {second} |", "|---|---|")
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


if __name__ == "__main__":
    main()
