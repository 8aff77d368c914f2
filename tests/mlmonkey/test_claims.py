"""Each training gets a number of its own; what the dead leave is removed, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from mlmonkey.claims import ModelId
from mlmonkey.files import lock, write_text
from mlmonkey.store import ModelStore

CLAIM = """
import sys
from pathlib import Path
from mlmonkey.claims import claim
models = Path(sys.argv[1])
"""
ONE = "with claim(models, models / 'metadata', 'iris') as identifier: print(identifier)"
# systems and folders without locks, as Python meets them
NO_FLOCK = "import sys; sys.modules['fcntl'] = None"
NO_LOCKS = """
import errno, fcntl
def flock(file, how):
    raise OSError(errno.{code}, 'no locks')
fcntl.flock = flock
"""
FIRST_TAKEN = """
import fcntl
real = fcntl.flock
def flock(file, how):
    if str(getattr(file, 'name', '')).endswith('.claim-iris-v1'):
        raise BlockingIOError
    real(file, how)
fcntl.flock = flock
"""


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    models = tmp_path / "models"
    (models / "metadata").mkdir(parents=True)
    return ModelStore(models, models / "metadata")


def start(store: ModelStore, code: str, before: str = "",
          stderr: int | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", before + CLAIM + code, str(store.models)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True)


def finish(store: ModelStore, code: str, before: str = "") -> str:
    process = start(store, code, before)
    return process.communicate(timeout=60)[0]


def left(store: ModelStore) -> list[str]:
    return sorted(path.name for path in store.models.glob("**/*")
                  if path.is_file() and not path.name.startswith(".lock"))


def test_without_metadata_there_is_no_model(store: ModelStore) -> None:
    with pytest.raises(RuntimeError), store.claim("iris") as identifier:
        assert identifier == ModelId("iris", 1)
        (store.models / "iris-v1.skops").write_bytes(b"half a model")
        raise RuntimeError
    assert left(store) == [] and store.identifiers() == []
    with store.claim("iris") as identifier:
        (store.models / "iris-v1.skops").write_bytes(b"a model")
        store.metadata_path(identifier).write_text("{}")
    assert left(store) == ["iris-v1.json", "iris-v1.skops"]
    with store.claim("iris") as identifier:
        assert identifier == ModelId("iris", 2)


DIE = """
with claim(models, models / 'metadata', 'iris') as identifier:
    (models / f'{identifier}.skops').write_bytes(b'half a model')
    from mlmonkey.files import whole_file
    with whole_file(models / 'a'), whole_file(models / 'metadata' / 'b.json'):
        print('ready', flush=True)
        LAST
"""
KILLED, WAITING = (DIE.replace("LAST", last) for last in ("import os; os._exit(9)",
                                                          "sys.stdin.read()"))


def test_what_a_killed_training_leaves_is_removed_by_the_next(store: ModelStore) -> None:
    finish(store, KILLED)
    assert [name[:6] for name in left(store)] == [".claim", ".part-", ".part-", "iris-v"]
    with store.claim("penguins"):
        assert left(store) == [".claim-penguins-v1"]
    assert left(store) == []


def test_what_the_living_are_writing_stays(store: ModelStore) -> None:
    process = start(store, WAITING)
    assert process.stdout and process.stdout.readline() == "ready\n"
    before = left(store)
    with store.claim("iris") as identifier:
        assert identifier == ModelId("iris", 2)
        assert left(store) == sorted([*before, ".claim-iris-v2"]) and len(before) == 4
    process.communicate()
    assert left(store) == ["a", "b.json"]


@pytest.mark.parametrize("system", [NO_FLOCK, NO_LOCKS.format(code="ENOLCK"),
                                    NO_LOCKS.format(code="EOPNOTSUPP")])
def test_where_locks_do_not_work_nothing_is_removed(store: ModelStore, system: str) -> None:
    finish(store, KILLED)
    before = left(store)
    assert finish(store, ONE, system) == "iris-v2\n"
    assert left(store) == before and len(before) == 4


def test_an_unfinished_file_is_never_taken_from_its_writer(store: ModelStore) -> None:
    """Between its creation and its lock a temporary file looks like one of the dead."""
    sweeping = start(store, """
from mlmonkey.files import remove_parts
print('ready', flush=True)
while not (models / 'end').exists():
    remove_parts(models)
""")
    assert sweeping.stdout and sweeping.stdout.readline() == "ready\n"
    for number in range(500):
        write_text(store.models / "a.txt", str(number))
        assert (store.models / "a.txt").read_text() == str(number)
    (store.models / "end").touch()
    sweeping.communicate()
    assert sweeping.returncode == 0


MANY = """
sys.stdin.read()
for _ in range(30):
    with claim(models, models / 'metadata', 'iris') as identifier:
        print(identifier.version, flush=True)
        (models / 'metadata' / f'{identifier}.json').touch(exist_ok=False)
"""


@pytest.mark.parametrize("system", ["", NO_FLOCK])
def test_trainings_at_once_get_numbers_of_their_own(store: ModelStore, system: str) -> None:
    processes = [start(store, MANY, system) for _ in range(6)]
    for process in processes:
        assert process.stdin
        process.stdin.close()
        process.stdin = None
    answers = [process.communicate(timeout=60)[0] for process in processes]
    assert all(process.returncode == 0 for process in processes)
    numbers = sorted(int(word) for answer in answers for word in answer.split())
    assert numbers == list(range(1, 181))


def test_nobody_looks_for_the_dead_while_a_claim_is_being_made(store: ModelStore) -> None:
    """A claim that is made and not yet locked looks like one of the dead."""
    with lock(store.models / ".lock-claims", "claims"):
        (store.models / ".claim-iris-v1").touch()
        other = start(store, ONE, stderr=subprocess.PIPE)
        assert other.stderr and "waiting" in other.stderr.readline()
        assert (store.models / ".claim-iris-v1").exists()
    assert other.communicate(timeout=60)[0] == "iris-v1\n"


def test_a_claim_that_another_locks_first_is_the_others(store: ModelStore) -> None:
    assert finish(store, ONE, FIRST_TAKEN) == "iris-v2\n"


def test_claims_of_the_living_are_respected(store: ModelStore) -> None:
    with store.claim("iris") as one, store.claim("iris") as other:
        assert (one.version, other.version) == (1, 2)


def test_a_name_that_is_anothers_file_gets_another_number(store: ModelStore) -> None:
    """As where `Iris` and `iris` are one file."""
    (store.models / ".claim-iris-v1").symlink_to("somewhere else")
    with store.claim("iris") as identifier:
        assert identifier == ModelId("iris", 2)
