"""A raw file that holds a table in a wrapping (.gz, .zst, .zip, a workbook) as a plain file.

The wrapping is told from the first bytes, never from the name. What is unpacked goes to a work
folder: the raw file stays what it is. A file that would grow beyond all measure is refused.
"""

import gzip
import shutil
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from shlex import quote
from typing import IO, Any, NamedTuple, NoReturn, cast

import click

from mlmonkey.errors import UserError
from src.settings import relative

GZIP, ZSTD, ZIP, OLD_EXCEL = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
WRAPPINGS = (GZIP, ZSTD, ZIP, OLD_EXCEL)
ENDINGS = (".gz", ".zst", ".zip")  # come behind a table's own
WORKBOOKS = ("xl/workbook.xml", "xl/workbook.bin", "content.xml")  # of .xlsx, .xlsb, .ods
PIECE_BYTES = 1 << 20
MOST_TIMES, ALWAYS_BYTES = 100, 100 << 20  # larger than both is refused: a bomb


class Plain(NamedTuple):
    """A plain file, which member or sheet of the raw file it is, and what is between its cells."""

    path: Path
    part: str | None = None
    delimiter: str | None = None


def part_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --member and --sheet to a script."""
    command = click.option("--sheet", help="Which sheet of a workbook.")(command)
    return click.option("--member", help="Which file in a .zip.")(command)


def table_name(path: Path) -> str:
    """A file's name without its endings: sales of sales.csv.gz."""
    return Path(path.stem).stem if path.suffix.lower() in ENDINGS else path.stem


def unpack(path: Path, folder: Path, member: str | None = None, sheet: str | None = None,
           usual: str | None = None) -> Plain:
    """The table in a file: the file itself where it has no wrapping.

    Args:
        folder: where it goes; kept as long as the table is read.
        usual: the member or sheet to take where there are several and none was asked for.

    Raises:
        UserError: for a damaged file, a bomb, or a choice that nobody made.
    """
    with open(path, "rb") as file:
        head = file.read(4)
    zipped = head.startswith(ZIP)
    is_workbook = head.startswith(OLD_EXCEL) or zipped and not {*WORKBOOKS}.isdisjoint(names(path))
    check_options(path, member, sheet, zipped and not is_workbook, is_workbook)
    if not head.startswith(WRAPPINGS):
        return Plain(path)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "unpacked"
    if is_workbook:
        if zipped and sum(each.file_size for each in members(path)) > most_bytes(path):
            refuse_bomb(path)
        excel = import_extra("excel")
        return Plain(target, excel.write_sheet(path, target, sheet, usual), "comma")
    part = choose_member(path, names(path), member, usual) if zipped else None
    try:
        with ExitStack() as files, open(target, "wb") as rest:
            copy_bounded(path, open_packed(path, head, part, files), rest)
    except Exception as error:
        if isinstance(error, UserError) or isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(f"{relative(path)} is damaged, locked or packed in an unusual way "
                        f"({error or 'its end is missing'}); pack it again") from None
    return Plain(target, part)


def names(path: Path) -> list[str]:
    """The files in a .zip, without what systems add of their own."""
    return [name for name in (each.filename for each in members(path)) if not name.endswith("/")
            and not name.startswith("__MACOSX/") and Path(name).name[:1] != "."]


def members(path: Path) -> list[zipfile.ZipInfo]:
    """All that a .zip lists.

    Raises:
        UserError: when it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except zipfile.BadZipFile as error:
        raise UserError(f"{relative(path)} is a damaged .zip ({error}); pack it again") from None


def choose(path: Path, known: list[str], asked: str | None, usual: str | None, option: str) -> str:
    """The part of a file that is asked for, the usual one, or the only one.

    Raises:
        UserError: naming the parts.
    """
    listed = f" {option} ".join(map(quote, known[:20])) + " ..." * (len(known) > 20)
    if asked is not None and asked not in known:
        raise UserError(f"{relative(path)} has no {option[2:]} {asked!r}; choose: "
                        f"{option} {listed}")
    for part in (asked, usual):
        if part in known:
            return str(part)
    if len(known) != 1:
        raise UserError(f"{relative(path)} holds {len(known)} tables; say which: {option} {listed}"
                        if known else f"{relative(path)} holds no file; pack it again")
    return known[0]


def choose_member(path: Path, known: list[str], member: str | None, usual: str | None) -> str:
    """The file in a .zip that is meant."""
    return choose(path, known, member, usual, "--member")


def check_options(path: Path, member: str | None, sheet: str | None, zipped: bool,
                  is_workbook: bool) -> None:
    """Refuse an option for another kind of file."""
    if member is not None and not zipped:
        raise UserError(f"--member {member}: {relative(path)} is no .zip; leave it out")
    if sheet is not None and not is_workbook:
        raise UserError(f"--sheet {sheet}: {relative(path)} is no workbook; leave it out")


def open_packed(path: Path, head: bytes, part: str | None, files: ExitStack) -> IO[bytes]:
    """The bytes of the table, unpacked as they are read."""
    if part is not None:
        return files.enter_context(files.enter_context(zipfile.ZipFile(path)).open(part))
    if head.startswith(GZIP):
        return cast(IO[bytes], files.enter_context(gzip.open(path, "rb")))
    import zstandard
    packed = files.enter_context(open(path, "rb"))
    reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
    return cast(IO[bytes], files.enter_context(reader))


def copy_bounded(path: Path, packed: IO[bytes], rest: IO[bytes]) -> None:
    """Copy all bytes, unless they are far more than a table packs to, or than the disk has room."""
    most = most_bytes(path)
    room = shutil.disk_usage(Path(rest.name).parent).free
    size = 0
    while piece := packed.read(PIECE_BYTES):
        size += len(piece)
        if size > most:
            refuse_bomb(path)
        if size > room:
            raise UserError(f"{relative(path)} needs more room than the {room >> 20:,} MB that are "
                            f"free in {relative(Path(rest.name).parent.parent)}; make room")
        rest.write(piece)


def most_bytes(path: Path) -> int:
    """How large a packed table may become."""
    return max(MOST_TIMES * path.stat().st_size, ALWAYS_BYTES)


def refuse_bomb(path: Path) -> NoReturn:
    """Say that a file grows too much."""
    raise UserError(f"{relative(path)} unpacks to more than {most_bytes(path) >> 20:,} MB, over "
                    f"{MOST_TIMES} times its size; if that is right, unpack it by hand and give "
                    "the file itself")


def import_extra(name: str) -> Any:
    """A file of src/extras, with the packages that it needs.

    Raises:
        UserError: when the file was deleted, or its packages are not installed.
    """
    try:
        return import_module(f"src.extras.{name}")
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("src."):
            raise UserError(f"src/extras/{name}.py is not there; take it back from git, or do "
                            "without") from None
        raise UserError(f"the package {error.name} is missing; install what {name} needs: "
                        f"make init EXTRAS={name}") from None
