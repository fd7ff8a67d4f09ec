"""The e-mail logs of both versions.

https://www.infobip.com/docs/api/channels/email/get-email-logs; `docs/providers/infobip.md`.
Never the reports endpoint: reading a report consumes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats import timestamps
from tap_emaillogs.http.errors import Misunderstood
from tap_emaillogs.providers.infobip.filters import renamed_in_version_4
from tap_emaillogs.streams.base import LogStream
from tap_emaillogs.streams.paginators import ContinueTokenPaginator, Page, SinglePage, objects
from tap_emaillogs.streams.shapes import Layout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_sdk.helpers.types import Context
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_emaillogs.providers.infobip.settings import InfobipSettings
    from tap_emaillogs.streams.window import Window

_OLD_NAMES = {renamed_in_version_4(name): name for name in ("from", "to")}
_NEW_COLUMNS = frozenset({*_OLD_NAMES, "platform"})
_LAYOUT_1 = Layout(("results",))
_LAYOUT_4 = Layout(("results",), tuple(_OLD_NAMES.items()), (("platform", ("applicationId", "entityId")),))


class EmailLogs(LogStream):
    """GET /email/1/logs, which cannot be paged and cuts silently, or /email/4/logs, which has a cursor.

    Nothing is assumed of the bounds: each window is asked for with a millisecond more on either side, and rows in
    these margins are left to the neighbours. Nor of what the vendor makes of a window that reaches beyond the 48 hours
    that it keeps: it may show less, or refuse.
    """

    name = "infobip_email_logs"
    provider = "infobip"
    endpoint = "GET /email/1/logs (or 4)"
    paging = "none: window bisection (version 4: cursor)"
    path = "/email/1/logs"
    primary_keys = ("account", "messageId", "to")
    replication_key = "sentAt"
    row_key = ("messageId", "to")
    time_columns = ("sentAt",)
    unit = timestamps.MILLISECOND
    settings: InfobipSettings
    reader = "tap_emaillogs.providers.infobip.proof:ProofReader"

    @property
    def by_cursor(self) -> bool:
        """Whether this is version 4, which has pages."""
        return self.settings.api_version == 4

    @property
    def layout(self) -> Layout:
        """Where the rows are; version 4 has other names for some fields."""
        return _LAYOUT_4 if self.by_cursor else _LAYOUT_1

    def get_url(self, context: Context | None) -> str:  # noqa: ARG002 - the SDK's signature
        """Return the address of the configured version."""
        return f"{self.url_base}/email/{self.settings.api_version}/logs"

    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        """Ask for the window, with its margins."""
        request = super().get_http_request(page=page)
        context = page.stream_context or {}
        window = context["window"]
        request.params = {
            **(self.filters() or {}),
            "sentSince": timestamps.millis(max(window.start - self.unit, context.get("not_before", timestamps.EPOCH))),
            "sentUntil": timestamps.millis(window.end),
            "limit": self.settings.page_size,
        }
        if self.by_cursor:
            request.params |= {"useCursor": "true", "cursor": page.next_page_token}
        return request

    def get_new_paginator(self) -> ContinueTokenPaginator | SinglePage:
        """Follow the cursor in version 4; version 1 has nothing to follow."""
        return ContinueTokenPaginator() if self.by_cursor else SinglePage()

    def parse_page(self, data: Any, page: PageContext[Any]) -> Page:  # noqa: ARG002 - the base's signature
        """Read `{results: [...]}` and, in version 4, `cursor.nextCursor`."""
        rows = objects(data.get("results") if isinstance(data, dict) else None, "list `results`")
        full = self.is_full(len(rows))
        if not self.by_cursor:
            return Page(rows, capped=full)
        cursor = data.get("cursor")
        if cursor is not None and not isinstance(cursor, dict):
            raise Misunderstood("the answer's `cursor` is no object")
        # Without any cursor, a full answer is one of a vendor that ignored `useCursor`.
        return Page(rows, token=(cursor or {}).get("nextCursor") or None, capped=full and cursor is None)

    def inside(self, window: Window, rows: Sequence[Any]) -> Sequence[Any]:
        """Leave the margins to the neighbours, unless the vendor filters by something else than `sentAt`."""
        times = [self.time_of(row) or window.start for row in rows]
        if any(not window.start - self.unit <= moment <= window.end for moment in times):
            return rows
        return [row for row, moment in zip(rows, times, strict=True) if moment in window]

    def prepare(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """Bring a row of version 4 to the columns of version 1."""
        if _NEW_COLUMNS.isdisjoint(row):
            return row
        renamed = {self._column(name, row): value for name, value in row.items() if name != "platform"}
        platform = row.get("platform")
        if isinstance(platform, dict):
            known = {"applicationId", "entityId"}
            renamed |= {name: value for name, value in platform.items() if name in known}
            if rest := {name: value for name, value in platform.items() if name not in known}:
                renamed["platform"] = rest
        elif platform is not None:
            renamed["platform"] = platform
        return renamed

    @staticmethod
    def _column(name: str, row: Mapping[str, Any]) -> str:
        old = _OLD_NAMES.get(name, name)
        return name if old in row else old
