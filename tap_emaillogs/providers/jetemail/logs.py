"""JetEmail's log of outbound mails."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tap_emaillogs.http.errors import Misunderstood
from tap_emaillogs.providers.jetemail.paging import AnchoredPaginator, Motion, Place
from tap_emaillogs.streams.base import LogStream
from tap_emaillogs.streams.paginators import Page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk import Tap
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_emaillogs.providers.jetemail.settings import JetEmailSettings


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

    def __init__(self, tap: Tap) -> None:
        super().__init__(tap)
        self._largest_count: dict[str, int] = {}
        self._motion: defaultdict[str, Motion] = defaultdict(Motion)

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
        motion = self._motion[self.account.label]
        return AnchoredPaginator(
            settings.page_size, "uid", self.time_columns, motion, numbered=settings.paging == "page"
        )

    def parse_page(self, data: Any) -> Page:
        """Read `{success, pagination, data: [...]}`."""
        rows = data.get("data") if isinstance(data, dict) else None
        paging = data.get("pagination") if isinstance(data, dict) else None
        if not isinstance(rows, list) or not isinstance(paging, dict):
            raise Misunderstood("the answer holds no list `data` beside an object `pagination`")
        more = paging.get("has_next_page")
        page = Page(rows, _count(paging.get("total_count")), more=more if isinstance(more, bool) else None)
        return Page(page.rows, page.total, more=page.more, capped=self._is_capped(page, paging))

    def _is_capped(self, page: Page, paging: Mapping[str, Any]) -> bool:
        """Whether the vendor counted no further: `count_limited` says so, and nothing else contradicts it.

        The flag may be a constant. It is true of a count that has reached `max_count_limit`. Where that is not told,
        a count below another one was not stopped, and neither was that of a page which shows all rows.
        """
        most, largest = _count(paging.get("max_count_limit")), self._largest_count.get(self.account.label, 0)
        if page.total is not None and page.total > largest:
            largest = self._largest_count[self.account.label] = page.total
        if paging.get("count_limited") is not True:
            return False
        if most and page.total is not None:
            return page.total >= most
        if not page.more and len(page.rows) < self.settings.page_size and (page.total or 0) <= len(page.rows):
            return False
        return page.total is None or page.total >= largest


def _count(value: Any) -> int | None:
    """Return a number that counts; None: it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
