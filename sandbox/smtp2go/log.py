"""One account's events. Each thing that happens to a mail is a row of its own, which appears when it happens."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sandbox.base import DAY, MINUTE, SECOND, Account, Log, World, to_ms
from sandbox.base.data import DEFERRED, HARD, OK, Person, people
from sandbox.smtp2go.data import Event, History, Mail, row

if TYPE_CHECKING:
    from sandbox.base import Life

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
_FIRST_LIFE = 1_000_000
"""Mails of lives are counted from here: their rows are no other mail's."""


class Events(Log[Event]):
    """An account's events by time; in one second, as they appeared."""

    order = ("at", "order")

    def __init__(self, account: Account, world: World) -> None:
        super().__init__(account, world)
        self.history = History(account, self.people)
        self._events: Counter[str] = Counter()
        rng, share, late = account.rng("late"), self.options["late_share"], self.options["late_minutes"] * MINUTE
        for event in self.history.events(
            self.times(account.size, int(self.options["span_days"] * DAY), self.end), True
        ):
            seen = event.at + (int(rng.random() * late) if rng.random() < share else 0)
            if seen <= self.end:
                self.add(event)
            else:
                self.plan(seen, lambda event=event: self.add(event))  # type: ignore[misc]

    def add(self, one: Event) -> None:
        one.order = len(self._rows)
        self._events.update(one.made)
        super().add(one)

    def row(self, one: Event) -> dict[str, Any]:
        return row(one)

    def events(self) -> Counter[str]:
        return self._events

    def appear(self, count: int, at_ms: int) -> list[Event]:
        """Let events appear, three to a second."""
        second = _second(at_ms)
        events = list(self.history.events([second - i // 3 * SECOND for i in reversed(range(count))]))
        for event in events:
            self.add(event)
        return events

    def mutate(self, count: int, at_ms: int, kind: str | None = None) -> list[Event]:  # noqa: ARG002 - one kind
        """Let delivery_attempts grow, where the option `attempts` says that they do; no other row changes."""
        if self.options["attempts"] != "grow":
            return []
        before = [event for event in self.rows if event.kind == "processed" and event.at <= at_ms]
        rng = self.account.rng(f"attempts {sum(len(event.attempts) for event in before)}")
        chosen = rng.sample(before, min(count, len(before)))
        for event in chosen:
            event.tried(at_ms, DEFERRED)
        return chosen

    @cached_property
    def _people_of_lives(self) -> list[Person]:
        return people(self.account.rng("people of lives"))

    def live(self, life: Life, number: int) -> None:
        """Let each row appear at its time; with growing attempts, what a server answered comes to `processed` too."""
        number += _FIRST_LIFE
        taken = to_ms(life.at)
        person = self._people_of_lives[number % len(self._people_of_lives)]
        mail = Mail(number, _second(taken), person, f"{self.account.seed}/{self.account.label}/life")
        first = Event(mail.at, "processed", mail, number * 7 % 65_521)
        self.plan(taken, lambda: self.add(first))
        for place, (at, kind) in enumerate(life.moments(), 1):
            event = Event(_second(at), kind, mail, (number * 7 + place * 31) % 65_521)

            def happen(event: Event = event) -> None:
                self.add(event)
                if self.options["attempts"] == "grow" and event.kind in _ANSWERS:
                    first.tried(event.at, _ANSWERS[event.kind])

            self.plan(at, happen)


def _second(ms: int) -> int:
    return ms // SECOND * SECOND
