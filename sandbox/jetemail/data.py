"""JetEmail's rows: one per message, growing with every attempt, open and click.

Fields are those of the vendor's page, and `delivery_status`, which appears at times. What the page leaves open, whether
every outcome has its attempt and whether attempts name receivers beside the row's own, is an option.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.base import from_ms
from sandbox.base.data import AGENTS, COUNTRIES, DEFERRED, HARD, LINKS, OK, SENDERS, SOFT, SUBJECTS

if TYPE_CHECKING:
    from sandbox.base.data import Person

_TRIED = ("DEFERRED", "ACCEPTED", "BOUNCED_HARD", "BOUNCED_SOFT", "REJECTED", "SPAM", "VIRUS")
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
"""What happens to a message and what the contract makes of it in `email_events`; QUEUED is a wait, and no event."""
TRANSITIONS = {
    "": ("QUEUED", *_TRIED),
    "QUEUED": _TRIED,
    "DEFERRED": _TRIED,
    "ACCEPTED": ("open", "click"),
    "open": ("open", "click"),
    "click": ("open", "click"),
    **dict.fromkeys(("BOUNCED_HARD", "BOUNCED_SOFT", "REJECTED", "SPAM", "VIRUS"), ()),
}
"""What may follow what; `""` is a message that was just taken."""

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


class Step(NamedTuple):
    """One thing that happens to a message."""

    at: int
    kind: str
    detail: int


class Row:
    """One message as far as it has come.

    Args:
        uid: The vendor's key.
        number: The how manyth it is.
        at: When it was first seen.
        people: Its receivers, the row's own first; attempts go to any of them.
        detail: What its remaining columns are drawn from.
        shows_attempts: Whether attempts are listed; an outcome is told all the same.
    """

    __slots__ = ("at", "detail", "number", "people", "shows_attempts", "steps", "uid", "updated")

    def __init__(  # noqa: PLR0913, PLR0917 - what a row is
        self, uid: str, number: int, at: int, people: tuple[Person, ...], detail: int, shows_attempts: bool
    ) -> None:
        self.uid = uid
        self.number = number
        self.at = at
        self.updated = at
        self.people = people
        self.detail = detail
        self.shows_attempts = shows_attempts
        self.steps: list[Step] = []

    @property
    def attempts(self) -> list[Step]:
        """What the vendor did to deliver it, listed or not."""
        return [step for step in self.steps if step.kind in _RESPONSES]

    def receiver(self, step: Step) -> Person:
        """Return whom an attempt was for."""
        return self.people[step.detail % len(self.people)]

    def add(self, step: Step) -> None:
        """Let something happen; the row is newer then."""
        self.steps.append(step)
        self.steps.sort()
        self.updated = max(self.updated, step.at)

    def events(self) -> Counter[str]:
        """Return what this row makes in `email_events`."""
        events: Counter[str] = Counter()
        receivers = {self.people[0].address}
        for step in self.steps:
            if step.kind in _RESPONSES and not self.shows_attempts:
                continue
            if step.kind in _RESPONSES:
                receivers.add(self.receiver(step).address)
            events[EVENT_TYPES[step.kind]] += step.kind != "QUEUED"
        return events + Counter(queued=len(receivers))  # one for each mail and recipient, whatever came of it

    def hidden(self) -> dict[str, str]:
        """Return the columns that the vendor filters by and does not show."""
        number = self.number
        return {
            "md5": hashlib.md5(self.uid.encode(), usedforsecurity=False).hexdigest(),
            "zone": ("eu", "us")[number % 2],
            "interface": f"192.0.2.{number % 3}",
        }


def row(row: Row, scale: int) -> dict[str, Any]:
    """Return a message as the vendor shows it; times are milliseconds divided by `scale`."""
    sender = SENDERS[row.number % len(SENDERS)]
    own, attempts = row.people[0], row.attempts
    shown: dict[str, Any] = {
        "uid": row.uid,
        "id": f"{row.number:08d}",
        "message_id": f"<{row.uid}@shop.example>",
        "subject": SUBJECTS[row.number % len(SUBJECTS)],
        "from_address": sender,
        "to_address": own.address,
        "sender": sender,
        "receiver": own.address,
        "user": ("smtp@shop.example", "büro@shop.example")[row.number % 2],
        "src": "203.0.113.9",
        "originhost": "app-1.shop.example",
        "transtype": ("smtp", "http", "api")[row.number % 3],
        "headerFrom": f"Shop Łódź <{sender}>",
        "rule_id": None if row.number % 4 else "rule-7",
        "first_seen": row.at // scale,
        "last_updated": row.updated // scale,
        "action_count": len(row.steps),
        "delivery_attempts": [_attempt(row, step, scale) for step in attempts if row.shows_attempts],
        "delivery_summary": {
            "total_attempts": len(attempts),
            "successful_deliveries": sum(step.kind == "ACCEPTED" for step in attempts),
            "failed_deliveries": sum(step.kind not in ("ACCEPTED", "QUEUED") for step in attempts),
            "unique_recipients": len({row.receiver(step).address for step in attempts} | {own.address}),
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
    if not row.shows_attempts:  # the words that the vendor's own client knows
        waits = not attempts or attempts[-1].kind in {"QUEUED", "DEFERRED"}
        accepted = bool(attempts) and attempts[-1].kind == "ACCEPTED"
        shown["delivery_status"] = "queued_pending" if waits else "delivered" if accepted else "bounced"
    return shown


def _attempt(row: Row, step: Step, scale: int) -> dict[str, Any]:
    address = row.receiver(step).address
    domain = address.rpartition("@")[2]
    return {
        "action": step.kind,
        "receiver": address,
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
