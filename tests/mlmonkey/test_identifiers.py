"""Names are kept as they are or refused with one that works; identifiers mean one model only."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlmonkey.errors import UserError
from mlmonkey.names import (ENDINGS, MOST_BYTES, ModelId, check_name, folded, is_name, owner_of,
                            parse_identifier, usable_name)
from mlmonkey.store import ModelStore

KEPT = ["iris", "sales-2024", "x-v2", "x-v2-v1", "my søns 1.0", "x" * 200, "a+b_c", "🐧", "🐧" * 50,
        "👨‍👩‍👧 family", "हिन्दी", "日本語", "sales (1)", "Q1 & Q2, a@b=c", "CON", "_x", "a__b", "1"]
REFUSED = ["", " ", "a/b", "a\\b", "..", ".", ".hidden", "-dash", " a", "a ", "a.", "a\nb", "a\tb",
           "a\0b", "x" * 201, "🐧" * 51, "a:b", "a*", "a?", "[1]", "$(x)", "`x`", "a;b", "it's",
           'a"b', "%s", "a|b", "a>b", "<b>", "a!b", "a#b", "\u0301a", "\u202ea", "a\u2028b",
           "a\udc80", "\u200da", "../iris-v1"]


@pytest.mark.parametrize("name", KEPT)
def test_names_that_are_kept(name: str) -> None:
    assert check_name(name) == usable_name(name) == name


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_are_refused_with_one_that_works(name: str) -> None:
    with pytest.raises(UserError, match="can't name a model: .*--name '.+'$") as raised:
        check_name(name)
    assert str(raised.value).isprintable()
    assert is_name(str(raised.value).split("'")[-2])


def test_both_ways_to_write_an_accent_are_one_name(store: ModelStore) -> None:
    apart = unicodedata.normalize("NFD", "café")
    assert check_name(apart) == "café" != apart
    (store.metadata / "café-v1.json").touch()
    assert store.choose(apart) == parse_identifier(f"{apart}-v1") == ModelId("café", 1)


TEXTS = st.one_of(st.text(), st.text(alphabet="ab-v12.🐧é\u0301 /$'", max_size=20),
                  st.sampled_from([*KEPT, *REFUSED]))


@given(TEXTS, st.integers(1, 999_999_999))
@example("x-v2", 1)
@example("x.features.txt", 3)
@example("a-v1.skops", 2)
def test_an_identifier_comes_back_from_each_file_name(text: str, version: int) -> None:
    name = usable_name(text)
    assert is_name(name) and check_name(name) == name == usable_name(name)
    identifier = ModelId(name, version)
    assert parse_identifier(str(identifier)) == identifier
    for ending in ENDINGS:
        assert owner_of(f"{identifier}{ending}") == identifier
        assert len(f".claim-{identifier}{ending}".encode()) <= 255
    assert parse_identifier(name) is None or str(parse_identifier(name)) == name


@given(st.one_of(TEXTS, st.builds("{}-v{}".format, TEXTS, st.sampled_from("0123٣²x"))))
def test_any_text_is_an_identifier_as_it_stands_or_none(text: str) -> None:
    found = parse_identifier(text)
    assert found is None or str(found) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(("text", "expected"), [
    ("iris-v1", ("iris", 1)), ("sales-2024-v12", ("sales-2024", 12)), ("a-v2-v3", ("a-v2", 3)),
    ("iris", None), ("iris-v0", None), ("iris-v01", None), ("iris-v1234567890", None),
    ("iris-v1٣", None), ("../iris-v1", None), ("-v1", None), ("iris-v1\n", None), ("", None)])
def test_identifiers(text: str, expected: tuple[str, int] | None) -> None:
    assert parse_identifier(text) == expected


@pytest.mark.parametrize("file", ["iris-v1", "iris-v1.txt", "iris-v1.skops\n", "../iris-v1.skops",
                                  "iris-v1.SKOPS", ".skops", "iris.skops", "a/iris-v1.patch"])
def test_files_of_no_model(file: str) -> None:
    assert owner_of(file) is None


def test_names_that_differ_in_case_share_their_numbers(store: ModelStore) -> None:
    """Where Iris-v1.skops and iris-v1.skops are one file, neither may overwrite the other."""
    with store.claim("Iris") as one, store.claim("IRIS") as other:
        assert (one, other) == (ModelId("Iris", 2), ModelId("IRIS", 3))
    assert folded("STRASSE") == folded("straße") and MOST_BYTES == 200
