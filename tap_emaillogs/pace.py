"""How often the tap runs: what its last runs say of the next one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_emaillogs import timestamps

if TYPE_CHECKING:
    from collections.abc import Mapping

_DAYS = 3
"""Nights and lunch breaks come back; what was longer ago does not tell the next pause."""


@dataclass
class Pace:
    """The runs of an endpoint: when the last one was, and the longest pause that ended on each of the last days."""

    last: datetime | None = None
    pauses: dict[str, timedelta] = field(default_factory=dict)
    """By day, `2026-11-21`."""

    @classmethod
    def load(cls, entry: Mapping[str, Any]) -> Pace:
        """Read it from STATE."""
        last = entry.get("last")
        pauses = {day: timedelta(seconds=float(seconds)) for day, seconds in entry.get("pauses", {}).items()}
        return cls(None if last is None else timestamps.parse(last), pauses)

    def dump(self) -> dict[str, Any]:
        """Write it for STATE."""
        if self.last is None:
            return {}
        pauses = {day: pause.total_seconds() for day, pause in self.pauses.items()}
        return {"last": timestamps.millis(self.last), "pauses": pauses}

    def note(self, now: datetime) -> None:
        """Note a run that begins now."""
        if self.last is not None and now > self.last:
            day = f"{now:%Y-%m-%d}"
            self.pauses[day] = max(self.pauses.get(day, timedelta()), now - self.last)
        oldest = f"{now - timedelta(days=_DAYS - 1):%Y-%m-%d}"
        self.pauses = {day: pause for day, pause in sorted(self.pauses.items()) if day >= oldest}
        self.last = now

    @property
    def is_known(self) -> bool:
        """Whether there were two runs to learn from."""
        return bool(self.pauses)

    @property
    def longest(self) -> timedelta:
        """The longest pause of the last days; none where they are not known."""
        return max(self.pauses.values(), default=timedelta())
