"""The try-it page in a real browser: Chromium, headless, found on the PATH or named by CHROMIUM."""

import csv
import dataclasses
import io
import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from conftest import Run, copy_project, write_table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serving import Server, serving, until

from mlmonkey.api import create_app
from mlmonkey.replies import as_problem
from mlmonkey.store import LoadedModel, ModelId, ModelStore
from src.etl.formulas import escape
from src.helpers.datasets import feature_function
from src.model.trusted import TRUSTED

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.browser
WITHIN = 60_000  # milliseconds; everything takes a fraction of a second on a quiet machine
PHONE = {"width": 390, "height": 844}
HOSTILE = ['"><img src=x onerror=alert(1)>', "it's", "🪐 emoji", "__proto__", "constructor",
           "</script><b>x", "a,b;c", "\u202eright to left", "x" * 200, "when", "moment", "flag",
           "tiny", "100 % & <i>", "salary", 'q"uote"']
TARGET = "the <i>target</i>"


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    named = ("chromium", "chromium-browser", "google-chrome")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, named)), None)
    if program is None:
        pytest.skip("no Chromium on the PATH, and CHROMIUM names none")
    from playwright.sync_api import expect, sync_playwright
    expect.set_options(timeout=WITHIN)
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=program,
                                         args=["--disable-dev-shm-usage"])
        yield running
        running.close()


class Visit:
    """A page in a window of its own, and all that it said and asked for."""

    def __init__(self, browser: "Browser", address: str, **options: Any) -> None:
        self.address, self.said, self.asked = address, [], []
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900},
                                              **options})
        self.context.set_default_timeout(WITHIN)
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda message: self.said.append(message.text)
                     if message.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, path: str = "/") -> "Visit":
        self.page.goto(self.address + path)
        self.answer()
        return self

    def answer(self) -> str:
        """The label, once it is that of what stands in the form."""
        shown = self.page.locator("#answer:not(.stale) #label bdi")
        shown.wait_for()
        return shown.inner_text()

    def field(self, name: str) -> "Locator":
        return self.page.get_by_label(name, exact=True)

    def fill(self, **values: str) -> None:
        for name, value in values.items():
            self.field(name).fill(value)

    def predict(self) -> str:
        self.page.get_by_role("button", name="Predict").click()
        return self.answer()

    def choose_file(self, path: Path) -> None:
        self.page.set_input_files("#file", path)

    def save(self) -> list[list[str]]:
        """The answers to a file, as somebody saves them."""
        self.page.locator("#save").wait_for()
        with self.page.expect_download() as download:
            self.page.click("#save")
        with open(download.value.path(), encoding="utf-8", newline="") as file:
            return list(csv.reader(file))

    def summary(self) -> str:
        shown = self.page.locator("#summary:not(:empty)")
        shown.wait_for()
        return shown.inner_text()

    def code(self, tab: str) -> str:
        self.page.get_by_role("tab", name=tab, exact=True).click()
        return self.page.locator("#code").text_content() or ""

    def close(self, refused: bool = False) -> None:
        """Chromium itself reports each answer above 399; else nothing may be said."""
        self.context.close()
        wrong = [text for text in self.said if not (refused and "Failed to load" in text)]
        assert not wrong
        assert all(url.startswith((self.address, "blob:" + self.address)) for url in self.asked)


@pytest.fixture(scope="module", params=["gunicorn", "granian"])
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory, browser: "Browser",
           request: pytest.FixtureRequest) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("page") / "log.txt"
    words = ("--model-name", "penguins", "--workers", "1", "--server", request.param)
    with serving(trained, log, *words) as running:
        yield running


@pytest.fixture
def visit(browser: "Browser", server: Server) -> Iterator[Visit]:
    visit = Visit(browser, f"http://127.0.0.1:{server.port}").open()
    yield visit
    visit.close()


def test_the_example_is_answered_at_once(visit: Visit, server: Server) -> None:
    info = server.ask("GET", "/info")[1]
    for name, value in info["example"].items():
        assert visit.field(name).input_value() == str(value)
    right = server.ask("POST", "/predict", {"features": info["example"], "probabilities": True})[1]
    assert visit.answer() == right["result"][0]
    shown = visit.page.locator("#bars li").all_inner_texts()
    shares = dict(zip(right["classes"], right["probabilities"][0], strict=True))
    assert len(shown) == 3 and shown[0].startswith(right["result"][0])
    for text in shown:
        name, share = text.split("\n")
        if share[0] not in "<>":
            assert float(share.split()[0]) / 100 == pytest.approx(shares[name], abs=6e-4)
    card = visit.page.locator("section", has_text="About the model").inner_text()
    for word in ("HistGradientBoostingClassifier", "Accuracy", "hold-out", "Trained", "Version"):
        assert word in card


def test_fill_submit_read(visit: Visit, server: Server) -> None:
    visit.fill(island="Mars", bill_length_mm="38", flipper_length_mm="181", year="2020", sex="")
    assert visit.page.locator("#answer").get_attribute("class") == "answer stale"
    row = server.ask("GET", "/info")[1]["example"] | {
        "island": "Mars", "bill_length_mm": 38, "flipper_length_mm": 181, "year": 2020, "sex": None}
    question = {"features": row, "unusual": True, "interval": 0.9}
    right = server.ask("POST", "/predict", question)[1]
    assert visit.predict() == right["result"][0]
    said = visit.page.locator("#said").inner_text()
    for each in right["unusual"][0]:
        assert f"{each['column']}: {each['reason']}" in said
    assert {each["column"] for each in right["unusual"][0]} >= {"island", "year"}
    assert "90 %" in said and ", ".join(right["set"][0]) in said
    assert visit.page.locator(".odd").count() == len(right["unusual"][0])
    visit.page.get_by_role("link", name="year").click()
    assert visit.field("year").evaluate("field => field === document.activeElement")
    visit.page.get_by_label("Interval").select_option("none")
    visit.page.locator("#within:empty").wait_for(state="attached")


def test_a_slider_a_known_value_and_the_buttons(visit: Visit) -> None:
    visit.page.get_by_role("button", name="Dream").click()
    assert visit.field("island").input_value() == "Dream"
    visit.page.get_by_label("body_mass_g, slider").fill("6300")
    assert visit.field("body_mass_g").input_value() == "6300"
    visit.answer()
    visit.page.get_by_role("button", name="Clear").click()
    assert visit.field("island").input_value() == "" and visit.page.inner_text("#label") == ""
    visit.predict()
    assert visit.page.locator("#strange li").count() > 3
    visit.page.get_by_role("button", name="Example").click()
    visit.answer()
    assert visit.field("body_mass_g").input_value() == "4050"


def test_keyboard_alone(visit: Visit) -> None:
    keyboard, seen = visit.page.keyboard, []
    for _ in range(40):
        keyboard.press("Tab")
        seen.append(visit.page.evaluate("""() => {
            const on = document.activeElement;
            return on.id && on.id.startsWith("field-") ? on.labels[0].textContent : on.id
                || on.textContent; }"""))
        outline = visit.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert seen[-1] in ("", "BODY") or outline != "none" or "body" in seen[-1].lower()
        if seen[-1] == "code":
            break
    assert seen == ["island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm",
                    "body_mass_g", "sex", "year", "Predict", "example", "clear", "interval",
                    "file", "pattern", "curl", "copy", "code"]
    visit.field("bill_length_mm").focus()
    keyboard.press("ArrowUp")
    assert visit.field("bill_length_mm").input_value() == "44.5"
    keyboard.press("Enter")
    visit.answer()
    visit.page.locator("#curl").focus()
    keyboard.press("ArrowRight")
    assert visit.page.evaluate("document.activeElement.id") == "python"
    assert visit.page.inner_text("#code").startswith("import json")


def test_the_shown_requests_are_true(visit: Visit, server: Server, tmp_path: Path) -> None:
    visit.fill(island="O'Hara \"\\ $HOME `id` 🐧 \u202e<b>", bill_length_mm="1e1", sex="",
               year="2010")
    label = visit.predict()
    python = visit.code("Python")
    done = subprocess.run([sys.executable, "-c", python], capture_output=True, text=True,
                          check=True, timeout=60)
    assert done.stdout.strip() == label and "\u202e" not in python
    curl = visit.code("curl")
    if not shutil.which("curl"):
        pytest.skip("no curl")
    answer = json.loads(run_shell(curl, tmp_path))
    assert answer["result"] == [label] and {"probabilities", "set", "unusual"} <= set(answer)
    assert any(each["column"] == "island" for each in answer["unusual"][0])
    with visit.page.expect_download() as download:
        visit.page.get_by_role("link", name="An example file").click()
    download.value.save_as(tmp_path / download.value.suggested_filename)
    rows = list(csv.DictReader(io.StringIO(run_shell(visit.code("a CSV file"), tmp_path))))
    visit.page.get_by_role("button", name="Example").click()
    assert [row["prediction"] for row in rows] == [visit.answer()]


def run_shell(line: str, folder: Path) -> str:
    return subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, text=True,
                          check=True, timeout=60).stdout


def test_a_copied_request_is_the_shown_one(browser: "Browser", server: Server) -> None:
    visit = Visit(browser, f"http://127.0.0.1:{server.port}",
                  permissions=["clipboard-read", "clipboard-write"]).open()
    visit.page.get_by_role("button", name="Copy").click()
    visit.page.get_by_role("button", name="Copied").wait_for()
    assert visit.page.evaluate("navigator.clipboard.readText()") == visit.code("curl")
    visit.close()


def test_a_dropped_file_gets_the_answers_of_make_prediction(
        visit: Visit, trained: Path, run_stage: Run, tmp_path: Path) -> None:
    source = trained / "data" / "raw" / "penguins.csv"
    dropped = visit.page.evaluate_handle("""([name, text]) => {
        const data = new DataTransfer();
        data.items.add(new File([text], name));
        return data; }""", [source.name, source.read_text(encoding="utf-8")])
    visit.page.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
    found = visit.save()
    run_stage(trained, "prediction", "--model-name", "penguins", "--input", source, "--output",
              tmp_path / "right.csv", "--keep", "all", "--interval", "0.9", "--unusual")
    with open(tmp_path / "right.csv", encoding="utf-8", newline="") as file:
        assert_same(found, list(csv.reader(file)))
    assert "344 rows answered · not used: species" in visit.summary()


def assert_same(found: list[list[str]], right: list[list[str]]) -> None:
    """Cells are equal, numbers by their value: 1e-07 is 1e-7."""
    assert found[0] == right[0] and len(found) == len(right)
    for ours, theirs in zip(found, right, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert one == other or float(one) == float(other)


HEAD = ["id", "island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g",
        "sex", "year"]
ROW = ["Biscoe", "44.45", "17.3", "197", "4050", "male", "2008"]


@pytest.mark.parametrize(("mark", "ends", "encoding"), [
    (",", "\n", "utf-8"), (";", "\r\n", "utf-8-sig"), ("\t", "\r", "utf-16"),
    ("|", "\n", "windows-1252")])
def test_a_row_that_does_not_fit_keeps_its_place(browser: "Browser", server: Server, tmp_path: Path,
                                                 mark: str, ends: str, encoding: str) -> None:
    rows = [HEAD, ["1", *ROW], ["=1+1", "Café\r\n\"two\",;|\tlines", *ROW[1:]],
            ["3", "Biscoe", " wide ", *ROW[2:]], ["4", "Biscoe"], ["5", *ROW], ["6", *ROW, "more"],
            ["7", *ROW[:5], "", "x" * 100], ["-8", "NA", "", *ROW[2:]]]
    path = tmp_path / "my rows.CSV"
    with open(path, "w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=mark, lineterminator=ends).writerows(rows)
        file.write(ends)
    visit = Visit(browser, f"http://127.0.0.1:{server.port}").open()
    visit.choose_file(path)
    header, *found = visit.save()
    assert header[:8] == HEAD and header[-1] == "error"
    assert [row[0] for row in found] == ["1", "'=1+1", "3", "4", "5", "6", "7", "-8"]
    assert found[1][1] == rows[2][1] and found[0][8] == found[4][8] == "Gentoo"
    assert [row[-1] for row in found] == [
        "", "", "column bill_length_mm: wide is not a number", "2 cells instead of 8", "",
        "9 cells instead of 8", f"column year: {'x' * 60} is not a number", ""]
    assert all(bool(row[8]) != bool(row[-1]) for row in found)
    assert "4 rows answered · 4 rows did not fit" in visit.summary()
    visit.close(refused=True)


@pytest.mark.parametrize(("content", "said"), [
    (b"", "no row below its header"),
    (",".join(HEAD).encode(), "no row below its header"),
    (b"a,b\n1,2\n", "does not name the columns that the model needs: island, bill_length_mm"),
    (",".join([*HEAD, "sex"]).encode() + b"\n1\n", "the column sex stands twice"),
    (",".join(HEAD).encode() + b'\n1,"Biscoe\n', "never closes"),
    (b"PK\x03\x04\x00\xff\x00", "this is no text; save the table as CSV")])
def test_what_is_no_table_is_refused_kindly(visit: Visit, tmp_path: Path, content: bytes,
                                            said: str) -> None:
    (tmp_path / "file.csv").write_bytes(content)
    visit.choose_file(tmp_path / "file.csv")
    assert said in visit.summary()
    assert visit.page.locator("#save").is_hidden()


def test_a_file_shows_its_progress_and_can_be_stopped(visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("\n".join(map(",".join, [HEAD, *([str(n), *ROW] for n in range(9000))])))
    visit.page.evaluate("""() => {
        const asked = window.fetch;
        window.fetch = async (...words) => {
            if (window.pieces) await new Promise((go) => { window.go = go; });
            window.pieces = (window.pieces || 0) + 1;
            return asked(...words);
        }; }""")
    visit.choose_file(path)
    until(lambda: visit.page.evaluate("Boolean(window.go)"), visit.summary)
    assert 0 < visit.page.evaluate("document.getElementById('progress').value") < 1
    assert "rows, " in visit.page.inner_text("#sofar")
    visit.page.get_by_role("button", name="Stop").click()
    visit.page.evaluate("window.go()")
    assert "Stopped" in visit.summary()
    assert visit.page.locator("#working").is_hidden() and visit.page.locator("#save").is_hidden()


def test_formulas_are_escaped_as_everywhere(visit: Visit) -> None:
    texts = ["=1+1", " =1", "-3.5", "-3,5 €", "+1 2", "-x", "@a", "\tx", "\r1", "\uff1dA1", "-inf",
             "", "x=1", "- 5", "-$5%", "+.5e-7", "\u00a0@", "-1-1", "1", "-", "−1"]
    assert visit.page.evaluate("texts => texts.map(escapeFormula)", texts) == [
        escape(text) for text in texts]


PIECES = st.lists(st.sampled_from(['"', '""', ",", "\n", "\r\n", "\r", "a", " ", "é🪐", '","']),
                  max_size=25).map("".join)


@settings(max_examples=200, deadline=None, database=None,
          suppress_health_check=list(HealthCheck))
@given(cells=st.lists(st.lists(PIECES, min_size=2, max_size=3), min_size=1, max_size=4),
       places=st.lists(st.integers(0, 200), max_size=3), ends=st.sampled_from(["\n", "\r\n", "\r"]))
def test_records_are_the_same_however_a_file_is_cut(visit: Visit, cells: list[list[str]],
                                                    places: list[int], ends: str) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator=ends, quoting=csv.QUOTE_ALL).writerows(cells)
    text = written.getvalue()
    units = text.encode("utf-16-le")  # as JavaScript counts
    cuts = sorted({0, *(2 * place for place in places), len(units)})
    pieces = [list(units[low:high]) for low, high in zip(cuts, cuts[1:])]
    found = visit.page.evaluate("""pieces => {
        const found = [], decoder = new TextDecoder("utf-16le", {ignoreBOM: true});
        let text = "";
        pieces.forEach((piece, place) => {
            const last = place === pieces.length - 1;
            text += decoder.decode(new Uint8Array(piece), {stream: !last});
            const [records, rest] = splitRecords(text, ",", last);
            found.push(...records);
            text = rest;
        });
        return found; }""", pieces)
    assert found == cells


# ---- models of other kinds, in this process


@pytest.fixture(scope="module")
def models(trained: Path, run_stage: Run, browser: "Browser",
           tmp_path_factory: pytest.TempPathFactory) -> dict[str, LoadedModel]:
    """Cars (numbers), a table of hostile names and values, and one of a hundred columns."""
    folder = copy_project(tmp_path_factory.mktemp("page") / "my prøject")
    chance = random.Random(0)
    rows = [hostile_row(chance) for _ in range(90)]
    data = write_table(folder, "hostile.csv", [*HOSTILE, TARGET], rows)
    run_stage(folder, "train", "--data", data, "--target", TARGET, "--private", "salary",
              "--no-report", "--doctor", "off")
    wide = [[chance.choice("abcd") if n % 9 == 4 else round(chance.gauss(n, 5), 2)
             for n in range(100)] for _ in range(60)]
    data = write_table(folder, "wide.csv", [*(f"column_{n}" for n in range(100)), "y"],
                       [[*row, float(row[0]) + float(row[1])] for row in wide])
    run_stage(folder, "train", "--data", data, "--target", "y", "--no-report", "--doctor", "off")
    return {name: ModelStore(place / "models", place / "models" / "metadata", TRUSTED,
                             functions=feature_function).load(ModelId(name, 1))
            for name, place in (("cars", trained), ("hostile", folder), ("wide", folder))}


def hostile_row(chance: random.Random) -> list[Any]:
    first, third = round(chance.gauss(0, 1), 3), chance.randint(0, 9999)
    return [first, chance.choice(["<script>alert(1)</script>", "O'Hara", '"quoted"', "=1+1", "🦊"]),
            third, chance.random(), chance.choice("abc"), chance.randint(0, 10**6),
            f"city {chance.randint(0, 9)}", chance.choice(["two\nlines", "one"]),
            chance.randint(1, 5), f"201{chance.randint(0, 9)}-05-1{chance.randint(0, 9)}",
            f"2020-01-0{chance.randint(1, 9)} 1{chance.randint(0, 9)}:30:15",
            chance.choice(["true", "false"]), chance.choice([1e-9, 2e-9, 5e-9]),
            chance.random() * 1e12, chance.randint(1000, 9999), chance.choice("xy"),
            ("<b>yes</b>", "no 'way'", "emoji 🦊")[(first > 0) + (third > 5000)]]


@pytest.fixture
def several(models: dict[str, LoadedModel]) -> Iterator[tuple[str, Any]]:
    """All of them behind one address, and the endpoint itself."""
    from flask import request
    from werkzeug.serving import make_server
    app = create_app(None, {})
    endpoint = app.extensions["endpoint"]
    for name, model in models.items():
        endpoint.serve(model, {"model_name": name, "model_version": 1})
    endpoint.token = ""
    app.before_request(lambda: as_problem(401, "the token is missing or wrong", {})
                       if endpoint.token and request.path != "/" and request.headers.get(
                           "Authorization") != f"Bearer {endpoint.token}" else None)
    running = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}", endpoint
    running.shutdown()
    thread.join()
    running.server_close()


def test_a_token_is_asked_for(browser: "Browser", several: tuple[str, Any],
                              tmp_path: Path) -> None:
    several[1].token = "open sesame"
    visit = Visit(browser, several[0])
    visit.page.goto(several[0])
    visit.field("Token of this endpoint").fill("something else")
    visit.page.keyboard.press("Enter")
    visit.page.get_by_text("This token is not the endpoint's.").wait_for()
    visit.field("Token of this endpoint").fill("open sesame")
    visit.page.keyboard.press("Enter")
    label = visit.answer()
    assert visit.page.locator("#lock").is_hidden() and visit.page.inner_text("#trouble") == ""
    for tab, command in (("curl", ["sh", "-c"]), ("Python", [sys.executable, "-c"])):
        code = visit.code(tab)
        assert "sesame" not in code and "ENDPOINT_TOKEN" in code
        done = subprocess.run([*command, code], capture_output=True, text=True, check=False,
                              timeout=60, env={**os.environ, "ENDPOINT_TOKEN": "open sesame"})
        assert done.returncode == 127 or label[:4] in done.stdout, done.stderr
    several[1].token = "another"
    visit.page.get_by_role("button", name="Predict").click()
    visit.page.get_by_text("This token is not the endpoint's.").wait_for()
    visit.close(refused=True)


def test_one_of_several_models(browser: "Browser", several: tuple[str, Any]) -> None:
    visit = Visit(browser, several[0]).open()
    assert visit.page.inner_text("h1") == "cars v1" and "?" not in visit.code("curl").split()[2]
    assert float(visit.answer()) > 5 and visit.page.locator("#bars li").count() == 0
    low, high = visit.page.inner_text("#within b").split(" to ")
    assert float(low) < float(visit.answer()) < float(high)
    visit.page.get_by_label("Model", exact=True).select_option("wide")
    visit.page.get_by_text("100 columns").wait_for()
    visit.answer()
    visit.page.reload()
    visit.answer()
    assert visit.page.inner_text("h1") == "wide v1" and "model=wide" in visit.code("curl")
    with visit.page.expect_navigation():
        visit.page.get_by_role("link", name="All routes").click()
    visit.page.get_by_text("wide predicts y").first.wait_for()
    visit.close()


def test_a_hundred_columns_can_be_searched(browser: "Browser", several: tuple[str, Any]) -> None:
    visit = Visit(browser, several[0], viewport=PHONE, has_touch=True).open("/?model=wide")
    button = visit.page.get_by_role("button", name="Predict").bounding_box()
    assert button and button["y"] + button["height"] <= PHONE["height"]  # always in sight
    visit.page.get_by_label("Find a column").fill("_99")
    assert visit.page.inner_text("#found") == "1 of 100 columns"
    visit.fill(column_99="1e400")
    visit.page.get_by_label("Find a column").fill("_1")
    visit.page.get_by_role("button", name="Predict").click()
    visit.page.get_by_text("expected: another value").wait_for()  # what is wrong is found again
    visit.fill(column_99="-7")
    visit.predict()
    assert "column_99: below" in visit.page.inner_text("#strange")
    visit.close()


def test_hostile_names_and_values_are_text(browser: "Browser", several: tuple[str, Any],
                                           models: dict[str, LoadedModel],
                                           tmp_path: Path) -> None:
    visit = Visit(browser, several[0]).open("/?model=hostile")
    visit.page.on("dialog", lambda dialog: visit.said.append("a script ran"))
    assert visit.page.locator("label bdi").evaluate_all(
        "all => all.map(each => each.textContent)") == HOSTILE
    assert visit.page.locator("img, b:not(#within b), i, main script").count() == 0
    example = several[1].require("hostile").info["example"]
    right = ask(several[0], {"features": example})
    assert visit.answer() == right["result"][0]
    for tab in ("Python", "curl"):
        command = {"Python": [sys.executable, "-c"], "curl": ["sh", "-c"]}[tab]
        if shutil.which(command[0]):
            done = subprocess.run([*command, visit.code(tab)], capture_output=True, text=True,
                                  check=False, timeout=60)
            assert done.returncode in (0, 127) and right["result"][0] in done.stdout + done.stderr
    path = tmp_path / "rows.csv"
    chance = random.Random(1)
    rows = [hostile_row(chance)[:-1] for _ in range(300)]
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HOSTILE, *rows])
    visit.choose_file(path)
    header, *found = visit.save()
    place = header.index("prediction")
    assert len(found) == len(rows) and header[place - 1] == HOSTILE[-1]
    text = path.read_bytes()
    assert [row[place] for row in found] == ask(several[0], text, "text/csv")["result"]
    visit.close()


def ask(address: str, body: Any, kind: str = "application/json") -> dict[str, Any]:
    from urllib.request import Request
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with urlopen(Request(f"{address}/predict?model=hostile", content, {"Content-Type": kind}),
                 timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def test_nothing_of_a_private_column_is_shown(browser: "Browser",
                                              several: tuple[str, Any]) -> None:
    visit = Visit(browser, several[0]).open("/?model=hostile")
    assert visit.field("salary").input_value() == ""
    box = visit.page.locator(".field", has=visit.field("salary"))
    assert box.inner_text().split() == ["salary", *"private: nothing of it is shown".split()]
    assert box.locator("datalist, [type=range], .chips").count() == 0
    visit.fill(salary="2")
    visit.predict()
    assert "salary" not in visit.page.inner_text("#answer")
    visit.close()


@pytest.mark.parametrize("name", ["cars", "hostile", "wide"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_and_every_eye(browser: "Browser", several: tuple[str, Any], tmp_path: Path,
                               name: str, scheme: Any) -> None:
    """No sideways scrolling, names for every control, contrast of text as WCAG AA asks for."""
    visit = Visit(browser, several[0], viewport=PHONE, has_touch=True, color_scheme=scheme)
    visit.open(f"/?model={name}")
    with visit.page.expect_download() as download:
        visit.page.get_by_role("link", name="An example file").click()
    path = tmp_path / "rows.csv"
    download.value.save_as(path)
    path.write_bytes(path.read_bytes() + b"1,2\n")
    visit.choose_file(path)
    visit.page.locator("#save").wait_for()
    visit.page.locator(".refused").wait_for()
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert visit.page.evaluate("""() => [...document.querySelectorAll("input, select, textarea")]
        .filter(each => !each.hidden && each.type !== "hidden" && each.type !== "range")
        .filter(each => !(each.labels?.length || each.ariaLabel)).map(each => each.outerHTML)
        """) == []
    assert visit.page.evaluate(CONTRAST) == []
    visit.close()


# text whose colour stands out too little from what is behind it: 4.5, large letters 3
CONTRAST = """() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(
      v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [.2126, .7152, .0722][n], 0);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const wrong = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, style = getComputedStyle(element);
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    const pair = [light(parse(style.color)), light(behind(element))].sort((a, b) => b - a);
    const large = parseFloat(style.fontSize) >= 24;
    const ratio = (pair[0] + .05) / (pair[1] + .05);
    if (ratio < (large ? 3 : 4.5)) wrong.push([walker.currentNode.data.trim(), ratio]);
  }
  return wrong;
}"""


def test_a_new_version_is_noticed(browser: "Browser", several: tuple[str, Any],
                                  models: dict[str, LoadedModel]) -> None:
    visit = Visit(browser, several[0]).open("/?model=cars")
    visit.fill(weight="3000")
    cars = models["cars"]
    newer = dataclasses.replace(cars, identifier=ModelId("cars", 2),
                                metadata={**cars.metadata, "model_version": 2})
    several[1].serve(newer, {"model_name": "cars", "model_version": 2})
    visit.predict()
    visit.page.locator("h1", has_text="cars v2").wait_for()
    assert visit.field("weight").input_value() == "3000"
    assert visit.page.inner_text("#time").startswith("version 2")
    visit.close()


def test_what_is_wrong_is_said_at_its_field(browser: "Browser", several: tuple[str, Any]) -> None:
    visit = Visit(browser, several[0]).open("/?model=hostile")
    visit.page.evaluate("document.getElementById('field-9').type = 'text'")
    visit.fill(when="yesterday")
    visit.page.get_by_role("button", name="Predict").click()
    visit.page.get_by_text("expected: a date such as").wait_for()
    assert visit.field("when").get_attribute("aria-invalid") == "true"
    assert "'yesterday' is not a date" in visit.page.inner_text("#problem")
    visit.close(refused=True)


def test_an_endpoint_that_is_gone_is_said(browser: "Browser",
                                          several: tuple[str, Any]) -> None:
    visit = Visit(browser, several[0]).open()
    visit.context.set_offline(True)
    visit.page.get_by_role("button", name="Predict").click()
    visit.page.get_by_text("The endpoint does not answer").wait_for()
    visit.close(refused=True)
