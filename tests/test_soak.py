"""Two minutes of the soak; `scripts/soak` goes on for months."""

from __future__ import annotations

import os

import pytest

from soak_runs import Soak
from tap_emaillogs.providers import PROVIDERS


@pytest.mark.thorough
@pytest.mark.timeout(900)
def test_days_of_mail_with_all_that_happens_in_them() -> None:
    figures = Soak(4, int(os.environ.get("TAP_EMAILLOGS_DICE", "7"))).play()
    assert figures.runs > 250
    assert figures.struck
    assert figures.failed
    assert figures.cut
    assert {stream.split("_")[0] for stream in figures.rows} >= {provider.name for provider in PROVIDERS}
