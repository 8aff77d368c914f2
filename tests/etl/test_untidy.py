"""Files that nobody cleaned: the dialect, the table among notes, and lines with damage."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.etl.account import Account
from src.etl.open_source import open_source
from src.etl.detect import check_readable, detect_reading, scan
from src.etl.encodings import guess_encoding, marked_encoding
from src.etl.records import Dialect, Lines, read_records
from src.etl.saying import describe_layout

ROWS = [[str(n + 1), f"{word} {other}", f"{n * 1.75 + 3:.2f}", level, f"2021-0{n % 9 + 1}-1{n % 7}"]
        for n, (word, other, level) in enumerate(zip(
            "oak elm ash fir yew box may bay fig pear plum lime".split(),
            "wood bark leaf root bud tree hedge park row nut seed twig".split(),
            ["low", "high", "middle"] * 4))]
NAMES = ["id", "name", "weight", "level", "day"]
WIDTH = len(NAMES)


def lines_of(delimiter: str = ",", quote: str = "") -> list[str]:
    return [delimiter.join(f"{quote}{cell}{quote}" for cell in row) for row in [NAMES, *ROWS]]


def read(folder: Path, content: str | bytes, **said: str) -> tuple[dict[str, Any], Account, Any]:
    """The reading, the account and the cells; None for a rejected record."""
    import duckdb
    path = folder / "untidy.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    check_readable(path)
    with duckdb.connect() as connection:
        source = open_source(connection, path, detect_reading(path, scan(path), **said),
                             folder / "work")
        rows = connection.execute(f"FROM {source.sql()}").fetchall()
    cells = [None if reason else ["" if cell is None else cell.strip() for cell in row]
             for *row, reason in rows]
    source.account.check(path)
    return source.reading, source.account, cells


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", ":", "^", "~", "||", "::", ", ", "\t\t",
                                       "~|~", "\x1f", "\\t"])
@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_dialects(tmp_path: Path, delimiter: str, quote: str) -> None:
    reading, account, cells = read(tmp_path, "\n".join(lines_of(delimiter, quote)))
    assert (reading["columns"], cells) == (NAMES, ROWS)
    assert (account.records, account.read) == (len(ROWS), len(ROWS))


FRAME = [f"| {' | '.join(row)} |" for row in [NAMES, *ROWS]]
RULE = "+---+------+-----+-----+-----+"


@pytest.mark.parametrize("lines", [
    [" ".join(cell.replace(" ", "_").rjust(10) for cell in row) for row in [NAMES, *ROWS]],
    ["   ".join(cell.ljust(10) for cell in row) for row in [["# id", *NAMES[1:]], *ROWS]],
    [" ".join(f'"{cell}"' for cell in row) for row in [NAMES, *ROWS]],
    FRAME, [RULE, FRAME[0], RULE, *FRAME[1:], RULE], [FRAME[0], "|--|--|--|--|--|", *FRAME[1:]],
])
def test_blanks_and_frames(tmp_path: Path, lines: list[str]) -> None:
    reading, account, cells = read(tmp_path, "\n".join(lines))
    names = [name.removeprefix("# ") for name in reading["columns"]]
    assert (names, [[cell.replace("_", " ") for cell in row] for row in cells]) == (NAMES, ROWS)
    assert account.records == len(ROWS) and account.rejected == account.repaired == 0


@pytest.mark.parametrize("texts", [
    [f"{n} Mill Lane, Runcorn" for n in range(9)], [f"{n},{n}5" for n in range(9)],
    ["Late, but here.", "Early, and gone."] * 4, [f"a{n}@b{n}.example" for n in range(9)]])
def test_one_column_of_anything(tmp_path: Path, texts: list[str]) -> None:
    reading, _, cells = read(tmp_path, "\n".join(["entry", *texts]))
    assert (reading["columns"], cells) == (["entry"], [[text] for text in texts])
    prose = "He came, and saw.\nShe left, too.\nIt rained, a lot, today.\n"
    assert len(read(tmp_path, prose)[0]["columns"]) == 1


@pytest.mark.parametrize("quote", ["'", '"'])
def test_texts_of_many_lines(tmp_path: Path, quote: str) -> None:
    page = "\n".join(["a line, and more of it"] * 50)
    rows = [[str(n), f"{page} {n}", "x"] for n in range(6)]
    lines = [f"{number};{quote}{text}{quote};{end}" for number, text, end in rows]
    assert read(tmp_path, "\n".join(["id;page;end", *lines]))[2] == rows


def test_rows_that_have_names(tmp_path: Path) -> None:
    lines = lines_of(" ", '"')
    content = "\n".join([lines[0], *(f'"r{n}" {line}' for n, line in enumerate(lines[1:]))])
    reading, _, cells = read(tmp_path, content)
    assert reading["columns"] == ["column_1", *NAMES]
    assert cells == [[f"r{n}", *row] for n, row in enumerate(ROWS)]


@pytest.mark.parametrize("damage", [
    lambda cells: ",".join(['"' + cells[0], *cells[1:]]),
    lambda cells: "," + ",".join(cells), lambda cells: ";".join(cells)])
def test_a_damaged_record_of_several_lines(tmp_path: Path, damage: Any) -> None:
    rows = [[*row, "up\nand down"] for row in ROWS]
    lines = [",".join([*row[:5], f'"{row[5]}"']) for row in rows]
    lines[5] = damage([*rows[5][:5], f'"{rows[5][5]}"'])
    _, account, cells = read(tmp_path, "\n".join([",".join([*NAMES, "note"]), *lines]))
    assert cells == rows and (account.repaired, account.rejected) == (1, 0)
    lines[5] = ",".join(rows[5][:3])  # of no other record a line may be taken
    _, account, cells = read(tmp_path, "\n".join([",".join([*NAMES, "note"]), *lines]))
    assert cells == [*rows[:5], None, *rows[6:]] and account.repaired == 0


def test_a_backslash_before_quotes(tmp_path: Path) -> None:
    rows = [[r"say \"hi\"", "a, b", "1"], [r"C:\\temp", "c", "2"], ["x", "d", "3"]]
    content = "\n".join(",".join(f'"{cell}"' for cell in row) for row in [["t", "u", "n"], *rows])
    reading, _, cells = read(tmp_path, content)
    assert reading["quote_escape"] == "\\"
    assert cells == [['say "hi"', "a, b", "1"], ["C:\\temp", "c", "2"], ["x", "d", "3"]]


@pytest.mark.parametrize(("above", "below", "preamble", "footer"), [
    (["Report of 2021"], [], 1, 0),
    (["Report, of the year", "", "# by room 5"], [], 3, 0),
    (["Report,,,,", "Room 5,,,,"], ["Source: survey,,,,"], 2, 1),
    (["Station: north", "Unit: m", ""], ["", "Source: own survey, 2021"], 3, 2),
    ([], ["# end of file"], 0, 1), ([], ["Total,,132.90,,"], 0, 1),
    ([], ["", "Table 2", "a,b", "1,2", "3,4"], 0, 5),
    ([], ["", "x,y", "1,2"], 0, 3),
])
def test_notes_and_other_tables_are_left_out(tmp_path: Path, above: list[str], below: list[str],
                                             preamble: int, footer: int) -> None:
    content = "\n".join([*above, *lines_of(), *below]) + "\n"
    reading, account, cells = read(tmp_path, content)
    assert (reading["columns"], cells) == (NAMES, ROWS)
    assert (account.preamble, account.footer) == (preamble, footer)
    said = {"preamble": str(preamble), "footer": str(footer), "header": "1"}
    assert read(tmp_path, content, **said)[1:] == (account, ROWS)


@pytest.mark.parametrize(("names", "columns"), [
    (["a,a,b,b,b", "id,name,weight,level,day"],
     ["a id", "a name", "b weight", "b level", "b day"]),
    ([",HEAD,,,", ",HEAD,,,", "id,name,weight,level,day"],
     ["id", "HEAD name", "weight", "level", "day"]),
    (["a,,b,,", "x,y,x,y,z"], ["a x", "a y", "b x", "b y", "b z"]),
    (["a,,b,,", "id,name,weight,level,day"], ["a id", "a name", "b weight", "b level", "b day"]),
    (["id,name,weight,level,day", "[1],[-],[kg],[-],[date]"],
     ["id [1]", "name [-]", "weight [kg]", "level [-]", "day [date]"]),
    (["id,name,weight,level"], ["id", "name", "weight", "level", "column_5"]),
    (["id,name,weight,level,day,"], NAMES), (["id;name;weight;level;day"], NAMES),
    (['id,"name,weight,level,day'], NAMES), (["id,name,weight,level,day", "-----"], NAMES),
    ([], ["column_1", "column_2", "column_3", "column_4", "column_5"]),
])
def test_rows_of_names(tmp_path: Path, names: list[str], columns: list[str]) -> None:
    reading, account, cells = read(tmp_path, "\n".join([*names, *lines_of()[1:]]))
    assert (reading["columns"], cells) == (columns, ROWS)
    assert account.header == reading["header_rows"] == len(
        [line for line in names if line != "-----"])


def test_lines_of_delimiters_only(tmp_path: Path) -> None:
    lines = lines_of()
    content = "\n".join([*lines[:5], ",,,,", *lines[5:], ",,,,", ",,,,"])
    reading, account, cells = read(tmp_path, content)
    assert (reading["skip_separator_lines"], account.blank, cells) == (True, 3, ROWS)
    assert len(read(tmp_path, content, separator_lines="keep")[2]) == len(ROWS) + 3
    sparse = "a,b\n1,\n,2\n,\n3,4\n5,6\n7,8\n"  # each column is empty somewhere
    assert read(tmp_path, sparse)[1].records == 6


@pytest.mark.parametrize("place", [0, 5, 11])
@pytest.mark.parametrize("damage", [
    lambda cells: ",".join([*cells[:2], "", *cells[2:]]),  # a delimiter too many
    lambda cells: ",".join([cells[0] + cells[1], *cells[2:]]),  # one too few
    lambda cells: ",".join(['"' + cells[0], *cells[1:]]),
    lambda cells: ",".join([*cells[:2], cells[2] + '"', *cells[3:]]),
    lambda cells: ",".join([*cells[:-1], '"' + cells[-1]]),
    lambda cells: ";".join(cells),
    lambda cells: ",".join(f"'{cell}'" for cell in cells),
    lambda cells: ",".join([*cells[:3], cells[3] + "\0", cells[4]]),
])
def test_what_only_one_reading_explains_is_repaired(tmp_path: Path, place: int,
                                                    damage: Any) -> None:
    lines = lines_of()
    lines[place + 1] = damage(ROWS[place])
    content = "\n".join([*lines, ","])  # DuckDB alone would read some of it as text
    _, account, cells = read(tmp_path, content)
    assert cells[:len(ROWS)] == ROWS and account.repaired == 1


@pytest.mark.parametrize("place", [0, 5, 11])
@pytest.mark.parametrize("damaged", [
    "7,red wood,4.25,low", "7,red wood", "7,red wood,4.25,low,2021-01-01,5", "7,red,3.5,low,2,x,y",
    '7,"red" wood,4.25,low', '"', "7;red wood,4.25,low",
])
def test_what_several_readings_explain_is_rejected_alone(tmp_path: Path, place: int,
                                                         damaged: str) -> None:
    lines = lines_of()
    _, account, cells = read(tmp_path, "\n".join([*lines[:place + 1], damaged,
                                                  *lines[place + 1:]]))
    assert [row for row in cells if row] == ROWS and account.repaired == 0
    assert (account.rejected, cells[place]) == (1, None)


def test_two_stray_quotes_swallow_no_lines(tmp_path: Path) -> None:
    lines = lines_of()
    lines[3], lines[6] = lines[3].replace("ash", '"ash'), lines[6].replace("box bud", 'box bud"')
    lines[6] = ",".join([ROWS[5][0], ROWS[5][1] + '"', *ROWS[5][2:]])
    _, account, cells = read(tmp_path, "\n".join(lines))
    assert account.records == len(ROWS) and account.continued == 0
    assert [row[0] for row in cells] == [row[0] for row in ROWS]


def test_names_said_again_are_no_record(tmp_path: Path) -> None:
    lines = lines_of()
    reading, account, cells = read(tmp_path, "\n".join([*lines[:7], lines[0], *lines[7:], "x"]))
    assert "2 line(s) hold the names" in " ".join(describe_layout(reading, vars(account)))
    assert account.header == 2 and [row for row in cells if row] == ROWS


@pytest.mark.parametrize("name", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32",
                                  "utf-32-be"])
def test_encodings_that_bytes_tell(tmp_path: Path, name: str) -> None:
    content = "\n".join(lines_of()).replace("oak", "žöλ").encode(name)
    reading, _, cells = read(tmp_path, content)
    assert (reading["columns"], cells[0][1]) == (NAMES, "žöλ wood")
    assert marked_encoding(content) is not None


@pytest.mark.parametrize(("text", "name"), [
    ("René,Köln,São Paulo", "cp1252"), ("Łukasz,Łódź,Żabno,Kraków", "cp1250"),
    ("Jiří,Plzeň,Třebíč,město", "cp1250"),
    ("Москва,Казань,Тверь", "cp1251"), ("Москва,Казань,Тверь", "koi8-r"),
    ("Αθήνα,Θεσσαλονίκη", "cp1253"), ("東京都,大阪府,北海道", "cp932"), ("서울,부산,대구", "euc-kr"),
    ("René,Köln,Zoë", "mac-roman"), ("20 °C,5 €", "cp1252"),
])
def test_encodings_that_letters_tell(text: str, name: str) -> None:
    sample = f"a,b,c\n{text}\n{text}\n".encode(name)
    assert sample.decode(guess_encoding(sample)) == sample.decode(name)


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\ufeff"), max_size=5)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from([",", ";", "\t", "|", ":", "||", "::", "~|~", "^"]),
       st.sampled_from("\"'"), st.sampled_from(["", "\\"]), st.sampled_from(["\n", "\r\n", "\r"]))
def test_any_table_in_any_dialect_is_read_back(data: st.DataObject, delimiter: str, quote: str,
                                               escape: str, end: str) -> None:
    width = data.draw(st.integers(2, 5))
    rows = data.draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=6))

    def write(cell: str) -> str:
        inside = cell.replace("\\", "\\\\") if escape else cell
        return quote + inside.replace(quote, (escape or quote) + quote) + quote
    text = "".join(delimiter.join(map(write, row)) + end for row in rows)
    lines = list(io.StringIO(text, newline=""))
    records = list(read_records(Lines(lines), Dialect(delimiter, quote, escape), width))
    assert [record.cells for record in records] == rows
    assert sum(record.lines for record in records) == len(lines)


def test_the_python_reader_agrees_with_csv(tmp_path: Path) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([NAMES, *ROWS, ["13", 'a "b", c', "1.00", "low", "2021-01-01"]])
    assert read(tmp_path, out.getvalue())[2][-1][1] == 'a "b", c'


def test_what_is_apart_from_the_names_is_not_of_them(tmp_path: Path) -> None:
    head = ["Account Number,XXXX1234,,", "Statement Period,01/01/2024 - 01/31/2024,,", ""]
    table = ["Date,Description,Amount,Balance", *(f"2024-01-0{n},shop {n},{n}.5,{9 - n}.5"
                                                  for n in range(1, 4))]
    reading, account, cells = read(tmp_path, "\n".join([*head, *table]))
    assert reading["columns"] == table[0].split(",") and reading["preamble"] == 3
    assert [",".join(row) for row in cells] == table[1:] and account.header == 1


def test_a_record_of_words_like_the_names_is_kept(tmp_path: Path) -> None:
    lines = ["Anna,Berlin", "Bob,Paris", "Carl,Rome", "Anna,Berlin", "Dora,Oslo,Bergen"]
    account, cells = read(tmp_path, "\n".join(lines))[1:]
    assert (account.records, cells[2]) == (4, ["Anna", "Berlin"])


def test_a_moment_is_not_cut(tmp_path: Path) -> None:
    lines = [f"2024-01-05 10:00:0{n} INFO started job {'abc'[n % 3]}" for n in range(6)]
    assert read(tmp_path, "\n".join(lines))[0]["delimiter"] not in (":", "-")
