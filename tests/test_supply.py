"""What the project is made of: locks that pin it, licences, the answer of an advisory service."""

import importlib.metadata
import re
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Run, run_in

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-test-all.lock")


def pins(file: str) -> dict[str, set[str]]:
    """The versions that a file pins, by name as the index compares names."""
    lines = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / file).read_text(encoding="utf-8"), re.M)
    found: dict[str, set[str]] = {}
    for name, version in lines:
        found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), set()).add(version)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_what_its_requirements_say(lock: str) -> None:
    locked, asked = pins(lock), pins(lock.replace(".lock", ".txt"))
    wrong = {name: versions for name, versions in asked.items() if locked.get(name) != versions}
    assert not wrong, f"{lock} is behind {lock[:-5]}.txt: make lock"


def test_the_locks_agree_and_the_first_holds_nothing_that_only_developers_need() -> None:
    core, dev, test_all = map(pins, LOCKS)
    assert core.items() <= dev.items() <= test_all.items()
    assert not set(core) & (set(pins("requirements-dev.txt")) | {"pip-audit", "mlmonkey"})


def test_a_lock_holds_nothing_that_nobody_needs() -> None:
    """What is locked beyond requirements.txt is required by something else that is."""
    locked, needed = pins(LOCKS[0]), set(pins("requirements.txt")) | {"setuptools"}
    for name in locked:
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            needed.add(name)  # for another system or Python than this one
            continue
        words = (re.match(r"[\w.-]+", line) for line in lines)
        needed |= {re.sub(r"[-_.]+", "-", word[0]).lower() for word in words if word}
    assert set(locked) <= needed


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "torch" not in pins(lock) and "://" not in text and "--index" not in text
    entries = re.split(r"\n(?=[\w.-]+==)", text)[1:]
    assert len(entries) >= len(pins(lock)) > 30
    for entry in entries:
        name, *hashes = re.sub(r" ;[^\\]*", " ", entry).replace("\\\n", "").split()
        assert hashes and all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", word) for word in hashes)


def test_every_package_states_a_licence_that_asks_for_no_source() -> None:
    done = run_in(ROOT, [sys.executable, "-m", "src.helpers.licences"])
    assert {line.split()[0] for line in done.stdout.splitlines()} >= set(pins("requirements.txt"))
    assert not re.search(r"GPL|General Public|states none", done.stdout)


# What the real pip-audit answers: nothing known; a flaw; an index without such a service (exit
# code 0 and every package skipped, which is no good news); no network; a wrong option.
SOUND = '{"name": "a", "version": "1", "vulns": []}'
FLAWED = '{"name": "b", "version": "2", "vulns": [{"id": "X-1", "fix_versions": ["3"]}]}'
SKIPPED = '{"name": "c", "skip_reason": "Dependency not found and could not be audited"}'


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([SOUND], 0, ["no known vulnerability in the 1 packages"]),
        ([SOUND, FLAWED], 1, ["b 2: X-1, mended in 3"]),
        ([SOUND, SKIPPED], 3, ["error: no answer", "does not know 1 of 2: c, ..."]),
        ([FLAWED, SKIPPED], 1, ["b 2: X-1", "error: no answer", "1 of 2"]),
        ([], 3, ["error: no answer", "Failed to resolve the host"]),
        (None, 3, ["error: no answer", "Failed to resolve the host"]),
    ],
)
def test_an_audit_without_an_answer_is_no_good_news(
    tmp_path: Path, packages: list[str] | None, code: int, words: list[str]
) -> None:
    answer = f'{{"dependencies": [{", ".join(packages or [])}]}}'
    (tmp_path / "pip_audit.py").write_text(
        f"import sys\nprint({'' if packages is None else answer!r})\n"
        "sys.exit('Traceback\\nFailed to resolve the host')\n")
    done = run_in(ROOT, [sys.executable, "-m", "src.helpers.audit"], check=False,
                  PYTHONPATH=str(tmp_path))
    assert done.returncode == code, done.stdout + done.stderr
    for word in words:
        assert word in done.stdout + done.stderr
    assert ("no known" in done.stdout) == (code == 0)
    assert len(done.stderr.splitlines()) == ("error: no answer" in words)


@pytest.mark.slow
def test_make_audit_asks_a_real_service_or_says_that_none_answers(
    project: Path, run_make: Run
) -> None:
    try:
        importlib.metadata.version("pip-audit")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("no pip-audit: make init EXTRAS=audit")
    done = run_make(project, "audit", check=False)
    if "Error 3" in done.stderr:
        assert "error: no answer of the advisory service" in done.stderr and not done.stdout
    else:
        assert re.search(r"no known vulnerability|mended in", done.stdout)
