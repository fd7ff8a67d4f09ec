"""Whose mail a report is: by the request's id, or by a sender that is trusted."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from general import NOW
from messangi_mails import World, assert_whole, forged, notes, table
from sandbox.messangi.mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness import Ticking
    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

STREAM = "messangi_message_reports"


@pytest.fixture
def world(play: Callable[..., Sandbox], clock: Ticking) -> Iterator[World]:
    with Mailbox(clock=clock.now) as mailbox:
        yield World(play, mailbox, clock)


# Whose mail it is.


def test_a_forged_mail_without_a_known_id_is_left_alone_and_named(world: World) -> None:
    world.start(lost_reports=-1)
    when = NOW + timedelta(minutes=1)
    span = table(NOW - timedelta(days=3), NOW - timedelta(days=2))
    world.mailbox.deliver(
        forged("Messangi report r0123456789abcdef01234567", span, sender="Eve <eve@evil.example>", when=when)
    )
    world.mailbox.deliver_noise(100, when=when)
    found = world.run(world.config())
    assert (found.status, found.ledger[0]["status"]) == (0, "pending")
    assert not found.records[STREAM]
    (warning,) = [line for line in found.lines("WARNING") if "has not come yet" in line]
    assert "the mail of 2026-03-01 12:01 'Messangi report r0123456789abcdef0123456…' holds a table" in warning
    assert "messangi.report.trusted_sender" in warning
    assert "invoice" not in warning


@pytest.mark.parametrize("trusted", ["no-reply@messangi.example", "messangi.example", "@messangi.example", "EXAMPLE"])
def test_a_trusted_sender_does_without_the_id(world: World, trusted: str) -> None:
    box = world.start(id_in="nowhere")
    found = world.run(world.config(trusted_sender=trusted))
    assert found.status == 0, found.stderr
    assert_whole(box, found)


@pytest.mark.parametrize("trusted", ["other@messangi.example", "essangi.example", "messangi.example.org"])
def test_others_than_the_trusted_sender_are_not_taken(world: World, trusted: str) -> None:
    world.start(id_in="nowhere")
    found = world.run(world.config(trusted_sender=trusted))
    assert found.ledger[0]["status"] == "pending"
    assert "not the id" in found.ledger[0]["gap_reason"]


def test_a_trusted_mail_that_does_not_fit_is_left_alone(world: World) -> None:
    world.start(lost_reports=-1)
    sender = "no-reply@messangi.example"
    inside = NOW - timedelta(days=3)
    world.mailbox.deliver(forged("early", table(inside), sender=sender, when=NOW - timedelta(hours=1)))
    later = NOW + timedelta(minutes=1)
    world.mailbox.deliver(forged("beyond", table(inside, NOW - timedelta(days=60)), sender=sender, when=later))
    world.mailbox.deliver(forged("undated", "a,b\n1,2\n", sender=sender, when=later))
    found = world.run(world.config(trusted_sender=sender))
    assert found.ledger[0]["status"] == "pending"
    assert not found.records[STREAM]


def test_a_trusted_mail_that_fits_two_requests_is_left_alone(world: World) -> None:
    world.start(lost_reports=-1)
    sender = "no-reply@messangi.example"
    first = world.run(world.config({"start_date": "2026-02-01T00:00:00Z"}, wait_minutes=0))
    state = json.loads(json.dumps(first.state))
    (part,) = state["bookmarks"]["sync_windows"]["partitions"]
    (note,) = part["notes"]["reports"]
    part["notes"]["reports"].append({**note, "id": "another", "start": "2026-02-10T00:00:00.000Z"})
    when = NOW + timedelta(minutes=1)
    world.mailbox.deliver(forged("both", table(NOW - timedelta(days=3)), sender=sender, when=when))
    config = world.config({"start_date": "2026-02-01T00:00:00Z"}, trusted_sender=sender, wait_minutes=0)
    both = world.run(config, state)
    assert both.ledger[0]["status"] == "pending"
    assert "more than one pending request" in both.ledger[0]["gap_reason"]
    world.mailbox.deliver(forged("one", table(datetime.fromisoformat("2026-02-05T00:00Z")), sender=sender, when=when))
    one = world.run(config, both.state)
    assert [row["status"] for row in one.ledger[:2]] == ["complete", "complete"]  # now the other fits one request only
    assert len(one.records[STREAM]) == 2


def test_two_accounts_may_share_a_mailbox(world: World) -> None:
    accounts = {"key-one": {"label": "one"}, "key-two": {"label": "two", "seed": 7}}
    box = world.start(60, accounts=accounts, id_in="nowhere", report_delay=None)
    config = world.config(trusted_sender="messangi.example", wait_minutes=0)
    first = world.run(config)
    assert [row["status"] for row in first.ledger] == ["pending"] * 2
    for key in accounts:
        box.vendor("messangi").post(key).release()
    second = world.run(config, first.state)
    assert {row["status"] for row in second.ledger} == {"pending"}
    assert all("more than one pending request" in row["gap_reason"] for row in second.ledger)


def test_a_mail_with_the_id_but_without_a_table_says_so(world: World) -> None:
    world.start(report_delay=None)
    first = world.run(world.config(wait_minutes=0))
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "no-reply@messangi.example", f"Report {notes(first)[0]['id']}"
    mail["Date"] = format_datetime(NOW)
    mail.set_content(f"Download: {world.box.url}/messangi/v3/mlog\n")
    world.mailbox.deliver(mail)
    found = world.run(world.config(wait_minutes=0), first.state)
    assert "links in a mail are never followed" in found.ledger[0]["gap_reason"]
    assert not found.requests


@pytest.mark.parametrize("damage", ["cut zip", "cut csv", "page"])
def test_a_damaged_report_fails_and_is_asked_for_anew(world: World, damage: str) -> None:
    box = world.start(report_delay=None, attachment="zip")
    first = world.run(world.config(wait_minutes=0))
    (held,) = world.post.held
    world.post.held.clear()
    (part,) = held.iter_attachments()
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    if damage == "cut zip":
        bad, name = content[: len(content) // 2], "report.zip"
    elif damage == "cut csv":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            whole = archive.read(archive.namelist()[0])
        bad, name = gzip.compress(whole)[:-20], "report.csv.gz"
    else:
        bad, name = b"<html>please log in</html>", "report.csv"
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "no-reply@messangi.example", held["Subject"]
    mail["Date"] = format_datetime(NOW)
    mail.set_content("Attached.")
    mail.add_attachment(bad, maintype="application", subtype="octet-stream", filename=name)
    world.mailbox.deliver(mail)
    second = world.run(world.config(wait_minutes=0), first.state)
    assert second.status == 1
    assert "the report came, but" in second.lines("ERROR")[0]
    assert not second.records[STREAM]
    box.vendor("messangi").account().options["report_delay"] = 0
    third = world.run(world.config(), second.state)
    assert third.status == 0, third.stderr
    assert_whole(box, third)
