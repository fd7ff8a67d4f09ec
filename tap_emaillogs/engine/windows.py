"""Windows of time and the plan of a run: pure functions, no clock and no I/O.

A window is half-open, `[start, end)`. Windows of a plan tile their stretch of time without holes, so that a record
belongs to exactly one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from tap_emaillogs.formats.timestamps import EPOCH, ceil, floor
from tap_emaillogs.streams.window import Policy, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UNLIMITED_FIRST_RUN = timedelta(days=30)
"""How far a first run goes back where neither `start_date` nor the vendor's history bounds it."""
_MOST_TILES = 4096
"""A stretch is cut into no more windows at once: those that are too long still are cut when their turn comes."""


@dataclass(slots=True)
class Progress:
    """How far one consumer (a raw stream, or `email_events`) of an endpoint has come."""

    bookmark: datetime | None = None
    marks: dict[timedelta, datetime] = field(default_factory=dict)
    """Per revisit age: everything before the mark has been read at that age or a greater one."""
    last_seen: datetime | None = None
    """Everything before it has been read at its last chance, as far as one could tell then."""

    def advance(self, window: Window, policy: Policy, now: datetime) -> None:
        """Record that `window` was read completely at `now`; nothing ever moves backwards, or over a hole."""
        for age in policy.revisits:
            mark = self.marks.get(age)
            if mark is not None and mark in window:
                self.marks[age] = max(mark, min(window.end, now - age))
        chance = policy.last_chance(now)
        if chance is not None and self.last_seen is not None and self.last_seen in window:
            self.last_seen = max(self.last_seen, min(window.end, chance))
        if self.bookmark is not None and self.bookmark in window:
            self.bookmark = window.end


@dataclass(frozen=True, slots=True)
class Need:
    """What one consumer wants read in this run."""

    bookmark: datetime | None
    """Where its forward reading stands once a bookmark in the future was pulled back; None: nothing to start from."""
    forward: Window | None
    revisits: tuple[Window, ...] = ()
    gap: Window | None = None
    """Time that the vendor no longer keeps and that this consumer never saw."""
    missed: Window | None = None
    """Time that the vendor no longer keeps and that was to be read once more."""
    pulled_back: bool = False


def need(policy: Policy, progress: Progress, now: datetime) -> Need:
    """Decide what one consumer wants read at `now`, and set its marks where it has none yet."""
    limit = floor(now - policy.settle, policy.unit)
    kept_from = policy.kept_from(now)
    bookmark = progress.bookmark
    pulled_back = bookmark is not None and bookmark > now
    if bookmark is None:
        bookmark = _first_start(policy, now)
    bookmark = floor(bookmark, policy.unit)
    if progress.bookmark is not None and bookmark > limit:
        bookmark = limit
    end = limit if policy.end is None or policy.end >= limit else ceil(policy.end, policy.unit)
    if policy.end is not None and policy.end <= bookmark:
        return Need(bookmark, None, pulled_back=pulled_back)

    gap = None
    if kept_from is not None and bookmark < min(kept_from, end):
        gap = Window(bookmark, min(kept_from, end))
        bookmark = gap.end
    oldest = max(moment for moment in (EPOCH, kept_from, policy.start) if moment is not None)
    begin = bookmark
    if progress.bookmark is not None:
        begin = min(bookmark, max(floor(bookmark - policy.lookback, policy.unit), floor(oldest, policy.unit)))
    if kept_from is not None:
        begin = max(begin, kept_from)
    forward = Window(begin, end) if begin < end else None
    missed = _missed(policy, progress, kept_from, bookmark if gap is None else gap.start)
    first = progress.bookmark is None
    for age in policy.revisits:
        mark = progress.marks.get(age, bookmark if first else min(bookmark, now - age))
        # A mark before what can be read would never be inside a window, and so never move.
        progress.marks[age] = max(mark, min(oldest, bookmark))
    if kept_from is not None and policy.revisits:
        # What was read at the greatest age needs no last chance.
        seen = [progress.marks[max(policy.revisits)], min(kept_from, bookmark), *filter(None, [progress.last_seen])]
        progress.last_seen = max(seen)
    return Need(bookmark, forward, _due(policy, progress, now, begin), gap, missed, pulled_back)


def _missed(policy: Policy, progress: Progress, kept_from: datetime | None, bookmark: datetime) -> Window | None:
    """Find what was read, was to be read once more, and cannot be any more."""
    marks = [progress.marks[age] for age in policy.revisits if age in progress.marks]
    if kept_from is None or not marks:
        return None
    seen = max(min(marks), progress.last_seen or min(marks))
    start = floor(max(seen, policy.start or seen), policy.unit)
    missed = Window(start, min(kept_from, bookmark))
    return missed if missed.start < missed.end else None


def _first_start(policy: Policy, now: datetime) -> datetime:
    if policy.start is not None:
        return max(policy.start, EPOCH)
    return max(now - (policy.history or UNLIMITED_FIRST_RUN), EPOCH)


def _due(policy: Policy, progress: Progress, now: datetime, begin: datetime) -> tuple[Window, ...]:
    """Find the stretches before `begin` that have passed a revisit age, or will be forgotten by the next run."""
    due = []
    for age in policy.revisits:
        cutoff = now - age
        stretch = Window(floor(progress.marks[age], policy.unit), floor(min(cutoff, begin), policy.unit))
        if stretch.start >= stretch.end:
            continue
        if stretch.length >= _gathered(policy, age) or cutoff >= begin:
            due.append(stretch)
    chance = policy.last_chance(now)
    if chance is not None and progress.last_seen is not None:
        settled = now - policy.settle
        stretch = Window(floor(progress.last_seen, policy.unit), floor(min(chance, begin, settled), policy.unit))
        if stretch.start < stretch.end:
            due.append(stretch)
    return tuple(due)


def _gathered(policy: Policy, age: timedelta) -> timedelta:
    """Return how much time is revisited at once; that must not outlast the vendor's history."""
    gather = age / 4
    return gather if policy.history is None else min(gather, max(policy.history - age, timedelta()) / 2)


def next_revisit(policy: Policy, progress: Progress, now: datetime) -> datetime | None:
    """Return from when on a run reads something once more, were it to come then; None: nothing waits for that."""
    marks = ((age, mark) for age, mark in progress.marks.items() if age in policy.revisits)
    read = progress.bookmark
    due = [mark + age + _gathered(policy, age) for age, mark in marks if read is not None and mark < read]
    return max(now, min(due)) if due else None


def union(windows: Iterable[Window]) -> list[Window]:
    """Merge windows that overlap or touch; sorted."""
    merged: list[Window] = []
    for window in sorted(windows):
        if merged and window.start <= merged[-1].end:
            merged[-1] = Window(merged[-1].start, max(merged[-1].end, window.end))
        else:
            merged.append(window)
    return merged


def hull(windows: Sequence[Window]) -> list[Window]:
    """Return the one window that holds all of these, and what lies between them; none where there are none."""
    return [Window(min(windows).start, max(window.end for window in windows))] if windows else []


def subtract(window: Window, holes: Iterable[Window]) -> list[Window]:
    """Return what is left of `window` without `holes`; sorted."""
    left = []
    start = window.start
    for hole in union(holes):
        if hole.start > start:
            left.append(Window(start, min(hole.start, window.end)))
        start = max(start, hole.end)
        if start >= window.end:
            break
    if start < window.end:
        left.append(Window(start, window.end))
    return [part for part in left if part.start < part.end]


def tile(stretch: Window, largest: timedelta, unit: timedelta) -> list[Window]:
    """Cut a stretch into equal windows no longer than `largest`, their edges multiples of `unit`."""
    return equal_parts(stretch, -(-stretch.length // max(largest, unit)), unit)


def tile_in_steps(stretch: Window, policy: Policy) -> list[Window]:
    """Do so, but into no more windows at once than memory should hold: what is too long still is for a further step."""
    return tile(
        stretch, max(policy.largest, -(-stretch.length // (_MOST_TILES * policy.unit)) * policy.unit), policy.unit
    )


def needs_a_step(window: Window, policy: Policy) -> bool:
    """Whether a window of `tile_in_steps` is to be cut further before it is read."""
    return window.length > 2 * max(policy.largest, policy.unit)


def equal_parts(window: Window, parts: int, unit: timedelta) -> list[Window]:
    """Cut a window into at most `parts` equal ones; fewer where `unit` leaves no room."""
    parts = max(1, min(parts, -(-window.length // unit)))
    return cut_at(window, (window.start + window.length * number / parts for number in range(1, parts)), unit)


def cut_at(window: Window, moments: Iterable[datetime], unit: timedelta) -> list[Window]:
    """Cut a window at the given moments, rounded down to `unit`; those outside are ignored."""
    inside = {floor(moment, unit) for moment in moments}
    edges = [window.start, *sorted(edge for edge in inside if window.start < edge < window.end), window.end]
    return [Window(start, end) for start, end in pairwise(edges)]


def plan(needs: Sequence[Need], policy: Policy, pinned: Iterable[Window] = ()) -> list[Window]:
    """Lay out the windows of a run for all consumers of an endpoint: each stretch of time once.

    Stretches that move a bookmark come first, so that trouble with an old one never holds the present up.
    `pinned` windows (of jobs that live at the vendor) are kept as they are.
    """
    pins = sorted(set(pinned))
    forward = [n.forward for n in needs if n.forward is not None]
    stretches = union([*forward, *(window for n in needs for window in n.revisits)])
    leading = [s for s in stretches if any(f.start < s.end and s.start < f.end for f in forward)]
    windows = []
    for stretch in [*leading, *(s for s in stretches if s not in leading)]:
        inside = [pin for pin in pins if pin.start < stretch.end and stretch.start < pin.end]
        tiles = [t for part in subtract(stretch, inside) for t in tile_in_steps(part, policy)]
        # A pin may reach into several stretches, and is read once.
        windows.extend(sorted([*tiles, *(pin for pin in inside if pin not in windows)]))
    windows.extend(pin for pin in pins if pin not in windows)
    return windows
