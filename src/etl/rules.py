"""How text is read as a number, a date or a truth value: one table of rules, the first ones first.

A rule fits a text only if nothing is lost by it. Add a form here, and to mlmonkey/cells.py, which
reads the CSV of requests, and every command knows it.
"""

import re
from dataclasses import dataclass

DIGITS = 17  # significant digits that survive a float64
PLAIN = r"(0|[1-9][0-9]*)?([.][0-9]*)?([eE][+-]?[0-9]+)?"
COMMA = r"([1-9][0-9]{0,2}([.][0-9]{3})+|0|[1-9][0-9]*)(,[0-9]+)?"
THOUSANDS = (r"([1-9][0-9]{0,2}(,[0-9]{3})+|[1-9][0-9]?(,[0-9]{2})+,[0-9]{3}|0|[1-9][0-9]*)"
             r"([.][0-9]+)?")  # 1,234,567.5, or 12,34,567.5 as in India
BLANKED = ("([1-9][0-9]{0,2}([ \u00a0\u202f''][0-9]{3})+|0|[1-9][0-9]*)"
           "([.,][0-9]+)?")  # 1 234,5 as in France, 1'234.5 as in Switzerland
TEXT = "text"
COMMAS, THOUSAND, ACCOUNTING = ", decimal comma", ", thousands comma", ", accounting"
STYLES = (("", PLAIN, "{t}"),
          (COMMAS, COMMA, "replace(replace({t}, '.', ''), ',', '.')"),
          (THOUSAND, THOUSANDS, "replace({t}, ',', '')"),
          (", blank thousands", BLANKED,
           "replace(regexp_replace({t}, '[ \u00a0\u202f'']', '', 'g'), ',', '.')"))
CURRENCIES = "$€£¥₹₽₩₺"
CODES = ("EUR", "USD", "GBP", "CHF", "JPY", "CNY", "INR", "CAD", "AUD", "SEK", "NOK", "DKK", "PLN",
         "CZK", "BRL", "MXN", "ZAR", "R$", "Rs", "kr", "zł")
# (1,234.50) and 1,234.50- are below zero; 2- without decimals may be a grade
ACCOUNT = ("regexp_replace(regexp_replace(replace({t}, '\u2212', '-'), "
           "'^([^-+()0-9.,]*)[(]([^-+()]+)[)]([^-+()0-9.,]*)$', '-\\1\\2\\3'), "
           "'^([^-+()]*[0-9][.,][0-9]+)-([^-+()0-9.,]*)$', '-\\1\\2')")
PARTS = {"year": ("[0-9]{4}", "%Y"), "month": ("[0-9]{1,2}", "%m"), "day": ("[0-9]{1,2}", "%d"),
         # of two digits those from 1970 to 2039: nobody takes one century for another
         "yy": ("[0-37-9][0-9]", "%y"),
         "Mon": ("(?i:jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|"
                 "sep(t(ember)?)?|oct(ober)?|nov(ember)?|dec(ember)?)", "%b")}
CLOCK = "(,? [0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?( ?[AaPp][Mm])?)?"
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p",
          " %I:%M:%S%p")
ISO_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
ISO_TIME = "[ T]([01][0-9]|2[0-3]):[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?"
ZONE = " ?(Z|UTC|GMT|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
YES = ("yes", "y", "true", "t", "on", "oui", "ja")
NO = ("no", "n", "false", "f", "off", "non", "nein")


@dataclass(frozen=True)
class Rule:
    """A way to read text: SQL for whether it fits and for the value, over `{t}`, the text.

    `needs` is SQL for what at least one value of a column must be, `mark` a sign that each has.
    """

    name: str
    dtype: str
    fits: str
    value: str
    needs: str = ""
    mark: str = ""

    def fits_sql(self, cell: str) -> str:
        """SQL for whether the rule fits a cell."""
        return self.fits.replace("{t}", cell)

    def value_sql(self, cell: str) -> str:
        """SQL for the value of a cell that it fits."""
        return self.value.replace("{t}", cell)

    def needs_sql(self, cell: str) -> str:
        """SQL for whether a cell shows what the column needs; empty where it needs nothing."""
        return self.needs.replace("{t}", cell)


def _all(*conditions: str) -> str:
    """SQL for: all hold. Later ones, the dearer, are computed only where the earlier ones hold."""
    *first, last = conditions
    ends = " ELSE false END" * len(first)
    return "".join(f"CASE WHEN {each} THEN " for each in first) + last + ends


def _number(name: str, pattern: str, point: str, bare: str = "{t}", marked: str = "true",
            share: str = "", needs: str = "", mark: str = "") -> Rule:
    """A rule for numbers: `bare` takes marks off the text, `point` writes it as SQL does."""
    written = point.replace("{t}", bare)
    value = f"TRY_CAST({written} AS DOUBLE)"
    digits = (f"length(regexp_replace(ltrim(regexp_replace({written}, '[eE].*|[^0-9eE]', '', 'g'),"
              f" '0'), '0+$', '')) <= {DIGITS}")
    fits = _all(marked, f"regexp_full_match({bare}, '[+-]?({pattern})')",
                f"CASE WHEN strlen({written}) <= {DIGITS} THEN true ELSE {digits} END",
                f"isfinite({value})",
                # a number too small for a float64 would become 0
                f"CASE WHEN {value} = 0 THEN NOT regexp_matches({written}, '^[^eE]*[1-9]') "
                "ELSE true END")
    return Rule(name, "number", fits, value + share, needs, mark)


def _currency(sign: str) -> dict[str, str]:
    """One sign for the whole column: two currencies in it are no number."""
    letters = "".join(f"[{letter}]" for letter in sign)
    return {"bare": f"regexp_replace(regexp_replace({{t}}, '^([+-]?) ?{letters} ?', '\\1'), "
                    f"' ?{letters}$', '')",
            "marked": f"contains({{t}}, '{sign}')", "mark": sign}


def _accounting(bare: str = "{t}", marked: str = "true", **rest: str) -> dict[str, str]:
    """Numbers below zero in brackets or with a minus behind, where not all of a column are."""
    return rest | {"bare": bare.replace("{t}", ACCOUNT), "marked": marked.replace("{t}", ACCOUNT),
                   "needs": "NOT regexp_matches({t}, '[()]|-[^0-9]*$')"}


def _day(order: str, mark: str) -> Rule:
    """A rule for days such as day/month/year, with a time of day or not."""
    words = order.split("/")
    form, text = mark.join(PARTS[word][1] for word in words), "{t}"
    between = [f"[{mark}]"] * 2
    if "Mon" in words:  # a month in letters tells the order, whatever is between
        between = [f"[-/. ,]{{{int('Mon' not in pair)},2}}" for pair in zip(words, words[1:])]
        found = "[-/. ,]*".join("([A-Za-z]{3})[A-Za-z]*" if word == "Mon" else "([0-9]+)"
                                for word in words)
        text = f"regexp_replace({{t}}, '^{found}', '\\1{mark}\\2{mark}\\3')"
    digits = {word: PARTS[word][0] for word in words}
    if "yy" in words and mark == ".":  # 1.2.10 is a version
        digits |= dict.fromkeys(("day", "month"), "[0-9]{2}")
    pattern = "".join(digits[word] + blank for word, blank in zip(words, [*between, CLOCK]))
    forms = ", ".join(f"'{form}{clock}'" for clock in CLOCKS)
    value = f"try_strptime(replace({text}, ',', ''), [{forms}])"
    return Rule(f"date, {mark.join(words)}", "date",
                _all(f"regexp_full_match({{t}}, '{pattern}')", f"{value} IS NOT NULL"), value,
                mark=mark if mark != " " else "")


ORDERS = ("day/month/year", "month/day/year")
SHORT_ORDERS = ("day/month/yy", "month/day/yy", "yy/month/day")
RIVALS = [[f"date, {order.replace('/', mark)}" for order in orders] for mark in "/-"
          for orders in (ORDERS, SHORT_ORDERS)] + [["time of day", "date, day.month.yy"]]
KINDS: dict[str, dict[str, str]] = {
    "number": {},
    "percent": {"bare": "regexp_replace({t}, ' ?%$', '')", "marked": "suffix({t}, '%')",
                "share": " / 100", "mark": "%"}
} | {f"currency {sign}": _currency(sign) for sign in (*CURRENCIES, *CODES)}
ZONED = ("make_timestamp(epoch_us(TRY_CAST(regexp_replace(regexp_replace({t}, ' ?(UTC|GMT)$', "
         "'Z'), ' ([+-])', '\\1') AS TIMESTAMPTZ)))")
RULES = (
    Rule("integer", "integer", _all("regexp_full_match({t}, '[+-]?(0|[1-9][0-9]{0,18})')",
                                    "TRY_CAST({t} AS BIGINT) IS NOT NULL"),
         "TRY_CAST({t} AS BIGINT)"),
    *(_number(kind + style, pattern, point, **marks)
      for kind, marks in KINDS.items() for style, pattern, point in STYLES),
    *(_number(kind + style + ACCOUNTING, pattern, point, **_accounting(**marks))
      for kind, marks in KINDS.items() for style, pattern, point in STYLES),
    Rule("true or false", "boolean", "lower({t}) IN ('true', 'false')", "lower({t}) = 'true'"),
    *(_day("year/month/day", mark) for mark in "-/."),
    _day("day/month/year", "."),
    *(_day(order, mark) for mark in "/-" for order in ORDERS),
    *(_day(order, " ") for order in ("day/Mon/year", "Mon/day/year", "year/Mon/day", "day/Mon/yy",
                                     "Mon/day/yy")),
    Rule("time of day", "text",  # 18.00.00 becomes what most clocks write, 18:00:00
         "regexp_full_match({t}, '([01]?[0-9]|2[0-3])([.][0-5][0-9][.]|:[0-5][0-9]:)[0-5][0-9]')",
         "lpad(replace({t}, '.', ':'), 8, '0')"),
    Rule("time of day, am or pm", "text",
         "regexp_full_match({t}, '(0?[1-9]|1[0-2]):[0-5][0-9](:[0-5][0-9])? ?[AaPp][Mm]')",
         "strftime(try_strptime({t}, ['%I:%M %p', '%I:%M:%S %p', '%I:%M%p', '%I:%M:%S%p']), "
         "'%H:%M:%S')"),
    *(_day(order, mark) for mark in "/-" for order in SHORT_ORDERS),
    _day("day/month/yy", "."),
    Rule("date and time", "date",
         _all(f"regexp_full_match({{t}}, '{ISO_DAY}({ISO_TIME}Z?)?')",
              "TRY_CAST({t} AS TIMESTAMP) IS NOT NULL"), "TRY_CAST({t} AS TIMESTAMP)"),
    Rule("date and time, UTC", "date",  # what has a zone becomes the same moment there
         _all(f"regexp_full_match({{t}}, '{ISO_DAY}{ISO_TIME}{ZONE}')",
              f"year({ZONED}) BETWEEN 1 AND 9999"), ZONED),
)
# taken only where somebody says so: what they read is a word to most
ASKED = (Rule(TEXT, "text", "true", "{t}"),
         Rule("yes or no", "boolean", f"lower({{t}}) IN {YES + NO}", f"lower({{t}}) IN {YES}"))
BY_NAME = {rule.name: rule for rule in (*RULES, *ASKED)}


def rivals_of(rule: str) -> list[str]:
    """The rules that read other values from the same text, where both fit."""
    if COMMAS in rule:
        return [rule.replace(COMMAS, THOUSAND)]
    if THOUSAND not in rule and (other := in_style(rule, COMMAS)):
        return [other]
    return [other for group in RIVALS if rule in group for other in group if other != rule]


def in_style(rule: str, style: str) -> str | None:
    """The rule for the same kind of number with other marks in it; None where there is none."""
    kind, accounting, _ = rule.replace(COMMAS, "").replace(THOUSAND, "").partition(ACCOUNTING)
    return name if (name := kind + style + accounting) in BY_NAME else None


def order_of(rule: str) -> str:
    """What a date begins with, as the option --dates says it."""
    first = re.findall("[a-z]+", rule)[1]
    return f"{'year' if first == 'yy' else first}-first"
