"""What the system refused, as a sentence: the path, what failed and what to do."""

import errno
import os
import re
from pathlib import Path

from src.settings import FOLDERS, ROOT, load_settings, relative

# what the system says -> what can't be done, why, and what to do
OS_ERRORS = {
    errno.ENOENT: ("find", "no such file or folder", "check the path"),
    errno.EACCES: ("write", "permission denied", "change its rights"),
    errno.EPERM: ("write", "permission denied", "change its rights"),
    errno.EROFS: ("write", "the disk is read-only", "make it writable"),
    errno.ENOSPC: ("write", "the disk is full", "free some space"),
    errno.EDQUOT: ("write", "your share of the disk is used up", "free some space"),
    errno.EFBIG: ("write", "files may not become so large here", "allow it: ulimit -f unlimited"),
    errno.EIO: ("use", "the disk fails", "look at the system's log, then type the command again"),
    errno.EMFILE: ("open", "too many open files", "allow more: ulimit -n 4096"),
    errno.ENOTDIR: ("use", "a file stands where a folder is needed", "move that file away"),
    errno.EEXIST: ("make", "something else is there already", "move that away"),
    errno.EISDIR: ("use", "it is a folder, not a file", "name a file"),
}
# how DuckDB says what the system refused: a path, then the number or the words of the error
IN_DUCKDB = re.compile(r'file \\?"(?P<path>.+?)\\?": '
                       r'(?:.*"errno":"(?P<number>[0-9]+)"|(?P<words>.+))')
DAMAGED = re.compile("Failed to read file ['\"](?P<path>.+?)['\"]: (?P<reason>[\\w ]+)")
NOT_FOUND = re.compile(r'No files found that match the pattern "(?P<path>.+)"')


def os_error_line(error: OSError) -> str:
    """A sentence for people: the path, what failed and what to do."""
    verb, reason, advice = OS_ERRORS.get(error.errno or 0, ("use", error.strerror, ""))
    name = error.filename2 or error.filename  # of a rename, the new name
    if not isinstance(name, str | Path):
        if error.errno == errno.ENOENT:  # of tempfile, which tries several folders
            reason, advice = error.strerror, "free some space, or choose a folder: TMPDIR=/path"
        return f"{reason}; {advice}" if advice else str(error)
    path = Path(os.path.abspath(name))
    if path.name.startswith(".part-"):  # a name that the user never typed
        path = path.parent
    if verb == "write" and path.is_file() and not os.access(path, os.R_OK):
        verb = "read"
    folders = dict(zip(FOLDERS, vars(load_settings()).values()))
    if inside := [name for name in folders if path.is_relative_to(folders[name])]:
        variable = max(inside, key=lambda name: len(folders[name].parts))
        advice = f"{advice} or choose another folder with {variable}".removeprefix(" or ")
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return f"can't {verb} {shown}: {reason}{'; ' if advice else ''}{advice}"


def os_error_of(text: str) -> OSError | None:
    """The system's refusal inside a message of DuckDB; None when it is about something else."""
    if found := NOT_FOUND.search(text):
        return OSError(errno.ENOENT, os.strerror(errno.ENOENT), found["path"])
    if "failed to offload" in text:  # out of memory, and then out of disk
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    found = IN_DUCKDB.search(text)
    numbers = {os.strerror(number): number for number in errno.errorcode}
    number = found and (int(found["number"] or 0) or numbers.get(found["words"].strip()))
    return OSError(number, os.strerror(number), found["path"]) if found and number else None


def damaged_file(text: str) -> str | None:
    """What a message of DuckDB says of Parquet whose inside is damaged."""
    found = DAMAGED.search(text)
    return found and (f"{relative(Path(found['path']))} is a damaged Parquet file "
                      f"({found['reason']}); write it again")
