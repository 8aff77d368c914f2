"""How a command ends: a mistake is one line and exit code 2, an interrupt one line and 130.

What make or src/stages.py started ends with it: see watch_starter.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

import click

from mlmonkey.errors import UserError
from mlmonkey.redact import traceback_without_cells, without_cells
from src.helpers.os_errors import damaged_file, os_error_line, os_error_of
from src.helpers.secrets import without_secrets

INTERRUPTED = 130
LINE = "interrupted: what was complete is kept, the rest was removed"
AGAIN = 0.5  # seconds until an interrupt that a library swallowed is raised once more
ATTEMPTS = 3  # then the process ends as it stands, and the next run removes what it leaves
PATIENCE = 1.8  # seconds from an interrupt to the end of a script that can't even notice it
INTERRUPTS: list[float] = []  # moments of those that have not been understood
STARTED_BY = "STARTED_BY"  # `make:PID` or `stages:PID` in the environment of what they start


def run_politely(work: Callable[[], Any]) -> None:
    """Run and exit: mistakes are one line and code 2; TRACEBACK=1 shows where they came from."""
    start_in_utf8()
    starter = os.environ.get(STARTED_BY, "").removesuffix(f":{os.getppid()}")

    def interrupt(number: int, frame: Any) -> None:
        now = time.monotonic()
        if INTERRUPTS and now - INTERRUPTS[-1] < AGAIN / 2:
            return  # one key, two signals: from the terminal and from src/stages.py
        INTERRUPTS.append(now)
        if len(INTERRUPTS) > ATTEMPTS:
            end_as_it_stands()
        signal.setitimer(signal.ITIMER_REAL, AGAIN)
        raise KeyboardInterrupt

    def end_as_it_stands() -> None:
        if starter != "stages":
            os.write(sys.stderr.fileno(), f"{LINE}\n".encode())
        os._exit(INTERRUPTED)

    try:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGALRM, interrupt)
        if starter in ("make", "stages"):
            Thread(target=watch_starter, args=(os.getppid(),), daemon=True).start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # held back by src/stages.py
        code = work()
        sys.stdout.flush()  # where that fails, it is said now and not by Python when it ends
    except BrokenPipeError:  # `| head` has read enough
        drop_output()
        sys.exit(1)
    except (KeyboardInterrupt, Exception) as error:
        signal.setitimer(signal.ITIMER_REAL, 0)  # it was not swallowed: end in peace
        line, code = last_line(KeyboardInterrupt() if INTERRUPTS else error)
        if line is None or line and code == 2 and os.environ.get("TRACEBACK"):
            sys.stderr.write(without_secrets(traceback_without_cells(error)))
            sys.exit(1)
        # src/stages.py says it for its scripts, so that it is said once
        if line and not (code == INTERRUPTED and starter == "stages"):
            print(" ".join(without_secrets(line).split()), file=sys.stderr)
        drop_output()
    sys.exit(code if isinstance(code, int) else 0)


def start_in_utf8() -> None:
    """Start again where names of files and columns could not be read or printed, whatever LC_ALL.

    DuckDB takes only UTF-8, so a locale of Latin-1 would lose files, too.
    """
    utf8 = {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"}
    encodings = {sys.getfilesystemencoding(), getattr(sys.stdout, "encoding", "utf-8").lower()}
    if encodings != {"utf-8"} and not utf8.items() <= os.environ.items():
        os.environ.update(utf8)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def drop_output() -> None:
    """Let what can't be printed go, which Python would try again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def carry_on(what: str, how: str) -> None:
    """Say that an interrupt has ended one thing and the rest goes on; another one ends all."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    time.sleep(AGAIN / 2)  # one key, two signals: let the second one come
    INTERRUPTS.clear()
    if os.environ.get(STARTED_BY) == f"stages:{os.getppid()}":
        os.kill(os.getppid(), signal.SIGUSR1)
    below = "\n" if sys.stderr.isatty() else ""  # the progress bar has no end of line yet
    print(f"{below}interrupted: {what} ends, {how}; once more ends the command", file=sys.stderr)


def watch_starter(number: int) -> None:
    """Interrupt this process when the one that started it is gone, killed alone or crashed."""
    while os.getppid() == number:
        time.sleep(AGAIN)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(PATIENCE)
    os._exit(INTERRUPTED)


def last_line(error: BaseException) -> tuple[str | None, int]:
    """The line and the exit code that an error ends with; no line: a fault of ours."""
    if isinstance(error, click.exceptions.Exit):  # after --help
        return "", error.exit_code
    # duckdb by name only: what raised its errors has imported it, nothing else need
    duckdb = {kind.__name__ for kind in type(error).__mro__
              if kind.__module__.split(".")[0] in ("duckdb", "_duckdb")}
    if (isinstance(error, KeyboardInterrupt) or "InterruptException" in duckdb
            or isinstance(error, RuntimeError) and str(error) == "Query interrupted"):
        return LINE, INTERRUPTED
    if "Error" in duckdb:
        if refused := os_error_of(str(error)):
            return f"error: {os_error_line(refused)}", 2
        if damaged := damaged_file(str(error)):
            return f"error: {damaged}", 2
        text = without_cells(error).partition("\n")[0]
        return f"error: DuckDB: {text}; TRACEBACK=1 shows the place", 2
    if isinstance(error, OSError):
        return f"error: {os_error_line(error)}", 2
    if isinstance(error, click.ClickException):
        return f"error: {error.format_message()}", 2
    return (f"error: {error}" if isinstance(error, UserError) else None), 2
