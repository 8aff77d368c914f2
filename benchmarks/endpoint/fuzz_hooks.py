"""For schemathesis: CSV of the columns that the model has. fuzz.py has it loaded."""

import csv
import io
import json
import os
from typing import Any

import schemathesis
from hypothesis import strategies as st

EXAMPLE = json.loads(os.environ["EXAMPLE"])
NUMBERS = st.integers(-10**15, 10**15) | st.decimals(-10**6, 10**6, places=4)
OF = {int: NUMBERS, float: NUMBERS, bool: st.sampled_from(["true", "FALSE"]),
      str: st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)}
DAYS = st.dates().map(str) | st.datetimes().map(
    lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}".zfill(19))


def values(name: str) -> Any:
    """What a cell may hold; nothing is a missing value."""
    example = EXAMPLE[name]
    own = DAYS if str(example).startswith("2024-") else OF[type(example)]
    return st.just("") | own


@st.composite
def tables(draw: Any) -> bytes:
    """A header with the columns in any order, and more of them; rows of good cells."""
    titles = draw(st.permutations([*EXAMPLE, *draw(st.lists(st.just("more"), max_size=2))]))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
                        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])))
    writer.writerow(titles)
    for _ in range(draw(st.integers(1, 20))):
        writer.writerow([draw(values(title) if title in EXAMPLE else st.integers())
                         for title in titles])
    return file.getvalue().encode()


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Where CSV is made here, an example of it can't be sent; the project's tests do that."""
    for item in raw_schema["paths"].values():
        content = item.get("post", {}).get("requestBody", {}).get("content", {})
        content.get("text/csv", {}).pop("example", None)


schemathesis.openapi.media_type("text/csv", tables())
