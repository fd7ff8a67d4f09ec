"""SMTP2GO's activity log, page by page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from tap_emaillogs.formats import timestamps
from tap_emaillogs.streams.base import LogStream
from tap_emaillogs.streams.paginators import ContinueTokenPaginator, Page, objects
from tap_emaillogs.streams.shapes import Layout

if TYPE_CHECKING:
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_emaillogs.providers.smtp2go.settings import Smtp2goSettings

_FORMER_MOST = 100
"""The largest `limit` by an older page of the vendor: so many rows may be a cut answer too."""
_REQUEST_ID = re.compile(r"[\w.:-]{1,64}")


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
    layout = Layout(("data", "events"))
    settings: Smtp2goSettings

    def filters(self) -> dict[str, Any] | None:
        """Return the settings that leave events out, as the request names them."""
        settings = self.settings
        given = {"event_types": settings.event_types, "subaccounts": settings.subaccounts, **(super().filters() or {})}
        return {key: value for key, value in given.items() if value} or None

    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        """Search the window; a further page repeats the search and adds the token."""
        request = super().get_http_request(page=page)
        settings, window = self.settings, (page.stream_context or {})["window"]
        request.data = {
            "start_date": timestamps.seconds(window.start),
            "end_date": timestamps.seconds(window.end),
            "limit": settings.page_size,
            **(self.filters() or {}),
            **({"include_headers": True} if settings.include_headers else {}),
            **({"custom_headers": settings.custom_headers} if settings.custom_headers else {}),
            **({"continue_token": page.next_page_token} if page.next_page_token else {}),
        }
        return request

    def get_new_paginator(self) -> ContinueTokenPaginator:
        """Follow `continue_token`; `total_events` tells whether the end was one."""
        return ContinueTokenPaginator(unchanged_ends=True)

    def parse_page(self, data: Any, page: PageContext[Any]) -> Page:  # noqa: ARG002 - the base's signature
        """Read `{data: {events, total_events, continue_token}}`.

        A full page without a total and without a token may be cut.
        """
        inner = data.get("data") if isinstance(data, dict) else None
        inner = inner if isinstance(inner, dict) else {}
        events = objects(inner.get("events"), "data.events")
        full = self.is_full(len(events))
        total, token = self.total_of(inner.get("total_events"), len(events)), _token(inner.get("continue_token"))
        if total is not None and total < len(events) and (token or full):
            total = None  # it counts something else
        return Page(events, total, token, capped=total is None and token is None and full)

    def is_full(self, rows: int) -> bool:
        """Whether a page of so many rows may be cut: an older page of the vendor knows another largest `limit`."""
        return super().is_full(rows) or rows == _FORMER_MOST


def _token(value: Any) -> str | None:
    return str(value) if value and not isinstance(value, bool) else None


def error_message(data: Any) -> str | None:
    """Read `{request_id, data: {error, error_code, field_validation_errors}}`, or the same keys at top level.

    The vendor's support asks for the `request_id`; it comes first, since long messages are cut at their end.
    """
    if not isinstance(data, dict):
        return None
    inner = data.get("data")
    source = inner if isinstance(inner, dict) and "error" in inner else data
    number = next((part for part in (data.get("request_id"), source.get("request_id")) if part), None)
    known = isinstance(number, str) and _REQUEST_ID.fullmatch(number)
    named = f"request_id {number}:" if known else ""
    if not source.get("error"):
        holds_events = isinstance(inner, dict) and isinstance(inner.get("events"), list)
        return None if holds_events or not known else f"{named} no data.events, and no error either"
    details = source.get("field_validation_errors")
    detail = details.get("message") if isinstance(details, dict) else None
    return " ".join(str(part) for part in (named, source.get("error_code"), detail or source["error"]) if part)
