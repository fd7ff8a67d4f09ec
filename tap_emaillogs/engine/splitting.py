"""Whether a window is split before it is read: since one reading cannot show it, or since memory should not hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_emaillogs.engine.density import MOST_PARTS, cut, estimate
from tap_emaillogs.engine.reading import Split
from tap_emaillogs.engine.windows import equal_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_emaillogs.engine.density import Density
    from tap_emaillogs.streams.base import LogStream
    from tap_emaillogs.streams.paginators import Page
    from tap_emaillogs.streams.prepared import PreparedRow
    from tap_emaillogs.streams.window import Window

_FULLNESS = 0.8
"""How full a part is planned, of what one reading can show."""


def by_first_page(stream: LogStream, window: Window, page: Page, density: Density, *, more: bool) -> Split | None:
    """Split a window by what its first page tells; None: read on. `more` says whether another page follows."""
    if window.length <= stream.unit:
        return None
    total, size, most = page.total, stream.rows_per_window, 2 * stream.rows_per_window
    limit = limit_of(stream, page, more=more)
    if limit is not None:
        target = max(1, int(limit * _FULLNESS))
        times = stream.times(page.rows)
        expected = total if stream.exact_totals and total else estimate(window, times, density)
        return Split(cut(window, times, max(expected, target + 1), target, stream.unit))
    if total is not None:
        return (
            Split(equal_parts(window, min(MOST_PARTS, -(-total // size)), stream.unit))
            if more and total > most
            else None
        )
    if more and (page.token or stream.is_full(len(page.rows))):
        times = stream.times(page.rows)
        expected = estimate(window, times, density)
        return Split(cut(window, times, expected, size, stream.unit)) if expected > most else None
    return None


def limit_of(stream: LogStream, page: Page, *, more: bool) -> int | None:
    """Return how many rows one reading can show of a window that has more of them; None: it can show all."""
    seen, total, cap = len(page.rows), page.total, stream.cap
    if page.capped:
        return page.limit or seen or 1
    if cap is not None and (more and seen >= cap if total is None else total > cap):
        return cap
    is_cut = not more and total is not None and seen < total and stream.is_full(seen)
    return seen if is_cut else None


def by_rows(stream: LogStream, window: Window, rows: Sequence[PreparedRow], density: Density) -> Split | None:
    """Split a window of which so many rows were read already, and more follow, where the first page did not tell."""
    if len(rows) <= 2 * stream.rows_per_window or window.length <= stream.unit:
        return None
    times = stream.times_of(rows)
    total = max(estimate(window, times, density), len(rows) + 1)
    return Split(cut(window, times, total, stream.rows_per_window, stream.unit))
