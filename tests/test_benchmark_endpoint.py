"""The fuzzing of the endpoint, a small one: from its own OpenAPI, and by hand."""

import re
import sys
from pathlib import Path

import pytest
from conftest import ROOT, run_in


@pytest.mark.slow
def test_a_few_requests_of_each_kind_find_no_fault() -> None:
    pytest.importorskip("schemathesis")
    if not Path("/proc/self/smaps_rollup").exists():
        pytest.skip("no /proc here")
    words = [sys.executable, str(ROOT / "benchmarks" / "endpoint" / "fuzz.py"), "--requests", "100"]
    out = run_in(ROOT, words).stdout
    assert re.search(r"schemathesis: [\d,]+ requests", out) and "hostile cases: 1" in out
    assert out.endswith("\n0 faults\n")
