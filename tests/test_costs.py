"""A day costs as many requests as the vendors' pages say: five days of runs every six hours, the last one counts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from general import config_of
from harness import Ticking, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

DOCS = Path(__file__).resolve().parent.parent / "docs" / "providers"
MAILS = 1_000
EVERY = timedelta(hours=6)
DAYS = 5


def documented(vendor: str) -> int:
    """Return what the page says for `MAILS` a day and a run `EVERY` six hours."""
    text = (DOCS / f"{vendor}.md").read_text("utf-8")
    assert "| rows a day | every hour | every 6 hours | once a day |" in text
    found = re.search(rf"^\| {MAILS:,} \| [\d,]+ \| ([\d,]+) \|", text, re.MULTILINE)
    assert found, vendor
    return int(found[1].replace(",", ""))


def test_a_day_costs_what_the_page_says(play: Callable[..., Sandbox], vendor: str) -> None:
    clock = Ticking(datetime(2026, 3, 1, 0, 7, tzinfo=UTC))
    start = clock.now()
    span: dict[str, Any] = {"span_hours": 24} if vendor == "infobip" else {"span_days": 1}
    future = timedelta(days=DAYS + 1)
    box = play(size=MAILS, now=clock.now, live=True, vendors=[vendor], options={vendor: span}, future=future)
    config, state, seen = config_of(box, vendor), None, 0
    config[vendor].pop("poll_seconds", None)
    for number in range(DAYS * 4):
        if number == (DAYS - 1) * 4:
            seen = len(box.requests)
        found = run(config, state=state, clock=clock, box=box, checked=False)
        assert found.status == 0, found.stderr
        state = found.state
        clock.pass_time(seconds=max(0.0, (start + (number + 1) * EVERY - clock.now()).total_seconds()))
    assert len(box.requests) - seen == pytest.approx(documented(vendor), rel=0.2, abs=2)
