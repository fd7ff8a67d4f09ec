"""Pages by position that prove they go on from one another, although rows come, go and change places meanwhile."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_emaillogs.http.errors import PagingLoop
from tap_emaillogs.streams.paginators import PagePaginatorBase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_emaillogs.streams.paginators import Page

_SMALLEST = 12
"""Smaller pages have no room for rows of the page before."""
_MOST_MISSES = 3
"""How many pages without an anchor are put up with, beside as many as there are good ones."""


class Place(NamedTuple):
    """Which rows a page is asked for."""

    start: int
    """How many rows come before it."""
    limit: int


class Motion:
    """What the readings of an account have met in this run; shared by them."""

    def __init__(self) -> None:
        self.seen = False
        """Whether rows moved while pages were read, so that more overlap pays."""


class AnchoredPaginator(PagePaginatorBase):
    """Each page begins with the row that the page before it ended with, or a little earlier.

    Positions shift when rows come, go or change places between two answers. As long as a row that changes moves behind
    those that do not (the order is that of `first_seen` or `last_updated`, ascending), a page that still holds a row
    read before, as it was, comes after nothing unread. Such a row is the page's anchor. A page without one was asked
    too far on: it does not count, and a page further back is asked for.

    Rows of one moment may stand in another order each time. Only an anchor of an earlier moment than all that is unread
    proves anything there; else it takes a total that stays, and as many rows.

    So a reading shows every row that was there all the time. A row that arrives where was already read is missed, as
    if it came a moment later.

    Args:
        page_size: Rows asked for at once. Very small pages have no anchors.
        key: The column that tells rows apart.
        moments: The columns that the order may be of.
        motion: What other readings of the account have met.
        numbered: Pages have numbers, so that a page begins at a multiple of its size.
    """

    def __init__(
        self, page_size: int, key: str, moments: Sequence[str], motion: Motion | None = None, *, numbered: bool = False
    ) -> None:
        super().__init__(Place(0, page_size))
        self._size = page_size
        self._key = key
        self._moments = moments
        self._motion = motion or Motion()
        self._numbered = numbered
        self.anchored = page_size >= _SMALLEST
        self._overlap = int(self.anchored)
        self._misses = 0
        self._shown: dict[Any, int] = {}
        """The rows read, each as it was, by key."""
        self._older: set[int] = set()
        """Those of them that are older than all that is unread."""
        self._read = 0
        """How many rows were read, by their positions."""
        self._ends: dict[str, float] = {}
        """The moments of the last row read."""
        self._total: int | None = None
        self._stirred = False
        """Whether the total moved since the last page that counts."""
        self._moved = self._touched = self._weak = self._tied = False
        """What was met: a total that moved, a row that changed, an anchor of no earlier moment, rows of its moment."""

    def advance(self, response: Page) -> None:  # type: ignore[override] # a page understood, not a response
        """Go on behind `response`, or further back when it has no anchor; `count` grows when it has.

        Raises:
            PagingLoop: It brings nothing new although more is to come, or rows move so that nothing is proven.
        """
        start, limit = self._value
        rows = [hash(repr(row)) for row in response.rows]
        self._stirred = self._stirred or (self._page_count > 0 and response.total != self._total)
        self._moved = self._moved or self._stirred
        self._motion.seen = self._motion.seen or self._stirred
        if self.anchored and start and not self._is_anchored(response, rows):
            self._go_back(start)
            return
        more = len(rows) >= limit if response.more is None else response.more
        if not self._take(response, rows) and more and rows:
            raise PagingLoop(f"page {self._page_count + 1} shows only rows that were shown before ({len(rows)} rows)")
        self._page_count += 1
        self._total, self._read, self._stirred = response.total, start + len(rows), False
        tail = self._look_at_end(response)
        self._older.update(rows[:-tail])
        self._finished = not (more and rows)
        if not self._finished:
            if not start:  # a vendor may give less at once than asked
                self._size = min(self._size, len(rows))
            strict = 1 + tail if self._motion.seen and tail < self._size // 2 else 0
            self._value = self._following(self._read, max(self._overlap, strict) if self.anchored else 0)

    def get_next(self, response: Page) -> Place:  # type: ignore[override] # likewise
        """Return the page behind `response`, with no row of it."""
        return self._place(self._value.start + len(response.rows))

    def _is_anchored(self, page: Page, rows: Sequence[int]) -> bool:
        """Whether nothing unread comes before a page, as far as it can show."""
        proven = not self._older.isdisjoint(rows)
        if not proven and (self._stirred or set(self._shown.values()).isdisjoint(rows)):
            return False
        behind = page.rows[max(0, self._read - self._value.start) :]
        tied = any(row.get(column) == end for row in behind for column, end in self._ends.items())
        self._weak = self._weak or not proven
        self._tied = self._tied or (tied and not proven)
        return True

    def _take(self, page: Page, rows: Sequence[int]) -> bool:
        """Keep a page's rows; tell whether any was new.

        Raises:
            PagingLoop: Rows of one moment may be missing, and their number is no proof, since others left.
        """
        keys = [key if isinstance(key := row.get(self._key), Hashable) else repr(key) for row in page.rows]
        before = [self._shown.get(key) for key in keys]
        self._touched = self._touched or any(was not in {None, now} for was, now in zip(before, rows, strict=True))
        if self._moved and (self._tied or (self._weak and self._touched)):
            raise PagingLoop("the number of rows moved while pages were read, and rows of one moment fill them")
        self._shown.update(zip(keys, rows, strict=True))
        return before != [*rows]

    def _look_at_end(self, page: Page) -> int:
        """Return how many rows at the page's end share their moment, and so perhaps with the next ones."""
        tail, self._ends = 1, {}
        for column in self._moments if page.rows else ():
            moments = [_number(row.get(column)) for row in page.rows]
            if moments == sorted(moments):
                tail = max(tail, moments.count(moments[-1]))
                self._ends[column] = moments[-1]
        return tail

    def _following(self, start: int, overlap: int) -> Place:
        """Return the page behind `start` rows with so many of them, or fewer, so that it brings new ones."""
        places = (self._place(start - back) for back in range(min(overlap, start - self._value.start - 1), 0, -1))
        return next((place for place in places if sum(place) > start), self._place(start))

    def _go_back(self, start: int) -> None:
        self._misses += 1
        self._motion.seen = True
        if self._misses > self._page_count + _MOST_MISSES:
            raise PagingLoop(f"rows change places faster than pages are read (seen {self._misses} times)")
        self._overlap = min(self._overlap * 10, self._size // 4)
        self._value = self._place(max(0, start - self._overlap))

    def _place(self, start: int) -> Place:
        """Return the page that holds the row after `start` others, and as many behind it as can be."""
        if not self._numbered:
            return Place(start, self._size)
        limit = max(range(1, self._size + 1), key=lambda limit: start // limit * limit + limit)
        return Place(start // limit * limit, limit)


def _number(value: object) -> float:
    return value if isinstance(value, (int, float)) else 0
