"""What SMTP2GO's events become in `email_events`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats import addresses
from tap_emaillogs.streams.events import EventRow
from tap_emaillogs.streams.meanings import MappingTable, Meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_emaillogs.streams.records import Record

EVENTS = MappingTable(
    "`event`",
    {
        "processed": Meaning(
            "queued", "Accepted from the sender, and on its way out; one event per entry of `recipients`."
        ),
        "soft-bounced": Meaning("bounced", "Refused for now.", bounce_class="soft"),
        "hard-bounced": Meaning("bounced", "Refused for good.", bounce_class="hard"),
        "rejected": Meaning(
            "rejected", "Not sent, mostly to a suppressed address; `reason` says why.", reject_reason="other"
        ),
        "spam": Meaning("complained", "The recipient marked it as spam."),
        "delivered": Meaning("delivered", "The receiving server took it."),
        "unsubscribed": Meaning("unsubscribed", "As named."),
        "resubscribed": Meaning("subscribed", "The recipient takes mail again."),
        "opened": Meaning("opened", "As named."),
        "clicked": Meaning("clicked", "As named."),
    },
    streams=("smtp2go_activity",),
    at="`date`",
)
EVENT_TYPES = tuple(EVENTS.meanings)
_BY_READER = frozenset({"spam", "unsubscribed", "resubscribed", "opened", "clicked"})
"""Events whose free objects tell of the recipient; those of others may tell of servers."""
_AGENT = ("useragent", "agent")
_CLIENT = ("client", "name")
"""Only of `email_client`: elsewhere these may be anything."""
_IP = ("ip", "ipaddress", "clientip", "remoteip", "ipaddr")
_COUNTRY = ("country", "countryname", "countrycode")


def events(provider: str, stream: str, record: Record) -> Iterator[Record]:
    """A row is an event; that a mail was taken is one for each of its recipients."""
    event, recipients = record["event"], _distinct(record["recipients"] or [])
    only = recipients[0] if len(recipients) == 1 else None
    row = EventRow(
        provider,
        stream,
        record,
        key=record["event_id"],
        message_id=record["email_id"],
        recipient=record["recipient"] or only,
        sender=record["sender"] or record["from"],
        subject=record["subject"],
    )
    reader: dict[str, Any] = {}
    if event in _BY_READER:
        client = _leaves(record["email_client"], {})
        known = _leaves(record["metadata"], dict(client))
        reader = {
            "user_agent": _find(known, _AGENT) or _find(client, _CLIENT),
            "ip": _find(known, _IP),
            "country": _find(known, _COUNTRY),
        }
    several = len(recipients) > 1 and EVENTS[event].event_type == "queued"
    for recipient in recipients if several else [None]:
        yield row.event(
            EVENTS,
            event,
            own={"recipient": recipient} if recipient else {},
            at=record["date"],
            recipient=recipient,
            reason=record["reason"] or record["error"],
            smtp_response=record["smtp_response"],
            url=record["url"],
            **reader,
        )


def _distinct(recipients: Iterable[str | None]) -> list[str]:
    """Return each recipient once, however often and in whatever case the vendor lists it."""
    found: dict[str, str] = {}
    for recipient in recipients:
        address = addresses.mailbox(recipient).address
        if recipient and address:
            found.setdefault(addresses.canonical(address), recipient)
    return list(found.values())


def _find(leaves: Mapping[str, str], keys: tuple[str, ...]) -> str | None:
    """Return the text under the first of `keys` that has one."""
    return next((leaves[key] for key in keys if key in leaves), None)


def _leaves(part: Any, found: dict[str, str]) -> dict[str, str]:
    """Gather the texts at any depth under their folded names, the first of each: what is in here is not documented."""
    if isinstance(part, dict):
        for name, value in part.items():
            if not isinstance(value, str):
                _leaves(value, found)
            elif value:
                found.setdefault(_folded(name), value)
    elif isinstance(part, list):
        for item in part:
            _leaves(item, found)
    return found


@lru_cache(maxsize=1 << 10)
def _folded(name: str) -> str:
    return re.sub(r"[_\s-]+", "", name).lower()
