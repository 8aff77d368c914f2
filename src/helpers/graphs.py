"""Draw which target reads and writes what, and which part of the code imports which, as SVG.

    python -m src.helpers.graphs build/docs          # make graph
"""

import ast
import sys
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path

from src.settings import ROOT

# target -> what it reads, what it writes; a test compares the names with those of src/stages.py
PIPELINE = {
    "onboard": (["a database", "storage"], ["data/raw"]),
    "generate-dataset": (["data/raw"], ["data/staging", "data/transformed"]),
    "train": (["data/transformed"], ["models", "models/metadata", "reports"]),
    "prediction": (["models", "models/metadata", "a file"], ["data/predictions"]),
    "evaluate": (["models", "models/metadata", "a file"], ["metrics"]),
    "deploy-endpoint": (["models", "models/metadata"], ["HTTP", "data/monitoring"]),
    "drift": (["models/metadata", "data/monitoring"], ["a verdict"]),
    "report": (["models/metadata", "data/transformed"], ["reports"]),
}
# from those who import to those who are imported
PARTS = ("src", "src.etl", "src.model", "src.extras", "src.helpers", "src.settings", "mlmonkey")
LINE = 18  # pixels of a line of text
STYLE = ("text { font: 13px monospace; fill: #222 } .box { fill: #eef3fb; stroke: #57a } "
         ".name { font-weight: bold } path { fill: none; stroke: #57a; stroke-width: 1.5 } "
         ".back { stroke: #c66 } svg { background: white }")


def main(words: Sequence[str]) -> None:
    """Write pipeline.svg and imports.svg into the folder that is named."""
    folder = Path(words[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawing in (("pipeline", draw_pipeline()), ("imports", draw_imports())):
        path = folder / f"{name}.svg"
        path.write_text(drawing, encoding="utf-8")
        print(f"{name}: {path}")


def draw_pipeline() -> str:
    """A row per target: what it reads, its name, what it writes."""
    parts, y = [], 10
    for target, (reads, writes) in PIPELINE.items():
        height = LINE * max(len(reads), len(writes)) + 10
        middle = y + height / 2
        parts += [box(200, y, 170, height), text(285, middle + 4, target, "name", "middle")]
        for names, x, side in ((reads, 150, "end"), (writes, 420, "start")):
            top = middle - LINE * len(names) / 2
            for number, name in enumerate(names):
                level = top + LINE * (number + 0.5)
                ends = (x + 5, level, 198, middle) if side == "end" else (370, middle, 415, level)
                parts += [text(x, level + 4, name, "", side), arrow(*ends)]
        y += height + 14
    return svg(600, y, parts)


def draw_imports() -> str:
    """A box per part of the code with its modules, and how many imports go from one to another."""
    modules, counts = read_imports()
    parts, y, middles = [], 10.0, {}
    for part in PARTS:
        lines = wrapped(modules[part], 65)
        height = LINE * (len(lines) + 1) + 12
        parts += [box(120, y, 530, height), text(130, y + LINE, part, "name")]
        parts += [text(130, y + LINE * (number + 2), line) for number, line in enumerate(lines)]
        middles[part] = y + height / 2
        y += height + 16
    for (one, other), count in sorted(counts.items()):
        start, end = middles[one], middles[other]
        down = start < end
        x = 650 if down else 120
        bow = x + (abs(end - start) / 3 + 20) * (1 if down else -1) * (1 if down else 0.6)
        start, end = (start + 4, end - 4) if down else (start - 4, end + 4)
        parts.append(f'<path class="{"" if down else "back"}" marker-end="url(#head)" '
                     f'd="M {x} {start} C {bow} {start} {bow} {end} {x} {end}"/>')
        parts.append(text((x + 3 * bow) / 4 + (4 if down else -4), (start + end) / 2, str(count),
                          side="start" if down else "end"))
    return svg(920, y, parts)


def read_imports() -> tuple[dict[str, list[str]], Counter[tuple[str, str]]]:
    """The modules of each part, and how many imports go between each two."""
    modules: dict[str, list[str]] = {part: [] for part in PARTS}
    counts: Counter[tuple[str, str]] = Counter()
    for top in ("src", "mlmonkey"):
        for path in sorted((ROOT / top).rglob("*.py")):
            part = part_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
            if path.stem != "__init__" and not part.endswith(f".{path.stem}"):
                modules[part].append(path.stem)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [
                    name.name for name in node.names] if isinstance(node, ast.Import) else []
                counts.update((part, part_of(name)) for name in names
                              if name.split(".")[0] in ("src", "mlmonkey"))
    return modules, Counter({pair: count for pair, count in counts.items() if pair[0] != pair[1]})


def part_of(module: str) -> str:
    """The part of the code that a module belongs to."""
    return next(part for part in sorted(PARTS, key=len, reverse=True)
                if f"{module}.".startswith(f"{part}."))


def wrapped(names: Sequence[str], width: int) -> list[str]:
    """Names in lines of at most so many letters."""
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) + 2 > width:
            lines.append("")
        lines[-1] += f"{name}  "
    return lines


def box(x: float, y: float, width: float, height: float) -> str:
    """A part or a target."""
    return f'<rect class="box" x="{x}" y="{y}" width="{width}" height="{height}" rx="5"/>'


def text(x: float, y: float, words: str, kind: str = "", side: str = "start") -> str:
    """A line of text that begins, has its middle or ends at x."""
    return (f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}" text-anchor="{side}" '
            f'xml:space="preserve">{escape(words)}</text>')


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """From one place to another."""
    return f'<path marker-end="url(#head)" d="M {x1} {y1} L {x2} {y2}"/>'


def svg(width: float, height: float, parts: Sequence[str]) -> str:
    """A drawing that stands by itself."""
    head = ('<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M 0 0 L 8 4 L 0 8" style="fill: #57a"/>'
            '</marker>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}">'
            f"<style>{STYLE}</style><defs>{head}</defs>" + "\n".join(parts) + "</svg>\n")


if __name__ == "__main__":
    main(sys.argv[1:])
