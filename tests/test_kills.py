"""A small version of benchmarks/kills.py: killed at random moments, nothing is torn."""

from pathlib import Path

import pytest

from benchmarks.kills import SIGNALS, STAGES, Campaign


@pytest.mark.slow
def test_stages_killed_at_random_moments_leave_the_old_state_or_the_new_one(
        tmp_path: Path) -> None:
    campaign = Campaign(tmp_path / "my prøject", seed=1)
    torn = [each for stage in STAGES for number in SIGNALS
            for each in campaign.kill(stage, number, times=3)]
    assert torn + campaign.leftovers() == []
