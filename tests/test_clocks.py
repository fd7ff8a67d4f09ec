"""A clock that is off: nothing is passed over that the vendor has yet to show, and the user is told once."""

from __future__ import annotations

import io
import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from general import LEDGER, NOW, facts, general
from harness import Ticking, main_streams, run
from outcome import assert_rows, assert_tiles, window
from sandbox.base.world import Life
from tap_emaillogs.formats.timestamps import parse
from tap_emaillogs.http.vendor_clock import VendorClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from outcome import Run
    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

MINUTES = timedelta(minutes=1)


class Off(Ticking):
    """A clock that goes with another one, but is off."""

    def __init__(self, right: Ticking, off: timedelta) -> None:
        super().__init__()
        self._right, self._off = right, off

    def now(self) -> datetime:
        return self._right.now() + self._off

    def monotonic(self) -> float:
        return self._right.monotonic()

    def wait(self, seconds: float) -> None:
        self._right.wait(seconds)


def runs_beside(
    play: Callable[..., Sandbox], vendor: str, off: timedelta, *, every: float = 61, dated: bool = True
) -> tuple[Sandbox, list[Run], Ticking]:
    """Run four times with a clock that is off, and once more, long after, with one that is right."""
    clock = Ticking()
    box = play(size=0, now=clock.now, live=True, vendors=[vendor], dated=dated, options={vendor: facts(vendor).options})
    box.live(vendor, [Life(NOW + number * MINUTES - 60 * MINUTES) for number in range(60 + int(5 * every))])
    config = general(box, vendor, lookback_minutes=0, revisit_minutes=[], start_date="2026-03-01T10:00:00Z")
    config["start_date"] = "2026-03-01T10:00:00Z"
    found: list[Run] = []
    for number in range(5):
        own = Off(clock, off if number < 4 else timedelta())
        state = found[-1].state if found else None
        found.append(run(config, state=state, catalog=main_streams(config, vendor), clock=own, box=box))
        assert found[-1].status == 0, found[-1].stderr
        clock.pass_time(minutes=every if number < 3 else 3 * every)
    return box, found, clock


@pytest.mark.parametrize("off", [600, 3600, 45, 3])
def test_a_clock_that_is_ahead_loses_nothing_without_lookback(
    play: Callable[..., Sandbox], vendor: str, off: int
) -> None:
    box, runs, _ = runs_beside(play, vendor, timedelta(seconds=off))
    assert_rows(box, runs, vendor)
    rows = {row["window_id"]: row for found in runs for row in found.records[LEDGER]}
    last = max(window(row).end for row in rows.values())
    assert_tiles(rows.values(), datetime(2026, 3, 1, 10, tzinfo=UTC), last)
    assert {row["status"] for row in rows.values()} <= {"complete"}
    for found in runs:
        assert {row["window_end"] for row in found.records[LEDGER]} >= {
            found.bookmark(facts(vendor).stream, account="default")
        } or not found.records[LEDGER]
        warned = [line for line in found.lines("WARNING") if "clock" in line]
        assert len(warned) == (off > 60 and found is not runs[-1])
        for line in warned:
            assert f"{vendor}, account default: this machine's clock is" in line
            assert "ahead of the vendor's" in line
            assert "NTP" in line


def test_no_bookmark_passes_the_vendors_now_less_settle(play: Callable[..., Sandbox], vendor: str) -> None:
    _, runs, _ = runs_beside(play, vendor, timedelta(minutes=10))
    for number, found in enumerate(runs[:4]):
        bookmark = found.bookmark(facts(vendor).stream, account="default")
        if bookmark is not None:
            waited = timedelta(hours=2)  # jobs are waited for; a run takes time
            assert parse(bookmark) <= NOW + number * (61 * MINUTES + waited) + waited - facts(vendor).settle


def test_without_a_date_the_clock_here_counts(play: Callable[..., Sandbox]) -> None:
    _, runs, _ = runs_beside(play, "smtp2go", timedelta(minutes=10), dated=False)
    assert not [line for found in runs for line in found.lines("WARNING") if "clock" in line]
    assert parse(runs[0].bookmark("smtp2go_activity") or "") == NOW + 5 * MINUTES


@pytest.mark.parametrize(("off", "words"), [(-600, "10 minutes behind"), (-40 * 86400, "40 days behind")])
def test_a_clock_that_is_behind_is_told_of_and_loses_nothing(
    play: Callable[..., Sandbox], off: int, words: str
) -> None:
    config_start = timedelta(seconds=off)
    clock = Ticking()
    box = play(size=50, now=clock.now, live=True, vendors=["smtp2go"], dated=True)
    config = general(box, "smtp2go")
    found = run(config, catalog=main_streams(config, "smtp2go"), clock=Off(clock, config_start), box=box)
    assert found.status == 0
    (line,) = [line for line in found.lines("WARNING") if "clock" in line]
    assert words in line
    again = run(config, state=found.state, catalog=main_streams(config, "smtp2go"), clock=clock, box=box)
    assert again.status == 0
    late = run(config, state=again.state, catalog=main_streams(config, "smtp2go"), clock=Off(clock, 60 * MINUTES))
    assert_rows(box, [found, again, late], "smtp2go")


# What a Date may be.


def compared(headers: dict[str, str], *, now: datetime = NOW, took: float = 0) -> tuple[timedelta, str]:
    text = io.StringIO()
    logger = logging.getLogger("test-clocks")
    logger.handlers, logger.propagate = [logging.StreamHandler(text)], False
    clock = VendorClock(logger, "smtp2go, account default")
    for _ in range(3):
        clock.note(now, now + timedelta(seconds=took), headers)
    assert text.getvalue().count("\n") <= 1, "once"
    return clock.ahead, text.getvalue()


def date(shift: float) -> str:
    return format_datetime(NOW + timedelta(seconds=shift), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "ahead", "words"),
    [
        ({}, 0, ""),
        ({"Date": date(0)}, 0, ""),
        ({"Date": date(-1)}, 0, ""),
        ({"Date": date(-30)}, 30, ""),
        ({"Date": date(-600)}, 600, "10 minutes ahead of the vendor's"),
        ({"Date": date(-7200)}, 7200, "2 hours ahead of the vendor's"),
        ({"Date": date(-600), "Age": "590"}, 10, ""),
        ({"Date": date(-600), "Age": "-5"}, 600, "ahead"),
        ({"Date": date(-600), "Age": "9" * 400}, 600, "ahead"),
        ({"Date": date(3600)}, 0, "60 minutes behind the vendor's"),
        ({"Date": date(-90_000)}, 0, "25 hours ahead of the vendor's (Date of its answers): that much is not believed"),
        ({"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0, "not believed"),
        ({"Date": "Fri, 31 Dec 9999 23:59:59 GMT"}, 0, "not believed"),
        ({"Date": "Fri, 31 Dec 9999 23:59:59 -2359", "Age": "99999999"}, 0, ""),
        *(({"Date": text}, 0, "") for text in ("", "0", "-1", "yesterday", "\x1b[2J", "1" * 5000, "Sun, 99 Mar 2026")),
    ],
)
def test_a_date_is_compared_within_reason(headers: dict[str, str], ahead: float, words: str) -> None:
    found, said = compared(headers)
    assert found == timedelta(seconds=ahead)
    assert words in said
    assert bool(words) == bool(said)


def test_an_answer_that_took_long_is_no_clock_that_is_off() -> None:
    assert compared({"Date": date(300)}, took=300) == (timedelta(), "")
    assert compared({"Date": date(0)}, took=300) == (timedelta(), "")


@given(st.dictionaries(st.sampled_from(["Date", "Age"]), st.text(max_size=40)))
def test_any_date_is_harmless(headers: dict[str, Any]) -> None:
    found, _ = compared(headers)
    assert timedelta() <= found <= timedelta(days=1)
