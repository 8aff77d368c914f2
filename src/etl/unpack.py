"""A raw file that holds a table in a wrapping (packed, or in a workbook) as a plain file.

The wrapping is told from the first bytes, never from the name. What is unpacked goes to a work
folder: the raw file stays what it is. A file that would grow beyond all measure is refused.
"""

import bz2
import gzip
import lzma
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from pathlib import Path
from shlex import quote
from typing import IO, Any, NamedTuple, NoReturn

import click

from mlmonkey.errors import UserError
from src.settings import relative

ZSTD, ZIP, OLD_EXCEL = b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
STREAMS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open, b"\xfd7zXZ\0": lzma.open,
    **{b"BZh%d1AY&SY" % level: bz2.open for level in range(1, 10)}}
WRAPPINGS = (ZSTD, ZIP, OLD_EXCEL, *STREAMS)
ENDINGS = (".gz", ".zst", ".zip", ".bz2", ".xz")  # come behind a table's own
# what else people have, told from its beginning
AS_PARQUET, BY_HAND = "write it as Parquet", "unpack it by hand and give the file in it"
FOREIGN = {b"SQLite format 3\0": ("a SQLite file", "name a table in it: "
                                  "--data sqlite:///{path} --table TABLE"),
           b"7z\xbc\xaf": ("a .7z archive", BY_HAND), b"Rar!": ("a .rar archive", BY_HAND),
           b"ARROW1\0": ("an Arrow file", AS_PARQUET), b"Obj\x01": ("an Avro file", AS_PARQUET),
           b"\x89HDF": ("an HDF5 file", AS_PARQUET), b"<stata_dta>": ("a Stata file", AS_PARQUET),
           b"%PDF": ("a PDF", "take the table out of it, as CSV")}
WEB_PAGE = re.compile(rb"\s*<(!doctype|html|table|[?]xml)\b", re.IGNORECASE)  # some end in .xls
WORKBOOKS = ("xl/workbook.xml", "xl/workbook.bin", "content.xml")  # of .xlsx, .xlsb, .ods
PIECE_BYTES = 1 << 20
BITE_BYTES = 1 << 12  # of .zst at once: each may stand for 32,768 times as many
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
        head = file.read(max(map(len, WRAPPINGS)))
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
            copy_bounded(path, packed_bytes(path, head, part, files), rest)
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
                        if known else f"{relative(path)} holds no table; save it again")
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


def packed_bytes(path: Path, head: bytes, part: str | None, files: ExitStack) -> Iterator[bytes]:
    """The bytes of the table, unpacked as they are read."""
    if head.startswith(ZSTD):
        return unpack_frames(files.enter_context(open(path, "rb")))
    if part is not None:
        stream = files.enter_context(zipfile.ZipFile(path)).open(part)
    else:
        stream = next(opened for start, opened in STREAMS.items() if head.startswith(start))(path)
    return iter(partial(files.enter_context(stream).read, PIECE_BYTES), b"")


def unpack_frames(packed: IO[bytes]) -> Iterator[bytes]:
    """The bytes in all frames of a .zst.

    Raises:
        EOFError: when the last one has no end, of which the library's own reader says nothing.
    """
    import zstandard
    frame = None
    while piece := packed.read(BITE_BYTES):
        while piece:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            yield frame.decompress(piece)
            piece, frame = frame.unused_data, None if frame.eof else frame
    if frame:
        raise EOFError


def copy_bounded(path: Path, pieces: Iterator[bytes], rest: IO[bytes]) -> None:
    """Copy all bytes, unless they are far more than a table packs to, or than the disk has room."""
    most = most_bytes(path)
    room = shutil.disk_usage(Path(rest.name).parent).free
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            refuse_bomb(path)
        if size > room:
            raise UserError(f"{relative(path)} needs more room than the {room >> 20:,} MB that are "
                            f"free in {relative(Path(rest.name).parent.parent)}; make room")
        rest.write(piece)


def check_foreign(path: Path, head: bytes, unpacked: bool) -> None:
    """Refuse other kinds of files by their names.

    Raises:
        UserError: with what to do.
    """
    what, advice = next((said for start, said in FOREIGN.items() if head.startswith(start)),
                        ("", ""))
    if head[257:262] == b"ustar":
        what, advice = "a .tar archive", BY_HAND
    elif WEB_PAGE.match(head):
        what, advice = "a page of HTML or XML", "open it in a spreadsheet program, save it as CSV"
    elif unpacked and head.startswith(WRAPPINGS):
        what, advice = "another packed file or workbook", BY_HAND
    if what:
        raise UserError(f"{relative(path)} {'holds' if unpacked else 'is'} {what}; "
                        + advice.format(path=quote(str(path))))


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
