"""JSON, a record a line or in an array, is read as the same table in CSV is, without loss."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Run, assert_refused
from hypothesis import given, settings
from hypothesis import strategies as st
from test_unpack import read

from mlmonkey.errors import UserError
from src.etl import json_lines
from src.etl.account import Source
from src.etl.detect import detect_reading, scan


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1.10, " B ": "x, \\"y\\"", "c": true}\r\n\r\n'
                     b'{"a": 12345678901234567890123, "new": {"k": [1, null]}, "c": null}\n'
                     b'{"a": 1, "a": 2}\n[1]\n{"a": 1\n{"a": "\\ud800"}\n{"a": "\xff"}\n'
                     b'{"a": "\xc3\x9c", "c": false}')
    source, rows = read(path, tmp_path)
    assert source.reading["columns"] == ["a", "B", "c", "new"]
    assert rows == [("1.10", 'x, "y"', "true", None),
                    ("12345678901234567890123", None, None, '{"k": [1, null]}'),
                    ("Ü", None, "false", None)]
    counts = vars(source.account)
    assert (counts["lines"], counts["blank"], counts["read"], counts["rejected"]) == (9, 1, 3, 5)
    assert source.rejects
    with open(source.rejects, encoding="utf-8", newline="") as file:
        lost = list(csv.DictReader(file))
    assert [(row["line"], row["reason"].split(" (")[0][:30]) for row in lost] == [
        ("4", "a name that appears twice"), ("5", "a list instead of a record"),
        ("6", "Expecting ',' delimiter: line "), ("7", "a character that is none"),
        ("8", "a character that is none")]
    path.write_text("{}\n")
    with pytest.raises(UserError, match="no record with a name"):
        read(path, tmp_path)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)
NUMBERS = st.from_regex(r"\A-?(0|[1-9][0-9]{0,30})([.][0-9]{1,30})?([eE][+-]?[0-9]{1,4})?\Z")
PLAIN = st.one_of(st.none(), st.booleans(), TEXTS, st.integers(), st.floats())
NAMES = st.lists(st.text("abc:,{}é\\\" ", max_size=4), min_size=1, max_size=4,
                 unique_by=lambda name: (" ".join(name.split()).lower()))


@settings(max_examples=40)
@given(data=st.data(), names=NAMES, compact=st.booleans(), ascii_only=st.booleans(),
       ends=st.sampled_from(["\n", "\r\n"]), odd=st.sampled_from([0, 0, 0.2]))
def test_whatever_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, data: Any,
                                          names: list[str], compact: bool, ascii_only: bool,
                                          ends: str, odd: float) -> None:
    """Records of one form, which are not parsed one by one, and among them some that are."""
    folder = tmp_path_factory.mktemp("json")
    records = data.draw(st.lists(st.tuples(*[PLAIN for _ in names]), min_size=1, max_size=8))
    lines, rows = [], []
    separators = (",", ":") if compact else None
    for number, values in enumerate(records):
        record = dict(zip(names, values))
        if number and data.draw(st.booleans()) and odd:
            record["nested"] = [1.50, {"a": None}]
        text = json.dumps(record, ensure_ascii=ascii_only, separators=separators)
        written = data.draw(NUMBERS)
        lines.append(text[:-1] + (", " if record else "") + f'"as written":{written}}}')
        rows.append([*("" if value is None else value if isinstance(value, str)
                       else json.dumps(value) for value in values), written,
                     '[1.5, {"a": null}]' if "nested" in record else ""])
    path = folder / "a.jsonl"
    path.write_text(ends.join(lines), encoding="utf-8", newline="")
    source, found = open_and_read(path, folder)
    assert source.account.read == len(records) == source.account.lines
    assert source.reading["columns"][:len(names)] == [
        " ".join(name.split()) or f"column_{n}" for n, name in enumerate(names, start=1)]
    width = len(source.reading["columns"])
    assert found == [row[:width] for row in rows]
    # the same records as one text, with line ends in and between them
    path.write_text("[" + ",\n".join(lines).replace("{", "{\n", 1) + "]\n", encoding="utf-8")
    assert open_and_read(path, folder)[1] == found


def open_and_read(path: Path, folder: Path) -> tuple[Source, list[list[str]]]:
    """The records as they are written for DuckDB, without it, which takes its time."""
    reading = detect_reading(path, scan(path))
    source = json_lines.open_json(path, reading, folder / "work", str, path)
    with open(source.path, encoding="utf-8", newline="") as file:
        return source, [row[:-1] for row in csv.reader(file)]


def test_lines_of_the_usual_form_are_not_parsed(tmp_path: Path,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    usual = ['{"a": %d.10, "b": "x \\"y\\" \\u00fc\\n, {", "c": null}' % n for n in range(8_000)]
    path.write_text("\n".join(usual))
    calls: list[int] = []
    whole = json_lines.as_cell
    monkeypatch.setattr(json_lines, "as_cell", lambda value: calls.append(1) or whole(value))
    source, rows = read(path, tmp_path)
    assert not calls and rows[-1] == ("7999.10", 'x "y" ü\n, {', None)
    # names that come late, a name twice, broken values: only lines near them are parsed
    usual[4_000:4_005] = ['{"a": 1, "b": "x", "c": 2, "late": 0.1234567890123456789}',
                          '{"a": 1, "b": "x", "c": 2, "a": 2}', '{"a": 1 2, "b": "x", "c": 2}',
                          '{"a": 01, "b": "x", "c": }', '{"a": 1, "b": "x"; "c": 2}']
    path.write_text("\n".join(usual))
    source, rows = read(path, tmp_path)
    assert 0 < len(calls) < 3 * 8_000 and source.account.rejected == 4
    assert source.reading["columns"] == ["a", "b", "c", "late"]
    assert rows[0][3] is None and rows[4_000] == ("1", "x", "2", "0.1234567890123456789")
    assert len(rows) == 7_996 and source.rejects
    assert [line[:5] for line in source.rejects.read_text().splitlines()[1:]] == [
        f"{4_002 + n}," for n in range(4)]


def test_arrays_and_other_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "AT_ONCE", 50)  # records are cut at any place
    records = [{"a": n, "b": "x\n[{,\"", "c": {"k": [1.0, "}"]}} for n in range(30)]
    expected = [(str(n), 'x\n[{,"', '{"k": [1.0, "}"]}') for n in range(30)]
    path = tmp_path / "a.json"
    for text in (json.dumps(records), json.dumps(records, indent=2), "\ufeff [" + ",\n".join(
            map(json.dumps, records)) + "\n]\n", ",\n".join(map(json.dumps, records)),
            "\n".join(json.dumps(record, indent=1) for record in records)):
        for encoding in ("utf-8", "utf-16"):
            path.write_text(text.lstrip("\ufeff" if encoding == "utf-16" else ""), encoding)
            assert read(path, tmp_path)[1] == expected, (text[:50], encoding)
    whole = json.dumps(records, indent=2)
    for text, words in ((whole[:-30], "a.json is damaged at line 298 .*; mend it"),
                        (whole[:-2], "a.json is damaged at line 301"),
                        (whole.replace('"a": 7', '"a" 7'), "a.json is damaged at line 73 .Expect"),
                        ("[[1, 2], [3, 4]]", "a.json holds lists, which don't name their col")):
        path.write_text(text)
        with pytest.raises(UserError, match=words):
            read(path, tmp_path)


def test_a_document_with_a_table_inside(project: Path, run_stage: Run) -> None:
    (project / "a b.json").write_text('{"total": 2, "data": [{"a": 1}, {"a": 2}]}')
    done = run_stage(project, "generate-dataset", "--data", "a b.json", check=False)
    assert_refused(done, "a b.json is one record, maybe with a table in it", "jq -c '.data[]'")
