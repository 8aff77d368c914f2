"""The table and the chart of the serving benchmark, from its lines of JSON."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

COLUMNS = {"processor_ms": "CPU ms", "rate": "requests/s", "p50_ms": "p50 ms", "p99_ms": "p99 ms",
           "worker_mib": "worker MiB", "all_mib": "all MiB", "cold_start_s": "cold start s"}
Lines = Iterable[Mapping[str, Any]]


def print_summary(lines: Lines) -> None:
    """A Markdown table per case and size: medians of the rounds, and times our processor time."""
    lines = list(lines)
    print(f"load: {', '.join(sorted({line['load'] for line in lines}))}; medians of "
          f"{len({line['round'] for line in lines})} rounds of "
          f"{', '.join(sorted({str(line['load_s']) for line in lines}))} s")
    for (case, rows), peers in medians(lines).items():
        print(f"\n{case}, {rows:,} row{'s' * (rows > 1)}\n")
        print("| | CPU / ours | rate / hello | " + " | ".join(COLUMNS.values()) + " |")
        print("|---" * (len(COLUMNS) + 3) + "|")
        for name, median in sorted(peers.items(), key=lambda each: each[1]["processor_ms"]):
            cells = [ratio(median, peers.get("ours"), "processor_ms"),
                     ratio(median, peers.get("hello"), "rate")]
            print(f"| {name} | " + " | ".join(
                [*cells, *(f"{median[column]:,.4g}" for column in COLUMNS)]) + " |")


def medians(lines: Lines) -> dict[tuple[str, int], dict[str, dict[str, float]]]:
    """(case, rows) -> peer -> column -> median of its rounds."""
    groups: dict[tuple[str, int], dict[str, list[Mapping[str, Any]]]] = {}
    for line in lines:
        line = {**line, "rate": line["requests"] / line["seconds"]}
        groups.setdefault((line["case"], line["rows"]), {}).setdefault(
            line["peer"], []).append(line)
    return {key: {peer: {column: statistics.median(run[column] for run in runs)
                         for column in COLUMNS} for peer, runs in peers.items()}
            for key, peers in groups.items()}


def ratio(median: Mapping[str, float], other: Mapping[str, float] | None, column: str) -> str:
    """How many times the other's figure; empty without the other."""
    return f"{median[column] / other[column]:.2f}" if other else ""


def draw(lines: Lines, path: Path) -> None:
    """An SVG: processor milliseconds of one row, a bar per peer, a group per case."""
    parts, top = [], 0
    for (case, rows), peers in medians(lines).items():
        if rows == 1:
            ordered = sorted(peers.items(), key=lambda each: each[1]["processor_ms"])
            parts += bars(case, [(name, each["processor_ms"]) for name, each in ordered], top)
            top += 22 * len(peers) + 44
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 {top}" '
                    'font-family="sans-serif" font-size="12">\n'
                    f'<rect width="640" height="{top}" fill="#fff"/>\n'
                    + "\n".join(parts) + "\n</svg>\n", encoding="utf-8")


def bars(case: str, figures: Sequence[tuple[str, float]], top: int) -> list[str]:
    """One group: a title, and a bar with its figure for each name."""
    scale = 440 / max(figure for _, figure in figures)
    parts = [f'<text x="10" y="{top + 22}" font-weight="bold">{case}: processor time of one row, '
             'ms</text>']
    for number, (name, figure) in enumerate(figures):
        y, colour = top + 32 + 22 * number, "#2166ac" if name.startswith("ours") else "#b0b0b0"
        parts.append(f'<text x="105" y="{y + 13}" text-anchor="end">{name}</text>'
                     f'<rect x="112" y="{y}" width="{max(1, scale * figure):.0f}" height="17" '
                     f'fill="{colour}"/><text x="{118 + scale * figure:.0f}" y="{y + 13}">'
                     f'{figure:.2f}</text>')
    return parts
