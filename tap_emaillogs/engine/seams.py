"""Whether the pages of a window fit together: rows without a key of the vendor's do not show which of them came twice.

A paging that counts offsets shifts when rows come or go between two pages. What shifts back shows a row twice, and that
looks like a twin; what shifts forth leaves a row out. A total that moves tells of it, but a vendor may count only once,
or not at all, or one row may come as another goes. So there are three doubts, and each has its own cure.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from tap_emaillogs.engine.density import parts_of
from tap_emaillogs.engine.reading import Reading, Split
from tap_emaillogs.engine.windows import equal_parts
from tap_emaillogs.formats.timestamps import floor
from tap_emaillogs.http.errors import PageRefused, PagingLoop
from tap_emaillogs.streams.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from tap_emaillogs.engine.attempt import Attempt
    from tap_emaillogs.streams.base import LogStream
    from tap_emaillogs.streams.prepared import PreparedRow
    from tap_emaillogs.streams.window import Policy

_PART_OF_A_PAGE = 0.9
"""How full a part is made of rows that were all seen: room for a few that come meanwhile."""
_FEW = 3
"""At so many seams within a moment, twins may be at one."""
_MOST_TWINS = 4
"""More moments with rows on two pages than this, and than one at so many seams, are no chance: pages were shifted."""


class PageSource(Protocol):
    """What reads pages, as far as their seams are concerned."""

    stream: LogStream
    policy: Policy

    def now(self) -> datetime:
        """Return the time by the run's clock."""

    def mark(self, row: PreparedRow) -> Any:
        """Return what is the same in a row that two pages show, and in exact twins."""

    def read_pages(self, reading: Reading) -> Attempt | Split:
        """Follow the pages of a window once."""


def doubt(reader: PageSource, reading: Reading, attempt: Attempt) -> str:
    """Say why the pages may not be all rows, each once; empty: they are. May ask the vendor about a moment or two."""
    first = reader.stream.times(attempt.first.rows)
    in_order = first == sorted(first) or first == sorted(first, reverse=True)
    twice = attempt.common if in_order else attempt.at_seams
    if _have_moved_others(reader, reading.window, attempt):
        return "rows may have left the vendor's history while its pages were read"
    if attempt.moved:
        # Rows that only came, and are not here: the pages show what there was at the first one.
        as_at_first = not twice and not attempt.fell and len(attempt.rows) == attempt.first.total
        return "" if as_at_first else attempt.moved
    proven = _proven(reader, reading, attempt)
    if twice and not proven and not _are_twins(reader, reading, attempt, twice):
        return "a row came on two pages"
    return ""


def parts_of_a_page(reader: PageSource, reading: Reading, attempt: Attempt) -> Split | None:
    """Split a window whose pages shift into parts of one page each: a single answer cannot shift."""
    times = reader.stream.times_of(attempt.rows)
    size = max(1, int(len(attempt.first.rows) * _PART_OF_A_PAGE))
    if len(times) == len(attempt.rows):
        windows = parts_of(reading.window, times, size, reader.stream.unit)
    else:
        windows = equal_parts(reading.window, -(-len(attempt.rows) // size), reader.stream.unit)
    windows = windows if len(windows) > 1 else equal_parts(reading.window, 2, reader.stream.unit)
    return Split(windows) if len(windows) > 1 else None


def leaves_history(reader: PageSource, window: Window) -> bool:
    """Whether rows of a window may leave the vendor's history about now."""
    policy = reader.policy
    return policy.history is not None and window.start < _edge(reader, policy.history)


def _proven(reader: PageSource, reading: Reading, attempt: Attempt) -> bool:
    """Whether rows on two pages can only be twins: asking would cost a request.

    Rows that come add to the count, and if none leave, the end of the pages shows so. Where a vendor sorts the rows of
    one moment differently for each page, rows come twice at most seams within a moment; twins do at few.
    """
    last, first = len(attempt.last.rows), len(attempt.first.rows)
    counted = len(attempt.rows) == attempt.first.total and last < first
    seams = [reader.stream.times_of(attempt.rows[place - 1 : place + 1]) for place in attempt.seams]
    within = sum(len({*times}) == 1 for times in seams)
    all_within, all_with_twins = reading.context.observed.note_seams(within, attempt.seams_with_twins)
    return counted and _FEW * all_with_twins <= all_within and not leaves_history(reader, reading.window)


def _have_moved_others(reader: PageSource, window: Window, attempt: Attempt) -> bool:
    """Whether a row that was shown may be past the history by now; newest first, the oldest rows move nobody."""
    policy = reader.policy
    if policy.history is None or not leaves_history(reader, window):
        return False
    times = reader.stream.times(attempt.first.rows)
    if times[:1] > times[-1:] and all(a >= b for a, b in pairwise(times)):
        return False
    edge = _edge(reader, policy.history)
    return any(moment < edge for moment in reader.stream.times_of(attempt.rows))


def _edge(reader: PageSource, history: timedelta) -> datetime:
    """Return the end of the history, as clocks may differ."""
    return reader.now() + reader.policy.settle - history


def _are_twins(reader: PageSource, reading: Reading, attempt: Attempt, twice: set[Any]) -> bool:
    """Ask for the moments of the rows that came twice: one answer shows how many there are."""
    rows = [row for row in attempt.rows if reader.mark(row) in twice]
    moments = _moments(reader, rows)
    if not moments or len(moments) > max(_MOST_TWINS, len(attempt.seams) // _MOST_TWINS):
        return False
    held = Counter(map(reader.mark, attempt.rows))
    for moment in moments:
        at = Reading(Window(moment, moment + reader.stream.unit), reading.context)
        at.meter = reading.meter
        try:
            found = reader.read_pages(at)
        except (PageRefused, PagingLoop):
            return False
        if isinstance(found, Split) or found.pages > 1:
            return False
        shown = Counter(map(reader.mark, found.rows))
        there = shown.keys() | {reader.mark(row) for row in rows if moment in _moments(reader, [row])}
        if any(held[row] != shown[row] for row in there):
            return False
    return True


def _moments(reader: PageSource, rows: Sequence[PreparedRow]) -> set[datetime]:
    return {floor(moment, reader.stream.unit) for moment in reader.stream.times_of(rows)}
