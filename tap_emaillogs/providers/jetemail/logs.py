"""JetEmail's log of outbound mails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_emaillogs.http.errors import Misunderstood
from tap_emaillogs.providers.jetemail.paging import AnchoredPaginator, Motion, Place
from tap_emaillogs.streams.base import LogStream
from tap_emaillogs.streams.paginators import Page, count_of, objects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_emaillogs.providers.jetemail.settings import JetEmailSettings

_SHAPE = "list `data` beside an object `pagination`"


class OutboundLogs(LogStream):
    """GET /outbound/logs.

    Which columns the date filter and `sort_by=date` use is unknown, and so is whether `date_to` is inclusive: windows
    tile either way, revisits find what has changed, and what two neighbours both show is written once.
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
    settings: JetEmailSettings
    rows_per_window = 2_000  # 20 pages: where pages cannot be read on from one another, the window is read again

    _largest_count = 0
    """The largest count that an answer of this run gave."""

    def bind(self) -> None:
        """Begin to learn how much the account's rows move."""
        self._motion = Motion()

    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        """Ask for a page, the oldest rows first."""
        request = super().get_http_request(page=page)
        window = (page.stream_context or {})["window"]
        place = page.next_page_token or Place(0, self.settings.page_size)
        numbered = self.settings.paging == "page"
        request.params = {
            **(self.filters() or {}),
            "limit": place.limit,
            **({"page": place.start // place.limit + 1} if numbered else {"offset": place.start}),
            "sort_by": "date",
            "sort_order": "ASC",
            "date_from": int(window.start.timestamp()),
            "date_to": int(window.end.timestamp()),
        }
        return request

    def get_new_paginator(self) -> AnchoredPaginator:
        """Page by offset, or by page number as configured."""
        settings = self.settings
        numbered = settings.paging == "page"
        return AnchoredPaginator(settings.page_size, "uid", self.time_columns, self._motion, numbered=numbered)

    def parse_page(self, data: Any, page: PageContext[Any]) -> Page:  # noqa: ARG002 - the base's signature
        """Read `{success, pagination, data: [...]}`."""
        known = data if isinstance(data, dict) else {}
        paging = known.get("pagination")
        if not isinstance(paging, dict):
            raise Misunderstood(f"the answer holds no {_SHAPE}")
        rows = objects(known.get("data"), _SHAPE)
        total, more = self.total_of(paging.get("total_count"), len(rows)), paging.get("has_next_page")
        more = more if isinstance(more, bool) else None
        capped = self._is_capped(paging, len(rows), total, more=more)
        return Page(rows, total, more=more, capped=capped, limit=total if capped else None)

    def _is_capped(self, paging: Mapping[str, Any], rows: int, total: int | None, *, more: bool | None) -> bool:
        """Whether the vendor counted no further: `count_limited` says so, and nothing else contradicts it.

        The flag may be a constant. It is true of a count that has reached `max_count_limit`. Where that is not told,
        a count below another one was not stopped, and neither was that of a page which shows all rows.
        """
        most = count_of(paging.get("max_count_limit"))
        self._largest_count = max(self._largest_count, total or 0)
        if paging.get("count_limited") is not True:
            return False
        if most and total is not None:
            return total >= most
        if not more and not self.is_full(rows) and (total or 0) <= rows:
            return False
        return total is None or total >= self._largest_count
