"""Messangi's report by e-mail: asked for once, collected from a real mailbox, now or later."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from general import NOW, config_of
from harness import Ticking, catalog, command, run, started
from messangi_edges import onto_edges
from messangi_mails import World, assert_whole, notes
from outcome import assert_tiles, upserted
from sandbox.messangi.mailbox import Mailbox
from tap_emaillogs.formats import timestamps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

STREAM = "messangi_message_reports"
LIMIT = NOW - timedelta(minutes=5)


@pytest.fixture
def world(play: Callable[..., Sandbox], clock: Ticking) -> Iterator[World]:
    with Mailbox(clock=clock.now) as mailbox:
        yield World(play, mailbox, clock)


# Collecting.


@pytest.mark.parametrize("attachment", ["csv", "csv.gz", "zip"])
@pytest.mark.parametrize("place", ["subject", "body", "filename"])
def test_a_report_is_collected_wherever_its_id_stands(world: World, attachment: str, place: str) -> None:
    box = world.start(attachment=attachment, id_in=place)
    found = world.run(world.config())
    assert found.status == 0, found.stderr
    assert_whole(box, found)
    (asked,) = world.post.requests
    assert asked["emails"] == ["reports@example.com"]
    assert asked["from"] == "billing@shop.example"
    assert asked["timezone"] == "GMT"
    assert asked["id"].isalnum()
    assert [row["status"] for row in found.ledger] == ["complete"]
    assert not notes(found)
    assert found.bookmark(STREAM) == timestamps.millis(LIMIT)
    assert set(world.mailbox.flags()) == {frozenset()}


def test_two_reports_among_a_thousand_unrelated_mails(world: World) -> None:
    box = world.start(300)
    world.mailbox.deliver_noise(500, when=NOW - timedelta(days=1))
    world.mailbox.deliver_noise(500, when=NOW)
    config = world.config({"window_hours": 24 * 16, "max_concurrency": 2})
    found = world.run(config)
    assert found.status == 0, found.stderr
    assert_whole(box, found)
    assert len(found.ledger) == len(world.post.requests) == 2
    assert world.mailbox.count() == 1002
    assert set(world.mailbox.flags()) == {frozenset()}


@pytest.mark.parametrize(("delimiter", "encoding"), [(";", "utf-8-sig"), (",", "utf-16"), (";", "utf-8")])
def test_dialects_of_csv(world: World, delimiter: str, encoding: str) -> None:
    box = world.start(csv_delimiter=delimiter, csv_encoding=encoding)
    assert_whole(box, world.run(world.config()))


@pytest.mark.parametrize("zone", ["GMT-5", "GMT+05:30", "UTC"])
def test_times_are_in_the_zone_that_was_asked_for(world: World, zone: str) -> None:
    box = world.start()
    config = world.config(timezone=zone)
    found = run(config, catalog=catalog(config, [STREAM, "email_events"]), clock=world.clock, box=box)
    assert found.status == 0, found.stderr
    assert_whole(box, found)
    rows = {row["id"]: row for row in box.vendor("messangi").rows()}
    events = found.records["email_events"]
    assert Counter(event["event_type"] for event in events) == box.truth()["email_events"]
    assert {event["provider_event_id"]: event["event_at"] for event in events} == {
        ident: row["statusDate"] for ident, row in rows.items()
    }


@pytest.mark.parametrize("times", [1, -1])
def test_a_page_of_html_is_no_answer_to_a_request(world: World, times: int) -> None:
    """Something in between may answer in the vendor's place: then no report is on its way."""
    box = world.start()
    box.fault(vendor="messangi", path="/export", kind="html", times=times)
    found = world.run(world.config())
    if times == 1:
        assert found.status == 0, found.stderr
        assert_whole(box, found)
    else:
        assert found.status == 1
        assert [row["status"] for row in found.ledger] == ["failed"]
        assert "text/html" in found.lines("ERROR")[0]


def test_an_empty_report_is_complete(world: World) -> None:
    world.start(0)
    found = world.run(world.config())
    assert (found.status, found.ledger[0]["status"], found.ledger[0]["records"]) == (0, "complete", 0)


def test_exact_twins_stay_two_records_with_keys_that_last(world: World) -> None:
    world.start(300, hide_fields=("id",))
    found, again = world.run(world.config()), world.run(world.config())
    assert len(upserted(found, STREAM)) == 300
    assert upserted(again, STREAM).keys() == upserted(found, STREAM).keys()


def test_columns_are_declared_by_setting(world: World) -> None:
    world.start(20)
    config = world.config({"columns": {STREAM: ["Campaign Name"]}})
    found = world.run(config)
    assert "campaign_name" in found.schemas[STREAM]["properties"]
    assert {record["campaign_name"] for record in found.records[STREAM]} >= {"Campaña 1000"}
    assert not any("campaign_name" in (record["extra_fields"] or "") for record in found.records[STREAM])


@pytest.mark.parametrize("rows", ["mail", "event"])
@pytest.mark.parametrize("bounds", ["[)", "[]", "(]", "()"])
def test_rows_at_the_edge_of_reports_are_neither_lost_nor_doubled(world: World, bounds: str, rows: str) -> None:
    box = world.start(60, bounds=bounds, rows=rows)
    (log,) = box.vendor("messangi").logs.values()
    start, week = datetime(2026, 1, 25, tzinfo=UTC), timedelta(days=7)
    onto_edges(log, start, week, last=4)
    config = world.config({"window_hours": 24 * 7, "start_date": start.isoformat()})
    config["end_date"] = (start + 5 * week).isoformat()
    found = world.run(config)
    assert found.status == 0, found.stderr
    assert_whole(box, found)
    assert len(found.records[STREAM]) == len(box.vendor("messangi").rows())
    assert_tiles(found.ledger, start, start + 5 * week)
    assert len(found.ledger) == 5


def test_over_tls_with_a_password_beyond_ascii(play: Callable[..., Sandbox]) -> None:
    with Mailbox(tls=True, password="pässwörd-of-mail", folder="Reports") as mailbox:
        box = play(size=30, now=None, live=False, vendors=["messangi"], options={"messangi": {"smtp": mailbox.smtp()}})
        report = {
            "emails": ["reports@example.com"],
            "from": "billing@shop.example",
            "mailbox": {**mailbox.config(), "host": "localhost"},
            "wait_minutes": 1,
        }
        config = config_of(box, report=report)
        del config["messangi"]["report"]["mailbox"]["tls"]
        found = command(config, box=box, environment={"SSL_CERT_FILE": str(mailbox.ca_file)})
        assert found.status == 0, found.stderr
        assert len(found.records[STREAM]) == 30
        assert set(mailbox.flags()) == {frozenset()}
        untrusted = command(config, box=box)
        assert untrusted.status == 1
        assert "certificate is not trusted" in untrusted.stderr


# Not now: pending.


def test_a_report_that_comes_later_is_collected_by_a_later_run(world: World) -> None:
    box = world.start(report_delay=None)
    first = world.run(world.config())
    assert first.status == 0
    (row,) = first.ledger
    assert (row["status"], row["records"]) == ("pending", None)
    assert "has not come yet" in row["gap_reason"]
    assert first.bookmark(STREAM) is None
    (note,) = notes(first)
    assert note["id"] == world.post.requests[0]["id"]
    assert not first.records[STREAM]
    world.clock.pass_time(hours=1)
    second = world.run(world.config(), first.state)
    assert (second.status, second.ledger[0]["status"]) == (0, "pending")
    world.post.release()
    world.clock.pass_time(minutes=1)
    third = world.run(world.config(), second.state)
    assert third.status == 0, third.stderr
    assert [asked["id"] == note["id"] for asked in world.post.requests].count(True) == 1
    assert third.ledger[0]["status"] == "complete"
    assert third.ledger[0]["window_start"] == row["window_start"]
    assert row["window_id"] in {done["window_id"] for done in third.ledger if done["status"] == "complete"}
    assert_whole(box, [first, second, third])


def test_the_wait_is_as_long_as_configured(world: World) -> None:
    world.start(report_delay=None)
    before = world.clock.now()
    world.run(world.config(wait_minutes=30))
    waited = world.clock.now() - before
    assert timedelta(minutes=30) <= waited < timedelta(minutes=31)
    assert max(world.clock.waits) <= 60


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_was_ended_after_asking_asks_once(play: Callable[..., Sandbox], number: signal.Signals) -> None:
    with Mailbox() as mailbox:
        box = play(
            size=80,
            now=None,
            live=False,
            vendors=["messangi"],
            options={"messangi": {"smtp": mailbox.smtp(), "report_delay": None}},
        )
        post = box.vendor("messangi").post()
        report = {"emails": ["reports@example.com"], "from": "billing@shop.example", "mailbox": mailbox.config()}
        config = config_of(box, report={**report, "wait_minutes": 5})
        chosen = catalog(config, [STREAM, "sync_windows"])
        with started(config, catalog=chosen) as process:
            limit = time.monotonic() + 30
            while not post.requests and time.monotonic() < limit:
                time.sleep(0.01)
            killed = process.finish(number)
        assert killed.status == (143 if number is signal.SIGTERM else -number)
        (note,) = notes(killed)
        assert note["id"] == post.requests[0]["id"]
        assert post.release() == 1
        box.vendor("messangi").account().options["report_delay"] = 0
        found = command(config, state=killed.state, catalog=chosen, box=box)
        assert found.status == 0, found.stderr
        asked = [request["id"] for request in post.requests]
        assert asked[:1] == [note["id"]]
        assert len(asked) - asked.count(note["id"]) <= 1  # the few seconds that passed meanwhile
        assert asked.count(note["id"]) == 1
        assert_whole(box, found)


def test_a_request_that_may_not_have_been_made_is_made_again_under_its_id(world: World) -> None:
    box = world.start(report_delay=None)
    first = world.run(world.config(wait_minutes=0))
    state = json.loads(json.dumps(first.state))
    for part in state["bookmarks"]["sync_windows"]["partitions"]:
        part["notes"]["reports"][0]["made"] = False
    world.post.requests.clear()
    world.post.held.clear()
    soon = world.run(world.config(wait_minutes=0), state)
    assert (soon.ledger[0]["status"], world.post.requests) == ("pending", [])
    world.clock.pass_time(minutes=31)
    late = world.run(world.config(wait_minutes=0), soon.state)
    assert late.ledger[0]["status"] == "pending"
    assert notes(late)[0]["id"] == notes(first)[0]["id"] == world.post.requests[0]["id"]
    world.post.release()
    assert_whole(box, world.run(world.config(), late.state))


def test_a_report_that_never_comes_fails_after_its_life_and_is_asked_for_anew(world: World) -> None:
    box = world.start(lost_reports=1)
    first = world.run(world.config(wait_minutes=0))
    assert first.ledger[0]["status"] == "pending"
    world.clock.pass_time(days=3, hours=1)
    second = world.run(world.config(wait_minutes=0), first.state)
    assert second.status == 1
    assert "has not come within 3 days" in second.lines("ERROR")[0]
    assert not any(note["id"] == world.post.requests[0]["id"] for note in notes(second))
    third = world.run(world.config(), second.state)
    assert third.status == 0, third.stderr
    assert_whole(box, [second, third])


def test_a_pending_report_of_other_filters_is_forgotten(world: World) -> None:
    world.start(report_delay=None)
    first = world.run(world.config(wait_minutes=0))
    world.run(world.config({"extra_params": {"status": "SENT"}}, wait_minutes=0), first.state)
    assert len({asked["id"] for asked in world.post.requests}) == 2
