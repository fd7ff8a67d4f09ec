"""`messangi_message_logs`: GET /v3/mlog, page by page.

Neither wrapper, nor fields, nor paging, nor whether the range's ends belong to it are documented
(`docs/providers/messangi.md`); what is assumed here of each is said where it is used.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats.values import json_text
from tap_emaillogs.http.errors import PagingLoop
from tap_emaillogs.providers.messangi import answers
from tap_emaillogs.providers.messangi.moments import belongs, dates_of
from tap_emaillogs.providers.messangi.query import query_of
from tap_emaillogs.providers.messangi.streams import MessageRows
from tap_emaillogs.streams.paginators import Page, PagePaginator, Unpaged
from tap_emaillogs.streams.prepared import NoRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from singer_sdk.helpers.types import Context
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_emaillogs.http.errors import VendorError
    from tap_emaillogs.streams.prepared import PreparedRow
    from tap_emaillogs.streams.window import Window

_SMALLEST_CAP = 10
"""No server caps its pages at fewer rows."""
_NO_SUCH_PAGE = frozenset({200, 400, 404, 410, 416, 422})
"""Statuses of an answer that may mean that there is no page 0; `explain` comes with 200, too."""


class Pages(PagePaginator):
    """Numbered pages of a server that may cap their size, may ignore their number, and may count from 0.

    A second page that repeats the first ends the reading, unless the page may be cut: it is as long as asked, or holds
    a round number of rows (25, 100, 256) and no fewer than any answer before (`largest`, shared by the windows of an
    endpoint). A later page that repeats the one before is a loop.

    With `first` 0 a server that counts from 1 is understood too: where it has no page 0 the reading goes on with
    page 1, and where its page 0 is the page 1, that one counts once.
    """

    def __init__(
        self, page_size: int, largest: list[int], *, first: int, mail_of: Callable[[Mapping[str, Any]], Any]
    ) -> None:
        super().__init__(page_size, first=first, trust_short=False)
        self._size, self._largest, self._mail_of = page_size, largest, mail_of

    def advance(self, response: Page) -> None:  # type: ignore[override] # a page understood, as in the base
        """Go on to the page after `response`."""
        if self._value == 0 and not response.rows:
            self._value = 1
        elif self._value == 1 and self.count == 1 and self._shows_again(response.rows):
            self._value, self._last_rows = 2, response.rows
        else:
            super().advance(response)

    def is_before_first(self, error: VendorError) -> bool:
        """Whether a vendor that counts from 1 refused page 0, which then has no rows."""
        return bool(self._value == 0) and error.status in _NO_SUCH_PAGE

    def _shows_again(self, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Whether page 1 is page 0 once more, although some rows may have changed meanwhile.

        Where rows are events, another page may well tell of the same mails: so rows are compared as a whole, but for
        a page so short that no further one can follow.
        """
        before = self._last_rows
        if len(before) < _SMALLEST_CAP:
            return bool(rows) and Counter(map(self._mail_of, before)) == Counter(map(self._mail_of, rows))
        same = Counter(map(json_text, before)) & Counter(map(json_text, rows))
        return 2 * same.total() >= max(len(before), len(rows))

    def repeated(self, page: Page) -> None:
        """Meet a page that equals the one before.

        Raises:
            Unpaged: There may be more that cannot be paged to.
            PagingLoop: Earlier pages were different ones.
        """
        seen = len(page.rows)
        if self.count > 1:
            raise PagingLoop(f"page {self.count + 1} repeats the page before it ({seen} rows)")
        cap_like = _is_round(seen) and seen >= self._largest[0]
        self._largest[0] = max(seen, self._largest[0])
        if seen >= self._size or cap_like:
            raise Unpaged(page.rows)
        super().repeated(page)


def _is_round(count: int) -> bool:
    """Whether a server may well cap pages at this number of rows."""
    return count >= _SMALLEST_CAP and (count % 5 == 0 or count & (count - 1) == 0)


class _MarginRow(dict[str, Any]):
    """A row of the margin beside a window: a neighbour's, unless another row of its mail is the window's own."""


class MessageLogs(MessageRows):
    """GET /v3/mlog: one record per row, whatever fields it has.

    Where the vendor says "too big" within a second, this is cut to milliseconds, the resolution of the range.
    """

    name = "messangi_message_logs"
    endpoint = "GET /v3/mlog"
    paging = "page"
    primary_keys = ("account", "record_id")
    twin_key = "record_id"

    def bind(self) -> None:
        """Begin to learn the account's longest answer."""
        self._largest = [0]

    def get_url(self, context: Context | None) -> str:  # noqa: ARG002 - the SDK's signature
        """Return the configured address."""
        return f"{self.url_base}/{self.settings.report_path.lstrip('/')}"

    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        """Ask for a page of the window."""
        request = super().get_http_request(page=page)
        settings = self.settings
        request.params = {
            **query_of(settings, (page.stream_context or {})["window"]),
            settings.page_param: page.next_page_token,
            settings.size_param: settings.page_size,
        }
        return request

    def get_new_paginator(self) -> Pages:
        """Number pages from `first_page`."""
        settings = self.settings
        return Pages(settings.page_size, self._largest, first=settings.first_page, mail_of=self.mail_of)

    def parse_page(self, data: Any, page: PageContext[Any]) -> Page:  # noqa: ARG002 - the base's signature
        """Read the rows out of whichever wrapper they come in."""
        return Page(answers.rows_of(data, self.settings.records_path))

    def is_full(self, rows: int) -> bool:
        """Whether a page of so many rows may be cut: a server may cap its pages at any round number."""
        return super().is_full(rows) or _is_round(rows)

    # Rows.

    def inside(self, window: Window, rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """Mark the rows of the margins, which neighbours surely show."""
        return [row if isinstance(row, NoRow) or belongs(dates_of(row), window) else _MarginRow(row) for row in rows]

    def take(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[PreparedRow]:
        """Pack a page's rows; those of the margins stay marked.

        The rows of a mail are numbered together, so no window may show a part of them.
        """
        taken = super().take(rows)
        return [
            one._replace(beside=True) if isinstance(row, _MarginRow) else one
            for row, one in zip(rows, taken, strict=True)
        ]
