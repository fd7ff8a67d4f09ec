"""JetEmail's query parameters: what each accepts, and which rows it keeps."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sandbox.jetemail_data import row

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.jetemail_data import Row

_ACTIONS = ("ACCEPTED", "REJECTED", "BOUNCED_HARD", "BOUNCED_SOFT", "DEFERRED", "SPAM", "VIRUS", "QUEUED")
_IP = r"(?:(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)\.){3}(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)"


def _integer(low: int, high: int = 1 << 53) -> Callable[[str], bool]:
    return lambda value: value.isascii() and value.isdigit() and low <= int(value) <= high


def _text(longest: int) -> Callable[[str], bool]:
    return lambda value: len(value) <= longest


def _like(pattern: str) -> Callable[[str], bool]:
    return lambda value: re.fullmatch(pattern, value) is not None


def _among(*values: str) -> Callable[[str], bool]:
    return lambda value: value in values


def _day(value: str) -> bool:
    try:
        day(value)
    except ValueError:
        return False
    return True


_EMAIL = _like(r"[^@\s]+@[^@\s]+")
PARAMETERS: dict[str, Callable[[str], bool]] = {
    "limit": _integer(1, 100),
    "page": _integer(1),
    "offset": _integer(0),
    "sort_by": _among("date", "first_seen", "last_updated"),
    "sort_order": _among("ASC", "DESC"),
    "id": _text(100),
    "uid": _like(r"[A-Za-z0-9-_]{1,100}"),
    "action": _among(*_ACTIONS),
    "zone": _text(50),
    "message_id": _text(100),
    "from_address": _EMAIL,
    "to_address": _EMAIL,
    "mx": _text(100),
    "host": _text(100),
    "ip": _like(_IP),
    "response": _text(500),
    "user": _EMAIL,
    "protocol": _among("smtp", "http", "https"),
    "src": _text(50),
    "subject": _text(500),
    "md5": _like(r"[a-fA-F0-9]{32}"),
    "interface": _text(50),
    "originhost": _text(100),
    "transtype": _among("smtp", "http", "api"),
    "headerFrom": _EMAIL,
    "date_from": _integer(0),
    "date_to": _integer(0),
    "from": _day,
    "to": _day,
    "rule_id": _text(100),
    "search": _text(200),  # the page leaves this name out; the vendor's own command-line client sends it
}
"""Each documented parameter with its check."""

_OF_ROW = frozenset(
    {"id", "uid", "message_id", "from_address", "to_address", "user", "src", "originhost", "transtype", "rule_id"}
)
_OF_ATTEMPT = frozenset({"action", "mx", "host", "ip", "response", "protocol"})
_HIDDEN = frozenset({"md5", "zone", "interface"})
_WITHIN = frozenset({"subject", "headerFrom"})
_SEARCHED = ("subject", "from_address", "to_address", "message_id")
FILTERS = _OF_ROW | _OF_ATTEMPT | _HIDDEN | _WITHIN | {"search"}
"""The parameters that leave rows out, but for dates."""


def day(text: str) -> int:
    """Return a date or ISO time in UTC as unix seconds."""
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def fits(name: str, value: str, rows: list[Row], scale: int) -> list[Row]:
    """Return the rows that one parameter keeps; dates, paging and sorting keep all."""
    return [message for message in rows if _keeps(name, value, message, scale)] if name in FILTERS else rows


def _keeps(name: str, value: str, message: Row, scale: int) -> bool:
    shown = row(message, scale)
    if name in _OF_ATTEMPT:
        return any(attempt[name] == value for attempt in shown["delivery_attempts"])
    if name in _HIDDEN:
        return message.hidden()[name] == value.lower()
    if name == "search":
        return any(value.lower() in shown[column].lower() for column in _SEARCHED)
    return bool(value.lower() in shown[name].lower() if name in _WITHIN else shown[name] == value)
