"""Whatever strangers send: the honest report is read, in bounded time, and nothing of theirs reaches logs as it is."""

from __future__ import annotations

import os
import random
import re
import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import hostile_mails
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
WHEN = NOW + timedelta(minutes=1)
DAY = "2026-02-27 00:00:00"
HOSTILE = dict(hostile_mails.mails(WHEN, DAY))
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def world(play: Callable[..., Sandbox], clock: Ticking) -> Iterator[World]:
    with Mailbox(clock=clock.now) as mailbox:
        yield World(play, mailbox, clock)


def put(folder: Path, mails: dict[str, bytes]) -> None:
    """Save mails that all look newer than whatever comes."""
    later = time.time() + 3_600
    for number, raw in enumerate(mails.values()):
        path = folder / f"hostile-{number}.eml"
        path.write_bytes(raw)
        os.utime(path, (later, later))


def assert_read(box: Sandbox, found: Run) -> None:
    assert found.status == 0, found.stderr
    assert_whole(box, found)
    assert not _CONTROL.search(found.stderr), "control characters in the log"
    assert len(found.lines("WARNING")) <= 6, found.stderr


def test_hostile_mails_in_a_directory(world: World, tmp_path: Path) -> None:
    box = world.start(smtp=None, directory=str(tmp_path))
    put(tmp_path, HOSTILE)
    began = time.monotonic()
    found = world.run(world.config(directory=str(tmp_path)))
    assert time.monotonic() - began < 30
    assert_read(box, found)
    (warning,) = [line for line in found.lines("WARNING") if "without a word" in line]
    assert "more mails that cannot be read" in warning


@pytest.mark.parametrize("trusted", [{}, {"trusted_sender": hostile_mails.SENDER}])
def test_hostile_mails_where_no_mail_names_the_request(world: World, tmp_path: Path, trusted: dict[str, str]) -> None:
    box = world.start(smtp=None, directory=str(tmp_path), id_in="nowhere")
    put(tmp_path, HOSTILE)
    began = time.monotonic()
    found = world.run(world.config(directory=str(tmp_path), wait_minutes=0, **trusted))
    assert time.monotonic() - began < 90
    if trusted:
        # Whoever forges the sender of a user who believes `From` may have written the one that is taken.
        assert found.status == 0, found.stderr
        assert found.ledger[0]["status"] == "complete"
    else:
        assert found.ledger[0]["status"] == "pending"
        assert not found.records[STREAM]
    assert box


@pytest.mark.parametrize("what", [*HOSTILE])
def test_each_hostile_mail_costs_a_warning_at_most(world: World, tmp_path: Path, what: str) -> None:
    box = world.start(20, smtp=None, directory=str(tmp_path), id_in="nowhere")
    put(tmp_path, {what: HOSTILE[what]})
    began = time.monotonic()
    found = world.run(world.config(directory=str(tmp_path), trusted_sender="other.example", wait_minutes=0))
    assert time.monotonic() - began < 15
    assert (found.status, found.ledger[0]["status"]) == (0, "pending")
    assert not _CONTROL.search(found.stderr)
    assert box


def test_hostile_tables_in_a_mailbox(world: World) -> None:
    """Of a real server, which cannot bear the other mails itself; `test_messangi_server` has one that can."""
    box = world.start(id_in="filename")
    for what, _, _ in hostile_mails.tables(DAY):
        world.mailbox.deliver(HOSTILE[what], when=WHEN)
    began = time.monotonic()
    found = world.run(world.config())
    assert time.monotonic() - began < 60
    assert_read(box, found)
    assert set(world.mailbox.flags()) == {frozenset()}


def test_an_honest_report_that_is_too_long_is_asked_for_in_parts(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tap_emaillogs.providers.messangi import candidates  # noqa: PLC0415 - its limits are made small here

    monkeypatch.setattr(candidates, "_LIMITS", replace(candidates._LIMITS, rows=40))
    box = world.start(120, smtp=None, directory=str(tmp_path))
    found = world.run(world.config(directory=str(tmp_path)))
    assert found.status == 0, found.stderr
    assert_whole(box, found)
    assert len(found.ledger) > 3
    assert {row["status"] for row in found.ledger} == {"complete"}
    assert not notes(found)


@pytest.mark.parametrize("seed", range(6))
def test_random_damage_in_a_directory(world: World, tmp_path: Path, seed: int) -> None:
    box = world.start(40, smtp=None, directory=str(tmp_path), attachment=("csv", "zip", "csv.gz")[seed % 3])
    originals = [*HOSTILE.values(), *(mail.as_bytes() for mail in honest(seed))]
    chance = random.Random(seed)
    put(
        tmp_path,
        {
            str(number): hostile_mails.mangled(chance.choice(originals)[:20_000], seed * 1_000 + number)
            for number in range(60)
        },
    )
    found = world.run(world.config(directory=str(tmp_path), trusted_sender="other.example"))
    assert_read(box, found)


def honest(seed: int) -> list[Any]:
    span = table(NOW - timedelta(days=3), NOW - timedelta(days=2))
    return [forged(f"Report {number}", span, sender=hostile_mails.SENDER, when=WHEN) for number in range(1 + seed % 3)]
