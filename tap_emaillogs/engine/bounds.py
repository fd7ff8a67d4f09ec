"""How long a vendor is followed: bounded by what it announced, and by what it has shown.

An honest vendor may give pages without rows between others, a total that is off, or many rows in one second. One that
leads on and on must end as a failure in words, and not as a run without end.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tap_emaillogs.http.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from tap_emaillogs.streams.base import LogStream
    from tap_emaillogs.streams.paginators import Page

_MOST_EMPTY = 100
"""Pages without rows, beside two for each page with some."""
_MOST_AFTER_TOTAL = 3
"""Pages without rows once as many rows came as were announced: there is nothing left to come."""
_MOST_AGAIN = 10
"""Pages one after another that begin as an earlier one did."""
_MOST_THIN = 1_000
"""Pages with rows, of which the average has fewer than …"""
_THIN = 5
"""… so many: no vendor pages its log like that for so long."""
_MOST_ROWS = 10
"""So many times as many rows as a window should have are read of the shortest one, for each minute of its length."""
_MOST_OF_A_WALK = 10_000_000
"""Rows of a log that can only be read as a whole."""


class Endless(ReadError):
    """The vendor always says that there is more."""

    hint = "report this message to the vendor: its paging does not end. The next run tries this window again"


class PageBounds:
    """Watches the pages of one attempt at a window.

    Args:
        most: Rows that the window may have at all.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._filled = self._empty = self._empty_in_a_row = self._again = 0
        self._begun: set[Hashable] = set()

    @classmethod
    def of(cls, stream: LogStream) -> PageBounds:
        """Return the bounds for windows of a stream."""
        if not stream.time_filter:
            return cls(_MOST_OF_A_WALK)
        return cls(_MOST_ROWS * stream.rows_per_window * max(1, stream.unit // timedelta(minutes=1)))

    def see(self, page: Page, first: Any, rows: int, total: int | None) -> bool:
        """Look at a page after which the vendor says that more follows; tell whether all that it announced is there.

        Args:
            page: The page.
            first: What tells its first row from others; None: it has no row.
            rows: How many rows came so far.
            total: How many there are, as the vendor says.

        Raises:
            Endless: It has gone on for too long.
        """
        announced = "" if total is None else f", of {total} that it announced"
        if page.rows:
            self._filled, self._empty_in_a_row = self._filled + 1, 0
            self._again = self._again + 1 if first is not None and first in self._begun else 0
            self._begun.add(first)
        else:
            self._empty, self._empty_in_a_row = self._empty + 1, self._empty_in_a_row + 1
        if rows == total and self._empty_in_a_row >= _MOST_AFTER_TOTAL:
            return True
        if self._empty > _MOST_EMPTY + 2 * self._filled:
            raise Endless(
                f"the vendor gave {self._empty} pages without rows and says that more follow; "
                f"{rows} rows came on {self._filled} other pages{announced}"
            )
        if self._filled > _MOST_THIN and rows < _THIN * self._filled:
            raise Endless(
                f"the vendor gave {self._filled} pages with {rows} rows in all and says that more follow{announced}"
            )
        if self._again >= _MOST_AGAIN:
            raise Endless(
                f"the vendor gave {self._again} pages in a row that begin as earlier ones did and says that more "
                f"follow; {rows} rows came{announced}"
            )
        if rows > self._most:
            raise Endless(
                f"the vendor gave {rows} rows and says that more follow{announced}; no such window can hold more than "
                f"{self._most}"
            )
        return False
