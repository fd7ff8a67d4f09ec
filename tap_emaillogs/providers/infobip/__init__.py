"""Infobip: one record per mail and recipient, whose status changes until it is final.

https://www.infobip.com/docs/api/channels/email/get-email-logs; `docs/providers/infobip.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tap_emaillogs.providers.infobip.filters import FILTERS
from tap_emaillogs.providers.infobip.logs import EmailLogs
from tap_emaillogs.providers.infobip.mapping import GROUPS, PERMANENT, events, remark
from tap_emaillogs.providers.infobip.settings import InfobipSettings
from tap_emaillogs.streams.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_emaillogs.streams.records import Record


class Infobip(Provider):
    """https://www.infobip.com."""

    name = "infobip"
    title = "Infobip"
    settings = InfobipSettings
    request_filters = FILTERS
    required: ClassVar[tuple[tuple[str, ...], ...]] = (("base_url", "api_key"),)
    streams = (EmailLogs,)
    event_sources = ("infobip_email_logs",)
    auth_schemes = ("App", "IBSSO")
    mappings = (GROUPS, PERMANENT)

    def error_message(self, data: Any) -> str | None:
        """Read `{requestError: {serviceException}}` (version 1) or `{errorCode, description}` (version 4)."""
        if not isinstance(data, dict):
            return None
        request_error = data.get("requestError")
        if isinstance(request_error, dict):
            inner = next((part for part in request_error.values() if isinstance(part, dict)), {})
            return " ".join(str(inner[key]) for key in ("messageId", "text") if inner.get(key)) or "requestError"
        if data.get("errorCode"):
            return " ".join(str(data[key]) for key in ("errorCode", "description", "action") if data.get(key))
        return None

    def events(self, stream: str, record: Record) -> Iterable[Record]:
        """One event for the mail that was taken, and one for what became of it, once the row tells."""
        return events(self.name, stream, record)

    def remark(self, stream: str, record: Record) -> str | None:  # noqa: ARG002 - the base's signature
        """Warn of rows that cannot be told apart for want of a key."""
        return remark(record)


PROVIDER = Infobip()
