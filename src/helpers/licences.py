"""The licence of each package that requirements.lock pins, as the packages themselves state it.

    make licences        # exit 1 when a package states none

Packages for other systems or Pythons than this one are not installed, and not listed.
"""

import importlib.metadata
import re
import sys
from pathlib import Path

LOCK = Path("requirements.lock")


def main() -> int:
    silent = 0
    for name in sorted(set(re.findall(r"^([\w.-]+)==", LOCK.read_text(encoding="utf-8"), re.M))):
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        licence = stated_licence(package)
        silent += not licence
        print(f"{name:<28}{package.version:<14}{licence or 'states none'}")
    return 1 if silent else 0


def stated_licence(package: importlib.metadata.Distribution) -> str:
    """The SPDX expression; or what older packages have: classifiers, a free field, a file."""
    field = package.metadata.get_all
    kinds = [line.split(" :: ")[-1] for line in field("Classifier") or []
             if line.startswith("License :: ") and line != "License :: OSI Approved"]
    texts = field("License") or []  # some put the whole text here
    texts += [file.read_text() for file in package.files or [] if file.name.startswith("LICEN")]
    first = [text.strip().partition("\n")[0] for text in texts if text.strip()][:1]
    return ", ".join(field("License-Expression") or kinds or first)


if __name__ == "__main__":
    sys.exit(main())
