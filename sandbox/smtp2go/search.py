"""SMTP2GO's search parameters: what each accepts, and which events a search finds."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sandbox.base.checks import readable
from sandbox.smtp2go.data import EVENT_TYPES

if TYPE_CHECKING:
    from sandbox.smtp2go.data import Event


def _is_limit(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1000


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and readable(datetime.fromisoformat)(value)


def _is_list(value: Any, of: Callable[[Any], bool] = lambda one: isinstance(one, str)) -> bool:
    return isinstance(value, list) and all(map(of, value))


_REGIONS = ("us", "eu", "au")
_Check = tuple[Callable[[Any], bool], str]
_DATE: _Check = (_is_date, "an ISO-8601 datetime")
_TEXT: _Check = (lambda value: isinstance(value, str), "a string")
_TEXTS: _Check = (_is_list, "an array of strings")
_FLAG: _Check = (lambda value: isinstance(value, bool), "a boolean")
PARAMETERS: dict[str, _Check] = {
    **dict.fromkeys(("start_date", "end_date"), _DATE),
    **dict.fromkeys(("search", "search_subject", "search_sender", "search_recipient", "search_email_id"), _TEXT),
    **dict.fromkeys(("search_usernames", "subaccounts", "custom_headers"), _TEXTS),
    **dict.fromkeys(("only_latest", "only_latest_by_sent", "include_headers"), _FLAG),
    "continue_token": _TEXT,
    "limit": (_is_limit, "an int32 from 1 to 1000"),
    "event_types": (
        lambda value: _is_list(value, EVENT_TYPES.__contains__),
        f"a value from the allowed list {list(EVENT_TYPES)}",
    ),
    "region": (_REGIONS.__contains__, f"a value from the allowed list {list(_REGIONS)}"),
}
"""Each parameter with its check, and what is expected of it in words."""


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
