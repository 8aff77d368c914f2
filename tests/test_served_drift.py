"""What workers of a real server count adds up, outlives them, and is read by make drift."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Run, assert_refused, read_metadata, run_in
from tests.mlmonkey.test_drift import UNSEEN, training_rows
from tests.serving import BOTH, Server, serving, until

DRIFT = [sys.executable, "-m", "src.drift"]


def ask_all(server: Server, rows: list[Any], workers: int = 1) -> int:
    """Ask for each row, again until so many workers have answered; how many were answered."""
    before, asked = server.workers(), 0
    while len(server.workers() - before) < workers or not asked:
        for row in rows:
            status, answer = server.ask("POST", "/predict", {"features": row})
            assert status == 200, answer
        asked += len(rows)
    return asked


def counted(server: Server) -> int:
    """Rows of all workers that GET /drift knows of."""
    rows: int = server.ask("GET", "/drift")[1]["rows"]
    return rows


@BOTH
def test_workers_restarts_and_kills(trained_copy: Path, tmp_path: Path, kind: str,
                                    run_make: Run) -> None:
    rows = training_rows(trained_copy, read_metadata(trained_copy, "penguins-v1"))[::7]
    words = ("--model-name", "penguins", "--workers", "2", "--server", kind)
    with serving(trained_copy, tmp_path / "first.txt", *words) as server:
        asked = ask_all(server, rows, 2)
        assert server.end() == 0  # each worker adds what it has
    with serving(trained_copy, tmp_path / "second.txt", *words) as server:
        assert counted(server) == asked
        shifted = [row | {"island": UNSEEN} for row in rows]
        asked += ask_all(server, [*rows, *shifted, *shifted], 2)
        until(lambda: counted(server) == asked, server.text)
        for number in server.workers():
            os.kill(int(number), signal.SIGKILL)
        until(lambda: counted(server) == asked, server.text)
        assert "Traceback" not in server.text()
    out = run_make(trained_copy, "drift", "ARGS=--model-name penguins").stdout
    assert f"penguins-v1: significant shift; {asked:,} rows from 20" in out
    assert out.splitlines()[2].split()[0] == "island"
    found = (trained_copy / "data" / "monitoring" / "penguins-v1.json").read_text()
    assert UNSEEN not in found + out


def test_nothing_counted_yet_and_what_can_t_be_read(trained_copy: Path) -> None:
    words = [*DRIFT, "--model-name", "iris"]
    out = run_in(trained_copy, words).stdout
    assert "no row was counted yet" in out and 'make deploy-endpoint ARGS="--model-name iris' in out
    path = trained_copy / "data" / "monitoring" / "iris-v1.json"
    path.parent.mkdir()
    path.write_text("{}")
    assert_refused(run_in(trained_copy, words, check=False), "iris-v1.json can't be used")
    assert path.read_text() == "{}"


@pytest.mark.slow
def test_a_folder_that_can_t_be_written_is_said_once(trained_copy: Path, tmp_path: Path) -> None:
    (trained_copy / ".env.local").write_text("MONITORING_DIR=data/raw/iris.csv/x\n")
    with serving(trained_copy, tmp_path / "log.txt", "--workers", "2") as server:
        assert server.ask("GET", "/drift")[1]["counted"] == "this worker alone"
        assert server.text().count("warning: drift") == 1
        assert "MONITORING_DIR" in server.text()


@pytest.mark.browser
def test_the_page_shows_it(trained_copy: Path, tmp_path: Path) -> None:
    browser = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    if browser is None:
        pytest.skip("no chromium")
    rows = training_rows(trained_copy, read_metadata(trained_copy, "penguins-v1"))
    words = ("--model-name", "penguins", "--workers", "1")
    with serving(trained_copy, tmp_path / "log.txt", *words) as server:
        shifted = [row | {"island": UNSEEN} for row in rows]
        assert server.ask("POST", "/predict", {"features": shifted})[0] == 200
        done = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000",
             f"--user-data-dir={tmp_path / 'browser'}", "--dump-dom",
             f"http://127.0.0.1:{server.port}/"], capture_output=True, text=True, timeout=120)
    assert "Significant shift: 34" in done.stdout, done.stdout[:100_000]
