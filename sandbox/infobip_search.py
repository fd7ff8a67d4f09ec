"""Infobip's query parameters: what each accepts, and which mails it keeps."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sandbox.base import to_ms
from sandbox.infobip_data import EVENT_TYPES, campaign, row

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.infobip_data import Mail

_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:?\d\d)")


def moment(text: str) -> int:
    """Return `yyyy-MM-dd'T'HH:mm:ss.SSSZ` in milliseconds."""
    return to_ms(datetime.fromisoformat(text))


def _date(value: str) -> bool:
    if not _DATE.fullmatch(value):
        return False
    try:
        moment(value)
    except ValueError:
        return False
    return True


def _limit(value: str) -> bool:
    return value.isascii() and value.isdigit() and 1 <= int(value) <= 1000


_COMMON: dict[str, Callable[[str], bool]] = {
    "messageId": bool,
    "bulkId": bool,
    "campaignReferenceId": bool,
    "generalStatus": lambda value: value in EVENT_TYPES,
    "sentSince": _date,
    "sentUntil": _date,
    "limit": _limit,
    "applicationId": bool,
    "entityId": bool,
}
V1 = {**_COMMON, "from": bool, "to": bool}
"""v1's parameters with their checks."""
V4 = {
    **_COMMON,
    "sender": bool,
    "destination": bool,
    "useCursor": lambda value: value in ("true", "false"),
    "cursor": bool,
}
"""v4's parameters with their checks."""


def _column(name: str) -> Callable[[Mail], Any]:
    return lambda mail: row(mail, "Z", 1)[name]


FILTERS: dict[str, Callable[[Mail], Any]] = {
    "messageId": lambda mail: mail.id,
    "bulkId": lambda mail: mail.bulk,
    "campaignReferenceId": campaign,
    "generalStatus": lambda mail: mail.status.group[1],
    "applicationId": _column("applicationId"),
    "entityId": _column("entityId"),
    "from": lambda mail: mail.sender,
    "sender": lambda mail: mail.sender,
    "to": lambda mail: mail.person.address,
    "destination": lambda mail: mail.person.address,
}
"""What of a mail a filter's value must equal."""
