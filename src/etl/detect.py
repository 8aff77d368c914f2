"""How a raw file is to be read: found out from its bytes, stated, and open to overrides.

`scan` passes over every byte once; `detect_reading` decides from the beginning of the file. The
reading is a plain dict: it is stored with the dataset and the model, and prediction uses it again.
"""

import codecs
import csv
import hashlib
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlmonkey.errors import UserError
from src.helpers.configuration import nearest
from src.settings import relative

Reading = dict[str, Any]

SAMPLE_BYTES = 1 << 18
PIECE_BYTES = 1 << 20
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
MISSING_WORDS = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?", "#N/A")
NUMBER = re.compile(r"[+-]?[$€£]? ?\d[\d.,]*(e[+-]?\d+)? ?[%$€£]?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*",
                    re.IGNORECASE)
CONTROL_BYTES = [bytes([code]) for code in range(1, 32) if chr(code) not in "\t\n\f\r"]
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class Scan:
    """What one pass over a file's bytes tells."""

    sha256: str
    size: int
    sample: bytes
    encoding: str


def check_readable(path: Path) -> None:
    """Refuse what is not a file with a table in it, judging by its beginning.

    Raises:
        UserError: with the nearest name in the same folder for a wrong path.
    """
    if path.is_dir():
        raise UserError(f"{relative(path)} is a folder; name a file in it: "
                        f"--data {relative(path)}/FILE.csv")
    if not path.exists():
        siblings = [p.name for p in path.parent.iterdir() if p.is_file()] \
            if path.parent.is_dir() else []
        raise UserError(f"there is no file {relative(path)}"
                        + (nearest(path.name, siblings) if siblings else ""))
    if not path.is_file():
        raise UserError(f"{relative(path)} is not a regular file")
    if path.stat().st_size == 0:
        raise UserError(f"{relative(path)} is empty (0 bytes): save the table again")
    with open(path, "rb") as file:
        head = file.read(SAMPLE_BYTES)
    if head.startswith((b"PAR1", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return
    odd = sum(head.count(byte) for byte in CONTROL_BYTES)
    if b"\0" in head or odd > len(head) / 100:
        what = f"byte {head.index(0)} is zero" if b"\0" in head else f"{odd} control characters"
        raise UserError(f"{relative(path)} is not a table ({what}); give a CSV or Parquet file")


def scan(path: Path) -> Scan:
    """Hash a file, tell its encoding from all of its bytes, and keep the beginning."""
    digest, size, sample = hashlib.sha256(), 0, b""
    decoder: Any = codecs.getincrementaldecoder("utf-8")()
    with open(path, "rb") as file:
        while piece := file.read(PIECE_BYTES):
            sample = sample or piece[:SAMPLE_BYTES]
            digest.update(piece)
            size += len(piece)
            try:
                decoder = decoder and (decoder.decode(piece), decoder)[1]
            except UnicodeDecodeError:
                decoder = None
    marked = next((name for bom, name in BOMS if sample.startswith(bom)), None)
    encoding = marked or ("utf-8" if decoder else "cp1252")
    return Scan(digest.hexdigest(), size, sample, encoding)


def detect_reading(path: Path, scanned: Scan, delimiter: str = "auto", header: str = "auto",
                   encoding: str = "auto", missing: tuple[str, ...] = ()) -> Reading:
    """Decide how to read a file; words other than auto override the detection.

    Raises:
        UserError: for binary noise, and where two readings are equally good.
    """
    words = [*MISSING_WORDS, *(word for word in missing if word not in MISSING_WORDS)]
    if scanned.sample.startswith(b"PAR1"):
        return {"format": "parquet", "missing": words}
    encoding = scanned.encoding if encoding == "auto" else encoding
    lines = _sample_lines(scanned, encoding)
    mark = _choose_delimiter(path, lines) if delimiter == "auto" else DELIMITERS[delimiter]
    rows = [row for row in csv.reader(lines, delimiter=mark) if any(map(str.strip, row))]
    if not rows:
        raise UserError(f"{relative(path)} holds only blank lines: save the table again")
    named = _has_header(rows) if header == "auto" else header == "yes"
    width = len(rows[0]) if named else Counter(map(len, rows)).most_common(1)[0][0]
    names = rows[0] if named else [""] * width
    return {"format": "csv", "encoding": encoding, "delimiter": mark, "quote": '"',
            "header": named, "columns": clean_names(names), "missing": words}


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


def _sample_lines(scanned: Scan, encoding: str) -> list[str]:
    try:
        text = codecs.getincrementaldecoder(encoding)("replace").decode(scanned.sample)
    except LookupError:
        raise UserError(f"there is no encoding called {encoding!r}; try --encoding utf-8 or "
                        "--encoding cp1252") from None
    lines = io.StringIO(text, newline=None).read().splitlines(keepends=True)
    return lines[:-1] if len(lines) > 1 and scanned.size > len(scanned.sample) else lines


def _choose_delimiter(path: Path, lines: list[str]) -> str:
    """The mark that cuts most lines into the same number of cells, more than one."""
    scores = {}
    for word, mark in DELIMITERS.items():
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=mark) if row)
        width, count = widths.most_common(1)[0] if widths else (1, 0)
        if width > 1:
            scores[word] = count / widths.total()
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
