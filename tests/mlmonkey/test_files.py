"""Files are written whole or not at all, and locks end with their owner."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlmonkey import files


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_killed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    code = ("import os, sys, pathlib; from mlmonkey import files\n"
            "with files.whole_file(pathlib.Path(sys.argv[1])) as temporary:\n"
            "    temporary.write_text('half'); os.kill(os.getpid(), 9)")
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert path.read_text() == "old"


def test_new_files_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write_text(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_json_refuses_what_json_has_no_word_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "a.json", {"x": float("nan")})
    files.write_json(tmp_path / "a.json", {"ü": 1})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"ü": 1}
    assert "ü" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_a_lock_waits_and_says_so_and_ends_with_its_owner(tmp_path: Path) -> None:
    code = ("import sys, pathlib, time; from mlmonkey import files\n"
            "with files.lock(pathlib.Path(sys.argv[1]), 'the table'):\n"
            "    print('mine', flush=True); sys.stdin.read()")
    path = str(tmp_path / ".lock")

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = start()
    assert first.stdout and first.stdout.readline() == "mine\n"
    second = start()
    assert second.stderr and second.stderr.readline() == (
        "waiting: another command is working on the table\n")
    first.kill()
    first.communicate()
    assert second.stdout and second.stdout.readline() == "mine\n"
    second.communicate()
