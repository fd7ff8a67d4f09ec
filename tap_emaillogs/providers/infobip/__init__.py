"""Infobip: one record per mail and recipient, whose status changes until it is final.

https://www.infobip.com/docs/api/channels/email/get-email-logs; `docs/providers/infobip.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th

from tap_emaillogs.http.auth import KeyAuth
from tap_emaillogs.providers.infobip.filters import FILTERS, mistakes
from tap_emaillogs.providers.infobip.logs import EmailLogs
from tap_emaillogs.providers.infobip.mapping import GROUPS, PERMANENT, events, remark
from tap_emaillogs.streams.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_emaillogs.http.client import Auth
    from tap_emaillogs.streams.records import Record

_SCHEMES = ("app ", "basic ", "ibsso ", "bearer ")


class Infobip(Provider):
    """https://www.infobip.com."""

    name = "infobip"
    title = "Infobip"
    settings: ClassVar[tuple[th.Property[Any], ...]] = (
        th.Property("base_url", th.StringType, description="The account's own root: https://xxxxx.api.infobip.com."),
        th.Property("api_key", th.StringType, secret=True, description="API key with the scope to read e-mail logs."),
        th.Property(
            "api_version", th.IntegerType, allowed_values=[1, 4], description="Version of the logs endpoint (1)."
        ),
    )
    request_filters = FILTERS
    required: ClassVar[tuple[tuple[str, ...], ...]] = (("base_url", "api_key"),)
    defaults: ClassVar[Mapping[str, Any]] = {
        "api_version": 1,
        "history_days": 2,
        "lookback_minutes": 60,
        "revisit_minutes": [360, 1440, 2760],
        "settle_minutes": 2,
        "requests_per_minute": 60,
        "page_size": 1000,
    }
    streams = (EmailLogs,)
    event_sources = ("infobip_email_logs",)
    auth_schemes = ("App", "IBSSO")
    mappings = (GROUPS, PERMANENT)

    def defaults_for(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Version 4 allows twice the requests."""
        return {**self.defaults, "requests_per_minute": 120} if settings.get("api_version") == 4 else self.defaults

    def checks(self, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Check the vendor's limits, and that the version that is asked knows the filters."""
        if settings["page_size"] > 1000:
            yield "page_size", "must be at most 1000"
        for name, what in mistakes(settings.get("filters") or {}, settings["api_version"]):
            yield f"filters.{name}", what

    def base_url(self, settings: Mapping[str, Any]) -> str:
        """Return the account's root."""
        return str(settings["base_url"])

    def auth(self, settings: Mapping[str, Any]) -> Auth:
        """Send the key as `App`, unless it names its scheme itself."""
        key = settings["api_key"].strip()
        return KeyAuth("Authorization", key if key.lower().startswith(_SCHEMES) else f"App {key}")

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
