"""An export is compared with its question: the dates that the vendor repeats, and those of the rows."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from general import NOW, config_of
from harness import Ticking, catalog, run
from outcome import upserted
from tap_emaillogs.providers.zeptomail import answers
from tap_emaillogs.providers.zeptomail.dateform import DEFAULT
from tap_emaillogs.streams.window import Window
from zeptomail_runs import NAME, change, player, read, warnings

if TYPE_CHECKING:
    from zeptomail_runs import Play

pytestmark = pytest.mark.thorough

LOGS, EMAILS, SUPPRESSED = "zeptomail_mail_logs", "zeptomail_emails", "zeptomail_suppression_list"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONTHS = -150 * 24 * 60


@pytest.fixture
def zepto(play: Play) -> Play:
    return player(play)


# Another answer than was asked for.


@pytest.mark.parametrize("stream", [LOGS, "zeptomail_activity_logs", SUPPRESSED])
@pytest.mark.parametrize("echo", ["page", "numeric", "offset"])
def test_a_job_that_echoes_other_dates_is_no_answer(zepto: Play, stream: str, echo: str) -> None:
    box = zepto(misread_minutes=MONTHS, echo=echo, history_days=400, span_days=300, size=3000)
    found = read(box, stream, start_date=(NOW - 8 * HOUR).isoformat())
    assert found.status == 1
    assert not found.records[stream]
    assert [row["status"] for row in found.ledger] == ["failed"]
    (error,) = found.lines("ERROR")
    assert "exported other dates than asked for" in error
    assert "export_date_format" in error
    assert "timezone" in error
    assert all(job.deleted for job in box.vendor(NAME).jobs())
    assert "notes" not in json.dumps(found.state)
    change(box, misread_minutes=0)
    again = read(box, stream, state=found.state, start_date=(NOW - 8 * HOUR).isoformat())
    assert again.status == 0
    assert [row["status"] for row in again.ledger] == ["complete"]


@pytest.mark.parametrize("echo", ["none", "odd"])
@pytest.mark.parametrize("days", [-15, -1, 0.25, 1.5])
def test_rows_of_other_days_are_no_answer(zepto: Play, echo: str, days: float) -> None:
    box = zepto(misread_minutes=days * 24 * 60, echo=echo, span_days=40, size=12_000)
    start = NOW - 20 * DAY
    given = {"start_date": start.isoformat(), "window_hours": 1}
    end = {"end_date": (start + HOUR).isoformat()}
    config = {**config_of(box, NAME, **given), **end}
    found = run(config, catalog=catalog(config, [LOGS, "sync_windows"]), box=box)
    assert found.status == 1
    assert not found.records[LOGS]
    assert "the file holds other dates than asked for" in found.stderr
    assert "export_date_format" in found.stderr
    change(box, misread_minutes=0)
    again = run(config, catalog=catalog(config, [LOGS, "sync_windows"]), box=box)
    assert [row["status"] for row in again.ledger] == ["complete"]


@pytest.mark.parametrize("echo", ["page", "none"])
def test_a_vendor_that_ignores_the_dates_is_found_out(zepto: Play, echo: str) -> None:
    box = zepto(ignore_dates=True, echo=echo, size=400)
    found = read(box, start_date=(NOW - 9 * DAY).isoformat())
    assert found.status == 1
    assert not found.records[LOGS]
    assert "other dates than asked for" in found.stderr


def test_an_entry_may_be_placed_by_a_date_that_its_file_does_not_show(zepto: Play) -> None:
    """Suppressions change, and which of their dates the vendor goes by is unknown: its own word counts."""
    box = zepto(ignore_dates=True, size=400)
    found = read(box, SUPPRESSED, start_date=(NOW - 9 * DAY).isoformat())
    assert found.status == 0, found.stderr
    assert len(upserted(found, SUPPRESSED)) == box.truth()["streams"][SUPPRESSED]
    assert warnings(found, "carry no date that was asked for")
    change(box, echo="none")
    assert read(box, SUPPRESSED, start_date=(NOW - 9 * DAY).isoformat()).status == 1


def test_a_week_that_is_moved_by_some_days_is_found_out_by_its_edge(zepto: Play) -> None:
    box = zepto(misread_minutes=-3 * 24 * 60, echo="none", size=1000)
    found = read(box, start_date=(NOW - 7 * DAY).isoformat())
    assert found.status == 1
    assert "other dates than asked for" in found.stderr


@pytest.mark.parametrize("echo", ["page", "numeric", "us", "offset", "day", "odd", "none"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_a_right_answer_is_taken_however_it_is_echoed(zepto: Play, echo: str, zone: str) -> None:
    box = zepto(echo=echo, timezone=zone, span_days=20)
    found = read(box, window_hours=100)
    assert found.status == 0, found.stderr
    assert len(upserted(found, LOGS)) == len(found.records[LOGS]) == 120
    assert not found.lines("WARNING")


@pytest.mark.parametrize("dates", ["page", "iso", "numeric", "none"])
def test_dates_of_any_form_prove_nothing_wrong(zepto: Play, dates: str) -> None:
    box = zepto(file_dates=dates, timezone="America/New_York")
    found = read(box, LOGS, "zeptomail_activity_logs", SUPPRESSED)
    assert found.status == 0, found.stderr
    assert len(upserted(found, LOGS)) == 120
    assert {record["event_at"] is None for record in found.records[LOGS]} == {dates == "none"}


def test_files_in_another_zone_than_requests(zepto: Play) -> None:
    """A week's edges show it; nothing is lost, and that is said. An hour holds nothing that was asked for."""
    box = zepto(size=2000, timezone="Asia/Kolkata", file_timezone="UTC", echo="page")
    found = read(box)
    assert found.status == 0, found.stderr
    assert len(upserted(found, LOGS)) == 2000
    assert warnings(found, "carry no date that was asked for")
    short = read(box, window_hours=1, start_date=(NOW - 5 * HOUR).isoformat())
    assert short.status == 1
    assert "timezone" in short.stderr


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
def test_a_wrong_zone_is_seen_by_the_vendors_own_clock(zepto: Play, zone: str) -> None:
    box = zepto(timezone=zone, now=Ticking().now)
    clock = Ticking()
    right = read(box, clock=clock)
    assert not right.lines("WARNING")
    wrong = read(box, clock=clock, timezone="UTC")
    hours = "+5.5" if zone == "Asia/Kolkata" else "-5"
    (warning,) = warnings(wrong, "setting timezone")
    assert f"{hours} hours from now" in warning
    change(box, echo="offset")
    found = read(box, clock=clock, timezone="UTC")
    assert found.status == 1
    assert "timezone" in found.stderr


# The rule, row by row.


def question(
    start: datetime = NOW, length: timedelta = HOUR, zone: str = "UTC", form: str = DEFAULT
) -> answers.Question:
    return answers.Question.of(Window(start, start + length), ZoneInfo(zone), form)


def check(*dates: str, agreed: bool | None = None, **asked: Any) -> bool:
    found = answers.RowDates(question(**asked))
    for text in dates:
        found.add([text])
    return not found.are_wrong(agreed)


def at(shift: timedelta) -> str:
    return f"{NOW + shift:%d %b %Y %I:%M %p}"


@pytest.mark.parametrize("agreed", [None, True])
def test_one_odd_row_fails_no_window_of_many(agreed: bool | None) -> None:
    odd, fine = "01 Jan 1970 12:00 AM", at(timedelta(minutes=5))
    assert check(fine, fine, odd, agreed=agreed)
    assert check(*[fine] * 500, odd, odd, agreed=agreed)
    assert not check(*[fine] * 50, odd, odd, agreed=agreed)
    assert not check(odd, odd, fine, agreed=agreed)
    assert check(odd, agreed=agreed) is (agreed is True), "alone it proves as much as the vendor's word does"


def test_rows_that_prove_nothing() -> None:
    assert check()
    assert check("yesterday", "", "n/a")
    assert check(at(timedelta()), at(HOUR)), "both edges"
    assert check(at(-timedelta(minutes=14)), at(HOUR + timedelta(minutes=14))), "placed by another of their dates"
    assert check("01 Mar 2026"), "a day that the window is part of"
    assert check("03/01/2026 12:10 PM"), "the month may come first"
    assert not check(at(-5 * HOUR), at(-4 * HOUR))


def test_any_date_of_a_row_may_be_what_the_vendor_goes_by() -> None:
    found = answers.RowDates(question())
    found.add([at(-30 * DAY), at(timedelta(minutes=3))])
    assert (found.dated, found.outside) == (1, 0)


@pytest.mark.parametrize(
    ("echo", "agrees"),
    [
        (("01 Mar 2026 12:00 PM", "01 Mar 2026 01:00 PM"), True),
        (("01/03/2026, 12:00 PM", "01/03/2026, 01:00 PM"), True),
        (("03/01/2026 12:00", "03/01/2026 13:00"), True),
        (("2026-03-01T13:00:00+01:00", "2026-03-01T14:00:00+01:00"), True),
        (("01 Mar 2026 12:00 PM", "01 Mar 2026 12:59 PM"), True),
        (("01 Mar 2026", "01 Mar 2026"), True),
        (("01 Mar 2026 12:00 AM", "02 Mar 2026 12:00 AM"), True),
        (("01 Mar 2026 12:00 PM", ""), True),
        (("", ""), None),
        (("the first of March", "the same day"), None),
        (("19 Feb 2025 10:00 AM", "19 Jul 2025 10:00 AM"), False),
        (("01 Jan 2026 12:00 AM", "01 Mar 2026 01:00 PM"), False),
        (("01 Mar 2026 12:20 PM", "01 Mar 2026 01:00 PM"), False),
        (("01 Mar 2026 12:00 PM", "01 Mar 2026 12:30 PM"), False),
        (("01 Mar 2026 12:00 AM", "01 Mar 2026 01:00 AM"), False),
        (("2026-03-01T12:00:00+05:30", "2026-03-01T13:00:00+05:30"), False),
        (("02 Mar 2026", "02 Mar 2026"), False),
    ],
)
def test_echoes(echo: tuple[str, str], agrees: bool | None) -> None:
    names = ("date_from", "date_to")
    assert question().agrees(dict(zip(names, echo, strict=True))) is agrees
    as_text = json.dumps(dict(zip(("dateFrom", "dateTo"), echo, strict=True)))
    assert question().agrees(answers.search_query(as_text)) is agrees


@pytest.mark.parametrize("value", [None, "", "all", [], {}, {"date_from": None}, {"date_from": {"x": 1}}, 7])
def test_an_echo_of_no_known_shape_proves_nothing(value: Any) -> None:
    assert question().agrees(answers.search_query(value)) is None
