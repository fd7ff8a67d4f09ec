"""JetEmail's rows: one per message, growing with every attempt, open and click.

Fields are those of `shared/providers/jetemail-outbound-logs.txt`, and `delivery_status`, which appears at times.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.base import DAY, HOUR, MINUTE, SECOND, from_ms, to_json
from sandbox.data import AGENTS, COUNTRIES, DEFERRED, HARD, LINKS, OK, SENDERS, SOFT, SUBJECTS, moments, people, skewed

if TYPE_CHECKING:
    import random

    from sandbox.base import Account
    from sandbox.data import Person

EVENT_TYPES = {
    "QUEUED": "queued",
    "ACCEPTED": "delivered",
    "DEFERRED": "deferred",
    "BOUNCED_HARD": "bounced",
    "BOUNCED_SOFT": "bounced",
    "REJECTED": "rejected",
    "SPAM": "rejected",
    "VIRUS": "rejected",
    "open": "opened",
    "click": "clicked",
}
"""What happens to a message and what the contract makes of it in `email_events`."""

_RESPONSES = {
    "QUEUED": "250 queued as 4VQx",
    "ACCEPTED": OK,
    "DEFERRED": DEFERRED,
    "BOUNCED_HARD": HARD,
    "BOUNCED_SOFT": SOFT,
    "REJECTED": "554 5.7.1 Rejected: poor reputation",
    "SPAM": "554 5.7.1 Message classified as spam: désolé",
    "VIRUS": "554 5.7.1 Virus found: Eicar-Test",
}
_FATES = (
    *(("ACCEPTED",), ("QUEUED", "ACCEPTED"), ("DEFERRED", "ACCEPTED"), ("DEFERRED", "DEFERRED", "BOUNCED_SOFT")),
    *(("BOUNCED_HARD",), ("REJECTED",), ("SPAM",), ("VIRUS",), ("ACCEPTED", "ACCEPTED"), ()),
)
_WEIGHTS = (60, 12, 6, 3, 4, 3, 2, 1, 6, 3)


class Step(NamedTuple):
    """One thing that happens to a message."""

    at: int
    kind: str
    detail: int


class Row:
    """One message as far as it has come."""

    __slots__ = ("_blob", "at", "detail", "number", "person", "steps", "uid", "updated")

    def __init__(self, uid: str, number: int, at: int, person: Person, detail: int) -> None:
        self.uid = uid
        self.number = number
        self.at = at
        self.updated = at
        self.person = person
        self.detail = detail
        self.steps: list[Step] = []
        self._blob = b""

    def add(self, step: Step) -> None:
        """Let something happen; the row is newer then."""
        self.steps.append(step)
        self.steps.sort()
        self.updated = max(self.updated, step.at)
        self._blob = b""

    def events(self) -> Counter[str]:
        """Return what this row makes in `email_events`."""
        events = Counter(EVENT_TYPES[step.kind] for step in self.steps)
        if not any(step.kind in _RESPONSES for step in self.steps):
            events["queued"] += 1
        return events

    def blob(self, scale: int) -> bytes:
        """Return the row as JSON; a time is its milliseconds divided by `scale`."""
        if not self._blob:
            self._blob = to_json(row(self, scale))
        return self._blob


class History:
    """Makes messages and plans what will happen to them."""

    def __init__(self, account: Account) -> None:
        self._rng = account.rng("rows")
        self._account = account
        self._people = people(account.rng("people"))
        self._made = 0

    def span(self, end: int, future: int) -> list[tuple[Row, list[Step]]]:
        """Return exactly `size` messages up to `end` and those of `future` more milliseconds, with what is planned."""
        span = int(self._account.options["span_days"] * DAY)
        times = moments(self._account.rng("times"), self._account.size, end - span, end)
        times += moments(self._account.rng("future"), self._account.size * future // span, end, end + future)
        return [self.message(at) for at in times]

    def message(self, at: int) -> tuple[Row, list[Step]]:
        """Return a message first seen in the second of `at`."""
        rng = self._rng
        self._made += 1
        made = self._made
        name = f"{self._account.seed}/{self._account.label}/{made}"
        uid = f"{hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()[:20]}-{made % 100:02}"
        first = at - at % SECOND + rng.randrange(SECOND)
        row = Row(uid, made, first, self._people[rng.randrange(len(self._people))], rng.randrange(1 << 16))
        fate = _FATES[made - 1] if made <= len(_FATES) else rng.choices(_FATES, _WEIGHTS)[0]
        steps: list[Step] = []
        for number, kind in enumerate(fate):
            wait = rng.randrange(3 * SECOND) if number == 0 else skewed(rng, MINUTE if "QUEUED" in fate else HOUR)
            steps.append(Step((steps[-1].at if steps else first) + wait, kind, rng.randrange(1 << 16)))
        if "ACCEPTED" in fate:
            steps += _reading(rng, steps[-1].at)
        return row, steps


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


def row(row: Row, scale: int) -> dict[str, Any]:
    """Return a message as the vendor shows it; times are milliseconds divided by `scale`."""
    sender = SENDERS[row.number % len(SENDERS)]
    attempts = [step for step in row.steps if step.kind in _RESPONSES]
    shown: dict[str, Any] = {
        "uid": row.uid,
        "id": f"{row.number:08d}",
        "message_id": f"<{row.uid}@shop.example>",
        "subject": SUBJECTS[row.number % len(SUBJECTS)],
        "from_address": sender,
        "to_address": row.person.address,
        "sender": sender,
        "receiver": row.person.address,
        "user": ("smtp@shop.example", "büro@shop.example")[row.number % 2],
        "src": "203.0.113.9",
        "originhost": "app-1.shop.example",
        "transtype": ("smtp", "http", "api")[row.number % 3],
        "headerFrom": f"Shop Łódź <{sender}>",
        "rule_id": None if row.number % 4 else "rule-7",
        "first_seen": row.at // scale,
        "last_updated": row.updated // scale,
        "action_count": len(row.steps),
        "delivery_attempts": [_attempt(row, step, scale) for step in attempts],
        "delivery_summary": {
            "total_attempts": len(attempts),
            "successful_deliveries": sum(step.kind == "ACCEPTED" for step in attempts),
            "failed_deliveries": sum(step.kind not in ("ACCEPTED", "QUEUED") for step in attempts),
            "unique_recipients": 1,
        },
        "opens": [_read(step, scale) for step in row.steps if step.kind == "open"],
        "clicks": [
            {**_read(step, scale), "original_url": LINKS[step.detail % len(LINKS)]}
            for step in row.steps
            if step.kind == "click"
        ],
    }
    if attempts:
        last = _attempt(row, attempts[-1], scale)
        if attempts[-1].kind.startswith("BOUNCED"):
            shown |= {"bounce_reason": last["response"], "bounce_mx": last["mx"], "bounce_host": last["host"]}
        else:
            shown |= {f"final_{name}": last[name] for name in ("mx", "host", "ip", "protocol", "response")}
        if row.detail % 3 == 0:
            shown["delivery_status"] = attempts[-1].kind
    return shown


def _attempt(row: Row, step: Step, scale: int) -> dict[str, Any]:
    domain = row.person.address.rpartition("@")[2]
    return {
        "action": step.kind,
        "receiver": row.person.address,
        "mx": f"mx{step.detail % 3}.{domain}",
        "host": f"out{step.detail % 5}.jetemail.example",
        "ip": f"192.0.2.{step.detail % 256}",
        "response": _RESPONSES[step.kind],
        "protocol": "smtp",
        "date": step.at // scale,
        "timestamp": from_ms(step.at).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _read(step: Step, scale: int) -> dict[str, Any]:
    country = None if step.detail % 7 == 0 else COUNTRIES[step.detail % len(COUNTRIES)]
    return {"date": step.at // scale, "country": country, "email_client": AGENTS[step.detail % len(AGENTS)]}
