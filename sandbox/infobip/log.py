"""One account's mails, and how they end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sandbox.base import HOUR, MINUTE, SECOND, Account, Log, World, to_ms
from sandbox.base.data import Person, skewed
from sandbox.infobip.data import FINAL, WEIGHTS, Mail, Status, row

if TYPE_CHECKING:
    from sandbox.base import Life

_FIRST_LIFE = 1 << 40
"""Numbers of mails with a planned life begin here."""


class Mails(Log[Mail]):
    """An account's mails by time; in one millisecond, as they were made."""

    def __init__(self, account: Account, world: World) -> None:
        super().__init__(account, world)
        self._rng = account.rng("mails")
        self._made = 0
        burst = self.options["burst"] or []
        crowd = [at for one in ([burst] if isinstance(burst, Mapping) else burst) for at in _burst(one, self.end)]
        regular = max(0, account.size - len(crowd))
        times = self.times(regular, int(self.options["span_hours"] * HOUR), self.end, step=1)
        for at in sorted(crowd + times[:regular]) + times[regular:]:
            mail, done, status = self.mail(at)
            self.plan(at, lambda mail=mail: self.add(mail))  # type: ignore[misc]
            self._plan_end(mail, done, status)
        self.advance(self.end)

    def _plan_end(self, mail: Mail, done: int, status: Status) -> None:
        def finish() -> None:
            mail.finish(done, status)
            self.touch()

        self.plan(done, finish)

    def row(self, one: Mail, version: int = 1) -> dict[str, Any]:
        """Return a mail in the shape of v1 or v4."""
        return row(one, self.options["offset"], version)

    def events(self) -> Counter[str]:
        return Counter(kind for mail in self._rows for kind in mail.event_types)

    def appear(self, count: int, at_ms: int) -> list[Mail]:
        """Let mails appear, pending, two to a millisecond."""
        made = [self.mail(at_ms - i // 2) for i in reversed(range(count))]
        for mail, done, status in made:
            self.add(mail)
            self._plan_end(mail, max(done, at_ms + SECOND), status)
        return [mail for mail, _, _ in made]

    def mutate(self, count: int, at_ms: int, kind: str | None = None) -> list[Mail]:  # noqa: ARG002 - one kind
        """Give pending mails, the oldest first, their final status."""
        pending = [mail for mail in self.rows if mail.done is None and mail.at <= at_ms][:count]
        for mail in pending:
            mail.finish(at_ms, self.mail(at_ms)[2])
        self.touch()
        return pending

    def live(self, life: Life, number: int) -> None:
        """Plan a mail and what becomes of it: the same for the same number."""
        mail = self._mail(_FIRST_LIFE + number, to_ms(life.at), self.people[number % len(self.people)])
        self.plan(mail.at, lambda: self.add(mail))
        for at, name in life.moments():
            self.plan(at, lambda at=at, name=name: self._step(mail, at, name))  # type: ignore[misc]

    def _step(self, mail: Mail, at: int, name: str) -> None:
        mail.step(at, name)
        self.touch()

    def mail(self, at: int) -> tuple[Mail, int, Status]:
        """Return a mail sent at `at`, when it will be final and how."""
        self._made += 1
        # Neighbours have different addresses, so that messageId and to are a key.
        person = self.people[(self._made + self._rng.randrange(2) * 100) % len(self.people)]
        mail = self._mail(self._made, at, person)
        lacks = self.options["lacks"]
        if lacks and self._made % lacks["every"] == 0:
            mail.lacks = lacks["column"]
        status = FINAL[self._made - 1] if self._made <= len(FINAL) else self._rng.choices(FINAL, WEIGHTS)[0]
        done = at + 50 + skewed(self._rng, 6 * HOUR if status.group[1] == "EXPIRED" else 2 * MINUTE)
        return mail, done, status

    def _mail(self, number: int, at: int, person: Person) -> Mail:
        return Mail(number, at, person, f"{self.account.seed}/{self.account.label}")


def _burst(one: Mapping[str, Any], end: int) -> list[int]:
    """Return the times of a burst: all in one second, at the same millisecond or spread."""
    second = one.get("second")
    if second is None:
        second = end - HOUR
    elif isinstance(second, str):
        second = to_ms(datetime.fromisoformat(second))
    elif isinstance(second, datetime):
        second = to_ms(second)
    start = second // SECOND * SECOND
    count = one["count"]
    return [start + (0 if one.get("same_ms") else i * SECOND // count) for i in range(count)]
