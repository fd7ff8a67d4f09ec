"""A warning before the vendor forgets what is to be read next, with a schedule that is safe."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from general import config_of, stream_of
from harness import Ticking, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from outcome import Run
    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]


def told(found: Run) -> list[str]:
    return [line for line in found.lines("WARNING") if "events would have been lost" in line]


@pytest.mark.parametrize(
    ("name", "pause", "safe"),
    [
        ("infobip", timedelta(hours=37), "every 2 hours"),
        ("smtp2go", timedelta(days=23), "every 7.5 days"),
        ("zeptomail", timedelta(days=46), "every 15 days"),
    ],
)
def test_a_bookmark_in_the_last_quarter_of_the_history(play: Play, name: str, pause: timedelta, safe: str) -> None:
    clock = Ticking()
    box = play(vendors=[name], size=8, now=clock.now, future=timedelta(days=60))
    config = config_of(box, name, requests_per_minute=0)
    first = run(config, clock=clock)
    assert not told(first)
    clock.pass_time(seconds=pause.total_seconds())
    late = run(config, clock=clock, state=first.state)
    warnings = [line for line in told(late) if f"stream {stream_of(name)}:" in line]
    assert len(warnings) == 1, late.stderr
    assert f"{name}, account default" in warnings[0]
    assert safe in warnings[0]
    clock.pass_time(hours=1)
    assert not told(run(config, clock=clock, state=late.state)), "once it has caught up"


@pytest.mark.parametrize(
    ("hours", "settings"),
    [(35, {}), (60, {}), (37, {"end_date": "2026-03-20T00:00:00Z"}), (37, {"history_days": None})],
    ids=["three quarters", "past the history: a gap", "a backfill", "more history"],
)
def test_where_nothing_is_about_to_be_lost(play: Play, hours: float, settings: dict[str, Any]) -> None:
    clock = Ticking()
    vendor = "jetemail" if "history_days" in settings else "infobip"
    box = play(vendors=[vendor], size=8, now=clock.now)
    config = config_of(box, vendor, top={k: v for k, v in settings.items() if v}, requests_per_minute=0)
    first = run(config, clock=clock)
    clock.pass_time(hours=hours)
    assert not told(run(config, clock=clock, state=first.state))
    assert not told(first)
