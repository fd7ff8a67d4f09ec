"""A stretch of time, and how the time of an endpoint is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats import timestamps

if TYPE_CHECKING:
    from collections.abc import Mapping

_LATENESS = timedelta(minutes=15)
"""So late may a run begin that comes as regularly as those before it."""


@dataclass(frozen=True, order=True, slots=True)
class Window:
    """A half-open stretch of time, `[start, end)`, both aware and in UTC."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start

    @classmethod
    def load(cls, entry: Mapping[str, Any]) -> Window:
        """Read its edges from STATE."""
        return cls(timestamps.parse(entry["start"]), timestamps.parse(entry["end"]))

    def dump(self) -> dict[str, str]:
        """Write its edges for STATE."""
        return {"start": timestamps.millis(self.start), "end": timestamps.millis(self.end)}

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class Policy:
    """How one endpoint of one account is read; all in the vendor's smallest unit of time."""

    unit: timedelta
    """The vendor's time resolution: no window is shorter, all edges are multiples of it."""
    largest: timedelta
    """The largest window asked for at once."""
    history: timedelta | None
    """What the vendor keeps; None: everything."""
    lookback: timedelta
    revisits: tuple[timedelta, ...]
    settle: timedelta
    start: datetime | None = None
    end: datetime | None = None
    pause: timedelta = timedelta()
    """How long it may be until the next run."""

    def kept_from(self, now: datetime) -> datetime | None:
        """Return from when on the vendor still has what it had; None: it keeps everything."""
        return None if self.history is None else timestamps.floor(now - self.history, self.unit)

    def last_chance(self, now: datetime) -> datetime | None:
        """Return up to when the vendor may have forgotten by the next run; None: it forgets nothing."""
        if self.history is None or not self.pause:
            return self.kept_from(now)
        return now - self.history + self.pause + min(self.pause / 10, _LATENESS)
