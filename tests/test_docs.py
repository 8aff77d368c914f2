"""Prose is tested: every command in README and docs runs, every target and option appears."""

import json
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from conftest import ROOT, Run, clean_environment, copy_project, run_in
from test_makefile import TARGETS

from src.helpers.configuration import SECTIONS
from src.helpers.reference import PAGE, reference

PAGES = ("README.md", "docs/HOWTO.md")
PROSE = (*PAGES, "docs/containers.md", "docs/recipes.md", "docs/REFERENCE.md", "AGENTS.md")
RUN = [PAGES[0], pytest.param(PAGES[1], marks=pytest.mark.slow)]  # dozens of commands
SERVER = "make deploy-endpoint"
ELSEWHERE = ("s3://", "postgresql://")  # need a server: tests/test_sources.py runs them


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(page: str) -> list[str]:
    lines = [line.split("    #")[0].strip() for block in blocks(page, "sh")
             for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project in which somebody wrote what the pages show: a model, a feature."""
    folder = copy_project(tmp_path_factory.mktemp("docs") / "my prøject")
    write_shop(folder / "shop.db")
    for block in blocks(PAGES[1], "python"):
        if file := re.match(r"# (src/\S+)\n", block):
            with open(folder / file[1], "a", encoding="utf-8") as code:
                code.write(f"\n\n{block}")
    return folder


def write_shop(path: Path) -> None:
    """The database that the page speaks of."""
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE orders (id INTEGER, amount REAL, returned TEXT)")
        base.executemany("INSERT INTO orders VALUES (?, ?, ?)",
                         [(n, n % 7 + .5, "no yes".split()[n % 2]) for n in range(60)])
    base.close()


@pytest.mark.parametrize("page", RUN)
def test_every_command_works_as_it_stands(folder: Path, page: str) -> None:
    first = commands(PAGES[0])[:1] * (page != PAGES[0])  # what the other pages begin with
    found = [*first, *(line for line in commands(page) if line != "make test"
                       and not any(address in line for address in ELSEWHERE))]
    assert len(found) > 5
    for line in found:
        assert line.startswith(("make ", "curl ")), line
        if not line.startswith((SERVER, "curl")):
            done = subprocess.run(line, shell=True, cwd=folder, env=clean_environment(), text=True,
                                  capture_output=True, timeout=300)
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(params=RUN)
def served(folder: Path, run_stage: Run, free_port: int,
           request: pytest.FixtureRequest) -> Iterator[int]:
    """A page's own endpoint command, on a free port."""
    line = next(line for line in commands(request.param) if line.startswith(SERVER))
    run_stage(folder, "train")
    words = shlex.split(line.replace("5000", str(free_port)))
    server = subprocess.Popen(words, cwd=folder, env=clean_environment(), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert server.stdout
    lines = iter(server.stdout.readline, "")
    assert any("curl" in line for line in lines)
    wait_until_ready(free_port)
    yield free_port
    server.terminate()
    server.communicate(timeout=30)


def wait_until_ready(port: int) -> None:
    import time
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5)
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the endpoint never became ready")


def test_the_pages_end_in_a_prediction_over_http(served: int) -> None:
    line = next(line for line in commands("README.md") if line.startswith("curl"))
    words = shlex.split(line.replace("5000", str(served)))
    request = urllib.request.Request(f"http://{words[2]}", words[-1].encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        content = json.load(answer)
    assert content["result"] == ["setosa"] and len(content["probabilities"][0]) == 3


def test_clients_of_other_servers_are_answered_as_the_page_says(served: int) -> None:
    clients = [[sys.executable, "-c", block] for block in blocks(PAGES[1], "python")
               if "localhost:5000" in block]
    clients += [shlex.split(line) for line in commands(PAGES[1]) if line.startswith("curl")
                and shutil.which("curl")]
    assert clients
    for words in clients:
        words = [word.replace("localhost:5000", f"localhost:{served}") for word in words]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert "setosa" in done.stdout, (words, done.stdout, done.stderr)


def test_no_placeholder_is_left() -> None:
    for page in (*PROSE, "benchmarks/RESULTS.md"):
        assert not re.search(r"@[A-Z]+@|TODO|FIXME", (ROOT / page).read_text(encoding="utf-8"))


def test_the_shipped_settings_are_read(folder: Path) -> None:
    shutil.copy(ROOT / "params.yaml", folder / "params.yaml")
    shutil.copy(ROOT / ".env", folder / ".env")
    words = [sys.executable, "-m", "src.train", "--show-config"]
    assert "params.yaml" in run_in(folder, words).stdout


def test_the_first_commands_are_the_ones_that_ci_runs() -> None:
    assert commands("README.md")[:2] == ["make train", "make test"]
    assert re.findall(r"^make .*$", (ROOT / ".ci/run").read_text(), re.MULTILINE) == [
        "make test", "make test-all"]


def test_the_code_that_reads_models_works(trained_copy: Path) -> None:
    shutil.copy(ROOT / "tox.ini", trained_copy)
    found = [block for block in blocks(PAGES[1], "python")
             if "localhost" not in block and not block.startswith("# ")]
    assert len(found) == 2
    done = run_in(trained_copy, [sys.executable, "-c", "\n".join(found)],
                  PYTHONPATH=str(trained_copy))
    assert "accuracy hold-out" in done.stdout


def test_every_field_of_the_metadata_is_explained() -> None:
    schema = json.loads((ROOT / "mlmonkey/metadata.schema.json").read_text(encoding="utf-8"))
    page = (ROOT / PAGES[1]).read_text(encoding="utf-8")
    rows = page.split("\n## Read the metadata")[1].split("| field |")[1].split("\n\n")[0]
    assert set(schema["properties"]) <= set(re.findall(r"`(\w+)`", rows))


def test_every_target_option_and_variable_is_in_the_docs() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "make docs writes it anew"
    page = reference()
    for target in TARGETS:
        assert f"`make {target}`" in page
    for section, module in SECTIONS.items():
        part = page.split(f"## Options of {section.replace('_', '-')}\n")[1].split("\n## ")[0]
        for option in import_module(module).main.params:
            assert all(f"{name} " in part or f"{name}`" in part for name in option.opts), option


def test_every_link_leads_somewhere() -> None:
    for page in PROSE:
        text = (ROOT / page).read_text(encoding="utf-8")
        for file, anchor in re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", text):
            path = ROOT / page if not file else (ROOT / page).parent / file
            assert path.exists(), (page, file)
            heads = re.findall(r"^#+ (.+)$", path.read_text(), re.M) if anchor else [""]
            assert anchor in {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-")
                              for head in heads}, (page, file, anchor)


def test_every_option_in_the_docs_exists() -> None:
    known = {name for module in SECTIONS.values() for option in import_module(module).main.params
             for name in option.opts + option.secondary_opts} | {"--help", "--show-config"}
    for page in PAGES:
        for name in re.findall(r"(?<![\w-])--[a-z][a-z-]+", (ROOT / page).read_text()):
            assert name in known, (page, name)


def test_every_file_in_the_docs_exists() -> None:
    for page in PROSE:
        text = (ROOT / page).read_text(encoding="utf-8")
        for name in re.findall(r"(?<!build/)\b(?:src|mlmonkey|tests|docs|benchmarks)/[\w/.]+\w",
                               text):
            assert (ROOT / name).exists(), (page, name)


def test_every_package_table_row_is_true() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w, -]+) \| `(requirements[\w-]*\.txt)`", text, re.M)
    assert len(rows) == 2
    for names, file in rows:
        listed = (ROOT / file).read_text().lower()
        for name in names.split(", "):
            assert f"\n{name.lower()}==" in listed, (name, file)


def test_no_file_names_this_machine() -> None:
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if files.returncode:
        pytest.skip("not a git repository")
    for name in filter(None, files.stdout.split("\0")):
        content = (ROOT / name).read_bytes()
        for word in (str(ROOT).encode(), str(Path.home()).encode() + b"/", sys.prefix.encode()):
            assert word not in content, (name, word)
