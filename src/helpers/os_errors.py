"""What the system refused, as a sentence: the path, what failed and what to do."""

import errno
import os
from pathlib import Path

from src.settings import FOLDERS, ROOT, load_settings

# what the system says -> what can't be done, why, and what to do
OS_ERRORS = {
    errno.ENOENT: ("find", "no such file or folder", "check the path"),
    errno.EACCES: ("write", "permission denied", "change its rights"),
    errno.EPERM: ("write", "permission denied", "change its rights"),
    errno.EROFS: ("write", "the disk is read-only", "make it writable"),
    errno.ENOSPC: ("write", "the disk is full", "free some space"),
    errno.ENOTDIR: ("use", "a file stands where a folder is needed", "move that file away"),
    errno.EEXIST: ("make", "something else is there already", "move that away"),
    errno.EISDIR: ("use", "it is a folder, not a file", "name a file"),
}


def os_error_line(error: OSError) -> str:
    """A sentence for people: the path, what failed and what to do."""
    verb, reason, advice = OS_ERRORS.get(error.errno or 0, ("use", error.strerror, ""))
    name = error.filename2 or error.filename  # of a rename, the new name
    if not isinstance(name, str | Path):
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
