"""What a run did, endpoint by endpoint, said once at its end."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_emaillogs.progress import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from tap_emaillogs.http.activity import Wait
    from tap_emaillogs.progress.endpoint import EndpointProgress
    from tap_emaillogs.progress.tracker import Tracker

MANY = 20
"""With more endpoints than that, there is one entry for each stream."""
_GO_ON = (
    "to go on, run the tap again with that STATE (meltano run takes it by itself): nothing is lost, and nothing has to "
    "be undone"
)
_AS_BEFORE = "to go on, run the tap again as before: nothing is lost, and nothing has to be undone"
_STATUSES = ("complete", "truncated", "pending", "failed")


@dataclass
class Entry:
    """What was read of an endpoint, or of several together."""

    name: str
    rows: int = 0
    requests: int = 0
    least: int = 0
    """Requests that there are at least for so many rows."""
    retries: int = 0
    windows: Counter[str] = field(default_factory=Counter)
    waited: dict[Wait, float] = field(default_factory=dict)
    """Seconds; of several endpoints the longest, since they wait side by side."""
    endpoints: int = 0
    revisit: datetime | None = None
    """From when on a run looks for late events again."""
    missing: int = 0
    """Gaps: windows that the vendor no longer keeps."""

    def add(self, one: EndpointProgress, now: float) -> None:
        """Add an endpoint."""
        self.endpoints += 1
        self.rows += one.rows
        self.requests += one.requests
        self.least += one.least_requests
        self.retries += one.activity.retries
        self.windows += one.statuses
        self.missing += one.endpoint.ledger.gaps - one.statuses["truncated"]
        for wait, seconds in one.waited(now).items():
            self.waited[wait] = max(self.waited.get(wait, 0.0), seconds)
        revisit = one.next_revisit()
        self.revisit = min(filter(None, (self.revisit, revisit)), default=None)

    def statuses(self) -> str:
        """Return `3 complete, 1 truncated`."""
        found = [f"{self.windows[status]:,} {status}" for status in _STATUSES if self.windows[status]]
        if self.missing:
            found.append(f"{self.missing:,} unavailable")
        return ", ".join(found) or "none was due"

    def waits(self) -> str:
        """Return `95 s for its budget, 12 s for an export`."""
        waited = ", ".join(words.waited(self.waited))
        return f"up to {waited}" if waited and self.endpoints > 1 else waited

    def late(self) -> str:
        """Return from when on a run looks for late events again."""
        return "" if self.revisit is None else words.moment(self.revisit)

    def line(self) -> str:
        """Return all of it in one line."""
        parts = [
            words.count(self.rows, "row"),
            f"{words.count(self.requests, 'request')} (at least {self.least:,} needed)",
            f"windows: {self.statuses()}",
        ]
        if self.retries:
            parts.append(words.count(self.retries, "retry", "retries"))
        if waits := self.waits():
            parts.append(f"waited {waits}")
        if late := self.late():
            parts.append(f"next revisit due {late}")
        return f"{self.name}: {'; '.join(parts)}"


def entries(tracker: Tracker) -> list[Entry]:
    """Return an entry for each endpoint, or for each stream where there are many; the last one is of all together."""
    now = tracker.clock.monotonic()
    took = words.span(now - tracker.began)
    found = tracker.endpoints
    listed = [_entry(one.name, [one], now) for one in found] if len(found) <= MANY else _by_stream(found, now)
    if len(listed) != 1:
        failed = f", {tracker.failed_to_plan:,} more that failed" if tracker.failed_to_plan else ""
        listed.append(_entry(f"{words.count(len(found), 'endpoint')}{failed}, in {took}", found, now))
    return listed


def _by_stream(found: Sequence[EndpointProgress], now: float) -> list[Entry]:
    streams: defaultdict[str, list[EndpointProgress]] = defaultdict(list)
    for one in found:
        streams[one.endpoint.id[2]].append(one)
    return [_entry(f"{words.count(len(ones), 'account')}, {stream}", ones, now) for stream, ones in streams.items()]


def _entry(name: str, ones: Iterable[EndpointProgress], now: float) -> Entry:
    entry = Entry(name)
    for one in ones:
        entry.add(one, now)
    return entry


def kept(tracker: Tracker, signal: str) -> list[str]:
    """Say what a run that was stopped leaves, and how to go on."""
    rows = sum(one.rows for one in tracker.endpoints)
    unread = len(tracker.running())
    again = f"; what was being read of {words.count(unread, 'endpoint')} is read again" if unread else ""
    if not rows and not any(one.statuses.total() for one in tracker.endpoints):
        return [f"stopped by {signal}: nothing was read to its end yet, and no row was written{again}", _AS_BEFORE]
    verb = "is" if rows == 1 else "are"
    said = f"{words.count(rows, 'row')} of this run {verb} kept, and covered by the last STATE on stdout{again}"
    return [f"stopped by {signal}: {said}", _GO_ON]
