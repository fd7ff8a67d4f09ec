"""Which mail answers a request for a report: others quote its id, or hold what nobody understands."""

from __future__ import annotations

import io
import os
import zipfile
from collections import Counter
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from general import NOW
from messangi_mails import World, assert_whole, forged, notes, table
from sandbox.messangi.mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness import Ticking
    from outcome import Run
    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

STREAM = "messangi_message_reports"


@pytest.fixture
def world(play: Callable[..., Sandbox], clock: Ticking) -> Iterator[World]:
    with Mailbox(clock=clock.now) as mailbox:
        yield World(play, mailbox, clock)


# What answers a request, of all that quotes its id.

VENDOR, COLLEAGUE = "Messangi <no-reply@messangi.example>", "Ann <ann@shop.example>"
OTHER_WEEK = table(NOW - timedelta(days=80), NOW - timedelta(days=79))
JUNK = {
    "no known column": "name,amount\nitem,1\n",
    "an unknown separator": "Message ID^Date^Status\nm1^2026-02-20 10:00:00^SENT\n",
    "no header": "m1,2026-02-20 10:00:00,SENT\nm2,2026-02-20 10:00:00,SENT\n",
    "empty": "",
    "blank lines": "\n\n",
    "another time": OTHER_WEEK,
    "one row of another time": table(NOW - timedelta(days=3), NOW - timedelta(days=80)),
    "a header of unknown columns": "name,amount\n",
}


class Held:
    """A report that the vendor holds back, and the request for it."""

    def __init__(self, world: World, size: int = 60, **options: Any) -> None:
        self.world = world
        self.box = world.start(size, report_delay=None, **options)
        self.first = world.run(world.config(wait_minutes=0))
        (self.note,) = notes(self.first)
        self.ident = self.note["id"]

    def release(self, hours: float = 0) -> None:
        """Let the vendor's mail arrive so long after the request."""
        (held,) = self.world.post.held
        self.world.post.held.clear()
        del held["Date"]
        held["Date"] = format_datetime(NOW + timedelta(hours=hours))
        self.world.mailbox.deliver(held, when=NOW + timedelta(hours=hours))

    def content(self) -> str:
        """Return the report's table."""
        (held,) = self.world.post.held
        (part,) = held.iter_attachments()
        found = part.get_payload(decode=True)
        assert isinstance(found, bytes)
        return found.decode()

    def deliver(self, subject: str, text: str, *, sender: str = COLLEAGUE, hours: float = 1, **more: Any) -> None:
        when = NOW + timedelta(hours=hours)
        mail = forged(subject.format(self.ident), text, sender=sender, when=when, **more)
        self.world.mailbox.deliver(mail, when=when)

    def collect(self, **report: Any) -> Run:
        self.world.clock.pass_time(hours=3)
        self.box.vendor("messangi").account().options["report_delay"] = 0
        return self.world.run(self.world.config(**report), self.first.state)


@pytest.mark.parametrize("kind", JUNK)
@pytest.mark.parametrize("sender", [VENDOR, COLLEAGUE])
@pytest.mark.parametrize("subject", ["Re: Messangi report {}", "Messangi report {}"])
def test_what_nobody_understands_is_no_answer_and_is_named(world: World, kind: str, sender: str, subject: str) -> None:
    held = Held(world)
    held.deliver(subject, JUNK[kind], sender=sender)
    found = held.collect()
    assert found.status == 0, found.stderr
    row = found.ledger[0]
    assert (row["status"], row["records"]) == ("pending", None)
    assert not found.records[STREAM]
    assert "holds the request's id, but its table" in row["gap_reason"]
    (warning,) = [line for line in found.lines("WARNING") if "has not come yet" in line]
    assert "but its table" in warning
    held.release(4)
    found = world.run(world.config(), found.state)
    assert found.status == 0, found.stderr
    assert_whole(held.box, found)


@pytest.mark.parametrize("kind", [*JUNK, "the answer, shortened"])
@pytest.mark.parametrize("trusted", [None, "messangi.example"])
def test_the_vendors_mail_wins_over_a_newer_reply(world: World, kind: str, trusted: str | None) -> None:
    held = Held(world)
    shortened = "".join(held.content().splitlines(keepends=True)[:10])
    held.release()
    held.deliver("Re: Messangi report {}", JUNK.get(kind, shortened))
    found = held.collect(**({"trusted_sender": trusted} if trusted else {}))
    assert found.status == 0, found.stderr
    assert_whole(held.box, found)
    assert [row["status"] for row in found.ledger if row["window_start"] == held.note["start"]] == ["complete"]


def test_of_mails_that_are_no_replies_the_fullest_is_taken(world: World) -> None:
    held = Held(world)
    text = held.content()
    held.release()
    held.deliver("Fwd: Messangi report {}", text, hours=1)
    held.deliver("report {} for the meeting", "".join(text.splitlines(keepends=True)[:10]), hours=2)
    assert_whole(held.box, held.collect())


def test_the_trusted_senders_mail_wins_over_a_fuller_one(world: World) -> None:
    held = Held(world)
    more = held.content() + held.content().partition("\n")[2]
    held.release()
    held.deliver("report {}", more, hours=1)
    assert_whole(held.box, held.collect(trusted_sender="messangi.example"))


@pytest.mark.parametrize("subject", ["Fwd: Messangi report {}", "RV: Messangi report {}", "Report {}"])
def test_a_forwarded_report_is_taken_at_once(world: World, subject: str) -> None:
    held = Held(world)
    held.deliver(subject, held.content(), hours=2)
    found = held.collect(wait_minutes=600)
    assert_whole(held.box, found)
    assert sum(world.clock.waits) < 60


def test_a_reply_with_the_whole_table_is_taken_when_nothing_better_comes(world: World) -> None:
    held = Held(world)
    held.deliver("Re: Messangi report {}", held.content())
    found = held.collect(wait_minutes=200)  # three hours have passed
    assert_whole(held.box, found)
    assert sum(world.clock.waits) > 1000


def test_a_mail_of_two_tables_is_taken_for_the_one_that_answers(world: World) -> None:
    held = Held(world)
    when = NOW + timedelta(hours=1)
    mail = forged(f"Report {held.ident}", OTHER_WEEK, sender=VENDOR, when=when, name="last-quarter.csv")
    mail.add_attachment(held.content().encode(), maintype="text", subtype="csv", filename="report.csv")
    mail.add_attachment(b"name,amount\nitem,1\n", maintype="text", subtype="csv", filename="prices.csv")
    world.mailbox.deliver(mail, when=when)
    assert_whole(held.box, held.collect())


def test_one_file_of_a_zip_may_be_the_answer(world: World) -> None:
    held = Held(world)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("legend.csv", "abbreviation,meaning\nX,unknown\n")
        archive.writestr("report.csv", held.content())
    when = NOW + timedelta(hours=1)
    mail = forged(f"Report {held.ident}", "", sender=VENDOR, when=when)
    mail.clear_content()
    mail.set_content("Attached.")
    mail.add_attachment(packed.getvalue(), maintype="application", subtype="zip", filename="report.zip")
    world.mailbox.deliver(mail, when=when)
    assert_whole(held.box, held.collect())


@pytest.mark.parametrize("text", ["Message ID,Date,Status\n", "Fecha|Estado\n", "Status Date;Recipient"])
def test_a_header_of_known_columns_is_an_answer_of_no_rows(world: World, text: str) -> None:
    held = Held(world)
    held.deliver("Report {}", text, sender=VENDOR)
    found = held.collect()
    assert (found.ledger[0]["status"], found.ledger[0]["records"]) == ("complete", 0)


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Ticket 77 about {}", "Type;Amount\n" + "T;1\n" * 60),
        ("Automatic reply: Report {}", "Status,Count\n" + "sent,4\n" * 9),
    ],
)
def test_a_strangers_table_without_dates_is_no_answer(world: World, subject: str, text: str) -> None:
    held = Held(world)
    held.deliver(subject, text)
    found = held.collect()
    assert found.ledger[0]["status"] == "pending"
    assert "too few are known" in found.ledger[0]["gap_reason"]


def test_a_header_alone_in_a_reply_proves_nothing(world: World) -> None:
    held = Held(world)
    held.deliver("Re: Report {}", "Message ID,Date,Status\n")
    found = held.collect()
    assert found.ledger[0]["status"] == "pending"
    assert "it is a reply" in found.ledger[0]["gap_reason"]


def test_a_report_in_another_zone_names_the_setting(world: World) -> None:
    held = Held(world)
    hour = timedelta(hours=1)
    begin, end = (datetime.fromisoformat(held.note[name]) for name in ("start", "end"))
    held.deliver("Report {}", table(begin - 5 * hour, end - 6 * hour), sender=VENDOR)
    found = held.collect()
    assert found.ledger[0]["status"] == "pending"
    assert "has 1 of 2 rows outside of the time that was asked for" in found.ledger[0]["gap_reason"]
    assert "report.timezone" in found.ledger[0]["gap_reason"]


@pytest.mark.parametrize(
    ("before", "after", "is_answer"),
    [
        ("start", "2026-01-30T12:00:00.000Z", True),
        ("just before", "2026-01-30T11:59:59.999Z", True),
        ("seconds", "2026-01-30 11:59:59", True),
        ("minutes", "2026-01-30 11:59", True),
        ("a day", "2026-01-30", True),
        ("too early", "2026-01-30T11:59:59.990Z", False),
        ("too early in seconds", "2026-01-30 11:59:57", False),
        ("end", "2026-03-01T11:55:00.000Z", True),
        ("rounded up", "2026-03-01 11:55:01", True),
        ("too late", "2026-03-01T11:55:00.100Z", False),
    ],
)
def test_rounding_is_no_other_time(world: World, before: str, after: str, is_answer: bool) -> None:
    del before
    held = Held(world)
    held.deliver("Report {}", f"Message ID,Date,Status\nm1,{after},SENT\n", sender=VENDOR)
    found = held.collect()
    assert found.ledger[0]["status"] == ("complete" if is_answer else "pending")


@pytest.mark.parametrize("rows", ["mail", "event"])
@pytest.mark.parametrize("filter_by", ["date", "statusDate"])
def test_whichever_date_the_vendor_filters_by(world: World, rows: str, filter_by: str) -> None:
    box = world.start(120, rows=rows, filter_by=filter_by)
    found = world.run(world.config({"window_hours": 48}))
    assert found.status == 0, found.stderr
    lines = Counter(row["message_id"] + str(row["status"]) for row in found.records[STREAM])
    assert lines == Counter(row["id"] + row["status"] for row in box.vendor("messangi").rows())


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("attachment", ["csv", "zip"])
def test_every_separator_is_understood(world: World, delimiter: str, attachment: str) -> None:
    box = world.start(260, csv_delimiter=delimiter, attachment=attachment)
    found = world.run(world.config())
    assert_whole(box, found)
    assert len(found.records[STREAM]) == 260


@pytest.mark.parametrize("kind", JUNK)
def test_a_saved_file_that_nobody_understands(world: World, tmp_path: Path, kind: str) -> None:
    box = world.start(60, smtp=None, report_delay=None)
    config = world.config(directory=str(tmp_path), wait_minutes=0)
    first = world.run(config)
    (note,) = notes(first)
    (held,) = world.post.held
    (part,) = held.iter_attachments()
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    (tmp_path / f"{note['id']}.csv").write_text(JUNK[kind])
    second = world.run(config, first.state)
    assert (second.ledger[0]["status"], second.records[STREAM]) == ("pending", [])
    assert "but its table" in second.ledger[0]["gap_reason"]
    (tmp_path / f"0 {note['id']}.csv").write_bytes(content)
    os.utime(tmp_path / f"0 {note['id']}.csv", (0, 0))  # an older one
    assert_whole(box, world.run(config, second.state))
