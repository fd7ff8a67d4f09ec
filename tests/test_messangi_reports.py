"""Messangi's report by e-mail: asked for once, collected from a real mailbox or a directory, now or later."""

from __future__ import annotations

import gzip
import io
import json
import signal
import time
import zipfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from harness import NOW, Ticking, assert_tiles, catalog, command, config_of, run, started, upserted
from messangi_edges import onto_edges
from sandbox.mail import Mailbox
from tap_emaillogs import timestamps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness import Run
    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

STREAM = "messangi_message_reports"
LIMIT = NOW - timedelta(minutes=5)
TOO_BIG = "The size of the report is too big. Please contact support"


class World:
    """A vendor that sends reports by SMTP into a mailbox, and a tap that looks there; all by one clock."""

    def __init__(self, play: Callable[..., Sandbox], mailbox: Mailbox, clock: Ticking) -> None:
        self.play, self.mailbox, self.clock = play, mailbox, clock

    def start(self, size: int = 120, **options: Any) -> Sandbox:
        given = {"smtp": self.mailbox.smtp(), **options}
        self.box = self.play(
            size=size, now=self.clock.now, live=False, vendors=["messangi"], options={"messangi": given}
        )
        self.post = self.box.vendor("messangi").post()
        return self.box

    def config(self, settings: dict[str, Any] | None = None, **report: Any) -> dict[str, Any]:
        if "directory" not in report:
            report = {"mailbox": self.mailbox.config(), **report}
        asked = {"emails": ["reports@example.com"], "from": "billing@shop.example", "wait_minutes": 1, **report}
        return config_of(self.box, report=asked, **(settings or {}))

    def run(self, config: dict[str, Any], state: dict[str, Any] | None = None) -> Run:
        return run(
            config, state=state, catalog=catalog(config, [STREAM, "sync_windows"]), clock=self.clock, box=self.box
        )


@pytest.fixture
def world(play: Callable[..., Sandbox], clock: Ticking) -> Iterator[World]:
    with Mailbox(clock=clock.now) as mailbox:
        yield World(play, mailbox, clock)


def lines_of(box: Sandbox) -> Counter[tuple[str, ...]]:
    """Count the rows that the vendor knows, by what CSV and JSON have in common."""
    return Counter(
        (row["id"], row["status"], row["recipient"], row["subject"], row["date"])
        for row in box.vendor("messangi").rows()
    )


def assert_whole(box: Sandbox, found: Run | list[Run]) -> None:
    records = upserted(found, STREAM).values()
    have = Counter(
        (row["message_id"], row["status"], row["recipient"], row["subject"] or "", row["event_at"]) for row in records
    )
    assert have == lines_of(box)


def notes(found: Run) -> list[dict[str, Any]]:
    """Return the requests for reports that STATE holds."""
    parts = found.state.get("bookmarks", {}).get("sync_windows", {}).get("partitions", [])
    return [note for part in parts for note in part.get("notes", {}).get("reports", [])]


def forged(subject: str, table: str, *, sender: str, when: datetime, name: str = "report.csv") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, "reports@example.com", subject
    mail["Date"] = format_datetime(when)
    mail.set_content("Attached.\n")
    mail.add_attachment(table.encode(), maintype="text", subtype="csv", filename=name)
    return mail


def table(*moments: datetime) -> str:
    return "Message ID,Date,Status\n" + "".join(f"m{n},{timestamps.millis(at)},SENT\n" for n, at in enumerate(moments))


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


@pytest.mark.parametrize("bounds", ["[)", "[]", "(]", "()"])
def test_rows_at_the_edge_of_reports_are_neither_lost_nor_doubled(world: World, bounds: str) -> None:
    box = world.start(60, bounds=bounds)
    (log,) = box.vendor("messangi").logs.values()
    start, week = datetime(2026, 1, 25, tzinfo=UTC), timedelta(days=7)
    onto_edges(log, start, week, last=4)
    config = world.config({"window_hours": 24 * 7, "start_date": start.isoformat()})
    config["end_date"] = (start + 5 * week).isoformat()
    found = world.run(config)
    assert found.status == 0, found.stderr
    assert_whole(box, found)
    assert len(found.records[STREAM]) == 60
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


# Trouble.


def test_a_mailbox_that_is_down_fails_this_stream_alone_and_asks_nothing(play: Callable[..., Sandbox]) -> None:
    box = play(size=50, vendors=["smtp2go", "messangi"])
    with Mailbox() as mailbox:
        down = mailbox.config()
    report = {"emails": ["reports@example.com"], "from": "billing@shop.example", "mailbox": down}
    config = config_of(box)
    config["messangi"]["report"] = report
    found = run(config, clock=Ticking(), box=box)
    assert found.status == 1
    (line,) = found.lines("ERROR")
    assert f"stream {STREAM}" in line
    assert "the mailbox cannot be reached (Connection refused, 3 tries)" in line
    assert "report.mailbox.host" in line
    assert not box.vendor("messangi").post().requests
    assert len(found.records["smtp2go_activity"]) == box.truth()["streams"]["smtp2go_activity"]
    assert len(found.records["messangi_message_logs"]) == 50


@pytest.mark.parametrize("password", ["wrong-password", "wröng-password"])
def test_a_wrong_password_of_the_mailbox(world: World, password: str) -> None:
    world.start()
    found = world.run(world.config(mailbox={**world.mailbox.config(), "password": password}))
    assert found.status == 1
    (line,) = found.lines("ERROR")
    assert "the mailbox refuses the login" in line
    assert "app-specific password" in line
    assert not world.post.requests


def test_a_folder_that_does_not_exist(world: World) -> None:
    world.start()
    found = world.run(world.config(mailbox={**world.mailbox.config(), "folder": "Nowhere"}))
    assert found.status == 1
    assert "the mailbox has no such folder" in found.lines("ERROR")[0]


@pytest.mark.parametrize("status", [200, 400])
def test_too_big_splits_the_request(world: World, status: int) -> None:
    box = world.start(120, too_big=50, explain_status=status)
    found = world.run(world.config())
    assert found.status == 0, found.stderr
    assert_whole(box, found)
    assert len(found.ledger) > 2
    assert not notes(found)


def test_a_sender_that_is_not_valid_is_the_vendors_error(world: World) -> None:
    world.start(valid_senders=["someone@shop.example"])
    found = world.run(world.config())
    assert found.status == 1
    assert "from must be a valid sender of the space" in found.lines("ERROR")[0]
    assert not notes(found)


def test_login_and_token_serve_the_request_too(world: World) -> None:
    box = world.start(login=True)
    box.fault(kind="expire_token", path="/v3/mlog/export", times=1)
    assert_whole(box, world.run(world.config()))
    assert box.vendor("messangi").logins.total() == 2


# A directory.


@pytest.mark.parametrize("attachment", ["csv", "csv.gz", "zip"])
def test_mails_saved_to_a_directory(world: World, tmp_path: Path, attachment: str) -> None:
    box = world.start(smtp=None, directory=str(tmp_path), attachment=attachment)
    (tmp_path / "other.eml").write_bytes(b"\xff\xfe not a mail at all")
    (tmp_path / "notes.txt").write_text("left alone")
    found = world.run(world.config(directory=str(tmp_path)))
    assert found.status == 0, found.stderr
    assert_whole(box, found)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "other.eml", "report-0000.eml"]


def test_a_bare_file_in_a_directory_is_known_by_its_name(world: World, tmp_path: Path) -> None:
    box = world.start(smtp=None, report_delay=None)
    config = world.config(directory=str(tmp_path), wait_minutes=0)
    first = world.run(config)
    (held,) = world.post.held
    (part,) = held.iter_attachments()
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    (tmp_path / "download.csv").write_bytes(content)
    second = world.run(config, first.state)
    (note,) = notes(second)
    assert f"not the id {note['id']}: if it is the report, rename it" in second.ledger[0]["gap_reason"]
    (tmp_path / "download.csv").rename(tmp_path / f"export-{note['id'].upper()}.CSV")
    assert_whole(box, world.run(config, second.state))


def test_a_directory_that_is_not_there(world: World, tmp_path: Path) -> None:
    world.start()
    found = world.run(world.config(directory=str(tmp_path / "nowhere")))
    assert found.status == 1
    assert "the directory of the reports cannot be read" in found.lines("ERROR")[0]
    assert not world.post.requests


# Bad input, and whether the stream exists.


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        ({"mailbox": None}, "messangi.report.mailbox is missing (or give report.directory)"),
        ({"directory": "/tmp"}, "messangi.report.directory is given beside report.mailbox"),
        ({"emails": None}, "messangi.report.emails is missing"),
        ({"emails": []}, "messangi.report.emails is missing"),
        ({"emails": ["nobody"]}, "messangi.report.emails must be a list of e-mail addresses"),
        ({"from": None}, "messangi.report.from is missing"),
        ({"timezone": "Mars/Olympus"}, "messangi.report.timezone is no time zone in GMT"),
        ({"trusted_sender": "two words"}, "messangi.report.trusted_sender must be one address or one domain"),
        ({"mailbox": {"host": "h"}}, "messangi.report.mailbox.password is missing"),
        ({"mailbox": {"host": "h", "username": "u", "password": "p", "port": 0}}, "messangi.report.mailbox.port must"),
        ({"wait": 3}, "messangi.report.wait is no setting of this tap"),
    ],
)
def test_mistakes_are_named(report: dict[str, Any], sentence: str) -> None:
    mailbox = {"host": "localhost", "username": "u", "password": "mail-secret"}
    given = {"emails": ["a@example.com"], "from": "b@example.com", "mailbox": mailbox, **report}
    given = {key: value for key, value in given.items() if value is not None}
    config = {"messangi": {"api_key": "some-key", "report": given}}
    with pytest.raises(ConfigValidationError) as caught:
        run(config)
    assert sentence in "\n".join(caught.value.errors)
    assert "mail-secret" not in "\n".join(caught.value.errors)


def test_the_stream_exists_only_where_it_is_configured(world: World) -> None:
    box = world.start(20)
    found = run(config_of(box), clock=world.clock, box=box)
    assert STREAM not in found.schemas
    found = run(world.config(), clock=world.clock, box=box)
    assert {record["stream"] for record in found.records["email_events"]} == {"messangi_message_logs"}
    assert len(found.records[STREAM]) == 20


def test_the_tap_tests_itself(play: Callable[..., Sandbox], tmp_path: Path) -> None:
    options = {"messangi": {"directory": str(tmp_path)}}
    box = play(size=5, now=None, live=False, vendors=["messangi"], options=options)
    report = {"emails": ["reports@example.com"], "from": "billing@shop.example", "directory": str(tmp_path)}
    found = command(config_of(box, report={**report, "wait_minutes": 1}), "--test", box=box)
    assert found.status == 0, found.stderr
    assert [request.path for request in found.requests].count("/v3/mlog/export") >= 1


def test_settings_of_the_mailbox_come_from_the_environment(world: World) -> None:
    box = world.start(20)
    config = world.config()
    del config["messangi"]["report"]["mailbox"]["password"]
    found = command(
        config,
        "--config=ENV",
        "--test=schema",
        environment={"TAP_EMAILLOGS_MESSANGI_REPORT_MAILBOX_PASSWORD": world.mailbox.password},
    )
    assert found.status == 0, found.stderr
    del box
