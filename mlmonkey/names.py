"""What a model may be called, and its identifier: `<name>-v<N>`, the beginning of its files' names.

A name goes into file names, commands to paste, pages and answers. It may hold what neither a file
system nor a shell gives a meaning to inside quotes, and it is short enough for every file's ending.
"""

import re
import unicodedata
from typing import NamedTuple

from mlmonkey.errors import UserError
from mlmonkey.redact import without_passwords

MOST_BYTES = 200  # in UTF-8; file names end at 255, with `.claim-` before and an ending behind it
SIGNS = "_ .,+-=@&()"  # besides letters, digits and all that is printed and not ASCII, as emoji are
JOINERS = "\u200c\u200d"  # hold the parts of an emoji, and letters of some scripts, together
VERSION_PATTERN = re.compile(r"(?P<name>.+)-v(?P<version>[1-9][0-9]{0,8})", re.DOTALL)
ENDINGS = (".skops", ".joblib", ".form", ".features.txt", ".patch")


class ModelId(NamedTuple):
    """Name and version of one trained model."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}-v{self.version}"


def parse_identifier(text: str) -> ModelId | None:
    """`iris-v3` -> ModelId("iris", 3); None for any other text."""
    match = VERSION_PATTERN.fullmatch(composed(text))
    return ModelId(match["name"], int(match["version"])) if match and is_name(match["name"]) \
        else None


def owner_of(file_name: str) -> ModelId | None:
    """The model that an artifact belongs to: iris-v1 of `iris-v1.features.txt`; None for none."""
    ending = next(filter(file_name.endswith, ENDINGS), None)
    return parse_identifier(file_name.removesuffix(ending)) if ending else None


def check_name(name: str) -> str:
    """Return a usable model name, its accents composed.

    Raises:
        UserError: when it could not be a file name everywhere; proposes one that can.
    """
    if not is_name(name := composed(name)):
        raise UserError(f"{name!r} can't name a model: use letters, digits, emoji, blanks and "
                        f"{' '.join(SIGNS.replace(' ', ''))} (at most {MOST_BYTES} bytes, a letter "
                        "or digit first); choose one: "
                        f"--name '{usable_name(without_passwords(name))}'")
    return name


def is_name(name: str) -> bool:
    """Whether a model can be called so."""
    return bool(name and name == composed(name) and _may_begin(name[0]) and name[-1] not in " ."
                and all(map(_is_plain, name)) and len(name.encode()) <= MOST_BYTES)


def usable_name(text: str, most: int = MOST_BYTES) -> str:
    """The text as a name: what can't be in one is `_`, what can't begin or end one is gone."""
    text = composed(text)
    if not is_name(text):
        text = re.sub("__+", "_", "".join(each if _is_plain(each) else "_" for each in text))
        start = next((place for place, each in enumerate(text)
                      if _may_begin(each) and each != "_"), len(text))
        text = text[start:].rstrip("_ .")
    return text.encode()[:most].decode(errors="ignore").rstrip(" .") or "unnamed"


def composed(text: str) -> str:
    """The text with accents as parts of their letters: both ways to write é are one name."""
    return unicodedata.normalize("NFC", text)


def folded(name: str) -> str:
    """The name as file systems see it to which `Iris` and `iris` are the same."""
    return composed(composed(name).casefold())


def _is_plain(sign: str) -> bool:
    return (sign.isalnum() or sign in SIGNS or sign in JOINERS
            or not sign.isascii() and sign.isprintable())


def _may_begin(sign: str) -> bool:
    return (sign.isalnum() or sign == "_" or not sign.isascii() and sign.isprintable()
            and not unicodedata.category(sign).startswith("M"))
