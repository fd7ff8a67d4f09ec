"""`messangi_message_logs`: GET /v3/mlog, page by page.

Neither wrapper, nor fields, nor paging, nor whether the range's ends belong to it are documented
(`docs/providers/messangi.md`); what is assumed here of each is said where it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, cast

from tap_emaillogs import timestamps
from tap_emaillogs.density import cut, estimate
from tap_emaillogs.errors import PagingLoop, ReadError, VendorError
from tap_emaillogs.pagination import Page, PagePaginator
from tap_emaillogs.providers.messangi import answers, windows
from tap_emaillogs.providers.messangi.moments import belongs, dates_of, near_end
from tap_emaillogs.reading import Split
from tap_emaillogs.undocumented import UndocumentedStream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from singer_sdk.helpers.types import Context
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_emaillogs.provider import Account
    from tap_emaillogs.reading import Outcome, Reading
    from tap_emaillogs.records import Record
    from tap_emaillogs.windows import Window

_ROUND = 10
"""Servers cap pages at multiples of it."""


class Unpaged(ReadError):
    """The server ignores the page number, and its one page may not be everything."""

    def __init__(self, page: Page) -> None:
        super().__init__(f"the vendor shows no more than {len(page.rows)} rows, whatever page is asked for")
        self.page = page


class Pages(PagePaginator):
    """Numbered pages of a server that may cap their size, and may ignore their number.

    A second page that repeats the first ends the reading, unless the page may be cut: it is as long as asked, or holds
    a round number of rows and no fewer than any answer before (`largest`, shared by the windows of an endpoint).
    A later page that repeats the one before is a loop.
    """

    def __init__(self, page_size: int, largest: list[int]) -> None:
        super().__init__(page_size, trust_short=False)
        self._size, self._largest = page_size, largest

    def repeated(self, page: Page) -> None:
        """Meet a page that equals the one before.

        Raises:
            Unpaged: There may be more that cannot be paged to.
            PagingLoop: Earlier pages were different ones.
        """
        seen = len(page.rows)
        if self.count > 1:
            raise PagingLoop(f"page {self.count + 1} repeats the page before it ({seen} rows)")
        cap_like = seen % _ROUND == 0 and seen >= self._largest[0]
        self._largest[0] = max(seen, self._largest[0])
        if seen >= self._size or cap_like:
            raise Unpaged(page)
        super().repeated(page)


class MessageLogs(UndocumentedStream):
    """GET /v3/mlog: one record per row, whatever fields it has.

    Windows begin and end at whole seconds, so that rows without milliseconds fall into one window each; only where
    the vendor says "too big" within a second is one cut to milliseconds, its resolution.
    """

    name = "messangi_message_logs"
    provider = "messangi"
    endpoint = "GET /v3/mlog"
    paging = "page"
    primary_keys = ("account", "record_id")
    twin_key = "record_id"
    time_columns = ("event_at",)
    unit = timestamps.SECOND
    largest: list[int]

    def for_account(self, account: Account) -> Self:
        """Bind the stream to an account, with a memory of its longest answer."""
        bound = cast("Self", super().for_account(account))
        bound.largest = [0]
        return bound

    def get_url(self, context: Context | None) -> str:  # noqa: ARG002 - the SDK's signature
        """Return the configured address."""
        return f"{self.url_base}/{self.account.settings['report_path'].lstrip('/')}"

    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        """Ask for a page of the window."""
        request = super().get_http_request(page=page)
        settings = self.account.settings
        request.params = {
            **windows.query(settings, (page.stream_context or {})["window"]),
            settings["page_param"]: page.next_page_token,
            settings["size_param"]: settings["page_size"],
        }
        return request

    def get_new_paginator(self) -> Pages:
        """Number pages from 1."""
        return Pages(self.account.settings["page_size"], self.largest)

    def parse_page(self, data: Any) -> Page:
        """Read the rows out of whichever wrapper they come in."""
        return Page(answers.rows_of(data))

    def filters(self) -> dict[str, Any] | None:
        """Return the filters in force: the channel, and what `extra_params` adds."""
        return windows.filters(self.account.settings)

    def read(self, reading: Reading) -> Outcome | Split:
        """Read a window; split one that is too much for the vendor, or cannot be paged through."""
        if windows.too_long(reading.window):
            return Split(windows.parts(reading.window))
        try:
            return super().read(reading)
        except VendorError as error:
            if not answers.asks_too_much(error.text):
                raise
            return windows.narrowed(reading, str(error))
        except Unpaged as error:
            split = self.split(reading, Page(error.page.rows, capped=True))
            if split is None and len(parts := windows.parts(reading.window)) == 1:
                taken = self.take(self.inside(reading.window, error.page.rows))
                return self.outcome(reading, taken, truncated=str(error))
            return split or Split(parts)

    def split(self, reading: Reading, page: Page) -> Split | None:
        """Split also where the first page, when it is a full one, promises more than memory should hold."""
        seen = len(page.rows)
        if not page.capped and (seen >= self.account.settings["page_size"] or seen % _ROUND == 0 < seen):
            times = self.times(page.rows)
            total = estimate(reading.window, times, reading.memory.density)
            if total > 2 * self.rows_per_window and reading.window.length > self.unit:
                return Split(cut(reading.window, times, total, self.rows_per_window, self.unit))
        return super().split(reading, page)

    # Rows.

    def times(self, rows: Sequence[Mapping[str, Any]]) -> list[datetime]:
        """Return the rows' own dates, in the order of the answer."""
        found = (dates_of(row).own for row in rows)
        return [moment.at for moment in found if moment is not None]

    def event_at(self, row: Mapping[str, Any]) -> str | None:
        """Return the row's own date."""
        own = dates_of(row).own
        return None if own is None else str(own)

    def inside(self, window: Window, rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """Leave the margins to the neighbours, where these surely show them."""
        return [row for row in rows if belongs(dates_of(row), window)]

    def at_edge(self, record: Record, window: Window) -> bool:
        """Whether the next window may show the record once more."""
        return near_end(dates_of(record), window)
