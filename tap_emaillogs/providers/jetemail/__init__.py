"""JetEmail: one record per outbound mail, which changes as attempts, opens and clicks come in.

https://jetemail.com/docs/api-reference/outbound/get-outbound-email-logs; `docs/providers/jetemail.md`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tap_emaillogs.providers.jetemail.filters import FILTERS
from tap_emaillogs.providers.jetemail.logs import OutboundLogs
from tap_emaillogs.providers.jetemail.mapping import ATTEMPTS, READING, events, remark
from tap_emaillogs.providers.jetemail.settings import JetEmailSettings
from tap_emaillogs.streams.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_emaillogs.streams.records import Record

__all__ = ["ATTEMPTS", "PROVIDER", "READING"]


class JetEmail(Provider):
    """https://jetemail.com."""

    name = "jetemail"
    title = "JetEmail"
    settings = JetEmailSettings
    request_filters = FILTERS
    required: ClassVar[tuple[tuple[str, ...], ...]] = (("api_key",),)
    streams = (OutboundLogs,)
    event_sources = ("jetemail_outbound_logs",)
    mappings = (ATTEMPTS, READING)

    def error_message(self, data: Any) -> str | None:
        """Read `error` or `message`; in an answer with rows they would be no error."""
        if not isinstance(data, dict) or (isinstance(data.get("data"), list) and data.get("success") is not False):
            return None
        message = data.get("error") or data.get("message")
        if isinstance(message, dict):
            message = message.get("message")
        if message:
            return str(message)
        return "success is false" if data.get("success") is False else None

    def events(self, stream: str, record: Record) -> Iterable[Record]:
        """One event for each recipient's mail taken, and one per attempt, open and click."""
        return events(self.name, stream, record)

    def remark(self, stream: str, record: Record) -> str | None:  # noqa: ARG002 - there is one stream
        """Tell of an outcome that no attempt shows."""
        return remark(record)


PROVIDER = JetEmail()
