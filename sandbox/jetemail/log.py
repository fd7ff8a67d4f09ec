"""One account's messages: what happens to them is planned, and changes their rows when the clock gets there."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from sandbox.base import DAY, HOUR, MINUTE, SECOND, Account, Log, World, to_ms
from sandbox.base.data import skewed
from sandbox.jetemail.data import EVENT_TYPES, Row, Step, row

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from sandbox.base import Life

_FATES = (
    *(("ACCEPTED",), ("QUEUED", "ACCEPTED"), ("DEFERRED", "ACCEPTED"), ("DEFERRED", "DEFERRED", "BOUNCED_SOFT")),
    *(("BOUNCED_HARD",), ("REJECTED",), ("SPAM",), ("VIRUS",), ("ACCEPTED", "ACCEPTED"), ()),
)
_WEIGHTS = (60, 12, 6, 3, 4, 3, 2, 1, 6, 3)
KEYS: dict[str, Callable[[Row], tuple[int, str]]] = {
    "first_seen": lambda row: (row.at, row.uid),
    "last_updated": lambda row: (row.updated, row.uid),
}
"""What rows are sorted by, per column."""


class Messages(Log[Row]):
    """An account's messages."""

    order = ("at", "uid")

    def __init__(self, account: Account, world: World) -> None:
        super().__init__(account, world)
        self.asked = 0
        self.scale = 1 if self.options["unit"] == "milliseconds" else SECOND
        self._rng = account.rng("rows")
        self._made = 0
        self._by: dict[str, tuple[int, list[Row]]] = {}
        self.end -= self.end % SECOND
        for at in self.times(account.size, int(self.options["span_days"] * DAY), self.end):
            self._plan(*self.message(at))
        self.advance(self.end)

    def _plan(self, row: Row, steps: list[Step]) -> None:
        """Let a row appear, and what happens to it, when the clock gets there."""
        self.plan(row.at, lambda: self.add(row))
        for step in steps:
            self.plan(step.at, lambda step=step: self._happen(row, step))  # type: ignore[misc]

    def _happen(self, row: Row, step: Step) -> None:
        row.add(step)
        self.touch()

    def by(self, column: str) -> list[Row]:
        """Return the rows sorted by a time."""
        version, rows = self._by.get(column, (-1, []))
        if version != self.version:
            rows = sorted(self._rows, key=KEYS[column])
            self._by[column] = self.version, rows
        return rows

    def row(self, one: Row) -> dict[str, Any]:
        return row(one, self.scale)

    def events(self) -> Counter[str]:
        return sum((one.events() for one in self._rows), Counter())

    def appear(self, count: int, at_ms: int) -> list[Row]:
        """Let messages appear, two to a second, as they are by then."""
        made = [self.message(at_ms - (1 + i // 2) * SECOND) for i in reversed(range(count))]
        for message, steps in made:
            self.add(message)
            for step in steps:
                if step.at <= at_ms:
                    self._happen(message, step)
        return [message for message, _ in made]

    def mutate(self, count: int, at_ms: int, kind: str | None = None) -> list[Row]:
        """Let something happen to rows: a `kind` of `EVENT_TYPES`, or each in turn."""
        kinds = [kind] if kind else ["open", "click", "DEFERRED", "ACCEPTED"]
        rng = self.account.rng(f"change {sum(len(row.steps) for row in self._rows)}")
        rows = [message for message in self.by("first_seen") if message.at <= at_ms]
        changed = rng.sample(rows, min(count, len(rows)))
        for number, message in enumerate(changed):
            assert kinds[number % len(kinds)] in EVENT_TYPES
            self._happen(message, Step(at_ms, kinds[number % len(kinds)], rng.randrange(1 << 16)))
        return changed

    def live(self, life: Life, number: int) -> None:
        """Plan the message of a life, which depends on nothing but the life, its number and the account."""
        rng = self.account.rng(f"life {number}")
        row = self._row(f"life {number}", number, to_ms(life.at), rng)
        self._plan(row, [Step(at, kind, rng.randrange(1 << 16)) for at, kind in life.moments()])

    def message(self, at: int) -> tuple[Row, list[Step]]:
        """Return a message first seen in the second of `at`, and what will happen to it."""
        rng = self._rng
        self._made += 1
        made, first = self._made, at - at % SECOND + rng.randrange(SECOND)
        row = self._row(str(made), made, first, rng)
        fate = _FATES[made - 1] if made <= len(_FATES) else rng.choices(_FATES, _WEIGHTS)[0]
        steps: list[Step] = []
        for number, kind in enumerate(fate):
            wait = rng.randrange(3 * SECOND) if number == 0 else skewed(rng, MINUTE if "QUEUED" in fate else HOUR)
            steps.append(Step((steps[-1].at if steps else first) + wait, kind, rng.randrange(1 << 16)))
        if "ACCEPTED" in fate:
            steps += _reading(rng, steps[-1].at)
        return row, steps

    def _row(self, name: str, number: int, at: int, rng: random.Random) -> Row:
        person, detail = rng.randrange(len(self.people)), rng.randrange(1 << 16)
        many = self.options["receivers"] if number % 3 == 0 else 1
        people = tuple(self.people[(person + place) % len(self.people)] for place in range(many))
        seed = f"{self.account.seed}/{self.account.label}/{name}"
        uid = f"{hashlib.sha1(seed.encode(), usedforsecurity=False).hexdigest()[:20]}-{number % 100:02}"
        return Row(uid, number, at, people, detail, self.options["attempts"] == "shown")


def _reading(rng: random.Random, at: int) -> list[Step]:
    """Return opens and clicks; a click at times has a twin in the same second."""
    steps = []
    while rng.random() < 0.45:
        at += skewed(rng, 6 * HOUR)
        steps.append(Step(at, "open", rng.randrange(1 << 16)))
        if rng.random() < 0.5:
            click = Step(at + rng.randrange(MINUTE), "click", rng.randrange(1 << 16))
            steps += [click, click] if rng.random() < 0.3 else [click]
    return steps
