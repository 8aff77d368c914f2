"""The serving benchmark: its arithmetic, and a second of load on the real thing."""

import json
import sys
from pathlib import Path

import pytest
from benchmarks.serving.summary import draw, print_summary
from conftest import ROOT, run_in

RUN = {"case": "forest-iris", "rows": 1, "load": "wrk", "load_s": 5.0, "seconds": 2.0,
       "p50_ms": 1.0, "p99_ms": 2.0, "worker_mib": 50, "all_mib": 90, "cold_start_s": 1.0}
LINES = [RUN | {"round": number, "peer": peer, "requests": 1000, "processor_ms": figure}
         for peer, figures in {"ours": (0.3, 0.2, 0.9), "flask": (3.0, 3.3, 2.0)}.items()
         for number, figure in enumerate(figures)]


def test_the_table_holds_medians_and_times_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(LINES)
    out = capsys.readouterr().out
    assert "3 rounds of 5.0 s" in out and "forest-iris, 1 row\n" in out
    assert "| ours | 1.00 |  | 0.3 | 500 |" in out
    assert "| flask | 10.00 |  | 3 | 500 |" in out


def test_the_chart_has_a_bar_for_each(tmp_path: Path) -> None:
    draw(LINES, tmp_path / "chart.svg")
    text = (tmp_path / "chart.svg").read_text()
    assert text.count("<rect") == 3 and ">0.30<" in text and ">3.00<" in text


@pytest.mark.slow
def test_a_second_of_load_on_ours_and_on_the_floor(tmp_path: Path) -> None:
    if not Path("/proc/self/smaps_rollup").exists():
        pytest.skip("no /proc here")
    words = [sys.executable, str(ROOT / "benchmarks" / "serving" / "run.py"), "--peers", "ours",
             "hello", "--cases", "forest-iris", "--rounds", "1", "--seconds", "1", "--workers", "1",
             "--cache", str(tmp_path)]
    out = run_in(ROOT, words).stdout
    assert "| ours | 1.00 |" in out and "| hello |" in out
    results = next(tmp_path.glob("code-*/results.jsonl"))
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    assert [(line["peer"], line["rows"]) for line in lines] == [
        ("ours", 1), ("ours", 1000), ("hello", 1), ("hello", 1000)]
    assert all(line["processor_ms"] > 0 and not line["failed"] for line in lines)
    assert "1/2" not in run_in(ROOT, words).stderr
