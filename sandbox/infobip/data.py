"""Infobip's mails: sent, then pending until a final status; v1 and v4 show the same ones in two shapes.

Fields are those of the two versions in `docs/providers/infobip.md`.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.base import DAY, HOUR, SECOND, from_ms
from sandbox.base.data import SENDERS, SUBJECTS

if TYPE_CHECKING:
    from sandbox.base.data import Person


class Status(NamedTuple):
    """A status with the error beside it."""

    group: tuple[int, str]
    name: tuple[int, str]
    text: str
    error: tuple[int, str, int, str, str]
    permanent: bool | None = False


_NO_ERROR = (0, "OK", 0, "NO_ERROR", "No Error")
PENDING = Status((1, "PENDING"), (26, "PENDING_ACCEPTED"), "Message sent to next instance", _NO_ERROR)
FINAL = (
    Status((3, "DELIVERED"), (5, "DELIVERED_TO_HANDSET"), "Message delivered to handset", _NO_ERROR),
    Status((0, "ACCEPTED"), (0, "MESSAGE_ACCEPTED"), "Message accepted: \u201csoon\u201d", _NO_ERROR),
    Status(
        *((2, "UNDELIVERABLE"), (4, "UNDELIVERABLE_REJECTED_OPERATOR"), "Message rejected by operator"),
        *((2, "USER_ERRORS", 6003, "EC_EMAIL_BAD_MAILBOX", "Boîte inconnue"), True),
    ),
    Status(
        *((2, "UNDELIVERABLE"), (9, "UNDELIVERABLE_NOT_DELIVERED"), "Message sent not delivered"),
        *((2, "USER_ERRORS", 6010, "EC_EMAIL_MAILBOX_FULL", "Mailbox full"), False),
    ),
    Status(
        *((2, "UNDELIVERABLE"), (9, "UNDELIVERABLE_NOT_DELIVERED"), "Message sent not delivered"),
        *((3, "OPERATOR_ERRORS", 6999, "EC_EMAIL_UNKNOWN", "Unknown"), None),
    ),
    Status(
        *((4, "EXPIRED"), (15, "EXPIRED_EXPIRED"), "Message expired"),
        (3, "OPERATOR_ERRORS", 6005, "EC_EMAIL_TIMEOUT", "Timed out"),
    ),
    Status(
        *((5, "REJECTED"), (12, "REJECTED_NOT_ENOUGH_CREDITS"), "Not enough credits"),
        (1, "HANDSET_ERRORS", 4096, "EC_INVALID_PDU_FORMAT", "Invalid format"),
    ),
)
WEIGHTS = (80, 2, 5, 4, 2, 3, 4)
EVENT_TYPES = {
    "PENDING": None,
    "ACCEPTED": None,
    "DELIVERED": "delivered",
    "UNDELIVERABLE": "bounced",
    "EXPIRED": "failed",
    "REJECTED": "rejected",
}
"""The status groups and what the contract makes of them in `email_events`, beside `queued`."""
_BARE = Status((2, "UNDELIVERABLE"), (9, "UNDELIVERABLE_NOT_DELIVERED"), "Message sent not delivered", _NO_ERROR)
STEPS = {
    "PENDING": Status((1, "PENDING"), (3, "PENDING_WAITING_DELIVERY"), "Waiting for delivery", _NO_ERROR),
    "ENROUTE": Status((1, "PENDING"), (7, "PENDING_ENROUTE"), "Message sent to next instance", _NO_ERROR),
    "ACCEPTED": FINAL[1],
    "DELIVERED": FINAL[0],
    "UNDELIVERABLE": _BARE,
    "UNDELIVERABLE, explained": FINAL[2],
    "UNDELIVERABLE, for now": FINAL[3],
    "EXPIRED": FINAL[5],
    "REJECTED": FINAL[6]._replace(error=(0, "Ok", 0, "NO_ERROR", "No Error")),
}
"""What can happen to a mail; the group OK is spelled in two ways in public samples."""
_DATED = ("DELIVERED", "UNDELIVERABLE, explained", "UNDELIVERABLE, for now", "EXPIRED", "REJECTED")
_ON_ITS_WAY = ("PENDING", "ENROUTE", "ACCEPTED")
TRANSITIONS = {
    **dict.fromkeys(("", *_ON_ITS_WAY), (*_ON_ITS_WAY, "UNDELIVERABLE", *_DATED)),
    "UNDELIVERABLE": ("UNDELIVERABLE, explained", "UNDELIVERABLE, for now"),
}
"""What may follow what: a pending mail may change its name several times, an end may get its date and error later."""


class Mail:
    """One mail to one recipient, with its status so far."""

    __slots__ = ("at", "bulk", "done", "id", "lacks", "number", "person", "sender", "status")

    def __init__(self, number: int, at: int, person: Person, seed: str) -> None:
        # Two recipients in a row share a message now and then: the key needs `to` as well.
        message = number - 1 if number % 25 == 0 else number
        digest = hashlib.sha1(f"{seed}/{message}".encode(), usedforsecurity=False).hexdigest()
        self.number = number
        self.at = at
        self.person = person
        self.sender = f"Shop <{SENDERS[number % len(SENDERS)]}>" if number % 3 else SENDERS[number % len(SENDERS)]
        self.id = f"{digest[:8]}-{digest[8:12]}-{digest[12:24]}"
        self.bulk = f"bulk-{seed[:8]}-{message // 50}"
        self.status = PENDING
        self.done: int | None = None
        self.lacks = ""
        """A part of its key that the row does not show: "messageId" or "to"."""

    @property
    def event_types(self) -> list[str]:
        """What the mail is in `email_events`."""
        group = self.status.group[1]
        return ["queued", *filter(None, [EVENT_TYPES.get(group, "unknown")])]

    def finish(self, done: int, status: Status) -> None:
        """Give the mail its final status."""
        self.done, self.status = done, status

    def step(self, at: int, name: str) -> None:
        """Let happen what `STEPS` calls so."""
        self.status = STEPS[name]
        if name in _DATED:
            self.done = at


def zone(style: str) -> timezone:
    """Return the time zone of a style of dates: Z, or an offset like +0000, +00:00 or +02:00."""
    if style == "Z":
        return timezone(timedelta(0))
    sign = -1 if style[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(style[1:3]), minutes=int(style[-2:])))


def date(ms: int, style: str) -> str:
    """Return a time as `yyyy-MM-dd'T'HH:mm:ss.SSSZ`, its offset written in one of the ways that occur."""
    local = from_ms(ms).astimezone(zone(style))
    return f"{local:%Y-%m-%dT%H:%M:%S}.{ms % SECOND:03}{style}"


def row(mail: Mail, style: str, version: int) -> dict[str, Any]:
    """Return a mail as v1 or v4 shows it."""
    status, application = mail.status, None if mail.number % 4 == 0 else f"app-{mail.number % 3}"
    entity = "Büro" if mail.number % 2 else None
    group, name, description, permanent, error = *status[:3], status.permanent, status.error
    middle = {
        "bulkId": mail.bulk,
        "messageId": None if mail.lacks == "messageId" else mail.id,
        "text": SUBJECTS[mail.number % len(SUBJECTS)],
        "sentAt": date(mail.at, style),
        "doneAt": None if mail.done is None else date(mail.done, style),
        "messageCount": 1,
        "price": {"pricePerMessage": 0.0021 if mail.number % 2 else 0, "currency": "EUR"},
        "status": {
            "groupId": group[0],
            "groupName": group[1],
            "id": name[0],
            "name": name[1],
            "description": description,
            **({"action": "Retry: später"} if status.permanent is None else {}),
        },
        "error": {
            "groupId": error[0],
            "groupName": error[1],
            "id": error[2],
            "name": error[3],
            "description": error[4],
            **({} if permanent is None else {"permanent": permanent}),
        },
    }
    if mail.done is None and mail.number % 2:
        del middle["doneAt"]
    address = None if mail.lacks == "to" else mail.person.address
    if version == 1:
        ends = {"to": address, "from": mail.sender}
        return {"applicationId": application, "entityId": entity, **middle, **ends}
    return {
        "sender": mail.sender,
        "destination": address,
        **middle,
        "platform": {"entityId": entity, "applicationId": application},
        "campaignReferenceId": campaign(mail),
    }


def campaign(mail: Mail) -> str | None:
    """Return the campaign of a mail."""
    return f"campaign-{mail.number % 5}" if mail.number % 5 else None


def span_ms(hours: float) -> int:
    """Return hours in milliseconds, at most ten years."""
    return min(int(hours * HOUR), 3650 * DAY)
