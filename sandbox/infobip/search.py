"""Infobip's query parameters: what each accepts, and which mails it keeps."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sandbox.base import to_ms
from sandbox.base.checks import among, integer, readable, text
from sandbox.infobip.data import EVENT_TYPES, campaign, row

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.base.checks import Check
    from sandbox.infobip.data import Mail


def moment(text: str) -> int:
    """Return `yyyy-MM-dd'T'HH:mm:ss.SSSZ` in milliseconds."""
    return to_ms(datetime.fromisoformat(text))


_DATE = readable(moment, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:?\d\d)")
_LIST = text(2048, shortest=1)
_COMMON: dict[str, Check] = {
    "messageId": _LIST,
    "bulkId": _LIST,
    "campaignReferenceId": _LIST,
    "generalStatus": bool,  # no list of values in v1
    "sentSince": _DATE,
    "sentUntil": _DATE,
    "limit": integer(1, 1000),
    "applicationId": bool,
    "entityId": bool,
}
V1 = {**_COMMON, "from": bool, "to": bool}
"""v1's parameters with their checks."""
V4 = {
    **_COMMON,
    "generalStatus": among(*EVENT_TYPES),
    "sender": bool,
    "destination": bool,
    "useCursor": among("true", "false"),
    "cursor": bool,
}
"""v4's parameters with their checks."""


def _column(name: str) -> Callable[[Mail], Any]:
    return lambda mail: row(mail, "Z", 1)[name]


_COLUMNS: dict[str, Callable[[Mail], Any]] = {
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
_LISTS = ("messageId", "bulkId", "campaignReferenceId")


def matching(mails: list[Mail], given: dict[str, str], version: int) -> list[Mail]:
    """Return the mails that the filters among a request's parameters let through; v4 takes lists of ids."""
    for name, value in given.items():
        if name in _COLUMNS:
            wanted = value.split(",") if version == 4 and name in _LISTS else [value]
            mails = [mail for mail in mails if _COLUMNS[name](mail) in wanted]
    return mails
