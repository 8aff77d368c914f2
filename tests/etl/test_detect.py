"""How a file is read is found out, can be overridden, and is asked where two ways are as good."""

from pathlib import Path
from typing import Any

import pytest

from mlmonkey.errors import UserError
from src.etl.detect import check_readable, clean_names, detect_reading, scan


def reading_of(path: Path, content: bytes | str, **options: Any) -> dict[str, Any]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    check_readable(path)
    return detect_reading(path, scan(path), **options)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.csv"


@pytest.mark.parametrize(("content", "mark", "columns"), [
    ("a,b\n1,2\n", ",", ["a", "b"]),
    ("a;b\n1,5;2\n3,5;4\n", ";", ["a", "b"]),
    ("a\tb\n1\t2", "\t", ["a", "b"]),
    ("a|b|c\r\n1|2|3\r\n", "|", ["a", "b", "c"]),
    ("text\nhello\nworld\n", ",", ["text"]),
    ('text\n"hello, you"\n"a; b"\n', ",", ["text"]),
    ('a,b\n"x;y",1\n"x;z",2\n', ",", ["a", "b"]),
    ("a,b\n" + "x;y,1\n" * 500 + "damaged\ndamaged\n", ",", ["a", "b"]),
    ("a,b,c\n1,2\n1,2,3\n4,5,6\n", ",", ["a", "b", "c"]),
    ('a,b\n"open,1\n2,3\n4,5\n', ",", ["a", "b"]),
    ("a,b\n", ",", ["a", "b"]),
    ("t,v\n2024-01-05T10:00:00Z,1\n2024-01-06 10:00:00.5+02:00,2\n", ",", ["t", "v"]),
    ("remark\n" + "good, but late\nbad, and late\n" * 9, ";", ["remark"]),
])
def test_delimiters(path: Path, content: str, mark: str, columns: list[str]) -> None:
    reading = reading_of(path, content)
    assert (reading["delimiter"], reading["columns"]) == (mark, columns)


def test_two_delimiters_that_fit_equally_well_are_put_to_the_user(path: Path) -> None:
    content = "a,b;c\nd,e;f\n"
    with pytest.raises(UserError, match="--delimiter comma or --delimiter semicolon"):
        reading_of(path, content)
    assert len(reading_of(path, content, delimiter="semicolon")["columns"]) == 2


@pytest.mark.parametrize(("content", "header"), [
    ("a,b\n1,2\n", True), ("1,2\n3,4\n", False), ("5.1,setosa\n4.9,setosa\n", False),
    ("x,y\nred,blue\n", True), ("2024-01-01,a\n2024-01-02,b\n", False), ("name,2019\nx,y\n", True),
    ("€5,a\n€6,b\n", False), ("10%,a\n20%,b\n", False),
])
def test_headers(path: Path, content: str, header: bool) -> None:
    assert reading_of(path, content)["header"] == header
    assert reading_of(path, content, header="yes")["header"]
    reading = reading_of(path, content, header="no")
    assert (reading["header"], reading["columns"]) == (False, ["column_1", "column_2"])


@pytest.mark.parametrize(("names", "clean"), [
    ([" a ", "b\n c", ""], ["a", "b c", "column_3"]),
    (["a", "A", "a", "a_2"], ["a", "A_2", "a_3", "a_2_2"]),
    (["", "", "column_1"], ["column_1", "column_2", "column_1_2"]),
])
def test_names_are_never_empty_or_twice_the_same(names: list[str], clean: list[str]) -> None:
    assert clean_names(names) == clean
    assert len({name.lower() for name in clean}) == len(clean)


def test_a_delimiter_at_each_line_end_makes_no_column(path: Path) -> None:
    assert reading_of(path, "a,b,\n1,2,\n3,4,\n")["columns"] == ["a", "b"]
    assert reading_of(path, "a,b,\n1,2,\n3,4,5\n")["columns"] == ["a", "b", "column_3"]
    assert reading_of(path, ",a\n0,1\n")["columns"] == ["column_1", "a"]


def test_line_separators_of_unicode_are_text(path: Path) -> None:
    reading = reading_of(path, "a,b\nx\u2028y,1\nx\x85y,2\nx\x0cy,3\n")
    assert (reading["delimiter"], reading["columns"]) == (",", ["a", "b"])


@pytest.mark.parametrize(("encoding", "found"), [
    ("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("cp1252", "cp1252"),
])
def test_encodings(path: Path, encoding: str, found: str) -> None:
    reading = reading_of(path, "naïve,größe\nä,1\né,2\n".encode(encoding))
    assert (reading["encoding"], reading["columns"]) == (found, ["naïve", "größe"])


def test_a_few_bad_bytes_among_good_ones_are_damage_not_another_encoding(path: Path) -> None:
    good = "naïve,größe\n" + "äöü,1\n" * 20
    assert reading_of(path, good.encode() + b"\xe9,2\n")["encoding"] == "utf-8"
    # the last byte counts too
    assert reading_of(path, b"a,b\nx,1\ny,2\nz,\xe9")["encoding"] == "cp1252"


def test_a_character_across_two_pieces_is_whole(path: Path) -> None:
    content = "a,b\n" + "x" * ((1 << 20) - 5) + "é,1\n" + "y,2\n" * 10
    scanned = reading_of(path, content), scan(path)
    assert scanned[0]["encoding"] == "utf-8"
    assert scanned[1].size == len(content.encode())


def test_encoding_override(path: Path) -> None:
    content = "größe,x\nä,1\n".encode("latin-1")
    assert reading_of(path, content, encoding="latin1")["encoding"] == "iso8859-1"
    assert reading_of(path, "größe,x\n1,2\n".encode("utf-8-sig"), encoding="UTF8")["columns"] == \
        ["größe", "x"]
    for unknown in ("latin-99", "base64", "rot13"):
        with pytest.raises(UserError, match=f"no encoding called '{unknown}'"):
            reading_of(path, content, encoding=unknown)


def test_missing_words_are_added(path: Path) -> None:
    words = reading_of(path, "a,b\n1,2\n", missing=("-", "NA"))["missing"]
    assert words[-1] == "-" and words.count("NA") == 1


def test_a_header_longer_than_a_quarter_of_a_megabyte(path: Path) -> None:
    names = [f"a_rather_long_name_{n}" for n in range(20_000)]
    reading = reading_of(path, ",".join(names) + "\n" + ",".join("1" * 20_000) + "\n")
    assert reading["columns"] == names


@pytest.mark.parametrize(("content", "words"), [
    (b"", "empty"), (b"\x89PNG\r\n\x1a\n\0\0", "not a table"), (bytes(range(1, 32)) * 9, "control"),
])
def test_what_is_no_table_is_refused(path: Path, content: bytes, words: str) -> None:
    with pytest.raises(UserError, match=words):
        reading_of(path, content)


def test_blank_lines_only_are_refused(path: Path) -> None:
    with pytest.raises(UserError, match="only blank lines"):
        reading_of(path, "\n  \n\n")


def test_wrong_paths_are_refused_with_the_nearest_name(path: Path, tmp_path: Path) -> None:
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="did you mean 'table.csv'"):
        check_readable(tmp_path / "tabel.csv")
    with pytest.raises(UserError, match="no file"):
        check_readable(tmp_path / "nowhere" / "x.csv")
    with pytest.raises(UserError, match="is a folder"):
        check_readable(tmp_path)
    with pytest.raises(UserError, match="not a regular file"):
        check_readable(Path("/dev/null"))
