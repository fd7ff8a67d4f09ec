"""Whether the pages of a window fit together: rows without a key of the vendor's do not show which of them came twice.

A paging that counts offsets shifts when rows come or go between two pages. What shifts back shows a row twice, and that
looks like a twin; what shifts forth leaves a row out. A total that moves tells of it, but a vendor may count only once,
or not at all, or one row may come as another goes. So there are three doubts, and each has its own cure.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tap_emaillogs.density import parts_of
from tap_emaillogs.errors import PageRefused, PagingLoop
from tap_emaillogs.reading import Reading, Split
from tap_emaillogs.timestamps import floor
from tap_emaillogs.windows import Window, equal_parts

if TYPE_CHECKING:
    from datetime import datetime

    from tap_emaillogs.attempt import Attempt
    from tap_emaillogs.stream import LogStream
    from tap_emaillogs.windows import Policy

_PART_OF_A_PAGE = 0.9
"""How full a part is made of rows that were all seen: room for a few that come meanwhile."""
_MOST_TWINS = 3
"""More moments with rows on two pages than this are no chance: the pages were shifted."""


def doubt(stream: LogStream, reading: Reading, attempt: Attempt) -> str:
    """Say why the pages may not be all rows, each once; empty: they are. May ask the vendor about a moment or two."""
    now = stream.account.client.clock.now()
    policy = stream.account.policy(stream.unit, stream.overrides)
    first = stream.times(attempt.first.rows)
    in_order = first == sorted(first) or first == sorted(first, reverse=True)
    twice = attempt.common if in_order else attempt.at_seams
    if _rows_may_have_left(stream, reading.window, attempt, policy, now):
        return "rows may have left the vendor's history while its pages were read"
    if attempt.moved:
        # Rows that only came, and are not here: the pages show what there was at the first one.
        as_at_first = not twice and not attempt.fell and len(attempt.rows) == attempt.first.total
        return "" if as_at_first else attempt.moved
    # What is older than the last revisit is taken as final everywhere: there steady totals are proof enough.
    final = reading.window.end <= now - max(policy.lookback, *policy.revisits, policy.settle)
    if twice and not (final and attempt.vouched) and not _are_twins(stream, reading, attempt, twice):
        return "a row came on two pages"
    return ""


def parts_of_a_page(stream: LogStream, reading: Reading, attempt: Attempt) -> Split | None:
    """Split a window whose pages shift into parts of one page each: a single answer cannot shift."""
    times = stream.times_of(attempt.rows)
    size = max(1, int(len(attempt.first.rows) * _PART_OF_A_PAGE))
    if len(times) == len(attempt.rows):
        windows = parts_of(reading.window, times, size, stream.unit)
    else:
        windows = equal_parts(reading.window, -(-len(attempt.rows) // size), stream.unit)
    windows = windows if len(windows) > 1 else equal_parts(reading.window, 2, stream.unit)
    return Split(windows) if len(windows) > 1 else None


def _rows_may_have_left(stream: LogStream, window: Window, attempt: Attempt, policy: Policy, now: datetime) -> bool:
    """Whether a row that was shown may be past the vendor's history by now, and so have moved others forward.

    Newest first, the oldest rows move nobody.
    """
    if policy.history is None or window.start >= (edge := now + policy.settle - policy.history):
        return False
    times = stream.times(attempt.first.rows)
    if times[:1] > times[-1:] and all(a >= b for a, b in pairwise(times)):
        return False
    return any(moment < edge for moment in stream.times_of(attempt.rows))


def _are_twins(stream: LogStream, reading: Reading, attempt: Attempt, twice: set[Any]) -> bool:
    """Ask for the moments of the rows that came twice: one answer shows how many there are."""
    rows = [row for row in attempt.rows if stream.mark(row) in twice]
    moments = {floor(moment, stream.unit) for moment in stream.times_of(rows)}
    if not moments or len(moments) > _MOST_TWINS:
        return False
    held = Counter(map(stream.mark, attempt.rows))
    shown: Counter[Any] = Counter()
    for moment in moments:
        at = Reading(Window(moment, moment + stream.unit), reading.memory)
        at.meter = reading.meter
        try:
            found = stream.read_pages(at)
        except (PageRefused, PagingLoop):
            return False
        if isinstance(found, Split) or found.pages > 1:
            return False
        shown.update(map(stream.mark, found.rows))
    return all(held[row] == shown[row] for row in twice | shown.keys())
