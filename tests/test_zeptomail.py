"""ZeptoMail: what the tap reads of the sandbox, asked as strictly as the vendor's pages are."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from general import NOW
from harness import Ticking, catalog, command, run
from outcome import upserted
from tap_emaillogs.formats import dates
from tap_emaillogs.http.clock import Clock
from zeptomail_runs import EXPORTS, NAME, asked, assert_all_rows, player, settings, tokens

if TYPE_CHECKING:
    from zeptomail_runs import Play

pytestmark = pytest.mark.thorough


@pytest.fixture
def zepto(play: Play) -> Play:
    return player(play)


def test_all_three_exports_are_read_and_cleaned_up(zepto: Play) -> None:
    box = zepto()
    found = run(settings(box), box=box)
    assert found.status == 0, found.stderr
    assert_all_rows(box, found)
    assert tokens(box) == 1
    jobs = box.vendor(NAME).jobs()
    assert all(job.deleted for job in jobs)
    assert all(job.password.startswith("Tap-") for job in jobs)
    assert len({job.password for job in jobs}) == len(jobs)
    assert not any(job.password in found.stderr + json.dumps(found.state) for job in jobs)
    assert "notes" not in json.dumps(found.state), "nothing lives at the vendor any more"
    times = [record["event_at"] for record in found.records["zeptomail_mail_logs"]]
    assert all(one and one.endswith(":00Z") for one in times)


def test_the_three_logs_run_side_by_side(zepto: Play) -> None:
    box = zepto(size=40, polls=1, job_seconds=1.5, now=None)
    start = datetime.now(UTC) - timedelta(days=20)
    found = run(settings(box, poll_seconds=0.2, start_date=start.isoformat()), box=box, clock=Clock())
    posts = [place for place, one in enumerate(found.requests) if one.method == "POST" and "exports" in one.path]
    downloads = [place for place, one in enumerate(found.requests) if one.path.endswith("/download")]
    assert max(posts) < min(downloads), "every job was asked for before the first was fetched"
    lists = asked(found, "GET", "mail-logs/exports")
    assert len([one for one in lists if not one.path.endswith("download")]) <= 12, "windows share their looks"


def test_events_are_those_of_the_mail_logs(zepto: Play) -> None:
    box = zepto()
    found = run(settings(box), catalog=catalog(settings(box), ["email_events"]), box=box)
    truth = box.truth()["email_events"]
    assert Counter(event["event_type"] for event in found.records["email_events"]) == truth
    assert len(upserted(found, "email_events")) == sum(truth.values())
    assert not asked(found, "POST", "activity-logs"), "only the mail logs feed it"
    for event in found.records["email_events"]:
        assert (event["bounce_class"] is not None) == (event["event_type"] == "bounced")
        assert event["event_at"]


def test_a_second_run_comes_too_soon(zepto: Play) -> None:
    clock = Ticking()
    box = zepto(now=clock.now)
    first = run(settings(box), box=box, clock=clock)
    clock.pass_time(minutes=59)
    soon = run(settings(box), state=first.state, box=box, clock=clock)
    assert (soon.status, soon.requests, soon.records) == (0, [], {})
    clock.pass_time(minutes=3)
    later = run(settings(box), state=first.state, box=box, clock=clock)
    assert len(asked(later, "POST", "exports")) == 3
    assert {one["window_start"] for one in later.ledger} == {"2026-03-01T11:45:00.000Z"}
    eager = run(settings(box, export_interval_minutes=0), state=first.state, box=box, clock=clock)
    assert asked(eager, "POST", "exports")


def test_what_changed_is_seen_again_after_a_day(zepto: Play) -> None:
    clock = Ticking()
    box = zepto(now=clock.now)
    first = run(settings(box), box=box, clock=clock)
    box.late(NAME, count=3, minutes_ago=300)
    clock.pass_time(days=1, hours=8)
    second = run(settings(box), state=first.state, box=box, clock=clock)
    assert_all_rows(box, [first, second])
    revisits = [one for one in second.windows("zeptomail_mail_logs") if one["window_end"] < "2026-03-01T12"]
    assert revisits
    for stream in EXPORTS[1:]:
        begins = {one["window_start"] for one in second.windows(stream)}
        assert begins, "once, when a day old"
        assert min(begins) < "2026-03-01T11:45" < max(one["window_end"] for one in second.windows(stream))


def test_two_accounts_of_one_client(zepto: Play) -> None:
    box = zepto(size=30, accounts={"1000.one-refresh": {"label": "one"}, "1000.two-refresh": {"label": "two"}})
    found = run(settings(box, start_date=(NOW - timedelta(days=29)).isoformat()), box=box)
    assert found.status == 0, found.stderr
    counts = Counter(one["account"] for one in found.records["zeptomail_mail_logs"])
    assert counts == {"one": 30, "two": 30}
    assert box.vendor(NAME).tokens.issued == {"1000.one-refresh": 1, "1000.two-refresh": 1}


# Requests.


def test_filters(zepto: Play) -> None:
    box = zepto()
    filters = {"is_delivered": True, "from": "billing@shop.example"}
    found = run(
        settings(
            box,
            mail_logs=filters,
            activity_logs={"entity": "Agent"},
            suppression_list={"dndType": "domain"},
            mailagent_key="1bc8a7c7c719f435",
        ),
        box=box,
    )
    assert found.status == 0, found.stderr
    rows = found.records["zeptomail_mail_logs"]
    assert rows
    assert {(one["status"], one["from"]) for one in rows} == {("delivered", "billing@shop.example")}
    assert {one["entity"] for one in found.records["zeptomail_activity_logs"]} == {"Agent"}
    assert len(found.records["zeptomail_suppression_list"]) > 0
    ledger = {one["stream"]: json.loads(one["filter"]) for one in found.ledger}
    assert ledger["zeptomail_mail_logs"] == {**filters, "mailagent_key": "1bc8a7c7c719f435"}
    assert ledger["zeptomail_suppression_list"] == {"dndType": "domain"}


@pytest.mark.parametrize(
    ("served", "form"),
    [
        ("comma", "19/02/2025, 01:00 AM"),
        ("comma", "%d/%m/%Y, %I:%M %p"),
        ("semicolon", "DD/MM/YYYY;hh:mm AM/PM"),
        ("hour", "19/02/2025;10 AM"),
        ("hour", "%d/%m/%Y;%I %p"),
        ("tight", "19/07/2025;10AM"),
        ("tight", "DD/MM/YYYY;hhAM/PM"),
    ],
)
def test_date_forms(zepto: Play, served: str, form: str) -> None:
    box = zepto(size=40, date_format=served, quiet_minutes=120)
    found = run(settings(box, export_date_format=form), box=box)
    assert found.status == 0, found.stderr
    assert_all_rows(box, found)


@pytest.mark.parametrize("inclusive", [True, False])
def test_times_are_local_even_where_an_hour_comes_twice(zepto: Play, inclusive: bool) -> None:
    now = datetime(2025, 10, 27, 3, 0, tzinfo=UTC)
    box = zepto(size=400, now=now, timezone="Europe/Berlin", span_days=2, date_to_inclusive=inclusive, quiet_minutes=60)
    given = settings(box, start_date="2025-10-25T12:00:00Z", window_hours=0.75)
    found = run(given, catalog=catalog(given, [EXPORTS[0], "sync_windows"]), box=box, clock=Ticking(now))
    assert found.status == 0, found.stderr
    table = upserted(found, EXPORTS[0])
    start = int(datetime(2025, 10, 25, 12, tzinfo=UTC).timestamp() * 1000)
    assert len(table) == sum(
        1 for _ in box.vendor(NAME).logs["1000.sandbox-refresh.zeptomail"].table("mail-logs", start)
    )
    zones = {
        dates.parse(one["processed_time"], box.vendor(NAME).logs["1000.sandbox-refresh.zeptomail"].zone)
        for one in table.values()
    }
    assert {dates.parse(one["event_at"]) for one in table.values()} == zones


# Settings.


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"timezone": "Mars/Olympus"}, "zeptomail.timezone is no time zone"),
        ({"timezone": "../etc/passwd"}, "zeptomail.timezone is no time zone"),
        ({"timezone": "Europe"}, "zeptomail.timezone is no time zone"),
        ({"data_center": "moon"}, "zeptomail.data_center must be one of com, eu, in"),
        ({"export_date_format": "%d/%m/%Y"}, "zeptomail.export_date_format must tell day, month, year and hour"),
        ({"export_date_format": "nonsense"}, "zeptomail.export_date_format must tell"),
        ({"export_date_format": "%Q"}, "zeptomail.export_date_format must tell"),
        ({"poll_seconds": 0}, "zeptomail.poll_seconds must be greater than 0"),
        ({"refresh_token": None}, "zeptomail.refresh_token is missing (or give access_token)"),
        ({"columns": {"zeptomail_emails": ["x"]}}, "zeptomail.columns.zeptomail_emails is no setting"),
        ({"mail_logs": {"is_delivred": True}}, "did you mean is_delivered?"),
    ],
)
def test_settings_that_cannot_be(zepto: Play, changes: dict[str, Any], said: str) -> None:
    box = zepto(size=5)
    found = command(settings(box, **changes), box=box)
    assert found.status == 1
    assert said in found.stderr
    assert not found.requests
    assert not found.messages
