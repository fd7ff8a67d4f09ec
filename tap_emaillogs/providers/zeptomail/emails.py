"""`zeptomail_emails`: GET /email, one record per e-mail.

https://www.zoho.com/zeptomail/help/api/get-email-logs.html
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from tap_emaillogs.providers.zeptomail import dateform
from tap_emaillogs.providers.zeptomail.answers import Question
from tap_emaillogs.providers.zeptomail.settings import zone
from tap_emaillogs.streams.base import LogStream
from tap_emaillogs.streams.paginators import OffsetPaginator, Page, objects
from tap_emaillogs.streams.prepared import NoRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_emaillogs.providers.zeptomail.settings import ZeptoMailSettings
    from tap_emaillogs.streams.settings import StreamDefaults

_MINUTE = timedelta(minutes=1)
_ROUND = 10
"""Servers cap pages at multiples of it."""
_TRACKED = ("email_open", "email_link_click")


class Emails(LogStream):
    """GET /email, newest first, in either of the two forms that are seen, both brought to the same columns."""

    name = "zeptomail_emails"
    provider = "zeptomail"
    endpoint = "GET /email"
    paging = "offset"
    path = "/email"
    primary_keys = ("account", "email_reference")
    replication_key = "processed_time"
    row_key = ("email_reference",)
    time_columns = ("processed_time", "sent_time")
    unit = _MINUTE
    selected_by_default = False
    settings: ZeptoMailSettings
    reader = "tap_emaillogs.providers.zeptomail.details:EmailsReader"
    defaults: ClassVar[StreamDefaults] = {
        "lookback_minutes": 60,
        "revisit_minutes": [1440],
        "settle_minutes": 5,
        "window_hours": 168,
    }

    def bind(self) -> None:
        """Make windows of whole hours where the form of dates has no minutes."""
        self.unit = dateform.resolution(self.settings.export_date_format) or _MINUTE

    def filters(self) -> dict[str, Any] | None:
        """Return the agent, where only one's e-mails are read."""
        agent = self.settings.mailagent_key
        return {"mailagent_key": agent} if agent else None

    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        """Ask for a page. The four filters by outcome are never sent: the vendor's page contradicts their names."""
        request = super().get_http_request(page=page)
        window, given = (page.stream_context or {})["window"], self.settings
        asked = Question.of(window, zone(given.timezone), given.export_date_format)
        start, end = asked.written
        request.params = {
            "date_from": start,
            "date_to": end,
            "offset": page.next_page_token,
            "limit": given.page_size,
            **(self.filters() or {}),
        }
        return request

    def get_new_paginator(self) -> OffsetPaginator:
        """Page by offset until a short page."""
        return OffsetPaginator(self.settings.page_size)

    def parse_page(self, data: Any, page: PageContext[Any]) -> Page:
        """Read `{data: {logs: [{email_info, …}]}, metadata: {count}}` or the flat `{data: [{…}]}`.

        `count` may be a total or only the rows shown. A page shorter than asked ends the paging, unless the server
        seems to cap pages, or counts more.
        """
        inner = data.get("data") if isinstance(data, dict) else None
        logs = inner.get("logs") if isinstance(inner, dict) else inner
        if isinstance(inner, dict) and not inner:
            logs = []
        given = objects(logs, "list of e-mails in `data` or `data.logs`")
        rows = [row if isinstance(row, NoRow) else flattened(row) for row in given]
        metadata = data.get("metadata")
        count = self.total_of(metadata.get("count"), len(rows)) if isinstance(metadata, dict) else None
        total = count if count != len(rows) else None
        seen = len(rows) + int(page.next_page_token or 0)
        more = self.is_full(len(rows)) or (seen < total if total is not None else len(rows) % _ROUND == 0)
        return Page(rows, total, more=bool(rows) and more)


def flattened(row: Mapping[str, Any]) -> dict[str, Any]:
    """Bring an e-mail of either form to the flat one, its addresses to text; names stay as fields of their own."""
    info = row.get("email_info")
    flat = {name: value for name, value in row.items() if name != "email_info"}
    flat.update(info if isinstance(info, dict) else {} if not info else {"email_info": info})
    sender = flat.get("from")
    if isinstance(sender, dict):
        flat["from"] = sender.get("address")
        flat.update({f"from.{name}": value for name, value in sender.items() if name != "address" and value})
    receivers = flat.get("to")
    if isinstance(receivers, list):
        flat["to"] = [one.get("address") if isinstance(one, dict) else one for one in receivers]
        for number, one in enumerate(receivers):
            if isinstance(one, dict):
                flat.update({f"to.{number}.{name}": v for name, v in one.items() if name != "address" and v})
    tracking = flat.get("email_tracking_details")
    if isinstance(tracking, dict):
        flat["email_tracking_details"] = {
            name: _visits(value) if name in _TRACKED else value for name, value in tracking.items()
        }
    return flat


def _visits(tracked: Any) -> Any:
    """Bring `event_data`, as some answers have it, to the page's `details`."""
    if not isinstance(tracked, dict) or "details" in tracked or not isinstance(tracked.get("event_data"), list):
        return tracked
    rest = {name: value for name, value in tracked.items() if name != "event_data"}
    return {**rest, "details": tracked["event_data"]}
