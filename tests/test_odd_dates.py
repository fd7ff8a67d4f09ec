"""Dates at the ends of the calendar, and spans as long as it: they simply work, in the run after, too."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from general import NOW, beginning, config_of
from harness import Ticking, run
from outcome import assert_rows, uncovered
from tap_emaillogs.engine.windows import needs_a_step, tile_in_steps
from tap_emaillogs.formats.timestamps import EPOCH
from tap_emaillogs.streams.window import Policy, Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

pytestmark = pytest.mark.thorough

TOP = [
    {"end_date": "9999-12-31T23:59:59.999Z"},
    {"end_date": "9999-12-31"},
    {"start_date": "0001-01-01"},
    {"start_date": "0001-01-01", "end_date": "9999-12-31"},
    {"start_date": "1969-12-31T23:00:00-12:00"},
    {"start_date": "2016-12-31T23:59:60Z"},
    {"start_date": "2026-01-25T02:30:00+01:00"},
]
OWN = [
    {"history_days": 36_500},
    {"lookback_minutes": 52_560_000},
    {"lookback_minutes": 1e-9},
    {"revisit_minutes": [52_560_000]},
    {"revisit_minutes": [1e-9, 1e-6]},
    {"settle_minutes": 1e-9},
    {"window_hours": 876_000},
]


@pytest.mark.parametrize("vendor", ["smtp2go", "jetemail", "infobip"])
@pytest.mark.parametrize("given", [*TOP, *OWN], ids=str)
def test_the_ends_of_the_calendar(play: Play, vendor: str, given: dict[str, Any]) -> None:
    clock = Ticking()
    box = play(vendors=[vendor], size=15, now=clock.now)
    top, own = (given, {}) if given in TOP else ({}, given)
    config = config_of(box, vendor, top=top, requests_per_minute=0, **own)
    runs = [run(config, clock=clock)]
    clock.pass_time(hours=1)
    runs.append(run(config, clock=clock, state=runs[-1].state))
    assert [one.status for one in runs] == [0, 0], runs[-1].stderr
    if vendor != "infobip":  # whose sandbox has rows older than its history
        assert_rows(box, runs, vendor)


@pytest.mark.parametrize("vendor", ["smtp2go", "jetemail"])
def test_an_end_before_e_mail_was_reads_nothing(play: Play, vendor: str) -> None:
    box = play(vendors=[vendor], size=5)
    config = config_of(box, vendor, top={"start_date": "0001-01-01", "end_date": "0001-01-02"})
    first = run(config, box=box)
    again = run(config, box=box, state=first.state)
    assert (first.status, again.status) == (0, 0)
    assert not [*first.requests, *again.requests]


def test_tiny_windows_are_read_one_after_another(play: Play) -> None:
    box = play(vendors=["smtp2go"], size=5)
    start = NOW - timedelta(minutes=5, seconds=40)
    config = config_of(box, "smtp2go", top={"start_date": start.isoformat()}, window_hours=1e-9, requests_per_minute=0)
    found = run(config, box=box)
    assert found.status == 0
    assert len(found.ledger) == 40, "of a second each, the vendor's resolution"
    assert beginning("smtp2go") < start


def test_a_plan_of_billions_of_windows_is_made_step_by_step() -> None:
    second = timedelta(seconds=1)
    policy = Policy(unit=second, largest=second, history=None, lookback=second, revisits=(), settle=second)
    window, steps = Window(EPOCH, NOW), 0
    while needs_a_step(window, policy):
        parts = tile_in_steps(window, policy)
        assert 1 < len(parts) <= 4096
        assert (parts[0].start, parts[-1].end) == (window.start, window.end)
        window, steps = parts[0], steps + 1
    assert window.length <= 2 * second
    assert steps == 3


def test_a_long_stretch_of_short_windows_is_read_whole(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_emaillogs.engine.windows._MOST_TILES", 5)
    box = play(vendors=["smtp2go"], size=40)
    found = run(config_of(box, "smtp2go", window_hours=7, requests_per_minute=0), box=box)
    assert_rows(box, found, "smtp2go")
    assert not uncovered(found.ledger, beginning("smtp2go"), NOW - timedelta(minutes=5))
    assert len(found.ledger) > 100
