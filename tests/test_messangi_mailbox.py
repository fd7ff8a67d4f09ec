"""Messangi's report by e-mail: what goes wrong on its way, a directory in place of a mailbox, its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from general import config_of
from harness import Ticking, command, run
from messangi_mails import World, assert_whole, notes
from sandbox.messangi.mailbox import Mailbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

STREAM = "messangi_message_reports"


@pytest.fixture
def world(play: Callable[..., Sandbox], clock: Ticking) -> Iterator[World]:
    with Mailbox(clock=clock.now) as mailbox:
        yield World(play, mailbox, clock)


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
    paths = [request.path for request in found.requests]
    assert paths.count("/v3/mlog/export") == 0, "a check asks for no report: that would send a mail"
    assert paths.count("/v3/mlog") == 1


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
