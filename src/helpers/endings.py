"""How a command ends: a mistake is one line and exit code 2, an interrupt one line and 130."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import click

from mlmonkey.errors import UserError
from src.helpers.os_errors import os_error_line
from src.settings import without_secrets

INTERRUPTED = 130
PATIENCE = 1.5  # seconds from an interrupt to the end, whatever a library does with it


def run_politely(work: Callable[[], Any]) -> None:
    """Run and exit: mistakes are one line and code 2; TRACEBACK=1 shows where they came from."""
    interrupts: list[int] = []

    def interrupt(number: int, frame: Any) -> None:
        interrupts.append(number)
        # compiled code may swallow what is raised here; then the alarm's own signal ends all
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        raise KeyboardInterrupt

    try:
        signal.signal(signal.SIGINT, interrupt)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # held back by src/stages.py
        code = work()
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (KeyboardInterrupt, Exception) as error:
        signal.setitimer(signal.ITIMER_REAL, 0)  # it was not swallowed: end in peace
        line, code = last_line(KeyboardInterrupt() if interrupts else error)
        if line is None or line and code == 2 and os.environ.get("TRACEBACK"):
            raise
        if line:
            print(without_secrets(" ".join(line.split())), file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


def last_line(error: BaseException) -> tuple[str | None, int]:
    """The line and the exit code that an error ends with; no line: a fault of ours."""
    if isinstance(error, click.exceptions.Exit):  # after --help
        return "", error.exit_code
    # duckdb by name only: what raised its errors has imported it, nothing else need
    duckdb = {kind.__name__ for kind in type(error).__mro__
              if kind.__module__.split(".")[0] in ("duckdb", "_duckdb")}
    if (isinstance(error, KeyboardInterrupt) or "InterruptException" in duckdb
            or isinstance(error, RuntimeError) and str(error) == "Query interrupted"):
        return "interrupted: what was complete is kept, the rest was removed", INTERRUPTED
    if "Error" in duckdb:
        text = str(error).partition("\n")[0]
        return f"error: DuckDB: {text}; TRACEBACK=1 shows the place", 2
    if isinstance(error, OSError):
        return f"error: {os_error_line(error)}", 2
    if isinstance(error, click.ClickException):
        return f"error: {error.format_message()}", 2
    return (f"error: {error}" if isinstance(error, UserError) else None), 2
