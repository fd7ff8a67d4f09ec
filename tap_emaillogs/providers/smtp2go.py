"""SMTP2GO: events of the activity log.

https://developers.smtp2go.com/docs/view-account-activity; `docs/providers/smtp2go.md`
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th

from tap_emaillogs import timestamps
from tap_emaillogs.client import KeyAuth
from tap_emaillogs.errors import Misunderstood
from tap_emaillogs.events import EventRow, MappingTable, Meaning
from tap_emaillogs.pagination import ContinueTokenPaginator, Page
from tap_emaillogs.provider import Provider
from tap_emaillogs.stream import LogStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_emaillogs.client import Auth
    from tap_emaillogs.records import Record

EVENTS = MappingTable(
    "`event`",
    {
        "processed": Meaning("queued", "Accepted from the sender, and on its way out."),
        "soft-bounced": Meaning("bounced", "Refused for now.", bounce_class="soft"),
        "hard-bounced": Meaning("bounced", "Refused for good.", bounce_class="hard"),
        "rejected": Meaning(
            "rejected", "Not sent, mostly to a suppressed address; `reason` says why.", reject_reason="other"
        ),
        "spam": Meaning("complained", "The recipient marked it as spam."),
        "delivered": Meaning("delivered", "The receiving server took it."),
        "unsubscribed": Meaning("unsubscribed", "As named."),
        "resubscribed": Meaning("subscribed", "The recipient takes mail again."),
        "opened": Meaning("opened", "As named."),
        "clicked": Meaning("clicked", "As named."),
    },
    streams=("smtp2go_activity",),
    at="`date`",
)
EVENT_TYPES = tuple(EVENTS.meanings)
_BY_READER = frozenset({"spam", "unsubscribed", "resubscribed", "opened", "clicked"})
"""Events whose free objects tell of the recipient; those of others may tell of servers."""
_AGENT = ("useragent", "agent")
_CLIENT = ("client", "name")
"""Only of `email_client`: elsewhere these may be anything."""
_IP = ("ip", "ipaddress", "clientip", "remoteip", "ipaddr")
_COUNTRY = ("country", "countryname", "countrycode")


class Activity(LogStream):
    """POST /activity/search: one record per event."""

    name = "smtp2go_activity"
    provider = "smtp2go"
    endpoint = "POST /activity/search"
    paging = "continue token"
    path = "/activity/search"
    http_method = "POST"
    payload_as_json = True
    primary_keys = ("account", "event_id")
    replication_key = "date"
    twin_key = "event_id"
    outside_identity: ClassVar[frozenset[str]] = frozenset({"headers", "custom_headers", "delivery_attempts"})
    exact_bounds = True
    time_columns = ("date",)

    def filters(self) -> dict[str, Any] | None:
        """Return the settings that leave events out."""
        settings = self.account.settings
        return {key: settings[key] for key in ("event_types", "subaccounts") if settings.get(key)} or None

    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        """Search the window; a further page repeats the search and adds the token."""
        request = super().get_http_request(page=page)
        settings, window = self.account.settings, (page.stream_context or {})["window"]
        request.data = {
            "start_date": timestamps.seconds(window.start),
            "end_date": timestamps.seconds(window.end),
            "limit": settings["page_size"],
            **(self.filters() or {}),
            **({"include_headers": True} if settings.get("include_headers") else {}),
            **({"custom_headers": settings["custom_headers"]} if settings.get("custom_headers") else {}),
            **({"continue_token": page.next_page_token} if page.next_page_token else {}),
        }
        return request

    def get_new_paginator(self) -> ContinueTokenPaginator:
        """Follow `continue_token`; `total_events` tells whether the end was one."""
        return ContinueTokenPaginator(unchanged_ends=True)

    def parse_page(self, data: Any) -> Page:
        """Read `{data: {events, total_events, continue_token}}`."""
        inner = data.get("data") if isinstance(data, dict) else None
        events = inner.get("events") if isinstance(inner, dict) else None
        if not isinstance(inner, dict) or not isinstance(events, list):
            raise Misunderstood("the answer holds no data.events")
        total = inner.get("total_events")
        return Page(events, total if isinstance(total, int) else None, inner.get("continue_token") or None)


class Smtp2go(Provider):
    """https://www.smtp2go.com."""

    name = "smtp2go"
    title = "SMTP2GO"
    settings: ClassVar[tuple[th.Property[Any], ...]] = (
        th.Property("api_key", th.StringType, secret=True, description="API key with the permission /activity/search."),
        th.Property("region", th.StringType, allowed_values=["us", "eu", "au"], description="Use a regional API."),
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
        """Read `{data: {error, error_code, field_validation_errors}}`, or the same keys at top level."""
        if not isinstance(data, dict):
            return None
        inner = data.get("data")
        source = inner if isinstance(inner, dict) and "error" in inner else data
        if not source.get("error"):
            return None
        details = source.get("field_validation_errors")
        detail = details.get("message") if isinstance(details, dict) else None
        return " ".join(str(part) for part in (source.get("error_code"), detail or source["error"]) if part)

    def events(self, stream: str, record: Record) -> Iterator[Record]:
        """A row is an event."""
        event, recipients = record["event"], record["recipients"] or []
        only = recipients[0] if len(recipients) == 1 else None
        row = EventRow(
            self.name,
            stream,
            record,
            key=record["event_id"],
            message_id=record["email_id"],
            recipient=record["recipient"] or only,
            sender=record["sender"] or record["from"],
            subject=record["subject"],
        )
        reader: dict[str, Any] = {}
        if event in _BY_READER:
            client, known = [record["email_client"]], [record["email_client"], record["metadata"]]
            reader = {
                "user_agent": _find(known, _AGENT) or _find(client, _CLIENT),
                "ip": _find(known, _IP),
                "country": _find(known, _COUNTRY),
            }
        yield row.event(
            EVENTS,
            event,
            own={},
            at=record["date"],
            reason=record["reason"] or record["error"],
            smtp_response=record["smtp_response"],
            url=record["url"],
            **reader,
        )


def _find(objects: Iterable[Any], keys: tuple[str, ...]) -> str | None:
    """Look for a text under one of `keys`, at any depth: what these objects hold is not documented."""
    for key in keys:
        for name, value in _leaves(objects):
            if name == key and value:
                return value
    return None


def _leaves(objects: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for part in objects:
        if isinstance(part, dict):
            for name, value in part.items():
                if isinstance(value, str):
                    yield re.sub(r"[_\s-]+", "", name).lower(), value
                else:
                    yield from _leaves([value])
        elif isinstance(part, list):
            yield from _leaves(part)


PROVIDER = Smtp2go()
