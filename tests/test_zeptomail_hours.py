"""Forms of dates that tell no minutes, in zones beside the hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from general import NOW
from harness import Ticking
from outcome import upserted
from zeptomail_runs import NAME, player, read

if TYPE_CHECKING:
    from zeptomail_runs import Play

pytestmark = pytest.mark.thorough

LOGS, EMAILS, SUPPRESSED = "zeptomail_mail_logs", "zeptomail_emails", "zeptomail_suppression_list"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONTHS = -150 * 24 * 60


@pytest.fixture
def zepto(play: Play) -> Play:
    return player(play)


@pytest.mark.parametrize("served", ["hour", "tight"])
@pytest.mark.parametrize(
    ("zone", "now"),
    [
        ("Asia/Kolkata", NOW),
        ("Asia/Kathmandu", NOW),
        ("Australia/Lord_Howe", NOW),
        ("Australia/Lord_Howe", datetime(2026, 4, 5, 12, tzinfo=UTC)),  # clocks were set back by half an hour
        ("Australia/Lord_Howe", datetime(2025, 10, 5, 12, tzinfo=UTC)),  # forth
        ("Europe/Berlin", datetime(2025, 10, 26, 12, tzinfo=UTC)),
        ("UTC", NOW),
    ],
)
@pytest.mark.parametrize("inclusive", [False, True])
def test_hours_in_a_zone_beside_the_hour(zepto: Play, served: str, zone: str, now: datetime, inclusive: bool) -> None:
    box = zepto(
        *(540,),
        now=now,
        timezone=zone,
        date_format=served,
        date_to_inclusive=inclusive,
        span_days=0.5,
        quiet_minutes=120,
    )
    form = "19/02/2025;10 AM" if served == "hour" else "19/07/2025;10AM"
    given = {"export_date_format": form, "window_hours": 1, "start_date": (now - 9 * HOUR).isoformat()}
    found = read(box, clock=Ticking(now), **given)
    assert found.status == 0, found.stderr
    book = next(iter(box.vendor(NAME).logs.values()))
    start = int((now - 9 * HOUR).timestamp() * 1000)
    want = {cells[1] for cells in book.table("mail-logs", start)}
    have = [record["email_reference"] for record in found.records[LOGS]]
    assert len(want) > 200
    assert set(have) == want
    assert len(have) == len(want) == sum(row["records"] for row in found.ledger), "no row of another window"
    assert {row["status"] for row in found.ledger} == {"complete"}
    assert not found.lines("WARNING")


def test_hours_and_a_file_in_another_zone(zepto: Play) -> None:
    """Where a file's dates are evidently not those asked by, none of its rows is left out for its date."""
    box = zepto(size=540, timezone="Asia/Kolkata", file_timezone="Asia/Tokyo", date_format="hour", quiet_minutes=120)
    found = read(box, export_date_format="19/02/2025;10 AM", window_hours=24)
    assert found.status == 0, found.stderr
    assert len(upserted(found, LOGS)) == 540


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Australia/Lord_Howe"])
def test_rows_without_a_date_are_kept_by_their_keys(zepto: Play, zone: str) -> None:
    box = zepto(size=540, timezone=zone, date_format="hour", file_dates="none", span_days=0.5, quiet_minutes=120)
    given = {"export_date_format": "19/02/2025;10 AM", "window_hours": 1, "start_date": (NOW - 13 * HOUR).isoformat()}
    found = read(box, **given)
    assert found.status == 0, found.stderr
    assert len(upserted(found, LOGS)) == 540


def test_emails_are_asked_for_outward_too(zepto: Play) -> None:
    box = zepto(size=540, timezone="Asia/Kathmandu", email_date_format="hour", span_days=0.5, quiet_minutes=120)
    given = {"export_date_format": "19/02/2025;10 AM", "window_hours": 1, "start_date": (NOW - 13 * HOUR).isoformat()}
    found = read(box, EMAILS, **given)
    assert found.status == 0, found.stderr
    assert len(upserted(found, EMAILS)) == 540
