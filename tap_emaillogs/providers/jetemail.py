"""JetEmail: one record per outbound mail, which changes as attempts, opens and clicks come in.

https://docs.jetemail.com/api-reference/outbound/get-outbound-email-logs; `docs/providers/jetemail.md`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th

from tap_emaillogs.client import KeyAuth
from tap_emaillogs.errors import Misunderstood
from tap_emaillogs.events import EventRow, MappingTable, Meaning
from tap_emaillogs.pagination import OffsetPaginator, Page, PagePaginator
from tap_emaillogs.provider import Provider
from tap_emaillogs.stream import LogStream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_emaillogs.client import Auth
    from tap_emaillogs.records import Record

_NO_ATTEMPT = Meaning("queued", "Taken in, and not yet tried.")
ATTEMPTS = MappingTable(
    "`action` of each of `delivery_attempts`",
    {
        "QUEUED": Meaning("queued", "Waits for its turn."),
        "ACCEPTED": Meaning("delivered", "The receiving server took it."),
        "DEFERRED": Meaning("deferred", "Refused for now; the vendor tries again."),
        "BOUNCED_HARD": Meaning("bounced", "Refused for good.", bounce_class="hard"),
        "BOUNCED_SOFT": Meaning("bounced", "Refused for now, and given up.", bounce_class="soft"),
        "REJECTED": Meaning("rejected", "Not accepted; the vendor names no kind of reason.", reject_reason="other"),
        "SPAM": Meaning("rejected", "Stopped as spam.", reject_reason="spam"),
        "VIRUS": Meaning("rejected", "Stopped because of a virus.", reject_reason="virus"),
    },
    streams=("jetemail_outbound_logs",),
    at="the attempt's own `date`; `first_seen` of a row without attempts",
    cases={"a row without attempts": _NO_ATTEMPT},
)
READING = MappingTable(
    "`opens` and `clicks`",
    {
        "opens": Meaning("opened", "One event per entry of `opens`."),
        "clicks": Meaning("clicked", "One event per entry of `clicks`."),
    },
    streams=("jetemail_outbound_logs",),
    at="the open's or click's own `date`",
)


class OutboundLogs(LogStream):
    """GET /outbound/logs.

    Which column the date filter uses is unknown, and so is whether `date_to` is inclusive: windows tile either way,
    revisits find what has changed, and what two neighbours both show is written once.
    """

    name = "jetemail_outbound_logs"
    provider = "jetemail"
    endpoint = "GET /outbound/logs"
    paging = "offset or page"
    path = "/outbound/logs"
    primary_keys = ("account", "uid")
    replication_key = "last_updated"
    row_key = ("uid",)
    time_columns = ("last_updated", "first_seen")
    rows_per_window = 2_000  # 20 pages: offsets shift when rows change, and a shift means to read again

    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        """Ask for a page, the oldest rows first."""
        request = super().get_http_request(page=page)
        window = (page.stream_context or {})["window"]
        request.params = {
            "limit": self.account.settings["page_size"],
            self.account.settings["paging"]: page.next_page_token,
            "sort_by": "date",
            "sort_order": "ASC",
            "date_from": int(window.start.timestamp()),
            "date_to": int(window.end.timestamp()),
        }
        return request

    def get_new_paginator(self) -> OffsetPaginator | PagePaginator:
        """Page by offset, or by page number as configured."""
        settings = self.account.settings
        kind = PagePaginator if settings["paging"] == "page" else OffsetPaginator
        return kind(settings["page_size"])

    def parse_page(self, data: Any) -> Page:
        """Read `{success, pagination, data: [...]}`."""
        rows = data.get("data") if isinstance(data, dict) else None
        paging = data.get("pagination") if isinstance(data, dict) else None
        if not isinstance(rows, list) or not isinstance(paging, dict):
            raise Misunderstood("the answer holds no list `data` beside an object `pagination`")
        total, more = paging.get("total_count"), paging.get("has_next_page")
        return Page(
            rows,
            total if isinstance(total, int) else None,
            more=more if isinstance(more, bool) else None,
            capped=paging.get("count_limited") is True,
        )


class JetEmail(Provider):
    """https://jetemail.com."""

    name = "jetemail"
    title = "JetEmail"
    settings: ClassVar[tuple[th.Property[Any], ...]] = (
        th.Property("api_key", th.StringType, secret=True, description="API key of the account (`api_…`)."),
        th.Property("paging", th.StringType, allowed_values=["offset", "page"], description="How to page (offset)."),
    )
    required: ClassVar[tuple[tuple[str, ...], ...]] = (("api_key",),)
    defaults: ClassVar[Mapping[str, Any]] = {
        "base_url": "https://api.jetemail.com",
        "paging": "offset",
        "lookback_minutes": 60,
        "revisit_minutes": [360, 1440, 4320],
        "settle_minutes": 5,
        "requests_per_minute": 240,
        "page_size": 100,
    }
    streams = (OutboundLogs,)
    event_sources = ("jetemail_outbound_logs",)
    mappings = (ATTEMPTS, READING)

    def checks(self, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Check the vendor's limits."""
        return [("page_size", "must be at most 100")] if settings["page_size"] > 100 else []

    def base_url(self, settings: Mapping[str, Any]) -> str:
        """Return the API root."""
        return str(settings["base_url"])

    def auth(self, settings: Mapping[str, Any]) -> Auth:
        """Send the key as a bearer token."""
        return KeyAuth("Authorization", f"Bearer {settings['api_key']}")

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

    def events(self, stream: str, record: Record) -> Iterator[Record]:
        """One event per attempt, open and click; their order in the row means nothing."""
        row = EventRow(
            self.name,
            stream,
            record,
            key=record["uid"],
            message_id=record["message_id"] or record["uid"],
            recipient=record["receiver"] or record["to_address"],
            sender=record["sender"] or record["from_address"],
            subject=record["subject"],
        )
        attempts = [attempt for attempt in record["delivery_attempts"] or () if attempt]
        if not attempts:
            yield row.event(_NO_ATTEMPT, None, own={"state": "queued"}, at=record["first_seen"])
        # The row has one reason for all bounces: the latest one's.
        bounced = max((_moment(attempt) for attempt in attempts if _bounced(attempt)), default="")
        for attempt in attempts:
            latest = _bounced(attempt) and _moment(attempt) == bounced
            yield row.event(
                ATTEMPTS,
                attempt.get("action"),
                own={"attempt": attempt},
                at=_moment(attempt) or None,
                recipient=attempt.get("receiver"),
                reason=record["bounce_reason"] if latest else None,
                smtp_response=attempt.get("response"),
            )
        for kind in READING.meanings:
            for entry in record[kind] or ():
                if entry:
                    yield row.event(
                        READING,
                        kind,
                        own={kind: entry},
                        at=entry.get("date"),
                        url=entry.get("original_url"),
                        user_agent=entry.get("email_client"),
                        country=entry.get("country"),
                    )


def _moment(attempt: Mapping[str, Any]) -> str:
    return str(attempt.get("date") or attempt.get("timestamp") or "")


def _bounced(attempt: Mapping[str, Any]) -> bool:
    return ATTEMPTS[attempt.get("action")].event_type == "bounced"


PROVIDER = JetEmail()
