"""How text is read as a number, a date or a truth value: one table of rules, the first ones first.

A rule fits a text only if nothing is lost by it. Add a form here and every command knows it.
"""

import re
from dataclasses import dataclass

DIGITS = 17  # significant digits that survive a float64
PLAIN = r"(0|[1-9][0-9]*)?([.][0-9]*)?([eE][+-]?[0-9]+)?"
COMMA = r"([1-9][0-9]{0,2}([.][0-9]{3})+|0|[1-9][0-9]*)(,[0-9]+)?"
THOUSANDS = r"([1-9][0-9]{0,2}(,[0-9]{3})+|0|[1-9][0-9]*)([.][0-9]+)?"
BLANKED = ("([1-9][0-9]{0,2}([ \u00a0\u202f''][0-9]{3})+|0|[1-9][0-9]*)"
           "([.,][0-9]+)?")  # 1 234,5 as in France, 1'234.5 as in Switzerland
CURRENCIES = "$€£¥"
CLOCK = "( [0-9]{{1,2}}:[0-9]{{2}}(:[0-9]{{2}})?)?"
TEXT = "text"
COMMAS, THOUSAND = ", decimal comma", ", thousands comma"


@dataclass(frozen=True)
class Rule:
    """A way to read text: SQL for whether it fits and for the value, over `{t}`, the text."""

    name: str
    dtype: str
    fits: str
    value: str


def _all(*conditions: str) -> str:
    """SQL for: all hold. Later ones, the dearer, are computed only where the earlier ones hold."""
    *first, last = conditions
    ends = " ELSE false END" * len(first)
    return "".join(f"CASE WHEN {each} THEN " for each in first) + last + ends


def _number(name: str, pattern: str, point: str, bare: str = "{t}", marked: str = "true",
            share: str = "") -> Rule:
    """A rule for numbers: `bare` takes marks off the text, `point` writes it as SQL does."""
    pattern = pattern.replace("{", "{{").replace("}", "}}")
    written = point.format(t=bare)
    value = f"TRY_CAST({written} AS DOUBLE)"
    digits = (f"length(regexp_replace(ltrim(regexp_replace({written}, '[eE].*|[^0-9eE]', '', 'g'),"
              f" '0'), '0+$', '')) <= {DIGITS}")
    fits = _all(marked, f"regexp_full_match({bare}, '[+-]?({pattern})')",
                f"CASE WHEN strlen({written}) <= {DIGITS} THEN true ELSE {digits} END",
                f"isfinite({value})",
                # a number too small for a float64 would become 0
                f"CASE WHEN {value} = 0 THEN NOT regexp_matches({written}, '^[^eE]*[1-9]') "
                "ELSE true END")
    return Rule(name, "number", fits, value + share)


def _day(order: str, mark: str) -> Rule:
    """A rule for days such as day/month/year, with a time of day or not: four digits for a year."""
    digits = {"year": "[0-9]{{4}}", "month": "[0-9]{{1,2}}", "day": "[0-9]{{1,2}}"}
    words = order.split("/")
    pattern = f"[{mark}]".join(digits[word] for word in words)
    form = mark.join(f"%{word[0]}" for word in words).replace("%y", "%Y")
    value = f"try_strptime({{t}}, ['{form}', '{form} %H:%M', '{form} %H:%M:%S'])"
    return Rule(f"date, {order.replace('/', mark)}", "date",
                _all(f"regexp_full_match({{t}}, '{pattern}{CLOCK}')", f"{value} IS NOT NULL"),
                value)


STYLES = (("", PLAIN, "{t}"),
          (COMMAS, COMMA, "replace(replace({t}, '.', ''), ',', '.')"),
          (THOUSAND, THOUSANDS, "replace({t}, ',', '')"),
          (", blank thousands", BLANKED,
           "replace(regexp_replace({t}, '[ \u00a0\u202f'']', '', 'g'), ',', '.')"))
UNPERCENT = "regexp_replace({t}, ' ?%$', '')"


def _currency(sign: str) -> dict[str, str]:
    """One sign for the whole column: two currencies in it are no number."""
    return {"bare": f"regexp_replace(regexp_replace({{t}}, '^([+-]?) ?[{sign}] ?', '\\1'), "
                    f"' ?[{sign}]$', '')", "marked": f"contains({{t}}, '{sign}')"}


RULES = (
    Rule("integer", "integer", _all("regexp_full_match({t}, '[+-]?(0|[1-9][0-9]{{0,18}})')",
                                    "TRY_CAST({t} AS BIGINT) IS NOT NULL"),
         "TRY_CAST({t} AS BIGINT)"),
    *(_number("number" + style, pattern, point) for style, pattern, point in STYLES),
    *(_number("percent" + style, pattern, point, UNPERCENT, "suffix({t}, '%')", " / 100")
      for style, pattern, point in STYLES),
    *(_number(f"currency {sign}{style}", pattern, point, **_currency(sign))
      for sign in CURRENCIES for style, pattern, point in STYLES),
    Rule("true or false", "boolean", "lower({t}) IN ('true', 'false')", "lower({t}) = 'true'"),
    *(_day("year/month/day", mark) for mark in "-/"),
    _day("day/month/year", "."),
    *(_day(order, mark) for mark in "/-" for order in ("day/month/year", "month/day/year")),
    Rule("time of day", "text",  # 18.00.00 becomes what most clocks write, 18:00:00
         "regexp_full_match({t}, '([01]?[0-9]|2[0-3])([.][0-5][0-9][.]|:[0-5][0-9]:)[0-5][0-9]')",
         "lpad(replace({t}, '.', ':'), 8, '0')"),
    Rule("date and time", "date",
         _all(r"regexp_full_match({t}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}"
              r"([ T][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}([.][0-9]{{1,6}})?)?Z?)?')",
              "TRY_CAST({t} AS TIMESTAMP) IS NOT NULL"), "TRY_CAST({t} AS TIMESTAMP)"),
)
BY_NAME = {rule.name: rule for rule in RULES} | {TEXT: Rule(TEXT, "text", "true", "{t}")}


def twin_of(rule: str) -> str | None:
    """The rule that reads other values from the same text, where both fit."""
    if rule.endswith(COMMAS):
        return rule.removesuffix(COMMAS) + THOUSAND
    if rule + COMMAS in BY_NAME:
        return rule + COMMAS
    other = re.sub("day(.)month", r"month\1day", rule)
    return other if other != rule and other in BY_NAME else None
