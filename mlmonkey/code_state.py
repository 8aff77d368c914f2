"""Which code trained a model: the commit, and a patch of what was not committed; no secrets."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from mlmonkey.redact import WRITTEN

CODE_SUFFIXES = {".py", ".html", ".json", ".txt", ".toml", ".ini", ".cfg", ".sh"}
CODE_BYTES = 2**20  # beyond that a .json or .txt is data
# whatever the user's configuration says, git writes patches that `git apply` takes
PLAIN = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--binary", "--unified=3")


def git_commit(root: Path) -> str | None:
    """The commit checked out at `root`; None without git, or outside a repository."""
    answer = _git(root, "rev-parse", "HEAD")
    return answer.decode().strip() if answer else None


def uncommitted_patch(root: Path, paths: Sequence[str], secrets: Sequence[str]) -> bytes | None:
    """Uncommitted changes and new files of code under `paths`, as one patch for `git apply`.

    What is not code, and files that hold a secret, now or as committed, are left out with a line
    that says so. The user's git settings change nothing.

    Returns:
        None without git or without a commit; nothing (b"") when all is committed.
    """
    if git_commit(root) is None:
        return None
    changed = _git(root, "diff", *PLAIN, "--name-only", "-z", "--relative", "HEAD", "--", *paths)
    added = _git(root, "ls-files", "--others", "--exclude-standard", "-z", "--", *paths)
    # `git apply` reads names from the repository's root, also when it stands in a folder below
    below = os.fsdecode(_git(root, "rev-parse", "--show-prefix") or b"").strip("\n")
    diff = ("diff", *PLAIN, f"--src-prefix=a/{below}", f"--dst-prefix=b/{below}")
    needles = _needles(secrets)
    notes, pieces = [], []
    for name, new in sorted([(name, False) for name in _names(changed)]
                            + [(name, True) for name in _names(added)]):
        if reason := _reason_to_leave_out(root, name, new, needles):
            notes.append(f"# {reason}\n".encode())
        elif new:
            pieces.append(_git(root, *diff, "--no-index", "--", os.devnull, name))
        else:
            pieces.append(_git(root, "--literal-pathspecs", *diff, "--relative", "HEAD", "--",
                               name))
    return b"".join([*notes, *(piece or b"" for piece in pieces)])


def _reason_to_leave_out(root: Path, name: str, new: bool, needles: Sequence[bytes]) -> str | None:
    path = root / name
    if any(needle in os.fsencode(name) for needle in needles):
        return "a file left out: its name holds a value of .env.local"
    shown = json.dumps(name, ensure_ascii=not name.isprintable()).strip('"')
    if any(part.startswith(".env") for part in Path(name).parts) or not _is_code(path):
        return f"{shown} left out: it is not code"
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return f"{shown} left out: it is no regular file"
    committed = None if new else _git(root, "show", f"HEAD:./{name}")
    contents = [committed or b"", path.read_bytes() if path.exists() else b""]
    if any(needle in content for needle in needles for content in contents):
        return f"{shown} left out: it holds a value of .env.local"
    if any(WRITTEN.search(content) for content in contents):
        return f"{shown} left out: it holds an address with a password"
    if max(map(len, contents)) > CODE_BYTES:
        return f"{shown} left out: it is larger than {CODE_BYTES:,} bytes"
    return None


def _is_code(path: Path) -> bool:
    return (path.suffix in CODE_SUFFIXES or path.name in ("Makefile", "params.yaml")
            or path.name.startswith("requirements"))


def _needles(secrets: Sequence[str]) -> list[bytes]:
    """What to look for: each value, and the longer lines of those that have several."""
    whole = {secret.strip() for secret in secrets}
    lines = {line.strip() for secret in secrets for line in secret.splitlines()}
    return [text.encode() for text in {text for text in whole if len(text) >= 4}
            | {line for line in lines if len(line) >= 8}]


def _names(answer: bytes | None) -> list[str]:
    return [os.fsdecode(name) for name in (answer or b"").split(b"\0") if name]


def _git(root: Path, *words: str) -> bytes | None:
    """What git answers; None when it is not there or refuses."""
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False)
    except OSError:
        return None
    # `diff --no-index` answers 1 when the two sides differ, which they always do here
    return done.stdout if done.returncode == 0 or "--no-index" in words else None
