"""How far one endpoint has come in this run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tap_emaillogs.engine.windows import next_revisit

if TYPE_CHECKING:
    from tap_emaillogs.engine.endpoint import Endpoint
    from tap_emaillogs.engine.headway import Headway
    from tap_emaillogs.engine.reading import Outcome, Reading
    from tap_emaillogs.http.activity import Wait
    from tap_emaillogs.streams.window import Window

_FIRST_GUESS = 0.02
"""So much must be done before the time left is estimated."""
_NEARLY = 0.99
"""No more is done before the end: what is read is still to be written."""


@dataclass(frozen=True)
class Snapshot:
    """How far an endpoint has come, at one moment."""

    rows: int
    requests: int
    share: float
    """Of the time to be read, from 0 to 1."""
    at: datetime | None
    """Up to where it is read, or back to where; None: nobody can tell yet."""
    backwards: bool
    """Whether the newest rows come first, and `at` is the oldest one so far."""
    waits_for: Wait | None
    running: float
    """Seconds since the first window was begun."""
    left: float | None
    """Seconds that are left, if it goes on like that; None: nobody can tell."""


@dataclass
class EndpointProgress:
    """Follows one endpoint; changed by workers and the writer under the tracker's lock."""

    endpoint: Endpoint
    name: str
    """`jetemail/default jetemail_outbound_logs`."""
    windows: list[Window]
    """Those planned."""
    statuses: Counter[str] = field(default_factory=Counter)
    """How many windows ended how."""
    rows: int = 0
    begun: float | None = None
    """When, by the clock's `monotonic`."""
    ended: float | None = None
    _done: timedelta = timedelta()
    _reached: datetime | None = None
    _reading: dict[int, Reading] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._length = sum((window.length for window in self.windows), timedelta())
        self.activity = self.endpoint.context.activity

    def begin(self, reading: Reading, now: float) -> bool:
        """Note a window that is being read; tell whether it is the first."""
        first, self.begun = self.begun is None, now if self.begun is None else self.begun
        self._reading[id(reading)] = reading
        return first

    def drop(self, reading: Reading) -> None:
        """Forget a window that is read in parts instead."""
        self._reading.pop(id(reading), None)

    def end(self, reading: Reading, outcome: Outcome, rows: int | None, now: float) -> bool:
        """Note what became of a window; tell whether it was the last one of the endpoint."""
        self.drop(reading)
        self.statuses[outcome.status] += 1
        if outcome.status in {"complete", "truncated"}:
            self.rows += rows or 0
            self._done += reading.window.length
            self._reached = max(reading.window.end, self._reached or reading.window.end)
            if self.endpoint.slots:
                return False
        self._reading.clear()
        self.ended = now
        return True

    @property
    def requests(self) -> int:
        """How many were sent."""
        return self.activity.requests

    @property
    def least_requests(self) -> int:
        """How many there are at least for the rows that were read."""
        if not self.windows:
            return 0
        return min(self.requests, self.endpoint.reader.least_requests(self.rows, len(self.windows)))

    @property
    def per_minute(self) -> float:
        """The account's budget; 0: it has none."""
        return self.endpoint.stream.settings.requests_per_minute

    def waited(self, now: float) -> dict[Wait, float]:
        """Return for how many seconds each was waited for."""
        return self.activity.waited(now)

    def next_revisit(self) -> datetime | None:
        """Return from when on a run looks for late events again; None: none does."""
        endpoint = self.endpoint
        now = endpoint.now
        progress = [consumer.bookmark.progress for consumer in endpoint.consumers]
        due = [next_revisit(endpoint.policy, one, now) for one in progress]
        return min((moment for moment in due if moment is not None), default=None)

    def snapshot(self, now: float) -> Snapshot:
        """Return how far it is."""
        readings = list(self._reading.values())
        done = self._done
        for reading in readings:
            done += reading.window.length * _share(reading.headway, reading.window)
        share = min(_NEARLY if self.ended is None else 1.0, done / self._length) if self._length else 1.0
        at, backwards = self._reached, False
        if at is None and readings:
            first = min(readings, key=lambda reading: reading.window)
            at, backwards = first.headway.at, first.headway.backwards
        running = (now if self.ended is None else self.ended) - (now if self.begun is None else self.begun)
        return Snapshot(
            rows=self.rows + sum(_rows(reading.headway) for reading in readings),
            requests=self.requests,
            share=share,
            at=at,
            backwards=backwards,
            waits_for=None if self.ended is not None else self.activity.waits_for(now),
            running=running,
            left=running * (1 - share) / share if share >= _FIRST_GUESS and self.ended is None else None,
        )


def _rows(headway: Headway) -> int:
    """Return how many rows of a window were seen: pages may overlap."""
    return min(headway.rows, headway.total or headway.rows)


def _share(headway: Headway, window: Window) -> float:
    """Estimate how much of a window its pages have shown: by the total, else by the time of the last row."""
    if headway.total:
        return min(1.0, headway.rows / headway.total)
    if headway.at is None or headway.at not in window:
        return 0.0
    passed = window.end - headway.at if headway.backwards else headway.at - window.start
    return passed / window.length
