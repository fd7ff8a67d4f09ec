"""Who may send a report that does not hold the request's id: by `From`, or as the user's own mail server vouches."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from general import NOW
from harness import Ticking, run
from messangi_mails import World, assert_whole, notes
from tap_emaillogs.providers.messangi.mails import Mail
from tap_emaillogs.providers.messangi.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.server import Sandbox

STREAM = "messangi_message_reports"
SENDER = "no-reply@messangi.example"
RESULTS = "authentication-results"
OWN = "mx.shop.example"
RECEIVED = ("received", "from a by b; Sun, 1 Mar 2026 12:00:00 +0000")


def mail(*traces: tuple[str, str], sender: str = SENDER) -> Mail:
    return Mail("key", "1", sender=sender, traces=traces)


def results(text: str, ident: str = OWN) -> tuple[str, str]:
    return (RESULTS, f"{ident}; {text}")


PASSED = results("dkim=pass header.d=messangi.example")
FAILED = results("dkim=fail header.d=messangi.example; spf=softfail smtp.mailfrom=messangi.example")


@pytest.mark.parametrize(
    "text",
    [
        "dkim=pass header.d=messangi.example",
        "dkim=pass (2048-bit key; unprotected) header.d=messangi.example header.i=@messangi.example header.s=s1",
        "DKIM=Pass HEADER.D=Messangi.Example",
        "dkim=pass header.i=@messangi.example",
        'dkim=pass reason="good; signature" header.d = messangi.example',
        "dkim=fail header.d=evil.example; dkim=pass header.d=messangi.example",
        "dkim=pass header.d=mail.messangi.example",
        "spf=pass smtp.mailfrom=bounces@mail.messangi.example",
        "spf=pass (mx: ok (really)) smtp.mailfrom=messangi.example; dkim=none",
        "dmarc=pass (p=reject sp=none) header.from=messangi.example",
        "dkim/1=pass header.d=messangi.example",
        "dkim=pass\r\n\theader.d=messangi.example;\r\n\tspf=fail smtp.mailfrom=x@evil.example",
    ],
)
@pytest.mark.parametrize("ident", [OWN, OWN.upper(), f'"{OWN}"', f"{OWN} 1", f"(a comment) {OWN}"])
def test_what_vouches(text: str, ident: str) -> None:
    assert Trust(SENDER, OWN).allows(mail(results(text, ident), RECEIVED))


@pytest.mark.parametrize(
    "text",
    [
        "none",
        "",
        "dkim=fail header.d=messangi.example",
        "dkim=pass",
        "dkim=pass header.d=evil.example",
        "dkim=pass header.d=xmessangi.example",
        "dkim=pass header.d=messangi.example.evil.example",
        "dkim=pass header.d=example",
        "dkim=passed header.d=messangi.example",
        "dkim=fail (dkim=pass header.d=messangi.example) header.d=messangi.example",
        'dkim=fail reason="; dkim=pass header.d=messangi.example; "',
        'spf=pass smtp.mailfrom="; dkim=pass header.d=messangi.example; "@evil.example',
        "spf=pass smtp.helo=messangi.example",
        "spf=neutral smtp.mailfrom=messangi.example",
        "arc=pass header.d=messangi.example",
        "dkim=pass header.d=messangi.example; dmarc=fail header.from=messangi.example",
        "dkim=pass header.d=evil.example header.d=messangi.example",
        "dkim=pass header.d=messangi.example (",
        'dkim=pass header.d=messangi.example "',
        "dkim=pass header.d=messangi.example)",
    ],
)
def test_what_does_not_vouch(text: str) -> None:
    assert not Trust(SENDER, OWN).allows(mail(results(text), RECEIVED))


@pytest.mark.parametrize(
    ("traces", "is_vouched"),
    [
        ([PASSED, RECEIVED], True),
        ([RECEIVED, PASSED, RECEIVED], True),
        ([results("spf=fail smtp.mailfrom=x@messangi.example"), PASSED, RECEIVED], True),
        ([results("dkim=fail", "other.example"), PASSED, RECEIVED], True),
        # What a sender wrote lies below the line of the server that took the mail in.
        ([FAILED, RECEIVED, PASSED], False),
        ([RECEIVED, FAILED, PASSED], False),
        ([RECEIVED, FAILED, RECEIVED, PASSED], False),
        ([RECEIVED, results("none"), PASSED, PASSED], False),
        ([results("dkim=pass header.d=messangi.example", "mx.evil.example"), RECEIVED], False),
        ([results("dkim=pass header.d=messangi.example", f"{OWN}.evil.example"), RECEIVED], False),
        ([], False),
    ],
)
def test_only_the_servers_own_lines_count(traces: list[tuple[str, str]], is_vouched: bool) -> None:
    assert Trust(SENDER, OWN).allows(mail(*traces)) == is_vouched


def test_nobody_is_trusted_without_the_setting_and_others_are_not() -> None:
    assert not Trust(None).allows(mail())
    assert not Trust(None, OWN).allows(mail(PASSED))
    assert Trust(SENDER).allows(mail())
    assert not Trust("other.example", OWN).allows(mail(PASSED))
    assert not Trust(SENDER, OWN).allows(mail(PASSED, sender=""))


@pytest.mark.thorough
@pytest.mark.parametrize("letter", ['"', "(", ";", "=", "\\", "a ", '"(', "\\)", "x=y;", '"x" '])
def test_a_long_line_takes_no_time(letter: str, measured: Callable[[Callable[[int], Any]], float]) -> None:
    trust = Trust(SENDER, OWN)
    assert measured(lambda size: trust.allows(mail(results(letter * (size // len(letter)))))) <= 3


# A whole run.


@pytest.fixture
def world(play: Callable[..., Sandbox], tmp_path: Path) -> World:
    # As real clocks are: with microseconds, which STATE does not keep.
    return World(play, None, Ticking(NOW + timedelta(microseconds=123_456)), tmp_path)


def test_a_trusted_sender_works_in_the_run_that_asks(world: World) -> None:
    box = world.start(60, id_in="nowhere")
    found = world.run(world.config(trusted_sender=SENDER))
    assert found.status == 0, found.stderr
    assert_whole(box, found)
    (warning,) = found.lines("WARNING")
    assert "by its From line alone, which anybody can write: set report.authserv_id" in warning
    (line,) = [line for line in found.lines("INFO") if "is taken for the report" in line]
    assert "it is from trusted_sender, and its dates fit" in line


@pytest.mark.parametrize("vouched", [True, False])
def test_the_users_mail_server_vouches_or_not(world: World, vouched: bool) -> None:
    box = world.start(60, id_in="nowhere", report_delay=None)
    config = world.config(trusted_sender="messangi.example", authserv_id=OWN, wait_minutes=0)
    first = world.run(config)
    assert not first.lines("WARNING")[0].count("anybody can write")
    (held,) = world.post.held
    result = "pass" if vouched else "fail"
    top = f"Authentication-Results: {OWN};\r\n dkim={result} header.d=messangi.example\r\nReceived: by {OWN}\r\n"
    forged = f"Authentication-Results: {OWN}; dkim=pass header.d=messangi.example\r\n"
    raw = (top + forged).encode() + held.as_bytes().replace(b"\n", b"\r\n")
    (world.folder / "report.eml").write_bytes(raw)
    found = world.run(config, first.state)
    if vouched:
        assert_whole(box, found)
        assert "for which the mail server vouches" in found.stderr
    else:
        assert found.ledger[0]["status"] == "pending"
        assert "the mail server of report.authserv_id does not vouch for its sender" in found.ledger[0]["gap_reason"]
        assert notes(found)


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        ({"authserv_id": "two words", "trusted_sender": "a.example"}, "messangi.report.authserv_id must be one name"),
        ({"authserv_id": "a;b", "trusted_sender": "a.example"}, "messangi.report.authserv_id must be one name"),
        ({"authserv_id": OWN}, "messangi.report.authserv_id has no effect without report.trusted_sender"),
    ],
)
def test_mistakes_are_named(report: dict[str, str], sentence: str) -> None:
    given = {"emails": ["a@example.com"], "from": "b@example.com", "directory": ".", **report}
    with pytest.raises(ConfigValidationError) as caught:
        run({"messangi": {"api_key": "some-key", "report": given}})
    assert sentence in "\n".join(caught.value.errors)
