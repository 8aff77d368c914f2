"""What the screen says of a dataset: how its file was read, what was counted, where it is."""

from shlex import quote
from typing import Any

from src.etl.rules import NO, YES

SHOWN = 20  # columns whose reading is printed
FEW = 5  # of those that share a word


def print_account(profile: dict[str, Any]) -> None:
    """Say what was read, how, and where it is."""
    counts, reading = profile["records"], profile["reading"]
    if reading.get("part"):
        print(f"reading: {reading['part']} of {profile['raw']['path']}")
    if reading["format"] != "parquet":
        rows = reading.get("header_rows")
        header = "no header" if not rows else "header" if rows == 1 else f"header of {rows} rows"
        mark = reading.get("delimiter", "")
        shown = "blanks" if mark == r"\s+" else repr(mark)
        form = ("JSON" if reading["format"] == "json" else
                f"{reading['encoding']}, delimiter {shown}, {header}")
        print(f"reading: {form}, {len(reading['columns'])} columns")
        for note in [*describe_layout(reading, counts), *reading["renamed"][:SHOWN]]:
            print(f"reading: {note}")
        unusual = {name: rule for name, rule in profile["rules"].items()
                   if rule not in ("text", "integer", "number")}
        for name, rule in list(unusual.items())[:SHOWN]:
            print(f"reading: column {name!r} as {rule}")
        if len(unusual) > SHOWN:
            print(f"reading: {len(unusual) - SHOWN} more columns by rules that the profile names")
        for note in [*describe_missing(profile), *describe_truths(profile)]:
            print(f"reading: {note}")
    print(f"records: {counts['records']:,} = {counts['read']:,} read + {counts['repaired']:,} "
          f"repaired + {counts['rejected']:,} rejected; "
          f"{profile['transformed']['rows']:,} after transform")
    print(f"dataset: {profile['transformed']['path']}, profile {profile['key']}.json")


def describe_layout(reading: dict[str, Any], counts: dict[str, int]) -> list[str]:
    """What is unusual about a CSV file, and what of it is left out."""
    if reading["format"] != "csv":
        return []
    quotes = {'"': [], "": ["no sign is a quote"]}.get(reading["quote"],
                                                       [f"quotes are {reading['quote']}"])
    if reading["quote_escape"]:
        quotes.append("a backslash keeps a quote or a delimiter from its meaning")
    if reading.get("framed"):
        quotes.append("a delimiter begins and ends each line")
    left_out = [f"{counts[part]:,} line(s) {where} the table are left out"
                for part, where in (("preamble", "above"), ("footer", "below")) if counts[part]]
    if counts["header"] > reading["header_rows"] > 0:
        left_out.append(f"{counts['header']:,} line(s) hold the names: where they are said again, "
                        "they are no records")
    if reading["other_tables"]:
        left_out.append(f"{reading['other_tables']} more table(s) below the first one, left out: "
                        "for those, save each as a file of its own")
    if counts["blank"]:
        what = "blank, ruled or of delimiters only" if reading["skip_separator_lines"] else "blank"
        left_out.append(f"{counts['blank']:,} line(s) are {what}")
    return quotes + left_out


def describe_missing(profile: dict[str, Any]) -> list[str]:
    """Which words were taken as missing, where and how often."""
    found = profile["missing_words"]
    if not found:
        return []
    words = {word: [name for name, each in found["columns"].items() if word in each]
             for counts in found["columns"].values() for word in counts}
    notes = []
    for word, names in words.items():
        count = sum(found["columns"][name][word] for name in names)
        more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
        shown = ", ".join(map(repr, names[:FEW]))
        notes.append(f"{word!r} is no value, {count:,} time(s) in {shown}{more}")
    if notes and found["records"] < profile["records"]["records"]:
        notes.append(f"these words were counted in the first {found['records']:,} records")
    return notes


def describe_truths(profile: dict[str, Any]) -> list[str]:
    """Which columns hold two words for true and false, and how they become truth values."""
    pairs = [{yes, no} for yes, no in zip(YES, NO)]
    names = [feature["name"] for feature in profile["columns"] if feature.get("distinct") == 2 and
             {each["value"].lower() for each in feature.get("categories", [])} in pairs]
    return [f"two words stay words in {', '.join(map(repr, names[:FEW]))}; as truth values: "
            f"--column {quote(f'{names[0]}=yes or no')}"] if names else []
