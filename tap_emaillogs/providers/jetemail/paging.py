"""Pages by position that prove they go on from one another, although rows come, go and change places meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tap_emaillogs.errors import PagingLoop
from tap_emaillogs.pagination import PagePaginatorBase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_emaillogs.pagination import Page

_SMALLEST = 12
"""Smaller pages have no room for rows of the page before."""
_MOST_MISSES = 3
"""How many pages without an anchor are put up with, beside as many as there are good ones."""


class Place(NamedTuple):
    """Which rows a page is asked for."""

    start: int
    """How many rows come before it."""
    limit: int


class AnchoredPaginator(PagePaginatorBase):
    """Each page begins with the row that the page before it ended with.

    Positions shift when rows come, go or change places between two answers. As long as a row that changes moves behind
    those that do not (the order is that of `first_seen` or `last_updated`, ascending), a page that still holds a row
    read before, as it was, comes after nothing unread. Such a row is the page's anchor. Rows of one moment may stand
    in any order: where the total moved, so that a count proves little, the anchor has to be older than all that is
    unread. A page without an anchor was asked too far on: it does not count, and a page further back is asked for, from
    now on with more overlap.

    So a reading shows every row that was there all the time. A row that arrives where was already read is missed, as
    if it came a moment later.

    Args:
        page_size: Rows asked for at once. Very small pages have no anchors.
        moments: The columns that the order may be of.
        numbered: Pages have numbers, so that a page begins at a multiple of its size.
    """

    def __init__(self, page_size: int, moments: Sequence[str], *, numbered: bool = False) -> None:
        super().__init__(Place(0, page_size))
        self._size = page_size
        self._moments = moments
        self._numbered = numbered
        self.anchored = page_size >= _SMALLEST
        self._overlap = int(self.anchored)
        self._misses = 0
        self._total: int | None = None
        self._shown: set[int] = set()
        self._older: set[int] = set()

    def advance(self, response: Page) -> None:  # type: ignore[override] # a page understood, not a response
        """Go on behind `response`, or further back when it has no anchor; `count` grows when it has.

        Raises:
            PagingLoop: It brings nothing new although more is to come, or pages shift faster than they are read.
        """
        start, limit = self._value
        rows = [hash(repr(row)) for row in response.rows]
        moved = response.total != self._total
        if self.anchored and start and (self._older if moved else self._shown).isdisjoint(rows):
            self._go_back(start)
            return
        more = len(rows) >= limit if response.more is None else response.more
        if more and rows and self._shown.issuperset(rows):
            raise PagingLoop(f"page {self._page_count + 1} shows only rows that were shown before ({len(rows)} rows)")
        self._page_count += 1
        self._total = response.total
        self._shown.update(rows)
        self._older.update(rows[: -self._tail(response)])
        self._finished = not (more and rows)
        if not self._finished:
            self._value = self.get_next(response)

    def get_next(self, response: Page) -> Place:  # type: ignore[override] # likewise
        """Return a page with an anchor and what comes behind `response`."""
        start, shown = self._value.start, len(response.rows)
        if not start:  # a vendor may give less at once than asked
            self._size = min(self._size, shown)
        overlap = self._overlap if not self._misses else max(self._overlap, 1 + self._tail(response))
        places = (self._place(start + shown - back) for back in range(min(overlap, shown - 1), 0, -1))
        return next((place for place in places if sum(place) > start + shown), self._place(start + shown))

    def _tail(self, page: Page) -> int:
        """Return how many rows at the page's end share their moment, and so perhaps with the next ones."""
        tail = 1
        for column in self._moments:
            moments = [_number(row.get(column)) for row in page.rows]
            if moments == sorted(moments):
                tail = max(tail, moments.count(moments[-1]) if moments else 1)
        return tail if tail <= len(page.rows) // 2 else 1

    def _go_back(self, start: int) -> None:
        self._misses += 1
        if self._misses > self._page_count + _MOST_MISSES:
            raise PagingLoop(f"rows change places faster than pages are read (seen {self._misses} times)")
        self._overlap = min(self._overlap * 10, self._size // 2)
        self._value = self._place(max(0, start - self._overlap))

    def _place(self, start: int) -> Place:
        """Return the page that holds the row after `start` others, and as many behind it as can be."""
        if not self._numbered:
            return Place(start, self._size)
        limit = max(range(1, self._size + 1), key=lambda limit: start // limit * limit + limit)
        return Place(start // limit * limit, limit)


def _number(value: object) -> float:
    return value if isinstance(value, (int, float)) else 0
