"""A file with damage is read many lines at a time, and what comes out is what each line gives."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.etl import mend as mending
from src.etl import pieces
from src.etl.account import Account
from src.etl.detect import Reading
from src.etl.mend import mend
from src.etl.pieces import orderly_lines
from src.etl.records import MAX_RECORD_LINES

READING: Reading = {
    "format": "csv", "encoding": "utf-8", "delimiter": ",", "quote": '"', "quote_escape": "",
    "preamble": 0, "header_rows": 1, "footer": 0, "skip_separator_lines": False,
    "columns": ["a", "b", "c"]}
WORDS = ["red", "7", "-1.5", "", " ", "NA", "it's", "' a'", "''", '""', "--", "é", "a,b", "a\tb",
         "two\nlines", "two\r\nlines", 'say "hi"', "\\", "\0", "\ufeff", "\u2028", "\x1c",
         "name"]
NUMBERS = ["7", "12", "7", "'7'", '"7"', " 7 "]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mend")


def both_ways(connection: Any, folder: Path, content: bytes, reading: Reading,
              size: int = 1 << 19) -> tuple[Account, list[Any], str]:
    """What a file's lines give one by one; that many at a time give the same is asserted."""
    path = folder / "damaged.csv"
    path.write_bytes(content)

    def found(characters: int, pattern: Any) -> tuple[Account, list[Any], str]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pieces, "PIECE", characters)
            patch.setattr(mending, "orderly_lines", pattern)
            source = mend(path, READING | reading, folder, str)
        return (source.account, connection.execute(f"FROM {source.sql()}").fetchall(),
                source.rejects.read_text(encoding="utf-8") if source.rejects else "")
    slowly = found(1 << 19, lambda *_: None)
    assert found(1 << 19, orderly_lines) == slowly
    if size < len(content):
        assert found(size, orderly_lines) == slowly
    return slowly


@st.composite
def damaged_texts(draw: st.DrawFn, mark: str, quote: str) -> str:
    """Records of three cells, some damaged; notes, blank lines and names among them."""
    def cell(words: list[str]) -> str:
        text = draw(st.sampled_from(words))
        must = quote and set(text) & {mark, quote, "\n", "\r"}
        if quote and draw(st.sampled_from([bool(must)] * 9 + [not must])):
            return quote + text.replace(quote, 2 * quote) + quote
        return text
    lines = [["name", "b", "c"], *[["1", "red", "2"]] * draw(st.sampled_from([0, 20]))]
    for kind in draw(st.lists(st.sampled_from(["record"] * 6 + ["damage", "names", "odd"]),
                              max_size=12)):
        lines.append([cell(NUMBERS), cell(WORDS), cell(NUMBERS + WORDS)])
        if kind == "names":
            second = st.sampled_from(["b", " b", "\u00a0b ", quote + "\tb" + quote])
            lines[-1] = ["name", draw(second), "c"]
        elif kind == "odd":
            lines[-1] = draw(st.sampled_from([
                ["", "-", ""], [""], ["--", "--", "--"], ["'1'", "red", "2"], ["1", "red", '"2"']]))
        elif kind == "damage":
            lines[-1][-1] += draw(st.sampled_from(["", mark, quote, f"{mark}x"]))
    ends = st.sampled_from(["\n", "\n", "\r\n", "\r"])
    return "".join(mark.join(line) + draw(ends) for line in lines).removesuffix("\n")


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=st.data(), mark=st.sampled_from([",", "\t", "|", "::"]),
       quote=st.sampled_from(['"', "'", ""]), escape=st.sampled_from(["", "\\"]),
       encoding=st.sampled_from(["utf-8", "cp1252", "utf-16"]), footer=st.integers(0, 3),
       skip_bare=st.booleans(), size=st.integers(1, 40))
def test_many_lines_at_a_time_are_read_as_one_by_one(
        connection: Any, folder: Path, data: st.DataObject, mark: str, quote: str, escape: str,
        encoding: str, footer: int, skip_bare: bool, size: int) -> None:
    content = data.draw(damaged_texts(mark, quote)).encode(encoding, "replace")
    bad = data.draw(st.integers(0, 3 * len(content)))
    content = content[:bad] + b"\xff" * (4 < bad < len(content)) + content[bad:]
    both_ways(connection, folder, content, {
        "delimiter": mark, "quote": quote, "quote_escape": escape, "encoding": encoding,
        "footer": footer, "skip_separator_lines": skip_bare}, size)


@pytest.mark.parametrize("mark", [",", "\t"])
@pytest.mark.parametrize("quote", ['"', "'", ""])
@pytest.mark.parametrize("escape", ["", "\\"])
def test_lines_that_only_look_in_order(connection: Any, folder: Path, mark: str, quote: str,
                                       escape: str) -> None:
    odd = ["'1',red,2", '"1",red,2', "1,'red',2", "1,it's,2", "1,'',2", '1,5" disk,2',
           '"""1""",red,2', '1,"say ""hi"" to",2', "1,'say ''hi'' to',2", '1,"two\nlines",2',
           "--,--,--", " - , ,--", ",,", "\u00a0,\u2028,", "name, b ,c", '"name","b","c"',
           '"\tname",b,c', "\ufeff1,red,2", "1,\0,2", "1,\udcff,2", '1,"re,d",2', "1,re\\,d,2",
           "1,re\\\\d,2", '1,"re\\"d",2', "1,red,2,", "1,red", '1,"red,2',
           "1,red,2\r1,red,2", "\x1c1,red,2"]
    sound = 20 * "1,red,2\n2,green,1\n"
    text = "name,b,c\n" + sound + "".join(f"{line}\n{sound}" for line in odd) + "1,red,2"
    account, _, _ = both_ways(
        connection, folder, text.replace(",", mark).encode("utf-8", "surrogateescape"),
        {"delimiter": mark, "quote": quote, "quote_escape": escape})
    assert account.records > 40 * len(odd) and account.rejected and account.repaired


def test_a_byte_order_mark_that_is_text(connection: Any, folder: Path) -> None:
    _, rows, _ = both_ways(connection, folder, "\ufeff\ufeff1,2,3\n4,5,6\n".encode(),
                           {"header_rows": 0})
    assert rows[0][0] == "\ufeff1"


@pytest.mark.parametrize("damaged", ['"open,1,2', '1,"open,2', "1,2", 5000 * "x",
                                     '1,"' + 5000 * "x", "1,\udcff,2"])
def test_a_bad_line_costs_itself_wherever_pieces_end(connection: Any, folder: Path,
                                                     damaged: str) -> None:
    lines = ["1,red,2"] * 2 * MAX_RECORD_LINES
    for place in (0, 700, len(lines)):
        text = "\n".join(["name,b,c", *lines[:place], damaged, *lines[place:]])
        account, rows, _ = both_ways(
            connection, folder, text.encode("utf-8", "surrogateescape"), {}, size=999)
        assert (account.repaired + account.rejected, account.records) == (1, len(lines) + 1)
        assert {row[:3] for row in rows[:place] + rows[place + 1:]} == {("1", "red", "2")}
