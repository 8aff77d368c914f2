"""How a raw file is to be read: found out from its bytes, stated, and open to overrides.

`scan` passes over every byte once; `detect_reading` decides from the beginning of the file. The
reading is a plain dict: it is stored with the dataset and the model, and prediction uses it again.
"""

import codecs
import hashlib
import io
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from shlex import quote
from typing import Any

from mlmonkey.errors import UserError
from src.etl.records import read_records
from src.etl.unpack import ENDINGS, WRAPPINGS
from src.helpers.configuration import nearest
from src.settings import relative

Reading = dict[str, Any]

SAMPLE_LINES = 1000
PIECE_BYTES = 1 << 20  # a sample is one piece
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
MISSING_WORDS = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?", "#N/A")
NUMBER = re.compile(r"[+-]?[$€£¥]? ?\d[\d.,]*(e[+-]?\d+)? ?[%$€£¥]?"
                    r"|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*", re.IGNORECASE)
CONTROL_BYTES = [bytes([code]) for code in range(1, 32) if chr(code) not in "\t\n\f\r"]
TABLES = (".csv", ".tsv", ".txt", ".parquet", ".jsonl", ".xlsx", *ENDINGS)
JSON_LINES = re.compile(rb'(\xef\xbb\xbf)?\s*[{]\s*("|[}])')
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class Scan:
    """What one pass over a file's bytes tells."""

    sha256: str
    size: int
    sample: bytes
    encoding: str


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
    if head.startswith((b"PAR1", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return
    if not head:
        raise UserError(f"{relative(path)} holds an empty file; pack the table again")
    odd = sum(head.count(byte) for byte in CONTROL_BYTES)
    if b"\0" in head or odd > len(head) / 100:
        what = f"byte {head.index(0)} is zero" if b"\0" in head else f"{odd} control characters"
        raise UserError(f"{relative(path)} is not a table ({what}); give a file of CSV, JSON lines "
                        "or Parquet, or a workbook")


def scan(path: Path) -> Scan:
    """Hash a file, tell its encoding from all of its bytes, and keep the beginning."""
    digest, size, sample = hashlib.sha256(), 0, b""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    pairs = bad = 0  # bytes after the first one of characters beyond ASCII; bytes that fit nowhere
    with open(path, "rb") as file:
        while piece := file.read(PIECE_BYTES):
            sample = sample or piece
            digest.update(piece)
            size += len(piece)
            if not piece.isascii() or decoder.getstate()[0]:
                text = decoder.decode(piece)
                pairs += len(piece) - len(text)
                bad += text.count("\ufffd")
    bad += bool(decoder.getstate()[0])
    marked = next((name for bom, name in BOMS if sample.startswith(bom)), None)
    # a few bad bytes among many good ones are damage, and cost their records only
    encoding = marked or ("utf-8" if 2 * bad <= pairs else "cp1252")
    return Scan(digest.hexdigest(), size, sample, encoding)


def detect_reading(path: Path, scanned: Scan, delimiter: str = "auto", header: str = "auto",
                   encoding: str = "auto", missing: tuple[str, ...] = ()) -> Reading:
    """Decide how to read a file; words other than auto override the detection.

    Raises:
        UserError: where two readings are equally good.
    """
    words = [*MISSING_WORDS, *(word for word in missing if word not in MISSING_WORDS)]
    if scanned.sample.startswith(b"PAR1"):
        return {"format": "parquet", "missing": words}
    if JSON_LINES.match(scanned.sample):
        return {"format": "json", "encoding": scanned.encoding, "renamed": [],
                "missing": words}
    encoding = scanned.encoding if encoding == "auto" else _known_encoding(encoding, scanned)
    lines = _sample_lines(scanned, encoding)
    mark = _choose_delimiter(path, lines) if delimiter == "auto" else DELIMITERS[delimiter]
    rows = _sample_rows(lines, mark)
    if not rows:
        raise UserError(f"{relative(path)} holds only blank lines: save the table again")
    named = _has_header(rows) if header == "auto" else header == "yes"
    names = rows[0] if named else [""] * _usual_width(rows)[0]
    while named and len(names) > 1 and not any(row[len(names) - 1].strip() for row in rows
                                               if len(row) >= len(names)):
        names = names[:-1]  # a delimiter ends each line: no column follows it
    columns = clean_names(names)
    renamed = [f"column {place} {name!r} is called {clean!r}"
               for place, (name, clean) in enumerate(zip(names, columns), start=1)
               if named and " ".join(name.split()) != clean]
    return {"format": "csv", "encoding": encoding, "delimiter": mark, "quote": '"',
            "header": named, "columns": columns, "renamed": renamed, "missing": words}


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


def _sample_lines(scanned: Scan, encoding: str) -> list[str]:
    text = codecs.getincrementaldecoder(encoding)("replace").decode(scanned.sample)
    lines = list(islice(io.StringIO(text, newline=""), SAMPLE_LINES + 1))
    return lines[:-1] if len(lines) > 1 and scanned.size > len(scanned.sample) else lines


def _sample_rows(lines: list[str], mark: str) -> list[list[str]]:
    return [record.cells for record in read_records(lines, mark)
            if record.cells and any(map(str.strip, record.cells))]


def _usual_width(rows: list[list[str]]) -> tuple[int, float]:
    """The most frequent number of cells, and the share of rows that have it."""
    width, count = Counter(map(len, rows)).most_common(1)[0]
    return width, count / len(rows)


def _choose_delimiter(path: Path, lines: list[str]) -> str:
    """The mark that cuts most lines, the first one too, into the same number of cells above one."""
    scores = {}
    for word, mark in DELIMITERS.items():
        rows = _sample_rows(lines, mark)
        width, share = _usual_width(rows) if rows else (1, 0.0)
        if width > 1:
            scores[word] = (len(rows[0]) == width, share)
    if not scores:
        return ","  # one column: no mark at all
    best = max(scores.values())
    winners = [word for word, score in scores.items() if score == best]
    if len(winners) > 1:
        raise UserError(f"{relative(path)} reads equally well with {' and '.join(winners)} between "
                        f"its cells; say which: --delimiter {winners[0]}")
    return DELIMITERS[winners[0]]


def _has_header(rows: list[list[str]]) -> bool:
    """A first row without numbers names the columns, and so does one above other kinds of cells."""
    for position, cell in enumerate(rows[0]):
        below = [row[position].strip() for row in rows[1:200] if position < len(row)]
        below = [text for text in below if text not in MISSING_WORDS]
        numeric = sum(map(bool, map(NUMBER.fullmatch, below)))
        if NUMBER.fullmatch(cell.strip()) and (not below or numeric > len(below) / 2):
            return False
    return True
