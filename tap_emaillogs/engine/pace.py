"""How often the tap runs: what its last runs say of the next one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats import timestamps

if TYPE_CHECKING:
    from collections.abc import Mapping

_DAYS = 3
"""Nights and lunch breaks come back; what was longer ago does not tell the next pause."""


@dataclass
class Pace:
    """The runs of an endpoint: when the last one was, and the two longest pauses that ended on each day."""

    last: datetime | None = None
    pauses: dict[str, list[timedelta]] = field(default_factory=dict)
    """By day, `2026-11-21`; the longer one first."""

    @classmethod
    def load(cls, entry: Mapping[str, Any]) -> Pace:
        """Read it from STATE."""
        last = entry.get("last")
        pauses = {
            day: [timedelta(seconds=float(seconds)) for seconds in longest]
            for day, longest in entry.get("pauses", {}).items()
        }
        return cls(None if last is None else timestamps.parse(last), pauses)

    def dump(self) -> dict[str, Any]:
        """Write it for STATE."""
        if self.last is None:
            return {}
        pauses = {day: [pause.total_seconds() for pause in longest] for day, longest in self.pauses.items()}
        return {"last": timestamps.millis(self.last), "pauses": pauses}

    def note(self, now: datetime) -> None:
        """Note a run that begins now."""
        if self.last is not None and now > self.last:
            day = f"{now:%Y-%m-%d}"
            self.pauses[day] = sorted([*self.pauses.get(day, []), now - self.last], reverse=True)[:2]
        days = sorted(self.pauses)
        oldest = f"{now - timedelta(days=_DAYS - 1):%Y-%m-%d}"
        # Two days at least: one alone may be that of an outage.
        self.pauses = {day: self.pauses[day] for day in days if day >= oldest or day in days[-2:]}
        self.last = now

    @property
    def is_known(self) -> bool:
        """Whether there were two runs to learn from."""
        return bool(self.pauses)

    @property
    def longest(self) -> timedelta:
        """The longest pause that was made twice in the last days: an outage is no schedule. Zero: none is known."""
        longest = sorted((pause for day in self.pauses.values() for pause in day), reverse=True)
        return next(iter(longest[1:] or longest), timedelta())
