"""Files are written whole or not at all, and locks end with their owner."""

import errno
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


def test_several_files_take_their_names_together_or_not_at_all(tmp_path: Path) -> None:
    one, two, three = (tmp_path / name for name in ("one.txt", "two.txt", "three.txt"))
    files.write_text(one, "old")
    three.mkdir()  # no file can take this name
    with pytest.raises(IsADirectoryError), files.whole_files(one, two, three) as parts:
        for part in parts:
            part.write_text("new")
    assert sorted(os.listdir(tmp_path)) == ["one.txt", "three.txt"] and one.read_text() == "old"
    three.rmdir()
    with files.whole_files(one, two, three) as parts:
        for part in parts:
            part.write_text("new")
    assert [path.read_text() for path in (one, two, three)] == ["new"] * 3
    assert len(os.listdir(tmp_path)) == 3


def test_the_next_writer_removes_what_a_dead_one_left(tmp_path: Path) -> None:
    for name in (".part-deadbeef.csv", ".part-of-another-program"):
        (tmp_path / name).touch()
    files.write_text(tmp_path / "a.txt", "x")
    assert sorted(os.listdir(tmp_path)) == [".part-of-another-program", "a.txt"]


def test_an_error_without_a_name_gets_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(OSError) as caught, files.whole_file(path):
        raise OSError(errno.ENOSPC, "full")
    assert caught.value.filename == str(path)


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


def test_a_lock_is_mine_taken_or_impossible(tmp_path: Path) -> None:
    with open(tmp_path / "a", "w") as one, open(tmp_path / "a") as other:
        assert files.try_lock(one) is files.Lock.MINE
        assert files.try_lock(other) is files.Lock.TAKEN
    with open(tmp_path / "a") as closed:
        pass
    with pytest.raises(ValueError):
        files.try_lock(closed)


@pytest.mark.parametrize("code", ["ENOLCK", "EOPNOTSUPP"])
def test_work_goes_on_where_locks_do_not_work(tmp_path: Path, code: str) -> None:
    done = subprocess.run([sys.executable, "-c", f"""
import errno, fcntl, pathlib, sys
def flock(file, how):
    raise OSError(errno.{code}, 'no locks')
fcntl.flock = flock
from mlmonkey import files
path = pathlib.Path(sys.argv[1])
with files.lock(path / '.lock', 'it'), open(path / '.lock') as file:
    print(files.try_lock(file))
files.write_text(path / 'a.txt', 'x')
(path / '.part-12345678').touch()
files.remove_parts(path)
""", str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("Lock.IMPOSSIBLE\n", "")
    assert sorted(os.listdir(tmp_path)) == [".lock", ".part-12345678", "a.txt"]


def test_only_files_of_dead_writers_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".part-deadbeef").touch()
    (tmp_path / ".part-folder").mkdir()
    with files.whole_file(tmp_path / "a.txt") as temporary:
        files.remove_parts(tmp_path)
        assert temporary.exists()
        temporary.write_text("x")
    assert sorted(os.listdir(tmp_path)) == [".part-folder", "a.txt"]
