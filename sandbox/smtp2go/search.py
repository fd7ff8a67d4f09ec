"""SMTP2GO's search parameters: what each accepts, and which events a search finds."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sandbox.smtp2go.data import EVENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.smtp2go.data import Event


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "a string"


def _texts(value: Any) -> str | None:
    return None if isinstance(value, list) and all(isinstance(v, str) for v in value) else "an array of strings"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "a boolean"


def _limit(value: Any) -> str | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1000
    return None if fits else "an int32 from 1 to 1000"


def _date(value: Any) -> str | None:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return "an ISO-8601 datetime"
    return None


def _kinds(value: Any) -> str | None:
    fits = isinstance(value, list) and all(v in EVENT_TYPES for v in value)
    return None if fits else f"a value from the allowed list {list(EVENT_TYPES)}"


def _region(value: Any) -> str | None:
    return None if value in ("us", "eu", "au") else "a value from the allowed list ['us', 'eu', 'au']"


PARAMETERS: dict[str, Callable[[Any], str | None]] = {
    "start_date": _date,
    "end_date": _date,
    "search": _text,
    "search_subject": _text,
    "search_sender": _text,
    "search_recipient": _text,
    "search_usernames": _texts,
    "subaccounts": _texts,
    "limit": _limit,
    "continue_token": _text,
    "only_latest": _flag,
    "only_latest_by_sent": _flag,
    "event_types": _kinds,
    "include_headers": _flag,
    "custom_headers": _texts,
    "search_email_id": _text,
    "region": _region,
}
"""Each parameter with its check, which returns what was expected instead, or None."""


def matching(rows: list[Event], given: dict[str, Any], start: int, end: int, seen: int) -> list[Event]:
    """Return the events in [start, end) that a search finds, oldest first.

    Args:
        rows: All events by time.
        given: The search's parameters, checked.
        start: Milliseconds.
        end: Milliseconds.
        seen: Only events that had appeared when there were this many.
    """
    low = bisect_left(rows, start, key=attrgetter("at"))
    found = rows[low : bisect_left(rows, end, key=attrgetter("at"))]
    if seen < len(rows):
        found = [event for event in found if event.order < seen]
    for name, test in _FILTERS.items():
        if wanted := given.get(name):
            found = [event for event in found if test(event, wanted)]
    if given.get("only_latest") or given.get("only_latest_by_sent"):
        latest = {event.mail.email_id: event for event in found}
        found = [event for event in found if latest[event.mail.email_id] is event]
    return found


def _anywhere(event: Event, wanted: str) -> bool:
    mail = event.mail
    text = "\n".join((mail.email_id, mail.subject, mail.to, mail.person.address, mail.bcc or "")).lower()
    return any(part.strip().lower() in text for part in wanted.split("|") if part.strip())


_FILTERS: dict[str, Callable[[Event, Any], bool]] = {
    "event_types": lambda event, wanted: event.kind in wanted,
    "subaccounts": lambda event, wanted: event.mail.subaccount in wanted,
    "region": lambda event, wanted: event.mail.region == wanted,
    "search_usernames": lambda event, wanted: event.mail.username in wanted,
    "search_email_id": lambda event, wanted: event.mail.email_id == wanted,
    "search_subject": lambda event, wanted: wanted.lower() in event.mail.subject.lower(),
    "search_sender": lambda event, wanted: wanted.lower() in event.mail.sender.lower(),
    "search_recipient": lambda event, wanted: wanted.lower() in event.mail.person.address.lower(),
    "search": _anywhere,
}
