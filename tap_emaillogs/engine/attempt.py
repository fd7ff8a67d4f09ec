"""What one attempt at reading a window brought, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_emaillogs.streams.paginators import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_emaillogs.streams.prepared import PreparedRow


class Attempt:
    """The pages of one attempt at a window."""

    def __init__(self, mark: Callable[[PreparedRow], Any] | None = None, *, anchored: bool = False) -> None:
        self._mark = mark
        """What is the same in a row that two pages show, and in exact twins; None: rows have a key of the vendor's."""
        self.anchored = anchored
        """Whether its pages show every row that was there all the time, however others moved meanwhile."""
        self.rows: list[PreparedRow] = []
        self.pages = 0
        self.first = self.last = Page(())
        self.moved = ""
        """How the totals of the pages contradict each other; empty: they do not."""
        self.fell = False
        """Whether a total was less than the one before it: rows left, or it counts what is left."""
        self.seams: list[int] = []
        """Where pages begin, but for the first."""
        self.seams_with_twins = 0
        """How many of them lie between pages with rows in common."""
        self.common: set[Any] = set()
        """Marks of rows that two neighbouring pages show: twins, or one row that was shifted."""
        self.at_seams: set[Any] = set()
        """Those of them with which a page ends, or the next one begins: what a shift looks like in any order."""
        self._told = {"all", "rest"}
        self._before: Sequence[Any] = ()

    @property
    def total(self) -> int | None:
        """How many rows there are, as the vendor says: at first, or of anchored pages at last."""
        return self.last.total if self.anchored else self.first.total

    def add(self, taken: Sequence[PreparedRow]) -> None:
        """Add the rows of the page seen last."""
        if self._mark is not None:
            now = [*map(self._mark, taken)]
            if self._before and now:
                self._compare(now, taken)
            self._before = now
        self.rows.extend(taken)

    def _compare(self, now: Sequence[Any], taken: Sequence[PreparedRow]) -> None:
        common = {*self._before}.intersection(now)
        self.seams.append(len(self.rows))
        if not common:
            return
        self.seams_with_twins += 1
        self.common |= common
        self.at_seams |= common & {self._before[-1], now[0]}
        # Without a reference two mails may well look the same; what has one, and comes twice, was shifted.
        if not self.moved and any(row.order and mark in common for row, mark in zip(taken, now, strict=True)):
            self.moved = "a row came twice while paging"

    def see(self, page: Page, shown: int) -> None:
        """Compare a page's total with the first one's; `shown` rows came on the pages before it.

        A later page may count all rows, or those that are left: either, but always the same.
        """
        if not self.pages:
            self.first = page
        elif not self.anchored and page.total is not None and self.first.total is not None:
            fitting = {"all": self.first.total, "rest": self.first.total - shown}
            self._told = {way for way in self._told if fitting[way] == page.total}
            self.fell = self.fell or self.last.total is None or page.total < self.last.total
            if not self._told and not self.moved:
                self.moved = f"the number of rows moved from {self.first.total} to {page.total} while paging"
        self.pages += 1
        self.last = page
