"""Take outputs, counts and what editors left out of notebooks, so that git holds what was written.

    python -m src.helpers.strip_notebooks            # make format; names what it changed
"""

import json
from typing import Any

from mlmonkey.files import write_text
from src.settings import ROOT

KERNEL = {"display_name": "ml-skeleton", "language": "python", "name": "python3"}


def main() -> None:
    """Strip every notebook in notebooks/."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        text = path.read_text(encoding="utf-8")
        stripped = strip(text)
        if stripped != text:
            write_text(path, stripped)
            print(f"stripped notebooks/{path.name}")


def strip(text: str) -> str:
    """The notebook with nothing in it but its cells."""
    notebook: dict[str, Any] = json.loads(text)
    notebook["metadata"] = {"kernelspec": KERNEL}
    for cell in notebook["cells"]:
        cell["metadata"] = {key: value for key, value in cell["metadata"].items() if key == "tags"}
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
