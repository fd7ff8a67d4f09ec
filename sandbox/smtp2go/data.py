"""SMTP2GO's events: mails that live through processed, delivered, opened and so on, one event per row.

Fields are those of the vendor's page and of its API reference (`docs/providers/smtp2go.md`).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from sandbox.base import SECOND, from_ms
from sandbox.base.data import AGENTS, COUNTRIES, DEFERRED, HARD, LINKS, OK, SENDERS, SOFT, SUBJECTS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from sandbox.base import Account
    from sandbox.base.data import Person

EVENT_TYPES = {
    "processed": "queued",
    "soft-bounced": "bounced",
    "hard-bounced": "bounced",
    "rejected": "rejected",
    "spam": "complained",
    "delivered": "delivered",
    "unsubscribed": "unsubscribed",
    "resubscribed": "subscribed",
    "opened": "opened",
    "clicked": "clicked",
}
"""The vendor's events and what the contract makes of them in `email_events`."""

_END = "end"
_NEXT: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "": (("processed", "rejected"), (97, 3)),
    "processed": (("delivered", "soft-bounced", "hard-bounced"), (85, 8, 7)),
    "soft-bounced": (("delivered", "hard-bounced"), (60, 40)),
    "delivered": (("opened", "spam", _END), (65, 2, 33)),
    "opened": (("opened", "clicked", "spam", "unsubscribed", _END), (25, 35, 2, 5, 33)),
    "clicked": (("clicked", "opened", "unsubscribed", _END), (25, 20, 10, 45)),
    "unsubscribed": (("resubscribed", _END), (50, 50)),
}
_SCRIPT = (
    *((0, kind) for kind in ("processed", "delivered", "opened", "clicked", "clicked", "unsubscribed", "resubscribed")),
    *((1, kind) for kind in ("processed", "soft-bounced", "hard-bounced")),
    *((2, kind) for kind in ("processed", "delivered", "spam")),
    (3, "rejected"),
)
"""How every history begins, so that a small one has each kind too."""


class Mail:
    """What all events of one e-mail share."""

    def __init__(self, number: int, at: int, person: Person, seed: str) -> None:
        digest = hashlib.sha1(f"{seed}/{number}".encode(), usedforsecurity=False).hexdigest()
        self.number = number
        self.at = at
        self.person = person
        self.kind = ""
        self.email_id = f"1r{digest[:4]}-{digest[4:10]}-{digest[10:12]}"
        self.sender = SENDERS[number % len(SENDERS)]
        self.subject = SUBJECTS[number % len(SUBJECTS)]
        self.subaccount = ("Master account", "Marketing", "Büro Süd")[number % 3]
        self.region = ("us", "eu", "au")[number % 5 % 3]
        """Where it was sent: no field of a row shows it."""
        self.username = ("TestUser", "smtp-api", "büro")[number % 7 % 3]
        self.to = person.full if number % 3 else f"{person.full}, Second <second@example.org>"
        self.bcc = "archive@shop.example" if number % 5 == 0 else None


class Event:
    """One row; `detail` decides what varies between two events of the same kind and mail."""

    __slots__ = ("at", "attempts", "detail", "kind", "mail", "order")

    def __init__(self, at: int, kind: str, mail: Mail, detail: int) -> None:
        self.at = at
        self.kind = kind
        self.mail = mail
        self.detail = detail
        self.order = 0
        """Place in which it appeared: what a continue token saw."""
        self.attempts: tuple[tuple[int, str], ...] = ()
        """Of `processed`: (time, response) of attempts that came after it was first shown."""

    def tried(self, at: int, response: str) -> None:
        """Let `delivery_attempts` grow."""
        self.attempts += ((at, response),)

    @property
    def made(self) -> list[str]:
        """The `event_type` of each event that the row makes in `email_events`."""
        return [EVENT_TYPES[self.kind]] * (len({*map(str.lower, recipients(self))}) if self.kind == "processed" else 1)


class History:
    """Makes events, sorted by time; `events` may be called again and goes on with the same mails."""

    def __init__(self, account: Account, people: list[Person]) -> None:
        self._rng = account.rng("events")
        self._seed = account.seed + account.label
        self._people = people
        self._open: list[Mail] = []
        self._mails = 0

    def events(self, times: list[int], scripted: bool = False) -> Iterator[Event]:
        """Yield one event for each time; a click is often followed by its exact twin in the same second."""
        script = iter(_SCRIPT if scripted else ())
        first = [self._mail(times[0]) for _ in range(4)] if scripted and times else []
        twin: Event | None = None
        for at in times:
            if twin:
                event = Event(twin.at, twin.kind, twin.mail, twin.detail)
                twin = None
            else:
                number, kind = next(script, (0, ""))
                mail = first[number] if kind else self._next(at)
                mail.kind = kind or mail.kind
                event = Event(at, mail.kind, mail, self._rng.randrange(1 << 16))
                if event.kind == "clicked" and self._rng.random() < 0.3:
                    twin = event
            yield event

    def _mail(self, at: int) -> Mail:
        self._mails += 1
        return Mail(self._mails, at, self._people[self._rng.randrange(len(self._people))], self._seed)

    def _next(self, at: int) -> Mail:
        """Return a mail, new or open, with `kind` moved on."""
        while self._open and self._rng.random() < 0.7:
            place = self._rng.randrange(len(self._open))
            mail = self._open[place]
            mail.kind = _choose(self._rng, mail.kind)
            if mail.kind != _END:
                return mail
            self._open[place] = self._open[-1]
            self._open.pop()
        mail = self._mail(at)
        mail.kind = _choose(self._rng, "")
        if mail.kind in _NEXT:
            self._open.append(mail)
        return mail


def _choose(rng: random.Random, kind: str) -> str:
    if kind not in _NEXT:
        return _END
    kinds, weights = _NEXT[kind]
    return rng.choices(kinds, weights)[0]


def date(ms: int) -> str:
    """Return a time as the vendor writes it."""
    return from_ms(ms).strftime("%Y-%m-%dT%H:%M:%SZ")


def recipients(event: Event) -> list[str]:
    """Return whom the mail goes to: some to two, and some of these list the first one twice, in another case."""
    mail = event.mail
    if mail.number % 2 or not mail.bcc:
        return [mail.person.address]
    again = [mail.person.address.upper()] if mail.number % 20 == 0 and mail.person.address.isascii() else []
    return [mail.person.address, mail.bcc, *again]


def row(event: Event) -> dict[str, Any]:
    """Return the row of an event, without what `include_headers` and `custom_headers` add."""
    mail, detail = event.mail, event.detail
    shown: dict[str, Any] = {
        "from": mail.sender,
        "recipient": mail.person.address,
        "subaccount_name": mail.subaccount,
        "email_id": mail.email_id,
        "date": date(event.at),
        "event": event.kind,
        "subject": mail.subject,
        "username": mail.username,
        "sender": mail.sender,
        "sender_full": f"Shop Łódź <{mail.sender}>",
        "to": mail.to,
        "byte_size": 1000 + mail.number % 50_000,
    }
    if mail.number % 2:
        shown |= {"cc": None, "bcc": mail.bcc, "reply_to": None, "recipients": recipients(event)}
    elif mail.bcc:
        shown |= {"bcc": mail.bcc, "reply_to": "Reply ✉ <reply@shop.example>", "recipients": recipients(event)}
    shown |= _DETAILS.get(event.kind, _reader)(event)
    if detail % 11 == 0:
        shown["reason"] = shown.get("reason")
    return shown


def _server(event: Event) -> dict[str, Any]:
    return {
        "smtp_response": {"soft-bounced": SOFT, "hard-bounced": HARD}.get(event.kind, OK),
        "host": f"142.250.{event.detail % 256}.27",
        "outbound_ip": f"103.47.{event.mail.number % 256}.44",
    }


def _processed(event: Event) -> dict[str, Any]:
    host = "::ffff:192.0.2.9" if event.detail % 3 == 0 else "app-1.shop.example"
    first = [(event.at - SECOND, DEFERRED)] * (1 + event.detail % 2) if event.detail % 3 == 0 else []
    attempts = [
        {"smtptime": date(at), "host": "mx.example.com [192.0.2.7]", "smtpresponse": response}
        for at, response in (*first, *event.attempts)
    ]
    return {"originating_host": host, **({"delivery_attempts": attempts} if attempts else {})}


def _rejected(event: Event) -> dict[str, Any]:
    return {
        "reason": "Recipient is suppressed",
        "error": f"550 that recipient ({event.mail.person.name}) is suppressed",
    }


def _reader(event: Event) -> dict[str, Any]:
    """Opens, clicks and what readers do else: client, place and link live in free objects."""
    shown: dict[str, Any] = {
        "email_client": {"user_agent": AGENTS[event.detail % len(AGENTS)], "ip": f"198.51.100.{event.detail % 256}"},
        "metadata": {"geo": {"country": COUNTRIES[event.detail % len(COUNTRIES)], "lat": 52.5}, "tags": []},
    }
    if event.kind == "clicked":
        shown["url"] = LINKS[event.detail % len(LINKS)]
        shown["metadata"]["link"] = shown["url"]
    return shown


_DETAILS = {
    "processed": _processed,
    "delivered": _server,
    "soft-bounced": _server,
    "hard-bounced": _server,
    "rejected": _rejected,
}


def extras(event: Event, *, headers: bool, names: list[str]) -> dict[str, Any]:
    """Return what `include_headers` and `custom_headers` add to a row."""
    all_headers = {
        "Subject": event.mail.subject,
        "X-Order": f"ö-{event.mail.number}",
        "Message-ID": f"<{event.mail.number}@shop>",
    }
    shown: dict[str, Any] = {}
    if headers:
        shown["headers"] = "".join(f"{name}: {value}\r\n" for name, value in all_headers.items())
    if names:
        folded = {name.lower(): value for name, value in all_headers.items()}
        shown["custom_headers"] = {name: folded[name.lower()] for name in names if name.lower() in folded}
    return shown
