"""A model's patch restores uncommitted code, whatever git is set to, and holds no secret."""

import subprocess
from pathlib import Path

import pytest

from mlmonkey import code_state


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words], cwd=folder,
                   check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a commit, in a subfolder of its repository."""
    project = tmp_path / "repository" / "my prøject"
    (project / "src" / "deep").mkdir(parents=True)
    (project / "src" / "a.py").write_text("one = 1\n\n\n\n\n\nsix = 6\n")
    (project / "src" / "old.py").write_text("old = 1\n")
    (project / "src" / "key.py").write_text("key = 's3cret'\n")
    (project / "params.yaml").write_text("train:\n")
    (project / "notes.txt").write_text("private\n")
    git(project.parent, "init", "-q")
    git(project.parent, "add", "my prøject/src", "my prøject/params.yaml")
    git(project.parent, "commit", "-qm", "x")
    return project


PATHS = ("src", "params.yaml")


def texts(project: Path) -> dict[str, bytes]:
    return {str(path.relative_to(project)): path.read_bytes()
            for path in (project / "src").rglob("*") if path.is_file()}


def patch_of(project: Path, *secrets: str) -> str:
    return (code_state.uncommitted_patch(project, PATHS, secrets) or b"").decode()


def test_a_patch_holds_uncommitted_code(folder: Path, tmp_path: Path) -> None:
    assert code_state.git_commit(tmp_path) is None
    assert code_state.uncommitted_patch(tmp_path, PATHS, []) is None
    assert code_state.uncommitted_patch(folder, PATHS, []) == b""
    assert len(code_state.git_commit(folder) or "") == 40
    (folder / "src" / "a.py").write_text("one = 2\n")
    (folder / "src" / "ü.py").write_text("two = 2\n")
    (folder / "params.yaml").write_text("report:\n")
    (folder / "notes.txt").write_text("more\n")
    patch = patch_of(folder)
    assert all(part in patch for part in ("+one = 2", "+two = 2", "+report:"))
    assert "private" not in patch and "notes" not in patch


CONFIGURED = {"diff.noprefix": "true", "color.ui": "always", "diff.renames": "copies",
              "diff.context": "0", "diff.external": "false", "diff.mnemonicPrefix": "true",
              "core.quotePath": "true", "diff.wordy.textconv": "rev"}


@pytest.mark.parametrize("settings", [{}, CONFIGURED])
def test_a_patch_restores_whatever_git_is_set_to(folder: Path, tmp_path: Path,
                                                 settings: dict[str, str]) -> None:
    for name, value in settings.items():
        git(folder, "config", name, value)
    if settings:
        (folder / ".git-attributes").write_text("")
        (folder.parent / ".git" / "info" / "attributes").write_text("*.py diff=wordy\n")
    git(folder, "mv", "src/old.py", "src/new.py")
    (folder / "src" / "key.py").unlink()
    (folder / "src" / "a.py").write_bytes(b"one = '\xe9'\r\n\n\n\n\n\nsix = 6\n")  # no UTF-8
    (folder / "src" / "bits.txt").write_bytes(bytes(range(256)))
    (folder / "src" / "empty.py").touch()
    (folder / "src" / "deep" / "*.py").write_text("star = 1\n")
    (folder / "src" / "deep" / 'a "ü".py').write_text("no newline at the end")
    patch = code_state.uncommitted_patch(folder, PATHS, [])
    assert patch
    changed = texts(folder)
    (tmp_path / "p.patch").write_bytes(patch)
    git(folder, "reset", "-q", "--hard")
    git(folder, "clean", "-qfd", "--", "src")
    assert texts(folder) != changed
    git(folder, "apply", "--whitespace=nowarn", str(tmp_path / "p.patch"))
    assert texts(folder) == changed


@pytest.mark.parametrize("name", ["src/.env", "src/.env.py", "src/deep/.env.local", "src/.env/a.py",
                                  "src/x.csv", "src/x.parquet", "src/x.xlsx", "src/x.db",
                                  "src/x.ipynb", "src/x"])
def test_a_patch_holds_nothing_that_is_not_code(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("anything = 1\n")
    assert patch_of(folder) == f"# {name} left out: it is not code\n"
    git(folder, "add", "--", name)
    git(folder, "commit", "-qm", "y")
    (folder / name).write_text("other = 1\n")
    assert patch_of(folder) == f"# {name} left out: it is not code\n"


def test_a_patch_holds_no_link_and_no_heap_of_data(folder: Path, tmp_path: Path) -> None:
    (folder / "src" / "link.py").symlink_to(tmp_path)
    (folder / "src" / "heap.json").write_text("[" + "1," * 2**19 + "1]")
    patch = patch_of(folder)
    assert str(tmp_path) not in patch and "link.py left out: it is no regular file" in patch
    assert len(patch) < 200 and "heap.json left out: it is larger" in patch


KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nend\n-----END KEY-----"


@pytest.mark.parametrize(("committed", "present", "secret"), [
    (None, "a = 's3cret'\n", "s3cret"), ("", "a = 's3cret'\n", "s3cret"),
    ("a = 's3cret'\n", "a = 1\n", "s3cret"), ("a = 's3cret'\n", None, "s3cret"),
    (None, "a = '1234'\n", "1234"), (None, f'KEY = """{KEY}"""\n', KEY),
    ("", "lines = ['x',\n         'MIIEvQIBADANBg']\n", KEY),
    (None, "a = 'pass wörd'\n", " pass wörd\n"), (None, "a = 'one\\\ntwo'\n", "one\\\ntwo")])
def test_a_file_with_a_secret_is_left_out(folder: Path, committed: str | None, present: str | None,
                                          secret: str) -> None:
    path = folder / "src" / "c.py"
    if committed is not None:
        path.write_text(committed)
        git(folder, "add", "src/c.py")
        git(folder, "commit", "-qm", "y")
    path.unlink() if present is None else path.write_text(present)
    (folder / "src" / "a.py").write_text("end = 1\n")
    patch = patch_of(folder, "abc", secret)
    assert "+end = 1" in patch  # short lines and values hide nothing
    assert patch.startswith("# src/c.py left out: it holds a value of .env.local\n")
    assert not any(line in patch for line in secret.split("\n") if len(line) > 3)


def test_a_secret_in_a_name_is_not_told(folder: Path) -> None:
    (folder / "src" / "s3cret.py").write_text("a = 1\n")
    assert patch_of(folder, "s3cret") == (
        "# a file left out: its name holds a value of .env.local\n")
