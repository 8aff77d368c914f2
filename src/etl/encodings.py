"""Which encoding bytes are in: told by a mark, by zero bytes, by UTF-8's rules, else by letters.

Older encodings can't be told for sure: each is given a grade for how well the letters beyond ASCII
fit into words of the languages that it was made for. The grades decide only about the meaning of
single letters; where cells and records are does not depend on them.
"""

import codecs
import unicodedata

BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"))
WESTERN = "äöüßéèêëàâáãåçñôóòõøæœúùûíìîïýš"
CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґў"
ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "FULLWIDTH", "IDEOGRAPHIC")
# the first of equal grades is taken
LETTERS = {"cp1252": WESTERN, "cp1250": "ąćęłńóśźżáčďéěíňřšťúůýžőűäöüßăâîşţđľĺŕô",
           "cp1251": CYRILLIC, "koi8-r": CYRILLIC, "cp866": CYRILLIC,
           "cp1253": "αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋ", "cp1254": WESTERN + "ğışİ",
           "cp1255": "אבגדהוזחטיכלמנסעפצקרשתךםןףץ",
           "cp1256": "ابتثجحخدذرزسشصضطظعغفقكلمنهويةىآأإئؤء", "mac-roman": WESTERN, "cp850": WESTERN,
           "iso8859-2": "ąćęłńóśźżáčďéěíňřšťúůýžőűäöüßăâîşţđľĺŕô"}
CZECH = "øì"  # what its ř and ě are in cp1252: no language of that has both
# of the characters of two bytes, the range of first bytes in which the common ones are
WIDE = {"euc-kr": (0xB0, 0xC8), "cp932": (0x82, 0x97), "euc-jp": (0xA4, 0xCF),
        "gb18030": (0xB0, 0xD7), "big5": (0xA4, 0xC6)}
SIGNS = "°€£¥§«»–—‘’“”„…·²³µ½¼¾×±©®™\u00a0"


def marked_encoding(head: bytes) -> str | None:
    """The encoding that a byte order mark, or zero bytes, tell; None when there are none."""
    for mark, name in BOMS:
        if head.startswith(mark):
            return name
    zeros = head.count(0)
    if zeros < len(head) / 4:
        return None
    for name, size in (("utf-32-le", 4), ("utf-32-be", 4), ("utf-16-le", 2), ("utf-16-be", 2)):
        text = head[:len(head) // size * size].decode(name, "replace")
        odd = sum(sign in "\0\ufffd" or not (sign.isprintable() or sign.isspace()) for sign in text)
        if odd <= len(text) / 100 and 2 * sum(map(str.isascii, text)) > len(text):
            return name
    return None


def guess_encoding(sample: bytes) -> str:
    """The older encoding whose letters fit best, of bytes that are not UTF-8."""
    lines = [line for line in sample.splitlines() if not line.isascii()][:300]
    # a line is cut nowhere within a character, but the last one of a sample may be
    whole = len(lines) < 2 or sample.endswith((b"\n", b"\r"))
    text = b"\n".join(lines if whole else lines[:-1])
    grades = {name: _grade(text.decode(name, "replace"), letters) + 0.2 * (name == "cp1252")
              for name, letters in LETTERS.items()}
    if {*CZECH} <= {*text.decode("cp1252", "replace")}:
        del grades["cp1252"], grades["cp1254"]
    wide = {name: _rare(text, name) for name in WIDE}
    best = min(wide, key=lambda name: wide[name])
    return best if wide[best] <= 0.2 else max(grades, key=lambda name: grades[name])


def _grade(text: str, letters: str) -> float:
    """Between -1 and 1: whether the signs beyond ASCII are letters within words of a language."""
    latin = letters.startswith(("ä", "ą"))  # there, most letters of a word are ASCII
    total = points = 0.0
    for place, sign in enumerate(text):
        if sign.isascii():
            continue
        before, after = text[place - 1:place], text[place + 1:place + 2]
        beside = any(near.isalpha() and near.isascii() == latin for near in (before, after))
        total += 1
        if sign.lower() in letters:
            points += -1 if sign.isupper() and before.islower() else beside
        elif sign in SIGNS:
            points += -1 if after.isalpha() and sign not in "’‘“„«°§" else 0.5
        else:
            points -= sign == "\ufffd" or not sign.isalpha()
    return points / total if total else 0.0


def _rare(text: bytes, encoding: str) -> float:
    """Share of characters that are not among the common ones of an encoding of two bytes."""
    try:
        signs = [sign for sign in text.decode(encoding) if not sign.isascii()]
    except UnicodeDecodeError:
        return 1.0
    first, last = WIDE[encoding]
    asian = [sign.encode(encoding) for sign in signs
             if unicodedata.name(sign, "").startswith(ASIAN)]
    common = [code for code in asian if first <= code[0] <= last and
              (code[-1] > 0xA0 or encoding in ("cp932", "big5"))]
    return 1 - len(common) / len(signs) if len(common) > 1 else 1.0
