"""The bytes of a model: skops files, which run no code, or joblib for those who want it."""

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from mlmonkey.errors import UserError

PIECE = 1 << 20
MOST_UNPACKED = 100  # times a skops file's size; those of forests and boosting unpack to 3 to 10
SMALL = 1 << 26  # bytes that any file may unpack to


def serialize(estimator: Any, kind: str) -> bytes:
    """The bytes of a fitted estimator; `kind` is skops (runs no code) or joblib (a pickle)."""
    if kind == "skops":
        import skops.io
        return _repeatable(skops.io.dumps(estimator))
    import joblib
    buffer = io.BytesIO()
    joblib.dump(estimator, buffer)
    return buffer.getvalue()


def _repeatable(content: bytes) -> bytes:
    """A skops file without memory addresses and times: equal models have equal bytes."""
    old = zipfile.ZipFile(io.BytesIO(content))
    numbers: dict[str, str] = {}

    def renumbered(node: Any) -> Any:
        if isinstance(node, list):
            return [renumbered(each) for each in node]
        if not isinstance(node, dict):
            return node
        node = {key: renumbered(value) for key, value in node.items()}
        if "__id__" in node:
            number = numbers.setdefault(str(node["__id__"]), str(len(numbers) + 1))
            node["__id__"] = int(number)
        if "file" in node and node.get("__loader__") != "DictNode":
            stem, dot, ending = str(node["file"]).partition(".")
            node["file"] = numbers.setdefault(stem, str(len(numbers) + 1)) + dot + ending
        return node
    schema = renumbered(json.loads(old.read("schema.json")))
    members = {"schema.json": json.dumps(schema).encode()}
    for name in old.namelist():
        stem, dot, ending = name.partition(".")
        if name != "schema.json":
            members[numbers[stem] + dot + ending] = old.read(name)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(members):
            new.writestr(zipfile.ZipInfo(name), members[name], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def deserialize(content: bytes, kind: str, trusted: Sequence[str], file: str) -> Any:
    """The estimator in bytes that were vouched for; a skops file may hold trusted types only."""
    if kind == "joblib":
        joblib = _library("joblib", file)
        return _opened(lambda: joblib.load(io.BytesIO(content)), file)
    skops = _library("skops.io", file)
    try:
        check_unpacked(content)
        foreign = sorted(set(skops.get_untrusted_types(data=content)) - set(trusted))
    except Exception as error:  # whatever a malformed archive makes the parser raise
        raise UserError(f"{file} is not a readable skops file ({_line(error)}); "
                        "train anew: make train") from None
    if foreign:
        raise UserError(f"{file} holds types that this project does not trust: "
                        f"{', '.join(foreign)}; add them to the list of trusted types "
                        "if they are yours")
    return _opened(lambda: skops.loads(content, trusted=list(trusted)), file)


def check_unpacked(content: bytes, room: int | None = None) -> int:
    """Unpack an archive piece by piece, to know that it will not fill the memory.

    Args:
        room: bytes that it may take; None: as many as is usual for its size.

    Returns:
        What is left of the room, in bytes.

    Raises:
        ValueError: when it needs more. zipfile's own errors: when it is no sound archive.
    """
    room = max(SMALL, MOST_UNPACKED * len(content)) if room is None else room
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{member.filename} is packed in an unknown way")
            member.file_size = room + 1  # whatever it says of itself
            head = b""
            with archive.open(member) as file:
                while piece := file.read(PIECE):
                    head, room = head or piece[:2], room - len(piece)
                    if room < 0:
                        raise ValueError(f"it unpacks to more than {MOST_UNPACKED} times its size")
            if head == b"PK":  # a sparse matrix is an archive of its own
                room = check_unpacked(archive.read(member), room)
    return room


def _library(name: str, file: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(f"{file} can't be opened here: {error.name} is not installed; install "
                        "it, or take a model that has a serving form") from None


def _opened(read: Callable[[], Any], file: str) -> Any:
    try:
        return read()
    except Exception as error:  # sound bytes, so other versions: whatever they raise
        raise UserError(f"{file} can't be opened with the libraries installed here "
                        f"({_line(error)}); train anew: make train, or install the versions in "
                        "its metadata's environment block") from None


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
