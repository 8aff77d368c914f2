"""The HTML page of a dataset, and what it shares with a model's page: columns, numbers, templates.

The pages hold everything they show: no script, no network, light and dark, for screen and paper.
Private columns appear by name alone.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mlmonkey.files import write_text
from src.helpers.commands import make_line, private_words
from src.settings import load_settings

TOP = 30  # rows of a list that are shown at once; the others are folded away
BARS = 16  # in a small drawing of a column's values
SPELLED = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}


def write_dataset_page(profile: Mapping[str, Any]) -> Path:
    """Write reports/<key>.html from a profile and return where it is."""
    path = load_settings().reports / f"{profile['key']}.html"
    raw = profile["raw"]["path"]
    write_text(path, render(
        "dataset.html", profile=profile, columns=describe_columns(profile["columns"]),
        account=describe_account(profile["records"], {"dataset": profile["transformed"]["rows"]}),
        reading=describe_reading(profile["reading"]),
        rules=sorted(profile["rules"].items(), key=lambda item: item[1]),
        rule_counts=Counter(profile["rules"].values()).most_common(),
        options={name: value for name, value in profile["stage"]["config"].items()
                 if name not in ("private", "escape")},
        commands=[("Train a model; COLUMN is one of the columns above",
                   make_line("train", "--data", raw, *private_words(profile["private"]),
                             "--target", "COLUMN")),
                  ("Make this dataset again",
                   make_line("generate-dataset", "--data", raw, *_option_words(profile)))]))
    return path


def render(template: str, **content: Any) -> str:
    """Fill a template of this folder; every text is escaped, a missing value is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"),
                              autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)
    environment.filters |= {"num": number, "spell": spell, "share": share, "size": file_size,
                            "short": shorten, "fixed": fixed}
    return environment.get_template(template).render(TOP=TOP, **content)


def describe_columns(columns: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per column what the table shows: kind, missing share, range or categories, and bars 0..1."""
    described = []
    for column in columns:
        one = {"name": column["name"], "private": column.get("private", False),
               "dtype": column["dtype"], "missing": column.get("missing_share"),
               "range": None, "top": [], "others": 0, "bars": []}
        if not one["private"] and "quantiles" in column:
            values = column["quantiles"]
            one["range"] = [spell_value(values[i], column["dtype"]) for i in (0, 5, 10)]
            one["bars"] = histogram([_as_number(value) for value in values],
                                    whole=column["dtype"] in ("integer", "boolean"))
        elif not one["private"] and column["dtype"] == "text":
            listed = column.get("categories", [])
            one["top"] = listed[:3]
            one["others"] = column.get("distinct", 0) - len(one["top"])
            one["bars"] = [each["count"] / listed[0]["count"] for each in listed[:BARS]]
        described.append(one)
    return described


def histogram(quantiles: Sequence[float], whole: bool = False) -> list[float]:
    """Heights 0..1 of equally wide bars, from deciles: a tenth of the rows between each two.

    Args:
        whole: the values are whole numbers; a few different ones get a bar each.
    """
    low, high, bars = quantiles[0], quantiles[-1], BARS
    if not high > low or math.isinf(high - low):
        return [1.0]
    if whole and high - low < BARS:
        low, high, bars = low - 0.5, high + 0.5, round(high - low) + 1
    mass = [0.0] * bars
    scaled = [(value - low) / (high - low) * bars for value in quantiles]
    for left, right in zip(scaled, scaled[1:]):
        for bar in range(min(int(left), bars - 1), min(int(right), bars - 1) + 1):
            inside = min(right, bar + 1) - max(left, bar)
            mass[bar] += inside / (right - left) if right > left else 1.0
    return [each / max(mass) for each in mass]


def describe_account(records: Mapping[str, int],
                     rows: Mapping[str, int]) -> list[tuple[str, int, bool]]:
    """What became of the lines and records, in the order of the data's way; True: a part of it."""
    unless_zero = ("lines", "preamble", "header", "blank", "footer", "not_sampled")
    return [(label, counts[key], part) for counts, key, label, part in (
        (records, "lines", "lines in the file", False),
        (records, "preamble", "above the table", True), (records, "header", "header", True),
        (records, "blank", "blank", True), (records, "footer", "below the table", True),
        (records, "records", "records", False),
        (records, "read", "read as they are", True), (records, "repaired", "repaired", True),
        (records, "rejected", "rejected", True),
        (rows, "dataset", "rows after the transform", False),
        (rows, "without_target", "without a target", True),
        (rows, "not_sampled", "left out of the sample", True),
        (rows, "training", "learned from", True),
        (rows, "hold_out", "held out for the test", True))
        if key in counts and (counts[key] or key not in unless_zero)]


def describe_reading(reading: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the raw file was read, in words."""
    words = [("format", str(reading.get("format", "")))]
    if "delimiter" in reading:
        mark = reading["delimiter"]
        words += [("encoding", reading["encoding"]), ("delimiter", SPELLED.get(mark, mark)),
                  ("first line", "names the columns" if reading["header"] else "is a record")]
    words.append(("missing values", ", ".join(word or "empty" for word in
                                              reading.get("missing", []))))
    if unless_text := reading.get("missing_unless_text"):
        words.append(("missing unless the column is text", ", ".join(unless_text)))
    return words


def number(value: float, digits: int = 4) -> str:
    """A number for people: `digits` significant ones, a real minus, no needless zeros."""
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if size and not 1e-4 <= size < 1e9:
        return f"{value:.{digits - 1}g}".replace("-", "\u2212")
    decimals = max(0, digits - 1 - math.floor(math.log10(size))) if size else 0
    text = f"{value:,.{decimals}f}" if size >= 10000 else f"{value:.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "\u2212")


def fixed(value: float, decimals: int) -> str:
    """A number for a column of them: as many decimals as the others, a real minus."""
    text = f"{value:.{decimals}f}"
    return (text if text.strip("-0.") else text.lstrip("-")).replace("-", "\u2212")


def share(value: float) -> str:
    """A share in percent that never rounds up to all or down to nothing."""
    percent = round(100 * value, 1)
    if percent in (0, 100) and percent != 100 * value:
        return "under 0.1\u00a0%" if percent == 0 else "over 99.9\u00a0%"
    return f"{percent:.1f}".removesuffix(".0") + "\u00a0%"


def spell(value: Any) -> str:
    """A setting as params.yaml would hold it."""
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        more = f" and {len(value) - TOP} more" if len(value) > TOP else ""
        return ", ".join(map(spell, value[:TOP])) + more
    return str(value)


def spell_value(value: Any, dtype: str) -> str:
    """A value of a column: integers whole, dates without an empty time."""
    if dtype == "boolean":
        return "true" if value else "false"
    if isinstance(value, str):
        return value.removesuffix("T00:00:00").replace("T", " ")
    return number(value, 12 if dtype == "integer" else 4)


def shorten(text: Any, limit: int = 60) -> str:
    """A text that may be longer than a page can bear."""
    text = spell(text)
    return text if len(text) <= limit else text[:limit - 1] + "\u2026"


def file_size(count: int) -> str:
    """Bytes in their unit."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"


def _as_number(value: Any) -> float:
    return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else float(value)


def _option_words(profile: Mapping[str, Any]) -> list[str]:
    config = profile["stage"]["config"]
    chosen = [(name, each) for name, value in config.items()
              for each in (value if isinstance(value, list) else [value])
              if each not in ("auto", None)]
    return [word for name, each in chosen for word in (
        (f"--{name}", each) if isinstance(each, str) else () if each else (f"--no-{name}",))]
