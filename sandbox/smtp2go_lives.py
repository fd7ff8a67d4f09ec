"""Lives of SMTP2GO's mails: each thing that happens is a row of its own, which appears when it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.base import SECOND, to_ms
from sandbox.data import DEFERRED, HARD, OK, people
from sandbox.smtp2go_data import Event, Mail

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.base import Life
    from sandbox.smtp2go import Log

_READ = ("opened", "clicked", "spam", "unsubscribed")
TRANSITIONS: dict[str, tuple[str, ...]] = {
    "": ("soft-bounced", "delivered", "hard-bounced", "rejected"),
    "soft-bounced": ("soft-bounced", "delivered", "hard-bounced"),
    "delivered": _READ,
    "opened": _READ,
    "clicked": _READ,
    "spam": ("unsubscribed",),
    "unsubscribed": ("resubscribed", "opened", "clicked"),
    "resubscribed": ("opened", "clicked", "unsubscribed"),
    "hard-bounced": (),
    "rejected": (),
}
"""A mail that was just taken has the row `processed`."""
_ANSWERS = {"soft-bounced": DEFERRED, "delivered": OK, "hard-bounced": HARD}
_NUMBERS = 1_000_000
"""Mails of lives are counted from here: their rows are no other mail's."""


def plan(log: Log, lives: Iterable[Life]) -> None:
    """Let every row appear at its time; with growing attempts, what a server answered comes to `processed` too."""
    persons = people(log.account.rng("people of lives"))
    for life in lives:
        number = _NUMBERS + log.lives
        log.lives += 1
        at = to_ms(life.at)
        mail = Mail(number, _second(at), persons[number % len(persons)], f"{log.account.seed}/{log.account.label}/life")
        taken = Event(_second(at), "processed", mail, number * 7 % 65_521)
        log.schedule.plan(at, lambda taken=taken: log.add([taken]))  # type: ignore[misc]
        for place, (wait, kind) in enumerate(life.steps, 1):
            at += int(wait.total_seconds() * 1000)
            event = Event(_second(at), kind, mail, (number * 7 + place * 31) % 65_521)

            def happen(event: Event = event, taken: Event = taken) -> None:
                log.add([event])
                if log.account.options["attempts"] == "grow" and event.kind in _ANSWERS:
                    taken.tried(event.at, _ANSWERS[event.kind])

            log.schedule.plan(at, happen)


def grow(log: Log, count: int, at: int) -> int:
    """Let `count` mails processed before `at` be tried once more; return how many were."""
    if log.account.options["attempts"] != "grow":
        return 0
    before: list[Any] = [event for event in log.rows if event.kind == "processed" and event.at <= at]
    rng = log.account.rng(f"attempts {sum(len(event.attempts) for event in before)}")
    chosen = rng.sample(before, min(count, len(before)))
    for event in chosen:
        event.tried(at, DEFERRED)
    return len(chosen)


def _second(ms: int) -> int:
    return ms // SECOND * SECOND
