"""make prediction on files that differ from the training's: converted or reported, never other."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Run, assert_refused, copy_project

pytestmark = pytest.mark.slow

NAMES = ["price", "share", "count", "day", "active", "colour", "y"]
COLOURS = ["red", "green", "-"]


def row(n: int) -> list[str]:
    """A row of the table that is learned from: y is known by price, share, count and colour."""
    return [f"{n * 10 + .5:,.2f}", f"{n % 7}%", "-" if n == 9 else str(n),
            f"{n % 28 + 1:02}/{n % 12 + 1:02}/2024", "yes" if n % 2 else "no", COLOURS[n % 3],
            "low" if n < 40 else "high"]


PLAIN = row(60)[:-1]
Predict = Callable[..., tuple[list[dict[str, str]], str]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, run_stage: Run) -> Path:
    place = copy_project(tmp_path_factory.mktemp("reading") / "project")
    with open(place / "data/raw/shop.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([NAMES, *map(row, range(80))])
    run_stage(place, "train", "--data", "data/raw/shop.csv", "--target", "y",
              "--column", "active=yes or no", "--no-report")
    return place


@pytest.fixture
def predict(place: Path, tmp_path: Path, run_stage: Run) -> Iterator[Predict]:
    """Score a file; what stands beside each record, and what was printed."""
    def run(content: bytes | str, *words: str) -> tuple[list[dict[str, str]], str]:
        (tmp_path / "new.csv").write_bytes(
            content.encode() if isinstance(content, str) else content)
        done = run_stage(place, "prediction", "--input", tmp_path / "new.csv", "--output",
                         tmp_path / "out.csv", "--max-rejects", "1", *words)
        with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file)), done.stdout
    yield run


def table(*rows: list[str], names: list[str] = NAMES[:-1], mark: str = ",") -> str:
    return "".join(mark.join(f'"{cell}"' for cell in cells) + "\n" for cells in (names, *rows))


def changed(**cells: str) -> list[str]:
    return list((dict(zip(NAMES, PLAIN)) | cells).values())


def test_what_fits_is_read_as_in_training(predict: Predict) -> None:
    """The same row in five forms has one answer."""
    backwards = table(PLAIN[::-1], names=[f" {name} " for name in NAMES[-2::-1]])
    answers = [predict(content, *words)[0] for content, *words in (
        [table(PLAIN)], ["\ufeff" + backwards], [table(PLAIN).encode("utf-16")],
        [table(PLAIN, mark=";"), "--delimiter", "semicolon"],
        [table([*PLAIN, "more"], names=[*NAMES[:-1], "extra"])])]
    assert answers[0][0]["prediction"] == "high" and answers[0][0]["error"] == ""
    assert all(each == answers[0] for each in answers)


def test_what_does_not_fit_is_reported_in_its_place(predict: Predict) -> None:
    rows = [PLAIN, changed(price="5 %"), changed(share="0.05"), changed(count="1.5"),
            changed(count="n.v."), changed(count="unknown"), changed(price="-"),
            changed(day="2024-13-01"), changed(day="3 Jan 2024"), changed(active="maybe"),
            changed(active="T"), changed(colour="-"), changed(price="1.234,50"),
            changed(price="$5"), changed(count="true"), changed(share="2024-01-01"), PLAIN]
    found, said = predict(table(*rows))
    wrong = {n: each["error"] for n, each in enumerate(found) if each["error"]}
    assert {n: text.split(": ")[:2] for n, text in wrong.items()} == {
        1: ["column price", "5 % is not a number"], 2: ["column share", "0.05 is not a number"],
        4: ["column count", "n.v. is not a number"],
        7: ["column day", wrong[7].split(": ")[1]], 8: ["column day", wrong[8].split(": ")[1]],
        9: ["column active", "maybe is not true or false"],
        12: ["column price", "1.234,50 is not a number"],
        13: ["column price", "$5 is not a number"], 14: ["column count", "true is not a number"],
        15: ["column share", "2024-01-01 is not a number"]}
    assert "3 Jan 2024 is not a date" in wrong[8]
    assert all(not found[n]["prediction"] for n in wrong) and len(found) == len(rows)
    assert "'count' holds fractions" in said and found[0] == found[-1]


def test_another_style_is_asked_and_a_missing_column_refused(place: Path, predict: Predict,
                                                             tmp_path: Path,
                                                             run_stage: Run) -> None:
    days = table(changed(day="12/31/2024"), changed(day="03/04/2024"))
    words = ("prediction", "--input", tmp_path / "new.csv", "--output", tmp_path / "out.csv")
    (tmp_path / "new.csv").write_text(days)
    assert_refused(run_stage(place, *words, check=False), "'day' read only as", "--dates month-f")
    assert predict(days, "--dates", "month-first")[0][1]["error"] == ""
    (tmp_path / "new.csv").write_text(table(changed(price="1.234,50"), changed(price="1,234")))
    assert_refused(run_stage(place, *words, check=False), "'price' read only", "--decimal comma")
    (tmp_path / "new.csv").write_text(table(PLAIN[1:], names=NAMES[1:-1]))
    assert_refused(run_stage(place, *words, check=False), "lacks the column(s) 'price'")
