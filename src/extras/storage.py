"""`--data s3://bucket/file.csv`: files in storage, through fsspec.

Credentials come from the environment. s3fs comes with the extra; another package for fsspec that
is installed serves its own addresses.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import fsspec

from mlmonkey.errors import UserError
from mlmonkey.files import sha256_of
from mlmonkey.redact import without_passwords
from src.helpers.progress import bar
from src.settings import relative

PIECE_BYTES = 8 << 20
# a word in the name of an error -> what to do
ADVICE = dict.fromkeys(("Credentials", "Permission", "AccessDenied"), (
    "; put AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, into .env.local or the "
    "environment")) | dict.fromkeys(("Endpoint", "Connect", "Timeout"), (
        "; see whether the server is there: AWS_ENDPOINT_URL and AWS_DEFAULT_REGION"))
SUM = ".sha256"  # beside an uploaded file, as sha256sum writes it


def download(address: str, target: Path) -> dict[str, str]:
    """Copy a file from storage; compare it with the sum beside it, where there is one.

    Raises:
        UserError: when it is not there, can't be read, or came out differently.
    """
    with storage_errors(address):
        system, path = file_in_storage(address)
        size = system.info(path)["size"]
        with system.open(path, "rb") as source, open(target, "wb") as file:
            sha256, got = copied(source, file, size)
        expected = sum_beside(system, path)
    if size is not None and got != size or expected not in (None, sha256):
        raise UserError(f"{address} came out differently ({got:,} bytes) than it was stored; type "
                        "the command again, or store the file anew")
    return {"source": address}


def upload(raw: Path, address: str) -> None:
    """Copy a raw file to storage, read it back, and put its sum beside it.

    Raises:
        UserError: when another file is there, or what was stored is not the same.
    """
    with storage_errors(address):
        system, path = file_in_storage(address)
        sha256 = sha256_of(raw)
        if system.exists(path):
            if stored_sum(system, path) != sha256:
                raise UserError(f"{address} holds other bytes than {relative(raw)}; raw files stay "
                                "as they are: name another place, --dest ADDRESS")
            print(f"{address} already holds these bytes")
        else:
            with system.transaction, system.open(path, "wb") as file, open(raw, "rb") as source:
                copied(source, file, raw.stat().st_size)  # it appears when all of it is there
            if stored_sum(system, path) != sha256:
                system.rm(path)
                raise UserError(f"{address}: what was stored is not {relative(raw)}, and was "
                                "removed; type the command again")
            print(f"copied {relative(raw)} to {address}, {raw.stat().st_size:,} bytes")
        if sum_beside(system, path) != sha256:
            system.pipe_file(path + SUM, f"{sha256}  {raw.name}\n".encode())


def file_in_storage(address: str) -> tuple[Any, str]:
    """A system of fsspec, and a path in it.

    Raises:
        UserError: for a folder, naming files in it.
    """
    system, path = fsspec.core.url_to_fs(address)
    try:
        is_folder = address.endswith("/") or system.info(path)["type"] == "directory"
    except FileNotFoundError:
        is_folder = False
    if is_folder:
        files = [name.rpartition("/")[2] for name in system.ls(path, detail=False)
                 if not name.endswith((SUM, "/"))] if system.exists(path) else []
        known = f"; it holds {', '.join(files[:20])}" if files else ""
        raise UserError(f"{address} is a folder; name a file in it: "
                        f"{address.rstrip('/')}/FILE.csv{known}")
    return system, path


def copied(source: IO[bytes], file: IO[bytes], size: int | None) -> tuple[str, int]:
    """Copy all bytes, showing how far it is; return their sum and how many there were."""
    digest, got = hashlib.sha256(), 0
    with bar(size or 0, unit="B", unit_scale=True) as shown:
        while piece := source.read(PIECE_BYTES):
            file.write(piece)
            digest.update(piece)
            got += len(piece)
            shown.update(len(piece))
    return digest.hexdigest(), got


def stored_sum(system: Any, path: str) -> str:
    """The SHA-256 of a stored file's bytes."""
    digest = hashlib.sha256()
    with system.open(path, "rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def sum_beside(system: Any, path: str) -> str | None:
    """What the file beside a stored one says; None when there is none."""
    try:
        return str(system.cat_file(path + SUM).split()[0].decode())
    except (FileNotFoundError, IndexError, UnicodeDecodeError):
        return None


@contextmanager
def storage_errors(address: str) -> Iterator[None]:
    """One line for what the libraries of all kinds of storage raise, each its own."""
    try:
        yield
    except UserError:
        raise
    except ImportError as error:
        raise UserError(f"{address}: {error}") from None
    except FileNotFoundError:
        raise UserError(f"there is nothing at {address}; look up how its parts are called, and "
                        "whether you may see them") from None
    except Exception as error:
        if isinstance(error, OSError) and error.filename and Path(error.filename).is_absolute():
            raise  # of this machine's disk
        text = without_passwords(str(error)).partition("\n")[0]
        advice = next((said for word, said in ADVICE.items() if word in type(error).__name__), "")
        raise UserError(f"{address}: {type(error).__name__}: {text}{advice}") from None
