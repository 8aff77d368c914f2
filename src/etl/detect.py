"""How a raw file is to be read: found out from its bytes, stated, and open to overrides.

`scan` passes over every byte once; `detect_reading` decides from the beginning and the end of the
file. The reading is a plain dict: it is stored with the dataset and the model, and prediction uses
it again.
"""

import codecs
import io
import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from mlmonkey.errors import UserError
from src.etl.asking import Ambiguous
from src.etl.dialect import choose_dialects
from src.etl.encodings import guess_encoding, marked_encoding
from src.etl.header import stand_out
from src.etl.kinds import missing_words
from src.etl.layout import Layout, find_table, with_tail
from src.etl.records import Dialect, Lines, read_records
from src.etl.repair import Columns
from src.etl.unpack import ENDINGS, WRAPPINGS, check_foreign
from src.helpers.configuration import nearest
from src.settings import relative

Reading = dict[str, Any]

SAMPLE_LINES = 1000  # that decide about the dialect; about the layout all of the sample does
PIECE_BYTES = 1 << 20  # a sample is one piece
TAIL_BYTES = 1 << 16
CACHED_BYTES = 1 << 16  # larger pieces leave the processor cache, and are slower
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " ", "colon": ":",
              "blanks": r"\s+"}
QUOTES = {"double": '"', "single": "'", "none": ""}
ESCAPES = {"doubled": "", "backslash": "\\"}
CONTROL_BYTES = [bytes([code]) for code in range(1, 32) if chr(code) not in "\t\n\f\r"]
TABLES = (".csv", ".tsv", ".txt", ".parquet", ".jsonl", ".xlsx", *ENDINGS)
JSON = re.compile(r'\ufeff?\s*([{]\s*["}]|\[\s*[{\[])')


@dataclass(frozen=True)
class Scan:
    """What one pass over a file's bytes tells; the tail is what the sample does not reach."""

    size: int
    sample: bytes
    encoding: str
    tail: bytes = b""


def check_readable(path: Path, option: str = "--data") -> None:
    """Refuse what is not a file with a table in it, judging by its beginning.

    Raises:
        UserError: with the nearest name in the same folder for a wrong path.
    """
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in str(path)):
        raise UserError(f"{option} {str(path)!r}: a name with line ends, control characters or "
                        "bytes that are not UTF-8 can't be written down; rename it")
    if path.is_dir():
        raise UserError(f"{relative(path)} is a folder; name a file in it: "
                        f"{option} {quote(relative(path / 'FILE.csv'))}")
    if not path.exists():
        siblings = [p.name for p in path.parent.iterdir() if p.suffix in TABLES] \
            if path.parent.is_dir() else []
        raise UserError(f"there is no file {relative(path)}"
                        + (nearest(path.name, siblings) if siblings else ""))
    if not path.is_file():
        raise UserError(f"{relative(path)} is not a regular file")
    if path.stat().st_size == 0:
        raise UserError(f"{relative(path)} is empty (0 bytes): save the table again")
    check_beginning(path, path)


def check_beginning(path: Path, plain: Path) -> None:
    """Refuse a file that does not begin as a table does; `plain` is what `path` unpacks to."""
    with open(plain, "rb") as file:
        head = file.read(PIECE_BYTES)
    if plain == path and head.startswith(WRAPPINGS):
        return  # to be looked at again when it is unpacked
    check_foreign(path, head, plain != path)
    if head.startswith(b"PAR1") or marked_encoding(head):
        return
    if not head:
        raise UserError(f"{relative(path)} holds an empty file; pack the table again")
    counts = [head.count(byte) for byte in CONTROL_BYTES]
    lines = head.count(b"\n") + head.count(b"\r")
    # one that is in each line may be what is between cells
    odd = sum(counts) - (max(counts) if 0 < lines <= max(counts) < len(head) / 2 else 0)
    zeros = head.count(0)
    if zeros > len(head) / 1000 + 1 or zeros and zeros > lines or odd > len(head) / 100:
        what = f"byte {head.index(0)} is zero" if zeros else f"{odd} control characters"
        raise UserError(f"{relative(path)} is not a table ({what}); give a file of CSV, JSON or "
                        "Parquet, or a workbook")


def scan(path: Path) -> Scan:
    """Tell the encoding of a file from all of its bytes, and keep the beginning and the end."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    pairs = bad = 0  # bytes after the first one of characters beyond ASCII; bytes that fit nowhere
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        # whole characters of what the sample does not reach
        beyond = min(max(size - PIECE_BYTES, 0), TAIL_BYTES) & ~3
        file.seek(size - beyond)
        tail = file.read()
        file.seek(0)
        piece = sample = file.read(PIECE_BYTES)
        while piece:
            if not piece.isascii() or decoder.getstate()[0]:
                text = decoder.decode(piece)
                pairs += len(piece) - len(text)
                bad += text.count("\ufffd")
            piece = file.read(CACHED_BYTES)
    bad += bool(decoder.getstate()[0])
    # a few bad bytes among many good ones are damage, and cost their records only
    encoding = marked_encoding(sample[:4096]) or (
        "utf-8" if 2 * bad <= pairs else guess_encoding(sample))
    return Scan(size, sample, encoding, tail)


def detect_reading(path: Path, scanned: Scan, delimiter: str = "auto", header: str = "auto",
                   encoding: str = "auto", missing: Sequence[str] = (),
                   not_missing: Sequence[str] = (), **said: str) -> Reading:
    """Decide how to read a file; words other than auto override the detection.

    Args:
        delimiter: a word of DELIMITERS, or the mark itself.
        header: yes, no, or how many rows name the columns.
        missing, not_missing: more words for no value, and those that are values.
        said: quote, quote_escape, preamble, footer, separator_lines.

    Raises:
        UserError: where two readings are equally good.
    """
    words = missing_words(missing, not_missing)
    if scanned.sample.startswith(b"PAR1"):
        return {"format": "parquet", **words}
    if JSON.match(scanned.sample[:4096].decode(scanned.encoding, "replace")):
        return {"format": "json", "encoding": scanned.encoding, "renamed": [],
                **words}
    encoding = scanned.encoding if encoding == "auto" else _known_encoding(encoding, scanned)
    lines = _sample_lines(scanned, encoding)
    dialect = _choose_dialect(path, lines[:SAMPLE_LINES], delimiter, said)
    records = list(read_records(Lines(lines), dialect))
    tail = [] if not scanned.tail else list(read_records(Lines(_lines_of(
        codecs.getincrementaldecoder(encoding)("replace").decode(scanned.tail))[1:]), dialect))
    number = {name: None if said.get(name, "auto") == "auto" else _whole(name, said[name])
              for name in ("preamble", "footer")}
    bare = {"skip": True, "keep": False}.get(said.get("separator_lines", "auto"))
    layout = find_table(records, dialect, _header_rows(header), number["preamble"],
                        0 if tail and number["footer"] is None else number["footer"], bare)
    if layout is None:
        raise UserError(f"{relative(path)} holds only blank lines: save the table again")
    if header == "yes" and not layout.header_rows:
        layout = find_table(records, dialect, 1, number["preamble"], layout.below, bare) or layout
    if tail and number["footer"] is None:
        layout = with_tail(layout, tail, dialect, bare)
    columns = Columns(layout.rows[:SAMPLE_LINES], layout.width, dialect)
    quoted = [row for row in layout.rows[:SAMPLE_LINES] if {"'", '"'} & {*"".join(row)}]
    again = stand_out(layout.names, layout.rows) and any(
        row[:1] == layout.names[:1] and [cell.strip() for cell in row] == layout.names
        for row in [*layout.rows, *(record.cells or [] for record in tail)])
    return _reading(dialect, encoding, layout, words) | {
        "careful": b"\0" in scanned.sample or again or any(map(columns.unwrap, quoted))}


def delimiter_word(mark: str) -> str:
    """How a delimiter is said on a command line."""
    return next((word for word, each in DELIMITERS.items() if each == mark), mark)


def clean_names(names: list[str]) -> list[str]:
    """Column names without blanks around them, none empty, none twice (case set aside)."""
    clean: list[str] = []
    taken: set[str] = set()
    for position, name in enumerate(names, start=1):
        base = " ".join(name.split()) or f"column_{position}"
        candidate, count = base, 1
        while candidate.lower() in taken:
            count += 1
            candidate = f"{base}_{count}"
        taken.add(candidate.lower())
        clean.append(candidate)
    return clean


def _known_encoding(name: str, scanned: Scan) -> str:
    """Python's own word for an encoding, with the byte order mark counted in."""
    try:
        "".encode(name)
        encoding = codecs.lookup(name).name
    except (LookupError, UnicodeError):
        raise UserError(f"there is no encoding called {name!r}; try --encoding utf-8 or "
                        "--encoding cp1252") from None
    return scanned.encoding if (encoding, scanned.encoding) == ("utf-8", "utf-8-sig") else encoding


def _lines_of(text: str) -> list[str]:
    return list(io.StringIO(text, newline=""))


def _sample_lines(scanned: Scan, encoding: str) -> list[str]:
    lines = _lines_of(codecs.getincrementaldecoder(encoding)("replace").decode(scanned.sample))
    if lines:
        lines[0] = lines[0].removeprefix("\ufeff")
    return lines[:-1] if len(lines) > 1 and scanned.size > len(scanned.sample) else lines


def _choose_dialect(path: Path, lines: Sequence[str], delimiter: str,
                    said: dict[str, str]) -> Dialect:
    """The dialect that is said, or the best one.

    Raises:
        UserError: where another one gives other cells and is as good.
    """
    mark = _sign("delimiter", delimiter, DELIMITERS)
    escape = said.get("quote_escape", "auto")
    first, *rivals = choose_dialects(lines, mark, _sign("quote", said.get("quote", "auto"), QUOTES),
                                     None if escape == "auto" else ESCAPES[escape])
    if rivals:
        marks = [delimiter_word(each.delimiter) for each in (first, rivals[0])]
        seen = " and ".join(mark if mark.strip() else repr(mark) for mark in marks)
        raise Ambiguous(f"{relative(path)} reads equally well with {seen} between "
                        "its cells", "delimiter", marks)
    return first


def _sign(option: str, text: str, words: dict[str, str]) -> str | None:
    """What a word, or the sign itself, means; None for auto."""
    if text == "auto":
        return None
    if text not in words and (not text or text.isalnum() or option == "quote" and len(text) > 1):
        raise UserError(f"--{option} {quote(text)}: takes auto, {', '.join(words)} or the "
                        f"sign{'s' * (option == 'delimiter')} itself"
                        f"{nearest(text, words, '')}")
    return words.get(text, text)


def _reading(dialect: Dialect, encoding: str, layout: Layout,
             words: dict[str, list[str]]) -> Reading:
    """The reading as it is stored; `notes` is what people should hear of it."""
    names = layout.names
    while layout.header_rows and len(names) > 1 and not names[-1] and \
            not any(row[len(names) - 1].strip() for row in layout.rows):
        names = names[:-1]  # a delimiter ends each line: no column follows it
    columns = clean_names(names)
    renamed = [f"column {place} {name!r} is called {clean!r}"
               for place, (name, clean) in enumerate(zip(names, columns), start=1)
               if layout.header_rows and " ".join(name.split()) != clean]
    return {"format": "csv", "encoding": encoding, "delimiter": dialect.delimiter,
            "quote": dialect.quote, "quote_escape": dialect.escape, "framed": dialect.framed,
            "preamble": layout.above,
            "header": layout.header_rows > 0, "header_rows": layout.header_rows,
            "footer": layout.below, "skip_separator_lines": layout.skip_bare,
            "other_tables": layout.others, "columns": columns, "renamed": renamed,
            **words}


def _header_rows(header: str) -> int | None:
    """How many rows name the columns, where that is said."""
    return None if header in ("auto", "yes") else 0 if header == "no" else _whole("header", header)


def _whole(option: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise UserError(f"--{option} {text}: takes auto or a number of lines"
                        + ", yes or no" * (option == "header"))
    return int(text)
