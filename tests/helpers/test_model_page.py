"""The page of a model: whole, harmless, complete, and of a bearable size."""

import copy
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from src.helpers.model_page import describe_scores, headline, ticks, write_model_page

VOID = {"meta", "link", "br", "img", "input", "hr"}
HOSTILE = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "it's", "{{ 7 * 7 }}",
           "\U0001f427 penguin", "\u202eright to left", "a" * 500, "</style></title>"]


class Page(HTMLParser):
    """Reads a page as strictly as XML: every element is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.pieces.append(data)

    @property
    def text(self) -> str:
        """What a reader sees, blanks made one."""
        return re.sub(r"\s+", " ", "".join(self.pieces))


def read_page(path: Path) -> Page:
    """Parse a page and check what holds for every page."""
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag not in ("script", "iframe", "object", "embed", "img", "form")
        for name, value in attributes.items():
            assert not name.startswith("on"), f"{name}={value}"
            if name in ("src", "href", "xlink:href", "action"):
                assert (value or "").startswith("#"), f"{name}={value}"
        if tag == "th":
            assert attributes.get("scope") in ("row", "col")
        if tag == "svg":
            assert attributes.get("aria-hidden") or attributes.get("aria-label")
    assert "url(" not in text and "@import" not in text
    assert "default-src 'none'" in text, "a browser is told to load nothing"
    return page


@pytest.fixture
def metadata(trained: Path) -> dict[str, Any]:
    """Metadata of the penguins, from a real training; a copy of one's own."""
    return read_metadata(trained, "penguins")


@pytest.fixture(autouse=True)
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pages go to a folder of the test."""
    monkeypatch.setenv("REPORTS_DIR", str(tmp_path))
    return tmp_path


def read_metadata(project: Path, name: str) -> dict[str, Any]:
    text = (project / "models" / "metadata" / f"{name}-v1.json").read_text(encoding="utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["iris", "penguins", "cars"])
def test_training_leaves_a_page_with_everything_in_it(trained: Path, name: str) -> None:
    page = read_page(trained / "reports" / f"{name}-v1.html")
    metadata = read_metadata(trained, name)
    wanted = [*metadata["features"], *metadata["target"].get("classes", []),
              *metadata["model_hyperparameters"], *metadata["environment"]["libraries"],
              metadata["data"]["raw"]["sha256"], metadata["model_identifier"],
              f"make prediction ARGS=\"--model-name {name} --model-version 1",
              f"make deploy-endpoint ARGS=\"--model-name {name} --model-version 1",
              f"make train ARGS=\"--data data/raw/{name}.csv --target"]
    for word in wanted:
        assert word in page.text
    for table in describe_scores(metadata):
        for row in table["rows"]:
            assert row["label"] in page.text
            assert f"{abs(row['value']):.{row['decimals']}f}" in page.text
    assert "true class by predicted class" in page.text or "actual by predicted" in page.text


def test_the_same_metadata_give_the_same_page(metadata: dict[str, Any]) -> None:
    assert write_model_page(metadata).read_bytes() == write_model_page(metadata).read_bytes()


def test_names_and_values_are_shown_and_never_run(metadata: dict[str, Any]) -> None:
    count = len(HOSTILE)
    metadata["target"] = {"name": HOSTILE[0], "dtype": "text", "classes": HOSTILE,
                          "counts": [10] * count}
    metadata["evaluation"]["confusion"] = [[int(i == j) for i in range(count)]
                                           for j in range(count)]
    column = {"dtype": "text", "missing_share": 0.0, "distinct": 9,
              "categories": [{"value": value, "count": 5} for value in HOSTILE[:3]]}
    metadata["schema"] = [{"name": name, **column} for name in HOSTILE]
    metadata["features"] = HOSTILE
    metadata["feature_importances"] = [{"feature": name, "value": 0.1, "std": 0.01}
                                       for name in HOSTILE]
    metadata["config"]["data"]["value"] = metadata["data"]["raw"]["path"] = HOSTILE[1]
    metadata["model_hyperparameters"][HOSTILE[0]] = HOSTILE[1]
    page = read_page(write_model_page(metadata))
    for name in HOSTILE[:6]:
        assert re.sub(r"\s+", " ", name) in page.text


def test_a_private_column_shows_its_name_alone(metadata: dict[str, Any]) -> None:
    metadata["schema"][1] = {"name": "bill_length_mm", "dtype": "number", "private": True}
    metadata["data"]["config"]["private"] = {"value": ["bill_length_mm"], "source": "flag"}
    for row in metadata["golden"]["rows"]:
        row["bill_length_mm"] = None
    path = write_model_page(metadata)
    page = read_page(path)
    assert "bill_length_mm" in page.text and "private" in page.text
    assert "--private bill_length_mm" in page.text, "training again must keep it private"
    for value in ("32.1", "59.6", "44.45"):
        assert value not in path.read_text(encoding="utf-8")


def test_a_private_target_has_no_scale(trained: Path) -> None:
    metadata = read_metadata(trained, "cars")
    for name in ("minimum", "maximum", "mean"):
        del metadata["target"][name]
    metadata["target"]["private"] = True
    metadata["data"]["config"]["private"] = {"value": ["mpg"], "source": "flag"}
    page = read_page(write_model_page(metadata))
    assert "46.6" not in page.text and "How far off" not in page.text
    assert "--private mpg" in page.text


def test_a_thousand_columns_and_forty_classes_stay_bearable(metadata: dict[str, Any]) -> None:
    classes, features = 40, 1000
    names = [f"feature {number}" for number in range(features)]
    metadata["target"] |= {"classes": [f"class {number}" for number in range(classes)],
                           "counts": list(range(1, classes + 1))}
    metadata["evaluation"]["confusion"] = [[1] * classes for _ in range(classes)]
    metadata["schema"] = [copy.deepcopy(metadata["schema"][number % 7]) | {"name": name}
                          for number, name in enumerate(names)]
    metadata["features"] = names
    metadata["feature_importances"] = [{"feature": name, "value": 1 / (1 + place), "std": 0.001}
                                       for place, name in enumerate(names)]
    path = write_model_page(metadata)
    page = read_page(path)
    assert path.stat().st_size < 2_000_000
    assert "The other 970 columns" in page.text and "The other 10 classes" in page.text
    assert "feature 999" in page.text and "class 0" in page.text
    # each of the 30 shown has a drawing in both tables, the others have none
    drawings = sum(tag == "svg" and (given.get("class") or "") in ("bar", "spark")
                   for tag, given in page.tags)
    assert drawings < 150


@pytest.mark.parametrize(("accuracy", "dummy", "says"), [
    (0.9, 0.5, "makes 80\u00a0% fewer mistakes than a dummy"),
    (0.5, 0.5, "is no better than a dummy"), (0.4, 0.5, "is no better than a dummy"),
    (1.0, 0.5, "beats a dummy"), (1.0, 1.0, "is no better than a dummy"),
    (0.99999, 0.5, "over 99.9\u00a0%")])
def test_the_headline_compares_with_the_dummy(metadata: dict[str, Any], accuracy: float,
                                              dummy: float, says: str) -> None:
    metadata["scores"][0]["value"], metadata["baseline_scores"][0]["value"] = accuracy, dummy
    assert says in headline(metadata)


def test_without_a_hold_out_the_folds_speak(metadata: dict[str, Any]) -> None:
    strategy = metadata["scores"][-1]["strategy"]
    for field in ("scores", "baseline_scores"):
        metadata[field] = [each for each in metadata[field] if each["strategy"] == strategy]
    metadata["evaluation"]["strategy"], metadata["data"]["rows"]["hold_out"] = strategy, 0
    page = read_page(write_model_page(metadata))
    assert f"In {strategy} over 69 rows" in page.text
    assert "Score the rows held out" not in page.text


def test_code_is_found_again(metadata: dict[str, Any]) -> None:
    metadata["git_commit"] = "0123456789" * 4
    metadata["environment"]["uncommitted_changes"] = True
    metadata["artifacts"].append({"role": "patch", "file": "penguins-v1.patch", "format": "text",
                                  "size": 10, "sha256": "ab" * 32})
    page = read_page(write_model_page(metadata))
    assert "git checkout " + "0123456789" * 4 in page.text
    assert "git apply models/penguins-v1.patch" in page.text
    assert "with uncommitted changes" in page.text


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 46.6), (1e-9, 3e-9), (1e6, 5e9), (7, 7)])
def test_ticks_are_few_round_and_inside(low: float, high: float) -> None:
    found = ticks(low, high)
    assert len(found) <= 7 and (len(found) >= 2 or low == high)
    assert all(-1e-9 <= tick["place"] <= 1 + 1e-9 for tick in found)
    assert len({tick["label"] for tick in found}) == len(found)
