"""Where to cut a window that holds more than one answer can carry."""

from __future__ import annotations

import threading
from collections import Counter, deque
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from tap_emaillogs.engine.windows import cut_at, equal_parts
from tap_emaillogs.formats.timestamps import floor
from tap_emaillogs.streams.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_RECENT = 4
"""Day and night differ: only the windows read last tell how dense the next one is."""
MOST_PARTS = 64
"""No more parts at once: an estimate that wants more is a guess from a burst."""


class Density:
    """Records per time, learnt from the windows read last; shared by the workers of one endpoint."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recent: deque[tuple[int, timedelta]] = deque(maxlen=_RECENT)

    def learn(self, window: Window, records: int) -> None:
        """Take a completely read window into account."""
        with self._lock:
            self._recent.append((records, window.length))

    def expect(self, length: timedelta) -> float | None:
        """Estimate the records in so much time; None while nothing is known."""
        with self._lock:
            time = sum((length for _, length in self._recent), timedelta())
            return sum(records for records, _ in self._recent) * (length / time) if time else None


def seen_region(window: Window, times: Sequence[datetime]) -> Window:
    """Tell which part of `window` a cut answer covers: `times` as the vendor ordered them.

    Newest first: from the oldest record to the window's end. Oldest first: from its start to the newest record.
    In no order: all of it. The answer only steers where to cut; completeness never rests on it.
    """
    inside = [moment for moment in times if moment in window]
    if len(inside) < 2:
        return window
    steps = list(pairwise(inside))
    if inside[0] > inside[-1] and all(a >= b for a, b in steps):
        return Window(inside[-1], window.end)
    if inside[0] < inside[-1] and all(a <= b for a, b in steps):
        return Window(window.start, inside[-1])
    return window


def estimate(window: Window, times: Sequence[datetime], density: Density) -> float:
    """Estimate how many records `window` holds, given a cut answer and what was learnt before."""
    region = seen_region(window, times)
    unseen = window.length - region.length
    known = density.expect(unseen)
    if known is None:
        known = len(times) * (unseen / region.length) if region.length else 0.0
    return len(times) + known


def cut(window: Window, times: Sequence[datetime], total: float, target: int, unit: timedelta) -> list[Window]:
    """Cut a window into parts of about `target` records.

    The records seen say exactly where they are; the rest of `total` is taken as spread evenly over what was not seen.
    Returns at least two parts where `unit` allows any cut, else the window itself.
    """
    region = seen_region(window, times)
    seen = sorted(moment for moment in times if moment in region)
    unseen = max(0.0, total - len(seen))
    parts = max(2, min(MOST_PARTS, -(-int(total) // target)))
    before = Window(window.start, region.start)
    after = Window(region.end, window.end)
    rest = before.length + after.length
    ahead = unseen * (before.length / rest) if rest else 0.0
    moments: list[datetime] = []
    for number in range(1, parts):
        wanted = (len(seen) + unseen) * number / parts
        if wanted < ahead:
            moments.append(before.start + before.length * (wanted / ahead))
        elif wanted - ahead < len(seen):
            moment = seen[int(wanted - ahead)]
            # A burst: what shares one moment is set apart by a cut on either side.
            moments.extend((moment, moment + unit) if moment in moments else (moment,))
        elif unseen > ahead:
            moments.append(after.start + after.length * ((wanted - ahead - len(seen)) / (unseen - ahead)))
    cuts = cut_at(window, moments, unit)
    return cuts if len(cuts) > 1 else equal_parts(window, 2, unit)


def parts_of(window: Window, times: Sequence[datetime], size: int, unit: timedelta) -> list[Window]:
    """Cut a window between rows that were all seen, so that no part has more than `size`, but for a crowded moment."""
    moments: list[datetime] = []
    held = 0
    for moment, rows in sorted(Counter(floor(time, unit) for time in times).items()):
        if held and held + rows > size:
            moments.append(moment)
            held = 0
        held += rows
    return cut_at(window, moments, unit)
