"""Whatever a mail server does: the report is read while there is time, or the window fails in bounded time."""

from __future__ import annotations

import random
import signal
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import hostile_mails
from general import NOW
from harness import Ticking, started
from imap_server import ImapServer
from messangi_mails import World, assert_whole, notes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from imap_server import Answer
    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

STREAM = "messangi_message_reports"
WHEN = NOW + timedelta(minutes=1)


class Posted(World):
    """A vendor whose reports are saved to a directory, and put from there into a server of ours."""

    @contextmanager
    def server(
        self, before: list[bytes] | None = None, *, after: list[bytes] | None = None, **how: Any
    ) -> Iterator[ImapServer]:
        """Start a server that finds the report behind some mails and before others, which are newer."""
        on = how.pop("on", lambda *_: None)

        def looked(command: str, tag: bytes) -> Answer:
            if command.startswith("EXAMINE"):
                for path in sorted(self.folder.glob("*.eml")):
                    server.mails += [path.read_bytes().replace(b"\n", b"\r\n"), *(after or [])]
                    path.unlink()
            answer: Answer = on(command, tag)
            return answer

        with ImapServer(before or [], on=looked, **how) as server:
            yield server


@pytest.fixture
def world(play: Callable[..., Sandbox], clock: Ticking, tmp_path: Path) -> Posted:
    return Posted(play, None, clock, tmp_path)


def test_hostile_mails_before_and_behind_the_report(world: Posted) -> None:
    box = world.start(id_in="filename")
    hostile = [raw for _, raw in hostile_mails.mails(WHEN, "2026-02-27 00:00:00")]
    with world.server(hostile, after=hostile) as server:
        began = time.monotonic()
        found = world.run(world.config(mailbox=server.config()))
        assert time.monotonic() - began < 30
        assert found.status == 0, found.stderr
        assert_whole(box, found)


def test_long_mails_before_the_report_do_not_hide_it(world: Posted, monkeypatch: pytest.MonkeyPatch) -> None:
    from tap_emaillogs.providers.messangi import inbox  # noqa: PLC0415 - its bounds are made small here

    monkeypatch.setattr(inbox, "_BOUNDS", {False: (1 << 20, 60.0), True: (1 << 21, 60.0)})
    box = world.start(id_in="filename")
    long = [hostile_mails.mail(b"a,b\n" * 500_000, when=WHEN).as_bytes() for _ in range(6)]
    refuse = b" NO cannot\r\n"
    with world.server(long, after=long, on=lambda said, tag: tag + refuse if "TEXT" in said else None) as server:
        found = world.run(world.config(mailbox=server.config()))
    assert found.status == 0, found.stderr
    assert_whole(box, found)


def test_mails_that_there_is_no_time_for_are_told_of(world: Posted, monkeypatch: pytest.MonkeyPatch) -> None:
    from tap_emaillogs.providers.messangi import inbox  # noqa: PLC0415 - likewise

    monkeypatch.setattr(inbox, "_BOUNDS", {False: (1 << 20, 60.0), True: (1 << 21, 60.0)})
    world.start(lost_reports=-1)
    long = [hostile_mails.mail(b"a,b\n" * 500_000, when=WHEN).as_bytes() for _ in range(6)]
    with world.server(long) as server:
        found = world.run(world.config(mailbox=server.config(), wait_minutes=0))
    assert "mails could not be looked at in time: have the reports delivered" in found.ledger[0]["gap_reason"]


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_before_and_behind_the_report(world: Posted, seed: int) -> None:
    box = world.start(id_in=("filename", "subject", "body")[seed % 3], attachment=("csv", "zip", "csv.gz")[seed % 3])
    chance = random.Random(seed)
    hostile = [raw[:20_000] for _, raw in hostile_mails.mails(WHEN, "2026-02-27 00:00:00")]
    before, after = (
        [hostile_mails.mangled(chance.choice(hostile), seed * 1_000 + number) for number in numbers]
        for numbers in (range(40), range(40, 80))
    )
    with world.server(before, after=after) as server:
        found = world.run(world.config(mailbox=server.config(), trusted_sender="other.example"))
    assert found.status == 0, found.stderr
    assert_whole(box, found)


@pytest.mark.parametrize("name", ["encoded", "in pieces", "both"])
def test_an_id_in_a_file_name_of_rfc_2231_is_found_behind_many_newer_mails(world: Posted, name: str) -> None:
    box = world.start(report_delay=None)
    first = world.run(world.config(wait_minutes=0))
    (note,) = notes(first)
    (held,) = world.post.held
    (part,) = held.iter_attachments()
    ident, content = note["id"], part.get_payload(decode=True)
    assert isinstance(content, bytes)
    encoded = "".join(f"%{ord(letter):02X}" for letter in ident)
    shown = {
        "encoded": f"filename*=UTF-8''report-{encoded}.csv",
        "in pieces": f'filename*0="report-{ident[:9]}"; filename*1="{ident[9:]}.csv"',
        "both": f"filename*0*=UTF-8''{encoded[:30]}; filename*1*={encoded[30:]}.csv",
    }[name]
    mail = hostile_mails.headed(
        "From: x@messangi.example",
        "Date: Sun, 1 Mar 2026 12:01:00 +0000",
        'Content-Type: multipart/mixed; boundary="b"',
        body=b"--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; "
        + shown.encode()
        + b"\r\n\r\n"
        + content
        + b"\r\n--b--\r\n",
    )
    newer = [
        hostile_mails.mail(b"Date,Status\n2026-02-27 00:00:00,SENT\n", when=WHEN, subject=f"Report {number}").as_bytes()
        for number in range(150)
    ]
    with world.server([mail, *newer]) as server:
        found = world.run(world.config(wait_minutes=5, mailbox=server.config()), first.state)
        assert found.status == 0, found.stderr
        assert_whole(box, found)
        assert not world.clock.waits, "the first look finds it"
        opened = [command for command in server.commands if "BODY.PEEK[]<0.1048576>" in command]
        assert len(opened) == 1, "and opens no other mail"


@pytest.mark.parametrize("when", ["LOGIN", "EXAMINE", "UID SEARCH", "UID FETCH"])
def test_a_connection_that_drops_is_made_anew_while_time_is_left(world: Posted, when: str) -> None:
    box = world.start()
    dropped: list[str] = []

    def drop(command: str, _tag: bytes) -> Answer:
        if command.startswith(when) and world.post.requests and len(dropped) < 5:
            dropped.append(command)
            raise ConnectionError
        return None

    with world.server(on=drop) as server:
        found = world.run(world.config(mailbox=server.config(), wait_minutes=10))
    assert len(dropped) == 5
    assert found.status == 0, found.stderr
    assert_whole(box, found)
    assert "the mailbox cannot be re" in found.stderr or "broke the connection off" in found.stderr


def test_a_mailbox_that_stays_down_fails_when_the_waiting_is_over(world: Posted) -> None:
    world.start(report_delay=None)

    def drop(command: str, _tag: bytes) -> Answer:
        if command.startswith("UID SEARCH") and world.post.requests:
            raise ConnectionError
        return None

    with world.server(on=drop) as server:
        before = world.clock.now()
        found = world.run(world.config(mailbox=server.config(), wait_minutes=10))
    assert found.status == 1
    assert "the mailbox cannot be read" in found.lines("ERROR")[0]
    assert timedelta(minutes=10) <= world.clock.now() - before < timedelta(minutes=12)
    assert notes(found), "a later run collects it"


@pytest.mark.parametrize("greeting", [None, b"* OK half a line"])
def test_a_server_that_says_nothing_is_waited_for_as_long_as_configured(world: Posted, greeting: bytes | None) -> None:
    world.start()
    with world.server(greeting=greeting) as server:
        began = time.monotonic()
        config = world.config(mailbox=server.config())
        found = world.run({**config, "timeout_seconds": 0.3})
        assert time.monotonic() - began < 10
    assert found.status == 1
    assert "it takes too long to answer, 3 tries" in found.lines("ERROR")[0]
    assert not world.post.requests


def test_a_run_that_waits_for_a_silent_server_is_ended_in_seconds(world: Posted) -> None:
    box = world.start()
    with world.server(greeting=None) as server:
        with started(world.config(mailbox=server.config())) as process:
            limit = time.monotonic() + 30
            while not server.connections and time.monotonic() < limit:
                time.sleep(0.05)
            began = time.monotonic()
            ended = process.finish(signal.SIGTERM)
        assert time.monotonic() - began < 3
    assert ended.status == 143
    assert box


@pytest.mark.parametrize(
    ("what", "command", "answer"),
    [
        ("lines without end", "UID SEARCH", b"* OK still here\r\n" * 300_000),
        ("a line without end", "UID SEARCH", b"* SEARCH " + b"1 " * 3_000_000),
        ("nobody asked for", "UID FETCH", b"* 1 FETCH (UID 1 BODY[]<0> {99999999999}\r\n"),
        ("nobody asked for", "UID FETCH", b"* 1 FETCH (UID 1 BODY[]<0> {3000000}\r\n" + b"x" * 3_000_000),
        ("abort", "UID FETCH", b"\xff\xfe\x00 nonsense\r\n"),
        ("abort", "UID SEARCH", b"* BYE so long\r\n"),
        ("ValueError", "UID FETCH", b"* 1 FETCH (UID 1 BODY[]<0> {" + b"9" * 5_000 + b"}\r\n"),
    ],
)
def test_a_server_that_sends_too_much_or_nonsense_fails_in_words(
    world: Posted, what: str, command: str, answer: bytes
) -> None:
    world.start()
    with world.server(on=lambda said, _: answer if said.startswith(command) else None) as server:
        began = time.monotonic()
        found = world.run(world.config(mailbox=server.config(), wait_minutes=0))
        assert time.monotonic() - began < 30
    assert found.status == 1
    assert what in found.lines("ERROR")[0]


def test_a_server_that_lies_about_its_mails(world: Posted) -> None:
    box = world.start(id_in="filename")

    def lie(command: str, tag: bytes) -> Answer:
        if command.startswith("UID SEARCH") and "TEXT" in command:
            return b"* SEARCH 0 1 1 1 -3 x 99999999999999999999 4000000000 12\r\n" + tag + b" OK done\r\n"
        if command.startswith("UID FETCH"):
            other = b"* 77 FETCH (UID 77 BODY[]<0> {3}\r\nabc)\r\n* 9 FETCH (FLAGS ())\r\n* 5 EXPUNGE\r\n"
            return other + server._answer(command, tag)
        return None

    with world.server(on=lie) as server:
        found = world.run(world.config(mailbox=server.config()))
    assert found.status == 0, found.stderr
    assert_whole(box, found)


@pytest.mark.parametrize("word", ["NO", "BAD"])
def test_a_server_that_cannot_search_in_texts_or_hand_out_one_mail(world: Posted, word: str) -> None:
    box = world.start()

    def refuse(command: str, tag: bytes) -> Answer:
        uids = command.split(" ")[2] if command.startswith("UID FETCH") else ""
        if "TEXT" in command or "1" in uids.split(","):
            return tag + b" " + word.encode() + b" cannot\r\n"
        return None

    with world.server([b"Subject: the one\r\n\r\n"], after=[b"Subject: after\r\n\r\n"], on=refuse) as server:
        found = world.run(world.config(mailbox=server.config()))
    assert found.status == 0, found.stderr
    assert_whole(box, found)
    assert len([line for line in found.lines("WARNING") if "does not hand it out" in line]) == 1
