"""SMTP2GO: events of the activity log.

https://developers.smtp2go.com/docs/view-account-activity; `docs/providers/smtp2go.md`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th

from tap_emaillogs.http.auth import KeyAuth
from tap_emaillogs.providers.smtp2go.activity import Activity, error_message
from tap_emaillogs.providers.smtp2go.mapping import EVENT_TYPES, EVENTS, events
from tap_emaillogs.streams.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_emaillogs.http.client import Auth
    from tap_emaillogs.streams.records import Record

_REGIONS = ["us", "eu", "au"]


class Smtp2go(Provider):
    """https://www.smtp2go.com."""

    name = "smtp2go"
    title = "SMTP2GO"
    settings: ClassVar[tuple[th.Property[Any], ...]] = (
        th.Property("api_key", th.StringType, secret=True, description="API key with the permission /activity/search."),
        th.Property("region", th.StringType, allowed_values=_REGIONS, description="Use a regional API."),
        th.Property(
            "event_types",
            th.ArrayType(th.StringType(allowed_values=list(EVENT_TYPES))),
            description="Only these event types; all by default.",
        ),
        th.Property("include_headers", th.BooleanType, description="Also fetch the mails' full headers."),
        th.Property("custom_headers", th.ArrayType(th.StringType), description="Header names to fetch parsed."),
        th.Property("subaccounts", th.ArrayType(th.StringType), description="Only these subaccounts."),
        th.Property("history_days", th.NumberType, description="Days of history: 30, or 5 on the free plan."),
    )
    request_filters: ClassVar[tuple[th.Property[Any], ...]] = (
        th.Property(
            "search",
            th.StringType,
            description="Text in the e-mail's id, subject, To, recipient or BCC; alternatives separated by `|`.",
        ),
        th.Property("search_subject", th.StringType, description="Text in the subject."),
        th.Property("search_sender", th.StringType, description="Text in the sender."),
        th.Property("search_recipient", th.StringType, description="Text in the recipient."),
        th.Property("search_usernames", th.ArrayType(th.StringType), description="Only mails of these SMTP users."),
        th.Property("search_email_id", th.StringType, description="Only events of the e-mail with this id."),
        th.Property(
            "region",
            th.StringType,
            allowed_values=_REGIONS,
            description="Only events of this region: a parameter of the search, beside the API's host, which the "
            "provider's own `region` names.",
        ),
    )
    required: ClassVar[tuple[tuple[str, ...], ...]] = (("api_key",),)
    defaults: ClassVar[Mapping[str, Any]] = {
        "history_days": 30,
        "lookback_minutes": 60,
        "revisit_minutes": [1440],
        "settle_minutes": 5,
        "requests_per_minute": 60,
        "page_size": 1000,
    }
    streams = (Activity,)
    event_sources = ("smtp2go_activity",)
    mappings = (EVENTS,)

    def checks(self, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Check the vendor's limits."""
        return [("page_size", "must be at most 1000")] if settings["page_size"] > 1000 else []

    def base_url(self, settings: Mapping[str, Any]) -> str:
        """Return the given root, or that of the region."""
        region = settings.get("region")
        return str(settings.get("base_url") or f"https://{region + '-' if region else ''}api.smtp2go.com/v3")

    def auth(self, settings: Mapping[str, Any]) -> Auth:
        """Send the key in its own header."""
        return KeyAuth("X-Smtp2go-Api-Key", settings["api_key"])

    def error_message(self, data: Any) -> str | None:
        """Read the vendor's error, with the `request_id` that its support asks for."""
        return error_message(data)

    def events(self, stream: str, record: Record) -> Iterable[Record]:
        """A row is an event; that a mail was taken is one for each of its recipients."""
        return events(self.name, stream, record)


PROVIDER = Smtp2go()
