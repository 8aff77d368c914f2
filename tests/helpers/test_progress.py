"""A bar moves while a long step lasts, where somebody looks at it."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

from conftest import ROOT

LONG = """
from threading import Event
from src.helpers import progress
progress.SECONDS, seen = .01, [Event() for _ in range(3)]
def share():
    next(each for each in seen if not each.is_set()).set()
    return .5
with progress.steps(2) as begin:
    begin("first", share)
    seen[-1].wait(60)
    begin("second")
    begin("again")
"""


def test_a_long_step_moves_the_bar() -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with subprocess.Popen([sys.executable, "-c", LONG], stderr=theirs, cwd=ROOT):
        os.close(theirs)
        shown = b""
        while b"again" not in shown and (more := os.read(ours, 1000)):
            shown += more
    os.close(ours)
    text = shown.decode()
    assert text.index("first:   0%") < text.index("first:  25%") < text.index("second:  50%") \
        < text.index("again:  50%")


def test_nothing_is_shown_in_a_log() -> None:
    done = subprocess.run([sys.executable, "-c", LONG.replace("seen[-1].wait(60)", "")], cwd=ROOT,
                          capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
