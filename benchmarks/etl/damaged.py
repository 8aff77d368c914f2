"""`generate-dataset` on a table with damage of each kind, against the same table in order.

    make init && .venv/bin/python benchmarks/etl/damaged.py --rows 1000000
    .venv/bin/python benchmarks/etl/damaged.py --kind "one bad row" --kind "cp1252 letters"

The table is that of run.py. Processor seconds are those of the whole process; the memory is its
peak. A line says how many records were read, repaired and rejected.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.etl.run import clear, write_table  # noqa: E402
from benchmarks.project import copy_project, measure  # noqa: E402

TEXT = b'"a text, with'  # in one of 25 records
NOTES = b"Report of all sales\nmade at night\n\n"


def main() -> None:
    """Write the table, and after it each damaged copy, measure, and print a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kind", action="append", choices=list(kinds(1)), help="repeatable")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        project = copy_project(Path(folder) / "project")
        clean, table = Path(folder) / "clean.csv", project / "data/raw/table.csv"
        write_table(clean, options.rows)
        sound = 0.0
        for kind, change in kinds(options.rows).items():
            if options.kind and kind not in ["in order", *options.kind]:
                continue
            write_damaged(clean, table, change)
            clear(project)
            used = measure([sys.executable, "-m", "src.etl.generate_dataset",
                            "--data", "data/raw/table.csv"], project)
            sound = sound or used.processor
            profile = next((project / "data/transformed").glob("*.json"))
            found = json.loads(profile.read_text(encoding="utf-8"))["records"]
            print(f"{kind:<22} processor {used.processor:6.2f} s  x {used.processor / sound:.2f}  "
                  f"memory {used.memory:5.0f} MB  {found['read']:,} read, {found['repaired']:,} "
                  f"repaired, {found['rejected']:,} rejected", flush=True)


def kinds(rows: int) -> dict[str, Callable[[int, bytes], bytes]]:
    """What becomes of a line, by its number from 0, the names' own."""
    odd, last = rows * 7 // 10, rows

    def at(place: int, old: bytes, new: bytes) -> Callable[[int, bytes], bytes]:
        return lambda n, line: line.replace(old, new) if n == place else line

    def each(step: int, old: bytes, new: bytes) -> Callable[[int, bytes], bytes]:
        return lambda n, line: line.replace(old, new) if n % step == 1 else line
    return {
        "in order": lambda n, line: line,
        "one bad row": at(odd, b"\n", b",9,9\n"),
        "one stray quote": at(odd, b"user-", b'"user-'),
        "one row of 100 MB": at(odd, b"\n", b"," + 100_000_000 * b"x" + b"\n"),
        "bad rows, 1 of 110": each(110, b"\n", b",9,9\n"),
        "stray quotes, 1 of 110": each(110, b"user-", b'"user-'),
        "notes around": lambda n, line: NOTES * (n == 0) + line + b"\nTotal: many\n" * (n == last),
        "cp1252 letters": each(2, b"text", "täxt".encode("cp1252")),
        "two kinds of line ends": each(2, b"\n", b"\r\n"),
        "line ends in quotes": each(2, TEXT, TEXT.replace(b" ", b"\n")),
        "those and a bad row": lambda n, line: line.replace(TEXT, TEXT.replace(b" ", b"\n"))
        if n != odd else line.replace(b"\n", b",9,9\n"),
        "backslashes": each(2, TEXT, TEXT.replace(b"text", b'\\"text\\"')),
        "a zero": at(odd, b"user", b"us\0er")}


def write_damaged(clean: Path, path: Path, change: Callable[[int, bytes], bytes]) -> None:
    with open(clean, "rb") as lines, open(path, "wb") as damaged:
        damaged.writelines(change(n, line) for n, line in enumerate(lines))


if __name__ == "__main__":
    main()
