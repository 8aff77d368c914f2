"""How a command ends: on an interrupt, whatever a library does to it, and with its starter."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from conftest import clean_environment
from src.helpers.endings import LINE

SCRIPT = """import signal, sys, time
from src.helpers.endings import run_politely

def work():
    print("ready", flush=True)
    {}

run_politely(work)
"""
# what happens to an interrupt -> seconds until the end, at most; a busy machine gets more
WORKS = {
    "time.sleep(60)": 1.0,  # it arrives
    "try:\n        time.sleep(60)\n    except BaseException:\n        time.sleep(60)": 1.5,
    "while True:\n        try:\n            time.sleep(60)\n        except BaseException:\n"
    "            pass": 2.0,
}


def started(project: Path, code: str, **more: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", code], cwd=project, text=True,
                               env=clean_environment(**more), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("work", WORKS)
def test_an_interrupt_ends_with_one_line(project: Path, work: str) -> None:
    process = started(project, SCRIPT.format(work))
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)  # as when the terminal and the runner both send it
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == f"{LINE}\n"
    assert time.monotonic() - began < WORKS[work] + 3


def test_a_script_that_cannot_notice_an_interrupt_is_ended_by_the_runner(project: Path) -> None:
    script = project / "src" / "train.py"
    script.write_text("import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, {2})\n"
                      "print('ready', flush=True)\ntime.sleep(60)\n")
    process = started(project, "from src import stages\n"
                      "from src.helpers.endings import run_politely\n"
                      "run_politely(lambda: stages.run('train', []))")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and errors == f"{LINE}\n"


@pytest.mark.parametrize("word", ["make", "stages"])
def test_what_was_started_ends_with_its_starter(project: Path, word: str) -> None:
    inner = project / "inner.py"
    inner.write_text(SCRIPT.format("print(__import__('os').getpid(), flush=True)\n"
                                   "    time.sleep(60)"))
    words = ["sh", "-c", f'STARTED_BY={word}:$$ "$0" inner.py; true', sys.executable]
    with subprocess.Popen(words, cwd=project, env=clean_environment(PYTHONPATH="."),
                          stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout and starter.stdout.readline() == "ready\n"
        number = int(starter.stdout.readline())
        starter.kill()
        assert comes_true(lambda: gone(number))


def test_what_make_started_ends_with_make(free_port: int, trained_copy: Path) -> None:
    words = ["make", "deploy-endpoint", f"ARGS=--port {free_port} --host 127.0.0.1 --workers 1"]
    with subprocess.Popen(words, cwd=trained_copy, env=clean_environment(),
                          stdout=subprocess.PIPE, text=True) as make:
        assert make.stdout and any("predicts" in line for line in make.stdout)
        make.kill()
        assert comes_true(lambda: not answers(free_port))


def gone(number: int) -> bool:
    """Whether a process has ended; a dead one that nobody has fetched counts."""
    state = Path(f"/proc/{number}/stat")
    with suppress(FileNotFoundError):
        return state.read_text().rpartition(")")[2].split()[0] == "Z"
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    return False


def answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def comes_true(condition: Callable[[], bool]) -> bool:
    """Five seconds are promised; a busy machine gets more."""
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.1)
    return False
