"""JetEmail's query parameters: what each accepts, and which rows it keeps."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sandbox.base import SECOND, to_ms
from sandbox.base.checks import among, integer, like, readable, text
from sandbox.jetemail.data import row

if TYPE_CHECKING:
    from sandbox.base.checks import Check
    from sandbox.jetemail.data import Row

_ACTIONS = ("ACCEPTED", "REJECTED", "BOUNCED_HARD", "BOUNCED_SOFT", "DEFERRED", "SPAM", "VIRUS", "QUEUED")
_IP = r"(?:(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)\.){3}(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)"


def day(text: str) -> int:
    """Return a date or ISO time in UTC as unix seconds."""
    return to_ms(datetime.fromisoformat(text)) // SECOND


_EMAIL = like(r"[^@\s]+@[^@\s]+")
PARAMETERS: dict[str, Check] = {
    "limit": integer(1, 100),
    "page": integer(1),
    "offset": integer(0),
    "sort_by": among("date", "first_seen", "last_updated"),
    "sort_order": among("ASC", "DESC"),
    "id": text(100),
    "uid": like(r"[A-Za-z0-9-_]{1,100}"),
    "action": among(*_ACTIONS),
    "zone": text(50),
    "message_id": text(100),
    "from_address": _EMAIL,
    "to_address": _EMAIL,
    "mx": text(100),
    "host": text(100),
    "ip": like(_IP),
    "response": text(500),
    "user": _EMAIL,
    "protocol": among("smtp", "http", "https"),
    "src": text(50),
    "subject": text(500),
    "md5": like(r"[a-fA-F0-9]{32}"),
    "interface": text(50),
    "originhost": text(100),
    "transtype": among("smtp", "http", "api"),
    "headerFrom": _EMAIL,
    "date_from": integer(0),
    "date_to": integer(0),
    "from": readable(day),
    "to": readable(day),
    "rule_id": text(100),
    "search": text(200),  # the page leaves this name out; the vendor's own command-line client sends it
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
