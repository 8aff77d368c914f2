"""What a cell looks like: a number, a date, a truth value, a word for nothing, or a text.

Judged from single cells and quickly, to find out how a file is written; the rules that convert
whole columns are in src/etl/rules.py.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from mlmonkey.errors import UserError
from src.helpers.configuration import nearest

MISSING_WORDS = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?", "#N/A", "#NA",
                 "N.A.", "n.a.", "<NA>", "(null)", "\\N")
# in a column of text these are values like others
MISSING_UNLESS_TEXT = (
    "-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!",
    "#NAME?", "na", "Na", "n.d.", "NAN", "Nan", "Null", "nil", "Nil", "NIL", "none", "NONE",
    "missing", "Missing", "MISSING", "unknown", "Unknown", "UNKNOWN")
SIGN = "[$€£¥₹]|EUR|USD|GBP|CHF"
NUMBER = re.compile(rf"[+-]?(?:{SIGN})? ?[+-]?"
                    rf"(?:\d+(?:[.,'\u00a0\u202f ]\d{{3}})*(?:[.,]\d*)?|[.,]\d+)"
                    rf"(?:[eE][+-]?\d+)? ?(?:%|{SIGN})?")
DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}(?:[T ]+\d{1,2}[:.]\d{2}"
                  r"(?:[:.]\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}(?::?\d{2})?|[aApP]\.?[mM]\.?)?"
                  r"(?: (?:[aApP]\.?[mM]\.?|[A-Z]{3,4}|[+-]\d{2}:?\d{2}))?)?|"
                  r"\d{1,2}[- ]?[^\W\d]{3,9}[- ,]+\d{2,4}|[^\W\d]{3,9} \d{1,2},? \d{4}")
TIME = re.compile(r"\d{1,2}([:.])\d{2}\1\d{2}(?:\.\d+)?|\d{1,2}:\d{2}(?: ?[aApP][mM])?")
TRUTH = re.compile("true|false|yes|no|[tfyn]", re.IGNORECASE)


@lru_cache(maxsize=1 << 16)
def kind_of(cell: str) -> str:
    """number, date, time or text; empty for a missing value."""
    if cell in MISSING_WORDS:
        return ""
    if cell[-1].isalpha() and cell[0].isalpha() and not cell[-1].isdigit() and len(cell) < 9:
        return "text"
    if NUMBER.fullmatch(cell):
        return "number"
    if TIME.fullmatch(cell):
        return "time"
    return "date" if DATE.fullmatch(cell) else "text"


def shape_of(cell: str) -> str:
    """A cell with its digits as 9 and its letters as a, runs shortened to one."""
    return re.sub(r"9+", "9", re.sub(r"\d", "9", re.sub(r"[^\W\d_]+", "a", cell)))


def main_kind(cells: Iterable[str], share: float = 0.9) -> str:
    """The kind that nearly all cells of a column have, text when none has; empty when all are."""
    kinds = Counter(map(kind_of, cells))
    del kinds[""]
    if not kinds:
        return ""
    kind, count = kinds.most_common(1)[0]
    return kind if count >= share * kinds.total() else "text"


def missing_words(more: Sequence[str] = (), less: Sequence[str] = ()) -> dict[str, list[str]]:
    """The words for no value as a reading holds them: `missing`, and `missing_unless_text`.

    Raises:
        UserError: where one that is to count no longer never did.
    """
    lists = {"missing": MISSING_WORDS, "missing_unless_text": MISSING_UNLESS_TEXT}
    known = [word for words in lists.values() for word in words if word]
    for word in less:
        if word not in known:
            raise UserError(f"--not-missing {word!r}: it counts as a value already"
                            f"{nearest(word, known, '')}")
    found = {name: [word for word in words if word not in less] for name, words in lists.items()}
    return found | {"missing": list(dict.fromkeys([*found["missing"], *more]))}
